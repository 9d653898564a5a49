"""Findings as SARIF 2.1.0, the format that code hosts read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from graft_server import __version__
from graft_server.diagnosis.model import Severity
from graft_server.diagnosis.registry import CHECKS, CODES

_LEVELS = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}


def _uri(path: str) -> str:
    """A relative reference, or the address of an absolute path."""
    return ("file://" if path.startswith("/") else "") + quote(path)


def sarif(diagnostics: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A log of one run; `diagnostics` are entries of `graft check --format json`, whose
    edits also have their `region`: SARIF allows text to replace only what is named by lines and columns."""
    rules = [
        {
            "id": c.code,
            "shortDescription": {"text": c.summary},
            "defaultConfiguration": {"level": _LEVELS[Severity(c.severity).value]},
        }
        for c in CHECKS
    ]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "graft", "version": __version__, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(d) for d in diagnostics],
            }
        ],
    }


def _result(entry: dict[str, Any]) -> dict[str, Any]:
    region = {
        "startLine": entry["line"],
        "startColumn": entry["column"],
        "endLine": entry["end_line"],
        "endColumn": entry["end_column"],
    }
    result: dict[str, Any] = {
        "ruleId": entry["code"],
        "ruleIndex": CODES.index(entry["code"]),
        "level": _LEVELS[entry["severity"]],
        "message": {"text": entry["message"]},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": _uri(entry["path"])}, "region": region}},
        ],
    }
    if entry["fixes"]:
        result["fixes"] = [
            {
                "description": {"text": fix["title"]},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": _uri(path)},
                        "replacements": [
                            {
                                "deletedRegion": e["region"],
                                "insertedContent": {"text": e["text"]},
                            }
                            for e in fix["edits"]
                            if e["path"] == path
                        ],
                    }
                    for path in dict.fromkeys(e["path"] for e in fix["edits"])
                ],
            }
            for fix in entry["fixes"]
        ]
    return result
