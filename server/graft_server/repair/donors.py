"""Arguments as other calls of the same function give them: donors for one that is missing."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from graft_indexer.graph import CallTarget, SymbolGraph
from graft_server.diagnosis.calls import bind
from graft_server.diagnosis.source import Source, source_of

MOST_CALLS = 40
"""Other calls that are read."""
MOST_VALUES = 2
"""Values that are offered."""
_LONGEST = 60
"""Bytes of a value that is offered."""


def values(
    graph: SymbolGraph, path: str, call: ast.Call, source: Source, target: CallTarget, parameter: str
) -> Iterator[str]:
    """What other calls of `target` give `parameter`, the most frequent first, as far as the names in there are visible
    at this call; their meaning there may be another."""
    seen: Counter[str] = Counter()
    at = source.span(call)
    visible = {s.name for s in graph.visible_names(path, at.start).value}
    for place in graph.callers(target.symbol).value[:MOST_CALLS]:
        theirs = source_of(graph, place.path)
        other = _call_at(theirs, place.span.start) if theirs is not None else None
        if theirs is None or other is None or (place.path == path and theirs.span(other) == at):
            continue
        given = bind(target.signature, other).given.get(parameter)
        if given is None or any(isinstance(n, ast.NamedExpr | ast.Await | ast.Yield) for n in ast.walk(given)):
            continue
        names = {n.id for n in ast.walk(given) if isinstance(n, ast.Name)}
        span = theirs.span(given)
        if names <= visible and span.end - span.start <= _LONGEST and b"\n" not in theirs.data[span.start : span.end]:
            seen[theirs.segment(span)] += 1
    yield from (text for text, _ in seen.most_common(MOST_VALUES))


def _call_at(source: Source, offset: int) -> ast.Call | None:
    """The innermost call whose callee holds an offset."""
    found: ast.Call | None = None
    for call in source.all(ast.Call):
        span = source.span(call.func)
        if span.start <= offset < span.end or offset == source.span(call).start:
            found = call
    return found
