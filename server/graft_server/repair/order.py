"""Order proposals by what a model finds likely: entropy delta, the gain of the changed line over the original.

Entropy is the mean over tokens, so that a longer line is not an unlikely one.  Score of a change = log prior + GAIN x
clipped (mean log P(new line) - mean log P(old line)), both in the same hole of prefix and suffix (Kolak et al. 2024
for the measure; here it orders before any test runs, it never accepts).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from graft_models.engine import Engine, ScoreRequest
from graft_models.prompt import Hole
from graft_server.repair.holes import changed_hole
from graft_server.repair.outcome import OnProgress, Progress
from graft_server.repair.proposals import Proposal

MOST = 600
"""Proposals that are scored, most probable first by the prior; the rest keep their place behind by prior."""
GAIN = 6.0
"""How many natural-log units of the prior one nat per token of gain is worth."""
CLIP = 1.0
"""Largest gain or loss that counts, nats per token."""
BATCH = 32
_IDS = itertools.count(1_000_000)


async def started_engine(root: Path | None = None) -> Engine | None:
    """A started engine as the settings for `root` ask for, or None if none can score here.  The caller closes it."""
    from graft_server.engines import choose
    from graft_server.paths import config_file
    from graft_server.settings import load

    settings, _ = load(root, config_file())
    engine, _ = choose(settings)
    if engine is None:
        return None
    status = await engine.start()
    if status.state == "ready" and engine.capabilities.score:
        return engine
    await engine.close()
    return None


async def by_likelihood(
    engine: Engine,
    texts: Mapping[str, str],
    found: Iterator[Proposal],
    progress: OnProgress,
    *,
    budget: float,
) -> list[Iterator[Proposal]]:
    """`found` as streams ordered anew: as much of its beginning as the engine scores within `budget` wall seconds."""
    if not engine.capabilities.score:
        return [found]
    deadline = time.monotonic() + budget
    first = list(itertools.islice(found, MOST))
    groups: dict[Hole, tuple[str, list[tuple[int, str]]]] = {}
    for index, proposal in enumerate(first):
        hole, old, new = changed_hole(proposal.path, texts[proposal.path], proposal.text)
        groups.setdefault(hole, (old, []))[1].append((index, new))
    gains: dict[int, float] = {}
    for hole, (old, news) in groups.items():
        for start in range(0, len(news), BATCH):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            part = news[start : start + BATCH]
            means = await _means(engine, hole, (old, *(new for _, new in part)), left)
            if means is None:
                deadline = 0.0
                break
            for (index, _), value in zip(part, means[1:], strict=True):
                gains[index] = GAIN * max(-CLIP, min(CLIP, value - means[0]))
        progress(Progress("asking the model for an order", len(gains), len(first)))
    if not gains:
        return [itertools.chain(first, found)]
    # What was not scored counts as an average change, so that being scored is neither a gain nor a loss.
    mean = sum(gains.values()) / len(gains)
    scored = [replace(p, score=p.score + gains.get(i, mean)) for i, p in enumerate(first)]
    return [
        iter(sorted(scored, key=lambda p: -p.score)),
        (replace(p, score=p.score + mean) for p in found),
    ]


async def _means(engine: Engine, hole: Hole, texts: tuple[str, ...], seconds: float) -> list[float] | None:
    """Mean log-probability per token of each text; None if the engine does not answer."""
    request = ScoreRequest(next(_IDS), hole, texts, document="repair")
    try:
        scores = await asyncio.wait_for(engine.score(request), max(0.1, seconds))
    except TimeoutError:
        return None
    if scores.error or len(scores.logprobs) != len(texts):
        return None
    return [value / max(1, count) for value, count in zip(scores.logprobs, scores.counts, strict=True)]
