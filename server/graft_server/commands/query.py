"""`graft query`: ask the symbol graph from a shell.

Text output is one line per answer, `path:line:column kind name(signature)`, after a line that says how many there are
and whether the answer is closed.  `--json` prints `{"query", "name", "certainty", "reason", "results": [..]}`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft_server.errors import UserError

if TYPE_CHECKING:
    from graft_indexer.graph import Answer, Location, Symbol, SymbolGraph

HELP = "ask the symbol graph"
KINDS = {
    "def": "where a name is defined",
    "refs": "where a definition is used",
    "callers": "where it is called",
    "members": "members of a class or module, or of the expression that ends at FILE:LINE:COL",
    "tests": "tests that exercise it",
    "map": "outline of the repository, seen from a file if NAME is one",
}
_PLACE = re.compile(r"(?P<path>.+):(?P<line>\d+):(?P<column>\d+)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`graft query KIND NAME [--root DIR] [--budget N] [--json]`."""
    parser.add_argument("kind", choices=list(KINDS), help="; ".join(f"{k}: {v}" for k, v in KINDS.items()))
    parser.add_argument(
        "name", nargs="?", default="", help="simple, dotted or full name; for members also FILE:LINE:COL"
    )
    parser.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the workspace (default: this folder)")
    parser.add_argument("--budget", type=int, default=1024, metavar="N", help="for map: at most so many tokens")
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(args: argparse.Namespace) -> int:
    """Print the answer; 0 if there is one, 1 if nothing was found.  Raises UserError for bad input."""
    from graft_indexer.pygraph import open_graph
    from graft_server import paths

    if not args.root.is_dir():
        raise UserError(f"{args.root} is not a folder; give the workspace with --root")
    if not args.name and args.kind != "map":
        raise UserError(f"query {args.kind} needs a NAME")
    graph = open_graph(args.root, index_dir=paths.private(paths.index_dir()))
    try:
        return answer(graph, args)
    finally:
        graph.close()


def answer(graph: SymbolGraph, args: argparse.Namespace) -> int:
    """Ask an open graph and print what it says."""
    if args.kind == "map":
        text = graph.repository_map(_inside(graph, args.name) if args.name else "", args.budget)
        print(json.dumps({"query": "map", "name": args.name, "map": text}) if args.json else text, end="")
        return 0 if text else 1
    results: list[dict[str, Any]] = []
    certainty, reason = "closed", ""
    place = _PLACE.fullmatch(args.name) if args.kind == "members" else None
    if place is not None:
        found = graph.members_at(*_offset(graph, place))
        results = [_symbol(graph, s) for s in found.value]
        certainty, reason = found.certainty.value, found.reason
    else:
        symbols = graph.find(args.name)
        if not symbols:
            raise UserError(f"nothing in {graph.root} is called {args.name}; try another part of its dotted name")
        if args.kind == "def":
            results = [_symbol(graph, s) for s in symbols]
        elif args.kind == "tests":
            results = _unique(_symbol(graph, t) for s in symbols for t in graph.tests_of(s))
            certainty, reason = "open", "tests that call by other ways are not seen"
        else:
            answers: list[Answer[Sequence[Any]]] = []
            for symbol in symbols:
                if args.kind == "members":
                    answers.append(_members(graph, symbol))
                else:
                    answers.append(_uses(graph, args.kind, symbol))
            results = _unique(_entry(graph, item) for a in answers for item in a.value)
            certainty = "closed" if all(a.closed for a in answers) else "open"
            reason = next((a.reason for a in answers if a.reason), "")
    if args.json:
        table = {"query": args.kind, "name": args.name, "certainty": certainty, "reason": reason, "results": results}
        print(json.dumps(table, indent=1))
    else:
        print(f"{len(results)} {certainty}{f' ({reason})' if reason else ''}")
        for item in results:
            print(_line(item))
    return 0 if results else 1


def _uses(graph: SymbolGraph, kind: str, symbol: Symbol) -> Answer[Sequence[Location]]:
    return graph.callers(symbol) if kind == "callers" else graph.references(symbol)


def _members(graph: SymbolGraph, symbol: Symbol) -> Answer[Sequence[Symbol]]:
    """Members of a class (as of its instances) or of a module; of anything else, of the class it was made from."""
    from graft_indexer.facts import DefinitionKind
    from graft_indexer.graph import Answer, Certainty

    if symbol.kind is DefinitionKind.MODULE:
        return graph.module_members(symbol.module, "")
    if symbol.kind is not DefinitionKind.CLASS:
        return Answer((), Certainty.OPEN, f"{symbol.qualified_name} is no class")
    return graph.members_of(symbol)


def _inside(graph: SymbolGraph, name: str) -> str:
    path = Path(name)
    absolute = path if path.is_absolute() else Path.cwd() / path
    root = Path(graph.root)
    if not absolute.exists() and (root / path).exists():
        absolute = root / path
    absolute = absolute.resolve()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else name


def _offset(graph: SymbolGraph, place: re.Match[str]) -> tuple[str, int]:
    from graft_indexer.text import Lines

    path = _inside(graph, place["path"])
    text = graph.text(path)
    if text is None:
        raise UserError(f"{place['path']} cannot be read; give a file of {graph.root}")
    try:
        return path, Lines.of(text).offset(int(place["line"]) - 1, int(place["column"]) - 1, "utf-32")
    except ValueError as error:
        raise UserError(f"{place['path']}: {error}") from None


def _entry(graph: SymbolGraph, item: Symbol | Location) -> dict[str, Any]:
    from graft_indexer.graph import Symbol

    if isinstance(item, Symbol):
        return _symbol(graph, item)
    line, column = _position(graph, item.path, item.span.start)
    text = graph.text(item.path)
    lines = (text or "").splitlines()
    return {
        "path": item.path, "line": line, "column": column, "scope": item.scope, "start": item.span.start,
        "end": item.span.end, "text": lines[line - 1].strip() if line <= len(lines) else "",
    }  # fmt: skip


def _symbol(graph: SymbolGraph, symbol: Symbol) -> dict[str, Any]:
    line, column = _position(graph, symbol.path, symbol.name_span.start)
    entry: dict[str, Any] = {
        "path": symbol.path, "line": line, "column": column, "kind": symbol.kind.value, "name": symbol.name,
        "qualified_name": symbol.qualified_name, "start": symbol.span.start, "end": symbol.span.end,
    }  # fmt: skip
    if symbol.signature is not None:
        entry["signature"] = signature_text(symbol)
    if symbol.annotation:
        entry["annotation"] = symbol.annotation
    if symbol.doc:
        entry["doc"] = symbol.doc
    return entry


def signature_text(symbol: Symbol) -> str:
    """`(a, *, b=1) -> int` of a function."""
    from graft_indexer.facts import ParameterKind

    if symbol.signature is None:
        return ""
    parts: list[str] = []
    starred = False
    for parameter in symbol.signature.parameters:
        if parameter.kind is ParameterKind.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        star = {ParameterKind.VAR_POSITIONAL: "*", ParameterKind.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        starred = starred or parameter.kind is ParameterKind.VAR_POSITIONAL
        text = star + parameter.name
        if parameter.annotation:
            text += f": {parameter.annotation}"
        if parameter.default is not None:
            text += f" = {parameter.default}" if parameter.annotation else f"={parameter.default}"
        parts.append(text)
    returns = f" -> {symbol.signature.returns}" if symbol.signature.returns else ""
    return f"({', '.join(parts)}){returns}"


def _position(graph: SymbolGraph, path: str, offset: int) -> tuple[int, int]:
    from graft_indexer.text import Lines

    text = graph.text(path) if path else None
    if text is None:
        return 1, 1
    line, column = Lines.of(text).position(offset, "utf-32")
    return line + 1, column + 1


def _unique(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({(i["path"], i["line"], i["column"], i.get("name", "")): i for i in items}.values())


def _line(item: dict[str, Any]) -> str:
    head = f"{item['path']}:{item['line']}:{item['column']}"
    if "qualified_name" in item:
        note = f": {item['annotation']}" if "annotation" in item else ""
        return " ".join(f"{head} {item['kind']} {item['qualified_name']}{item.get('signature', note)}".split())
    return f"{head} {item['scope'] or '<module>'}: {item['text']}"
