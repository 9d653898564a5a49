"""What may be proved in a file of which another part does not parse, for text that is only suggested.

A whole file with an error gets no findings: what was swallowed by the error may have declared anything.  But while
somebody types, a file hardly ever parses as a whole, and a wrong member in a suggestion is wrong all the same.  So a
range is judged if its outermost statement parses, and a name counts as missing only if the rest of the file does not
say it anywhere: what declares it would have to.

An open bracket swallows what follows it.  Then what stands before the outermost lines around the range, from where the
error begins, is read as blanks (`without`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from graft_indexer.facts import Span

if TYPE_CHECKING:
    from tree_sitter import Node


class Beside:
    """A range of a file with errors elsewhere; `hidden` is what was read as blanks."""

    def __init__(self, root: Node, data: bytes, within: Span, hidden: bytes = b"") -> None:
        self._data = data
        self._within = within
        self._outer = root.children
        self._starts = [n.start_byte for n in self._outer]
        touched = [n for n in self._outer if n.start_byte < within.end and within.start < n.end_byte]
        self.parses = not root.is_error and not any(n.has_error or n.is_missing for n in touched)
        """Whether the outermost statements of the range do."""
        self._doubtful = b"\n".join([hidden, *(data[n.start_byte : n.end_byte] for n in self._outer if n.has_error)])

    def elsewhere(self, name: str) -> bool:
        """Whether the file says a name outside the range."""
        word = _word(name)
        return (
            word.search(self._doubtful) is not None
            or word.search(self._data, 0, self._within.start) is not None
            or (word.search(self._data, self._within.end) is not None)
        )

    def doubtful(self, text: str) -> bool:
        """Whether a statement that does not parse says one of the names in `text`."""
        return any(_word(name).search(self._doubtful) for name in re.findall(r"[^\W\d]\w*", text))

    def sound(self, offset: int) -> bool:
        """Whether the outermost statement at an offset parses."""
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and not self._outer[at].has_error


def without(root: Node, data: bytes, within: Span) -> tuple[bytes, bytes] | None:
    """(the text with what an error before the range swallows as blanks, what was made blank); None if there is none."""
    start = within.start
    while start > 0:
        start = data.rfind(b"\n", 0, start) + 1
        if data[start : start + 1] not in b" \t\r\n})]":
            break
        start -= 1
    begins = [n.start_byte for n in root.children if n.has_error and n.start_byte < start]
    if not begins:
        return None
    hidden = data[begins[0] : start]
    return data[: begins[0]] + re.sub(rb"[^\n]", b" ", hidden) + data[start:], hidden


def _word(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![\w$])" + re.escape(name.encode("utf-8", "surrogateescape")) + rb"(?![\w$])")
