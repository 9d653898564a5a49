"""Parameters of a Python function: quickly from text where that is exact, else from the tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graft_indexer.languages.python.kinds import (
    DEFAULT,
    DOUBLE_SPLAT,
    ERROR,
    IDENTIFIER,
    KEYWORD_SEPARATOR,
    POSITIONAL_SEPARATOR,
    SPLAT,
    TYPED,
    TYPED_DEFAULT,
)
from graft_indexer.rows import ParameterRow

if TYPE_CHECKING:
    from tree_sitter import Node


_POSITIONAL_ONLY, _NORMAL, _VAR_POSITIONAL, _KEYWORD_ONLY, _VAR_KEYWORD = range(5)

# Commas, colons and equal signs inside brackets, strings and lambdas need the tree; without them a split is exact.
_HARD = re.compile(rb"[(\[{'\"#\\]|lambda|[=!<>:]=|-")
_PART = re.compile(r"\s*(\*{0,2})\s*([^\W\d]\w*)\s*(?::\s*([\w. |]*\w))?\s*(?:=\s*([\w.+]+))?\s*")


def signature(node: Node, data: bytes) -> tuple[ParameterRow, ...]:
    """Parameters below a `parameters` node, in order."""
    inner = data[node.start_byte + 1 : node.end_byte - 1]
    if not inner:
        return ()
    if inner == b"self":
        return _SELF
    if _HARD.search(inner) is None:
        rows = _from_text(inner.decode("utf-8", "surrogateescape"))
        if rows is not None:
            return rows
    return _from_tree(node, data)


_SELF: tuple[ParameterRow, ...] = (("self", _NORMAL, None, None),)


def _from_text(text: str) -> tuple[ParameterRow, ...] | None:
    rows: list[ParameterRow] = []
    kind = _NORMAL
    parts = text.split(",")
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    for part in parts:
        if part.isidentifier():
            rows.append((part, kind, None, None))
            continue
        found = _PART.fullmatch(part)
        if found is None:
            part = part.strip()
            if part == "*":
                kind = _KEYWORD_ONLY
                continue
            if part == "/":
                rows = [(n, _POSITIONAL_ONLY, a, d) for n, _, a, d in rows]
                continue
            return None
        stars, name, annotation, default = found.groups()
        if not stars:
            rows.append((name, kind, annotation, default))
        elif default is not None:
            return None
        elif stars == "*":
            rows.append((name, _VAR_POSITIONAL, annotation, None))
            kind = _KEYWORD_ONLY
        else:
            rows.append((name, _VAR_KEYWORD, annotation, None))
    return tuple(rows)


def _from_tree(node: Node, data: bytes) -> tuple[ParameterRow, ...]:
    rows: list[ParameterRow] = []
    kind = _NORMAL
    for child in node.named_children:
        child_kind = child.kind_id
        if child_kind == KEYWORD_SEPARATOR:
            kind = _KEYWORD_ONLY
            continue
        if child_kind == POSITIONAL_SEPARATOR:
            rows = [(n, _POSITIONAL_ONLY, a, d) for n, _, a, d in rows]
            continue
        target: Node | None = child
        annotation = default = None
        if child_kind in (DEFAULT, TYPED_DEFAULT):
            target = child.child_by_field_name("name")
            default = _field(child, "value", data)
            annotation = _field(child, "type", data)
        elif child_kind == TYPED:
            target = child.named_child(0)
            annotation = _field(child, "type", data)
        if target is None:
            continue
        target_kind = target.kind_id
        name = data[target.start_byte : target.end_byte].decode("utf-8", "surrogateescape")
        if target_kind == IDENTIFIER:
            rows.append((name, kind, annotation, default))
        elif target_kind == SPLAT:
            rows.append((name.lstrip("* \t"), _VAR_POSITIONAL, annotation, None))
            kind = _KEYWORD_ONLY
        elif target_kind == DOUBLE_SPLAT:
            rows.append((name.lstrip("* \t"), _VAR_KEYWORD, annotation, None))
        elif target_kind != ERROR and target.type not in ("comment", "line_continuation"):
            # Python 2's `def f((a, b)):`
            rows.append((name, kind, annotation, default))
    return tuple(rows)


def _field(node: Node, name: str, data: bytes) -> str | None:
    child = node.child_by_field_name(name)
    return None if child is None else data[child.start_byte : child.end_byte].decode("utf-8", "surrogateescape")
