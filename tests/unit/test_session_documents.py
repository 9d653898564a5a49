"""Open documents: changes as editors send them, and the thread a graph lives on."""

import asyncio
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_indexer.text import Lines, Unit, encode
from graft_server.session import Session, window
from graft_server.workspace import BACKGROUND, INTERACTIVE, NORMAL, ClosedError, Document, GraphThread, spliced

TEXT = st.text(alphabet="ab😀é\n\r\t ", max_size=40)


def document(text: str) -> Document:
    return Document.of("file:///a.py", "/a.py", "python", 1, text)


@given(TEXT, TEXT, st.integers(0, 200), st.integers(0, 200))
def test_splicing_is_cutting(text: str, new: str, a: int, b: int) -> None:
    lines = Lines(encode(text))
    start, end = sorted((min(a, len(lines.data)), min(b, len(lines.data))))
    data = lines.data[:start] + encode(new) + lines.data[end:]
    made = spliced(lines, start, end, encode(new))
    assert made.data == data
    assert made.starts == Lines(data).starts


@given(
    TEXT,
    TEXT,
    st.integers(0, 6),
    st.integers(0, 9),
    st.integers(0, 6),
    st.integers(0, 9),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
)
def test_a_change_touches_only_its_range(
    text: str, new: str, line: int, column: int, line2: int, column2: int, unit: Unit
) -> None:
    made = document(text)
    start, end = sorted(((line, column), (line2, column2)))
    before = Lines(encode(text))

    def offset(place: tuple[int, int]) -> int:
        return len(before.data) if place[0] >= len(before) else before.offset(place[0], place[1], unit)

    made.change(start, end, new, unit)
    assert made.data == before.data[: offset(start)] + encode(new) + before.data[offset(end) :]
    assert made.text.encode("utf-8", "surrogateescape") == made.data


def test_a_change_that_ends_before_it_starts_is_refused() -> None:
    made = document("abc\n")
    with pytest.raises(ValueError):
        made.change((0, 2), (0, 1), "x", "utf-16")
    assert made.text == "abc\n"


def test_lone_surrogates_are_replaced() -> None:
    made = document("a")
    made.change((0, 1), (0, 1), "\ud83d", "utf-16")
    assert made.text == "a?"


def test_windows_of_large_files_are_whole_lines() -> None:
    data = b"".join(b"line %d\n" % n for n in range(40_000))
    text, at = window(data, 200_003)
    assert text.encode()[at:].startswith(data[200_003:200_010])
    assert text.startswith("line ") and len(text) < 100_000


class FakeGraph:
    """Only what the thread itself calls; `log` is what happened, in order."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.closed = threading.Event()

    def open_buffer(self, path: str, text: str) -> None:
        self.log.append((path, text))

    def close_buffer(self, path: str) -> None:
        self.log.append((path, None))

    def close(self) -> None:
        self.closed.set()


async def test_questions_see_the_newest_text_and_come_by_priority() -> None:
    graph = FakeGraph()
    thread = GraphThread("/x", lambda: graph)  # type: ignore[arg-type, return-value]
    hold = threading.Event()
    thread.submit(lambda g: hold.wait(5))
    await asyncio.sleep(0.05)
    for version in range(5):
        thread.sync("a.py", str(version))
    futures = [
        thread.submit(lambda g, n=n: graph.log.append(n), priority)  # type: ignore[misc]
        for n, priority in (("background", BACKGROUND), ("normal", NORMAL), ("key", INTERACTIVE))
    ]
    hold.set()
    for future in futures:
        await asyncio.wrap_future(future)
    assert graph.log == [("a.py", "4"), "key", "normal", "background"]
    thread.close()
    assert graph.closed.wait(2)
    with pytest.raises(ClosedError):
        thread.submit(lambda g: None).result(1)


async def test_while_a_graph_is_built_only_key_presses_are_answered() -> None:
    graph, go, steps = FakeGraph(), threading.Event(), threading.Semaphore(0)

    opened = threading.Event()

    def build(g: Any, pump: Any) -> None:
        opened.set()
        while not go.is_set():
            steps.acquire(timeout=0.05)
            pump()
        graph.log.append("built")

    thread = GraphThread("/x", lambda: graph, build=build)  # type: ignore[arg-type, return-value]
    normal = thread.submit(lambda g: graph.log.append("normal"))
    await asyncio.to_thread(opened.wait, 5)
    assert await thread.ask(lambda g: "answer", "default") == "answer"
    assert not thread.ready and not normal.done()
    go.set()
    await asyncio.wrap_future(normal)
    assert thread.ready and graph.log == ["built", "normal"]
    thread.close()


async def test_a_graph_that_cannot_be_opened_answers_defaults() -> None:
    said: list[str] = []

    def fail() -> Any:
        raise OSError("no such place")

    thread = GraphThread("/x", fail, opened=said.append)
    assert await thread.ask(lambda g: 1, 0, priority=NORMAL) == 0
    assert said == ["no index for /x: no such place"]
    assert await thread.ask(lambda g: 1, 0) == 0
    thread.close()


async def test_a_slow_answer_gives_the_default_and_a_failing_one_too() -> None:
    thread = GraphThread("/x", FakeGraph)  # type: ignore[arg-type]
    await asyncio.wrap_future(thread.submit(lambda g: None))
    assert await thread.ask(lambda g: time.sleep(0.2) or 1, 0, wait_ms=20) == 0

    def fail(g: Any) -> int:
        raise KeyError("x")

    assert await thread.ask(fail, 7) == 7
    thread.close()


async def test_what_was_gathered_is_dropped_when_less_may_be_shown() -> None:
    session = Session()
    session.begin([], {})
    first = session.pipeline(None)
    session.configure({"completion.multiline": False})
    assert session.pipeline(None) is first
    session.configure({"completion.context": False})
    second = session.pipeline(None)
    assert second is not first and not session.settings.completion_context
    session.configure({"completion.context": False, "completion.disabledGlobs": ["**/secret.py"]})
    assert session.pipeline(None) is not second
