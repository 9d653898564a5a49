"""The import statement at the cursor, and the names that the file still misses.

Who writes an import has often used the name already, further down: what the file reads and binds nowhere is what its
imports are for.  Nothing is proven by it: it orders what may come, and forbids nothing.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import Origin, Symbol
from graft_server.completion.anchor import Place
from graft_server.completion.lexical import bare
from graft_server.completion.stops import tail_of
from graft_server.diagnosis.scopes import missing_names

MOST_CHARACTERS = 40_000
"""Larger files, of about 1,000 lines, are not parsed for it."""
MOST_LINES = 60
"""Of one statement."""
LINE_LENGTH = 88
"""Columns that a list of names may fill at most."""
DUNDERS = ("__version__", "__author__", "__license__", "__all__")
"""What modules offer under two underscores; the rest is the import system's."""
_BEHIND = {"collections.abc": ("typing", "_collections_abc"), "os.path": ("posixpath", "ntpath", "genericpath")}
"""Modules that offer what others define."""
_NAMES = r"((?:\w+(?:\s+as\s+\w+)?\s*,\s*)*)"
_FROM = re.compile(rf"\s*from\s+(\.*)([\w.]*)\s+import\s+(?:\(\s*)?{_NAMES}(\w*)\Z")
_MODULE = re.compile(r"\s*(import\s+((?:[\w.]+(?:\s+as\s+\w+)?\s*,\s*)*)|from\s+)(\.*)((?:\w+\.)*)(\w*)\Z")
_BEGINS = re.compile(r"\s*(?:from|import)\b")
_LISTED = re.compile(r"[\w\s,(]*(?:#.*)?\Z")
_ITEM = re.compile(r"([\w.]+)(?:\s+as\s+(\w+))?")


@dataclass(frozen=True, slots=True)
class FromImport:
    """`from MODULE import A, B as C, be`: `level` dots, the names that are `taken` (A, B), those that are `bound`
    (A, C), and the beginning of the next one."""

    level: int
    module: str
    taken: tuple[str, ...]
    begun: str
    bound: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModuleName:
    """`import a.b` or `from ..a.b`: the dotted name before the last dot, and the beginning of the last part."""

    level: int
    parent: str
    begun: str
    whole: bool
    """`import`: the module itself is bound, not names of it."""
    bound: tuple[str, ...] = ()
    """What the same statement binds before."""

    @property
    def typed(self) -> str:
        """What stands there of the module's name, dots included."""
        return "." * self.level + (f"{self.parent}." if self.parent else "") + self.begun


def from_import(before: str) -> FromImport | None:
    """The `from` statement that `before` ends in, at one of its names; a bracket and several lines may be open."""
    found = _FROM.match(_statement(before))
    if found is None:
        return None
    items = _ITEM.findall(found.group(3))
    taken, bound = tuple(name for name, _ in items), tuple(alias or name for name, alias in items)
    return FromImport(len(found.group(1)), found.group(2), taken, found.group(4), bound)


def module_name(before: str) -> ModuleName | None:
    """The module's name that is being written at the end of `before`."""
    found = _MODULE.match(_statement(before))
    if found is None:
        return None
    bound = tuple(alias or name.partition(".")[0] for name, alias in _ITEM.findall(found.group(2) or ""))
    return ModuleName(
        len(found.group(3)), found.group(4).rstrip("."), found.group(5), found.group(1).startswith("import"), bound
    )


def _begin(before: str) -> int | None:
    """Where the import statement begins that `before` ends in, in characters; None if it ends in none."""
    end = len(before)
    for _ in range(MOST_LINES):
        start = before.rfind("\n", 0, end) + 1
        line = before[start:end]
        if _BEGINS.match(line):
            rest = before[end:]
            # Several lines take a bracket, or a backslash at the end of each.
            whole = not rest or "(" in line or all(x.endswith("\\") for x in before[start:].split("\n")[:-1])
            return start if whole and ")" not in bare(before[start:]) else None
        if start == 0 or not _LISTED.match(line):
            return None
        end = start - 1
    return None


def _statement(before: str) -> str:
    start = _begin(before)
    return bare(before[start:]).replace("\\\n", " ") if start is not None else ""


def importable(names: Iterable[str], item: FromImport, used: Collection[str] = ()) -> tuple[str, ...]:
    """Names that a `from` statement may still take: none twice; private ones, and those that the module only uses
    itself (`used`), once they are begun."""
    left = [name for name in dict.fromkeys(names) if name not in item.taken]
    shown = [
        name
        for name in left
        if (item.begun and name.startswith(item.begun))
        or (name not in used and (not name.startswith("_") or name in DUNDERS))
    ]
    return tuple(shown or left)


def missing(place: Place) -> tuple[str, ...]:
    """Names that the file reads, or lists in `__all__`, and binds nowhere, in the order of their first use; what the
    import statement at the cursor binds, before and behind it, counts.

    Empty where the rest of the file does not parse, or may bind anything (a star import).
    """
    start = _begin(place.before)
    if start is None:
        return ()
    head = place.before[start:]
    lead = head[: len(head) - len(head.lstrip())]
    tail = tail_of(place.after, len(lead)) if "(" in head else place.rest
    found = _missing(place.before[:start], lead, place.after[len(tail) :])
    item, dotted = from_import(place.before), module_name(place.before)
    bound = item.bound if item is not None else dotted.bound if dotted is not None else ()
    behind = [alias or name.partition(".")[0] for name, alias in _ITEM.findall(bare(tail))]
    return tuple(name for name in found if name not in bound and name not in behind)


@lru_cache(maxsize=4)
def _missing(before: str, lead: str, after: str) -> tuple[str, ...]:
    """The same while the statement is being typed."""
    if len(before) + len(after) > MOST_CHARACTERS:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `"\d"` in a file that is not ours.
            tree = ast.parse(f"{before}{lead}pass{after}")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(missing_names(tree))


def in_order(names: Iterable[str]) -> list[str]:
    """As isort and ruff write them: constants, classes, the rest, each by the alphabet."""

    def key(name: str) -> tuple[int, str, str]:
        kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
        return kind, name.lower(), name

    return sorted(names, key=key)


def rest_of_list(item: FromImport, names: Sequence[str], line: str) -> str:
    """What completes the statement with all of `names`, as far as the line has room; the first is the begun one.

    Inside brackets over several lines only the next name: the list goes on in the next line.
    """
    wanted = in_order(names)
    wanted.sort(key=lambda name: not name.startswith(item.begun))
    if not wanted or not wanted[0].startswith(item.begun):
        return ""
    text = blank_after(line) + wanted[0][len(item.begun) :]
    if not _BEGINS.match(line):
        return f"{text}," if text else ""
    for name in wanted[1:]:
        if len(line) + len(text) + len(name) + 2 > LINE_LENGTH:
            break
        text += f", {name}"
    return text


def blank_after(line: str) -> str:
    """The blank that belongs after a comma at the end of `line`."""
    return " " if line.endswith(",") else ""


def passes_on(symbol: Symbol, module: str, level: int) -> bool:
    """Whether an import of `module` may well be for this member of it: it is defined there, in a part of it, or in the
    private module behind it, and not something that the module imports for itself."""
    home = symbol.qualified_name if symbol.kind is DefinitionKind.MODULE else symbol.module
    if level:
        return symbol.origin is Origin.WORKSPACE and (not module or f".{module}." in f".{home}.")
    if home == module or home.startswith(f"{module}.") or home in _BEHIND.get(module, ()):
        return True
    top, own = home.partition(".")[0], module.partition(".")[0]
    return top != own and top.lstrip("_") == own
