"""`graft cache [--clear]`: sizes of what Graft keeps, collecting what is dead, and clearing it all."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from graft_server import paths


@dataclass(frozen=True, slots=True)
class Item:
    """One index: its file, the workspace it belongs to, bytes with side files, and what is to be said of it."""

    file: str
    root: str | None
    bytes: int
    state: str
    """in use | old version | dead (its folder is gone) | damaged | ok"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `graft cache`."""
    parser.add_argument("--clear", action="store_true", help="delete all indexes and snapshots that are not in use")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(args: argparse.Namespace) -> int:
    """List, and delete: without --clear only indexes whose workspace is gone, or that another version left behind."""
    items = indexes(paths.index_dir())
    snapshots = sorted(p for p in paths.kv_dir().glob("**/*") if p.is_file()) if paths.kv_dir().is_dir() else []
    snapshot_bytes = sum(p.stat().st_size for p in snapshots)
    removed: list[Item] = []
    for item in items:
        wanted = item.state != "in use" if args.clear else item.state in ("dead", "damaged", "old version")
        if wanted and remove(paths.index_dir() / item.file):
            removed.append(item)
    freed = sum(i.bytes for i in removed)
    if args.clear:
        for path in snapshots:
            path.unlink(missing_ok=True)
        freed += snapshot_bytes
    if args.json:
        kept = [asdict(i) for i in items if i not in removed]
        figures = {
            "folder": str(paths.cache_dir()),
            "indexes": kept,
            "removed": [asdict(i) for i in removed],
            "snapshots": 0 if args.clear else len(snapshots),
            "snapshot_bytes": 0 if args.clear else snapshot_bytes,
            "freed_bytes": freed,
        }
        print(json.dumps(figures))
        return 0
    print(paths.cache_dir())
    for item in items:
        note = "removed" if item in removed else item.state
        print(f"{item.bytes / 1e6:8.1f} MB  {note:<12} {item.root or item.file}")
    print(
        f"{snapshot_bytes / 1e6:8.1f} MB  {'removed' if args.clear else 'ok':<12} {len(snapshots)} snapshots of prompts"
    )
    print(f"{freed / 1e6:8.1f} MB  freed")
    return 0


def indexes(folder: Path) -> list[Item]:
    """Every index below `folder`, largest first."""
    from graft_indexer.store import inspect

    found: list[Item] = []
    for file in sorted(folder.glob("*.sqlite")) if folder.is_dir() else []:
        seen = inspect(file)
        found.append(Item(file.name, seen.root, seen.bytes, seen.state))
    return sorted(found, key=lambda i: -i.bytes)


def remove(file: Path) -> bool:
    """Delete one index; returns whether it is gone: one that came into use since it was looked at is left."""
    from graft_indexer.store import remove_unused

    return remove_unused(file)
