"""What is tried next: streams merged by score, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from graft_server.edits import Edit
from graft_server.repair.frontier import Frontier
from graft_server.repair.proposals import Proposal


def change(score: float, text: str) -> Proposal:
    return Proposal("m.py", "x = 1\n", Edit("m.py", 4, 5, text), score, ("literal",), (0,))


def popped(frontier: Frontier) -> list[tuple[float, bool]]:
    out = []
    while (item := frontier.pop()) is not None:
        out.append((item[0].score, item[1]))
    return out


def test_streams_are_merged_by_score() -> None:
    frontier = Frontier()
    frontier.add([change(-1, "2"), change(-4, "3")])
    frontier.add([change(-2, "4"), change(-3, "5")])
    assert frontier
    assert [score for score, _ in popped(frontier)] == [-1, -2, -3, -4]
    assert not frontier


def test_a_text_comes_once_unless_it_is_put_back() -> None:
    frontier = Frontier()
    frontier.add([change(-1, "2")])
    frontier.add([change(-2, "2")])
    assert popped(frontier) == [(-1, False)]
    frontier.add([change(-5, "2")], again=True)
    frontier.add([replace(change(-6, "2"), oddities=1)])
    assert popped(frontier) == [(-5, True), (-6, False)]


def test_only_what_may_be_next_is_made() -> None:
    made: list[int] = []

    def stream() -> Iterator[Proposal]:
        for number in range(100):
            made.append(number)
            yield change(-number, f"{number}")

    frontier = Frontier()
    frontier.add(stream())
    assert [frontier.pop() is not None for _ in range(3)] == [True] * 3
    assert len(made) <= 4
