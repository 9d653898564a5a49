"""Graphs over one-string fixtures, without an environment of installed packages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from graft_indexer.environment import Environment, typeshed
from graft_indexer.graph import Answer, Symbol
from graft_indexer.pygraph import PyGraph
from graft_indexer.workspace import Workspace
from graft_indexer.world import World
from graft_testing.fixture import Fixture, parse_fixture


@dataclass
class Fixed:
    """A graph with the fixture it was made of."""

    graph: PyGraph
    fixture: Fixture

    @property
    def here(self) -> tuple[str, int]:
        """Path and offset of `$0`."""
        return self.fixture.path, self.fixture.offset

    def mark(self, number: int) -> tuple[str, int]:
        """Path and offset of `$n`."""
        return self.fixture.marks[number]


@contextmanager
def graph_of(source: str, *, site: dict[str, str] | None = None, complete: bool = True) -> Iterator[Fixed]:
    """A graph over a fixture; `site` are files of installed packages; Python 3.11 without sources of the library."""
    fixture = parse_fixture(source)
    with tempfile.TemporaryDirectory() as folder:
        root = fixture.write(Path(folder, "work").resolve())
        packages = Path(folder, "site-packages").resolve()
        for path, text in (site or {}).items():
            target = packages / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
        environment = Environment((3, 11), None, (packages,) if site else (), typeshed(), complete)
        workspace = Workspace.open(root, index_dir=None)
        graph = PyGraph(workspace, World(workspace, environment))
        try:
            yield Fixed(graph, fixture)
        finally:
            graph.close()


def names(answer: Answer[object], *, dunder: bool = False) -> str:
    """`closed: a b c`, or `open (reason): a b`; dunder names are left out."""
    symbols: list[Symbol] = list(answer.value)  # type: ignore[call-overload]
    shown = sorted({s.name for s in symbols if dunder or not s.name.startswith("__")})
    head = "closed" if answer.closed else f"open ({answer.reason})"
    return f"{head}: {' '.join(shown)}"
