"""Lines that do not parse hide the names that they may bind, and no others."""

from __future__ import annotations

import ast

import pytest

from graft_indexer import reparse
from graft_indexer.lost import may_bind, region
from graft_indexer.reparse import parse
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


PARCEL = """
class Parcel:
    def price(
        self,
        width,
        {line}
        depth: int = 1,
    ) -> int:
        total = width
        return {mark}

    def label(self): ...


def area(
    width,
    {line}
    depth: int = 1,
) -> int: ...


area({call})
"""


@pytest.mark.parametrize(
    "line", ["j", "height", "height:", "height: dict[", "height: int =", "height = 1", "height a,", "("]
)
def test_a_parameter_that_is_being_typed_costs_neither_the_function_nor_the_file(line: str) -> None:
    text = PARCEL.replace("{line}", line).replace("{call}", "1, 2, 3, 4")
    check(text.replace("{mark}", "total$0"), shown="self width depth total Parcel area", hidden="label")
    read: list[str] = []
    parsed = reparse._parsed

    def counted(text: str, first: int, *, nested: bool) -> list[ast.stmt]:
        read.append(text)
        return parsed(text, first, nested=nested)

    before = PARCEL.replace("{mark}", "total").replace("{call}", "1")
    whole = parse(before.replace("{line}", "x,"))
    assert not whole.broken
    text = before.replace("{line}", line, 1).replace("{line}", "x,")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reparse, "_parsed", counted)
        tree = parse(text, whole)
    parcel = next(s for s in tree.body if isinstance(s, ast.ClassDef))
    price, label = parcel.body
    assert isinstance(price, ast.FunctionDef)
    assert isinstance(label, ast.FunctionDef)
    assert [a.arg for a in price.args.args][:1] in (["self"], [])
    assert ast.unparse(price.body[1]) == "return total"
    assert len(read) <= 4  # All of it, the method, and twice with a part of its header left out.


@pytest.mark.parametrize("line", ["height", "height: dict[", "height: int ="])
def test_what_a_header_that_is_being_typed_takes_is_not_known(line: str) -> None:
    text = PARCEL.replace("{line}", line).replace("{mark}", "total")
    with graph_of(text.replace("{call}", "$01, 2, 3, 4")) as fixed:
        call = fixed.graph.call_at(*fixed.here)
        assert call is not None
        assert not fixed.graph.call_target(fixed.here[0], call).closed
    with graph_of(text.replace("{call}", "Parcel().$0")) as fixed:
        path, offset = fixed.here
        assert not fixed.graph.members_at(path, offset - 1).closed


@pytest.mark.parametrize("result", ["", " ->", " -> ", " -> Pri", " -> dict[str,", " -> 1 2"])
def test_a_header_without_its_colon_keeps_its_body(result: str) -> None:
    check(
        f"class Parcel:\n    def price(\n        self,\n        width,\n    ){result}\n        total = width\n"
        "        return total$0\n",
        shown="self width total Parcel",
    )


def test_a_class_that_is_being_derived_keeps_its_body() -> None:
    text = "class Square(\n    Shape\n    int,\n):\n    def area(self):\n        return self.$0width\n"
    with graph_of(text) as fixed:
        path, offset = fixed.here
        answer = fixed.graph.members_at(path, offset - 1)
        assert "area" in {s.name for s in answer.value}
        assert not answer.closed


def test_a_header_that_is_never_closed_is_no_reason_to_lose_what_follows() -> None:
    check("def total(items,\n    found = 1\n    return items\n\ndef other(x):\n    return x$0\n", shown="x other")


@pytest.mark.parametrize("header", ["def 1f(", "def f[(", "class A{("])
def test_a_header_that_is_wrong_before_its_brackets_keeps_what_stands_in_them(header: str) -> None:
    tree = parse(f"{header}\n    a,\n    b,\n):\n    return a\n\n\nx = 1\n")
    assert not tree.unreadable
    assert [ast.unparse(s) for s in tree.body][-1] == "x = 1"
    assert not any(b.start == tree.data.index(b"a,") - 4 for b in tree.broken)


def test_conditions_are_not_mended_in_part() -> None:
    """`if ():` would be code that never runs."""
    tree = parse("if (\n    a\n    b and\n):\n    x = 1\n")
    assert not any(isinstance(s, ast.If) and isinstance(s.test, ast.Tuple) for s in tree.body)
