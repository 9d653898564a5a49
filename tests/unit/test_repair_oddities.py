"""Oddities: what a change brings in that nobody means."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_server.repair.oddities import balance, oddities


def check(before: str, after: str, count: int) -> None:
    """So many are brought in by a change of the first line that differs."""
    texts = [f"def f(a, b):\n{textwrap.indent(textwrap.dedent(t).strip(), '    ')}\n" for t in (before, after)]
    rows = [t.split("\n") for t in texts]
    line = next((i for i, (x, y) in enumerate(zip(*rows, strict=False)) if x != y), 1)
    found = balance(*texts, line)
    assert found is not None and found[0] == count


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ("return a + b", "return a - b", 0),
        ("return a + b", "return a + a", 1),
        ("return any(f(x) for x in a + b)", "return any(f(a) for x in a + b)", 1),
        ("while True:\n    if a: return b", "while a:\n    if a: return b", 1),
        ("while True:\n    if a: return b", "while True:\n    if a: break\nreturn b", 0),
        ("if a: return b\nreturn a", "if a: return b\nf(a)", 1),
        ("if a: return b\nreturn a", "if a: return b\nreturn", 1),
        ("if a: return b\nreturn a", "if a: return b\nelse: raise a", 0),
        ("yield a\nreturn b", "yield a\nf(b)", 0),
        ("return a < b", "return a < b < b", 1),
        ("return a and b", "return a and a and b", 1),
        ("if a: return b", "if True: return a, b", 1),
        ("a = b\nreturn a", "a = a\nreturn b", 1),
        ("f(a)\nreturn b", "a\nreturn b", 1),
        ("f(a)\nreturn b", "return a\nreturn b", 1),
        ("for x in a:\n    f(x, b)", "for x in a:\n    continue\n    f(x, b)", 1),
        ("with a: return b", "with a: return b\nreturn a", 0),
        ("try: return a\nexcept b: raise\n", "try: return a\nexcept b: return 1\n", 0),
    ],
)
def test_what_is_brought_in(before: str, after: str, count: int) -> None:
    check(before, after, count)


def test_code_outside_of_functions_and_broken_code() -> None:
    assert balance("x = 1\n", "x = 2\n", 0) == (0, 0)
    assert balance("x = 1\n", "x =\n", 0) is None
    assert balance("x =\n", "x = 1\n", 0) == (0, 0)


@pytest.mark.parametrize(
    ("body", "odd"),
    [
        ("s = set()\nreturn a in s", True),
        ("s = []\nfor x in s: f(x)", True),
        ("s = {}\nreturn len(s) + a", True),
        ("s = set()\ns.add(a)\nreturn a in s", False),
        ("s = []\nf(s)\nreturn a in s", False),
        ("s = {}\ns[a] = b\nreturn a in s", False),
        ("s = [1]\nreturn a in s", False),
        ("s = []\ns = f(a)\nreturn a in s", False),
        ("s = []\ns += a\nreturn b in s", False),
        ("s = []\nreturn s", False),
    ],
)
def test_collections_that_are_never_filled(body: str, odd: bool) -> None:
    tree = ast.parse("def f(a, b):\n" + textwrap.indent(body, "    "))
    assert ("never filled s" in oddities(tree.body[0])) is odd


def test_what_a_change_takes_out() -> None:
    before = "def f(a, b):\n    s = set()\n    return a in s\n"
    assert balance(before, before.replace("set()\n", "set()\n    s.add(b)\n"), 1) == (0, 2)


def test_real_code_has_few() -> None:
    import inspect
    import json.decoder
    import textwrap as module

    for source in (json.decoder, module):
        found = oddities(ast.parse(inspect.getsource(source)))
        assert found.total() <= 3, found


@given(st.text(alphabet="ab=<>+-()[]:,.1 \n\treturnifdef", max_size=60))
def test_any_text_is_survived(text: str) -> None:
    balance(f"def f(a):\n    return a\n{text}", f"{text}\ndef f(a):\n    return a\n", 1)
