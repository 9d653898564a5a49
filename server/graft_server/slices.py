"""Long questions to a graph, cut into slices, so that a keystroke never waits for a whole check."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from graft_indexer.graph import SymbolGraph
from graft_server.workspace import BACKGROUND, GraphThread

T = TypeVar("T")

SLICE_MS = 12.0
"""A slice ends after the first step that takes it over this."""

_ALL = 1 << 62


class _Work(Generic[T]):
    """A generator that is run a slice at a time, and begun anew if the graph changed in between."""

    def __init__(self, begin: Callable[[SymbolGraph], Generator[None, None, T]]) -> None:
        self._begin = begin
        self._steps: Generator[None, None, T] | None = None
        self._mark = -1

    def __call__(self, graph: SymbolGraph) -> tuple[bool, T | None]:
        """(done, the result if it is)."""
        mark = graph.changed_since(_ALL)[0]
        if self._steps is None or mark != self._mark:
            self._steps = self._begin(graph)
        until = time.perf_counter() + SLICE_MS / 1000
        while True:
            try:
                next(self._steps)
            except StopIteration as end:
                result: T = end.value
                return True, result
            if time.perf_counter() >= until:
                # Trial edits of this slice were taken back, but count as changes.
                self._mark = graph.changed_since(_ALL)[0]
                return False, None


async def sliced(
    graph: GraphThread,
    begin: Callable[[SymbolGraph], Generator[None, None, T]],
    *,
    priority: int = BACKGROUND,
    valid: Callable[[], bool] = lambda: True,
) -> T | None:
    """The result of a generator that runs on the graph's thread; None if it fails, or once `valid()` is false.

    Between two slices the graph's thread answers whoever waits.  Cancelling the caller ends the work after the slice
    under way.
    """
    work = _Work(begin)
    nothing: tuple[bool, T | None] = (True, None)
    while valid():
        done, result = await graph.ask(work, nothing, priority=priority)
        if done:
            return result
    return None
