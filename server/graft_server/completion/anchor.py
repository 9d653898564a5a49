"""The anchored hole: opened at the start of a line, kept while the person types on, its context fixed meanwhile.

In a prefix-suffix-middle prompt a typed character would move the end of the prefix, and the whole suffix after it would
be read again.  Anchored, what was typed since is forced as the beginning of the middle, and a key press costs one or
two tokens.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass

from graft_models.prompt import ContextPart, Hole, anchor
from graft_server.completion.model import Snapshot

MAX_TYPED_LINES = 4
MAX_TYPED = 600
"""Characters; beyond either the hole is opened anew, nearer to the cursor."""
PREFIX_CHARACTERS = 24_000
SUFFIX_CHARACTERS = 8_000
"""What is handed to the engine at most; it cuts to its budget of tokens."""
PREFIX_STEP = 64
"""The prefix is cut at a multiple of so many lines, so that the cut stays put while lines are added."""


_TOP = re.compile(r"\n(?=[^\s)\]}#'\"])")


@dataclass(frozen=True, slots=True)
class Place:
    """The cursor in text with LF line ends: `before` and `after` the cursor, and what the file's line ends are."""

    before: str
    after: str
    newline: str = "\n"
    language: str = "python"

    @property
    def line(self) -> str:
        """The cursor's line up to the cursor."""
        return self.before[self.before.rfind("\n") + 1 :]

    @property
    def rest(self) -> str:
        """The cursor's line after the cursor."""
        return self.after.partition("\n")[0]


def place_of(snapshot: Snapshot) -> Place:
    """The place of a snapshot's cursor."""
    data = snapshot.text.encode("utf-8", "surrogateescape")
    before = data[: snapshot.offset].decode("utf-8", "surrogateescape")
    after = data[snapshot.offset :].decode("utf-8", "surrogateescape")
    newline = "\r\n" if "\r\n" in snapshot.text else "\n"
    if "\r" in snapshot.text:
        before = before.replace("\r\n", "\n").replace("\r", "\n")
        after = after.replace("\r\n", "\n").replace("\r", "\n")
    return Place(before, after, newline, snapshot.language)


def nearby(place: Place, characters: int = 12_000) -> Place:
    """The place in its surroundings only: from a top-level line before the cursor to one after it."""
    before, after = place.before, place.after
    if len(before) > characters:
        found = _TOP.search(before, len(before) - characters)
        before = before[found.start() + 1 :] if found is not None else before[-characters:]
    if len(after) > characters:
        ends = [found.start() for found in _TOP.finditer(after, 0, characters)]
        after = after[: ends[-1] + 1] if ends else after[:characters]
    return Place(before, after, place.newline, place.language)


@dataclass(slots=True)
class LiveHole:
    """A hole that lives: `prefix` and `suffix` in full, the context it was opened with."""

    prefix: str
    suffix: str
    context: tuple[ContextPart, ...] = ()
    context_known: bool = False
    """Whether the context was gathered; until then it may still be set once."""
    budget: int = 0
    """Prompt tokens, fixed while the hole lives, so that the window does not move; 0 until it is chosen."""


class Holes:
    """One live hole per document, the documents used last only."""

    def __init__(self, size: int = 16) -> None:
        self._live: OrderedDict[str, LiveHole] = OrderedDict()
        self._size = size

    def at(self, path: str, place: Place) -> tuple[LiveHole, str]:
        """The hole for a cursor and what stands typed in it: the live one if the cursor is still in it."""
        prefix, typed, suffix = anchor(place.before, place.after)
        live = self._live.get(path)
        if live is not None and _within(live, place, suffix):
            self._live.move_to_end(path)
            return live, place.before[len(live.prefix) :]
        live = LiveHole(prefix, suffix)
        self._live[path] = live
        self._live.move_to_end(path)
        while len(self._live) > self._size:
            self._live.popitem(last=False)
        return live, typed

    def holds(self, path: str, place: Place) -> bool:
        """Whether the live hole of a document would still be used at `place`."""
        live = self._live.get(path)
        return live is not None and _within(live, place, anchor(place.before, place.after)[2])

    def forget(self, path: str) -> None:
        """The document was closed, or its context is out of date."""
        self._live.pop(path, None)


def _within(live: LiveHole, place: Place, suffix: str) -> bool:
    if live.suffix != suffix or not place.before.startswith(live.prefix):
        return False
    middle = place.before[len(live.prefix) :]
    return middle.count("\n") < MAX_TYPED_LINES and len(middle) <= MAX_TYPED


def hole_of(live: LiveHole, typed: str, path: str, repository: str) -> Hole:
    """The engine's hole: the live one, cut where the cut stays put."""
    return Hole(path, cut_head(live.prefix), cut_tail(live.suffix), typed, repository, live.context)


def cut_head(prefix: str, characters: int = PREFIX_CHARACTERS, step: int = PREFIX_STEP) -> str:
    """The end of `prefix`: from a line whose number is a multiple of `step`, at most about `characters` long."""
    if len(prefix) <= characters:
        return prefix
    first = prefix.count("\n", 0, len(prefix) - characters) + 1
    first += -first % step
    at = -1
    for _ in range(first):
        found = prefix.find("\n", at + 1)
        if found < 0:
            return prefix[len(prefix) - characters :]
        at = found
    if at + 1 >= len(prefix):
        return prefix[len(prefix) - characters :]
    return prefix[at + 1 :]


def cut_tail(suffix: str, characters: int = SUFFIX_CHARACTERS) -> str:
    """The beginning of `suffix`, whole lines, at most `characters` long."""
    if len(suffix) <= characters:
        return suffix
    newline = suffix.rfind("\n", 0, characters)
    return suffix[: newline + 1] if newline > 0 else suffix[:characters]
