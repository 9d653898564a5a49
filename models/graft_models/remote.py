"""A llama-server that the user runs, behind the same Engine protocol.

Prompts go to `/completion` as text with special tokens, in the anchored layout and with `cache_prompt`, so that the
server reuses its memory the way Graft's own engine does.  There is no healing and no constraint: the capabilities say
so.  Only the address that the user configured is contacted, over plain HTTP or HTTPS, without following redirects.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

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
from graft_models.formats import FAMILIES, PREFIX_ONLY
from graft_models.prompt import GRAFT, Format, Hole, Order, cut_prefix, cut_suffix, segments

CONNECT_SECONDS = 5.0
CHARACTERS_PER_TOKEN = 3
LONGEST_ANSWER = 16 * 1024 * 1024


class RemoteError(Exception):
    """The server cannot be used; one line."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens; `base` is the path before its own paths."""

    host: str
    port: int
    secure: bool
    base: str


def parse_address(text: str) -> Address:
    """`http://host:port[/base]`, or `host:port`.  Raises `RemoteError`."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port
    except ValueError:
        raise RemoteError(f"{text}: the port is not a number") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise RemoteError(f"{text}: not an address like http://127.0.0.1:8080")
    secure = parts.scheme == "https"
    return Address(parts.hostname, port or (443 if secure else 80), secure, parts.path.rstrip("/"))


class RemoteEngine:
    """Implements `graft_models.engine.Engine` against one llama-server."""

    def __init__(self, address: str) -> None:
        self._text = address
        self._status = Status("absent")
        self._form: Format = PREFIX_ONLY
        self._context = 4096
        self._jobs: set[RemoteJob] = set()

    @property
    def status(self) -> Status:
        """State now; never blocks."""
        return self._status

    @property
    def capabilities(self) -> Capabilities:
        """Infill if the model has the tokens; no scores, no constraint, one candidate."""
        return Capabilities(infill=self._form.order is not Order.PREFIX_ONLY)

    async def start(self) -> Status:
        """Ask the server which model it has.  Never raises."""
        try:
            address = parse_address(self._text)
            properties = await fetch(address, "GET", "/props", None)
            self._form = await self._choose_format(address)
        except RemoteError as error:
            self._status = Status("failed", str(error))
            return self._status
        settings = properties.get("default_generation_settings") or {}
        self._context = int(settings.get("n_ctx") or 4096)
        name = str(properties.get("model_alias") or properties.get("model_path") or "llama-server")
        message = "" if self.capabilities.infill else "its model has no infill tokens; only the text before is used"
        info = ModelInfo(name, self._text, context_length=self._context, device="remote", format=self._form.name)
        self._status = Status("ready", message, info)
        return self._status

    async def _choose_format(self, address: Address) -> Format:
        """The first family all of whose tokens the server's tokenizer takes as one token each."""
        for form in (GRAFT, *FAMILIES):
            wanted = [t for t in (form.prefix, form.suffix, form.middle, form.repository, form.file) if t]
            answer = await fetch(
                address, "POST", "/tokenize", {"content": "".join(wanted), "add_special": False, "parse_special": True}
            )
            if len(answer.get("tokens", ())) == len(wanted):
                return form
        return PREFIX_ONLY

    def complete(self, request: Request) -> RemoteJob:
        """Begin a completion."""
        job = RemoteJob(self, request)
        self._jobs.add(job)
        job.task.add_done_callback(lambda _: self._jobs.discard(job))
        return job

    async def score(self, request: ScoreRequest) -> Scores:
        """A llama-server gives no log-probabilities of given text."""
        return Scores((), (), "a llama-server cannot score")

    async def warm(self, hole: Hole, document: str = "") -> None:
        """Let the server read the prompt."""
        async for _ in self.complete(Request(0, hole, max_tokens=0, document=document)):
            pass

    async def unload(self) -> None:
        """The server's memory is not ours."""

    async def close(self) -> None:
        """Cancel what is under way."""
        for job in list(self._jobs):
            job.cancel()
        await asyncio.gather(*(job.task for job in list(self._jobs)), return_exceptions=True)
        self._status = Status("absent")

    def prompt(self, request: Request) -> str:
        """The prompt with its special tokens as text, cut to about the server's context."""
        hole = request.hole
        budget = min(request.prompt_budget or self._context, self._context) - request.max_tokens - 32
        room = max(200, budget * CHARACTERS_PER_TOKEN - len(hole.typed))
        suffix = cut_suffix(hole.suffix, room // 6)
        context, used = [], 0
        for part in sorted(hole.context, key=lambda p: -p.value):
            if used + len(part.text) <= room * 2 // 5:
                context.append(part)
                used += len(part.text)
        prefix = cut_prefix(hole.prefix, room - len(suffix) - used)
        kept = tuple(p for p in hole.context if p in context)
        cut = Hole(hole.path, prefix, suffix, hole.typed, hole.repository, kept)
        parts = [s.text if s.special else self._plain(s.text) for s in segments(self._form, cut)]
        return "".join(parts) + self._plain(hole.typed)

    def _plain(self, text: str) -> str:
        """Source text in which nothing is taken for a special token: such a token is broken up by a blank."""
        for token in (self._form.prefix, self._form.suffix, self._form.middle, self._form.repository, self._form.file):
            if token and token in text:
                text = text.replace(token, f"{token[:1]} {token[1:]}")
        return text


class RemoteJob:
    """One request under way."""

    def __init__(self, engine: RemoteEngine, request: Request) -> None:
        self._engine = engine
        self._request = request
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._text = ""
        self._keep: int | None = None
        self._stopped = False
        self._done = False
        self.task = asyncio.create_task(self._run())
        # A task that is cancelled before its first step never runs: the answer is given all the same.
        self.task.add_done_callback(lambda _: self._end(DoneReason.CANCELLED, Usage(), 0.0, 0, ""))

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
        usage, logprob, count = Usage(), 0.0, 0
        reason, error = DoneReason.END, ""
        try:
            if self._engine.status.state != "ready":
                status = await self._engine.start()
                if status.state != "ready":
                    raise RemoteError(status.message)
            seconds = None if self._request.deadline_ms is None else self._request.deadline_ms / 1000
            async with asyncio.timeout(seconds):
                async for piece in stream(parse_address(self._engine._text), "/completion", self._body()):
                    text = str(piece.get("content", ""))
                    probabilities = piece.get("completion_probabilities") or []
                    each = float(probabilities[0].get("logprob", 0.0)) if probabilities else 0.0
                    if text:
                        self._text += text
                        logprob += each
                        count += 1
                        self._events.put_nowait(Token(text, each))
                    if piece.get("stop"):
                        kind = str(piece.get("stop_type"))
                        reason = {"limit": DoneReason.LENGTH, "word": DoneReason.STOP}.get(kind, DoneReason.END)
                        usage = _usage(piece.get("timings") or {})
        except TimeoutError:
            reason = DoneReason.DEADLINE
        except asyncio.CancelledError:
            reason = DoneReason.STOP if self._stopped else DoneReason.CANCELLED
        except RemoteError as problem:
            reason, error = DoneReason.FAILED, str(problem)
        if not usage.prompt_ms:
            usage = Usage(generated=count, generate_ms=(time.perf_counter() - began) * 1000)
        self._end(reason, usage, logprob, count, error)

    def _end(self, reason: DoneReason, usage: Usage, logprob: float, count: int, error: str) -> None:
        if not self._done:
            self._done = True
            text = self._text if self._keep is None else self._text[: self._keep]
            self._events.put_nowait(Done(reason, (text,), (logprob,), (count,), usage, error))

    def _body(self) -> dict[str, Any]:
        request = self._request
        body: dict[str, Any] = {
            "prompt": self._engine.prompt(request),
            "n_predict": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "stream": True,
            "cache_prompt": True,
            "n_probs": 1,
        }
        return {**body, "stop": list(request.stop)} if request.stop else body


def _usage(timings: dict[str, Any]) -> Usage:
    evaluated = int(timings.get("prompt_n", 0))
    return Usage(
        prompt=evaluated + int(timings.get("cache_n", 0)),
        evaluated=evaluated,
        generated=int(timings.get("predicted_n", 0)),
        prompt_ms=float(timings.get("prompt_ms", 0.0)),
        generate_ms=float(timings.get("predicted_ms", 0.0)),
    )


async def fetch(address: Address, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """One request with one JSON object as its answer.  Raises `RemoteError`."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS * 2):
            data = b"".join([chunk async for chunk in _exchange(address, method, path, body)])
    except TimeoutError:
        raise RemoteError(f"{address.host}:{address.port} does not answer") from None
    try:
        answer = json.loads(data)
    except ValueError:
        raise RemoteError(
            f"{address.host}:{address.port}{path}: the answer is not JSON; is it a llama-server?"
        ) from None
    if not isinstance(answer, dict):
        raise RemoteError(f"{address.host}:{address.port}{path}: not what a llama-server answers")
    return answer


async def stream(address: Address, path: str, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """The events of a streamed answer, as objects.  Raises `RemoteError`."""
    rest = b""
    async for chunk in _exchange(address, "POST", path, body):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data: ") and line[6:].strip() != b"[DONE]":
                try:
                    yield json.loads(line[6:])
                except ValueError:
                    raise RemoteError(f"{address.host}:{address.port}: a broken event") from None


async def _exchange(address: Address, method: str, path: str, body: dict[str, Any] | None) -> AsyncIterator[bytes]:
    """The body of one HTTP/1.1 answer in pieces; the connection is closed when the iteration ends."""
    where = f"{address.host}:{address.port}"
    context = ssl.create_default_context() if address.secure else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context, limit=2**20)
    except TimeoutError:
        raise RemoteError(f"{where} does not answer") from None
    except (OSError, ssl.SSLError) as error:
        raise RemoteError(f"{where}: {error.strerror or error}") from None
    try:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {address.base}{path} HTTP/1.1\r\nHost: {where}\r\nConnection: close\r\nAccept: */*\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        await writer.drain()
        status, headers = await _head(reader, where)
        if status != 200:
            text = (await reader.read(2000)).decode("utf-8", "replace")
            raise RemoteError(f"{where}{path}: status {status}{_said(text)}")
        async for chunk in _body(reader, headers, where):
            yield chunk
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        raise RemoteError(f"{where} broke the connection off") from None
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def _head(reader: asyncio.StreamReader, where: str) -> tuple[int, dict[str, str]]:
    first = (await reader.readuntil(b"\r\n")).decode("latin-1").split(" ", 2)
    if not first[0].startswith("HTTP/") or len(first) < 2 or not first[1].isdigit():
        raise RemoteError(f"{where} is no HTTP server")
    headers: dict[str, str] = {}
    while (line := (await reader.readuntil(b"\r\n")).decode("latin-1").strip()) and len(headers) < 200:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(first[1]), headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str], where: str) -> AsyncIterator[bytes]:
    total = 0
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            total += size
            if total > LONGEST_ANSWER:
                raise RemoteError(f"{where}: the answer is too long")
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        return
    if "content-length" in headers:
        left = int(headers["content-length"])
        if left > LONGEST_ANSWER:
            raise RemoteError(f"{where}: the answer is too long")
        if left:
            yield await reader.readexactly(left)
        return
    while chunk := await reader.read(65536):
        total += len(chunk)
        if total > LONGEST_ANSWER:
            raise RemoteError(f"{where}: the answer is too long")
        yield chunk


def _said(text: str) -> str:
    """What an error body says, on one line."""
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        message = json.loads(text.rpartition("\r\n")[2] or text)["error"]["message"]
        return ": " + str(message).split("\n")[0][:200]
    return ""
