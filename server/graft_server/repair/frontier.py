"""What is tried next: the likeliest proposal of several streams, each of which falls in likelihood."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator

from graft_server.repair.proposals import Proposal


class Frontier:
    """Streams of proposals merged by score.

    No text of a file is given out twice, except by `again`, or when its oddities were counted and it was put back.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Proposal, Iterator[Proposal], bool]] = []
        self._serial = itertools.count()
        self._seen: set[tuple[str, int]] = set()

    def add(self, stream: Iterable[Proposal], *, again: bool = False) -> None:
        """Join a stream; `again` for proposals that ran out of time at first."""
        self._advance(iter(stream), again)

    def _advance(self, stream: Iterator[Proposal], again: bool) -> None:
        proposal = next(stream, None)
        if proposal is not None:
            heapq.heappush(self._heap, (-proposal.score, next(self._serial), proposal, stream, again))

    def pop(self) -> tuple[Proposal, bool] | None:
        """The likeliest proposal, and whether it is a second try; None when all streams have ended."""
        while self._heap:
            _, _, proposal, stream, again = heapq.heappop(self._heap)
            self._advance(stream, again)
            key = (proposal.path, hash(proposal.text))
            if again or proposal.oddities is not None or key not in self._seen:
                self._seen.add(key)
                return proposal, again
        return None

    def __bool__(self) -> bool:
        """Whether there may be more."""
        return bool(self._heap)
