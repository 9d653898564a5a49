"""Small changes of suspicious lines that may mend them: text and lines in, replacements out.  Pure, Python only.

Every mutation replaces one span of the text.  It carries the name of its operator; `priors.PRIORS` holds how likely it
is that a bug is mended by some instance of that operator at the right line.  The share is spread over the operator's
instances at a line, so a family with many members does not crowd out a family with few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from graft_indexer.rewrites.conditions import conditions
from graft_indexer.rewrites.expressions import RULES, Change
from graft_indexer.rewrites.scope import Module
from graft_indexer.rewrites.statements import blocks, guards, inserts, moves, simple
from graft_indexer.rewrites.tree import SIMPLE_STATEMENTS, is_doc, parse, regions, statements_at, walk
from graft_indexer.text import encode


@dataclass(frozen=True, slots=True)
class Mutation:
    """Replace bytes `start` to `end` by `text`; `line` (0-based) is the suspicious line it stands for."""

    start: int
    end: int
    text: str
    operator: str
    line: int


def mutations(
    text: str, lines: Collection[int], *, donors: Iterable[str] = (), raised: Iterable[str] = ()
) -> list[Mutation]:
    """All mutations of the given lines (0-based), in no particular order, without duplicates.

    `donors` are statements of other files that may be inserted; `raised` are names of exceptions that the failing tests
    met: handlers take these first.
    """
    module = module_of(text, raised)
    return [m for line in sorted(set(lines)) for m in of_line(module, line, tuple(donors))]


def module_of(text: str, raised: Iterable[str] = ()) -> Module:
    """A text parsed once, for `of_line`."""
    return Module(parse(text).root_node, encode(text), tuple(raised))


def of_line(module: Module, line: int, donors: tuple[str, ...] = ()) -> list[Mutation]:
    """All mutations of one line (0-based), without duplicates; of equal ones the first operator's stays."""
    out: dict[tuple[int, int, str], Mutation] = {}
    for start, end, new, operator in _changes(module, line, donors):
        if module.data[start:end] != encode(new):
            out.setdefault((start, end, new), Mutation(start, end, new, operator, line))
    return list(out.values())


def _changes(module: Module, line: int, donors: tuple[str, ...]) -> Iterator[Change]:
    for statement in statements_at(module.root, line):
        scope = module.scope(statement)
        for region in regions(statement):
            for node in walk(region, stop=("type",)):  # no test can tell annotations apart
                for rule in RULES:
                    yield from rule(module, node, scope)
        yield from conditions(module, statement, scope)
        if statement.type in SIMPLE_STATEMENTS:
            yield from simple(module, statement, scope)
        if statement.type == "function_definition":
            first = _first_statement(statement)
            if first is not None:
                inner = module.scope(first)
                yield from inserts(module, first, inner, donors)
                yield from guards(module, first, inner)
        elif statement.type not in ("elif_clause", "except_clause"):
            yield from inserts(module, statement, scope, donors)
            yield from guards(module, statement, scope)
            yield from moves(module, statement)
            yield from blocks(module, statement)


def _first_statement(function: Node) -> Node | None:
    body = function.child_by_field_name("body")
    if body is None or not body.named_children:
        return None
    first = body.named_children[0]
    return body.named_children[1] if is_doc(first) and len(body.named_children) > 1 else first
