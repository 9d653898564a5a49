"""The words of a file's class headers, told by its text: which classes its classes may derive from."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from graft_indexer.text import changed_range

# Both begin with letters of their own, which the engine finds ten times as quickly as a border in front of them.
_CLASS = re.compile(rb"class[ \t\\]")
_HEADER_END = re.compile(rb":[ \t]*(?:#[^\n]*)?(?:\r?\n|\r|\Z)")
_NAME = re.compile(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*")
_ALIAS = re.compile(rb"as(?=[ \t\\\r\n]+([\w\x80-\xff]+))")
_SPACES = frozenset([b" ", b"\t", b"\\", b"\r", b"\n"])
_WORD_END = re.compile(rb"\w")
_BEFORE = re.compile(rb"([\w\x80-\xff]+)[ \t\\\r\n]+\Z")
_LOOKS_BACK = 200
"""Bytes before an `as` in which the name stands that it renames."""
_SAYS = re.compile(rb"\bas\b|class")
_BLANKS = b" \t\\\r\n"


@dataclass(frozen=True, slots=True)
class Headers:
    """What `base_words` says of a text, and the places (start, end) in bytes of the headers that it was read from."""

    words: frozenset[str]
    places: tuple[tuple[int, int], ...]


def base_words(data: bytes) -> frozenset[str]:
    """The words of all class headers of a Python text, and the names that those are imported by.

    Without a tree: all bases are among them, and whatever else stands there, or up to the next line that ends with a
    colon outside of brackets.
    """
    return headers_of(data).words


def headers_of(data: bytes) -> Headers:
    """The same with the places."""
    found: set[bytes] = set()
    places: list[tuple[int, int]] = []
    for header in _CLASS.finditer(data):
        if header.start() and _WORD_END.match(data, header.start() - 1):
            continue
        at = header.end()
        while (end := _HEADER_END.search(data, at)) is not None:
            at = end.end()
            text = data[header.end() : at]
            if text.count(b"(") + text.count(b"[") <= text.count(b")") + text.count(b"]"):
                break
        stop = at if end is not None else len(data)
        found.update(_NAME.findall(data, header.end(), stop))
        places.append((header.start(), stop))
    for alias in _ALIAS.finditer(data):
        if (
            alias[1] in found
            and data[max(0, alias.start() - 1) : alias.start()] in _SPACES
            and (name := _BEFORE.search(data[max(0, alias.start() - _LOOKS_BACK) : alias.start()])) is not None
        ):
            found.add(name[1])
    return Headers(frozenset(word.decode("utf-8", "surrogateescape") for word in found), tuple(places))


def headers_after(known: Headers, before: bytes, data: bytes) -> Headers | None:
    """`headers_of(data)` from what is known of another text; None if the edit may have touched what it reads.

    It has not if it lies outside of the headers, and its lines, those beside them that say something, and whatever
    blanks join them, hold neither the beginning of a header nor an `as`.
    """
    start, old_end, new_end = changed_range(before, data)
    low, high = _around(before, start, old_end)
    if any(begin < high and low < end for begin, end in known.places) or _SAYS.search(before, low, high):
        return None
    if _SAYS.search(data, *_around(data, start, new_end)):
        return None
    shift = len(data) - len(before)
    if not shift:
        return known
    return replace(known, places=tuple((a + shift, b + shift) if a >= high else (a, b) for a, b in known.places))


def _around(data: bytes, start: int, end: int) -> tuple[int, int]:
    """The whole lines of a range, and on both sides those up to and with the next one that says something."""
    while start > 0 and data[start - 1] in _BLANKS:
        start -= 1
    low = data.rfind(b"\n", 0, max(0, data.rfind(b"\n", 0, start))) + 1
    while low > 0 and data[low - 1] in _BLANKS:
        low -= 1
    low = data.rfind(b"\n", 0, low) + 1
    while end < len(data) and data[end] in _BLANKS:
        end += 1
    for _ in range(2):
        high = data.find(b"\n", end)
        end = high if high >= 0 else len(data)
        while end < len(data) and data[end] in _BLANKS:
            end += 1
    return low, end
