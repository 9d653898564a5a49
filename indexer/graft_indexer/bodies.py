"""Functions and their bodies, from their text alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from graft_indexer.bindings import FUNCTIONS, Binding, Function
from graft_indexer.pytree import children

if TYPE_CHECKING:
    pass


def file_overloads(functions: list[Binding]) -> bool:
    """Whether several definitions of a name are overloads or accessors of one, not alternatives."""
    if len(functions) < 2:
        return False
    return not all(b.conditional for b in functions)


def is_accessor(node: Function) -> bool:
    return any(isinstance(d, ast.Attribute) and d.attr in ("setter", "deleter") for d in node.decorator_list)


def method_kind(node: Function) -> str:
    """instance, class, static, or unknown if a decorator may make it something else."""
    kind = "instance"
    for decorator in node.decorator_list:
        name = decorator.id if isinstance(decorator, ast.Name) else getattr(decorator, "attr", "")
        if name == "staticmethod":
            return "static"
        if name in ("classmethod", "abstractclassmethod"):
            kind = "class"
    return kind


def default_of(node: ast.AST, name: str) -> ast.expr | None:
    """The default of a parameter."""
    arguments = getattr(node, "args", None)
    if not isinstance(arguments, ast.arguments):
        return None
    positional = [*arguments.posonlyargs, *arguments.args]
    for arg, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        if arg.arg == name:
            return default
    for arg, maybe in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=False):
        if arg.arg == name:
            return maybe
    return None


def own_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a function in order, nested functions and classes left out."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.stmt):
            yield node
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            continue
        inner = [c for c in children(node) if isinstance(c, ast.stmt | ast.excepthandler | ast.match_case)]
        stack.extend(reversed(inner))


def always_leaves(body: list[ast.stmt]) -> bool:
    """Whether control never runs off the end of a block."""
    if not body:
        return False
    match body[-1]:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return True
        case ast.If(body=first, orelse=second):
            return bool(second) and always_leaves(first) and always_leaves(second)
        case ast.With(body=inner) | ast.AsyncWith(body=inner):
            return always_leaves(inner)
        case ast.Try(body=inner, handlers=handlers, orelse=orelse, finalbody=final):
            if always_leaves(final):
                return True
            main = always_leaves(orelse) if orelse else always_leaves(inner)
            return main and all(always_leaves(h.body) for h in handlers)
        case ast.While(test=ast.Constant(value=value)):
            return bool(value) and not any(isinstance(s, ast.Break) for s in own_statements(body[-1].body))
    return False
