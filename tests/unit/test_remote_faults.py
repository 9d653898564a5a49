"""Remote engines of each kind against a server that is slow, cut, garbled, busy and broken; and several endpoints."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from graft_models import remote
from graft_models.engine import Done, DoneReason, Event, Request, Token
from graft_models.prompt import ContextPart, Hole
from graft_models.remote import RemoteEngine
from graft_models.remote_http import Limits
from graft_testing import faulty_http as web

HOLE = Hole("a.py", "x = 1\n", "y = 2\n", "z = x", "repo", (ContextPart("b.py", "def f(): ..."),))
QUICK = Limits(connect=2.0, first=0.6, between=0.4)


class Model:
    """A model server of one kind; `answers` are behaviours for completions, all else is answered properly."""

    def __init__(self, kind: str, *answers: web.Behaviour, name: str = "qwen2.5-coder") -> None:
        self.kind, self.name = kind, name
        self.answers = list(answers) or [self.fine]
        self.prompts: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    def __call__(self, h: web.Handler) -> None:
        seen = h.faulty.seen[-1]
        self.keys.append(seen.headers.get("authorization"))
        body = json.loads(seen.body or b"{}")
        fixed = {
            ("llama", "/props"): {"default_generation_settings": {"n_ctx": 2048}, "model_alias": self.name},
            ("openai", "/v1/models"): {"data": [{"id": self.name, "max_model_len": 8192}]},
            ("ollama", "/api/tags"): {"models": [{"name": self.name}]},
            ("ollama", "/api/show"): {"model_info": {"qwen2.context_length": 32768}},
        }.get((self.kind, seen.target))
        if self.kind == "llama" and seen.target == "/tokenize":
            fixed = {"tokens": list(range(body["content"].count("<|")))}
        if fixed is not None:
            h.reply(200, json.dumps(fixed).encode())
        elif seen.target in ("/completion", "/v1/completions", "/api/generate"):
            self.prompts.append(body)
            (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(h)
        else:
            h.reply(404, b"{}")

    def fine(self, h: web.Handler) -> None:
        h.reply(200, self.written(" x", " + 1", "\n"))

    def written(self, *texts: str, end: bool = True) -> bytes:
        """An answer in pieces; `texts` come as they are."""
        out = []
        if self.kind == "llama":
            out = [{"content": t, "completion_probabilities": [{"logprob": -0.5}]} for t in texts]
            out += [{"content": "", "stop": True, "stop_type": "eos", "timings": {"prompt_n": 3, "cache_n": 4}}] * end
        elif self.kind == "openai":
            out = [{"choices": [{"text": t, "logprobs": {"token_logprobs": [-0.5]}}]} for t in texts]
            out += [{"choices": [{"text": "", "finish_reason": "stop"}]}] * end
            out += [{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(texts)}}] * end
        else:
            out = [{"response": t, "done": False} for t in texts]
            last = {"response": "", "done": True, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 3}
            return b"".join(json.dumps(o).encode() + b"\n" for o in [*out, *[last] * end])
        done = b"data: [DONE]\n\n" if self.kind == "openai" and end else b""
        return b"".join(b"data: " + json.dumps(o).encode() + b"\n\n" for o in out) + done


def prefixed(kind: str, address: str) -> str:
    return f"{kind}+{address}"


async def asked(engine: RemoteEngine, **more: Any) -> tuple[Done, list[Event]]:
    events = [e async for e in engine.complete(Request(1, HOLE, **{"max_tokens": 8, **more}))]
    assert isinstance(events[-1], Done) and sum(isinstance(e, Done) for e in events) == 1
    return events[-1], events


KINDS = pytest.mark.parametrize("kind", ["llama", "openai", "ollama"])


@KINDS
@pytest.mark.parametrize("named", [True, False])
async def test_each_kind_is_found_out_and_answers(kind: str, named: bool) -> None:
    model = Model(kind)
    with web.serving(b"", model) as server:
        engine = RemoteEngine(prefixed(kind, server.address) if named else server.address, environment={})
        status = await engine.start()
        assert status.state == "ready" and status.model is not None, status.message
        assert status.model.device == f"remote: {kind}" and status.model.format in ("graft", "qwen")
        assert "without" in status.message and "name constraints" in status.message
        done, events = await asked(engine)
        await engine.close()
    assert done.texts == (" + 1\n",) and done.reason is DoneReason.END and done.usage.prompt == 7
    assert "".join(e.text for e in events if isinstance(e, Token) and not e.forced) == " + 1\n"
    (body,) = model.prompts
    assert body["prompt"].endswith("<|fim_middle|>z =") and "def f(): ..." in body["prompt"]
    assert done.logprobs[0] == (0.0 if kind == "ollama" else -1.0)
    if kind == "ollama":
        assert body["raw"] is True and body["options"]["num_ctx"] == 4096


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_a_model_that_goes_another_way_is_forced(kind: str) -> None:
    model = Model(kind)
    model.answers = [lambda h: h.reply(200, model.written(" = 5")), lambda h: h.reply(200, model.written(" * 2"))]
    with web.serving(b"", model) as server:
        engine = RemoteEngine(prefixed(kind, server.address), environment={})
        done, _ = await asked(engine)
        await engine.close()
    assert done.texts == (" * 2",)
    assert [b["prompt"][-5:] for b in model.prompts] == ["|>z =", "z = x"]


@KINDS
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_busy_once_is_tried_again(kind: str, status: int) -> None:
    model = Model(kind)
    model.answers = [web.status(status, Retry_After="0"), model.fine]
    with web.serving(b"", model) as server:
        engine = RemoteEngine(prefixed(kind, server.address), environment={})
        done, _ = await asked(engine)
        await engine.close()
    assert done.reason is DoneReason.END and len(model.prompts) == 2


@KINDS
async def test_a_lasting_error_is_one_line_and_the_engine_recovers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "REST_SECONDS", 0.0)
    model = Model(kind, web.status(500, b'{"error": {"message": "out of memory\\nat line 3"}}'))
    with web.serving(b"", model) as server:
        engine = RemoteEngine(prefixed(kind, server.address), environment={})
        done, _ = await asked(engine)
        assert done.reason is DoneReason.FAILED and "status 500: out of memory at line 3" in done.error
        assert engine.status.state == "failed" and "the graph answers alone" in engine.status.message
        model.answers = [model.fine]
        done, _ = await asked(engine)
        assert done.reason is DoneReason.END and engine.status.state == "ready"
        await engine.close()


@KINDS
async def test_garbage_and_cut_answers_fail_in_one_line(kind: str) -> None:
    model = Model(kind)
    start = b"" if kind == "ollama" else b"data: "
    half = model.written(" x", " + 1", end=False)
    bad: list[web.Behaviour] = [
        lambda h: h.reply(200, start + b"{broken\n\n"),
        lambda h: h.reply(200, start + b"[1, 2]\n\n"),
        lambda h: h.reply(200, half),
        lambda h: h.reply(200, half, Content_Length=str(len(half) + 50)),
        lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        lambda h: h.wfile.write(b"\x16\x03\x01\x00"),
        lambda h: h.reply(200, start + b'{"error": "model runner has crashed"}\n\n'),
        web.nothing,
    ]
    for behaviour in bad:
        model.answers = [behaviour]
        with web.serving(b"", model) as server:
            engine = RemoteEngine(prefixed(kind, server.address), environment={}, limits=QUICK)
            done, _ = await asked(engine)
            await engine.close()
        assert done.reason is DoneReason.FAILED and done.error and "\n" not in done.error


@KINDS
async def test_silence_ends(kind: str) -> None:
    release = threading.Event()
    model = Model(kind)

    def mute(h: web.Handler) -> None:
        release.wait(20)

    def stalls(h: web.Handler) -> None:
        data = model.written(" x", " +", end=False)
        h.send_response(200)
        h.send_header("Content-Length", "9999")
        h.end_headers()
        h.wfile.write(data)
        h.wfile.flush()
        release.wait(20)

    try:
        for behaviour, says in ((mute, "did not begin to answer"), (stalls, "fell silent")):
            model.answers = [behaviour]
            with web.serving(b"", model) as server:
                engine = RemoteEngine(prefixed(kind, server.address), environment={}, limits=QUICK)
                done, _ = await asked(engine)
                await engine.close()
            assert done.reason is DoneReason.FAILED and says in done.error
    finally:
        release.set()


@KINDS
async def test_cancelling_closes_the_stream_at_once(kind: str) -> None:
    closed = threading.Event()
    model = Model(kind)

    def endless(h: web.Handler) -> None:
        h.send_response(200)
        h.end_headers()
        first, more = model.written(" x", end=False), model.written(" y", end=False)
        h.wfile.write(first)
        try:
            while True:
                h.wfile.write(more)
                h.wfile.flush()
                time.sleep(0.01)
        except OSError:
            closed.set()

    model.answers = [endless]
    with web.serving(b"", model) as server:
        engine = RemoteEngine(prefixed(kind, server.address), environment={})
        job = engine.complete(Request(1, HOLE, max_tokens=100_000))
        async for event in job:
            if isinstance(event, Token) and not event.forced:
                job.cancel()
            if isinstance(event, Done):
                assert event.reason is DoneReason.CANCELLED
        assert await asyncio.to_thread(closed.wait, 5)
        await engine.close()


async def test_the_next_endpoint_takes_over_and_the_first_is_asked_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "REST_SECONDS", 0.3)
    first, second = Model("llama", name="first"), Model("openai", name="qwen-second")
    with web.serving(b"", first) as one, web.serving(b"", second) as two:
        engine = RemoteEngine(f"{one.address} {two.address}", environment={})
        await engine.start()
        await asked(engine)
        assert engine.status.model and engine.status.model.name == "first"
        first.answers = [web.status(500)]
        done, _ = await asked(engine)
        assert done.reason is DoneReason.END and engine.status.model.name == "qwen-second"
        assert "status 500; using 127.0.0.1:" in engine.status.message
        before = len(first.prompts)
        await asked(engine)
        assert len(first.prompts) == before and len(second.prompts) == 2
        first.answers = [first.fine]
        await asyncio.sleep(0.35)
        await asked(engine)
        assert engine.status.model.name == "first" and "using" not in engine.status.message
        await engine.close()


@pytest.mark.parametrize("code", [401, 404])
async def test_the_next_endpoint_takes_over_where_the_first_refuses(code: int) -> None:
    first, second = Model("openai", web.status(code)), Model("openai", name="qwen-second")
    with web.serving(b"", first) as one, web.serving(b"", second) as two:
        engine = RemoteEngine(f"{one.address} {two.address}", environment={})
        done, _ = await asked(engine)
        assert done.reason is DoneReason.END and engine.status.model and engine.status.model.name == "qwen-second"
        assert f"status {code}" in engine.status.message or "using" in engine.status.message
        await engine.close()
    assert len(first.prompts) == 1 and len(second.prompts) == 1


async def test_nothing_is_asked_twice_once_an_answer_has_begun() -> None:
    first, second = Model("llama"), Model("llama")
    first.answers = [lambda h: h.reply(200, first.written(" x", " +", end=False))]
    with web.serving(b"", first) as one, web.serving(b"", second) as two:
        engine = RemoteEngine(f"{one.address} {two.address}", environment={})
        done, _ = await asked(engine)
        await engine.close()
    assert done.reason is DoneReason.FAILED and not second.prompts and len(first.prompts) == 1


async def test_all_down_is_said_and_fails_fast() -> None:
    engine = RemoteEngine("http://127.0.0.1:1 http://127.0.0.1:2", environment={})
    status = await engine.start()
    assert status.state == "failed" and "127.0.0.1:1: nothing listens there (and 1 more)" in status.message
    for _ in range(3):
        done, _ = await asked(engine)
        assert done.reason is DoneReason.FAILED and "nothing listens there" in done.error
    await engine.close()


async def test_a_server_that_comes_up_later_is_found_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "REST_SECONDS", 0.05)
    with web.serving(b"", web.status(503, b'{"error": {"message": "Loading model"}}')) as server:
        engine = RemoteEngine(f"llama+{server.address}", environment={})
        status = await engine.start()
        assert status.state == "failed" and "503: Loading model" in status.message
        server.behaviours = [Model("llama")]
        for _ in range(100):
            if engine.status.state == "ready":
                break
            await asyncio.sleep(0.05)
        assert engine.status.state == "ready"
        done, _ = await asked(engine)
        assert done.reason is DoneReason.END
        await engine.close()


async def test_keys_are_sent_to_their_server_only(tmp_path: Path) -> None:
    one, two = Model("llama"), Model("llama")
    one.answers = [web.status(500)]
    with web.serving(b"", one) as first, web.serving(b"", two) as second:
        file = tmp_path / "remote.key"
        file.write_text(first.address.removeprefix("http://") + " secret\n")
        file.chmod(0o600)
        engine = RemoteEngine(f"{first.address} {second.address}", key_file=file, environment={})
        await asked(engine)
        await engine.close()
    assert set(one.keys) == {"Bearer secret"} and set(two.keys) == {None}


async def test_a_refused_key_says_where_keys_go() -> None:
    with web.serving(b"", web.status(401, b'{"error": "Unauthorized"}')) as server:
        engine = RemoteEngine(server.address, environment={"GRAFT_REMOTE_KEY": "wrong"})
        status = await engine.start()
    assert status.state == "failed" and "status 401: Unauthorized; set GRAFT_REMOTE_KEY" in status.message
    assert len(server.seen) == 1


async def test_a_readable_key_file_stops_everything(tmp_path: Path) -> None:
    file = tmp_path / "remote.key"
    file.write_text("secret")
    file.chmod(0o644)
    with web.serving(b"", Model("llama")) as server:
        engine = RemoteEngine(server.address, key_file=file, environment={})
        status = await engine.start()
        assert status.state == "failed" and "chmod 600" in status.message
        done, _ = await asked(engine)
        assert done.reason is DoneReason.FAILED and "chmod 600" in done.error and not server.seen
        await engine.close()
    wrong = RemoteEngine("http://gpu.example:1", environment={})
    done, _ = await asked(wrong)
    assert done.reason is DoneReason.FAILED and "unencrypted" in done.error
    await wrong.close()


async def test_tls_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    with web.serving(b"", Model("llama"), tls=True) as server:
        status = await RemoteEngine(server.address, environment={}).start()
        assert status.state == "failed" and "certificate is not trusted" in status.message
        monkeypatch.setenv("SSL_CERT_FILE", str(web.CERTIFICATES / "authority.pem"))
        engine = RemoteEngine(server.address, environment={})
        assert (await engine.start()).state == "ready"
        done, _ = await asked(engine)
        assert done.reason is DoneReason.END
        await engine.close()


async def test_optional_parameters_are_left_out_once_refused() -> None:
    model = Model("openai")

    def strict(h: web.Handler) -> None:
        body = json.loads(h.faulty.seen[-1].body)
        if "stream_options" in body:
            h.reply(422, b'{"detail": "Extra inputs are not permitted"}')
        else:
            model.fine(h)

    model.answers = [strict]
    with web.serving(b"", model) as server:
        engine = RemoteEngine(prefixed("openai", server.address), environment={})
        for _ in range(2):
            done, _ = await asked(engine)
            assert done.reason is DoneReason.END
        assert "probabilities" in engine.status.message
        await engine.close()
    assert len(model.prompts) == 3


async def test_formats_by_word_and_unknown_ones() -> None:
    with web.serving(b"", Model("openai", name="mystery-7b")) as server:
        engine = RemoteEngine(prefixed("openai", server.address), environment={})
        assert "write it as #MODEL;format=qwen" in (await engine.start()).message
        assert not engine.capabilities.infill
        stated = RemoteEngine(prefixed("openai", server.address) + ";format=starcoder2", environment={})
        status = await stated.start()
        assert status.model and status.model.format == "starcoder2" and stated.capabilities.infill
        wrong = RemoteEngine(prefixed("openai", server.address) + ";format=klingon", environment={})
        assert "no such format" in (await wrong.start()).message


async def test_a_server_that_lays_out_itself_gets_prefix_and_suffix() -> None:
    model = Model("openai")
    with web.serving(b"", model) as server:
        engine = RemoteEngine(prefixed("openai", server.address) + ";format=suffix", environment={})
        done, _ = await asked(engine)
        assert done.texts == (" + 1\n",) and engine.capabilities.infill
        await engine.close()
    assert model.prompts[0]["prompt"] == "x = 1\nz =" and model.prompts[0]["suffix"] == "y = 2\n"


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_a_model_that_is_not_there(kind: str) -> None:
    with web.serving(b"", Model(kind)) as server:
        status = await RemoteEngine(prefixed(kind, server.address) + "#other", environment={}).start()
    assert status.state == "failed" and "has no model other; there are qwen2.5-coder" in status.message


async def test_something_else_listens_there() -> None:
    with web.serving(b"", web.page) as server:
        status = await RemoteEngine(server.address, environment={}).start()
    assert status.state == "failed" and "\n" not in status.message and "not like a model server" in status.message
