"""What a file does to objects from outside, told by its text: attributes set and asked for, classes made by calls.

A file is read in pieces that begin with a definition; after an edit only the pieces that it touched are read again.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_STORE = re.compile(rb"\.\s*(?P<name>\w+)\s*(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)")
_NOTE = re.compile(rb"\.(?P<name>\w+)[ \t]*:[ \t]*[^=\n]+=(?!=)")
_LOOP = re.compile(rb"\.(?P<name>\w+)[ \t]*(?:\)[ \t]*)?(?:,|:|\bin\b)")
_LIST = re.compile(rb"^[ \t]*(?:\([ \t]*)?((?:[\w.\[\]'\"*]+[ \t]*,[ \t]*)+[\w.\[\]'\"*]*)\)?[ \t]*=(?!=)", re.M)
_SETATTR = re.compile(rb"(?:setattr|__setattr__|patch\.object)\([^,\n]+,\s*f?['\"](?P<name>\w+)['\"]")
_PATCH = re.compile(rb"patch(?:\.dict)?\(\s*f?['\"][\w.]*\.(?P<name>\w+)['\"]")
_ASKED = re.compile(rb"(?:hasattr|getattr|delattr)\([^\n]*?['\"](?P<name>\w+)['\"]")
_MAKING = re.compile(rb"\b(?:type|new_class|setattr)\((?:[^\n]*\n)?[^\n]*")
_GIVEN = re.compile(rb"^(?:[A-Za-z_(]|[ \t]*\))[\w., \t()]*=[ \t]*[\w.]+\(\s*(?P<given>[\w.,\s]+)", re.M)
"""`(A, B) = derive(Mixin, ...)` outside of functions: what is made of a class there may be derived from it."""
_MIXED = re.compile(
    rb"@[\w.]+\(\s*(?P<given>[\w.,\s]+)\)[ \t]*(?:#[^\n]*)?\r?\n"
    rb"(?:[ \t]*(?:[@#][^\n]*)?\r?\n){0,20}[ \t]*class\b"
)
"""A decorator of a class that is given classes may hand their functions on to it.  Before it stand blanks only: a
pattern that begins with what it looks for takes a twentieth of the time, at every key in a large file."""
_FILL = re.compile(rb"^[\w.]+\(\s*\w+\s*,\s*['\"](?P<name>\w+)['\"]", re.M)
"""`define(A, "name", ...)` outside of functions."""
_MAKES = re.compile(rb"type(?<![\w.]type)(?<!def type)\(\s*[^\s,()][^,()\n]*,\s*[A-Za-z_]\w*\s*,")
"""`type(name, bases, ...)`, the bases in a variable."""
_WHOLE = re.compile(rb"[A-Za-z_]\w*(?=\s*(?:,|$))")
_WORD = re.compile(rb"[A-Za-z_]\w*(?=\s*,)")
_OWN = (b"self", b"cls")
_LETTERS = f"{string.ascii_letters}_".encode()
_GOES_ON = frozenset(_LETTERS + b"0123456789.)]")
"""Before a name: it is only the end of an expression."""
_FILLS, _GIVES = frozenset(_LETTERS + b"0123456789."), frozenset(_LETTERS + b"(")
"""Bytes that `_FILL` begins with, and `_GIVEN` without a bracket that closes."""
_BORDER = re.compile(rb"\n(?=(?:    )?(?:def|async def|class|@)[ \t\w])")


@dataclass(frozen=True, slots=True)
class Piece:
    """What a piece of a file does to objects from outside; offsets count from its beginning."""

    text: bytes
    stores: dict[str, int]
    asked: frozenset[str]
    called: frozenset[str]
    changes_path: bool
    may_make: bool
    """It calls something whose name ends in `type`."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What one version of a file does to objects from outside."""

    digest: str
    stores: dict[str, int]
    """Attributes set on anything but self -> offset."""
    asked: frozenset[str]
    """Attributes asked for with hasattr or getattr."""
    called: frozenset[str]
    """Words in calls that make or fill classes."""
    pieces: tuple[Piece, ...]
    """In order; none for a file that is not open, which is read once."""
    changes_path: bool
    """It writes of `sys.path`."""
    makes_classes: bool
    """It makes classes of bases that a variable holds."""

    @property
    def outline(self) -> tuple[object, ...]:
        """All but the places."""
        return self.stores.keys(), self.asked, self.called, self.changes_path, self.makes_classes


def read(data: bytes, digest: str, before: Sequence[Piece], *, keep: bool) -> Outside:
    """What a text does to objects from outside; `before` are the pieces of an earlier version, `keep` says whether
    there will be a later one."""
    pieces = _pieces(data, before)
    stores: dict[str, int] = {}
    asked: set[str] = set()
    called: set[str] = set()
    at = 0
    for piece in pieces:
        for name, offset in piece.stores.items():
            stores.setdefault(name, at + offset)
        if piece.asked:
            asked |= piece.asked
        if piece.called:
            called |= piece.called
        at += len(piece.text)
    for match in _MIXED.finditer(data) if b"class" in data else ():
        if data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()].strip(b" \t"):
            continue
        called |= {word.decode("utf-8", "replace") for word in _WHOLE.findall(match["given"])}
    # What `type(` is called with may stand in the next piece, if the text is broken.
    makes = any(p.may_make for p in pieces) and _MAKES.search(data) is not None
    return Outside(
        digest, stores, frozenset(asked), frozenset(called), pieces if keep else (),
        any(p.changes_path for p in pieces), makes,
    )  # fmt: skip


def _pieces(data: bytes, before: Sequence[Piece]) -> tuple[Piece, ...]:
    """A text in pieces; those of `before` at its beginning and at its end are taken over.

    Where a piece ends is seen from the line break that ends it and the line behind: what it holds itself is no border
    in either text.
    """
    first, at = 0, 0
    while first < len(before):
        text = before[first].text
        if not data.startswith(text, at) or not _BORDER.match(data, at + len(text) - 1):
            break
        at += len(text)
        first += 1
    last, end = len(before), len(data)
    while last > first:
        start = end - len(before[last - 1].text)
        if start <= at or data[start:end] != before[last - 1].text or not _BORDER.match(data, start - 1):
            break
        end = start
        last -= 1
    borders = [at]
    for match in _BORDER.finditer(data, at):
        if match.end() >= end:
            break
        borders.append(match.end())
    borders.append(end)
    made = _again if before else piece
    middle = [made(data[a:b]) for a, b in itertools.pairwise(borders)]
    return (*before[:first], *middle, *before[last:])


def piece(data: bytes) -> Piece:
    """What one piece does."""
    found: dict[str, int] = {}
    lists, fills, given = _by_line(data)
    for match in _STORE.finditer(data):
        if not _own(data, match.start()):
            found.setdefault(match["name"].decode(), match.start("name"))
    for match in _NOTE.finditer(data):
        head = data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()].strip()
        if b" " not in head and not _own(data, match.start()):
            found.setdefault(match["name"].decode(), match.start("name"))
    if b" as " in data or b"for " in data:
        for match in _LOOP.finditer(data):
            head = data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()]
            word = b"for " if match[0].endswith((b"in", b",")) else b" as "
            if word in head and b"=" not in head and not _own(data, match.start()):
                found.setdefault(match["name"].decode(), match.start("name"))
    for match in lists:
        for item in re.finditer(rb"([\w\]]+)\.(\w+)\s*(?:,|$)", match[1]):
            if item[1] not in _OWN or match[1][max(0, item.start() - 1) : item.start()] == b".":
                found.setdefault(item[2].decode(), match.start(1) + item.start(2))
    sets = b"setattr" in data
    for matches in (
        _SETATTR.finditer(data) if sets or b"patch.object" in data else (),
        _PATCH.finditer(data) if b"patch" in data else (),
        fills,
    ):
        for match in matches:
            found.setdefault(match["name"].decode(), match.start("name"))
    asked = frozenset(m["name"].decode() for m in _ASKED.finditer(data)) if b"attr(" in data else frozenset()
    makes = sets or b"type(" in data or b"new_class(" in data
    called = {word for m in _MAKING.finditer(data) for word in _WORD.findall(m[0])} if makes else set()
    called |= {word for m in given for word in _WHOLE.findall(m["given"])}
    words = frozenset(word.decode("utf-8", "replace") for word in called)
    return Piece(data, found, asked, words, b"sys.path" in data, b"type(" in data)


def _by_line(data: bytes) -> tuple[list[re.Match[bytes]], list[re.Match[bytes]], list[re.Match[bytes]]]:
    """What `_LIST`, `_FILL` and `_GIVEN` find, which begin at the start of a line: tried only at lines that begin and
    look so, a tenth of the time."""
    lists: list[re.Match[bytes]] = []
    fills: list[re.Match[bytes]] = []
    given: list[re.Match[bytes]] = []
    at = read = 0
    for line in data.split(b"\n"):
        if line:
            first = line[0]
            equals = line.find(b"=")
            if equals > 0 and line.find(b",", 0, equals) >= 0 and line.find(b".", 0, equals) >= 0:
                match = _LIST.match(data, at)
                if match is not None:
                    lists.append(match)
            if first in _FILLS and (match := _FILL.match(data, at)) is not None:
                fills.append(match)
            if at >= read and (first in _GIVES or (first in b" \t)" and line.lstrip(b" \t")[:1] == b")")):
                match = _GIVEN.match(data, at)
                if match is not None:
                    given.append(match)
                    read = match.end()
        at += len(line) + 1
    return lists, fills, given


@lru_cache(maxsize=64)
def _again(data: bytes) -> Piece:
    """The same of a file that is edited: its texts come back, since a line is made whole and a suggestion put in."""
    return piece(data)


def _own(data: bytes, dot: int) -> bool:
    """Whether what stands before a dot is just `self` or `cls`."""
    for word in _OWN:
        begin = dot - len(word)
        if data.startswith(word, max(0, begin)) and begin >= 0:
            return begin == 0 or data[begin - 1] not in _GOES_ON
    return False
