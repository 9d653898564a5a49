"""Text -> `Tree`: parsing, mending what is broken, and parsing only what an edit touched.

An edit inside one statement parses that statement again; inside a class, only the statements of its body that were
touched.  Nodes that are kept keep their identity, and so do the answers that hang on them.
"""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from graft_indexer.facts import Span
from graft_indexer.mending import (
    Header,
    blank_type_parameters,
    fill_block,
    give_type_parameters,
    joined,
    mend_header,
    open_header,
    replacement,
)
from graft_indexer.pytree import Tree, first_line
from graft_indexer.text import Lines, changed_range, common, common_tail, encode

MAX_BYTES = 1_500_000
"""Larger files are not analysed: generated tables, mostly."""
_MAX_MENDS = 12
"""Lines that may be mended before the file counts as not Python; more cost time and prove nothing."""


def parse(text: str, before: Tree | None = None) -> Tree:
    """Parse a file.  With `before`, its statements outside the edited lines are kept."""
    data = encode(text)
    lines = before.lines.edited(data, *changed_range(before.data, data)) if before is not None else Lines(data)
    if len(data) > MAX_BYTES:
        return Tree(text, data, lines, [], unreadable="the file is too large")
    if before is not None and before.body and not before.unreadable:
        tree = _edited(text, data, lines, before)
        if tree is not None:
            return tree
    try:
        return Tree(text, data, lines, _parsed(text, 0, nested=False))
    except SyntaxError as error:
        patch = _mend(data, lines, 0, len(lines), error, nested=False)
    except _FAILURES as failure:
        return Tree(text, data, lines, [], unreadable=f"not parseable ({type(failure).__name__})")
    return Tree(text, data, lines, patch.body, patch.broken, patch.unreadable, patch.filled)


_FAILURES = (ValueError, RecursionError, MemoryError)


def _parsed(text: str, first: int, *, nested: bool) -> list[ast.stmt]:
    """Statements of text that begins at line `first` (0-based); `nested` text is indented.  Raises as `ast.parse`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not nested:
            return ast.parse("\n" * first + text).body
        outer = ast.parse("\n" * (first - 1) + "if 1:\n" + text).body
        if len(outer) != 1 or not isinstance(outer[0], ast.If) or outer[0].orelse:
            raise ValueError("the text leaves its block")
        return outer[0].body


@dataclass
class Patch:
    body: list[ast.stmt]
    broken: list[Span]
    unreadable: str = ""
    filled: bool = False
    part: bool = False
    """The body is that of the statements that the edit touched."""


@dataclass(frozen=True)
class Edit:
    """What changed: old lines `top` to `bottom` (exclusive), `shift` lines more than before, `moved` bytes more."""

    data: bytes
    lines: Lines
    before: Tree
    top: int
    bottom: int
    shift: int
    moved: int
    closes: bool
    """The edit may have completed what was broken."""


def compare(before: Tree, data: bytes, lines: Lines) -> Edit:
    """Where a new text differs from a tree's."""
    old = before.data
    begin = common(old, data, min(len(old), len(data)))
    top = before.lines.line_at(begin)
    shorter = min(len(old), len(data))
    tail = common_tail(old, data, shorter - min(shorter, before.lines.starts[top]))
    bottom = before.lines.line_at(len(old) - tail) + 1
    changed = data[begin : max(begin, len(data) - tail)]
    closes = len(data) < len(old) or any(byte in changed for byte in b")]}\"'\n\r")
    return Edit(data, lines, before, top, bottom, len(lines) - len(before.lines), len(data) - len(old), closes)


def _edited(text: str, data: bytes, lines: Lines, before: Tree) -> Tree | None:
    """The tree after an edit; None if nothing can be kept."""
    edit = compare(before, data, lines)
    try:
        patch = _spliced(edit, before.body, 0, len(before.lines), nested=False)
    except WholeError as whole:
        return Tree(text, data, lines, whole.body)
    except (SyntaxError, *_FAILURES):
        return None
    if patch is None:
        return None
    if patch.broken and before.broken and edit.closes:
        try:  # what was broken in two places may be whole again
            return Tree(text, data, lines, _parsed(text, 0, nested=False))
        except (SyntaxError, *_FAILURES):
            pass
    return Tree(text, data, lines, patch.body, patch.broken, filled=patch.filled or before.filled)


def _spliced(edit: Edit, body: list[ast.stmt], start: int, end: int, *, nested: bool) -> Patch | None:
    """Statements of a block (old lines `start` to `end`) after the edit; None if the edit reaches out of it."""
    keep = bisect_right(body, edit.top + 1, key=first_line) - 1  # the statement on or before the first changed line
    rest = bisect_right(body, edit.bottom, key=first_line)
    if keep < 0 and (nested or rest >= len(body)):
        return None
    first = first_line(body[keep]) - 1 if keep >= 0 else start
    last = first_line(body[rest]) - 1 if rest < len(body) else end
    for index, line in ((keep - 1, first), (rest - 1, last)):
        if 0 <= index < len(body) and body[index].end_lineno == line + 1 and line != end:
            return None  # two statements on one line
    if nested and first == 0:
        return None
    patch: Patch | None = None
    inner = body[keep] if keep >= 0 and rest == keep + 1 else None
    if isinstance(inner, ast.ClassDef) and first_line(inner.body[0]) - 1 > inner.lineno - 1:
        patch = _in_class(edit, inner, last)
    if patch is None:
        patch = middle(edit, first, last, indent=body[0].col_offset if nested else None)
    if patch is None or patch.unreadable:
        return None
    tail = body[rest:]
    if tail and edit.shift:
        from_line = last + edit.shift
        tail = _parsed(_rows(edit.data, edit.lines, from_line, end + edit.shift), from_line, nested=nested)
    if not nested:
        head_end = edit.before.lines.starts[first]
        tail_start = edit.before.lines.starts[last] if last < len(edit.before.lines) else len(edit.before.data) + 1
        kept = [b for b in edit.before.broken if b.end < head_end]
        moved = [Span(b.start + edit.moved, b.end + edit.moved) for b in edit.before.broken if b.start >= tail_start]
        patch.broken = kept + patch.broken + moved
    return Patch([*body[: max(keep, 0)], *patch.body, *tail], patch.broken, filled=patch.filled)


def _in_class(edit: Edit, node: ast.ClassDef, end: int) -> Patch | None:
    """The class after an edit inside its body; None if the edit touches its header or leaves it."""
    if edit.top < first_line(node.body[0]) - 1:
        return None
    try:
        inner = _spliced(edit, node.body, node.lineno, end, nested=True)
    except WholeError:
        raise
    except (SyntaxError, *_FAILURES):
        return None
    if inner is None:
        return None
    fresh = ast.ClassDef(**{name: getattr(node, name) for name in node._fields})
    fresh.body = inner.body
    fresh.lineno, fresh.col_offset = node.lineno, node.col_offset
    fresh.end_lineno, fresh.end_col_offset = inner.body[-1].end_lineno, inner.body[-1].end_col_offset
    before, head = edit.before, edit.before.lines.starts[first_line(node) - 1]
    first = before.lines.starts[_touched(edit, node.body) - 1]
    kept = [b for b in before.broken if head <= b.start and b.end < first]
    after = _after(edit, node.body, end)
    edge = before.lines.starts[end] if end < len(before.lines) else len(before.data) + 1
    moved = [Span(b.start + edit.moved, b.end + edit.moved) for b in before.broken if after <= b.start < edge]
    return Patch([fresh], sorted({*kept, *inner.broken, *moved}), filled=inner.filled)


def _touched(edit: Edit, body: list[ast.stmt]) -> int:
    """1-based first line of the first statement that an edit touches."""
    return first_line(body[max(0, bisect_right(body, edit.top + 1, key=first_line) - 1)])


def _after(edit: Edit, body: list[ast.stmt], end: int) -> int:
    """Old offset of the first statement behind the edit."""
    rest = bisect_right(body, edit.bottom, key=first_line)
    line = first_line(body[rest]) - 1 if rest < len(body) else end
    starts = edit.before.lines.starts
    return starts[line] if line < len(starts) else len(edit.before.data) + 1


def middle(edit: Edit, first: int, last: int, *, indent: int | None, part: Touched | None = None) -> Patch | None:
    """The statements of old lines `first` to `last` parsed again; `indent` is the column of a class's body.  None if
    they cannot be told without the lines around.  If only lines of `part` have to be mended, the statements are its
    own (`Patch.part`)."""
    patch = _middle(edit, first, last, nested=indent is not None, part=part)
    if patch is not None and not patch.part and indent is not None and any(s.col_offset != indent for s in patch.body):
        return None  # on its own any indentation parses
    return patch


def _middle(edit: Edit, first: int, last: int, *, nested: bool, part: Touched | None = None) -> Patch | None:
    stop = last + edit.shift
    text = _rows(edit.data, edit.lines, first, stop)
    try:
        return Patch(_parsed(text, first, nested=nested), [])
    except SyntaxError as error:
        at = (error.lineno or 1) - 1
        outside = at <= first or (at >= stop - 1 and not nested)
        if outside and (nested or not edit.before.broken):
            if nested:
                return None
            try:  # the edit may have joined statements
                whole = _parsed(_rows(edit.data, edit.lines, 0, len(edit.lines)), 0, nested=False)
            except SyntaxError:
                pass
            else:
                raise WholeError(whole) from None
        read = (lambda rows, mended: _mended_alone(edit, part, first, rows, mended)) if part is not None else None
        return _mend(edit.data, edit.lines, first, stop, error, nested=nested, alone=read)


def _mended_alone(edit: Edit, part: Touched, first: int, rows: list[str], mended: set[int]) -> list[ast.stmt] | None:
    """The touched statements, of the mended lines from `first` on; None if others had to be mended too."""
    begin, end = part.first - first, part.last + edit.shift - first
    return alone(edit, part, rows[begin:end]) if all(begin <= at < end for at in mended) else None


class WholeError(ValueError):
    """The whole text parses, but not in the pieces that it had."""

    def __init__(self, body: list[ast.stmt]) -> None:
        super().__init__()
        self.body = body


@dataclass(frozen=True, slots=True)
class Touched:
    """The statements of an indented block that an edit touched: those from `keep` to `rest` (exclusive) on the old
    lines `first` to `last` (0-based, exclusive), in `column`."""

    keep: int
    rest: int
    first: int
    last: int
    column: int


def touched(edit: Edit, body: list[ast.stmt], end: int) -> Touched | None:
    """The statements of a block that an edit touched; `end` is the old line, 0-based, that ends the block's region.
    None if they cannot be read by themselves, or if they are all there is: then the lines around have a say."""
    keep = bisect_right(body, edit.top + 1, key=first_line) - 1
    rest = bisect_right(body, edit.bottom, key=first_line)
    if keep < 0 or (keep == 0 and rest == len(body)):
        return None
    first = first_line(body[keep]) - 1
    last = first_line(body[rest]) - 1 if rest < len(body) else end
    if first < 1 or (keep and body[keep - 1].end_lineno == first + 1) or body[rest - 1].end_lineno == last + 1:
        return None  # two statements on one line
    before = edit.before
    column = body[0].col_offset
    start, was = edit.lines.starts[first], before.lines.starts[first]
    if edit.data[start : start + column] != before.data[was : was + column]:
        return None  # a tab is as wide as a blank to a parser that sees nothing else
    return Touched(keep, rest, first, last, column)


def alone(edit: Edit, part: Touched, rows: list[str] | None = None) -> list[ast.stmt] | None:
    """What touched statements are now; None if they are no statements of their block by themselves.  `rows` are their
    lines where they had to be mended.

    What stands before them and behind them then reads as it did: in both texts a statement of the same block begins
    there, and no bracket or string is open.
    """
    text = _rows(edit.data, edit.lines, part.first, part.last + edit.shift) if rows is None else "".join(rows)
    try:
        fresh = _parsed(text, part.first, nested=True)
    except (SyntaxError, *_FAILURES):
        return None
    if any(s.col_offset != part.column for s in fresh):
        return None
    line, column = (fresh[-1].end_lineno or 1) - 1, fresh[-1].end_col_offset or 0
    if rows is None:
        behind = edit.data[edit.lines.starts[line] + column : edit.lines.end_of(line)]
    else:
        behind = rows[line - part.first].encode("utf-8", "surrogateescape")[column:]
    return None if behind.lstrip()[:1] == b";" else fresh  # that would end the block, not the statement


def _rows(data: bytes, lines: Lines, first: int, end: int) -> str:
    stop = lines.starts[end] if end < len(lines) else len(data)
    return data[lines.starts[first] : stop].decode("utf-8", "surrogateescape")


def _mend(
    data: bytes, lines: Lines, first: int, end: int, error: SyntaxError, *, nested: bool,
    alone: Callable[[list[str], set[int]], list[ast.stmt] | None] | None = None,
) -> Patch:  # fmt: skip
    """Parse lines `first` to `end`, which failed with `error`, with blamed lines replaced.  `alone` may read a part of
    them, of the mended lines and their numbers, if the rest is known."""
    filled = False
    starts = [*lines.starts, len(data)]
    rows = [data[starts[n] : starts[n + 1]].decode("utf-8", "surrogateescape") for n in range(first, end)]
    rows = [row.encode("utf-8", "replace").decode() for row in rows]
    mended: set[int] = set()
    headers: dict[int, Header] = {}
    generics: dict[int, list[str]] = {}
    for _ in range(_MAX_MENDS):
        if fill_block(rows, error, first) or blank_type_parameters(
            rows, (error.lineno or 1) - 1 - first, first, generics
        ):
            filled = True
        else:
            at = min((error.lineno or 1) - 1 - first, len(rows) - 1)
            while at >= 0 and (at in mended or not rows[at].strip()):
                at -= 1
            if at < 0:
                break
            header = open_header(rows, at)
            if header is not None:
                known = headers.setdefault(header[0], Header(header[1], at, rows[header[0] : header[1]]))
                known.tried += 1
                if known.tried <= 2:
                    mended.update(mend_header(rows, *header, at, whole=known.tried == 2))
                elif known.tried == 3:  # What is wrong is not between its brackets.
                    rows[header[0] : known.end] = known.rows
                    mended.difference_update(range(header[0], known.end))
                    at = known.at
            if header is None or known.tried > 2:
                top, bottom = joined(rows, at)
                if top in mended:
                    top, bottom = at, at + 1
                mended.update(range(top, bottom))
                for inner in range(top + 1, bottom):
                    rows[inner] = rows[inner][len(rows[inner].rstrip("\r\n")) :]
                rows[top] = replacement(rows, top)
        some = alone(rows, mended) if alone is not None and not filled else None
        try:
            body = some if some is not None else _parsed("".join(rows), first, nested=nested)
        except SyntaxError as again:
            error = again
        except _FAILURES as failure:
            return Patch([], [], f"not parseable ({type(failure).__name__})")
        else:
            give_type_parameters(body, generics)
            # What a header binds may stand in any of its lines.
            lost = mended.union(n for n, header in headers.items() if header.tried <= 2)
            spans = [Span(starts[first + n], lines.end_of(first + n)) for n in sorted(lost)]
            return Patch(body, spans, filled=filled, part=some is not None)
    return Patch([], [], "too many syntax errors")
