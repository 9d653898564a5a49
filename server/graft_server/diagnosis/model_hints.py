"""Hints of the model: statements that it finds much likelier after one small rewrite.

For every line of a function the rewrites of the BugLab set (variable misuse, swapped arguments, wrong comparison,
boolean, arithmetic and assignment operators, wrong literal; Allamanis et al. 2021, arXiv 2105.12787) are scored in
place, with what stands before and after.  A hint is given only where one rewrite of the whole function wins by its
kind's margin.  Off by default: see `MARGINS`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graft_indexer import rewrites as edits
from graft_indexer.facts import Span
from graft_indexer.rewrites import Rewrite, RewriteKind
from graft_indexer.text import encode
from graft_models.engine import Engine, ScoreRequest
from graft_models.prompt import Hole
from graft_server.diagnosis.model import MODEL_HINT, Diagnostic, Severity
from graft_server.diagnosis.source import Source, parse

BEFORE, AFTER = 1_400, 500
"""Bytes of the function before and after a line that the model reads."""
MOST = 28
"""Rewrites scored per line; the rest of a long line is left alone."""
MAX_LINES = 60
"""Longer functions are left alone: the more is asked, the more is false."""
_IDS = itertools.count(3_000_000)

MARGINS: Mapping[RewriteKind, float] = dict.fromkeys(RewriteKind, 20.0)
"""Natural logarithms by which a rewritten line must be likelier than the line as it stands.

Chosen on 270 clean functions of held-out packages (15: 1.1 % false alarms, 20: none); none on 180 others."""
LEAD = 2.0
"""By how much the best rewrite must beat those of other places in the function."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One rewrite and how much likelier (natural logarithm) it makes its line."""

    rewrite: Rewrite
    gain: float


@dataclass(frozen=True, slots=True)
class Question:
    """A line in its place, and what its rewrites would make of it."""

    hole: Hole
    line: str
    rewrites: tuple[Rewrite, ...]
    lines: tuple[str, ...]


def questions(path: str, text: str, function: Span) -> Iterator[Question]:
    """What to ask about a function (bytes, decorators included): one question per line that has rewrites."""
    data = encode(text)
    tree = edits.parse(text)
    if data.count(b"\n", function.start, function.end) > MAX_LINES:
        return
    by_line: dict[int, list[Rewrite]] = {}
    for rewrite in edits.rewrites(tree.root_node, within=function):
        start = data.rfind(b"\n", 0, rewrite.span.start) + 1
        if b"\n" not in data[rewrite.span.start : rewrite.span.end] and "\n" not in rewrite.text:
            by_line.setdefault(start, []).append(rewrite)
    for start, some in sorted(by_line.items()):
        end = data.find(b"\n", start) + 1 or len(data)
        if _is_text(data[start:end]):
            continue
        before = data[max(function.start, start - BEFORE) : start]
        after = data[end : min(function.end, end + AFTER)]
        kept = some[:MOST]
        changed = tuple(_text(_moved(r, -start).apply(data[start:end])) for r in kept)
        yield Question(
            Hole(path=path, prefix=_text(before), suffix=_text(after)), _text(data[start:end]), tuple(kept), changed
        )


def _is_text(line: bytes) -> bool:
    """Whether a line is part of a docstring or a comment, where rewrites say nothing."""
    return line.lstrip().startswith((b"#", b'"""', b"'''"))


def _moved(rewrite: Rewrite, by: int) -> Rewrite:
    return Rewrite(rewrite.kind, Span(rewrite.span.start + by, rewrite.span.end + by), rewrite.text, rewrite.label)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


async def doubts(engine: Engine, path: str, text: str, function: Span) -> list[Doubt]:
    """All rewrites of a function by gain, the likeliest first; empty if the engine cannot score."""
    found: list[Doubt] = []
    if not engine.capabilities.score:
        return found
    for question in questions(path, text, function):
        request = ScoreRequest(next(_IDS), question.hole, (question.line, *question.lines), document="hints")
        scores = await engine.score(request)
        if scores.error or len(scores.logprobs) != len(question.lines) + 1:
            return []
        first = scores.logprobs[0]
        found += [Doubt(r, value - first) for r, value in zip(question.rewrites, scores.logprobs[1:], strict=True)]
    return sorted(found, key=lambda d: -d.gain)


def winner(found: Sequence[Doubt], margins: Mapping[RewriteKind, float] = MARGINS, lead: float = LEAD) -> Doubt | None:
    """The rewrite that wins by its kind's margin, and by `lead` over every other place."""
    if not found or found[0].gain < margins.get(found[0].rewrite.kind, float("inf")):
        return None
    best = found[0]
    rival = next((d for d in found if d.rewrite.span != best.rewrite.span), None)
    return best if rival is None or best.gain - rival.gain >= lead else None


def functions(source: Source) -> Iterator[tuple[str, Span]]:
    """(name, bytes) of every function and method of a file that is not nested in another function."""
    nodes: list[ast.FunctionDef | ast.AsyncFunctionDef] = [*source.all(ast.FunctionDef)]
    nodes += source.all(ast.AsyncFunctionDef)
    for node in nodes:
        if source.function_of(node) is None:
            yield node.name, source.span(node)


def changed_functions(before: str, after: str) -> list[Span]:
    """Functions of `after` whose text does not stand in `before`."""
    old, new = parse(before), parse(after)
    if new is None:
        return []
    known = {old.segment(span) for _, span in functions(old)} if old is not None else set()
    return [span for _, span in functions(new) if new.segment(span) not in known]


def diagnostic(path: str, doubt: Doubt) -> Diagnostic:
    """The hint for a rewrite."""
    old, _, new = doubt.rewrite.label.partition(" -> ")
    return Diagnostic(
        path,
        doubt.rewrite.span,
        MODEL_HINT,
        Severity.HINT,
        f"the model expects `{new}` here, not `{old}`",
        names=(old,),
        candidates=(doubt.rewrite.text,),
    )
