"""The engine process, with a tiny model of random weights: streaming, stops, cancels, deaths, broken files."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from graft_models.client import LlamaEngine
from graft_models.engine import Done, DoneReason, Event, Request, ScoreRequest, Token
from graft_models.llama.worker import Writer
from graft_models.prompt import ContextPart, Hole
from graft_testing.tiny_gguf import Shape, write

HOLE = Hole("a.py", "import os\n\ndef f(self):\n", "\nprint(1)\n", "    return self.na", "repo")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes about a millisecond per token, so that something can happen in mid-prompt."""
    shape = Shape(width=512, layers=2, heads=8, kv_heads=2, inner=1536, context=4096)
    return write(tmp_path_factory.mktemp("model") / "slow.gguf", shape=shape)


@pytest.fixture
async def engine(tiny: Path) -> AsyncIterator[LlamaEngine]:
    made = LlamaEngine(tiny, threads=1)
    assert (await made.start()).state == "ready"
    yield made
    await made.close()


def rewrite(source: Path, target: Path, damage: Callable[[bytes], bytes]) -> None:
    target.write_bytes(damage(source.read_bytes()))


async def events(engine: LlamaEngine, request: Request) -> list[Event]:
    return [event async for event in engine.complete(request)]


async def done(engine: LlamaEngine, request: Request) -> Done:
    last = (await events(engine, request))[-1]
    assert isinstance(last, Done)
    return last


async def test_tokens_stream_and_add_up(engine: LlamaEngine) -> None:
    got = await events(engine, Request(1, HOLE, max_tokens=12))
    final = got[-1]
    assert isinstance(final, Done) and final.reason is DoneReason.LENGTH
    tokens = [e for e in got if isinstance(e, Token)]
    assert "".join(t.text for t in tokens if not t.forced) == final.texts[0]
    assert final.counts == (12,) == (sum(not t.forced for t in tokens),)
    assert final.logprobs[0] == pytest.approx(sum(t.logprob for t in tokens if not t.forced))
    assert final.usage.prompt > final.usage.generated == 12 and final.usage.evaluated == final.usage.prompt


async def test_the_second_request_reads_only_what_is_new(engine: LlamaEngine) -> None:
    await done(engine, Request(1, HOLE, max_tokens=4, document="a"))
    again = await done(engine, Request(2, HOLE, max_tokens=4, document="a"))
    typed_on = await done(engine, Request(3, replace(HOLE, typed=HOLE.typed + "m"), max_tokens=4, document="a"))
    assert again.usage.evaluated <= 2 and typed_on.usage.evaluated <= 3


async def test_a_stop_string_ends_the_text_before_it(engine: LlamaEngine) -> None:
    free = await done(engine, Request(1, HOLE, max_tokens=12))
    middle = free.texts[0][3]
    cut = await done(engine, Request(2, HOLE, max_tokens=12, stop=(middle,)))
    assert cut.reason is DoneReason.STOP
    assert cut.texts[0] == free.texts[0][: free.texts[0].index(middle)]
    assert cut.counts[0] <= free.counts[0]


async def test_what_was_typed_constrains_what_is_generated(engine: LlamaEngine) -> None:
    for typed in ("    return self.na", "x = appe", "    ", "f(", "é", "日"):
        got = await events(engine, Request(1, replace(HOLE, typed=typed), max_tokens=6))
        final = got[-1]
        assert isinstance(final, Done) and final.counts[0] <= 6
        assert "\ufffd" not in typed


async def test_cancel_in_mid_prompt_keeps_what_was_read(slow: Path) -> None:
    engine = LlamaEngine(slow, threads=1)
    await engine.start()
    hole = Hole("a.py", "".join(f"value{i} = call({i})\n" for i in range(120)), "")
    job = engine.complete(Request(1, hole, max_tokens=4, document="a"))
    await asyncio.sleep(0.15)
    began = time.perf_counter()
    job.cancel()
    got = [event async for event in job]
    waited = time.perf_counter() - began
    assert [type(e) for e in got] == [Done]
    assert isinstance(got[0], Done) and got[0].reason is DoneReason.CANCELLED
    assert waited < 1.0, f"{waited * 1000:.0f} ms"
    kept = got[0].usage.evaluated
    final = await done(engine, Request(2, hole, max_tokens=4, document="a"))
    assert kept > 0 and final.usage.evaluated <= final.usage.prompt - kept
    await engine.close()


async def test_a_deadline_returns_what_is_there(slow: Path) -> None:
    engine = LlamaEngine(slow, threads=1)
    await engine.start()
    hole = Hole("a.py", "".join(f"value{i} = call({i})\n" for i in range(120)), "")
    began = time.perf_counter()
    final = await done(engine, Request(1, hole, deadline_ms=150))
    assert final.reason is DoneReason.DEADLINE and time.perf_counter() - began < 1.0
    await engine.close()


async def test_a_foreground_request_passes_a_background_one(slow: Path) -> None:
    engine = LlamaEngine(slow, threads=1)
    await engine.start()
    hole = Hole("a.py", "".join(f"value{i} = call({i})\n" for i in range(120)), "")
    order: list[str] = []

    async def work(name: str, request: Request) -> None:
        final = await done(engine, request)
        assert final.reason in (DoneReason.LENGTH, DoneReason.END)
        order.append(name)

    behind = asyncio.create_task(work("background", Request(1, hole, max_tokens=4, document="b", background=True)))
    await asyncio.sleep(0.1)
    await work("foreground", Request(2, HOLE, max_tokens=4, document="a"))
    await behind
    assert order == ["foreground", "background"]
    await engine.close()


async def test_a_killed_process_answers_and_comes_back(engine: LlamaEngine) -> None:
    first = await done(engine, Request(1, HOLE, max_tokens=8))
    job = engine.complete(Request(2, HOLE, max_tokens=2000))
    await asyncio.sleep(0.05)
    assert engine.process_id is not None
    os.kill(engine.process_id, signal.SIGKILL)
    got = [event async for event in job]
    assert isinstance(got[-1], Done) and got[-1].reason is DoneReason.FAILED and "SIGKILL" in got[-1].error
    assert [type(e) for e in got].count(Done) == 1
    again = await done(engine, Request(3, HOLE, max_tokens=8))
    assert again.texts == first.texts and engine.status.state == "ready"


async def test_a_hung_process_is_killed(tiny: Path) -> None:
    engine = LlamaEngine(tiny, threads=1, ping_seconds=0.05, hang_seconds=2.0)
    await engine.start()
    assert engine.process_id is not None
    os.kill(engine.process_id, signal.SIGSTOP)
    final = await done(engine, Request(1, HOLE, max_tokens=8))
    assert final.reason is DoneReason.FAILED
    assert (await done(engine, Request(2, HOLE, max_tokens=8))).reason is DoneReason.LENGTH
    await engine.close()


async def test_idle_unloads_and_the_next_request_loads(tiny: Path) -> None:
    engine = LlamaEngine(tiny, threads=1, idle_minutes=0.001, ping_seconds=0.05)
    await engine.start()
    for _ in range(60):
        await asyncio.sleep(0.05)
        if engine.status.state == "unloaded":
            break
    assert engine.status.state == "unloaded" and engine.process_id is None
    assert (await done(engine, Request(1, HOLE, max_tokens=2))).counts == (2,)
    await engine.close()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[: len(data) // 2], "is cut off: "),
        (lambda data: data[:40], "is cut off: its header"),
        (lambda data: b"PK\x03\x04" + data[4:], "is not a GGUF file"),
        (lambda data: data.replace(b"qwen2", b"qwenX"), "unknown model architecture"),
        (lambda data: b"", "is not a GGUF file"),
    ],
)
async def test_a_broken_file_is_one_line(
    tiny: Path, tmp_path: Path, damage: Callable[[bytes], bytes], says: str
) -> None:
    path = tmp_path / "broken.gguf"
    rewrite(tiny, path, damage)
    engine = LlamaEngine(path)
    status = await engine.start()
    assert status.state == "failed" and says in status.message and "\n" not in status.message
    final = await done(engine, Request(1, HOLE))
    assert final.reason is DoneReason.FAILED and final.error == status.message
    await engine.close()


async def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    engine = LlamaEngine(tmp_path / "none.gguf")
    assert "no such file" in (await engine.start()).message
    await engine.close()


async def test_a_file_deleted_while_loaded(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.gguf"
    rewrite(tiny, path, lambda data: data)
    engine = LlamaEngine(path, threads=1)
    await engine.start()
    path.unlink()
    assert (await done(engine, Request(1, HOLE, max_tokens=2))).reason is DoneReason.LENGTH
    assert engine.process_id is not None
    os.kill(engine.process_id, signal.SIGKILL)
    for _ in range(100):
        await asyncio.sleep(0.05)
        if engine.status.state == "failed":
            break
    assert engine.status.state == "failed" and "no such file" in engine.status.message
    await engine.close()


async def test_a_context_longer_than_the_models_is_said(tiny: Path) -> None:
    engine = LlamaEngine(tiny, threads=1, context=100_000)
    status = await engine.start()
    assert status.state == "ready" and "100000" in status.message
    assert status.model is not None and status.model.context_length == 2048
    long = replace(HOLE, prefix="x = 1\n" * 20_000, suffix="y = 2\n" * 20_000)
    final = await done(engine, Request(1, long, max_tokens=4))
    assert final.reason is DoneReason.LENGTH and 1500 < final.usage.prompt < 2048
    await engine.close()


async def test_without_infill_tokens_only_the_prefix_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.gguf", specials=("<|endoftext|>",))
    engine = LlamaEngine(path, threads=1)
    status = await engine.start()
    assert status.state == "ready" and "no infill tokens" in status.message and not engine.capabilities.infill
    assert (await done(engine, Request(1, HOLE, max_tokens=3))).counts == (3,)
    await engine.close()


async def test_scores_are_those_of_the_generated_tokens(engine: LlamaEngine) -> None:
    hole = replace(HOLE, typed="")
    final = await done(engine, Request(1, hole, max_tokens=4, document="a"))
    scores = await engine.score(ScoreRequest(2, hole, (final.texts[0], "zzz", ""), document="a", background=False))
    assert scores.logprobs[0] > scores.logprobs[1] or scores.counts[0] != final.counts[0]
    assert scores.counts[2] == 0 and scores.logprobs[2] == 0.0
    twice = await engine.score(ScoreRequest(3, hole, ("zzz",) * 30, document="a"))
    assert len(set(twice.logprobs)) == 1 and twice.logprobs[0] == scores.logprobs[1]


async def test_candidates_differ_and_come_best_first(engine: LlamaEngine) -> None:
    final = await done(engine, Request(1, HOLE, max_tokens=5, candidates=4))
    assert len(set(final.texts)) == 4
    means = [p / c for p, c in zip(final.logprobs, final.counts, strict=True)]
    assert means == sorted(means, reverse=True)


async def test_warm_makes_the_first_request_cheap(engine: LlamaEngine) -> None:
    part = ContextPart("b.py", "def g(): ...\n" * 20)
    hole = replace(HOLE, context=(part,))
    await engine.warm(hole, "a")
    final = await done(engine, Request(1, hole, max_tokens=2, document="a"))
    assert final.usage.evaluated <= 2 and [p[:2] for p in final.usage.parts] == [("definition", "b.py")]
    assert (await engine.stats())["evaluated"] > 100


async def test_requests_after_close_fail(tiny: Path) -> None:
    engine = LlamaEngine(tiny, threads=1)
    await engine.start()
    await engine.close()
    assert (await done(engine, Request(1, HOLE))).reason is DoneReason.FAILED
    assert (await engine.score(ScoreRequest(1, HOLE, ("a",)))).error


def test_a_writer_sends_whole_frames() -> None:
    class Dribble:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes | memoryview) -> int:
            self.data += bytes(data[:3])
            return min(3, len(data))

    stream = Dribble()
    Writer(stream).send(t="done", id=1)
    assert stream.data[4:] == b'{"t":"done","id":1}'


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
async def test_background_work_is_modest(slow: Path) -> None:
    """While a prompt is read ahead the engine's thread is of the batch class, and ordinary again for a person."""
    engine = LlamaEngine(slow, threads=1)
    await engine.start()

    def policy() -> int:
        # The 41st field; the process' name, in brackets, may hold blanks.
        return int(Path(f"/proc/{engine.process_id}/stat").read_text().rsplit(")", 1)[1].split()[38])

    hole = Hole("a.py", "".join(f"value{i} = call({i})\n" for i in range(200)), "")
    reading = asyncio.create_task(engine.warm(hole, "a"))
    seen = set()
    while not reading.done():
        seen.add(policy())
        await asyncio.sleep(0.01)
    assert await reading and os.SCHED_BATCH in seen
    await done(engine, Request(1, HOLE, max_tokens=1))
    assert policy() == os.SCHED_OTHER
    await engine.close()


async def test_a_cancel_followed_by_a_key_keeps_the_batch(slow: Path) -> None:
    """Keys that come faster than a batch is read do not keep a prompt from ever being read."""
    engine = LlamaEngine(slow, threads=1, batch=64)
    await engine.start()
    hole = Hole("a.py", "".join(f"value{i} = call({i})\n" for i in range(120)), "")
    evaluated = [0]
    for number in range(12):
        job = engine.complete(Request(number, replace(hole, typed="x" * number), max_tokens=1, document="a"))
        await asyncio.sleep(0.03)
        job.cancel()
        evaluated.append(int((await engine.stats())["evaluated"]))
    assert evaluated[-1] > 0
    final = await done(engine, Request(99, hole, max_tokens=1, document="a"))
    assert final.usage.evaluated < final.usage.prompt
    await engine.close()
