"""Which tokens may come next when the next name is known: against the obvious slow answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graft_models.llama.constraint import Names, ends_name, name_length
from graft_models.llama.vocabulary import Vocabulary

PIECES = [
    b"",
    *(bytes([c]) for c in b"abcd_.( \n"),
    b"ab",
    b"abc",
    b"ab(",
    b"abc.",
    b".a",
    b"bc",
    b"\xc3",
    b"\xa9",
    b"cd)",
]
VOCABULARY = Vocabulary(PIECES)
ENDERS = ends_name(VOCABULARY)
names = st.lists(st.text(alphabet="abcdé_", min_size=1, max_size=5), max_size=6)


def slowly(all_names: list[str], done: bytes, token: bytes) -> bool:
    """A token fits if, after it, the text is the beginning of a name, or a name and then what ends it."""
    text = done + token
    known = [n.encode() for n in all_names]
    if any(n.startswith(text) for n in known):
        return True
    return any(text.startswith(n) and len(text) > len(n) and name_length(text[len(n) :]) == 0 for n in known)


@given(names, st.integers(0, 5))
def test_permits_and_allowed_agree_with_the_definition(all_names: list[str], cut: int) -> None:
    made = Names(all_names, VOCABULARY, ENDERS)
    for done in {b"", *(n.encode()[:cut] for n in all_names)}:
        expected = {i for i, p in enumerate(PIECES) if p and slowly(all_names, done, p)}
        assert {i for i, p in enumerate(PIECES) if p and made.permits(done, p)} == expected
        assert set(made.allowed(done).tolist()) == expected


def test_a_name_is_finished_before_anything_else_follows() -> None:
    made = Names(["abc", "abd"], VOCABULARY, ENDERS)
    assert {PIECES[i] for i in made.allowed(b"")} == {b"a", b"ab", b"abc", b"abc."}
    assert {PIECES[i] for i in made.allowed(b"ab")} == {b"c", b"d"}
    assert {PIECES[i] for i in made.allowed(b"abc")} == {b".", b"(", b" ", b"\n", b".a"}


@given(st.binary(min_size=1, max_size=4))
def test_the_vocabulary_answers_like_a_scan(prefix: bytes) -> None:
    assert set(VOCABULARY.starting_with(prefix).tolist()) == {
        i for i, p in enumerate(PIECES) if p.startswith(prefix) and p
    }
    assert set(VOCABULARY.beginnings_of(prefix)) == {i for i, p in enumerate(PIECES) if p and prefix.startswith(p)}
    assert set(VOCABULARY.consistent_with(prefix).tolist()) == {
        i for i, p in enumerate(PIECES) if p and (p.startswith(prefix) or prefix.startswith(p))
    }
