"""Workspace: the facts of all files of a folder, open buffers first (a `FactSource`).

Layers, the first that has a path answers: open buffers; a store in memory, for what may not be written (a read-only
home, a full disk, another process holding the writer's lock); the store on disk.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar
from unicodedata import normalize

from graft_indexer.build import Wanted, extract_all
from graft_indexer.extract import Record, definition_of, facts_of
from graft_indexer.facts import Definition, Facts
from graft_indexer.files import (
    IGNORE_FILE,
    MAX_FILES,
    Entry,
    Listing,
    belonging,
    list_files,
    script_language,
    stat_entry,
)
from graft_indexer.overlay import Buffer
from graft_indexer.packed import DEFINES, IMPORTS, DamagedError, Extracted, roles_of, unpack
from graft_indexer.store import FileRow, Store, database_path, delete, held
from graft_indexer.syntax import language_of
from graft_indexer.text import decode, encode

log = logging.getLogger("graft.index")

CACHED_FACTS, CACHED_RECORDS = 256, 512
Progress = Callable[[int, int, str], None]
T = TypeVar("T")


class Workspace:
    """Facts of a workspace.  Belongs to one thread.  Make it with `open`."""

    def __init__(self, root: Path, index_dir: Path | None, jobs: int, exclude: Sequence[str]) -> None:
        self._root = root
        self._jobs = jobs
        self._exclude = tuple(exclude)
        self._disk_path = database_path(index_dir, root) if index_dir is not None else None
        self._disk: Store | None = None
        self._memory: Store | None = None
        self._where: dict[str, tuple[Store, FileRow]] = {}
        self._ids: dict[tuple[int, int], str] = {}
        self._buffers: dict[str, Buffer] = {}
        self._facts: OrderedDict[str, Facts] = OrderedDict()
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._sorted: list[str] | None = None
        self._generation = 0
        self._source: Literal["git", "walk"] = "git"
        self._complete = False
        self.messages: list[str] = []
        """What the user should be told, one line each, each once."""

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        index_dir: Path | None,
        jobs: int = 0,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        exclude: Sequence[str] = (),
        refresh: bool = True,
    ) -> Workspace:
        """Open the index of `root` and bring it up to date.

        `index_dir` None, or one that cannot be written, keeps everything in memory.  `jobs` 0 is one process per
        core.  `progress(done, total, path)` counts files; once `cancelled()` is true the rest is left for later.
        `exclude` are patterns in gitignore's syntax.  With `refresh` false the index is taken as it is.
        Raises NotADirectoryError if `root` is not a folder.
        """
        root = root.resolve()
        if not root.is_dir():
            raise NotADirectoryError(f"{root} is not a folder")
        self = cls(root, index_dir, jobs, exclude)
        self._open_disk()
        if refresh:
            self.refresh(progress=progress, cancelled=cancelled)
        return self

    # -- what it is ---------------------------------------------------------------------------------------------------
    @property
    def root(self) -> str:
        """Absolute path of the workspace."""
        return str(self._root)

    @property
    def generation(self) -> int:
        """Grows whenever any fact changes."""
        return self._generation

    @property
    def database(self) -> Path | None:
        """File of the index; None if it is kept in memory."""
        return self._disk.path if self._disk is not None else None

    @property
    def writable(self) -> bool:
        """Whether this process is the one that writes the index on disk."""
        return self._disk is not None and self._disk.writable

    @property
    def complete(self) -> bool:
        """Whether all files have been looked at: while an index is being built nothing is proved by absence."""
        return self._complete

    def truncated(self) -> dict[str, str]:
        """Files that are not, or not wholly, indexed, and why."""
        return {path: row.truncated for path, (_, row) in self._where.items() if row.truncated is not None}

    # -- keeping up ---------------------------------------------------------------------------------------------------
    def refresh(
        self,
        paths: Iterable[str] | None = None,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Sequence[str]:
        """Re-read files that changed on disk: those named (folders stand for what is in them), or all.

        Returns the paths whose text changed, appeared or went away, sorted.  Unchanged files are recognised by time
        and size and are not opened.  `progress` may ask the workspace: between two batches it answers with what it has.
        """
        return self._guarded(lambda: self._refresh(paths, progress, cancelled))

    def _refresh(
        self, paths: Iterable[str] | None, progress: Progress | None, cancelled: Callable[[], bool] | None
    ) -> list[str]:
        changed = self._follow_writer()
        listing, gone = self._compare(paths)
        if paths is None:
            self._complete = False
        wanted: list[Wanted] = []
        for path, entry in listing.items():
            known = self._where.get(path)
            if known is None:
                language = None if language_of(path) else script_language(self._root / path)
                wanted.append(Wanted(path, entry.size, None, language))
            elif (known[1].mtime_ns, known[1].size) != (entry.mtime_ns, entry.size):
                language = None if language_of(path) else script_language(self._root / path)
                wanted.append(Wanted(path, entry.size, known[1].digest, language))
        if gone:
            changed |= self._remove(gone)
        if wanted:
            for batch in extract_all(
                self._root, wanted, jobs=self._jobs, progress=progress, cancelled=cancelled
            ):  # fmt: skip
                fresh = self._accept(batch)
                if fresh:
                    # Whoever asks between two batches (from `progress`) must not get answers of before the last.
                    self._generation += 1
                changed |= fresh
            self._writer().flush()
        if paths is None:
            self._complete = cancelled is None or not cancelled()
        if changed:
            self._generation += 1
        return sorted(changed)

    def _compare(self, paths: Iterable[str] | None) -> tuple[dict[str, Entry], set[str]]:
        """(files to look at with their present state, files that are gone)."""
        if paths is None:
            listing: Listing = list_files(self._root, exclude=self._exclude)
            self._source = listing.source
            if listing.cut:
                self._say(f"only {MAX_FILES:,} files are indexed: leave some out with a {IGNORE_FILE} file")
            return listing.files, set(self._where) - set(listing.files)
        found: dict[str, Entry] = {}
        gone: set[str] = set()
        unknown: set[str] = set()
        for path in paths:
            path = path.rstrip("/")
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                continue
            entry = stat_entry(self._root / path)
            if path in self._where:
                if entry is None:
                    gone.add(path)
                else:
                    found[path] = entry
                continue
            below = [p for p in self._where if p.startswith(path + "/")]
            for inner in below:
                inner_entry = stat_entry(self._root / inner)
                if inner_entry is None:
                    gone.add(inner)
                else:
                    found[inner] = inner_entry
            if entry is not None or (self._root / path).is_dir():
                unknown.add(path)
        if unknown:
            found |= belonging(self._root, unknown, exclude=self._exclude, source=self._source)
        return found, gone

    def _accept(self, batch: Sequence[Extracted]) -> set[str]:
        """Store what workers found; returns the paths whose text is new."""
        same = [item for item in batch if item.unchanged]
        fresh = [item for item in batch if not item.unchanged and not item.gone]
        changed = self._remove({item.path for item in batch if item.gone and item.path in self._where})
        store = self._writer()
        touched: list[tuple[int, int, int]] = []
        for item in same:
            owner, row = self._where[item.path]
            row = row._replace(mtime_ns=item.mtime_ns, size=item.size)
            self._where[item.path] = (owner, row)
            if owner is store:
                touched.append((row.id, item.mtime_ns, item.size))
        if touched:
            store.touch(touched)
        if fresh:
            old = {item.path: self._where.get(item.path) for item in fresh}
            for path, row in store.write(fresh).items():
                before = old[path]
                if before is not None:
                    self._ids.pop((id(before[0]), before[1].id), None)
                self._where[path] = (store, row)
                self._ids[(id(store), row.id)] = path
                self._drop(path)
            self._sorted = None
        return changed | {item.path for item in fresh}

    def _remove(self, paths: set[str]) -> set[str]:
        removed = {path: self._where.pop(path) for path in paths if path in self._where}
        for store in {owner for owner, _ in removed.values()}:
            ids = [row.id for owner, row in removed.values() if owner is store]
            if store.writable:
                store.write((), ids)
        for path, (owner, row) in removed.items():
            self._ids.pop((id(owner), row.id), None)
            self._drop(path)
        self._sorted = None
        return set(removed)

    def _drop(self, path: str) -> None:
        self._facts.pop(path, None)
        self._records.pop(path, None)

    # -- the store on disk --------------------------------------------------------------------------------------------
    def _open_disk(self) -> None:
        path = self._disk_path
        if path is None:
            return
        for attempt in (1, 2):
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._disk = Store(path, self._root)
                self._load(self._disk)
            except (sqlite3.DatabaseError, DamagedError) as error:
                self._close_disk()
                if isinstance(error, sqlite3.OperationalError) or attempt == 2 or held(path):
                    self._say(f"the index is kept in memory: {path}: {error}")
                    return
                log.warning("%s is damaged (%s) and is built again", path, error)
                delete(path)
            except OSError as error:
                self._close_disk()
                self._say(f"the index is kept in memory: {path}: {error.strerror or error}")
                return
            else:
                return

    def _load(self, store: Store) -> None:
        store.changed()
        for path, row in store.load().items():
            self._where[path] = (store, row)
            self._ids[(id(store), row.id)] = path
        self._sorted = None

    def _close_disk(self) -> None:
        if self._disk is None:
            return
        self._disk.close()
        self._where = {p: w for p, w in self._where.items() if w[0] is not self._disk}
        self._ids = {(id(s), row.id): p for p, (s, row) in self._where.items()}
        self._facts.clear()
        self._records.clear()
        self._disk, self._sorted = None, None

    def _writer(self) -> Store:
        """The store that takes new facts."""
        if self._disk is not None and self._disk.writable:
            return self._disk
        if self._memory is None:
            self._memory = Store(None, self._root)
        return self._memory

    def _follow_writer(self) -> set[str]:
        """As a reader: take over if the writer is gone, else see what it has written.  Returns changed paths."""
        disk = self._disk
        if disk is None or disk.writable:
            return set()
        took = disk.take_over()
        if not took and not disk.changed():
            return set()
        changed: set[str] = set()
        rows = disk.load()
        for path in [p for p, (s, _) in self._where.items() if s is disk and p not in rows]:
            _, old = self._where.pop(path)
            self._ids.pop((id(disk), old.id), None)
            self._drop(path)
            changed.add(path)
        for path, row in rows.items():
            before = self._where.get(path)
            if before is not None and before[0] is disk and before[1] == row:
                continue
            if before is not None and before[0] is not disk:
                if before[1].digest != row.digest:
                    continue
                # What was kept in memory meanwhile stands in the store now.
                before[0].write((), [before[1].id])
            if before is not None:
                self._ids.pop((id(before[0]), before[1].id), None)
            if before is None or before[1].digest != row.digest:
                changed.add(path)
                self._drop(path)
            self._where[path] = (disk, row)
            self._ids[(id(disk), row.id)] = path
        self._sorted = None
        return changed

    def _guarded(self, action: Callable[[], T]) -> T:
        """Do something with the store; if it turns out damaged or full, go on with a new one, or in memory."""
        try:
            return action()
        except (sqlite3.DatabaseError, DamagedError) as error:
            disk = self._disk
            if disk is None:
                raise
            path = disk.path
            full = isinstance(error, sqlite3.OperationalError)
            mine = disk.writable
            self._close_disk()
            self._generation += 1
            if full:
                self._say(f"the index is kept in memory: {path}: {error}")
            else:
                log.warning("%s is damaged (%s) and is built again", path, error)
                if mine and path is not None:
                    delete(path)
                    self._open_disk()
            self._refresh(None, None, None)
            return action()

    def _say(self, message: str) -> None:
        if message not in self.messages:
            self.messages.append(message)
            log.warning(message)

    # -- buffers ------------------------------------------------------------------------------------------------------
    def open_buffer(self, path: str, text: str) -> None:
        """Shadow `path` by `text` until it is closed; parses incrementally if it is already open."""
        buffer = self._buffers.get(path)
        if buffer is None:
            self._buffers[path] = Buffer(text, language_of(path) or "python")
            self._sorted = None
        elif buffer.text == text:
            return
        else:
            buffer.update(text)
        self._drop(path)
        self._generation += 1

    def close_buffer(self, path: str) -> None:
        """Forget the buffer; the file on disk counts again."""
        if self._buffers.pop(path, None) is not None:
            self._sorted = None
            self._drop(path)
            self._generation += 1

    def buffer(self, path: str) -> Buffer | None:
        """The open buffer of a path."""
        return self._buffers.get(path)

    # -- questions ----------------------------------------------------------------------------------------------------
    def paths(self) -> Sequence[str]:
        """All indexed files and open buffers of the workspace, sorted."""
        if self._sorted is None:
            inside = (p for p in self._buffers if not PurePosixPath(p).is_absolute())
            self._sorted = sorted({*self._where, *inside})
        return self._sorted

    def record(self, path: str) -> Record | None:
        """Facts of one file as rows; a file's words are left out unless it is an open buffer."""
        buffer = self._buffers.get(path)
        if buffer is not None:
            return buffer.record
        found = self._records.get(path)
        if found is not None:
            self._records.move_to_end(path)
            return found
        return self._guarded(lambda: self._read(path, words=False))

    def _read(self, path: str, *, words: bool) -> Record | None:
        known = self._where.get(path)
        if known is None:
            return None
        store, row = known
        blob = store.facts(row.id)
        if blob is None:
            if store is self._disk and not store.writable:
                # The writer has just replaced this file: see what it has written, and ask again.
                self._follow_writer()
                again = self._where.get(path)
                if again is not None and again[1].id != row.id:
                    return self._read(path, words=words)
                return None
            raise DamagedError
        record = unpack(blob, store.words(row.id) if words else None)
        if not words:
            self._records[path] = record
            if len(self._records) > CACHED_RECORDS:
                self._records.popitem(last=False)
        return record

    def facts(self, path: str) -> Facts | None:
        """Facts of one file, buffer first; None if it is not part of the workspace."""
        found = self._facts.get(path)
        if found is not None:
            self._facts.move_to_end(path)
            return found
        buffer = self._buffers.get(path)
        record = buffer.record if buffer is not None else self._guarded(lambda: self._read(path, words=True))
        if record is None:
            return None
        found = self._facts[path] = facts_of(path, record)
        if len(self._facts) > CACHED_FACTS:
            self._facts.popitem(last=False)
        return found

    def text(self, path: str) -> str | None:
        """The text that offsets refer to: the buffer's, else the file's; None if it is gone or unreadable."""
        buffer = self._buffers.get(path)
        if buffer is not None:
            return buffer.text
        try:
            return decode((self._root / path).read_bytes()).text
        except (OSError, ValueError):
            return None

    def digest(self, path: str) -> str | None:
        """Digest of a file's text: unchanged digest, unchanged facts."""
        buffer = self._buffers.get(path)
        if buffer is not None:
            return buffer.record.digest.hex()
        known = self._where.get(path)
        return known[1].digest.hex() if known is not None else None

    def definitions_named(self, name: str) -> Sequence[tuple[str, Definition]]:
        """Every definition of a simple name, as (path, definition), by path."""
        name = normalize("NFKC", name)
        found: list[tuple[str, Definition]] = []
        for path in self._with(name, DEFINES):
            record = self.record(path)
            if record is not None:
                found += [(path, definition_of(row)) for row in record.definitions if row[0] == name]
        return found

    def files_with(self, name: str) -> Sequence[str]:
        """Files whose text contains the identifier, sorted."""
        return self._with(normalize("NFKC", name), 0)

    def importing(self, names: Iterable[str]) -> Sequence[str]:
        """Files with an import whose module's last part, or imported name, is one of `names`, sorted."""
        return sorted({path for name in set(names) for path in self._with(name, IMPORTS)})

    def names(self, prefix: str = "") -> Sequence[str]:
        """Names defined anywhere in the workspace that begin with `prefix`, sorted."""
        start = encode(prefix)
        found: set[bytes] = set()
        for store in {s for s, _ in self._where.values()}:
            found.update(self._guarded(partial(_names, store, start)))
        for buffer in self._buffers.values():
            found.update(row[0].encode() for row in buffer.record.definitions if row[0].startswith(prefix))
        return sorted(word.decode("utf-8", "surrogateescape") for word in found)

    def _with(self, name: str, roles: int) -> list[str]:
        return self._guarded(lambda: self._with_word(encode(name), roles))

    def _with_word(self, word: bytes, roles: int) -> list[str]:
        found: set[str] = set()
        for store in (self._disk, self._memory):
            if store is not None:
                where = id(store)
                for file in store.with_name(word, roles):
                    path = self._ids.get((where, file))
                    if path is not None and path not in self._buffers:
                        found.add(path)
        for path, buffer in self._buffers.items():
            record = buffer.record
            if word not in record.words or PurePosixPath(path).is_absolute():
                continue
            if not roles or roles_of(record.definitions, record.imports).get(word, 0) & roles:
                found.add(path)
        return sorted(found)

    def close(self) -> None:
        """Release the store."""
        for store in (self._disk, self._memory):
            if store is not None:
                store.close()
        self._disk = self._memory = None
        self._where.clear()
        self._ids.clear()


def _names(store: Store, prefix: bytes) -> list[bytes]:
    return list(store.names(prefix))
