"""Consequences that are still to be mended: kept from save to save, until nothing is broken any more."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis.model import BREAKS, Diagnostic, Severity
from graft_server.settings import Settings

if TYPE_CHECKING:
    from graft_server.diagnosis.consequences import Consequences


@dataclass(slots=True)
class Pending:
    """Of one graph.  `found` has an entry for every file whose last changes break others."""

    found: dict[str, Consequences] = field(default_factory=dict)
    _texts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Origin -> texts of the files in which stale arguments were found; those hints hold for that text only."""

    def saved(self, graph: SymbolGraph, path: str, before_text: str, settings: Settings) -> Generator[None, None, None]:
        """A file was saved whose text at the last save was `before_text`: look at what it breaks, and again at what
        other files' changes broke in it.  Yields between files, and must be run to its end."""
        from graft_server.diagnosis import consequences

        origins = [path, *(o for o, c in self.found.items() if o != path and path in c.findings)]
        for origin in origins:
            known = self.found.get(origin)
            present = graph.text(origin)
            if origin == path and known is None and present == before_text:
                continue
            # What was broken once stays in view until it is mended: compared with the text before it broke.
            baseline = known.before_text if known is not None else before_text
            now = yield from consequences.stepwise(
                graph,
                origin,
                baseline,
                settings,
                saved_before=before_text if origin == path else present,
                stale=self._still(graph, known),
            )
            if now is None and origin == path and graph.errors(path):
                continue
            if now is None or not now.findings:
                self.found.pop(origin, None)
                self._texts.pop(origin, None)
            else:
                self.found[origin] = now
                self._texts[origin] = {d.path: graph.text(d.path) or "" for d in now.stale}

    def _still(self, graph: SymbolGraph, known: Consequences | None) -> tuple[Diagnostic, ...]:
        if known is None:
            return ()
        texts = self._texts.get(known.path, {})
        return tuple(d for d in known.stale if graph.text(d.path) == texts.get(d.path))

    def findings(self, path: str) -> list[Diagnostic]:
        """What other files' changes broke in a file."""
        return [d for c in self.found.values() for d in c.findings.get(path, ())]

    def files(self) -> set[str]:
        """Files in which something is broken."""
        return {p for c in self.found.values() for p in c.findings}

    def about(self, path: str, start: int, end: int) -> list[Consequences]:
        """Consequences to offer a mend for at a place (bytes): those with a finding there, and those of the file."""
        return [
            c
            for c in self.found.values()
            if c.path == path or any(d.span.start <= end and start <= d.span.end for d in c.findings.get(path, ()))
        ]


def broken_elsewhere(pending: Pending, path: str) -> list[Diagnostic]:
    """One hint at the changed definition itself: how much its change breaks, and where."""
    known = pending.found.get(path)
    if known is None:
        return []
    span = known.place
    related = tuple((d.path, d.span, d.message) for some in known.findings.values() for d in some)
    files = len(known.findings)
    where = "another file" if files == 1 else f"{files} other files"
    places = "1 place" if known.number == 1 else f"{known.number} places"
    message = f"this change breaks {places} in {where}"
    return [Diagnostic(path, span, BREAKS, Severity.WARNING, message, related=related[:20])]
