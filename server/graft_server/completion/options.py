"""What may be written at the cursor, by the graph: members, names of modules, keyword arguments, visible names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import Symbol, SymbolGraph
from graft_server.completion import imports, known
from graft_server.completion.anchor import Place
from graft_server.completion.lexical import bare
from graft_server.completion.stops import head_of, unmatched

_MEMBER = re.compile(r"\.(\w*)$")
_BINDS = re.compile(
    r"\b(?:def|class|as|global|nonlocal|lambda)\s+\w*$"  # a new name, or one of several
    r"|\bfor\s+[\w, (]*$"
    r"|^\s*(?:async\s+)?def\s+\w+\s*\((?:[^()]*,)?\s*\**\w*$"  # a parameter
)
"""Where a name is made, not used: nothing that exists is wanted there."""
_IN_LAMBDA = re.compile(r"\blambda\b[^:()\[\]{}]*,\s*\**\w*$")

_TARGETS = re.compile(r"\s*([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*(?::[^=]+)?=(?!=)")
_MISSED = -2


@dataclass(frozen=True, slots=True)
class Option:
    """A name that may be written at the cursor, in place of the `typed` characters before it."""

    name: str
    kind: DefinitionKind
    said: str
    """A short line about what is no symbol."""
    symbol: Symbol | None = None
    rank: int = 0
    """Smaller comes first; below 0 stands what is asked for: arguments of the call, names that an import is for."""

    @property
    def detail(self) -> str:
        """A short line about it; made when it is shown, since most of a list only competes."""
        return self.said if self.symbol is None else detail_of(self.symbol)

    @property
    def missed(self) -> bool:
        """The file uses the name already, and an import of it is being written."""
        return self.rank == _MISSED


@dataclass(frozen=True, slots=True)
class Options:
    """All names for a cursor: `typed` is the beginning that stands there, `closed` whether they are all there are."""

    typed: str
    options: tuple[Option, ...]
    closed: bool
    where: str
    """member, import, name, or new: a name is made there."""


def options_at(graph: SymbolGraph, path: str, place: Place, limit: int = 200) -> Options:
    """What may be written at the cursor, best first, filtered by what is typed (case-insensitive beginning)."""
    line = place.line
    if (item := imports.from_import(place.before)) is not None:
        answer = graph.module_members(item.module, path, item.level)
        symbols = [s for s in answer.value if s.name not in item.taken]
        missed = missed_of(answer.value, item, place)
        return _options(item.begun, symbols, answer.closed, "import", limit, missed)
    if (dotted := imports.module_name(place.before)) is not None:
        modules = graph.modules(dotted.parent, path, dotted.level)
        wanted = imports.missing(place) if dotted.whole and not dotted.parent else ()
        have = () if dotted.parent else (*dotted.bound, PurePosixPath(path).stem)
        new = [m for m in modules.value if m.startswith(dotted.begun) and m not in have]
        fitting = sorted(new, key=lambda m: m not in wanted)
        made = tuple(Option(m, DefinitionKind.MODULE, "module", None, _MISSED if m in wanted else 0) for m in fitting)
        return Options(dotted.begun, made[:limit], modules.closed, "import")
    if found := _MEMBER.search(line):
        typed = found.group(1)
        answer = known.members(graph, path, place)
        return _options(typed, list(answer.value), answer.closed, "member", limit)
    word = re.search(r"\w*$", line)
    typed = word.group() if word is not None else ""
    if typed[:1].isdigit() or _BINDS.search(line) or _IN_LAMBDA.search(bare(line)) or _in_parameters(place.before):
        return Options(typed, (), False, "new")
    names = known.visible(graph, path, place)
    arguments = [
        Option(f"{name}=", DefinitionKind.PARAMETER, "argument", None, -1)
        for name in names.keywords
        if name.startswith(typed)
    ]
    start, bound = _own_target(place)
    above = place.before.encode("utf-8", "surrogateescape")
    symbols = [
        s
        for s in names.symbols
        if (not s.unsure or _may_hold(s, place, above)) and not (s.name in bound and _is_bound_here(s, path, start))
    ]
    found_names = _options(typed, symbols, names.closed, "name", limit)
    return Options(typed, (*arguments, *found_names.options)[:limit], names.closed, "name")


def _own_target(place: Place) -> tuple[int, frozenset[str]]:
    """Where the assignment at the cursor begins, in bytes, and the names that it binds; none behind no `=`."""
    head = head_of(place.before)
    found = _TARGETS.match(head)
    start = len(place.before[: len(place.before) - len(head)].encode("utf-8", "surrogateescape"))
    return start, frozenset(re.findall(r"\w+", found.group(1))) if found is not None else frozenset()


def _is_bound_here(symbol: Symbol, path: str, start: int) -> bool:
    """Whether the statement at byte `start`, which binds a name, is the first to do so: it cannot be read in it."""
    assigned = symbol.kind in (DefinitionKind.LOCAL, DefinitionKind.VARIABLE) and symbol.path == path
    return assigned and symbol.span.start >= start


def _may_hold(symbol: Symbol, place: Place, above: bytes) -> bool:
    """Whether a name that only a broken line may bind is likely to be bound at the cursor: that line stands above, and
    not deeper than the cursor's.  `above` are the bytes before the cursor."""
    if symbol.span.start >= len(above):
        return False
    line = above[above.rfind(b"\n", 0, symbol.span.start) + 1 : symbol.span.start]
    return len(line) - len(line.lstrip()) <= len(place.line) - len(place.line.lstrip())


def missed_of(members: Sequence[Symbol], item: imports.FromImport, place: Place) -> list[str]:
    """What the file misses of a module's members, in the order of first use."""
    offered = {s.name for s in members if imports.passes_on(s, item.module, item.level)}
    return [name for name in imports.missing(place) if name in offered and name not in item.taken]


def _in_parameters(before: str) -> bool:
    """Whether a parameter's name is written at the end of `before`, also on a line of its own."""
    statement = bare(head_of(before))
    if not re.match(r"\s*(?:async\s+)?def\b", statement) or not unmatched(statement)[1].endswith("("):
        return False
    return re.search(r"[(,]\s*\**\w*$", statement) is not None


def _options(
    typed: str, symbols: Sequence[Symbol], closed: bool, where: str, limit: int, missed: Sequence[str] = ()
) -> Options:
    lower = typed.lower()
    made: dict[str, Option] = {}
    for symbol in symbols:
        if symbol.name.lower().startswith(lower) and symbol.name not in made:
            made[symbol.name] = Option(
                symbol.name,
                symbol.kind,
                "",
                symbol,
                _MISSED if symbol.name in missed else _rank(symbol, typed),
            )
    ordered = sorted(made.values(), key=lambda o: (o.rank, o.name.lower()))
    return Options(typed, tuple(ordered[:limit]), closed, where)


def _rank(symbol: Symbol, typed: str) -> int:
    if symbol.unsure and symbol.kind is DefinitionKind.ATTRIBUTE:
        return 3
    if symbol.name.startswith("__") and not typed.startswith("__"):
        return 3
    if symbol.name.startswith("_") and not typed.startswith("_"):
        return 2
    local = symbol.kind in (DefinitionKind.LOCAL, DefinitionKind.PARAMETER)
    return 0 if local or (symbol.name.startswith(typed) and symbol.origin == "workspace") else 1


def detail_of(symbol: Symbol) -> str:
    """A short line about a symbol: its signature, or its annotation, or its kind."""
    from graft_server.completion.names import header

    head = header(symbol)
    return head.rstrip(":") if head != symbol.name else symbol.kind.value
