"""Servers of models that the user runs or that a team shares, behind the same Engine protocol.

Prompts go out as text with special tokens, in the anchored layout, so that a server which keeps its memory between
requests reuses it the way Graft's own engine does.  Endpoints are tried in order; one that fails is left alone for a
while.  What a server lacks is said in the status, and done without.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graft_models.engine import (
    Allow,
    Capabilities,
    Done,
    DoneReason,
    Event,
    ModelInfo,
    Request,
    ScoreRequest,
    Scores,
    Status,
    Stop,
    Token,
    Usage,
)
from graft_models.formats import PREFIX_ONLY
from graft_models.llama import healing
from graft_models.prompt import Format, Hole, Order, cut_prefix, cut_suffix, segments
from graft_models.remote_dialects import KINDS, SUFFIX, Dialect, Model, Piece, dialect
from graft_models.remote_endpoints import NO_KEYS, Endpoint, Keys, load_keys, parse_endpoints
from graft_models.remote_http import Channel, Limits, RemoteError, lines

log = logging.getLogger("graft.remote")

CHARACTERS_PER_TOKEN = 3
REST_SECONDS, LONGEST_REST = 10.0, 300.0
"""An endpoint that failed is asked last for this long, doubled each time it fails again."""
DEFAULT_LIMITS = Limits()
LONGEST_WAIT = 2.0
"""Seconds; a server that is asked to be left alone for longer is passed over."""


@dataclass
class Server:
    """One endpoint as far as it is known: None before it answered."""

    endpoint: Endpoint
    dialect: Dialect | None = None
    model: Model | None = None
    down_until: float = 0.0
    """On the monotonic clock, seconds."""
    asked_at: float = -1e9
    """When it was last asked while it was down."""
    failures: int = 0
    """In a row."""
    problem: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RemoteEngine:
    """Implements `graft_models.engine.Engine` against the endpoints of `addresses` (see `remote_endpoints`).

    Keys come from `environment` and `key_file`.  `limits` bound connecting, the first and every further piece.
    """

    def __init__(
        self,
        addresses: str,
        *,
        key_file: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._addresses = addresses
        self._key_file = key_file
        self._environment = environment
        self._limits = limits
        self._status = Status("absent")
        self._servers: list[Server] = []
        self._keys: Keys = NO_KEYS
        self._current: Server | None = None
        self._jobs: set[RemoteJob] = set()
        self._looking: asyncio.Task[None] | None = None
        self.blocked = ""
        """Why nothing may be sent at all: the setting or the key file is wrong; empty if all is well."""

    @property
    def status(self) -> Status:
        """State now; never blocks."""
        return self._status

    @property
    def capabilities(self) -> Capabilities:
        """Infill if the model has the tokens; no scores, no constraint, one candidate."""
        form = self._form
        return Capabilities(infill=form is SUFFIX or form.order is not Order.PREFIX_ONLY)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the present server cannot do."""
        server = self._current
        return server.dialect.lacks if server is not None and server.dialect is not None else ()

    @property
    def _form(self) -> Format:
        server = self._current
        return server.model.form if server is not None and server.model is not None else PREFIX_ONLY

    async def start(self) -> Status:
        """Ask the endpoints, in order, which model they have; the first that answers is used.  Never raises.

        While none answers they are asked again in the background, with growing pauses.
        """
        try:
            if not self._servers:
                self._servers = [Server(e) for e in parse_endpoints(self._addresses)]
        except RemoteError as error:
            self.blocked = str(error)
            self._status = Status("failed", self.blocked)
            return self._status
        self._status = Status("loading", "", self._status.model)
        await self._find()
        return self._status

    async def _find(self) -> bool:
        """Use the first endpoint that answers; whether there is one."""
        try:
            self._keys = load_keys(self._environment, self._key_file)
            self.blocked = ""
            for server in self._servers:
                with contextlib.suppress(RemoteError):
                    await self.ready(server)
                    self.use(server)
                    return True
            self._gone()
        except RemoteError as error:
            self.blocked = str(error)
            self._status = Status("failed", self.blocked, self._status.model)
            self._look_again()
        return False

    def _look_again(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._search())

    async def _search(self) -> None:
        """Until an endpoint answers, here or to a request."""
        pause = REST_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = min(LONGEST_REST, max(0.1, pause * 2))
            if self.status.state == "ready" or await self._find():
                return

    def order(self) -> list[Server]:
        """The endpoints as they are to be tried now: those that are down come last."""
        now = time.monotonic()
        return sorted(self._servers, key=lambda s: s.down_until > now)

    def use(self, server: Server) -> None:
        """Requests go there from now on; the status says which, and what is missing."""
        assert server.dialect is not None and server.model is not None
        self._current, model = server, server.model
        parts = [model.note] if model.note else []
        down = [s for s in self._servers if s.problem and s is not server]
        parts += [f"{s.problem}; using {server.endpoint.address.where}" for s in down[:1]]
        if server.endpoint.address.insecure:
            parts.append("the connection is not encrypted")
        parts.append("without " + ", ".join(server.dialect.lacks))
        info = ModelInfo(
            model.name,
            server.endpoint.text,
            context_length=model.context,
            device=f"remote: {server.dialect.kind}",
            format=model.form.name,
        )
        self._status = Status("ready", "; ".join(parts), info)

    async def ready(self, server: Server) -> Server:
        """Find out what the endpoint is, once.  Raises `RemoteError`."""
        async with server.lock:
            if server.model is not None:
                return server
            problems: list[RemoteError] = []
            for kind in [server.endpoint.kind] if server.endpoint.kind else KINDS:
                asked = dialect(kind)
                try:
                    model = await asked.examine(
                        self.channel(server, asked), server.endpoint.model, server.endpoint.form
                    )
                except RemoteError as error:
                    problems.append(error)
                    if (error.again and error.status == 0) or error.status in (401, 403):
                        break
                    continue
                server.dialect, server.model, server.problem, server.down_until = asked, model, "", 0.0
                server.failures = 0
                return server
            told = problems[0] if len(problems) == 1 else _unknown(server.endpoint, problems)
            self.failed(server, told)
            raise told

    def channel(self, server: Server, asked: Dialect) -> Channel:
        """How to reach an endpoint in a dialect."""
        address = server.endpoint.address
        if asked.kind == "openai" and not address.base.endswith("/v1"):
            address = type(address)(address.host, address.port, address.secure, address.base + "/v1", address.insecure)
        return Channel(address, self._keys.of(server.endpoint.address), self._limits)

    def failed(self, server: Server, error: RemoteError) -> None:
        """Leave an endpoint alone for a while."""
        server.problem = str(error)
        rest = min(LONGEST_REST, REST_SECONDS * 2**server.failures)
        server.failures += 1
        server.down_until = time.monotonic() + max(rest, error.wait or 0.0)
        # Another model may be behind it when it comes back.
        server.model = None
        log.info("remote: %s", error)

    def _gone(self) -> None:
        problem = self._servers[0].problem if self._servers else "no server"
        more = f" (and {len(self._servers) - 1} more)" if len(self._servers) > 1 else ""
        self._status = Status("failed", f"{problem}{more}; the graph answers alone", self._status.model)
        self._current = None
        self._look_again()

    def lost(self) -> None:
        """No endpoint answered a request."""
        self._gone()

    def complete(self, request: Request) -> RemoteJob:
        """Begin a completion."""
        job = RemoteJob(self, request)
        self._jobs.add(job)
        job.task.add_done_callback(lambda _: self._jobs.discard(job))
        return job

    async def score(self, request: ScoreRequest) -> Scores:
        """No server gives log-probabilities of given text in a way that can be relied on."""
        return Scores((), (), "a remote server cannot score")

    async def warm(self, hole: Hole, document: str = "", *, prompt_budget: int = 0, max_tokens: int = 64) -> bool:
        """Let the server read the prompt; whether it did."""
        budget = prompt_budget
        job = self.complete(Request(0, hole, max_tokens=0, document=document, prompt_budget=budget, background=True))
        read = False
        try:
            async for event in job:
                read = isinstance(event, Done) and not event.error and event.reason is not DoneReason.CANCELLED
        finally:
            job.cancel()
        return read

    async def unload(self) -> None:
        """The server's memory is not ours."""

    async def close(self) -> None:
        """Cancel what is under way."""
        tasks = [job.task for job in self._jobs] + ([self._looking] if self._looking is not None else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._status = Status("absent")


def _due(server: Server) -> bool:
    """Whether an endpoint that is down, when no other answers, may be asked again: at most once a second."""
    now = time.monotonic()
    if now - server.asked_at < 1.0:
        return False
    server.asked_at = now
    return True


def _unknown(endpoint: Endpoint, problems: list[RemoteError]) -> RemoteError:
    """Why none of the dialects fits: the most telling of their problems."""
    telling = next((p for p in problems if p.status not in (0, 404, 405, 501)), None)
    if telling is not None:
        return telling
    return RemoteError(f"{endpoint.address.where} answers, but not like a model server: {problems[0]}")


def layout(form: Format, request: Request, context: int, heals: bool) -> tuple[str, str, str]:
    """(prompt, suffix for servers that lay it out themselves, text that must come first in the answer).

    Everything is cut to about `context` tokens, at three characters each.
    """
    hole = request.hole
    typed, rest = healing.split(hole.typed) if heals else (hole.typed, "")
    budget = min(request.prompt_budget or context, context) - request.max_tokens - 32
    room = max(200, budget * CHARACTERS_PER_TOKEN - len(hole.typed))
    suffix = cut_suffix(hole.suffix, room // 6)
    context_parts, used = [], 0
    for part in sorted(hole.context, key=lambda p: -p.value):
        if used + len(part.text) <= room * 2 // 5:
            context_parts.append(part)
            used += len(part.text)
    prefix = cut_prefix(hole.prefix, room - len(suffix) - used)
    kept = tuple(p for p in hole.context if p in context_parts)
    cut = Hole(hole.path, prefix, suffix, typed, hole.repository, kept)
    if form is SUFFIX:
        return prefix + typed, suffix, rest
    out = "".join(s.text if s.special else plain(form, s.text) for s in segments(form, cut))
    return out + plain(form, typed), "", rest


def plain(form: Format, text: str) -> str:
    """Source text in which nothing is taken for a special token: such a token is broken up by a blank."""
    for token in (form.prefix, form.suffix, form.middle, form.repository, form.file, *form.end):
        if token and token in text:
            text = text.replace(token, f"{token[:1]} {token[1:]}")
    return text


class _Diverged(Exception):
    """The model, left to itself, did not begin with what was typed."""


class RemoteJob:
    """One request under way; it goes to the next endpoint as long as nothing of an answer has come."""

    def __init__(self, engine: RemoteEngine, request: Request) -> None:
        self._engine = engine
        self._request = request
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._text = ""
        self._logprob, self._count = 0.0, 0
        self._usage = Usage()
        self._keep: int | None = None
        self._stopped = False
        self._done = False
        self._awaited = ""
        self.task = asyncio.create_task(self._run())
        # A task that is cancelled before its first step never runs: the answer is given all the same.
        self.task.add_done_callback(lambda _: self._end(DoneReason.CANCELLED))

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Done):
                return

    def answer(self, reply: Allow | Stop) -> None:
        """Only `Stop` means anything here: nothing is ever asked."""
        if isinstance(reply, Stop):
            self._stopped, self._keep = True, reply.keep
            self.task.cancel()

    def cancel(self) -> None:
        """End the request by closing its connection."""
        self.task.cancel()

    async def _run(self) -> None:
        began = time.perf_counter()
        reason, error = DoneReason.END, ""
        seconds = None if self._request.deadline_ms is None else self._request.deadline_ms / 1000
        try:
            async with asyncio.timeout(seconds):
                reason = await self._anywhere()
        except TimeoutError:
            reason = DoneReason.DEADLINE
        except asyncio.CancelledError:
            reason = DoneReason.STOP if self._stopped else DoneReason.CANCELLED
        except RemoteError as problem:
            reason, error = DoneReason.FAILED, str(problem)
        if not self._usage.prompt_ms:
            spent = (time.perf_counter() - began) * 1000
            generated = self._usage.generated or self._count
            self._usage = Usage(self._usage.prompt, self._usage.evaluated, generated, 0.0, spent)
        self._end(reason, error)

    async def _anywhere(self) -> DoneReason:
        """Ask the endpoints in order, each once more after a short wait.  Raises `RemoteError` when none answers."""
        engine, last = self._engine, RemoteError("no server is configured")
        if engine.status.state == "absent":
            status = await engine.start()
            if status.state != "ready":
                raise RemoteError(status.message)
        if engine.blocked:
            raise RemoteError(engine.blocked)
        order = engine.order()
        resting = time.monotonic()
        for number, server in enumerate(order):
            if server.down_until > resting and not _due(server):
                last = RemoteError(server.problem or str(last))
                continue
            for attempt in range(2):
                try:
                    await engine.ready(server)
                    if engine._current is not server or engine.status.state != "ready":
                        engine.use(server)
                    return await self._ask(server)
                except RemoteError as problem:
                    last = problem
                    if self._count or self._text or (not problem.again and len(order) == number + 1):
                        raise
                    if not problem.again:
                        # A model or a key that this server does not know may be known to the next one.
                        engine.failed(server, problem)
                        break
                    wait = problem.wait if problem.wait is not None else 0.1
                    if attempt or wait > LONGEST_WAIT or len(order) > number + 1:
                        engine.failed(server, problem)
                        break
                    await asyncio.sleep(wait)
        engine.lost()
        raise last

    async def _ask(self, server: Server) -> DoneReason:
        """One request to one endpoint."""
        asked, model = server.dialect, server.model
        assert asked is not None and model is not None
        prompt, suffix, self._awaited = layout(model.form, self._request, model.context, True)
        while True:
            body = asked.body(model, prompt, suffix, self._request, self._awaited)
            try:
                return await self._read(asked, self._engine.channel(server, asked), body)
            except _Diverged:
                # Left to itself the model goes another way: what was typed is forced as it stands.
                prompt, suffix, self._awaited = layout(model.form, self._request, model.context, False)
            except RemoteError as problem:
                if not asked.refused(problem):
                    raise
                self._engine.use(server)

    async def _read(self, asked: Dialect, channel: Channel, body: dict[str, object]) -> DoneReason:
        reason = None
        async with contextlib.aclosing(lines(channel, asked.path, body)) as stream:
            async for line in stream:
                piece = asked.piece(line)
                if piece is None:
                    continue
                if piece.usage is not None:
                    self._usage = piece.usage
                if piece.text:
                    self._deliver(piece)
                    if self._request.max_tokens and self._count >= self._request.max_tokens:
                        return DoneReason.LENGTH
                reason = piece.reason or reason
        if reason is None:
            raise RemoteError(f"{channel.address.where} ended its answer early", again=True)
        if self._awaited and self._request.max_tokens:
            raise _Diverged
        return reason

    def _deliver(self, piece: Piece) -> None:
        """Pass a piece on; what was typed already, and only awaited from the model, is not part of the answer."""
        text = piece.text
        if self._awaited:
            if not (text.startswith(self._awaited) or self._awaited.startswith(text)):
                raise _Diverged
            common = min(len(text), len(self._awaited))
            self._awaited = self._awaited[common:]
            self._events.put_nowait(Token(text[:common], 0.0, forced=True))
            text = text[common:]
            if not text:
                return
        each = piece.logprob or 0.0
        self._text += text
        self._logprob += each
        self._count += max(1, piece.tokens)
        self._events.put_nowait(Token(text, each))

    def _end(self, reason: DoneReason, error: str = "") -> None:
        if not self._done:
            self._done = True
            text = self._text if self._keep is None else self._text[: self._keep]
            done = Done(reason, (text,), (self._logprob,), (self._count,), self._usage, error)
            self._events.put_nowait(done)
