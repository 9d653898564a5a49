"""Run the checks on one file: what an editor shows after saving, and what `graft check` prints."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis.calls import remembered
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.registry import CheckInfo, enabled
from graft_server.diagnosis.source import source_of
from graft_server.diagnosis.suppress import unsuppressed
from graft_server.errors import cannot_happen
from graft_server.settings import Settings

PYTHON_SUFFIXES = (".py", ".pyi", ".pyw")


def diagnose(graph: SymbolGraph, path: str, settings: Settings | None = None) -> list[Diagnostic]:
    """Findings in one file or buffer, by place; empty if it is switched off, excluded, or cannot be parsed."""
    settings = settings or Settings()
    if not settings.diagnosis_enable or excluded(path, settings.diagnosis_exclude):
        return []
    return run_checks(graph, path, enabled(settings.diagnosis_disabled, settings.diagnosis_enabled))


def run_checks(graph: SymbolGraph, path: str, checks: Iterable[CheckInfo]) -> list[Diagnostic]:
    """Findings of the given checks, suppressions honoured, in order of place."""
    if not path.endswith(PYTHON_SUFFIXES):
        return []
    source = source_of(graph, path)
    if source is None or graph.errors(path):
        return []
    found: list[Diagnostic] = []
    with remembered():
        for info in checks:
            try:
                found.extend(info.check(graph, path))
            except Exception as error:  # one check's mistake must not hide what the others found
                cannot_happen(f"check {info.code} failed on {path}: {type(error).__name__}: {error}")
    unique = {(d.span, d.code, d.message): d for d in found}
    return sorted(unsuppressed(source.text, unique.values()), key=lambda d: (d.span, d.code, d.message))


def excluded(path: str, globs: Iterable[str]) -> bool:
    """Whether a path matches one of the user's globs (`**/` also matches no folder)."""
    for glob in globs:
        for pattern in {glob, glob.removeprefix("**/")}:
            if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, pattern.rstrip("/") + "/*"):
                return True
    return False
