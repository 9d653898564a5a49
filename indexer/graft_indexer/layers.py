"""Two stores as one: on disk where this process may write, in memory for the rest.

The store in memory takes what may not be written: all of it in a read-only home, what changed while another process
holds the writer's lock, everything after the disk ran full.  Where both have a path, memory's is the newer one.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from graft_indexer.extract import Record
from graft_indexer.packed import DamagedError, Extracted, unpack, unpack_imports, unpack_words
from graft_indexer.rows import ImportRow
from graft_indexer.store import FileRow, Store, delete, held

log = logging.getLogger("graft.index")

MOST_FOUND = 100_000
"""Paths that are kept of answers about words, for 8 bytes each."""


class Layers:
    """Facts of files on disk.  `forget(path)` is called whenever what was known of a path is void.

    Methods raise sqlite3.DatabaseError or DamagedError if the store on disk is damaged or full; `recover` mends that.
    """

    def __init__(self, root: Path, path: Path | None, forget: Callable[[str], None]) -> None:
        self._root = root
        self._path = path
        self._forget = forget
        self._memory: Store | None = None
        self._ids: dict[int, dict[int, str]] = {}
        """Paths by the ids of their files, for each store by its own id."""
        self._found: dict[tuple[bytes, int], list[str]] = {}
        self._found_size = 0
        self.disk: Store | None = None
        self.rows: dict[str, tuple[Store, FileRow]] = {}
        """Every file, the store that has it, and the state in which it was read."""
        self.messages: list[str] = []
        self._open()

    # -- opening and closing ------------------------------------------------------------------------------------------
    def _open(self) -> None:
        path = self._path
        if path is None:
            return
        for attempt in (1, 2):
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.disk = Store(path, self._root)
                self.disk.changed()
                for name, row in self.disk.load().items():
                    self._put(name, self.disk, row)
                return
            except (sqlite3.DatabaseError, DamagedError) as error:
                self._leave()
                if isinstance(error, sqlite3.OperationalError) or attempt == 2 or held(path):
                    self.say(f"the index is kept in memory: {path}: {error}")
                    return
                log.warning("%s is damaged (%s) and is built again", path, error)
                delete(path)
            except OSError as error:
                self._leave()
                self.say(f"the index is kept in memory: {path}: {error.strerror or error}")
                return

    def _leave(self) -> None:
        """Close the store on disk and forget all that it had."""
        if self.disk is None:
            return
        self.disk.close()
        for path in [p for p, (store, _) in self.rows.items() if store is self.disk]:
            self._pop(path)
        self.disk = None

    def recover(self, error: Exception) -> bool:
        """After an error: begin anew on disk if it was damage, in memory if the disk is full.

        All rows of the disk are gone after this.  Returns false if there is nothing to mend, because the store in
        memory failed.
        """
        disk = self.disk
        if disk is None:
            return False
        path, writable = disk.path, disk.writable
        self._leave()
        if isinstance(error, sqlite3.OperationalError):
            self.say(f"the index is kept in memory: {path}: {error}")
            if writable and path is not None and "full" in str(error):
                # Half an index helps nobody, and the user needs the room.
                delete(path)
            return True
        log.warning("%s is damaged (%s) and is built again", path, error)
        if writable and path is not None:
            delete(path)
            self._open()
        return True

    def say(self, message: str) -> None:
        """Tell the user, once."""
        if message not in self.messages:
            self.messages.append(message)
            log.warning(message)

    def close(self) -> None:
        """Release both stores."""
        for store in self._stores():
            store.close()
        self.disk = self._memory = None
        self.rows.clear()
        self._ids.clear()
        self._forget_found()

    # -- reading ------------------------------------------------------------------------------------------------------
    def read(self, path: str, *, words: bool) -> Record | None:
        """Facts of a file as rows, its words only if asked for; None if there is none."""
        blob = self._blob(path, Store.facts)
        if blob is None:
            return None
        store, row = self.rows[path]
        return unpack(blob, store.words(row.id) if words else None)

    def words(self, path: str) -> dict[bytes, int]:
        """The words of a file -> how often."""
        blob = self._blob(path, Store.words)
        return unpack_words(blob) if blob is not None else {}

    def imports(self, path: str) -> list[ImportRow]:
        """The imports among a file's facts."""
        blob = self._blob(path, Store.facts)
        return unpack_imports(blob) if blob is not None else []

    def _blob(self, path: str, read: Callable[[Store, int], bytes | None]) -> bytes | None:
        known = self.rows.get(path)
        if known is None:
            return None
        store, row = known
        blob = read(store, row.id)
        if blob is not None:
            return blob
        if store.writable:
            raise DamagedError
        # The writer has just replaced this file: see what it has written, and ask again.
        self.follow()
        again = self.rows.get(path)
        return self._blob(path, read) if again is not None and again[1].id != row.id else None

    def with_word(self, word: bytes, roles: int) -> Sequence[str]:
        """Files with a word, in one of the given roles if any, sorted.  Kept until a file changes on disk: whoever
        types asks for the same words again."""
        known = self._found.get((word, roles))
        if known is not None:
            return known
        found: set[str] = set()
        for store in self._stores():
            paths = self._ids.get(id(store), {})
            found.update(path for path in map(paths.get, store.with_name(word, roles)) if path is not None)
        if self._found_size > MOST_FOUND:
            self._forget_found()
        kept = self._found[word, roles] = sorted(found)
        self._found_size += 1 + len(kept)
        return kept

    def _forget_found(self) -> None:
        self._found.clear()
        self._found_size = 0

    def names(self, prefix: bytes) -> set[bytes]:
        """Names that begin with `prefix` and are defined somewhere."""
        ids = self._ids
        return {
            name
            for store in self._stores()
            for name, files in store.names(prefix)
            if not ids.get(id(store), {}).keys().isdisjoint(files)
        }

    # -- writing ------------------------------------------------------------------------------------------------------
    def accept(self, batch: Sequence[Extracted]) -> set[str]:
        """Store what workers found; returns the paths whose text is new."""
        changed = self.remove(item.path for item in batch if item.gone)
        store = self._writer()
        touched: list[tuple[int, int, int]] = []
        for item in batch:
            known = self.rows.get(item.path)
            if item.unchanged and known is not None:
                row = known[1]._replace(mtime_ns=item.mtime_ns, size=item.size)
                self.rows[item.path] = (known[0], row)
                if known[0] is store:
                    touched.append((row.id, item.mtime_ns, item.size))
        if touched:
            store.touch(touched)
        fresh = [item for item in batch if not item.unchanged and not item.gone]
        if fresh:
            for path, row in store.write(fresh).items():
                self._put(path, store, row)
        return changed | {item.path for item in fresh}

    def remove(self, paths: Iterable[str]) -> set[str]:
        """Forget files; returns those that were known."""
        removed = {path: self.rows[path] for path in paths if path in self.rows}
        for store in self._stores():
            ids = [row.id for owner, row in removed.values() if owner is store]
            if ids and store.writable:
                store.write((), ids)
        for path in removed:
            self._pop(path)
        return set(removed)

    def flush(self) -> None:
        """Make what was accepted quick to search for the next process too."""
        self._writer().flush()

    def follow(self) -> set[str]:
        """As a reader: take over if the writer is gone, else see what it has written.  Returns changed paths."""
        disk = self.disk
        if disk is None or disk.writable or not (disk.take_over() or disk.changed()):
            return set()
        changed: set[str] = set()
        rows = disk.load()
        for path in [p for p, (store, _) in self.rows.items() if store is disk and p not in rows]:
            self._pop(path)
            changed.add(path)
        for path, row in rows.items():
            before = self.rows.get(path)
            if before is not None and before[0] is not disk:
                if before[1].digest != row.digest:
                    continue
                # What was kept in memory meanwhile stands in the store now.
                before[0].write((), [before[1].id])
            elif before is not None and before[1] == row:
                continue
            if before is None or before[1].digest != row.digest:
                changed.add(path)
            self._put(path, disk, row)
        return changed

    def _writer(self) -> Store:
        """The store that takes new facts."""
        if self.disk is not None and self.disk.writable:
            return self.disk
        if self._memory is None:
            self._memory = Store(None, self._root)
        return self._memory

    def _stores(self) -> list[Store]:
        return [store for store in (self.disk, self._memory) if store is not None]

    def _put(self, path: str, store: Store, row: FileRow) -> None:
        self._pop(path)
        self._forget_found()
        self.rows[path] = (store, row)
        self._ids.setdefault(id(store), {})[row.id] = path

    def _pop(self, path: str) -> None:
        before = self.rows.pop(path, None)
        if before is not None:
            self._forget_found()
            self._ids.get(id(before[0]), {}).pop(before[1].id, None)
        self._forget(path)
