"""What Python's own parser says about a file, in the terms of `graft_indexer.facts`: an oracle for exactness."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graft_indexer.facts import DefinitionKind, Facts
from graft_indexer.text import Lines

Found = tuple[str, str, int, int, object]
"""(kind, qualified name, line, column in bytes, details)"""


@dataclass(frozen=True)
class _Scope:
    name: str = ""
    function: bool = False
    owner: str | None = None
    selves: tuple[str, ...] = ()

    def member(self, name: str) -> str:
        joint = ".<locals>." if self.function else "."
        return f"{self.name}{joint}{name}" if self.name else name


def definitions(tree: ast.Module) -> list[Found]:
    """Every definition level 1 promises: functions, classes, module and class variables, attributes of self."""
    return sorted(_body(tree.body, _Scope()), key=repr)


def imports(tree: ast.Module) -> list[tuple[str, str | None, str | None, int, int]]:
    """(module, name, alias, level, line of the statement), sorted."""
    found: list[tuple[str, str | None, str | None, int, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(a.name, None, a.asname, 0, node.lineno) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module or "", a.name, a.asname, node.level, node.lineno) for a in node.names]
    return sorted(found, key=repr)


def facts_definitions(facts: Facts, data: bytes) -> list[Found]:
    """The same of facts; names that are only declared `global` are left out, the oracle does not look for them."""
    lines = Lines(data)
    found: list[Found] = []
    for item in facts.definitions:
        if data.startswith(b"global", item.span.start) and item.span.start != item.name_span.start:
            continue
        line, column = lines.position(item.name_span.start, "utf-8")
        details: object = None
        if item.signature is not None:
            s = item.signature
            details = (
                tuple((p.name, p.kind.value, p.annotation is not None, p.default is not None) for p in s.parameters),
                s.returns is not None,
                s.is_async,
                s.is_generator,
                len(item.decorators),
                item.conditional,
                item.doc,
            )
            # ast gives no place for the name of a function or class: compare the line of its `def`.
            column = 0
        elif item.kind is DefinitionKind.CLASS:
            details = (len(item.bases), len(item.decorators), item.conditional, item.doc)
            column = 0
        kind = "function" if item.signature is not None else item.kind.value
        found.append((kind, item.qualified_name, line + 1, column, details))
    return sorted(found, key=repr)


def _body(body: Sequence[ast.stmt], scope: _Scope, conditional: bool = False) -> Iterator[Found]:
    for node in body:
        yield from _statement(node, scope, conditional)


def _statement(node: ast.stmt, scope: _Scope, conditional: bool) -> Iterator[Found]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield from _function(node, scope, conditional)
        return
    if isinstance(node, ast.ClassDef):
        name = scope.member(node.name)
        bases = len(node.bases) + len(node.keywords)
        details = (bases, len(node.decorator_list), conditional, _doc(node))
        yield "class", name, node.lineno, 0, details
        yield from _body(node.body, _Scope(name))
        for decorator in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            yield from _walrus(decorator, scope)
        return
    if type(node).__name__ == "TypeAlias":  # from Python 3.12
        alias = node.name  # type: ignore[attr-defined]
        if not scope.function:
            yield "type_alias", scope.member(alias.id), alias.lineno, alias.col_offset, None
        return
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, (ast.AnnAssign, ast.For, ast.AsyncFor)):
        targets = [node.target]
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        targets = [i.optional_vars for i in node.items if i.optional_vars is not None]
    for target in targets:
        yield from _target(target, scope)
    if isinstance(node, ast.Match):
        for case in node.cases:
            yield from _pattern(case.pattern, scope)
            if case.guard is not None:
                yield from _walrus(case.guard, scope)
            yield from _body(case.body, scope, True)
    for field in ("body", "orelse", "finalbody"):
        yield from _body(getattr(node, field, []), scope, True)
    for handler in getattr(node, "handlers", []):
        yield from _body(handler.body, scope, True)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.expr, ast.withitem)):
            yield from _walrus(child, scope)


def _target(node: ast.expr, scope: _Scope) -> Iterator[Found]:
    if isinstance(node, ast.Name) and not scope.function:
        yield "variable", scope.member(node.id), node.lineno, node.col_offset, None
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if scope.owner is not None and node.value.id in scope.selves:
            yield (
                "attribute",
                f"{scope.owner}.{node.attr}",
                node.end_lineno or 0,
                (node.end_col_offset or 0) - len(node.attr.encode()),
                None,
            )
    elif isinstance(node, (ast.Tuple, ast.List)):
        for item in node.elts:
            yield from _target(item, scope)
    elif isinstance(node, ast.Starred):
        yield from _target(node.value, scope)


def _pattern(pattern: ast.pattern, scope: _Scope) -> Iterator[Found]:
    if scope.function:
        return
    for node in ast.walk(pattern):
        if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name is not None:
            column = node.end_col_offset - len(node.name.encode())
            yield "variable", scope.member(node.name), node.end_lineno, column, None
        elif isinstance(node, ast.MatchMapping) and node.rest is not None:
            raise NotImplementedError("ast gives no place for the name after ** in a pattern")


def _walrus(node: ast.AST, scope: _Scope) -> Iterator[Found]:
    if scope.function or isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.NamedExpr):
        yield "variable", scope.member(node.target.id), node.target.lineno, node.target.col_offset, None
    for child in ast.iter_child_nodes(node):
        yield from _walrus(child, scope)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope, conditional: bool) -> Iterator[Found]:
    a = node.args
    defaults = [None] * (len(a.posonlyargs) + len(a.args) - len(a.defaults)) + list(a.defaults)
    rows: list[tuple[str, str, bool, bool]] = []
    for item, default in zip([*a.posonlyargs, *a.args], defaults, strict=True):
        kind = "positional_only" if item in a.posonlyargs else "positional_or_keyword"
        rows.append((item.arg, kind, item.annotation is not None, default is not None))
    if a.vararg:
        rows.append((a.vararg.arg, "var_positional", a.vararg.annotation is not None, False))
    for item, default in zip(a.kwonlyargs, a.kw_defaults, strict=True):
        rows.append((item.arg, "keyword_only", item.annotation is not None, default is not None))
    if a.kwarg:
        rows.append((a.kwarg.arg, "var_keyword", a.kwarg.annotation is not None, False))
    details = (
        tuple(rows),
        node.returns is not None,
        isinstance(node, ast.AsyncFunctionDef),
        any(_yields(n) for n in node.body),
        len(node.decorator_list),
        conditional,
        _doc(node),
    )
    name = scope.member(node.name)
    yield "function", name, node.lineno, 0, details
    for decorator in (*node.decorator_list, *a.defaults, *(d for d in a.kw_defaults if d is not None)):
        yield from _walrus(decorator, scope)
    names = [r[0] for r in rows]
    if scope.name and not scope.function:
        static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
        positional = [*a.posonlyargs, *a.args]
        selves = (positional[0].arg,) if positional and not static else ()
        if node.name == "__new__":
            selves = (*selves, "self")
        inner = _Scope(name, True, scope.name, selves)
    else:
        inner = _Scope(name, True, scope.owner, tuple(s for s in scope.selves if s not in names))
    yield from _body(node.body, inner)


def _yields(node: ast.AST) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        outer = [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        return any(_yields(n) for n in outer)
    if isinstance(node, ast.Lambda):
        return False
    if isinstance(node, (ast.Yield, ast.YieldFrom)):
        return True
    return any(_yields(child) for child in ast.iter_child_nodes(node))


def _doc(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str | None:
    text = ast.get_docstring(node, clean=False)
    return (text.lstrip(" \t\r\n\\").split("\n", 1)[0].strip() or None) if text else None
