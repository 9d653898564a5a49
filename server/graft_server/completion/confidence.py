"""Whether a suggestion is likely enough to be shown.

For the model that it was fitted to, a logistic model over what is known of a suggestion: the model's probabilities, its
length, where the cursor stands, what the graph said.  Another one does the same for what the graph guesses without a
model.  The coefficients are data with their provenance (`show_filter.json`, made by `bench/fit_show_filter.py` from
replayed typing).  Other models are calibrated differently: for them the mean probability per token is held against a
threshold.  Of a text that is not likely enough as a whole, the longest beginning that is is shown.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from graft_models.engine import Engine
from graft_server.completion.anchor import Place
from graft_server.completion.flight import Raw
from graft_server.completion.graphonly import FEATURES as GUESS_FEATURES
from graft_server.completion.graphonly import Guess
from graft_server.completion.model import Verdict
from graft_server.completion.screen import Screened
from graft_server.completion.shortening import Marks, beginnings, marks_in

THRESHOLD = 0.35
"""Mean probability per token below which nothing is shown, unless the settings say another."""
SMALL_MODEL = 200_000_000
SMALL_THRESHOLD = 0.7
"""The same for models with fewer parameters than `SMALL_MODEL`: they are sure of too much."""
DOUBTFUL = 0.2
"""No beginning with a less likely token is likely enough by the filter, so none is looked at."""
_NAME = re.compile(r"[A-Za-z_]\w*")
_SEEN_CHARACTERS = 8000

FEATURES = (
    *("probability_mean", "probability_least", "probability_first"),
    *("length", "typed", "line_start", "in_word", "after_dot", "in_call", "whole_line", "lines", "cut"),
    *("names", "names_seen", "names_known", "names_unknown", "line_seen", "closers"),
)
"""In the order of `features`; lengths as logarithms, the others as probabilities, counts, shares or 0 and 1.
Logarithms of the probabilities in their place lose a fifth of the log-loss on packages that were not fitted."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A text that could be shown, with its features and the mean log-probability (natural logarithm) of its tokens."""

    text: str
    features: tuple[float, ...]
    score: float


def variants(raw: Raw, skip: int, screened: Screened, place: Place, doubtful: float = DOUBTFUL) -> Iterator[Variant]:
    """`screened.text`, which the gates left of `raw.text[skip:]`, then what it may be cut down to, longest first; none
    has a token less likely than `doubtful` but the whole.  Nothing of an empty text."""
    if not screened.text:
        return
    marks = marks_in([(at - skip, lp) for at, lp in raw.marks], raw.text[skip:], screened.text)
    # Of the token that the cursor is in, or of a server that says no more than a mean.
    begun = next((lp for at, lp in reversed(raw.marks) if at <= skip), raw.score())
    around = _around(place)
    yield _variant(screened.text, marks, begun, raw, skip, screened, around)
    least = math.log(doubtful)
    last = next((at for at, lp in marks if lp < least), max((at for at, _ in marks), default=0))
    ends = [at for at, _ in marks] + [found.start() for found in re.finditer("\n", screened.text)]
    for text in beginnings([end for end in ends if end <= last], screened.text):
        yield _variant(text, marks, begun, raw, skip, screened, around)


def _variant(
    text: str, marks: Marks, begun: float, raw: Raw, skip: int, screened: Screened, around: _Around
) -> Variant:
    kept = [lp for at, lp in marks if at < len(text)] or [begun]
    return Variant(text, features(kept, raw, skip, text, screened, around), sum(kept) / len(kept))


@dataclass(frozen=True, slots=True)
class _Around:
    """What all texts at one place have in common."""

    place: Place
    above: frozenset[str]
    """Names in the lines above, and `beside`: in the cursor's line before it."""
    beside: frozenset[str]
    lines: str
    """The lines above without indentation."""


def _around(place: Place) -> _Around:
    above = place.before[: len(place.before) - len(place.line)][-_SEEN_CHARACTERS:]
    return _Around(place, _names(above), frozenset(_NAME.findall(place.line)), _stripped(above))


# While a line is typed, what stands above it is the same with every key; half a millisecond for both.
@lru_cache(maxsize=4)
def _names(text: str) -> frozenset[str]:
    return frozenset(_NAME.findall(text))


@lru_cache(maxsize=4)
def _stripped(text: str) -> str:
    return re.sub(r"\n[ \t]+", "\n", text)


def features(
    kept: Sequence[float], raw: Raw, skip: int, text: str, screened: Screened, around: _Around
) -> tuple[float, ...]:
    """What is known of `text` (not empty), all of `screened.text` or less; `kept` are its tokens' log-probabilities."""
    place = around.place
    names = [found.group() for found in _NAME.finditer(text)]
    line = place.line.strip()
    first = (place.line + text).partition("\n")[0].strip()
    decided = max(1, screened.known + screened.unknown)
    return (
        math.exp(sum(kept) / len(kept)),
        math.exp(min(kept)),
        math.exp(kept[0]),
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
        sum(n in around.above or n in around.beside for n in names) / len(names) if names else 1.0,
        screened.known / decided,
        screened.unknown / decided,
        float(f"\n{first}\n" in around.lines),
        float(bool(place.rest.strip())),
    )


@dataclass(frozen=True, slots=True)
class ShowFilter:
    """A logistic model; shown is what has at least `threshold` as its probability to be right."""

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


@dataclass(frozen=True, slots=True)
class Filters:
    """One for the text of the model named `model`, one for the graph's guesses, which needs no model."""

    model: str
    for_model: ShowFilter
    for_graph: ShowFilter


@lru_cache(maxsize=1)
def fitted() -> Filters | None:
    """The filters that come with Graft, None if their data is missing or made for other features."""
    file = Path(__file__).with_name("show_filter.json")
    return read(json.loads(file.read_text("utf-8"))) if file.is_file() else None


def read(data: Mapping[str, Any]) -> Filters | None:
    """Filters from the contents of `show_filter.json`; None if they were made for other features than there are now."""
    made = []
    for part, names in (("model_text", FEATURES), ("graph_guess", GUESS_FEATURES)):
        values = data[part]
        if tuple(values["features"]) != names:
            return None
        mean, scale, weights = (tuple(map(float, values[key])) for key in ("mean", "scale", "weights"))
        made.append(ShowFilter(mean, scale, weights, float(values["bias"]), float(values["threshold"])))
    return Filters(data["model"], made[0], made[1])


def filter_for(engine: Engine | None) -> ShowFilter | None:
    """The filter for a model's text, if it was fitted to the engine's model."""
    made = fitted()
    model = engine.status.model if engine is not None else None
    return made.for_model if made is not None and model is not None and model.name == made.model else None


def default_threshold(engine: Engine | None) -> float:
    """The model's own threshold, by its size."""
    model = engine.status.model if engine is not None else None
    return SMALL_THRESHOLD if model is not None and 0 < model.parameters < SMALL_MODEL else THRESHOLD


@dataclass(frozen=True, slots=True)
class Confidence:
    """The verdict on a suggestion, and the probability that it is right (0: not known, no filter fits the model)."""

    verdict: Verdict
    likely: float = 0.0


@dataclass(frozen=True, slots=True)
class Chosen(Confidence):
    """The same of a model's text, and what it is about: what is sure enough of it, or else the whole."""

    variant: Variant = Variant("", (), 0.0)


Fits = Callable[[str], bool]
"""Whether a beginning may be shown at all; asked only of what is likely enough."""


def first_likely(made: ShowFilter, candidates: Iterable[Variant], fits: Fits) -> tuple[Variant | None, float]:
    """The first that is likely enough, and its probability; None and the first one's where none is."""
    first = 0.0
    for number, variant in enumerate(candidates):
        likely = made.probability(variant.features)
        if likely >= made.threshold and (not number or fits(variant.text)):
            return variant, likely
        first = first if number else likely
    return None, first


def first_sure(least: float, candidates: Iterable[Variant], fits: Fits) -> Variant | None:
    """Without a filter: the whole if its tokens have `least` as their mean probability, or else the longest beginning
    of which each token has."""
    at = FEATURES.index("probability_least")
    for number, variant in enumerate(candidates):
        if not number and math.exp(variant.score) >= least:
            return variant
        if number and variant.features[at] >= least and fits(variant.text):
            return variant
    return None


def of_model(engine: Engine | None, setting: float, candidates: Iterator[Variant], fits: Fits) -> Chosen:
    """Of a model's text, whole and cut down (`candidates`, at least one, looked at as far as needed); `setting` is the
    user's own threshold (0: none)."""
    made = filter_for(engine)
    whole = next(candidates)
    candidates = itertools.chain([whole], candidates)
    if made is not None and not setting:
        found, likely = first_likely(made, candidates, fits)
        wanted = f"{likely:.2f} likely, {made.threshold:.2f} wanted"
    else:
        least = setting or default_threshold(engine)
        found = first_sure(least, candidates, fits)
        likely = made.probability((found or whole).features) if made is not None else 0.0
        wanted = f"{math.exp(whole.score):.2f} per token, {least:.2f} wanted"
    if found is None:
        return Chosen(Verdict("confidence", False, wanted), likely, whole)
    less = len(whole.text) - len(found.text)
    said = f"{less} characters left out that are not sure enough" if less else ""
    return Chosen(Verdict("confidence", True, said), likely, found)


def of_guess(guess: Guess) -> Confidence:
    """Of what the graph says without a model."""
    made = fitted()
    if made is None:
        return Confidence(Verdict("confidence", guess.sure, "" if guess.sure else "more than one name fits"))
    likely = made.for_graph.probability(guess.features)
    good = likely >= made.for_graph.threshold
    said = "" if good else f"{likely:.2f} likely, {made.for_graph.threshold:.2f} wanted"
    return Confidence(Verdict("confidence", good, said), likely)
