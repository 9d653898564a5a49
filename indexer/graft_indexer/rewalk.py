"""Facts after an edit inside a function's body, for languages whose facts come from queries.

Nothing outside such a body can have changed if the tree there is as it was and what is shown of a definition (its
header, the comment above it) ends before or begins behind the edited lines.  Then the rows outside are kept, moved by
the edit's length, and the query runs over the body of the outermost function around the edit alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graft_indexer.extract import Record, digest_of, recount_words
from graft_indexer.querywalk import CALLABLE, LOOK_BACK, rows_inside
from graft_indexer.rows import DefinitionRow, ImportRow
from graft_indexer.syntax import error_spans

if TYPE_CHECKING:
    from tree_sitter import Node, Tree


class Edit(NamedTuple):
    """`old` became `new`: bytes `start` to `old_end` are now `start` to `new_end`."""

    old: bytes
    new: bytes
    start: int
    old_end: int
    new_end: int


def after(record: Record, edit: Edit, before: Tree, tree: Tree, language: str) -> Record | None:
    """The record of the edited text, given that of the text before; None if the edit may change more than a body.

    `before` is the tree of the old text, edited (as `reparse` leaves it).
    """
    root, edit = tree.root_node, _earlier(edit)
    if record.truncated is not None or before.root_node.has_error != root.has_error:
        return None  # a text that does not parse is looked at as a whole
    around = [row for row in record.definitions if row[2] < edit.start and edit.old_end < row[3]]
    function = next((row for row in around if row[1] in CALLABLE), None)
    body = _body(root, function, edit) if function is not None else None
    if function is None or body is None:
        return None
    start, end = body.start_byte, body.end_byte
    if not _apart(around, edit, start, end):
        return None
    if any(r.start_byte < start or r.end_byte > end for r in before.changed_ranges(tree)):
        return None
    shift = edit.new_end - edit.old_end
    rows, imports = rows_inside(language, body, function, edit.new, whole=root.has_error)
    old_end = end - shift
    rows += [_moved(r, start, shift) for r in record.definitions if not start <= r[2] < old_end]
    rows.sort(key=lambda r: (r[2], r[4]))
    imports += [_moved_import(r, start, shift) for r in record.imports if not start <= r[4] < old_end]
    imports.sort(key=lambda r: (r[4], r[6]))
    errors = tuple((s.start, s.end) for s in error_spans(root))
    return Record(
        language, digest_of(edit.new), len(edit.new), rows, imports, record.exports, record.dynamic, errors,
        recount_words(record.words, edit.old, edit.new),
    )  # fmt: skip


def _earlier(edit: Edit) -> Edit:
    """The same edit, begun at the end of a line if it can be: a line that was added before `}` may as well have been
    added behind the line above."""
    old, new, start, old_end, new_end = edit
    if start not in (old_end, new_end):
        return edit
    text, end = (new, new_end) if start == old_end else (old, old_end)
    back = 0
    while back < start and old[start - back - 1] == text[end - back - 1]:
        back += 1
        if old[start - back] == 0x0A:
            return Edit(old, new, start - back, old_end - back, new_end - back)
    return edit


def _body(root: Node, function: DefinitionRow, edit: Edit) -> Node | None:
    """The body of a definition that holds the edit, in the new tree."""
    end = function[3] + edit.new_end - edit.old_end
    found: Node | None = None
    node = root.descendant_for_byte_range(edit.start, edit.new_end)
    while node is not None and (parent := node.parent) is not None and node.end_byte <= end:
        if node.start_byte == function[2] and node.end_byte == end:
            return found
        if node.type.endswith("body") or parent.child_by_field_name("body") == node:
            found = node
        node = parent
    return None


def _apart(around: list[DefinitionRow], edit: Edit, start: int, end: int) -> bool:
    """Whether what is shown of the definitions around and behind a body ends before the edit, or begins behind it."""
    if not start < edit.start <= edit.new_end < end or b"\n" not in edit.new[edit.new_end : end]:
        return False
    for row in around:
        if row[2] >= start:
            continue
        if row[11] is not None or not row[5] <= start:
            return False  # a type, or a name, that stands around or behind the body
        if edit.start - row[2] < LOOK_BACK and b"\n" not in edit.new[row[2] : edit.start]:
            return False
    return True


def _moved(row: DefinitionRow, at: int, shift: int) -> DefinitionRow:
    if row[3] <= at:
        return row
    if row[2] <= at:  # it holds the body
        return (*row[:3], row[3] + shift, *row[4:])
    return (row[0], row[1], row[2] + shift, row[3] + shift, row[4] + shift, row[5] + shift, *row[6:])


def _moved_import(row: ImportRow, at: int, shift: int) -> ImportRow:
    if row[4] <= at:
        return row
    return (*row[:4], row[4] + shift, row[5] + shift, row[6] + shift, row[7] + shift, *row[8:])
