"""Every check by its code."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from graft_server.diagnosis.checks import call_arguments, undefined_name, unresolved_import
from graft_server.diagnosis.model import Check, Severity


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """A check as the settings and the documentation name it."""

    code: str
    severity: Severity
    check: Check
    summary: str
    default: bool = True
    """Off where `graft bench flag` measured more false alarms than one in ten, or than one in 10,000 lines."""


CHECKS: tuple[CheckInfo, ...] = (
    CheckInfo(undefined_name.CODE, undefined_name.SEVERITY, undefined_name.check, "a name that is bound nowhere"),
    CheckInfo(
        unresolved_import.CODE,
        unresolved_import.SEVERITY,
        unresolved_import.check,
        "an import of a module or a name that is not there",
    ),
    CheckInfo(
        call_arguments.CODE,
        call_arguments.SEVERITY,
        call_arguments.check,
        "a call that its function, method or constructor refuses",
    ),
)

CODES = tuple(c.code for c in CHECKS)


def enabled(disabled: Collection[str] = ()) -> tuple[CheckInfo, ...]:
    """Checks that run by default, without those the user switched off."""
    return tuple(c for c in CHECKS if c.default and c.code not in disabled)
