"""Changes of one token or of two arguments, judged by the node alone: what BugLab's set and repair share.

Each rule takes a node and gives (start, end, text) in bytes; `wide` adds what only repair tries (other kinds of
operator, more values), after the narrow ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tree_sitter import Node

from graft_indexer.rewrites.tables import KIN, OTHER, SAME_GROUP, nearest
from graft_indexer.rewrites.tree import is_text, text_of

Change = tuple[int, int, str]
SMALL = (-2, -1, 0, 1, 2)


def change(node: Node, text: str) -> Change:
    """Replace a node."""
    return node.start_byte, node.end_byte, text


def comparison(node: Node, *, wide: bool) -> Iterator[Change]:
    """Another comparison operator."""
    if node.type == "comparison_operator":
        for operator in node.children_by_field_name("operators"):
            old = " ".join(text_of(operator).split())
            for new in (*KIN.get(old, ()), *(OTHER.get(old, ()) if wide else ())):
                yield change(operator, new)


def boolean(node: Node) -> Iterator[Change]:
    """`and` for `or`, and back."""
    operator = node.child_by_field_name("operator") if node.type == "boolean_operator" else None
    if operator is not None:
        yield change(operator, "or" if operator.type == "and" else "and")


def binary(node: Node, *, wide: bool) -> Iterator[Change]:
    """Another arithmetic or bitwise operator; strings are left alone unless `wide`."""
    operator = node.child_by_field_name("operator") if node.type == "binary_operator" else None
    if operator is None:
        return
    texts = is_text(node.child_by_field_name("left")) or is_text(node.child_by_field_name("right"))
    if wide:
        yield from (change(operator, new) for new in nearest(operator.type))
    elif not texts:
        yield from (change(operator, new) for new in SAME_GROUP.get(operator.type, ()))


def assignment(node: Node, *, wide: bool) -> Iterator[Change]:
    """Another augmented assignment, or a plain one; a plain one augmented."""
    right = node.child_by_field_name("right")
    if node.type == "augmented_assignment":
        operator = node.child_by_field_name("operator")
        if operator is None or (is_text(right) and not wide):
            return
        old = operator.type[:-1]
        for new in nearest(old) if wide else SAME_GROUP.get(old, ()):
            yield change(operator, f"{new}=")
        yield change(operator, "=")
    elif node.type == "assignment" and right is not None and node.child_by_field_name("type") is None:
        left = node.child_by_field_name("left")
        chained = right.type == "assignment" or (node.parent is not None and node.parent.type == "assignment")
        if left is None or chained or left.type not in ("identifier", "attribute", "subscript"):
            return
        sign = next((c for c in node.children if c.type == "="), None)
        if sign is not None and (wide or not is_text(right)):
            for new in ("+=", "-=", *(("*=", "|=", "&=", "//=") if wide else ())):
                yield change(sign, new)


def integer(node: Node, *, wide: bool) -> Iterator[Change]:
    """Another small number; with `wide` those near to any number.  A minus before it belongs to it."""
    if node.type != "integer":
        return
    whole = node
    if node.parent is not None and node.parent.type == "unary_operator" and node.parent.children[0].type == "-":
        whole = node.parent
    try:
        value = int(text_of(whole).replace("_", "").replace(" ", ""), 0)
    except ValueError:
        return
    if wide:
        near = (value + 1, value - 1, 0, 1, -1, 2, -value, 10, value * 2, value // 2, value * 10)
        yield from (change(whole, str(new)) for new in dict.fromkeys(near) if new != value)
    elif value in SMALL:
        yield from (change(whole, str(new)) for new in SMALL if new != value)


def truth(node: Node) -> Iterator[Change]:
    """`True` for `False`, and back."""
    if node.type in ("true", "false"):
        yield change(node, "False" if node.type == "true" else "True")


def swaps(node: Node, data: bytes) -> Iterator[Change]:
    """Two positional arguments of a call change places."""
    if node.type == "argument_list":
        arguments = [
            c
            for c in node.named_children
            if c.type not in ("keyword_argument", "list_splat", "dictionary_splat", "comment")
            and not (c.type == "generator_expression" and len(node.named_children) == 1)
        ]
        yield from swapped(arguments, data)


def swapped(parts: list[Node], data: bytes) -> Iterator[Change]:
    """Each two of some nodes side by side change places; what stands between them stays."""
    for first, second in combinations(parts[:6], 2):
        a, b = text_of(first), text_of(second)
        if a != b:
            middle = data[first.end_byte : second.start_byte].decode("utf-8", "surrogateescape")
            yield first.start_byte, second.end_byte, b + middle + a
