# ruff: noqa: E501
"""What a saved change breaks in other files, and the one action that mends it."""

import ast
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_indexer.pygraph import open_graph
from graft_server.diagnosis.consequences import Consequences, consequences
from graft_server.diagnosis.model import Fix
from graft_server.repair.consequences import mend
from graft_testing.checks import applied

FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": "def total(items, tax=0):\n    return sum(items) + tax\n\n\nclass Cart:\n    def add(self, item): ...\n",
    "shop/till.py": "from shop.cart import Cart, total\n\n\ndef pay(items):\n    Cart().add(1)\n    return total(items, 2)\n",
    "report.py": "from shop import cart\n\nprint(cart.total([1], tax=3))\n",
    "other.py": "print(undefined)\n",
}


def saved(root: Path, text: str) -> tuple[Consequences | None, Fix | None, dict[str, str]]:
    """Save `text` as `shop/cart.py`; what came of it, the action that mends it, and all texts after that."""
    for path, content in FILES.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(content)
    graph = open_graph(root)
    (root / "shop/cart.py").write_text(text)
    graph.refresh(["shop/cart.py"])
    try:
        found = consequences(graph, "shop/cart.py", FILES["shop/cart.py"])
        fix = mend(graph, found) if found is not None else None
        assert not any(graph.is_open(path) for path in FILES)
    finally:
        graph.close()
    files = FILES | {"shop/cart.py": text}
    after = applied(files, fix) if fix else files
    for name, content in after.items():
        if name != "shop/cart.py":
            ast.parse(content)
    return found, fix, after


def messages(found: Consequences | None) -> list[str]:
    return [f"{p}: {d.message}" for p, some in sorted(found.findings.items()) for d in some] if found else []


def test_a_change_nobody_sees(tmp_path: Path) -> None:
    found, _, _ = saved(tmp_path, FILES["shop/cart.py"].replace("sum(items)", "sum(items, 0)"))
    assert messages(found) == []


def test_rename(tmp_path: Path) -> None:
    found, fix, after = saved(tmp_path, FILES["shop/cart.py"].replace("def total", "def grand_total"))
    assert messages(found) == snapshot(
        ["report.py: `cart` has no member `total`", "shop/till.py: module `shop.cart` has no `total`"]
    )
    assert fix is not None
    assert fix.title == snapshot(
        "Rename `total` to `grand_total` in 2 files - checked: parses, 2 of 2 findings gone, nothing new"
    )
    assert after["shop/till.py"] == snapshot("""\
from shop.cart import Cart, grand_total


def pay(items):
    Cart().add(1)
    return grand_total(items, 2)
""")
    assert after["report.py"] == snapshot("""\
from shop import cart

print(cart.grand_total([1], tax=3))
""")
    assert fix.safe


def test_parameter_renamed(tmp_path: Path) -> None:
    found, fix, after = saved(tmp_path, FILES["shop/cart.py"].replace("tax=0", "vat=0").replace("+ tax", "+ vat"))
    assert messages(found) == snapshot(["report.py: `total` has no parameter `tax`"])
    assert fix is not None and fix.safe
    assert after["report.py"] == snapshot("""\
from shop import cart

print(cart.total([1], vat=3))
""")


def test_parameter_dropped(tmp_path: Path) -> None:
    found, fix, after = saved(tmp_path, FILES["shop/cart.py"].replace(", tax=0", "").replace(" + tax", ""))
    assert messages(found) == snapshot(
        ["report.py: `total` has no parameter `tax`", "shop/till.py: `total` takes 1 by position, 2 given"]
    )
    assert fix is not None
    assert not fix.safe
    assert (after["shop/till.py"], after["report.py"]) == snapshot(
        (
            """\
from shop.cart import Cart, total


def pay(items):
    Cart().add(1)
    return total(items)
""",
            """\
from shop import cart

print(cart.total([1]))
""",
        )
    )


def test_parameter_added(tmp_path: Path) -> None:
    found, fix, after = saved(
        tmp_path, FILES["shop/cart.py"].replace("def add(self, item)", "def add(self, item, count)")
    )
    assert messages(found) == snapshot(["shop/till.py: `add` needs `count`"])
    assert fix is not None
    assert not fix.safe
    assert after["shop/till.py"] == snapshot("""\
from shop.cart import Cart, total


def pay(items):
    Cart().add(1, ...)
    return total(items, 2)
""")


def test_removed_without_a_successor(tmp_path: Path) -> None:
    found, fix, _ = saved(tmp_path, "class Cart:\n    def add(self, item): ...\n")
    assert messages(found) == snapshot(
        ["report.py: `cart` has no member `total`", "shop/till.py: module `shop.cart` has no `total`"]
    )
    assert fix is None


@pytest.mark.parametrize("text", ["", "def broken(:\n"])
def test_bad_text_is_survived(tmp_path: Path, text: str) -> None:
    found, _, _ = saved(tmp_path, text)
    assert (found is None) == bool(text)


def test_parameters_reordered(tmp_path: Path) -> None:
    """Nothing in the text of a call shows it, so that the text before counts."""
    found, fix, after = saved(tmp_path, FILES["shop/cart.py"].replace("(items, tax=0)", "(tax, items)"))
    assert messages(found) == snapshot(
        [
            "report.py: `total` needs `items`",
            "report.py: `total` gets `tax` twice",
            "shop/till.py: this was `items` of `total`, and is now `tax`",
        ]
    )
    assert fix is not None and fix.safe
    assert fix.title == snapshot(
        "Follow the new signature of `total` in 2 files - checked: parses, 3 of 3 findings gone, nothing new"
    )
    assert (after["shop/till.py"], after["report.py"]) == snapshot(
        (
            """\
from shop.cart import Cart, total


def pay(items):
    Cart().add(1)
    return total(2, items)
""",
            """\
from shop import cart

print(cart.total(tax=3, items=[1]))
""",
        )
    )


def changed(root: Path, files: dict[str, str], text: str) -> tuple[list[str], Fix | None]:
    """Save `text` as the first of `files`; messages, and the action."""
    for path, content in files.items():
        (root / path).write_text(content)
    graph = open_graph(root)
    path = next(iter(files))
    graph.open_buffer(path, text)
    found = consequences(graph, path, files[path])
    fix = mend(graph, found) if found is not None else None
    graph.close()
    return messages(found), fix


def test_a_field_of_a_dataclass(tmp_path: Path) -> None:
    text = "from dataclasses import dataclass\n\n@dataclass\nclass Item:\n    name: str\n    price: int\n"
    files = {"item.py": text, "use.py": "from item import Item as Thing\n\nThing('a', 1)\n"}
    found, fix = changed(tmp_path, files, text + "    count: int\n")
    assert found == snapshot(["use.py: `Item` needs `count`"])
    assert fix is not None and not fix.safe
    found, _ = changed(tmp_path, files, text.replace("    price: int\n", ""))
    assert found == snapshot(["use.py: `Item` takes 1 by position, 2 given"])


def test_a_constructor_of_a_base(tmp_path: Path) -> None:
    text = "class Base:\n    def __init__(self, a): ...\n"
    files = {
        "base.py": text,
        "below.py": "from base import Base\n\nclass Below(Base):\n    pass\n",
        "use.py": "from below import Below\n\nBelow(1)\n",
    }
    found, fix = changed(tmp_path, files, text.replace("self, a", "self, a, b"))
    assert found == ["use.py: `Below` needs `b`"]
    assert fix is not None and not fix.safe


def test_a_name_that_travels_through_a_package(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    text = "def area(width, height):\n    return width * height\n"
    files = {
        "p/shapes.py": text,
        "p/__init__.py": "from p.shapes import area\n",
        "use.py": "from p import area\n\nprint(area(1, 2))\n",
    }
    found, fix = changed(tmp_path, files, text.replace("width, height)", "width, height, depth)"))
    assert found == ["use.py: `area` needs `depth`"]
    found, fix = changed(tmp_path, files, text.replace("area", "surface"))
    assert found == ["p/__init__.py: module `p.shapes` has no `area`"]
    assert fix is not None
    assert {e.path for e in fix.edits} == {"p/__init__.py", "use.py"}


def test_what_was_wrong_before_is_not_repeated(tmp_path: Path) -> None:
    files = {"a.py": "def f(x): ...\n", "use.py": "from a import f\nf()\nf(1)\n"}
    found, _ = changed(tmp_path, files, "def f(x, y): ...\n")
    assert found == ["use.py: `f` needs `x`, `y`", "use.py: `f` needs `y`"]
    found, _ = changed(tmp_path, files, "def f(x, y=1): ...\n")
    assert found == []


def test_a_comment_silences_a_call(tmp_path: Path) -> None:
    files = {"a.py": "def f(x, y): ...\n", "use.py": "from a import f\nf(1, 2)  # graft: ignore[stale-arguments]\n"}
    assert changed(tmp_path, files, "def f(y, x): ...\n")[0] == []


def test_a_notebook_is_neither_named_nor_mended(tmp_path: Path) -> None:
    cell = '{"cells": [{"cell_type": "code", "source": ["from shop.cart import total\\n", "total([1])"]}]}'
    (tmp_path / "use.ipynb").write_text(cell)
    found, fix, _ = saved(tmp_path, FILES["shop/cart.py"].replace("def total", "def grand_total"))
    assert [m.partition(":")[0] for m in messages(found)] == ["report.py", "shop/till.py"]
    assert fix is not None
    assert {e.path for e in fix.edits} == {"report.py", "shop/till.py"}
