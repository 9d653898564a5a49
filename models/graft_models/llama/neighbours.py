"""Other files of the workspace as the count mixture knows them: cut into the model's tokens once per text.

A client names the files that lie near a hole and sends each text once; texts are learned while nobody waits, the oldest
are forgotten.  An index is two arrays: the tokens, and their places in the order of the pairs of tokens before them,
so that a file takes 16 bytes per token and a pair is found by bisection.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from graft_models.prompt import NEIGHBOUR_CHARACTERS, Neighbour

MOST_FILES = 96
"""That are kept, 16 bytes per token; beyond that those that were asked for longest ago are forgotten.  More than a
client believes to be known (`graft_models.client`)."""


class TokenFile:
    """One file's tokens and where each pair of them stands."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self.words = array("i", tokens)
        known = np.asarray(self.words, dtype=np.int64)
        codes = known[:-2] << 32 | known[1:-1] if len(known) > 2 else np.empty(0, dtype=np.int64)
        order = np.argsort(codes, kind="stable")
        self._codes = codes[order]
        self._places = (order + 2).astype(np.int32)

    def places(self, first: int, second: int, most: int) -> list[int]:
        """Where something follows the pair (`first`, `second`), in order; the last `most` places only."""
        code = int(first) << 32 | int(second)
        begin, end = self._codes.searchsorted(code), self._codes.searchsorted(code + 1)
        found: list[int] = self._places[max(begin, end - most) : end].tolist()
        return found


class Library:
    """The files by the digest of their text.  Texts may be handed in from any thread; the rest is one thread's."""

    def __init__(self, tokenize: Callable[[str], Sequence[int]], most: int = MOST_FILES) -> None:
        self._tokenize = tokenize
        self._most = most
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, str] = OrderedDict()
        self._known: OrderedDict[str, TokenFile] = OrderedDict()

    @property
    def waiting(self) -> bool:
        """Whether texts wait to be learned."""
        return bool(self._waiting)

    def offer(self, neighbours: Iterable[Neighbour]) -> None:
        """Take texts in; those that are known or wait already are passed over."""
        with self._lock:
            for neighbour in neighbours:
                if neighbour.text and neighbour.digest not in self._known:
                    self._waiting.setdefault(neighbour.digest, neighbour.text)

    def learn(self, wanted: Iterable[Neighbour] | None = None) -> None:
        """Learn one text that waits, or all of those that are `wanted`: some tens of milliseconds each."""
        digests = [n.digest for n in wanted] if wanted is not None else [next(iter(self._waiting), "")]
        for digest in digests:
            with self._lock:
                text = self._waiting.pop(digest, None)
            if text is not None:
                self._known[digest] = TokenFile(self._tokenize(text[:NEIGHBOUR_CHARACTERS]))
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def ready(self, neighbours: Iterable[Neighbour]) -> list[tuple[Neighbour, TokenFile]]:
        """Those that are learned, in their order; they count as used."""
        found = []
        for neighbour in neighbours:
            made = self._known.get(neighbour.digest)
            if made is not None:
                self._known.move_to_end(neighbour.digest)
                found.append((neighbour, made))
        return found
