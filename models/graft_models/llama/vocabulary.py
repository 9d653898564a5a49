"""The tokens of a model as bytes: which begin with these bytes, which are the beginning of those.

Sorted once; every question is a binary search or a few dictionary look-ups, never a scan.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]


class Vocabulary:
    """`pieces[id]` are the bytes of each token; special tokens have none and are never found here."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces
        order = sorted((i for i, p in enumerate(pieces) if p), key=pieces.__getitem__)
        self._sorted = [pieces[i] for i in order]
        self._ids: Ids = np.array(order, dtype=np.int32)
        self._id_of = {p: i for i, p in zip(order, self._sorted, strict=True)}
        self.longest = max(map(len, self._sorted), default=0)
        """Bytes of the longest token."""

    def id_of(self, piece: bytes) -> int | None:
        """The token with exactly these bytes."""
        return self._id_of.get(piece)

    def starting_with(self, prefix: bytes) -> Ids:
        """Ids of all tokens whose bytes begin with `prefix`, in the order of their bytes."""
        low, high = self.span(prefix)
        return self._ids[low:high]

    def span(self, prefix: bytes) -> tuple[int, int]:
        """The range of `starting_with` in byte order."""
        low = bisect_left(self._sorted, prefix)
        end = prefix.rstrip(b"\xff")
        if not end:
            return low, len(self._sorted)
        return low, bisect_left(self._sorted, end[:-1] + bytes([end[-1] + 1]), low)

    def beginnings_of(self, text: bytes) -> list[int]:
        """Ids of the tokens that are a proper or whole beginning of `text`, shortest first."""
        found = (self._id_of.get(text[:n]) for n in range(1, min(len(text), self.longest) + 1))
        return [i for i in found if i is not None]

    def consistent_with(self, text: bytes) -> Ids:
        """Ids of the tokens that may come first where the text must begin with `text`."""
        proper = self.beginnings_of(text[:-1])
        return np.concatenate([np.array(proper, dtype=np.int32), self.starting_with(text)])
