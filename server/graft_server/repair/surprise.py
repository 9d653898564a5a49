"""What a model finds odd joins what the tests find suspicious.

Buggy lines are less natural than others (Ray et al. 2016, "On the naturalness of buggy code"), so lines are ranked by
the mean surprise of their tokens in their place.  The rank has a share of its own beside spectrum and tracebacks: a
union, so that neither hides what the other sees.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from graft_models.engine import Engine, ScoreRequest
from graft_server.repair.holes import line_hole, rows_of
from graft_server.repair.localisation import Place, by_rank
from graft_server.repair.outcome import OnProgress, Progress

MOST = 40
"""Lines that are scored, most suspicious first."""
SHARE = 0.2
"""What surprise weighs beside everything else together."""
_IDS = itertools.count(2_000_000)


async def with_surprise(
    engine: Engine, texts: Mapping[str, str], places: Sequence[Place], progress: OnProgress, *, budget: float
) -> list[Place]:
    """`places` with the model's surprise joined in; as they were if it cannot score or does not answer in time."""
    if not engine.capabilities.score:
        return list(places)
    deadline = time.monotonic() + budget
    odd: dict[tuple[str, int], float] = {}
    for place in places[:MOST]:
        rows = rows_of(texts.get(place.path, ""))
        if place.line >= len(rows) or not rows[place.line].strip():
            continue
        hole = line_hole(place.path, rows, place.line, place.line + 1)
        request = ScoreRequest(next(_IDS), hole, (rows[place.line],), document="repair")
        try:
            scores = await asyncio.wait_for(engine.score(request), max(0.05, deadline - time.monotonic()))
        except TimeoutError:
            break
        if scores.error or not scores.logprobs:
            break
        odd[place.path, place.line] = -scores.logprobs[0] / max(1, scores.counts[0])
        progress(Progress("asking the model which lines are odd", len(odd), min(MOST, len(places))))
    shares = by_rank(odd)
    joined = [
        replace(p, weight=(1 - SHARE) * p.weight + SHARE * shares.get((p.path, p.line), 0.0)) if shares else p
        for p in places
    ]
    return sorted(joined, key=lambda p: (-p.weight, p.path, p.line))
