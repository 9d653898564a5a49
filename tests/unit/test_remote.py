"""A llama-server as engine, against one that the test plays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from graft_models.engine import Done, DoneReason, Request, ScoreRequest, Stop, Token
from graft_models.prompt import ContextPart, Hole
from graft_models.remote import RemoteEngine
from graft_models.remote_http import Address, RemoteError, parse_address

HOLE = Hole("a.py", "x = 1\n", "y = 2\n", "z = <|fim_middle|>", "repo", (ContextPart("b.py", "def f(): ..."),))
Handler = Callable[[str, dict[str, Any]], bytes | None]


def answer(body: Any, status: str = "200 OK") -> bytes:
    data = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


def events(*pieces: dict[str, Any]) -> bytes:
    out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in pieces:
        data = f"data: {json.dumps(piece)}\n\n".encode()
        # Cut in the middle: an event may come in two chunks.
        for part in (data[:7], data[7:]):
            out += f"{len(part):x}\r\n".encode() + part + b"\r\n"
    return out + b"0\r\n\r\n"


class Played:
    """What was asked, and what is answered."""

    def __init__(self, completion: bytes | None, tokens: bool = True) -> None:
        self.asked: list[dict[str, Any]] = []
        self.completion = completion
        self.tokens = tokens
        self.closed = asyncio.Event()

    def handle(self, path: str, body: dict[str, Any]) -> bytes | None:
        if path == "/props":
            return answer({"default_generation_settings": {"n_ctx": 2048}, "model_alias": "played"})
        if path == "/tokenize":
            return answer({"tokens": list(range(body["content"].count("<|"))) if self.tokens else list(range(40))})
        self.asked.append(body)
        return self.completion


@asynccontextmanager
async def serving(played: Played) -> AsyncIterator[str]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(next(x for x in head.split("\r\n") if x.lower().startswith("content-length")).split(":")[1])
        data = await reader.readexactly(length)
        reply = played.handle(head.split(" ")[1], json.loads(data or b"{}"))
        if reply is None:
            await reader.read()
            played.closed.set()
        else:
            writer.write(reply)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_tokens_stream_and_the_prompt_is_the_anchored_one() -> None:
    # What was typed and not sent comes back first; it is not part of the answer.
    pieces = [{"content": "|"}, {"content": ">a"}, {"content": " + b", "stop": False}]
    timings = {"prompt_n": 2, "cache_n": 30, "prompt_ms": 1}
    last = {"content": "", "stop": True, "stop_type": "limit"}
    pieces = [{**piece, "timings": timings} for piece in pieces]
    played = Played(events(*pieces, last))
    async with serving(played) as address:
        engine = RemoteEngine(address)
        status = await engine.start()
        assert status.state == "ready" and status.model is not None and status.model.format == "graft"
        got = [e async for e in engine.complete(Request(1, HOLE, max_tokens=2))]
        await engine.close()
    assert [e.text for e in got if isinstance(e, Token) and not e.forced] == ["a", " + b"]
    assert "".join(e.text for e in got if isinstance(e, Token) and e.forced) == "|>"
    done = got[-1]
    assert isinstance(done, Done) and done.texts == ("a + b",) and done.reason is DoneReason.LENGTH
    assert (done.usage.prompt, done.usage.evaluated) == (32, 2)
    assert played.asked[0]["prompt"] == (
        "<|repo_name|>repo\n<|file_sep|>b.py\ndef f(): ...\n<|file_sep|>a.py\n"
        "<|fim_prefix|>x = 1\n<|fim_suffix|>y = 2\n<|fim_middle|>z = <|fim_middle"
    )
    assert played.asked[0]["grammar"] == 'root ::= "|>" .*'


async def test_cancel_closes_the_connection_and_answers() -> None:
    played = Played(None)
    async with serving(played) as address:
        engine = RemoteEngine(address)
        await engine.start()
        early = engine.complete(Request(1, HOLE))
        early.cancel()
        assert [e.reason async for e in early if isinstance(e, Done)] == [DoneReason.CANCELLED]
        job = engine.complete(Request(2, HOLE))
        await asyncio.sleep(0.1)
        job.cancel()
        assert [e.reason async for e in job if isinstance(e, Done)] == [DoneReason.CANCELLED]
        await asyncio.wait_for(played.closed.wait(), 5)
        stopped = engine.complete(Request(3, HOLE))
        await asyncio.sleep(0.05)
        stopped.answer(Stop())
        assert [e.reason async for e in stopped if isinstance(e, Done)] == [DoneReason.STOP]
        await engine.close()


async def test_a_deadline_ends_it() -> None:
    played = Played(None)
    async with serving(played) as address:
        engine = RemoteEngine(address)
        await engine.start()
        got = [e async for e in engine.complete(Request(1, HOLE, deadline_ms=50))]
        assert isinstance(got[-1], Done) and got[-1].reason is DoneReason.DEADLINE
        await engine.close()


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (answer({"error": {"message": "Loading model"}}, "503 Service Unavailable"), "status 503: Loading model"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nda", "broke the connection off"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP server"),
        (b"", "broke the connection off"),
    ],
)
async def test_a_bad_answer_is_one_line(reply: bytes, says: str) -> None:
    played = Played(reply)
    async with serving(played) as address:
        engine = RemoteEngine(address)
        await engine.start()
        got = [e async for e in engine.complete(Request(1, HOLE))]
        await engine.close()
    assert isinstance(got[-1], Done) and got[-1].reason is DoneReason.FAILED
    assert says in got[-1].error and "\n" not in got[-1].error


async def test_no_server_and_no_tokens() -> None:
    engine = RemoteEngine("http://127.0.0.1:1")
    assert (await engine.start()).state == "failed"
    played = Played(None, tokens=False)
    async with serving(played) as address:
        engine = RemoteEngine(address)
        assert "no infill tokens" in (await engine.start()).message
        assert not engine.capabilities.infill
        assert (await engine.score(ScoreRequest(1, HOLE, ("a",)))).error


@pytest.mark.parametrize("text", ["ftp://x", "http://", "http://a:b", "http://u:p@h", "http://h/?q=1"])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(RemoteError):
        parse_address(text)


def test_addresses() -> None:
    assert parse_address("localhost:8080") == Address("localhost", 8080, False, "")
    assert parse_address("https://h/base/") == Address("h", 443, True, "/base")
