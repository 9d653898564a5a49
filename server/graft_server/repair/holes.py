"""Holes around lines of a file, as the model's prompt wants them: LF line ends, whole lines, a window of context."""

from __future__ import annotations

from graft_models.prompt import Hole

CONTEXT_LINES = 60
"""Lines before and after the hole that the model reads."""


def rows_of(text: str) -> list[str]:
    """The lines of a text with LF line ends, each with its own."""
    return text.replace("\r\n", "\n").splitlines(keepends=True)


def line_hole(path: str, rows: list[str], first: int, last: int, typed: str = "") -> Hole:
    """Rows `first` to `last` (0-based, the end excluded) as a hole; `typed` is forced as its beginning."""
    prefix = "".join(rows[max(0, first - CONTEXT_LINES) : first])
    return Hole(path=path, prefix=prefix, suffix="".join(rows[last : last + CONTEXT_LINES]), typed=typed)


def changed_hole(path: str, old: str, new: str) -> tuple[Hole, str, str]:
    """The smallest run of whole lines that differs, as a hole, and its old and new text."""
    a, b = rows_of(old), rows_of(new)
    limit = min(len(a), len(b))
    start = next((i for i in range(limit) if a[i] != b[i]), limit)
    tail = next((i for i in range(limit - start) if a[-1 - i] != b[-1 - i]), limit - start)
    # An insertion or deletion is scored together with the line after it, so that both texts say something.
    if tail and (start == len(a) - tail or start == len(b) - tail):
        tail -= 1
    hole = line_hole(path, a, start, len(a) - tail)
    return hole, "".join(a[start : len(a) - tail]), "".join(b[start : len(b) - tail])
