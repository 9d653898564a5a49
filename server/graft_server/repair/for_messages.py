"""Candidates from what another server's message says: the name that it thinks was meant, an import that nobody uses.

Works for files of any language, since only the message and the place are read.  Formats: TypeScript's diagnostic
messages (`diagnosticMessages.json` of the compiler), those of Go's type checker as gopls passes them on, Pyright's and
mypy's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graft_indexer.facts import Span
from graft_indexer.text import Lines
from graft_server.diagnosis.model import Diagnostic
from graft_server.edits import Edit
from graft_server.repair.candidate import Candidate

_QUOTED = r"['\"`\u2018\u201c](?P<name>[^\W\d][\w$]*)['\"`\u2019\u201d]"
_MEANT = tuple(
    re.compile(pattern)
    for pattern in (
        # tsc 2551, 2552, 2561, 2724, 2820; mypy: `"X" has no attribute "y"; maybe "z"?`
        rf"[Dd]id you mean (?:to write |the (?:static|instance) member )?{_QUOTED}",
        rf"; maybe {_QUOTED}\?",
        # Go: x.foo undefined (type T has no field or method foo, but does have method Foo)
        r"but does have (?:field|method|type) (?P<name>\w+)\)?$",
    )
)
_WORD = re.compile(rb"[^\W\d][\w$]*")
_UNUSED_GO = re.compile(r"^\"[^\"]+\" imported and not used|^\"[^\"]+\" imported as \w+ and not used")


def candidates(data: bytes, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """At most one replacement of the flagged name by the one that the message suggests, or the line of an import."""
    for pattern in _MEANT:
        found = pattern.search(diagnostic.message)
        if found is not None:
            span = _name_in(data, diagnostic.span, diagnostic.message, found["name"])
            if span is not None:
                edit = Edit(diagnostic.path, span.start, span.end, found["name"])
                yield Candidate(f"Change to `{found['name']}`", True, (edit,))
            return
    if _UNUSED_GO.match(diagnostic.message):
        line = _line(data, diagnostic.span)
        text = data[line.start : line.end].strip()
        if text.startswith((b'"', b"import")) or re.fullmatch(rb"\w+\s+\"[^\"]+\"", text):
            yield Candidate("Remove the unused import", True, (Edit(diagnostic.path, line.start, line.end, ""),))


def _name_in(data: bytes, span: Span, message: str, meant: str) -> Span | None:
    """The word inside a flagged range that the message is about: the only one, or one that it quotes."""
    words = [Span(span.start + m.start(), span.start + m.end()) for m in _WORD.finditer(data[span.start : span.end])]
    words = [w for w in words if data[w.start : w.end].decode("utf-8", "surrogateescape") != meant]
    if len(words) == 1:
        return words[0]
    quoted = [w for w in words if _says(message, data[w.start : w.end].decode("utf-8", "surrogateescape"))]
    return quoted[-1] if quoted else None


def _says(message: str, word: str) -> bool:
    return (
        re.search(rf"['\"`\u2018\u201c.]{re.escape(word)}\b|(?:method|field) {re.escape(word)}\b", message) is not None
    )


def _line(data: bytes, span: Span) -> Span:
    """The line that a span begins on, with its break."""
    lines = Lines(data)
    number = lines.line_at(span.start)
    end = lines.starts[number + 1] if number + 1 < len(lines) else len(data)
    return Span(lines.starts[number], end)
