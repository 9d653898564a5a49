"""Answers remembered with what they were made from, so that an edit voids only those that read what it changed.

The method is that of incremental build systems with verifying traces (Mokhov, Mitchell, Peyton Jones, "Build Systems à
la Carte", 2018, section 4.2.2): while an answer is computed, every `Token` that is read is noted; an answer holds as
long as none of its tokens has changed since.  Tokens stand for a file, one function of it, or a word of the repository.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

MOST_ENTRIES = 60_000
"""Some 50 MB of answers; beyond that those that no longer hold are dropped, and if that is not enough, all."""

PLAIN = "plain"
"""First of a key whose answer is made of text and numbers alone."""

MOST_STRAY_SETS = 1_000
"""Sets of tokens beyond twice the answers that may wait to be forgotten."""


class Token:
    """Something that answers are made from; `changed` is the revision in which it last did."""

    __slots__ = ("changed",)

    def __init__(self) -> None:
        self.changed = 0


class _Entry:
    __slots__ = ("checked", "tokens", "value")

    def __init__(self, value: object, tokens: frozenset[Token], checked: int) -> None:
        self.value = value
        self.tokens = tokens
        self.checked = checked


class _Frame:
    __slots__ = ("at", "low", "tokens")

    def __init__(self, at: int) -> None:
        self.at = at
        self.low = at
        """The highest frame that an answer below this one was cut short at."""
        self.tokens: set[Token] = set()


class CircularError(Exception):
    """The answer depends on itself, or on too long a chain."""


class LateError(Exception):
    """The time that was given for a question is over; what was answered on the way is remembered."""


class Memo:
    """Remembered answers.  Belongs to one thread."""

    def __init__(self, deepest: int = 64) -> None:
        self.revision = 1
        self.deepest = deepest
        self.most_entries = MOST_ENTRIES
        self.made = 0
        """How many answers were computed."""
        self.deadline: float | None = None
        """By `time.perf_counter`: nothing more is made after it."""
        self._entries: dict[Hashable, _Entry] = {}
        self._stack: list[_Frame] = []
        self._depth: dict[Hashable, int] = {}
        self._cut: dict[Hashable, tuple[object, set[Token], _Frame]] = {}
        """Answers that were cut short below a frame: good enough for whatever else is asked while that one is made."""
        self._sets: dict[frozenset[Token], frozenset[Token]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def busy(self) -> bool:
        """Whether an answer is being computed: what it reads must not change under it."""
        return bool(self._stack)

    def note(self, token: Token) -> None:
        """What is being computed was made from this."""
        if self._stack:
            self._stack[-1].tokens.add(token)

    def change(self, *tokens: Token) -> None:
        """These are no longer what they were."""
        self.revision += 1
        for token in tokens:
            token.changed = self.revision

    def hurry(self) -> None:
        """Raises LateError if the deadline is over: for whoever is about to begin a piece of work of milliseconds."""
        if self.deadline is not None and time.perf_counter() > self.deadline:
            raise LateError

    @contextmanager
    def until(self, deadline: float | None) -> Iterator[None]:
        """With this deadline meanwhile; None: with none, for what must be done to its end."""
        before, self.deadline = self.deadline, deadline
        try:
            yield
        finally:
            self.deadline = before

    def clear(self) -> None:
        """Forget all answers."""
        self._entries.clear()
        self._sets.clear()

    def let_go(self) -> None:
        """Forget the answers that may hold on to trees: all but those whose key is a tuple that begins with `PLAIN`."""
        self._entries = {k: e for k, e in self._entries.items() if isinstance(k, tuple) and k[0] is PLAIN}
        self._sets = {e.tokens: e.tokens for e in self._entries.values()}

    def remember(self, key: Hashable, make: Callable[[], T], lasting: Callable[[T], bool] | None = None) -> T:
        """The answer called `key`, made now if there is none that holds.

        Raises LateError if it has to be made and the deadline is over, and CircularError if it is already being made
        further up, or the chain is too long.  An answer that was made while one of those above it was cut short in this
        way is not remembered, unless `lasting(answer)`; it serves only until that one is made.  Without that, names
        that are assigned from each other in one loop are followed along every path through them, which are
        exponentially many.
        """
        entry = self._entries.get(key)
        stack = self._stack
        if entry is not None and (entry.checked == self.revision or self._holds(entry)):
            if stack:
                stack[-1].tokens |= entry.tokens
            return entry.value  # type: ignore[return-value]
        if stack and key in self._cut:
            before, read, head = self._cut[key]
            if head.at < len(stack) and stack[head.at] is head:
                stack[-1].tokens |= read
                stack[-1].low = min(stack[-1].low, head.at)
                return before  # type: ignore[return-value]
        self.hurry()
        depth = len(stack)
        above = self._depth.get(key)
        if above is not None or depth >= self.deepest:
            if stack:
                stack[-1].low = min(stack[-1].low, above or 0)
            raise CircularError
        frame = _Frame(depth)
        stack.append(frame)
        self._depth[key] = depth
        value: Any = None
        done = False
        self.made += 1
        try:
            value = make()
            done = True
        finally:
            stack.pop()
            del self._depth[key]
            if stack:
                outer = stack[-1]
                outer.tokens |= frame.tokens
                if frame.low < depth:
                    outer.low = min(outer.low, frame.low)
            if done and (frame.low >= depth or (lasting is not None and lasting(value))):
                tokens = frozenset(frame.tokens)
                self._entries.pop(key, None)  # the old key may hold on to a whole file
                self._entries[key] = _Entry(value, self._sets.setdefault(tokens, tokens), self.revision)
                if not stack and len(self._entries) > self.most_entries:
                    self._drop()
                elif len(self._sets) > 2 * len(self._entries) + MOST_STRAY_SETS:
                    # Those of entries that were replaced since.
                    self._sets = {e.tokens: e.tokens for e in self._entries.values()}
            elif done:
                self._cut[key] = (value, frame.tokens, stack[frame.low])
            if not stack:
                self._cut.clear()
        return value  # type: ignore[no-any-return]

    def _holds(self, entry: _Entry) -> bool:
        checked = entry.checked
        for token in entry.tokens:
            if token.changed > checked:
                return False
        entry.checked = self.revision
        return True

    def sweep(self) -> None:
        """Drop the answers that no longer hold: their keys may hold on to trees of texts that are gone."""
        self._entries = {k: e for k, e in self._entries.items() if e.checked == self.revision or self._holds(e)}
        self._sets = {e.tokens: e.tokens for e in self._entries.values()}

    def _drop(self) -> None:
        self.sweep()
        if len(self._entries) > self.most_entries // 2:
            self.clear()
