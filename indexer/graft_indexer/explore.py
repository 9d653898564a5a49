"""Matches of a language's query without walking the bodies in which nothing is defined.

A query over a whole tree visits every node, most of them inside functions where hardly ever something is defined.  Here
it runs over the outer nodes only: those directly below the root, and below what a match names as its inside (the body
of a class or a namespace, or a node captured as `@inside`).  What lies deeper is visited where the text has one of the
language's words that begin a definition (`[nested]` in its language.toml): a body without any costs a search of its
bytes.  For a language without that table, and where a text does not parse, the query runs over everything.

Two rules make the result that of the whole tree (`tests/unit/test_explore.py` compares them): a pattern begins at the
statement that it finds, not at what encloses it by more than one step, and whatever a pattern may find below a
statement holds one of the words, besides the word that the statement itself begins with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tree_sitter import Query, QueryCursor

if TYPE_CHECKING:
    from tree_sitter import Node

_WORDS = 64
"""More than any language has words."""
_DEEPEST = 400
"""Nested insides that are followed one by one; below that the query runs over everything."""


class Nested(NamedTuple):
    """A word that may begin a nested definition, and what must match where it stands."""

    word: bytes
    pattern: re.Pattern[bytes]


class Plan(NamedTuple):
    """How a query is run: its patterns by number, and the words; no words: over everything."""

    query: Query
    containers: frozenset[int]
    """Patterns whose `@body` holds definitions of its own."""
    nested: tuple[Nested, ...]


Match = tuple[int, dict[str, "list[Node]"]]
"""(pattern, captures)"""


class _Region(NamedTuple):
    """A node whose children were visited (`lazy` false), or whose inside was not."""

    start: int
    end: int
    node: Node
    lazy: bool


def nested_words(table: Mapping[str, str]) -> tuple[Nested, ...]:
    """The `[nested]` table of a language.toml: word -> regular expression.  Raises re.error."""
    return tuple(Nested(word.encode(), re.compile(pattern.encode())) for word, pattern in table.items())


def matches(plan: Plan, root: Node, data: bytes, words: Mapping[bytes, int]) -> list[Match]:
    """What the query finds at or below `root`; a match may come twice.  `words` are those of the text, or empty."""
    if not plan.nested or root.has_error:  # what does not parse may hold anything anywhere
        return QueryCursor(plan.query).matches(root)
    found: list[Match] = []
    regions = _outer(plan, root, found)
    sought = [
        n
        for n, (word, _) in enumerate(plan.nested)
        if not words or not word.replace(b"_", b"").isalpha() or word in words
    ]
    for node in _deeper(plan, regions, _places(plan, sought, data, root.start_byte, root.end_byte), data):
        found += QueryCursor(plan.query).matches(node)
    return found


def inside(plan: Plan, body: Node, data: bytes, *, whole: bool) -> list[Match]:
    """What `matches` finds in the body of a function; `whole` says that the text around it does not parse."""
    if plan.nested and not whole:
        places = _places(plan, [*range(len(plan.nested))], data, body.start_byte, body.end_byte)
        if not any(plan.nested[key % _WORDS].pattern.match(data, key // _WORDS) for key in places):
            return []
    return QueryCursor(plan.query).matches(body)


def _outer(plan: Plan, root: Node, found: list[Match]) -> list[_Region]:
    """Put the matches of the outer nodes into `found`; returns what was visited and what was not, by place."""
    cursor = QueryCursor(plan.query)
    cursor.set_max_start_depth(1)
    todo = [(root, 0)]
    seen = {root.id}
    regions: list[_Region] = []
    while todo:
        at, depth = todo.pop()
        regions.append(_Region(at.start_byte, at.end_byte, at, depth > _DEEPEST))
        if depth > _DEEPEST:
            continue
        matched = cursor.matches(at)
        found += matched
        for pattern, captures in matched:
            for node in captures.get("inside", ()):
                if node.id not in seen:
                    seen.add(node.id)
                    todo.append((node, depth + 1))
            for node in captures.get("body", ()):
                if node.id in seen:
                    continue
                seen.add(node.id)
                if pattern in plan.containers:
                    todo.append((node, depth + 1))
                else:
                    regions.append(_Region(node.start_byte, node.end_byte, node, True))
    regions.sort(key=lambda r: (r.start, -r.end))
    return regions


def _places(plan: Plan, sought: list[int], data: bytes, start: int, end: int) -> list[int]:
    """Where some of the words stand, in order; each place times `_WORDS`, plus the number of its word."""
    places: list[int] = []
    for number in sought:
        word = plan.nested[number].word
        at = data.find(word, start, end)
        while at >= 0:
            places.append(at * _WORDS + number)
            at = data.find(word, at + 1, end)
    places.sort()
    return places


def _deeper(plan: Plan, regions: list[_Region], places: list[int], data: bytes) -> Iterator[Node]:
    """Nodes that hold a word and were not visited: bodies, or what lies between them."""
    stack: list[_Region] = []
    following, done = 0, -1
    for key in places:
        place = key // _WORDS
        if place < done or not plan.nested[key % _WORDS].pattern.match(data, place):
            continue
        while following < len(regions) and regions[following].start <= place:
            while stack and stack[-1].end <= regions[following].start:
                stack.pop()
            stack.append(regions[following])
            following += 1
        while stack and stack[-1].end <= place:
            stack.pop()
        if not stack:
            continue
        node: Node | None = stack[-1].node
        if not stack[-1].lazy:
            # The child around the place, or its child: not what holds a region that follows.
            after = regions[following].start if following < len(regions) else 1 << 62
            outer = node = _child_at(stack[-1].node, place)
            while node is not None and node.start_byte <= place and after < node.end_byte:
                node = _child_at(node, place)
            if node is None or node.start_byte > place:
                continue
            if not node.child_count:
                done = node.end_byte
                continue
            if node is outer:
                leaf = _child_at(node, place)
                if leaf is not None and leaf.start_byte <= place and not leaf.child_count:
                    done = leaf.end_byte  # the word of the statement itself, which was visited
                    continue
        if node is not None:
            done = node.end_byte
            yield node


def _child_at(node: Node, place: int) -> Node | None:
    """The first child that ends behind a place.  `Node.first_child_for_byte` crashes (tree-sitter 0.26) where the place
    lies in a hidden token, as in Rust's token trees."""
    cursor = node.walk()
    return cursor.node if cursor.goto_first_child_for_byte(place) is not None else None
