"""Questions at triggers, and names as a constraint, through the whole engine."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from graft_models.client import LlamaEngine
from graft_models.engine import Allow, Done, DoneReason, Need, Request, Stop, Token, Trigger
from graft_models.prompt import Hole
from graft_testing.tiny_gguf import write

NAMES = ("append", "index", "keyword_only", "name", "name_of", "été")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.gguf", seed=3)


@pytest.fixture
async def engine(tiny: Path) -> AsyncIterator[LlamaEngine]:
    made = LlamaEngine(tiny, threads=1, need_ms=5000)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def impatient(tiny: Path) -> AsyncIterator[LlamaEngine]:
    made = LlamaEngine(tiny, threads=1, need_ms=1)
    await made.start()
    yield made
    await made.close()


async def ask(
    engine: LlamaEngine,
    typed: str,
    reply: Callable[[Need], Allow | Stop | None],
    temperature: float = 0.0,
    seed: int = 0,
) -> tuple[Done, list[Need]]:
    hole = Hole("a.py", "class A:\n", "\nend()\n", typed)
    job = engine.complete(
        Request(1, hole, max_tokens=10, triggers=tuple(Trigger), temperature=temperature, seed=seed, document="a")
    )
    needs: list[Need] = []
    async for event in job:
        if isinstance(event, Need):
            needs.append(event)
            answer = reply(event)
            if answer is not None:
                job.answer(answer)
        elif isinstance(event, Done):
            return event, needs
    raise AssertionError("no Done")


def names_only(need: Need) -> Allow:
    return Allow(need.need, NAMES if need.trigger is Trigger.DOT else (), open=need.trigger is not Trigger.DOT)


@pytest.mark.parametrize("typed", ["    x = self.", "    x = self.n", "    x = self.name", "    x = self.name_"])
@pytest.mark.parametrize("temperature", [0.0, 2.0])
async def test_only_allowed_names_come(engine: LlamaEngine, typed: str, temperature: float) -> None:
    for seed in range(3 if temperature else 1):
        done, needs = await ask(engine, typed, names_only, temperature, seed)
        assert needs[0].trigger is Trigger.DOT and needs[0].text == typed
        whole = typed + done.texts[0]
        name = re.match(r"    x = self\.(\w*)(.?)", whole)
        assert name is not None
        assert name.group(1) in NAMES or (not name.group(2) and any(n.startswith(name.group(1)) for n in NAMES))


async def test_open_answers_and_silence_change_nothing(engine: LlamaEngine, impatient: LlamaEngine) -> None:
    silent, _ = await ask(impatient, "    x = self.", lambda need: None)
    hinted, _ = await ask(engine, "    x = self.", lambda need: Allow(need.need, NAMES, open=True))
    assert silent.texts == hinted.texts and silent.logprobs == hinted.logprobs


async def test_names_that_the_typed_text_rules_out_do_not_constrain(
    engine: LlamaEngine, impatient: LlamaEngine
) -> None:
    free, _ = await ask(impatient, "    x = self.zz", lambda need: None)
    other, _ = await ask(engine, "    x = self.zz", lambda need: Allow(need.need, ("append",)))
    assert other.texts == free.texts


async def test_stop_at_a_trigger_ends_the_answer(engine: LlamaEngine) -> None:
    done, needs = await ask(engine, "    x = self.", lambda need: Stop(keep=0))
    assert done.reason is DoneReason.STOP and done.texts == ("",) and len(needs) == 1


async def test_stop_while_streaming_drops_the_overshoot(engine: LlamaEngine) -> None:
    hole = Hole("a.py", "class A:\n", "\nend()\n", "    x")
    job = engine.complete(Request(1, hole, max_tokens=500, document="a"))
    done: Done | None = None
    seen = ""
    async for event in job:
        if isinstance(event, Done):
            done = event
        elif isinstance(event, Token) and not event.forced:
            seen += event.text
            if len(seen) >= 3:
                job.answer(Stop(keep=2))
    assert done is not None and done.texts[0] == seen[:2]
    assert done is not None and done.reason is DoneReason.STOP and len(done.texts[0]) == 2
    assert 0 < done.counts[0] <= 2


async def test_late_and_wrong_answers_are_ignored(impatient: LlamaEngine) -> None:
    done, _ = await ask(impatient, "    x = self.", lambda need: Allow(need.need + 100, ("append",)))
    free, _ = await ask(impatient, "    x = self.", lambda need: None)
    assert done.texts == free.texts


@pytest.mark.parametrize("typed", ["    x = ", "    return ", "    if ", "    x = y + "])
async def test_a_name_after_a_typed_blank_is_asked_for(engine: LlamaEngine, impatient: LlamaEngine, typed: str) -> None:
    """The blank is healed, so the name begins in the middle of the first token."""
    done, needs = await ask(engine, typed, lambda need: Allow(need.need, ("keyword_only",)))
    assert (needs[0].trigger, needs[0].text) == (Trigger.NAME, typed)
    assert done.texts[0].startswith("keyword_o")
    free, _ = await ask(impatient, typed, lambda need: None)
    assert not free.texts[0].startswith("keyword_o")


async def test_a_stop_after_a_typed_blank_keeps_nothing(engine: LlamaEngine) -> None:
    done, needs = await ask(engine, "    x = ", lambda need: Stop(keep=0))
    assert done.reason is DoneReason.STOP and done.texts == ("",) and len(needs) == 1
