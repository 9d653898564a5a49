"""A changed definition in a large repository: how long until the places that it breaks are known, and are they all."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graft_server.edits import Edit, apply_edits

if TYPE_CHECKING:
    from graft_indexer.facts import Definition
    from graft_indexer.graph import SymbolGraph

_CALLERS = 2
"""Files that must use a definition for it to be chosen."""


def changed(
    graph: SymbolGraph, paths: Sequence[str], number: int, random_: random.Random, *, show: bool = False
) -> dict[str, Any]:
    """Functions that other files use are renamed or get a new first parameter, one at a time, as if just saved.

    Milliseconds, wall and CPU, until the findings are known, and for the action that mends them; and the share of the
    files that hold a resolved call of the function in which something is found.
    """
    import sys

    from graft_server.diagnosis.consequences import consequences
    from graft_server.repair.consequences import mend

    looked: list[tuple[float, float]] = []
    mends: list[tuple[float, float]] = []
    tried = broken = mended = callers = flagged = 0
    for path in random_.sample(list(paths), len(paths)):
        if tried >= number:
            break
        facts, text = graph.facts(path), graph.text(path)
        if facts is None or text is None:
            continue
        for definition in random_.sample(list(facts.definitions), len(facts.definitions)):
            files = _users(graph, path, definition)
            after = _edited(path, text, definition, random_)
            if len(files) < _CALLERS or after is None:
                continue
            graph.open_buffer(path, text)
            graph.visible_names(path, 0)
            graph.open_buffer(path, after)
            began = time.perf_counter(), time.process_time()
            found = consequences(graph, path, text)
            looked.append(_since(began))
            tried += 1
            if found is not None:
                broken += found.number
                callers += len(files)
                flagged += len(files & set(found.findings))
                began = time.perf_counter(), time.process_time()
                mended += mend(graph, found) is not None
                mends.append(_since(began))
                if show:
                    print(
                        f"{path}: {definition.qualified_name}: {found.number} in {len(found.findings)} of"
                        f" {len(files)} files, {looked[-1][0]:.0f} ms",
                        file=sys.stderr,
                    )
            graph.close_buffer(path)
            break
    figures: dict[str, Any] = {
        "repository_files": len(graph.paths()),
        "changes": tried,
        "changes_mended": mended,
        "broken_places": broken,
        "files_with_calls_flagged_share": flagged / max(1, callers),
    }
    for name, values in (("consequences", looked), ("mend", mends)):
        for place, unit in enumerate(("ms", "cpu_ms")):
            ordered = sorted(v[place] for v in values)
            for label, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
                if ordered:
                    index = min(len(ordered) - 1, int(len(ordered) * share))
                    figures[f"{name}_{label}_{unit}"] = ordered[index]
    return figures


def _since(began: tuple[float, float]) -> tuple[float, float]:
    return (time.perf_counter() - began[0]) * 1000, (time.process_time() - began[1]) * 1000


def _users(graph: SymbolGraph, path: str, definition: Definition) -> set[str]:
    """Other files that call a function of the module itself."""
    from graft_indexer.facts import DefinitionKind

    if definition.kind is not DefinitionKind.FUNCTION or definition.parent or definition.conditional:
        return set()
    if definition.decorators or definition.name.startswith("__"):
        return set()
    for symbol in graph.find(definition.name):
        if symbol.path == path and symbol.name_span == definition.name_span:
            return {location.path for location in graph.callers(symbol).value} - {path}
    return set()


def _edited(path: str, text: str, definition: Definition, random_: random.Random) -> str | None:
    """The text with the function renamed, or with a required parameter put first."""
    at = definition.name_span
    if random_.random() < 0.5:
        return apply_edits(text, [Edit(path, at.start, at.end, definition.name + "_renamed")])
    data = text.encode("utf-8", "surrogateescape")
    if re.match(rb"\s*\(", data[at.end : at.end + 4]) is None or (definition.signature is None):
        return None
    place = data.index(b"(", at.end) + 1
    return apply_edits(
        text, [Edit(path, place, place, "added_parameter, " if definition.signature.parameters else "x")]
    )
