"""Places in a file: the scope at an offset, the nodes around it.

Positions are compared as (line, column), the form in which nodes carry them; a block's statements by bisection.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Sequence

from graft_indexer.bindings import COMPREHENSIONS, FUNCTIONS, Function
from graft_indexer.pytree import Tree, children, first_line, fix_formatted
from graft_indexer.scopes import Scope, type_parameter_scope


def scope_at(module: Scope, offset: int) -> Scope:
    """The innermost scope at a byte offset, as a name standing there would see it."""
    tree = module.tree
    statement = tree.statement_at(offset)
    if statement is None:
        return module
    return _descend(module, statement, offset)


def _descend(scope: Scope, node: ast.AST, offset: int) -> Scope:
    tree = scope.tree
    while True:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            outer = type_parameter_scope(scope, node)
            if offset < body_start(tree, node):
                found = _child_at(tree, node, offset)
                if found is None:
                    return scope
                outside = found in node.decorator_list or (
                    isinstance(node, FUNCTIONS) and found is node.args and not _in_annotation(tree, node, offset)
                )
                scope = scope if outside else outer
                node = found
                continue
            if not _in_block(tree, node, offset):
                return scope
            scope = outer.child(node)
            inner = _in_list(node.body, *tree.point(offset))
            if inner is None:
                return scope
            node = inner
            continue
        if isinstance(node, ast.Lambda):
            if tree.start(node.body) <= offset:
                scope = scope.child(node)
                node = node.body
                continue
            node = node.args
        elif isinstance(node, COMPREHENSIONS):
            first = node.generators[0].iter
            if tree.start(first) <= offset <= tree.end(first):
                node = first
                continue
            scope = scope.child(node)
        found = _child_at(tree, node, offset)
        if found is None:
            return scope
        node = found


def _in_annotation(tree: Tree, node: Function, offset: int) -> bool:
    return any(
        a.annotation is not None and tree.start(a.annotation) <= offset <= tree.end(a.annotation)
        for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    )


def body_start(tree: Tree, node: Function | ast.ClassDef) -> int:
    """Offset behind the colon that ends the header."""
    first = node.body[0]
    start = tree.full_span(first).start
    line = tree.lines.line_at(start)
    if node.body[0].lineno == node.lineno:
        return start
    # From the line after the header; comments between header and body belong to the body.
    before = start
    row = line
    while row > 0:
        text = tree.data[tree.lines.starts[row - 1] : tree.lines.end_of(row - 1)].split(b"#")[0].rstrip()
        if text:
            return tree.lines.starts[row - 1] + len(text)
        row -= 1
    return before


def _in_block(tree: Tree, node: Function | ast.ClassDef, offset: int) -> bool:
    """Whether `offset` belongs to the body: inside it, or below it on a line indented deeper than the header."""
    end = tree.end(node)
    if offset <= end:
        return True
    row, last = tree.lines.line_at(offset), tree.lines.line_at(end)
    if row == last:
        return True
    indent = node.col_offset
    data = tree.data
    begin = tree.lines.starts[row]
    text = data[begin : tree.lines.end_of(row)]
    width = len(text) - len(text.lstrip(b" \t"))
    if text.strip():
        return width > indent
    return max(offset - begin, 0) > indent or (width > indent and offset - begin > indent)


_Point = tuple[int, int]


def _in_list(body: Sequence[ast.AST], line: int, column: int) -> ast.AST | None:
    """The last statement (handler, case) of a block that begins at or before a place."""
    at = bisect_right(body, line, key=_first_line)
    while at > 0:
        found = body[at - 1]
        if _begin(found) <= (line, column):
            return found
        at -= 1
    return None


def _first_line(node: ast.AST) -> int:
    if isinstance(node, ast.stmt):
        return first_line(node)
    return node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno  # type: ignore[attr-defined]


def _begin(node: ast.AST) -> _Point:
    if isinstance(node, ast.match_case):
        return node.pattern.lineno, node.pattern.col_offset
    decorators = getattr(node, "decorator_list", None)
    if decorators:
        return decorators[0].lineno, 0
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def _child_at(tree: Tree, node: ast.AST, offset: int) -> ast.AST | None:
    """The child that holds `offset` (its end included); for blocks the last one that begins before it."""
    line, column = tree.point(offset)
    best: ast.AST | None = None
    if isinstance(node, ast.JoinedStr):
        for part in fix_formatted(tree, node):
            if _holds(part, line, column):
                best = part
        return best
    for name in node._fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            if name in _BLOCKS:
                best = _in_list(value, line, column) or best
                continue
            for item in value:
                if isinstance(item, ast.AST) and _holds(item, line, column):
                    best = item
        elif isinstance(value, ast.AST) and name not in ("ctx", "op") and _holds(value, line, column):
            best = value
    return best


_BLOCKS = frozenset({"body", "orelse", "handlers", "finalbody", "cases"})


def _holds(node: ast.AST, line: int, column: int) -> bool:
    first = getattr(node, "lineno", None)
    if first is None:
        extent = _extent(node)
        return extent is not None and extent[0] <= (line, column) <= extent[1]
    last = node.end_lineno  # type: ignore[attr-defined]
    if not first <= line <= last:
        return False
    if line == first and column < node.col_offset:  # type: ignore[attr-defined]
        return False
    return bool(line < last or column <= node.end_col_offset)  # type: ignore[attr-defined]


def _extent(node: ast.AST) -> tuple[_Point, _Point] | None:
    """First and last place of a node that has none of its own (arguments, generators, with items)."""
    points: list[_Point] = []
    for child in children(node):
        if getattr(child, "lineno", None) is not None:
            points.append((child.lineno, child.col_offset))  # type: ignore[attr-defined]
            points.append((child.end_lineno, child.end_col_offset))  # type: ignore[attr-defined]
        else:
            points.extend(_extent(child) or ())
    return (min(points), max(points)) if points else None


def path_to(tree: Tree, offset: int) -> list[ast.AST]:
    """Nodes around `offset`, outermost first: statements and expressions whose span holds it (ends included)."""
    path: list[ast.AST] = []
    node: ast.AST | None = tree.statement_at(offset)
    line, column = tree.point(offset)
    while isinstance(node, ast.ClassDef):
        path.append(node)
        node = _in_list(node.body, line, column)
        if node is None:  # in the header
            return path[:-1] + _walk(tree, path[-1], offset)
    if node is None:
        return path
    index: _Index | None = getattr(node, "_graft_index", None)
    if index is None:
        asked: int = getattr(node, "_graft_walks", 0)
        if asked < _WALKS:
            node._graft_walks = asked + 1  # type: ignore[attr-defined]
            return path + _walk(tree, node, offset)
        index = _Index(tree, node)
        node._graft_index = index  # type: ignore[attr-defined]
    return path + index.path(line - node.lineno, line, column)  # type: ignore[attr-defined]


_WALKS = 4
"""Places of a statement that are looked for from its top; an index takes as long as five of them to make."""


def _walk(tree: Tree, statement: ast.AST, offset: int) -> list[ast.AST]:
    """The nodes around a place of a statement, outermost first."""
    path = [statement]
    while (inner := _child_at(tree, path[-1], offset)) is not None:
        path.append(inner)
    return path


_LEAVES = frozenset({ast.Name, ast.Constant})


class _Index:
    """The nodes of one statement by where they begin; lines count from the statement's own, so that it may be moved."""

    __slots__ = ("keys", "nodes", "outer")

    def __init__(self, tree: Tree, statement: ast.AST) -> None:
        base: int = statement.lineno  # type: ignore[attr-defined]
        self.nodes: list[ast.AST] = []
        self.outer: list[int] = []
        keys: list[tuple[int, int, int]] = []
        stack: list[tuple[ast.AST, int]] = [(statement, -1)]
        while stack:
            node, outer = stack.pop()
            at = len(self.nodes)
            self.nodes.append(node)
            self.outer.append(outer)
            if node.__class__ in _LEAVES:  # half of all nodes
                keys.append((node.lineno - base, node.col_offset, at))  # type: ignore[attr-defined]
                continue
            if isinstance(node, ast.match_case) or hasattr(node, "lineno"):
                line, column = _begin(node)
                keys.append((line - base, column, at))
            inner = fix_formatted(tree, node) if isinstance(node, ast.JoinedStr) else children(node)
            stack.extend([(child, at) for child in inner][::-1])
        keys.sort()
        self.keys = keys

    def path(self, row: int, line: int, column: int) -> list[ast.AST]:
        """Nodes around a place, outermost first; the statement itself is always among them."""
        found = bisect_right(self.keys, (row, column, len(self.nodes))) - 1
        at = self.keys[max(found, 0)][2]
        nodes, outer = self.nodes, self.outer
        while at > 0 and not isinstance(nodes[at], _BLOCK_NODES) and not _holds(nodes[at], line, column):
            at = outer[at]
        path: list[ast.AST] = []
        while at >= 0:
            path.append(nodes[at])
            at = outer[at]
        path.reverse()
        return path


_BLOCK_NODES = (ast.stmt, ast.excepthandler, ast.match_case)


def scope_along(module: Scope, path: Sequence[ast.AST]) -> Scope:
    """The scope that the last node of a path stands in: what `scope_at` says of its first byte."""
    scope = module
    for at in range(len(path) - 1):
        node, child = path[at], path[at + 1]
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            if isinstance(child, ast.stmt):
                scope = type_parameter_scope(scope, node).child(node)
            elif child in node.decorator_list:
                pass
            elif isinstance(child, ast.arguments):
                below = path[at + 2] if at + 2 < len(path) else None
                if isinstance(below, ast.arg):
                    scope = type_parameter_scope(scope, node)
            else:
                scope = type_parameter_scope(scope, node)
        elif isinstance(node, ast.Lambda):
            if child is node.body:
                scope = scope.child(node)
        elif isinstance(node, COMPREHENSIONS):
            first = node.generators[0]
            if not (child is first and at + 2 < len(path) and path[at + 2] is first.iter):
                scope = scope.child(node)
    return scope
