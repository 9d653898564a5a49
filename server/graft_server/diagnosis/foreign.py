"""Findings in files that are not Python's: what their language's part of the graph proves, as diagnostics.

Comments that silence other tools on a line silence Graft there: `@ts-ignore`, `@ts-expect-error`, `@ts-nocheck`,
`eslint-disable...`, `nolint`, and `graft: ignore`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol, runtime_checkable

from graft_indexer.facts import Span
from graft_indexer.findings import Finding
from graft_indexer.graph import SymbolGraph
from graft_indexer.text import Lines
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic, Severity

SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".go")
"""Files whose language can prove something."""
_WHOLE = re.compile(rb"^\s*(?://|/\*)\s*(?:@ts-nocheck|eslint-disable\s*(?:\*/|$)|graft: ignore-file)", re.MULTILINE)
_HERE = re.compile(rb"//\s*nolint|eslint-disable-line|graft: ignore")
_NEXT = re.compile(rb"@ts-ignore|@ts-expect-error|eslint-disable-next-line")


@runtime_checkable
class Finder(Protocol):
    """A graph that knows what is wrong in files of other languages."""

    def findings(self, path: str, within: Span | None = None) -> Sequence[Finding]: ...


def diagnostics(graph: SymbolGraph, path: str, codes: Collection[str]) -> list[Diagnostic]:
    """Findings with one of the codes in a file, by place; empty for languages of which nothing can be proved."""
    if not path.endswith(SUFFIXES) or not isinstance(graph, Finder) or graph.errors(path):
        return []
    found = [f for f in graph.findings(path) if f.code in codes and (f.among is None or closest(f.names[0], f.among))]
    text = graph.text(path) if found else None
    if text is None:
        return []
    return [
        Diagnostic(path, f.span, f.code, Severity.ERROR, f.message, f.names, (), f.related)
        for f in _unsilenced(Lines.of(text), found)
    ]


def _unsilenced(lines: Lines, found: Sequence[Finding]) -> Iterator[Finding]:
    data = lines.data
    if _WHOLE.search(data):
        return
    for finding in found:
        line = lines.line_at(finding.span.start)
        here = data[lines.starts[line] : lines.end_of(line)]
        above = data[lines.starts[line - 1] : lines.end_of(line - 1)] if line else b""
        if not _HERE.search(here) and not _NEXT.search(above):
            yield finding


def first_in(graph: SymbolGraph, path: str, within: Span) -> Finding | None:
    """The first finding in a range of a buffer, one that ends with the range left out: the name may go on.

    What is proved of the files at hand alone (`Finding.among`) counts: nothing is suggested that they do not know.
    """
    if not path.endswith(SUFFIXES) or not isinstance(graph, Finder):
        return None
    return next((f for f in graph.findings(path, within) if f.span.end < within.end), None)
