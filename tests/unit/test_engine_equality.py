"""What is generated does not depend on what lay in memory, on how a prompt was cut into batches, or on other files.

Greedy text and log-probabilities are compared bit for bit between an engine that reuses everything and drafts, with an
odd batch size, and one that reads every prompt anew and makes one token at a time.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graft_models.engine import Allow, Done, DoneReason, Need, Request, Stop, Token, Trigger
from graft_models.llama.decoding import Generation, Stream
from graft_models.llama.jobs import Windows, complete, warm
from graft_models.llama.model import Model
from graft_models.llama.speculation import Speculation
from graft_models.prompt import ContextPart, Hole, anchor
from graft_testing.tiny_gguf import Shape, write

WORDS = ["self", ".name", "(", ")", " = ", "\n", "    ", "return ", "value", "[0]", "é", "x"]
edits = st.lists(
    st.tuples(st.sampled_from(["a.py", "b.py"]), st.floats(0, 1), st.integers(0, 3), st.sampled_from(WORDS)),
    min_size=1,
    max_size=10,
)


class Alone:
    """A control that nobody answers."""

    def __init__(self) -> None:
        self.events: list[Token] = []

    def interrupted(self) -> DoneReason | None:
        return None

    def stopped(self) -> Stop | None:
        return None

    def ask(self, need: Need) -> Allow | Stop | None:
        return None

    def send(self, event: Token) -> None:
        self.events.append(event)


def answer(model: Model, windows: Windows, request: Request) -> tuple[Done, list[Token]]:
    control = Alone()
    work = complete(model, windows, request, control)
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value, control.events


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Model]:
    path = write(tmp_path_factory.mktemp("model") / "tiny.gguf", shape=Shape(layers=2, context=1024), quantized=True)
    reusing, fresh = Model(path, threads=1, batch=7), Model(path, threads=1, batch=64, reuse=False)
    reusing.speculation, fresh.speculation = Speculation("on"), Speculation("off")
    return reusing, fresh


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits)
def test_reuse_batches_and_other_files_change_nothing(
    models: tuple[Model, Model], steps: list[tuple[str, float, int, str]]
) -> None:
    reusing, fresh = models
    for slot in reusing.cache.slots:
        reusing.cache.truncate(slot, 0)
    texts = {"a.py": "import os\n\ndef f(self):\n    return 1\n" * 8, "b.py": "x = value\n" * 12}
    one, two = Windows(), Windows()
    for path, place, removed, inserted in steps:
        text = texts[path]
        at = int(place * len(text))
        texts[path] = text[:at] + inserted + text[at + removed :]
        prefix, typed, suffix = anchor(texts[path][: at + len(inserted)], texts[path][at + len(inserted) :])
        hole = Hole(path, prefix, suffix, typed, "repo", (ContextPart("c.py", "def g(): ...\n" * 3),))
        request = Request(1, hole, max_tokens=6, document=path)
        got, events = answer(reusing, one, request)
        expected, expected_events = answer(fresh, two, request)
        assert (got.texts, got.logprobs, got.reason) == (expected.texts, expected.logprobs, expected.reason)
        assert events == expected_events
        assert got.usage.evaluated <= expected.usage.evaluated == expected.usage.prompt


class Allowing(Alone):
    """A control that allows these names."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def ask(self, need: Need) -> Allow | Stop | None:
        return Allow(need.need, self.names)


def test_a_name_after_a_blank_is_sought_among_the_likeliest(
    models: tuple[Model, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of tokens may begin with the blank: what is allowed is not asked of each of them."""
    model = models[0]
    hole = Hole("a.py", "class A:\n", "\nend()\n", "    x = ")
    free, _ = answer(model, Windows(), Request(1, hole, max_tokens=1, document="a"))
    asked = 0
    permits = Generation._permits

    def counted(self: Generation, stream: Stream, token: int) -> bool:
        nonlocal asked
        asked += 1
        return permits(self, stream, token)

    monkeypatch.setattr(Generation, "_permits", counted)
    name = re.match(r"\w+", free.texts[0])
    assert name is not None
    control = Allowing(name.group(), "other")
    work = complete(model, Windows(), Request(2, hole, max_tokens=1, triggers=tuple(Trigger), document="a"), control)
    for _ in work:
        pass
    assert 0 < asked <= 3 < len(model.continuing(b" "))


def test_generated_text_in_memory_is_as_good_as_a_prompt(models: tuple[Model, Model]) -> None:
    reusing, fresh = models
    hole = Hole("a.py", "x = 1\n", "y = 2\n", "")
    first, _ = answer(reusing, Windows(), Request(1, hole, max_tokens=8, document="a"))
    typed = replace(hole, typed=first.texts[0][:12])
    got, _ = answer(reusing, Windows(), Request(2, typed, max_tokens=4, document="a"))
    expected, _ = answer(fresh, Windows(), Request(2, typed, max_tokens=4, document="a"))
    assert (got.texts, got.logprobs) == (expected.texts, expected.logprobs)


def test_a_long_session_in_little_memory_changes_nothing(models: tuple[Model, Model]) -> None:
    """Many files, holes read ahead, several candidates: cells are freed and filled again in every order."""
    path = Path(models[0].info.path)
    reusing = Model(path, threads=2, batch=7, context=400)
    fresh = Model(path, threads=1, batch=64, reuse=False, context=400)
    reusing.speculation, fresh.speculation = Speculation("on"), Speculation("off")
    chance = random.Random(1)
    texts = {f"{name}.py": "import os\n\ndef f(self):\n    return 1\n" * chance.randint(2, 20) for name in "abcdefgh"}
    windows, at, current = Windows(), 0, "a.py"
    for _ in range(50):
        current = chance.choice(list(texts)) if chance.random() < 0.3 else current
        text = texts[current]
        at = chance.randrange(len(text) + 1) if chance.random() < 0.3 else min(len(text), at + 3)
        inserted = chance.choice(WORDS)
        texts[current] = text[:at] + inserted + text[at + chance.randint(0, 2) :]
        at += len(inserted)
        hole = Hole(current, *_anchored(texts[current], at), "repo", (ContextPart("c.py", "def g(): ...\n" * 3),))
        reusing.native.use_threads(chance.choice([1, 2]))
        if chance.random() < 0.3:
            for _ in warm(reusing, windows, replace(hole, typed=""), current, Alone()):
                pass
        request = Request(1, hole, max_tokens=4, document=current, candidates=chance.choice([1, 1, 1, 3]))
        got, _ = answer(reusing, windows, request)
        same = Windows()
        same.take_over(windows)
        expected, _ = answer(fresh, same, request)
        assert (got.texts, got.logprobs) == (expected.texts, expected.logprobs)
    assert reusing.native.straightened > 0 and reusing.speculation.accepted_total > 0
    for model in (reusing, fresh):
        model.native.close()


def _anchored(text: str, at: int) -> tuple[str, str, str]:
    prefix, typed, suffix = anchor(text[:at], text[at:])
    return prefix, suffix, typed
