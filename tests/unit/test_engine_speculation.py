"""Drafts: found where the same tokens stood before, verified in one batch, dropped where they do not pay."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graft_models.llama.speculation import DRAFT, PAUSE, TRIALS, Speculation, draft


def check(said: list[int], prompt: list[int], generated: list[int], expected: list[int], most: int = DRAFT) -> None:
    assert draft(said, np.array(prompt, dtype=np.int32), generated, most) == expected


def test_what_followed_the_same_three_tokens() -> None:
    check([], [1, 2, 3, 4, 5, 6, 9], [1, 2, 3], [4, 5, 6])
    check([], [1, 2, 3, 4, 5, 6, 1, 2], [3], [4, 5, 6])
    check([], [1, 2, 3, 4, 5, 6, 9], [2, 3], [])


def test_the_latest_place_counts() -> None:
    check([], [1, 2, 3, 4, 1, 2, 3, 5, 8], [1, 2, 3], [5, 8, 1])


def test_the_last_answer_goes_first_and_needs_two() -> None:
    check([7, 2, 3, 8, 8], [1, 2, 3, 4], [9, 2, 3], [8, 8])


def test_nothing_to_draft() -> None:
    check([], [], [], [])
    check([], [1, 2, 3], [], [])
    check([0, 0], [], [0, 0], [])
    check([], [1, 2, 3, 4], [1, 2, 3], [], most=0)


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)), st.integers(0, 4))
def test_a_draft_stood_after_its_context(said: list[int], prompt: list[int], generated: list[int], most: int) -> None:
    found = draft(said, np.array(prompt, dtype=np.int32), generated, most)
    assert len(found) <= most
    if found:
        context = [*prompt, *generated]
        places = [(context[-2:], said), (context[-3:], context)]
        assert any(
            whole[i : i + len(near) + len(found)] == [*near, *found]
            for near, whole in places
            for i in range(len(whole))
        )


def test_drafts_pause_where_they_cost_more_than_they_bring() -> None:
    made = Speculation()
    made.single(10.0)
    for _ in range(TRIALS):
        assert made.wanted()
        made.batch(20.0, 3, 0)
    assert [made.wanted() for _ in range(PAUSE + 1)] == [False] * PAUSE + [True]


def test_drafts_go_on_where_they_pay() -> None:
    made = Speculation()
    made.single(10.0)
    for _ in range(3 * TRIALS):
        assert made.wanted()
        made.batch(16.0, 3, 1)
    assert made.accepted_total == 3 * TRIALS
