"""`unresolved-import`: an import of a module, or of a name, that is provably not there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from graft_indexer.facts import Import, Span
from graft_indexer.graph import SymbolGraph
from graft_indexer.text import encode
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source, guarded_by, makes_names
from graft_server.diagnosis.subject import Subject

CODE = "unresolved-import"
SEVERITY = Severity.ERROR


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Imports whose closed answer is empty; those that a `try` or a version test guards are left alone."""
    graph, path = subject.graph, subject.path
    facts = graph.facts(path)
    if facts is None:
        return
    for item in facts.imports:
        if item.guarded or item.name == "*" or item.module == "__future__" or not subject.asked(item.span):
            continue
        if subject.names is not None and subject.names.isdisjoint((item.name, *item.module.split("."))):
            continue
        answer = graph.resolve_import(path, item)
        if (
            answer.closed
            and not answer.value
            and not _spared(subject, item, facts.imports)
            and not _meant(subject, item)
        ):
            yield from _findings(graph, path, item)


def _spared(subject: Subject, item: Import, imports: Sequence[Import]) -> bool:
    """Whether nothing need be said of a package that is not installed: it is imported where not every run comes by (in
    a function, below a test), or an import above already said so."""
    if not _not_installed(subject.graph, subject.path, item):
        return False
    top = item.module.split(".", 1)[0]
    for other in imports:
        if other.span.start >= item.span.start:
            break
        same = not other.level and not other.guarded and other.module.split(".", 1)[0] == top
        if same and other.span != item.span and not _optional(subject, other):
            subject.whole_file = True
            return True
    return _optional(subject, item)


def _not_installed(graph: SymbolGraph, path: str, item: Import) -> bool:
    """Whether even the first part of an absolute import is not there."""
    top = item.module.split(".", 1)[0]
    return not item.level and all(m != top for m in graph.modules("", path).value)


def _statement(source: Source, item: Import) -> ast.stmt | None:
    return next((s for s in source.all(ast.Import, ast.ImportFrom) if source.span(s) == item.span), None)


def _optional(subject: Subject, item: Import) -> bool:
    statement = _statement(subject.source, item)
    return statement is not None and not isinstance(subject.source.parents[statement], ast.Module)


def _meant(subject: Subject, item: Import) -> bool:
    """Whether a test expects the import to fail."""
    statement = _statement(subject.source, item)
    return statement is not None and guarded_by(subject.source, statement, "ImportError", "ModuleNotFoundError")


def dotted(item: Import) -> str:
    """The module as it is written in the statement."""
    return "." * item.level + item.module


def module_span(graph: SymbolGraph, path: str, item: Import) -> Span:
    """Where the module stands in an import statement; the imported name if it is not written in one piece."""
    data = encode(graph.text(path) or "")
    at = data.find(dotted(item).encode(), item.span.start, item.span.end)
    return item.name_span if at < 0 or item.name is None else Span(at, at + len(dotted(item).encode()))


def _findings(graph: SymbolGraph, path: str, item: Import) -> Iterator[Diagnostic]:
    module = dotted(item)
    if item.name is not None:
        members = graph.module_members(item.module, path, item.level)
        homes = {
            m.path for m in members.value if m.qualified_name == f"{m.module}.{m.name}" and m.module == item.module
        }
        if any(makes_names(graph.text(home) or "") for home in homes):
            return
        if members.value:
            near = closest(item.name, (m.name for m in members.value)) if members.closed else []
            hint = f"; did you mean `{near[0]}`?" if near else ""
            message = f"module `{module}` has no `{item.name}`{hint}"
            yield Diagnostic(
                path, item.name_span, CODE, SEVERITY, message, names=(item.name, module), candidates=tuple(near)
            )
            return
    prefix, _, last = item.module.rpartition(".")
    siblings = graph.modules(prefix, path, item.level)
    near = closest(last, (m.rpartition(".")[2] for m in siblings.value)) if siblings.value else []
    message = f"there is no module `{module}`"
    if near:
        message += f"; did you mean `{near[0]}`?"
    elif _not_installed(graph, path, item):
        message = f"package `{item.module.split('.', 1)[0]}` is not installed"
    yield Diagnostic(
        path,
        module_span(graph, path, item),
        CODE,
        SEVERITY,
        message,
        names=(module,),
        candidates=tuple(near),
    )
