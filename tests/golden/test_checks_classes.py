"""Golden cases: `incompatible-override` (off by default) and `abstract-class`."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_server.settings import Settings
from graft_testing.checks import see

ON = Settings(diagnosis_enabled=("incompatible-override",))
BASE = """
class Base:
    def run(self, a, b=1, *, c=2): ...
    def each(self, *items): ...
    def _make(self): ...
    @staticmethod
    def tool(a): ...
"""


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (
            "def run(self, a): ...",
            snapshot(["10:9 [run] incompatible-override: `Child.run` takes at most 1 by position, unlike `Base.run`"]),
        ),
        (
            "def run(self, a, b, *, c=2): ...",
            snapshot(["10:9 [run] incompatible-override: `Child.run` needs more by position, unlike `Base.run`"]),
        ),
        (
            "def run(self, a, b=1): ...",
            snapshot(["10:9 [run] incompatible-override: `Child.run` does not take `c`, unlike `Base.run`"]),
        ),
        (
            "def run(self, a, b=1, *, c=2, d): ...",
            snapshot(["10:9 [run] incompatible-override: `Child.run` needs `d`, unlike `Base.run`"]),
        ),
        (
            "def each(self, item): ...",
            snapshot(
                ["10:9 [each] incompatible-override: `Child.each` takes at most 1 by position, unlike `Base.each`"]
            ),
        ),
    ],
)
def test_override(tmp_path: Path, method: str, expected: list[str]) -> None:
    source = BASE + f"\n\nclass Child(Base):\n    {method}\n"
    assert see(tmp_path, source, ON).findings == expected
    assert see(tmp_path, source).findings == []


@pytest.mark.parametrize(
    "method",
    [
        "def run(self, a, b=1, *, c=2): ...",
        "def run(self, x, y=1, z=2, *, c=2): ...",
        "def run(self, *args, **kwargs): ...",
        "def run(self, a, b=1, c=2): ...",
        "def each(self, *things): ...",
        "def __init__(self, a): ...",
        "@decorated\n    def run(self): ...",
        "run = None",
        "def tool(self): ...",
    ],
)
def test_override_that_fits(tmp_path: Path, method: str) -> None:
    assert see(tmp_path, f"from x import decorated\n{BASE}\n\nclass Child(Base):\n    {method}\n", ON).findings == []


def test_unknown_base(tmp_path: Path) -> None:
    assert (
        see(
            tmp_path, f"from x import Other\n{BASE}\n\nclass Child(Base, Other):\n    def run(self): ...\n", ON
        ).findings
        == []
    )


ABSTRACT = """
from abc import ABC, abstractmethod


class Shape(ABC):
    @property
    @abstractmethod
    def area(self): ...


class Named(Shape):
    name = "x"


class Square(Named):
    area = 1
"""


def test_abstract(tmp_path: Path) -> None:
    assert see(tmp_path, ABSTRACT + "\n\nNamed()\nSquare()\n").findings == snapshot(
        ["18:1 [Named] abstract-class: `Named` is abstract: it does not define `area`"]
    )


@pytest.mark.parametrize(
    "use",
    [
        "def f(cls: type[Shape]):\n    return cls()",
        "try:\n    Shape()\nexcept TypeError:\n    pass",
        "class NotABC:\n    @abstractmethod\n    def f(self): ...\n\nNotABC()",
        "print(Shape)",
        # What an abstract method shows of what others give.
        "class Shapes(ABC):\n    @abstractmethod\n    def first(self):\n        return Shape()",
    ],
)
def test_abstract_that_is_not_made(tmp_path: Path, use: str) -> None:
    assert see(tmp_path, f"{ABSTRACT}\n\n{use}\n").findings == []


def test_slips_on_objects_of_the_standard_library(tmp_path: Path) -> None:
    found = see(
        tmp_path,
        """
        import logging
        import os
        import re
        import subprocess
        from collections import defaultdict
        from datetime import datetime
        from pathlib import Path

        def f(a):
            os.path.joim(a, a)
            Path(a).exist()
            Path(a).joinpath("x").read_txt()
            defaultdict(list).updat({})
            parts = "b".split()
            parts.appendd(1)
            logging.getLogger("x").warnin("x")
            datetime.now().isofmt()
            subprocess.run(["x"]).retcode
            with open("x") as file:
                file.readd()
            if m := re.match("a", "b"):
                m.grup(1)
        """,
    ).findings
    assert [finding.partition("]")[0] for finding in found] == snapshot(
        [
            "10:13 [joim",
            "11:13 [exist",
            "12:27 [read_txt",
            "13:23 [updat",
            "15:11 [appendd",
            "17:20 [isofmt",
            "18:27 [retcode",
            "20:14 [readd",
            "22:11 [grup",
        ]
    )
