"""Changes that a model writes, and its surprise: what is asked, what is kept, what is done without it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from graft_models.engine import Capabilities, Request, ScoreRequest, Scores, ScriptedAnswer
from graft_models.scripted import ScriptedEngine
from graft_server.repair.infill import cuts, infill
from graft_server.repair.localisation import Place
from graft_server.repair.outcome import ignore_progress
from graft_server.repair.proposals import Proposal
from graft_server.repair.surprise import with_surprise

TEXT = "def f(a, b):\r\n    if a < b:\r\n        return g(a)\r\n    return b\r\n"
PLACES = [Place("m.py", 2, 0.7), Place("m.py", 1, 0.3)]


class Writer(ScriptedEngine):
    """Answers by what was typed; scores lines by a table."""

    def __init__(self, answers: dict[str, str], surprise: str = "", *, able: bool = True) -> None:
        self.asked: list[Request] = []
        self.surprise = surprise
        self.able = able

        def answer(request: Request) -> ScriptedAnswer:
            self.asked.append(request)
            return ScriptedAnswer(answers.get(request.hole.typed.strip(), "pass"))

        super().__init__(answer)

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, score=self.able, infill=self.able)

    async def score(self, request: ScoreRequest) -> Scores:
        values = tuple(-20.0 if self.surprise in text else -1.0 for text in request.texts)
        return Scores(values, tuple(5 for _ in request.texts))


def written(engine: Writer, budget: float = 20.0) -> list[Proposal]:
    async def go() -> list[Proposal]:
        await engine.start()
        return await infill(engine, {"m.py": TEXT}, PLACES, ignore_progress, budget=budget)

    return asyncio.run(go())


def test_cuts_of_a_line() -> None:
    line = "    if x == f(a, b):\n"
    assert [line[:at] for at in cuts(line)] == ["    ", "    if ", "    if x == f(", "    if x == f(a, "]
    assert [("x = y\n")[:at] for at in cuts("x = y\n")] == ["", "x = "]


def test_texts_become_changes_with_the_file_s_line_ends() -> None:
    engine = Writer({"return g(": "a, b)", "return": "h(a)", "if": "a <= b:"})
    texts = {p.text for p in written(engine)}
    assert TEXT.replace("g(a)", "g(a, b)") in texts
    assert TEXT.replace("g(a)", "h(a)") in texts
    assert TEXT.replace("a < b", "a <= b") in texts
    assert TEXT not in texts
    assert all("\n" not in text.replace("\r\n", "") for text in texts)
    assert engine.asked[0].hole.suffix == "    return b\n"


def test_what_does_not_parse_is_left_out() -> None:
    found = written(Writer({"return g(": "a, b", "return": "(", "if": ")", "": ")("}))
    assert {p.operators for p in found} <= {("infill",)}
    assert all("g(a, b\r" not in p.text for p in found)


def test_nothing_without_a_model_that_can_or_without_time() -> None:
    assert written(Writer({}, able=False)) == []
    assert written(Writer({}), budget=0.0) == []


def test_an_odd_line_gains_suspicion_and_the_sum_stays() -> None:
    engine = Writer({}, surprise="if a < b")
    places = asyncio.run(with_surprise(engine, {"m.py": TEXT}, PLACES, ignore_progress, budget=5.0))
    gained = next(p for p in places if p.line == 1)
    assert gained.weight > 0.3
    assert abs(sum(p.weight for p in places) - 1.0) < 1e-9
    unable = Writer({}, able=False)
    assert asyncio.run(with_surprise(unable, {"m.py": TEXT}, PLACES, ignore_progress, budget=5.0)) == PLACES
