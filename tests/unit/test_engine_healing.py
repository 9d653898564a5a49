"""Where typed text is cut: what is forced, and what constrains the first generated tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_models.llama.healing import split


@pytest.mark.parametrize(
    ("typed", "forced", "rest"),
    [
        ("", "", ""),
        ("    ", "", "    "),
        ("    return self.na", "    return self", ".na"),
        ("x = foo", "x =", " foo"),
        ("x = foo_ba", "x = foo", "_ba"),
        ("f(a, b", "f(a,", " b"),
        ("f(a, b)", "f(a, b", ")"),
        ("value12", "value", "12"),
        ("a\nb", "a", "\nb"),
    ],
)
def test_the_last_word_is_left_to_the_model(typed: str, forced: str, rest: str) -> None:
    assert split(typed) == (forced, rest)


@given(st.text(alphabet="ab1_. (\n\té\u0301", max_size=30))
def test_nothing_is_lost_and_something_is_left(typed: str) -> None:
    forced, rest = split(typed)
    assert forced + rest == typed
    assert rest or not typed


@given(st.text(alphabet="ab1_. (", min_size=1, max_size=20), st.text(alphabet="ab_.", min_size=1, max_size=5))
def test_typing_on_keeps_what_was_forced(typed: str, more: str) -> None:
    assert split(typed + more)[0].startswith(split(typed)[0])


def test_a_break_is_a_cut_where_the_tokenizer_does_not_merge_it() -> None:
    assert split("f(a):\n    ", merges_break=False) == ("f(a):\n", "    ")
    assert split("f(a):\n    ") == ("f(a", "):\n    ")
