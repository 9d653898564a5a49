"""Checking an edited buffer again: findings as of a whole check, by looking only at what may have changed."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft_indexer.pygraph import PyGraph, open_graph
from graft_server.benches.faults import mutate
from graft_server.diagnosis import incremental, run
from graft_server.diagnosis.registry import enabled
from graft_server.diagnosis.run import diagnose, run_checks
from graft_testing.fixture import parse_fixture

SHOP = """
//- /shop/cart.py
from shop.money import Money, rounded

class Item:
    def __init__(self, name, price):
        self.name = name
        self.price = Money(price)

    def cost(self, count):
        total = self.price.times(count)
        return total

    def label(self):
        return self.name.upper()

class Cart:
    def __init__(self):
        self.first = Item("apple", 3)

    def total(self):
        found = self.first.cost(2)
        return rounded(found.amount)

    def show(self):
        print(self.total())
        return make().label()

def make():
    item = Item("pear", 4)
    return item

def swapped(height, width):
    return area(width, height)

def area(width, height):
    return width * height
//- /shop/money.py
class Money:
    def __init__(self, amount: int):
        self.amount = amount

    def times(self, count: int) -> "Money":
        return Money(self.amount * count)

def rounded(value: int) -> int:
    text = str(value)
    return int(text)
//- /shop/__init__.py
"""


def opened(tmp_path: Path) -> tuple[PyGraph, str]:
    for path, text in parse_fixture(SHOP).files.items():
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.lstrip("/")).write_text(text)
    graph = open_graph(tmp_path)
    text = graph.text("shop/cart.py")
    assert text is not None
    graph.open_buffer("shop/cart.py", text)
    diagnose(graph, "shop/cart.py")
    return graph, text


def looked_at(graph: PyGraph, text: str) -> int:
    """Units that are checked after the buffer becomes `text`, whose findings must be those of a whole check."""
    graph.open_buffer("shop/cart.py", text)
    before = incremental.units_checked(graph)
    found = diagnose(graph, "shop/cart.py")
    number = incremental.units_checked(graph) - before
    assert found == run_checks(graph, "shop/cart.py", enabled(), remember=False)
    return number


def test_an_edited_body_alone_is_checked_again(tmp_path: Path) -> None:
    graph, text = opened(tmp_path)
    assert looked_at(graph, text) == 0
    assert looked_at(graph, text.replace("return self.name.upper()", "print(1)\n        return self.name.upper()")) == 1


def test_text_above_moves_nothing_but_places(tmp_path: Path) -> None:
    graph, text = opened(tmp_path)
    assert looked_at(graph, "# about carts\n\n" + text) == 0


def test_a_finding_appears_where_a_value_changed_elsewhere(tmp_path: Path) -> None:
    graph, text = opened(tmp_path)
    assert diagnose(graph, "shop/cart.py") == []
    changed = text.replace('item = Item("pear", 4)', "item = Cart()")
    assert looked_at(graph, changed) < incremental.units_in(graph, "shop/cart.py")
    assert [d.message for d in diagnose(graph, "shop/cart.py")] == ["`make()` has no member `label`"]
    looked_at(graph, text)
    assert diagnose(graph, "shop/cart.py") == []


def test_a_finding_appears_where_another_file_changed(tmp_path: Path) -> None:
    graph, _ = opened(tmp_path)
    money = graph.text("shop/money.py")
    assert money is not None
    graph.open_buffer("shop/money.py", money.replace("def rounded(value: int)", "def rounded(value: int, digits: int)"))
    assert [d.message for d in diagnose(graph, "shop/cart.py")] == ["`rounded` needs `digits`"]
    graph.open_buffer("shop/money.py", money)
    assert diagnose(graph, "shop/cart.py") == []


def test_a_body_in_another_file_changes_nothing_here(tmp_path: Path) -> None:
    graph, text = opened(tmp_path)
    money = graph.text("shop/money.py")
    assert money is not None
    graph.open_buffer("shop/money.py", money.replace("return int(text)", "print(text)\n    return int(text)"))
    looked_at(graph, text)  # the other file is seen for the first time
    graph.open_buffer("shop/money.py", money.replace("return int(text)", "print(1)\n    return int(text)"))
    assert looked_at(graph, text) == 0


def test_steps_give_what_the_whole_gives(tmp_path: Path) -> None:
    graph, text = opened(tmp_path)
    graph.open_buffer("shop/cart.py", text.replace("self.total()", "self.totl()"))
    steps = run.stepwise(graph, "shop/cart.py", run.Settings())
    number = 0
    while True:
        try:
            next(steps)
            number += 1
        except StopIteration as end:
            assert end.value == diagnose(graph, "shop/cart.py")
            assert [d.message for d in end.value] == ["`self` has no member `totl`; did you mean `total`?"]
            break
    assert number > 1


_GRAPHS: list[tuple[PyGraph, str]] = []


@given(st.integers(0, 10**6), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_random_edits_find_what_a_whole_check_finds(tmp_path_factory: object, seed: int, number: int) -> None:
    if not _GRAPHS:
        _GRAPHS.append(opened(tmp_path_factory.mktemp("shop")))  # type: ignore[attr-defined]
    graph, text = _GRAPHS[0]
    random_ = random.Random(seed)
    for _ in range(number):
        text = mutate(text, random_) or text
        looked_at(graph, text)


def test_a_circle_that_another_file_closes_is_seen(tmp_path: Path) -> None:
    files = {
        "a.py": "from b import again\n\n\ndef target(x):\n    return x\n\n\ndef use():\n    return again(1)\n",
        "b.py": "def again(x):\n    return x\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    graph = open_graph(tmp_path)
    graph.open_buffer("a.py", files["a.py"])
    assert diagnose(graph, "a.py") == []
    graph.open_buffer("b.py", "from a import target as again\n")
    assert diagnose(graph, "a.py") == []
    graph.open_buffer("a.py", files["a.py"].replace("target(x)", "target(x, y)"))
    found = diagnose(graph, "a.py")
    assert found == run_checks(graph, "a.py", enabled(), remember=False)
    assert [d.message for d in found] == ["`target` needs `y`"]


def _edited(tmp_path: Path, files: dict[str, str], path: str, old: str, new: str) -> tuple[list[str], int]:
    """(what is found in a file after an edit, units that were checked for it); as much as a whole check finds."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    graph = open_graph(tmp_path)
    graph.open_buffer(path, files[path])
    diagnose(graph, path)
    already = incremental.units_checked(graph)
    assert files[path].count(old) == 1
    graph.open_buffer(path, files[path].replace(old, new))
    found = diagnose(graph, path)
    checked = incremental.units_checked(graph) - already
    assert found == run_checks(graph, path, enabled(), remember=False)
    graph.close()
    return [d.message for d in found], checked


PAIR = "class P:\n    def yes(self): ...\n\n\nclass Q:\n    def other(self): ...\n\n\ndef g():\n    return P()\n\n\n"
LONE = "def lone():\n    return 1\n\n\ndef alone():\n    return lone()\n\n\n"


@pytest.mark.parametrize("line", ["from b import *", "from b import foo", "import b"])
def test_in_a_circle_what_leads_to_it_is_checked_again(tmp_path: Path, line: str) -> None:
    call = "b.foo" if line == "import b" else "foo"
    files = {
        "m.py": f"{line}\n\n\n{PAIR}{LONE}def use():\n    {call}().yes()\n",
        "b.py": "import m\n\n\ndef foo():\n    return m.g()\n",
    }
    found, checked = _edited(tmp_path, files, "m.py", "return P()", "return Q()")
    assert found == [f"`{call}()` has no member `yes`"]
    if "*" not in line:
        assert checked < incremental.units_in(open_graph(tmp_path), "m.py") - 2, "lone and alone are left out"


def test_what_a_decorator_does_to_a_class_is_seen(tmp_path: Path) -> None:
    for name, reg, line in (
        ("function", "def add(cls):\n    helper(cls)\n    return cls\n", "@add"),
        (
            "method",
            "class Reg:\n    def add(self, cls):\n        helper(cls)\n        return cls\n\n\nreg = Reg()\n",
            "@reg.add",
        ),
    ):
        text = f"import nowhere\n\nhelper = nowhere.helper\n\n\n{reg}\n\n{line}\nclass A:\n    a = 1\n"
        text += "\n\ndef use():\n    A().b()\n"
        (tmp_path / name).mkdir()
        found, _ = _edited(tmp_path / name, {"m.py": text}, "m.py", "helper(cls)", "print(cls)")
        assert "`A()` has no member `b`" in found, name


def test_defaults_that_are_set_no_more_are_seen(tmp_path: Path) -> None:
    text = "def f(a):\n    return a\n\n\ndef refit():\n    f.__defaults__ = (1,)\n\n\ndef use():\n    f()\n"
    assert _edited(tmp_path, {"m.py": text}, "m.py", "f.__defaults__ = (1,)", "print(f)")[0] == ["`f` needs `a`"]


def test_ways_out_of_a_function(tmp_path: Path) -> None:
    def checked(body: str, old: str, new: str, note: str = "") -> int:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        text = f"def f(a){note}:\n{body}\n\n\ndef use():\n    return f(1)\n"
        return _edited(folder, {"m.py": text}, "m.py", old, new)[1]

    assert checked("    print(a)\n    a.b = 1", "print(a)", "print(a, 1)") == 1
    assert checked("    a.b = 1\n    print(a)", "    print(a)", "    if a:\n        return\n    print(a)") == 1
    assert checked("    return a", "return a", "return 1") == 2
    assert checked("    print(a)", "print(a)", "return 1") == 2
    assert checked("    if a:\n        return 1\n    return 2", "    return 2", "    print(2)") == 2
    assert checked("    if a:\n        return 1\n    return 2", "    return 2", "    print(2)", " -> int") == 1
