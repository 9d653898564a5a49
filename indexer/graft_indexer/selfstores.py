"""What methods do to `self`, from their text alone: attributes set, and ways to set some that are not written out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from graft_indexer.bindings import FUNCTIONS, Function, How
from graft_indexer.pytree import Tree, children

CACHED = ("_graft_stores", "_graft_hidden", "_graft_class", "_graft_yields", "_graft_signature", "_graft_placed",
          "_graft_index", "_graft_rebound", "_graft_asked", "_graft_walks")  # fmt: skip
"""Attributes of definition nodes that remember what was found in them."""


def functions_in(body: list[ast.stmt]) -> Iterator[Function]:
    """Functions of a block, those below conditions included."""
    for statement in body:
        if isinstance(statement, FUNCTIONS):
            yield statement
        elif not isinstance(statement, ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from functions_in([s for s in getattr(statement, name, []) if isinstance(s, ast.stmt)])
            for handler in getattr(statement, "handlers", []):
                yield from functions_in(handler.body)


def first_parameter(node: Function) -> str:
    """Name of the parameter that receives self or cls; empty for static methods and functions without one."""
    if any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list):
        return ""
    positional = [*node.args.posonlyargs, *node.args.args]
    return positional[0].arg if positional else ""


Store = tuple[ast.AST, ast.stmt, ast.expr | None, ast.expr | None, tuple[int | str, ...], How]


def self_stores(function: Function) -> dict[str, list[Store]]:
    known = getattr(function, "_graft_stores", None)
    if known is not None:
        return known  # type: ignore[no-any-return]
    table: dict[str, list[Store]] = {}
    name = first_parameter(function)
    parts = [_part(s) for s in function.body] if name else []
    holders = {name}.union(*(names for part in parts for called, names in part.made if called in ("", name)))
    for part in parts:
        for holder, attribute, store in part.stores:
            if holder in holders:
                table.setdefault(attribute, []).append(store)
    function._graft_stores = table  # type: ignore[union-attr]
    return table


@dataclass(frozen=True, slots=True)
class _Part:
    """What one statement of a function does: `stores` to attributes of a name (name, attribute, how), and the names
    that are `made` by a call of a name, or by `__new__` (then that name is empty)."""

    stores: list[tuple[str, str, Store]]
    made: list[tuple[str, tuple[str, ...]]]


def _part(statement: ast.stmt) -> _Part:
    """The part of a statement; it is remembered there, since an edit of a function keeps most of its statements."""
    known: _Part | None = getattr(statement, "_graft_part", None)
    if known is None:
        known = _Part(_stores(statement), list(_made(statement)))
        statement._graft_part = known  # type: ignore[attr-defined]
    return known


def _stores(outermost: ast.stmt) -> list[tuple[str, str, Store]]:
    found: list[tuple[str, str, Store]] = []
    stack: list[tuple[ast.AST, bool]] = [(outermost, False)]

    def flatten(
        target: ast.expr, statement: ast.stmt, value: ast.expr | None, note: ast.expr | None,
        path: tuple[int | str, ...], how: How, nested: bool,
    ) -> None:  # fmt: skip
        match target:
            case ast.Attribute(value=ast.Name(id=holder), attr=attr):
                found.append((holder, attr, (target, statement, None if nested else value, note, path, how)))
            case ast.Tuple(elts=items) | ast.List(elts=items):
                starred = next((n for n, i in enumerate(items) if isinstance(i, ast.Starred)), len(items))
                for n, item in enumerate(items):
                    step: int | str = n if n < starred else (f"*{n}" if n == starred else n - len(items))
                    flatten(item, statement, value, note, (*path, step), how, nested)
            case ast.Starred(value=inner):
                flatten(inner, statement, value, note, path, how, nested)

    while stack:
        node, nested = stack.pop()
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    flatten(target, node, value, None, (), How.ASSIGN, nested)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                how = How.DECLARE if value is None else How.ASSIGN
                flatten(target, node, value, annotation, (), how, nested)
            case ast.AugAssign(target=target, value=value):
                flatten(target, node, value, None, (), How.AUGMENT, nested)
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                flatten(target, node, value, None, (), How.FOR, nested)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                for item in items:
                    if item.optional_vars is not None:
                        flatten(item.optional_vars, node, item.context_expr, None, (), How.WITH, nested)
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            inner = nested or isinstance(node, (*FUNCTIONS, ast.ClassDef))
            stack.extend(
                (c, inner) for c in children(node) if isinstance(c, ast.stmt | ast.excepthandler | ast.match_case)
            )
    return found


def _made(outermost: ast.stmt) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names that may hold a new instance, with what was called: `obj = cls(...)`, `obj = int.__new__(cls, ...)`."""
    todo: list[ast.AST] = [outermost]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = node.value.func
            names = tuple(target.id for target in node.targets if isinstance(target, ast.Name))
            if isinstance(called, ast.Name):
                yield called.id, names
            elif isinstance(called, ast.Attribute) and called.attr == "__new__":
                yield "", names
        todo.extend(c for c in children(node) if isinstance(c, ast.stmt | ast.excepthandler | ast.match_case))


def slot_names(value: ast.expr | None) -> list[str] | None:
    """Names in a literal `__slots__`; None if it is computed."""
    match value:
        case ast.Constant(value=str(name)):
            return [name]
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            names = [i.value for i in items if isinstance(i, ast.Constant) and isinstance(i.value, str)]
            return names if len(names) == len(items) else None
        case ast.Dict(keys=keys):
            names = [k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
            return names if len(names) == len(keys) else None
    return None


_READING = ("get", "items", "keys", "values", "copy", "__contains__", "__getitem__")


_HIDING = re.compile(rb"__dict__|setattr|\bvars\(|__class__|locals\(\)")


def hidden_stores(tree: Tree, node: ast.ClassDef) -> str:
    """Why methods of a class may set attributes whose names are not written out; empty if they do not."""
    for statement in node.body:
        known = hidden_in(tree, statement, node)
        if known:
            return known
    return ""


def hidden_in(tree: Tree, statement: ast.stmt, node: ast.ClassDef) -> str:
    """The same of one statement of a class's body."""
    known: str | None = getattr(statement, "_graft_hidden", None)
    if known is None:
        known = ""
        if _HIDING.search(tree.data, tree.start(statement), tree.end(statement)):
            known = _hidden_in(statement, node)
        statement._graft_hidden = known  # type: ignore[attr-defined]
    return known


def _hidden_in(statement: ast.stmt, node: ast.ClassDef) -> str:
    stack: list[tuple[ast.AST, ast.AST]] = [(statement, node)]
    while stack:
        current, parent = stack.pop()
        match current:
            case ast.Attribute(attr="__dict__"):
                harmless = (
                    (isinstance(parent, ast.Attribute) and parent.attr in _READING)
                    or (isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Load))
                    or isinstance(parent, ast.Compare | ast.Return)
                )
                if not harmless:
                    return "__dict__ is used"
            case (
                ast.Call(func=ast.Name(id="setattr"), args=[_, name, *_])
                | ast.Call(func=ast.Attribute(attr="__setattr__"), args=[_, name, _])
            ):
                if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
                    return "setattr is called with a computed name"
                return "setattr is called"
            case ast.Call(func=ast.Attribute(attr="__setattr__"), args=[_, _]):
                return "__setattr__ is called"
            case ast.Name(id="setattr"):
                return "setattr is used"
            case ast.Call(func=ast.Name(id="vars" | "locals")) if not isinstance(parent, ast.Compare):
                if isinstance(current.func, ast.Name) and (current.func.id == "vars" or parent in node.body):
                    return "vars() or locals() is used"
            case ast.Attribute(attr="__class__", ctx=ast.Store()):
                return "__class__ is replaced"
        stack.extend((child, current) for child in children(current))
    return ""
