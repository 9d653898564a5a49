# ruff: noqa: E501
"""Golden cases: `call-arguments` and `swapped-arguments`."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_testing.checks import Seen, see

SHAPES = """
    //- /shapes.py
    from dataclasses import dataclass
    def area(width, height, *, scale=1): ...
    def at(x, /, y): ...
    class Box:
        def __init__(self, width, height=2): ...
        def grow(self, by): ...
        @classmethod
        def square(cls, side): ...
        @staticmethod
        def unit(): ...
    @dataclass
    class Point:
        x: int
        y: int = 0
    //- /main.py
    from shapes import Box, Point, area, at
"""


def calls(root: Path, code: str) -> Seen:
    indented = "".join(f"    {line}\n" for line in code.splitlines())
    seen = see(root, SHAPES + indented)
    after = seen.after.split("\n", 1)[1] if seen.after else None
    return Seen(seen.findings, seen.titles, after)


def test_missing_argument(tmp_path: Path) -> None:
    assert calls(tmp_path, "height = 2\narea(1)") == snapshot(
        Seen(
            findings=["3:1 [area] call-arguments: `area` needs `height`"],
            titles=[
                "Pass `height` - checked: parses, resolves, finding gone, nothing new",
                "Insert `height=None` (unsafe) - checked: parses, finding gone, nothing new",
            ],
            after="""\
height = 2
area(1, height=height)
""",
        )
    )


def test_too_many_arguments(tmp_path: Path) -> None:
    assert calls(tmp_path, "area(1, 2, 3)") == snapshot(
        Seen(
            findings=["2:12 [3] call-arguments: `area` takes 2 by position, 3 given"],
            titles=["Drop `3` (unsafe) - checked: parses, finding gone, nothing new"],
            after="area(1, 2)\n",
        )
    )


def test_unknown_keyword(tmp_path: Path) -> None:
    assert calls(tmp_path, "area(1, 2, scael=3)") == snapshot(
        Seen(
            findings=["2:12 [scael] call-arguments: `area` has no parameter `scael`; did you mean `scale`?"],
            titles=[
                "Change to `scale` - checked: parses, finding gone, nothing new",
                "Drop `scael=` (unsafe) - checked: parses, finding gone, nothing new",
            ],
            after="area(1, 2, scale=3)\n",
        )
    )


def test_keyword_far_from_any(tmp_path: Path) -> None:
    assert calls(tmp_path, "area(1, 2, colour=3)") == snapshot(
        Seen(
            findings=["2:12 [colour] call-arguments: `area` has no parameter `colour`"],
            titles=["Drop `colour=` (unsafe) - checked: parses, finding gone, nothing new"],
            after="area(1, 2)\n",
        )
    )


def test_duplicate_argument(tmp_path: Path) -> None:
    assert calls(tmp_path, "area(1, 2, width=1)") == snapshot(
        Seen(
            findings=["2:12 [width] call-arguments: `area` gets `width` twice"],
            titles=["Drop `width=` - checked: parses, finding gone, nothing new"],
            after="area(1, 2)\n",
        )
    )


def test_constructor(tmp_path: Path) -> None:
    assert calls(tmp_path, "Box()") == snapshot(
        Seen(
            findings=["2:1 [Box] call-arguments: `Box` needs `width`"],
            titles=["Insert `width=None` (unsafe) - checked: parses, finding gone, nothing new"],
            after="Box(width=None)\n",
        )
    )


def test_dataclass(tmp_path: Path) -> None:
    assert calls(tmp_path, "Point(1, 2, 3)\nPoint(x=1, z=2)") == snapshot(
        Seen(
            findings=[
                "2:13 [3] call-arguments: `Point` takes 2 by position, 3 given",
                "3:12 [z] call-arguments: `Point` has no parameter `z`",
            ],
            titles=["Drop `3` (unsafe) - checked: parses, finding gone, nothing new"],
            after="""\
Point(1, 2)
Point(x=1, z=2)
""",
        )
    )


def test_methods(tmp_path: Path) -> None:
    assert calls(tmp_path, "Box(1).grow()\nBox.square()\nBox.unit(1)") == snapshot(
        Seen(
            findings=[
                "2:1 [Box(1).grow] call-arguments: `grow` needs `by`",
                "3:1 [Box.square] call-arguments: `square` needs `side`",
                "4:10 [1] call-arguments: `unit` takes none by position, 1 given",
            ],
            titles=["Insert `by=None` (unsafe) - checked: parses, finding gone, nothing new"],
            after="""\
Box(1).grow(by=None)
Box.square()
Box.unit(1)
""",
        )
    )


def test_positional_only(tmp_path: Path) -> None:
    assert calls(tmp_path, "at(x=1, y=2)") == snapshot(
        Seen(
            findings=["2:4 [x] call-arguments: `at` takes `x` by position only"],
            titles=["Pass `x` by position - checked: parses, finding gone, nothing new"],
            after="at(1, y=2)\n",
        )
    )


@pytest.mark.parametrize(
    "code",
    [
        "area(1, 2)\narea(height=1, width=2, scale=3)\narea(*[1, 2])\narea(**{})",
        "Box(1)\nBox(1, height=3)\nBox.square(1)\nBox.unit()\nPoint(1)\nPoint(x=1, y=2)",
        "at(1, 2)\nat(1, y=2)",
        "import pytest\nwith pytest.raises(TypeError):\n    area()",
        "try:\n    area()\nexcept TypeError:\n    pass",
        "area()  # noqa",
        "area()  # type: ignore[call-arg]",
    ],
)
def test_silence(tmp_path: Path, code: str) -> None:
    assert calls(tmp_path, code) == Seen([], [], None)


@pytest.mark.parametrize(
    "definition",
    [
        "@decorated\ndef f(a): ...",
        "f = g",
        "if x:\n    def f(a): ...\nelse:\n    def f(): ...",
        "class f(metaclass=Meta):\n    def __init__(self, a): ...",
        "class f:\n    def __new__(cls): ...\n    def __init__(self, a): ...",
        "def f(*a, **k): ...",
    ],
)
def test_targets_that_prove_nothing(tmp_path: Path, definition: str) -> None:
    assert see(tmp_path, f"from elsewhere import decorated, g, x, Base, Meta\n{definition}\nf()\n").findings == []


def test_swapped(tmp_path: Path) -> None:
    assert calls(tmp_path, "def f(width, height):\n    return area(height, width)") == snapshot(
        Seen(
            findings=[
                "3:17 [height, width] swapped-arguments: `height` and `width` look swapped: `area` takes `width` before `height`"
            ],
            titles=["Swap `height` and `width` (unsafe) - checked: parses, resolves, finding gone, nothing new"],
            after="""\
def f(width, height):
    return area(width, height)
""",
        )
    )


@pytest.mark.parametrize(
    "code",
    [
        "def f(width, height):\n    return area(width, height)",
        "def transposed(width, height):\n    return area(height, width)",
        "def f(width, height):\n    return area(width, height) < area(height, width)",
        "def f(height, other):\n    return area(height, other)",
    ],
)
def test_not_swapped(tmp_path: Path, code: str) -> None:
    assert calls(tmp_path, code).findings == []


def test_a_method_without_self_describes_an_interface(tmp_path: Path) -> None:
    """zope's interfaces: who implements it may take more."""
    code = "class IRun:\n    def run() -> None: ...\n\n\ndef go(reactor: IRun):\n    reactor.run(signals=True)\n"
    assert see(tmp_path, code).findings == []


TWO = """
    //- /two.py
    import sys
    if len(sys.argv) > 1:
        def put(name, size): ...
    else:
        def put(name, size, mode=0): ...
    //- /main.py
    from two import put
"""


def test_what_each_of_several_targets_refuses(tmp_path: Path) -> None:
    assert see(tmp_path, TWO + "    put('a')\n").findings == snapshot(["2:1 [put] call-arguments: `put` needs `size`"])


def test_what_one_of_several_targets_takes(tmp_path: Path) -> None:
    assert see(tmp_path, TWO + "    put('a', 1, 2)\n").findings == snapshot([])
