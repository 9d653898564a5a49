"""Hints of the model: what is asked, which rewrite wins, and what becomes of it."""

import asyncio
from dataclasses import dataclass, field

import pytest

from graft_indexer.facts import Span
from graft_indexer.rewrites import Rewrite, RewriteKind
from graft_models.engine import Capabilities, ScoreRequest, Scores
from graft_server.diagnosis.model_hints import (
    Doubt,
    changed_functions,
    diagnostic,
    doubts,
    questions,
    winner,
)

TEXT = '''"""A module."""


def clamp(value, low, high):
    """Between low and high."""
    if value < low:
        return low
    if value > high:
        return low
    return value


def other(a):
    return a + 1
'''
CLAMP = Span(TEXT.index("def clamp"), TEXT.index("\n\n\ndef other"))


@dataclass
class Judge:
    """An engine that finds one line likely and all others not."""

    favourite: str
    asked: list[ScoreRequest] = field(default_factory=list)
    error: str = ""
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(score=True))

    async def score(self, request: ScoreRequest) -> Scores:
        self.asked.append(request)
        values = tuple(-5.0 if text == self.favourite else -30.0 for text in request.texts)
        return Scores(values, tuple(5 for _ in values), self.error)


def test_questions_stand_in_their_place() -> None:
    asked = list(questions("a.py", TEXT, CLAMP))
    assert [q.line.strip() for q in asked] == [
        "if value < low:", "return low", "if value > high:", "return low", "return value",
    ]  # fmt: skip
    for question in asked:
        assert question.hole.prefix + question.line + question.hole.suffix == TEXT[CLAMP.start : CLAMP.end] + (
            "\n" if question is asked[-1] else ""
        )
        assert question.line not in question.lines
        assert len(question.lines) == len(question.rewrites) == len(set(question.lines))
    assert "        return high\n" in asked[3].lines


def test_the_rewrite_that_wins() -> None:
    engine = Judge("        return high\n")
    found = asyncio.run(doubts(engine, "a.py", TEXT, CLAMP))  # type: ignore[arg-type]
    assert found[0].gain == 25.0
    # Two lines read `return low`, and the model likes `return high` in both places: no one place wins.
    assert winner(found) is None
    engine = Judge("    if value >= high:\n")
    best = winner(asyncio.run(doubts(engine, "a.py", TEXT, CLAMP)))  # type: ignore[arg-type]
    assert best is not None
    shown = diagnostic("a.py", best)
    assert TEXT[shown.span.start : shown.span.end] == ">"
    assert shown.message == "the model expects `>=` here, not `>`"


@pytest.mark.parametrize(("gain", "rival", "wins"), [(20.0, 0.0, True), (19.9, 0.0, False), (28.0, 26.5, False)])
def test_margin_and_lead(gain: float, rival: float, wins: bool) -> None:
    first = Doubt(Rewrite(RewriteKind.VARIABLE, Span(0, 1), "b", "a -> b"), gain)
    same = Doubt(Rewrite(RewriteKind.VARIABLE, Span(0, 1), "c", "a -> c"), gain - 0.1)
    second = Doubt(Rewrite(RewriteKind.LITERAL, Span(5, 6), "1", "0 -> 1"), rival)
    assert (winner([first, same, second]) is first) == wins
    assert winner([]) is None


def test_an_engine_that_cannot_score(tmp_path: object) -> None:
    deaf = Judge("", capabilities=Capabilities(score=False))
    assert asyncio.run(doubts(deaf, "a.py", TEXT, CLAMP)) == []  # type: ignore[arg-type]
    assert deaf.asked == []
    assert asyncio.run(doubts(Judge("", error="gone"), "a.py", TEXT, CLAMP)) == []  # type: ignore[arg-type]


def test_only_changed_functions_are_asked_about() -> None:
    after = "# moved\n" + TEXT.replace("a + 1", "a - 1")
    (span,) = changed_functions(TEXT, after)
    assert after[span.start : span.end] == "def other(a):\n    return a - 1"
    assert changed_functions(TEXT, "# moved\n" + TEXT) == []
    assert changed_functions(TEXT, "def broken(:") == []
    assert len(changed_functions("def broken(:", TEXT)) == 2
