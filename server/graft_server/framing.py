"""Frames of the protocol on a byte stream: cut out of whatever arrives, resynchronising after garbage.

A frame is a header block with `Content-Length: N`, an empty line, and N bytes.
"""

from __future__ import annotations

import re

MAX_LENGTH = 256 * 1024 * 1024
"""A longer length is taken for garbage."""

_HEADER = re.compile(rb"content-length:[ \t]*(\d+)[ \t]*\r?\n", re.IGNORECASE)
_BEGINNING = re.compile(
    rb"content-length:|(?:" + b"|".join(b"content-length:"[:n] for n in range(14, 0, -1)) + rb")\Z", re.IGNORECASE
)
"""A header, or the beginning of one where the text ends."""
_BLOCK_END = re.compile(rb"\r?\n\r?\n")
_KEEP = 64
"""Bytes of garbage kept, so that a header that arrives in two pieces is still seen."""


class FrameBuffer:
    """Takes bytes, gives bodies.  Bytes that belong to no frame are skipped and counted in `skipped`."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.skipped = 0

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._data += data

    def give_back(self, body: bytes) -> None:
        """A body that is no JSON may hold the next frame, if its length was wrong: look for it there first.

        To be called before the next `pop`.
        """
        found = _BEGINNING.search(body)
        if found is not None:
            self._data[:0] = body[found.start() :]

    def pop(self) -> bytes | None:
        """The next complete body, None if more has to arrive."""
        found = _HEADER.search(self._data)
        if found is None:
            surplus = len(self._data) - _KEEP
            if surplus > 0 and b"\n" not in self._data[surplus:]:
                self._skip(surplus)
            return None
        end = _BLOCK_END.search(self._data, found.end() - 2 if self._data[found.end() - 2] == 13 else found.end() - 1)
        if end is None:
            return None
        length = int(found.group(1))
        if length > MAX_LENGTH:
            self._skip(end.end())
            return self.pop()
        if len(self._data) < end.end() + length:
            return None
        start = self._block_start(found.start())
        self.skipped += start
        body = bytes(self._data[end.end() : end.end() + length])
        del self._data[: end.end() + length]
        return body

    def _block_start(self, at: int) -> int:
        """Where the header block begins that holds the header line at `at`: other header lines may come first."""
        line = re.compile(rb"(?:[A-Za-z-]+:[^\r\n]*\r?\n)*\Z")
        found = line.search(self._data[:at])
        return found.start() if found is not None else at

    def _skip(self, count: int) -> None:
        self.skipped += count
        del self._data[:count]
