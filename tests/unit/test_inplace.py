"""Edits inside a function's body are made in the tree that is there, and every answer is that of a fresh graph."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft_indexer import calls, locate, reparse
from graft_indexer.inplace import edit_body
from graft_indexer.pygraph import PyGraph
from graft_indexer.pytree import Tree
from graft_indexer.reparse import parse
from graft_indexer.selfstores import self_stores
from graft_indexer.workspace import Workspace
from graft_indexer.world import World
from graft_testing.graphs import Fixed, graph_of

TEXT = '''\
import os

LIMIT = 3


class Shop:
    """Sells."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.items = []

    def total(self, factor=1):
        # what it costs
        found = sum(i.price for i in self.items)
        return found * factor

    def label(self):
        return f"{self.name:>{LIMIT}} {self.total()}"


def make(name):
    shop = Shop(name)
    if isinstance(name, str):
        shop.items = [name.upper()]
    return shop


print(make("x").label(), os.sep)
'''


def check(before: str, after: str, expected: str | None) -> Tree:
    """Edit `before` (a fragment of TEXT) to `after`; the function that it lies in, None if it is no edit of a body."""
    assert TEXT.count(before) == 1
    new = TEXT.replace(before, after)
    tree = parse(TEXT)
    edit = edit_body(tree, new)
    assert (edit.name if edit is not None else None) == expected
    if edit is not None:
        assert dump(tree) == dump(parse(new))
    return tree


def dump(tree: Tree) -> tuple[object, ...]:
    """Everything that a tree says, places included (those of f-strings' insides differ between Pythons)."""
    nodes = [ast.dump(s, include_attributes=True) for s in tree.body]
    return tree.text, nodes, tree.broken


def test_bodies_of_functions_and_methods() -> None:
    check("found * factor", "found * 2", "Shop.total")
    check("        # what it costs\n", "", "Shop.total")
    check("    return shop\n", "    shop.open = True\n\n    return shop\n", "make")


def test_a_line_that_does_not_parse_stays_in_its_function() -> None:
    tree = check("found * factor", "found.", "Shop.total")
    assert len(tree.broken) == 1


def test_other_edits_are_not_made_in_place() -> None:
    check("LIMIT = 3", "LIMIT = 4", None)
    check("factor=1", "factor=2", None)
    check('"""Sells."""', '"""Buys."""', None)
    check("    return shop\n", "    global LIMIT\n    return shop\n", None)
    check("    return shop\n", "    if shop: global LIMIT; LIMIT = 1\n    return shop\n", None)
    check("    return shop\n", "return shop\n", None)
    check("def label(self):\n", "def label(self):\n        class Inner: ...\n", None)
    check("found * factor", '"""', None)


def test_a_header_that_ends_on_the_line_of_its_body() -> None:
    text = "def f(\n    a\n): return a\n\n\nx = f(1)\n"
    tree = parse(text)
    new = text.replace("): return a", ", b=1): return a")
    assert edit_body(tree, new) is None
    assert edit_body(tree, text.replace("return a", "return 2")) is not None
    assert tree.text == text.replace("return a", "return 2")


def test_what_did_not_change_keeps_its_nodes() -> None:
    tree = parse(TEXT)
    shop, make = tree.body[2], tree.body[3]
    assert isinstance(shop, ast.ClassDef)
    label = shop.body[3]
    assert edit_body(tree, TEXT.replace("found * factor", "(\n            found)")) is not None
    assert tree.body[2] is shop and tree.body[3] is make and shop.body[3] is label
    assert tree.source(label).startswith("def label")


def test_only_the_touched_statement_of_a_function_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    parsed = reparse._parsed

    def counted(text: str, first: int, *, nested: bool) -> list[ast.stmt]:
        read.append(text)
        return parsed(text, first, nested=nested)

    tree = parse(TEXT)
    make = tree.body[3]
    assert isinstance(make, ast.FunctionDef)
    shop, test, end = make.body
    with monkeypatch.context() as patch:
        patch.setattr(reparse, "_parsed", counted)
        new = TEXT.replace("shop = Shop(name)", "shop = Shop(\n        name.strip(),\n    )")
        assert edit_body(tree, new) is not None
    assert read == ["    shop = Shop(\n        name.strip(),\n    )\n"]
    assert make.body[0] is not shop
    assert make.body[1] is test
    assert make.body[2] is end
    assert dump(tree) == dump(parse(new))
    assert tree.source(end) == "return shop"


def test_what_does_not_stand_by_itself_is_read_with_its_function() -> None:
    check("    return shop\n", "    else:\n        return shop\n", "make")
    check("    return shop\n", "    return shop;\n", "make")
    check(
        "        shop.items = [name.upper()]\n    return shop\n", "        a = 1\n    b = 2; c = (shop,\n  3)\n", "make"
    )
    check("    if isinstance(name, str):\n", "    if isinstance(name, str): a = '''\n", None)
    check("    return shop\n", "\treturn shop\n", None)


def test_a_line_that_is_whole_again_is_read_alone() -> None:
    tree = parse(TEXT)
    broken = TEXT.replace("return shop\n", "return shop.\n")
    assert edit_body(tree, broken) is not None
    assert tree.broken
    make = tree.body[3]
    assert isinstance(make, ast.FunctionDef)
    kept = make.body[0]
    assert edit_body(tree, TEXT) is not None
    assert not tree.broken
    assert make.body[0] is kept
    assert dump(tree) == dump(parse(TEXT))


def test_a_line_that_does_not_parse_leaves_the_other_statements_alone() -> None:
    tree = parse(TEXT)
    make = tree.body[3]
    assert isinstance(make, ast.FunctionDef)
    first, test, end = make.body
    for typed in ("shop = Shop(nam) e", "shop = Shop(nam) el", "shop.", "shop = ["):
        text = TEXT.replace("shop = Shop(name)", typed)
        assert edit_body(tree, text) is not None
        assert len(tree.broken) == 1
        assert dump(tree) == dump(parse(text))
        assert make.body[2] is end
    assert make.body[1] is test
    assert make.body[0] is not first


def test_what_a_kept_statement_does_to_self_is_not_looked_for_again() -> None:
    tree = parse(TEXT)
    shop = tree.body[2]
    assert isinstance(shop, ast.ClassDef)
    init = shop.body[1]
    assert isinstance(init, ast.FunctionDef)
    assert list(self_stores(init)) == ["name", "items"]
    first = init.body[0]
    part = first._graft_part  # type: ignore[attr-defined]
    edited = TEXT.replace("self.items = []", "self.other = self.x()\n        new = self.x()\n        new.y = 1")
    assert edit_body(tree, edited) is not None
    assert list(self_stores(init)) == ["name", "other"]
    assert init.body[0] is first
    assert first._graft_part is part  # type: ignore[attr-defined]
    assert edit_body(tree, edited.replace("new = self.x()", "new = self()")) is not None
    assert list(self_stores(init)) == ["name", "other", "y"]  # of a kept statement, by what another one makes


def answers(graph: PyGraph, path: str) -> dict[str, object]:
    """What a graph says of every name, attribute and call of a file."""
    found: dict[str, object] = {}
    file = graph._file(path)
    assert file is not None
    for name, _, span, node in locate.occurrences(file):
        at = span.end if isinstance(node, ast.alias) else span.start
        found[f"definition of {name} {at}"] = graph.definition_at(path, at)
        if isinstance(node, ast.Attribute):
            answer = graph.members_at(path, file.tree.end(node.value))
            found[f"members before {name} {at}"] = (answer.certainty, {s.name: s for s in answer.value})
    for top in file.tree.body:
        for node in ast.walk(top):
            if isinstance(node, ast.Call):
                site = calls.call_site(file.tree, node)
                found[f"target of {site.span}"] = graph.call_target(path, site)
    return found


def fresh(graph: PyGraph) -> PyGraph:
    """A new graph over the same files and buffers."""
    workspace = Workspace.open(Path(graph.root), index_dir=None, jobs=1)
    other = PyGraph(workspace, World(workspace, graph.world.environment))
    for path in graph.paths():
        if graph.is_open(path):
            other.open_buffer(path, graph.text(path) or "")
    return other


OTHER = """\
from shop import Shop, make

class Market(Shop):
    def total(self):
        return super().total(2)

def use():
    market = Market("m")
    market.name.upper()
    return make("a").items, market.label(), market.extra
"""
FRAGMENTS = (
    "found", ".", "(", ")", "\n", "        pass\n", "    def more(self): return 1\n", "self.extra = 1", " = ",
    "import re\n", "class Inner: pass\n", '"', "'''", "#", "global LIMIT\n", "setattr(self, name, 1)\n",
    "shop.extra = 2\n", ":", "return ",
)  # fmt: skip
PATHS = ("shop.py", "market.py")
edits = st.lists(
    st.tuples(st.sampled_from(PATHS), st.floats(0, 1), st.integers(0, 12), st.sampled_from(FRAGMENTS)),
    min_size=1, max_size=3,
)  # fmt: skip


def test_after_random_edits_every_answer_is_that_of_a_fresh_graph() -> None:
    with graph_of(f"//- /shop.py\n{TEXT}//- /market.py\n{OTHER}$0") as fixed:
        _run(fixed)


def test_symbols_move_with_their_text_through_many_edits() -> None:
    with graph_of(f"//- /shop.py\n{TEXT}//- /market.py\n{OTHER}$0") as fixed:
        graph = fixed.graph
        for number in range(70):
            # Longer and shorter by turns, with more lines and fewer, in one function and in another.
            more = "        x = 1\n" * (number % 3) + f"        y = {'1' * (number % 7 + 1)}\n"
            text = TEXT.replace("        # what it costs\n", more)
            if number % 2:
                text = text.replace("    return shop\n", "    shop.open = True\n    return shop\n")
            graph.open_buffer("shop.py", text)
            if number % 10 == 9 or 45 < number < 55:
                other = fresh(graph)
                try:
                    for path in PATHS:
                        assert answers(graph, path) == answers(other, path)
                finally:
                    other.close()


def test_an_edit_of_a_body_leaves_most_answers_as_they_are() -> None:
    with graph_of(f"//- /shop.py\n{TEXT}//- /market.py\n{OTHER}$0") as fixed:
        graph, memo = fixed.graph, fixed.graph.world.memo
        graph.open_buffer("shop.py", TEXT)
        answers(graph, "shop.py")
        first, memo.made = memo.made, 0
        answers(graph, "shop.py")
        assert memo.made == 0
        graph.open_buffer("shop.py", TEXT.replace("found * factor", "found * 2"))
        answers(graph, "shop.py")
        assert memo.made * 4 < first
        memo.made = 0
        graph.open_buffer("shop.py", TEXT.replace("LIMIT = 3", "LIMIT = 4"))  # everything in the file is made again
        answers(graph, "shop.py")
        assert memo.made < first


def _run(fixed: Fixed) -> None:
    graph = fixed.graph
    original = {path: graph.text(path) or "" for path in PATHS}

    @settings(max_examples=10, deadline=None)
    @given(edits)
    def run(changes: list[tuple[str, float, int, str]]) -> None:
        for path, text in original.items():
            graph.open_buffer(path, text)
        for path, place, removed, fragment in changes:
            text = graph.text(path) or ""
            at = int(place * len(text))
            graph.open_buffer(path, text[:at] + fragment + text[at + removed :])
            for name in original:
                answers(graph, name)
        other = fresh(graph)
        try:
            for name in original:
                assert answers(graph, name) == answers(other, name)
        finally:
            other.close()

    run()
