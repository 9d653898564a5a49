"""Lines that do not parse hide the names that they may bind, and no others."""

from __future__ import annotations

import pytest

from graft_indexer.lost import may_bind, region
from graft_testing.graphs import graph_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("total = sum(price", "total"),
        ("total = sum(price, key=other", "total"),
        ("a, (b, c) = f(x", "a b c"),
        ("x += (", "x"),
        ("count: int = (", "count int"),
        ("count: dict[", "count"),
        ("print(n := f(", "n"),
        ("if x == (", ""),
        ("return {a: b", ""),
        ("for a, b in items", "a b"),
        ("x = [a for a in b", "x a"),
        ("with open(p) as f, g(q) as h", "f h g q"),
        ("from m import a as b, c(", "a b c"),
        ("def f(a, b=c, *d", "f a b c d"),
        ("class A(B", "A B"),
        ("except (E) as e", "E e"),
        ("global a, b(", "a b"),
        ("print(price  # total = 3", ""),
        ("print(price, 'a = b'", ""),
        ("größe = (", "größe"),
    ],
)
def test_what_a_lost_line_may_bind(text: str, expected: str) -> None:
    assert may_bind(text.encode()) == frozenset(expected.split())


@pytest.mark.parametrize("text", ["from m import *, (", "exec(code", 'x = """'])
def test_what_may_bind_anything(text: str) -> None:
    assert may_bind(text.encode()) is None


def test_an_open_bracket_joins_the_deeper_lines_below() -> None:
    text = b"def f(\n    a,\n\n    b,\n):\n    c = 1\nd = 2\n"
    assert region(text, 0, 6) == b"def f(\n    a,\n\n    b,\n):"
    assert region(b"x = (\ny = 1\n", 0, 5) == b"x = ("
    assert region(b"x = 1\n    y\n", 0, 5) == b"x = 1"


def check(source: str, *, shown: str = "", hidden: str = "") -> None:
    """The names at `$0` are closed; some are among them, others are not."""
    with graph_of(source) as fixed:
        answer = fixed.graph.visible_names(*fixed.here)
        names = {s.name for s in answer.value}
        assert answer.closed, answer.reason
        assert set(shown.split()) <= names
        assert not set(hidden.split()) & names


def test_a_line_that_is_being_typed_hides_no_name_that_it_reads() -> None:
    item = "class Item:\n    price = 1\n"
    check(item + "def total(items):\n    return sum(price$0\n", shown="items total Item", hidden="price")
    check(item + "def total(items):\n    found = sum(price$0\n", shown="items found", hidden="price")
    check("def total(items):\n    found = sum(price$0\n\ndef other(\n", shown="items other", hidden="price")
    check("def total(items):\n    return [price for price in price$0\n", shown="price")


def test_a_name_that_nothing_can_bind_is_proved_absent_in_an_unfinished_file() -> None:
    with graph_of("def total(items):\n    $0price\n    found = sum(x\n\ndef other(\n") as fixed:
        answer = fixed.graph.definition_at(*fixed.here)
        assert answer.closed
        assert not answer.value
    with graph_of("def total(items):\n    $0found\n    found = sum(x\n") as fixed:
        assert not fixed.graph.definition_at(*fixed.here).closed


WHOLE = """
import os, sys as system
from os import (
    path,
    sep as separator,
)
LIMIT: int = 3
first, (second, *rest) = 1, (2, 3)
def function(
    one, two=(3),
    *three, four: int = 4,
    **five,
) -> int:
    global shared
    shared = one
    for number, (left, right) in [(1, (2, 3))]:
        local = [inner for inner in (number,)]
    with open("x") as file, open("y") as (other, more):
        pass
    try:
        walrus = (named := 3)
    except (ValueError, TypeError) as error:
        del error
    match one:
        case {"a": captured, **others}:
            pass
        case [head, *tail] | (head, tail):
            pass
    nested = lambda argument: argument
    class Local(dict):
        attribute = 1
    async def later(): ...
    return END
"""


@pytest.mark.parametrize("how", ["open", "cut", "stray"])
def test_nothing_that_a_broken_line_binds_is_proved_absent(how: str) -> None:
    """Each line of a file is broken in turn: every name that was visible before is still, or may be."""
    proved = 0
    with graph_of(WHOLE) as fixed:
        before = {s.name for s in fixed.graph.visible_names("main.py", WHOLE.index("END")).value}
        assert {"separator", "four", "right", "other", "walrus", "tail", "later"} <= before
        lines = WHOLE.splitlines()
        for number, line in enumerate(lines):
            broken = {"open": line + " (", "cut": line.rstrip(":)]}"), "stray": line + " )("}[how]
            text = "\n".join([*lines[:number], broken, *lines[number + 1 :]])
            fixed.graph.open_buffer("main.py", text)
            answer = fixed.graph.visible_names("main.py", text.index("END"))
            if answer.closed:
                proved += 1
                assert not before - {s.name for s in answer.value}, text
    assert proved > 10


@pytest.mark.parametrize("closer", ["", "    }\n"])
def test_an_unfinished_statement_over_many_lines_is_lost_as_one(closer: str) -> None:
    inner = "".join(f'        "key{n}": a,\n' for n in range(15))
    check(
        "//- /a.py\nimport os\ndef f(a):\n    first = 1\n    second = {\n"
        + inner
        + '        "query": a.\n        "more": 2,\n'
        + closer
        + "    third = 3\n    $0\n",
        shown="os f a first second third",
        hidden="key0",
    )
