"""How fast a cancel is, and whether anything is left behind by many of them."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from graft_models.client import LlamaEngine
from graft_models.engine import Done, Request
from graft_models.prompt import Hole


async def cancels(engine: LlamaEngine, text: str, count: int) -> dict[str, float | int]:
    """Cancel `count` requests at random moments of their prompt or answer.

    Returns milliseconds from the cancel to the answer, and the process' memory before and after, in bytes; the answer
    to the same request before and after must be the same.
    """
    chance = random.Random(0)
    probe = Hole("probe.py", text[:2000], "", "    return se")
    before = await _answer(engine, probe)
    waits = []
    start = 0
    for number in range(count):
        if number == count // 10:
            start = resident(engine)
        cut = chance.randrange(len(text) // 2, len(text))
        hole = Hole("cancel.py", f"# {number}\n" + text[cut - len(text) // 2 : cut], "", "    x = ")
        job = engine.complete(Request(number, hole, max_tokens=64, document=f"cancel {number % 3}"))
        await asyncio.sleep(chance.random() * 0.15)
        began = time.perf_counter()
        job.cancel()
        async for _ in job:
            pass
        waits.append((time.perf_counter() - began) * 1000)
    after = await _answer(engine, probe)
    waits.sort()
    return {
        "cancel_ms_p50": waits[len(waits) // 2],
        "cancel_ms_p95": waits[int(len(waits) * 0.95)],
        "cancel_rss_growth_bytes": resident(engine) - start,
        "cancel_same_answer_after": int(before == after),
    }


async def _answer(engine: LlamaEngine, hole: Hole) -> tuple[str, ...]:
    async for event in engine.complete(Request(0, hole, max_tokens=16, document="probe")):
        if isinstance(event, Done):
            return event.texts
    return ()


def resident(engine: LlamaEngine) -> int:
    """Bytes of the engine process in memory; 0 where the system does not say."""
    try:
        status = Path(f"/proc/{engine.process_id}/status").read_text()
    except OSError:
        return 0
    line = next((x for x in status.splitlines() if x.startswith("VmRSS")), "VmRSS: 0 kB")
    return int(line.split()[1]) * 1024
