"""What is asked while the model is being loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from graft_models.engine import State, Status
from graft_models.scripted import ScriptedEngine
from graft_server.completion import pipeline as module
from graft_server.completion.model import Completion, Snapshot
from graft_server.completion.pipeline import Pipeline
from graft_server.settings import Settings

TEXT = "total = 1\nprint("


class _Loading(ScriptedEngine):
    """An engine whose state a test sets."""

    state: State = "loading"

    @property
    def status(self) -> Status:
        return Status(self.state, "", super().status.model)


def _asked(engine: _Loading, tmp_path: Path) -> tuple[Pipeline, asyncio.Task[list[Completion]]]:
    settings = Settings(completion_delay="none")
    pipeline = Pipeline(None, lambda: engine, lambda: settings, root=str(tmp_path))
    return pipeline, asyncio.create_task(pipeline.complete(Snapshot("a.py", TEXT, len(TEXT))))


async def test_a_request_waits_for_a_model_that_is_being_loaded(tmp_path: Path) -> None:
    engine = _Loading(["total)\n"])
    pipeline, asked = _asked(engine, tmp_path)
    await asyncio.sleep(0.2)
    assert not asked.done() and not engine.requests
    engine.state = "ready"
    (shown,) = await asked
    assert shown.shown and shown.text.startswith("total")
    pipeline.cancel_all()


async def test_the_next_key_ends_the_wait(tmp_path: Path) -> None:
    engine = _Loading(["total)\n"])
    _, asked = _asked(engine, tmp_path)
    await asyncio.sleep(0.1)
    asked.cancel()
    await asyncio.wait([asked])
    assert asked.cancelled() and not engine.requests


async def test_a_model_that_fails_is_not_waited_for(tmp_path: Path) -> None:
    engine = _Loading(["total)\n"])
    _, asked = _asked(engine, tmp_path)
    await asyncio.sleep(0.1)
    engine.state = "failed"
    assert await asked == []
    engine.state = "absent"
    assert await _asked(engine, tmp_path)[1] == []


async def test_that_nothing_was_said_while_it_loaded_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOADING_SECONDS", 0.1)
    engine = _Loading(["total)\n"])
    pipeline, asked = _asked(engine, tmp_path)
    assert await asked == []
    engine.state = "ready"
    (shown,) = await pipeline.complete(Snapshot("a.py", TEXT, len(TEXT)))
    assert shown.shown
    pipeline.cancel_all()
