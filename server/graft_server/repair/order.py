"""Order proposals by what a model finds likely: entropy delta, the gain of the changed line over the original.

Entropy is the mean over tokens, so that a longer line is not an unlikely one.  Score of a change = log prior + GAIN x
clipped (mean log P(new line) - mean log P(old line)), both in the same hole of prefix and suffix (Kolak et al. 2024
for the measure; here it orders before any test runs, it never accepts).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from graft_models.engine import Engine, ScoreRequest
from graft_models.prompt import Hole
from graft_server.repair.outcome import OnProgress, Progress
from graft_server.repair.proposals import Proposal

MOST = 600
"""Proposals that are scored, most probable first by the prior; the rest keep their place behind by prior."""
GAIN = 6.0
"""How many natural-log units of the prior one nat per token of gain is worth."""
CLIP = 1.0
"""Largest gain or loss that counts, nats per token."""
CONTEXT_LINES = 60
_IDS = itertools.count(1_000_000)


def hole_of(path: str, old: str, new: str) -> tuple[Hole, str, str]:
    """The smallest run of whole lines that differs, as a hole, and its old and new text (LF line ends)."""
    a, b = old.replace("\r\n", "\n").splitlines(keepends=True), new.replace("\r\n", "\n").splitlines(keepends=True)
    limit = min(len(a), len(b))
    start = next((i for i in range(limit) if a[i] != b[i]), limit)
    tail = next((i for i in range(limit - start) if a[-1 - i] != b[-1 - i]), limit - start)
    # An insertion or deletion is scored together with the line after it, so that both texts say something.
    if tail and (start == len(a) - tail or start == len(b) - tail):
        tail -= 1
    prefix = "".join(a[max(0, start - CONTEXT_LINES) : start])
    suffix = "".join(a[len(a) - tail :][:CONTEXT_LINES]) if tail else ""
    hole = Hole(path=path, prefix=prefix, suffix=suffix)
    return hole, "".join(a[start : len(a) - tail]), "".join(b[start : len(b) - tail])


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
    found: Sequence[Proposal],
    progress: OnProgress,
    *,
    budget: float,
) -> list[Proposal]:
    """`found` ordered anew; as much of it as the engine scores within `budget` wall seconds."""
    if not engine.capabilities.score:
        return list(found)
    deadline = time.monotonic() + budget
    groups: dict[Hole, tuple[str, list[tuple[int, str]]]] = {}
    for index, proposal in enumerate(found[:MOST]):
        hole, old, new = hole_of(proposal.path, texts[proposal.path], proposal.text)
        groups.setdefault(hole, (old, []))[1].append((index, new))
    gains: dict[int, float] = {}
    for hole, (old, news) in groups.items():
        left = deadline - time.monotonic()
        if left <= 0:
            break
        for start in range(0, len(news), 32):
            part = news[start : start + 32]
            request = ScoreRequest(next(_IDS), hole, (old, *(new for _, new in part)), document="repair")
            try:
                scores = await asyncio.wait_for(engine.score(request), max(0.1, deadline - time.monotonic()))
            except TimeoutError:
                break
            if scores.error or len(scores.logprobs) != len(part) + 1:
                break
            means = [value / max(1, count) for value, count in zip(scores.logprobs, scores.counts, strict=True)]
            for (index, _), value in zip(part, means[1:], strict=True):
                gains[index] = GAIN * max(-CLIP, min(CLIP, value - means[0]))
        progress(Progress("asking the model", len(gains), min(MOST, len(found))))
    if not gains:
        return list(found)
    # What was not scored counts as an average change, so that being scored is neither a gain nor a loss.
    mean = sum(gains.values()) / len(gains)
    out = [replace(p, score=p.score + gains.get(i, mean)) for i, p in enumerate(found)]
    return sorted(out, key=lambda p: -p.score)
