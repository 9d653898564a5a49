"""Memory: two windows share the weights, ceilings hold, an idle model goes, and the model goes before the editor."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graft_models import client
from graft_models.client import LlamaEngine
from graft_models.engine import Done, DoneReason, Request
from graft_models.prompt import Hole
from graft_testing.tiny_gguf import Shape, write

HOLE = Hole("a.py", "x = 1\n", "\n", "y = ")
BIG = Shape(width=256, layers=12, heads=4, kv_heads=2, inner=1024)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 50 MB in single precision: llama.cpp computes with the mapped file itself."""
    return write(tmp_path_factory.mktemp("model") / "big.gguf", shape=BIG)


@pytest.fixture
async def engines() -> AsyncIterator[list[LlamaEngine]]:
    made: list[LlamaEngine] = []
    yield made
    for engine in made:
        await engine.close()


async def answer(engine: LlamaEngine) -> Done:
    done = [e async for e in engine.complete(Request(1, HOLE, max_tokens=2)) if isinstance(e, Done)]
    return done[0]


def kilobytes(process: int, file: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{process}/{file}").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def size(path: Path) -> int:
    return path.stat().st_size


def badness(process: int) -> int:
    return int(Path(f"/proc/{process}/oom_score_adj").read_text())


async def test_two_windows_share_the_weights(model: Path, engines: list[LlamaEngine]) -> None:
    weights = size(model) // 1024
    for _ in range(2):
        engines.append(LlamaEngine(model, threads=1, context=1024))
        await engines[-1].start()
        assert (await answer(engines[-1])).reason is DoneReason.LENGTH
    for engine in engines:
        assert engine.process_id is not None
        mapped = kilobytes(engine.process_id, "status", "RssFile")
        assert mapped > weights
        # What is mapped by both counts half for each.
        share = kilobytes(engine.process_id, "smaps_rollup", "Pss_File")
        assert share < 0.75 * mapped


async def test_a_ceiling_cuts_the_context_and_says_so_or_refuses(model: Path, engines: list[LlamaEngine]) -> None:
    weights = size(model)
    enough = LlamaEngine(model, threads=1, context=2048, memory=weights + 206_000_000)
    refused = LlamaEngine(model, threads=1, context=2048, memory=weights + 1_000_000)
    engines += [enough, refused]
    status = await enough.start()
    assert status.state == "ready" and status.model is not None
    assert status.model.context_length < 2048
    assert "context cut from 2048 to 1024 tokens: graft.model.memoryMegabytes allows" in status.message
    assert (await answer(enough)).reason is DoneReason.LENGTH
    status = await refused.start()
    assert status.state == "failed" and "choose a smaller one" in status.message
    done = await answer(refused)
    assert done.reason is DoneReason.FAILED and "choose a smaller one" in done.error


async def unloaded(engine: LlamaEngine) -> str:
    for _ in range(200):
        if engine.status.state == "unloaded":
            return engine.status.message
        await asyncio.sleep(0.05)
    raise AssertionError(engine.status)


async def test_an_idle_model_is_unloaded_and_comes_back(model: Path, engines: list[LlamaEngine]) -> None:
    engine = LlamaEngine(model, threads=1, context=1024, idle_minutes=0.2 / 60, ping_seconds=0.1)
    engines.append(engine)
    await engine.start()
    assert await unloaded(engine) == "" and engine.process_id is None
    assert (await answer(engine)).reason is DoneReason.LENGTH and engine.status.state == "ready"


async def test_a_machine_that_runs_short_gets_an_unused_models_memory_back(
    model: Path, engines: list[LlamaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SHORT_IDLE_SECONDS", 0.2)
    free = [8_000_000_000]
    monkeypatch.setattr(client, "memory_available", lambda: free[0])
    engine = LlamaEngine(model, threads=1, context=1024, ping_seconds=0.1)
    engines.append(engine)
    await engine.start()
    await asyncio.sleep(0.5)
    assert engine.status.state == "ready"
    free[0] = 100_000_000
    assert "the machine is short of memory" in await unloaded(engine)
    free[0] = 8_000_000_000
    assert (await answer(engine)).reason is DoneReason.LENGTH


async def test_when_memory_runs_out_the_model_goes_first(model: Path, engines: list[LlamaEngine]) -> None:
    engine = LlamaEngine(model, threads=1, context=1024)
    engines.append(engine)
    await engine.start()
    assert engine.process_id is not None and badness(engine.process_id) == 500
