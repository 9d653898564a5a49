"""One digest per unit of a file for all that its findings depend on: see `units`."""

from __future__ import annotations

import ast
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from graft_server.diagnosis.offers import Digest, Summary, summarised
from graft_server.diagnosis.source import Source
from graft_server.diagnosis.units import Unit


def exposed(source: Source) -> Digest:
    """Digest of all that other files can see of a file: equal for two texts that differ inside bodies only."""
    return _together(source, [s for _, s in summarised(source)])


def unit_keys(source: Source, others: Digest, *, cyclic: bool) -> list[tuple[Unit, Digest]]:
    """Every unit with the digest of all that its findings depend on.

    `others` stands for the state of all other files.  `cyclic`: a file that this one imports imports this one, so that
    every unit depends on everything that the file offers.
    """
    pairs = summarised(source)
    together = _together(source, [s for _, s in pairs])
    common = blake2b(others, digest_size=16)
    for _, summary in pairs:
        common.update(summary.everywhere)
    if cyclic:
        common.update(together)
    base = common.digest()
    closure = _closures.get(together)
    if closure is None:
        closure = _closures[together] = _Closure([s for _, s in pairs])
        while len(_closures) > 8:
            _closures.popitem(last=False)
    else:
        _closures.move_to_end(together)
    keyed = []
    for index, (unit, summary) in enumerate(pairs):
        key = blake2b(base, digest_size=16)
        key.update(summary.digest)
        key.update(unit.owner.encode("utf-8", "surrogateescape"))
        place = index if not isinstance(unit.nodes[0], ast.FunctionDef | ast.AsyncFunctionDef) else -1
        key.update(closure.of(summary.words | {unit.owner}, place))
        keyed.append((unit, key.digest()))
    return keyed


class _Closure:
    """Which offers of a file the words of a unit lead to."""

    def __init__(self, summaries: Sequence[Summary]) -> None:
        self._offers = [(index, offer) for index, s in enumerate(summaries) for offer in s.offers]
        self._by_name: dict[str, list[int]] = {}
        for number, (_, offer) in enumerate(self._offers):
            self._by_name.setdefault(offer.name, []).append(number)
        self._loose: frozenset[str] = frozenset().union(*(s.loose for s in summaries))
        self._next = [self._named(offer.words) for _, offer in self._offers]
        self._meets = [offer.words & self._loose for _, offer in self._offers]
        self._known: dict[tuple[frozenset[str], int], Digest] = {}

    def _named(self, words: frozenset[str]) -> tuple[int, ...]:
        names = self._by_name.keys() & words
        return tuple(n for name in names for n in self._by_name[name])

    def of(self, words: frozenset[str], place: int) -> Digest:
        """Digest of what `words` lead to; `place` is the unit's number where the order of statements matters, or -1."""
        key = (words, place)
        known = self._known.get(key)
        if known is not None:
            return known
        seen: set[int] = set()
        stack = list(self._named(words))
        loose = set(words & self._loose)
        while stack:
            number = stack.pop()
            if number not in seen:
                seen.add(number)
                loose |= self._meets[number]
                stack.extend(self._next[number])
        hashed = blake2b(digest_size=16)
        before = 0
        for number in sorted(seen):
            index, offer = self._offers[number]
            hashed.update(offer.digest)
            before += index < place
        hashed.update(" ".join(sorted(loose)).encode("utf-8", "surrogateescape"))
        if place >= 0:
            hashed.update(str(before).encode())
        found = self._known[key] = hashed.digest()
        return found


_closures: OrderedDict[Digest, _Closure] = OrderedDict()


def _together(source: Source, summaries: Sequence[Summary]) -> Digest:
    hashed = blake2b(digest_size=16)
    loose: set[str] = set()
    for summary in summaries:
        for offer in summary.offers:
            hashed.update(offer.name.encode("utf-8", "surrogateescape"))
            hashed.update(offer.digest)
        hashed.update(summary.everywhere + b"\0")
        loose |= summary.loose
    hashed.update(" ".join(sorted(loose)).encode("utf-8", "surrogateescape"))
    return hashed.digest()
