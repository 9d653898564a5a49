"""Counts mixed into a small model's logits: of the code at hand, and of the corpus the model learned from.

A nested cache n-gram (`graft_models.counts`) over the model's own tokens of the open file, of the context parts and of
the files near it says what followed the same tokens before; a static table (`graft_models.llama.table`), where the
model has one beside it, what followed them in its whole training corpus.  Each has a weight w, and m is all the
probability that it gives to anything: p = (1 - w m) p_model + w p_counts, first for the table, then for the code at
hand.  The weights follow the length of the match, how sure the counts are, and how sure the model is (`Gate`).  A large
model has this knowledge from its prompt and its weights; a small one copies badly and saw little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graft_models.counts import Counts
from graft_models.llama.native import Floats
from graft_models.llama.neighbours import Library, TokenFile
from graft_models.llama.table import Table
from graft_models.prompt import Hole, Neighbour

SMALL = 200_000_000
"""Parameters below which it is done."""
TAIL = 400
"""Characters before the hole whose tokens are context of the first prediction."""
KEPT = 4
MOST_WEIGHT = 0.98


@dataclass(frozen=True, slots=True)
class Gate:
    """The weight of some counts: `MOST_WEIGHT` times a logistic function of what is known before the next token is.

    `python bench/line_bits.py FOLDER` prints both gates as it fits them.
    """

    matched: tuple[float, ...]
    """By length of the match in tokens, from `shortest` on; the last for all longer ones."""
    shortest: int
    longer: float
    """For each factor of e by which a match is longer than those of `matched`."""
    counts: float
    """For the log-odds of the counts' likeliest token."""
    model: float
    """For the log-odds of the model's likeliest token."""

    def weight(self, matched: int, counts: float, model: float) -> float:
        """Weight for a match of so many tokens, where the likeliest tokens have the probabilities given."""
        if matched < self.shortest:
            return 0.0
        last = self.shortest + len(self.matched) - 1
        score = self.matched[min(matched, last) - self.shortest]
        score += self.longer * math.log(max(1.0, matched / last))
        score += self.counts * log_odds(counts) + self.model * log_odds(model)
        return MOST_WEIGHT / (1 + math.exp(-score))


def log_odds(probability: float) -> float:
    """Natural logarithm of p / (1 - p), with p kept between 0.0001 and 0.9999."""
    kept = min(0.9999, max(0.0001, probability))
    return math.log(kept / (1 - kept))


HERE = Gate((-1.51, -1.58, -1.20, -1.38, -1.30, -1.35), 2, 2.10, 0.39, -0.31)
"""The code at hand."""
CORPUS = Gate((-0.66, -1.53, -1.54, -1.57), 2, 0.0, 1.00, -0.79)
"""The table."""


class Tokenizer(Protocol):
    """The part of a model that cuts text."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Tokens of `text`."""


class Mixtures:
    """Counts of the last few holes: a hole lives for many requests."""

    def __init__(self, model: Tokenizer, table: Table | None = None) -> None:
        self._model = model
        # Whole files are cut once; what a model remembers of its cuts is for short texts.
        self.library = Library(getattr(model.tokenize, "__wrapped__", model.tokenize))
        self.table = table
        self._known: dict[tuple[object, ...], Mixture] = {}

    def of(self, hole: Hole) -> Mixture:
        """The counts for a hole; learned once, milliseconds for a file of some hundred lines.  Of its neighbours those
        that are learned by now."""
        key = (hole.path, hole.prefix, hole.suffix, hole.context)
        found = self._known.pop(key, None) or Mixture(self._model, hole, self.table)
        self._known[key] = found
        found.beside(self.library.ready(hole.neighbours))
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return found


class Mixture:
    """What the text around one hole says about the next token."""

    def __init__(self, model: Tokenizer, hole: Hole, table: Table | None = None) -> None:
        self._table = table
        self._path = hole.path
        self._counts = Counts()
        for number, part in enumerate(hole.context):
            self._counts.put(f"{number} {part.path}", TokenFile(model.tokenize(part.text)))
        self._counts.put(f"below {hole.path}", TokenFile(model.tokenize(hole.suffix)))
        self._counts.put(hole.path, TokenFile(model.tokenize(hole.prefix)))
        self._near: dict[str, TokenFile] = {}
        start = max(0, len(hole.prefix) - TAIL)
        self._before = model.tokenize(hole.prefix[hole.prefix.find("\n", start) + 1 if start else 0 :])

    def beside(self, files: Sequence[tuple[Neighbour, TokenFile]]) -> None:
        """Count these files too, instead of those before."""
        now = {f"near {neighbour.path}": made for neighbour, made in files}
        for name in self._near.keys() - now.keys():
            self._counts.forget(name)
        for name, made in now.items():
            if self._near.get(name) is not made:
                self._counts.put(name, made)
        self._near = now

    def apply(self, logits: Floats, since: Sequence[int]) -> Floats:
        """Logits of the mixture; `since` are the tokens from the hole's start on (forced and generated ones)."""
        context = [*self._before, *since][-32:]
        found: dict[Any, float]
        found, matched = self._counts.next_words(self._path, context)
        if not found and self._table is None:
            return logits
        top = float(logits.max())
        total = float(np.exp(logits - top).sum(dtype=np.float64))
        sure = 1 / total
        out = logits.copy()
        if self._table is not None:
            ids, chances, length = self._table.next_tokens(context)
            if length:
                # A token is there once for each length of context that knows it, with all that they give it.
                whole = np.bincount(ids, chances)[ids]
                weight = CORPUS.weight(length, float(whole.max()), sure)
                total = _mix(out, top, total, ids, whole, weight, float(chances.sum()))
        if found:
            tokens = np.fromiter(found.keys(), dtype=np.int64)
            counted = np.fromiter(found.values(), dtype=np.float64)
            weight = HERE.weight(matched, float(counted.max()), sure)
            _mix(out, top, total, tokens, counted, weight, float(counted.sum()))
        return out


def _mix(out: Floats, top: float, total: float, tokens: Any, chances: Any, weight: float, mass: float) -> float:
    """Mix `chances` of some tokens, `mass` in all, into logits in place; a token may be there twice, with the same both
    times.

    `total` is the sum of exp(logit - top), before and (returned) after.  The other tokens keep their logits, so what is
    added is divided by what is left to them.
    """
    share = weight * mass
    added = (weight * total / (1 - share)) * chances
    out[tokens] = top + np.log(np.exp(out[tokens].astype(np.float64) - top) + added)
    return total / (1 - share)
