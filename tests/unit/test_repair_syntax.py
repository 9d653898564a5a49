"""Files that do not parse, and the small changes that mend them."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft_server.repair.localisation import Baseline
from graft_server.repair.syntax import MOST, mends, unparsed


@pytest.mark.parametrize(
    ("broken", "meant"),
    [
        ("def add(a, b)\n    return a + b\n", "def add(a, b):\n    return a + b\n"),
        ("def f(x):\n    return g(x, (1 + 2)\n\n\ny = 1\n", "def f(x):\n    return g(x, (1 + 2))\n\n\ny = 1\n"),
        ("x = [1, 2 3]\n", "x = [1, 2, 3]\n"),
        ("def f(x):\nreturn x\n", "def f(x):\n    return x\n"),
        ("def f(x):\n    y = x\n     return y\n", "def f(x):\n    y = x\n    return y\n"),
        ("if x = 1:\n    pass\n", "if x == 1:\n    pass\n"),
        ("x = (1, 2))\ny = 2\n", "x = (1, 2)\ny = 2\n"),
        ("for i range(3):\n    print(i)\n", "for i in range(3):\n    print(i)\n"),
        ("print('a)\n", "print('a')\n"),
    ],
)
def test_one_slip_is_among_the_first_three(broken: str, meant: str) -> None:
    found = [proposal.text for proposal in mends("a.py", broken)]
    tree = ast.dump(ast.parse(meant))
    assert tree in [ast.dump(ast.parse(text)) for text in found[:3]]


def test_two_slips() -> None:
    found = mends("a.py", "def add(a, b)\n    return (a + b\n")
    assert "def add(a, b):\n    return (a + b)\n" in [proposal.text for proposal in found]


def test_what_parses_is_left_alone() -> None:
    assert mends("a.py", "x = 1\n") == []


@pytest.mark.parametrize(
    "error",
    [
        {"type": "SyntaxError", "message": "expected ':'"},
        {"type": "CollectError", "message": "E     File 'a.py', line 1\nE   SyntaxError: expected ':'"},
    ],
)
def test_the_reason_names_file_and_line(error: dict[str, Any]) -> None:
    base = Baseline()
    base.errors.append(error)
    assert unparsed(base, {"a.py": "def f()\n    pass\n", "b.py": "x = 1\n"}) == {
        "a.py": "a.py:1 does not parse: expected ':'"
    }


def test_an_assertion_is_no_reason_to_look_for_broken_files() -> None:
    base = Baseline()
    base.errors.append({"type": "AssertionError", "message": "1 == 2"})
    assert unparsed(base, {"a.py": "def f()\n    pass\n"}) == {}


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="ab:()[]'\"=\n \t,#\\é\0", max_size=40))
def test_any_text_is_survived(text: str) -> None:
    found = mends("a.py", text, seconds=0.2)
    assert len(found) <= MOST
    for proposal in found:
        ast.parse(proposal.text)
