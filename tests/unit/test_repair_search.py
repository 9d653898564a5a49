"""Repair end to end on small workspaces: one status each, the tree as it was, no process left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from graft_server.cli import main
from graft_server.edits import apply_edits
from graft_server.repair.outcome import Report, Task
from graft_server.repair.sandbox import namespaces_refused
from graft_server.repair.search import repair, unified
from graft_testing.fixture import parse_fixture

PYTEST = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest -x -q -p no:cacheprovider"
BUG = """
    //- /calc.py
    def total(values):
        result = 0
        for value in values:
            result -= value
        return result
    //- /test_calc.py
    import unittest

    from calc import total


    class TestTotal(unittest.TestCase):
        def test_some(self):
            self.assertEqual(total([1, 2, 3]), 6)

        def test_negative(self):
            self.assertEqual(total([-1, 3]), 2)

        def test_none(self):
            self.assertEqual(total([]), 0)
"""


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A variable in the environment of everything that this test starts, however it hides."""
    value = uuid.uuid4().hex
    monkeypatch.setenv("REPAIR_TEST_MARK", value)
    return value


def leftovers() -> list[str]:
    """Command lines of processes that this test started and that still run."""
    value = os.environ["REPAIR_TEST_MARK"].encode()
    out = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if value in (folder / "environ").read_bytes():
                out.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return [text for text in out if text]


def check(tmp_path: Path, source: str, command: str = PYTEST, *, budget: float = 40.0, **options: Any) -> Report:
    """Repair the fixture; the tree must be untouched and nothing of ours may run on."""
    root = parse_fixture(source).write(tmp_path / "work")
    before = snapshot(root)
    report = asyncio.run(repair(Task(root.resolve(), command, budget=budget, **options)))
    assert snapshot(root) == before
    assert leftovers() == []
    assert report.seconds < budget + 25
    return report


@pytest.mark.parametrize("mode", ["auto", "copy"])
@pytest.mark.parametrize("runner", [PYTEST, f"{sys.executable} -m unittest -q"], ids=["pytest", "unittest"])
def test_a_planted_bug_is_fixed(tmp_path: Path, mode: str, runner: str) -> None:
    report = check(tmp_path, BUG, runner, sandbox=mode, patches=2)
    assert report.status == "fixed", report
    best = report.patches[0]
    space: dict[str, Any] = {}
    exec(apply_edits((tmp_path / "work" / "calc.py").read_text(), best.edits), space)
    assert space["total"]([4, 5]) == 9, best.diff
    assert best.verified[0] == "2 failing tests now pass"
    assert "the command as given ends with status 0" in best.verified
    assert bool(report.notes and "copy" in report.notes[0]) == (mode == "copy" or bool(namespaces_refused()))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with nothing installed."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return str(folder / "bin" / "python")


def test_an_interpreter_with_nothing_installed(tmp_path: Path, bare: str) -> None:
    report = check(tmp_path / "unittest", BUG, f"{bare} -m unittest -q", patches=1)
    assert report.status == "fixed", report
    assert not any("whole command" in note for note in report.notes), report.notes
    report = check(tmp_path / "pytest", BUG, f"{bare} -m pytest -q")
    assert report.status == "tests-do-not-run", report
    assert "pytest" in report.reason


def test_another_command_runs_as_given(tmp_path: Path) -> None:
    source = """
        //- /half.py
        def half(n):
            return n // 3
        //- /check.py
        from half import half

        assert half(10) == 5, half(10)
    """
    report = check(tmp_path, source, f"{sys.executable} check.py", files="half.py", patches=1)
    assert report.status == "fixed", report
    assert "half.py" in report.patches[0].diff


def test_an_endless_loop_is_mended(tmp_path: Path) -> None:
    source = """
        //- /count.py
        def count(n):
            steps = 0
            while n > 0:
                n += 1
                steps += 1
            return steps
        //- /test_count.py
        from count import count


        def test_three():
            assert count(3) == 3


        def test_zero():
            assert count(0) == 0
    """
    report = check(tmp_path, source, run_seconds=4, budget=60, patches=1)
    assert report.status == "fixed", report
    assert any(line in report.patches[0].diff for line in ("-        n += 1", "-    while n > 0", "+        n ="))


def test_a_test_that_is_slow_under_the_tracer_only_does_not_hang(tmp_path: Path) -> None:
    source = """
        //- /ways.py
        def ways(n):
            if n < 2:
                return 0
            return ways(n - 1) + ways(n - 2)
        //- /test_ways.py
        from ways import ways


        def test_few():
            assert ways(3) == 3


        def test_many():
            assert ways(24) == 75025
    """
    report = check(tmp_path, source, run_seconds=4, budget=60, patches=1)
    assert report.status == "fixed", report
    assert "+        return 1\n" in report.patches[0].diff


def test_tests_that_pass(tmp_path: Path) -> None:
    report = check(tmp_path, "//- /test_a.py\ndef test(): assert True\n")
    assert (report.status, report.patches) == ("tests-pass", ())


@pytest.mark.parametrize(
    ("source", "command", "reason"),
    [
        ("//- /a.py\nx = 1\n", "no-such-program-here --now", "not found"),
        ("//- /a.py\nx = 1\n", PYTEST, "no test ran"),
        ("//- /test_a.py\nimport nowhere_at_all\ndef test(): pass\n", PYTEST, "nowhere_at_all"),
        ("//- /test_a.py\ndef test(:\n", PYTEST, "before they reach"),
        ("//- /test_a.py\ndef test(): assert True\n", f"{PYTEST} && exit 3", "status 3"),
    ],
    ids=["no-program", "no-tests", "no-module", "syntax", "other"],
)
def test_tests_that_do_not_run(tmp_path: Path, source: str, command: str, reason: str) -> None:
    report = check(tmp_path, source, command)
    assert report.status == "tests-do-not-run", report
    assert reason in report.reason
    assert "\n" not in report.reason


def test_tests_that_hang(tmp_path: Path) -> None:
    source = """
        //- /test_a.py
        import time


        def test():
            while True:
                time.sleep(0.01)
    """
    report = check(tmp_path, source, run_seconds=2, budget=20)
    assert report.status == "tests-hang", report
    report = check(tmp_path, "//- /b.py\n", "sleep 1000", run_seconds=1, budget=10)
    assert report.status == "tests-hang", report


def test_tests_that_fork_without_end(tmp_path: Path) -> None:
    # Bounded: at most 600 processes that sleep, should nothing stop them.
    source = """
        //- /test_a.py
        import os, time


        def test():
            for _ in range(600):
                if os.fork() == 0:
                    os.setsid()
                    time.sleep(40)
                    os._exit(0)
            time.sleep(40)
    """
    report = check(tmp_path, source, run_seconds=15, budget=40)
    assert report.status == "tests-do-not-run", report
    assert "processes" in report.reason


def test_tests_that_delete_files(tmp_path: Path) -> None:
    source = """
        //- /value.py
        VALUE = 3


        def value():
            return VALUE + 1
        //- /keep/data.txt
        precious
        //- /test_a.py
        import pathlib, shutil

        from value import value


        def test():
            shutil.rmtree("keep")
            for path in pathlib.Path(".").glob("*.py"):
                path.unlink()
            assert value() == 3
    """
    report = check(tmp_path, source, patches=1)
    assert report.status == "fixed", report


def test_tests_that_print_a_lot(tmp_path: Path) -> None:
    report = check(tmp_path, "//- /a.py\n", "yes graft", run_seconds=20)
    assert report.status == "tests-do-not-run"
    assert "printed more than 64 MB" in report.reason


def test_tests_that_need_the_network(tmp_path: Path) -> None:
    source = """
        //- /fetch.py
        import socket


        def fetch():
            return socket.create_connection(("example.invalid", 80), timeout=3)
        //- /test_a.py
        from fetch import fetch


        def test():
            fetch()
    """
    report = check(tmp_path, source)
    assert report.status == "tests-do-not-run", report
    assert "network" in report.reason


def test_execution_outside_the_sandbox_claims_nothing(tmp_path: Path) -> None:
    # The copy is what would be patched; the tests insist on the original.
    source = f"""
        //- /value.py
        def value():
            return 2
        //- /test_a.py
        import sys

        sys.path.insert(0, {str(tmp_path / "work")!r})
        from value import value


        def test():
            assert value() == 3
    """
    report = check(tmp_path, source, sandbox="copy")
    assert report.status == "sandbox-failed", report
    assert "value.py" in report.reason


def test_nothing_to_mend_with(tmp_path: Path) -> None:
    source = """
        //- /hard.py
        def secret():
            return "a"
        //- /test_a.py
        import hashlib

        from hard import secret


        def test():
            assert hashlib.sha256(secret().encode()).hexdigest() == "0" * 64
    """
    report = check(tmp_path, source, budget=25)
    assert report.status == "no-patch", report
    assert report.tests_run > 10


@pytest.mark.parametrize("seconds", [0.02, 0.3, 1.5], ids=["building", "starting", "running"])
def test_cancelling_leaves_nothing(tmp_path: Path, seconds: float) -> None:
    root = parse_fixture(BUG).write(tmp_path)
    (root / "test_slow.py").write_text("import time\ndef test(): time.sleep(5)\n")
    before = snapshot(root)

    async def go() -> None:
        task = asyncio.create_task(repair(Task(root.resolve(), PYTEST, budget=60)))
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert snapshot(root) == before
    assert leftovers() == []


def test_ctrl_c_at_the_command_line(tmp_path: Path) -> None:
    root = parse_fixture(BUG).write(tmp_path)
    (root / "test_slow.py").write_text("import time\ndef test(): time.sleep(30)\n")
    before = snapshot(root)
    command = [sys.executable, "-m", "graft_server.cli", "repair", "--root", str(root), "--test", PYTEST, "--json"]

    def heed() -> None:
        """A shell's background jobs ignore Ctrl+C, and so would their children."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed)
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert json.loads(out)["status"] == "cancelled"
    assert process.returncode == 2
    assert snapshot(root) == before
    assert leftovers() == []


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = parse_fixture(BUG).write(tmp_path)
    before = (root / "calc.py").read_text()
    arguments = ["repair", "--root", str(root), "--test", PYTEST, "--json", "--apply", "--budget", "40", "--jobs", "1"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "fixed"
    assert set(report) >= {"status", "reason", "patches", "tests_run", "seconds"}
    assert set(report["patches"][0]) == {"diff", "verified", "rank", "edits", "digests"}
    assert (root / "calc.py").read_text() != before
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "tests-pass"


@pytest.mark.parametrize(
    "arguments", [["--root", "/no/such/folder"], ["--budget", "0"], ["--test", " "]], ids=["root", "budget", "empty"]
)
def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["repair", "--root", str(tmp_path), "--test", "true", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_diff_of_a_file_without_final_newline(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    diff = unified("a.py", "x = 1", "x = 2")
    done = subprocess.run(
        ["patch", "-p1"], input=diff.encode(), cwd=tmp_path, capture_output=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done
    assert (tmp_path / "a.py").read_text() == "x = 2"
