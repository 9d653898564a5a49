"""Workspace: the facts of all files of a folder, open buffers first (a `FactSource`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from graft_indexer.extract import Record, definition_of, digest_of, extract_rows, facts_of, source_bytes
from graft_indexer.facts import Definition, Facts
from graft_indexer.syntax import language_of
from graft_indexer.text import decode, encode


class Workspace:
    """Facts of a workspace.  Belongs to one thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, Record] = {}
        self._buffers: dict[str, tuple[str, Record]] = {}
        self._generation = 0
        self._cache: dict[str, Facts] = {}

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        index_dir: Path | None,
        jobs: int = 0,
        progress: Callable[[int, int, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Workspace:
        """Open and bring up to date."""
        self = cls(root.resolve())
        self.refresh()
        return self

    @property
    def root(self) -> str:
        return str(self._root)

    @property
    def generation(self) -> int:
        return self._generation

    def refresh(self, paths: Iterable[str] | None = None) -> Sequence[str]:
        """Re-read files that changed on disk; returns the paths that changed."""
        if paths is None:
            found = set(self._files)
            for folder, folders, names in os.walk(self._root):
                folders[:] = [f for f in folders if not f.startswith(".") and f not in ("node_modules", "__pycache__")]
                for name in names:
                    path = (Path(folder) / name).relative_to(self._root).as_posix()
                    if language_of(path):
                        found.add(path)
            paths = found
        changed: list[str] = []
        for path in paths:
            try:
                data = source_bytes((self._root / path).read_bytes())
            except OSError:
                if self._files.pop(path, None):
                    changed.append(path)
                continue
            old = self._files.get(path)
            if old is None or old.digest != digest_of(data):
                self._files[path] = extract_rows(data, language_of(path) or "python")
                changed.append(path)
        for path in changed:
            self._cache.pop(path, None)
        self._generation += bool(changed)
        return sorted(changed)

    def open_buffer(self, path: str, text: str) -> None:
        """Shadow `path` by `text` until it is closed."""
        self._buffers[path] = (text, extract_rows(encode(text), language_of(path) or "python"))
        self._cache.pop(path, None)
        self._generation += 1

    def close_buffer(self, path: str) -> None:
        """Forget the buffer; the file on disk counts again."""
        if self._buffers.pop(path, None):
            self._cache.pop(path, None)
            self._generation += 1

    def paths(self) -> Sequence[str]:
        return sorted({*self._files, *self._buffers})

    def _record(self, path: str) -> Record | None:
        buffer = self._buffers.get(path)
        return buffer[1] if buffer else self._files.get(path)

    def facts(self, path: str) -> Facts | None:
        found = self._cache.get(path)
        if found is None:
            record = self._record(path)
            if record is None:
                return None
            found = self._cache[path] = facts_of(path, record)
        return found

    def text(self, path: str) -> str | None:
        buffer = self._buffers.get(path)
        if buffer:
            return buffer[0]
        try:
            return decode((self._root / path).read_bytes()).text
        except OSError:
            return None

    def definitions_named(self, name: str) -> Sequence[tuple[str, Definition]]:
        return [
            (path, definition_of(row))
            for path in self.files_with(name)
            for row in self._record(path).definitions  # type: ignore[union-attr]
            if row[0] == name
        ]

    def files_with(self, name: str) -> Sequence[str]:
        word = encode(name)
        return [p for p in self.paths() if word in self._record(p).words]  # type: ignore[union-attr]

    def importing(self, names: Iterable[str]) -> Sequence[str]:
        wanted = set(names)
        return [
            p
            for p in self.paths()
            if any(
                i[0].rsplit(".", 1)[-1] in wanted or i[1] in wanted
                for i in self._record(p).imports  # type: ignore[union-attr]
            )
        ]

    def digest(self, path: str) -> str | None:
        record = self._record(path)
        return record.digest.hex() if record else None

    def close(self) -> None:
        """Release the store."""
