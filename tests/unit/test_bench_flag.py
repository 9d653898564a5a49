"""The flag bench on a small workspace: figures are there, and random mutation finds no fix that makes things worse."""

import argparse
import ast
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft_server.benches import flag
from graft_server.benches.faults import mutate

FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": '''"""Carts."""

from dataclasses import dataclass, field


@dataclass
class Item:
    name: str
    price: int
    count: int = 1


@dataclass
class Cart:
    owner: str
    items: list[Item] = field(default_factory=list)

    def add(self, item: Item, count: int = 1) -> None:
        for _ in range(count):
            self.items.append(item)

    def total(self, discount: int = 0) -> int:
        return sum(item.price * item.count for item in self.items) - discount
''',
    "shop/till.py": """import os
from shop.cart import Cart, Item


def load(path: str) -> Cart:
    cart = Cart(os.path.basename(path))
    cart.add(Item("apple", price=3), count=2)
    cart.add(Item("pear", 4))
    return cart


def pay(cart: Cart, limit: int) -> int:
    total = cart.total(discount=1)
    if total > limit:
        raise ValueError(f"{cart.owner} spends {total}")
    return total


def main() -> None:
    cart = load("a/b")
    print(pay(cart, 10), len(cart.items))
""",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_figures(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_STRICT", "1")
    parser = argparse.ArgumentParser()
    flag.add_arguments(parser)
    args = parser.parse_args(["--path", str(shop), "--faults", "10", "--mutations", "40", "--seed", "1"])
    figures = flag.run(args)
    assert figures["alarms"] == 0
    assert figures["files_checked"] == 3
    assert figures["faults_planted"] == 10
    assert figures["recall_share"] >= 0.7
    assert figures["mutations_tried"] == 40
    assert figures["mutation_findings"] > 0
    assert figures["mutation_fixes"] > 0
    assert figures["fixes_that_do_not_parse"] == 0
    assert figures["fixes_that_bring_new_findings"] == 0
    assert figures["mutation_crashes"] == 0
    assert (shop / "shop/cart.py").read_text() == FILES["shop/cart.py"]


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_mutations_change_the_text(seed: int) -> None:
    text = FILES["shop/till.py"]
    mutated = mutate(text, random.Random(seed))
    assert mutated is None or mutated != text


def test_the_sample_is_valid() -> None:
    for text in FILES.values():
        ast.parse(text)
