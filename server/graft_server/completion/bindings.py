"""Where a name is bound, and whether it is read before that: by the shape of the tree alone.

Node types are those of tree-sitter's grammar of Python.
"""

from __future__ import annotations

import builtins
import re

from tree_sitter import Node

_BUILTIN = frozenset(dir(builtins))
_TARGETS = frozenset({"assignment", "augmented_assignment", "for_statement", "for_in_clause", "named_expression"})


def is_target(node: Node) -> bool:
    """Whether an expression is assigned to (an attribute may be created so)."""
    parent = node.parent
    while parent is not None and parent.type in ("pattern_list", "tuple_pattern", "list_pattern"):
        node, parent = parent, parent.parent
    if parent is None or parent.type not in _TARGETS:
        return False
    left = parent.child_by_field_name("left") or parent.child_by_field_name("name")
    return left is not None and left == node


def binds(node: Node) -> bool:
    """Whether an identifier is a new name where it stands, or names no variable at all."""
    parent = node.parent
    if parent is None:
        return True
    kind = parent.type
    if kind in ("function_definition", "class_definition", "type_alias_statement"):
        return parent.child_by_field_name("name") == node
    if kind in (
        "parameters",
        "lambda_parameters",
        "aliased_import",
        "global_statement",
        "nonlocal_statement",
        "as_pattern_target",
        "list_splat_pattern",
        "dictionary_splat_pattern",
        "case_pattern",
        "keyword_pattern",
        "type_parameter",
        "pattern_list",
        "tuple_pattern",
        "list_pattern",
        "class_pattern",
    ):
        return True
    if kind in ("default_parameter", "typed_default_parameter"):
        return parent.child_by_field_name("name") == node
    if kind == "typed_parameter":
        return parent.children[0] == node
    if kind in ("dotted_name",):
        return True
    return is_target(node)


_SCOPES = frozenset(
    {
        "module",
        "function_definition",
        "class_definition",
        "lambda",
        "list_comprehension",
        "set_comprehension",
        "dictionary_comprehension",
        "generator_expression",
    }
)


_OWN_SCOPES = _SCOPES - {"module", "class_definition", "function_definition"}


def reads_itself(node: Node, name: str) -> bool:
    """Whether a name is read in the very statement that binds it first: `size = size + 1` with no `size` above.

    In a function the name is local then, whatever stands outside; elsewhere it must not occur in the file before.
    """
    statement = node
    while statement.parent is not None and statement.type != "assignment":
        if _own_scope(statement, node) or statement.type in ("block", "module"):
            return False  # A comprehension or a lambda may bind the name itself.
        statement = statement.parent
    left = statement.child_by_field_name("left")
    if statement.type != "assignment" or left is None or left.type != "identifier" or left == node:
        return False
    annotation = statement.child_by_field_name("type")
    if left.text != name.encode() or (annotation is not None and annotation.start_byte <= node.start_byte):
        return False
    scope: Node | None = statement
    while scope is not None and scope.type not in ("function_definition", "class_definition", "module"):
        scope = scope.parent
    if scope is None:
        return False
    whole = scope if scope.type == "function_definition" else _root(scope)
    above = (whole.text or b"")[: statement.start_byte - whole.start_byte]
    pattern = rb"\b" + re.escape(name.encode()) + rb"\b"
    return re.search(pattern, above) is None and (scope.type == "function_definition" or name not in _BUILTIN)


def _own_scope(scope: Node, node: Node) -> bool:
    """Whether `scope` has names of its own that `node`, inside it, sees: all of a lambda or a comprehension does, but
    for what the first `for` of a comprehension goes through."""
    if scope.type not in _OWN_SCOPES:
        return False
    first = next((child for child in scope.children if child.type == "for_in_clause"), None)
    source = first.child_by_field_name("right") if first is not None else None
    return source is None or not source.start_byte <= node.start_byte < source.end_byte


def runs_before(node: Node, name: str) -> bool:
    """Whether code outside of functions reads a name that the file binds only further down.

    Annotations are let alone: they may be quoted later, or never looked at.
    """
    scope: Node | None = node.parent
    while scope is not None:
        if scope.type in ("function_definition", "lambda", "type") or _own_scope(scope, node):
            return False
        scope = scope.parent
    root = _root(node)
    data = root.text or b""
    pattern = re.compile(rb"(?<![\w.])" + re.escape(name.encode()) + rb"\b")
    at, end = node.start_byte - root.start_byte, node.end_byte - root.start_byte
    if name in _BUILTIN or re.search(rb"\b" + re.escape(name.encode()) + rb"\b", data[:at]) is not None:
        return False
    if b"import *" in data[:at]:
        return False
    below = pattern.search(data, end)
    return below is not None and _bound_at(root, below.start(), name)


def _bound_at(root: Node, offset: int, name: str) -> bool:
    """Whether some top-level statement from `offset` on binds `name`."""
    for child in root.named_children:
        if child.end_byte <= offset:
            continue
        inner = child.child_by_field_name("definition") if child.type == "decorated_definition" else child
        if inner is None:
            continue
        bound = inner.child_by_field_name("name")
        if inner.type == "expression_statement" and inner.named_children:
            bound = inner.named_children[0].child_by_field_name("left")
        if bound is not None and bound.text == name.encode():
            return True
    return False


def _root(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node


def scope_start(node: Node) -> int:
    scope: Node | None = node
    while scope is not None and scope.type not in _SCOPES:
        scope = scope.parent
    return scope.start_byte if scope is not None else 0
