"""The types of what calls give, and conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graft_indexer.golang.scopes import UNIVERSE, GoFile
from graft_indexer.golang.typ import UNKNOWN, Found, Typ, basic

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.golang.types import Types


def call(types: Types, file: GoFile, node: Node, depth: int) -> Found:
    """What a call gives: a conversion, a builtin, else the results of the function."""
    callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if callee is None:
        return UNKNOWN
    given = arguments.named_children if arguments is not None else []
    if callee.type == "identifier" and file.text(callee) in UNIVERSE:
        targets, _ = types.resolve(file, file.text(callee), callee.start_byte)
        if not targets:
            return _builtin(types, file, file.text(callee), given, depth)
    if callee.type in ("slice_type", "array_type", "map_type", "channel_type", "parenthesized_expression"):
        inner = callee.named_children
        if callee.type != "parenthesized_expression":
            return types.evaluate(file, callee, depth + 1)
        if inner and inner[0].type == "unary_expression":
            evaluated = types.evaluate(file, inner[0], depth + 1)
            if evaluated.typ is not None and evaluated.typ.args and evaluated.typ.args[0].kind != "unknown":
                return evaluated
    if is_type(types, file, callee):
        return types.evaluate(file, callee, depth + 1)
    found = types.infer(file, callee, depth + 1)
    if found.typ is None:
        return found
    base = types.underlying(found.typ)
    if base.kind != "func":
        return UNKNOWN
    return results(types, base, found.reason, depth)


def is_type(types: Types, file: GoFile, node: Node) -> bool:
    """Whether a callee is a type: then the call converts."""
    if node.type == "identifier":
        targets, _ = types.resolve(file, file.text(node), node.start_byte)
        return any(t.binding is not None and t.binding.how in ("type", "typeparam") for t in targets)
    if node.type == "selector_expression":
        owner, name = node.child_by_field_name("operand"), node.child_by_field_name("field")
        if owner is None or name is None or owner.type != "identifier":
            return False
        if file.lookup(file.text(owner), owner.start_byte) is not None:
            return False
        package, _ = types.package_named(file, file.text(owner))
        return package is not None and any(b.how == "type" for _, b in package.names.get(file.text(name), ()))
    return False


def _builtin(types: Types, file: GoFile, name: str, given: list[Node], depth: int) -> Found:
    if name == "new" and given:
        return types.wrapped("pointer", file, given[:1], depth)
    if name == "make" and given:
        return types.evaluate(file, given[0], depth + 1)
    if name in ("append", "min", "max") and given:
        return types.infer(file, given[0], depth + 1)
    if name in ("len", "cap", "copy"):
        return basic("int")
    if name in ("string", "error") or (name[:3] in ("int", "uin", "flo", "byt", "run", "boo") and given):
        return basic(name)
    return UNKNOWN


def results(types: Types, function: Typ, reason: str = "", depth: int = 0) -> Found:
    """The type that a function yields; a tuple of several."""
    if function.file is None or function.node is None:
        return UNKNOWN
    result = function.node.child_by_field_name("result")
    if result is None:
        return Found(None, "it yields nothing")
    if result.type != "parameter_list":
        found = types.evaluate(function.file, result, depth + 1)
        return Found(found.typ, found.reason or reason)
    kinds: list[Typ] = []
    for child in result.named_children:
        kind = child.child_by_field_name("type")
        if child.type == "comment" or kind is None:
            continue
        found = types.evaluate(function.file, kind, depth + 1)
        reason = reason or found.reason
        count = max(1, len(child.children_by_field_name("name")))
        kinds += [found.typ or Typ("unknown")] * count
    if len(kinds) == 1:
        return Found(kinds[0], reason) if kinds[0].kind != "unknown" else UNKNOWN
    return Found(Typ("tuple", args=tuple(kinds)), reason)
