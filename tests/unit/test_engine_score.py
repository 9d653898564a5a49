"""Texts scored together: the rows they share are evaluated once, and each score is what the text gets alone."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graft_models.engine import Allow, DoneReason, Need, Request, ScoreRequest, Scores, Stop, Token
from graft_models.llama.jobs import Windows, complete, score, shared_rows
from graft_models.llama.model import Model
from graft_models.prompt import Hole, HoleOpens, Neighbour
from graft_testing.tiny_gguf import Shape, write

texts = st.lists(st.text(alphabet="ab.(é", max_size=6), min_size=1, max_size=14)


class Alone:
    """A control that nobody answers."""

    def interrupted(self) -> DoneReason | None:
        return None

    def stopped(self) -> Stop | None:
        return None

    def ask(self, need: Need) -> Allow | Stop | None:
        return None

    def send(self, event: Token) -> None:
        pass


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = write(tmp_path_factory.mktemp("model") / "tiny.gguf", shape=Shape(layers=2, context=1024), quantized=True)
    return Model(path, threads=1, batch=16)


HOLE = Hole("a.py", "def f(self):\n    return 1\n" * 5, "x = 1\n", "    ")


def ended(work: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def scored(model: Model, wanted: tuple[str, ...]) -> Scores:
    return ended(score(model, Windows(), ScoreRequest(1, HOLE, wanted), Alone()))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
def test_together_is_as_good_as_alone(model: Model, wanted: list[str]) -> None:
    together = scored(model, tuple(wanted))
    for text, value, count in zip(wanted, together.logprobs, together.counts, strict=True):
        alone = scored(model, (text,))
        assert (alone.logprobs, alone.counts) == ((value,), (count,))


@given(st.lists(st.lists(st.integers(0, 2), max_size=5), max_size=8))
def test_rows_are_the_distinct_beginnings_that_go_on(wanted: list[list[int]]) -> None:
    rows = shared_rows(wanted)
    got = [tuple(wanted[owners[0]][: k + 1]) for k, owners in rows]
    assert sorted(got) == sorted({tuple(t[:n]) for t in wanted for n in range(1, len(t))})
    for k, owners in rows:
        assert owners == [i for i, t in enumerate(wanted) if t[: k + 1] == wanted[owners[0]][: k + 1]]
    assert [k for k, _ in rows] == sorted(k for k, _ in rows)


def test_first_tokens_alone_cost_no_decode(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    scored(model, ("a",))  # The prompt is read.
    decoded: list[object] = []
    native = model.native.decode
    monkeypatch.setattr(model.native, "decode", lambda *args, **more: decoded.append(args) or native(*args, **more))
    wanted = ("abc", "b.(", "", "abé")
    heads = ended(score(model, Windows(), ScoreRequest(1, HOLE, wanted, first_only=True), Alone()))
    assert decoded == [] and heads.counts == (1, 1, 1, 1)
    whole = scored(model, wanted)
    assert decoded and all(a >= b for a, b in zip(heads.logprobs, whole.logprobs, strict=True))


def test_counted_scores_are_those_of_an_answer(model: Model) -> None:
    near = Neighbour("b.py", "counted", "total.end(" * 9)
    hole = Hole("a.py", near.text[:50] + "total.", "", neighbours=(near,))
    assert model.mixtures is not None
    model.mixtures.library.offer(hole.neighbours)
    done = ended(complete(model, Windows(), Request(1, hole, 3), Alone()))
    assert done.counts == (3,)

    def value(hole: Hole, *, counted: bool) -> Scores:
        return ended(score(model, Windows(), ScoreRequest(1, hole, done.texts, counted=counted), Alone()))

    own, known = value(hole, counted=False), value(hole, counted=True)
    assert known.counts == own.counts == done.counts
    assert known.logprobs == pytest.approx(done.logprobs, abs=1e-3)
    alone = value(replace(hole, neighbours=()), counted=True)
    assert known.logprobs[0] > alone.logprobs[0] > own.logprobs[0] + 1


def test_neighbours_stay_where_a_hole_opens_before_a_break(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "form", replace(model.form, hole_opens=HoleOpens.BEFORE_BREAK))
    hole = replace(HOLE, neighbours=(Neighbour("b.py", "digest", "x"),))
    assert model.open_hole(hole) == replace(hole, prefix=hole.prefix[:-1], typed="\n    ")
