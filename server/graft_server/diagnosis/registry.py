"""Every check by its code."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from graft_server.diagnosis.checks import (
    abstract_class,
    call_arguments,
    format_string,
    incompatible_override,
    missing_member,
    results,
    swapped_arguments,
    undefined_name,
    unknown_suppression,
    unreachable_code,
    unresolved_import,
)
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import BREAKS, MODEL_HINT, STALE_ARGUMENTS, Check, Severity


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """A check as the settings and the documentation name it."""

    code: str
    severity: Severity
    check: Check
    summary: str
    whole: bool = False
    """Looks at the whole file, by its text alone or nearly so: cheap, and not to be cut into units."""
    default: bool = True
    """Off where `graft bench flag` measured more false alarms than one in ten, or than one in 10,000 lines."""


CHECKS: tuple[CheckInfo, ...] = (
    CheckInfo("undefined-name", undefined_name.SEVERITY, undefined_name.check, "a name that is bound nowhere", True),
    CheckInfo(
        "unresolved-import",
        unresolved_import.SEVERITY,
        unresolved_import.check,
        "an import of a module or a name that is not there",
    ),
    CheckInfo(
        "call-arguments",
        call_arguments.SEVERITY,
        call_arguments.check,
        "a call that its function, method or constructor refuses",
    ),
    CheckInfo(
        "missing-member", missing_member.SEVERITY, missing_member.check, "an attribute that its receiver does not have"
    ),
    CheckInfo(
        "swapped-arguments",
        swapped_arguments.SEVERITY,
        swapped_arguments.check,
        "two variables passed to each other's parameters",
    ),
    CheckInfo(results.NOT_AWAITED, results.NOT_AWAITED_SEVERITY, results.not_awaited, "a coroutine nobody awaits"),
    CheckInfo(results.NOT_ITERATED, results.NOT_ITERATED_SEVERITY, results.not_iterated, "a generator nobody iterates"),
    CheckInfo(
        results.NONE_USED,
        results.NONE_USED_SEVERITY,
        results.none_used,
        "the result of a function that returns nothing is used",
    ),
    CheckInfo(
        "abstract-class",
        abstract_class.SEVERITY,
        abstract_class.check,
        "an instance of a class that has abstract methods left",
    ),
    CheckInfo(
        "unreachable-code",
        unreachable_code.SEVERITY,
        unreachable_code.check,
        "statements after one that always leaves",
        True,
    ),
    CheckInfo(
        "format-string", format_string.SEVERITY, format_string.check, "a format that does not fit its arguments", True
    ),
    CheckInfo(
        "incompatible-override",
        incompatible_override.SEVERITY,
        incompatible_override.check,
        "a method that refuses calls which the method it overrides takes",
        default=False,
    ),
    CheckInfo(
        unknown_suppression.CODE,
        unknown_suppression.SEVERITY,
        unknown_suppression.check,
        "a comment that silences a check which does not exist",
        True,
    ),
)

CODES = (*(c.code for c in CHECKS), STALE_ARGUMENTS, BREAKS, MODEL_HINT)


def unknown_codes(codes: Iterable[str]) -> list[str]:
    """One sentence for every code that no check has, with the one that may be meant."""
    said = []
    for code in codes:
        if code not in CODES:
            near = closest(code, CODES)
            said.append(f"no check is called {code!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return said


def enabled(disabled: Collection[str] = (), also: Collection[str] = ()) -> tuple[CheckInfo, ...]:
    """Checks that run by default and those named in `also`, without those the user switched off."""
    return tuple(c for c in CHECKS if (c.default or c.code in also) and c.code not in disabled)
