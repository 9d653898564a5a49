"""Records as bytes: what workers send and the store keeps.

A file's facts are two blobs, the rows and the words, each marshalled and preceded by a checksum: `marshal` reads a
tuple of a hundred definitions in 30 microseconds, and must never see damaged bytes.  Definitions are marshalled by
themselves inside the rows, so that whoever wants the imports alone need not make them.
"""

from __future__ import annotations

import marshal
import os
import time
from collections.abc import Iterable
from typing import Any, NamedTuple
from zlib import crc32

from graft_indexer.embedded import view
from graft_indexer.extract import MAX_SIZE, Record, digest_of, empty_record, extract_rows, source_bytes
from graft_indexer.rows import DefinitionRow, ImportRow
from graft_indexer.syntax import language_of, languages

DEFINES, IMPORTS = 1, 2
"""Roles of a name in a file, as bits: it is defined there; an import names it."""
RACY_NS = 50_000_000
"""A file modified this shortly before it was read may change again under the same time stamp: it is read next time."""


class DamagedError(Exception):
    """Stored bytes do not match their checksum."""


class Extracted(NamedTuple):
    """One file as a worker returns it; `unchanged` means that its text has the digest that was known."""

    path: str
    mtime_ns: int
    size: int
    """Bytes on disk."""
    digest: bytes
    truncated: str | None
    facts: bytes
    words: bytes
    plain: list[bytes]
    """Words that have no role, keywords left out."""
    roles: dict[bytes, int]
    unchanged: bool = False
    gone: bool = False


def seal(value: Any) -> bytes:
    """Marshalled bytes with their checksum."""
    data = marshal.dumps(value)
    return crc32(data).to_bytes(4, "little") + data


def unseal(blob: bytes) -> object:
    """The value of `seal`.  Raises DamagedError."""
    data = memoryview(blob)[4:]
    if len(blob) < 5 or crc32(data).to_bytes(4, "little") != blob[:4]:
        raise DamagedError
    try:
        return marshal.loads(data)
    except (ValueError, EOFError, TypeError) as error:
        raise DamagedError from error


def pack(record: Record) -> tuple[bytes, bytes]:
    """(facts, words) of a record."""
    rows = (
        record.language,
        record.digest,
        record.size,
        marshal.dumps(record.definitions),
        record.imports,
        record.exports,
        record.dynamic,
        record.errors,
        record.truncated,
    )
    return seal(rows), seal(record.words)


def unpack(facts: bytes, words: bytes | None = None) -> Record:
    """The record of its blobs, without words if they are not given.  Raises DamagedError."""
    language, digest, size, definitions, imports, exports, dynamic, errors, truncated = _rows(facts)
    return Record(
        language, digest, size, marshal.loads(definitions), imports, exports, dynamic, errors,
        unpack_words(words) if words is not None else {}, truncated,
    )  # fmt: skip


def unpack_imports(facts: bytes) -> list[ImportRow]:
    """The imports of a record's first blob.  Raises DamagedError."""
    imports: list[ImportRow] = _rows(facts)[4]
    return imports


def _rows(facts: bytes) -> tuple[Any, ...]:
    value = unseal(facts)
    if not isinstance(value, tuple) or len(value) != 9:
        raise DamagedError
    return value


def unpack_words(words: bytes) -> dict[bytes, int]:
    """Words of a file -> how often.  Raises DamagedError."""
    value = unseal(words)
    if not isinstance(value, dict):
        raise DamagedError
    return value


def last_part(module: str) -> str:
    """The name at the end of a module that is given as a path: `./views/list.js` -> `list`."""
    name = module.rstrip("/").rsplit("/", 1)[-1]
    return name.split(".", 1)[0] or name


def roles_of(definitions: Iterable[DefinitionRow], imports: Iterable[ImportRow]) -> dict[bytes, int]:
    """Names with a role, and which."""
    defined = {row[0] for row in definitions}
    imported = {row[0].rsplit(".", 1)[-1] if "/" not in row[0] else last_part(row[0]) for row in imports}
    imported.update(row[1] for row in imports if row[1] is not None)
    imported -= {"", "*"}
    roles = dict.fromkeys(defined, DEFINES)
    for name in imported:
        roles[name] = roles.get(name, 0) | IMPORTS
    return {name.encode("utf-8", "surrogateescape"): bits for name, bits in roles.items()}


def names_of(record: Record) -> tuple[list[bytes], dict[bytes, int]]:
    """(plain words, names with roles) of a record, for the inverted index."""
    roles = roles_of(record.definitions, record.imports)
    plain = set(record.words)
    plain.difference_update(roles, languages()[record.language].keywords)
    return list(plain), roles


def extract_path(root: str, path: str, known: bytes | None, language: str | None = None) -> Extracted:
    """Read and extract one file of a workspace; `known` is the digest it had.  Never raises for a missing file."""
    full = os.path.join(root, path)  # noqa: PTH118 - bulk
    try:
        data, found = _read(full)
    except (OSError, ValueError):
        return Extracted(path, 0, 0, b"", None, b"", b"", [], {}, gone=True)
    mtime = found.st_mtime_ns if time.time_ns() - found.st_mtime_ns > RACY_NS else -1
    language = language_of(path) or language or "python"
    if data is None:
        mark = f"{found.st_size}:{found.st_mtime_ns}".encode()
        record = empty_record(language, digest_of(mark), found.st_size, f"larger than {MAX_SIZE // 1_000_000} MB")
    else:
        text = view(path, source_bytes(data))
        digest = digest_of(text)
        if digest == known:
            return Extracted(path, mtime, found.st_size, digest, None, b"", b"", [], {}, unchanged=True)
        record = extract_rows(text, language)
    plain, roles = names_of(record)
    return Extracted(path, mtime, found.st_size, record.digest, record.truncated, *pack(record), plain, roles)


def _read(full: str) -> tuple[bytes | None, os.stat_result]:
    """Bytes of a file (None if it is too large) and a state that belongs to them, even if it changes meanwhile."""
    with open(full, "rb") as file:  # noqa: PTH123 - bulk
        for _ in range(3):
            before = os.fstat(file.fileno())
            if before.st_size > MAX_SIZE:
                return None, before
            data = file.read()
            after = os.fstat(file.fileno())
            if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                break
            file.seek(0)
    return data, before
