"""Where a suggestion may end early."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_server.completion.anchor import Place
from graft_server.completion.shortening import beginnings, marks_in, stands


def check(source: str, *expected: str, language: str = "python", after: str = "\n") -> None:
    """`source` has the cursor at `$0`; what follows it is the suggestion, a token from each `|` on.  `expected` are the
    beginnings that may be shown, longest first."""
    before, said = source.split("$0")
    pieces = said.split("|")
    ends = [sum(map(len, pieces[:n])) for n in range(len(pieces))]
    whole, place = "".join(pieces), Place(before, after, "\n", language)
    assert [kept for kept in beginnings(ends, whole) if stands(kept, whole, place, "line")] == [*expected]


def test_it_ends_with_a_token_but_in_no_word_no_operator_and_no_blanks() -> None:
    check(
        "os.pa$0th|.jo|in|(|path|):|\n   | pass",
        *("th.join(path):", "th.join(path", "th.join(", "th.join"),
    )
    check("x = $0ab| +| cd", "ab +")
    check("x = $0ab|(c")
    check("x = $0abc|(d", "abc")
    torn = [
        "foo*|*bar",
        "foo -|> int",
        "foo!|= b",
        "foo?|.b",
        "foo&|& b",
        "foo:|:b",
        "foo=|> b",
        "foo ?|? b",
        "foo <|< b",
    ]
    torn += ["123.|5", "1 + 1e|-5", "1 + 1e-|5", "[:, ..|.]", "foo|$bar", "foo$|bar"]
    torn += ["cafe|\u0301", "'🙂👩|\u200d👩'", "'🙂👩|🏽'", "'🙂🇩|🇪'"]
    for each in torn:
        check(f"x = $0{each}")
    check('x = f"$0abc {|{x}}"')
    check("x = `$0abc $|{name}`", language="typescript")
    check("x = $0foo.|5", "foo.")
    check('x = "$0abc\\|n"')


@pytest.mark.parametrize(
    "source",
    [
        # Names that only what is left out would bind.
        "$0first|, second = pair",
        "$0first = 1|",
        "$0first|: int",
        "f($0name|=value)",
        "f($0first, name|=value)",
        "if ($0name| := f()):",
        "x = [$0name| for name in names]",
        "x = [$0name for name| in names]",
        "$0for name| in names:",
        "x = $0lambda name|: name",
        "x = $0[\n    name|\n    for name in names]",
        "$0[first|, second] = pair",
        "$0print(first|) if names and (first := names[0]) else None",
        # The letters before a string.
        'x = $0print(f|"{name}")',
        "x = $0foo(rb|'abc')",
        # A comma outside of brackets.
        "$0from os import path,| sep",
        # Strings that are opened and not closed.
        'x = $0f("%d| days")',
        "x = $0f('a|.b')",
    ],
)
def test_no_name_loses_what_binds_it_and_no_string_its_end(source: str) -> None:
    check(source)


def test_what_is_bound_before_or_in_a_bracket_that_was_left_stays() -> None:
    check("$0first, second =| pair", "first, second =")
    check("x = $0f(first|, name=value)", "f(first")
    check("f(\n    $0first|, name=value)", "first")
    check("f($0first|, name=value)", "first")
    check("x = $0first| == second", "first")
    check("$0count| += 1", "count")
    check("x = {\n    $0name.key|: 1,", "name.key")
    check("$0foo(first|, b)\nfor x in y:", "foo(first")
    check("$0return| [x for x in names]", "return")
    check("$0f(first|, [x for x in names])", "f(first")
    check("$0def f(self|, other=None):", "def f(self")
    check("$0first|(a=1)", "first")
    check("$0if first|:", "if first")
    check("x = {$0first|: second}", "first")
    check("for name in $0names|[1]:", "names")
    check("x = $0lambda: first|, 1", "lambda: first")
    # The string that the cursor is in stays as open as it was.
    check('x = "a $0word| more"', "word")


def test_prose_on_the_line_binds_nothing() -> None:
    # An odd quote far up makes no prose of the code.
    check('"""It\'s a\n""" \'\'\'\nx = 1\n$0first| = 1')
    check('x = "all $0items| for sale"', "items")


def test_what_the_gates_would_change_is_left_out() -> None:
    # The closer after the cursor would close the wrong bracket.
    check("x = $0compute|(first|)", "compute(first", "compute")
    check("print($0compute|(first|)", "compute", after=")\n")
    check("d[$0foo|[1|]", "foo", after="]\n")
    # What stands there already.
    check("def f(a):\n    $0return| a| + 1", "return", after="\n    return a\n")
    check("x = foo\n$0x = foo|.bar")


def test_marks_follow_white_space_and_end_with_the_first_other_difference() -> None:
    marks = [(-2, -0.5), (0, -0.1), (2, -0.2), (5, -0.3)]
    assert marks_in(marks, " ab cd", "ab\tcd") == [(0, -0.1), (1, -0.2), (4, -0.3)]
    assert marks_in(marks, " ab cd", "ab") == [(0, -0.1), (1, -0.2)]
    assert marks_in(marks, " ab cd", "xb cd") == [(0, -0.1)]
    assert marks_in([*marks, (9, -0.4)], " ab cd", " ab cd") == marks[1:]


@given(
    st.lists(st.sampled_from(["a", " b", "\n  ", "(", "\t", "é"]), max_size=8), st.integers(0, 30), st.integers(0, 9)
)
def test_marks_are_found_in_any_beginning(tokens: list[str], end: int, skip: int) -> None:
    said = "".join(tokens)
    places = [sum(map(len, tokens[:n])) for n in range(len(tokens))]
    said, places = said[skip:], [at - skip for at in places]
    found = marks_in([(at, float(n)) for n, at in enumerate(places)], said, said[:end])
    assert found == [(at, float(n)) for n, at in enumerate(places) if 0 <= at <= len(said[:end])]


def test_strings_of_other_languages() -> None:
    check("const x = $0`abc| def`", language="typescript")
    check("let y: &$0'a str| = name", language="rust")
    check("fn f(x: &$0'a str|) {", "'a str", language="rust")
