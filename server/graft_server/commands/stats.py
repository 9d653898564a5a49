"""`graft stats`: what Graft counted on this machine, and nothing else."""

from __future__ import annotations

import argparse
import json
import shutil


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the subcommand."""
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--clear", action="store_true", help="delete the statistics")


def run(args: argparse.Namespace) -> int:
    """Print the figures, or delete them."""
    from graft_server import statistics

    where = statistics.folder()
    if args.clear:
        shutil.rmtree(where, ignore_errors=True)
        print(f"deleted {where}")
        return 0
    figures = statistics.summary(statistics.events())
    if args.json:
        print(json.dumps(figures))
        return 0
    if not figures["offered"]:
        print(f"Nothing counted yet. Statistics are kept in {where} and never leave this machine.")
        return 0
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<{width}}  {'-' if value is None else value}")
    print(f"Kept in {where}; `graft stats --clear` deletes it, the setting graft.statistics.enable ends it.")
    return 0
