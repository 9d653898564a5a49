"""Order by a model's likelihood, and what is done without one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from graft_models.engine import Capabilities, ScoreRequest, Scores
from graft_models.scripted import ScriptedEngine
from graft_server.repair.frontier import Frontier
from graft_server.repair.holes import changed_hole
from graft_server.repair.localisation import Place
from graft_server.repair.order import by_likelihood
from graft_server.repair.outcome import ignore_progress
from graft_server.repair.proposals import Proposal, proposals

TEXT = "def f(a, b):\n    c = a - b\n    return c\n"
WANTED = TEXT.replace("a - b", "a % b")


class Reader(ScriptedEngine):
    """An engine that finds one text likely; keeps what it was asked."""

    def __init__(self, likely: str, *, score: bool = True) -> None:
        super().__init__([])
        self.likely = likely
        self.asked: list[ScoreRequest] = []
        self.can = score

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, score=self.can)

    async def score(self, request: ScoreRequest) -> Scores:
        self.asked.append(request)
        values = tuple(-1.0 if self.likely in text else -9.0 for text in request.texts)
        return Scores(values, tuple(5 for _ in request.texts))


def order(engine: Reader, budget: float = 5.0) -> list[Proposal]:
    found = proposals({"m.py": TEXT}, [Place("m.py", 1, 1.0)])
    streams = asyncio.run(by_likelihood(engine, {"m.py": TEXT}, found, ignore_progress, budget=budget))
    frontier = Frontier()
    for stream in streams:
        frontier.add(stream)
    out = []
    while (item := frontier.pop()) is not None:
        out.append(item[0])
    return out


def test_likely_changes_come_first() -> None:
    engine = Reader("a % b")
    assert order(engine)[0].text == WANTED
    first = engine.asked[0]
    assert first.texts[0] == "    c = a - b\n"
    assert first.hole.prefix == "def f(a, b):\n"


def test_without_scores_or_time_the_order_stays() -> None:
    plain = [p.edit for p in proposals({"m.py": TEXT}, [Place("m.py", 1, 1.0)])]
    for found in (order(Reader("a % b", score=False)), order(Reader("a % b"), budget=0.0)):
        assert [p.edit for p in found] == [edit for edit in plain if edit in {p.edit for p in found}]
        assert len(found) > 0.9 * len(plain)  # two edits that give one text run once


def test_holes() -> None:
    hole, old, new = changed_hole("m.py", TEXT, WANTED)
    assert (old, new) == ("    c = a - b\n", "    c = a % b\n")
    assert hole.suffix == "    return c\n"
    inserted = TEXT.replace("    return", "    c += 1\n    return")
    _, old, new = changed_hole("m.py", TEXT, inserted)
    assert (old, new) == ("    return c\n", "    c += 1\n    return c\n")
    _, old, new = changed_hole("m.py", "x = 1\r\ny = 2\r\n", "x = 1\r\ny = 3\r\n")
    assert (old, new) == ("y = 2\n", "y = 3\n")
