"""`graft query`: its answers as text and as JSON, and what it says to bad input."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from graft_indexer.pygraph import open_graph
from graft_server.commands import query
from graft_server.errors import UserError
from graft_testing.fixture import parse_fixture
from graft_testing.graphs import graph_of

SOURCE = """
//- /shop/__init__.py
//- /shop/cart.py
class Cart:
    \"\"\"What is bought.\"\"\"
    def add(self, item: str, *, count: int = 1) -> int:
        return count
def fill(cart: Cart):
    cart.add("x")
//- /tests/test_cart.py
from shop.cart import Cart
def test_add():
    Cart().add("y")
"""


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(kind: str, name: str, *flags: str) -> str:
        parser = argparse.ArgumentParser()
        query.add_arguments(parser)
        with graph_of(SOURCE) as fixed:
            query.answer(fixed.graph, parser.parse_args([kind, name, *flags]))
        return capsys.readouterr().out

    return run


def test_definitions(ask: Callable[..., str]) -> None:
    assert ask("def", "Cart.add") == (
        "1 closed\nshop/cart.py:3:9 method shop.cart.Cart.add(self, item: str, *, count: int = 1) -> int\n"
    )


def test_callers_and_references(ask: Callable[..., str]) -> None:
    assert ask("callers", "Cart.add") == (
        '2 closed\nshop/cart.py:6:10 fill: cart.add("x")\ntests/test_cart.py:3:12 test_add: Cart().add("y")\n'
    )
    found = json.loads(ask("refs", "shop.cart.Cart", "--json"))
    assert found["certainty"] == "closed"
    assert [(r["path"], r["line"], r["column"]) for r in found["results"]] == [
        ("shop/cart.py", 5, 16), ("tests/test_cart.py", 1, 23), ("tests/test_cart.py", 3, 5),
    ]  # fmt: skip


def test_members_tests_and_map(ask: Callable[..., str]) -> None:
    assert "method shop.cart.Cart.add" in ask("members", "Cart")
    assert "method shop.cart.Cart.add" in ask("members", "shop/cart.py:6:9")
    assert "tests.test_cart.test_add" in ask("tests", "Cart.add")
    assert "class Cart" in ask("map", "")


def test_bad_input_is_said_in_one_line(ask: Callable[..., str]) -> None:
    for kind, name in (("def", "nothing_like_it"), ("members", "nowhere.py:1:1"), ("members", "shop/cart.py:99:1")):
        with pytest.raises(UserError) as caught:
            ask(kind, name)
        assert "\n" not in str(caught.value)


FAMILY = """
//- /base.py
class Base:
    def run(self, a: int) -> None: ...
//- /below.py
from base import Base

class Below(Base):
    def run(self, a: int, b: int = 0) -> None: ...

class Lower(Below):
    pass
//- /use.py
import below

def use(low: below.Lower) -> None:
    low.run(1)
"""


def test_every_question_of_the_graph_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    def ask_family(kind: str, name: str) -> str:
        parser = argparse.ArgumentParser()
        query.add_arguments(parser)
        with graph_of(FAMILY) as fixed:
            query.answer(fixed.graph, parser.parse_args([kind, name]))
        return capsys.readouterr().out

    assert ask_family("def", "use.py:4:9") == (
        "1 closed\nbelow.py:4:9 method below.Below.run(self, a: int, b: int = 0) -> None\n"
    )
    assert ask_family("signature", "use.py:4:13") == (
        "1 closed\nbelow.py:4:9 method below.Below.run(a: int, b: int = 0) -> None\n"
    )
    assert ask_family("signature", "Base.run").endswith("base.Base.run(self, a: int) -> None\n")
    assert ask_family("subclasses", "Base") == (
        "2 closed\nbelow.py:3:7 class below.Below\nbelow.py:6:7 class below.Lower\n"
    )
    assert "below.py:4:9 method below.Below.run" in ask_family("overrides", "Base.run")
    assert "1 " in ask_family("importers", "base.py") and "below.py:1:1" in ask_family("importers", "base.py")
    assert "use.py:1:1" in ask_family("touches", "below.py")
    names = ask_family("names", "use.py:4:5")
    assert "parameter use.use.<locals>.low" in names and "module below" in names
    assert "use.py" in ask_family("usages", "below.py:3:8") or "0 open" in ask_family("usages", "below.py:3:8")


def test_questions_about_places_say_so(ask: Callable[..., str]) -> None:
    for kind, name in (("names", "Cart"), ("usages", "Cart"), ("importers", "Cart"), ("signature", "shop/cart.py:1:1")):
        with pytest.raises(UserError) as caught:
            ask(kind, name)
        assert "\n" not in str(caught.value)


SEVERAL = """
//- /money.py
class Money:
    price = 1
//- /shop.py
from money import Money
print(Money().price)
//- /web/buy.ts
import { Money } from "./money";
export const cost = new Money().price;
//- /web/money.ts
export class Money { price = 1; }
//- /web/page.tsx
import { cost } from "./buy";
//- /main.go
package main
var price = money
"""


def touched(tmp_path: Path, path: str, kind: str = "touches") -> list[str]:
    graph = open_graph(parse_fixture(SEVERAL).write(tmp_path.resolve()))
    found, _, _ = query._ask(graph, kind, path)
    graph.close()
    return [entry["path"] for entry in found]


def test_a_change_touches_files_of_its_own_language_only(tmp_path: Path) -> None:
    assert touched(tmp_path, "money.py") == ["shop.py"]
    assert touched(tmp_path, "web/money.ts") == ["web/buy.ts"]
    assert touched(tmp_path, "web/buy.ts") == ["web/page.tsx"]
    assert touched(tmp_path, "money.py", "importers") == ["shop.py"]


@pytest.mark.parametrize("budget", [-1, 0])
def test_a_map_needs_room(ask: Callable[..., str], budget: int) -> None:
    with pytest.raises(UserError, match=f"--budget {budget}: give a number of tokens of at least 1"):
        ask("map", "", "--budget", str(budget))
