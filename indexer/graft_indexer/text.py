"""Text of files: decoded once, and places in it.

Offsets are bytes into the UTF-8 encoding; lines are 0-based here (1-based at the command line); columns are counted
in the unit that the caller names.  Line breaks are LF, CRLF and CR, as in the language server protocol.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

Unit = Literal["utf-8", "utf-16", "utf-32"]
"""What a column counts: bytes, UTF-16 code units, or code points."""

_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text of a file and what it takes to write it back; `editable` is false if that would not be exact."""

    text: str
    encoding: str
    bom: bool
    editable: bool


def decode(data: bytes) -> Decoded:
    """Decode a source file: byte order mark, PEP 263 declaration, else UTF-8 with `surrogateescape`.  Never raises."""
    if data.startswith(codecs.BOM_UTF8):
        return _decode_as(data[3:], "utf-8", bom=True)
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return Decoded(data[2:].decode(name, "replace"), name, True, False)
    for line in data.split(b"\n", 2)[:2]:
        found = _CODING.match(line)
        if found:
            return _decode_as(data, found.group(1).decode("ascii", "replace"), bom=False)
    return _decode_as(data, "utf-8", bom=False)


def _decode_as(data: bytes, encoding: str, *, bom: bool) -> Decoded:
    try:
        encoding = codecs.lookup(encoding).name
        return Decoded(data.decode(encoding), encoding, bom, editable=encoding in ("utf-8", "ascii", "iso8859-1"))
    except (LookupError, UnicodeDecodeError, ValueError):
        return Decoded(data.decode("utf-8", "surrogateescape"), "utf-8", bom, editable=False)


def encode(text: str) -> bytes:
    """The bytes that offsets count: UTF-8, escaped surrogates as the bytes they stand for, others replaced."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


class Lines:
    """Line starts of a text, for converting between byte offsets and (line, column)."""

    __slots__ = ("data", "starts")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.starts = [0, *accumulate(map(len, data.splitlines(keepends=True)))]
        if len(self.starts) > 1 and data[-1] not in b"\r\n":
            self.starts.pop()  # The end of a last line without a break.

    def edited(self, data: bytes, start: int, old_end: int, new_end: int) -> Lines:
        """The lines of `data`, in which bytes `start` to `old_end` were replaced (see `changed_range`): only those are
        read, and those beside them, since a break may have been joined or cut in two."""
        starts = self.starts
        low = self.line_at(start - 1)
        high = self.line_at(old_end) + 1
        shift = len(data) - len(self.data)
        base = starts[low]
        stop = starts[high] + shift if high < len(starts) else len(data)
        middle = list(accumulate(map(len, data[base:stop].splitlines(keepends=True)), initial=base))
        made = Lines.__new__(Lines)
        made.data = data
        if high < len(starts):
            tail = [s + shift for s in starts[high:]] if shift else starts[high:]
            made.starts = starts[:low] + middle[:-1] + tail
        else:
            made.starts = starts[:low] + middle
            if len(made.starts) > 1 and data[-1] not in b"\r\n":
                made.starts.pop()
        return made

    @classmethod
    def of(cls, text: str) -> Lines:
        """Lines of a decoded text."""
        return cls(encode(text))

    def __len__(self) -> int:
        return len(self.starts)

    def line_at(self, offset: int) -> int:
        """The line that holds byte `offset`; offsets past the end give the last line."""
        return bisect_right(self.starts, max(0, offset)) - 1

    def end_of(self, line: int) -> int:
        """Offset of the end of `line` without its break."""
        if line + 1 >= len(self.starts):
            return len(self.data)
        end = self.starts[line + 1]
        if self.data[end - 2 : end] == b"\r\n":
            return end - 2
        return end - 1

    def position(self, offset: int, unit: Unit) -> tuple[int, int]:
        """(line, column) of a byte offset; an offset inside a character counts as its start."""
        offset = min(max(0, offset), len(self.data))
        line = self.line_at(offset)
        start = self.starts[line]
        if unit == "utf-8":
            return line, offset - start
        text = self.data[start:offset].decode("utf-8", "ignore")
        return line, _length(text, unit)

    def offset(self, line: int, column: int, unit: Unit) -> int:
        """Byte offset of (line, column); a column past the line's end means its end, as the protocol says.

        Raises ValueError for a line that does not exist or a negative number.
        """
        if line < 0 or column < 0 or line >= len(self.starts):
            raise ValueError(f"position {line + 1}:{column + 1} is outside the text ({len(self.starts)} lines)")
        start, end = self.starts[line], self.end_of(line)
        if unit == "utf-8":
            offset = min(start + column, end)
            while offset > start and self.data[offset : offset + 1] and (self.data[offset] & 0xC0) == 0x80:
                offset -= 1
            return offset
        count, offset = 0, start
        for character in self.data[start:end].decode("utf-8", "surrogateescape"):
            width = 2 if unit == "utf-16" and ord(character) > 0xFFFF else 1
            if count + width > column:
                break
            count += width
            offset += len(character.encode("utf-8", "surrogateescape"))
        return offset


def _length(text: str, unit: Unit) -> int:
    if unit == "utf-16":
        return len(text) + sum(1 for c in text if ord(c) > 0xFFFF)
    return len(text)


def changed_range(old: bytes, new: bytes) -> tuple[int, int, int]:
    """(start, end in old, end in new) of the smallest range whose replacement turns `old` into `new`."""
    shorter = min(len(old), len(new))
    start = common(old, new, shorter)
    tail = common_tail(old, new, shorter - start)
    return start, len(old) - tail, len(new) - tail


def common(a: bytes, b: bytes, limit: int) -> int:
    """Length of the common prefix, by bisection over slices (comparison of bytes is memcmp)."""
    if a[:limit] == b[:limit]:
        return limit
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def common_tail(a: bytes, b: bytes, limit: int) -> int:
    if limit <= 0:
        return 0
    if a[len(a) - limit :] == b[len(b) - limit :]:
        return limit
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle
    return low
