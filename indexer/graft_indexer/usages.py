"""Windows of other files that look like the code around the cursor.

Windows of 20 lines, 10 apart, ranked by BM25 over the identifiers of the last lines before the cursor: Jaccard, which
weighs `self` like a name that two files share, gave the embedded model a tenth of the gain (`graft bench complete`).
Files that share the rarer identifiers and imports come first, and only so many are read.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft_indexer.embedded import has_view
from graft_indexer.facts import Span
from graft_indexer.graph import Window
from graft_indexer.source import FactSource
from graft_indexer.text import Lines, encode

WINDOW = 20
_STEP = 10
_MAX_FILES = 12
_QUERY_LINES = 10
_K, _B = 1.2, 0.75
_KEPT = 64
_IMPORTS_KEPT = 2_000
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{2,}")
_COMMON = frozenset(
    b"self cls def class return import from None True False not and for the with this that pass raise else elif try "
    b"except finally lambda yield await async str int len print isinstance assert while".split()
)


@dataclass(frozen=True, slots=True)
class _File:
    """A file's windows, numbered: their lines (from, to), how many words each holds, and which windows hold a word."""

    digest: str
    data: bytes
    places: list[tuple[int, int]]
    words: list[int]
    holding: dict[bytes, list[int]]


class Usages:
    """Keeps the windows of files it has read, by digest."""

    def __init__(self, source: FactSource) -> None:
        self.source = source
        self._windows: OrderedDict[str, _File] = OrderedDict()
        self._imports: OrderedDict[str, tuple[str, frozenset[str]]] = OrderedDict()

    def windows(self, path: str, offset: int, limit: int = 4) -> Sequence[Window]:
        """The best windows of other files, best first; one file gives at most two, never overlapping."""
        text = self.source.text(path)
        if text is None:
            return ()
        data = encode(text)
        lines = Lines(data)
        line = lines.line_at(offset)
        start = lines.starts[max(0, line - _QUERY_LINES)]
        query = words(data[start:offset])
        if not query:
            return ()
        holders = {word: self.source.files_with(word.decode()) for word in query}
        total = max(1, len(self.source.paths()))
        rarity = {word: math.log(1 + (total + 0.5) / (len(files) + 0.5)) for word, files in holders.items()}
        most = sum(rarity.values()) * (_K + 1)
        read = [(c, self._of(c)) for c in self._candidates(path, holders)]
        mean = sum(sum(file.words) for _, file in read) / max(1, sum(len(file.words) for _, file in read))
        scored: list[tuple[float, str, int, int]] = []
        for candidate, file in read:
            shared: dict[int, list[float]] = {}
            for word in sorted(query & file.holding.keys()):
                for number in file.holding[word]:
                    shared.setdefault(number, []).append(rarity[word])
            for number, weights in shared.items():
                if len(weights) >= 2:
                    length = 1 + _K * (1 - _B + _B * file.words[number] / mean)
                    score = sum(weights) * (_K + 1) / length
                    scored.append((min(1.0, score / most), candidate, *file.places[number]))
        scored.sort(key=lambda item: (-item[0], item[1], item[2]))
        taken: dict[str, list[int]] = {}
        found: list[Window] = []
        for score, candidate, first, last in scored:
            near = taken.setdefault(candidate, [])
            if len(near) >= 2 or any(abs(first - other) < WINDOW for other in near):
                continue
            near.append(first)
            found.append(self._window(candidate, first, last, score))
            if len(found) >= limit:
                break
        return found

    def _candidates(self, path: str, holders: Mapping[bytes, Sequence[str]]) -> list[str]:
        """Files that share the rarest of the query's words, weighed by rarity and by common imports."""
        total = max(1, len(self.source.paths()))
        weights: dict[str, float] = {}
        rare = [(len(files), files) for files in holders.values() if 1 < len(files) <= max(8, total // 4)]
        rare.sort(key=lambda item: item[0])
        for count, files in rare[:16]:
            for file in files:
                if has_view(file):
                    continue  # Its text is filled with what is no code; an open notebook's is there besides.
                weights[file] = weights.get(file, 0.0) + 1.0 / count
        weights.pop(path, None)
        best = sorted(weights, key=lambda p: (-weights[p], p))[: 3 * _MAX_FILES]
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

    def _of(self, path: str) -> _File:
        digest = self.source.digest(path) or ""
        known = self._windows.get(path)
        if known is not None and known.digest == digest:
            self._windows.move_to_end(path)
            return known
        data = encode(self.source.text(path) or "")
        lines = Lines(data)
        made = _File(digest, data, [], [], {})
        # Each stretch of `_STEP` lines belongs to two windows, and is read once.
        starts = [*(lines.starts[n] for n in range(0, min(len(lines), 4000 + _STEP), _STEP)), len(data)]
        stretches = [words(data[a:b]) for a, b in itertools.pairwise(starts)]
        for number, first in enumerate(range(0, min(len(lines), 4000), _STEP)):
            last = min(first + WINDOW, len(lines))
            have = frozenset().union(*stretches[number : number + WINDOW // _STEP])
            for word in have:
                made.holding.setdefault(word, []).append(len(made.places))
            if have:
                made.places.append((first, last))
                made.words.append(len(have))
            if last == len(lines):
                break
        self._windows[path] = made
        while len(self._windows) > _KEPT:
            self._windows.popitem(last=False)
        return made

    def _window(self, path: str, first: int, last: int, score: float) -> Window:
        data = self._windows[path].data
        lines = Lines(data)
        start = lines.starts[first]
        end = lines.starts[last] if last < len(lines) else len(data)
        text = data[start:end].decode("utf-8", "replace")
        return Window(path, Span(start, end), first + 1, text, round(score, 4))


def words(data: bytes) -> frozenset[bytes]:
    """Identifiers of a piece of text that say something."""
    return frozenset(_WORD.findall(data)) - _COMMON
