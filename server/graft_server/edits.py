"""Edits of files: plain data with byte offsets, and their application."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graft_indexer.text import encode


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace bytes `start` to `end` of the file at `path` by `text`."""

    path: str
    start: int
    end: int
    text: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with all `edits` (of one file) applied at once.

    Raises ValueError if two edits overlap or one lies outside the text.
    """
    data = encode(text)
    pieces: list[bytes] = []
    at = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < at or edit.end < edit.start or edit.end > len(data):
            raise ValueError(f"edit {edit.start}-{edit.end} overlaps another or lies outside the text of {edit.path}")
        pieces += [data[at : edit.start], encode(edit.text)]
        at = edit.end
    pieces.append(data[at:])
    return b"".join(pieces).decode("utf-8", "surrogateescape")
