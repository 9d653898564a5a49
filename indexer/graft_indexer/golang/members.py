"""Fields and methods of a type, promoted ones behind its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graft_indexer.golang.scopes import GoFile
from graft_indexer.golang.typ import DEEPEST, UNKNOWN, Member, Typ

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.golang.types import Types


def underlying(types: Types, typ: Typ, depth: int = 0) -> Typ:
    """The type that a declared type is made of."""
    while typ.kind == "named" and typ.file is not None and typ.node is not None and depth < DEEPEST:
        inner = typ.node.child_by_field_name("type")
        found = types.evaluate(typ.file, inner, depth) if inner is not None else UNKNOWN
        if found.typ is None:
            return Typ("unknown")
        typ = found.typ
        depth += 1
    return typ


def members_named(types: Types, typ: Typ, name: str) -> tuple[list[Member], str]:
    """Fields and methods of a name, the shallowest; nothing and no reason: there is none."""
    reason = ""
    for members, why in layers(types, typ):
        reason = reason or why
        found = [m for m in members if m.name == name]
        if found:
            return found, reason
    return [], reason


def members(types: Types, typ: Typ) -> tuple[dict[str, Member], str]:
    """All fields and methods by name, and why there may be more."""
    table: dict[str, Member] = {}
    reason = ""
    for members, why in layers(types, typ):
        reason = reason or why
        for member in members:
            table.setdefault(member.name, member)
    return table, reason


def layers(types: Types, typ: Typ) -> Iterator[tuple[list[Member], str]]:
    """(fields and methods, why there may be more) by depth of embedding."""
    level: list[tuple[Typ, str]] = [(typ, "")]
    seen: set[int] = set()
    for _ in range(DEEPEST):
        members: list[Member] = []
        deeper: list[tuple[Typ, str]] = []
        reason = ""
        for item, why in level:
            own, inner, because = _layer(types, item, seen)
            members += own
            deeper += inner
            reason = reason or why or because
        yield members, reason
        if not deeper:
            return
        level = deeper
    yield [], "embedded too deeply"


def _layer(types: Types, typ: Typ, seen: set[int]) -> tuple[list[Member], list[tuple[Typ, str]], str]:
    """(own members, what is embedded, why there may be more) of one type."""
    if typ.kind == "pointer" and typ.args:
        typ = typ.args[0]
    members: list[Member] = []
    reason = ""
    while typ.kind == "named" and typ.file is not None and typ.node is not None:
        if typ.node.id in seen:
            return members, [], reason
        seen.add(typ.node.id)
        if typ.package is not None:
            reason = reason or typ.package.partial
            for name, found in typ.package.methods.get(typ.name, {}).items():
                for file, node in found:
                    named = node.child_by_field_name("name")
                    if named is not None:
                        members.append(Member(name, file, named, node))
        inner = typ.node.child_by_field_name("type")
        evaluated = types.evaluate(typ.file, inner) if inner is not None else UNKNOWN
        if evaluated.typ is None:
            return members, [], evaluated.reason
        if evaluated.typ.kind == "named":
            # Methods stay with the type they were declared for; fields and an interface's methods come along.
            base = underlying(types, evaluated.typ)
            typ = base
        else:
            typ = evaluated.typ
    if typ.file is None or typ.node is None or typ.kind not in ("struct", "interface"):
        known = typ.kind in ("basic", "list", "map", "chan", "func", "pointer")
        if typ.kind == "basic" and typ.name == "error":
            return members, [], "a predeclared type"
        return members, [], reason if known else reason or "the type is not known"
    if typ.kind == "struct":
        more, embedded, why = _fields(types, typ.file, typ.node)
    else:
        more, embedded, why = _elements(types, typ.file, typ.node)
    return members + more, embedded, reason or why


def _fields(types: Types, file: GoFile, node: Node) -> tuple[list[Member], list[tuple[Typ, str]], str]:
    members: list[Member] = []
    embedded: list[tuple[Typ, str]] = []
    reason = "it does not parse" if node.has_error else ""
    body = next((c for c in node.named_children if c.type == "field_declaration_list"), None)
    for child in body.named_children if body is not None else ():
        if child.type != "field_declaration":
            continue
        names = child.children_by_field_name("name")
        members += [Member(file.text(n), file, n, child) for n in names]
        kind = child.child_by_field_name("type")
        if names or kind is None:
            continue
        last = _last_name(kind)
        if last is not None:
            members.append(Member(file.text(last), file, last, child))
        found = types.evaluate(file, kind)
        if found.typ is None:
            reason = reason or found.reason
        else:
            embedded.append((found.typ, found.reason))
    return members, embedded, reason


def _elements(types: Types, file: GoFile, node: Node) -> tuple[list[Member], list[tuple[Typ, str]], str]:
    members: list[Member] = []
    embedded: list[tuple[Typ, str]] = []
    reason = "it does not parse" if node.has_error else ""
    for child in node.named_children:
        name = child.child_by_field_name("name")
        if child.type == "method_elem" and name is not None:
            members.append(Member(file.text(name), file, name, child))
        elif child.type == "type_elem":
            if len(child.named_children) != 1:
                reason = reason or "a set of types"
                continue
            found = types.evaluate(file, child.named_children[0])
            if found.typ is None:
                reason = reason or found.reason
            elif found.typ.kind == "basic" and found.typ.name == "error":
                reason = reason or "a predeclared type"
            else:
                embedded.append((found.typ, found.reason))
    return members, embedded, reason


def _last_name(kind: Node) -> Node | None:
    """The name that an embedded field has."""
    at: Node | None = kind
    while at is not None and at.type != "type_identifier":
        at = at.child_by_field_name("name") or at.child_by_field_name("type") or (
            at.named_children[-1] if at.named_children else None
        )  # fmt: skip
    return at
