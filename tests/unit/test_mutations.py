"""Mutations of suspicious lines: which there are, and that each is a well-formed edit."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_indexer.rewrites import PRIORS, enclosing_headers, is_import, mutations
from graft_indexer.text import encode

PROGRAM = textwrap.dedent(
    '''
    import os
    from collections import deque

    LIMIT = 3


    def first(items, bound=LIMIT):
        """Docstring."""
        best = items[0]
        for index, item in enumerate(items):
            if item < best and not index:
                best = item
        while True:
            best -= 1
            break
        return best + 1


    class Box:
        def __init__(self, inner):
            self.inner = inner

        def get(self, key):
            if key is None:
                return self.inner
            return max(key, self.inner)[1:]
    '''
).lstrip()


def results(text: str, line: int) -> set[str]:
    """Every text that a mutation of `line` (0-based) gives."""
    data = encode(text)
    return {(data[: m.start] + encode(m.text) + data[m.end :]).decode() for m in mutations(text, [line])}


def check(before: str, after: str, line: int = 1) -> None:
    """Some mutation of the line turns `before` into `after`."""
    assert ast.dump(ast.parse(textwrap.dedent(after))) in {
        ast.dump(tree) for text in results(textwrap.dedent(before), line) if (tree := parsed(text))
    }


def parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return a < b", "return a <= b"),
        ("return a in b", "return a not in b"),
        ("return a is not b", "return a is b"),
        ("return a and b", "return a or b"),
        ("return a + b", "return a - b"),
        ("return b - a", "return a - b"),
        ("return a - b * 2", "return (a - b) * 2"),
        ("a += b", "a -= b"),
        ("a = b", "a += b"),
        ("return a", "return b"),
        ("return f(a, b)", "return f(b, a)"),
        ("return f(a, b)", "return f(a)"),
        ("return min(a, b)", "return max(a, b)"),
        ("return any(a)", "return all(a)"),
        ("a.append(b)", "a.extend(b)"),
        ("return a[1:]", "return a[2:]"),
        ("return a[b]", "return a[b - 1]"),
        ("return range(a)", "return range(a + 1)"),
        ("return 0", "return 1"),
        ("return True", "return False"),
        ("return not a", "return a"),
        ("return a", "return [a]"),
        ("return []", "return [[]]"),
        ("return a", "return max(b, a)"),
        ("return (a, b)", "return (b, a)"),
        ("return f(a)", "return a"),
        ("return a + 1", "return a"),
        ("a = f(b)", "a = max(a, f(b))"),
        ("return a.left", "return a"),
        ("yield a", "yield from a"),
        ("a.add(b)", "pass"),
        ("return a", "if a is None:\n    return b\nreturn a"),
        ("while True: f(a)", "while a: f(a)"),
        ("if a: f(b)", "if a and b: f(b)"),
        ("if a: f(b)", "if not a: f(b)"),
        ("if a: f(b)", "if a is not None: f(b)"),
        ("if a: f(b)", "if isinstance(a, int) and a: f(b)"),
        ("f(a)", "f(a, b=b)"),
        ("f(a)", "f(a, k=1)"),
        ("return a", "return a or []"),
        ("return a[b]", "return a.get(b)"),
        ("return a", "return a.strip()"),
        ("return a", "if not a:\n    raise ValueError(a)\nreturn a"),
        ("return (a, 'x')", "return (a, 'x', b)"),
        ("if a:\n    f(b)", "f(b)"),
        ("return a and (b or a)", "return a and b or a"),
        ("return a if b else None", "return a"),
        ("return True", "return b == 0"),
        ("x = a[0, b]", "x = a[b, 0]"),
        ("a[0] = b[1]", "b[1] = b[1]"),
        ("a.x = b.y", "b.y = b.y"),
        ("s = set(); f(s)", "s = set(); f(s)\ns.add(b)"),
    ],
)
def test_operator(old: str, new: str) -> None:
    rest = "\n\ndef other(x):\n    if isinstance(x, int):\n        raise ValueError(a)\n    q(k=1)\n"

    def body(text: str) -> str:
        return "def g(a, b):\n" + textwrap.indent(text, "    ") + "\n" + rest

    check(body(old), body(new))


def test_statement_moves_out_of_a_loop() -> None:
    check(
        "def g(a, b):\n    for x in a:\n        b.add(x)\n        f(b)\n",
        "def g(a, b):\n    for x in a:\n        b.add(x)\n    f(b)\n",
        line=3,
    )


def test_a_handler_takes_another_exception() -> None:
    before = "def g(a):\n    try:\n        f(a)\n    except (KeyError, ValueError) as error:\n        raise\n"
    check(before, before.replace("ValueError)", "ValueError, OSError)"), line=3)


def test_donor_statement_of_another_file_is_inserted() -> None:
    text = "def g(a):\n    b = a\n"
    found = mutations(text, [1], donors=["audit(a)"])
    assert any(m.text.strip() == "audit(a)" and m.operator == "insert-donor" for m in found)


def test_no_jump_before_other_statements() -> None:
    for text in results("def g(a):\n    b = a\n    c = b\n    return c\n", 1):
        assert "return a\n    c" not in text and "return b\n    c" not in text


@pytest.mark.parametrize("line", range(PROGRAM.count("\n")))
def test_edits_are_inside_the_text_and_nearly_all_parse(line: int) -> None:
    found = mutations(PROGRAM, [line])
    size = len(encode(PROGRAM))
    broken = 0
    for mutation in found:
        assert 0 <= mutation.start <= mutation.end <= size
        assert mutation.line == line
        assert mutation.operator in PRIORS
    for text in results(PROGRAM, line):
        broken += parsed(text) is None
    assert broken <= max(3, 0.1 * len(found))


def test_probabilities_of_operators() -> None:
    assert sum(PRIORS.values()) == pytest.approx(1.0)
    assert min(PRIORS.values()) > 0


@given(st.text(max_size=200), st.integers(0, 10))
def test_any_text_is_taken(text: str, line: int) -> None:
    size = len(encode(text))
    for mutation in mutations(text, [line]):
        assert 0 <= mutation.start <= mutation.end <= size


def test_lines_around() -> None:
    assert enclosing_headers(PROGRAM, 11) == [10, 9]
    assert enclosing_headers(PROGRAM, 8) == []
    assert is_import(PROGRAM, 1)
    assert not is_import(PROGRAM, 3)


def test_handlers_take_what_the_failing_tests_met_first() -> None:
    text = "def g(a):\n    try:\n        f(a)\n    except KeyError:\n        raise\n"
    found = [m.text for m in mutations(text, [3], raised=["OverflowError"]) if m.operator == "exception"]
    assert found[:2] == ["(KeyError, OverflowError)", "OverflowError"]
