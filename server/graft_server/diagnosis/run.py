"""Run the checks on one file: what an editor shows after saving, and what `graft check` prints."""

from __future__ import annotations

import fnmatch
from collections.abc import Generator, Iterable

from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis import foreign, incremental
from graft_server.diagnosis.calls import remembered
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.registry import CheckInfo, enabled
from graft_server.diagnosis.source import Source, source_of
from graft_server.diagnosis.subject import Subject
from graft_server.diagnosis.suppress import unsuppressed
from graft_server.settings import Settings

PYTHON_SUFFIXES = (".py", ".pyi", ".pyw", ".ipynb")


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
    *,
    remember: bool = True,
) -> list[Diagnostic]:
    """Findings of the given checks, suppressions honoured, in order of place.

    Of an open buffer only what may have changed is checked again, unless `remember` is false.
    """
    if not path.endswith(PYTHON_SUFFIXES):
        return foreign.diagnostics(graph, path, {c.code for c in checks})
    source = _readable(graph, path)
    if source is None:
        return []
    found = incremental.findings(graph, path, source, list(checks), keep=remember and graph.is_open(path))
    return _ordered(source, found)


def check_names(
    graph: SymbolGraph, path: str, checks: Iterable[CheckInfo], names: frozenset[str], *, whole: bool = False
) -> list[Diagnostic]:
    """Findings of calls, attributes and imports of some names.

    Checks that look at whole files say nothing about single names, but where a star import may have brought them:
    they are run there, and everywhere if `whole` is set.
    """
    source = _readable(graph, path)
    if source is None:
        return []
    facts = graph.facts(path)
    whole = whole or (facts is not None and any(i.name == "*" for i in facts.imports))
    subject = Subject(graph, path, source, names=names)
    found: list[Diagnostic] = []
    with remembered():
        for info in checks:
            if not info.whole:
                found += incremental.checked(info, subject)
            elif whole:
                found += incremental.checked(info, Subject(graph, path, source))
    return _ordered(source, found)


def stepwise(graph: SymbolGraph, path: str, settings: Settings) -> Generator[None, None, list[Diagnostic]]:
    """As `diagnose`, in steps of some milliseconds, between which the graph must not change."""
    if not path.endswith(PYTHON_SUFFIXES):
        return diagnose(graph, path, settings)
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
