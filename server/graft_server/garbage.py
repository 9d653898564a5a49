"""When Python looks for unreachable objects: while nobody waits, instead of in the middle of an answer.

CPython's collector walks through every container object of the process whenever enough new ones came up. A server that
holds the trees of some files has a million of them, and one such walk takes 0.3 to 0.7 seconds (measured; the answers
themselves take some 50 ms). So the walk through everything is put off (`relax`), made while the process is idle, and
what is reachable then is taken out of later walks (`gc.freeze`), which makes those short. What is freed by reference
counting, nearly everything, is freed as ever.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time

LOOK_SECONDS = 5.0
IDLE_CPU_SECONDS = 0.1
"""Processor time in one look's interval below which the process counts as idle."""
ENOUGH_BLOCKS = 150_000
"""Memory blocks that came up since the last walk before there is another; some 10 MB."""
AWAY_LOOKS = 24
"""Idle looks (two minutes) after which what was taken out is walked through, too, once."""


def relax() -> None:
    """Let walks through everything wait, unless some 40 million containers came up meanwhile."""
    gc.set_threshold(20_000, 20, 100)


def tidy(*, everything: bool = False) -> None:
    """Walk now, and leave what is reachable out of the walks to come; `everything` walks through that, too."""
    if everything:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


async def keep_tidy() -> None:
    """`relax`, then `tidy` whenever the process is idle and has grown; runs until it is cancelled."""
    relax()
    cpu, blocks, idle, away = time.process_time(), 0, 0, False
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        before, cpu = cpu, time.process_time()
        if cpu - before > IDLE_CPU_SECONDS:
            idle, away = 0, False
            continue
        idle += 1
        if idle >= AWAY_LOOKS and not away:
            away = True
            tidy(everything=True)
        elif sys.getallocatedblocks() - blocks > ENOUGH_BLOCKS:
            tidy()
        else:
            continue
        cpu, blocks = time.process_time(), sys.getallocatedblocks()
