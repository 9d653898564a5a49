"""Names as a constraint on tokens: which tokens may come next if the next name must be one of these.

The names are sorted once.  Whether one token is allowed is a binary search over them, so a greedy step tries the
likeliest tokens in turn and is done after a few; only if none of those fits are all allowed ids computed, per beginning
of a name, and kept with the name set.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

from graft_models.llama.vocabulary import Ids, Vocabulary

_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_" + bytes(range(128, 256)))

_SIGNS = tuple(bytes([b]) for b in range(128) if b not in _NAME_BYTES)


def name_length(data: bytes) -> int:
    """How many bytes at the beginning of `data` continue a name (non-ASCII bytes do)."""
    for i, byte in enumerate(data):
        if byte not in _NAME_BYTES:
            return i
    return len(data)


def ends_name(vocabulary: Vocabulary) -> Ids:
    """Ids of all tokens that begin with a byte that ends a name.  Computed once per vocabulary."""
    firsts = [vocabulary.starting_with(bytes([b])) for b in range(256) if b not in _NAME_BYTES]
    return np.concatenate(firsts) if firsts else np.zeros(0, dtype=np.int32)


class Names:
    """A set of names over one vocabulary; immutable but for its cache."""

    def __init__(self, names: Iterable[str], vocabulary: Vocabulary, enders: Ids) -> None:
        self._names = sorted({n.encode("utf-8", "replace") for n in names if n})
        self._known = frozenset(self._names)
        self._vocabulary = vocabulary
        self._enders = enders
        self._nodes: dict[bytes, Ids] = {}

    def __bool__(self) -> bool:
        return bool(self._names)

    def begins(self, part: bytes) -> bool:
        """Whether a name begins with `part`."""
        i = bisect_left(self._names, part)
        return i < len(self._names) and self._names[i].startswith(part)

    def permits(self, done: bytes, token: bytes) -> bool:
        """Whether `token` may follow when `done` of the name is already there."""
        length = name_length(token)
        if length == len(token):
            return self.begins(done + token)
        return done + token[:length] in self._known

    def allowed(self, done: bytes) -> Ids:
        """All tokens that may follow `done`; computed at most once per beginning of a name."""
        node = self._nodes.get(done)
        if node is None:
            node = self._nodes[done] = self._compute(done)
        return node

    def _compute(self, done: bytes) -> Ids:
        single: list[int] = []
        arrays: list[Ids] = []
        vocabulary, skip = self._vocabulary, len(done)
        previous = b""
        for i in range(bisect_left(self._names, done), len(self._names)):
            name = self._names[i]
            if not name.startswith(done):
                break
            rest = name[skip:]
            if not rest:
                arrays.append(self._enders)
                continue
            # Beginnings shared with the name before were found there.
            same = 0
            for a, b in zip(previous, rest, strict=False):
                if a != b:
                    break
                same += 1
            previous = rest
            for n in range(same + 1, min(len(rest), vocabulary.longest) + 1):
                found = vocabulary.id_of(rest[:n])
                if found is not None:
                    single.append(found)
            # Tokens that hold the whole rest and go on with something that is no name.
            if len(rest) < vocabulary.longest:
                single += self._ending(rest)
        # Tokens that end a name begin with a byte that no name has: nothing is there twice.
        arrays.append(np.array(sorted(set(single)), dtype=np.int32))
        return np.concatenate(arrays)

    def _ending(self, rest: bytes) -> list[int]:
        """Tokens that are `rest` and then a byte that no name has."""
        vocabulary = self._vocabulary
        low, high = vocabulary.span(rest)
        if high - low <= 64:
            near = [(int(t), vocabulary.pieces[t]) for t in vocabulary.starting_with(rest)]
            return [t for t, p in near if len(p) > len(rest) and p[len(rest)] not in _NAME_BYTES]
        return [int(t) for sign in _SIGNS for t in vocabulary.starting_with(rest + sign)]
