"""Where a suggestion may end early."""

import re

import pytest

from graft_server.completion.anchor import Place
from graft_server.completion.shortening import beginnings


def check(source: str, *expected: str, language: str = "python") -> None:
    """`source` has the cursor at `$0`; what follows it is the suggestion, a token from each `|` on.  `expected` are the
    beginnings, longest first."""
    before, said = source.split("$0")
    pieces = said.split("|")
    marks = [sum(map(len, pieces[:n])) for n in range(len(pieces))]
    assert list(beginnings(marks, "".join(pieces), Place(before, "\n", "\n", language))) == [*expected]


def test_it_ends_with_a_token_or_a_line_but_in_no_word_and_no_blanks() -> None:
    check(
        "os.pa$0th|.jo|in|(|path|):\n   | pass",
        *("th.join(path):", "th.join(path", "th.join(", "th.join"),
    )
    check("x = $0ab| +| cd", "ab +")
    check("x = $0abc")


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
        # Strings that are opened and not closed.
        'x = $0f("%d| days")',
        "x = $0f('a|.b')",
    ],
)
def test_no_name_loses_what_binds_it_and_no_string_its_end(source: str) -> None:
    whole = re.sub(r"\|", "", source.partition("$0")[2])
    before, said = source.split("$0")
    end = said.index("|")
    assert list(beginnings([end], whole, Place(before, "\n"))) == []


def test_what_is_bound_before_or_in_a_bracket_that_was_left_stays() -> None:
    check("$0first, second =| pair", "first, second =")
    check("x = $0f(first|, name=value)", "f(first")
    check("f(\n    $0first|, name=value)", "first")
    check("f($0first|, name=value)", "first")
    check("x = $0first| == second", "first")
    check("$0first|(a=1)", "first")
    check("$0if first|:", "if first")
    check("x = {$0first|: second}", "first")
    check("for name in $0names|[1]:", "names")
    check("x = $0lambda: first|, 1", "lambda: first")
    # The string that the cursor is in stays as open as it was.
    check('x = "a $0word| more"', "word")


def test_strings_of_other_languages() -> None:
    check("const x = $0`abc| def`", language="typescript")
    check("let y: &'a str = $0name|.len()", "name", language="rust")
