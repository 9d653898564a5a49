# ruff: noqa: E501
"""Golden cases: `undefined-name` and `unresolved-import`."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_testing.checks import Seen, fixed, see


def test_slip_of_a_local_name(tmp_path: Path) -> None:
    assert see(tmp_path, "def f(length):\n    return lenght + 1\n") == snapshot(
        Seen(
            findings=["2:12 [lenght] undefined-name: `lenght` is not defined; did you mean `length`?"],
            titles=["Change to `length` - checked: parses, resolves, finding gone, nothing new"],
            after="""\
def f(length):
    return length + 1
""",
        )
    )


def test_project_definition_is_imported(tmp_path: Path) -> None:
    assert see(
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
    ) == snapshot(
        Seen(
            findings=["3:17 [Cart] undefined-name: `Cart` is not defined"],
            titles=["Import `Cart` from shop.cart - checked: parses, resolves, finding gone, nothing new"],
            after="""\
import sys

from shop.cart import Cart

print(sys.argv, Cart())
""",
        )
    )


def test_standard_library_name_is_imported(tmp_path: Path) -> None:
    assert see(tmp_path, '"""Doc."""\nfrom os import sep\n\nprint(Path(sep))\n') == snapshot(
        Seen(
            findings=["4:7 [Path] undefined-name: `Path` is not defined"],
            titles=["Import `Path` from pathlib - checked: parses, resolves, finding gone, nothing new"],
            after='''\
"""Doc."""
from os import sep
from pathlib import Path

print(Path(sep))
''',
        )
    )


def test_module_is_imported(tmp_path: Path) -> None:
    assert see(tmp_path, "import sys\n\nprint(json.dumps(sys.argv))\n") == snapshot(
        Seen(
            findings=["3:7 [json] undefined-name: `json` is not defined"],
            titles=["Import `json` - checked: parses, resolves, finding gone, nothing new"],
            after="""\
import json
import sys

print(json.dumps(sys.argv))
""",
        )
    )


def test_name_joins_an_existing_import(tmp_path: Path) -> None:
    assert see(
        tmp_path, "from collections import (\n    OrderedDict,\n    deque,\n)\n\nOrderedDict, deque, defaultdict\n"
    ) == snapshot(
        Seen(
            findings=["6:21 [defaultdict] undefined-name: `defaultdict` is not defined"],
            titles=["Import `defaultdict` from collections - checked: parses, resolves, finding gone, nothing new"],
            after="""\
from collections import (
    OrderedDict,
    defaultdict,
    deque,
)

OrderedDict, deque, defaultdict
""",
        )
    )


def test_line_endings_are_kept(tmp_path: Path) -> None:
    assert see(tmp_path, "x = 1\r\nprint(os.sep)\r\n") == snapshot(
        Seen(
            findings=["2:7 [os] undefined-name: `os` is not defined"],
            titles=["Import `os` - checked: parses, resolves, finding gone, nothing new"],
            after="""\
import os\r
\r
x = 1\r
print(os.sep)\r
""",
        )
    )


def test_nothing_is_offered_for_a_name_nobody_knows(tmp_path: Path) -> None:
    assert see(tmp_path, "print(zyxwvu)\n") == snapshot(
        Seen(findings=["1:7 [zyxwvu] undefined-name: `zyxwvu` is not defined"], titles=[], after=None)
    )


def test_non_ascii_places(tmp_path: Path) -> None:
    assert see(tmp_path, "größe = 1\nprint('é', größse)\n") == snapshot(
        Seen(
            findings=["2:12 [größse] undefined-name: `größse` is not defined; did you mean `größe`?"],
            titles=["Change to `größe` - checked: parses, resolves, finding gone, nothing new"],
            after="""\
größe = 1
print('é', größe)
""",
        )
    )


def test_places_in_formatted_strings(tmp_path: Path) -> None:
    source = "def f(length):\n    return (f'''é {length:>{lenght}}\n{length!r}''' 'x'\n        f'{f\"{length}\"}{lenght=}')\n"
    assert see(tmp_path, source) == snapshot(
        Seen(
            findings=[
                "2:29 [lenght] undefined-name: `lenght` is not defined; did you mean `length`?",
                "4:25 [lenght] undefined-name: `lenght` is not defined; did you mean `length`?",
            ],
            titles=["Change to `length` - checked: parses, resolves, finding gone, nothing new"],
            after="""\
def f(length):
    return (f'''é {length:>{length}}
{length!r}''' 'x'
        f'{f"{length}"}{lenght=}')
""",
        )
    )


def test_characters_by_name_in_formatted_strings_are_no_names(tmp_path: Path) -> None:
    source = "size = 1\nprint(f'\\N{BULLET} {size} \\\\N{sixe}', rf'\\N{sixe}')\n"
    assert [f.split(" ", 1)[0] for f in see(tmp_path, source).findings] == snapshot(["2:31", "2:45"])


def test_a_part_of_a_formatted_string_is_not_asked_for(tmp_path: Path) -> None:
    source = (
        "def f(d, kind):\n    if f'{kind}nme' in d:\n        print(nme)\n    if 'other' in d:\n        print(other)\n"
    )
    assert see(tmp_path, source).findings == snapshot(["3:15 [nme] undefined-name: `nme` is not defined"])


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
    //- /colours.py
    import enum
    @enum.global_enum
    class Colour(enum.Enum):
        RED = 1
        BLUE = 2
"""


def test_misspelt_import_is_respelt_with_its_uses(tmp_path: Path) -> None:
    assert see(
        tmp_path, PACKAGE + "    //- /main.py\n    from shop.cart import totl\n\n    print(totl([]))\n"
    ) == snapshot(
        Seen(
            findings=["1:23 [totl] unresolved-import: module `shop.cart` has no `totl`; did you mean `total`?"],
            titles=["Change to `total` - checked: parses, resolves, finding gone, nothing new"],
            after="""\
from shop.cart import total

print(total([]))
""",
        )
    )


def test_name_that_moved(tmp_path: Path) -> None:
    assert see(
        tmp_path, PACKAGE + "    //- /main.py\n    from shop.cart import Cart, Order\n\n    Cart, Order\n"
    ) == snapshot(
        Seen(
            findings=["1:29 [Order] unresolved-import: module `shop.cart` has no `Order`"],
            titles=["Import `Order` from shop.orders - checked: parses, resolves, finding gone, nothing new"],
            after="""\
from shop.orders import Order
from shop.cart import Cart

Cart, Order
""",
        )
    )


def test_misspelt_module(tmp_path: Path) -> None:
    assert see(tmp_path, PACKAGE + "    //- /main.py\n    from shop.crat import Cart\n\n    Cart\n") == snapshot(
        Seen(
            findings=["1:6 [shop.crat] unresolved-import: there is no module `shop.crat`; did you mean `cart`?"],
            titles=["Change to `shop.cart` - checked: parses, resolves, finding gone, nothing new"],
            after="""\
from shop.cart import Cart

Cart
""",
        )
    )


@pytest.mark.parametrize(
    "line",
    [
        "from shop.cart import Cart",
        "from colours import RED\n    import colours\n    colours.BLUE",
        "try:\n        from shop.cart import Nope\n    except ImportError:\n        Nope = None",
        "from shop import orders",
        "import some_package_that_is_not_installed",
        "import pytest\n    with pytest.raises(ImportError):\n        from shop.cart import Nope",
        "import sys\n    v = sys.version_info\n    py3k = v.major > 2\n    if not py3k:\n        from shop.cart import Nope",
        "from compat import old\n    if old:\n        from shop.cart import Nope\n"
        "    //- /compat.py\n    import sys\n    old = sys.version_info < (3,)",
    ],
)
def test_imports_that_stand(tmp_path: Path, line: str) -> None:
    assert see(tmp_path, PACKAGE + f"    //- /main.py\n    {line}\n").findings == []


ENVIRONMENT = """
    //- /.venv/pyvenv.cfg
    home = /usr/bin
    version = 3.11.2
    //- /.venv/lib/python3.11/site-packages/there/__init__.py
    here = 1
    //- /.venv/lib/python3.11/site-packages/made/__init__.py
    from . import builder
    //- /.venv/lib/python3.11/site-packages/made/builder.py
    import sys
    sys.meta_path.append(object())
    //- /main.py
"""


@pytest.mark.parametrize(
    ("code", "findings"),
    [
        (
            "from absent.nodes import Node\nfrom absent import types\nimport absent.util\nimport gone\nfrom there import here",
            [
                "1:6 [absent.nodes] unresolved-import: package `absent` is not installed",
                "4:8 [gone] unresolved-import: package `gone` is not installed",
            ],
        ),
        (
            "try:\n    import absent\nexcept ImportError:\n    absent = None\nimport absent.nodes",
            ["5:8 [absent.nodes] unresolved-import: package `absent` is not installed"],
        ),
        (
            "def later():\n    import absent\nfrom absent import nodes",
            ["3:6 [absent] unresolved-import: package `absent` is not installed"],
        ),
        (
            # A package with an import hook: its modules need no files.
            "import made.curried\nfrom made.other import x\nimport there.gone",
            ["3:8 [there.gone] unresolved-import: there is no module `there.gone`"],
        ),
        (
            "from there import her",
            ["1:19 [her] unresolved-import: module `there` has no `her`; did you mean `here`?"],
        ),
    ],
)
def test_packages_that_are_not_installed_are_named_once(tmp_path: Path, code: str, findings: list[str]) -> None:
    indented = "".join(f"    {line}\n" for line in code.split("\n"))
    assert see(tmp_path, ENVIRONMENT + indented).findings == findings


@pytest.mark.parametrize(
    "code",
    [
        "from typing import TYPE_CHECKING\n    'on any platform'\n    if TYPE_CHECKING:\n        from shop.cart import Nope",
        "import sys\n    old = sys.version_info < (3,)\n    def f(old):\n        if old:\n            from shop.cart import Nope",
    ],
)
def test_imports_that_only_look_guarded(tmp_path: Path, code: str) -> None:
    assert len(see(tmp_path, PACKAGE + f"    //- /main.py\n    {code}\n").findings) == 1


def test_a_variable_that_is_only_called_like_the_platform_s_guards_nothing(tmp_path: Path) -> None:
    source = PACKAGE + "    //- /main.py\n    name = input()\n    if name:\n        from shop.cart import Nope\n"
    assert see(tmp_path, source).findings == snapshot(
        ["3:27 [Nope] unresolved-import: module `shop.cart` has no `Nope`"]
    )


def test_fix_all_mends_what_is_safe(tmp_path: Path) -> None:
    assert fixed(
        tmp_path, "def f(length):\n    return lenght + os.sep\n\n\ndef g(width):\n    return widht, zyxwvu\n"
    ) == snapshot("""\
import os


def f(length):
    return length + os.sep


def g(width):
    return width, zyxwvu
""")
