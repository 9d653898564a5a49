"""The types that a place expects, and the members that a pattern or a literal names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graft_indexer.typescript.declarations import member_name
from graft_indexer.typescript.scopes import Binding, TsFile
from graft_indexer.typescript.typ import DEEPEST, FUNCTIONS, UNKNOWN, Found, Member, Typ

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.typescript.types import Types


def expected(types: Types, file: TsFile, node: Node, depth: int = 0) -> Found:
    """The declared type of the place where an expression stands: an annotation, a parameter, a return type."""
    parent = node.parent
    if parent is None or depth > DEEPEST:
        return UNKNOWN
    match parent.type:
        case "parenthesized_expression" | "ternary_expression":
            return expected(types, file, parent, depth + 1)
        case "variable_declarator" | "public_field_definition" | "required_parameter" | "optional_parameter":
            annotation = parent.child_by_field_name("type")
            return types.evaluate(file, annotation, (), depth + 1) if annotation is not None else UNKNOWN
        case "assignment_expression":
            left = parent.child_by_field_name("left")
            return types.infer(file, left, depth + 1) if left is not None and left.id != node.id else UNKNOWN
        case "as_expression" | "satisfies_expression":
            parts = parent.named_children
            return types.evaluate(file, parts[1], (), depth + 1) if len(parts) > 1 else UNKNOWN
        case "pair":
            key, outer = parent.child_by_field_name("key"), parent.parent
            if key is None or outer is None:
                return UNKNOWN
            return types.member_type(expected(types, file, outer, depth + 1), member_name(file, key), depth + 1)
        case "array":
            return types.element(expected(types, file, parent, depth + 1))
        case "arguments" if parent.parent is not None:
            call = parent.parent
            place = next((i for i, c in enumerate(parent.named_children) if c.id == node.id), 0)
            callee = call.child_by_field_name("function")
            if callee is not None:
                return types.parameter(types.infer(file, callee, depth + 1), place, depth)
            return _constructor_parameter(types, file, call, place, depth)
        case "return_statement":
            function: Node | None = parent
            while function is not None and function.type not in FUNCTIONS:
                function = function.parent
            annotation = function.child_by_field_name("return_type") if function is not None else None
            found = types.evaluate(file, annotation, (), depth + 1) if annotation is not None else UNKNOWN
            if found.typ is not None and found.typ.kind == "promise":
                return Found(found.typ.args[0], found.reason) if found.typ.args else UNKNOWN
            return found
        case "arrow_function":
            annotation = parent.child_by_field_name("return_type")
            return types.evaluate(file, annotation, (), depth + 1) if annotation is not None else UNKNOWN
    return UNKNOWN


def _constructor_parameter(types: Types, file: TsFile, call: Node, place: int, depth: int) -> Found:
    callee = call.child_by_field_name("constructor")
    found = types.infer(file, callee, depth + 1) if callee is not None else UNKNOWN
    typ = found.typ
    if typ is None or typ.kind != "class" or typ.file is None or typ.node is None:
        return UNKNOWN
    body = typ.node.child_by_field_name("body")
    for child in body.named_children if body is not None else ():
        name = child.child_by_field_name("name")
        if child.type == "method_definition" and name is not None and typ.file.text(name) == "constructor":
            return types.parameter(Found(Typ("fn", typ.file, child)), place, depth)
    return UNKNOWN


def destructured(types: Types, file: TsFile, binding: Binding) -> list[Member]:
    """The members that a name in an object pattern takes its value from."""
    step = binding.node
    while step.parent is not None and step.parent.type == "object_assignment_pattern":
        step = step.parent
    return _taken(types, file, step, binding.name)


def keyed(types: Types, file: TsFile, pair: Node) -> list[Member]:
    """The members that the key of a pattern names."""
    key = pair.child_by_field_name("key")
    return _taken(types, file, pair, member_name(file, key)) if key is not None else []


def _taken(types: Types, file: TsFile, step: Node, name: str) -> list[Member]:
    outer = step.parent
    if outer is None or outer.type != "object_pattern" or outer.parent is None:
        return []
    if outer.parent.type in ("pair_pattern", "array_pattern", "assignment_pattern"):
        return []
    found = types.declared_value(file, outer.parent, 0)
    return types.members_named(found.typ, name)[0] if found.typ is not None else []
