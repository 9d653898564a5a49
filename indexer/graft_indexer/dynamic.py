"""Modules that bind names which their text does not show: `exec`, writes to `globals()`, enums that are spread out."""

from __future__ import annotations

import ast
import re

from graft_indexer.bindings import FUNCTIONS
from graft_indexer.pytree import Tree, children


def dynamic_module(tree: Tree) -> str:
    """Why a module may bind names that cannot be seen; empty if it cannot."""
    text = tree.text
    if "_enum" in text and _SPREAD.search(text):
        return "an enum is spread over the module"
    if not any(word in text for word in ("globals()", "exec(", "vars()", "locals()", "sys.modules[", "_convert")):
        return ""
    for statement in tree.body:
        reason = _dynamic(statement)
        if reason:
            return reason
    return ""


_SPREAD = re.compile(r"^[ \t]*@(?:\w+\.)*(?:global_enum|_simple_enum)\b", re.M)
_NAMESPACES = ("globals", "locals", "vars")
_READS = ("get", "keys", "items", "values", "copy", "__contains__", "__getitem__")


def _dynamic(node: ast.AST) -> str:
    """Why running `node` at module level may bind module names that cannot be seen; empty if it cannot."""
    stack: list[tuple[ast.AST, ast.AST, bool]] = [(node, node, True)]
    while stack:
        current, parent, top = stack.pop()
        match current:
            case ast.Call(func=ast.Name(id=name), args=[]) if name in _NAMESPACES and (top or name == "globals"):
                harmless = (
                    (isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Load))
                    or (isinstance(parent, ast.Attribute) and parent.attr in _READS)
                    or isinstance(parent, ast.Compare | ast.For | ast.comprehension)
                    or (isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in _PURE)
                )
                if not harmless:
                    return f"{name}() is written to or handed on"
            case ast.Call(func=ast.Name(id="exec")) if top or len(current.args) >= 2:
                return "exec is called"
            case ast.Call(func=ast.Attribute(attr="_convert_" | "_convert")):
                return "an enum is spread over the module"
            case ast.Subscript(value=ast.Attribute(attr="modules"), slice=ast.Name(id="__name__")):
                return "the module replaces or changes itself in sys.modules"
        inner = top and not isinstance(current, (*FUNCTIONS, ast.Lambda))
        stack.extend((child, current, inner) for child in children(current))
    return ""


_PURE = ("len", "list", "sorted", "set", "dict", "dir", "tuple", "eval")
