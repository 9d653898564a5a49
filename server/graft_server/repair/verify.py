"""What must hold before an edit is offered: it parses, the finding is gone, and nothing new appears.

The edited text is put into the graph's overlay, the checks run on it, and what was there before is put back.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from graft_indexer.embedded import has_view
from graft_indexer.facts import Span
from graft_indexer.graph import SymbolGraph
from graft_indexer.syntax import error_spans, language_of
from graft_indexer.syntax import parse as parse_tree
from graft_indexer.text import encode
from graft_server.diagnosis.model import MODEL_HINT, Diagnostic
from graft_server.diagnosis.registry import CODES, enabled
from graft_server.diagnosis.run import PYTHON_SUFFIXES, run_checks
from graft_server.diagnosis.source import parse
from graft_server.edits import Edit, apply_edits

PARSES = "parses"
RESOLVES = "resolves"
GONE = "finding gone"
NOTHING_NEW = "nothing new"


@contextmanager
def overlaid(graph: SymbolGraph, texts: Mapping[str, str]) -> Iterator[None]:
    """The graph with other texts in some files; on leaving, exactly what was there is back, open buffers included."""
    before = {path: graph.text(path) if graph.is_open(path) else None for path in texts}
    try:
        for path, text in texts.items():
            graph.open_buffer(path, text)
        yield
    finally:
        for path, text_before in before.items():
            if text_before is None:
                graph.close_buffer(path)
            else:
                graph.open_buffer(path, text_before)


def edited_texts(graph: SymbolGraph, edits: Iterable[Edit]) -> dict[str, str] | None:
    """The texts that edits lead to; None if a file cannot be read, or is a notebook or a page, or the edits overlap or
    change nothing."""
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.path, []).append(edit)
    texts: dict[str, str] = {}
    for path, some in by_path.items():
        text = graph.text(path) if not has_view(path) else None
        if text is None:
            return None
        try:
            texts[path] = apply_edits(text, some)
        except ValueError:
            return None
        if texts[path] == text:
            return None
    return texts or None


def verify(
    graph: SymbolGraph,
    diagnostic: Diagnostic,
    edits: Sequence[Edit],
    *,
    before: Mapping[str, Counter[tuple[str, ...]]] | None = None,
) -> tuple[str, ...] | None:
    """What holds of `edits` as a mend of `diagnostic`, in the words the user reads; None if they may not be offered.

    `before` are the findings per file without the edits (`fingerprints`); they are computed where they are missing.
    Findings of other servers cannot be run again: then only what the graph sees is claimed.
    """
    texts = edited_texts(graph, edits)
    if texts is None or any(path.endswith(PYTHON_SUFFIXES) and parse(text) is None for path, text in texts.items()):
        return None
    if not any(path.endswith(PYTHON_SUFFIXES) for path in texts):
        return _parses_elsewhere(graph, texts)
    known = dict(before or {})
    for path in texts:
        if path not in known:
            known[path] = fingerprints(run_checks(graph, path, enabled()))
    ours = diagnostic.code in CODES and diagnostic.code != MODEL_HINT  # the model is not asked again
    target = fingerprint(diagnostic)
    # A check that is off by default is run for its own finding.
    checks = enabled(also=(diagnostic.code,))
    if ours and target not in known.get(diagnostic.path, ()):
        known[diagnostic.path] = fingerprints(run_checks(graph, diagnostic.path, checks))
    with overlaid(graph, texts):
        for path in texts:
            if graph.errors(path):
                return None
            after = fingerprints(run_checks(graph, path, checks))
            if any(count > known[path][key] for key, count in after.items()):
                return None
            if ours and path == diagnostic.path and after[target] >= known[path][target]:
                return None
        claims = [PARSES]
        resolved = _resolved(graph, texts, edits)
        if resolved is None:
            return None
        if resolved:
            claims.append(RESOLVES)
    if ours:
        claims.append(GONE)
    return (*claims, NOTHING_NEW)


def _parses_elsewhere(graph: SymbolGraph, texts: Mapping[str, str]) -> tuple[str, ...] | None:
    """Of languages without checks only this can be said: the edit breaks no syntax.  None for others, too."""
    for path, text in texts.items():
        language = language_of(path)
        present = graph.text(path)
        if language is None or present is None:
            return None
        was, now = (parse_tree(encode(t), language).root_node for t in (present, text))
        if now.has_error and (not was.has_error or len(error_spans(now)) > len(error_spans(was))):
            return None
    return (PARSES,)


def fingerprint(diagnostic: Diagnostic) -> tuple[str, ...]:
    """What a finding is about, without its place: edits move places."""
    return (diagnostic.code, *diagnostic.names)


def fingerprints(diagnostics: Iterable[Diagnostic]) -> Counter[tuple[str, ...]]:
    """How often each finding occurs."""
    return Counter(fingerprint(d) for d in diagnostics)


def new_spans(edits: Iterable[Edit]) -> list[tuple[str, Span]]:
    """Where the edits' new text stands after they are applied, as (path, span)."""
    shifts: dict[str, int] = {}
    spans = []
    for edit in sorted(edits, key=lambda e: (e.path, e.start, e.end)):
        shift = shifts.get(edit.path, 0)
        size = len(edit.text.encode("utf-8", "surrogateescape"))
        spans.append((edit.path, Span(edit.start + shift, edit.start + shift + size)))
        shifts[edit.path] = shift + size - (edit.end - edit.start)
    return spans


def _resolved(graph: SymbolGraph, texts: Mapping[str, str], edits: Sequence[Edit]) -> int | None:
    """How many names and imports of the new text lead somewhere in the graph; None if one leads nowhere."""
    seen = 0
    for path, span in new_spans(edits):
        source = parse(texts[path])
        if source is None:
            return None
        for name in source.all(ast.Name):
            at = source.span(name)
            if span.covers(at) and isinstance(name.ctx, ast.Load):
                if not graph.definition_at(path, at.start).value and not _visible(graph, path, name.id, at.start):
                    return None
                seen += 1
        facts = graph.facts(path)
        for item in facts.imports if facts else ():
            if span.start < item.span.end and item.span.start < span.end:
                if not graph.resolve_import(path, item).value:
                    return None
                seen += 1
    return seen


def _visible(graph: SymbolGraph, path: str, name: str, offset: int) -> bool:
    return any(s.name == name for s in graph.visible_names(path, offset).value)
