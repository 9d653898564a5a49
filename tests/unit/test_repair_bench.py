"""`graft bench repair` on a program of its own: what it counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graft_server.benches import repair as bench
from graft_server.cli import main

DOUBLE = {
    "name": "double",
    "buggy_program": "def double(n):\n    return n + 2",
    "docstring": "",
    "solution": "def double(n):\n    return n * 2",
    "tests": "assert double(*[3]) == 6\nassert double(*[5]) == 10\nassert double(2) == 4\nassert double(-7) == -14",
}


def test_tests_are_split() -> None:
    shared, tests = bench.split_tests("x = 1\ndef test1():\n    assert x\ntest1()\nassert x == 1\n")
    assert shared == "x = 1"
    assert len(tests) == 2
    assert tests[1].startswith("def test_2():")


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "out.json"
    data.write_text(json.dumps(DOUBLE) + "\n")
    arguments = ["bench", "repair", "--data", str(data), "--budget", "30", "--inputs", "50", "--json", str(out)]
    arguments += ["--rows", str(tmp_path / "rows.jsonl"), "--withhold"]
    assert main(arguments) == 0
    figures = json.loads(out.read_text())
    assert (figures["programs"], figures["operators_plausible"], figures["operators_correct"]) == (1, 1, 1)
    assert figures["operators_runs_to_first_median"] > 0
    assert figures["operators_half_run"] == 1
    assert "operators_plausible" in capsys.readouterr().out
    # Without pytest and sandbox the same is found.
    direct = tmp_path / "direct.json"
    assert main([*arguments[:-5], "--json", str(direct), "--direct", "--most-runs", "500"]) == 0
    found = json.loads(direct.read_text())
    assert (found["operators_plausible"], found["operators_correct"]) == (1, 1)
    capsys.readouterr()
    # What is written down is not run again.
    assert main([*arguments, "--slice", "0.001"]) == 0
    assert json.loads(out.read_text()) == figures
    assert capsys.readouterr().err.count('"name"') == 0


def test_a_patch_that_only_fits_the_tests_is_not_correct() -> None:
    shared, tests = bench.split_tests(DOUBLE["tests"])
    program = bench.Program("double", DOUBLE["buggy_program"], DOUBLE["solution"], shared, tests, DOUBLE["tests"])
    fits = "def double(n):\n    return {3: 6, 5: 10, 2: 4, -7: -14}.get(n, 0)\n"
    checked = bench.check(program, fits, 100)
    assert checked["all_tests"]
    assert not checked["correct"]


def test_bad_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data.jsonl"
    for text in ("{", '{"name": "x"}', ""):
        data.write_text(text)
        assert main(["bench", "repair", "--data", str(data)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
