"""The BugLab set (Allamanis et al. 2021, arXiv 2105.12787): one token or two arguments of a tree, with a label.

Variable misuse, swapped arguments, wrong comparison, boolean, arithmetic and assignment operators, wrong literal.  Each
rewrite replaces one contiguous span, so it works in both directions: to mend a bug, and to plant one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Node

from graft_indexer.facts import Span
from graft_indexer.rewrites import operators
from graft_indexer.rewrites.operators import Change, change
from graft_indexer.rewrites.tree import is_load, local_names, text_of


class RewriteKind(StrEnum):
    """What a rewrite changes: BugLab's classes."""

    VARIABLE = "variable"
    ARGUMENT_SWAP = "argument-swap"
    COMPARISON = "comparison"
    BOOLEAN = "boolean"
    ARITHMETIC = "arithmetic"
    ASSIGNMENT = "assignment"
    LITERAL = "literal"


BUGLAB = frozenset(RewriteKind)
"""The set that is scored by a model and used to plant bugs."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Replace bytes `span` by `text`; `label` says it in a few words (`< -> <=`)."""

    kind: RewriteKind
    span: Span
    text: str
    label: str

    def apply(self, data: bytes) -> bytes:
        """`data` (the bytes that were parsed) with this rewrite done."""
        return data[: self.span.start] + self.text.encode("utf-8", "surrogateescape") + data[self.span.end :]


def rewrites(
    root: Node,
    *,
    within: Span | None = None,
    kinds: Collection[RewriteKind] = BUGLAB,
    names: Callable[[int], Iterable[str]] | None = None,
    max_names: int = 24,
) -> Iterator[Rewrite]:
    """All rewrites of the given kinds whose place lies inside `within` (the whole tree if None), in source order.

    `root` is a tree-sitter-python tree's own root; offsets are bytes into the text that was parsed.  Variable misuse
    offers the names bound in the enclosing function, first binding first, at most `max_names`; `names(offset)` adds to
    them.  Places inside syntax error nodes are left alone.
    """
    wanted = frozenset(kinds)
    data = bytes(root.start_byte) + (root.text or b"")  # a root begins at its first token
    todo: list[tuple[Node, tuple[str, ...]]] = [(root, ())]
    while todo:
        node, local = todo.pop()
        if node.type == "ERROR" or (within and (node.end_byte < within.start or node.start_byte > within.end)):
            continue
        if node.type == "function_definition":
            local = local_names(node)
        if node.is_named and (within is None or within.covers(Span(node.start_byte, node.end_byte))):
            for kind in RewriteKind:
                if kind in wanted:
                    rule = _RULES.get(kind)
                    found = rule(node, data) if rule else _misuse(node, local, names, max_names)
                    for start, end, text in found:
                        old = data[start:end].decode("utf-8", "surrogateescape")
                        yield Rewrite(kind, Span(start, end), text, f"{old} -> {text}")
        todo.extend((child, local) for child in reversed(node.children))


def _misuse(
    node: Node, local: tuple[str, ...], names: Callable[[int], Iterable[str]] | None, max_names: int
) -> Iterator[Change]:
    here = text_of(node) if node.type == "identifier" else ""
    if here not in local or not is_load(node):
        return
    candidates = dict.fromkeys(local)
    if names is not None:
        candidates.update(dict.fromkeys(names(node.start_byte)))
    candidates.pop(here, None)
    yield from (change(node, name) for name in list(candidates)[:max_names])


def _literal(node: Node, data: bytes) -> Iterator[Change]:
    yield from operators.integer(node, wide=False)
    yield from operators.truth(node)


_RULES: dict[RewriteKind, Callable[[Node, bytes], Iterator[Change]]] = {
    RewriteKind.ARGUMENT_SWAP: operators.swaps,
    RewriteKind.COMPARISON: lambda node, data: operators.comparison(node, wide=False),
    RewriteKind.BOOLEAN: lambda node, data: operators.boolean(node),
    RewriteKind.ARITHMETIC: lambda node, data: operators.binary(node, wide=False),
    RewriteKind.ASSIGNMENT: lambda node, data: operators.assignment(node, wide=False),
    RewriteKind.LITERAL: _literal,
}
