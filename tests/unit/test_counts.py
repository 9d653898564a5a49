"""The count model: it repeats what stands there, prefers the open file, and is never surer than it may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graft_models.counts import Counts, calibrated, samples, tokens

ABOVE = "self.first = make_first(name, size)\nself.second = make_second(name, size)\n"


def check(before: str, expected: str | None, **files: str) -> None:
    counts = Counts()
    for path, text in files.items():
        counts.learn(path, text)
    guess = counts.line("own", before)
    assert (guess.text if guess else None) == expected


def test_a_line_like_one_before() -> None:
    check(ABOVE + "self.third = make_first", "(name, size)", own=ABOVE)


def test_the_beginning_of_a_word() -> None:
    check(ABOVE + "self.sec", "ond = make_second(name, size)", own=ABOVE)


def test_the_open_file_counts_more_than_a_neighbour() -> None:
    check("value = compute(", "mine)", own="value = compute(mine)\n", other="value = compute(theirs)\n")
    check("value = compute(", "theirs)", other="value = compute(theirs)\n")


def test_the_longer_match_decides() -> None:
    own = "a = f(x, one)\nb = f(x, two)\nb = f(x, two)\n"
    check("a = f(x, ", "one)", own=own)


def test_nothing_alike_is_no_guess() -> None:
    check("completely = different", None, own=ABOVE)
    check("", None, own=ABOVE)
    check("x", None)


def test_learning_again_replaces_and_forgetting_forgets() -> None:
    counts = Counts(files=2)
    counts.learn("own", "value = compute(old)\n")
    counts.learn("own", "value = compute(new)\n")
    guess = counts.line("own", "value = compute(")
    assert guess is not None and guess.text == "new)"
    counts.forget("own")
    assert counts.line("own", "value = compute(") is None
    for name in "abc":
        counts.learn(name, f"value = compute({name})\n")
    assert counts.next_words("own", ["compute", "("])[0].keys() == {"b", "c"}


words = st.lists(st.sampled_from(["a", "b", "(", ")", " ", "\n", "name"]), max_size=40).map("".join)


@given(words, words)
def test_probabilities_sum_to_less_than_one(text: str, context: str) -> None:
    counts = Counts()
    counts.learn("own", text)
    found, longest = counts.next_words("own", tokens(context))
    assert sum(found.values()) < 1 and all(p > 0 for p in found.values())
    assert bool(found) == (longest > 0)


@given(st.text(alphabet="ab_1. \n\t'\"(é#", max_size=60))
def test_tokens_lose_nothing(text: str) -> None:
    assert "".join(tokens(text)) == text


@given(st.floats(0, 1), st.floats(0, 1), st.integers(2, 16))
def test_confidence_grows_with_probability(a: float, b: float, matched: int) -> None:
    low, high = sorted((a, b))
    assert 0 <= calibrated(low, matched) <= calibrated(high, matched) <= 1


def test_samples_are_lines_from_their_first_sign() -> None:
    assert list(samples("a\n  b = 1 \n\nc", lambda n: n != 0)) == [("a\n  ", "b = 1"), ("a\n  b = 1 \n\n", "c")]
