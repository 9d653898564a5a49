"""The import statement at the cursor, and the names that the file still misses.

Who writes an import has often used the name already, further down: what the file reads and binds nowhere is what its
imports are for.  Nothing is proven by it, so it only orders names that the graph allows, and tells when the statement
has all of them.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from graft_server.completion.anchor import Place
from graft_server.completion.lexical import bare
from graft_server.completion.stops import head_of, tail_of, unmatched
from graft_server.diagnosis.scopes import missing_names

MOST_CHARACTERS = 150_000
"""Larger files are not parsed for it: about 4,000 lines, 30 ms."""
LINE_LENGTH = 88
"""Columns that a list of names may fill at most."""
DUNDERS = ("__version__", "__author__", "__license__", "__all__")
"""What modules offer under two underscores; the rest is the import system's."""
_FROM = re.compile(r"\s*from\s+(\.*)([\w.]*)\s+import\s+(?:\(\s*)?((?:\w+(?:\s+as\s+\w+)?\s*,\s*)*)(\w*)\Z")
_MODULE = re.compile(r"\s*(import\s+(?:[\w.]+(?:\s+as\s+\w+)?\s*,\s*)*|from\s+)(\.*)((?:\w+\.)*)(\w*)\Z")
_BEGINS = re.compile(r"\s*(?:from|import)\b")


@dataclass(frozen=True, slots=True)
class FromImport:
    """`from MODULE import A, B, be`: `level` dots, the names `taken` already, and the beginning of the next one."""

    level: int
    module: str
    taken: tuple[str, ...]
    begun: str


@dataclass(frozen=True, slots=True)
class ModuleName:
    """`import a.b` or `from ..a.b`: the dotted name before the last dot, and the beginning of the last part."""

    level: int
    parent: str
    begun: str
    whole: bool
    """`import`: the module itself is bound, not names of it."""


def from_import(before: str) -> FromImport | None:
    """The `from` statement that `before` ends in, at one of its names; brackets and several lines may be open."""
    found = _FROM.match(_statement(before))
    if found is None:
        return None
    taken = tuple(re.findall(r"(\w+)(?:\s+as\s+\w+)?\s*,", found.group(3)))
    return FromImport(len(found.group(1)), found.group(2), taken, found.group(4))


def module_name(before: str) -> ModuleName | None:
    """The module's name that is being written at the end of `before`."""
    found = _MODULE.match(_statement(before))
    if found is None:
        return None
    return ModuleName(
        len(found.group(2)), found.group(3).rstrip("."), found.group(4), found.group(1).startswith("import")
    )


def _statement(before: str) -> str:
    line = before[before.rfind("\n") + 1 :]
    head = line if _BEGINS.match(line) else head_of(before)
    return bare(head) if _BEGINS.match(head) else ""


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
    """Names that the file reads, or lists in `__all__`, and binds nowhere, the statement at the cursor left out, in the
    order of their first use.  Empty where the rest of the file does not parse, or may bind anything (a star import)."""
    head = head_of(place.before)
    first = head.partition("\n")[0]
    lead = first[: len(first) - len(first.lstrip())]
    tail = tail_of(place.after, len(lead)) if unmatched(head)[1] else place.rest
    found = _missing(place.before[: len(place.before) - len(head)], lead, place.after[len(tail) :])
    there = set(re.findall(r"\w+", bare(tail)))
    return tuple(name for name in found if name not in there)


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
    text = wanted[0][len(item.begun) :]
    if line.endswith(","):
        text = f" {text}"
    if not _BEGINS.match(line):
        return f"{text}," if text else ""
    for name in wanted[1:]:
        if len(line) + len(text) + len(name) + 2 > LINE_LENGTH:
            break
        text += f", {name}"
    return text
