"""Candidates for the other checks: respell a member, swap arguments back, await, drop dead code, respell a key."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis.calls import provable_target
from graft_server.diagnosis.checks.missing_member import receiver_end
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.source import Source
from graft_server.edits import Edit
from graft_server.repair.candidate import Candidate


def missing_member(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """The members that are nearest in spelling."""
    path, span = diagnostic.path, diagnostic.span
    near = diagnostic.candidates
    if not near:
        node = next((n for n in source.all(ast.Attribute) if source.span(n).end == span.end), None)
        end = receiver_end(source, node) if node is not None else None
        members = graph.members_at(path, end) if end is not None else None
        near = tuple(closest(diagnostic.names[0], (m.name for m in members.value))) if members else ()
    for index, other in enumerate(near):
        yield Candidate(
            f"Change to `{other}`", index == 0 and len(near) == 1, (Edit(path, span.start, span.end, other),)
        )


def swapped_arguments(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """The two arguments in the parameters' order; unsafe, because the order may be meant."""
    call = next(
        (
            c
            for c in source.all(ast.Call)
            if len(c.args) > 1
            and source.span(c).covers(diagnostic.span)
            and any(source.span(a).start == diagnostic.span.start for a in c.args)
            and any(source.span(a).end == diagnostic.span.end for a in c.args)
        ),
        None,
    )
    if call is None:
        return
    first = next(source.span(a) for a in call.args if source.span(a).start == diagnostic.span.start)
    second = next(source.span(a) for a in call.args if source.span(a).end == diagnostic.span.end)
    edits = (
        Edit(diagnostic.path, first.start, first.end, source.segment(second)),
        Edit(diagnostic.path, second.start, second.end, source.segment(first)),
    )
    yield Candidate(f"Swap `{source.segment(first)}` and `{source.segment(second)}`", False, edits)


def not_awaited(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """`await`, where the language allows it."""
    span = diagnostic.span
    call = next((c for c in source.all(ast.Call) if source.span(c) == span), None)
    if call is None or not isinstance(source.function_of(call), ast.AsyncFunctionDef):
        return
    if isinstance(source.parents[call], ast.Expr):
        edits: tuple[Edit, ...] = (Edit(diagnostic.path, span.start, span.start, "await "),)
    else:
        edits = (
            Edit(diagnostic.path, span.start, span.start, "(await "),
            Edit(diagnostic.path, span.end, span.end, ")"),
        )
    yield Candidate("Add `await`", True, edits)


def not_iterated(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """`yield from` inside another generator, else a loop over it; unsafe, since what it gives may be wanted."""
    span = diagnostic.span
    call = next((c for c in source.all(ast.Call) if source.span(c) == span), None)
    target = provable_target(graph, diagnostic.path, source, call) if call is not None else None
    if call is None or target is None or target[1].signature.is_async or not isinstance(source.parents[call], ast.Expr):
        return
    function = source.function_of(call)
    inside = [n for n in source.all(ast.Yield, ast.YieldFrom) if source.function_of(n) is function]
    if isinstance(function, ast.FunctionDef) and inside:
        yield Candidate("Add `yield from`", False, (Edit(diagnostic.path, span.start, span.start, "yield from "),))
    edits = (
        Edit(diagnostic.path, span.start, span.start, "for _ in "),
        Edit(diagnostic.path, span.end, span.end, ": ..."),
    )
    yield Candidate("Iterate it", False, edits)


def unreachable_code(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """Drop it, line by line; unsafe, because what leaves too early may be the mistake."""
    start = source.lines.starts[source.lines.line_at(diagnostic.span.start)]
    line = source.lines.line_at(max(diagnostic.span.start, diagnostic.span.end - 1))
    end = source.lines.starts[line + 1] if line + 1 < len(source.lines) else len(source.data)
    if not source.data[start : diagnostic.span.start].strip():
        yield Candidate("Remove the code that never runs", False, (Edit(diagnostic.path, start, end, ""),))


def format_string(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """A misspelt key in the format."""
    span = diagnostic.span
    key = diagnostic.names[0]
    if not key.isidentifier():
        return
    for constant in source.all(ast.Constant):
        at = source.span(constant)
        if not span.covers(at) or not isinstance(constant.value, str) or constant.value.count(key) != 1:
            continue
        if source.segment(at).count(key) == 1:
            start = at.start + source.segment(at).index(key)
            for index, other in enumerate(diagnostic.candidates):
                edit = Edit(diagnostic.path, start, start + len(key), other)
                yield Candidate(f"Change to `{other}`", index == 0 and len(diagnostic.candidates) == 1, (edit,))
            return


def unknown_suppression(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """The codes that are nearest in spelling."""
    for index, other in enumerate(diagnostic.candidates):
        edit = Edit(diagnostic.path, diagnostic.span.start, diagnostic.span.end, other)
        yield Candidate(f"Change to `{other}`", index == 0 and len(diagnostic.candidates) == 1, (edit,))


def model_hint(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """The rewrite that the model prefers; unsafe, because it is a guess."""
    for text in diagnostic.candidates:
        edit = Edit(diagnostic.path, diagnostic.span.start, diagnostic.span.end, text)
        yield Candidate(f"Change to `{text}`", False, (edit,))


def unused_import(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """Drop one unused name (Ruff's F401, Pyright's reportUnusedImport) from its import statement."""
    path = diagnostic.path
    statements: list[ast.Import | ast.ImportFrom] = [*source.all(ast.Import), *source.all(ast.ImportFrom)]
    for statement in statements:
        span = source.span(statement)
        if not (span.start <= diagnostic.span.start < span.end):
            continue
        aliases = statement.names
        if len(aliases) == 1:
            siblings = getattr(source.parents[statement], "body", [])
            line = source.lines.line_at(span.start)
            start = source.lines.starts[line]
            last = source.lines.line_at(span.end)
            end = source.lines.starts[last + 1] if last + 1 < len(source.lines) else len(source.data)
            alone = not source.data[start : span.start].strip() and b";" not in source.data[span.end : end]
            if alone and (len(siblings) > 1 or isinstance(source.parents[statement], ast.Module)):
                yield Candidate("Remove the unused import", True, (Edit(path, start, end, ""),))
            return
        for index, alias in enumerate(aliases):
            at = source.span(alias)
            if at.start <= diagnostic.span.start < at.end:
                if index + 1 < len(aliases):
                    edit = Edit(path, at.start, source.span(aliases[index + 1]).start, "")
                else:
                    edit = Edit(path, source.span(aliases[index - 1]).end, at.end, "")
                yield Candidate(f"Remove the unused `{alias.name}`", True, (edit,))
                return
