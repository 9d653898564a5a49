"""Whether a suggestion is likely enough to be shown."""

from __future__ import annotations

import math

from graft_models.engine import Engine
from graft_server.completion.model import Verdict

THRESHOLD = 0.35
"""Mean probability per token below which nothing is shown, unless the settings say another."""
SMALL_MODEL = 200_000_000
SMALL_THRESHOLD = 0.7
"""The same for models with fewer parameters than `SMALL_MODEL`: they are sure of too much."""


def default_threshold(engine: Engine | None) -> float:
    """The model's own threshold, by its size."""
    model = engine.status.model if engine is not None else None
    return SMALL_THRESHOLD if model is not None and 0 < model.parameters < SMALL_MODEL else THRESHOLD


def confident(score: float, least: float) -> Verdict:
    """The verdict on a mean log-probability `score` (natural logarithm) against a mean probability `least`."""
    sure = math.exp(score)
    return Verdict("confidence", sure >= least, "" if sure >= least else f"{sure:.2f} per token, {least:.2f} wanted")
