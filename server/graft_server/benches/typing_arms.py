"""The arms of `graft bench typing`: the same keys, the same model, the same number of generated tokens.

`graft` is what the server does; `vim_layout` lays the prompt out like llama.vim (256 lines before, 64 after, hole at
the cursor) in the same engine; `llama_server_infill` and `llama_server_anchored` ask a real llama-server, the first in
llama.vim's way with `--cache-reuse 256`, the second with Graft's own layout.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from graft_models.client import LlamaEngine
from graft_models.engine import Done, Request
from graft_models.formats import FAMILIES
from graft_models.prompt import GRAFT, Format, Hole, segments
from graft_server.benches.typing_session import Moment
from graft_server.completion.anchor import Holes, LiveHole, Place, cut_head, cut_tail, hole_of
from graft_server.errors import UserError

LINES_BEFORE, LINES_AFTER = 256, 64


@dataclass(frozen=True, slots=True)
class Reading:
    """One request: tokens of the prompt, of them evaluated, generated; milliseconds for each and in all."""

    prompt: int
    evaluated: int
    generated: int
    prompt_ms: float
    generate_ms: float
    total_ms: float


class Arm(Protocol):
    """Answers one moment."""

    async def ask(self, moment: Moment) -> Reading:
        """Complete at the cursor."""

    async def pause(self, seconds: float) -> None:
        """The time until the next key, if anything can be done in it."""


class Graft:
    """The server's own holes and the engine; `ahead`: the next hole is read between the keys, as the server does."""

    def __init__(self, engine: LlamaEngine, tokens: int, budget: int, *, ahead: bool = True) -> None:
        self._engine = engine
        self._tokens = tokens
        self._budget = budget
        self._ahead = ahead
        self._holes = Holes()
        self._reading: asyncio.Task[None] | None = None

    def hole(self, moment: Moment) -> Hole:
        """What the server would ask for."""
        live, typed = self._holes.at(moment.path, Place(moment.before, moment.after))
        return hole_of(live, typed, moment.path, "repo")

    async def ask(self, moment: Moment) -> Reading:
        """Complete at the cursor."""
        reading = await _ask(self._engine, self.hole(moment), moment.path, self._tokens, self._budget)
        coming = self._holes.ahead(moment.path, Place(moment.before, moment.after)) if self._ahead else None
        if coming is not None:
            if self._reading is not None:
                self._reading.cancel()
            self._reading = asyncio.create_task(self._read_ahead(coming, moment.path))
        return reading

    async def _read_ahead(self, coming: LiveHole, path: str) -> None:
        hole = hole_of(coming, "", path, "repo")
        coming.read = await self._engine.warm(hole, path, prompt_budget=self._budget, max_tokens=self._tokens)

    async def pause(self, seconds: float) -> None:
        """Let the next hole be read, if it is being read."""
        if self._reading is not None and not self._reading.done():
            await asyncio.wait([self._reading], timeout=seconds)

    async def close(self) -> None:
        """End what is being read."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


class VimLayout:
    """llama.vim's layout in Graft's engine."""

    def __init__(self, engine: LlamaEngine, tokens: int, budget: int) -> None:
        self._engine = engine
        self._tokens = tokens
        self._budget = budget

    async def ask(self, moment: Moment) -> Reading:
        """Complete at the cursor."""
        before, current, after = around(moment)
        hole = Hole(moment.path, before + current, after, "", "repo")
        return await _ask(self._engine, hole, "vim:" + moment.path, self._tokens, self._budget)

    async def pause(self, seconds: float) -> None:
        """Nothing to do between keys."""


def around(moment: Moment) -> tuple[str, str, str]:
    """llama.vim's cut: lines before the cursor's, the line up to the cursor, the rest of it and the lines after."""
    lines = moment.before.split("\n")
    before = "\n".join(lines[-LINES_BEFORE - 1 : -1])
    following = moment.after.split("\n")
    return before + "\n" if before else "", lines[-1], "\n".join(following[: LINES_AFTER + 1])


async def _ask(engine: LlamaEngine, hole: Hole, document: str, tokens: int, budget: int) -> Reading:
    began = time.perf_counter()
    done: Done | None = None
    request = Request(0, hole, max_tokens=tokens, document=document, prompt_budget=budget)
    async for event in engine.complete(request):
        if isinstance(event, Done):
            done = event
    assert done is not None
    if done.error:
        raise UserError(done.error)
    u = done.usage
    total = (time.perf_counter() - began) * 1000
    return Reading(u.prompt, u.evaluated, u.generated, u.prompt_ms, u.generate_ms, total)


class LlamaServer:
    """A running llama-server; `infill` chooses llama.vim's request, else the anchored layout goes to `/completion`."""

    def __init__(self, port: int, tokens: int, form: Format, infill: bool, graft: Graft, context: int) -> None:
        self._port = port
        self._context = context
        self._tokens = tokens
        self._form = form
        self._infill = infill
        self._graft = graft

    async def ask(self, moment: Moment) -> Reading:
        """Complete at the cursor."""
        common = {"n_predict": self._tokens, "temperature": 0, "cache_prompt": True, "ignore_eos": True}
        began = time.perf_counter()
        if self._infill:
            before, current, after = around(moment)
            body = {**common, "id_slot": 0, "input_prefix": before, "input_suffix": after, "prompt": current}
            answer = post(self._port, "/infill", body)
        else:
            hole = self._graft.hole(moment)
            # The server refuses what is too long for its context: cut by characters, two per token to be safe.
            prefix = cut_head(hole.prefix, self._context * 5 // 4, 8)
            hole = replace(hole, prefix=prefix, suffix=cut_tail(hole.suffix, self._context // 3))
            text = "".join(s.text for s in segments(self._form, hole)) + hole.typed
            answer = post(self._port, "/completion", {**common, "id_slot": 0, "prompt": text})
        t = answer["timings"]
        total = (time.perf_counter() - began) * 1000
        prompt = int(t["prompt_n"]) + int(t.get("cache_n", 0))
        return Reading(
            prompt, int(t["prompt_n"]), int(t["predicted_n"]), float(t["prompt_ms"]), float(t["predicted_ms"]), total
        )

    async def pause(self, seconds: float) -> None:
        """Nothing to do between keys."""


def post(port: int, path: str, body: dict[str, Any]) -> Any:
    """One request to a server on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise UserError(f"llama-server {path}: {answer.status} {data[:200].decode('utf-8', 'replace')}")
        return json.loads(data)
    finally:
        connection.close()


@contextmanager
def llama_server(program: Path, model: Path, threads: int, context: int) -> Iterator[int]:
    """A llama-server with llama.vim's flags; its port.  Raises UserError if it does not come up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    flags = ["-ub", "512", "-b", "1024", "--cache-reuse", "256", "-fa", "on", "-np", "1", "--no-webui"]
    command = [str(program), "-m", str(model), "--host", "127.0.0.1", "--port", str(port), "-c", str(context)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*command, "-t", str(threads), *flags], stdout=log, stderr=log)
        try:
            for _ in range(1200):
                if process.poll() is not None:
                    log.seek(0)
                    last = log.read()[-300:].decode("utf-8", "replace").strip().splitlines()
                    raise UserError(f"llama-server ended: {last[-1] if last else process.returncode}")
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                    connection.request("GET", "/health")
                    if connection.getresponse().status == 200:
                        break
                except OSError:
                    pass
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def format_named(name: str) -> Format:
    """The format that the engine chose."""
    return next((f for f in (GRAFT, *FAMILIES) if f.name == name), GRAFT)
