"""What lies in the model's memory: a few sequences of tokens, and which of them a prompt continues.

The memory itself is behind two functions (remove the end of a sequence, share the beginning of another), so that the
bookkeeping is tested without a model.  A slot belongs to a document; a document may have two (the hole that is live,
and the next one that is being read in the background).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]


PER_DOCUMENT = 3
"""Sequences that one document may hold: the live hole, one that is read ahead, one that was left a moment ago."""
WORTH_KEEPING = 64
"""Tokens; a hole that differs by more gets a sequence of its own, since the cursor often comes back."""


class Memory(Protocol):
    """The part of `Native` that moves sequences."""

    def remove(self, sequence: int, start: int) -> bool:
        """Forget from `start` on."""

    def copy(self, source: int, target: int, count: int) -> None:
        """Share the first `count` positions."""


@dataclass(slots=True)
class Slot:
    """One sequence: `tokens` are what its memory holds.  `ends` keeps the logits after a few of its positions."""

    sequence: int
    document: str = ""
    tokens: list[int] = field(default_factory=list)
    used: int = 0
    busy: int = 0
    """Jobs that rely on it; it is not given to others meanwhile."""
    ends: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    if n == 0 or a[0] != b[0]:
        return 0
    different = np.flatnonzero(np.asarray(a[:n], dtype=np.int32) != np.asarray(b[:n], dtype=np.int32))
    return int(different[0]) if len(different) else n


class Cache:
    """`slots` sequences for documents, numbered from 0."""

    def __init__(self, memory: Memory, slots: int, partial: bool = True, reuse: bool = True) -> None:
        self.memory = memory
        self.slots = [Slot(i) for i in range(slots)]
        self.partial = partial
        """Whether the end of a sequence can be removed; if not, an edit clears it."""
        self.reuse = reuse
        self._clock = 0

    def cost(self, tokens: Sequence[int]) -> int:
        """How many of `tokens` would have to be evaluated now."""
        return len(tokens) - max((common(s.tokens, tokens) for s in self.slots), default=0)

    def acquire(self, document: str, tokens: Sequence[int], keep_live: bool = False) -> Slot:
        """A slot whose memory holds the longest beginning of `tokens` that any slot has, and nothing else.

        The document's own slot is continued in place, unless `keep_live` asks to leave it or `WORTH_KEEPING` tokens
        would be lost; what another slot has in common is shared without copying.
        """
        self._clock += 1
        shared = [common(s.tokens, tokens) for s in self.slots]
        best = max(self.slots, key=lambda s: (shared[s.sequence], s.document == document, s.used))
        count = shared[best.sequence] if self.reuse else 0
        lost = len(best.tokens) - count
        keeps = keep_live or (self.partial and lost >= WORTH_KEEPING)
        loses_nothing = lost == 0 or (best.document == document and not keeps)
        if best.tokens and loses_nothing and not best.busy:
            slot = best
        else:
            # With nothing in common there is nothing to share, and `best` is as good a place as any.
            free = [s for s in self.slots if not s.busy and (s is not best or not count)]
            if not free:
                raise RuntimeError("every sequence is busy")
            own = [s for s in free if s.document == document and s.tokens]
            if self.reuse and self.partial and sum(s.document == document for s in self.slots) < PER_DOCUMENT:
                own = []
            slot = min(own or free, key=lambda s: (bool(s.tokens), s.used))
            self.truncate(slot, 0)
            if count and (self.partial or count == len(best.tokens)):
                self.memory.copy(best.sequence, slot.sequence, count)
                slot.tokens = list(best.tokens[:count])
                slot.ends = {k: v for k, v in best.ends.items() if k <= count}
        slot.document = document
        slot.used = self._clock
        self.truncate(slot, count)
        return slot

    def empty(self) -> Slot | None:
        """A slot that holds nothing, if there is one."""
        return next((s for s in self.slots if not s.tokens and not s.busy), None)

    def truncate(self, slot: Slot, count: int) -> None:
        """Forget what a slot holds beyond `count` tokens."""
        if count < len(slot.tokens) or count == 0:
            if count and not self.memory.remove(slot.sequence, count):
                count = 0
            if count == 0:
                self.memory.remove(slot.sequence, -1)
            del slot.tokens[count:]
            slot.ends = {k: v for k, v in slot.ends.items() if k <= count}

    def evict(self, besides: Slot) -> bool:
        """Forget the slot that was used longest ago, to make room; False if there is none."""
        others = [s for s in self.slots if s is not besides and s.tokens and not s.busy]
        if not others:
            return False
        victim = min(others, key=lambda s: s.used)
        self.truncate(victim, 0)
        victim.document = ""
        return True
