"""A count model of the code at hand: what followed the last time the same tokens stood here?

A nested cache n-gram (Hellendoorn and Devanbu, FSE 2017): the open file counts most, its neighbours less, and longer
matches more than shorter ones by Witten-Bell smoothing.  No table of n-grams is kept: positions of every token pair
are, and matches are extended backwards when asked, so that contexts are as long as they need to be.  It needs no model,
learns a file in milliseconds, and is strong where a repository repeats itself.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

LONGEST_MATCH = 16
POSITIONS = 48
"""The latest places of a token pair that are looked at, per file."""
OWN_FILE = 2.0
"""How much a place in the open file counts beside one in a neighbour."""
FILES = 64

_TOKEN = re.compile(r"\n[ \t]*|[ \t]+|\w+|\"[^\"\\\n]*\"|'[^'\\\n]*'|[^\w\s]")


def tokens(text: str) -> list[str]:
    """Words, strings, single signs, blanks, and line breaks with the indentation after them; all of `text`."""
    return _TOKEN.findall(text.replace("\r\n", "\n"))


@dataclass(frozen=True, slots=True)
class Guess:
    """`text` continues the cursor; `probability` is the model's for all of it, `matched` the shortest match (tokens)
    that a step rested on."""

    text: str
    probability: float
    matched: int

    @property
    def confidence(self) -> float:
        """Probability that the text is right, by `calibrated`."""
        return calibrated(self.probability, self.matched)


@dataclass(slots=True)
class _File:
    words: list[Any]
    pairs: dict[tuple[Any, Any], list[int]] = field(default_factory=lambda: defaultdict(list))

    def places(self, first: Any, second: Any, most: int) -> Sequence[int]:
        return self.pairs.get((first, second), ())[-most:]


class Indexed(Protocol):
    """A file whose pairs of words can be found: what `Counts.put` takes."""

    @property
    def words(self) -> Sequence[Any]:
        """Its words, in order."""

    def places(self, first: Any, second: Any, most: int) -> Sequence[int]:
        """Where something follows the pair, in order; the last `most` places only."""


class Counts:
    """Counts over the files that were learned; the ones learned last are kept."""

    def __init__(self, files: int = FILES) -> None:
        self._files: dict[str, Indexed] = {}
        self._most = files

    def learn(self, path: str, text: str) -> None:
        """Take in a file, in place of what was known of it."""
        self.learn_words(path, ["\n", *tokens(text)])

    def learn_words(self, path: str, words: list[Any]) -> None:
        """The same for a file that is cut already, into whatever can be compared (a model's own tokens, say)."""
        made = _File(words)
        for i in range(2, len(words)):
            made.pairs[words[i - 2], words[i - 1]].append(i)
        self.put(path, made)

    def put(self, path: str, made: Indexed) -> None:
        """The same for a file that is indexed already, and may be shared by several counts."""
        self._files.pop(path, None)
        self._files[path] = made
        while len(self._files) > self._most:
            del self._files[next(iter(self._files))]

    def forget(self, path: str) -> None:
        """Leave a file out from now on."""
        self._files.pop(path, None)

    def next_words(self, path: str, context: list[Any]) -> tuple[dict[Any, float], int]:
        """Probabilities of what may follow `context` (they sum to less than 1), and the longest match in tokens."""
        if len(context) < 2:
            return {}, 0
        by_length: dict[int, dict[Any, float]] = defaultdict(lambda: defaultdict(float))
        longest = 0
        for name, file in self._files.items():
            weight = OWN_FILE if name == path else 1.0
            for position in file.places(context[-2], context[-1], POSITIONS):
                length = _match(file.words, position, context)
                by_length[length][file.words[position]] += weight
                longest = max(longest, length)
        out: dict[Any, float] = {}
        seen: dict[Any, float] = defaultdict(float)
        # From the longest match down, counts of at least that length; each level hands what it is unsure of downwards.
        left = 1.0
        for length in range(longest, 1, -1):
            if length not in by_length:
                continue
            for word, count in by_length[length].items():
                seen[word] += count
            total = sum(seen.values())
            unsure = len(seen) / (total + len(seen)) / math.sqrt(length)
            for word, count in seen.items():
                out[word] = out.get(word, 0.0) + left * (1 - unsure) * count / total
            left *= unsure
        return out, longest

    def line(self, path: str, before: str, longest: int = 40) -> Guess | None:
        """The rest of the cursor's line, or None if nothing like it was seen.  `longest` is in tokens."""
        context = ["\n", *tokens(before[-4000:])]
        partial = context[-1] if context[-1][-1:].isalnum() or context[-1].endswith("_") else ""
        if partial:
            context.pop()
        text, probability, matched = "", 1.0, LONGEST_MATCH
        for _ in range(longest):
            words, length = self.next_words(path, context[-LONGEST_MATCH - 1 :])
            begun = {w: p for w, p in words.items() if w.startswith(partial) and (w != partial or not text)}
            if not begun:
                return None
            word = max(begun, key=lambda w: (begun[w], w))
            chance = begun[word] / (sum(begun.values()) if partial else 1.0)
            if word.startswith("\n"):
                return Guess(text, probability * chance, min(matched, length)) if text else None
            probability *= chance
            matched = min(matched, length)
            text += word[len(partial) :]
            context.append(word)
            partial = ""
        return None


def _match(words: Sequence[Any], position: int, context: list[Any]) -> int:
    """How many tokens before `position` equal the end of `context`."""
    length = 2
    while (
        length < min(LONGEST_MATCH, len(context)) and position - length > 0
        and words[position - length - 1] == context[-length - 1]
    ):  # fmt: skip
        length += 1
    return length


SLOPE, PER_TOKEN, OFFSET = 0.743, 0.094, -1.938
"""Fitted on held-out lines of ten packages of Python's standard library; `bench/fit_counts.py` prints them anew."""


def calibrated(probability: float, matched: int) -> float:
    """The share of guesses with this probability and this shortest match that were right, as a logistic curve."""
    odds = math.log(max(1e-9, probability) / max(1e-9, 1 - min(probability, 1 - 1e-9)))
    return 1 / (1 + math.exp(-(SLOPE * odds + PER_TOKEN * matched + OFFSET)))


def samples(text: str, pick: Callable[[int], bool]) -> Iterator[tuple[str, str]]:
    """Places to try: (everything before, rest of the line) from the first non-blank of lines that `pick` takes."""
    at = 0
    for number, line in enumerate(text.split("\n")):
        start = at + len(line) - len(line.lstrip())
        if line.strip() and pick(number):
            yield text[:start], line.lstrip().rstrip()
        at += len(line) + 1
