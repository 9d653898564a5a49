"""A mirror of llama.cpp's unified KV cache: which cell holds which position of which sequences.

Flash attention on the CPU sums over a sequence's keys in the order of their cells.  A sequence whose later tokens lie
in lower cells than its earlier ones gives the same answer to seven digits, but not the same bits.  llama.cpp does not
say where it puts tokens, so its rules are repeated here (src/llama-kv-cache.cpp: `find_slot`, `apply_ubatch`,
`seq_rm`, `seq_cp`), and the engine can see a disorder coming and lay the sequence out anew before it happens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Indexes = npt.NDArray[np.int64]


class Cells:
    """`size` cells; sequences are numbered below 63.  `owners` has one bit per sequence.

    What happens at every token costs microseconds: used cells are counted, the last cell of each sequence is kept.
    """

    def __init__(self, size: int) -> None:
        self.owners = np.zeros(size, np.int64)
        self.positions = np.zeros(size, np.int32)
        self.head = 0
        self.used = 0
        self._last: dict[int, int] = {}
        self._top = 0
        """No cell from here on was ever used."""

    def held(self, sequence: int) -> Indexes:
        """The cells of a sequence, in the order of cells."""
        return np.flatnonzero(self.owners[: self._top] & (1 << sequence))

    def find(self, count: int) -> Indexes | None:
        """The cells that the next `count` tokens get, in their order; None if there are not so many."""
        head = self.head if self.head <= self.used + 2 * count else 0
        if head + count <= len(self.owners) and not self.owners[head : head + count].any():
            return np.arange(head, head + count)
        if len(self.owners) - self.used < count:
            return None
        free = np.flatnonzero(self.owners == 0)
        start = int(np.searchsorted(free, head))
        return np.concatenate([free[start : start + count], free[: max(0, count - (len(free) - start))]])

    def put(self, positions: Sequence[int], sequences: Sequence[int | Sequence[int]]) -> None:
        """Tokens were evaluated, one per position, each in one or several sequences."""
        found = self.find(len(positions))
        if found is None:
            return
        for cell, owner in zip(found.tolist(), sequences, strict=True):
            mask = 0
            for sequence in (owner,) if isinstance(owner, int) else owner:
                mask |= 1 << sequence
                self._last[sequence] = max(cell, self._last.get(sequence, -1))
            self.owners[cell] = mask
        self.positions[found] = positions
        self.used += len(found)
        self.head = int(found[-1]) + 1
        self._top = max(self._top, int(found.max()) + 1)

    def remove(self, sequence: int, start: int) -> None:
        """Forget a sequence from position `start` on (all of it if negative)."""
        held = self.held(sequence)
        gone = self.positions[held] >= start
        taken = held[gone]
        self.owners[taken] &= ~(1 << sequence)
        freed = taken[self.owners[taken] == 0]
        self.used -= len(freed)
        if len(freed) and freed[0] < self.head:
            self.head = int(freed[0])
        left = held[~gone]
        self._last[sequence] = int(left[-1]) if len(left) else -1

    def copy(self, source: int, target: int, count: int) -> None:
        """Let `target` share the first `count` positions of `source`."""
        held = self.held(source)
        taken = held[self.positions[held] < count]
        self.owners[taken] |= 1 << target
        if len(taken):
            self._last[target] = max(int(taken[-1]), self._last.get(target, -1))

    def fits_alone(self, sequence: int, count: int) -> bool:
        """Whether there is room for a copy of the sequence that shares nothing, and for `count` tokens more."""
        own = int(np.count_nonzero(self.owners == 1 << sequence))
        return len(self.owners) - self.used + own >= len(self.held(sequence)) + count

    def keeps_order(self, sequence: int, count: int) -> bool:
        """Whether the next `count` tokens, all in `sequence`, lie behind what it has, in their own order."""
        found = self.find(count)
        if found is None:
            # llama.cpp will say so itself.
            return True
        return bool(found[0] > self._last.get(sequence, -1)) and bool((found[1:] > found[:-1]).all())
