"""The types of expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graft_indexer.typescript.declarations import enclosing_class
from graft_indexer.typescript.scopes import VALUE, TsFile
from graft_indexer.typescript.typ import CLASSES, DEEPEST, FUNCTIONS, UNKNOWN, Found, Typ, prim, some, united

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.typescript.types import Types

CALLBACK: Final = frozenset(
    ("map", "filter", "forEach", "some", "every", "find", "findIndex", "flatMap", "findLast", "findLastIndex", "sort")
)


def infer(types: Types, file: TsFile, node: Node, depth: int = 0) -> Found:
    """The type of an expression."""
    key = ("infer", node.id)
    known = file.memo.get(key)
    if known is None:
        file.memo[key] = UNKNOWN  # While it is being inferred: a circle ends here.
        known = _infer(types, file, node, depth) if depth <= DEEPEST else UNKNOWN
        if depth > DEEPEST // 2:
            file.memo.pop(key, None)
            return known
        file.memo[key] = known
    found: Found = known
    return found


def _infer(types: Types, file: TsFile, node: Node, depth: int) -> Found:
    kind = node.type
    match kind:
        case "identifier" | "shorthand_property_identifier":
            return _identifier(types, file, node, depth)
        case "this":
            return this(types, file, node)
        case "super":
            cls = enclosing_class(node)
            base = base_of(types, file, cls, depth) if cls is not None else None
            return base or UNKNOWN
        case "parenthesized_expression" | "non_null_expression":
            inner = node.named_children
            return infer(types, file, inner[0], depth + 1) if inner else UNKNOWN
        case "as_expression" | "satisfies_expression":
            parts = node.named_children
            if len(parts) < 2 or kind == "satisfies_expression":
                return infer(types, file, parts[0], depth + 1) if parts else UNKNOWN
            return types.evaluate(file, parts[1], (), depth + 1)
        case "type_assertion":
            parts = node.named_children
            if len(parts) == 2 and parts[0].named_children:
                return types.evaluate(file, parts[0].named_children[0], (), depth + 1)
        case "member_expression" | "nested_identifier":
            return _member(types, file, node, depth)
        case "subscript_expression":
            return _subscript(types, file, node, depth)
        case "call_expression":
            return types.call(file, node, depth)
        case "new_expression":
            return types.new(file, node, depth)
        case "await_expression":
            inner = node.named_children
            found = infer(types, file, inner[0], depth + 1) if inner else UNKNOWN
            if found.typ is not None and found.typ.kind == "promise":
                return Found(found.typ.args[0], found.reason) if found.typ.args else UNKNOWN
            return found
        case "ternary_expression":
            branches = (node.child_by_field_name("consequence"), node.child_by_field_name("alternative"))
            return _either(types, file, [b for b in branches if b is not None], depth)
        case "binary_expression":
            return _binary(types, file, node, depth)
        case "assignment_expression":
            right = node.child_by_field_name("right")
            return infer(types, file, right, depth + 1) if right is not None else UNKNOWN
        case "object":
            return Found(Typ("obj", file, node))
        case "array":
            first = next((c for c in node.named_children if c.type not in ("spread_element", "comment")), None)
            element = infer(types, file, first, depth + 1) if first is not None else UNKNOWN
            return Found(Typ("array", args=some(element.typ)), element.reason)
        case "string" | "template_string":
            return prim("string")
        case "number":
            return prim("number")
        case "true" | "false":
            return prim("boolean")
        case "regex":
            return Found(Typ("ext", name="RegExp"), "declared outside")
        case "class":
            return Found(Typ("class", file, node))
    if kind in FUNCTIONS:
        return Found(Typ("fn", file, node))
    return UNKNOWN


def _either(types: Types, file: TsFile, nodes: list[Node], depth: int) -> Found:
    parts: list[Typ] = []
    reason = ""
    for node in nodes:
        if file.text(node) in ("null", "undefined"):
            continue
        found = infer(types, file, node, depth + 1)
        reason = reason or found.reason
        if found.typ is not None and found.typ not in parts:
            parts.append(found.typ)
    return united(parts, reason)


def _binary(types: Types, file: TsFile, node: Node, depth: int) -> Found:
    operator = node.child_by_field_name("operator")
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if operator is None or left is None or right is None:
        return UNKNOWN
    if operator.type in ("||", "??"):
        return _either(types, file, [left, right], depth)
    if operator.type == "&&":
        return infer(types, file, right, depth + 1)
    if operator.type in ("===", "!==", "==", "!=", "<", ">", "<=", ">=", "instanceof", "in"):
        return prim("boolean")
    return prim("number") if operator.type in ("-", "*", "/", "%", "**") else UNKNOWN


def _identifier(types: Types, file: TsFile, node: Node, depth: int) -> Found:
    targets, reason = types.world.resolve(file, file.text(node), node.start_byte, VALUE)
    for target in targets:
        found = types.value_of(target, depth)
        return Found(found.typ, found.reason or reason)
    return Found(None, reason or "the name is not known")


def this(types: Types, file: TsFile, node: Node) -> Found:
    """What `this` is: an instance of the class around, or the class in what is static."""
    at: Node | None = node
    while at is not None:
        parent = at.parent
        if parent is None:
            break
        if at.type in ("method_definition", "public_field_definition", "class_static_block"):
            static = at.type == "class_static_block" or any(c.type == "static" for c in at.children)
            if parent.type == "class_body" and parent.parent is not None:
                return Found(Typ("class" if static else "inst", file, parent.parent, env=()))
            if parent.type == "object":
                return Found(Typ("obj", file, parent), "an object's method may be called on another")
        if at.type in CLASSES or at.type == "interface_declaration":
            return Found(Typ("inst", file, at))
        if at.type in ("function_declaration", "function_expression", "generator_function"):
            return UNKNOWN
        at = parent
    return UNKNOWN


def base_of(types: Types, file: TsFile, cls: Node, depth: int = 0) -> Found | None:
    """The base class of a class as an instance; None if it has none."""
    for child in cls.named_children:
        if child.type != "class_heritage":
            continue
        for clause in child.named_children:
            if clause.type != "extends_clause":
                continue
            value = clause.child_by_field_name("value")
            if value is None:
                return UNKNOWN
            found = infer(types, file, value, depth + 1)
            if found.typ is None or found.typ.kind != "class" or found.typ.file is None or found.typ.node is None:
                return Found(None, found.reason or "a base class that is not known")
            given = clause.child_by_field_name("type_arguments")
            arguments = [types.evaluate(file, a, (), depth + 1).typ for a in given.named_children] if given else []
            filled = tuple(a or Typ("ext", name="?") for a in arguments)
            return Found(types.instance(found.typ.file, found.typ.node, filled), found.reason)
    return None


def _member(types: Types, file: TsFile, node: Node, depth: int) -> Found:
    owner, name = node.child_by_field_name("object"), node.child_by_field_name("property")
    if owner is None or name is None:
        return UNKNOWN
    return types.member_type(infer(types, file, owner, depth + 1), file.text(name), depth)


def _subscript(types: Types, file: TsFile, node: Node, depth: int) -> Found:
    owner, index = node.child_by_field_name("object"), node.child_by_field_name("index")
    if owner is None or index is None:
        return UNKNOWN
    found = infer(types, file, owner, depth + 1)
    if index.type == "string":
        return types.member_type(found, file.string(index), depth)
    element = types.element(found)
    return element if element.typ is not None and index.type != "string" else UNKNOWN
