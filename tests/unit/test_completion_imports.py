"""The import statement at the cursor: what stands there, what the file misses, how the list is completed."""

import ast
from pathlib import Path

import pytest

from graft_indexer.pygraph import open_graph
from graft_models.engine import ScriptedAnswer
from graft_server.completion import graphonly
from graft_server.completion.anchor import Place, place_of
from graft_server.completion.confidence import fitted
from graft_server.completion.imports import (
    FromImport,
    ModuleName,
    from_import,
    importable,
    in_order,
    missing,
    module_name,
    rest_of_list,
)
from graft_server.completion.model import Snapshot, Switches
from graft_server.completion.options import options_at
from graft_server.diagnosis.scopes import missing_names
from graft_testing.completing import complete, seen
from graft_testing.fixture import parse_fixture

LIB = """
//- /lib.py
import os
class Shape: ...
class Line: ...
LIMIT = 3
def make(): ...
def paint(): ...
def _hidden(): ...
"""


def at(source: str) -> Place:
    fixture = parse_fixture(source)
    return place_of(Snapshot(fixture.path, fixture.text, fixture.offset))


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("from m import ", FromImport(0, "m", (), "")),
        ("x = 1\nfrom ..m.n import a, b as c, be", FromImport(2, "m.n", ("a", "b"), "be", ("a", "c"))),
        ("from . import (\n    a,\n    b,  # why\n    ", FromImport(1, "", ("a", "b"), "", ("a", "b"))),
        ("from m import a", FromImport(0, "m", (), "a")),
        ("from m import a ", None),
        ("from m import (\n    # shapes\n\n    a,\n    # more\n    ", FromImport(0, "m", ("a",), "", ("a",))),
        ("from m import a, \\\n    ", FromImport(0, "m", ("a",), "", ("a",))),
        ("from m import a,\n", None),
        ("from m import (a)\nb", None),
        ("from m import (\n    a,\n)\nb", None),
        ("from m", None),
        ("x = [\n    a,\n    ", None),
        ("yield from m import ", None),
    ],
)
def test_where_a_name_is_imported(before: str, expected: FromImport | None) -> None:
    assert from_import(before) == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("import ", ModuleName(0, "", "", True)),
        ("import a.b as c, os.pa", ModuleName(0, "os", "pa", True, ("c",))),
        ("from ..", ModuleName(2, "", "", False)),
        ("from a.b", ModuleName(0, "a", "b", False)),
        ("from a import ", None),
        ("import a as ", None),
    ],
)
def test_where_a_module_is_named(before: str, expected: ModuleName | None) -> None:
    assert module_name(before) == expected


@pytest.mark.parametrize(
    ("line", "names", "left"),
    [
        ("from m import ", "a b _c __loader__ __version__", "a b __version__"),
        ("from m import a, ", "a b", "b"),
        ("from m import (a, b as c, ", "a b c d", "c d"),
        ("from m import _", "a _c", "a _c"),
        ("from m import ", "_c _d", "_c _d"),
        ("from m import a, ", "a _c", "_c"),
        ("from m import ", "a Used", "a"),
        ("from m import Us", "a Used", "a Used"),
    ],
)
def test_what_an_import_may_still_take(line: str, names: str, left: str) -> None:
    item = from_import(line)
    assert item is not None
    assert importable(names.split(), item, {"Used"}) == tuple(left.split())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import $0\nx = make(Shape)\n", "make Shape"),
        ("from lib import $0\nx = make(Shape)\n", "make Shape"),
        ("from lib import $0, Shape\nx = make(Shape)\n", "make"),
        ("from lib import (\n    $0\n    Shape,\n)\nx = make(Shape)\n", "make"),
        ("try:\n    from lib import $0\nexcept ImportError:\n    make = None\nx = make(Shape)\n", "Shape"),
        ("import $0\nfrom a import b\ndef f(b, c: Any):\n    return b + os.sep + later\nlater = 1\n", "Any os"),
        ("from .a import $0\n__all__ = ['A', 'b']\ndef b(): ...\n", "A"),
        ("from lib import $0\nfrom other import *\nmake()\n", ""),
        ("from lib import $0\nglobals().update(x=1)\nmake()\n", ""),
        ("from lib import $0\nmake(\n", ""),
        ("from lib import $0\nmake('\\d')\n", "make"),
        ("import os, $0\nprint(os.sep, lib)\n", "lib"),
        ("import os.path as lib, $0\nprint(os.sep, lib)\n", "os"),
        ("from lib import Shape as make, $0\nx = make(Shape)\n", "Shape"),
        ("from lib import $0\ndef f(x: 'list[Shape]', y: 'not a type') -> 'f': ...\n", "Shape"),
        ("x = 1$0\nmake()\n", ""),
    ],
)
def test_what_the_file_misses(source: str, expected: str) -> None:
    assert " ".join(missing(at(source))) == expected


def test_names_that_are_only_deleted_are_not_missed() -> None:
    assert missing_names(ast.parse("del gone\nprint(here)\n")) == ["here"]


def test_the_order_of_sorted_imports() -> None:
    assert in_order(["make", "Shape", "LIMIT", "area", "T", "Line"]) == ["LIMIT", "Line", "Shape", "T", "area", "make"]


@pytest.mark.parametrize(
    ("line", "names", "expected"),
    [
        ("from m import ", ["make", "Shape"], "Shape, make"),
        ("from m import ma", ["make", "Shape"], "ke, Shape"),
        ("from m import make", ["make", "Shape"], ", Shape"),
        ("from m import x", ["make"], ""),
        ("from m import a,", ["make"], " make"),
        ("    ", ["make", "Shape"], "Shape,"),
        ("    make", ["make", "Shape"], ""),
        ("from m import ", ["a" * 40, "b" * 40, "c" * 40], "a" * 40),
    ],
)
def test_the_rest_of_the_list(line: str, names: list[str], expected: str) -> None:
    item = from_import(line if "from" in line else f"from m import (\n{line}")
    assert item is not None
    assert rest_of_list(item, names, line) == expected


@pytest.mark.parametrize(
    ("source", "said", "expected"),
    [
        # What the file does not miss may be imported all the same.
        ("from lib import $0\nprint(make())\n", "paint\n", "from lib import paint|"),
        (
            "try:\n    from a import make\nexcept ImportError:\n    from lib import $0\nprint(make(Shape))\n",
            "make\n",
            "    from lib import make|",
        ),
        ("from lib import p$0\nprint(make())\n", "aint\n", "from lib import paint|"),
    ],
)
async def test_a_model_may_import_anything_that_is_there(tmp_path: Path, source: str, said: str, expected: str) -> None:
    switches = Switches(fallback=False)
    completions, text, _ = await complete(f"{LIB}//- /main.py\n{source}", said, root=tmp_path, switches=switches)
    assert seen(completions, text) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from lib import $0\nprint(make(Shape))\n", "from lib import Shape, make|"),
        ("from lib import Shape, $0\nprint(make(Shape))\n", "from lib import Shape, make|"),
        ("from lib import ma$0\nprint(make(Shape))\n", "from lib import make, Shape|"),
        ("from lib import (\n    $0\n)\nprint(make(Shape))\n", "    Shape,|"),
        ("import $0\nprint(lib.make())\n", "import lib|"),
        ("from lib import ($0)\nprint(make(Shape))\n", "from lib import (Shape, make|)"),
        ("from lib import (\n    $0\n    make,\n)\nprint(make(Shape))\n", "    Shape,|"),
        ("from lib import make,$0\nprint(make(Shape))\n", "from lib import make, Shape|"),
        ("from lib import $0\nprint(os.sep, make())\n", "from lib import make|"),
        ("from pathlib import $0\nprint(os.sep, sys.path, Path())\n", "from pathlib import Path|"),
        ("from typing import $0\nprint(os.sep, sys.path)\nx: Any\n", "from typing import Any|"),
        (
            "from collections.abc import $0\ndef f(x: Iterable, y: Mapping): ...\n",
            "from collections.abc import Iterable, Mapping|",
        ),
        ("from os.path import $0\nprint(join, exists)\n", "from os.path import exists, join|"),
        ("from .$0\nprint(1)\n", "(model: said nothing new (end))"),
        ("import $0\nprint(main.x)\n", "(model: said nothing new (end))"),
        ("import os, $0\nprint(os.sep)\n", "(model: said nothing new (end))"),
        ("import os,$0\nprint(lib.make(), os)\n", "import os, lib|"),
        ("from lib import $0\n", "(model: said nothing new (end))"),
        # A parameter goes where its name stands already.
        ("class A:\n    def __init__(self, width):\n        self._width = $0\n", "        self._width = width|"),
        (
            "class A:\n    def __init__(self, width):\n        self.width: int = $0\n",
            "        self.width: int = width|",
        ),
        ("class A:\n    def f(self, width):\n        self.width =$0\n", "        self.width = width|"),
        ("class A:\n    def f(self, width):\n        self.width=$0\n", "        self.width=width|"),
        ("def f(width, x):\n    if x == 'width':$0\n", "(model: said nothing new (end))"),
        ("def f(self, start, a, b):\n    b[self.start: a] = $0\n", "(model: said nothing new (end))"),
        ("class A:\n    def f(self, width):\n        self.width:int=$0\n", "        self.width:int=width|"),
        ("def f(xs):\n    g(width=$0)\n    width = xs\n", "(model: said nothing new (end))"),
        ("def f(width):\n    return f'{width:w$0}'\n", "(model: said nothing new (end))"),
        # Keywords where they may stand.
        ("def f(x):\n    try:\n        pass\n    final$0\n", "    finally|"),
        ("def f(x):\n    return retu$0\n", "(model: said nothing new (end))"),
        ("def f(x):\n    x = impo$0\n", "(model: said nothing new (end))"),
        ("retu$0\n", "(model: said nothing new (end))"),
        # What a line binds that does not parse.
        ("def f(x):\n    summed = sum(x\n    return summ$0\n", "    return summed|"),
        # Not what this very statement binds first.
        ("def f(x):\n    item_list = [str(item_l$0\n", "(model: said nothing new (end))"),
        ("def f(item_list):\n    item_list = [str(item_l$0\n", "    item_list = [str(item_list|"),
        # Not what some file sets on it knows what.
        (
            "from lib import Shape\ndef g(it):\n    it.shade = 1\nx = Shape()\nx.sh$0\n",
            "(model: said nothing new (end))",
        ),
        # Not what is bound below, or within a function.
        (
            "def a():\n    day = 1\n    return day\n\n\nda$0\n    for x in (1, 2):\n        day = x\n",
            "(model: said nothing new (end))",
        ),
        ("def f(width, x):\n    x, width = $0\n", "(model: said nothing new (end))"),
        ("def f(width):\n    g(\n        1,\n        width=$0\n    )\n", "        width=width|"),
        ("def f(width, wide):\n    g(width=w$0)\n", "    g(width=width|)"),
        ("def f(width):\n    return {'width': $0}\n", "    return {'width': width|}"),
        ("def f(width, x):\n    x['width'] = $0\n", "    x['width'] = width|"),
        ("def f(width):\n    def g(width=$0\n", "(model: said nothing new (end))"),
        (
            "class A(Shape):\n    def dry(self): ...\nclass B(A):\n    def dry(self):\n        super().$0\n",
            "        super().dry|",
        ),
        (
            "class A:\n    def wet(self): ...\nclass B(A):\n    def wet(s):\n        def i(): 1\n        super().$0\n",
            "        super().wet|",
        ),
        (
            "class A:\n    def wet(self): ...\nclass B(A):\n    @property\n    def wet(s):\n        super(B, s).$0\n",
            "        super(B, s).wet|",
        ),
        ("def f(height, self):\n    self.width = $0\n", "(model: said nothing new (end))"),
    ],
)
async def test_said_without_a_model(tmp_path: Path, source: str, expected: str) -> None:
    completions, text, _ = await complete(f"{LIB}//- /main.py\n{source}", "", root=tmp_path)
    assert seen(completions, text) == expected


async def test_what_is_missed_goes_before_a_longer_list_of_the_models(tmp_path: Path) -> None:
    made = fitted()
    assert made is not None
    said = ScriptedAnswer("", tokens=("Line", ", ", "Shape", ", ", "make", ", ", "paint", "\n"), logprob=-0.001)
    source = f"{LIB}//- /main.py\nfrom lib import $0\nprint(make())\n"
    alone = Switches(fallback=False)
    completions, text, _ = await complete(source, said, root=tmp_path, model=made.model, switches=alone)
    model = next(c for c in completions if c.shown)
    assert seen(completions, text) == "from lib import Line, Shape, make, paint|"
    completions, text, _ = await complete(source, said, root=tmp_path, model=made.model)
    assert seen(completions, text) == "from lib import make|"
    assert completions[0].source == "graph" and completions[0].gain < model.gain
    # By hand, as `graft complete` asks, the model's text has no likelihood.
    completions, text, _ = await complete(source, said, root=tmp_path, model=made.model, manual=True)
    assert seen(completions, text) == "from lib import make|"


@pytest.mark.parametrize(
    ("source", "tokens", "expected"),
    [
        ("from lib import $0\nprint(make(Shape))\n", ("Shape", ", ", "Line"), "from lib import Shape, make|"),
        (
            "class A:\n    def __init__(self, width):\n        self.width = $0\n",
            ("int", "(", "width", ")"),
            "        self.width = width|",
        ),
    ],
)
async def test_any_guess_goes_before_a_mere_beginning_of_unknown_likelihood(
    tmp_path: Path, source: str, tokens: tuple[str, ...], expected: str
) -> None:
    said = ScriptedAnswer("", tokens=(*tokens, "\n"), logprobs=(-0.01, *[-5.0] * len(tokens)))
    completions, text, _ = await complete(f"{LIB}//- /main.py\n{source}", said, root=tmp_path, model="other")
    assert seen(completions, text) == expected and completions[0].source == "graph"


async def test_by_hand_the_models_text_goes_before_what_the_graph_only_guesses(tmp_path: Path) -> None:
    source = f"{LIB}//- /main.py\ndef f(width):\n    g(width=$0)\n"
    completions, text, _ = await complete(source, "42", root=tmp_path, manual=True)
    assert seen(completions, text) == "    g(width=42|)"


def test_missed_names_lead_the_list(tmp_path: Path) -> None:
    fixture = parse_fixture(f"{LIB}//- /main.py\nfrom lib import $0\nprint(paint(Shape))\n")
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    try:
        graph.open_buffer(fixture.path, fixture.text)
        place = place_of(Snapshot(fixture.path, fixture.text, fixture.offset))
        found = options_at(graph, fixture.path, place)
        assert [o.name for o in found.options[:2]] == ["paint", "Shape"]
        guess = graphonly.suggest(graph, fixture.path, place)
        assert guess is not None and guess.text == "Shape, paint"
    finally:
        graph.close()
