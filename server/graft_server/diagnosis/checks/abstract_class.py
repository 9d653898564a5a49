"""`abstract-class`: an instance of a class that still has abstract methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import Origin, Symbol, SymbolGraph
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source, guarded_by, source_of
from graft_server.diagnosis.subject import Subject

CODE = "abstract-class"
SEVERITY = Severity.ERROR
_ABSTRACT = ("abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod")
_DEEP = 12
"""Longest chain of bases that is followed."""


@dataclass(frozen=True, slots=True)
class _Class:
    """A class with its text; `bound` are the names its body binds, `abstract` those that it declares abstract."""

    symbol: Symbol
    bound: frozenset[str]
    abstract: frozenset[str]


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Calls of a class of the workspace whose bases are all known, and of which one uses ABCMeta."""
    graph, path, source = subject.graph, subject.path, subject.source
    known: dict[str, list[str]] = {}
    for call in subject.calls():
        if not isinstance(call.func, ast.Name | ast.Attribute):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
        if not name.lstrip("_")[:1].isupper():
            continue
        symbol = _class_at(graph, path, source.span(call.func).end - 1)
        if symbol is None or symbol.origin is not Origin.WORKSPACE:
            continue
        if symbol.qualified_name not in known:
            known[symbol.qualified_name] = left_abstract(graph, symbol)
        left = known[symbol.qualified_name]
        if left and not guarded_by(source, call, "TypeError") and not _abstract(source.function_of(call)):
            listed = ", ".join(f"`{m}`" for m in left[:3]) + (", …" if len(left) > 3 else "")
            yield Diagnostic(
                path,
                source.span(call.func),
                CODE,
                SEVERITY,
                f"`{name}` is abstract: it does not define {listed}",
                names=(name, *left),
                related=((symbol.path, symbol.name_span, f"`{name}` is defined here"),),
            )


def _abstract(function: ast.AST | None) -> bool:
    """Whether a method is abstract itself: what stands in it shows what others give, and seldom runs."""
    return any(
        ast.unparse(d).split("(", 1)[0].rpartition(".")[2] in _ABSTRACT for d in getattr(function, "decorator_list", ())
    )


def left_abstract(graph: SymbolGraph, symbol: Symbol) -> list[str]:
    """Abstract members that a class neither defines nor inherits; empty where that cannot be told."""
    order: list[_Class] = []
    if not _collect(graph, symbol, order, 0):
        return []
    left = []
    for name in sorted(frozenset().union(*(c.abstract for c in order))):
        first = next(c for c in order if name in c.bound)
        if name in first.abstract:
            left.append(name)
    return left


def _collect(graph: SymbolGraph, symbol: Symbol, order: list[_Class], depth: int) -> bool:
    """Append a class and its bases, a shared base after all that have it; whether ABCMeta enforces the marks.

    Raises nothing: an unknown base empties `order`, which ends the search.
    """
    source = source_of(graph, symbol.path)
    node = _node(source, symbol) if source is not None else None
    if source is None or node is None or depth > _DEEP or node.decorator_list:
        order.clear()
        return False
    order[:] = [c for c in order if c.symbol.qualified_name != symbol.qualified_name]
    order.append(_Class(symbol, *_names(node)))
    enforced = any(k.arg == "metaclass" and ast.unparse(k.value).endswith("ABCMeta") for k in node.keywords)
    for base in node.bases:
        inner = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(inner, ast.Name | ast.Attribute) and ast.unparse(inner).rpartition(".")[2] in ("ABC", "Protocol"):
            enforced = True
            continue
        found = _class_at(graph, symbol.path, source.span(inner).end - 1)
        if found is None:
            order.clear()
            return False
        if found.qualified_name in ("builtins.object", "typing.Generic"):
            continue
        enforced = _collect(graph, found, order, depth + 1) or enforced
        if not order:
            return False
    return enforced


def _class_at(graph: SymbolGraph, path: str, offset: int) -> Symbol | None:
    answer = graph.definition_at(path, offset)
    if not answer.closed or len(answer.value) != 1 or answer.value[0].kind is not DefinitionKind.CLASS:
        return None
    return answer.value[0]


def _node(source: Source, symbol: Symbol) -> ast.ClassDef | None:
    for node in source.all(ast.ClassDef):
        if node.name == symbol.name and source.span(node).end == symbol.span.end:
            return node
    return None


def _names(node: ast.ClassDef) -> tuple[frozenset[str], frozenset[str]]:
    bound: set[str] = set()
    abstract: set[str] = set()
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(statement.name)
            marks = [ast.unparse(d).split("(", 1)[0].rpartition(".")[2] for d in statement.decorator_list]
            if any(m in _ABSTRACT for m in marks):
                abstract.add(statement.name)
            continue
        for inner in ast.walk(statement):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                bound.add(inner.id)
            elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                bound.add(inner.name)
            elif isinstance(inner, ast.alias):
                bound.add((inner.asname or inner.name).split(".", 1)[0])
    return frozenset(bound), frozenset(abstract)
