import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graft_indexer.facts import Span
from graft_server.diagnosis.distance import closest, edit_distance
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.suppress import unsuppressed


def silenced(text: str, code: str = "undefined-name") -> bool:
    start = text.index("bad")
    finding = Diagnostic("m.py", Span(start, start + 3), code, Severity.ERROR, "")
    return not list(unsuppressed(text, [finding]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bad", False),
        ("bad  # noqa", True),
        ("bad  # NOQA:F821", True),
        ("bad  # noqa: E501, F821", True),
        ("bad  # noqa: undefined-name", True),
        ("bad  # noqa: E501", False),
        ("bad  # type: ignore", True),
        ("bad  # type: ignore[name-defined]", True),
        ("bad  # type: ignore[call-arg]", False),
        ("bad  # pyright: ignore[reportUndefinedVariable]", True),
        ("bad  # pylint: disable=undefined-variable", True),
        ("bad  # graft: ignore", True),
        ("bad  # graft: ignore[undefined-name]", True),
        ("bad  # graft: ignore[call-arguments]", False),
        ("x = 1  # noqa\nbad", False),
        ("# graft: ignore-file\nbad", True),
        ("# graft: ignore-file[undefined-name]\nbad", True),
        ("# graft: ignore-file[call-arguments]\nbad", False),
        ("# ruff: noqa\nbad", True),
        ("# ruff: noqa: F821\nbad", True),
        ("# flake8: noqa: E1\nbad", False),
        ("# type: ignore\nbad", True),
        ("x = 1\n# type: ignore\nbad", False),
        ("'# noqa'\r\nbad  # noqa\r\n", True),
    ],
)
def test_comments(text: str, expected: bool) -> None:
    assert silenced(text) is expected


def test_last_line_of_the_finding_counts() -> None:
    text = "f(bad,\n  worse)  # noqa\n"
    finding = Diagnostic("m.py", Span(0, text.index(")")), "call-arguments", Severity.ERROR, "")
    assert not list(unsuppressed(text, [finding]))


def test_closest() -> None:
    assert closest("lenght", ["length", "lens", "width"]) == ["length"]
    assert closest("getname", ["get_name", "getNames"]) == ["get_name", "getNames"]
    assert closest("x", ["y", "X"]) == []
    assert closest("os", ["so", "ox"]) == []
    assert closest("item", ["items", "time"]) == ["items"]
    assert closest("helpr", ["help", "helper"], last=["help"]) == ["helper", "help"]


@example("acbaa", "abaaaa")  # further apart than the limit, without a row that says so
@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_distance_is_symmetric_and_bounded(a: str, b: str) -> None:
    distance = edit_distance(a, b, 10)
    assert distance == edit_distance(b, a, 10)
    assert abs(len(a) - len(b)) <= distance <= max(len(a), len(b))
    assert (distance == 0) == (a == b)
    assert edit_distance(a, b, 1) == min(distance, 2)
