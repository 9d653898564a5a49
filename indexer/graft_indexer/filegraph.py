"""Which files use the names that others define: kept from question to question, and mended where files changed.

A file gives rank to the files that define the names it uses, rarer names weigh more (PageRank, Page et al., 1999).
Definitions stay rows, and of those only what ranking needs is kept.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from operator import sub

from graft_indexer.rows import DefinitionRow, Kind
from graft_indexer.source import FactSource

_DAMPING = 0.85
_ROUNDS = 24
_SETTLED = 1e-4
"""Rounds end when all ranks together, which sum to one, change by less."""
_MAX_DEFINERS = 8
"""A name that more files define says nothing about any of them."""
_LOCAL = 2
SHOWN = frozenset((Kind.CLASS, Kind.FUNCTION, Kind.METHOD, Kind.PROPERTY, Kind.TYPE_ALIAS, Kind.VARIABLE))


Item = tuple[int, str, float, int]
"""A definition that may be shown: its index among the file's, its name, how much less its kind or a leading underscore
makes it worth than others, and how many bytes its line takes at least."""


class File:
    """A file's definitions and what it uses of others."""

    __slots__ = ("items", "least", "lines", "names", "ordered", "uses")

    def __init__(self, rows: Sequence[DefinitionRow]) -> None:
        names: set[str] = set()
        self.items: list[Item] = []
        for index, row in enumerate(rows):
            name, kind, parent = row[0], row[1], row[6]
            if kind not in SHOWN or name[:2] == "__":
                continue
            if len(name) > 2:
                names.add(name)
            if row[7] & _LOCAL or "<locals>" in parent:
                continue
            factor = 0.3 if kind == Kind.VARIABLE else 1.0
            least = len(name) + (2 * parent.count(".") + 4 if parent else 2)
            self.items.append((index, name, 0.1 * factor if name[0] == "_" else factor, least))
        self.least = min([item[3] for item in self.items], default=0)
        """Bytes that any line takes at least."""
        self.names = frozenset([_bytes(name) for name in names])
        """What other files may mean by a word."""
        self.uses: frozenset[bytes] = frozenset()
        """Names that other files define."""
        self.ordered: list[tuple[float, Item]] | None = None
        self.lines: dict[int, str] = {}
        """Lines of definitions that were shown, by index."""


class FileGraph:
    """The files of a source, by path.  `sync` brings them up to date."""

    def __init__(self, source: FactSource) -> None:
        self.source = source
        self.files: dict[str, File] = {}
        self._definers: dict[bytes, set[str]] = {}
        self._useful: dict[bytes, list[int]] = {}
        """The numbers of the files that define a name, if they are few; sorted, since sums depend on the order."""
        self._used: Counter[bytes] = Counter()
        """How many files use a name that others define."""
        self._numbers: dict[str, int] = {}
        """Of all files that there ever were."""
        self._shares: list[list[tuple[int, float]]] = []
        """By number: (number, share) of the files that define what a file uses; the shares sum to `_DAMPING`."""
        self._ordered: set[str] = set()
        """Files whose definitions are in order."""
        self._mark: int | None = None

    def sync(self) -> None:
        """Take over what changed since the last time: a few milliseconds for an edit, 0.1 to 0.2 ms for each file the
        first time."""
        first = self._mark is None
        self._mark, changed = self.source.changed_since(self._mark or 0)
        present = self.source.paths()
        if first:
            changed = present
        elif not changed:
            return
        known = frozenset(present)
        stale = set(changed)
        touched: set[bytes] = set()
        for path in changed:
            touched |= self._replace(path, File(self.source.definitions(path)) if path in known else None)
        for name in touched:
            where = self._definers[name]
            if 0 < len(where) <= _MAX_DEFINERS:
                self._useful[name] = sorted(map(self._numbers.__getitem__, where))
            else:
                self._useful.pop(name, None)
            if not first:
                stale.update(self.source.files_with(name.decode("utf-8", "surrogateescape")))
        for path in sorted(stale & self.files.keys()):
            self._connect(path)

    def _replace(self, path: str, file: File | None) -> frozenset[bytes]:
        """Put a file in the place of what was known of it; returns names that it began or ceased to define."""
        before = self.files.pop(path, None)
        self._ordered.discard(path)
        had, has = before.names if before is not None else frozenset(), file.names if file is not None else frozenset()
        for name in had - has:
            self._definers[name].discard(path)
        for name in has - had:
            self._definers.setdefault(name, set()).add(path)
        if path not in self._numbers:
            self._numbers[path] = len(self._shares)
            self._shares.append([])
        if file is not None:
            self.files[path] = file
        else:
            self._shares[self._numbers[path]] = []
        if before is not None:
            if file is not None:
                file.uses = before.uses
            else:
                self._count(before.uses, frozenset())
        return had ^ has

    def _connect(self, path: str) -> None:
        """Find out anew what a file uses."""
        file, useful, number = self.files[path], self._useful, self._numbers[path]
        edges: defaultdict[int, float] = defaultdict(float)
        uses: list[bytes] = []
        words = self.source.counts(path)
        for name in [word for word in words if word in useful]:
            where = useful[name]
            if number not in where:
                uses.append(name)
                weight = math.sqrt(words[name]) / len(where)
                for definer in where:
                    edges[definer] += weight
        before, file.uses = file.uses, frozenset(uses)
        self._count(before, file.uses)
        whole = sum(edges.values()) / _DAMPING
        self._shares[number] = [(target, weight / whole) for target, weight in edges.items()]

    def _count(self, before: frozenset[bytes], after: frozenset[bytes]) -> None:
        """Take over which names a file uses."""
        self._used.update(after - before if before else after)
        if before:
            self._used.subtract(before - after)
        for name in before ^ after if self._ordered else ():
            for definer in self._definers[name] & self._ordered:
                self.files[definer].ordered = None
            self._ordered -= self._definers[name]

    def ordered(self, path: str) -> list[tuple[float, Item]]:
        """(weight, item) of a file's definitions, those that most files use first, else in the order of the text."""
        file = self.files[path]
        if file.ordered is None:
            self._ordered.add(path)
            used = self._used
            weighed = [((1.0 + math.log1p(used[_bytes(item[1])])) * item[2], item) for item in file.items]
            weighed.sort(key=lambda both: -both[0])
            file.ordered = weighed
        return file.ordered

    def ranks(self, restart: str = "") -> dict[str, float]:
        """Personalised PageRank by power iteration; the walk begins anew in `restart`, everywhere if that is no file.
        Files of rank 0 are left out."""
        shares, count = self._shares, len(self._numbers)
        if restart in self.files:
            base = {self._numbers[restart]: 1.0}
        else:
            base = {self._numbers[path]: 1.0 / len(self.files) for path in self.files}
        ranks = [base.get(number, 0.0) for number in range(count)]
        for _ in range(_ROUNDS):
            fresh = [0.0] * count
            lost = 0.0
            for rank, targets in zip(ranks, shares, strict=True):
                if not rank:
                    continue
                if not targets:
                    lost += rank
                    continue
                for target, share in targets:
                    fresh[target] += rank * share
            again = 1 - _DAMPING + _DAMPING * lost
            for number, weight in base.items():
                fresh[number] += again * weight
            change = sum(map(abs, map(sub, fresh, ranks)))
            ranks = fresh
            if change < _SETTLED:
                break
        return {path: ranks[number] for path, number in self._numbers.items() if ranks[number]}


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
