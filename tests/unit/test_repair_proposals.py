"""Proposals: their order, two edits, and the edits they come down to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_indexer.rewrites import PRIORS, mutations
from graft_server.edits import apply_edits
from graft_server.repair.localisation import Place
from graft_server.repair.proposals import (
    as_edit,
    donor_statements,
    parses,
    proposals,
    same_meaning,
    second_edits,
    shares,
)

TEXT = "def f(a, b):\n    c = a - b\n    return c\n"
PLACES = [Place("m.py", 1, 0.7), Place("m.py", 2, 0.3)]


def test_most_probable_first_and_no_text_twice() -> None:
    found = list(proposals({"m.py": TEXT}, PLACES))
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert len({p.edit for p in found}) == len(found)
    texts = [p.text for p in found]
    assert texts.index(TEXT.replace("a - b", "a + b")) < 100


def test_shares_sum_to_one_per_operator_and_line() -> None:
    found = mutations(TEXT, [1])
    totals: dict[str, float] = {}
    for mutation, part in zip(found, shares(found), strict=True):
        totals[mutation.operator] = totals.get(mutation.operator, 0.0) + part
    assert totals == pytest.approx(dict.fromkeys(totals, 1.0))
    assert set(totals) <= set(PRIORS)


def test_two_edits_reach_what_one_cannot() -> None:
    wanted = "def f(a, b):\n    c = a + b\n    return c + 1\n"
    first = next(p for p in proposals({"m.py": TEXT}, PLACES) if p.text == TEXT.replace("a - b", "a + b"))
    found = list(second_edits(first, TEXT, PLACES, bonus=1.0))
    match = next(p for p in found if p.text == wanted)
    assert match.size == 2
    assert match.score < first.score + 1.0
    assert all(p.text != TEXT for p in found)


def test_second_edits_follow_inserted_lines() -> None:
    first = next(p for p in proposals({"m.py": TEXT}, PLACES) if p.text.count("\n") == TEXT.count("\n") + 1)
    assert any("return c + 1" in p.text for p in second_edits(first, TEXT, PLACES, bonus=0.0))


def test_lines_are_looked_at_when_it_is_their_turn() -> None:
    # The likeliest changes of a large file must not wait for the changes of all its lines.
    text = "def f(a, b):\n" + "".join(f"    c{i} = a - b * {i}\n" for i in range(3_000))
    places = [Place("m.py", line, 2.0 ** -min(line, 60)) for line in range(1, 3_001)]
    stream = proposals({"m.py": text}, places)
    first = [next(stream) for _ in range(20)]
    assert {p.lines[0] for p in first} <= set(range(1, 12))
    assert next(stream).text.count("\n") >= 3_000


def test_donors_are_the_repository_s_own_statements() -> None:
    texts = ["x = 1\nlog.info('ready')\nif x:\n    log.info('ready')\n", "    log.info('ready')\nfoo(\n"]
    assert next(donor_statements(texts)) == "log.info('ready')"
    assert not any("(" in d and not parses(d) for d in donor_statements(texts))


def test_meaning() -> None:
    assert same_meaning("x = (1)\n", "x = 1  # one\n")
    assert not same_meaning("x = 1", "x = 2")
    assert not same_meaning("x = (", "x = (")
    assert not parses("x = (")


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_edit_between_two_texts(old: str, new: str) -> None:
    assert apply_edits(old, [as_edit("a", old, new)]) == new
