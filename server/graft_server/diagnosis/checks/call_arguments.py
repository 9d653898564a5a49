"""`call-arguments`: a call that its function, method or constructor provably refuses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from graft_indexer.facts import DefinitionKind, ParameterKind, Span
from graft_indexer.graph import CallSite, CallTarget, SymbolGraph
from graft_server.diagnosis.calls import Mismatch, Problem, bind, keyword_span, provable_targets
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source, guarded_by, last_name, source_of
from graft_server.diagnosis.subject import Subject

CODE = "call-arguments"
SEVERITY = Severity.ERROR


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Calls whose proven targets all refuse them; those below `pytest.raises(TypeError)` and the like are meant."""
    graph, path, source = subject.graph, subject.path, subject.source
    for call in subject.calls():
        found = provable_targets(graph, path, source, call)
        if found is None:
            continue
        site, targets = found
        refused = [bind(t.signature, call).mismatches for t in targets]
        if not all(refused) or guarded_by(source, call, "TypeError") or any(_interface(graph, t) for t in targets):
            continue
        yield from _findings(path, source, call, site, targets[0], refused[0])


_INTERFACE = re.compile(r"I[A-Z]|\w*Interface$")


def _interface(graph: SymbolGraph, target: CallTarget) -> bool:
    """Whether a method is written without `self`, in a description of an interface: who implements it may take more."""
    if target.symbol.kind is not DefinitionKind.METHOD or "staticmethod" in target.symbol.decorators:
        return False
    source = source_of(graph, target.symbol.path)
    if source is None:
        return False
    line = source.lines.line_at(target.symbol.name_span.start) + 1
    functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = [*source.all(ast.FunctionDef)]
    functions += source.all(ast.AsyncFunctionDef)
    for function in functions:
        if function.name == target.symbol.name and function.lineno == line:
            first = [*function.args.posonlyargs, *function.args.args][:1]
            if not first:
                return not function.args.vararg
            owner = source.parents[function]
            return (
                first[0].arg not in ("self", "cls", "_", "this")
                and isinstance(owner, ast.ClassDef)
                and any(_INTERFACE.match(last_name(b)) for b in owner.bases)
            )
    return False


def _findings(
    path: str, source: Source, call: ast.Call, site: CallSite, target: CallTarget, mismatches: list[Mismatch]
) -> Iterator[Diagnostic]:
    name = target.symbol.name
    related = ((target.symbol.path, target.symbol.name_span, f"`{name}` is defined here"),)
    missing = [m.name for m in mismatches if m.problem is Problem.MISSING]
    unknown = [m.name for m in mismatches if m.problem is Problem.UNKNOWN_KEYWORD]
    taken = {k.arg for k in call.keywords}
    for mismatch in mismatches:
        near: list[str] = []
        names: tuple[str, ...] = (mismatch.name,)
        if mismatch.problem is Problem.UNKNOWN_KEYWORD:
            (keyword,) = mismatch.nodes
            assert isinstance(keyword, ast.keyword)
            span = keyword_span(source, keyword)
            if any(p.name == mismatch.name for p in target.signature.parameters):
                message = f"`{name}` takes `{mismatch.name}` by position only"
            else:
                free = [
                    p.name
                    for p in target.signature.parameters
                    if p.name not in taken and p.kind is not ParameterKind.POSITIONAL_ONLY
                ]
                near = closest(mismatch.name, free)
                if not near and len(missing) == 1 and len(unknown) == 1 and missing[0] in free:
                    near = missing
                hint = f"; did you mean `{near[0]}`?" if near else ""
                message = f"`{name}` has no parameter `{mismatch.name}`{hint}"
        elif mismatch.problem is Problem.TOO_MANY:
            span = Span(source.span(mismatch.nodes[0]).start, source.span(mismatch.nodes[-1]).end)
            given = int(mismatch.name) + len(mismatch.nodes)
            takes = "none" if mismatch.name == "0" else mismatch.name
            message = f"`{name}` takes {takes} by position, {given} given"
            names = (name,)
        elif mismatch.problem is Problem.DUPLICATE:
            (keyword,) = mismatch.nodes
            assert isinstance(keyword, ast.keyword)
            span = keyword_span(source, keyword)
            message = f"`{name}` gets `{mismatch.name}` twice"
        else:
            # One finding for all that is missing; none where a misspelt keyword already explains it.
            if mismatch.name != missing[0] or len(unknown) >= len(missing):
                continue
            span = site.callee
            names = tuple(missing)
            listed = ", ".join(f"`{m}`" for m in missing)
            message = f"`{name}` needs {listed}"
        yield Diagnostic(path, span, CODE, SEVERITY, message, names=names, candidates=tuple(near), related=related)
