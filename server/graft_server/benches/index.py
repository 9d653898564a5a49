"""`graft bench index`: first index, reopening, edits, memory, database size; medians of several runs.

The baseline of the first index is the same pool of workers reading and parsing the same files and dropping the trees;
both are measured in turn, so that a busy machine slows both.  Every measurement is made in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

from graft_server.errors import UserError

BUDGETS = {
    "ratio_to_parse": 2.0, "level2_ratio_to_parse": 6.0, "reopen_seconds": 0.5, "edit_ms": 10.0, "edit_ms_p95": 30.0,
    "definition_ms_p95": 5.0, "members_ms_p95": 5.0, "names_ms_p95": 5.0, "call_ms_p95": 5.0, "usages_ms_p95": 15.0,
    "map_ms_p95": 100.0, "rss_bytes": 250_000_000, "db_to_source": 3.0,
}  # fmt: skip
"""What each figure of that name may be at most (on two cores at about 2.4 GHz)."""
EDIT_LINES = 1_000
"""Edits are measured in files of up to so many lines."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `graft bench index`."""
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder (default: this Python's standard library)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="how often each is measured (default 3)")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes (default: one per core)")
    parser.add_argument("--edits", type=int, default=300, metavar="N", help="edits to replay (default 300)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the choice of edits (default 1)")
    parser.add_argument("--questions", type=int, default=200, metavar="N", help="questions of each kind (default 200)")
    parser.add_argument(
        "--level2", type=int, default=120, metavar="N", help="files whose level 2 is built (default 120)"
    )
    parser.add_argument(
        "--measure", choices=("parse", "first", "reopen", "edits", "level2", "questions"), help=argparse.SUPPRESS
    )
    parser.add_argument("--index-dir", type=Path, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Figures; times in seconds unless the name says ms, sizes in bytes, `*_cpu_seconds` of all processes together."""
    root = (args.root or Path(sysconfig.get_path("stdlib"))).resolve()
    if not root.is_dir():
        raise UserError(f"--root {args.root}: not a folder")
    if args.runs < 1 or args.edits < 1:
        raise UserError("--runs and --edits must be at least 1")
    parse: list[dict[str, Any]] = []
    first: list[dict[str, Any]] = []
    reopen: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as folder:
        for number in range(args.runs):
            here = Path(folder) / str(number)
            parse.append(_measure("parse", args, root, here))
            first.append(_measure("first", args, root, here))
            reopen.append(_measure("reopen", args, root, here))
            if number + 1 < args.runs:
                shutil.rmtree(here)
        edits = _measure("edits", args, root, here)
        level2 = _measure("level2", args, root, here) if args.level2 else {}
        asked = _measure("questions", args, root, here) if args.questions else {}

    def middle(runs: list[dict[str, Any]], name: str) -> float:
        return float(statistics.median(r[name] for r in runs))

    return {
        "root": str(root),
        "runs": args.runs,
        "files": first[0]["files"],
        "lines": first[0]["lines"],
        "source_bytes": first[0]["source_bytes"],
        "ratio_to_parse": statistics.median(
            f["seconds"] / p["seconds"] for f, p in zip(first, parse, strict=True)
        ),
        "ratio_to_parse_cpu": statistics.median(
            f["cpu"] / p["cpu"] for f, p in zip(first, parse, strict=True)
        ),
        "seconds": middle(first, "seconds"),
        "parse_seconds": middle(parse, "seconds"),
        "cpu_seconds": middle(first, "cpu"),
        "parse_cpu_seconds": middle(parse, "cpu"),
        "reopen_seconds": middle(reopen, "seconds"),
        "db_bytes": first[-1]["db_bytes"],
        "db_to_source": first[-1]["db_bytes"] / first[-1]["source_bytes"],
        "rss_bytes": int(middle(reopen, "rss")),
        "first_rss_bytes": int(middle(first, "rss")),
        **edits,
        **level2,
        **asked,
        **_ctags(root),
        **{f"budget_{name}": value for name, value in BUDGETS.items()},
    }  # fmt: skip


def _measure(what: str, args: argparse.Namespace, root: Path, folder: Path) -> dict[str, Any]:
    """One measurement in a fresh process; what a process has warmed up is no part of the next figure."""
    start = "import sys; from graft_server.benches.index import main; main(sys.argv[1:])"
    options = ["--measure", what, "--root", str(root), "--index-dir", str(folder), "--jobs", str(args.jobs)]
    options += ["--edits", str(args.edits), "--seed", str(args.seed)]
    options += ["--questions", str(args.questions), "--level2", str(args.level2)]
    done = subprocess.run([sys.executable, "-c", start, *options], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"the measurement {what!r} failed with status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(argv: list[str]) -> None:
    """Body of a measuring process: prints one JSON object."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(argv)
    from graft_server.benches.index_questions import level2, questions

    kinds = {
        "parse": _parse, "first": _first, "reopen": _reopen, "edits": _edits, "level2": level2, "questions": questions,
    }  # fmt: skip
    print(json.dumps(kinds[args.measure](args)))


def _cpu() -> float:
    """Processor seconds of this process and of the children that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _parse(args: argparse.Namespace) -> dict[str, Any]:
    from graft_indexer.build import Wanted, extract_all
    from graft_indexer.files import list_files

    began, cpu = time.perf_counter(), _cpu()
    wanted = [Wanted(path, entry.size) for path, entry in list_files(args.root).files.items()]
    for _ in extract_all(args.root, wanted, jobs=args.jobs, parse_only=True):
        pass
    return {"seconds": time.perf_counter() - began, "cpu": _cpu() - cpu}


def _first(args: argparse.Namespace) -> dict[str, Any]:
    from graft_indexer.workspace import Workspace

    began, cpu = time.perf_counter(), _cpu()
    workspace = Workspace.open(args.root, index_dir=args.index_dir, jobs=args.jobs)
    seconds, used = time.perf_counter() - began, _cpu() - cpu
    files = [Path(workspace.root) / p for p in workspace.paths()]
    rss = _rss()
    database = workspace.database
    workspace.close()
    if database is None:
        raise UserError("the index could not be written")
    return {
        "seconds": seconds,
        "cpu": used,
        "rss": rss,
        "files": len(files),
        "lines": sum(p.read_bytes().count(b"\n") for p in files),
        "source_bytes": sum(p.stat().st_size for p in files),
        "db_bytes": database.stat().st_size,
    }


def _reopen(args: argparse.Namespace) -> dict[str, Any]:
    from graft_indexer.workspace import Workspace

    began = time.perf_counter()
    workspace = Workspace.open(args.root, index_dir=args.index_dir, jobs=args.jobs)
    seconds = time.perf_counter() - began
    # What a server holds after a while: the facts of as many files as it caches.
    for path in workspace.paths()[:1000]:
        workspace.facts(path)
    workspace.definitions_named("__init__")
    rss = _rss()
    workspace.close()
    return {"seconds": seconds, "rss": rss}


def _edits(args: argparse.Namespace) -> dict[str, Any]:
    """Typing into random places of random files, a character at a time, until the facts are there."""
    from graft_indexer.workspace import Workspace

    workspace = Workspace.open(args.root, index_dir=args.index_dir, jobs=args.jobs)
    choose = random.Random(args.seed)
    typed = "\n    value = self.compute(x, 'y')\n"
    times: list[float] = []
    cpu: list[float] = []
    paths = [p for p in workspace.paths() if "bad" not in p]
    choose.shuffle(paths)
    for path in paths:
        text = workspace.text(path)
        if text is None or not 200 <= text.count("\n") <= EDIT_LINES:
            continue
        workspace.open_buffer(path, text)
        workspace.facts(path)
        at = text.find("\n", choose.randrange(len(text)))
        for count in range(1, min(len(typed), args.edits - len(times)) + 1):
            new = text[:at] + typed[:count] + text[at:]
            began, used = time.perf_counter(), time.process_time()
            workspace.open_buffer(path, new)
            workspace.facts(path)
            cpu.append((time.process_time() - used) * 1000)
            times.append((time.perf_counter() - began) * 1000)
        workspace.close_buffer(path)
        if len(times) >= args.edits:
            break
    definitions = sum(len(r.definitions) for r in map(workspace.record, workspace.paths()) if r is not None)
    workspace.close()
    return {
        "edit_ms": statistics.median(times),
        "edit_ms_p95": _p95(times),
        "edit_cpu_ms": statistics.median(cpu),
        "edit_cpu_ms_p95": _p95(cpu),
        "definitions": definitions,
    }


def _ctags(root: Path) -> dict[str, Any]:
    """For scale, where it is installed: universal-ctags over the same files, on one core."""
    from graft_indexer.files import list_files

    program = shutil.which("ctags")
    if program is None:
        return {}
    names = "\n".join(str(root / path) for path in list_files(root).files)
    command = [program, "--languages=Python", "--fields=+ne", "-f", "-", "-L", "-"]
    began = time.perf_counter()
    done = subprocess.run(
        command, input=names.encode("utf-8", "surrogateescape"), capture_output=True, check=False, cwd="/"
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        return {}
    return {"ctags_seconds": seconds, "ctags_tags": done.stdout.count(b"\n")}


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def _rss() -> int:
    """Resident bytes of this process now (Linux), else its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
