"""The part of `graft bench index` that asks: level 2 of whole files, and single questions after an edit.

Times are processor milliseconds of the one process that asks, so that a busy machine counts less.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graft_indexer.pygraph import PyGraph

_ENDS = re.compile(r"[(\[{\"'#:,\\]|^\s*(?:if|while|for|with|return|assert|yield)\b")
"""Lines that may be part of something longer."""
LINES = (500, 1_500)
"""Questions are asked in files of so many lines."""
_FILES = 6


def level2(args: argparse.Namespace) -> dict[str, Any]:
    """Scopes, bindings and references with their roles of `args.level2` random files, beside `ast.parse` of the same
    files; receivers are found when they are asked for, and stand in `questions`."""
    from graft_indexer import locate

    graph = _graph(args)
    paths = [p for p in graph.paths() if p.endswith(".py")]
    random.Random(args.seed).shuffle(paths)
    built = parsed = 0.0
    lines = count = 0
    for path in paths[: args.level2]:
        text = graph.text(path)
        if text is None:
            continue
        parsed += _timed(lambda text=text: _parse(text)) / 1000  # type: ignore[misc]
        lines += text.count("\n")

        def build(path: str = path) -> None:
            nonlocal count
            file = graph.world.file(path)
            if file is not None:
                count += len(locate.references(file))
                _scopes(file.scope, file.tree.body)

        built += _timed(build) / 1000
    graph.close()
    return {
        "level2_files": min(args.level2, len(paths)),
        "level2_lines": lines,
        "level2_references": count,
        "level2_cpu_seconds": built,
        "level2_parse_cpu_seconds": parsed,
        "level2_ratio_to_parse": built / max(parsed, 1e-9),
    }


def _scopes(scope: Any, body: list[Any]) -> None:
    """Build every scope below one."""
    from graft_indexer.scopes import scope_of

    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            _scopes(scope_of(scope, statement), statement.body)
        else:
            for name in ("body", "orelse", "finalbody"):
                _scopes(scope, getattr(statement, name, []))


def questions(args: argparse.Namespace) -> dict[str, Any]:
    """Each question at random places of random files, after an edit of one line of the file: `level2_edit` is the edit
    reaching the graph's second level, `..._ms` the question then, `..._with_edit_ms` both.  And all names, receivers
    and calls of a file together, for the first time and after an edit.  As in the server, whole collections wait until
    nobody does."""
    from graft_server import garbage

    garbage.relax()
    graph = _graph(args)
    choose = random.Random(args.seed)
    paths = [p for p in graph.paths() if p.endswith(".py") and "/test" not in p and not p.startswith("test/")]
    choose.shuffle(paths)
    asked: dict[str, list[tuple[float, float]]] = {}
    cold = warm = parsed = 0.0
    lines = files = 0
    for path in paths:
        text = graph.text(path) or ""
        if not LINES[0] <= text.count("\n") <= LINES[1] or graph.errors(path):
            continue
        edits = _edits(text)
        if not edits:
            continue
        files += 1
        lines += text.count("\n")
        parsed += _timed(lambda text=text: _parse(text))  # type: ignore[misc]
        graph.open_buffer(path, text)
        cold += _timed(lambda path=path: _ask_all(graph, path))  # type: ignore[misc]
        graph.open_buffer(path, choose.choice(edits))
        warm += _timed(lambda path=path: _ask_all(graph, path))  # type: ignore[misc]
        graph.open_buffer(path, text)
        places = _places(graph, path)
        for _ in range(args.questions // _FILES):
            for name, ask in _kinds(graph, path, choose, places).items():
                now = text if graph.text(path) != text else choose.choice(edits)  # one place changes, not two
                graph.open_buffer(path, now)
                reached = _timed(lambda path=path: _reach(graph, path))  # type: ignore[misc]
                asked.setdefault(name, []).append((reached, _timed(ask)))
        graph.close_buffer(path)
        if files == _FILES:
            break
    first_map, *maps = [_timed(lambda p=p: graph.repository_map(p)) for p in paths[:21]]  # type: ignore[misc]
    graph.close()
    if not files:
        return {}
    found: dict[str, Any] = {
        "question_files": files,
        "map_first_ms": first_map,
        "map_ms_p95": _p95(maps or [first_map]),
    }
    edited = [both[0] for times in asked.values() for both in times]
    found |= {"level2_edit_ms": statistics.median(edited), "level2_edit_ms_p95": _p95(edited)}
    for name, times in asked.items():
        found[f"{name}_ms"] = statistics.median(t for _, t in times)
        found[f"{name}_ms_p95"] = _p95([t for _, t in times])
        found[f"{name}_with_edit_ms_p95"] = _p95([sum(both) for both in times])
    found["pass_first_ms_per_1000_lines"] = cold * 1000 / lines
    found["pass_after_edit_ms_per_1000_lines"] = warm * 1000 / lines
    found["parse_ms_per_1000_lines"] = parsed * 1000 / lines
    return found


def _reach(graph: PyGraph, path: str) -> None:
    """Have an edit in both levels: facts, tree and module scope."""
    graph.facts(path)
    graph.world.sync()
    file = graph.world.file(path)
    assert file is not None and file.scope.is_module


def _graph(args: argparse.Namespace) -> PyGraph:
    from graft_indexer.pygraph import open_graph

    return open_graph(Path(args.root), index_dir=args.index_dir, jobs=args.jobs)


def _kinds(
    graph: PyGraph, path: str, choose: random.Random, places: tuple[list[int], list[int]]
) -> dict[str, Callable[[], object]]:
    names, dots = places
    at, dot = choose.choice(names), choose.choice(dots or [0])

    def call() -> None:
        site = graph.call_at(path, at)
        if site is not None:
            graph.call_target(path, site)

    return {
        "definition": lambda: graph.definition_at(path, at),
        "members": lambda: graph.members_at(path, dot),
        "names": lambda: graph.visible_names(path, at),
        "call": call,
        "usages": lambda: graph.usages(path, at),
    }


def _places(graph: PyGraph, path: str) -> tuple[list[int], list[int]]:
    """Offsets of names, and of the ends of receivers."""
    from graft_indexer.facts import ReferenceRole

    found = graph.file_references(path)
    return [r.span.start for r in found], [r.span.start - 1 for r in found if r.role is ReferenceRole.ATTRIBUTE]


def _ask_all(graph: PyGraph, path: str) -> None:
    """What the checks ask of a file, and more: every name, every receiver, every call."""
    names, dots = _places(graph, path)
    for at in names:
        graph.definition_at(path, at)
        site = graph.call_at(path, at)
        if site is not None:
            graph.call_target(path, site)
    for at in dots:
        graph.members_at(path, at)


def _edits(text: str) -> list[str]:
    """The text with one assignment in a function changed, several ways."""
    lines = text.split("\n")
    places = [n for n, line in enumerate(lines) if line.startswith("    ") and " = " in line and not _ENDS.search(line)]
    changed = (lines[n].split(" = ")[0] + " = 0" for n in places[:40])
    return ["\n".join([*lines[:n], line, *lines[n + 1 :]]) for n, line in zip(places, changed, strict=False)]


def _parse(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return


def _timed(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return (time.process_time() - began) * 1000


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]
