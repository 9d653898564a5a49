"""Windows of other files that look like the code around the cursor.

Windows of 20 lines, 10 apart, ranked by BM25 over the identifiers of the last lines before the cursor: Jaccard, which
weighs `self` like a name that two files share, gave the embedded model a tenth of the gain (`graft bench complete`).
Files that share the rarer identifiers and imports come first, and only so many are read.
"""

from __future__ import annotations

import heapq
import itertools
import math
import re
import string
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

from graft_indexer.embedded import has_view
from graft_indexer.facts import Span
from graft_indexer.graph import Window
from graft_indexer.source import FactSource
from graft_indexer.text import Lines, encode

WINDOW = 20
_STEP = 10
_MAX_LINES = 4_000
_MAX_FILES = 12
_QUERY_LINES = 10
_K, _B = 1.2, 0.75
_UNIT = 1 << 20
_FRESH = 100_000
"""Bytes of files that were not read before and are read for one question: 30 to 60 microseconds per 1,000."""
_TOO_LARGE = 2
"""After so many that do not fit into it no more are tried."""
_KEPT = 3_000_000
"""Bytes of the files whose words are kept; these take three times as much."""
_IMPORTS_KEPT = 2_000
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{2,}")
_COMMON = frozenset(
    b"self cls def class return import from None True False not and for the with this that pass raise else elif try "
    b"except finally lambda yield await async str int len print isinstance assert while".split()
)
_FIRST = string.ascii_letters + "_"
_SHORT = frozenset(f"{a}{b}".encode() for a in _FIRST for b in ("", *_FIRST, *string.digits))
_SILENT = _COMMON | _SHORT
"""Words that say nothing.  The short ones stand here one by one, since sets are subtracted faster than lengths are
compared."""
_BLANKS = bytes(c if chr(c) in _FIRST + string.digits else 0x20 for c in range(256))


class _File:
    """The words of a file: of each stretch of `_STEP` lines.  Window `n` is the stretches `n` and `n + 1`.

    A table from words to windows would be asked as quickly, but takes a third of the time more to make.
    """

    __slots__ = ("counts", "digest", "ends", "size", "stretches", "total")

    def __init__(self, digest: str, data: bytes) -> None:
        starts = Lines(data).starts
        self.digest = digest
        self.size = len(data)
        self.ends = array("I", starts[: _MAX_LINES + _STEP + 1 : _STEP])
        """Where the stretches begin, and where the last one ends."""
        if len(starts) <= _MAX_LINES + _STEP:
            self.ends.append(self.size)
        found = [words(data[a:b]) for a, b in itertools.pairwise(self.ends)]
        self.stretches = list(map(tuple, found))
        pairs = itertools.pairwise(found) if len(found) > 1 else [(found[0], found[0])]
        self.counts = array("H", [len(a | b) for a, b in pairs])
        """How many words each window holds."""
        self.total = sum(self.counts)

    def matches(self, query: frozenset[bytes]) -> Iterator[tuple[int, frozenset[bytes]]]:
        """(number, words) of the windows that hold at least two of some words."""
        found = list(map(query.intersection, self.stretches))
        for number, (one, other) in enumerate(itertools.pairwise(found) if len(found) > 1 else [(found[0], found[0])]):
            if len(one) + len(other) >= 2 and len(both := one | other) >= 2:
                yield number, both

    def span(self, number: int) -> Span:
        """Bytes of a window."""
        return Span(self.ends[number], self.ends[min(number + 2, len(self.ends) - 1)])


def _scores(
    query: frozenset[bytes], rarity: Mapping[bytes, float], files: Sequence[tuple[str, _File]]
) -> list[tuple[float, str, int]]:
    """(score of 0 to -1, path, number) of the windows of files that hold at least two of the query's words."""
    filled = sum(len(file.counts) - file.counts.count(0) for _, file in files)
    mean = sum(file.total for _, file in files) / max(1, filled)
    # Sums of integers are the same in any order; sorting the words of each window took as long as the rest.
    weights = {word: round(value * _UNIT) for word, value in rarity.items()}
    most = sum(weights.values())
    found: list[tuple[float, str, int]] = []
    for path, file in files:
        counts = file.counts
        for number, shared in file.matches(query):
            length = 1 + _K * (1 - _B + _B * counts[number] / mean)
            found.append((max(-1.0, -sum(map(weights.__getitem__, shared)) / (length * most)), path, number))
    return found


class Usages:
    """Keeps the words of files it has read, by digest."""

    def __init__(self, source: FactSource) -> None:
        self.source = source
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._size = 0
        self._imports: OrderedDict[str, tuple[str, frozenset[str]]] = OrderedDict()

    def windows(self, path: str, offset: int, limit: int = 4, *, patient: bool = False) -> Sequence[Window]:
        """The best windows of other files, best first; one file gives at most two, never overlapping.

        Of files that were not read before, only the best few are looked into unless `patient`: `prepare` reads more.
        """
        query = self._query(path, offset)
        if not query:
            return []
        holders = self._holders(query)
        total = max(1, len(self.source.paths()))
        rarity = {word: math.log(1 + (total + 0.5) / (len(files) + 0.5)) for word, files in holders.items()}
        read = self._read(self._candidates(path, holders), math.inf if patient else _FRESH)
        scored = _scores(query, rarity, read)
        heapq.heapify(scored)
        taken: dict[str, list[int]] = {}
        found: list[Window] = []
        while scored and len(found) < limit:
            score, candidate, number = heapq.heappop(scored)
            near = taken.setdefault(candidate, [])
            if len(near) >= 2 or any(abs(number - other) * _STEP < WINDOW for other in near):
                continue
            near.append(number)
            window = self._window(candidate, number, -score)
            if window is not None:
                found.append(window)
        return found

    def prepare(self, path: str, offset: int) -> bool:
        """Read some of the files that `windows` would look into, for 5 to 15 milliseconds; whether some are left."""
        query = self._query(path, offset)
        room = _FRESH
        for candidate in self._candidates(path, self._holders(query)):
            if self._known(candidate) is not None:
                continue
            if room <= 0:
                return True
            room -= self._made(candidate, encode(self.source.text(candidate) or "")).size
        return False

    def _query(self, path: str, offset: int) -> frozenset[bytes]:
        """The words before a place."""
        data = encode(self.source.text(path) or "")
        start = min(offset, len(data))
        for _ in range(_QUERY_LINES + 1):
            start = max(data.rfind(b"\n", 0, start), data.rfind(b"\r", 0, start), 0)
        return words(data[start:offset])

    def _holders(self, query: frozenset[bytes]) -> dict[bytes, Sequence[str]]:
        return {word: self.source.files_with(word.decode()) for word in query}

    def _read(self, paths: Sequence[str], room: float) -> list[tuple[str, _File]]:
        """The words of files; of those that were not read before as many as have room, in bytes."""
        found: list[tuple[str, _File]] = []
        passed = 0
        for path in paths:
            file = self._known(path)
            if file is None and passed < _TOO_LARGE:
                data = encode(self.source.text(path) or "")
                if len(data) <= room:
                    room -= len(data)
                    file = self._made(path, data)
                else:
                    passed += 1
            if file is not None:
                found.append((path, file))
        return found

    def _candidates(self, path: str, holders: Mapping[bytes, Sequence[str]]) -> list[str]:
        """Files that share the rarest of the query's words, weighed by rarity and by common imports."""
        total = max(1, len(self.source.paths()))
        weights: dict[str, float] = {}
        rare = [(len(files), files) for files in holders.values() if 1 < len(files) <= max(8, total // 4)]
        rare.sort(key=lambda item: item[0])
        for count, files in rare[:16]:
            weight = 1.0 / count
            for file in files:
                weights[file] = weights.get(file, 0.0) + weight
        weights.pop(path, None)
        # A view's text is filled with what is no code; an open notebook's is there besides.
        ordered = (file for file in sorted(weights, key=lambda p: (-weights[p], p)) if not has_view(file))
        best = list(itertools.islice(ordered, 3 * _MAX_FILES))
        mine = self._imported(path)
        if mine:
            for file in best:
                theirs = self._imported(file)
                if theirs:
                    weights[file] += len(mine & theirs) / len(mine | theirs)
            best.sort(key=lambda p: (-weights[p], p))
        return best[:_MAX_FILES]

    def _imported(self, path: str) -> frozenset[str]:
        digest = self.source.digest(path) or ""
        known = self._imports.get(path)
        if known is None or known[0] != digest:
            names = frozenset(f"{i.module}.{i.name}" if i.name else i.module for i in self.source.imports(path))
            known = self._imports[path] = (digest, names)
            while len(self._imports) > _IMPORTS_KEPT:
                self._imports.popitem(last=False)
        return known[1]

    def _known(self, path: str) -> _File | None:
        """The words of a file that was read before and is as it was."""
        known = self._files.get(path)
        if known is None or known.digest != (self.source.digest(path) or ""):
            return None
        self._files.move_to_end(path)
        return known

    def _made(self, path: str, data: bytes) -> _File:
        known = self._files.get(path)
        # Asking for the text has a file read again that was changed meanwhile.
        made = _File(self.source.digest(path) or "", data)
        if known is not None:
            self._size -= known.size
        self._files[path] = made
        self._files.move_to_end(path)
        self._size += made.size
        while self._size > _KEPT and len(self._files) > _MAX_FILES:
            self._size -= self._files.popitem(last=False)[1].size
        return made

    def _window(self, path: str, number: int, score: float) -> Window | None:
        """A window with its text; None if the file was changed since its words were taken."""
        data = encode(self.source.text(path) or "")
        file = self._files[path]
        if file.digest != (self.source.digest(path) or ""):
            return None
        span = file.span(number)
        text = data[span.start : span.end].decode("utf-8", "replace")
        return Window(path, span, number * _STEP + 1, text, round(score, 4))


def words(data: bytes) -> frozenset[bytes]:
    """Identifiers of a piece of text that say something."""
    found = frozenset(data.translate(_BLANKS).split()) - _SILENT
    numbers = [word for word in found if word[0] < 0x3A] if found and min(found) < b":" else ()
    if numbers:
        found = found.difference(numbers).union(*map(_WORD.findall, numbers)) - _SILENT
    return found
