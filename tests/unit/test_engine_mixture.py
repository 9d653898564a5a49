"""What the counts add to a model's logits: a proper distribution, nothing where nothing was seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_models.llama.mixture import CORPUS, HERE, KEPT, MOST_WEIGHT, Gate, Mixture, Mixtures
from graft_models.prompt import ContextPart, Hole

SIZE = 128


class Letters:
    """One token per character."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(min(ord(c), SIZE - 1) for c in text)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    return weights / weights.sum()


def mixed(prefix: str, since: str, *, suffix: str = "", context: tuple[ContextPart, ...] = ()) -> np.ndarray:
    hole = Hole("a.py", prefix, suffix, "", "", context)
    logits = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    return softmax(Mixture(Letters(), hole).apply(logits, Letters().tokenize(since)))


def alone() -> np.ndarray:
    return softmax(np.random.default_rng(0).standard_normal(SIZE).astype(np.float32))


@pytest.mark.parametrize("where", ["prefix", "suffix", "context"])
def test_what_followed_before_is_likelier(where: str) -> None:
    text = "self.first = make_first(name)\n"
    got = mixed(
        text if where == "prefix" else "x\n",
        "self.first = make_f",
        suffix=text if where == "suffix" else "",
        context=(ContextPart("b.py", text),) if where == "context" else (),
    )
    assert got.argmax() == ord("i") and got[ord("i")] > 0.5
    others = np.arange(SIZE) != ord("i")
    assert np.allclose(got[others] / alone()[others], got[ord("q")] / alone()[ord("q")], rtol=1e-4)


def test_nothing_alike_changes_nothing() -> None:
    assert np.array_equal(mixed("abc\n", "zzzz"), alone())


@given(st.text(alphabet="ab(\n", max_size=60), st.text(alphabet="ab(", max_size=8))
def test_it_stays_a_distribution_and_takes_from_nobody_more_than_its_weight(prefix: str, since: str) -> None:
    got = mixed(prefix, since)
    assert abs(got.sum() - 1) < 1e-6
    assert (got >= alone() * (1 - MOST_WEIGHT) * 0.999).all()


@given(st.integers(0, 40), st.floats(0, 1), st.floats(0, 1), st.sampled_from([HERE, CORPUS]))
def test_weights_are_probabilities(matched: int, counts: float, model: float, gate: Gate) -> None:
    weight = gate.weight(matched, counts, model)
    assert 0 <= weight < MOST_WEIGHT
    assert (weight == 0) == (matched < gate.shortest)


def test_surer_counts_weigh_more_and_a_surer_model_less() -> None:
    for gate in (HERE, CORPUS):
        assert gate.weight(4, 0.9, 0.5) > gate.weight(4, 0.5, 0.5) > gate.weight(4, 0.5, 0.9)
    assert HERE.weight(16, 0.9, 0.5) > HERE.weight(7, 0.9, 0.5)


def test_counts_of_a_hole_are_kept() -> None:
    made = Mixtures(Letters())
    holes = [Hole("a.py", "x" * n, "") for n in range(KEPT + 1)]
    first = made.of(holes[0])
    assert made.of(Hole("a.py", "", "", "typed")) is first
    for hole in holes[1:]:
        made.of(hole)
    assert made.of(holes[0]) is not first
