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


def unit_keys(source: Source, others: Digest, *, circle: frozenset[str] | None) -> list[tuple[Unit, Digest]]:
    """Every unit with the digest of all that its findings depend on.

    `others` stands for the state of all other files.  `circle`: words of imports by which this file may import files
    that import it (None: any): what leads to such an import depends on everything that the file offers.
    """
    pairs = summarised(source)
    together = _together(source, [s for _, s in pairs])
    common = blake2b(others, digest_size=16)
    for _, summary in pairs:
        common.update(summary.everywhere)
    tied = [not (circle or frozenset()).isdisjoint(s.imports) for _, s in pairs]
    starred = any("*" in s.imports for (_, s), bound in zip(pairs, tied, strict=True) if bound)
    if circle is None or starred:  # what a star import brings has no name here
        common.update(together)
    base = common.digest()
    which = (together, circle or frozenset())
    closure = _closures.get(which)
    if closure is None:
        closure = _closures[which] = _Closure([s for _, s in pairs], tied, together)
        while len(_closures) > 8:
            _closures.popitem(last=False)
    else:
        _closures.move_to_end(which)
    keyed = []
    for index, (unit, summary) in enumerate(pairs):
        key = blake2b(base, digest_size=16)
        key.update(summary.digest)
        key.update(unit.owner.encode("utf-8", "surrogateescape"))
        if tied[index]:
            key.update(together)
        place = index if not isinstance(unit.nodes[0], ast.FunctionDef | ast.AsyncFunctionDef) else -1
        key.update(closure.of(summary.words | {unit.owner}, summary.read, place))
        keyed.append((unit, key.digest()))
    return keyed


class _Closure:
    """Which offers of a file the words of a unit lead to.

    Offers and the words in them form a graph, with circles.  Offers of one circle lead to the same, so each circle gets
    one digest, of its own offers and of the circles it leads to; a unit's is made from those that its words name.
    """

    def __init__(self, summaries: Sequence[Summary], tied: Sequence[bool], together: Digest) -> None:
        """What the units with a mark in `tied` offer depends on `together`, too."""
        self._offers = [(index, offer) for index, s in enumerate(summaries) for offer in s.offers]
        self._by_name: dict[str, list[int]] = {}
        for number, (_, offer) in enumerate(self._offers):
            self._by_name.setdefault(offer.name, []).append(number)
        self._loose: frozenset[str] = frozenset().union(*(s.loose for s in summaries))
        self._prose: frozenset[str] = frozenset().union(*(s.prose for s in summaries)) - self._loose
        self._circle, circles = _circles([self._named(offer.words) for _, offer in self._offers])
        self._digest: list[Digest] = []
        self._reach: list[int] = []
        """Per circle the offers that it leads to, itself included, as the bits of a number."""
        for members, below in circles:
            hashed = blake2b(digest_size=16)
            reach = 0
            for number in members:
                reach |= 1 << number
                index, offer = self._offers[number]
                hashed.update(offer.digest + (together if tied[index] else b""))
                hashed.update(" ".join(sorted(offer.words & self._loose)).encode("utf-8", "surrogateescape"))
            for circle in sorted(below, key=lambda c: circles[c][0]):  # as they stand in the file
                reach |= self._reach[circle]
                hashed.update(b"," + self._digest[circle])
            self._digest.append(hashed.digest())
            self._reach.append(reach)

    def _named(self, words: frozenset[str]) -> tuple[int, ...]:
        names = self._by_name.keys() & words
        return tuple(n for name in names for n in self._by_name[name])

    def of(self, words: frozenset[str], read: frozenset[str], place: int) -> Digest:
        """Digest of what `words` lead to; `place` is the unit's number where the order of statements matters, or -1."""
        hashed = blake2b(digest_size=16)
        reach = 0
        for circle in dict.fromkeys(self._circle[n] for n in sorted(self._named(words))):
            hashed.update(self._digest[circle])
            reach |= self._reach[circle]
        met = (words & self._loose, read & self._prose)
        hashed.update("\0".join(" ".join(sorted(m)) for m in met).encode("utf-8", "surrogateescape"))
        if place >= 0:
            before = 0
            for number, (index, _) in enumerate(self._offers):
                if index >= place:
                    break
                before += reach >> number & 1
            hashed.update(str(before).encode())
        return hashed.digest()


def _circles(leads: Sequence[Sequence[int]]) -> tuple[list[int], list[tuple[list[int], list[int]]]]:
    """Strongly connected parts of a graph (Tarjan 1972), those that are led to first.

    Gives the part of each node, and of each part its nodes in order and the parts that it leads to.
    """
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    part = [-1] * len(leads)
    parts: list[tuple[list[int], list[int]]] = []
    open_: list[int] = []
    for root in range(len(leads)):
        stack = [(root, 0)] if root not in number else []
        while stack:
            node, at = stack.pop()
            if not at:
                number[node] = low[node] = len(number)
                open_.append(node)
            for position in range(at, len(leads[node])):
                other = leads[node][position]
                if other not in number:
                    stack += [(node, position + 1), (other, 0)]
                    break
                if part[other] < 0:
                    low[node] = min(low[node], low[other])
            else:
                if low[node] == number[node]:
                    members: list[int] = []
                    while not members or members[-1] != node:
                        members.append(open_.pop())
                        part[members[-1]] = len(parts)
                    below = {part[o] for m in members for o in leads[m]} - {len(parts)}
                    parts.append((sorted(members), list(below)))
                if stack:
                    above = stack[-1][0]
                    if part[node] < 0:
                        low[above] = min(low[above], low[node])
    return part, parts


_closures: OrderedDict[tuple[Digest, frozenset[str]], _Closure] = OrderedDict()


def _together(source: Source, summaries: Sequence[Summary]) -> Digest:
    hashed = blake2b(digest_size=16)
    loose: set[str] = set()
    prose: set[str] = set()
    for summary in summaries:
        for offer in summary.offers:
            hashed.update(offer.name.encode("utf-8", "surrogateescape"))
            hashed.update(offer.digest)
        hashed.update(summary.everywhere + b"\0")
        loose |= summary.loose
        prose |= summary.prose
    for words in (loose, prose):
        hashed.update(" ".join(sorted(words)).encode("utf-8", "surrogateescape") + b"\0")
    return hashed.digest()
