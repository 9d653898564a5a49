# ruff: noqa: E501
"""What a saved change breaks in other files, and the one action that mends it."""

import ast
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_indexer.pygraph import open_graph
from graft_server.diagnosis.consequences import Consequences, consequences
from graft_testing.checks import applied

FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": "def total(items, tax=0):\n    return sum(items) + tax\n\n\nclass Cart:\n    def add(self, item): ...\n",
    "shop/till.py": "from shop.cart import Cart, total\n\n\ndef pay(items):\n    Cart().add(1)\n    return total(items, 2)\n",
    "report.py": "from shop import cart\n\nprint(cart.total([1], tax=3))\n",
    "other.py": "print(undefined)\n",
}


def saved(root: Path, text: str) -> tuple[Consequences | None, dict[str, str]]:
    """Save `text` as `shop/cart.py`; what came of it, and all texts after its action."""
    for path, content in FILES.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(content)
    graph = open_graph(root)
    before = graph.facts("shop/cart.py")
    assert before is not None
    (root / "shop/cart.py").write_text(text)
    graph.refresh(["shop/cart.py"])
    try:
        found = consequences(graph, "shop/cart.py", FILES["shop/cart.py"], before)
        assert not any(graph.is_open(path) for path in FILES)
    finally:
        graph.close()
    files = FILES | {"shop/cart.py": text}
    after = applied(files, found.fix) if found and found.fix else files
    for name, content in after.items():
        if name != "shop/cart.py":
            ast.parse(content)
    return found, after


def messages(found: Consequences | None) -> list[str]:
    return [f"{p}: {d.message}" for p, some in sorted(found.findings.items()) for d in some] if found else []


def test_a_change_nobody_sees(tmp_path: Path) -> None:
    found, _ = saved(tmp_path, FILES["shop/cart.py"].replace("sum(items)", "sum(items, 0)"))
    assert messages(found) == []


def test_rename(tmp_path: Path) -> None:
    found, after = saved(tmp_path, FILES["shop/cart.py"].replace("def total", "def grand_total"))
    assert messages(found) == snapshot(
        ["report.py: `cart` has no member `total`", "shop/till.py: module `shop.cart` has no `total`"]
    )
    assert found is not None and found.fix is not None
    assert found.fix.title == snapshot(
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
    assert found.fix.safe


def test_parameter_renamed(tmp_path: Path) -> None:
    found, after = saved(tmp_path, FILES["shop/cart.py"].replace("tax=0", "vat=0").replace("+ tax", "+ vat"))
    assert messages(found) == snapshot(["report.py: `total` has no parameter `tax`"])
    assert found is not None and found.fix is not None and found.fix.safe
    assert after["report.py"] == snapshot("""\
from shop import cart

print(cart.total([1], vat=3))
""")


def test_parameter_dropped(tmp_path: Path) -> None:
    found, after = saved(tmp_path, FILES["shop/cart.py"].replace(", tax=0", "").replace(" + tax", ""))
    assert messages(found) == snapshot(
        ["report.py: `total` has no parameter `tax`", "shop/till.py: `total` takes 1 by position, 2 given"]
    )
    assert found is not None and found.fix is not None
    assert not found.fix.safe
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
    found, after = saved(tmp_path, FILES["shop/cart.py"].replace("def add(self, item)", "def add(self, item, count)"))
    assert messages(found) == snapshot(["shop/till.py: `add` needs `count`"])
    assert found is not None and found.fix is not None
    assert not found.fix.safe
    assert after["shop/till.py"] == snapshot("""\
from shop.cart import Cart, total


def pay(items):
    Cart().add(1, ...)
    return total(items, 2)
""")


def test_removed_without_a_successor(tmp_path: Path) -> None:
    found, _ = saved(tmp_path, "class Cart:\n    def add(self, item): ...\n")
    assert messages(found) == snapshot(
        ["report.py: `cart` has no member `total`", "shop/till.py: module `shop.cart` has no `total`"]
    )
    assert found is not None
    assert found.fix is None


@pytest.mark.parametrize("text", ["", "def broken(:\n"])
def test_bad_text_is_survived(tmp_path: Path, text: str) -> None:
    found, _ = saved(tmp_path, text)
    assert (found is None) == bool(text)
