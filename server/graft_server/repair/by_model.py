"""Quick-fixes that the model writes or ranks, for a finding that no rule mends safely.

Three sources: the name that is flagged replaced by others of its function, the rewrite set (`graft_indexer.rewrites`)
at the flagged place, and the rest of the line written anew from the flagged place on, with what follows as the suffix.
The model scores all of them in place of the line; the likeliest become candidates, none of them safe, and are verified
as any other (`candidates.verified`).
"""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Iterator

from graft_indexer import rewrites as edits
from graft_indexer.facts import Span
from graft_indexer.text import encode
from graft_models.engine import Engine, Request, ScoreRequest
from graft_server.diagnosis.model import Diagnostic
from graft_server.edits import Edit
from graft_server.repair.candidate import Candidate
from graft_server.repair.holes import line_hole, rows_of
from graft_server.repair.infill import one

MOST = 3
"""Candidates that are verified."""
MOST_NAMES = 16
MOST_REWRITES = 16
SAMPLES = 2
"""Texts that the model writes: the likeliest, and one drawn at `TEMPERATURE`."""
TEMPERATURE = 0.7
TOKENS = 32
_IDS = itertools.count(3_500_000)
_WORD = re.compile(rb"[^\W\d]\w*")


async def candidates(engine: Engine, text: str, diagnostic: Diagnostic) -> list[Candidate]:
    """The likeliest changes of the line that a finding stands on; empty if it spans several lines, or the engine can
    neither score nor infill."""
    data = encode(text)
    span = diagnostic.span
    start = data.rfind(b"\n", 0, span.start) + 1
    end = data.find(b"\n", span.start) + 1 or len(data)
    if span.end > end or not data[start:end].strip():
        return []
    row = data.count(b"\n", 0, start)
    rows = rows_of(text)
    old = data[start:end]
    changed = dict.fromkeys([*_renamed(data, start, end, span), *_rewritten(text, data, start, end, span)])
    if engine.capabilities.infill:
        typed = data[start : span.start].decode("utf-8", "replace")
        for seed in range(SAMPLES):
            answer = await one(
                engine,
                Request(
                    next(_IDS),
                    line_hole(diagnostic.path, rows, row, row + 1, typed),
                    max_tokens=TOKENS,
                    temperature=TEMPERATURE if seed else 0.0,
                    stop=("\n",),
                    document="quick-fix",
                    seed=seed,
                ),
            )
            written = answer.texts[0].split("\n", 1)[0].rstrip() if answer is not None and answer.texts else ""
            if written:
                changed[data[start : span.start] + encode(written) + _break(old)] = None
    changed.pop(old, None)
    lines = list(changed)
    if lines and engine.capabilities.score:
        hole = line_hole(diagnostic.path, rows, row, row + 1)
        texts = tuple(line.decode("utf-8", "replace").replace("\r\n", "\n") for line in lines)
        scores = await engine.score(ScoreRequest(next(_IDS), hole, texts, document="quick-fix", background=False))
        if scores.error or len(scores.logprobs) != len(lines):
            return []
        order = sorted(range(len(lines)), key=lambda i: -scores.logprobs[i])
        lines = [lines[i] for i in order]
    return [_candidate(diagnostic.path, start, old, line) for line in lines[:MOST]]


def _renamed(data: bytes, start: int, end: int, span: Span) -> Iterator[bytes]:
    """The line with the flagged name replaced by the names of its surroundings, the nearest first."""
    if not _WORD.fullmatch(data[span.start : span.end]):
        return
    near = data[max(0, span.start - 3_000) : end]
    at = span.start - max(0, span.start - 3_000)
    words = sorted(_WORD.finditer(near), key=lambda m: abs(m.start() - at))
    flagged = data[span.start : span.end]
    names = dict.fromkeys(
        w.group() for w in words if w.group() != flagged and not keyword.iskeyword(w.group().decode())
    )
    for name in list(names)[:MOST_NAMES]:
        yield data[start : span.start] + name + data[span.end : end]


def _rewritten(text: str, data: bytes, start: int, end: int, span: Span) -> Iterator[bytes]:
    """The line after each rewrite that touches the flagged place, or what stands around it."""
    count = 0
    for rewrite in edits.rewrites(edits.parse(text).root_node, within=Span(start, end)):
        at = rewrite.span
        if at.start < start or at.end > end or at.end < span.start or span.end < at.start or "\n" in rewrite.text:
            continue
        count += 1
        if count > MOST_REWRITES:
            return
        yield data[start : at.start] + encode(rewrite.text) + data[at.end : end]


def _break(line: bytes) -> bytes:
    return b"\r\n" if line.endswith(b"\r\n") else b"\n" if line.endswith(b"\n") else b""


def _candidate(path: str, start: int, old: bytes, new: bytes) -> Candidate:
    """The change as the smallest edit of whole characters."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    while head and not _whole(old, head, new):
        head -= 1
    while tail and not (_whole(old, len(old) - tail, b"") and _whole(new, len(new) - tail, b"")):
        tail -= 1
    text = new[head : len(new) - tail].decode("utf-8", "surrogateescape")
    shown = " ".join(new.decode("utf-8", "replace").split())
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    return Candidate(f"Write `{shown}`", False, (Edit(path, start + head, start + len(old) - tail, text),))


def _whole(data: bytes, at: int, other: bytes) -> bool:
    """Whether no character of either text is cut at a place."""
    return all(at >= len(d) or d[at] & 0xC0 != 0x80 for d in (data, other))
