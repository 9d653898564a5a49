"""Findings of a file that is being edited: only units whose findings may have changed are checked again.

What is remembered is which units were found clean, under the digest of everything that this depended on (`keys`).
Units with findings, a handful, are checked every time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from weakref import WeakKeyDictionary

from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis.calls import remembered
from graft_server.diagnosis.keys import exposed, unit_keys
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.offers import PACKAGE, Digest, import_words
from graft_server.diagnosis.registry import CheckInfo
from graft_server.diagnosis.source import Source, source_of
from graft_server.diagnosis.subject import Subject
from graft_server.diagnosis.units import Unit, units_of
from graft_server.errors import cannot_happen

_CLEAN = 50_000
"""Clean units remembered per graph; 100 bytes each."""
_MANY = 40
"""Changed files above which everything counts as changed: a checkout, not an edit."""
_IMPORTERS = 600
"""Files that lead to a file, directly or not, before it counts as part of a circle."""


@dataclass(slots=True)
class _Memory:
    """What is known of one graph's units."""

    mark: int = 0
    others: dict[str, Digest] = field(default_factory=dict)
    """File -> what it shows to others, for files that changed since the beginning."""
    epoch: int = 0
    clean: OrderedDict[Digest, None] = field(default_factory=OrderedDict)
    circles: OrderedDict[Digest, frozenset[str] | None] = field(default_factory=OrderedDict)
    checked: int = 0


_memories: WeakKeyDictionary[SymbolGraph, _Memory] = WeakKeyDictionary()


def findings(
    graph: SymbolGraph, path: str, source: Source, checks: Sequence[CheckInfo], *, keep: bool = True
) -> list[Diagnostic]:
    """What the checks find, in no particular order; `keep` false forgets and remembers nothing."""
    steps = stepwise(graph, path, source, checks, keep=keep)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return list(end.value)


def units_in(graph: SymbolGraph, path: str) -> int:
    """How many units a file has."""
    source = source_of(graph, path)
    return len(units_of(source)) if source is not None else 0


def units_checked(graph: SymbolGraph) -> int:
    """How many units were looked at so far, for tests and measurements."""
    return _memory(graph).checked


def stepwise(
    graph: SymbolGraph, path: str, source: Source, checks: Sequence[CheckInfo], *, keep: bool = True
) -> Generator[None, None, list[Diagnostic]]:
    """As `findings`, which is the generator's return value; yields after each unit, so that others get their turn.

    The graph must not change between two steps.
    """
    found: list[Diagnostic] = []
    for info in checks:
        if info.whole:
            found += checked(info, Subject(graph, path, source))
            yield
    parts = [c for c in checks if not c.whole]
    if not parts:
        return found
    if not keep:
        for unit in units_of(source):
            found += check_unit(graph, path, source, unit, parts)[0]
            yield
        return found
    memory = _memory(graph)
    codes = " ".join(c.code for c in parts).encode()
    state = _state_of_others(graph, path, memory)
    for unit, key in unit_keys(source, state + codes + path.encode(), circle=_circle(graph, path, memory, state)):
        if key in memory.clean:
            memory.clean.move_to_end(key)
            continue
        some, whole_file = check_unit(graph, path, source, unit, parts)
        memory.checked += 1
        found += some
        if not some and not whole_file:
            memory.clean[key] = None
            if len(memory.clean) > _CLEAN:
                memory.clean.popitem(last=False)
        yield
    return found


def check_unit(
    graph: SymbolGraph, path: str, source: Source, unit: Unit, checks: Sequence[CheckInfo]
) -> tuple[list[Diagnostic], bool]:
    """(findings of some checks in one unit, whether they depend on the file in a way that its key does not tell)."""
    subject = Subject(graph, path, source, unit)
    with remembered():
        found = [d for info in checks for d in checked(info, subject)]
    return found, subject.whole_file


def checked(info: CheckInfo, subject: Subject) -> list[Diagnostic]:
    """What one check finds; nothing if it fails, which is logged."""
    try:
        return list(info.check(subject))
    except Exception as error:  # one check's mistake must not hide what the others found
        cannot_happen(f"check {info.code} failed on {subject.path}: {type(error).__name__}: {error}")
        return []


def _memory(graph: SymbolGraph) -> _Memory:
    known = _memories.get(graph)
    if known is None:
        known = _memories[graph] = _Memory(mark=graph.changed_since(0)[0])
    return known


def _state_of_others(graph: SymbolGraph, path: str, memory: _Memory) -> Digest:
    """Stands for what all files but `path` show to others."""
    mark, changed = graph.changed_since(memory.mark)
    if len(changed) > _MANY:
        memory.epoch += 1
        memory.others.clear()
    else:
        for other in changed:
            source = source_of(graph, other) if other.endswith((".py", ".pyi", ".pyw")) else None
            whole = graph.text(other) or ""
            memory.others[other] = exposed(source) if source is not None else _digest(whole)
    memory.mark = mark
    state = blake2b(str(memory.epoch).encode(), digest_size=16)
    for other in sorted(memory.others):
        if other != path:
            state.update(other.encode("utf-8", "surrogateescape") + b"\0" + memory.others[other])
    return state.digest()


def _digest(text: str) -> Digest:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _circle(graph: SymbolGraph, path: str, memory: _Memory, state: Digest) -> frozenset[str] | None:
    """The words of this file's imports by which files may be meant that import it, directly or not; None: any.
    `state`: of the other files, whose imports may close a circle too."""
    facts = graph.facts(path)
    if facts is None:
        return None
    imported: set[str] = set()
    for i in facts.imports:
        imported |= import_words(i.module, i.name)
    key = blake2b(" ".join(sorted(imported)).encode("utf-8", "surrogateescape"), digest_size=16)
    key.update(path.encode("utf-8", "surrogateescape") + state)
    digest = key.digest()
    if digest not in memory.circles:
        memory.circles[digest] = _leads_back(graph, path, imported)
        if len(memory.circles) > 200:
            memory.circles.popitem(last=False)
    return memory.circles[digest]


def _leads_back(graph: SymbolGraph, path: str, imported: set[str]) -> frozenset[str] | None:
    seen = {path}
    queue = [path]
    back: set[str] = set()
    while queue:
        for other in graph.importers(queue.pop()):
            if other in seen:
                continue
            stem = other.rpartition("/")[2].rpartition(".")[0]
            if stem == "__init__":
                stem = other.split("/")[-2] if "/" in other else stem
                if PACKAGE in imported:
                    back.add(PACKAGE)
            if len(seen) > _IMPORTERS:
                return None
            if stem in imported:
                back.add(stem)
            seen.add(other)
            queue.append(other)
    return frozenset(back)
