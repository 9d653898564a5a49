"""The inverted index: blocks and rows answer alike, before and after segments are merged."""

import sqlite3
from array import array
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft_indexer import postings
from graft_indexer.packed import DamagedError

names = st.binary(min_size=1, max_size=3)
segments = st.lists(st.dictionaries(names, st.lists(st.integers(4, 200), min_size=1, max_size=3)), max_size=4)


def database() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.executescript(postings.TABLES)
    return db


def keys(db: sqlite3.Connection, name: bytes) -> list[int]:
    return sorted(postings.find(db, name))


@settings(max_examples=150, deadline=None)
@given(segments, st.lists(st.booleans(), min_size=4, max_size=4), names, st.sets(st.integers(1, 50)))
def test_blocks_and_rows_say_what_was_written(
    given_segments: list[dict[bytes, list[int]]], in_blocks: list[bool], prefix: bytes, live: set[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "BLOCK", 3)
        db = database()
        expected: dict[bytes, list[int]] = defaultdict(list)
        for number, pending in enumerate(given_segments):
            patch.setattr(postings, "MANY_NAMES", 0 if in_blocks[number] else 1_000)
            postings.insert(db, number + 1, pending)
            for name, found in pending.items():
                expected[name] += found
        for merged in (False, True):
            if merged:
                postings.merge(db, live)
                expected = {n: kept for n, f in expected.items() if (kept := [k for k in f if k >> 2 in live])}
            for name in [*expected, b"", b"\x00", prefix, b"\xff\xff\xff\xff"]:
                assert keys(db, name) == sorted(expected.get(name, []))
            found: dict[bytes, list[int]] = defaultdict(list)
            for name, files in postings.beginning(db, prefix):
                found[name] += files
            upper = prefix + b"\xff"
            assert {n: sorted(f) for n, f in found.items()} == {
                n: sorted(f) for n, f in expected.items() if prefix <= n < upper
            }


def test_a_large_segment_takes_few_rows() -> None:
    db = database()
    postings.insert(db, 1, {f"name{n}".encode(): [n << 2] for n in range(postings.MANY_NAMES)})
    assert db.execute("SELECT count(*) FROM postings").fetchone() == (0,)
    rows = db.execute("SELECT count(*) FROM blocks").fetchone()[0]
    assert rows == -(-postings.MANY_NAMES // postings.BLOCK)
    assert postings.find(db, b"name77") == array("I", [77 << 2])


def test_a_damaged_block_is_told() -> None:
    db = database()
    postings.insert(db, 1, {f"name{n}".encode(): [n << 2] for n in range(postings.MANY_NAMES)})
    db.execute("UPDATE blocks SET names = x'0011223344556677'")
    with pytest.raises(DamagedError):
        postings.find(db, b"name77")
    with pytest.raises(DamagedError):
        list(postings.beginning(db, b"name"))
