"""An edit inside one function's body, done in the tree that is already there.

Most of what is typed is typed inside one function.  There the nodes, scopes and bindings of all other code stay the
same objects, and so do the answers that hang on them: only the function's own statements are replaced, and what stands
behind it is moved.  Anything else (a header, an import, a class's own statement, names that a function binds outside
itself) is an edit for `reparse`.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from dataclasses import dataclass

from graft_indexer.bindings import FUNCTIONS, Function
from graft_indexer.facts import Span
from graft_indexer.pytree import Tree, children, first_line
from graft_indexer.reparse import Edit, Touched, WholeError, alone, compare, middle, touched
from graft_indexer.selfstores import CACHED, hidden_in, self_stores
from graft_indexer.text import Lines, changed_range, encode

_REACHES_OUT = re.compile(
    rb"\bglobal\b|^[ \t]*class[ \t]|\b(?:exec|globals|locals|vars|_convert_?)[ \t]*\("
    rb"|__bases__|__path__|global_enum|sys\.modules",
    re.M,
)
"""What a function may do to names outside of itself, or what other questions look for in the whole text."""
_LONG_QUOTES = (b'"""', b"'''")


@dataclass(frozen=True, slots=True)
class Move:
    """Bytes before `begin` are where they were, those from `end` on moved by `shift`; in between is the edit."""

    begin: int
    end: int
    shift: int

    def of(self, span: Span) -> Span | None:
        """Where a span is now; None if the edit touches it."""
        if span.end <= self.begin:
            return span
        return Span(span.start + self.shift, span.end + self.shift) if span.start >= self.end else None


@dataclass(frozen=True, slots=True)
class BodyEdit:
    """What was done: the function's qualified name, its node and container nodes (outermost first), whether what the
    function does to `self` may have changed, and what moved."""

    name: str
    node: Function
    containers: tuple[ast.ClassDef, ...]
    stores: bool
    move: Move


def edit_body(tree: Tree, text: str) -> BodyEdit | None:
    """Change `tree` to `text` if they differ inside the body of one outermost function; None (and nothing done) if
    not, or if it cannot be told quickly."""
    data = encode(text)
    if tree.unreadable or not tree.body:
        return None
    lines = tree.lines.edited(data, *changed_range(tree.data, data))
    edit = compare(tree, data, lines)
    found = _function(tree, edit)
    if found is None:
        return None
    node, containers, last = found
    first = first_line(node) - 1
    begin, end = tree.lines.starts[first], _offset(tree.lines, last)
    if not getattr(node, "_graft_inside", False) and _REACHES_OUT.search(tree.data, begin, end):
        return None
    if any(b.start < begin or b.end > end for b in tree.broken):
        return None
    move = Move(begin, end, len(data) - len(tree.data))
    part = _part(tree, edit, node, last)
    # What it may do outside stands on one line, and the others were searched when this was last asked.
    top, bottom = (part.first, part.last) if part is not None else (first, last)
    if _REACHES_OUT.search(data, lines.starts[top], _offset(lines, bottom + edit.shift)):
        return None
    fresh = alone(edit, part) if part is not None else None
    if part is not None and fresh is not None:
        change: _Change | None = _spliced(edit, node, part, fresh, [])
    else:
        change = _of_body(tree, edit, node, containers, first, last, part)
    if change is None:
        return None
    was = _seen(tree, node, containers)
    for statement in change.moved if edit.shift else ():
        _shift(statement, edit.shift)
    node.body = change.body
    node.end_lineno, node.end_col_offset = change.end
    node._graft_inside = True  # type: ignore[union-attr]
    for name in CACHED:
        for holder in (node, *containers):
            if hasattr(holder, name):
                delattr(holder, name)
    if edit.shift:
        _move(tree, node, containers, edit.shift)
    for container in reversed(containers):
        last_node = container.body[-1]
        container.end_lineno, container.end_col_offset = last_node.end_lineno, last_node.end_col_offset
    tree.replace(text, data, lines, change.broken, change.filled)
    now = _seen(tree, node, containers)
    return BodyEdit(
        ".".join([*(c.name for c in containers), node.name]), node, containers, was != now or bool(now[0]), move
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """A function's statements after an edit; those of them that are kept but must be `moved`; the lines that had to be
    mended, and whether a block was filled."""

    body: list[ast.stmt]
    moved: list[ast.stmt]
    end: tuple[int | None, int | None]
    """Line and column."""
    broken: list[Span]
    filled: bool


def _part(tree: Tree, edit: Edit, node: Function, last: int) -> Touched | None:
    """The touched statements of a function if they may be read by themselves: no other line of it was mended."""
    part = touched(edit, node.body, last) if not tree.filled else None
    if part is None:
        return None
    begin, end = tree.lines.starts[part.first], _offset(tree.lines, part.last)
    return None if any(b.start < begin or b.end > end for b in tree.broken) else part


def _spliced(edit: Edit, node: Function, part: Touched, fresh: list[ast.stmt], broken: list[Span]) -> _Change:
    """The change where the touched statements are now `fresh`, with some of their lines mended."""
    tail = node.body[part.rest :]
    line, column = (node.end_lineno or 0) + edit.shift, node.end_col_offset
    close = (line, column) if tail else (fresh[-1].end_lineno, fresh[-1].end_col_offset)
    return _Change([*node.body[: part.keep], *fresh, *tail], tail, close, broken, False)


def _of_body(
    tree: Tree, edit: Edit, node: Function, containers: tuple[ast.ClassDef, ...], first: int, last: int,
    part: Touched | None,
) -> _Change | None:  # fmt: skip
    """The change of the function (old lines `first` to `last`) read as a whole; None if it is not one of its body.
    If all that must be mended lies in `part`, the rest of it is kept."""
    data, lines = edit.data, edit.lines
    begin, end = tree.lines.starts[first], _offset(tree.lines, last)
    new_end = _offset(lines, last + edit.shift)
    indent = containers[-1].body[0].col_offset if containers else None
    try:
        patch = middle(edit, first, last, indent=indent, part=part)
    except (WholeError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if patch is None or patch.unreadable or any(b.start < begin or b.end > new_end for b in patch.broken):
        return None
    if patch.broken:
        more = sum(data.count(q, begin, new_end) - tree.data.count(q, begin, end) for q in _LONG_QUOTES)
        if more:
            return None  # what a string swallows is seen in the whole text only
    if patch.part and part is not None:
        return _spliced(edit, node, part, patch.body, patch.broken)
    if len(patch.body) != 1:
        return None
    fresh = patch.body[0]
    if fresh.__class__ is not node.__class__ or not isinstance(fresh, FUNCTIONS) or fresh.name != node.name:
        return None
    if not _same_header(tree, node, data, lines, fresh) and _header(fresh) != _header(node):
        return None
    return _Change(fresh.body, [], (fresh.end_lineno, fresh.end_col_offset), patch.broken, patch.filled)


def _seen(tree: Tree, node: Function, containers: tuple[ast.ClassDef, ...]) -> tuple[object, ...]:
    """What a class shows of one of its methods' bodies."""
    if not containers:
        return ((), "", False)
    return tuple(self_stores(node)), hidden_in(tree, node, containers[-1]), bool(tree.hiding)


def _function(tree: Tree, edit: Edit) -> tuple[Function, tuple[ast.ClassDef, ...], int] | None:
    """The outermost function in whose body alone the edit lies, the classes around it, and the line (0-based, in the
    old text) that ends its region."""
    body: list[ast.stmt] = tree.body
    end = len(tree.lines)
    containers: list[ast.ClassDef] = []
    while True:
        keep = bisect_right(body, edit.top + 1, key=first_line) - 1
        rest = bisect_right(body, edit.bottom, key=first_line)
        if keep < 0 or rest != keep + 1:
            return None
        node = body[keep]
        first = first_line(node) - 1
        last = first_line(body[rest]) - 1 if rest < len(body) else end
        if keep and body[keep - 1].end_lineno == first + 1:
            return None  # two statements on one line
        if rest < len(body) and node.end_lineno == last + 1:
            return None
        if isinstance(node, ast.ClassDef):
            if edit.top < first_line(node.body[0]) - 1 or node.body[0].lineno == node.lineno:
                return None
            containers.append(node)
            body, end = node.body, last
            continue
        if not isinstance(node, FUNCTIONS) or node.body[0].lineno == node.lineno:
            return None
        if edit.top < _header_end(node):
            return None
        return node, tuple(containers), last


def _header_end(node: Function) -> int:
    """0-based line behind the header as far as its nodes show it; comments there count as body."""
    arguments = node.args
    parts: list[ast.AST | None] = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    parts += [arguments.vararg, arguments.kwarg, *arguments.defaults, *arguments.kw_defaults, node.returns]
    return max([node.lineno, *(part.end_lineno or 0 for part in parts if part is not None)])  # type: ignore[attr-defined]


def _same_header(tree: Tree, node: Function, data: bytes, lines: Lines, fresh: Function) -> bool:
    """Whether all that stands before the first statement is the same text, which spares comparing what it means."""
    first = lines.starts[first_line(node) - 1]  # nothing before the edit moved
    was, now = node.body[0], fresh.body[0]
    before = tree.data[first : tree.lines.starts[first_line(was) - 1] + was.col_offset]
    return before == data[first : lines.starts[first_line(now) - 1] + now.col_offset]


def _header(node: Function) -> str:
    parts = [ast.dump(node.args, include_attributes=True), *(ast.dump(d) for d in node.decorator_list)]
    if node.returns is not None:
        parts.append(ast.dump(node.returns, include_attributes=True))
    return "\n".join(parts)


def _offset(lines: Lines, line: int) -> int:
    return lines.starts[line] if line < len(lines) else len(lines.data)


def _move(tree: Tree, node: Function, containers: tuple[ast.ClassDef, ...], shift: int) -> None:
    """Move everything behind `node` by `shift` lines."""
    inner: ast.stmt = node
    for container in (*reversed(containers), None):
        block = container.body if container is not None else tree.body
        at = next(i for i, s in enumerate(block) if s is inner)
        for statement in block[at + 1 :]:
            _shift(statement, shift)
        if container is not None:
            inner = container


def _shift(statement: ast.stmt, shift: int) -> None:
    """Move one statement by `shift` lines."""
    stale = False
    for part in _placed(statement):
        part.lineno += shift  # type: ignore[attr-defined]
        part.end_lineno += shift  # type: ignore[attr-defined]
        if part.__class__ is ast.JoinedStr and hasattr(part, "_graft_fixed"):
            del part._graft_fixed
            stale = True
    if stale:
        _forget_index(statement)


def _forget_index(statement: ast.stmt) -> None:
    for inner in statement.body if isinstance(statement, ast.ClassDef) else ():
        _forget_index(inner)
    if hasattr(statement, "_graft_index"):
        del statement._graft_index


def _placed(statement: ast.stmt) -> list[ast.AST]:
    """Every node of a statement that carries a place; remembered, since the same tail is moved again and again."""
    if isinstance(statement, ast.ClassDef):
        # Its body changes in place: only what hangs on the header is remembered.
        found: list[ast.AST] = [statement]
        for part in (*statement.decorator_list, *statement.bases, *statement.keywords):
            found += [n for n in ast.walk(part) if hasattr(n, "lineno")]
        found += [p for p in getattr(statement, "type_params", ()) if hasattr(p, "lineno")]
        for inner in statement.body:
            found += _placed(inner)
        return found
    known: list[ast.AST] | None = getattr(statement, "_graft_placed", None)
    if known is None:
        known = []
        stack: list[ast.AST] = [statement]
        while stack:
            node = stack.pop()
            if hasattr(node, "lineno"):
                known.append(node)
            stack.extend(children(node))
            stack.extend(p for p in getattr(node, "type_params", ()) if "type_params" not in node._fields)
        statement._graft_placed = known  # type: ignore[attr-defined]
    return known
