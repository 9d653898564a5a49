"""Which keywords fit at the cursor, and whether a name does."""

from pathlib import Path

import pytest

from graft_indexer.pygraph import open_graph
from graft_server.completion.anchor import Place, place_of
from graft_server.completion.graphonly import suggest
from graft_server.completion.keywords import in_annotation, keywords_at
from graft_server.completion.model import Snapshot
from graft_testing.fixture import parse_fixture


@pytest.mark.parametrize(
    ("before", "fitting", "name"),
    [
        # Where an operand is due no operator fits.
        ("raise Wrong(f", "", True),
        ("async with a", "await", True),
        ("x = n", "not", True),
        ("return N", "None", True),
        ("if not i", "", True),
        ('if "key" in e', "", True),
        ("x = yield f", "from", True),
        ("f(key=l", "lambda", True),
        ("f(\n        a", "await", True),
        # Behind an operand no name does.
        ("if e.config i", "in is if", False),
        ("if e.config is n", "not", True),
        ("if x n", "not", False),
        ("if x not i", "in", False),
        ("return not i", "", True),
        ("x = [a f", "for", False),
        ("x = [a for b i", "in", False),
        ("x = [a for b in c i", "in is if", False),
        ("for a i", "in", False),
        ("for a in b f", "", False),
        ("x = a e", "", False),
        ("x = a if b e", "else", False),
        ("x = f(a) if b == 1 e", "else", False),
        ("with open(p) a", "and as", False),
        ("except (A, B) a", "and as", False),
        ("x = f(a) a", "and", False),
        ("raise Wrong(a) f", "from", False),
        ("x = None i", "in is if", False),
        ('x = "a" i', "in is if", False),
        # Comments and strings.
        ("f(a,  # all\n        n", "not", True),
        ("x = (a +  # sum\n        N", "None", True),
        ("def f(  # noqa\n        a", "await", True),
        ("x = [a  # one\n", "", True),
        ("x = 'a' i", "in is if", False),
        ("x = not  # so\\\n    N", "None", True),
        ("...\n    match s", "", True),
        # A statement begins.
        ("r", "return raise", True),
        ("else: r", "return raise", True),
        ("def g(): r", "return raise", True),
        ("class A: p", "pass", True),
        ("if x[a:b]: r", "return raise", True),
        ("if a: c", "class continue", True),
        ("async d", "def", False),
        # What is a keyword only here.
        ("match s", "", True),
        ("type A", "", True),
        ("@p", "", True),
    ],
)
def test_what_fits(before: str, fitting: str, name: bool) -> None:
    typed = before.split(" ")[-1].rpartition("(")[2].rpartition("=")[2].lstrip("@")
    found, fits = keywords_at(Place("def f():\n    " + before, ""), typed)
    assert sorted(w for w in found if w.startswith(typed)) == sorted(fitting.split())
    assert fits is name


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x: ", True),
        ("x: dict[str, ", True),
        ("self.x: list[", True),
        ("x: int = ", False),
        ("else: ", False),
        ("lambda: ", False),
        ("x[a: ", False),
        ("if x: ", False),
        ("x := ", False),
        ("def f(a: ", True),
        ("def f(a, *b: dict[str, ", True),
        ("def f(a: int = ", False),
        ("def f(a={1: ", False),
        ("def f(a) -> ", True),
        ("async def f(a) -> dict[", True),
        ("def f(a): ", False),
    ],
)
def test_where_a_type_is_due(code: str, expected: bool) -> None:
    assert in_annotation("    " + code) is expected


SOURCE = """//- /main.py
import asyncio


def run(items, frame, animal, options):
    {line}$0
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("raise ValueError(fr", "ame"),
        ("async with ani", "mal"),
        ("return [x fo", ""),  # One letter saves nothing.
        ("found = [x f", "or"),
        ("with open(frame) a", ""),
        ("x = frame an", ""),
        ("x: dict[ani", ""),
        ("x: N", "one"),
        ("x: dict[ani] = fra", "me"),
        ("Model = 1\n    x: Mod", "el"),
        ("x = {\n        # group\n        frame: ani", "mal"),
        ("x = {\n        frame: items,\n\n        animal: opt", "ions"),
        ("x = [  # all\n        fra", "me"),
        ("print('invoke lambda, %s', fra", "me"),
        ("x = f(key=lambda a=max(items, fra", "me"),
        ("return sorted(items, key=lambda frame, opt", ""),
        ("return sorted(items, key=lambda frame: opt", "ions"),
        ("return sorted(items, key=lambda frame, a=opt", "ions"),
    ],
)
def test_what_is_guessed(tmp_path: Path, line: str, expected: str) -> None:
    fixture = parse_fixture(SOURCE.replace("{line}", line))
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    try:
        graph.open_buffer(fixture.path, fixture.text)
        said = suggest(graph, fixture.path, place_of(Snapshot(fixture.path, fixture.text, fixture.offset)))
        assert (said.text if said is not None else "") == expected
    finally:
        graph.close()
