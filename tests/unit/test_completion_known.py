"""What the graph knows where a name begins is asked once while the name is typed."""

from pathlib import Path
from typing import Any

import pytest

from graft_indexer.pygraph import open_graph
from graft_server.completion import known
from graft_server.completion.anchor import Place

HEAD = "import os\n\n\nclass Thing:\n    def paint(self): ...\n\n\nthing = Thing()\nnumber = 1\n"


@pytest.fixture
def graph(tmp_path: Path) -> Any:
    (tmp_path / "main.py").write_text(HEAD)
    made = open_graph(tmp_path)
    yield made
    made.close()


def names(graph: Any, line: str) -> set[str]:
    graph.open_buffer("main.py", HEAD + line + "\n")
    return {s.name for s in known.visible(graph, "main.py", Place(HEAD + line, "\n")).symbols}


def test_a_name_that_grows_is_one_question(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = graph.visible_names
    monkeypatch.setattr(graph, "visible_names", lambda *a: asked.append(a) or real(*a))
    for line in ("x = n", "x = nu", "x = num"):
        assert {"number", "thing", "print"} <= names(graph, line)
    assert len(asked) == 1
    names(graph, "y = n")
    assert len(asked) == 2


def test_answers_grow_old(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(known.time, "monotonic", lambda: clock[0])
    asked = []
    real = graph.members_at
    monkeypatch.setattr(graph, "members_at", lambda *a: asked.append(a) or real(*a))
    place = Place(HEAD + "thing.pa", "\n")
    graph.open_buffer("main.py", place.before + "\n")
    assert "paint" in {s.name for s in known.members(graph, "main.py", place).value}
    clock[0] = known.FRESH_SECONDS - 0.1
    known.members(graph, "main.py", place)
    assert len(asked) == 1
    clock[0] = known.FRESH_SECONDS + 0.1
    known.members(graph, "main.py", place)
    assert len(asked) == 2


def test_outside_of_functions_what_is_bound_below_is_not_there(graph: Any) -> None:
    below = "\n\n\ndef later(): ...\n"
    for line, expected in (("x = la", False), ("def f():\n    return la", True), ("x: la", True)):
        graph.open_buffer("main.py", HEAD + line + below)
        found = known.visible(graph, "main.py", Place(HEAD + line, below))
        assert ("later" in {s.name for s in found.symbols}) is expected, line


def test_the_buffer_is_as_it_was(graph: Any) -> None:
    names(graph, "x = [1, thi")
    assert graph.text("main.py") == HEAD + "x = [1, thi\n"
