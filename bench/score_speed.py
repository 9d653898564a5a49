"""What ten short texts cost to score in a warm hole, beside one.

    python bench/score_speed.py [MODEL.gguf]

Prints milliseconds of processor time (one thread) for one text and for ten, median of 7, and their ratio.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from graft_models.catalog import embedded_model
from graft_models.engine import Allow, DoneReason, Need, ScoreRequest, Stop, Token
from graft_models.llama.jobs import Windows, score
from graft_models.llama.model import Model
from graft_models.prompt import Hole

WORDS = ("one", "two", "red", "big", "old", "new", "low", "far", "wet", "dry")
TEXTS = tuple(f"value_{word} = self.{word}_name(item)" for word in WORDS)


class Undisturbed:
    """A control that never interrupts."""

    def interrupted(self) -> DoneReason | None:
        return None

    def stopped(self) -> Stop | None:
        return None

    def ask(self, need: Need) -> Allow | Stop | None:
        return None

    def send(self, event: Token) -> None:
        pass


def main() -> None:
    """Score one and ten texts, in turn."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else embedded_model()
    if path is None:
        sys.exit("no embedded model in this build; name a GGUF file")
    model = Model(path, threads=1)
    hole = Hole(
        "a.py", "import os\n\n\nclass A:\n    def f(self):\n" * 20, "\n    def g(self):\n        pass\n", "        "
    )
    spent: dict[int, list[float]] = {1: [], 10: []}
    tokens = 0
    for _ in range(8):
        for count in (1, 10):
            work = score(model, Windows(), ScoreRequest(0, hole, TEXTS[:count]), Undisturbed())
            began = time.process_time()
            try:
                while True:
                    next(work)
            except StopIteration as stop:
                tokens = stop.value.counts[0]
            spent[count].append((time.process_time() - began) * 1000)
    one, ten = (statistics.median(spent[n][1:]) for n in (1, 10))
    print(f"{tokens} tokens each: one {one:.1f} ms, ten {ten:.1f} ms, ratio {ten / one:.2f}")


if __name__ == "__main__":
    main()
