"""Outline of a repository's most important definitions under a token budget.

Files are ranked by personalised PageRank (see `filegraph`): the walk restarts in the file that is asked about.
"""

from __future__ import annotations

import heapq

from graft_indexer.extract import definition_of
from graft_indexer.facts import Definition, DefinitionKind
from graft_indexer.filegraph import FileGraph
from graft_indexer.source import FactSource

BYTES_PER_TOKEN = 4
_SCRAP = 24
"""Bytes for which no definition is looked for any more."""


class RepositoryMap:
    """Maps of a source's files.  What they are made from is kept, and mended where files changed."""

    def __init__(self, source: FactSource) -> None:
        self._source = source
        self._graph = FileGraph(source)

    def outline(self, path: str = "", budget: int = 1024) -> str:
        """The outline, at most `budget` tokens (4 bytes each); definitions of the asked file are left out."""
        graph = self._graph
        graph.sync()
        asked = graph.files.get(path)
        ranks = graph.ranks(path if asked is not None and asked.items else "")
        chosen = self._chosen(ranks, path, budget * BYTES_PER_TOKEN)
        parts = []
        for file in sorted(chosen, key=lambda f: (-ranks.get(f, 0.0), f)):
            lines = [graph.files[file].lines[index] for index in sorted(chosen[file])]
            parts.append(f"{file}:\n" + "\n".join(lines))
        return "\n".join(parts) + "\n" if parts else ""

    def _chosen(self, ranks: dict[str, float], asked: str, left: int) -> dict[str, list[int]]:
        """Indices of the definitions to show, by file: the weightiest whose lines fit into `left` bytes."""
        graph = self._graph
        chosen: dict[str, list[int]] = {}
        heads: list[tuple[float, str, int]] = []
        for path, file in graph.files.items():
            if path != asked and file.items:
                rank = ranks.get(path, 0.0)
                heads.append((-rank * graph.ordered(path)[0][0] if rank else 0.0, path, 0))
        heapq.heapify(heads)
        while heads:
            _, path, number = heads[0]
            file, rank = graph.files[path], ranks.get(path, 0.0)
            index, _, _, least = graph.ordered(path)[number][1] if rank else file.items[number]
            title = len(path.encode()) + 3 if path not in chosen else 0
            cost = least + 1 + title
            if cost <= left:
                cost = len(self._line(path, index).encode()) + 1 + title
            if cost <= left:
                left -= cost
                chosen.setdefault(path, []).append(index)
                title = 0
            elif left < _SCRAP:
                break
            number += 1
            if number < len(file.items) and file.least + 1 + title <= left:
                weight = -rank * graph.ordered(path)[number][0] if rank else 0.0
                heapq.heapreplace(heads, (weight, path, number))
            else:
                heapq.heappop(heads)  # Nothing of it fits any more.
        return chosen

    def _line(self, path: str, index: int) -> str:
        """The line of a definition."""
        lines = self._graph.files[path].lines
        if index not in lines:
            rows = self._source.definitions(path)
            lines.update((item[0], outline(definition_of(rows[item[0]]))) for item in self._graph.files[path].items)
        return lines[index]


def outline(definition: Definition) -> str:
    """One line that shows a definition."""
    indent = "  " * (1 + definition.qualified_name.count("."))
    signature = definition.signature
    if signature is not None:
        names = ", ".join(
            p.name + (f": {p.annotation}" if p.annotation and len(p.annotation) < 40 else "")
            for p in signature.parameters
            if p.name not in ("self", "cls")
        )
        returns = f" -> {signature.returns}" if signature.returns else ""
        return f"{indent}def {definition.name}({names}){returns}".replace("\n", " ")[:160]
    if definition.kind is DefinitionKind.CLASS:
        bases = f"({', '.join(definition.bases)})" if definition.bases else ""
        return f"{indent}class {definition.name}{bases}".replace("\n", " ")[:160]
    note = f": {definition.annotation}" if definition.annotation else ""
    return f"{indent}{definition.name}{note}".replace("\n", " ")[:160]
