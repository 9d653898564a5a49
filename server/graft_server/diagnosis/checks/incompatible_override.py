"""`incompatible-override`: a method that refuses calls which the method it overrides takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_indexer.facts import DefinitionKind, Parameter, ParameterKind, Signature
from graft_indexer.graph import Origin, Symbol, SymbolGraph
from graft_server.diagnosis.calls import transparent
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source
from graft_server.diagnosis.subject import Subject

CODE = "incompatible-override"
SEVERITY = Severity.WARNING
_BY_POSITION = (ParameterKind.POSITIONAL_ONLY, ParameterKind.POSITIONAL_OR_KEYWORD)


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Methods of classes whose bases of the workspace are closed; constructors and private methods may differ."""
    graph, path, source = subject.graph, subject.path, subject.source
    for definition in subject.nodes(ast.ClassDef):
        inherited = _inherited(graph, path, source, definition)
        for method in definition.body:
            if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) or method.decorator_list:
                continue
            base = inherited.get(method.name)
            if base is None or base.signature is None:
                continue
            problem = refuses(base.signature, signature_of(method))
            if problem:
                start = source.data.index(method.name.encode(), source.span(method).start)
                where = base.qualified_name.rpartition(".")[0].rpartition(".")[2]
                span = base.name_span
                yield Diagnostic(
                    path,
                    type(span)(start, start + len(method.name.encode())),
                    CODE,
                    SEVERITY,
                    f"`{definition.name}.{method.name}` {problem}, unlike `{where}.{method.name}`",
                    names=(method.name, definition.name),
                    related=((base.path, span, "the method it overrides"),),
                )


def _inherited(graph: SymbolGraph, path: str, source: Source, definition: ast.ClassDef) -> dict[str, Symbol]:
    found: dict[str, Symbol] = {}
    for base in reversed(definition.bases):
        if not isinstance(base, ast.Name | ast.Attribute):
            return {}
        members = graph.members_at(path, source.span(base).end)
        if not members.closed:
            return {}
        for member in members.value:
            name = member.name
            if (
                name.startswith("__")
                or member.kind is not DefinitionKind.METHOD
                or member.origin is not Origin.WORKSPACE
            ):
                continue
            if transparent(member.decorators) and not {"staticmethod", "classmethod"}.intersection(member.decorators):
                found[name] = member
    return found


def signature_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Signature:
    """The signature as written, `self` included."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    optional = len(positional) - len(arguments.defaults)
    parameters = [
        Parameter(
            a.arg,
            ParameterKind.POSITIONAL_ONLY if i < len(arguments.posonlyargs) else ParameterKind.POSITIONAL_OR_KEYWORD,
            default="..." if i >= optional else None,
        )
        for i, a in enumerate(positional)
    ]
    if arguments.vararg:
        parameters.append(Parameter(arguments.vararg.arg, ParameterKind.VAR_POSITIONAL))
    parameters += [
        Parameter(a.arg, ParameterKind.KEYWORD_ONLY, default=None if d is None else "...")
        for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        parameters.append(Parameter(arguments.kwarg.arg, ParameterKind.VAR_KEYWORD))
    return Signature(tuple(parameters))


def refuses(base: Signature, override: Signature) -> str:
    """In words, which call of `base` the override refuses; empty if none.  Both signatures have `self`.

    Only numbers and keyword-only parameters are compared: other names at the same place are common and harmless.
    """
    if base.parameters and base.parameters[0].name not in ("self", "cls"):
        # The graph's signature is already bound; bring both to the same form.
        override = Signature(override.parameters[1:])
    theirs, ours = _Shape(base), _Shape(override)
    values = ours.most - 1 if override.parameters and override.parameters[0].name == "self" else ours.most
    if not ours.variadic and (ours.most < theirs.most or theirs.variadic):
        return f"takes at most {values} by position"
    if ours.least > theirs.least:
        return "needs more by position"
    if not ours.open_keywords:
        lost = sorted(theirs.keyword_only - ours.named)
        if lost:
            return f"does not take `{lost[0]}`"
    added = sorted(ours.required_keywords - theirs.named)
    return f"needs `{added[0]}`" if added else ""


class _Shape:
    """How many values by position, and which keywords, a signature takes."""

    def __init__(self, signature: Signature) -> None:
        positional = [p for p in signature.parameters if p.kind in _BY_POSITION]
        self.most = len(positional)
        self.least = sum(p.required for p in positional)
        kinds = {p.kind for p in signature.parameters}
        self.variadic = ParameterKind.VAR_POSITIONAL in kinds
        self.open_keywords = ParameterKind.VAR_KEYWORD in kinds
        keyword_only = [p for p in signature.parameters if p.kind is ParameterKind.KEYWORD_ONLY]
        self.keyword_only = {p.name for p in keyword_only}
        self.required_keywords = {p.name for p in keyword_only if p.required}
        self.named = self.keyword_only | {p.name for p in positional}
