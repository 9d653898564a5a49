"""The engine as the server sees it: a child process that may crash, hang or be absent, and jobs that always end.

`LlamaEngine` implements `graft_models.engine.Engine`.  It starts `python -P -m graft_models.llama` (`-P`: a workspace's
files cannot shadow modules), restarts it with back-off when it dies, kills it when it hangs, and ends it when idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import sys
import tempfile
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from graft_models.budget import RESERVE
from graft_models.engine import (
    Allow,
    Capabilities,
    Done,
    DoneReason,
    Event,
    ModelInfo,
    Need,
    Request,
    ScoreRequest,
    Scores,
    Status,
    Stop,
    Token,
)
from graft_models.llama.frames import BadFrame, from_wire, length, pack, to_wire, unpack
from graft_models.machine import memory_available
from graft_models.prompt import Hole, Neighbour

log = logging.getLogger("graft.engine")

LOAD_SECONDS = 120.0
PING_SECONDS = 5.0
HANG_SECONDS = 90.0
"""Without progress on a job, or without any answer, for this long the process is killed.  A batch of 64 tokens takes
10 s on one core with 7 billion weights, and several times that on a machine that is busy."""
BACK_OFF = (0.1, 0.5, 2.0, 8.0, 30.0)
"""Seconds before the n-th restart in a row; after the last one the engine has failed."""
_NATIVE_FAULTS = frozenset({signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT})
SHORT_IDLE_SECONDS = 30.0
"""When the machine is short of memory, a model that was not used for this long is unloaded."""
STEADY_SECONDS = 60.0
"""A process that lived this long starts the count anew."""


MOST_TOLD = 64
"""Texts of neighbours that need not be sent again."""


def _told(hole: Hole) -> Hole:
    """A hole that names its neighbours only by their digests: their texts go ahead of it, once."""
    return replace(hole, neighbours=tuple(replace(n, text="") for n in hole.neighbours))


class LlamaJob:
    """A request under way; see `engine.Job`."""

    def __init__(
        self, engine: LlamaEngine, number: int, frame: bytes, background: bool, neighbours: tuple[Neighbour, ...] = ()
    ) -> None:
        self.number = number
        self.frame = frame
        self.neighbours = neighbours
        self.background = background
        self.done = False
        self.scores: asyncio.Future[Scores] | None = None
        self._engine = engine
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Done):
                return

    def answer(self, reply: Allow | Stop) -> None:
        """Answer the open `Need`, or stop.  Late answers are ignored."""
        if not self.done:
            kind = "allow" if isinstance(reply, Allow) else "stop"
            self._engine._send(pack({"t": kind, "id": self.number, "reply": to_wire(reply)}))

    def cancel(self) -> None:
        """Stop decoding; `Done(CANCELLED)` follows."""
        if not self.done:
            self._engine._cancel(self)

    def deliver(self, event: Event) -> None:
        """An event from the process; nothing after the first `Done` is passed on."""
        if self.done:
            return
        if isinstance(event, Done):
            self.done = True
            if self.scores is not None and not self.scores.done():
                self.scores.set_result(Scores((), (), event.error or event.reason.value))
        self._events.put_nowait(event)


class LlamaEngine:
    """A GGUF model in a process of its own.

    `threads` 0 means physical cores minus one; `context` 0 means what model and machine allow, in tokens;
    `idle_minutes` 0 means never unload; `need_ms` is how long a `Need` waits for its answer.  `snapshots` is a folder
    for KV snapshots (None: keep none).  `memory` is a ceiling in bytes (0: what the machine can spare when it loads).
    `counts` off: a small model answers without the counts of the code at hand, which is for measuring only.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        threads: int = 0,
        context: int = 0,
        device: str = "auto",
        idle_minutes: float = 10.0,
        nice: int = 0,
        reuse: bool = True,
        batch: int = 0,
        snapshots: Path | None = None,
        hang_seconds: float = HANG_SECONDS,
        ping_seconds: float = PING_SECONDS,
        need_ms: float = 5.0,
        memory: int = 0,
        counts: bool = True,
    ) -> None:
        self._path = Path(model_path)
        self._options: dict[str, Any] = {
            "path": str(self._path.absolute()),
            "threads": threads,
            "context": context,
            "device": device,
            "nice": nice,
            "reuse": reuse,
            "batch": batch,
            "need_ms": need_ms,
            "memory": memory,
            "counts": counts,
            "snapshots": "" if snapshots is None else str(snapshots),
        }
        self._idle_seconds = idle_minutes * 60
        self._hang_seconds = hang_seconds
        self._ping_seconds = ping_seconds
        self._status = Status("absent")
        self._capabilities = Capabilities()
        self._process: asyncio.subprocess.Process | None = None
        self._jobs: dict[int, LlamaJob] = {}
        self._numbers = itertools.count(1)
        self._waiting: list[LlamaJob] = []
        self._told: OrderedDict[str, None] = OrderedDict()
        """Digests of the texts that the process was given."""
        self._stats: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._starting: asyncio.Task[Status] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._quick_deaths = 0
        self._started_at = 0.0
        self._used_at = 0.0
        self._heard_at = 0.0
        self._progress = -1
        self._progress_at = 0.0
        self._errors: deque[str] = deque(maxlen=40)
        self._closed = False

    @property
    def status(self) -> Status:
        """State now; never blocks."""
        return self._status

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do, known once it is ready."""
        return self._capabilities

    @property
    def process_id(self) -> int | None:
        """Of the child, while there is one."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> Status:
        """Load the model; returns when it is ready or has failed.  Never raises for a bad model file."""
        if self._status.state == "ready":
            return self._status
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start())
        return await asyncio.shield(self._starting)

    def complete(self, request: Request) -> LlamaJob:
        """Begin a completion."""
        told = replace(request, hole=_told(request.hole))
        return self._submit(
            {"t": "complete", "request": to_wire(told)}, request.background, neighbours=request.hole.neighbours
        )

    async def score(self, request: ScoreRequest) -> Scores:
        """Log-probabilities of texts in a hole; `Scores.error` says why there are none."""
        future: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()
        near = request.hole.neighbours if request.counted else ()
        told = replace(request, hole=_told(replace(request.hole, neighbours=near)))
        message = {"t": "score", "request": to_wire(told)}
        job = self._submit(message, request.background, future, neighbours=near)
        try:
            return await future
        finally:
            job.cancel()

    async def warm(self, hole: Hole, document: str = "", *, prompt_budget: int = 0, max_tokens: int = 64) -> bool:
        """Read a prompt into the cache in the background; whether it was read.

        Returns when it is read or given up; cancelling the caller ends it.
        """
        sizes = {"budget": prompt_budget, "max_tokens": max_tokens}
        told = to_wire(replace(hole, neighbours=()))
        job = self._submit({"t": "warm", "hole": told, "document": document, **sizes}, True)
        reason = DoneReason.FAILED
        try:
            async for event in job:
                if isinstance(event, Done):
                    reason = event.reason
        finally:
            job.cancel()
        return reason is DoneReason.END

    async def stats(self) -> dict[str, Any]:
        """Counters of the process: `evaluated` (prompt tokens since it was loaded, background work included) and
        `background` (those of background work)."""
        if self._status.state != "ready":
            return {}
        number = next(self._numbers)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._stats[number] = future
        self._send(pack({"t": "stats", "id": number}))
        try:
            return await asyncio.wait_for(future, 5.0)
        except TimeoutError:
            return {}
        finally:
            self._stats.pop(number, None)

    async def unload(self, reason: str = "") -> None:
        """Free the model's memory by ending the process; the next request loads it again.  `reason` is one line."""
        if self._process is not None:
            self._status = replace(self._status, state="unloaded", message=reason)
            await self._end_process()

    async def close(self) -> None:
        """End the engine and its process."""
        self._closed = True
        self._fail_jobs("the engine was closed")
        self._status = Status("absent", "", self._status.model)
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._starting
        await self._end_process()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Jobs
    def _submit(
        self,
        message: dict[str, Any],
        background: bool,
        scores: asyncio.Future[Scores] | None = None,
        *,
        neighbours: tuple[Neighbour, ...] = (),
    ) -> LlamaJob:
        number = next(self._numbers)
        job = LlamaJob(self, number, pack({**message, "id": number}), background, neighbours)
        job.scores = scores
        self._used_at = time.monotonic()
        if self._closed or self._status.state == "failed":
            job.deliver(Done(DoneReason.FAILED, error=self._status.message or "the engine was closed"))
            return job
        self._jobs[number] = job
        if self._status.state == "ready":
            self._progress_at = time.monotonic() if len(self._jobs) == 1 else self._progress_at
            self._begin(job)
        else:
            self._waiting.append(job)
            if self._status.state in ("absent", "unloaded") and (self._starting is None or self._starting.done()):
                self._starting = asyncio.create_task(self._start())
        return job

    def _cancel(self, job: LlamaJob) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
            self._jobs.pop(job.number, None)
            job.deliver(Done(DoneReason.CANCELLED))
        else:
            self._send(pack({"t": "cancel", "id": job.number}))

    def _begin(self, job: LlamaJob) -> None:
        """Send a job, and before it the texts of its neighbours that the process has not been told yet."""
        new = []
        for neighbour in job.neighbours if self._capabilities.counts else ():
            if neighbour.digest not in self._told:
                new.append(neighbour)
            self._told[neighbour.digest] = None
            self._told.move_to_end(neighbour.digest)
        while len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)
        if new:
            self._send(pack({"t": "learn", "neighbours": to_wire(new)}))
        self._send(job.frame)

    def _send(self, frame: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(frame)

    def _fail_jobs(self, error: str) -> None:
        waiting = set(self._waiting)
        for job in list(self._jobs.values()):
            if job not in waiting or self._status.state == "failed" or self._closed:
                job.deliver(Done(DoneReason.FAILED, error=error))
                del self._jobs[job.number]
        self._waiting = [j for j in self._waiting if not j.done]

    # Process
    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self) -> Status:
        """One attempt; a file that cannot be used fails at once, a process that dies is tried again."""
        while not self._closed:
            self._status = Status("restarting" if self._quick_deaths else "loading", "", self._status.model)
            outcome = await self._attempt()
            if outcome is None:
                return self._status
            if self._quick_deaths >= len(BACK_OFF) or outcome.startswith("!"):
                self._failed(outcome.removeprefix("!"))
                return self._status
            self._status = Status("restarting", outcome, self._status.model)
            await asyncio.sleep(BACK_OFF[self._quick_deaths])
            self._quick_deaths += 1
        return self._status

    def _failed(self, message: str) -> None:
        log.info("the model cannot be used: %s", message)
        self._status = Status("failed", message, self._status.model)
        self._fail_jobs(message)

    async def _attempt(self) -> str | None:
        """Start the process and load; None when ready, else one line, with `!` before it if trying again is vain."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "graft_models.llama",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=tempfile.gettempdir(),
                # Without it a native abort would start a debugger and print pages.
                env={**os.environ, "GGML_NO_BACKTRACE": "1"},
            )
        except OSError as error:
            return f"!the engine process does not start: {error.strerror}"
        self._process = process
        self._errors.clear()
        self._keep(asyncio.create_task(self._read_errors(process)))
        self._send(pack(self._options))
        try:
            message = await asyncio.wait_for(self._read(process), LOAD_SECONDS)
        except TimeoutError:
            await self._end_process()
            return f"loading took more than {LOAD_SECONDS:.0f} s"
        except BadFrame as error:
            await self._end_process()
            return f"!the engine process does not speak the protocol: {error}"
        except asyncio.CancelledError:
            await self._end_process()
            raise
        if message is None:
            code = await process.wait()
            self._process = None
            if -code in _NATIVE_FAULTS and not self._options.get("plain"):
                # Kernels for this very processor may be miscompiled; the plain ones are slower and everywhere.
                self._options["plain"] = True
                return await self._attempt()
            return self._death(code)
        if message.get("t") == "failed":
            await self._end_process()
            return "!" + str(message.get("message", "the model could not be loaded"))
        info = from_wire(ModelInfo, message["info"])
        self._capabilities = from_wire(Capabilities, message["capabilities"])
        self._status = Status("ready", str(message.get("message", "")), info)
        now = time.monotonic()
        self._started_at = self._heard_at = self._progress_at = self._used_at = now
        self._keep(asyncio.create_task(self._pump(process)))
        self._keep(asyncio.create_task(self._watch(process)))
        self._told.clear()
        for job in self._waiting:
            self._begin(job)
        self._waiting.clear()
        return None

    def _death(self, code: int) -> str:
        if code == -signal.SIGILL:
            return "!llama.cpp was built for another processor (illegal instruction); reinstall llama-cpp-python"
        if code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
            hint = " (out of memory?)" if code == -signal.SIGKILL else ""
            return f"the engine process was ended by {name}{hint}"
        last = next((line for line in reversed(self._errors) if line.strip()), "")
        return f"the engine process ended with status {code}" + (f": {last}" if last else "")

    async def _read(self, process: asyncio.subprocess.Process) -> dict[str, Any] | None:
        assert process.stdout is not None
        try:
            header = await process.stdout.readexactly(4)
            return unpack(await process.stdout.readexactly(length(header)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while chunk := await process.stderr.read(65536):
            for line in chunk.decode("utf-8", "replace").splitlines():
                self._errors.append(line)
                log.debug("engine: %s", line)

    async def _pump(self, process: asyncio.subprocess.Process) -> None:
        """Deliver what the process says until it ends."""
        try:
            while (message := await self._read(process)) is not None:
                self._deliver(message)
        except BadFrame as error:
            log.warning("engine: %s", error)
        try:
            # Not killed at once: `kill` polls, and would take the exit status from the loop's own watcher.
            code = await asyncio.wait_for(process.wait(), 2.0)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            code = await process.wait()
        if self._process is process:
            self._process = None
            self._died(self._death(code))

    def _died(self, message: str) -> None:
        """The process is gone without having been asked to: answer its jobs, start another."""
        log.warning("%s", message)
        if time.monotonic() - self._started_at > STEADY_SECONDS:
            self._quick_deaths = 0
        self._status = Status("restarting", message, self._status.model)
        self._fail_jobs(message)
        if self._quick_deaths >= len(BACK_OFF):
            self._failed(message)
            return

        async def again() -> Status:
            await asyncio.sleep(BACK_OFF[self._quick_deaths])
            self._quick_deaths += 1
            return await self._start()

        self._starting = asyncio.create_task(again())

    def _deliver(self, message: dict[str, Any]) -> None:
        self._heard_at = time.monotonic()
        kind, number = message.get("t"), int(message.get("id", 0))
        if kind == "pong":
            if message["progress"] != self._progress or not message["busy"]:
                self._progress, self._progress_at = int(message["progress"]), self._heard_at
            return
        if kind == "stats":
            future = self._stats.get(number)
            if future is not None and not future.done():
                future.set_result(message)
            return
        job = self._jobs.get(number)
        if job is None:
            return
        if kind == "token":
            job.deliver(from_wire(Token, message["token"]))
        elif kind == "need":
            job.deliver(from_wire(Need, message["need"]))
        elif kind == "scores":
            if job.scores is not None and not job.scores.done():
                job.scores.set_result(from_wire(Scores, message["scores"]))
            del self._jobs[number]
            job.deliver(Done(DoneReason.END))
        elif kind == "done":
            del self._jobs[number]
            job.deliver(from_wire(Done, message["done"]))
        self._used_at = time.monotonic()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Kill a process that hangs; end one that idles."""
        while self._process is process:
            await asyncio.sleep(self._ping_seconds)
            now = time.monotonic()
            if self._process is not process:
                return
            if not self._jobs:
                self._heard_at = self._progress_at = now
                idle = now - self._used_at
                if self._idle_seconds and idle > self._idle_seconds:
                    await self.unload()
                    return
                if idle > SHORT_IDLE_SECONDS and 0 < memory_available() < RESERVE // 2:
                    await self.unload("unloaded: the machine is short of memory; the next request loads it again")
                    return
                continue
            if now - min(self._heard_at, self._progress_at) > self._hang_seconds:
                log.warning("the engine process hangs; it is killed")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                return
            self._send(pack({"t": "ping"}))

    async def _end_process(self) -> None:
        """End the process: by closing its input, and by force if that does not help."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 2.0)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
