"""What a check finds and what may be done about it: plain data, byte offsets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from graft_indexer.facts import Span
from graft_server.edits import Edit

if TYPE_CHECKING:
    from graft_server.diagnosis.subject import Subject


STALE_ARGUMENTS = "stale-arguments"
"""Found by comparing a definition with what it was before a save (`consequences`), not by looking at a file."""
MODEL_HINT = "model-hint"
"""Of a model, not of the graph (`model_hints`)."""
BREAKS = "breaks-callers"
"""At a changed definition: what its change breaks in other files."""


class Severity(StrEnum):
    """As in the language server protocol."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.  `code` is stable and names a page of the documentation (`undefined-name`)."""

    path: str
    span: Span
    code: str
    severity: Severity
    message: str
    names: tuple[str, ...] = ()
    """What the finding is about, most important first, for the fixes: the unknown name, the module, the parameter."""
    candidates: tuple[str, ...] = ()
    """Names that would have been right there, as far as the graph knows (closed answers only)."""
    related: tuple[tuple[str, Span, str], ...] = ()
    """(path, span, message) of the places that prove it, such as the function's definition."""
    source: str = ""
    """The other server whose finding it is (`Pyright`); empty for ours."""


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that were verified; `verified` says by what, in the words the user reads ("parses", "resolves").

    `safe`: meaning is kept apart from mending the finding; unsafe fixes are never preferred and never in fix-all.
    """

    title: str
    safe: bool
    verified: tuple[str, ...]
    edits: tuple[Edit, ...]


Check = Callable[["Subject"], Iterable[Diagnostic]]
"""A check looks at one file, or a part of it, through the graph.  It must only report what closed answers prove."""
