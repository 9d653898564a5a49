"""Parts of other files for a training sample or a measured line, gathered by the product's own code from its own graph.

`neighbours.py` matches spellings and is cheap; this asks the symbol graph as the language server does at a key press
(graft_server/completion/context.py), on the file as it stands with the hidden text taken out, and costs about 20 ms of
processor time for a sample. The second stage of training uses it, so that the model sees what it will be shown.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType

from graft_indexer.pygraph import PyGraph, open_graph
from graft_models.engine import Capabilities
from graft_models.prompt import ContextPart, Neighbour
from graft_server.completion.context import Wanted, gate_for, gather
from graft_server.completion.neighbours import Neighbours

KINDS = frozenset({"header", "outline", "definition", "usage"})  # callers and tests cost ten times as much as these
DEADLINE_MS = 400.0  # training has more time than a key press; a slow answer would leave parts out at random


class ProductContext:
    """The graph of one package, written to a folder of its own. Use as a context manager."""

    def __init__(self, documents: Sequence[tuple[str, str]]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="graft-context-"))
        self.paths: set[str] = set()
        self.near = Neighbours()
        self.shown: str | None = None
        for path, text in documents:
            if safe(path):
                target = self.folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, "utf-8")
                self.paths.add(path)
        # No interpreter: the parts must not depend on what is installed where the data are made.
        self.graph: PyGraph = open_graph(self.folder, jobs=1, python_paths=())

    def __enter__(self) -> ProductContext:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the graph and remove the folder."""
        self.graph.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def parts(self, path: str, before: str, after: str, tokens: int) -> tuple[ContextPart, ...]:
        """At most `tokens` (estimated) of parts for a cursor between `before` and `after` in the file `path`."""
        if path not in self.paths:
            return ()
        return gather(self.graph, self._wanted(path, before, after, tokens, KINDS)).parts

    def counted(
        self, path: str, before: str, after: str, tokens: int
    ) -> tuple[tuple[ContextPart, ...], tuple[Neighbour, ...]]:
        """What a small model that counts is given at a key press: parts in the prompt, and files counted beside it."""
        if path not in self.paths:
            return (), ()
        wanted = gate_for(self._wanted(path, before, after, tokens, None), Capabilities(counts=True))
        return gather(self.graph, wanted).parts, self.near.of(self.graph, path)

    def _wanted(self, path: str, before: str, after: str, tokens: int, kinds: frozenset[str] | None) -> Wanted:
        if self.shown is not None and self.shown != path:
            self.graph.close_buffer(self.shown)
        text = before + after
        self.graph.open_buffer(path, text)
        self.shown = path
        return Wanted(path, text, len(before.encode()), tokens, DEADLINE_MS, kinds=kinds)


def safe(path: str) -> bool:
    """Does `path` stay below the folder it is written to."""
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and len(path.encode()) < 200


def contexts_of(packages: Mapping[str, Mapping[str, str]]) -> dict[str, ProductContext]:
    """One graph for each package: name -> {path: text}."""
    return {name: ProductContext(list(files.items())) for name, files in packages.items()}
