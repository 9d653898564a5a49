"""Which other files are counted beside the prompt: a small model copies what a repository repeats only if it is told.

Those that are imported, those in the same folder and those with a similar name, the files with the most similar imports
first.  Their whole texts go to the engine's process, once each, never into a prompt; secrets are masked and ignored
files left out as in the context.  On the graph's thread, in the background.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from hashlib import blake2b

from graft_indexer.facts import Facts
from graft_indexer.graph import SymbolGraph
from graft_models.prompt import NEIGHBOUR_CHARACTERS, Neighbour
from graft_server.completion import secrets
from graft_server.completion.gate import graft_ignored, matches

MOST = 12
_LOOKED_AT = 60
"""Files whose imports are compared."""
_KEPT = 64
_PART = re.compile(r"[a-z]+|[A-Z][a-z]*|\d+")


class Neighbours:
    """The masked texts of the files that were near lately."""

    def __init__(self) -> None:
        self._masked: OrderedDict[bytes, Neighbour] = OrderedDict()

    def of(self, graph: SymbolGraph, path: str, disabled: tuple[str, ...] = ()) -> tuple[Neighbour, ...]:
        """The files near `path`, nearest first; `disabled` are globs of files that are never read."""
        found: list[Neighbour] = []
        for other in ranked(graph, path):
            if len(found) >= MOST:
                break
            if matches(other, disabled) or graft_ignored(graph.root, other):
                continue
            text = graph.text(other)
            if text and text.strip():
                found.append(self._made(other, text[:NEIGHBOUR_CHARACTERS].replace("\r\n", "\n")))
        return tuple(found)

    def _made(self, path: str, text: str) -> Neighbour:
        key = blake2b(f"{path}\n{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        made = self._masked.pop(key, None) or Neighbour(path, key.hex(), secrets.mask(text))
        self._masked[key] = made
        while len(self._masked) > _KEPT:
            self._masked.popitem(last=False)
        return made


def ranked(graph: SymbolGraph, path: str) -> list[str]:
    """Other files of the same kind, nearest first."""
    folder, _, name = path.rpartition("/")
    ending = "." + name.rpartition(".")[2]
    mine = graph.facts(path)
    imported = _imported(path, mine)
    parts = _parts(name)

    def near(other: str) -> tuple[float, str]:
        where, _, what = other.rpartition("/")
        place = 1.0 if where == folder else _common(where, folder)
        said = any(other == p or other.endswith(f"/{p}") for p in imported.get(what, ()))
        return -(2.0 * said + place + _overlap(parts, _parts(what))), other

    best = sorted(near(p) for p in graph.paths() if p.endswith(ending) and p != path)[:_LOOKED_AT]
    names = _names(mine)
    return [p for _, p in sorted((value - 2.0 * _overlap(names, _names(graph.facts(p))), p) for value, p in best)]


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
    return 0.8 * same / max(len(left), len(right))
