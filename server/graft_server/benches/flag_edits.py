"""Checking a file while it is edited: how long that takes, and whether it finds what a whole check finds."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graft_server.benches.faults import mutate

if TYPE_CHECKING:
    from graft_indexer.graph import SymbolGraph

_LINES = (900, 1_100)
"""Files of about 1,000 lines are timed."""


def timed(graph: SymbolGraph, paths: Sequence[str], edits: int, random_: random.Random) -> dict[str, Any]:
    """Milliseconds, wall and CPU, for a first check, and for one after an edit, of files of about 1,000 lines.

    The first check also reads what the file imports.  After a pause the server has checked what was typed, so that a
    save then checks it once more: `after_pause`.  As in the server, whole collections wait until nobody does.
    """
    from graft_server import garbage
    from graft_server.diagnosis.run import diagnose

    garbage.relax()

    first: list[tuple[float, float]] = []
    after: list[tuple[float, float]] = []
    paused: list[tuple[float, float]] = []
    files = 0
    for path in paths:
        text = graph.text(path) or ""
        if not _LINES[0] <= text.count("\n") <= _LINES[1]:
            continue
        files += 1
        graph.open_buffer(path, text)
        first.append(_measured(lambda path=path: diagnose(graph, path)))
        garbage.tidy()
        for edited in _typed(text, random_, edits):
            graph.open_buffer(path, edited)
            after.append(_measured(lambda path=path: diagnose(graph, path)))
            paused.append(_measured(lambda path=path: diagnose(graph, path)))
        graph.close_buffer(path)
    figures: dict[str, Any] = {"timed_files": files, "timed_edits": len(after)}
    for name, values in (("first_check", first), ("after_edit", after), ("after_pause", paused)):
        for place, unit in enumerate(("ms", "cpu_ms")):
            ordered = sorted(v[place] for v in values)
            if ordered:
                figures[f"{name}_p50_{unit}"] = ordered[len(ordered) // 2]
                figures[f"{name}_p95_{unit}"] = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return figures


def _measured(work: Any) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


_STATEMENT = re.compile(r"^( {4,})(?!def |class |@|\"\"\"|#)(\w[^\n]*[\w)\]])$", re.M)


def _typed(text: str, random_: random.Random, number: int) -> Iterator[str]:
    """The text as it grows while somebody types: a new line in some body, a call, a return."""
    for _ in range(number):
        places = list(_STATEMENT.finditer(text))
        for _ in range(40 if places else 0):
            place = random_.choice(places)
            names = re.findall(r"[^\W\d]\w*", place[2])
            if not names:
                continue
            line = random_.choice(("value = {0}", "print({0})", "if {0}:\n{1}    return {0}", "assert {0} is not None"))
            new = _with(text, place, line.format(random_.choice(names), place[1]))
            if _parses(new):
                text = new
                yield text
                break


def _with(text: str, place: re.Match[str], line: str) -> str:
    return f"{text[: place.end()]}\n{place[1]}{line}{text[place.end() :]}"


def _parses(text: str) -> bool:
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def compared(
    graph: SymbolGraph, paths: Sequence[str], edits: int, random_: random.Random, *, show: bool = False
) -> dict[str, Any]:
    """Random edits that are kept, one after the other: findings of a check that remembers, and of one that does not."""
    from graft_server.diagnosis import incremental, run
    from graft_server.diagnosis.registry import enabled

    checks = list(enabled())
    tried = different = units = checked = 0
    while tried < edits and paths:
        path = random_.choice(paths)
        text = graph.text(path) or ""
        if not 40 < text.count("\n") < 1_500:
            continue
        graph.open_buffer(path, text)
        run.run_checks(graph, path, checks)
        for _ in range(min(12, edits - tried)):
            changed = next(_typed(text, random_, 1), None) if random_.random() < 0.3 else mutate(text, random_)
            if changed is None or not _parses(changed):
                continue
            before, text = text, changed
            tried += 1
            graph.open_buffer(path, text)
            already = incremental.units_checked(graph)
            found = run.run_checks(graph, path, checks)
            checked += incremental.units_checked(graph) - already
            whole = run.run_checks(graph, path, checks, remember=False)
            units += incremental.units_in(graph, path)
            if found != whole:
                different += 1
                if show:
                    _say(path, before, text, found, whole)
        graph.close_buffer(path)
    return {
        "edits_compared": tried,
        "edits_with_other_findings": different,
        "units_checked_after_edit_share": checked / max(1, units),
    }


def _say(path: str, before: str, after: str, found: Sequence[Any], whole: Sequence[Any]) -> None:
    import difflib
    import sys

    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    print(f"--- {path}", *list(lines)[2:], sep="\n", file=sys.stderr)
    for name, some, other in (("lost", whole, found), ("stale", found, whole)):
        for item in some:
            if item not in other:
                print(f"{name}: {item.code} {item.message}", file=sys.stderr)
