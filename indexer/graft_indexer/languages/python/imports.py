"""Import statements and changes of `__all__` as rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graft_indexer.languages.python.kinds import (
    ALIASED,
    COMMENT,
    DOTTED,
    FROM,
    FUTURE,
    IMPORT,
    RELATIVE,
    SEQUENCES,
    STAR,
    STRING,
    identifier,
    text_of,
)
from graft_indexer.rows import ExportRow, ImportRow

if TYPE_CHECKING:
    from tree_sitter import Node


def import_rows(data: bytes, node: Node, scope: str, flags: int) -> list[ImportRow]:
    """A row for each name that an import statement of any form binds."""
    kind = node.kind_id
    rows: list[ImportRow] = []
    start, end = node.start_byte, node.end_byte
    module, level, module_node = "", 0, None
    names = node.named_children
    if kind == FROM:
        module_node = node.child_by_field_name("module_name")
        if module_node is None:
            return rows
        module = _dotted(data, module_node)
        if module_node.kind_id == RELATIVE:
            level = len(module) - len(module.lstrip("."))
            module = module[level:]
    elif kind == FUTURE:
        module = "__future__"
    for item in names:
        if item == module_node:
            continue
        item_kind = item.kind_id
        alias: str | None = None
        target: Node | None = item
        if item_kind == ALIASED:
            target, alias_node = item.child_by_field_name("name"), item.child_by_field_name("alias")
            alias = identifier(data, alias_node) if alias_node is not None else None
        elif item_kind != DOTTED and item_kind != STAR:
            continue
        if target is None:
            continue
        name = _dotted(data, target)
        at = (start, end, target.start_byte, target.end_byte, scope, flags)
        if kind == IMPORT:
            rows.append((name, None, alias, 0, *at))
        else:
            rows.append((module, name, alias, level, *at))
    return rows


def _dotted(data: bytes, node: Node) -> str:
    text = identifier(data, node)
    if not text.isidentifier() and not text.replace(".", "").isidentifier():
        text = "".join(re.sub(r"#[^\n]*|\\", "", text).split())
    return text


def export_row(data: bytes, action: str, value: Node | None) -> ExportRow:
    """One change of `__all__`: set or add plain strings; anything else makes it dynamic."""
    names: list[str] = []
    if value is None or value.kind_id not in SEQUENCES:
        action = "dynamic"
    else:
        for child in value.named_children:
            if child.kind_id == COMMENT:
                continue
            text = text_of(data, child)
            if child.kind_id != STRING or child.named_child_count > 3 or text[0] not in "'\"":
                action = "dynamic"
                break
            names.append(text.strip("'\""))
    return action, tuple(names)


def export_call(data: bytes, node: Node, conditional: bool) -> ExportRow | None:
    """The change that a call like `__all__.extend([...])` makes; None if it makes none."""
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    method = "".join(text_of(data, function).split()) if function is not None else ""
    if not method.startswith("__all__."):
        return None
    given = [c for c in arguments.named_children if c.kind_id != COMMENT] if arguments is not None else []
    if conditional or len(given) != 1:
        return "dynamic", ()
    if method == "__all__.extend":
        return export_row(data, "add", given[0])
    if method == "__all__.append" and given[0].kind_id == STRING:
        return "add", (text_of(data, given[0]).strip("'\""),)
    return None if method == "__all__.sort" else ("dynamic", ())
