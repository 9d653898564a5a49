"""Candidates for a call that its target refuses: rename, insert or drop an argument."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_indexer.facts import ParameterKind, Signature
from graft_indexer.graph import CallSite, CallTarget, SymbolGraph
from graft_server.diagnosis.calls import Problem, bind, keyword_span, provable_target, required_names
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.source import Source
from graft_server.edits import Edit
from graft_server.repair import donors
from graft_server.repair.candidate import Candidate


def candidates(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """The problem is bound anew, so that findings of other servers at the same call work too."""
    path = diagnostic.path
    call = _call_at(source, diagnostic)
    found = provable_target(graph, path, source, call) if call is not None else None
    if call is None or found is None:
        return
    site, target = found
    mismatches = bind(target.signature, call).mismatches
    missing = [m.name for m in mismatches if m.problem is Problem.MISSING]
    for mismatch in mismatches:
        if mismatch.problem is Problem.UNKNOWN_KEYWORD and mismatch.name == diagnostic.names[0]:
            (keyword,) = mismatch.nodes
            if isinstance(keyword, ast.keyword):
                if any(p.name == keyword.arg for p in target.signature.parameters):
                    yield from _by_position(source, path, call, keyword, target.signature)
                else:
                    near = diagnostic.candidates or _near(call, keyword, target.signature)
                    yield from _unknown(source, path, call, keyword, near)
        elif mismatch.problem is Problem.TOO_MANY and diagnostic.names[0] not in (k.arg for k in call.keywords):
            nodes = [n for n in mismatch.nodes if isinstance(n, ast.expr)]
            listed = ", ".join(source.segment(source.span(n)) for n in nodes)
            yield Candidate(f"Drop {_short(listed)}", False, tuple(_drop(source, path, call, n) for n in nodes[:1]))
            if len(nodes) > 1:
                first, last = _position(call, nodes[0]), _position(call, nodes[-1])
                yield Candidate(f"Drop {_short(listed)}", False, (_drop_range(source, path, call, first, last),))
        elif mismatch.problem is Problem.DUPLICATE and mismatch.name == diagnostic.names[0]:
            (keyword,) = mismatch.nodes
            if isinstance(keyword, ast.keyword):
                given = bind(target.signature, call).given[mismatch.name]
                same = ast.dump(given) == ast.dump(keyword.value)
                yield Candidate(f"Drop `{keyword.arg}=`", same, (_drop(source, path, call, keyword),))
    if missing and diagnostic.names[0] in missing:
        yield from _missing(graph, source, path, call, site, target, missing)


def _call_at(source: Source, diagnostic: Diagnostic) -> ast.Call | None:
    best: ast.Call | None = None
    for call in source.all(ast.Call):
        span = source.span(call)
        if span.covers(diagnostic.span) and (best is None or source.span(best).covers(span)):
            # A finding on the callee belongs to the call of that callee, not to one inside its expression.
            best = call
    return best


def _near(call: ast.Call, keyword: ast.keyword, signature: Signature) -> tuple[str, ...]:
    """Parameters that no argument fills yet and that a misspelt keyword may mean."""
    filled = {k.arg for k in call.keywords} | set(bind(signature, call).given)
    free = [
        p.name for p in signature.parameters if p.name not in filled and p.kind is not ParameterKind.POSITIONAL_ONLY
    ]
    return tuple(closest(keyword.arg or "", free))


def _unknown(
    source: Source, path: str, call: ast.Call, keyword: ast.keyword, near: tuple[str, ...]
) -> Iterator[Candidate]:
    span = keyword_span(source, keyword)
    for index, other in enumerate(near):
        edit = Edit(path, span.start, span.end, other)
        yield Candidate(f"Change to `{other}`", index == 0 and len(near) == 1, (edit,))
    yield Candidate(f"Drop `{keyword.arg}=`", False, (_drop(source, path, call, keyword),))


def _by_position(
    source: Source, path: str, call: ast.Call, keyword: ast.keyword, signature: Signature
) -> Iterator[Candidate]:
    """Without the name, where the argument stands at its parameter's place already."""
    place = next(i for i, p in enumerate(signature.parameters) if p.name == keyword.arg)
    if place == len(call.args) and call.keywords[0] is keyword:
        span = source.span(keyword)
        edit = Edit(path, span.start, source.span(keyword.value).start, "")
        yield Candidate(f"Pass `{keyword.arg}` by position", True, (edit,))


def _missing(
    graph: SymbolGraph,
    source: Source,
    path: str,
    call: ast.Call,
    site: CallSite,
    target: CallTarget,
    missing: list[str],
) -> Iterator[Candidate]:
    signature = target.signature
    visible = {s.name for s in graph.visible_names(path, site.arguments.start).value}
    positional_only = {p.name for p in signature.parameters if p.kind is ParameterKind.POSITIONAL_ONLY}
    by_position = not call.keywords and required_names(signature)[-len(missing) :] == missing and positional_only
    if all(name in visible for name in missing):
        values = [name if by_position else f"{name}={name}" for name in missing]
        listed = ", ".join(f"`{name}`" for name in missing)
        yield Candidate(f"Pass {listed}", len(missing) == 1, (_append(source, path, call, site, values),))
    if len(missing) == 1:
        (name,) = missing
        for value in donors.values(graph, path, call, source, target, name):
            if value != name:
                given = [value if by_position else f"{name}={value}"]
                yield Candidate(
                    f"Pass `{given[0]}` as another call does", False, (_append(source, path, call, site, given),)
                )
    values = ["None" if by_position else f"{name}=None" for name in missing]
    yield Candidate(f"Insert `{', '.join(values)}`", False, (_append(source, path, call, site, values),))


def _arguments(call: ast.Call) -> list[ast.expr | ast.keyword]:
    return sorted([*call.args, *call.keywords], key=lambda a: (a.lineno, a.col_offset))


def _position(call: ast.Call, argument: ast.expr | ast.keyword) -> int:
    return next(i for i, a in enumerate(_arguments(call)) if a is argument)


def _drop(source: Source, path: str, call: ast.Call, argument: ast.expr | ast.keyword) -> Edit:
    index = _position(call, argument)
    return _drop_range(source, path, call, index, index)


def _drop_range(source: Source, path: str, call: ast.Call, first: int, last: int) -> Edit:
    """Drop arguments `first` to `last` with the comma that joins them to the others."""
    arguments = _arguments(call)
    if first > 0:
        return Edit(path, source.span(arguments[first - 1]).end, source.span(arguments[last]).end, "")
    if last + 1 < len(arguments):
        return Edit(path, source.span(arguments[first]).start, source.span(arguments[last + 1]).start, "")
    return Edit(path, source.span(arguments[first]).start, source.span(arguments[last]).end, "")


def _append(source: Source, path: str, call: ast.Call, site: CallSite, values: list[str]) -> Edit:
    """Arguments after the last one, before a trailing comma if there is one."""
    arguments = _arguments(call)
    text = ", ".join(values)
    if not arguments:
        return Edit(path, site.arguments.start + 1, site.arguments.start + 1, text)
    end = source.span(arguments[-1]).end
    while source.data[end : end + 1] == b")" and end + 1 < site.arguments.end:
        # Parentheses around the last argument are no part of its node.
        end += 1
    return Edit(path, end, end, ", " + text)


def _short(text: str, limit: int = 40) -> str:
    text = " ".join(text.split())
    return f"`{text}`" if len(text) <= limit else f"`{text[: limit - 1]}…`"
