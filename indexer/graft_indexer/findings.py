"""What a tongue proves to be wrong in a file: plain data; the server makes diagnostics of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from graft_indexer.facts import Span

UNDEFINED: Final = "undefined-name"
IMPORT: Final = "unresolved-import"
MEMBER: Final = "missing-member"
ARGUMENTS: Final = "call-arguments"
CODES: Final = (UNDEFINED, IMPORT, MEMBER, ARGUMENTS)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that closed answers disprove; `names` as in a diagnostic, `related` is what proves it.

    With `among` it is proved only of the files at hand, and holds where the first of `names` is a slip of one of these.
    """

    span: Span
    code: str
    message: str
    names: tuple[str, ...] = ()
    related: tuple[tuple[str, Span, str], ...] = ()
    among: frozenset[str] | None = field(default=None, compare=False, repr=False)


def count_message(name: str, least: int, most: int | None, given: int) -> str:
    """What is wrong with the number of arguments of a call."""
    if most is None:
        wanted = f"at least {least}"
    else:
        wanted = str(least) if least == most else f"{least} to {most}"
    return f"{name} takes {wanted} argument{'' if wanted in ('1', 'at least 1') else 's'}, not {given}"
