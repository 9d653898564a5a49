"""What the gates read of a long text: the surroundings of the cursor, and never more than that says."""

import random
import re

from graft_indexer.facts import DefinitionKind, Span
from graft_indexer.graph import Origin, Symbol
from graft_server.completion import constraint, known, options, stops
from graft_server.completion.options import Option, _options
from graft_server.completion.shape import _said_above, _said_below

SIGNS = "ab_Z9é. \n(:,#"


def _texts(count: int) -> list[str]:
    chance = random.Random(3)
    return ["".join(chance.choice(SIGNS) for _ in range(chance.randrange(400))) for _ in range(count)]


def test_the_beginning_of_a_name_is_what_a_pattern_would_find() -> None:
    for text in ["", "a", "é", "x.naïve_1", "1 + ab", *_texts(300)]:
        assert known.begun(text) == re.search(r"\w*\Z", text).group()  # type: ignore[union-attr]
        assert constraint._without_name(text) == re.sub(r"[A-Za-z_0-9]*\Z", "", text)


def test_lines_around_the_cursor_are_read_nearest_first() -> None:
    for text in ["", "\n", "x\n", "x\n  y\n\nz", *_texts(300)]:
        lines = text.split("\n")
        assert list(_said_below(text)) == [x.strip() for x in lines[1:] if x.strip()]
        assert list(_said_above(text)) == [x.strip() for x in reversed(lines[:-1]) if x.strip()]


def test_a_statement_of_many_lines_is_cut_where_it_was() -> None:
    before = "x = f(\n" + "    a,\n" * 100
    assert stops.head_of(before).count("\n") == stops.MOST_LINES - 1
    assert stops.head_of("x = f(\n    a,\n").startswith("x = f(")
    assert stops.tail_of("\n" + "    a,\n" * 100, 0).count("\n") == stops.MOST_LINES - 1


def test_the_line_about_a_name_is_made_when_it_is_asked_for() -> None:
    made: list[str] = []
    kept = options.detail_of
    symbol = Symbol("name", "m.name", DefinitionKind.VARIABLE, "m.py", Span(0, 4), Span(0, 4), origin=Origin.WORKSPACE)

    def counted(one: Symbol) -> str:
        made.append(one.name)
        return kept(one)

    options.detail_of = counted
    try:
        (option,) = _options("na", [symbol], True, "name", 10).options
        assert not made
        assert option.detail == "variable"
        assert made == ["name"]
    finally:
        options.detail_of = kept
    assert Option("x", DefinitionKind.VARIABLE, "keyword").detail == "keyword"
