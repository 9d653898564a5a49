"""Open documents, and the thread that a graph lives on.  Knows no protocol: bytes, offsets and plain values."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from graft_indexer.graph import SymbolGraph
from graft_indexer.text import Lines, Unit, encode

log = logging.getLogger("graft.workspace")

T = TypeVar("T")

MAX_BYTES = 1_000_000
MAX_LINES = 20_000
"""Above either, Graft answers from the cursor's surroundings alone."""

_HAS_BREAK = re.compile(rb"[\r\n]")

INTERACTIVE, NORMAL, BACKGROUND = 0, 1, 2
"""Priorities of questions to a graph: a keystroke waits, somebody asked, nobody waits."""


@dataclass(slots=True)
class Document:
    """An open document.  `path` is absolute, empty for a document that is no file."""

    uri: str
    path: str
    language: str
    version: int
    lines: Lines
    saved: bytes = b""
    """The text at the last save or at opening; diagnostics on save compare with it."""
    _text: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, uri: str, path: str, language: str, version: int, text: str) -> Document:
        """A document as the client sends it on opening."""
        data = encode(text)
        return cls(uri, path, language, version, Lines(data), data)

    @property
    def data(self) -> bytes:
        """The text's UTF-8 bytes."""
        return self.lines.data

    @property
    def text(self) -> str:
        """The text; decoded once per version."""
        if self._text is None:
            self._text = self.lines.data.decode("utf-8", "surrogateescape")
        return self._text

    @property
    def oversized(self) -> bool:
        """Too large to be parsed between two keystrokes."""
        return len(self.lines.data) > MAX_BYTES or len(self.lines) > MAX_LINES

    def replace(self, text: str) -> None:
        """The client sent the whole text."""
        self.lines = Lines(encode(text))
        self._text = None

    def change(self, start: tuple[int, int], end: tuple[int, int], text: str, unit: Unit) -> None:
        """Replace a range given in (line, column) of `unit`.

        A line past the end counts as the end of the text, as editors send it.  Raises ValueError for negative numbers
        or an end before the start: the document is then out of step with the client.
        """
        a, b = self._offset(start, unit), self._offset(end, unit)
        if b < a:
            raise ValueError(f"a change that ends before it starts: {start} to {end}")
        self.lines = spliced(self.lines, a, b, encode(text))
        self._text = None

    def _offset(self, position: tuple[int, int], unit: Unit) -> int:
        line, column = position
        if line >= len(self.lines):
            return len(self.lines.data)
        return self.lines.offset(line, column, unit)


def spliced(lines: Lines, start: int, end: int, new: bytes) -> Lines:
    """`lines` with bytes `start` to `end` replaced; lines are only counted anew if a break comes or goes."""
    data = lines.data[:start] + new + lines.data[end:]
    around = lines.data[max(0, start - 1) : end + 1]
    if _HAS_BREAK.search(new) or _HAS_BREAK.search(around):
        return Lines(data)
    shift = len(new) - (end - start)
    made = Lines.__new__(Lines)
    made.data = data
    first = lines.line_at(start) + 1
    made.starts = lines.starts[:first] + [s + shift for s in lines.starts[first:]]
    return made


class ClosedError(Exception):
    """The graph was closed, or could not be opened; the text says why."""


Opener = Callable[[], SymbolGraph]
Pump = Callable[[], None]
Build = Callable[[SymbolGraph, Pump], None]
"""Brings an opened graph up to date, on its thread; calls the pump between steps, which answers what waits."""


@dataclass(order=True, slots=True)
class _Task:
    priority: int
    number: int
    future: Future[Any] = field(compare=False)
    ask: Callable[[SymbolGraph], Any] = field(compare=False)


class GraphThread:
    """The one thread on which a graph is opened, asked and closed.

    Questions are answered by priority, then in order.  Texts of open documents are handed over with `sync`; only the
    newest text of a document is parsed, before the next question.  Until the graph is open, and if it cannot be
    opened, questions answer their default.  While it is being built, interactive questions are answered from what is
    known so far, and the others wait.
    """

    def __init__(
        self, root: str, opener: Opener, *, build: Build | None = None, opened: Callable[[str], None] | None = None
    ) -> None:
        """`opened` is called on the graph's thread once it is built: with an empty text, or with why that failed."""
        self.root = root
        self.failure = ""
        self._opener = opener
        self._build = build
        self._opened = opened
        self._built = False
        self._graph: SymbolGraph | None = None
        self._tasks: list[_Task] = []
        self._numbers = itertools.count()
        self._buffers: dict[str, str | None] = {}
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._main, name=f"graph {root}", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether the graph is open and knows all files: only then do its closed answers prove anything."""
        return self._graph is not None and self._built

    def sync(self, path: str, text: str | None) -> None:
        """The text of an open document, None when it was closed.  Never blocks."""
        with self._condition:
            self._buffers[path] = text
            self._condition.notify()

    def submit(self, ask: Callable[[SymbolGraph], T], priority: int = NORMAL) -> Future[T]:
        """Ask from any thread.  The future fails with ClosedError if the graph is closed before it is answered."""
        future: Future[T] = Future()
        with self._condition:
            if self._closing:
                future.set_exception(ClosedError(self.failure or "the graph is closed"))
            else:
                heapq.heappush(self._tasks, _Task(priority, next(self._numbers), future, ask))
                self._condition.notify()
        return future

    async def ask(
        self,
        question: Callable[[SymbolGraph], T],
        default: T,
        *,
        priority: int = INTERACTIVE,
        wait_ms: float | None = None,
    ) -> T:
        """Ask from the event loop.  `default` if the graph fails or does not answer within `wait_ms` milliseconds, and
        for interactive questions if it is not open yet; others wait until it is built.  Cancelling the caller withdraws
        a question that has not begun."""
        if self._graph is None and (priority == INTERACTIVE or self.failure):
            return default
        future = self.submit(question, priority)
        try:
            if wait_ms is None:
                return await asyncio.wrap_future(future)
            return await asyncio.wait_for(asyncio.wrap_future(future), wait_ms / 1000)
        except TimeoutError:
            log.info("the graph did not answer within %.0f ms", wait_ms or 0.0)
            return default
        except ClosedError:
            return default
        except Exception as error:
            log.exception("a question to the graph failed: %s", error)
            return default

    def close(self, wait: float = 2.0) -> None:
        """Close the graph and end its thread; waits at most `wait` seconds."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(wait)

    def _main(self) -> None:
        try:
            graph = self._opener()
        except Exception as error:
            log.exception("cannot open the graph of %s", self.root)
            self.failure = f"no index for {self.root}: {error}".splitlines()[0]
            if self._opened is not None:
                self._opened(self.failure)
            self._drain()
            return
        self._graph = graph
        if self._build is not None:
            try:
                self._build(graph, lambda: self._pump(graph))
            except ClosedError:
                log.info("closed while indexing %s", self.root)
            except Exception as error:
                # What was read before is kept; the rest is read at the next refresh.
                log.exception("indexing %s", self.root)
                self.failure = f"indexing {self.root} ended early: {error}".splitlines()[0]
        self._built = not self.failure
        if self._opened is not None:
            self._opened(self.failure)
        while True:
            with self._condition:
                while not (self._tasks or self._buffers or self._closing):
                    self._condition.wait()
                buffers, self._buffers = self._buffers, {}
                task = heapq.heappop(self._tasks) if self._tasks and not self._closing else None
            if self._closing:
                break
            for path, text in buffers.items():
                self._shadow(graph, path, text)
            if task is not None:
                _answer(task, graph)
        self._drain()
        try:
            graph.close()
        except Exception:
            log.exception("closing the graph of %s", self.root)

    def _pump(self, graph: SymbolGraph) -> None:
        """Between two steps of the build: take new texts, answer who waits for a key press."""
        while True:
            with self._condition:
                if self._closing:
                    raise ClosedError
                buffers, self._buffers = self._buffers, {}
                urgent = self._tasks and self._tasks[0].priority == INTERACTIVE
                task = heapq.heappop(self._tasks) if urgent else None
            for path, text in buffers.items():
                self._shadow(graph, path, text)
            if task is None:
                return
            _answer(task, graph)

    def _shadow(self, graph: SymbolGraph, path: str, text: str | None) -> None:
        try:
            if text is None:
                graph.close_buffer(path)
            else:
                graph.open_buffer(path, text)
        except Exception:
            log.exception("the graph did not take the text of %s", path)

    def _drain(self) -> None:
        with self._condition:
            self._closing = True
            tasks, self._tasks = self._tasks, []
        for task in tasks:
            if task.future.set_running_or_notify_cancel():
                task.future.set_exception(ClosedError(self.failure or "the graph is closed"))


def _answer(task: _Task, graph: SymbolGraph) -> None:
    if task.future.set_running_or_notify_cancel():
        try:
            task.future.set_result(task.ask(graph))
        except BaseException as error:
            task.future.set_exception(error)


@dataclass(slots=True)
class Folder:
    """One workspace folder with its graph."""

    root: str
    graph: GraphThread
    last_scan: float = field(default_factory=time.monotonic)

    def relative(self, path: str) -> str | None:
        """`path` relative to the folder with `/`, None if it lies elsewhere."""
        try:
            return Path(path).relative_to(self.root).as_posix()
        except ValueError:
            return None


_MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg", ".hg", "package.json", "go.mod", "Cargo.toml")


def project_root(path: str) -> str | None:
    """The project that a file opened without a workspace belongs to: the nearest folder with a project's marker.

    None for a file in no project; its folder is not taken, because that may be a whole home directory.
    """
    home = Path.home()
    for folder in Path(path).parents:
        if folder == home or folder == folder.parent:
            return None
        if any((folder / marker).exists() for marker in _MARKERS):
            return str(folder)
    return None


def innermost(folders: list[Folder], path: str) -> Folder | None:
    """The folder with the longest root that holds `path`."""
    holding = [f for f in folders if path == f.root or path.startswith(f.root.rstrip("/") + "/")]
    return max(holding, key=lambda f: len(f.root), default=None)
