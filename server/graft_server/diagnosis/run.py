"""Run the checks on one file: what an editor shows after saving, and what `graft check` prints."""

from __future__ import annotations

import fnmatch
from collections.abc import Generator, Iterable, Sequence

from graft_indexer.facts import Span
from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis import incremental
from graft_server.diagnosis.calls import remembered
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.registry import CheckInfo, enabled
from graft_server.diagnosis.source import Source, source_of
from graft_server.diagnosis.subject import Subject
from graft_server.diagnosis.suppress import unsuppressed
from graft_server.diagnosis.units import units_of
from graft_server.settings import Settings

PYTHON_SUFFIXES = (".py", ".pyi", ".pyw")


def diagnose(graph: SymbolGraph, path: str, settings: Settings | None = None) -> list[Diagnostic]:
    """Findings in one file or buffer, by place; empty if it is switched off, excluded, or cannot be parsed."""
    settings = settings or Settings()
    if not settings.diagnosis_enable or excluded(path, settings.diagnosis_exclude):
        return []
    return run_checks(graph, path, enabled(settings.diagnosis_disabled, settings.diagnosis_enabled))


def run_checks(
    graph: SymbolGraph,
    path: str,
    checks: Iterable[CheckInfo],
    names: frozenset[str] | None = None,
    *,
    remember: bool = True,
) -> list[Diagnostic]:
    """Findings of the given checks, suppressions honoured, in order of place.

    Of an open buffer only what may have changed is checked again, unless `remember` is false.  With `names`, only
    calls, attributes and imports of these names are looked at.
    """
    source = _readable(graph, path)
    if source is None:
        return []
    checks = list(checks)
    if names is not None:
        subject = Subject(graph, path, source, names=names)
        with remembered():
            found = [d for c in checks for d in incremental.checked(c, subject)]
    else:
        found = incremental.findings(graph, path, source, checks, keep=remember and graph.is_open(path))
    return _ordered(source, found)


def check_spans(graph: SymbolGraph, path: str, checks: Iterable[CheckInfo], spans: Sequence[Span]) -> list[Diagnostic]:
    """Findings of a file in the parts (functions, other statements) that hold one of `spans`; of checks that look at
    whole files everywhere."""
    source = _readable(graph, path)
    if source is None:
        return []
    found = [d for c in checks if c.whole for d in incremental.checked(c, Subject(graph, path, source))]
    parts = [c for c in checks if not c.whole]
    for unit in units_of(source):
        if any(unit.span.start <= s.end and s.start <= unit.span.end for s in spans):
            found += incremental.check_unit(graph, path, source, unit, parts)[0]
    return _ordered(source, found)


def stepwise(graph: SymbolGraph, path: str, settings: Settings) -> Generator[None, None, list[Diagnostic]]:
    """As `diagnose`, in steps of some milliseconds, between which the graph must not change."""
    source = _readable(graph, path)
    if source is None or not settings.diagnosis_enable or excluded(path, settings.diagnosis_exclude):
        return []
    checks = enabled(settings.diagnosis_disabled, settings.diagnosis_enabled)
    found = yield from incremental.stepwise(graph, path, source, checks, keep=graph.is_open(path))
    return _ordered(source, found)


def _readable(graph: SymbolGraph, path: str) -> Source | None:
    if not path.endswith(PYTHON_SUFFIXES) or graph.errors(path):
        return None
    return source_of(graph, path)


def _ordered(source: Source, found: Iterable[Diagnostic]) -> list[Diagnostic]:
    unique = {(d.span, d.code, d.message): d for d in found}
    return sorted(unsuppressed(source.text, unique.values()), key=lambda d: (d.span, d.code, d.message))


def excluded(path: str, globs: Iterable[str]) -> bool:
    """Whether a path matches one of the user's globs (`**/` also matches no folder)."""
    for glob in globs:
        for pattern in {glob, glob.removeprefix("**/")}:
            if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, pattern.rstrip("/") + "/*"):
                return True
    return False
