"""The anchored hole: opened at the start of a line, kept while the person types on, its context fixed meanwhile.

In a prefix-suffix-middle prompt a typed character would move the end of the prefix, and the whole suffix after it would
be read again.  Anchored, what was typed since is forced as the beginning of the middle, and a key press costs one or
two tokens.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from graft_models.prompt import ContextPart, Hole, anchor
from graft_server.completion.model import Snapshot

MAX_TYPED_LINES = 4
MAX_TYPED = 600
"""Characters; beyond either the hole is opened anew, nearer to the cursor."""
READ_AHEAD_LINES = 3
"""So many line breaks below the hole's start, the next hole begins to be read beside it."""
LEFT = 2
"""Holes per document that are kept after the cursor left them."""
PATIENCE = 2
"""While the next hole is being read, the live one may grow to so many times its size."""
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
    earlier: tuple[ContextPart, ...] = ()
    """Context of the hole before it: what is still wanted of that keeps its place, so it is not read again."""
    earlier_budget: int = 0
    """Its budget, likewise."""
    read: bool = False
    """The engine holds its prompt; set on holes that are read ahead."""


class Holes:
    """One live hole per document, the documents used last only; beside it the next one while it is read ahead, and
    those that the cursor left last: it often comes back, and the engine may still hold them."""

    def __init__(self, size: int = 16) -> None:
        self._live: OrderedDict[str, LiveHole] = OrderedDict()
        self._next: dict[str, LiveHole] = {}
        self._left: dict[str, list[LiveHole]] = {}
        self._size = size

    def at(self, path: str, place: Place) -> tuple[LiveHole, str]:
        """The hole for a cursor and what stands typed in it: the live one if the cursor is still in it."""
        prefix, typed, suffix = anchor(place.before, place.after)
        live = self._live.get(path)
        coming = self._next.get(path)
        if coming is not None and not _within(coming, place, suffix):
            if live is None or not _within(live, place, suffix):
                del self._next[path]
            coming = None
        elif coming is not None and coming.read:
            live = self._live[path] = coming
            del self._next[path]
        if live is not None and _within(live, place, suffix, PATIENCE if coming is not None else 1):
            self._live.move_to_end(path)
            return live, place.before[len(live.prefix) :]
        self._next.pop(path, None)
        back = next((h for h in self._left.get(path, ()) if _within(h, place, suffix)), None)
        left = [h for h in (live, *self._left.get(path, ())) if h is not None and h is not back]
        self._left[path] = left[:LEFT]
        if back is not None:
            live, typed = back, place.before[len(back.prefix) :]
        elif live is None:
            live = LiveHole(prefix, suffix)
        else:
            live = LiveHole(prefix, suffix, earlier=live.context, earlier_budget=live.budget)
        self._live[path] = live
        self._live.move_to_end(path)
        while len(self._live) > self._size:
            self._drop(self._live.popitem(last=False)[0])
        return live, typed

    def ahead(self, path: str, place: Place) -> LiveHole | None:
        """The hole that should be read now, beside the live one: opened at the cursor's line, once that lies far below
        the live one's start.  None if there is no need, or one is being read already."""
        live = self._live.get(path)
        prefix, _, suffix = anchor(place.before, place.after)
        if live is None or not _within(live, place, suffix, PATIENCE):
            return None
        if place.before.count("\n", len(live.prefix)) < READ_AHEAD_LINES:
            return None
        known = self._next.get(path)
        if known is not None and _within(known, place, suffix):
            return None
        coming = LiveHole(prefix, suffix, earlier=live.context, budget=live.budget)
        self._next[path] = coming
        return coming

    def holds(self, path: str, place: Place) -> bool:
        """Whether the live hole of a document would still be used at `place`."""
        live = self._live.get(path)
        return live is not None and _within(live, place, anchor(place.before, place.after)[2])

    def forget(self, path: str) -> None:
        """The document was closed, or its context is out of date."""
        self._live.pop(path, None)
        self._drop(path)

    def _drop(self, path: str) -> None:
        self._next.pop(path, None)
        self._left.pop(path, None)


def _within(live: LiveHole, place: Place, suffix: str, times: int = 1) -> bool:
    if live.suffix != suffix or not place.before.startswith(live.prefix):
        return False
    middle = place.before[len(live.prefix) :]
    return middle.count("\n") < MAX_TYPED_LINES * times and len(middle) <= MAX_TYPED * times


def in_place(earlier: Sequence[ContextPart], found: Sequence[ContextPart]) -> tuple[ContextPart, ...]:
    """`found` in an order that repeats `earlier` as far as it goes; what is new stands last.

    The context stands first in a prompt: a part that moves makes everything after it be read again.
    """
    kept = [part for part in earlier if part in found]
    return (*kept, *(part for part in found if part not in kept))


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
