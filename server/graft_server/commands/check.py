"""`graft check PATH...`: what the graph can prove wrong.  Exit status 1 if there is anything."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graft_indexer.graph import SymbolGraph
    from graft_indexer.text import Decoded
    from graft_server.diagnosis.model import Diagnostic
    from graft_server.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PATH..., --format, --select, --ignore."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    parser.add_argument("--format", choices=("text", "json", "sarif"), default="text", help="how to print (text)")
    add_codes(parser)


def add_codes(parser: argparse.ArgumentParser) -> None:
    """--select and --ignore, as `chosen` reads them."""
    parser.add_argument(
        "--select", metavar="CODES", help="only these checks, comma-separated, those off by default too"
    )
    parser.add_argument("--ignore", metavar="CODES", help="without these checks, comma-separated")


def chosen(settings: Settings, args: argparse.Namespace) -> Settings:
    """Settings with the checks that the command line names.  Raises UserError for a code that no check has."""
    from dataclasses import replace

    from graft_server.diagnosis.registry import CODES, unknown_codes
    from graft_server.errors import UserError

    select, ignore = (tuple(filter(None, re.split(r"[,\s]+", text or ""))) for text in (args.select, args.ignore))
    for said in unknown_codes((*select, *ignore)):
        raise UserError(f"{said}; there are {', '.join(CODES)}")
    if args.select is not None:
        disabled = tuple(c for c in CODES if c not in select)
        settings = replace(settings, diagnosis_enabled=select, diagnosis_disabled=disabled)
    return replace(settings, diagnosis_disabled=(*settings.diagnosis_disabled, *ignore))


def run(args: argparse.Namespace) -> int:
    """Check and print; 1 if there are findings, 0 if not."""
    from graft_indexer.pygraph import open_graph
    from graft_server import disk, paths
    from graft_server.diagnosis.run import diagnose

    entries: list[dict[str, Any]] = []
    files = 0
    for root, wanted in disk.targets(args.paths).items():
        settings = chosen(settings_of(root), args)
        graph = open_graph(root, index_dir=paths.private(paths.index_dir()))
        try:
            for path in disk.selected(graph.paths(), wanted):
                files += 1
                facts = graph.facts(path)
                # What the index left out as too large or generated has no facts to prove anything with.
                found = diagnose(graph, path, settings) if facts is None or not facts.truncated else []
                if not found and (reason := unchecked(graph, path)):
                    print(f"{shown(root, path)}: {reason}", file=sys.stderr)
                entries += _entries(
                    graph, root, path, found, with_fixes=args.format != "text", with_regions=args.format == "sarif"
                )
        finally:
            graph.close()
    if args.format == "json":
        print(json.dumps({"diagnostics": entries}, indent=1))
    elif args.format == "sarif":
        from graft_server.sarif import sarif

        print(json.dumps(sarif(entries), indent=1))
    else:
        for e in entries:
            place = f"cell {e['cell']}:{e['cell_line']}:{e['cell_column']}" if "cell" in e else _place(e)
            print(f"{e['path']}:{place}: {e['severity']}: {e['message']} [{e['code']}]")
        print(f"{_count(len(entries), 'finding')} in {_count(files, 'file')}", file=sys.stderr)
    return 1 if entries else 0


def _place(entry: dict[str, Any]) -> str:
    return f"{entry['line']}:{entry['column']}"


def unchecked(graph: SymbolGraph, path: str) -> str:
    """Why a file without findings is not known to be right; empty if it was checked as a whole."""
    from graft_server.diagnosis.foreign import SUFFIXES
    from graft_server.diagnosis.run import PYTHON_SUFFIXES

    if path.endswith((".html", ".htm")):
        return "not checked: another script of the page may bind any name"
    if not path.endswith((*PYTHON_SUFFIXES, *SUFFIXES)):
        return "not checked: there are checks for Python, TypeScript, JavaScript and Go"
    facts = graph.facts(path)
    if facts is not None and facts.truncated:
        return f"not checked: {facts.truncated}"
    if graph.errors(path):
        return "not checked where it does not parse"
    return ""


def settings_of(root: Path) -> Settings:
    """Settings of a workspace; what is wrong with them is said on stderr."""
    from graft_server import paths
    from graft_server.settings import load

    settings, messages = load(root, paths.config_file())
    for message in messages:
        print(message, file=sys.stderr)
    return settings


def _entries(
    graph: SymbolGraph, root: Path, path: str, found: list[Diagnostic], *, with_fixes: bool, with_regions: bool
) -> list[dict[str, Any]]:
    from graft_indexer.text import Lines
    from graft_server import disk
    from graft_server.repair.candidates import fixes

    if not found:
        return []
    decoded = disk.read(root / path)
    lines = Lines.of(decoded.text)
    entries = []
    for diagnostic in found:
        line, column = lines.position(diagnostic.span.start, "utf-32")
        end_line, end_column = lines.position(diagnostic.span.end, "utf-32")
        entries.append(
            {
                "path": shown(root, path),
                "line": line + 1,
                "column": column + 1,
                "end_line": end_line + 1,
                "end_column": end_column + 1,
                "code": diagnostic.code,
                "severity": diagnostic.severity.value,
                "message": diagnostic.message,
                **_cell(root / path, decoded.text, diagnostic.span.start),
                "fixes": [
                    {
                        "title": fix.title,
                        "safe": fix.safe,
                        "verified": list(fix.verified),
                        "edits": [
                            {
                                "path": shown(root, e.path),
                                "start": disk.disk_offset(d, e.start),
                                "end": disk.disk_offset(d, e.end),
                                "text": e.text,
                                **({"region": region(d.text, e.start, e.end)} if with_regions else {}),
                            }
                            for e in fix.edits
                            for d in (decoded if e.path == path else disk.read(root / e.path),)
                        ],
                    }
                    for fix in (fixes(graph, diagnostic) if with_fixes and mendable(path, decoded) else ())
                ],
            }
        )
    return entries


def mendable(path: str, decoded: Decoded) -> bool:
    """Whether edits of a file's text can be written back: not those of code that is escaped in it, as in notebooks."""
    return decoded.editable and not path.endswith(".ipynb")


def _cell(file: Path, text: str, offset: int) -> dict[str, int]:
    """Where a byte of a notebook lies as its reader counts: cell, line and column, each from 1."""
    from graft_indexer import cells
    from graft_indexer.text import encode

    place = cells.place(encode(text), offset) if file.suffix == ".ipynb" else None
    return dict(zip(("cell", "cell_line", "cell_column"), place, strict=True)) if place is not None else {}


def region(text: str, start: int, end: int) -> dict[str, int]:
    """Bytes of a text as SARIF's text region: lines and columns from 1, columns in code points."""
    from graft_indexer.text import Lines

    lines = Lines.of(text)
    (line, column), (end_line, end_column) = (lines.position(at, "utf-32") for at in (start, end))
    return {"startLine": line + 1, "startColumn": column + 1, "endLine": end_line + 1, "endColumn": end_column + 1}


def shown(root: Path, path: str) -> str:
    """A path as the user would write it: relative to the current folder if it lies below, else absolute."""
    full = root / path
    try:
        return full.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return full.as_posix()


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
