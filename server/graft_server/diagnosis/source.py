"""One file as the checks see it: text, syntax tree, places; parsed once per text.

The tree is `ast`'s.  A file that this interpreter cannot parse (a syntax error, or syntax newer than the interpreter)
has no `Source` and gets no findings: nothing is said about code whose meaning is not certain.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from graft_indexer.facts import Span
from graft_indexer.graph import SymbolGraph
from graft_indexer.pytree import Tree, fix_formatted
from graft_indexer.text import Lines, encode

N = TypeVar("N", bound=ast.AST)
_KEEP = 24
"""Parsed texts kept: the file, its edited variants while fixes are verified, and a few neighbours."""
_SHARED = (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)
"""Nodes that `ast` shares between parents."""
_INSIDE = "_graft_inside"
"""Attribute of an f-string's node: the expressions in it, at their true places."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A parsed text.  Spans are bytes into its UTF-8 encoding."""

    text: str
    lines: Lines
    tree: ast.Module
    parents: dict[ast.AST, ast.AST]
    by_type: dict[type[ast.AST], list[ast.AST]] = field(repr=False)

    @property
    def data(self) -> bytes:
        """The bytes that spans count."""
        return self.lines.data

    @property
    def newline(self) -> str:
        """The line ending that inserted text must use."""
        return "\r\n" if b"\r\n" in self.lines.data else "\n"

    def all(self, *types: type[N]) -> Iterator[N]:
        """Every node of the given types, outermost first within each type."""
        for kind in types:
            yield from self.by_type.get(kind, ())  # type: ignore[misc]

    def offset(self, line: int, column: int) -> int:
        """Byte offset of an `ast` position (line from 1, column in bytes)."""
        return self.lines.starts[line - 1] + column

    def span(self, node: ast.AST) -> Span:
        """Where a node with a position stands."""
        return Span(
            self.offset(node.lineno, node.col_offset),  # type: ignore[attr-defined]
            self.offset(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
        )

    def segment(self, span: Span) -> str:
        """The text of a span."""
        return self.data[span.start : span.end].decode("utf-8", "surrogateescape")

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Parents, innermost first; the module is last."""
        at = self.parents.get(node)
        while at is not None:
            yield at
            at = self.parents.get(at)

    def function_of(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None:
        """The innermost function or lambda around a node."""
        for parent in self.ancestors(node):
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                return parent
        return None

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement around a node, or the node itself."""
        if isinstance(node, ast.stmt):
            return node
        return next((p for p in self.ancestors(node) if isinstance(p, ast.stmt)), None)


def children(node: ast.AST) -> list[ast.AST]:
    """What stands directly below a node, in order, without contexts and operators: `ast` shares those between parents.

    Three times as fast as `ast.iter_child_nodes`; a file is walked at every edit.
    """
    kind = type(node)
    if kind is ast.Name or kind is ast.Constant:
        return []
    if isinstance(node, ast.JoinedStr):
        return list(getattr(node, _INSIDE, node.values))
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [v for v in value if isinstance(v, ast.AST) and not isinstance(v, _SHARED)]
        elif isinstance(value, ast.AST) and not isinstance(value, _SHARED):
            found.append(value)
    return found


@lru_cache(maxsize=_KEEP)
def parse(text: str) -> Source | None:
    """The parsed text; None if this interpreter cannot parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    parents: dict[ast.AST, ast.AST] = {}
    by_type: dict[type[ast.AST], list[ast.AST]] = {}
    lines = Lines(encode(text))
    placed = Tree(text, lines.data, lines, tree.body)
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.JoinedStr):
            # Before Python 3.12 the parser places what stands in an f-string wrongly. Its own nodes stay where they
            # are: without them the string could not be written out again (`ast.unparse`) or compared.
            setattr(node, _INSIDE, fix_formatted(placed, node))
        by_type.setdefault(type(node), []).append(node)
        below = children(node)
        for child in reversed(below):
            parents[child] = node
        stack.extend(reversed(below))
    return Source(text, lines, tree, parents, by_type)


def source_of(graph: SymbolGraph, path: str) -> Source | None:
    """The parsed text of a file or buffer; None if it is unreadable or cannot be parsed."""
    text = graph.text(path)
    return None if text is None else parse(text)


def guarded_by(source: Source, node: ast.AST, *exceptions: str) -> bool:
    """Whether a node stands in a `try` body whose handlers name one of `exceptions`, or catch everything, or below a
    `with suppress(...)` or `pytest.raises(...)` of one."""
    child = node
    for parent in source.ancestors(node):
        if isinstance(parent, ast.Try | getattr(ast, "TryStar", ast.Try)) and child in parent.body:
            if any(_catches(h.type, exceptions) for h in parent.handlers):
                return True
        elif isinstance(parent, ast.With | ast.AsyncWith) and child in parent.body:
            for item in parent.items:
                call = item.context_expr
                expected = call.args if isinstance(call, ast.Call) and last_name(call.func) in _EXPECTING else []
                if any(_catches(a, exceptions) for a in expected):
                    return True
        child = parent
    return False


_PLATFORM = re.compile(r"\bsys\.platform\b|\bos\.name\b|\bversion_info\b|\bplatform\.|\bPY[23]\b|\bimplementation\b")


def elsewhere(source: Source, node: ast.AST) -> bool:
    """Whether a node stands below a test of the platform or the version: code for another interpreter than this."""
    return any(
        isinstance(parent, ast.If | ast.IfExp) and _PLATFORM.search(source.segment(source.span(parent.test)))
        for parent in source.ancestors(node)
    )


_MAKES_NAMES = re.compile(r"\bglobal_enum\b|\._convert_?\(")


def makes_names(text: str) -> bool:
    """Whether a module puts the members of an enumeration into its own namespace, where no statement binds them."""
    return _MAKES_NAMES.search(text) is not None


_EXPECTING = ("suppress", "raises", "assertRaises", "assertRaisesRegex", "assertWarns")


def _catches(expression: ast.expr | None, exceptions: tuple[str, ...]) -> bool:
    if expression is None:
        return True
    if isinstance(expression, ast.Tuple):
        return any(_catches(e, exceptions) for e in expression.elts)
    return last_name(expression) in (*exceptions, "Exception", "BaseException")


def last_name(expression: ast.expr) -> str:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""
