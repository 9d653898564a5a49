"""What a check looks at: a file of the graph, or the part of it that may have new findings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from graft_indexer.facts import Span
from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis.scopes import BUILTINS
from graft_server.diagnosis.source import Source
from graft_server.diagnosis.units import Unit, nodes_of

N = TypeVar("N", bound=ast.AST)


@dataclass(slots=True, eq=False)
class Subject:
    """`path` with its parsed text, and which of its nodes are asked about.

    `unit` is one part of the file (None: all of it); `names` leaves only calls, attributes and imports of these names
    (None: any).  `whole_file` is set by a check whose answer depended on the rest of the file in a way that
    `keys.unit_keys` does not see: the unit is then checked every time.
    """

    graph: SymbolGraph
    path: str
    source: Source
    unit: Unit | None = None
    names: frozenset[str] | None = None
    whole_file: bool = False
    _by_type: dict[type[ast.AST], list[ast.AST]] | None = field(default=None, repr=False)

    def nodes(self, *types: type[N]) -> Iterator[N]:
        """The nodes of the given types that are asked about, outermost first within each type."""
        for node in self._nodes(*types):
            if self.names is None or _mentioned(node) & self.names:
                yield node

    def _nodes(self, *types: type[N]) -> Iterator[N]:
        if self.unit is None:
            yield from self.source.all(*types)
            return
        if self._by_type is None:
            self._by_type = {}
            for node in nodes_of(self.unit):
                self._by_type.setdefault(type(node), []).append(node)
        for kind in types:
            yield from self._by_type.get(kind, ())  # type: ignore[misc]

    def calls(self) -> Iterator[ast.Call]:
        """Calls of what a repository may define; builtins are called right."""
        for call in self.nodes(ast.Call):
            if not (isinstance(call.func, ast.Name) and call.func.id in BUILTINS):
                yield call

    def asked(self, span: Span) -> bool:
        """Whether a place lies in the part that is asked about."""
        return self.unit is None or (
            self.unit.span.covers(span) and not any(self.source.span(a).covers(span) for a in self.unit.apart)
        )


def _mentioned(node: ast.AST) -> frozenset[str]:
    """The name by which a node refers to something; for a class those of its bases."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Name):
        return frozenset((node.id,))
    if isinstance(node, ast.Attribute):
        return frozenset((node.attr,))
    if isinstance(node, ast.ClassDef):
        return frozenset().union(*(_mentioned(b) for b in node.bases))
    return frozenset()
