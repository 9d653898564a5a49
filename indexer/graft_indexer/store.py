"""SQLite: facts of the files on disk, and names -> files.

`files` says what is known of which state of a file; `blobs` holds its packed facts; the inverted index is in segments
(`postings`).  A changed file gets a new id, so that old postings die without being searched for; segments are merged
when there are many.  One process writes (a lock on a file beside the database); others read, and take over when the
lock is free.

File names are bytes (they need not be UTF-8), words too.
"""

from __future__ import annotations

import contextlib
import logging
import marshal
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from graft_indexer import postings
from graft_indexer.packed import DEFINES, Extracted, names_of, unpack

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock; there every server writes, SQLite's own lock decides
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("graft.index")

SCHEMA = 2
MAX_PENDING = 1_500_000
"""Postings held in memory before they become a segment (about 50 MB)."""
MANY_SEGMENTS = 48

_TABLES = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    digest BLOB NOT NULL, truncated TEXT, segment INTEGER);
CREATE TABLE IF NOT EXISTS blobs (id INTEGER PRIMARY KEY, facts BLOB NOT NULL, words BLOB NOT NULL);
{postings.TABLES}"""


class FileRow(NamedTuple):
    """What the store knows of a file."""

    id: int
    mtime_ns: int
    size: int
    digest: bytes
    truncated: str | None


@cache
def fingerprint() -> str:
    """Eight hexadecimal digits that change with the code that extracts: an index made by other code is not read."""
    here = Path(__file__).parent
    names = ("extract", "rows", "packed", "syntax", "text", "querywalk", "explore", "embedded", "cells")
    sources = [here / f"{name}.py" for name in names]
    sources += sorted(p for p in (here / "languages").rglob("*") if p.suffix in (".py", ".toml", ".scm"))
    digest = blake2b(digest_size=4)
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def database_path(folder: Path, root: Path) -> Path:
    """File of a workspace's index: its name, a digest of its path, and the versions of schema, format and code."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in root.name)[:40] or "root"
    digest = blake2b(os.fsencode(root), digest_size=8).hexdigest()
    return folder / f"{name}-{digest}-v{SCHEMA}.{marshal.version}-{fingerprint()}.sqlite"


class Store:
    """One database.  `path` None keeps it in memory.  Raises OSError or sqlite3.Error if it cannot be opened."""

    def __init__(self, path: Path | None, root: Path) -> None:
        self.path = path
        self.writable = path is None
        self._lock: IO[bytes] | None = None
        self._pending: defaultdict[bytes, list[int]] = defaultdict(list)
        self._pending_ids: list[int] = []
        self._pending_size = 0
        self._version = -1
        if path is not None:
            self.take_over()
            # Facts quote source text: nobody else may read them.  SQLite gives its side files the same mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            self._db.execute("PRAGMA temp_store=MEMORY")
            self._db.execute("PRAGMA cache_size=-8000")
            self._db.execute("PRAGMA synchronous=NORMAL")
            tables = self._db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'postings'").fetchone()
            if self.writable or not tables[0]:
                # A reader makes the tables too if the writer has not come to it yet: it is about to ask for them.
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.executescript(_TABLES)
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('root', ?)", (os.fsencode(root),))
        except sqlite3.Error:
            self.close()
            raise

    # -- the lock -----------------------------------------------------------------------------------------------------
    def take_over(self) -> bool:
        """Become the writer if nobody else is; returns whether this store may write."""
        if self.writable or self.path is None:
            return True
        file = _locked(self.path.with_suffix(".lock"))
        if file is None:
            return False
        self._lock = file
        self.writable = True
        return True

    # -- reading ------------------------------------------------------------------------------------------------------
    def changed(self) -> bool:
        """Whether another process has written since this was last asked."""
        version = int(self._db.execute("PRAGMA data_version").fetchone()[0])
        before, self._version = self._version, version
        return before != version

    def load(self) -> dict[str, FileRow]:
        """All files.  Postings that a killed writer did not get to write are made again from the words."""
        rows = self._db.execute("SELECT path, id, mtime_ns, size, digest, truncated, segment FROM files").fetchall()
        self._forget_pending()
        for row in rows:
            if row[6] is None:
                self._remember(row[1], *names_of(unpack(*self._blobs(row[1]))))
        return {os.fsdecode(row[0]): FileRow(*row[1:6]) for row in rows}

    def facts(self, file: int) -> bytes | None:
        """Packed facts of a file, None if it is not there."""
        row = self._db.execute("SELECT facts FROM blobs WHERE id = ?", (file,)).fetchone()
        return None if row is None else bytes(row[0])

    def words(self, file: int) -> bytes | None:
        """Packed words of a file, None if it is not there."""
        row = self._db.execute("SELECT words FROM blobs WHERE id = ?", (file,)).fetchone()
        return None if row is None else bytes(row[0])

    def _blobs(self, file: int) -> tuple[bytes, bytes]:
        row = self._db.execute("SELECT facts, words FROM blobs WHERE id = ?", (file,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError(f"facts of file {file} are missing")
        return row[0], row[1]

    def with_name(self, name: bytes, roles: int = 0) -> list[int]:
        """Ids of files with a word, in one of the given roles if any; ids of files that are gone may be among them."""
        keys = postings.find(self._db, name)
        keys.extend(self._pending.get(name, ()))
        return [key >> 2 for key in keys if not roles or key & roles]

    def names(self, prefix: bytes = b"", roles: int = DEFINES) -> Iterator[tuple[bytes, list[int]]]:
        """Names that begin with `prefix`, with ids of files in which they have one of the roles (some perhaps gone)."""
        held = [(name, keys) for name, keys in self._pending.items() if name.startswith(prefix)]
        for name, keys in chain(postings.beginning(self._db, prefix), held):
            files = [key >> 2 for key in keys if key & roles]
            if files:
                yield name, files

    # -- writing ------------------------------------------------------------------------------------------------------
    def write(self, files: Sequence[Extracted], removed: Iterable[int] = ()) -> dict[str, FileRow]:
        """Store files and remove others in one transaction; returns the new rows.  Postings follow with `flush`."""
        rows: dict[str, FileRow] = {}
        with _Transaction(self._db):
            dead = [(i,) for i in removed]
            for item in files:
                old = self._db.execute("SELECT id FROM files WHERE path = ?", (os.fsencode(item.path),)).fetchone()
                if old is not None:
                    dead.append(old)
            self._db.executemany("DELETE FROM files WHERE id = ?", dead)
            self._db.executemany("DELETE FROM blobs WHERE id = ?", dead)
            for item in files:
                cursor = self._db.execute(
                    "INSERT INTO files (path, mtime_ns, size, digest, truncated) VALUES (?, ?, ?, ?, ?)",
                    (os.fsencode(item.path), item.mtime_ns, item.size, item.digest, item.truncated),
                )
                file = cursor.lastrowid or 0
                self._db.execute("INSERT INTO blobs VALUES (?, ?, ?)", (file, item.facts, item.words))
                rows[item.path] = FileRow(file, item.mtime_ns, item.size, item.digest, item.truncated)
        for item in files:
            self._remember(rows[item.path].id, item.plain, item.roles)
        if self._pending_size > MAX_PENDING:
            self.flush()
        return rows

    def touch(self, files: Iterable[tuple[int, int, int]]) -> None:
        """Record (id, mtime_ns, size) of files whose text is as before."""
        with _Transaction(self._db):
            self._db.executemany(
                "UPDATE files SET mtime_ns = ?, size = ? WHERE id = ?", [(m, s, i) for i, m, s in files]
            )  # fmt: skip

    def flush(self) -> None:
        """Write the postings held in memory as one segment."""
        if not self._pending_ids or not self.writable:
            return
        with _Transaction(self._db):
            segment = self.segments() + 1
            postings.insert(self._db, segment, self._pending)
            self._db.executemany("UPDATE files SET segment = ? WHERE id = ?", [(segment, i) for i in self._pending_ids])
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('segment', ?)", (str(segment),))
        self._forget_pending()

    def segments(self) -> int:
        """How many segments the postings have."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'segment'").fetchone()
        return int(row[0]) if row else 0

    def compact(self) -> None:
        """Merge all segments into one and leave out files that are gone."""
        self.flush()
        live = {i for (i,) in self._db.execute("SELECT id FROM files")}
        with _Transaction(self._db):
            postings.merge(self._db, live)
            self._db.execute("UPDATE files SET segment = 1")
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('segment', '1')")

    def close(self) -> None:
        """Write what is pending, merge segments if there are many, and let go of the lock."""
        try:
            if self.writable and self.path is not None:
                self.flush()
                if self.segments() > MANY_SEGMENTS:
                    self.compact()
        except sqlite3.Error as error:
            if self._pending_ids:  # Of a damaged file with nothing to write, whoever opened it tells.
                log.warning("index not finished: %s", error)
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self.writable = False

    def _remember(self, file: int, plain: Iterable[bytes], roles: dict[bytes, int]) -> None:
        pending, key = self._pending, file << 2
        before = len(roles)
        for name, bits in roles.items():
            pending[name].append(key | bits)
        for name in plain:
            pending[name].append(key)
            before += 1
        self._pending_ids.append(file)
        self._pending_size += before

    def _forget_pending(self) -> None:
        self._pending = defaultdict(list)
        self._pending_ids = []
        self._pending_size = 0


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK on any error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:
            self._db.execute("ROLLBACK")


def delete(path: Path) -> None:
    """Remove a database with its side files; what is not there, or may not be removed, is left."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def remove_unused(path: Path) -> bool:
    """Delete a database with its lock, unless some process writes it; returns whether it is gone."""
    lock = path.with_suffix(".lock")
    try:
        file = _locked(lock)
    except OSError:
        return False
    if file is None:
        return False
    with file:
        # Whoever waits for this lock finds another file of that name, or none, and takes that.
        delete(path)
        with contextlib.suppress(OSError):
            lock.unlink()
    return not path.exists()


def _locked(lock: Path) -> IO[bytes] | None:
    """The lock file, held by this process; None if another holds it.  Raises OSError if it cannot be opened."""
    while True:
        file = lock.open("ab")
        if fcntl is None:  # pragma: no cover - Windows
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        try:
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                return file
        except FileNotFoundError:
            log.debug("%s was collected meanwhile", lock)
        file.close()


class Inspection(NamedTuple):
    """What can be said of a database from outside."""

    root: str | None
    bytes: int
    """With its side files."""
    state: str
    """"in use", "dead" (its workspace is gone), "damaged", "old version" (other code made it), or "ok"."""


def inspect(path: Path) -> Inspection:
    """Look at a database without changing it."""
    size = 0
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            size += path.with_name(path.name + suffix).stat().st_size
    root: str | None = None
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=1.0)) as db:
            (value,) = db.execute("SELECT value FROM meta WHERE key = 'root'").fetchone()
            root = os.fsdecode(value)
    except (sqlite3.Error, TypeError):
        return Inspection(None, size, "in use" if held(path) else "damaged")
    if held(path):
        return Inspection(root, size, "in use")
    if not Path(root).is_dir():
        return Inspection(root, size, "dead")
    current = path.name.endswith(f"-v{SCHEMA}.{marshal.version}-{fingerprint()}.sqlite")
    return Inspection(root, size, "ok" if current else "old version")


def held(path: Path) -> bool:
    """Whether some process holds the writer's lock."""
    lock = path.with_suffix(".lock")
    if fcntl is None or not lock.exists():
        return False
    try:
        with lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
