"""The types of expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graft_indexer.golang.scopes import GoFile
from graft_indexer.golang.typ import DEEPEST, UNKNOWN, Found, Member, Target, Typ, basic
from graft_indexer.golang.world import Package

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.golang.types import Types

_COMPARE: Final = ("==", "!=", "<", "<=", ">", ">=", "&&", "||")


def infer(types: Types, file: GoFile, node: Node, depth: int = 0) -> Found:
    """The type of an expression; a tuple for a call with several results."""
    key = ("infer", node.id)
    known: Found | None = file.memo.get(key)
    if known is not None:
        return known
    file.memo[key] = UNKNOWN
    known = _infer(types, file, node, depth) if depth <= DEEPEST else UNKNOWN
    if depth > DEEPEST // 2:
        file.memo.pop(key, None)
    else:
        file.memo[key] = known
    return known


def _infer(types: Types, file: GoFile, node: Node, depth: int) -> Found:
    match node.type:
        case "identifier" | "type_identifier":
            targets, reason = types.resolve(file, file.text(node), node.start_byte)
            if not targets:
                return Found(None, reason or "a predeclared name")
            found = types.value(targets[0], depth, node.start_byte)
            several = "declared more than once" if len(targets) > 1 else ""
            return Found(found.typ, found.reason or reason or several)
        case "parenthesized_expression":
            return infer(types, file, node.named_children[0], depth + 1) if node.named_children else UNKNOWN
        case "selector_expression":
            return _selector(types, file, node, depth)
        case "call_expression":
            return types.call(file, node, depth)
        case "composite_literal":
            kind = node.child_by_field_name("type")
            return types.evaluate(file, kind, depth + 1) if kind is not None else UNKNOWN
        case "literal_value":
            return literal(types, file, node, depth)
        case "unary_expression":
            return _unary(types, file, node, depth)
        case "index_expression":
            return _index(types, file, node, depth)
        case "slice_expression":
            operand = node.child_by_field_name("operand")
            found = infer(types, file, operand, depth + 1) if operand is not None else UNKNOWN
            base = types.underlying(found.typ) if found.typ is not None else None
            if base is not None and base.kind == "pointer" and base.args:
                return Found(base.args[0], found.reason)
            return found
        case "type_assertion_expression" | "type_conversion_expression":
            kind = node.child_by_field_name("type")
            if kind is None:
                return UNKNOWN
            found = types.evaluate(file, kind, depth + 1)
            return found if found.typ is not None else UNKNOWN
        case "func_literal":
            return Found(Typ("func", file, node))
        case "binary_expression":
            operator, left = node.child_by_field_name("operator"), node.child_by_field_name("left")
            if operator is not None and operator.type in _COMPARE:
                return basic("bool")
            found = infer(types, file, left, depth + 1) if left is not None else UNKNOWN
            if found.typ is not None and found.typ.kind == "basic" and found.typ.name.startswith("untyped"):
                right = node.child_by_field_name("right")
                return infer(types, file, right, depth + 1) if right is not None else UNKNOWN
            return found
        case "interpreted_string_literal" | "raw_string_literal":
            return basic("untyped string")
        case "int_literal" | "float_literal" | "rune_literal" | "imaginary_literal" | "true" | "false" | "iota":
            return basic("untyped")
    return UNKNOWN


def _selector(types: Types, file: GoFile, node: Node, depth: int) -> Found:
    owner, name = node.child_by_field_name("operand"), node.child_by_field_name("field")
    if owner is None or name is None:
        return UNKNOWN
    found = infer(types, file, owner, depth + 1)
    if found.typ is None:
        return found
    if found.typ.kind == "package":
        return _of_package(types, found.typ.package, file.text(name), depth)
    members, reason = types.members_named(found.typ, file.text(name))
    if not members:
        return Found(None, reason or found.reason or "no such member")
    typ = type_of(types, members[0], depth)
    several = "declared more than once" if len(members) > 1 else ""
    return Found(typ.typ, typ.reason or found.reason or reason or several)


def _of_package(types: Types, package: Package | None, name: str, depth: int) -> Found:
    if package is None:
        return UNKNOWN
    candidates = package.names.get(name, [])
    if not candidates:
        return Found(None, package.partial or "no such name")
    file, binding = candidates[0]
    if binding.how == "type":
        return types.declared(candidates, depth)
    found = types.value(Target(file, binding), depth + 1)
    return Found(found.typ, found.reason or ("declared more than once" if len(candidates) > 1 else ""))


def type_of(types: Types, member: Member, depth: int = 0) -> Found:
    """The type of a field or method."""
    if member.declaration.type in ("method_declaration", "method_elem"):
        return Found(Typ("func", member.file, member.declaration))
    kind = member.declaration.child_by_field_name("type")
    if kind is None:
        return UNKNOWN
    found = types.evaluate(member.file, kind, depth + 1)
    if found.typ is not None and any(c.type == "*" for c in member.declaration.children):
        return Found(Typ("pointer", args=(found.typ,)), found.reason)
    return found


def _unary(types: Types, file: GoFile, node: Node, depth: int) -> Found:
    operator, operand = node.child_by_field_name("operator"), node.child_by_field_name("operand")
    if operand is None or operator is None:
        return UNKNOWN
    found = infer(types, file, operand, depth + 1)
    if found.typ is None:
        return found
    if operator.type == "&":
        return Found(Typ("pointer", args=(found.typ,)), found.reason)
    base = types.underlying(found.typ)
    if operator.type == "*":
        return types.part(base, 0, found.reason) if base.kind == "pointer" else UNKNOWN
    if operator.type == "<-":
        return types.part(base, 0, found.reason) if base.kind == "chan" else UNKNOWN
    return basic("bool") if operator.type == "!" else found


def _index(types: Types, file: GoFile, node: Node, depth: int) -> Found:
    operand = node.child_by_field_name("operand")
    found = infer(types, file, operand, depth + 1) if operand is not None else UNKNOWN
    if found.typ is None:
        return found
    base = types.underlying(found.typ)
    if base.kind == "pointer" and base.args:
        base = types.underlying(base.args[0])
    if base.kind == "list":
        return types.part(base, 0, found.reason)
    if base.kind == "map":
        return types.part(base, 1, found.reason)
    if base.kind == "func":
        return Found(found.typ, "a generic function")
    if base.kind == "basic" and "string" in base.name:
        return basic("byte")
    return UNKNOWN


def literal(types: Types, file: GoFile, node: Node, depth: int = 0) -> Found:
    """The type of a `{...}` whose type is written further out."""
    parent = node.parent
    if parent is None or depth > DEEPEST:
        return UNKNOWN
    if parent.type == "composite_literal":
        return infer(types, file, parent, depth + 1)
    element = parent
    keyed = element.parent if element.parent is not None and element.parent.type == "keyed_element" else None
    outer = (keyed or element).parent
    if element.type != "literal_element" or outer is None or outer.type != "literal_value":
        return UNKNOWN
    found = literal(types, file, outer, depth + 1)
    base = types.underlying(found.typ) if found.typ is not None else None
    if base is None:
        return UNKNOWN
    if base.kind == "pointer" and base.args:
        base = types.underlying(base.args[0])
    if base.kind == "list":
        return types.part(base, 0, found.reason)
    if base.kind == "map":
        is_key = keyed is not None and keyed.child_by_field_name("key") == element
        return types.part(base, 0 if is_key else 1, found.reason)
    return UNKNOWN
