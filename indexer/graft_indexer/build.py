"""Many files -> facts, in parallel.

Workers are fresh interpreters (never forks), started with the caller's import path and nothing of the workspace's.
They take batches over their standard input, largest files first, and answer with packed facts; frames are a length
and marshalled bytes.  A worker that dies or hangs costs the file it was reading, nothing else.
"""

from __future__ import annotations

import json
import logging
import marshal
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, cast

from graft_indexer.embedded import view
from graft_indexer.extract import empty_record, source_bytes
from graft_indexer.files import Entry, stat_entry
from graft_indexer.packed import Extracted, extract_path, names_of, pack
from graft_indexer.syntax import language_of, parse

log = logging.getLogger("graft.index")

SMALL = 600_000
"""Bytes of source that are read in this process, because starting workers would take longer."""
BATCH_BYTES, BATCH_FILES = 300_000, 48
IN_FLIGHT = 2
"""Batches that a worker holds, so that it need not wait for the next."""
HANG_SECONDS = 60.0
START_SECONDS = 600.0
"""Longer than that no worker takes to start, on however busy a machine."""
MAX_JOBS = 16
MAX_UNBORN = 3
"""Workers that died before they had started; after so many none is tried again."""


class Wanted(NamedTuple):
    """A file to extract: path below the root, bytes on disk, the digest it had, its language if its name is silent."""

    path: str
    size: int
    known: bytes | None = None
    language: str | None = None


def default_jobs() -> int:
    """One process per core that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, MAX_JOBS))


def extract_all(
    root: Path,
    wanted: Sequence[Wanted],
    *,
    jobs: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    parse_only: bool = False,
) -> Iterator[list[Extracted]]:
    """Extract files in batches, in no particular order.

    `jobs` 0 is one per core; `progress(done, total, path)` is called after each batch; once `cancelled()` is true no
    more batches come.  `parse_only` reads and parses and returns nothing: the baseline of the bench.
    """
    order = sorted(wanted, key=lambda w: -w.size)
    jobs = min(jobs or default_jobs(), MAX_JOBS, len(order))
    if jobs > 1 and sum(w.size for w in order) > SMALL:
        batches = _parallel(root, order, jobs, cancelled, parse_only)
    else:
        batches = _serial(root, order, cancelled, parse_only)
    done = 0
    for batch in batches:
        done += len(batch)
        if progress is not None:
            progress(done, len(order), batch[-1].path if batch else "")
        yield batch


def _batches(order: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    batch: list[Wanted] = []
    size = 0
    for item in order:
        batch.append(item)
        size += item.size
        if size >= BATCH_BYTES or len(batch) >= BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _serial(
    root: Path, order: Sequence[Wanted], cancelled: Callable[[], bool] | None, parse_only: bool
) -> Iterator[list[Extracted]]:
    for batch in _batches(order):
        out: list[Extracted] = []
        for item in batch:
            if cancelled is not None and cancelled():
                return
            out.append(_one(str(root), item, parse_only))
        yield out


def _one(root: str, item: Wanted, parse_only: bool) -> Extracted:
    if not parse_only:
        return extract_path(root, item.path, item.known, item.language)
    data = (Path(root) / item.path).read_bytes()
    parse(view(item.path, source_bytes(data)), language_of(item.path) or "python")
    return Extracted(item.path, 0, 0, b"", None, b"", b"", [], {}, gone=True)


# -- workers --------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Worker:
    """A process with the batches it holds, oldest first, and when the oldest was begun."""

    process: subprocess.Popen[bytes]
    held: deque[list[Wanted]] = field(default_factory=deque)
    buffer: bytearray = field(default_factory=bytearray)
    since: float = 0.0
    """0 until it has started."""
    born: float = field(default_factory=time.monotonic)

    def hangs(self, now: float) -> bool:
        if not self.since:
            return now - self.born > START_SECONDS
        return bool(self.held) and now - self.since > HANG_SECONDS

    def send(self, root: str, batch: list[Wanted], parse_only: bool) -> None:
        if not self.held and self.since:
            self.since = time.monotonic()
        self.held.append(batch)
        frame = marshal.dumps((os.fsencode(root), parse_only, [(os.fsencode(w[0]), *w[1:]) for w in batch]))
        pipe = cast("IO[bytes]", self.process.stdin)
        pipe.write(len(frame).to_bytes(4, "little") + frame)
        pipe.flush()

    def receive(self) -> list[list[Extracted]] | None:
        """Answers that are complete; None at the end of the stream."""
        data = os.read(cast("IO[bytes]", self.process.stdout).fileno(), 1 << 20)
        if not data:
            return None
        self.buffer += data
        answers: list[list[Extracted]] = []
        while len(self.buffer) >= 4:
            size = int.from_bytes(self.buffer[:4], "little")
            if len(self.buffer) < 4 + size:
                break
            if size == 0:
                # The greeting of a worker that has started: its first batch begins now.
                del self.buffer[:4]
                self.since = time.monotonic()
                continue
            rows = marshal.loads(memoryview(self.buffer)[4 : 4 + size].tobytes())
            del self.buffer[: 4 + size]
            self.held.popleft()
            self.since = time.monotonic()
            answers.append([Extracted(os.fsdecode(row[0]), *row[1:]) for row in rows])
        return answers

    def stop(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError as error:
                    log.debug("pipe of a stopped worker: %s", error)
        self.process.wait()


_START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from graft_indexer.build import work; work()"


def _start() -> _Worker:
    # Isolated, without site: the folder it stands in, the environment and user sites add nothing to its import path.
    path = json.dumps([p for p in sys.path if Path(p).is_absolute()])
    return _Worker(
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent,
            # Ctrl-C in a terminal is for the command, which ends its workers.
            process_group=0,
        )
    )


def _parallel(
    root: Path, order: Sequence[Wanted], jobs: int, cancelled: Callable[[], bool] | None, parse_only: bool
) -> Iterator[list[Extracted]]:
    todo = deque(_batches(order))
    workers: list[_Worker] = []
    selector = selectors.DefaultSelector()
    unborn = 0

    def feed(worker: _Worker) -> None:
        try:
            while todo and len(worker.held) < IN_FLIGHT:
                worker.send(str(root), todo.popleft(), parse_only)
        except BrokenPipeError:
            # It died: its stream ends, and what it held is taken back there.
            log.debug("a worker does not take its batch")

    def hire() -> None:
        nonlocal unborn
        if unborn >= MAX_UNBORN:
            return
        try:
            worker = _start()
        except OSError as error:
            log.warning("no worker: %s", error)
            unborn = MAX_UNBORN
            return
        workers.append(worker)
        selector.register(cast("IO[bytes]", worker.process.stdout), selectors.EVENT_READ, worker)
        feed(worker)

    def lose(worker: _Worker, why: str) -> list[Extracted]:
        """Take back what a worker held; the file that it was reading alone is given up."""
        nonlocal unborn
        unborn += not worker.since
        selector.unregister(cast("IO[bytes]", worker.process.stdout))
        workers.remove(worker)
        worker.stop()
        given_up: list[Extracted] = []
        for number, batch in enumerate(worker.held):
            if not worker.since:
                todo.appendleft(batch)
            elif number == 0 and len(batch) == 1:
                log.warning("%s: not indexed: %s", batch[0].path, why)
                given_up.append(_given_up(root, batch[0], why))
            else:
                todo.extendleft([item] for item in reversed(batch))
        if todo:
            hire()
        return given_up

    try:
        for _ in range(min(jobs, len(todo))):
            hire()
        while any(w.held for w in workers) or todo:
            if not workers:
                # None starts on this machine: slower, but done.
                log.warning("workers do not start: files are read in this process")
                yield from _serial(root, [item for batch in todo for item in batch], cancelled, parse_only)
                return
            if cancelled is not None and cancelled():
                return
            events = selector.select(0.05)
            for key, _ in events:
                worker: _Worker = key.data
                answers = worker.receive()
                if answers is None:
                    given_up = lose(worker, "the parser crashed on it")
                    if given_up:
                        yield given_up
                    continue
                feed(worker)
                yield from answers
            if not events:
                now = time.monotonic()
                for worker in [w for w in workers if w.hangs(now)]:
                    given_up = lose(worker, f"it took longer than {HANG_SECONDS:.0f} s")
                    if given_up:
                        yield given_up
    finally:
        for worker in workers:
            worker.stop()
        selector.close()


def _given_up(root: Path, item: Wanted, why: str) -> Extracted:
    """Stored with the file's state, so that it is tried again only when it has changed."""
    record = empty_record(item.language or language_of(item.path) or "python", bytes(16), item.size, why)
    entry = stat_entry(root / item.path) or Entry(0, item.size)
    return Extracted(item.path, entry.mtime_ns, entry.size, record.digest, why, *pack(record), *names_of(record))


def work() -> None:
    """Body of a worker: batches from standard input, answers to a copy of standard output, until the input ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    source = sys.stdin.buffer
    out.write(bytes(4))
    out.flush()
    while True:
        head = source.read(4)
        if len(head) < 4:
            return
        root, parse_only, batch = marshal.loads(source.read(int.from_bytes(head, "little")))
        rows: list[tuple[object, ...]] = []
        for path, size, known, language in batch:
            found = _one(os.fsdecode(root), Wanted(os.fsdecode(path), size, known, language), parse_only)
            rows.append((path, *found[1:]))
        frame = marshal.dumps(rows)
        try:
            out.write(len(frame).to_bytes(4, "little") + frame)
            out.flush()
        except BrokenPipeError:
            os._exit(0)
