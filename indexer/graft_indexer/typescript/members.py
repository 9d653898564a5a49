"""The members of a type, nearest first, and their types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from graft_indexer.typescript.declarations import accessor, body_members, class_members, enum_members, object_members
from graft_indexer.typescript.scopes import TYPE, VALUE, TsFile
from graft_indexer.typescript.typ import CLASSES, DEEPEST, FUNCTIONS, UNKNOWN, Found, Member, Typ, through

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.typescript.types import Types


def member_type(types: Types, owner: Found, name: str, depth: int = 0) -> Found:
    """The type of `owner.name`."""
    if owner.typ is None or depth > DEEPEST:
        return UNKNOWN
    typ = owner.typ
    if typ.kind in ("ns", "nsdecl"):
        targets, reason = types.targets_in(typ, name, VALUE)
        if not targets:
            return Found(None, reason or "not exported")
        found = types.value_of(targets[0], depth + 1)
        return Found(found.typ, found.reason or reason)
    members, reason = members_named(types, typ, name, depth)
    if not members:
        return Found(None, reason or owner.reason or "no such member")
    found = type_of_member(types, members[0], depth)
    several = "several types declare it" if len(members) > 1 and typ.kind in ("union", "inter") else ""
    return Found(found.typ, found.reason or owner.reason or several)


def type_of_member(types: Types, member: Member, depth: int = 0) -> Found:
    """The type that a member is declared with."""
    file, node = member.file, member.declaration
    kind = node.type
    if kind in FUNCTIONS:
        if accessor(node) == "get":
            annotation = node.child_by_field_name("return_type")
            if annotation is not None:
                return types.evaluate(file, annotation, member.env, depth + 1)
            body = node.child_by_field_name("body")
            return types.result_of_body(file, body, depth + 1) if body is not None else UNKNOWN
        return Found(Typ("fn", file, node, env=member.env))
    if kind in ("enum_declaration",):
        return Found(Typ("enumval", file, node))
    annotation = node.child_by_field_name("type")
    if annotation is not None:
        return types.evaluate(file, annotation, member.env, depth + 1)
    if kind == "shorthand_property_identifier":
        return types.infer(file, node, depth + 1)
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    return types.infer(file, value, depth + 1) if value is not None else UNKNOWN


def members_named(types: Types, typ: Typ, name: str, depth: int = 0) -> tuple[list[Member], str]:
    """Members of that name, the nearest class's only; nothing and no reason: there is none."""
    found: list[Member] = []
    reason = ""
    for members, why in layers(types, typ, depth):
        reason = reason or why
        found += [m for m in members if m.name == name]
        if found and typ.kind not in ("union", "inter"):
            return found, reason
    return found, reason


def members(types: Types, typ: Typ) -> tuple[dict[str, Member], str]:
    """All members by name, and why there may be more."""
    table: dict[str, Member] = {}
    reason = ""
    for members, why in layers(types, typ, 0):
        reason = reason or why
        for member in members:
            table.setdefault(member.name, member)
    return table, reason


def layers(types: Types, typ: Typ, depth: int) -> Iterator[tuple[list[Member], str]]:
    """(own members, why there may be more) of a type, then of its bases."""
    if depth > DEEPEST:
        yield [], "nested too deeply"
        return
    file, node = typ.file, typ.node
    match typ.kind:
        case "inst" | "class" if file is not None and node is not None:
            yield from _class_layers(types, typ, file, node, depth)
        case "obj" if file is not None and node is not None:
            yield from _object_layers(types, typ, file, node, depth)
        case "enum" if file is not None and node is not None:
            yield enum_members(file, node), ""
        case "union":
            for part in typ.args:
                yield from layers(types, part, depth + 1)
            yield [], "a union"
        case "inter":
            for part in typ.args:
                yield from layers(types, part, depth + 1)
        case "tparam" if file is not None and node is not None:
            constraint = node.child_by_field_name("constraint")
            inner = constraint.named_children if constraint is not None else []
            found = types.evaluate(file, inner[0], (), depth + 1) if inner else UNKNOWN
            if found.typ is not None:
                yield from layers(types, found.typ, depth + 1)
            yield [], "a type parameter"
        case _:
            yield [], "members are declared outside"


def _class_layers(types: Types, typ: Typ, file: TsFile, node: Node, depth: int) -> Iterator[tuple[list[Member], str]]:
    static = typ.kind == "class"
    if node.type in CLASSES:
        own, reason = class_members(file, node, static, typ.env)
        yield own, reason
        for merged in types.merged(file, node):
            if not static:
                yield body_members(file, merged, typ.env)
        base = types.base_of(file, node, depth)
        if base is not None:
            if base.typ is None:
                yield [], base.reason or "a base class that is not known"
            else:
                inner = replace(base.typ, kind="class") if static else replace(base.typ, env=through(base.typ, typ))
                for members, why in layers(types, inner, depth + 1):
                    yield members, why or base.reason
        return
    declarations = [node, *types.merged(file, node)]
    for declaration in declarations:
        if declaration.type in CLASSES:
            yield from _class_layers(types, Typ("inst", file, declaration, env=typ.env), file, declaration, depth + 1)
            continue
        yield body_members(file, declaration, typ.env)
        for clause in declaration.named_children:
            if clause.type == "extends_type_clause":
                for parent in clause.named_children:
                    found = types.evaluate(file, parent, typ.env, depth + 1)
                    if found.typ is None:
                        yield [], found.reason or "a base that is not known"
                        continue
                    for members, why in layers(types, found.typ, depth + 1):
                        yield members, why or found.reason


def merged(types: Types, file: TsFile, node: Node) -> list[Node]:
    """Other declarations of the same name beside it, which TypeScript merges."""
    name = node.child_by_field_name("name")
    if name is None:
        return []
    bindings = file.lookup(file.text(name), node.start_byte, TYPE)
    return [b.declaration for b in bindings if b.how in ("interface", "class") and b.declaration.id != node.id]


def _object_layers(types: Types, typ: Typ, file: TsFile, node: Node, depth: int) -> Iterator[tuple[list[Member], str]]:
    if node.type == "object_type":
        yield body_members(file, node, typ.env)
        return
    members, spreads = object_members(file, node)
    yield members, ""
    for spread in spreads:
        inner = spread.named_children
        found = types.infer(file, inner[0], depth + 1) if inner else UNKNOWN
        if found.typ is not None:
            yield from layers(types, found.typ, depth + 1)
        yield [], "a spread"
