"""What a name constraint costs per token, with 152,000 tokens and 5,000 names.

    python bench/constraint_speed.py

The logits are noise, so that the likeliest tokens are hardly ever allowed: the dear case.  Prints milliseconds of
processor time per token (a fresh place in the name set or one seen before), and what the first token of a name costs
once per set.
"""

from __future__ import annotations

import random
import time

import numpy as np

from graft_models.engine import Request
from graft_models.llama.constraint import Names, ends_name
from graft_models.llama.decoding import Generation, Stream
from graft_models.llama.vocabulary import Vocabulary
from graft_models.prompt import Hole

_TEXT = (
    "get set name value item read er ing re con data list to from is id key path file in out al ed Type Error base load"
)
SYLLABLES = [*_TEXT.split(" "), "a", "e", "i", "s", "t", "x"]


class Vocabularies:
    """The part of a model that a choice needs."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.vocabulary = Vocabulary(pieces)
        self.enders = ends_name(self.vocabulary)
        self.end_ids = np.array([0], dtype=np.int32)


def main() -> None:
    """Make names and tokens of the same syllables, then choose 300 names token by token."""
    chance = random.Random(0)
    pieces = [bytes([i]) for i in range(256)]
    known = set(pieces)
    while len(pieces) < 152_000:
        middle = "".join(chance.choice(SYLLABLES) for _ in range(chance.randint(1, 5)))
        piece = (chance.choice([" ", "", ".", "_", "("]) + middle + chance.choice(["", "", "(", ")", "="])).encode()
        if piece not in known:
            known.add(piece)
            pieces.append(piece)
    model = Vocabularies(pieces)
    words = lambda: "".join(chance.choice(SYLLABLES) for _ in range(chance.randint(1, 3)))  # noqa: E731
    names: set[str] = set()
    while len(names) < 5000:
        names.add("_".join(words() for _ in range(chance.randint(1, 3))))
    made = Names(names, model.vocabulary, model.enders)
    generation = Generation.__new__(Generation)
    generation.model = model  # type: ignore[assignment]
    generation.request = Request(0, Hole("", "", ""))
    noise = np.random.default_rng(0)
    spent: list[float] = []
    for _ in range(300):
        stream = Stream(0, 0, 0, b"", names=made)
        while stream.names is not None:
            logits = noise.standard_normal(len(pieces)).astype(np.float32) * 3
            began = time.process_time()
            token = generation._choose(stream, logits)
            spent.append((time.process_time() - began) * 1000)
            generation._advance_names(stream, pieces[token])
    first, spent = spent[0], sorted(spent)
    print(f"tokens {len(spent)}, p50 {spent[len(spent) // 2]:.2f} ms, p95 {spent[int(len(spent) * 0.95)]:.2f} ms")
    print(f"the first of the set, once: {first:.0f} ms")


if __name__ == "__main__":
    main()
