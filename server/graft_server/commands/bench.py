"""`graft bench NAME`: measure one thing, print its figures, and write them as JSON or as a page with plots."""

from __future__ import annotations

import argparse
import html
import importlib
import json
from pathlib import Path
from typing import Any

BENCHES = {
    "index": "first index, reopening, edits, memory, database size",
    "typing": "tokens and time per keystroke over a replayed session",
    "model": "the embedded model on packages it was not trained on",
    "complete": "completion quality with and without context",
    "replay": "replayed typing: characters saved, suggestions shown, share right",
    "flag": "alarms on working code, recall on planted faults",
    "repair": "programs repaired against their tests",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One nested parser per bench; a bench's module is imported when the parser is built."""
    subparsers = parser.add_subparsers(dest="bench", metavar="NAME", required=True)
    for name, text in BENCHES.items():
        sub = subparsers.add_parser(name, help=text)
        sub.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
        sub.add_argument("--html", type=Path, metavar="FILE", help="write the figures as a page with plots")
        try:
            module = importlib.import_module(f"graft_server.benches.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"graft_server.benches.{name}":
                raise
            continue
        module.add_arguments(sub)
        sub.set_defaults(bench_run=module.run)


def run(args: argparse.Namespace) -> int:
    """Run one bench; figures go to stdout as `name value` lines too."""
    if not hasattr(args, "bench_run"):
        print(f"graft bench {args.bench}: not in this version")
        return 2
    figures: dict[str, Any] = args.bench_run(args)
    # Files first: who reads what is printed may have gone (`graft bench ... | head`).
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    if args.html:
        args.html.write_text(page(f"graft bench {args.bench}", figures), "utf-8")
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:.4g}" if isinstance(value, float) else f"{name:<{width}}  {value}")
    return 0


def page(title: str, figures: dict[str, Any]) -> str:
    """A self-contained page: one bar per number, scaled within its unit (the last part of its name)."""
    numbers = {k: float(v) for k, v in figures.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
    groups: dict[str, dict[str, float]] = {}
    for name, value in numbers.items():
        groups.setdefault(name.rsplit("_", 1)[-1], {})[name] = value
    body = [
        f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>",
        "<style>body{font:14px system-ui;max-width:60em;margin:2em auto}div.b{background:#4a7;height:1em}"
        "td{padding:.1em .6em;white-space:nowrap}td.w{width:100%}</style>",
        f"<h1>{html.escape(title)}</h1>",
    ]
    for unit, items in groups.items():
        top = max((abs(v) for v in items.values()), default=1.0) or 1.0
        body.append(f"<h2>{html.escape(unit)}</h2><table>")
        body += [
            f"<tr><td>{html.escape(n)}<td>{v:.4g}<td class=w><div class=b style='width:{abs(v) / top:.1%}'></div>"
            for n, v in items.items()
        ]
        body.append("</table>")
    texts = {k: v for k, v in figures.items() if k not in numbers}
    if texts:
        body.append(
            "<h2>notes</h2><ul>"
            + "".join(f"<li>{html.escape(k)}: {html.escape(str(v))}" for k, v in texts.items())
            + "</ul>"
        )
    return "\n".join(body) + "\n"
