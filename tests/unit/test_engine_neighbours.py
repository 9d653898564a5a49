"""Files near a hole: indexed as the open file is, learned once, counted beside it, sent to the process once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_models.client import LlamaEngine
from graft_models.counts import Counts
from graft_models.engine import Done, Request, ScoreRequest
from graft_models.llama.frames import unpack
from graft_models.llama.mixture import Mixtures
from graft_models.llama.neighbours import Library, TokenFile
from graft_models.prompt import Hole, Neighbour
from graft_testing.tiny_gguf import write

SIZE = 128
TEXT = "self.first = make_first(name)\n"


class Letters:
    """One token per character; counts what it cuts."""

    def __init__(self) -> None:
        self.cut: list[str] = []

    def tokenize(self, text: str) -> tuple[int, ...]:
        self.cut.append(text)
        return tuple(min(ord(c), SIZE - 1) for c in text)


@given(st.lists(st.integers(0, 3), max_size=60), st.lists(st.integers(0, 3), min_size=2, max_size=20))
def test_an_indexed_file_counts_like_a_learned_one(words: list[int], context: list[int]) -> None:
    learned, put = Counts(), Counts()
    learned.learn_words("b", words)
    put.put("b", TokenFile(words))
    assert put.next_words("a", context) == learned.next_words("a", context)


def test_a_text_is_cut_once_and_the_oldest_is_forgotten() -> None:
    letters = Letters()
    library = Library(letters.tokenize, most=2)
    files = [Neighbour(f"{n}.py", str(n), f"x{n}") for n in range(3)]
    library.offer(files)
    library.offer(files)
    assert library.waiting and not library.ready(files)
    library.learn()
    assert [n.path for n, _ in library.ready(files)] == ["0.py"]
    library.learn(files[1:])
    library.offer(files[1:])
    assert not library.waiting and letters.cut == ["x0", "x1", "x2"]
    assert [n.path for n, _ in library.ready(files)] == ["1.py", "2.py"]


def test_what_a_neighbour_says_is_likelier_as_long_as_it_is_one() -> None:
    logits = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    mixtures = Mixtures(Letters())
    near = Neighbour("b.py", "1", TEXT)
    hole = Hole("a.py", "x\n", "", neighbours=(replace(near, text=""),))
    since = Letters().tokenize("self.first = make_f")
    assert np.array_equal(mixtures.of(hole).apply(logits, since), logits)
    mixtures.library.offer([near])
    mixtures.library.learn()
    assert mixtures.of(hole).apply(logits, since).argmax() == ord("i")
    assert np.array_equal(mixtures.of(replace(hole, neighbours=())).apply(logits, since), logits)


@pytest.fixture
async def engine(tmp_path: Path) -> Any:
    made = LlamaEngine(write(tmp_path / "tiny.gguf"), threads=1)
    assert (await made.start()).state == "ready"
    yield made
    await made.close()


async def sure(engine: LlamaEngine, request: Request) -> float:
    """Log-probability of the answer."""
    last = [event async for event in engine.complete(request)][-1]
    assert isinstance(last, Done) and not last.error
    return last.logprobs[0]


async def test_the_process_is_told_a_text_once(engine: LlamaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.capabilities.counts
    frames: list[dict[str, Any]] = []
    send = engine._send

    def sending(frame: bytes) -> None:
        frames.append(unpack(frame[4:]))
        send(frame)

    monkeypatch.setattr(engine, "_send", sending)
    near = Neighbour("b.py", "1", "    return self.name_of_everything(1)\n" * 3)
    hole = Hole("a.py", "import os\n\ndef f(self):\n", "\nprint(1)\n", "    return self.na", "repo")
    alone = await sure(engine, Request(1, hole, max_tokens=6))
    with_it = replace(hole, neighbours=(near,))
    # This model of random weights is sure of all it says, and its neighbour says otherwise.
    assert alone > -0.01
    assert (counted := await sure(engine, Request(2, with_it, max_tokens=6))) < alone - 0.05
    assert await sure(engine, Request(3, with_it, max_tokens=6)) == pytest.approx(counted)
    assert await sure(engine, Request(4, hole, max_tokens=6)) == pytest.approx(alone)
    told = [f for f in frames if f.get("t") == "learn"]
    assert len(told) == 1 and "name_of_everything" in str(told)
    other = replace(near, digest="2", path="c.py")
    for asked, mixed in ((with_it, False), (replace(hole, neighbours=(other,)), True)):
        assert not (await engine.score(ScoreRequest(5, asked, ("me",), counted=mixed))).error
    told = [f for f in frames if f.get("t") == "learn"]
    assert len(told) == 2 and "c.py" in str(told[1])
    assert all("name_of_everything" not in str(f) for f in frames if f.get("t") == "score")
    assert all("name_of_everything" not in str(f) for f in frames if f.get("t") == "complete")
    # A new process knows nothing.
    await engine.unload()
    assert await sure(engine, Request(5, with_it, max_tokens=6)) == pytest.approx(counted)
    assert len([f for f in frames if f.get("t") == "learn"]) == 3
