"""Changes that a model writes: a line, what follows a condition's or a call's beginning, a short block.

Each suspicious line is cut where its parts begin (after the indentation, after `if `, `return `, `= `, after each
opening parenthesis), and the model writes the rest of the line from there, knowing what stands before and after.
A change weighs as the line does, times `PRIOR`, times what the model itself makes of its text among its texts there.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence

from graft_models.engine import Done, DoneReason, Engine, Request
from graft_server.repair.holes import line_hole, rows_of
from graft_server.repair.localisation import Place
from graft_server.repair.outcome import OnProgress, Progress
from graft_server.repair.proposals import Proposal, as_edit, parses

OPERATOR = "infill"
PRIOR = 0.05
"""Probability that a text of the model mends the right line: that of a middling operator, which is what it is until
it is measured to be more."""
MOST_LINES = 12
SAMPLES = 3
"""Texts per hole: the likeliest, then drawn at `TEMPERATURE`."""
TEMPERATURE = 0.7
LINE_TOKENS = 40
BLOCK_TOKENS = 80
BLOCK_ROWS = 3
CUT = re.compile(r"\b(?:if|elif|while|return|in|and|or|not|yield|assert)\s+|(?<![=!<>])=\s+|[+\-*/%]=\s+|\(|\[|,\s+")
_IDS = itertools.count(3_000_000)


def cuts(line: str) -> list[int]:
    """Places in a line at which its rest may be written anew: its first character, conditions, values, arguments."""
    begin = len(line) - len(line.lstrip())
    found = [begin, *(m.end() for m in CUT.finditer(line, begin))]
    return list(dict.fromkeys(at for at in found if at < len(line.rstrip())))[:6]


def holes(path: str, rows: Sequence[str], line: int) -> Iterator[tuple[str, int, int]]:
    """(typed text, rows replaced, tokens) of each hole at a line: its parts, then a block that begins there."""
    for at in cuts(rows[line]):
        yield rows[line][:at], 1, LINE_TOKENS
    if line + 1 < len(rows):
        begin = len(rows[line]) - len(rows[line].lstrip())
        yield rows[line][:begin], 2, BLOCK_TOKENS


async def infill(
    engine: Engine, texts: Mapping[str, str], places: Sequence[Place], progress: OnProgress, *, budget: float
) -> list[Proposal]:
    """The model's changes of the most suspicious lines, most probable first, within `budget` wall seconds."""
    if not engine.capabilities.infill:
        return []
    deadline = time.monotonic() + budget
    out: dict[tuple[str, str], Proposal] = {}
    for place in places[:MOST_LINES]:
        text = texts.get(place.path, "")
        rows = rows_of(text)
        if place.line >= len(rows) or not rows[place.line].strip():
            continue
        written: dict[str, float] = {}
        for typed, count, tokens in holes(place.path, rows, place.line):
            for seed in range(SAMPLES):
                left = deadline - time.monotonic()
                if left <= 0:
                    return ranked(out)
                hole = line_hole(place.path, list(rows), place.line, place.line + count, typed)
                request = Request(
                    next(_IDS),
                    hole,
                    max_tokens=tokens,
                    temperature=0.0 if seed == 0 else TEMPERATURE,
                    stop=("\n",) if count == 1 else (),
                    deadline_ms=max(1, int(1000 * left)),
                    document="repair",
                    seed=seed,
                )
                answer = await one(engine, request)
                if answer is None:
                    return ranked(out)
                for body in bodies(typed, answer.texts[0] if answer.texts else "", count):
                    new = "".join([*rows[: place.line], body, *rows[place.line + count :]])
                    mean = answer.logprobs[0] / max(1, answer.counts[0]) if answer.logprobs else -5.0
                    written[new] = max(written.get(new, -math.inf), mean)
        join(out, place, text, written)
        progress(Progress("asking the model for changes", len(out), 0))
    return ranked(out)


async def one(engine: Engine, request: Request) -> Done | None:
    """The end of a completion; None if the engine failed."""
    job = engine.complete(request)
    try:
        async for event in job:
            if isinstance(event, Done):
                return None if event.reason is DoneReason.FAILED else event
    except asyncio.CancelledError:
        job.cancel()
        raise
    return None


def bodies(typed: str, answer: str, count: int) -> Iterator[str]:
    """Rows to put in place of `count` rows: the answer's first line, and for a block its first few."""
    lines = (typed + answer).split("\n")
    if count == 1:
        yield lines[0].rstrip() + "\n"
        return
    for size in range(1, BLOCK_ROWS + 1):
        if size <= len(lines) and lines[size - 1].strip():
            yield "".join(line.rstrip() + "\n" for line in lines[:size])


def join(out: dict[tuple[str, str], Proposal], place: Place, text: str, written: Mapping[str, float]) -> None:
    """Proposals of one line: what parses and is not what stands there, shares by the model's own mean likelihood."""
    ending = "\r\n" if "\r\n" in text else "\n"
    useful = {new.replace("\n", ending): mean for new, mean in written.items()}
    useful = {new: mean for new, mean in useful.items() if new != text and parses(new)}
    total = sum(math.exp(mean) for mean in useful.values())
    for new, mean in useful.items():
        score = math.log(max(place.weight, 1e-12) * PRIOR) + mean - math.log(total)
        proposal = Proposal(place.path, text, as_edit(place.path, text, new), score, (OPERATOR,), (place.line,))
        known = out.get((place.path, new))
        if known is None or known.score < score:
            out[place.path, new] = proposal


def ranked(out: Mapping[tuple[str, str], Proposal]) -> list[Proposal]:
    """Most probable first."""
    return sorted(out.values(), key=lambda p: -p.score)
