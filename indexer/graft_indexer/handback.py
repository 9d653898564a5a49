"""Decorators that give back the class they were given: `def register(cls): known[cls.name] = cls; return cls`.

What is proved is that the class stays the object that its statement made, and gets no attribute from the decorator.
"""

from __future__ import annotations

import ast

from graft_indexer.bindings import FUNCTIONS, Function
from graft_indexer.scopes import scope_of
from graft_indexer.values import FunctionValue

_KEEPING = frozenset({"append", "appendleft", "add", "insert", "setdefault"})
"""Methods of containers: what is given to them is kept, and not changed."""
_ASKING = frozenset(
    {
        "isinstance", "issubclass", "repr", "str", "id", "hash", "type", "len", "print", "callable", "hasattr",
        "getattr", "dir", "iter", "list", "tuple", "set", "format",
    }
)  # fmt: skip
_HARMLESS = frozenset(
    {
        "__repr__", "__str__", "__doc__", "__module__", "__name__", "__qualname__", "__eq__", "__ne__", "__hash__",
        "__lt__", "__le__", "__gt__", "__ge__", "__init_subclass__", "__rich_repr__", "__reduce__", "__copy__",
    }
)  # fmt: skip
"""What a decorator may set without changing which members a class has, or how it is made."""


def gives_back(value: FunctionValue, *, called: bool) -> bool:
    """Whether a decorator (`called`: what a call of it returns) hands a class back as it was."""
    node = value.node
    if value.overloads or value.file.is_stub or node.decorator_list:
        return False
    value.file.note_scope(scope_of(value.outer, node))
    if not called:
        return _hands_back(node, 1 if value.bound else 0)
    inner = {s.name: s for s in node.body if isinstance(s, FUNCTIONS)}
    returned = [n.value for n in _own(node) if isinstance(n, ast.Return)]
    names = {v.id for v in returned if isinstance(v, ast.Name)}
    if len(names) != 1 or len(returned) != sum(isinstance(v, ast.Name) for v in returned):
        return False
    made = inner.get(names.pop())
    stores = [n for n in _own(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store | ast.Del)]
    if made is None or made.decorator_list or any(n.id == made.name for n in stores):
        return False
    return isinstance(node.body[-1], ast.Return) and not _generates(node) and _hands_back(made, 0)


def _hands_back(node: Function, at: int) -> bool:
    """Whether a function returns its parameter number `at` whatever happens, and does nothing unseen to it."""
    parameters = [*node.args.posonlyargs, *node.args.args]
    if isinstance(node, ast.AsyncFunctionDef) or _generates(node) or len(parameters) <= at:
        return False
    name = parameters[at].arg
    if not isinstance(node.body[-1], ast.Return):
        return False
    parents = {child: parent for parent in ast.walk(node) for child in ast.iter_child_nodes(parent)}
    for found in _own(node):
        if isinstance(found, ast.Return) and not (isinstance(found.value, ast.Name) and found.value.id == name):
            return False
    return all(_seen_whole(n, parents) for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name) and not any(
        isinstance(n, ast.Global | ast.Nonlocal) and name in n.names for n in ast.walk(node)
    )


def _seen_whole(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether this use of the parameter does nothing to it but what the text shows."""
    if not isinstance(node.ctx, ast.Load):
        return False
    parent = parents[node]
    match parent:
        case ast.Return() | ast.FormattedValue() | ast.Compare():
            return True
        case ast.Attribute(attr=attr, ctx=context):
            special = attr.startswith("__") and attr.endswith("__")
            return attr in _HARMLESS or (isinstance(context, ast.Load) and not special)
        case ast.Subscript(slice=index):
            return index is node
        case ast.Assign(targets=targets):
            return all(isinstance(t, ast.Subscript) for t in targets)
        case ast.Call(func=ast.Name(id=called)) if parent.func is not node:
            return called in _ASKING
        case ast.Call(func=ast.Attribute(attr=called)) if parent.func is not node:
            return called in _KEEPING
        case ast.Tuple():
            return isinstance(parents[parent], ast.Subscript | ast.BinOp)
        case ast.BinOp(op=ast.Mod()):
            return True
    return False


def _own(node: Function) -> list[ast.AST]:
    """The nodes of a function, those of functions and classes inside it left out."""
    found: list[ast.AST] = []
    stack: list[ast.AST] = list(node.body)
    while stack:
        current = stack.pop()
        found.append(current)
        if not isinstance(current, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(current))
    return found


def _generates(node: Function) -> bool:
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in _own(node))
