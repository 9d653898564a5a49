"""Candidates for an undefined name: import it (project first, then standard library and environment), or respell it."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import Origin, Symbol, SymbolGraph
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.source import Source
from graft_server.edits import Edit
from graft_server.repair.add_import import add_import
from graft_server.repair.candidate import Candidate
from graft_server.repair.wellknown import ALIASES, MODULES_OF

_MAX_FILES = 400
"""Files whose imports are read for how this project imports a name."""


def candidates(graph: SymbolGraph, source: Source, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """Exact names come before similar ones, except that a slip of a local name is more likely than an import."""
    name, path = diagnostic.names[0], diagnostic.path
    if not name.isidentifier():
        return
    near = diagnostic.candidates or tuple(closest(name, _visible(graph, diagnostic)))
    respell = list(_respell(path, diagnostic, near, _local_names(source, diagnostic)))
    imports = list(_imports(graph, source, path, name))
    first, second = (respell, imports) if respell and respell[0].safe and not imports else (imports, respell)
    yield from first
    yield from second


def _visible(graph: SymbolGraph, diagnostic: Diagnostic) -> list[str]:
    return [s.name for s in graph.visible_names(diagnostic.path, diagnostic.span.start).value]


def _local_names(source: Source, diagnostic: Diagnostic) -> set[str]:
    """Names bound in this file: a slip of one of them is likelier than of a builtin."""
    bound = {n.id for n in source.all(ast.Name) if isinstance(n.ctx, ast.Store)}
    bound |= {a.arg for a in source.all(ast.arg)}
    bound |= {n.name for n in source.all(ast.FunctionDef)} | {n.name for n in source.all(ast.AsyncFunctionDef)}
    bound |= {n.name for n in source.all(ast.ClassDef)}
    bound |= {(a.asname or a.name).split(".", 1)[0] for a in source.all(ast.alias)}
    return bound


def _respell(path: str, diagnostic: Diagnostic, near: tuple[str, ...], local: set[str]) -> Iterator[Candidate]:
    ordered = sorted(near, key=lambda n: n not in local)
    certain = len([n for n in ordered if n in local]) == 1 or len(ordered) == 1
    for index, other in enumerate(ordered):
        edit = Edit(path, diagnostic.span.start, diagnostic.span.end, other)
        yield Candidate(f"Change to `{other}`", certain and index == 0, (edit,))


def _imports(graph: SymbolGraph, source: Source, path: str, name: str) -> Iterator[Candidate]:
    providers: list[tuple[str, str | None, str | None]] = []
    circular: set[str] = set()
    own = [s for s in graph.find(name) if _importable(s, name, path)]
    own.sort(key=lambda s: (_is_test(s.path), s.module.count("."), len(s.module), s.module))
    importers = set(graph.importers(path)) if own else set()
    for symbol in own[:4]:
        if symbol.path in importers:
            circular.add(symbol.module)
        providers.append((symbol.module, name, None))
    if name in sys.stdlib_module_names or _is_module(graph, path, name):
        providers.append((name, None, None))
    if name in MODULES_OF:
        providers.append((MODULES_OF[name], name, None))
    if name in ALIASES:
        providers.append((ALIASES[name], None, name))
    if not providers:
        providers += _as_elsewhere(graph, path, name)
    for index, (module, member, alias) in enumerate(dict.fromkeys(providers)):
        unambiguous = index == 0 and (len(own) <= 1)
        edit = add_import(source, path, module, member, alias)
        if member is None:
            title = f"Import `{module}`" + (f" as `{alias}`" if alias else "")
        else:
            title = f"Import `{member}` from {module}"
        yield Candidate(title, unambiguous and module not in circular, (edit,))


def _importable(symbol: Symbol, name: str, path: str) -> bool:
    return (
        symbol.origin is Origin.WORKSPACE
        and symbol.name == name
        and symbol.path != path
        and bool(symbol.module)
        and symbol.qualified_name == f"{symbol.module}.{name}"
        and symbol.kind
        in (DefinitionKind.CLASS, DefinitionKind.FUNCTION, DefinitionKind.VARIABLE, DefinitionKind.TYPE_ALIAS)
        and not (_is_test(symbol.path) and not _is_test(path))
    )


def _is_test(path: str) -> bool:
    return any(part in ("tests", "test") or part.startswith("test_") for part in path.split("/"))


def _is_module(graph: SymbolGraph, path: str, name: str) -> bool:
    return name in {m.rpartition(".")[2] for m in graph.modules("", path).value}


def _as_elsewhere(graph: SymbolGraph, path: str, name: str) -> list[tuple[str, str | None, str | None]]:
    """How other files of the workspace import this name, most frequent first."""
    votes: Counter[tuple[str, str | None, str | None]] = Counter()
    for other in list(graph.paths())[:_MAX_FILES]:
        facts = graph.facts(other) if other != path else None
        if facts is None or name not in facts.postings:
            continue
        for item in facts.imports:
            if item.bound_name == name and not item.level and item.name != "*":
                votes[(item.module, item.name, item.alias)] += 1
    return [v for v, _ in votes.most_common(2)]
