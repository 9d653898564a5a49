"""Between the protocol's types and Graft's: places, addresses, diagnostics, edits.  Each is converted here, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lsprotocol import types
from pygls.uris import from_fs_path, to_fs_path

from graft_indexer.facts import Span
from graft_indexer.text import Lines, Unit
from graft_server.completion.model import Completion
from graft_server.diagnosis import overlap
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.overlap import Foreign
from graft_server.edits import Edit

SOURCE = "graft"
"""The `source` of our diagnostics."""

_SEVERITY = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFORMATION: types.DiagnosticSeverity.Information,
    Severity.HINT: types.DiagnosticSeverity.Hint,
}

_UNITS: dict[str, Unit] = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-32": "utf-32"}


def unit_of(encoding: types.PositionEncodingKind | str | None) -> Unit:
    """What columns count in, from the negotiated position encoding."""
    name = encoding.value if isinstance(encoding, types.PositionEncodingKind) else encoding
    return _UNITS.get(name or "utf-16", "utf-16")


def path_of(uri: str) -> str:
    """The absolute path of a file address; empty for any other scheme (an untitled buffer, a notebook cell)."""
    if not uri.startswith("file:"):
        return ""
    return to_fs_path(uri) or ""


def uri_of(path: str) -> str:
    """The address of an absolute path."""
    return from_fs_path(path) or f"file://{path}"


def position(lines: Lines, offset: int, unit: Unit) -> types.Position:
    """Where byte `offset` lies."""
    line, column = lines.position(offset, unit)
    return types.Position(line, column)


def offset(lines: Lines, place: types.Position, unit: Unit) -> int:
    """The byte that a position names; past the end counts as the end, as the protocol says."""
    if place.line >= len(lines):
        return len(lines.data)
    return lines.offset(place.line, place.character, unit)


def range_of(lines: Lines, start: int, end: int, unit: Unit) -> types.Range:
    """The range of bytes `start` to `end`."""
    return types.Range(position(lines, start, unit), position(lines, end, unit))


def span_of(lines: Lines, place: types.Range, unit: Unit) -> Span:
    """The bytes of a range; an end before the start counts as empty."""
    start = offset(lines, place.start, unit)
    return Span(start, max(start, offset(lines, place.end, unit)))


def diagnostic(
    found: Diagnostic,
    lines: Lines,
    unit: Unit,
    lines_of: Callable[[str], Lines | None],
    absolute: Callable[[str], str],
) -> types.Diagnostic:
    """One finding in the protocol's form.  `lines_of` gives other files' lines for the places that prove it."""
    related = []
    for path, span, message in found.related:
        other = lines_of(path)
        if other is not None:
            where = types.Location(uri_of(absolute(path)), range_of(other, span.start, span.end, unit))
            related.append(types.DiagnosticRelatedInformation(where, message))
    return types.Diagnostic(
        range=range_of(lines, found.span.start, found.span.end, unit),
        message=found.message,
        severity=_SEVERITY[found.severity],
        code=found.code,
        source=SOURCE,
        related_information=related or None,
    )


def foreign(found: types.Diagnostic, lines: Lines, unit: Unit) -> Foreign:
    """Another server's finding."""
    code = found.code if isinstance(found.code, (str, int)) else ""
    return overlap.foreign(found.source or "", str(code), found.message, span_of(lines, found.range, unit), lines)


def finding_of(found: types.Diagnostic, path: str, lines: Lines, unit: Unit) -> Diagnostic:
    """Another server's finding in our form, to look for fixes."""
    code = str(found.code) if isinstance(found.code, (str, int)) else ""
    severity = next((s for s, t in _SEVERITY.items() if t == found.severity), Severity.ERROR)
    return Diagnostic(
        path, span_of(lines, found.range, unit), code, severity, found.message, source=found.source or "?"
    )


def diagnostic_from(value: Any) -> types.Diagnostic | None:
    """A diagnostic of a message of our own, which arrives as plain JSON; None if it is none."""
    try:
        place = value["range"]
        start, end = (types.Position(int(place[n]["line"]), int(place[n]["character"])) for n in ("start", "end"))
        code = value.get("code")
        return types.Diagnostic(
            types.Range(start, end),
            str(value.get("message", "")),
            code=code if isinstance(code, (str, int)) else None,
            source=str(value.get("source") or ""),
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def workspace_edit(
    edits: Iterable[Edit],
    lines_of: Callable[[str], Lines | None],
    uri_for: Callable[[str], str],
    version_of: Callable[[str], int | None],
    unit: Unit,
    *,
    versioned: bool,
) -> types.WorkspaceEdit | None:
    """Edits in the protocol's form, with document versions if the client takes them; None if a file is gone."""
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.path, []).append(edit)
    changes: dict[str, list[types.TextEdit]] = {}
    for path, group in by_path.items():
        lines = lines_of(path)
        if lines is None:
            return None
        changes[path] = [
            types.TextEdit(range_of(lines, edit.start, edit.end, unit), edit.text) for edit in sorted(group)
        ]
    if versioned:
        return types.WorkspaceEdit(
            document_changes=[
                types.TextDocumentEdit(
                    types.OptionalVersionedTextDocumentIdentifier(uri_for(path), version_of(path)), list(texts)
                )
                for path, texts in changes.items()
            ]
        )
    return types.WorkspaceEdit(changes={uri_for(path): texts for path, texts in changes.items()})


def inline_item(found: Completion, lines: Lines, unit: Unit, command: types.Command) -> types.InlineCompletionItem:
    """Ghost text with an explicit range on the cursor's line, and the command that tells of its acceptance."""
    return types.InlineCompletionItem(
        insert_text=found.insert,
        filter_text=found.insert,
        range=range_of(lines, found.start, found.end, unit),
        command=command,
    )
