"""`graft index [PATH]`: build or refresh the index of a workspace."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from graft_server import paths, settings
from graft_server.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `graft index`."""
    parser.add_argument("path", nargs="?", type=Path, default=Path(), metavar="PATH", help="workspace (default: here)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one per core)")
    parser.add_argument("--where", action="store_true", help="print where the index is kept, and do nothing")
    parser.add_argument("--json", action="store_true", help="print figures and limits as JSON")


def run(args: argparse.Namespace) -> int:
    """Build or refresh; prints one line, or a JSON object {root, database, files, changed, bytes, seconds,
    truncated: {path: reason}, messages}.  Raises UserError for a path that is not a folder or a bad --jobs."""
    from graft_indexer.store import database_path
    from graft_indexer.workspace import Workspace

    root: Path = args.path.resolve()
    if not root.is_dir():
        raise UserError(f"{args.path} is not a folder: give the folder of a workspace")
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs {args.jobs}: give a number of at least 1")
    chosen, messages = settings.load(root, paths.config_file())
    if args.where:
        where = database_path(paths.index_dir(), root)
        print(json.dumps({"root": str(root), "database": str(where)}) if args.json else where)
        return 0
    began = time.perf_counter()
    bar = progress_bar() if sys.stderr.isatty() else None
    workspace = Workspace.open(
        root, index_dir=paths.index_dir(), jobs=args.jobs or 0, exclude=chosen.index_exclude, refresh=False
    )
    try:
        changed = workspace.refresh(progress=bar)
        seconds = time.perf_counter() - began
        if bar is not None:
            print(file=sys.stderr)
        database, files, truncated = workspace.database, len(workspace.paths()), workspace.truncated()
        messages += workspace.messages
    finally:
        workspace.close()
    size = database.stat().st_size if database is not None else 0
    if args.json:
        figures = {
            "root": str(root),
            "database": None if database is None else str(database),
            "files": files,
            "changed": len(changed),
            "bytes": size,
            "seconds": round(seconds, 3),
            "truncated": truncated,
            "messages": messages,
        }
        print(json.dumps(_printable(figures)))
        return 0
    for message in messages:
        print(f"graft index: {message}", file=sys.stderr)
    for reason, count in Counter(truncated.values()).items():
        print(f"{count} {'file' if count == 1 else 'files'} not indexed: {reason}")
    kept = f"index {size / 1e6:.1f} MB" if database is not None else "kept in memory only"
    print(f"{files} files, {len(changed)} read again, in {seconds:.2f} s; {kept}")
    return 0


def progress_bar(width: int = 30) -> Callable[[int, int, str], None]:
    """A progress function that draws a bar on stderr, at most 20 times a second."""
    last = 0.0

    def show(done: int, total: int, path: str) -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < 0.05:
            return
        last = now
        filled = width * done // max(1, total)
        name = path.encode("ascii", "replace").decode()[-40:]
        print(
            f"\r[{'#' * filled}{'.' * (width - filled)}] {done}/{total} {name:<40}", end="", file=sys.stderr, flush=True
        )

    return show


def _printable(value: object) -> object:
    """File names that are not UTF-8 hold lone surrogates, which JSON readers refuse: replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_printable(k): _printable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_printable(v) for v in value]
    return value
