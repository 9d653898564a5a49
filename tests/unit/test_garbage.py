"""Full collections happen while the server is idle."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from graft_server import garbage


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Node:
    """Part of a circle that only a walk can free."""

    alive = 0

    def __init__(self) -> None:
        self.circle = self
        Node.alive += 1

    def __del__(self) -> None:
        Node.alive -= 1


async def looks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    task = asyncio.create_task(garbage.keep_tidy())
    await asyncio.sleep(0)
    for _ in range(number):
        await asyncio.sleep(0.004)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_process_that_is_idle_and_has_grown_is_tidied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(garbage, "IDLE_CPU_SECONDS", 10.0)
    monkeypatch.setattr(garbage, "AWAY_LOOKS", 10**9)
    gc.collect()
    Node()
    assert Node.alive == 1
    await looks(monkeypatch, 40)
    assert Node.alive == 0
    assert gc.get_freeze_count() > 1_000
    kept = Node()
    gc.collect()
    gc.freeze()
    del kept
    gc.collect()
    assert Node.alive == 1, "what is frozen is not walked through"
    monkeypatch.setattr(garbage, "AWAY_LOOKS", 3)
    await looks(monkeypatch, 40)
    assert Node.alive == 0, "but it is once the user is away"


async def test_a_busy_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(garbage, "IDLE_CPU_SECONDS", -1.0)
    gc.collect()
    Node()
    await looks(monkeypatch, 20)
    assert Node.alive == 1
    assert gc.get_threshold()[0] == 20_000
    gc.collect()
