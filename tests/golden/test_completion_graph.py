"""Completion with a real graph: what is constrained, what is cut, what is said without a model, what the model sees."""

from pathlib import Path

import pytest

from graft_indexer.pygraph import open_graph
from graft_models.engine import Need, Trigger
from graft_server.completion.anchor import place_of
from graft_server.completion.constraint import allowed, trigger_at
from graft_server.completion.model import Snapshot, Switches
from graft_server.settings import Settings
from graft_testing.completing import complete, seen
from graft_testing.fixture import parse_fixture

SHAPES = """
//- /shapes.py
class Shape:
    \"\"\"Anything with an area.\"\"\"

    def __init__(self, name: str) -> None:
        self.name = name

    def area(self, scale: float) -> float:
        return scale


def make(width: int, *, height: int) -> Shape:
    return Shape(str(width * height))
//- /main.py
from shapes import Shape, make

"""


async def shown(root: Path, source: str, said: str, *, switches: Switches | None = None) -> str:
    completions, text, _ = await complete(SHAPES + source, said, root=root, switches=switches)
    return seen(completions, text)


@pytest.mark.parametrize(
    ("source", "said", "expected"),
    [
        # Members: the engine is held to what there is.
        ("shape = Shape('a')\nx = shape.$0\n", "length + 1\n", "x = shape.area + 1|"),
        ("shape = Shape('a')\nx = $0\n", "shape.area(2.0)\n", "x = shape.area(2.0)|"),
        # Names, keywords, arity: cut back to the last good token.
        ("total = 1\nx = $0\n", "total + totl\n", "x = total|"),
        ("shape = Shape('a')\nprint(shape.na$0\n", "me, other)\n", "print(shape.name|"),
        ("x = $0\n", "undefined_thing(1)\n", "(names: undefined_thing is not defined here)"),
        ("x = $0\n", "make(1, heigth=2)\n", "x = make|"),
        ("x = $0\n", "make(1, height=2)\n", "x = make(1, height=2)|"),
        ("x = $0\n", "make(1, 2, 3)\n", "x = make|"),
        ("x = $0\n", "make(1)\n", "x = make|"),
        ("from shapes import $0\n", "Circle\n", "from shapes import Shape|"),
        # What binds is no mistake.
        ("for $0\n", "item in [1, 2]:\n", "for item in [1, 2]:|"),
        ("x = $0\n", "[value * 2 for value in [1, 2]]\n", "x = [value * 2 for value in [1, 2]]|"),
        ("x = $0\n", "lambda a, b: a + b\n", "x = lambda a, b: a + b|"),
        (
            "def f(shape: Shape):\n    $0\n",
            "result = shape.area(1.0)\n    return result\n",
            "    result = shape.area(1.0)\n    return result|",
        ),
        ("def f(shape: Shape):\n    shape.$0\n", "extra = 1\n", "    shape.extra = 1|"),
        ("with open('x') as $0\n", "handle:\n", "with open('x') as handle:|"),
        # A name is not read where it is bound first.
        ("def f():\n    total = $0\n", "total + 1\n", "(names: total is not defined yet)"),
        ("def f(total):\n    total = $0\n", "total + 1\n", "    total = total + 1|"),
        ("total = $0\n", "total + 1\n", "(names: total is not defined yet)"),
        ("int = $0\n", "int + 1\n", "int = int + 1|"),
        ("def f(xs):\n    names = $0\n", "[names for names in xs]\n", "    names = [names for names in xs]|"),
        ("def f():\n    names = $0\n", "[n for n in names]\n", "(names: names is not defined yet)"),
        (
            "def f(xs):\n    names = $0\n",
            "[n for n in xs for names in n]\n",
            "    names = [n for n in xs for names in n]|",
        ),
        ("names = $0\n\n\nlater = 1\n", "[n for n in later]\n", "(names: later is not defined yet)"),
        ("def f(a):\n    key = lambda $0\n", "key: key.x\n", "    key = lambda key: key.x|"),
        # Nor before it is bound, where code runs as it stands.
        ("x = $0\n\n\ndef later(): ...\n", "later()\n", "(names: later is not defined yet)"),
        ("def f():\n    return $0\n\n\ndef later(): ...\n", "later()\n", "    return later()|"),
        ("x = lambda: $0\n\n\ndef later(): ...\n", "later()\n", "x = lambda: later()|"),
        ("class A:\n    x = $0\n\n\nlater = 1\n", "later\n", "(names: later is not defined yet)"),
        # Open receivers are let alone.
        ("def f(thing):\n    return thing.$0\n", "whatever()\n", "    return thing.whatever()|"),
    ],
)
async def test_checked(tmp_path: Path, source: str, said: str, expected: str) -> None:
    assert await shown(tmp_path, source, said) == expected


async def test_without_constraint_the_gate_still_cuts(tmp_path: Path) -> None:
    source = "shape = Shape('a')\nvalue = shape.$0\n"
    assert await shown(tmp_path, source, "length + 1\n", switches=Switches(constraint=False, fallback=False)) == (
        "(names: shape has no member length)"
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("shape = Shape('a')\nshape.ar$0\n", "shape.area|"),
        ("shape = Shape('a')\nprint(shape.na$0)\n", "print(shape.name|)"),
        ("shape = Shape('a')\nitems = [1, f(shape.na$0\n", "items = [1, f(shape.name|"),
        ("from shapes import Sha$0\n", "from shapes import Shape|"),
        ("from sha$0\n", "from shapes|"),
        ("width = 1\nheight = 2\nx = make($0\n", "x = make(width, height=height)|"),
        ("width = 1\nheight = 2\nx = make($0)\n", "x = make(width, height=height)|"),
        ("later_name = 1\n\n\ndef f(\n    later$0\n):\n    pass\n", "(model: said nothing new (end))"),
        ("def f(\n    pa$0\n):\n    pass\n", "(model: said nothing new (end))"),
        ("from shapes import make as N$0\n", "(model: said nothing new (end))"),
        ("x = later_n$0\n\n\nlater_name = 1\n", "(model: said nothing new (end))"),
        # What is decorated is no decorator.
        ("class A:\n    @proj$0\n    def project_name(self):\n        pass\n", "(model: said nothing new (end))"),
        ("class A:\n    @prop$0\n    def property_name(self):\n        pass\n", "    @property|"),
        ("other = 1\nx = make($0)\n", "(model: said nothing new (end))"),
        ("shape = Shape('a')\nshape.$0\n", "(model: said nothing new (end))"),
    ],
)
async def test_without_a_model(tmp_path: Path, source: str, expected: str) -> None:
    completions, text, _ = await complete(SHAPES + source, "", root=tmp_path)
    assert seen(completions, text) == expected


async def test_definitions_of_other_files_are_context(tmp_path: Path) -> None:
    _, _, engine = await complete(SHAPES + "shape = make(1, height=2)\nx = $0\n", "shape\n", root=tmp_path)
    parts = engine.requests[0].hole.context
    assert [(p.kind, p.path) for p in parts] == [("definition", "shapes.py"), ("usage", "shapes.py")]
    assert "def make(width: int, *, height: int) -> Shape:" in parts[0].text
    assert "return Shape(str(width * height))" not in parts[0].text


async def test_secret_files_are_no_context(tmp_path: Path) -> None:
    source = """
//- /secrets.py
def token_of(user): ...
//- /main.py
from secrets import token_of
x = token_of(1)
y = $0
"""
    settings = Settings(completion_delay="none", completion_disabled_globs=("**/secrets.*",))
    _, _, engine = await complete(source, "x\n", root=tmp_path, settings=settings)
    assert engine.requests[0].hole.context == ()


@pytest.mark.parametrize(
    ("settings", "switches", "seen"),
    [
        (Settings(completion_delay="none"), Switches(), True),
        (Settings(completion_delay="none", completion_context=False), Switches(), False),
        (Settings(completion_delay="none"), Switches(context=False), False),
    ],
)
async def test_context_can_be_switched_off(tmp_path: Path, settings: Settings, switches: Switches, seen: bool) -> None:
    source = SHAPES + "shape = make(1, height=2)\nx = $0\n"
    _, _, engine = await complete(source, "x\n", root=tmp_path, settings=settings, switches=switches)
    assert bool(engine.requests[0].hole.context) == seen


@pytest.mark.parametrize(
    ("source", "generated", "names", "closed"),
    [
        ("shape = Shape('a')\nx = shape.$0\n", "", {"area", "name"}, True),
        ("shape = Shape('a')\nx = shape.ar$0\n", "", {"area", "name"}, True),
        ("shape = Shape('a')\nx = f(1, shape.$0\n", "", {"area", "name"}, True),
        ("shape = Shape('a')\nx = $0\n", "make(1, height=2).", {"area", "name"}, True),
        ("shape = Shape('a')\nshape.$0\n", "", {"area", "name"}, False),
        ("from shapes import $0\n", "", {"Shape", "make"}, True),
        ("from shapes import Shape, m$0\n", "", {"make"}, True),
        ("import $0\n", "", {"shapes"}, False),
    ],
)
def test_what_the_engine_is_told(tmp_path: Path, source: str, generated: str, names: set[str], closed: bool) -> None:
    fixture = parse_fixture(SHAPES + source)
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    graph.open_buffer(fixture.path, fixture.text)
    place = place_of(Snapshot(fixture.path, fixture.text, fixture.offset))
    trigger = Trigger.DOT if generated else trigger_at(place)
    assert trigger is not None
    allow = allowed(graph, fixture.path, place, place.line, Need(7, trigger, place.line + generated))
    assert allow is not None and allow.need == 7
    public = {name for name in allow.names if not name.startswith("_")}
    assert public >= names and (public == names or not closed)
    assert allow.open is not closed
    assert graph.text(fixture.path) == fixture.text
    graph.close()


async def test_of_two_that_are_likely_the_one_that_saves_more_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graft_server.completion import confidence

    class Sure:
        model = "scripted"
        for_model = confidence.ShowFilter((), (), (), 2.0, 0.1)
        for_graph = confidence.ShowFilter((), (), (), 2.0, 0.1)

    monkeypatch.setattr(confidence, "fitted", Sure)
    monkeypatch.setattr(confidence, "features", lambda *a: ())
    monkeypatch.setattr(confidence.ShowFilter, "probability", lambda self, values: 0.9)
    source = SHAPES + "shape = Shape('a')\nprint(shape.na$0)\n"
    completions, text, _ = await complete(source, "me\n", root=tmp_path)
    assert seen(completions, text) == "print(shape.name|)"
    assert [c.source for c in completions if c.shown] == ["model"]
    completions, text, _ = await complete(SHAPES + "widths_of_all = [1]\nx = wid$0\n", "th\n", root=tmp_path)
    assert seen(completions, text) == "x = widths_of_all|"
    assert [c.source for c in completions if c.shown] == ["graph"]


BROKEN_TS = """
//- /shop.ts
export class Cart { total(rate: number): number { return rate; } }
//- /main.ts
import { Cart } from './shop';
function half(x: Cart) {
  if (x.
}
function f(cart: Cart) {
  $0
}
"""
BROKEN_GO = """
//- /go.mod
module example.com/m
//- /p/p.go
package p
func Total(a int) int { return a }
//- /main.go
package m
import "example.com/m/p"
func half(x int) {
\tif (x.
}
func f() {
\t$0
}
"""


@pytest.mark.parametrize(
    ("language", "source", "said", "expected"),
    [
        ("typescript", BROKEN_TS, "cart.totl(1);\n", "(names: cart has no member totl)"),
        ("typescript", BROKEN_TS, "cart.total(1, 2);\n", "(names: cart.total takes 1 argument, not 2)"),
        ("typescript", BROKEN_TS, "cart.total(1);\n", "  cart.total(1);|"),
        ("go", BROKEN_GO, "p.Totl(1)\n", "(names: p has no member Totl)"),
        ("go", BROKEN_GO, "p.Total(1, 2)\n", "(names: p.Total takes 1 argument, not 2)"),
        ("go", BROKEN_GO, "p.Total(1)\n", "\tp.Total(1)|"),
    ],
)
async def test_a_broken_file_does_not_let_wrong_names_through(
    tmp_path: Path, language: str, source: str, said: str, expected: str
) -> None:
    completions, text, _ = await complete(source, said, root=tmp_path, language=language)
    assert seen(completions, text) == expected
