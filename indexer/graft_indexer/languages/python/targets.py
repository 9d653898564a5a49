"""Names that statements bind in modules and classes, and attributes that methods bind on their instance."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import normalize

from graft_indexer.languages.python.kinds import (
    AS_PATTERN,
    AS_TARGET,
    ATTRIBUTE,
    CALL,
    COMMENT,
    DOTTED,
    IDENTIFIER,
    KEYWORD_PATTERN,
    LAMBDA,
    SEQUENCES,
    SPLAT_PATTERN,
    SPLATS,
    TARGETS,
    identifier,
    text_of,
)
from graft_indexer.rows import DefinitionRow, Kind

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_VALUE = 200
"""Bytes of an assigned expression that are kept."""


class Scope:
    """Where a statement stands: `name` is the qualified name, `prefix` what its members' names begin with."""

    __slots__ = ("function", "name", "owner", "prefix", "selves")

    def __init__(self, name: str, *, function: bool, owner: str | None = None, selves: tuple[bytes, ...] = ()) -> None:
        self.name = name
        self.function = function
        self.prefix = f"{name}{'.<locals>.' if function else '.'}" if name else ""
        self.owner = owner
        self.selves = selves


MODULE = Scope("", function=False)


def bind(
    rows: list[DefinitionRow],
    data: bytes,
    target: Node,
    statement: Node,
    scope: Scope,
    conditional: bool,
    annotation: str | None,
    value: Node | None,
) -> None:
    """A row for each name that `target` binds in a module or class, or as an attribute of self."""
    kind = target.kind_id
    start, end = target.start_byte, target.end_byte
    if kind == IDENTIFIER:
        if scope.function:
            return
        name, name_start, parent, row_kind, prefix = (
            identifier(data, target),
            start,
            scope.name,
            Kind.VARIABLE,
            scope.prefix,
        )
    elif kind == ATTRIBUTE:
        if scope.owner is None:
            return
        # The commonest target: compared as bytes, its nodes are looked at only if written with gaps.
        for self_name in scope.selves:
            if data.startswith(self_name, start):
                name = data[start + len(self_name) : end].decode("utf-8", "surrogateescape")
                name_start = start + len(self_name)
                break
        else:
            return
        if not name.isidentifier():
            last = target.child_by_field_name("attribute")
            whole = target.child_by_field_name("object")
            if last is None or whole is None or whole.kind_id != IDENTIFIER:
                return
            name, name_start, end = identifier(data, last), last.start_byte, last.end_byte
        if not name.isascii():
            name = normalize("NFKC", name)
        parent, row_kind, prefix = scope.owner, Kind.ATTRIBUTE, ""
    elif kind in TARGETS:
        parts = target.named_children
        if len(parts) == 1 and target.child_count == 3 and data[start] == 0x28:
            # A name in parentheses is no sequence.
            bind(rows, data, parts[0], statement, scope, conditional, annotation, value)
            return
        values: list[Node] | None = None
        if value is not None and kind in SEQUENCES and value.kind_id in SEQUENCES:
            values = [v for v in value.named_children if v.kind_id != COMMENT]
            splat = any(n.kind_id in SPLATS for n in (*values, *parts))
            if splat or len(values) != sum(n.kind_id != COMMENT for n in parts):
                values = None
        at = 0
        for part in parts:
            if part.kind_id == COMMENT:
                continue
            bind(rows, data, part, statement, scope, conditional, None, values[at] if values else None)
            at += 1
        return
    else:
        return
    text: str | None = None
    if value is not None:
        begin = value.start_byte
        finish = value.end_byte
        if finish - begin <= MAX_VALUE:
            text = data[begin:finish].decode("utf-8", "surrogateescape")
        else:
            text = data[begin : begin + MAX_VALUE].decode("utf-8", "ignore")
    in_function = row_kind == Kind.VARIABLE and prefix.endswith("<locals>.")
    rows.append(
        (
            name, row_kind, statement.start_byte, statement.end_byte, name_start, end, parent,
            (1 if conditional else 0) | (2 if in_function else 0), None, None, None, annotation, text, None,
        )
    )  # fmt: skip


def bind_aliases(rows: list[DefinitionRow], data: bytes, node: Node, statement: Node, scope: Scope) -> None:
    """The targets behind `as` in the head of a with statement."""
    for child in node.named_children:
        kind = child.kind_id
        if kind == AS_TARGET:
            bind(rows, data, child, statement, scope, True, None, None)
        elif kind != CALL and kind != LAMBDA:
            bind_aliases(rows, data, child, statement, scope)


def bind_captures(rows: list[DefinitionRow], data: bytes, node: Node, scope: Scope) -> None:
    """Names that a case pattern binds: a bare name, `*rest`, `**rest`, `... as name`."""
    kind = node.kind_id
    names: list[Node] = []
    children = node.named_children
    if kind == DOTTED:
        names = children if len(children) == 1 else []
    elif kind == SPLAT_PATTERN:
        names = children
    elif kind == AS_PATTERN:
        names = [c for c in children[1:] if c.kind_id == IDENTIFIER]
        children = children[:1]
    elif kind == KEYWORD_PATTERN:
        children = children[1:]
    for name in names:
        if name.kind_id == IDENTIFIER and text_of(data, name) != "_":
            bind(rows, data, name, name, scope, True, None, None)
    if kind in (DOTTED, SPLAT_PATTERN):
        return
    # A class pattern begins with the class's own name, which binds nothing.
    skip = 1 if node.type == "class_pattern" else 0
    for child in children[skip:]:
        bind_captures(rows, data, child, scope)
