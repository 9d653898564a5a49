"""`graft repair --test CMD`: find and mend what makes a command fail."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from graft_server.errors import UserError

if TYPE_CHECKING:
    from graft_server.repair.outcome import OnProgress, Progress, Report, Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument("--test", required=True, metavar="CMD", help="command line that fails now and shall succeed")
    parser.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the workspace (default: here)")
    parser.add_argument(
        "--files", default="", metavar="GLOB", help="change only files that match, relative to the root"
    )
    parser.add_argument("--budget", type=float, default=120.0, metavar="SECONDS", help="wall time in all (default 120)")
    parser.add_argument(
        "--run-seconds",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="longest time one run of the command may take (default: a sixth of the budget, 5 to 60)",
    )
    parser.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="sandboxes side by side (default: cores, to 4)"
    )
    parser.add_argument("--sandbox", choices=("auto", "overlay", "copy"), default="auto", help="how tests are kept in")
    parser.add_argument(
        "--model",
        nargs="?",
        const="order",
        default="off",
        choices=("off", "order", "candidates"),
        help="let the model find odd lines and order the changes, or also write some (default: off; alone: order)",
    )
    parser.add_argument("--apply", action="store_true", help="write the first patch into the tree")
    parser.add_argument("--yes", action="store_true", help="do not ask where the system offers no sandbox")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--progress", choices=("auto", "json"), default="auto", help="on standard error: for a terminal, or JSON lines"
    )


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 fixed or nothing to fix, 1 no patch, 2 anything else."""
    from graft_server.repair.outcome import EXIT_CODES, Report, Task

    root: Path = args.root.resolve()
    if not root.is_dir():
        raise UserError(f"{args.root} is not a folder; --root names the workspace")
    if not args.test.strip():
        raise UserError('the command is empty; for example --test "python -m pytest -x -q"')
    if args.budget <= 0:
        raise UserError("--budget must be more than 0 seconds")
    confirm(args)
    task = Task(
        root=root,
        command=args.test,
        files=args.files,
        budget=args.budget,
        run_seconds=args.run_seconds,
        jobs=args.jobs if args.jobs > 0 else default_jobs(),
        sandbox=args.sandbox,
        model=args.model,
    )
    print(f"in the sandbox, in {root}: {args.test}", file=sys.stderr)
    began = time.monotonic()
    try:
        report = asyncio.run(cancellable(task, tell_progress if args.progress == "json" else show_progress))
    except (KeyboardInterrupt, asyncio.CancelledError):
        report = Report("cancelled", "cancelled; the tree is as it was", seconds=time.monotonic() - began)
    finally:
        clear_line()
    if args.apply and report.status == "fixed":
        apply_first(root, report)
    if args.json:
        print(json.dumps(as_json(report), indent=1))
    else:
        show(report, applied=args.apply)
    return EXIT_CODES[report.status]


def confirm(args: argparse.Namespace) -> None:
    """Who typed the command has confirmed it; only a system without any sandbox is asked about."""
    if sys.platform == "linux" or args.yes:
        return
    missing = "this system has no namespaces: the tests could reach the network and every file of yours"
    if not sys.stdin.isatty():
        raise UserError(f"{missing}; add --yes to run them in a copy of the workspace all the same")
    print(f"{missing}.\nRun `{args.test}` in a copy of the workspace? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("not confirmed; nothing was run")


def default_jobs() -> int:
    """One sandbox per core this process may use, at most four."""
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, cores))


async def cancellable(task: Task, progress: OnProgress) -> Report:
    """Run the repair so that SIGTERM cleans up as Ctrl-C does; with the model if it is asked for and there is one."""
    from graft_server.repair.order import started_engine
    from graft_server.repair.search import repair

    loop = asyncio.get_running_loop()
    me = asyncio.current_task()
    if me is not None and sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, me.cancel)
    engine = await started_engine(task.root) if task.model != "off" else None
    if task.model != "off" and engine is None:
        raise UserError("--model needs a model that can score; `graft doctor` says what is missing")
    try:
        return await repair(replace(task, engine=engine), progress)
    finally:
        if engine is not None:
            await engine.close()


def in_words(progress: Progress) -> str:
    """What goes on, in a few words."""
    count = f" {progress.done}" if progress.done else ""
    total = f" of {progress.total}" if progress.total else ""
    passing = f", {progress.passing} pass" if progress.passing else ""
    return f"{progress.message}{count}{total}{passing}"


def show_progress(progress: Progress) -> None:
    """One line that replaces itself, only where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{in_words(progress)}", end="", file=sys.stderr, flush=True)


def tell_progress(progress: Progress) -> None:
    """A JSON line for a program."""
    print(json.dumps({"progress": in_words(progress)}), file=sys.stderr, flush=True)


def clear_line() -> None:
    """Take the progress line away."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def apply_first(root: Path, report: Report) -> None:
    """Write the proposal; UserError if a file changed meanwhile."""
    from graft_server.repair.search import write_patch

    try:
        write_patch(root, report.patches[0])
    except (OSError, ValueError) as error:
        raise UserError(str(error)) from error


def as_json(report: Report) -> dict[str, object]:
    """The format others script against."""
    return {
        "status": report.status,
        "reason": report.reason,
        "patches": [
            {
                "diff": p.diff,
                "verified": list(p.verified),
                "rank": p.rank,
                "edits": [{"path": e.path, "start": e.start, "end": e.end, "text": e.text} for e in p.edits],
                "digests": dict(p.digests),
            }
            for p in report.patches
        ],
        "tests_run": report.tests_run,
        "seconds": round(report.seconds, 3),
        "notes": list(report.notes),
    }


def show(report: Report, *, applied: bool) -> None:
    """The report for a person."""
    print(f"{report.status}: {report.reason} ({report.tests_run} test runs, {report.seconds:.1f} s)")
    for note in report.notes:
        print(f"note: {note}")
    for patch in report.patches:
        print(f"\npatch {patch.rank}: {'; '.join(patch.verified)}")
        print(patch.diff, end="")
    if report.patches:
        print("\nwritten: patch 1" if applied else "\nThe tree is untouched; --apply writes patch 1.")
