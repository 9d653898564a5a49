"""The memory of a document's prompt on disk, so that the first answer after a start need not read it again.

A snapshot belongs to one model file, one prompt layout and one document; the tokens inside say what it holds, and only
the beginning that a new prompt shares with them is used.  Files hold source text: mode 0600, all together limited.
Each has its checksum beside it; what does not match is deleted, never loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from graft_models.prompt import LAYOUT_VERSION

MOST_BYTES = 500_000_000
LEAST_TOKENS = 256
"""A shorter prompt is read faster than it is looked up."""


class Memory(Protocol):
    """The part of `Native` that writes and reads sequences."""

    def save(self, path: Path, sequence: int, tokens: Sequence[int]) -> int:
        """Bytes written, 0 on failure."""

    def restore(self, path: Path, sequence: int, capacity: int) -> list[int]:
        """The tokens read, none on failure."""


def fingerprint(model: Path, memory_kind: str) -> str:
    """Of the model file (its size and both ends), the layout, the library and the kind of memory."""
    try:
        library = version("llama-cpp-python")
    except PackageNotFoundError:
        library = "?"
    digest = hashlib.sha256(f"{LAYOUT_VERSION} {library} {memory_kind}".encode())
    with model.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest.update(str(size).encode())
        for start in (0, max(0, size - 65536)):
            file.seek(start)
            digest.update(file.read(65536))
    return digest.hexdigest()


class Snapshots:
    """Snapshots in `folder`; every failure to write or read is only a slower first answer."""

    def __init__(self, folder: Path, model_key: str, limit: int = MOST_BYTES) -> None:
        self._folder = folder
        self._key = model_key
        self._limit = limit
        self._tried: set[str] = set()
        self._saved: dict[str, int] = {}

    def path(self, document: str) -> Path:
        """The file for a document."""
        name = hashlib.sha256(f"{self._key} {document}".encode("utf-8", "surrogateescape")).hexdigest()[:40]
        return self._folder / f"{name}.kv"

    def save(self, memory: Memory, document: str, sequence: int, tokens: Sequence[int]) -> bool:
        """Write a sequence, unless the same tokens were written last time.  Whether it was written."""
        if len(tokens) < LEAST_TOKENS or self._saved.get(document) == hash(tuple(tokens)):
            return False
        target = self.path(document)
        temporary = target.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
            if not memory.save(temporary, sequence, tokens):
                temporary.unlink(missing_ok=True)
                return False
            mark = target.with_suffix(".json")
            os.close(os.open(mark, os.O_CREAT | os.O_WRONLY, 0o600))
            mark.write_text(json.dumps({"sha256": _digest(temporary), "tokens": len(tokens)}))
            temporary.replace(target)
            self._trim()
        except OSError:
            return False
        self._saved[document] = hash(tuple(tokens))
        return True

    def restore(self, memory: Memory, document: str, sequence: int, capacity: int) -> list[int]:
        """Read a document's snapshot into an empty sequence, once; the tokens it holds, or none."""
        if document in self._tried:
            return []
        self._tried.add(document)
        path = self.path(document)
        mark = path.with_suffix(".json")
        try:
            known = json.loads(mark.read_text())
            if known["sha256"] == _digest(path) and known["tokens"] <= capacity:
                return memory.restore(path, sequence, capacity)
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError):
            pass  # Unreadable: deleted below like one that does not match.
        for stale in (path, mark):
            with contextlib.suppress(OSError):
                stale.unlink(missing_ok=True)
        return []

    def _trim(self) -> None:
        """Delete the oldest until all fit."""
        files = sorted(self._folder.glob("*.kv"), key=lambda p: p.stat().st_mtime, reverse=True)
        total = 0
        for file in files:
            total += file.stat().st_size
            if total > self._limit:
                file.unlink(missing_ok=True)
                file.with_suffix(".json").unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
