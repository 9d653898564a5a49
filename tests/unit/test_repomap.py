"""Maps of a repository: what is shown first, and that what is kept from edit to edit is what a fresh look gives."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from graft_indexer.filegraph import FileGraph
from graft_indexer.repomap import RepositoryMap
from graft_indexer.workspace import Workspace
from graft_testing.graphs import graph_of

SHOP = """
//- /shop/view.py
from shop.cart import Cart
def show(cart: Cart) -> str: return cart.total_price()$0
//- /shop/cart.py
from shop.rates import rate_of
LIMIT: int = 3
class Cart(dict):
    def total_price(self, first: int = 0, *, rate: str = "") -> float: return rate_of(rate)
    def _hidden(self): ...
def make_cart():
    def inner(): ...
//- /shop/rates.py
def rate_of(name): ...
def unused_one(): ...
//- /shop/far.py
def nobody_asks(): ...
"""


def test_what_the_file_uses_comes_first_and_its_own_is_left_out() -> None:
    with graph_of(SHOP) as fixed:
        assert fixed.graph.repository_map("shop/view.py") == (
            "shop/cart.py:\n"
            "  LIMIT: int\n"
            "  class Cart(dict)\n"
            "    def total_price(first: int, rate: str) -> float\n"
            "    def _hidden()\n"
            "  def make_cart()\n"
            "shop/rates.py:\n  def rate_of(name)\n  def unused_one()\n"
            "shop/far.py:\n  def nobody_asks()\n"
        )
        assert "def show(cart: Cart) -> str" in fixed.graph.repository_map()


def test_the_budget_is_kept_and_spent_on_the_weightiest() -> None:
    with graph_of(SHOP) as fixed:

        def check(budget: int, *shown: str) -> None:
            text = fixed.graph.repository_map("shop/view.py", budget)
            assert len(text.encode()) <= 4 * budget
            assert tuple(line.strip() for line in text.splitlines()) == shown

        check(0)
        check(6)
        check(8, "shop/cart.py:", "LIMIT: int")
        check(10, "shop/cart.py:", "class Cart(dict)")
        check(24, "shop/cart.py:", "class Cart(dict)", "def total_price(first: int, rate: str) -> float")


def test_an_empty_workspace_has_an_empty_map() -> None:
    with graph_of("//- /a.py\n$0\n") as fixed:
        assert fixed.graph.repository_map() == "" == fixed.graph.repository_map("a.py")


@pytest.mark.parametrize("seed", range(3))
def test_a_graph_that_was_kept_is_that_of_a_fresh_look(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    names = [f"name_{n}" for n in range(14)]
    paths = [f"pkg/m{n}.py" for n in range(12)]

    def text() -> str:
        kinds = ("def {}(): ...\n", "class {}:\n    def {}_of(self): ...\n", "{} = 1\n", "x = {}\n", "y = {} + {}\n")
        return "".join(choose.choice(kinds).replace("{}", choose.choice(names)) for _ in range(choose.randrange(7)))

    (tmp_path / "pkg").mkdir()
    for path in paths:
        (tmp_path / path).write_text(text())
    workspace = Workspace.open(tmp_path, index_dir=None, jobs=1)
    kept, kept_map = FileGraph(workspace), RepositoryMap(workspace)
    for _ in range(20):
        path = choose.choice([*paths, "pkg/new.py", "/elsewhere/other.py"])
        match choose.randrange(5):
            case 0 | 1:
                workspace.open_buffer(path, text())
            case 2:
                workspace.close_buffer(path)
            case _ if path.startswith("/"):
                continue
            case 3:
                (tmp_path / path).write_text(text())
                workspace.refresh([path])
            case 4:
                (tmp_path / path).unlink(missing_ok=True)
                workspace.refresh([path])
        kept.sync()
        fresh = FileGraph(workspace)
        fresh.sync()
        assert kept.files.keys() == fresh.files.keys() == set(workspace.paths())
        for asked in ("", *paths):
            assert kept.ranks(asked) == pytest.approx(fresh.ranks(asked), abs=1e-12)
        assert [kept.ordered(p) for p in workspace.paths()] == [fresh.ordered(p) for p in workspace.paths()]
        shown = sorted(kept_map.outline(budget=1_000_000).splitlines())
        assert shown == sorted(RepositoryMap(workspace).outline(budget=1_000_000).splitlines())
