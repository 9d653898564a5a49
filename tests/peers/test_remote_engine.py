"""The remote engine against a real llama-server, and Graft's own engine against the same model there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from graft_models.client import LlamaEngine
from graft_models.engine import Done, Engine, Request
from graft_models.prompt import Hole
from graft_models.remote import RemoteEngine
from graft_server.benches.typing_arms import llama_server

HOLE = Hole(
    "a.py", "import os\n\n\ndef join(folder, name):\n", "\n\ndef other():\n    pass\n", "    return os.path", "repo"
)


async def ask(engine: Engine, hole: Hole) -> Done:
    done: Done | None = None
    async for event in engine.complete(Request(1, hole, max_tokens=6, document="a.py")):
        if isinstance(event, Done):
            done = event
    assert done is not None and not done.error
    return done


async def test_a_real_server_completes_in_the_anchored_layout(llama: Path, embedded_model: Path) -> None:
    with llama_server(llama / "llama-server", embedded_model, 1, 1024) as port:
        engine = RemoteEngine(f"http://127.0.0.1:{port}")
        status = await engine.start()
        assert status.state == "ready" and status.model is not None and status.model.format == "graft"
        first = await ask(engine, HOLE)
        again = await ask(engine, replace(HOLE, typed=HOLE.typed + "."))
        await engine.close()
    assert first.texts[0] and first.counts[0] > 0
    assert first.usage.evaluated > 20 and again.usage.evaluated <= 3


async def test_both_engines_read_the_same_prompt(llama: Path, embedded_model: Path) -> None:
    hole = replace(HOLE, typed="")
    own = LlamaEngine(embedded_model, threads=1)
    await own.start()
    mine = await ask(own, hole)
    await own.close()
    with llama_server(llama / "llama-server", embedded_model, 1, 1024) as port:
        engine = RemoteEngine(f"http://127.0.0.1:{port}")
        await engine.start()
        theirs = await ask(engine, hole)
        await engine.close()
    assert mine.usage.prompt == theirs.usage.prompt
