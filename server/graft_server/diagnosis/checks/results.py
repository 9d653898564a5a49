"""`not-awaited`, `not-iterated`, `none-used`: a call does not make of a result what the function returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import CallTarget, Origin, SymbolGraph
from graft_server.diagnosis.calls import provable_target
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source, guarded_by, parse
from graft_server.diagnosis.subject import Subject

NOT_AWAITED = "not-awaited"
NOT_AWAITED_SEVERITY = Severity.ERROR
NOT_ITERATED = "not-iterated"
NOT_ITERATED_SEVERITY = Severity.ERROR
NONE_USED = "none-used"
NONE_USED_SEVERITY = Severity.WARNING


def not_awaited(subject: Subject) -> Iterator[Diagnostic]:
    """A coroutine that nobody awaits, and a coroutine used as if it were its result."""
    graph, path, source = subject.graph, subject.path, subject.source
    for call in subject.calls():
        parent = source.parents[call]
        dropped = isinstance(parent, ast.Expr)
        used = isinstance(parent, ast.Attribute | ast.Subscript | ast.BinOp | ast.Compare | ast.For) and _operates(
            parent, call
        )
        if not dropped and not used:
            continue
        target = _function(graph, path, source, call)
        if target is None or not target.signature.is_async or target.signature.is_generator:
            continue
        if guarded_by(source, call, "TypeError", "RuntimeWarning"):
            continue
        what = "is never awaited" if dropped else "must be awaited before its result is used"
        yield Diagnostic(
            path,
            source.span(call),
            NOT_AWAITED,
            NOT_AWAITED_SEVERITY,
            f"coroutine `{target.symbol.name}` {what}",
            names=(target.symbol.name,),
            related=((target.symbol.path, target.symbol.name_span, f"`{target.symbol.name}` is defined here"),),
        )


def not_iterated(subject: Subject) -> Iterator[Diagnostic]:
    """A generator function that is called for its effect: without somebody who iterates its body never runs."""
    graph, path, source = subject.graph, subject.path, subject.source
    for call in subject.calls():
        if not isinstance(source.parents[call], ast.Expr):
            continue
        target = _function(graph, path, source, call)
        if target is None or not target.signature.is_generator or guarded_by(source, call, "TypeError"):
            continue
        yield Diagnostic(
            path,
            source.span(call),
            NOT_ITERATED,
            NOT_ITERATED_SEVERITY,
            f"generator `{target.symbol.name}` is never iterated: nothing in it runs",
            names=(target.symbol.name,),
            related=((target.symbol.path, target.symbol.name_span, f"`{target.symbol.name}` is defined here"),),
        )


def none_used(subject: Subject) -> Iterator[Diagnostic]:
    """The result of a function that never returns anything, read, iterated or computed with."""
    graph, path, source = subject.graph, subject.path, subject.source
    for call in subject.calls():
        parent = source.parents[call]
        if not isinstance(
            parent, ast.Attribute | ast.Subscript | ast.BinOp | ast.Compare | ast.For | ast.Starred
        ) or not _operates(parent, call):
            continue
        target = _function(graph, path, source, call)
        if target is None or target.signature.is_async or target.signature.is_generator:
            continue
        declared = target.signature.returns == "None" and not target.symbol.decorators
        plain = target.symbol.kind is DefinitionKind.FUNCTION and _returns_nothing(graph, target)
        if not declared and not plain:
            continue
        if guarded_by(source, call, "TypeError", "AttributeError"):
            continue
        yield Diagnostic(
            path,
            source.span(call),
            NONE_USED,
            NONE_USED_SEVERITY,
            f"`{target.symbol.name}` returns nothing, but its result is used",
            names=(target.symbol.name,),
            related=((target.symbol.path, target.symbol.name_span, f"`{target.symbol.name}` is defined here"),),
        )


_OF_COROUTINES = ("__await__", "send", "throw", "close")
"""What a coroutine itself has."""


def _operates(parent: ast.AST, call: ast.Call) -> bool:
    match parent:
        case ast.Attribute(attr=attr) if attr in _OF_COROUTINES or attr.startswith("cr_"):
            return False
        case ast.Attribute(value=value) | ast.Subscript(value=value):
            return value is call
        case ast.For(iter=value):
            return value is call
        case ast.Compare(ops=ops):
            return all(isinstance(o, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for o in ops)
    return isinstance(parent, ast.BinOp | ast.Starred)


def _function(graph: SymbolGraph, path: str, source: Source, call: ast.Call) -> CallTarget | None:
    found = provable_target(graph, path, source, call)
    if found is None:
        return None
    target = found[1]
    wanted = (DefinitionKind.FUNCTION, DefinitionKind.METHOD)
    return target if target.symbol.kind in wanted and target.symbol.origin is Origin.WORKSPACE else None


def _returns_nothing(graph: SymbolGraph, target: CallTarget) -> bool:
    text = graph.text(target.symbol.path)
    source = parse(text) if text is not None else None
    if source is None or target.symbol.decorators:
        return False
    for function in source.all(ast.FunctionDef):
        name = source.span(function).start
        if target.symbol.span.start <= name <= target.symbol.name_span.start and function.name == target.symbol.name:
            break
    else:
        return False
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if not body or all(isinstance(s, ast.Pass | ast.Raise) for s in body):
        return False
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Return) and node.value is not None:
            return False
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return False
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))
    return not isinstance(body[-1], ast.Raise)
