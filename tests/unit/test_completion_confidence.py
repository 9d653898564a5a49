"""What is likely enough to be shown: the fitted filters, and the threshold for models that they do not fit."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from graft_models.engine import ModelInfo, Status
from graft_models.scripted import ScriptedEngine
from graft_server.completion import confidence, graphonly
from graft_server.completion.anchor import Place
from graft_server.completion.confidence import (
    FEATURES,
    first_likely,
    fitted,
    of_guess,
    of_model,
    read,
    variants,
)
from graft_server.completion.flight import Raw
from graft_server.completion.graphonly import Guess
from graft_server.completion.model import Verdict
from graft_server.completion.screen import Screened

PLACE = Place("import os\n\n\ndef f(path):\n    return os.pa", "\n")
RAW = Raw("th.join(path)", [(0, -0.1), (2, -0.2), (7, -2.0)], stopped=True)
SCREENED = Screened("th.join(path)", "th.join(path)", (), 3, 0)


class Engine(ScriptedEngine):
    """Says it has a certain model."""

    def __init__(self, name: str, parameters: int) -> None:
        super().__init__([""])
        self.info = ModelInfo(name, "", parameters=parameters)

    @property
    def status(self) -> Status:
        return Status("ready", "", self.info)


def known(screened: Screened, skip: int = 0) -> dict[str, float]:
    return dict(zip(FEATURES, next(variants(RAW, skip, screened, PLACE)).features, strict=True))


def test_features_say_what_is_known() -> None:
    found = known(SCREENED)
    assert found["probability_least"] == math.exp(-2.0) and found["probability_first"] == math.exp(-0.1)
    assert found["probability_mean"] == pytest.approx(math.exp(-2.3 / 3))
    assert found["in_word"] == 1.0 and found["line_start"] == 0.0 and found["whole_line"] == 1.0
    assert found["names_known"] == 1.0 and found["names_unknown"] == 0.0
    assert found["names_seen"] == pytest.approx(1 / 3)  # "path", of "th", "join" and "path"


def test_only_tokens_of_the_text_that_is_left_count() -> None:
    cut = replace(SCREENED, text="th.join", verdicts=(Verdict("brackets", True, "cut 6 characters"),))
    found = known(cut)
    assert found["probability_least"] == math.exp(-0.2) and found["whole_line"] == 0.0 and found["cut"] == 1.0
    typed = known(replace(SCREENED, text=".join(path)"), 2)
    assert typed["probability_first"] == math.exp(-0.2)


def test_the_shipped_filters_fit_their_features_and_name_their_source() -> None:
    assert fitted() is not None
    data = json.loads(Path(confidence.__file__).with_name("show_filter.json").read_text())
    assert data["provenance"]["keys"] > 1000 and len(data["provenance"]["packages"]) >= 4
    assert read(data | {"model_text": data["model_text"] | {"features": ["other"]}}) is None


def test_the_model_it_was_fitted_to_is_filtered_and_others_have_a_threshold() -> None:
    made = fitted()
    assert made is not None

    def verdict(engine: ScriptedEngine, setting: float, score: float) -> confidence.Confidence:
        raw = Raw(RAW.text, [(at, score) for at, _ in RAW.marks], stopped=True)
        return of_model(engine, setting, variants(raw, 0, SCREENED, PLACE), bool)

    own = Engine(made.model, 6_800_000)
    assert verdict(own, 0.0, -0.01).likely > verdict(own, 0.0, -3.0).likely > 0.0
    assert verdict(own, 0.0, -0.01).verdict.passed and not verdict(own, 0.0, -3.0).verdict.passed
    # The user's own threshold counts, whatever the filter says.
    assert not verdict(own, 0.99, -0.05).verdict.passed
    big = Engine("other-7b", 7_000_000_000)
    assert verdict(big, 0.0, math.log(0.4)).verdict.passed and verdict(big, 0.0, -0.01).likely == 0.0
    assert verdict(big, 0.0, math.log(0.3)).verdict.detail == "0.30 per token, 0.35 wanted"
    assert not verdict(Engine("other-100m", 100_000_000), 0.0, math.log(0.6)).verdict.passed


@pytest.mark.parametrize("model", ["own", "other"])
def test_what_is_not_sure_enough_as_a_whole_is_shown_as_far_as_it_is(model: str) -> None:
    made = fitted()
    assert made is not None
    engine = Engine(made.model if model == "own" else "other-7b", 6_800_000)

    def shown(*logprobs: float) -> tuple[bool, str]:
        raw = Raw(RAW.text, list(zip((0, 2, 7, 8, 12), logprobs, strict=True)), stopped=True)
        sure = of_model(engine, 0.0, variants(raw, 0, SCREENED, PLACE), lambda text: text != "th.join(path")
        return sure.verdict.passed, sure.variant.text

    assert shown(0.0, 0.0, 0.0, 0.0, 0.0) == (True, "th.join(path)")
    assert shown(0.0, 0.0, 0.0, -6.0, -6.0) == (True, "th.join(")
    # What may not be shown at all is passed over, but as a whole.
    assert shown(0.0, 0.0, 0.0, 0.0, -6.0) == (True, "th.join(")
    assert shown(-6.0, -6.0, -6.0, -6.0, -6.0) == (False, "th.join(path)")


def test_where_none_is_likely_enough_the_likelihood_is_that_of_the_whole() -> None:
    made = fitted()
    assert made is not None
    strict = replace(made.for_model, threshold=1.1)
    candidates = list(variants(RAW, 0, SCREENED, PLACE))
    assert len(candidates) > 1
    assert first_likely(strict, candidates, bool) == (None, strict.probability(candidates[0].features))


def test_tokens_are_found_again_in_what_the_gates_left() -> None:
    raw = Raw(" foo**bar", [(0, -0.1), (4, -3.0), (6, -3.0)], stopped=True)
    found = list(variants(raw, 0, replace(SCREENED, text="foo**bar"), PLACE))
    assert [v.text for v in found] == ["foo**bar", "foo"]
    assert [v.features[1] for v in found] == [math.exp(-3.0), math.exp(-0.1)]
    block = Raw(
        "if a:\n        return foo==bar", [(0, -0.1), (5, -0.1), (14, -0.1), (20, -0.1), (24, -3.0), (26, -3.0)]
    )
    tabs = replace(SCREENED, text="if a:\n\treturn foo==bar")
    found = list(variants(block, 0, tabs, PLACE))
    assert [v.text for v in found] == [tabs.text, "if a:\n\treturn foo", "if a:\n\treturn", "if a:"]
    assert found[0].features[1] == math.exp(-3.0) and found[1].features[1] == math.exp(-0.1)


def test_of_a_token_that_was_begun_its_probability_counts() -> None:
    raw = Raw("compute.x", [(0, -0.1), (7, -4.0)])
    (whole,) = variants(raw, 2, replace(SCREENED, text="mpute"), PLACE)
    assert whole.score == -0.1
    longer = Raw("compute.x", [(0, -0.1), (7, -1.0), (8, -1.5)])
    found = variants(longer, 2, replace(SCREENED, text="mpute.x"), PLACE)
    assert [(v.text, v.score) for v in found] == [("mpute.x", -1.25), ("mpute.", -1.0), ("mpute", -0.1)]


def test_no_beginning_has_a_doubtful_token() -> None:
    raw = Raw(RAW.text, [(0, -0.1), (2, -0.2), (7, -2.0), (8, -0.1)], stopped=True)
    assert [v.text for v in variants(raw, 0, SCREENED, PLACE)] == [RAW.text, "th.join"]


def test_no_more_is_worked_out_than_is_looked_at() -> None:
    looked: list[str] = []

    def counting() -> Iterator[confidence.Variant]:
        for variant in variants(RAW, 0, SCREENED, PLACE):
            looked.append(variant.text)
            yield variant

    assert of_model(Engine("other-7b", 7_000_000_000), 0.0, counting(), bool).verdict.passed
    assert looked == [SCREENED.text]


def guess(**values: float) -> Guess:
    base = dict.fromkeys(graphonly.FEATURES, 0.0) | values
    return Guess("rest", tuple(base[name] for name in graphonly.FEATURES))


def test_a_guess_without_rivals_is_likelier(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = guess(typed=math.log1p(4), rest=math.log1p(4), candidates=math.log1p(1), share=1.0, lead=1.0, closed=1.0)
    among = guess(typed=math.log1p(1), rest=math.log1p(4), candidates=math.log1p(40), share=0.1, lead=0.01)
    assert of_guess(alone).likely > of_guess(among).likely
    assert of_guess(alone).verdict.passed and not of_guess(among).verdict.passed
    monkeypatch.setattr(confidence, "fitted", lambda: None)
    assert of_guess(alone).verdict.passed and not of_guess(among).verdict.passed
