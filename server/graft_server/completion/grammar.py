"""What Python's own grammar says of the statements that a suggestion touches.

The tree-sitter grammar is generous: `from a import b,`, `f(x=1, 2)`, `def f(a=1, b)` and Python 2's `print x` are no
errors to it.  `ast.parse` reads the touched statements alone, of compound ones the header: microseconds each.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator

from tree_sitter import Node, Tree

from graft_indexer.facts import Span

_ABOVE = {
    "elif_clause": "if 1: pass\n",
    "else_clause": "if 1: pass\n",
    "except_clause": "try: pass\n",
    "except_group_clause": "try: pass\n",
    "finally_clause": "try: pass\n",
    "case_clause": "match _:\n ",
}
"""What a clause hangs on."""
_COMPOUND = frozenset(
    f"{kind}_{ending}"
    for kinds, ending in (("if for while with match try", "statement"), ("function class", "definition"))
    for kind in kinds.split()
)
_BODY = {"try_statement": " pass\nfinally: pass", "match_statement": "\n case _: pass"}
_LATER = frozenset({"type_alias_statement", "type_parameter", "interpolation"})
"""What Python reads since 3.12 only, or reads otherwise since then."""
MOST_BYTES = 20_000
"""Longer statements are tables; they are not read again."""


def refused(tree: Tree, data: bytes, new: Span) -> bool:
    """Whether a statement of `data` (UTF-8, `tree` is its tree) that bytes `new` touch is no Python.

    One that is an error to tree-sitter too is left to whoever compares it with what stood there before.
    """
    for node in _touched(tree.root_node, new):
        source = _alone(node, data) if not node.has_error else None
        if source is not None and len(source) <= MOST_BYTES and not _parses(source):
            return sys.version_info >= (3, 12) or not any(n.type in _LATER for n in _below(node))
    return False


def _touched(root: Node, new: Span) -> Iterator[Node]:
    """Simple statements, headers and decorators that `new` touches."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.end_byte <= new.start or node.start_byte >= new.end:
            continue
        if node.type in _COMPOUND or node.type in _ABOVE:
            body = _body(node)
            if body is None or new.start < body.start_byte:
                yield node
            stack += [c for c in node.children if c.type == "block" or c.type in _ABOVE]
        elif node.type == "decorator" or node.type.endswith("_statement"):
            yield node
        elif node.type in ("module", "block", "decorated_definition"):
            stack += node.children


def _body(node: Node) -> Node | None:
    return next((c for c in node.children if c.type == "block"), None)


def _alone(node: Node, data: bytes) -> str | None:
    """The statement as a program of its own, a compound one with another body; None where that cannot be made."""
    if node.type in _COMPOUND or node.type in _ABOVE:
        body = _body(node)
        colons = [
            c.end_byte for c in node.children if c.type == ":" and body is not None and c.end_byte <= body.start_byte
        ]
        if not colons:
            return None
        header = data[node.start_byte : colons[-1]].decode("utf-8", "replace")
        return _ABOVE.get(node.type, "") + header + _BODY.get(node.type, " pass")
    text = data[node.start_byte : node.end_byte].decode("utf-8", "replace")
    return f"{text}\ndef _(): pass" if node.type == "decorator" else text


def _parses(source: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source)
        except SyntaxError:
            return False
        except (ValueError, RecursionError, MemoryError):
            return True  # Nothing is known.
    return True


def _below(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack += node.children
