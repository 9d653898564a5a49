"""`graft bench repair`: programs with one bug each, repaired against their tests with the location unknown.

Data: one JSON object per line with name, buggy_program, solution and tests (the format of the QuixBugs programs).
Each program is written to a workspace of its own, its tests split into one test function per assertion.

A program is *plausible* if `graft repair` ends with a patch that makes all tests pass, *correct* if the first patch
also answers as the reference solution on generated inputs (`repair/compare.py`).  With `--withhold` every second test
is kept back; a first proposal that fails one of those is a wrong one that looked right.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft_server.errors import UserError

if TYPE_CHECKING:
    from graft_models.engine import Engine
    from graft_server.repair.outcome import Report

PYTEST = "-m pytest -x -q -p no:cacheprovider"


@dataclass(frozen=True, slots=True)
class Program:
    """One program of the data file; `tests` are sources of test functions, `shared` what they need."""

    name: str
    buggy: str
    solution: str
    shared: str
    tests: tuple[str, ...]
    source: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the bench."""
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="programs as JSON lines")
    parser.add_argument("--budget", type=float, default=120.0, metavar="SECONDS", help="wall time per program")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N programs")
    parser.add_argument("--names", default="", metavar="A,B", help="only these programs")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="sandboxes side by side")
    parser.add_argument("--inputs", type=int, default=1000, metavar="N", help="generated inputs per program")
    parser.add_argument("--arms", default="prior", metavar="LIST", help="of prior, model (order by likelihood)")
    parser.add_argument("--withhold", action="store_true", help="keep every second test back as well (a second pass)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Figures per arm."""
    programs = read(args.data)
    if args.names:
        programs = [p for p in programs if p.name in args.names.split(",")]
    if args.limit:
        programs = programs[: args.limit]
    if not programs:
        raise UserError(f"{args.data} holds no program that was asked for")
    return asyncio.run(measure(programs, args))


def read(path: Path) -> list[Program]:
    """The data file; raises UserError with the line that is not as expected."""
    out = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            item = json.loads(line)
            shared, tests = split_tests(item["tests"])
            out.append(Program(item["name"], item["buggy_program"], item["solution"], shared, tests, item["tests"]))
        except (ValueError, KeyError, SyntaxError) as error:
            raise UserError(
                f"{path}:{number}: not a program with name, buggy_program, solution, tests: {error}"
            ) from None
    return out


def split_tests(source: str) -> tuple[str, tuple[str, ...]]:
    """Assertions become functions, `def test...` stay; calls of those at module level go; the rest is shared."""
    shared: list[str] = []
    tests: list[str] = []
    names: set[str] = set()
    for node in ast.parse(source).body:
        text = ast.unparse(node)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            names.add(node.name)
            tests.append(text)
        elif isinstance(node, ast.Assert):
            tests.append(f"def test_{len(tests) + 1}():\n    {text}")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in names:
            continue
        else:
            shared.append(text)
    return "\n".join(shared), tuple(tests)


def write(program: Program, folder: Path, tests: tuple[str, ...]) -> Path:
    """The workspace: the program, and its tests beside it; returns its real path."""
    (folder / f"{program.name}.py").write_text(program.buggy + "\n", "utf-8")
    body = "\n\n\n".join([f"from {program.name} import *", *filter(None, [program.shared]), *tests])
    (folder / f"test_{program.name}.py").write_text(body + "\n", "utf-8")
    return folder.resolve()


async def measure(programs: list[Program], args: argparse.Namespace) -> dict[str, Any]:
    """All arms one after the other, so that they do not disturb each other."""
    figures: dict[str, Any] = {"programs": len(programs), "budget_seconds": args.budget}
    for arm in args.arms.split(","):
        engine = await load_engine() if arm == "model" else None
        rows = []
        for program in programs:
            row = await one(program, args, engine, program.tests)
            rows.append(row)
            print(f"{arm:6} {json.dumps(row)}", file=sys.stderr, flush=True)
        figures |= {f"{arm}_{name}": value for name, value in summary(rows).items()}
        if args.withhold:
            held = []
            for program in programs:
                row = await one(program, args, engine, program.tests[::2])
                held.append(row)
                print(f"{arm:6} half {json.dumps(row)}", file=sys.stderr, flush=True)
            proposed = [row for row in held if row["status"] == "fixed"]
            wrong = sum(not row["all_tests"] for row in proposed)
            figures[f"{arm}_half_proposals"] = len(proposed)
            figures[f"{arm}_half_wrong"] = wrong
            figures[f"{arm}_half_wrong_percent"] = 100 * wrong / max(1, len(proposed))
        if engine is not None:
            await engine.close()
    return figures


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts and medians over the programs of one arm."""
    plausible = [row for row in rows if row["status"] == "fixed" and row["all_tests"]]
    first = [row["first_runs"] for row in plausible]
    return {
        "plausible": len(plausible),
        "correct": sum(row["correct"] for row in plausible),
        "any_correct": sum(row["any_correct"] for row in plausible),
        "runs_to_first_median": statistics.median(first) if first else 0,
        "runs_median": statistics.median(row["runs"] for row in rows),
        "seconds_median": statistics.median(row["seconds"] for row in rows),
        "not_repaired": ",".join(row["name"] for row in rows if row not in plausible) or "-",
        "wrong_first": ",".join(row["name"] for row in plausible if not row["correct"]) or "-",
    }


async def load_engine() -> Engine:
    """The embedded model; UserError if there is none."""
    from graft_server.repair.order import started_engine

    engine = await started_engine()
    if engine is None:
        raise UserError("the arm `model` needs a model that can score; see `graft doctor`")
    return engine


async def one(
    program: Program, args: argparse.Namespace, engine: Engine | None, tests: tuple[str, ...]
) -> dict[str, Any]:
    """Repair one program with the given tests; then check the first patch against all tests and the reference."""
    from graft_server.repair.outcome import Task
    from graft_server.repair.search import repair

    with tempfile.TemporaryDirectory(prefix="graft-bench-") as name:
        folder = write(program, Path(name), tests)
        task = Task(
            root=folder,
            command=f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} {PYTEST}",
            budget=args.budget,
            jobs=args.jobs,
            engine=engine,
        )
        report: Report = await repair(task)
    row: dict[str, Any] = {
        "name": program.name,
        "status": report.status,
        "runs": report.tests_run,
        "first_runs": report.runs_to_first,
        "seconds": round(report.seconds, 1),
        "all_tests": False,
        "correct": False,
        "any_correct": False,
        "patches": len(report.patches),
    }
    if report.status != "fixed":
        row["reason"] = report.reason
        return row
    from graft_server.edits import apply_edits

    for patch in report.patches:
        text = apply_edits(program.buggy + "\n", patch.edits)
        checked = await asyncio.to_thread(check, program, text, args.inputs)
        if patch.rank == 1:
            row |= {"all_tests": checked["all_tests"], "correct": checked["correct"], "inputs": checked["inputs"]}
            row["operators"] = list(patch.operators)
        row["any_correct"] |= checked["correct"]
        if checked["correct"]:
            break
    return row


def check(program: Program, text: str, inputs: int) -> dict[str, Any]:
    """All tests of the data file, and generated inputs, in a process of its own with a time limit."""
    from graft_server.repair.sandbox import HERE

    with tempfile.TemporaryDirectory(prefix="graft-bench-") as name:
        folder = Path(name)
        (folder / "reference.py").write_text(program.solution, "utf-8")
        (folder / "candidate.py").write_text(text, "utf-8")
        (folder / "tests.txt").write_text(program.source, "utf-8")
        (folder / "all.py").write_text(text + "\n" + program.source, "utf-8")
        try:
            tests = subprocess.run([sys.executable, "-I", "all.py"], cwd=folder, capture_output=True, timeout=60)
            compared = subprocess.run(
                [sys.executable, "-I", str(HERE / "compare.py"), str(folder), program.name, str(inputs)],
                capture_output=True,
                timeout=300,
                check=True,
            )
            result = json.loads(compared.stdout)
        except (subprocess.SubprocessError, ValueError):
            return {"all_tests": False, "correct": False, "inputs": 0}
    return {
        "all_tests": tests.returncode == 0,
        "correct": tests.returncode == 0 and result["different"] == 0 and result["inputs"] > 0,
        "inputs": result["inputs"],
    }
