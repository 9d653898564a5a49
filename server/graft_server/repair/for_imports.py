"""Candidates for an import that is not there: respell it, or take the name from where the project defines it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_indexer.facts import Import, Span
from graft_indexer.graph import Origin, SymbolGraph
from graft_server.diagnosis.checks.unresolved_import import dotted
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.source import Source
from graft_server.edits import Edit
from graft_server.repair.candidate import Candidate


def candidates(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """A misspelt name is respelt where it is used, too; a name that moved is imported from its new place."""
    path = diagnostic.path
    facts = graph.facts(path)
    imports = facts.imports if facts else ()
    item = next((i for i in imports if i.name_span == diagnostic.span), None)
    item = item or next((i for i in imports if i.span.covers(diagnostic.span)), None)
    if item is None:
        return
    if item.name is None or diagnostic.names[0] != item.name:
        yield from _module(source, path, item, diagnostic.candidates)
        return
    near = diagnostic.candidates or tuple(
        closest(item.name, (m.name for m in graph.module_members(item.module, path, item.level).value))
    )
    for index, other in enumerate(near):
        edits = [Edit(path, item.name_span.start, item.name_span.end, other)]
        if item.alias is None:
            edits += _uses(source, path, item, other)
        yield Candidate(f"Change to `{other}`", index == 0 and len(near) == 1, tuple(edits))
    yield from _moved(graph, source, path, item)


def _uses(source: Source, path: str, item: Import, other: str) -> Iterator[Edit]:
    """Edits of every use of the imported name, as far as nothing else in the file binds it."""
    for name in source.all(ast.Name):
        if name.id == item.name:
            span = source.span(name)
            yield Edit(path, span.start, span.end, other)


def _module(source: Source, path: str, item: Import, near: tuple[str, ...]) -> Iterator[Candidate]:
    written = dotted(item)
    at = source.segment(item.span).find(written)
    if at < 0 or not written.isascii():
        return
    prefix, _, _ = item.module.rpartition(".")
    for index, other in enumerate(near):
        module = "." * item.level + (f"{prefix}.{other}" if prefix else other)
        start = item.span.start + len(source.segment(item.span)[:at].encode())
        edits = [Edit(path, start, start + len(written), module)]
        if item.name is None and item.alias is None:
            for name in source.all(ast.Attribute, ast.Name):
                if ast.unparse(name) == written:
                    span = source.span(name)
                    edits.append(Edit(path, span.start, span.end, module))
        yield Candidate(f"Change to `{module}`", index == 0 and len(near) == 1, tuple(edits))


def _moved(graph: SymbolGraph, source: Source, path: str, item: Import) -> Iterator[Candidate]:
    statement = next((s for s in source.all(ast.ImportFrom) if source.span(s) == item.span), None)
    if statement is None or item.name is None:
        return
    homes = [
        s
        for s in graph.find(item.name)
        if s.origin is Origin.WORKSPACE
        and s.path != path
        and s.qualified_name == f"{s.module}.{item.name}"
        and s.module
    ]
    for symbol in homes[:3]:
        alias = f" as {item.alias}" if item.alias else ""
        line = f"from {symbol.module} import {item.name}{alias}"
        if len(statement.names) == 1:
            edits: tuple[Edit, ...] = (Edit(path, item.span.start, item.span.end, line),)
        else:
            start = source.lines.starts[statement.lineno - 1]
            indent = source.segment(Span(start, item.span.start))
            if indent.strip():
                continue
            new = Edit(path, start, start, f"{indent}{line}{source.newline}")
            edits = (new, _without(source, path, statement, item))
        yield Candidate(f"Import `{item.name}` from {symbol.module}", len(homes) == 1, edits)


def _without(source: Source, path: str, statement: ast.ImportFrom, item: Import) -> Edit:
    """Drop one name, and a comma, from an import statement with several."""
    spans = [source.span(a) for a in statement.names]
    index = next(i for i, s in enumerate(spans) if s.start <= item.name_span.start < s.end)
    if index + 1 < len(spans):
        return Edit(path, spans[index].start, spans[index + 1].start, "")
    return Edit(path, spans[index - 1].end, spans[index].end, "")
