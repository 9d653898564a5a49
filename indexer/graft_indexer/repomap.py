"""Outline of a repository's most important definitions under a token budget.

Files are ranked by personalised PageRank (Page et al., 1999): a file gives rank to the files that define the names it
uses, rarer names weigh more, and the walk restarts in the file that is asked about and the files it imports.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from graft_indexer.facts import Definition, DefinitionKind, Facts
from graft_indexer.source import FactSource

BYTES_PER_TOKEN = 4
_DAMPING = 0.85
_ROUNDS = 24
_MAX_DEFINERS = 8
"""A name that more files define says nothing about any of them."""
_SHOWN = (
    DefinitionKind.CLASS, DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.PROPERTY,
    DefinitionKind.TYPE_ALIAS, DefinitionKind.VARIABLE,
)  # fmt: skip


def repository_map(source: FactSource, path: str = "", budget: int = 1024) -> str:
    """The outline, at most `budget` tokens (4 bytes each); definitions of the asked file are left out."""
    graph, definitions = _graph(source)
    if not definitions:
        return ""
    restart = {path: 1.0} if path in definitions else {}
    ranks = pagerank(graph, restart)
    scored: list[tuple[float, str, Definition]] = []
    for file, items in definitions.items():
        if file == path:
            continue
        for definition, uses in items:
            weight = ranks.get(file, 0.0) * (1.0 + math.log1p(uses))
            if not definition.is_public:
                weight *= 0.1
            if definition.kind is DefinitionKind.VARIABLE:
                weight *= 0.3
            scored.append((weight, file, definition))
    scored.sort(key=lambda item: (-item[0], item[1], item[2].span.start))
    chosen: dict[str, list[Definition]] = {}
    left = budget * BYTES_PER_TOKEN
    for _, file, definition in scored:
        line = outline(definition)
        cost = len(line.encode()) + 1 + (len(file.encode()) + 3 if file not in chosen else 0)
        if cost > left:
            if left < 24:
                break
            continue
        left -= cost
        chosen.setdefault(file, []).append(definition)
    parts = []
    for file in sorted(chosen, key=lambda f: (-ranks.get(f, 0.0), f)):
        lines = [outline(d) for d in sorted(chosen[file], key=lambda d: d.span.start)]
        parts.append(f"{file}:\n" + "\n".join(lines))
    return "\n".join(parts) + "\n" if parts else ""


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


_Definitions = dict[str, list[tuple[Definition, int]]]
_CACHE: dict[int, tuple[int, dict[str, dict[str, float]], _Definitions, dict[str, tuple[str, Facts]]]] = {}


def _graph(source: FactSource) -> tuple[dict[str, dict[str, float]], _Definitions]:
    known = _CACHE.get(id(source))
    if known is not None and known[0] == source.generation:
        return known[1], known[2]
    kept = known[3] if known is not None else {}
    facts: dict[str, tuple[str, Facts]] = {}
    for path in source.paths():
        digest = source.digest(path) or ""
        old = kept.get(path)
        if old is not None and old[0] == digest:
            facts[path] = old
        else:
            found = source.facts(path)
            if found is not None:
                facts[path] = (digest, found)
    definers: dict[str, set[str]] = {}
    for path, (_, one) in facts.items():
        for definition in one.definitions:
            if definition.kind in _SHOWN and len(definition.name) > 2 and not definition.name.startswith("__"):
                definers.setdefault(definition.name, set()).add(path)
    useful = {n: d for n, d in definers.items() if len(d) <= _MAX_DEFINERS}
    graph: dict[str, dict[str, float]] = {path: {} for path in facts}
    used: dict[str, int] = {}
    for path, (_, one) in facts.items():
        edges = graph[path]
        for name, count in one.postings.items():
            where = useful.get(name)
            if not where:
                continue
            if path not in where:
                used[name] = used.get(name, 0) + 1
                for definer in where:
                    edges[definer] = edges.get(definer, 0.0) + math.sqrt(count) / len(where)
    definitions: _Definitions = {}
    for path, (_, one) in facts.items():
        items = [
            (d, used.get(d.name, 0))
            for d in one.definitions
            if d.kind in _SHOWN and "<locals>" not in d.qualified_name and not d.name.startswith("__")
        ]
        if items:
            definitions[path] = items
    _CACHE.clear()
    _CACHE[id(source)] = (source.generation, graph, definitions, facts)
    return graph, definitions


def pagerank(graph: Mapping[str, Mapping[str, float]], restart: Mapping[str, float]) -> dict[str, float]:
    """Personalised PageRank by power iteration; `restart` is where the walk begins anew (everywhere if empty)."""
    count = len(graph)
    if not count:
        return {}
    total = sum(restart.values())
    base = {n: restart.get(n, 0.0) / total for n in graph} if total else dict.fromkeys(graph, 1.0 / count)
    shares = {
        node: [(target, weight / whole) for target, weight in edges.items()]
        for node, edges in graph.items()
        if (whole := sum(edges.values())) > 0
    }
    ranks = dict(base)
    for _ in range(_ROUNDS):
        fresh = {n: (1 - _DAMPING) * base[n] for n in graph}
        lost = 0.0
        for node, rank in ranks.items():
            out = shares.get(node)
            if out is None:
                lost += rank
                continue
            for target, share in out:
                fresh[target] += _DAMPING * rank * share
        if lost:
            for node, weight in base.items():
                fresh[node] += _DAMPING * lost * weight
        change = sum(abs(fresh[n] - ranks[n]) for n in graph)
        ranks = fresh
        if change < 1e-6:
            break
    return ranks
