"""The inverted index in SQLite: names -> files, in segments.

A key is `id << 2 | roles` of a file.  A segment of many names is kept in blocks: `BLOCK` names in order, with their
keys as packed arrays, marshalled and sealed, are one row; a row for each name took a tenth of the time of parsing.
A segment of few names (those of some edited files) is kept in rows, so that one search looks through hundreds of
segments.  Names are bytes, in order of their bytes, as SQLite orders them.
"""

from __future__ import annotations

import heapq
import sqlite3
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from operator import itemgetter

from graft_indexer.packed import DamagedError, seal, unseal

BLOCK = 64
"""Names in a block: a search reads one whole block of each segment, in about 15 microseconds."""
MANY_NAMES = 2_000
"""A segment of at least so many names is kept in blocks."""

TABLES = """
CREATE TABLE IF NOT EXISTS postings (
    name BLOB NOT NULL, segment INTEGER NOT NULL, files BLOB NOT NULL, PRIMARY KEY (name, segment)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    segment INTEGER NOT NULL, first BLOB NOT NULL, names BLOB NOT NULL, PRIMARY KEY (segment, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocked (segment INTEGER PRIMARY KEY);
"""
"""`blocked` are the segments that are kept in blocks."""

_IN_BLOCKS = """SELECT (
    SELECT names FROM blocks WHERE segment = blocked.segment AND first <= ? ORDER BY first DESC LIMIT 1)
    FROM blocked"""
_RANGE = """SELECT names FROM blocks WHERE segment = :segment AND first < :upper AND first >= coalesce(
    (SELECT max(first) FROM blocks WHERE segment = :segment AND first <= :prefix), x'') ORDER BY first"""


def insert(db: sqlite3.Connection, segment: int, pending: Mapping[bytes, list[int]]) -> None:
    """Write a segment: name -> keys.  Belongs into a transaction."""
    names = ((name, _packed(pending[name])) for name in sorted(pending))
    if len(pending) < MANY_NAMES:
        db.executemany("INSERT INTO postings VALUES (?, ?, ?)", ((name, segment, keys) for name, keys in names))
    else:
        _insert_blocks(db, segment, names)


def find(db: sqlite3.Connection, name: bytes) -> array[int]:
    """Keys of a name in all segments.  Raises DamagedError."""
    keys = array("I")
    for (blob,) in db.execute("SELECT files FROM postings WHERE name = ?", (name,)):
        keys.frombytes(blob)
    for (block,) in db.execute(_IN_BLOCKS, (name,)):
        if block is None:
            continue
        names, files = _opened(block)
        at = bisect_left(names, name)
        if at < len(names) and names[at] == name:
            keys.frombytes(files[at])
    return keys


def beginning(db: sqlite3.Connection, prefix: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """(name, keys) of names that begin with `prefix`, once for each segment.  Raises DamagedError."""
    upper = prefix + b"\xff"
    for name, blob in db.execute("SELECT name, files FROM postings WHERE name >= ? AND name < ?", (prefix, upper)):
        yield name, memoryview(blob).cast("I")
    for segment in _blocked(db):
        for (block,) in db.execute(_RANGE, {"segment": segment, "prefix": prefix, "upper": upper}):
            for name, blob in zip(*_opened(block), strict=True):
                if prefix <= name < upper:
                    yield name, memoryview(blob).cast("I")


def merge(db: sqlite3.Connection, live: set[int]) -> None:
    """Make one segment, number 1, of all, without files that are not `live`.  Belongs into a transaction."""
    old = _blocked(db)
    fresh = 1 + max(old, default=1)
    rows = db.execute("SELECT name, files FROM postings ORDER BY name")
    _insert_blocks(db, fresh, _merged(heapq.merge(rows, *(_segment(db, n) for n in old), key=itemgetter(0)), live))
    db.execute("DELETE FROM postings")
    db.execute("DELETE FROM blocks WHERE segment <> ?", (fresh,))
    db.execute("DELETE FROM blocked")
    db.execute("UPDATE blocks SET segment = 1")
    db.execute("INSERT INTO blocked VALUES (1)")


def _blocked(db: sqlite3.Connection) -> list[int]:
    return [segment for (segment,) in db.execute("SELECT segment FROM blocked")]


def _insert_blocks(db: sqlite3.Connection, segment: int, names: Iterator[tuple[bytes, bytes]]) -> None:
    def blocks() -> Iterator[tuple[int, bytes, bytes]]:
        while part := list(islice(names, BLOCK)):
            yield segment, part[0][0], seal(([name for name, _ in part], [keys for _, keys in part]))

    db.executemany("INSERT INTO blocks VALUES (?, ?, ?)", blocks())
    db.execute("INSERT OR REPLACE INTO blocked VALUES (?)", (segment,))


def _opened(block: bytes) -> tuple[list[bytes], list[bytes]]:
    """(names, keys of each) of a block.  Raises DamagedError."""
    value = unseal(block)
    if not isinstance(value, tuple) or len(value) != 2:
        raise DamagedError
    return value


def _segment(db: sqlite3.Connection, segment: int) -> Iterator[tuple[bytes, bytes]]:
    for (block,) in db.execute("SELECT names FROM blocks WHERE segment = ? ORDER BY first", (segment,)):
        yield from zip(*_opened(block), strict=True)


def _packed(keys: list[int]) -> bytes:
    # Most names stand in one file: that case without an array halves the time.
    return keys[0].to_bytes(4, sys.byteorder) if len(keys) == 1 else array("I", keys).tobytes()


def _merged(rows: Iterable[tuple[bytes, bytes]], live: set[int]) -> Iterator[tuple[bytes, bytes]]:
    for name, group in groupby(rows, key=itemgetter(0)):
        keys = array("I")
        for _, blob in group:
            keys.frombytes(blob)
        kept = array("I", [key for key in keys if key >> 2 in live])
        if kept:
            yield name, kept.tobytes()
