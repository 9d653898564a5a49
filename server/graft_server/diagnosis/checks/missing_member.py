"""`missing-member`: an attribute that its receiver provably does not have."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source, guarded_by, source_of

CODE = "missing-member"
SEVERITY = Severity.ERROR


def check(graph: SymbolGraph, path: str) -> Iterator[Diagnostic]:
    """Reads of attributes on closed receivers; what `hasattr` or an `except AttributeError` guards is left alone."""
    source = source_of(graph, path)
    if source is None:
        return
    assigned = {n.attr for n in source.all(ast.Attribute) if not isinstance(n.ctx, ast.Load)}
    probed = _probed(source)
    for node in source.all(ast.Attribute):
        name = node.attr
        if not isinstance(node.ctx, ast.Load) or name in assigned or name in probed:
            continue
        if name.startswith("__") and name.endswith("__"):
            continue
        answer = graph.members_at(path, source.span(node.value).end)
        if not answer.closed or not answer.value:
            continue
        members = {m.name for m in answer.value}
        if name in members or _mangled(source, node, members) or guarded_by(source, node, "AttributeError"):
            continue
        near = closest(name, members)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        receiver = " ".join(source.segment(source.span(node.value)).split())
        if len(receiver) > 40:
            receiver = receiver[:39] + "…"
        span = source.span(node)
        yield Diagnostic(
            path,
            type(span)(span.end - len(name.encode()), span.end),
            CODE,
            SEVERITY,
            f"`{receiver}` has no member `{name}`{hint}",
            names=(name,),
            candidates=tuple(near),
        )


def _probed(source: Source) -> set[str]:
    """Names that the file asks for with `hasattr` and the like: whoever asks, knows that they may be missing."""
    found: set[str] = set()
    for call in source.all(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id in ("hasattr", "getattr", "setattr", "delattr"):
            found |= {a.value for a in call.args[1:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found


def _mangled(source: Source, node: ast.Attribute, members: set[str]) -> bool:
    if not node.attr.startswith("__"):
        return False
    return any(
        f"_{parent.name.lstrip('_')}{node.attr}" in members
        for parent in source.ancestors(node)
        if isinstance(parent, ast.ClassDef)
    )
