"""Findings that another language server shows as well: said once is enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from graft_indexer.facts import Span
from graft_indexer.text import Lines
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.suppress import FOREIGN

Mode = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another server's finding, by the text of its first line, so that it is known again after edits elsewhere.

    `start` and `end` are bytes from the line's beginning; `end` is the line's end for a finding over several lines.
    """

    source: str
    code: str
    message: str
    line: bytes
    start: int
    end: int


def foreign(source: str, code: str, message: str, span: Span, lines: Lines) -> Foreign:
    """Another server's finding at `span` of a text."""
    text, begin = line_of(span, lines)
    return Foreign(source, code, message, text, span.start - begin, min(span.end - begin, len(text)))


def line_of(span: Span, lines: Lines) -> tuple[bytes, int]:
    """(the line that a span begins on, without its break; where it begins)."""
    number = lines.line_at(span.start)
    begin = lines.starts[number]
    end = lines.starts[number + 1] if number + 1 < len(lines) else len(lines.data)
    return lines.data[begin:end].rstrip(b"\r\n"), begin


def duplicate(ours: Diagnostic, lines: Lines, others: Iterable[Foreign], mode: Mode) -> bool:
    """Whether a finding need not be shown: `on` hides it beside any other finding at its place, `auto` beside one that
    says the same, `off` never."""
    if mode == "off":
        return False
    text, begin = line_of(ours.span, lines)
    start, end = ours.span.start - begin, ours.span.end - begin
    return any(
        other.line == text and other.start < max(end, start + 1) and start < max(other.end, other.start + 1)
        for other in others
        if mode == "on" or same(ours, other)
    )


def same(ours: Diagnostic, other: Foreign) -> bool:
    """Whether two findings say the same: by the other's code, or, if it has none, by the name that it is about."""
    if other.code:
        return other.code in FOREIGN.get(ours.code, frozenset())
    return bool(ours.names) and any(
        quoted in other.message for name in ours.names[:1] for quoted in (f"'{name}'", f'"{name}"', f"`{name}`")
    )
