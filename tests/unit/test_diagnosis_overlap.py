"""What another server shows as well: by code, by name, by place; on lines that moved."""

import pytest

from graft_indexer.facts import Span
from graft_indexer.text import Lines, encode
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.overlap import duplicate, foreign

TEXT = "x = 1\nprint(undefined, other)\n"
OURS = Diagnostic("a.py", Span(12, 21), "undefined-name", Severity.ERROR, "`undefined` is not defined", ("undefined",))


@pytest.mark.parametrize(
    ("code", "message", "start", "end", "auto", "on"),
    [
        ("F821", "Undefined name `undefined`", 12, 21, True, True),
        ("reportUndefinedVariable", '"undefined" is not defined', 12, 21, True, True),
        ("F821", "Undefined name `other`", 23, 28, False, False),
        ("E501", "Line too long", 6, 28, False, True),
        ("", "undefined name 'undefined'", 6, 28, True, True),
        ("", "undefined name 'undefinedness'", 6, 28, False, True),
        ("", "undefined name 'undefined'", 0, 5, False, False),
    ],
)
def test_same_finding(code: str, message: str, start: int, end: int, auto: bool, on: bool) -> None:
    lines = Lines(encode(TEXT))
    theirs = [foreign("Ruff", code, message, Span(start, end), lines)]
    assert duplicate(OURS, lines, theirs, "auto") is auto
    assert duplicate(OURS, lines, theirs, "on") is on
    assert duplicate(OURS, lines, theirs, "off") is False


def test_a_line_that_moved_is_known_again() -> None:
    theirs = [foreign("Ruff", "F821", "Undefined name `undefined`", Span(12, 21), Lines(encode(TEXT)))]
    moved = Lines(encode("# é\n" + TEXT))
    there = Diagnostic("a.py", Span(17, 26), OURS.code, OURS.severity, OURS.message, OURS.names)
    assert duplicate(there, moved, theirs, "auto")
    changed = Lines(encode(TEXT.replace("other", "more")))
    assert not duplicate(OURS, changed, theirs, "auto")
