"""Comments that silence findings: Graft's own, and those people already have for Ruff, mypy, Pyright and Pylint.

x = fetch()  # noqa                       everything on the line
x = fetch()  # noqa: F821                 by code: Ruff's or Flake8's, or Graft's
x = fetch()  # type: ignore[name-defined]
x = fetch()  # pyright: ignore[reportUndefinedVariable]
x = fetch()  # pylint: disable=undefined-variable
x = fetch()  # graft: ignore[undefined-name]
# graft: ignore-file[unreachable-code]    the whole file, from a line of its own
# ruff: noqa                              (also `flake8: noqa`, and `type: ignore` before any code)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from graft_indexer.text import Lines, encode
from graft_server.diagnosis.model import Diagnostic

FOREIGN: dict[str, frozenset[str]] = {
    "undefined-name": frozenset({"F821", "name-defined", "reportUndefinedVariable", "undefined-variable", "E0602"}),
    "unresolved-import": frozenset(
        {
            *("attr-defined", "import", "import-not-found", "import-untyped", "reportAttributeAccessIssue", "E0611"),
            *("reportMissingImports", "reportMissingModuleSource", "no-name-in-module", "import-error", "E0401"),
        }
    ),
    "call-arguments": frozenset(
        {
            *("call-arg", "call-overload", "misc", "reportCallIssue", "reportGeneralTypeIssues", "E1120", "E1121"),
            *("E1123", "E1124", "no-value-for-parameter", "too-many-function-args", "unexpected-keyword-arg"),
            "redundant-keyword-arg",
        }
    ),
    "missing-member": frozenset(
        {"attr-defined", "union-attr", "reportAttributeAccessIssue", "no-member", "E1101", "reportOptionalMemberAccess"}
    ),
    "swapped-arguments": frozenset({"arguments-out-of-order", "W1114", "arg-type", "reportArgumentType"}),
    "not-awaited": frozenset({"unused-coroutine", "reportUnusedCoroutine", "RUF006", "unused-awaitable"}),
    "none-used": frozenset(
        {"func-returns-value", "assignment-from-no-return", "E1111", "E1128", "assignment-from-none"}
    ),
    "incompatible-override": frozenset(
        {"override", "reportIncompatibleMethodOverride", "arguments-differ", "W0221", "signature-differs"}
    ),
    "abstract-class": frozenset({"abstract", "reportAbstractUsage", "abstract-class-instantiated", "E0110"}),
    "unreachable-code": frozenset({"unreachable", "W0101", "reportUnreachable"}),
    "format-string": frozenset(
        {
            *("F501", "F502", "F503", "F504", "F505", "F506", "F507", "F508", "F509", "F521", "F522", "F523", "F524"),
            *("F525", "str-format", "PLE1205", "PLE1206", "PLE1300", "PLE1307", "E1305", "E1306", "E1205", "E1206"),
            *("too-many-format-args", "too-few-format-args", "logging-too-many-args", "logging-too-few-args"),
        }
    ),
}
"""Graft's code -> what other tools call the same finding; a comment naming one of them silences ours."""

_COMMENT = re.compile(
    r"#\s*(?:"
    r"(?P<noqa>noqa)\b(?:\s*:\s*(?P<noqa_codes>[A-Za-z0-9_-]+(?:[,\s]+[A-Za-z0-9_-]+)*))?"
    r"|(?P<tool>type|pyright|graft|mypy|ty)\s*:\s*ignore(?!-)(?:\s*\[(?P<codes>[^\]]*)\])?"
    r"|pylint\s*:\s*disable\s*=\s*(?P<pylint>[\w\-, ]+)"
    r")",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"^[ \t]*#\s*(?:(?:ruff|flake8)\s*:\s*noqa(?:\s*:\s*(?P<a>[\w,\- ]+))?"
    r"|graft\s*:\s*ignore-file(?:\s*\[(?P<b>[^\]]*)\])?"
    r"|pylint\s*:\s*(?P<skip>skip-file)|pyright\s*:\s*(?P<pyright>basic|strict))\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_HEAD = re.compile(r"\A(?:[ \t]*(?:#[^\n]*)?\r?\n)*?[ \t]*#\s*type\s*:\s*ignore\s*(?:#.*)?$", re.MULTILINE)


@lru_cache(maxsize=16)
def _silenced(text: str) -> tuple[frozenset[str] | None, dict[int, frozenset[str] | None]]:
    """(codes silenced in the whole file, or None for all; line -> codes, or None for all)."""
    whole: frozenset[str] | None = frozenset()
    if "#" not in text:
        return whole, {}
    if _HEAD.match(text):
        whole = None
    for found in _FILE.finditer(text):
        if found["pyright"]:
            continue
        listed = found["a"] or found["b"]
        if listed is None:
            whole = None
        elif whole is not None:
            whole |= _codes(listed)
    lines: dict[int, frozenset[str] | None] = {}
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text)):
        if "#" not in line:
            continue
        for found in _COMMENT.finditer(line):
            listed = found["noqa_codes"] or found["codes"] or found["pylint"]
            if listed is None:
                lines[number] = None
            elif lines.get(number, frozenset()) is not None:
                lines[number] = (lines.get(number) or frozenset()) | _codes(listed)
    return whole, lines


def _codes(text: str) -> frozenset[str]:
    return frozenset(c for c in re.split(r"[,\s]+", text.strip()) if c)


def unsuppressed(text: str, diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Those findings that no comment silences; a comment counts on the finding's first and on its last line."""
    whole, by_line = _silenced(text)
    if whole is None:
        return
    lines = Lines(encode(text)) if by_line else None
    for diagnostic in diagnostics:
        if _names(whole, diagnostic.code):
            continue
        if lines is not None:
            span = diagnostic.span
            at = {lines.line_at(span.start), lines.line_at(max(span.start, span.end - 1))}
            if any(n in by_line and _names(by_line[n], diagnostic.code) for n in at):
                continue
        yield diagnostic


def _names(codes: frozenset[str] | None, code: str) -> bool:
    if codes is None:
        return True
    return code in codes or not codes.isdisjoint(FOREIGN.get(code, frozenset()))
