"""Quick-fixes of the model, and arguments taken over from other calls."""

import ast
import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_indexer.pygraph import open_graph
from graft_indexer.text import encode
from graft_models.engine import Capabilities, ScoreRequest, Scores
from graft_models.scripted import ScriptedEngine
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.run import diagnose
from graft_server.edits import apply_edits
from graft_server.repair import by_model
from graft_server.repair.candidates import fixes, verified_stepwise
from graft_testing.fixture import parse_fixture


class Fond(ScriptedEngine):
    """Writes one text, and finds likely what a function of a line says."""

    def __init__(self, written: str, likes: Callable[[str], float], **more: object) -> None:
        super().__init__([written], **more)  # type: ignore[arg-type]
        self._likes = likes

    async def score(self, request: ScoreRequest) -> Scores:
        self.scored.append(request)
        return Scores(tuple(map(self._likes, request.texts)), tuple(1 for _ in request.texts), "")


def offered(root: Path, source: str, engine: ScriptedEngine) -> list[tuple[str, str]]:
    """(title, text after) of the model's fixes of the first finding."""
    fixture = parse_fixture(source)
    fixture.write(root)
    graph = open_graph(root)
    try:
        found = diagnose(graph, fixture.path)[0]
        some = asyncio.run(by_model.candidates(engine, fixture.text, found))  # type: ignore[arg-type]
        steps = verified_stepwise(graph, found, some)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                for fix in end.value:
                    ast.parse(apply_edits(fixture.text, fix.edits))
                return [(f.title, apply_edits(fixture.text, f.edits)) for f in end.value]
    finally:
        graph.close()


AREA = "//- /main.py\ndef area(width, height):\n    return width * xyzzy$0\n"


def test_the_likeliest_names_are_verified(tmp_path: Path) -> None:
    engine = Fond("height", lambda line: -1.0 if "* height" in line else -2.0 if "* width" in line else -9.0)
    assert offered(tmp_path, AREA, engine)[:2] == [
        (
            "Write `return width * height` (unsafe) - checked: parses, resolves, finding gone, nothing new",
            "def area(width, height):\n    return width * height\n",
        ),
        (
            "Write `return width * width` (unsafe) - checked: parses, resolves, finding gone, nothing new",
            "def area(width, height):\n    return width * width\n",
        ),
    ]
    (request, *_) = engine.requests
    assert request.hole.typed == "    return width * "


def test_what_the_model_writes_is_offered_only_if_it_passes(tmp_path: Path) -> None:
    wrong = Fond("plugh(height)", lambda line: -1.0 if "plugh" in line else -9.0)
    assert all("plugh" not in text for _, text in offered(tmp_path, AREA, wrong))
    right = Fond("max(height, 1)", lambda line: -1.0 if "max" in line else -9.0)
    assert offered(tmp_path, AREA, right)[0][1].endswith("return width * max(height, 1)\n")


def test_the_rewrite_set_is_scored_too(tmp_path: Path) -> None:
    source = "//- /main.py\ndef f(a, b): ...\n\n\ndef g(x, y):\n    f(x, y, $0x == 1)\n"
    engine = Fond("", lambda line: -1.0)
    offered(tmp_path, source, engine)
    (request,) = engine.scored
    assert "    f(x, y, x != 1)\n" in request.texts


def test_an_engine_that_can_only_write(tmp_path: Path) -> None:
    engine = Fond("height", lambda line: 0.0, capabilities=Capabilities(infill=True))
    assert offered(tmp_path, AREA, engine)
    assert engine.scored == []


def test_nothing_for_findings_of_others(tmp_path: Path) -> None:
    fixture = parse_fixture(AREA)
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    found = diagnose(graph, "main.py")[0]
    theirs = Diagnostic(found.path, found.span, "F821", found.severity, found.message, source="Ruff")
    some = asyncio.run(by_model.candidates(Fond("height", lambda line: 0.0), fixture.text, theirs))  # type: ignore[arg-type]
    assert some
    with pytest.raises(StopIteration) as end:
        next(verified_stepwise(graph, theirs, some))
    assert end.value.value == []
    graph.close()


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
def test_the_smallest_edit_makes_the_new_line(old: str, new: str) -> None:
    candidate = by_model._candidate("a.py", 0, encode(old), encode(new))
    assert apply_edits(old, candidate.edits) == new


def test_a_missing_argument_is_taken_over_from_other_calls(tmp_path: Path) -> None:
    fixture = parse_fixture(
        "//- /shapes.py\ndef area(width, height): ...\n"
        "//- /other.py\nfrom shapes import area\nUNIT = 3\narea(1, UNIT)\narea(2, 10)\narea(3, 10)\narea(4, away.up)\n"
        "//- /main.py\nfrom shapes import area\narea(1)$0\n"
    )
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    try:
        found = diagnose(graph, "main.py")
        texts = {f.title.split(" - ")[0]: apply_edits(fixture.text, f.edits) for f in fixes(graph, found[0])}
    finally:
        graph.close()
    assert texts == {
        "Pass `height=10` as another call does (unsafe)": "from shapes import area\narea(1, height=10)\n",
        "Insert `height=None` (unsafe)": "from shapes import area\narea(1, height=None)\n",
    }
