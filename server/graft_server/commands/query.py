"""`graft query`: ask the symbol graph from a shell.

Text output is one line per answer, `path:line:column kind name(signature)`, after a line that says how many there are
and whether the answer is closed.  `--json` prints `{"query", "name", "certainty", "reason", "results": [..]}`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft_server.errors import UserError

if TYPE_CHECKING:
    from graft_indexer.facts import Signature, Span
    from graft_indexer.graph import Answer, Location, Symbol, SymbolGraph, Window

HELP = "ask the symbol graph"
KINDS = {
    "def": "where a name is defined, or what stands at FILE:LINE:COL",
    "refs": "where a definition is used",
    "callers": "where it is called",
    "members": "members of a class or module, or of the expression that ends at FILE:LINE:COL",
    "signature": "parameters of a function or class, or of what the call around FILE:LINE:COL calls",
    "subclasses": "classes that derive from it, directly or not",
    "overrides": "members of subclasses that override it",
    "tests": "tests that exercise it",
    "names": "names that may stand at FILE:LINE:COL",
    "usages": "code elsewhere that looks like that around FILE:LINE:COL",
    "importers": "files that import the module in FILE",
    "touches": "files that may notice a change of what FILE exports",
    "map": "outline of the repository, seen from a file if NAME is one",
}
_AT_PLACES = ("def", "refs", "callers", "members", "signature", "names", "usages", "subclasses", "overrides", "tests")
_OF_FILES = ("importers", "touches")
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
        if args.budget < 1:
            raise UserError(f"--budget {args.budget}: give a number of tokens of at least 1")
        text = graph.repository_map(_inside(graph, args.name) if args.name else "", args.budget)
        print(json.dumps({"query": "map", "name": args.name, "map": text}) if args.json else text, end="")
        return 0 if text else 1
    results, certainty, reason = _ask(graph, args.kind, args.name)
    if args.json:
        table = {"query": args.kind, "name": args.name, "certainty": certainty, "reason": reason, "results": results}
        print(json.dumps(table, indent=1))
    else:
        print(f"{len(results)} {certainty}{f' ({reason})' if reason else ''}")
        for item in results:
            print(_line(item))
    return 0 if results else 1


def _ask(graph: SymbolGraph, kind: str, name: str) -> tuple[list[dict[str, Any]], str, str]:
    """(entries, certainty, reason) of any question but the map."""
    from graft_indexer.graph import Location

    place = _PLACE.fullmatch(name) if kind in _AT_PLACES else None
    if kind in _OF_FILES:
        path = _file(graph, name)
        paths = graph.importers(path) if kind == "importers" else _touched(graph, path)
        found = [_entry(graph, Location(p, _whole(graph, p), 1)) for p in paths]
        return found, "open", "imports that are computed are not seen"
    if kind in ("names", "usages"):
        if place is None:
            raise UserError(f"query {kind} needs FILE:LINE:COL, not {name}")
        where = _offset(graph, place)
        if kind == "usages":
            windows = [_window(graph, w) for w in graph.usages(*where, patient=True)]
            return windows, "open", "usages are found by likeness"
        return _answer(graph, [graph.visible_names(*where)])
    if place is not None and kind in ("members", "signature", "def"):
        where = _offset(graph, place)
        if kind == "members":
            return _answer(graph, [graph.members_at(*where)])
        if kind == "def":
            return _answer(graph, [graph.definition_at(*where)])
        call = graph.call_at(*where)
        if call is None:
            raise UserError(f"no call is around {name}")
        target = graph.call_target(where[0], call)
        entries = [{**_symbol(graph, t.symbol), "signature": signature_text(t.signature)} for t in target.value]
        return entries, target.certainty.value, target.reason
    symbols = graph.definition_at(*_offset(graph, place)).value if place is not None else graph.find(name)
    if not symbols:
        raise UserError(f"nothing in {graph.root} is called {name}; try another part of its dotted name")
    if kind == "def":
        return [_symbol(graph, s) for s in symbols], "closed", ""
    if kind == "signature":
        found = [_symbol(graph, s) for s in symbols]
        return [e for e in found if "signature" in e] or found, "closed", ""
    if kind == "tests":
        found = _unique(_symbol(graph, t) for s in symbols for t in graph.tests_of(s))
        return found, "open", "tests that call by other ways are not seen"
    ask: dict[str, Callable[[Symbol], Answer[Sequence[Any]]]] = {
        "members": lambda s: _members(graph, s), "refs": graph.references, "callers": graph.callers,
        "subclasses": graph.subclasses, "overrides": graph.overrides,
    }  # fmt: skip
    return _answer(graph, [ask[kind](symbol) for symbol in symbols])


def _answer(graph: SymbolGraph, answers: Sequence[Answer[Sequence[Any]]]) -> tuple[list[dict[str, Any]], str, str]:
    """Several answers as one: closed if all are."""
    results = _unique(_entry(graph, item) for a in answers for item in a.value)
    certainty = "closed" if all(a.closed for a in answers) else "open"
    return results, certainty, next((a.reason for a in answers if a.reason), "")


def _touched(graph: SymbolGraph, path: str) -> Sequence[str]:
    """Files that a change of all of a file's definitions would touch: asked of a buffer without any."""
    before = graph.facts(path)
    if before is None:
        raise UserError(f"{path} is not a file of {graph.root}")
    graph.open_buffer(path, "")
    return graph.exposure(path, before).affected


def _file(graph: SymbolGraph, name: str) -> str:
    path = _inside(graph, name)
    if graph.facts(path) is None:
        raise UserError(f"{name} is not an indexed file of {graph.root}")
    return path


def _whole(graph: SymbolGraph, path: str) -> Span:
    from graft_indexer.facts import Span

    return Span(0, len((graph.text(path) or "").encode("utf-8", "surrogateescape")))


def _window(graph: SymbolGraph, window: Window) -> dict[str, Any]:
    line, _ = _position(graph, window.path, window.span.start)
    return {
        "path": window.path, "line": line, "column": 1, "scope": f"score {window.score:.2f}",
        "start": window.span.start, "end": window.span.end, "text": window.text,
    }  # fmt: skip


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
    text = _written(graph, path)
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
    text = _written(graph, item.path)
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
        entry["signature"] = signature_text(symbol.signature)
    if symbol.annotation:
        entry["annotation"] = symbol.annotation
    if symbol.doc:
        entry["doc"] = symbol.doc
    return entry


def signature_text(signature: Signature) -> str:
    """`(a, *, b=1) -> int` of a signature."""
    from graft_indexer.facts import ParameterKind

    parts: list[str] = []
    starred = False
    for parameter in signature.parameters:
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
    returns = f" -> {signature.returns}" if signature.returns else ""
    return f"({', '.join(parts)}){returns}"


def _written(graph: SymbolGraph, path: str) -> str | None:
    """The text of a file as it lies on disk; its code's offsets are those of the whole."""
    from graft_indexer import embedded, text

    if not embedded.has_view(path):
        return graph.text(path)
    try:
        return text.decode((Path(graph.root) / path).read_bytes()).text
    except OSError:
        return None


def _position(graph: SymbolGraph, path: str, offset: int) -> tuple[int, int]:
    from graft_indexer.text import Lines

    text = _written(graph, path) if path else None
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
