"""The small project that the editors' tests work in."""

from __future__ import annotations

from pathlib import Path

SHOP = '''\
"""Prices."""


class Basket:
    """What someone buys."""

    def __init__(self, items: list[float]) -> None:
        self.items = items
        self.discount_percent = 0.0

    def total_price(self) -> float:
        """Sum of the items, less the discount."""
        return sum(self.items) * (1 - self.discount_percent / 100)


def make_basket(items: list[float]) -> Basket:
    """A basket with these prices."""
    return Basket(items)
'''
MAIN = """\
from shop import make_basket


def order(items):
    basket = make_basket(items)
    return basket.total_price()
"""
MISSPELT = MAIN.replace("= make_basket(", "= make_baskt(")


def project(folder: Path, *, main: str = MAIN) -> Path:
    """Write the project into a folder, with this text of main.py."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text("")
    (folder / "shop.py").write_text(SHOP)
    (folder / "main.py").write_text(main)
    return folder
