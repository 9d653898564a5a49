"""Where a name can only be one that exists, and what the engine is told there."""

from pathlib import Path

import pytest

from graft_indexer.pygraph import open_graph
from graft_models.engine import Need, Trigger
from graft_server.completion.anchor import Place, place_of
from graft_server.completion.constraint import allowed, name_due, trigger_at
from graft_server.completion.model import Snapshot
from graft_testing.fixture import parse_fixture


@pytest.mark.parametrize(
    "before",
    [
        "return ",
        "x = ",
        "x = a + ",
        "if a and ",
        "for x in ",
        "f(a, ",
        "f(a, b + ",
        "f(key=",
        "f(key=a + ",
        "x[",
        "x[a][",
        "f(a,\n  ",
        "x = f(a)[",
        "assert a == ",
        "x += ",
        "@",
    ],
)
def test_a_known_name_is_due(before: str) -> None:
    assert name_due("def f():\n    " + before)


@pytest.mark.parametrize(
    "before",
    [
        "",
        "    ",
        "for ",
        "for a, ",
        "import ",
        "from ",
        "x = [",
        "x = {",
        "x = (",
        "f(",
        "f(a + ",
        "any(a in ",
        "[a for ",
        "f(a, key=lambda ",
        "x = lambda a: ",
        "with a as ",
        "except A as ",
        "def f(",
        "def f(a: ",
        "class A(",
        "global ",
        'x = "a + ',
        "# a + ",
        'x = f"{',
        "if (n := ",
        "case ",
        "f(a, b for b in ",
    ],
)
def test_a_name_may_be_new(before: str) -> None:
    assert not name_due("def f():\n    " + before)


SOURCE = """
//- /lib.py
def paint(colour, *, width): ...
//- /main.py
from lib import paint
total = 1


def f(number):
    local = 2
    {line}
"""


@pytest.mark.parametrize(
    ("line", "generated", "wanted", "closed"),
    [
        ("return to$0", "", {"total", "number", "local", "print", "not"}, True),
        ("return to$0", "tal + ", {"total", "number"}, True),
        ("x = $0", "", {"total"}, True),
        ("paint(1, wi$0", "", {"width", "total"}, True),
        ("unknown(1, wi$0", "", {"total"}, False),
        ("return $0", "total\\n    new = 1\\n    y = ", {"new"}, True),
    ],
)
def test_what_the_engine_is_told(tmp_path: Path, line: str, generated: str, wanted: set[str], closed: bool) -> None:
    fixture = parse_fixture(SOURCE.replace("{line}", line))
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    try:
        graph.open_buffer(fixture.path, fixture.text)
        place = place_of(Snapshot(fixture.path, fixture.text, fixture.offset))
        said = generated.replace("\\n", "\n")
        allow = allowed(graph, fixture.path, place, place.line, Need(3, Trigger.NAME, place.line + said))
        assert allow is not None and wanted <= set(allow.names)
        assert allow.open is not closed
        assert "graft_probe_" not in allow.names
    finally:
        graph.close()


def test_a_module_of_the_workspace_offers_what_it_defines(tmp_path: Path) -> None:
    fixture = parse_fixture(
        "//- /lib.py\nfrom typing import Literal\nclass Lines: ...\n//- /main.py\nfrom lib import $0\n"
    )
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    try:
        graph.open_buffer(fixture.path, fixture.text)
        place = place_of(Snapshot(fixture.path, fixture.text, fixture.offset))
        allow = allowed(graph, fixture.path, place, place.line, Need(3, Trigger.IMPORT, place.line))
        assert allow is not None and allow.names == ("Lines",)
    finally:
        graph.close()


def test_the_question_is_known_before_it_is_asked() -> None:
    assert trigger_at(Place("x = 1\nreturn to", "")) is Trigger.NAME
    assert trigger_at(Place("x = 1\nreturn ", "")) is Trigger.NAME  # What may be asked is looked up ahead.
    assert trigger_at(Place("x = 1\nto", "")) is None
    assert trigger_at(Place("x = a.b", "")) is Trigger.DOT
