"""Workspace: the facts of all files of a folder, open buffers first (a `FactSource`)."""

from __future__ import annotations

import builtins
import sqlite3
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar
from unicodedata import normalize

from graft_indexer.build import Wanted, extract_all
from graft_indexer.embedded import has_view, view
from graft_indexer.extract import Record, definition_of, facts_of, import_of
from graft_indexer.facts import Definition, Facts, Import
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
from graft_indexer.layers import Layers
from graft_indexer.overlay import Buffer
from graft_indexer.packed import DEFINES, IMPORTS, DamagedError, roles_of
from graft_indexer.rows import DefinitionRow, Kind
from graft_indexer.source import COMPUTED
from graft_indexer.store import database_path
from graft_indexer.syntax import language_of
from graft_indexer.text import decode, encode

CACHED_FACTS, CACHED_RECORDS = 256, 512
_BUILTINS = frozenset(dir(builtins))
Progress = Callable[[int, int, str], None]
T = TypeVar("T")


class Workspace:
    """Facts of a workspace.  Belongs to one thread.  Make it with `open`."""

    def __init__(self, root: Path, index_dir: Path | None, jobs: int, exclude: Sequence[str]) -> None:
        self._root = root
        self._jobs = jobs
        self._exclude = tuple(exclude)
        self._buffers: dict[str, Buffer] = {}
        self._facts: OrderedDict[str, Facts] = OrderedDict()
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._sorted: list[str] | None = None
        self._generation = 0
        self._marks: OrderedDict[str, int] = OrderedDict()
        self._source: Literal["git", "walk"] = "git"
        self._complete = False
        self._layers = Layers(root, database_path(index_dir, root) if index_dir is not None else None, self._forget)

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
        disk = self._layers.disk
        return disk.path if disk is not None else None

    @property
    def writable(self) -> bool:
        """Whether this process is the one that writes the index on disk."""
        disk = self._layers.disk
        return disk is not None and disk.writable

    @property
    def messages(self) -> list[str]:
        """What the user should be told, one line each, each once."""
        return self._layers.messages

    @property
    def complete(self) -> bool:
        """Whether all files have been looked at: while an index is being built nothing is proved by absence."""
        return self._complete

    def truncated(self) -> dict[str, str]:
        """Files that are not, or not wholly, indexed, and why."""
        return {path: row.truncated for path, (_, row) in self._layers.rows.items() if row.truncated is not None}

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
        try:
            return self._refresh(paths, progress, cancelled)
        except (sqlite3.DatabaseError, DamagedError) as error:
            self._recover(error)
            return self._refresh(None, progress, cancelled)

    def _refresh(
        self, paths: Iterable[str] | None, progress: Progress | None, cancelled: Callable[[], bool] | None
    ) -> list[str]:
        changed = self._layers.follow()
        rows = self._layers.rows
        listing, gone = self._compare(paths)
        if paths is None:
            self._complete = False
        wanted: list[Wanted] = []
        for path, entry in listing.items():
            known = rows.get(path)
            if known is None:
                language = None if language_of(path) else script_language(self._root / path)
                wanted.append(Wanted(path, entry.size, None, language))
            elif (known[1].mtime_ns, known[1].size) != (entry.mtime_ns, entry.size):
                language = None if language_of(path) else script_language(self._root / path)
                wanted.append(Wanted(path, entry.size, known[1].digest, language))
        if gone:
            changed |= self._layers.remove(gone)
        if wanted:
            for batch in extract_all(
                self._root, wanted, jobs=self._jobs, progress=progress, cancelled=cancelled
            ):  # fmt: skip
                fresh = self._layers.accept(batch)
                if fresh:
                    # Whoever asks between two batches (from `progress`) must not get answers of before the last.
                    self._generation += 1
                    self._mark(fresh)
                changed |= fresh
            self._layers.flush()
        if paths is None:
            self._complete = cancelled is None or not cancelled()
        if changed:
            self._generation += 1
            self._mark(changed)
        return sorted(changed)

    def _compare(self, paths: Iterable[str] | None) -> tuple[dict[str, Entry], set[str]]:
        """(files to look at with their present state, files that are gone)."""
        rows = self._layers.rows
        if paths is None:
            listing: Listing = list_files(self._root, exclude=self._exclude)
            self._source = listing.source
            if listing.cut:
                self._layers.say(f"only {MAX_FILES:,} files are indexed: leave some out with a {IGNORE_FILE} file")
            return listing.files, set(rows) - set(listing.files)
        found: dict[str, Entry] = {}
        gone: set[str] = set()
        unknown: set[str] = set()
        for path in paths:
            path = path.rstrip("/")
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                continue
            full = self._root / path
            entry = stat_entry(full)
            if path in rows and entry is not None:
                if full.is_symlink():
                    # It may have come to lead into the workspace, where its file has a path of its own.
                    unknown.add(path)
                else:
                    found[path] = entry
                continue
            if path in rows:
                gone.add(path)
            below = [p for p in rows if p.startswith(path + "/")]
            for inner in below:
                inner_entry = stat_entry(self._root / inner)
                if inner_entry is None:
                    gone.add(inner)
                else:
                    found[inner] = inner_entry
            if entry is not None or full.is_dir():
                unknown.add(path)
        if unknown:
            found |= belonging(self._root, unknown, exclude=self._exclude, source=self._source)
            gone |= {p for p in unknown if p in rows and p not in found}
        return found, gone

    def _mark(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._marks[path] = self._generation
            self._marks.move_to_end(path)

    def changed_since(self, mark: int) -> tuple[int, Sequence[str]]:
        """(a new mark, files whose text changed since `mark`, the latest first); opening a buffer is no change."""
        found: list[str] = []
        for path in reversed(self._marks):
            if self._marks[path] <= mark:
                break
            found.append(path)
        return self._generation, found

    def _forget(self, path: str) -> None:
        """What was known of a path is void."""
        self._facts.pop(path, None)
        self._records.pop(path, None)
        self._sorted = None

    def _guarded(self, action: Callable[[], T]) -> T:
        """Do something with the stores; if that on disk turns out damaged or full, go on with a new one."""
        try:
            return action()
        except (sqlite3.DatabaseError, DamagedError) as error:
            self._recover(error)
            self._refresh(None, None, None)
            return action()

    def _recover(self, error: Exception) -> None:
        if not self._layers.recover(error):
            raise error
        self._generation += 1
        self._mark(self._layers.rows)

    # -- buffers ------------------------------------------------------------------------------------------------------
    def open_buffer(self, path: str, text: str) -> None:
        """Shadow `path` by `text` until it is closed; parses incrementally if it is already open."""
        text = _viewed(path, text)
        buffer = self._buffers.get(path)
        if buffer is None:
            before = self.digest(path)
            self._buffers[path] = Buffer(text, language_of(path) or "python")
            if path not in self._layers.rows:
                self._sorted = None
            changed = self.digest(path) != before
        elif buffer.text == text:
            return
        else:
            buffer.update(text)
            changed = True
        self._facts.pop(path, None)
        self._records.pop(path, None)
        self._generation += 1
        if changed:
            self._mark([path])

    def close_buffer(self, path: str) -> None:
        """Forget the buffer; the file on disk counts again."""
        before = self.digest(path)
        if self._buffers.pop(path, None) is not None:
            self._forget(path)
            self._generation += 1
            if self.digest(path) != before:
                self._mark([path])

    def buffer(self, path: str) -> Buffer | None:
        """The open buffer of a path."""
        return self._buffers.get(path)

    def is_open(self, path: str) -> bool:
        """Whether an open buffer shadows a path."""
        return path in self._buffers

    def words(self, path: str) -> frozenset[bytes] | None:
        """The identifiers in an open buffer; None for a path that is not open."""
        buffer = self._buffers.get(path)
        return frozenset(buffer.words) if buffer is not None else None

    def bases(self, path: str) -> frozenset[str]:
        """Last names of what the classes of a file derive from, and the names that those are imported by; of an open
        buffer perhaps more, so that a key makes no facts."""
        buffer = self._buffers.get(path)
        if buffer is not None and buffer.language == "python":
            return buffer.bases | {COMPUTED}
        record = self.record(path)
        if record is None:
            return frozenset()
        found = {
            base.split("[", 1)[0].rpartition(".")[2].strip()
            for row in record.definitions if row[1] == Kind.CLASS
            for base in row[9] or ()
        }  # fmt: skip
        found |= {name for _, name, alias, *_ in record.imports if name and alias in found}
        return frozenset(found | {COMPUTED} if _may_compute(record) else found)

    # -- questions ----------------------------------------------------------------------------------------------------
    def paths(self) -> Sequence[str]:
        """All indexed files and open buffers of the workspace, sorted."""
        if self._sorted is None:
            inside = (p for p in self._buffers if not PurePosixPath(p).is_absolute())
            self._sorted = sorted({*self._layers.rows, *inside})
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
        record = self._guarded(lambda: self._layers.read(path, words=False))
        if record is not None:
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
        record = buffer.record if buffer is not None else self._guarded(lambda: self._layers.read(path, words=True))
        if record is None:
            return None
        found = self._facts[path] = facts_of(path, record)
        if len(self._facts) > CACHED_FACTS:
            self._facts.popitem(last=False)
        return found

    def definitions(self, path: str) -> Sequence[DefinitionRow]:
        """The definitions among a file's facts as rows.  They are not kept: whoever asks for all files would crowd out
        what is asked for again."""
        known = self._records.get(path)
        if known is None:
            buffer = self._buffers.get(path)
            known = buffer.record if buffer is not None else self._guarded(lambda: self._layers.read(path, words=False))
        return known.definitions if known is not None else ()

    def counts(self, path: str) -> Mapping[bytes, int]:
        """Every identifier-like word of a file -> how often."""
        buffer = self._buffers.get(path)
        return buffer.words if buffer is not None else self._guarded(lambda: self._layers.words(path))

    def imports(self, path: str) -> Sequence[Import]:
        """The import statements among a file's facts, which costs less than all of them."""
        record = self.record(path) if path in self._buffers or path in self._records else None
        rows = self._guarded(lambda: self._layers.imports(path)) if record is None else record.imports
        return tuple(map(import_of, rows))

    def text(self, path: str) -> str | None:
        """The text that offsets refer to: the buffer's, else the file's; None if it is gone or unreadable.

        A file that has changed since it was indexed is indexed again first, so that facts and text agree.
        """
        buffer = self._buffers.get(path)
        if buffer is not None:
            return buffer.text
        known = self._layers.rows.get(path)
        if known is not None:
            entry = stat_entry(self._root / path)
            if entry is not None and (entry.mtime_ns, entry.size) != (known[1].mtime_ns, known[1].size):
                self.refresh([path])
        try:
            return _viewed(path, decode((self._root / path).read_bytes()).text)
        except (OSError, ValueError):
            return None

    def digest(self, path: str) -> str | None:
        """Digest of a file's text: unchanged digest, unchanged facts."""
        buffer = self._buffers.get(path)
        if buffer is not None:
            return buffer.digest.hex()
        known = self._layers.rows.get(path)
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

    def files_defining(self, name: str) -> Sequence[str]:
        """Files with a definition of a simple name, sorted; none of them is read."""
        return self._with(normalize("NFKC", name), DEFINES)

    def files_with(self, name: str) -> Sequence[str]:
        """Files whose text contains the identifier, sorted."""
        return self._with(normalize("NFKC", name), 0)

    def importing(self, names: Iterable[str]) -> Sequence[str]:
        """Files with an import whose module's last part, or imported name, is one of `names`, sorted."""
        return sorted({path for name in set(names) for path in self._with(name, IMPORTS)})

    def names(self, prefix: str = "") -> Sequence[str]:
        """Names defined anywhere in the workspace that begin with `prefix`, sorted."""
        start = encode(prefix)
        found = self._guarded(lambda: self._layers.names(start))
        for buffer in self._buffers.values():
            found.update(row[0].encode() for row in buffer.record.definitions if row[0].startswith(prefix))
        return sorted(word.decode("utf-8", "surrogateescape") for word in found)

    def _with(self, name: str, roles: int) -> list[str]:
        word = encode(name)
        found = list(self._guarded(lambda: self._layers.with_word(word, roles)))
        for path, buffer in self._buffers.items():
            at = bisect_left(found, path)
            if at < len(found) and found[at] == path:
                del found[at]
            if word not in buffer.words or PurePosixPath(path).is_absolute():
                continue
            if not roles or roles_of(buffer.record.definitions, buffer.record.imports).get(word, 0) & roles:
                found.insert(at, path)
        return found

    def close(self) -> None:
        """Release the store."""
        self._layers.close()


def _viewed(path: str, text: str) -> str:
    """The code of a file's text, its offsets as they are."""
    return view(path, encode(text)).decode("utf-8", "surrogateescape") if has_view(path) else text


def _may_compute(record: Record) -> bool:
    """Whether a class of a file may have a base that is none of the names of classes and imports there."""
    rows = [row for row in record.definitions if row[1] == Kind.CLASS and row[9]]
    if not rows:
        return False
    others = {row[0] for row in record.definitions if row[1] != Kind.CLASS}
    known = {row[0] for row in record.definitions if row[1] == Kind.CLASS} | _BUILTINS
    for module, name, alias, *_ in record.imports:
        known.add(alias or name or module.split(".")[0])
    known -= others
    given: set[str] | None = None
    for row in rows:
        for base in row[9] or ():
            head, _, rest = base.partition("[")
            if "(" in head or head.split(".")[0].strip() not in known or "(" in rest.rpartition("]")[2]:
                return True
            if row[6]:
                if given is None:
                    given = {p[0].lstrip("*") for r in record.definitions if r[8] is not None for p in r[8][0]}
                if head.split(".")[0].strip() in given:
                    return True
    return False
