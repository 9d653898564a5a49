"""What of a file must be checked again after an edit.

A file is cut into *units*: every top-level statement, and of a top-level class its shell (header, assignments, nested
classes) and each of its methods.  A unit's findings depend on its own text, on other files, and on what the rest of its
file *offers*: the header of a function and, without annotation, the statements that its returned value comes from; the
assignment behind `self.x`; the whole of a class shell or of another top-level statement.  The dependence is by name
and transitive: a unit that mentions `f` depends on what `f` offers, and so on the names in there.

`keys.unit_keys` turns all this into one digest per unit.  Equal digest, equal findings: a body that is edited without
touching what it offers changes the digest of no other unit.  The estimate errs on the side of checking again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from graft_indexer.facts import Span
from graft_server.diagnosis.source import Source, children


@dataclass(frozen=True, slots=True)
class Unit:
    """`nodes` are its outermost nodes; `apart` are statements inside them that are units of their own."""

    span: Span
    nodes: tuple[ast.stmt, ...]
    apart: frozenset[ast.stmt]
    owner: str
    """Name of the class whose method it is, else empty."""


def units_of(source: Source) -> list[Unit]:
    """The units of a file, in order."""
    found: list[Unit] = []
    for statement in source.tree.body:
        if not isinstance(statement, ast.ClassDef):
            found.append(Unit(full_span(source, statement), (statement,), frozenset(), ""))
            continue
        methods = [s for s in statement.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)]
        found.append(Unit(full_span(source, statement), (statement,), frozenset(methods), ""))
        found += [Unit(full_span(source, m), (m,), frozenset(), statement.name) for m in methods]
    return found


def nodes_of(unit: Unit) -> Iterator[ast.AST]:
    """The nodes of a unit, outermost first."""
    stack: list[ast.AST] = list(reversed(unit.nodes))
    while stack:
        node = stack.pop()
        yield node
        below = children(node)
        stack.extend(reversed([c for c in below if c not in unit.apart] if unit.apart else below))


def full_span(source: Source, statement: ast.stmt) -> Span:
    """A statement with its decorators."""
    span = source.span(statement)
    decorators = getattr(statement, "decorator_list", None)
    if decorators:
        return Span(min(span.start, source.offset(decorators[0].lineno, 0)), span.end)
    return span


def text_of(source: Source, unit: Unit) -> bytes:
    """The unit's text, with what lies apart cut out; what is cut out leaves its name and its decorators."""
    at, end = unit.span.start, unit.span.end
    parts: list[bytes] = []
    for statement in sorted(unit.apart, key=lambda s: s.lineno):
        span = full_span(source, statement)
        parts.append(source.data[at : span.start])
        assert isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        head = source.data[span.start : source.span(statement).start]
        parts.append(b"\0" + head + statement.name.encode("utf-8", "surrogateescape") + b"\0")
        at = span.end
    parts.append(source.data[at:end])
    return b"".join(parts)
