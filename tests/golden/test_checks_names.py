"""Golden cases: `undefined-name` and `unresolved-import`."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_testing.checks import Seen, fixed, see


def test_slip_of_a_local_name(tmp_path: Path) -> None:
    assert see(tmp_path, "def f(length):\n    return lenght + 1\n") == snapshot()


def test_project_definition_is_imported(tmp_path: Path) -> None:
    assert (
        see(
            tmp_path,
            """
        //- /shop/__init__.py
        //- /shop/cart.py
        class Cart:
            pass
        //- /main.py
        import sys

        print(sys.argv, Cart())
        """,
        )
        == snapshot()
    )


def test_standard_library_name_is_imported(tmp_path: Path) -> None:
    assert see(tmp_path, '"""Doc."""\nfrom os import sep\n\nprint(Path(sep))\n') == snapshot()


def test_module_is_imported(tmp_path: Path) -> None:
    assert see(tmp_path, "import sys\n\nprint(json.dumps(sys.argv))\n") == snapshot()


def test_name_joins_an_existing_import(tmp_path: Path) -> None:
    assert (
        see(tmp_path, "from collections import (\n    OrderedDict,\n    deque,\n)\n\nOrderedDict, deque, defaultdict\n")
        == snapshot()
    )


def test_line_endings_are_kept(tmp_path: Path) -> None:
    assert see(tmp_path, "x = 1\r\nprint(os.sep)\r\n") == snapshot()


def test_nothing_is_offered_for_a_name_nobody_knows(tmp_path: Path) -> None:
    assert see(tmp_path, "print(zyxwvu)\n") == snapshot()


def test_non_ascii_places(tmp_path: Path) -> None:
    assert see(tmp_path, "größe = 1\nprint('é', größse)\n") == snapshot()


@pytest.mark.parametrize(
    "source",
    [
        "from math import *\nprint(sin(1))\n",
        "try:\n    unicode\nexcept NameError:\n    unicode = str\n",
        "def f():\n    global g\n    g = 1\n\nprint(g)\n",
        "exec('x = 1')\nprint(x)\n",
        "print(__file__, __name__)\n",
        "print(undefined)  # noqa: F821\n",
        "print(undefined)  # type: ignore[name-defined]\n",
        "# graft: ignore-file\nprint(undefined)\n",
        "class A:\n    def f(self): return __class__\n",
        "def broken(:\n    print(undefined)\n",
    ],
)
def test_silence(tmp_path: Path, source: str) -> None:
    assert see(tmp_path, source) == Seen([], [], None)


PACKAGE = """
    //- /shop/__init__.py
    //- /shop/cart.py
    class Cart: ...
    def total(items): ...
    //- /shop/orders.py
    class Order: ...
"""


def test_misspelt_import_is_respelt_with_its_uses(tmp_path: Path) -> None:
    assert (
        see(tmp_path, PACKAGE + "    //- /main.py\n    from shop.cart import totl\n\n    print(totl([]))\n")
        == snapshot()
    )


def test_name_that_moved(tmp_path: Path) -> None:
    assert (
        see(tmp_path, PACKAGE + "    //- /main.py\n    from shop.cart import Cart, Order\n\n    Cart, Order\n")
        == snapshot()
    )


def test_misspelt_module(tmp_path: Path) -> None:
    assert see(tmp_path, PACKAGE + "    //- /main.py\n    from shop.crat import Cart\n\n    Cart\n") == snapshot()


@pytest.mark.parametrize(
    "line",
    [
        "from shop.cart import Cart",
        "try:\n        from shop.cart import Nope\n    except ImportError:\n        Nope = None",
        "from shop import orders",
        "import some_package_that_is_not_installed",
    ],
)
def test_imports_that_stand(tmp_path: Path, line: str) -> None:
    assert see(tmp_path, PACKAGE + f"    //- /main.py\n    {line}\n").findings == []


def test_fix_all_mends_what_is_safe(tmp_path: Path) -> None:
    assert (
        fixed(tmp_path, "def f(length):\n    return lenght + os.sep\n\n\ndef g(width):\n    return widht, zyxwvu\n")
        == snapshot()
    )
