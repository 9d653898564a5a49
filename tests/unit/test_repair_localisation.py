"""Suspicion: Ochiai with ties at their mean rank, tracebacks as a union, what may be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from graft_server.repair.localisation import (
    Baseline,
    by_rank,
    is_test_file,
    may_change,
    needs_network,
    printed_stack,
    read_traces,
    suspicious,
)

TEXT = "def f(x):\n    if x:\n        y = 1\n    else:\n        y = 2\n    return y\n"


def spectrum(failed: bool, *lines: int) -> tuple[bool, frozenset[tuple[str, int]]]:
    return failed, frozenset(("a.py", line) for line in lines)


def check(base: Baseline, *first: int, output: str = "") -> None:
    """The most suspicious lines, in order."""
    places = suspicious(base, output, Path("/w"), texts=lambda path: TEXT)
    assert [p.line for p in places[: len(first)]] == list(first)
    assert sum(p.weight for p in places) == pytest.approx(1.0)


def test_lines_of_failing_tests_only_come_first() -> None:
    base = Baseline(spectra=[spectrum(True, 1, 2, 5), spectrum(False, 1, 4, 5), spectrum(False, 1, 4, 5)])
    check(base, 2)


def test_ties_share_their_mean_rank() -> None:
    shares = by_rank({("a", 1): 1.0, ("a", 2): 1.0, ("a", 3): 0.5})
    assert shares["a", 1] == shares["a", 2] > shares["a", 3]
    assert sum(shares.values()) == pytest.approx(1.0)


def test_traceback_and_the_condition_above_it_are_joined() -> None:
    base = Baseline(
        spectra=[spectrum(True, 1, 2, 5), spectrum(False, 1, 2, 5)],
        errors=[{"type": "E", "message": "", "id": "t", "stack": [["/w/test_a.py", 3], ["/w/a.py", 3]]}],
    )
    check(base, 2, 1)


LAZY = """import os

LIMIT = 3


def f(x):
    try:
        return int(x)
    except ValueError:
        return 0


@os.cache
def g(x):
    return x
"""


def test_what_runs_on_import_is_hardly_suspicious() -> None:
    # The failing test happened to import the module first, so nothing else ran these lines.
    base = Baseline(spectra=[spectrum(True, 0, 2, 5, 6, 7, 12, 13), spectrum(False, 5, 6, 7)])
    places = suspicious(base, "", Path("/w"), texts=lambda path: LAZY)
    assert {p.line for p in places[:3]} == {5, 6, 7}
    assert {p.line for p in places} == {2, 5, 6, 7, 12, 13}


def test_a_handler_that_did_not_take_the_exception_is_suspicious() -> None:
    base = Baseline(
        spectra=[spectrum(True, 5, 6, 7, 8), spectrum(False, 5, 6, 7)],
        errors=[{"type": "OverflowError", "message": "", "id": "t", "stack": [["/w/a.py", 8]]}],
    )
    places = suspicious(base, "", Path("/w"), texts=lambda path: LAZY)
    assert {p.line for p in places[:2]} == {7, 8}


def test_without_a_tracer_the_printed_traceback_counts() -> None:
    check(Baseline(errors=[{"type": "E", "message": ""}]), 2, output='  File "/w/a.py", line 3, in f\n    y = 1\n')
    assert printed_stack("lib/b.py:12: AssertionError\n") == [["lib/b.py", 12]]


@pytest.mark.parametrize(
    ("path", "glob", "expected"),
    [
        ("a.py", "", True),
        ("pkg/test_a.py", "", False),
        ("tests/helper.py", "", False),
        ("conftest.py", "", False),
        ("a.txt", "", False),
        ("seen_as_test.py", "", False),
        ("pkg/a.py", "pkg/*.py", True),
        ("a.py", "pkg/*.py", False),
        ("test_a.py", "*.py", True),
    ],
)
def test_what_may_be_changed(path: str, glob: str, expected: bool) -> None:
    assert may_change(path, glob, ["seen_as_test.py"]) is expected


def test_test_files() -> None:
    assert is_test_file("x/test/y.py")
    assert not is_test_file("contest.py")


def test_traces_of_several_processes(tmp_path: Path) -> None:
    def trace(*tests: tuple[str, str, float]) -> dict[str, object]:
        return {
            "tests": [
                {"id": i, "outcome": o, "seconds": s, "lines": {str(tmp_path / "a.py"): [1, 2]}, "error": None}
                for i, o, s in tests
            ],
            "lines": {str(tmp_path / "a.py"): [1], "/elsewhere/b.py": [1]},
            "errors": [],
            "escaped": [],
        }

    base = read_traces([trace(("t1", "failed", 2.0), ("t2", "timeout", 9.0), ("t3", "failed", 1.0)), trace()], tmp_path)
    assert base.failing == ["t3", "t1", "t2"]
    assert base.hanging == ["t2"]
    assert base.imported == frozenset({("a.py", 0)})
    assert base.session is not None


def test_network() -> None:
    one = {"type": "gaierror", "message": "[Errno -3] Temporary failure in name resolution"}
    assert needs_network(Baseline(errors=[one]))
    assert not needs_network(Baseline(errors=[one, {"type": "AssertionError", "message": ""}]))
    assert not needs_network(Baseline())
