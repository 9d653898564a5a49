"""What runs in the engine process: a reader thread that takes frames, and a main thread that works off jobs.

One foreground job at a time, in order.  Background jobs run when there is none, and stand aside at the next batch when
one comes (its decode is cut short, so that the wait is milliseconds on the CPU).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from graft_models.engine import Allow, Done, DoneReason, Need, Request, ScoreRequest, Scores, Stop, Token, Usage
from graft_models.gguf_file import BadModelFile
from graft_models.llama import jobs
from graft_models.llama.frames import BadFrame, from_wire, length, pack, to_wire, unpack
from graft_models.prompt import Hole, Neighbour

if TYPE_CHECKING:
    from graft_models.llama.model import Model


PATIENT_SECONDS = 1.0
"""For the answer to a `Need` of a request without a deadline."""
SNAPSHOT_IDLE_SECONDS = 15.0
"""Without work for this long, prompts that were read are written to disk."""
FOLLOW_SECONDS = 0.03
"""After a cancel in mid-prompt the next request of the document is awaited so long: it wants the same tokens, so the
batch under way is finished for it.  If none comes the batch is cut short."""


class Output(Protocol):
    """A raw binary stream."""

    def write(self, data: bytes | memoryview, /) -> int | None:
        """Write some of `data`."""


class Writer:
    """Frames out, whole ones only, from any thread."""

    def __init__(self, stream: Output) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        """Send one frame; the reader's end may be gone, then there is nobody to tell."""
        data = memoryview(pack(message))
        with self._lock, contextlib.suppress(BrokenPipeError):
            while data:
                data = data[self._stream.write(data) or 0 :]


class Task:
    """A job with its outside: cancel, deadline, answers."""

    def __init__(
        self, number: int, background: bool, deadline_ms: int | None, worker: Worker, document: str = ""
    ) -> None:
        self.number = number
        self.background = background
        self.document = document
        self.evaluated_before = 0
        """The model's counter when the job began."""
        self._answered = False
        self.deadline = None if deadline_ms is None else time.monotonic() + deadline_ms / 1000
        self.cancelled = False
        self.work: Generator[None, None, Done | Scores | None] | None = None
        self._writer = worker.writer
        # Nobody waits for a request without a deadline: then a late answer is better than none.
        self._need_seconds = (
            worker.need_seconds if deadline_ms is not None else max(PATIENT_SECONDS, worker.need_seconds)
        )
        self._replies: deque[Allow | Stop] = deque()
        self._arrived = threading.Condition()
        self._stop: Stop | None = None

    def claim(self) -> bool:
        """True once: for the thread that may answer."""
        with self._arrived:
            first, self._answered = not self._answered, True
        return first

    def interrupted(self) -> DoneReason | None:
        """Cancelled or past its deadline."""
        if self.cancelled:
            return DoneReason.CANCELLED
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return DoneReason.DEADLINE
        return None

    def stopped(self) -> Stop | None:
        """The client's `Stop`, whenever it came."""
        with self._arrived:
            while self._replies:
                reply = self._replies.popleft()
                if isinstance(reply, Stop):
                    self._stop = reply
        return self._stop

    def ask(self, need: Need) -> Allow | Stop | None:
        """Send `need`; wait for its answer, but not long."""
        until = time.monotonic() + self._need_seconds
        self._writer.send(t="need", id=self.number, need=to_wire(need))
        with self._arrived:
            while True:
                while self._replies:
                    reply = self._replies.popleft()
                    if isinstance(reply, Stop) or reply.need == need.need:
                        return reply
                left = until - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    return None

    def reply(self, reply: Allow | Stop) -> None:
        """An answer arrived (called by the reader thread)."""
        with self._arrived:
            self._replies.append(reply)
            self._arrived.notify()

    def send(self, event: Token) -> None:
        """Stream a token."""
        self._writer.send(t="token", id=self.number, token=to_wire(event))


class Worker:
    """The queue between the two threads."""

    def __init__(self, model: Model, writer: Writer, need_seconds: float = 0.005) -> None:
        self.model = model
        self.writer = writer
        self.need_seconds = need_seconds
        self.windows = jobs.Windows()
        self.tasks: dict[int, Task] = {}
        self.foreground: deque[Task] = deque()
        self.background: deque[Task] = deque()
        self.current: Task | None = None
        self.progress = 0
        self.closing = False
        self.unsaved = False
        self._modest = False
        self.wake = threading.Condition()

    # Reader thread
    def take(self, message: dict[str, Any]) -> None:
        """Act on one frame."""
        kind, number = message.get("t"), int(message.get("id", 0))
        if kind == "complete":
            request = from_wire(Request, message["request"])
            task = Task(number, request.background, request.deadline_ms, self, request.document)
            task.work = jobs.complete(self.model, self.windows, request, task)
            self._add(task)
        elif kind == "score":
            scored = from_wire(ScoreRequest, message["request"])
            task = Task(number, scored.background, None, self, scored.document)
            task.work = jobs.score(self.model, self.windows, scored, task)
            self._add(task)
        elif kind == "warm":
            document = str(message.get("document", ""))
            task = Task(number, True, None, self, document)
            task.work = jobs.warm(
                self.model,
                self.windows,
                from_wire(Hole, message["hole"]),
                document,
                task,
                budget=int(message.get("budget", 0)),
                max_tokens=int(message.get("max_tokens", 64)),
            )
            self._add(task)
        elif kind == "learn":
            if self.model.mixtures is not None:
                self.model.mixtures.library.offer(from_wire(Neighbour, n) for n in message["neighbours"])
                with self.wake:
                    self.wake.notify()
        elif kind == "cancel":
            with self.wake:
                known = self.tasks.get(number)
                if known is None:
                    return
                known.cancelled = True
                if known is self.current:
                    if self.model.reading and not known.background:
                        self._leave_prompt(known)
                    else:
                        self.model.native.abort()
                elif known in self.foreground:
                    # Not begun: it is answered at once, not after what is before it.
                    self.foreground.remove(known)
                    del self.tasks[number]
                    self._answer(known, Done(DoneReason.CANCELLED))
        elif kind in ("allow", "stop"):
            with self.wake:
                known = self.tasks.get(number)
            if known is not None:
                reply = message["reply"]
                known.reply(from_wire(Allow, reply) if kind == "allow" else from_wire(Stop, reply))
        elif kind == "ping":
            self.writer.send(t="pong", progress=self.progress, busy=self.current is not None)
        elif kind == "stats":
            model = self.model
            background = model.evaluated_background
            self.writer.send(
                t="stats", id=number, evaluated=model.evaluated, background=background, progress=self.progress
            )

    def _leave_prompt(self, task: Task) -> None:
        """Answer a job that is cancelled in mid-prompt at once; its batch is finished only if somebody wants it.

        Every key press cancels.  On a slow machine no batch would ever be finished while a person types if each of
        them cut one short.
        """
        evaluated = max(0, self.model.evaluated - task.evaluated_before)
        self._answer(task, Done(DoneReason.CANCELLED, usage=Usage(evaluated=evaluated)))

        def unwanted() -> None:
            with self.wake:
                if self.current is task and not any(t.document == task.document for t in self.foreground):
                    self.model.native.abort()

        timer = threading.Timer(FOLLOW_SECONDS, unwanted)
        timer.daemon = True
        timer.start()

    def _add(self, task: Task) -> None:
        with self.wake:
            self.tasks[task.number] = task
            (self.background if task.background else self.foreground).append(task)
            if not task.background and self.current is not None and self.current.background:
                self.model.native.abort()
            if task.deadline is not None:
                self._abort_at(task, task.deadline)
            self.wake.notify()

    def _abort_at(self, task: Task, deadline: float) -> None:
        """Cut the decode short that runs when the deadline of its task passes."""

        def abort() -> None:
            with self.wake:
                if self.current is task:
                    self.model.native.abort()

        timer = threading.Timer(max(0.0, deadline - time.monotonic()), abort)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Input ended: drop everything and end."""
        with self.wake:
            self.closing = True
            for task in self.tasks.values():
                task.cancelled = True
            self.model.native.abort()
            self.wake.notify()

    # Main thread
    def run(self) -> None:
        """Work until closed."""
        while True:
            with self.wake:
                idle = False
                while not (self.foreground or self.background or self.closing or idle or self._may_learn()):
                    idle = not self.wake.wait(SNAPSHOT_IDLE_SECONDS if self.unsaved else None)
                if self.closing or not (self.foreground or self.background):
                    self.current = None
                    task = None
                else:
                    task = self.foreground.popleft() if self.foreground else self.background.popleft()
                    self.current = task
            if task is None and not idle and not self.closing:
                self._learn()
                continue
            if task is None:
                # A pause, or the end: what was read goes to disk.
                if self.unsaved:
                    self.unsaved = False
                    self.model.remember()
                if self.closing:
                    return
                continue
            self.unsaved = self.model.snapshots is not None
            finished = self._work(task)
            with self.wake:
                self.current = None
                if finished:
                    self.tasks.pop(task.number, None)
                else:
                    self.background.appendleft(task)

    def _learn(self) -> None:
        """Read one of the texts that wait, while nobody does."""
        assert self.model.mixtures is not None
        self._be_modest(True)
        try:
            self.model.mixtures.library.learn()
        except Exception:
            # It is counted without; the model itself is well.
            traceback.print_exc()

    def _may_learn(self) -> bool:
        mixtures = self.model.mixtures
        return mixtures is not None and mixtures.library.waiting

    def _work(self, task: Task) -> bool:
        """Run a job to its end, or a background job until something more urgent comes; whether it ended."""
        assert task.work is not None
        self._be_modest(task.background)
        task.evaluated_before = task.evaluated_before or self.model.evaluated
        try:
            while True:
                # Cleared first, looked at second: what the reader thread sets in between is seen either way.
                self.model.native.clear_abort()
                if task.background and self.foreground:
                    return False
                if self.closing:
                    return True
                next(task.work)
                self.progress += 1
        except StopIteration as stop:
            self._answer(task, stop.value)
        except jobs.Ended as ended:
            self._answer(task, Done(ended.reason))
        except Exception as error:
            traceback.print_exc()
            line = str(error).split("\n")[0] or type(error).__name__
            self._answer(task, Done(DoneReason.FAILED, error=line))
        return True

    def _be_modest(self, modest: bool) -> None:
        """Background work leaves the other cores alone, and this one where others want it (Linux)."""
        if modest == self._modest:
            return
        self._modest = modest
        self.model.native.use_threads(1 if modest else self.model.threads)
        if hasattr(os, "sched_setscheduler"):
            with contextlib.suppress(OSError):
                os.sched_setscheduler(0, os.SCHED_BATCH if modest else os.SCHED_OTHER, os.sched_param(0))

    def _answer(self, task: Task, value: Done | Scores | None) -> None:
        if not task.claim():
            return
        if isinstance(value, Scores):
            self.writer.send(t="scores", id=task.number, scores=to_wire(value))
        else:
            self.writer.send(t="done", id=task.number, done=to_wire(value or Done(DoneReason.END)))


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """The next frame, or None at the end of the input."""
    header = stream.read(4)
    if len(header) < 4:
        return None
    body = stream.read(length(header))
    return unpack(body)


def serve(stream: BinaryIO, output: Output) -> int:
    """Load what the first frame names, then serve until the input ends."""
    writer = Writer(output)
    options = read_frame(stream)
    if options is None:
        return 0
    try:
        from graft_models.llama.model import Model
        from graft_models.llama.native import NativeError
    except ModuleNotFoundError as error:
        name = "llama-cpp-python" if error.name == "llama_cpp" else error.name
        writer.send(t="failed", message=f"{name} is not installed; pip install 'graft-ls[llama]'")
        return 0
    except OSError as error:
        writer.send(t="failed", message=f"llama.cpp's library does not load: {str(error).splitlines()[0]}")
        return 0
    if options.get("nice"):
        os.nice(int(options["nice"]))
    try:
        model = Model(
            Path(options["path"]),
            threads=int(options.get("threads", 0)),
            context=int(options.get("context", 0)),
            device=str(options.get("device", "auto")),
            reuse=bool(options.get("reuse", True)),
            batch=int(options.get("batch", 0)),
            repack=not options.get("plain", False),
            ceiling=int(options.get("memory", 0)),
            counts=bool(options.get("counts", True)),
            snapshots=Path(options["snapshots"]) if options.get("snapshots") else None,
        )
    except (BadModelFile, NativeError, MemoryError) as error:
        writer.send(t="failed", message=str(error) or "not enough memory for the model")
        return 0
    writer.send(
        t="ready", info=to_wire(model.info), capabilities=to_wire(model.capabilities), message="; ".join(model.notes)
    )
    worker = Worker(model, writer, float(options.get("need_ms", 5.0)) / 1000)

    def reader() -> None:
        try:
            while (message := read_frame(stream)) is not None:
                worker.take(message)
        except (BadFrame, OSError, ValueError, TypeError, KeyError):
            traceback.print_exc()
        finally:
            worker.close()

    threading.Thread(target=reader, daemon=True, name="frames").start()
    worker.run()
    # The interpreter's own shutdown would wait for daemon threads in native code.
    os._exit(0)
