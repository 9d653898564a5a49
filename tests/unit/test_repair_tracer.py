"""The tracer in a real interpreter: lines per test, outcomes, time limits, and other people's sitecustomize."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from graft_server.repair.sandbox import HERE

MODULE = "def f(x):\n    if x:\n        return 1\n    return 2\n"
PYTEST = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]


def other_interpreters() -> list[str]:
    """Interpreters beside this one, by their files: the tracer has two ways to trace, by version."""
    found = [sys.executable]
    for version in ("3.13", "3.12", "3.10", "3.9", "3.8"):
        found += map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))
        program = shutil.which(f"python{version}")
        if program and ".pyenv/shims" not in program:
            found.append(program)
    return found


def run(root: Path, arguments: list[str], *, python: str = sys.executable, seconds: float = 5) -> list[dict[str, Any]]:
    """Run under the tracer; the traces of all processes."""
    hook, out = root / "_hook", root / "_out"
    hook.mkdir(exist_ok=True)
    out.mkdir(exist_ok=True)
    shutil.copyfile(HERE / "tracer.py", hook / "sitecustomize.py")
    config = {"dir": str(out), "root": str(root), "test_seconds": seconds, "skip": ["/site-packages/"]}
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))} | {
        "PYTHONPATH": os.pathsep.join([str(hook), *filter(None, [os.environ.get("EXTRA_PATH")])]),
        "PYTEST_PLUGINS": "_graft_tracer",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "GRAFT_TRACE": json.dumps(config),
    }
    subprocess.run([python, *arguments], cwd=root, env=env, capture_output=True, timeout=120, check=False)
    return [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        (root / f"{name}.py").write_text(textwrap.dedent(text))
    return root.resolve()


def lines(test: dict[str, Any], name: str) -> list[int]:
    return next((v for k, v in test["lines"].items() if Path(k).name == name), [])


def test_pytest_lines_per_test_despite_exit_first(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        m=MODULE,
        test_m="""
            from m import f
            def test_a(): assert f(1) == 0
            def test_b(): assert f(0) == 2
        """,
    )
    (trace,) = run(root, PYTEST)
    a, b = trace["tests"]
    assert (a["outcome"], b["outcome"]) == ("failed", "passed")
    assert lines(a, "m.py") == [1, 2, 3]
    assert lines(b, "m.py") == [1, 2, 4]
    assert a["error"]["type"] == "AssertionError"
    assert Path(a["error"]["stack"][-1][0]).name == "test_m.py"
    assert trace["runner"] == "pytest"
    assert "pytest" in trace["modules"]
    assert "m" not in trace["modules"]


@pytest.mark.parametrize("python", other_interpreters())
def test_unittest_in_any_interpreter(tmp_path: Path, python: str) -> None:
    root = write(
        tmp_path,
        m=MODULE,
        test_m="""
            import unittest
            from m import f
            class T(unittest.TestCase):
                def test_a(self): self.assertEqual(f(1), 0)
                def test_b(self): self.assertEqual(f(0), 2)
        """,
    )
    (trace,) = run(root, ["-m", "unittest", "-q"], python=python)
    by_name = {t["id"].rpartition(".")[2]: t for t in trace["tests"]}
    assert by_name["test_a"]["outcome"] == "failed"
    assert by_name["test_b"]["outcome"] == "passed"
    assert lines(by_name["test_a"], "m.py") == [1, 2, 3]
    assert lines(by_name["test_b"], "m.py") == [1, 2, 4]


def test_endless_loops_fail_and_the_rest_is_traced(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        m="def f(x):\n    while x:\n        x += 0\n    return 2\n",
        test_m="""
            from m import f
            def test_a(): f(1)
            def test_b(): assert f(0) == 2
        """,
    )
    (trace,) = run(root, PYTEST, seconds=0.5)
    a, b = trace["tests"]
    assert (a["outcome"], b["outcome"]) == ("timeout", "passed")
    assert Path(a["error"]["stack"][-1][0]).name == "m.py"
    assert lines(b, "m.py") == [1, 2, 4]


def test_a_plain_script_and_its_uncaught_exception(tmp_path: Path) -> None:
    root = write(tmp_path, m="def f(x):\n    return 1 / x\n", main="from m import f\nf(0)\n")
    (trace,) = run(root, ["main.py"])
    assert trace["errors"][0]["type"] == "ZeroDivisionError"
    assert trace["errors"][0]["stack"][-1][1] == 2
    assert any(Path(name).name == "m.py" for name in trace["lines"])


def test_a_module_that_cannot_be_imported(tmp_path: Path) -> None:
    root = write(tmp_path, m="x = undefined_name\n", test_m="import m\ndef test(): pass\n")
    (trace,) = run(root, PYTEST)
    assert trace["tests"] == []
    assert any(Path(f).name == "m.py" and n == 1 for f, n in trace["errors"][0]["stack"])


def test_another_sitecustomize_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import builtins\nbuiltins.HELLO = 1\n")
    monkeypatch.setenv("EXTRA_PATH", str(other))
    root = tmp_path / "w"
    root.mkdir()
    write(root, main="assert HELLO == 1\nraise SystemExit(open('done', 'w').write('x') - 1)\n")
    run(root, ["main.py"])
    assert (root / "done").exists()


def test_switched_off_without_its_variable(tmp_path: Path) -> None:
    shutil.copyfile(HERE / "tracer.py", tmp_path / "sitecustomize.py")
    code = "import sys; print(sys.gettrace(), '_graft_tracer' in sys.modules)"
    env = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "None True\n"
