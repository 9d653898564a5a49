"""Which other files are counted beside the prompt: a small model copies what a repository repeats only if it is told.

Those that are imported, those in the same folder and those with a similar name, the files with the most similar imports
first.  Their whole texts go to the engine's process, once each, never into a prompt; secrets are masked and ignored
files left out as in the context.  On the graph's thread, in the background, in steps of a few milliseconds: a key press
that comes meanwhile asks the same thread.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Generator
from hashlib import blake2b
from typing import TypeVar

from graft_indexer.embedded import has_view
from graft_indexer.facts import Facts
from graft_indexer.graph import SymbolGraph
from graft_models.prompt import NEIGHBOUR_CHARACTERS, Neighbour
from graft_server.completion import secrets
from graft_server.completion.gate import graft_ignored, matches

MOST = 12
"""Files.  Measured: more is gained with 12 than with 6, and nothing with 24."""
PIECE = 20
"""Files whose paths are compared in one step."""
_LOOKED_AT = 60
"""Files whose imports are compared, which takes a step each; five times `MOST`, by hand."""

# Weights, by hand, in the order of how many useful snippets each kind of file holds: those with similar imports 82 to
# 88 %, a similar name 52 to 65 %, the same folder 46 to 60 %.  A similar name and the same folder count 1.
_IMPORTED = 2.0
_SAME_IMPORTS = 2.0
_FOLDER_SHARED = 0.8
"""At most, of another folder that has a part of its path in common: below the same folder."""

_KEPT = 64
_PART = re.compile(r"[a-z]+|[A-Z][a-z]*|\d+")


T = TypeVar("T")
Steps = Generator[None, None, T]
"""Something to be found, a few milliseconds between two yields."""


class Neighbours:
    """The masked texts of the files that were near lately."""

    def __init__(self) -> None:
        self._masked: OrderedDict[bytes, Neighbour] = OrderedDict()

    def of(self, graph: SymbolGraph, path: str, disabled: tuple[str, ...] = ()) -> tuple[Neighbour, ...]:
        """The files near `path`, nearest first; `disabled` are globs of files that are never read."""
        return _result(self.steps(graph, path, disabled))

    def steps(self, graph: SymbolGraph, path: str, disabled: tuple[str, ...] = ()) -> Steps[tuple[Neighbour, ...]]:
        """`of`, in steps; each compares `PIECE` paths or reads one file."""
        found: list[Neighbour] = []
        for other in (yield from _ranking(graph, path)):
            if len(found) >= MOST:
                break
            if matches(other, disabled) or graft_ignored(graph.root, other):
                continue
            text = graph.text(other)
            if text and text.strip():
                found.append(self._made(other, text[:NEIGHBOUR_CHARACTERS].replace("\r\n", "\n")))
            yield
        return tuple(found)

    def _made(self, path: str, text: str) -> Neighbour:
        key = blake2b(f"{path}\n{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        made = self._masked.pop(key, None) or Neighbour(path, key.hex(), secrets.mask(text))
        self._masked[key] = made
        while len(self._masked) > _KEPT:
            self._masked.popitem(last=False)
        return made


def ranked(graph: SymbolGraph, path: str) -> list[str]:
    """Other files of the same kind, nearest first; none that hold code among something else."""
    return _result(_ranking(graph, path))


def _ranking(graph: SymbolGraph, path: str) -> Steps[list[str]]:
    folder, _, name = path.rpartition("/")
    ending = "." + name.rpartition(".")[2]
    mine = graph.facts(path)
    imported, names = _imported(path, mine), _names(mine)
    parts = _parts(name)

    def near(other: str) -> tuple[float, str]:
        where, _, what = other.rpartition("/")
        place = 1.0 if where == folder else _common(where, folder)
        said = any(other == p or other.endswith(f"/{p}") for p in imported.get(what, ()))
        return -(_IMPORTED * said + place + _overlap(parts, _parts(what))), other

    best: list[tuple[float, str]] = []
    paths = [p for p in graph.paths() if p.endswith(ending) and p != path and not has_view(p)]
    for at in range(0, len(paths), PIECE):
        yield
        best = sorted([*best, *map(near, paths[at : at + PIECE])])[:_LOOKED_AT]
    compared = []
    for value, other in best:
        yield
        compared.append((value - _SAME_IMPORTS * _overlap(names, _names(graph.facts(other))), other))
    yield
    return [other for _, other in sorted(compared)]


def _result(steps: Steps[T]) -> T:
    """What the steps find, all at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found


def _imported(path: str, facts: Facts | None) -> dict[str, set[str]]:
    """Where what `path` imports may lie, ends of paths by the name of the file; by their spelling alone."""
    found: dict[str, set[str]] = {}
    for item in facts.imports if facts is not None else ():
        dotted = item.module.strip(".").replace(".", "/")
        if item.level:
            folder = path.split("/")[: -item.level]
            dotted = "/".join([*folder, *([dotted] if dotted else [])])
        for module in (dotted, f"{dotted}/{item.name}" if item.name else dotted):
            for end in (f"{module}.py", f"{module}/__init__.py"):
                found.setdefault(end.rpartition("/")[2], set()).add(end)
    return found


def _names(facts: Facts | None) -> frozenset[str]:
    if facts is None:
        return frozenset()
    return frozenset(f"{i.module}.{i.name}" if i.name else i.module for i in facts.imports)


def _parts(name: str) -> frozenset[str]:
    return frozenset(part.lower() for part in _PART.findall(name.rpartition(".")[0])) - {"init", "test", "tests"}


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one and other else 0.0


def _common(one: str, other: str) -> float:
    """How much of two folders' paths is the same, below 1."""
    left, right = one.split("/"), other.split("/")
    same = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        same += 1
    return _FOLDER_SHARED * same / max(len(left), len(right))
