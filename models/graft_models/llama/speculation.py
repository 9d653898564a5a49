"""Drafts for greedy decoding, verified several tokens in one batch, where that pays.

A draft is what followed the same tokens before: in what was generated last for the document, or in the prompt (prompt
lookup decoding, A. Saxena 2023; the idea of "Inference with Reference", Yang et al., arXiv 2304.04487).  Whether a
batch of drafts is worth its time depends on the model and the machine: both are measured while they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Mode = Literal["auto", "on", "off"]
Tokens = npt.NDArray[np.int32]

DRAFT = 3
"""Tokens per draft: a batch of 4 costs 1.5 to 1.8 times a single token on a 0.5B model, one of 8 already 2.2 to 2.8."""
MATCH = 3
"""So many tokens must agree with the prompt, one fewer with what was generated last."""
TRIALS = 12
"""Drafts after which it is decided whether to go on."""
PAUSE = 200
"""Tokens without drafts after a trial that did not pay."""
MARGIN = 1.05


@dataclass(slots=True)
class Speculation:
    """Whether drafts pay on this model and machine.  Times are milliseconds of one decode."""

    mode: Mode = "auto"
    single_ms: float = 0.0
    batch_ms: float = 0.0
    drafts: int = 0
    """Drafts since the last decision."""
    gained: int = 0
    """Tokens that they saved."""
    pause: int = 0
    drafted_total: int = 0
    accepted_total: int = 0

    def wanted(self) -> bool:
        """Whether to look for a draft now."""
        if self.mode != "auto":
            return self.mode == "on"
        if self.pause > 0:
            self.pause -= 1
            return False
        return True

    def single(self, milliseconds: float) -> None:
        """One token took so long."""
        self.single_ms = _mean(self.single_ms, milliseconds)

    def batch(self, milliseconds: float, drafted: int, accepted: int) -> None:
        """A batch of one token and a draft took so long, and `accepted` tokens of the draft were right."""
        self.batch_ms = _mean(self.batch_ms, milliseconds)
        self.drafted_total += drafted
        self.accepted_total += accepted
        self.drafts += 1
        self.gained += accepted
        if self.drafts >= TRIALS:
            if not self.pays():
                self.pause = PAUSE
            self.drafts = self.gained = 0

    def pays(self) -> bool:
        """Whether a batch brings more tokens than the same time would bring one by one."""
        if not (self.drafts and self.single_ms and self.batch_ms):
            return True
        return 1 + self.gained / self.drafts > MARGIN * self.batch_ms / self.single_ms


def _mean(before: float, now: float) -> float:
    return 0.8 * before + 0.2 * now if before else now


def draft(said: Sequence[int], prompt: Tokens, generated: Sequence[int], most: int) -> list[int]:
    """At most `most` tokens that may follow `generated` (of whose beginning the prompt's end is the context).

    `said` are the tokens that were generated last for the document.
    """
    context = [*prompt[-MATCH:].tolist(), *generated][-MATCH:]
    if most <= 0 or len(context) < MATCH:
        return []
    return _after(np.asarray(said, dtype=np.int32), context[1:], most) or _after(
        np.concatenate([prompt, np.asarray(generated, dtype=np.int32)]), context, most
    )


def _after(tokens: Tokens, context: Sequence[int], most: int) -> list[int]:
    """What followed the last time `context` stood in `tokens`, its own end not counted."""
    size = len(context)
    if len(tokens) <= size or not size:
        return []
    # Positions of the context's last token that have something behind them.
    found = np.flatnonzero(tokens[size - 1 : -1] == context[-1]) + size - 1
    for back, token in enumerate(reversed(context[:-1]), 1):
        found = found[tokens[found - back] == token]
    if not len(found):
        return []
    at = int(found[-1]) + 1
    return [int(t) for t in tokens[at : at + most]]
