"""Mistakes planted for the second stage of training: the middle undoes them, in the prompt that repair asks with."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_models.prompt import GRAFT
from graft_server.repair.holes import line_hole
from graft_training import edits

TEXT = '''"""Parcels and their prices."""

import math


def area(width, height, é=2):
    if width < 0 or height < 0:
        return None
    total = math.floor(width * height + é)
    return total


class Parcel:
    def price(self, distance, weight):
        base = rate(
            distance,
            weight,
        )
        if not base:
            base += 10
        return base
'''


@given(st.integers(0, 10_000))
def test_the_middle_undoes_the_mistake(seed: int) -> None:
    for edit in edits.plant("shop/a.py", TEXT, random.Random(seed), 3):
        rows = list(edit.rows)
        assert "".join(rows) != TEXT and edit.mistaken != edit.fixed
        assert 1 <= edit.last - edit.first <= edits.MOST_ROWS
        rows[edit.first : edit.last] = [edit.fixed]
        assert "".join(rows) == TEXT


def test_all_kinds_are_planted_and_the_same_again() -> None:
    found = [e for seed in range(60) for e in edits.plant("a.py", TEXT, random.Random(seed), 3)]
    assert {e.kind for e in found} >= {"variable", "argument-swap", "comparison", "boolean", "arithmetic", "literal"}
    assert found == [e for seed in range(60) for e in edits.plant("a.py", TEXT, random.Random(seed), 3)]


@pytest.mark.parametrize("shown", [True, False])
def test_the_prompt_is_that_of_repair(shown: bool) -> None:
    (edit,) = edits.plant("a.py", TEXT, random.Random(5), 1)
    hole = edits.hole_of(edit, shown)
    asked = line_hole("a.py", list(edit.rows), edit.first, edit.last)
    assert (hole.path, hole.prefix, hole.suffix) == (asked.path, asked.prefix, asked.suffix)
    assert [(part.path, part.text) for part in hole.context] == ([("a.py", edit.mistaken)] if shown else [])


def test_long_files_are_cut_around_the_mistake() -> None:
    text = TEXT + "".join(
        f"\n\ndef f{n}(a, b):\n    return a + b * {n} - len(str(a))  # {'x' * 60}\n" for n in range(90)
    )
    for edit in edits.plant("a.py", text, random.Random(1), 20):
        hole = edits.hole_of(edit, False)
        assert len(hole.prefix) <= edits.PREFIX_CHARACTERS and len(hole.suffix) <= edits.SUFFIX_CHARACTERS
        assert f"{hole.prefix}{edit.mistaken}{hole.suffix}" in "".join(edit.rows)


def test_samples_end_with_the_fixed_lines() -> None:
    kinds = set()
    for seed in range(40):
        for kind, sample in edits.samples("a.py", TEXT, random.Random(seed)):
            kinds.add((kind, sum(s.text == GRAFT.file for s in sample)))
            assert sample[-3].text == GRAFT.middle and sample[-1].text == GRAFT.end[0]
            assert sample[-2].text in TEXT
    assert kinds == {("edit", 1), ("edit", 2)}


@pytest.mark.parametrize("text", ["", "x = 1\n", "def f(:\n", "def f():\n    pass\n"])
def test_where_nothing_can_be_planted_nothing_is(text: str) -> None:
    assert list(edits.plant("a.py", text, random.Random(1), 3)) == []
