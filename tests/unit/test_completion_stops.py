"""Where a suggestion ends."""

import pytest

from graft_server.completion.anchor import Place
from graft_server.completion.model import Mode
from graft_server.completion.stops import bracket_depth, end_of, repetition, rule_for, unmatched


def check(before: str, after: str, said: str, mode: Mode) -> str:
    """What is left of `said`, token by token (characters), as a stream would be cut."""
    rule = rule_for(Place(before, after), mode)
    for end in range(1, len(said) + 1):
        cut = end_of(said[:end], rule)
        if cut is not None:
            return said[:cut]
    return said


@pytest.mark.parametrize(
    ("before", "after", "said", "mode", "expected"),
    [
        ("x = ", "\ny\n", "1\nz = 2\n", "line", "1"),
        ("f(", ")\n", "a,\n  b)\nnext\n", "line", "a,\n  b)"),
        ("x = g(a, ", "\n", "b,\n      c)\nrest\n", "line", "b,\n      c)"),
        ("", "\n", "\nx = 1\ny\n", "line", "\nx = 1"),
        ("a + ", " * b\n", "c\n", "span", "c"),
        ("def f():\n    ", "\n", "x = 1\n    return x\n\ny = 2\n", "block", "x = 1\n    return x"),
        (
            "def f():\n    ",
            "\n\ndef g():\n    return 1\n",
            "x = 1\n    return x\n\n\n\n",
            "block",
            "x = 1\n    return x",
        ),
        ("if a:\n    ", "\nelse:\n    c()\n", "b()\nelse:\n    d()\n", "block", "b()"),
    ],
)
def test_end(before: str, after: str, said: str, mode: Mode, expected: str) -> None:
    assert check(before, after, said, mode) == expected


def test_a_block_goes_on_while_brackets_are_open() -> None:
    said = "return f(\n  1,\n)\nx\n"
    assert check("def f():\n    ", "\n", said, "block") == "return f(\n  1,\n)"


def test_repetition() -> None:
    assert repetition("a, b, c") is None
    assert repetition("foo(foo(foo(foo(") == 4
    assert repetition("x = compute()\nx = compute()\n") == len("x = compute()")
    assert repetition("# " + "-" * 40) is None
    assert repetition("[0, 0, 0, 0]") is None or repetition("[0, 0, 0, 0]") > 3


def test_brackets_outside_strings() -> None:
    assert bracket_depth("f('(', [x") == 2
    assert unmatched("f(a)]") == ("]", "")
    assert unmatched("# ((\nf([") == ("", "([")
