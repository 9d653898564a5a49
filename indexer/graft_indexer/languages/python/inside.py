"""What only expressions show: `yield` and `:=`.  They are looked for in the bytes, and only then in the tree."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from graft_indexer.languages.python.kinds import BLOCK, CLASS, FUNCTION, LAMBDA, NAMED, identifier

if TYPE_CHECKING:
    from tree_sitter import Node


def generators(nodes: list[Node], data: bytes, start: int, end: int) -> set[int]:
    """Start bytes of the functions whose own body yields, among the sibling statements `nodes` in the range."""
    found: set[int] = set()
    at = start - 1
    while (at := data.find(b"yield", at + 1, end)) >= 0:
        chain = _chain(nodes, at, at + 5)
        if not chain or chain[-1].type != "yield":
            continue
        for inner, node in zip(chain[:0:-1], chain[-2::-1], strict=True):
            if node.kind_id == LAMBDA:
                break
            if node.kind_id == FUNCTION and inner.kind_id == BLOCK:
                found.add(node.start_byte)
                break
    return found


def walruses(nodes: list[Node], data: bytes, start: int, end: int) -> Iterator[tuple[str, Node]]:
    """(class that it stands in, empty for the module; node) of each `:=` that binds in a module or a class body."""
    at = start - 1
    while (at := data.find(b":=", at + 1, end)) >= 0:
        chain = _chain(nodes, at, at + 2)
        if len(chain) >= 2 and chain[-1].type == ":=" and chain[-2].kind_id == NAMED:
            scope = _class_of(chain, data)
            if scope is not None:
                yield scope, chain[-2]


def _class_of(chain: list[Node], data: bytes) -> str | None:
    """Qualified name of the innermost class body of a chain, empty if there is none; None inside a function."""
    names: list[str] = []
    for node, inner in pairwise(chain):
        kind = node.kind_id
        if kind == LAMBDA or (kind == FUNCTION and inner.kind_id == BLOCK):
            return None
        if kind == CLASS and inner.kind_id == BLOCK:
            name = node.child_by_field_name("name")
            names.append(identifier(data, name) if name is not None else "")
    return ".".join(names)


def _chain(nodes: list[Node], start: int, end: int) -> list[Node]:
    """Nodes from the statement that covers the range down to the smallest one that does; empty if none does."""
    top = _covering(nodes, start)
    if top is None:
        return []
    node = top.descendant_for_byte_range(start, end)
    chain: list[Node] = []
    while node is not None and node != top:
        chain.append(node)
        node = node.parent
    chain.append(top)
    chain.reverse()
    return chain


def _covering(nodes: list[Node], offset: int) -> Node | None:
    low, high = 0, len(nodes)
    while low < high:
        middle = (low + high) // 2
        if nodes[middle].end_byte <= offset:
            low = middle + 1
        else:
            high = middle
    return nodes[low] if low < len(nodes) and nodes[low].start_byte <= offset else None
