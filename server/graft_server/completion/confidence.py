"""Whether a suggestion is likely enough to be shown.

For the model that it was fitted to, a logistic model over what is known of a suggestion: the model's probabilities, its
length, where the cursor stands, what the graph said.  Its coefficients are data with their provenance
(`show_filter.json`, made by `bench/fit_show_filter.py` from replayed typing).  Other models are calibrated differently:
for them the mean probability per token is held against a threshold.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from graft_models.engine import Engine
from graft_server.completion.anchor import Place
from graft_server.completion.flight import Raw
from graft_server.completion.model import Verdict
from graft_server.completion.screen import Screened

THRESHOLD = 0.35
"""Mean probability per token below which nothing is shown, unless the settings say another."""
SMALL_MODEL = 200_000_000
SMALL_THRESHOLD = 0.7
"""The same for models with fewer parameters than `SMALL_MODEL`: they are sure of too much."""
_NAME = re.compile(r"[A-Za-z_]\w*")
_SEEN_CHARACTERS = 8000

FEATURES = (
    *("log_probability_mean", "log_probability_least", "log_probability_first", "log_probability_sum"),
    *("length", "typed", "line_start", "in_word", "after_dot", "in_call", "whole_line", "lines", "cut"),
    *("names", "names_seen", "names_known", "names_unknown", "line_seen", "closers"),
)
"""In the order of `features`; lengths as logarithms, the others as counts, shares or 0 and 1."""


def features(raw: Raw, skip: int, screened: Screened, place: Place) -> tuple[float, ...]:
    """What is known of a suggestion (`screened.text` is not empty; it begins `skip` characters into `raw`)."""
    text = screened.text
    kept = [lp for at, lp in raw.marks if skip <= at < skip + len(text)] or [raw.score()]
    names = [found.group() for found in _NAME.finditer(text)]
    before = place.before[-_SEEN_CHARACTERS:]
    seen = set(_NAME.findall(before))
    line = place.line.strip()
    first = (place.line + text).partition("\n")[0].strip()
    decided = max(1, screened.known + screened.unknown)
    return (
        sum(kept) / len(kept),
        min(kept),
        kept[0],
        sum(kept),
        math.log1p(len(text)),
        math.log1p(len(line)),
        float(not line),
        float(re.search(r"\w$", place.line) is not None),
        float(line.endswith(".")),
        float(line.endswith(("(", ","))),
        float(raw.stopped and text.rstrip() == raw.text[skip:].rstrip()),
        float(text.count("\n")),
        float(any(v.detail for v in screened.verdicts)),
        math.log1p(len(names)),
        sum(name in seen for name in names) / len(names) if names else 1.0,
        screened.known / decided,
        screened.unknown / decided,
        float(f"\n{first}\n" in re.sub(r"\n[ \t]+", "\n", before)),
        float(bool(place.rest.strip())),
    )


@dataclass(frozen=True, slots=True)
class ShowFilter:
    """Shown is what has at least `threshold` as its probability to be right."""

    model: str
    """Name of the model it was fitted to."""
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float

    def probability(self, values: Sequence[float]) -> float:
        """That a suggestion with these features is right."""
        total = self.bias
        for value, mean, scale, weight in zip(values, self.mean, self.scale, self.weights, strict=True):
            total += weight * (value - mean) / scale
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, total))))


@lru_cache(maxsize=1)
def fitted() -> ShowFilter | None:
    """The filter that comes with Graft, None if its data is missing or made for other features."""
    file = Path(__file__).with_name("show_filter.json")
    if not file.is_file():
        return None
    data = json.loads(file.read_text("utf-8"))
    if tuple(data["features"]) != FEATURES:
        return None
    return ShowFilter(
        data["model"],
        tuple(data["mean"]),
        tuple(data["scale"]),
        tuple(data["weights"]),
        data["bias"],
        data["threshold"],
    )


def filter_for(engine: Engine | None) -> ShowFilter | None:
    """The filter, if it was fitted to the engine's model."""
    made = fitted()
    model = engine.status.model if engine is not None else None
    return made if made is not None and model is not None and model.name == made.model else None


def default_threshold(engine: Engine | None) -> float:
    """The model's own threshold, by its size."""
    model = engine.status.model if engine is not None else None
    return SMALL_THRESHOLD if model is not None and 0 < model.parameters < SMALL_MODEL else THRESHOLD


def confident(
    engine: Engine | None, setting: float, raw: Raw, skip: int, screened: Screened, place: Place, score: float
) -> Verdict:
    """The verdict on a suggestion; `setting` is the user's own threshold (0: none), `score` the mean log-probability
    (natural logarithm)."""
    made = filter_for(engine) if not setting else None
    if made is not None:
        likely = made.probability(features(raw, skip, screened, place))
        good = likely >= made.threshold
        return Verdict("confidence", good, "" if good else f"{likely:.2f} likely, {made.threshold:.2f} wanted")
    least = setting or default_threshold(engine)
    sure = math.exp(score)
    return Verdict("confidence", sure >= least, "" if sure >= least else f"{sure:.2f} per token, {least:.2f} wanted")
