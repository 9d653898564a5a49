"""The counts of the code at hand mixed into a small model's logits.

A nested cache n-gram (`graft_models.counts`) over the model's own tokens of the open file, of the context parts and of
the files near it says what followed the same tokens before.  Its probabilities are added to the model's with a weight
that grows with the length of the match: p = (1 - w m) p_model + w p_counts, where m is all that the counts give to
anything.  A large model has this knowledge from its prompt; a small one copies badly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from graft_models.counts import Counts
from graft_models.llama.native import Floats
from graft_models.llama.neighbours import Library, TokenFile
from graft_models.prompt import Hole, Neighbour

SMALL = 200_000_000
"""Parameters below which it is done."""
WEIGHTS = (0.0, 0.0, 0.2, 0.2, 0.1, 0.1, 0.4, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.9, 0.9, 0.9, 0.9)
"""By length of the match in tokens, the last for all longer ones: what `bench/line_bits.py` fits on every other of its
packages, smoothed by hand where few tokens decide."""
TAIL = 400
"""Characters before the hole whose tokens are context of the first prediction."""
KEPT = 4


class Tokenizer(Protocol):
    """The part of a model that cuts text."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Tokens of `text`."""


class Mixtures:
    """Counts of the last few holes: a hole lives for many requests."""

    def __init__(self, model: Tokenizer) -> None:
        self._model = model
        # Whole files are cut once; what a model remembers of its cuts is for short texts.
        self.library = Library(getattr(model.tokenize, "__wrapped__", model.tokenize))
        self._known: dict[tuple[object, ...], Mixture] = {}

    def of(self, hole: Hole) -> Mixture:
        """The counts for a hole; learned once, milliseconds for a file of some hundred lines.  Of its neighbours those
        that are learned by now."""
        key = (hole.path, hole.prefix, hole.suffix, hole.context)
        found = self._known.pop(key, None) or Mixture(self._model, hole)
        self._known[key] = found
        found.beside(self.library.ready(hole.neighbours))
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return found


class Mixture:
    """What the text around one hole says about the next token."""

    def __init__(self, model: Tokenizer, hole: Hole) -> None:
        self._path = hole.path
        self._counts = Counts()
        for number, part in enumerate(hole.context):
            self._counts.learn_words(f"{number} {part.path}", list(model.tokenize(part.text)))
        self._counts.learn_words(f"below {hole.path}", list(model.tokenize(hole.suffix)))
        self._counts.learn_words(hole.path, list(model.tokenize(hole.prefix)))
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
        found: dict[Any, float]
        found, matched = self._counts.next_words(self._path, [*self._before, *since][-32:])
        weight = WEIGHTS[min(matched, len(WEIGHTS) - 1)]
        if not found or not weight:
            return logits
        out = logits.copy()
        tokens = np.fromiter(found.keys(), dtype=np.int64)
        counted = np.fromiter(found.values(), dtype=np.float64)
        top = float(logits.max())
        total = np.exp(logits - top).sum(dtype=np.float64)
        # The others keep their logits, so what is added to these is divided by what is left to the model.
        added = weight * counted / (1 - weight * counted.sum())
        out[tokens] = top + np.log(np.exp(logits[tokens].astype(np.float64) - top) + added * total)
        return out
