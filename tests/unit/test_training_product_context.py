"""The parts of other files in training data are what the product would show."""

from __future__ import annotations

import random

from graft_models.prompt import ContextPart
from graft_training.neighbours import Neighbours
from graft_training.product_context import ProductContext, safe

SHOP = "def price_of(item: str, *, count: int) -> float:\n    return 2.5 * count\n"
MAIN = "from pkg.shop import price_of\n\n\ndef total(items):\n    return sum(price_of(i, count=1) for i in items)\n"
DOCUMENTS = [("pkg/__init__.py", "x = 1\n"), ("pkg/shop.py", SHOP), ("pkg/main.py", MAIN)]


def test_a_definition_used_near_the_hole_is_shown() -> None:
    with ProductContext(DOCUMENTS) as product:
        before = MAIN[: MAIN.index("    return")]
        parts = product.parts("pkg/main.py", before, "", 256)
        assert any(
            p.path == "pkg/shop.py" and "def price_of(item: str, *, count: int) -> float" in p.text for p in parts
        )
        assert all(p.path != "pkg/main.py" for p in parts)
        parts_counted, near = product.counted("pkg/main.py", before, "", 256)
        assert {n.path for n in near} == {"pkg/__init__.py", "pkg/shop.py"} and near[0].text == SHOP
        assert all(p.kind == "usage" for p in parts_counted)
        assert product.counted("pkg/absent.py", "x = ", "", 256) == ((), ())
        folder = product.folder
        # Another file, then the first one again: every question sees the file as it was given.
        assert {p.path for p in product.parts("pkg/shop.py", SHOP, "", 256)} <= {"pkg/main.py"}
        assert product.parts("pkg/main.py", before, "", 256) == parts
        assert product.parts("pkg/absent.py", "x = ", "", 256) == ()
    assert not folder.exists()


def test_paths_stay_below_the_folder() -> None:
    assert safe("a/b.py")
    assert not safe("../a.py")
    assert not safe("/etc/a.py")


def test_noise_comes_before_the_parts_and_as_often_as_asked() -> None:
    around = Neighbours([("a.py", "first_name = second_name + third_name\n")])
    part = ContextPart("b.py", "def f(): ...")
    draw = random.Random(1)
    drawn = [around.with_noise((part,), 0.25, draw) for _ in range(400)]
    noisy = [parts for parts in drawn if len(parts) == 2]
    assert all(parts[-1] == part for parts in drawn)
    assert 60 < len(noisy) < 140
    assert {parts[0].path for parts in noisy} == {"a.py"}
    assert Neighbours([]).with_noise((part,), 1.0, draw) == [part]
