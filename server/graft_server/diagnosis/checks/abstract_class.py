"""`abstract-class`: an instance of a class that still has abstract methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis.calls import calls
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import guarded_by, source_of

CODE = "abstract-class"
SEVERITY = Severity.ERROR
_ABSTRACT = ("abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod")


def check(graph: SymbolGraph, path: str) -> Iterator[Diagnostic]:
    """Calls of a class of the workspace whose closed member list has an abstract member."""
    source = source_of(graph, path)
    if source is None:
        return
    for call in calls(source):
        if not isinstance(call.func, ast.Name | ast.Attribute):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
        if not name[:1].isupper() and not name.lstrip("_")[:1].isupper():
            continue
        end = source.span(call.func).end
        answer = graph.definition_at(path, end - 1)
        if not answer.closed or len(answer.value) != 1 or answer.value[0].kind is not DefinitionKind.CLASS:
            continue
        members = graph.members_at(path, end)
        if not members.closed:
            continue
        left = sorted({m.name for m in members.value if any(_is_abstract(d) for d in m.decorators)})
        if left and not guarded_by(source, call, "TypeError"):
            listed = ", ".join(f"`{m}`" for m in left[:3]) + (", …" if len(left) > 3 else "")
            symbol = answer.value[0]
            yield Diagnostic(
                path,
                source.span(call.func),
                CODE,
                SEVERITY,
                f"`{name}` is abstract: it does not define {listed}",
                names=(name, *left),
                related=((symbol.path, symbol.name_span, f"`{name}` is defined here"),),
            )


def _is_abstract(decorator: str) -> bool:
    return decorator.split("(", 1)[0].rpartition(".")[2] in _ABSTRACT
