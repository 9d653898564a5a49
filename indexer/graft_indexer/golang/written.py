"""The types that are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graft_indexer.golang.scopes import UNIVERSE, Binding, GoFile
from graft_indexer.golang.typ import DEEPEST, UNKNOWN, Found, Typ, basic

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.golang.types import Types


def evaluate(types: Types, file: GoFile, node: Node, depth: int = 0) -> Found:
    """The type that a type node (or an expression that is a type) names."""
    if depth > DEEPEST:
        return UNKNOWN
    match node.type:
        case "type_identifier" | "identifier":
            return _named(types, file, node, depth)
        case "qualified_type" | "selector_expression":
            owner = node.child_by_field_name("package") or node.child_by_field_name("operand")
            name = node.child_by_field_name("name") or node.child_by_field_name("field")
            if owner is None or name is None:
                return UNKNOWN
            package, reason = types.package_named(file, file.text(owner))
            if package is None:
                return Found(None, reason or "the package is not known")
            return declared(types, package.names.get(file.text(name), []), depth)
        case "generic_type":
            inner = node.child_by_field_name("type")
            return evaluate(types, file, inner, depth + 1) if inner is not None else UNKNOWN
        case "pointer_type":
            return wrapped(types, "pointer", file, node.named_children[-1:], depth)
        case "unary_expression":
            return wrapped(types, "pointer", file, node.named_children[-1:], depth)
        case "slice_type" | "array_type" | "implicit_length_array_type":
            element = node.child_by_field_name("element")
            return wrapped(types, "list", file, [element] if element is not None else [], depth)
        case "channel_type":
            value = node.child_by_field_name("value")
            return wrapped(types, "chan", file, [value] if value is not None else [], depth)
        case "map_type":
            key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
            if key is None or value is None:
                return UNKNOWN
            parts = [evaluate(types, file, n, depth + 1) for n in (key, value)]
            return Found(
                Typ("map", args=tuple(p.typ or Typ("unknown") for p in parts)), parts[0].reason or parts[1].reason
            )
        case "struct_type":
            return Found(Typ("struct", file, node))
        case "interface_type":
            return Found(Typ("interface", file, node))
        case "function_type":
            return Found(Typ("func", file, node))
        case "parenthesized_type" | "type_elem" | "parenthesized_expression" | "type_constraint":
            inner_nodes = node.named_children
            return evaluate(types, file, inner_nodes[0], depth + 1) if len(inner_nodes) == 1 else UNKNOWN
    return UNKNOWN


def wrapped(types: Types, kind: str, file: GoFile, nodes: list[Node], depth: int) -> Found:
    """A type that is made of others: pointer, list, map, channel."""
    if not nodes:
        return UNKNOWN
    inner = evaluate(types, file, nodes[0], depth + 1)
    return Found(Typ(kind, args=(inner.typ or Typ("unknown"),)), inner.reason)


def _named(types: Types, file: GoFile, node: Node, depth: int) -> Found:
    name = file.text(node)
    targets, reason = types.resolve(file, name, node.start_byte)
    found = declared(types, [(t.file, t.binding) for t in targets if t.binding is not None], depth)
    if found.typ is None and not targets and name in UNIVERSE:
        return basic(name)
    return Found(found.typ, found.reason or reason)


def declared(types: Types, candidates: list[tuple[GoFile, Binding]], depth: int) -> Found:
    """The type that declarations of one name agree on."""
    for file, binding in candidates:
        declaration = binding.declaration
        if binding.how == "typeparam":
            return Found(Typ("tparam", file, declaration), "a type parameter")
        if binding.how != "type":
            continue
        if declaration.type == "type_alias":
            inner = declaration.child_by_field_name("type")
            return evaluate(types, file, inner, depth + 1) if inner is not None else UNKNOWN
        package = types.world.package_of(file) if file.scope_at(binding.node.start_byte).parent is None else None
        if package is None and _outer(types, file, binding):
            package = types.world.package_of(file)
        reason = "declared more than once" if len(candidates) > 1 else ""
        return Found(Typ("named", file, declaration, name=binding.name, package=package), reason)
    return UNKNOWN


def _outer(types: Types, file: GoFile, binding: Binding) -> bool:
    return any(b is binding for b in file.declared.get(binding.name, ()))
