"""Texts scored together: the rows they share are evaluated once, and each score is what the text gets alone."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graft_models.engine import Allow, DoneReason, Need, ScoreRequest, Scores, Stop, Token
from graft_models.llama.jobs import Windows, score, shared_rows
from graft_models.llama.model import Model
from graft_models.prompt import Hole
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


def scored(model: Model, wanted: tuple[str, ...]) -> Scores:
    hole = Hole("a.py", "def f(self):\n    return 1\n" * 5, "x = 1\n", "    ")
    work = score(model, Windows(), ScoreRequest(1, hole, wanted), Alone())
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


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
