"""Files that do not parse: changes of one token or one indentation after which they do.

Asked only when the tests end with a SyntaxError: nothing ran then, so no line is more suspicious than another, but the
parser says where it stopped.  Around that place each missing or superfluous bracket, colon, comma, quote or step of
indentation is tried on the parser alone, which takes milliseconds; only what parses is run.
"""

from __future__ import annotations

import ast
import heapq
import re
import time
from collections.abc import Iterator, Mapping

from graft_server.repair.localisation import Baseline
from graft_server.repair.proposals import Proposal, as_edit

OPERATOR = "syntax"
ERRORS = re.compile(r"\b(SyntaxError|IndentationError|TabError)\b")
TOKEN = re.compile(r"\w+|[^\w\s]")
MISSING = (":", ")", "]", "}", ",", '"', "'", "(", "[", "{", "=", " in ")
BEFORE, AFTER = 3, 1
"""Rows looked at around the one that the parser names: an open bracket is noticed late."""
SECONDS = 3.0
"""Wall time that may be spent on parsing one file's changes."""
MOST = 40
STEPS = 6
"""Half-mended texts, those that parse furthest, from which a second change is tried."""
Row = int


def unparsed(base: Baseline, texts: Mapping[str, str]) -> dict[str, str]:
    """Path -> "LINE does not parse: MESSAGE" of the files that do not, if that is what ended the tests."""
    if not any(ERRORS.search(f"{error.get('type', '')} {error.get('message', '')}") for error in base.errors):
        return {}
    found = {path: _error(text) for path, text in texts.items()}
    return {path: f"{path}:{e.lineno or 1} does not parse: {e.msg}" for path, e in found.items() if e is not None}


def mends(path: str, text: str, seconds: float = SECONDS) -> list[Proposal]:
    """Changes after which the text parses, nearest to where the parser stopped first; empty if it parses already."""
    until = time.monotonic() + seconds
    found: dict[str, float] = {}
    further: list[tuple[Row, float, str]] = []
    for cost, new in _tries(text):
        if time.monotonic() > until:
            break
        error = _error(new)
        if error is None:
            found[new] = min(cost, found.get(new, cost))
        else:
            further.append((error.lineno or 0, -cost, new))
    if not found:
        for _, early, half in heapq.nlargest(STEPS, further):
            for cost, new in _tries(half):
                if time.monotonic() > until:
                    break
                if _error(new) is None:
                    found[new] = min(cost - early, found.get(new, cost - early))
    best = sorted(found, key=lambda new: (found[new], abs(len(new) - len(text)), new))[:MOST]
    row = (error.lineno or 1) - 1 if (error := _error(text)) else 0
    return [Proposal(path, text, as_edit(path, text, new), -found[new], (OPERATOR,), (row,)) for new in best]


def _error(text: str) -> SyntaxError | None:
    try:
        ast.parse(text)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error))
    return None


def _tries(text: str) -> Iterator[tuple[float, str]]:
    """(cost, text) for every small change near the place where the parser stopped; cost grows with the distance."""
    error = _error(text)
    if error is None:
        return
    rows = text.splitlines(keepends=True)
    at = min(len(rows), max(1, error.lineno or 1)) - 1
    column = max(0, (error.offset or 1) - 1)
    for index in range(max(0, at - BEFORE), min(len(rows), at + AFTER + 1)):
        body = rows[index].rstrip("\r\n")
        for cost, new in _of_row(body, column if index == at else None):
            if new != body:
                changed = [*rows[:index], new + rows[index][len(body) :], *rows[index + 1 :]]
                yield cost + abs(index - at), "".join(changed)


def _of_row(body: str, column: int | None) -> Iterator[tuple[float, str]]:
    """A row with one token more, less or doubled, or with another indentation; comments stay as they are."""
    spans = [m.span() for m in TOKEN.finditer(body)]
    for place in sorted({0, *(end for _, end in spans)}):
        near = 0.0 if place == len(body.rstrip()) else 0.5
        near += 0.0 if column is None else min(2.0, abs(place - column) / 20)
        for order, token in enumerate(MISSING):
            yield near + order / 50, body[:place] + token + body[place:]
    for start, end in spans:
        if not body[start:end].isidentifier():
            near = 0.6 + (0.0 if column is None else min(2.0, abs(start - column) / 20))
            yield near, body[:start] + body[end:]
            if body[start:end] == "=":
                yield near, body[:start] + "==" + body[end:]
    step = "\t" if body.startswith("\t") else "    "
    yield 0.7, step + body
    if body.startswith((" ", "\t")):
        yield 0.7, body.removeprefix(step) if body.startswith(step) else body.lstrip(" ")
        yield 0.9, body[1:]
        yield 0.9, " " + body
