"""`graft bench repair`: programs with one bug each, repaired against their tests with the location unknown.

Data: one JSON object per line with name, buggy_program, solution and tests (the format of the QuixBugs programs).
Each program is written to a workspace of its own, its tests split into one test function per assertion.

A program is *plausible* if `graft repair` ends with a patch that makes all tests pass, *correct* if the first patch
also answers as the reference solution on generated inputs (`repair/compare.py`).  With `--withhold` every second test
is kept back; a first proposal that fails one of those is a wrong one that looked right.

Arms: `operators` (by suspicion and fixed priors), `order` (a model's surprise and likelihood joined), `candidates` (and
changes that the model writes).  With `--rows FILE` every finished program is written down and skipped the next time, so
that a long run can be made in parts; `--slice SECONDS` ends a part.

Figures, per arm, with `ARM_half_` for withheld tests: plausible, correct, any_correct (programs), runs_to_first_median
and runs_median (test runs), seconds_median, not_repaired, wrong_first (names); ARM_half_wrong_percent.
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
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft_server.benches.repair_direct import CPU_SECONDS, Direct
from graft_server.errors import UserError

if TYPE_CHECKING:
    from graft_models.engine import Engine
    from graft_server.repair.outcome import Report, Tester

ARMS = {"operators": "off", "order": "order", "candidates": "candidates"}
"""Arm -> what the model is used for."""
PARTIAL_LIMIT = 12
"""As in `repair/validate.py`."""
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

    def test_text(self, tests: tuple[str, ...]) -> str:
        """Some of the tests and what they need, as a file."""
        return "\n\n\n".join([*filter(None, [self.shared]), *tests]) + "\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the bench."""
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="programs as JSON lines")
    parser.add_argument("--budget", type=float, default=120.0, metavar="SECONDS", help="wall time per program")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N programs")
    parser.add_argument("--names", default="", metavar="A,B", help="only these programs")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="sandboxes side by side")
    parser.add_argument("--inputs", type=int, default=1000, metavar="N", help="generated inputs per program")
    parser.add_argument("--arms", default="operators", metavar="LIST", help="of operators, order, candidates")
    parser.add_argument("--withhold", action="store_true", help="keep every second test back as well (a second pass)")
    parser.add_argument("--only-withhold", action="store_true", help="only that second pass")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="keep finished programs, and skip them next time")
    parser.add_argument(
        "--direct", action="store_true", help="tests in forks without pytest and sandbox: counts as ever, times not"
    )
    parser.add_argument("--most-runs", type=int, default=0, metavar="N", help="test runs per program (0: by time only)")
    parser.add_argument("--slice", type=float, default=0.0, metavar="SECONDS", help="begin nothing more after that")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Figures per arm."""
    programs = read(args.data)
    if args.names:
        programs = [p for p in programs if p.name in args.names.split(",")]
    if args.limit:
        programs = programs[: args.limit]
    if not programs:
        raise UserError(f"{args.data} holds no program that was asked for")
    unknown = [arm for arm in args.arms.split(",") if arm not in ARMS]
    if unknown:
        raise UserError(f"--arms {unknown[0]}: there are {', '.join(ARMS)}")
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
    body = f"from {program.name} import *\n\n\n{program.test_text(tests)}"
    (folder / f"test_{program.name}.py").write_text(body, "utf-8")
    return folder.resolve()


async def measure(programs: list[Program], args: argparse.Namespace) -> dict[str, Any]:
    """All arms one after the other, so that they do not disturb each other."""
    rows = known_rows(args.rows)
    began = time.monotonic()
    for arm in args.arms.split(","):
        halves = [True] if args.only_withhold else [False, *([True] if args.withhold else [])]
        todo = [(p, half) for half in halves for p in programs if (arm, half, p.name) not in rows]
        engine = await load_engine() if todo and arm != "operators" else None
        try:
            for program, half in todo:
                if args.slice and time.monotonic() - began > args.slice:
                    break
                row = await one(program, args, arm, engine, program.tests[::2] if half else program.tests)
                row |= {"arm": arm, "half": half, "budget_seconds": args.budget}
                rows[arm, half, program.name] = row
                print(json.dumps(row), file=sys.stderr, flush=True)
                if args.rows is not None:
                    with args.rows.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
        finally:
            if engine is not None:
                await engine.close()
    return figures(programs, rows, args)


def known_rows(path: Path | None) -> dict[tuple[str, bool, str], dict[str, Any]]:
    """Rows of earlier parts by arm, withheld and name; UserError if the file is something else."""
    if path is None or not path.exists():
        return {}
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return {(row["arm"], row["half"], row["name"]): row for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} holds no rows of this bench: {error}") from error


def figures(
    programs: list[Program], rows: dict[tuple[str, bool, str], dict[str, Any]], args: argparse.Namespace
) -> dict[str, Any]:
    """Flat figures of the programs that have run."""
    out: dict[str, Any] = {"programs": len(programs), "budget_seconds": args.budget}
    for arm in args.arms.split(","):
        for half in (False, True):
            found = [rows[arm, half, p.name] for p in programs if (arm, half, p.name) in rows]
            if not found:
                continue
            name = f"{arm}_half" if half else arm
            out[f"{name}_run"] = len(found)
            if not half:
                out |= {f"{name}_{key}": value for key, value in summary(found).items()}
                continue
            proposed = [row for row in found if row["status"] == "fixed"]
            wrong = [row["name"] for row in proposed if not row["all_tests"]]
            out |= {f"{name}_proposals": len(proposed), f"{name}_wrong": len(wrong)}
            out[f"{name}_wrong_percent"] = 100 * len(wrong) / max(1, len(proposed))
            out[f"{name}_wrong_first"] = ",".join(wrong) or "-"
    return out


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
        raise UserError("the arms `order` and `candidates` need a model that can score; see `graft doctor`")
    return engine


async def one(
    program: Program, args: argparse.Namespace, arm: str, engine: Engine | None, tests: tuple[str, ...]
) -> dict[str, Any]:
    """Repair one program with the given tests; then check the first patch against all tests and the reference."""
    from graft_server.repair.outcome import Task
    from graft_server.repair.search import repair

    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="graft-bench-") as name:
        folder = write(program, Path(name), tests)
        task = Task(
            root=folder,
            command=f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} {PYTEST}",
            budget=args.budget,
            jobs=args.jobs,
            engine=engine,
            model=ARMS[arm],  # type: ignore[arg-type]
            most_runs=args.most_runs,
            tester=tester(stack.enter_context(Direct(program.test_text(tests)))) if args.direct else None,
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
            row["diff"] = patch.diff
            row |= {"all_tests": checked["all_tests"], "correct": checked["correct"], "inputs": checked["inputs"]}
            row["operators"] = list(patch.operators)
        row["any_correct"] |= checked["correct"]
        if checked["correct"]:
            break
    return row


def tester(direct: Direct) -> Tester:
    """Failing tests first, then all, as the sandbox does; the third run of a passing change is the command's."""
    from graft_server.repair.outcome import Verdict

    def name(test: str) -> str:
        return test.rpartition("::")[2]

    def trial(text: str, failing: Sequence[str], passing: Sequence[str]) -> Verdict:
        few = len(failing) <= PARTIAL_LIMIT
        first = direct.run(text, [name(t) for t in failing], CPU_SECONDS, stop_first=not few)
        if not all(first) or len(first) < len(failing):
            return Verdict(False, sum(first), 1, timeout=all(first))
        rest = [name(t) for t in (*failing, *passing)]
        every = direct.run(text, rest, 2 * CPU_SECONDS, stop_first=True)
        passed = all(every) and len(every) == len(rest)
        return Verdict(passed, len(first), 3 if passed else 2, timeout=all(every) and not passed, tests=len(every))

    return trial


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
