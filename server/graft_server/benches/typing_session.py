"""A replayed typing session: the states of a text after every key, made from a real file.

A function of the file is taken out and typed again, character by character: brackets and quotes close by themselves and
are typed over, Enter indents, a wrong letter is typed and deleted now and then, the cursor moves back inside a line and
forth again, a suggestion is accepted here and there or dismissed and asked for once more, and in the middle comes a
visit to another file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
MISTAKE_EVERY = 61
ACCEPT_EVERY = 6
REJECT_EVERY = 5
MOVE_EVERY = 9
"""Characters, and lines; shorter functions have everything at least once."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The text of `path` around the cursor after one key; `key` names the kind of key."""

    path: str
    before: str
    after: str
    key: str


def longest_typed(text: str, lines: int = 40) -> tuple[int, int]:
    """Character range of the body of the function whose length comes closest to `lines`.  Raises ValueError."""
    found: list[tuple[int, int, int]] = []
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
            first = node.body[0].lineno
            found.append((abs(node.end_lineno - first + 1 - lines), starts[first - 1], starts[node.end_lineno]))
    if not found:
        raise ValueError("the file has no function")
    _, start, end = min(found)
    return start, end


def session(path: str, text: str, other_path: str, other: str, lines: int = 40) -> Iterator[Moment]:
    """All moments, in order.  `text` has LF line ends."""
    start, end = longest_typed(text, lines)
    typist = _Typist(path, text[:start], text[end:])
    body = text[start:end].rstrip("\n").split("\n")
    typist.before += body[0][: len(body[0]) - len(body[0].lstrip())]
    for number, line in enumerate(body):
        if number:
            yield from typist.enter(line)
        if number == len(body) // 2:
            yield from _visit(other_path, other)
            yield typist.moment("back")
        yield from typist.line(line, accept=_due(number, ACCEPT_EVERY, len(body)))
        if _due(number, REJECT_EVERY, len(body)):
            yield typist.moment("reject")
        if _due(number, MOVE_EVERY, len(body)):
            yield from typist.move(5)


def _due(number: int, every: int, lines: int) -> bool:
    every = max(1, min(every, lines // 2))
    return number % every == every - 1


def _visit(path: str, text: str) -> Iterator[Moment]:
    """A few words in another file, at a line in its middle."""
    middle = text.find("\n", len(text) // 2) + 1
    typist = _Typist(path, text[:middle], "\n" + text[middle:])
    yield typist.moment("jump")
    yield from typist.line("result = [item for item in values]", accept=False)


class _Typist:
    """Text around a cursor, and what an editor does with keys."""

    def __init__(self, path: str, before: str, after: str) -> None:
        self.path = path
        self.before = before
        self.after = "\n" + after if not after.startswith("\n") else after
        self.closers = ""
        self.typed = 0

    def moment(self, key: str) -> Moment:
        return Moment(self.path, self.before, self.closers + self.after, key)

    def enter(self, following: str) -> Iterator[Moment]:
        """A new line with the indentation of the one before (more after a colon); backspaces where it is too much."""
        self.before += self.closers
        self.closers = ""
        last = self.before[self.before.rfind("\n") + 1 :]
        indent = len(last) - len(last.lstrip()) + (4 if last.rstrip().endswith(":") else 0)
        wanted = len(following) - len(following.lstrip()) if following.strip() else 0
        self.before += "\n" + " " * indent
        yield self.moment("enter")
        while indent > wanted:
            step = min(4, indent - wanted)
            indent -= step
            self.before = self.before[:-step]
            yield self.moment("dedent")
        if indent < wanted:
            self.before += " " * (wanted - indent)
            yield self.moment("indent")

    def line(self, line: str, *, accept: bool) -> Iterator[Moment]:
        """The characters of a line; with `accept`, the second half comes in one piece."""
        here = self.before[self.before.rfind("\n") + 1 :]
        text = line[len(here) :] if line.startswith(here) else line.lstrip()
        for at, character in enumerate(text):
            if accept and at > len(text) // 2:
                self.before += text[at:]
                self.closers = ""
                yield self.moment("accept")
                return
            if self.closers.startswith(character):
                self.closers = self.closers[1:]
                self.before += character
                yield self.moment("over")
                continue
            self.before += character
            if character in PAIRS:
                self.closers = PAIRS[character] + self.closers
            yield self.moment("type")
            self.typed += 1
            if self.typed % MISTAKE_EVERY == 0:
                self.before += "q"
                yield self.moment("mistake")
                self.before = self.before[:-1]
                yield self.moment("delete")
        # What was closed but not typed over stays only if the line has it.
        self.closers = ""

    def move(self, back: int) -> Iterator[Moment]:
        """A few characters to the left, and to the line's end again."""
        before, after = self.before, self.after
        self.before, self.after = before[:-back], before[-back:] + after
        yield self.moment("left")
        self.before, self.after = before, after
        yield self.moment("right")
