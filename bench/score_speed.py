"""What ten short texts cost to score in a warm hole, beside one.

    python bench/score_speed.py [MODEL.gguf]

Two sets of ten: statements that differ from their first word on (nothing can be shared), and variants of one statement
that differ in one name each (what repair and hints ask).  Prints milliseconds of processor time (one thread) for one
text and for ten, median of 7, their ratio, and the ratio of rows evaluated.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from graft_models.catalog import embedded_model
from graft_models.engine import Allow, DoneReason, Need, ScoreRequest, Stop, Token
from graft_models.llama.jobs import Windows, score, shared_rows
from graft_models.llama.model import Model
from graft_models.prompt import Hole

UNLIKE = (
    "self.value = item(key).get(name, other)",
    "return sum(a, b) if a and b else None",
    "print(name, end, sep, file, flush)",
    "raise TypeError(text) from error.cause(x)",
    "if not key: pass\n        x = y = z",
    "for x in data: yield x, y, z",
    "data = open(path).read().split(sep)[0]",
    "yield from iter(rows), list(items)",
    "del cache[key], other[name], third[x]",
    "with lock: value = call(a, b, c)",
)
NAMES = ("name", "value", "key", "item", "data", "path", "text", "line", "index", "result")
VARIANTS = tuple(
    f"self.{NAMES[i] if i < 5 else 'cache'}[{NAMES[i] if 5 <= i < 7 else 'key'}] = {NAMES[i] if i >= 7 else 'value'}(x)"
    for i in range(10)
)


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


def spent(model: Model, hole: Hole, texts: tuple[str, ...]) -> float:
    """Milliseconds of processor time to score `texts`."""
    work = score(model, Windows(), ScoreRequest(0, hole, texts), Undisturbed())
    began = time.process_time()
    for _ in work:
        pass
    return (time.process_time() - began) * 1000


def main() -> None:
    """Score one and ten texts, in turn."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else embedded_model()
    if path is None:
        sys.exit("no embedded model in this build; name a GGUF file")
    model = Model(path, threads=1)
    hole = Hole(
        "a.py", "import os\n\n\nclass A:\n    def f(self):\n" * 20, "\n    def g(self):\n        pass\n", "        "
    )
    for name, texts in (("unlike", UNLIKE), ("variants", VARIANTS)):
        # All cut to the same number of tokens, so that one is as long as any other.
        tokens = [list(model.tokenize("        " + t)) for t in texts]
        length = min(8, *(len(t) for t in tokens))
        cut = tuple(b"".join(model.pieces[i] for i in t[:length]).decode().removeprefix("        ") for t in tokens)
        rows = [len(shared_rows([model.tokenize("        " + t) for t in some])) for some in (cut[:1], cut)]
        measured = [(spent(model, hole, cut[:1]), spent(model, hole, cut)) for _ in range(8)][1:]
        one, ten = (statistics.median(column) for column in zip(*measured, strict=True))
        print(
            f"{name}: {length} tokens each, one {one:.1f} ms, ten {ten:.1f} ms, ratio {ten / one:.2f}; "
            f"rows {rows[0]} and {rows[1]}, ratio {rows[1] / rows[0]:.2f}"
        )


if __name__ == "__main__":
    main()
