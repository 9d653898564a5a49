import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_indexer.extract import extract_rows
from graft_indexer.packed import DEFINES, IMPORTS, DamagedError, Extracted, names_of, pack, seal, unpack, unseal
from graft_indexer.store import FileRow, Store, database_path, delete, fingerprint, inspect


def extracted(path: str, source: str, mtime: int = 1) -> Extracted:
    record = extract_rows(source.encode(), "python")
    return Extracted(path, mtime, len(source), record.digest, None, *pack(record), *names_of(record))


def found(store: Store, rows: dict[str, FileRow], name: str, roles: int = 0) -> list[str]:
    by_id = {row.id: path for path, row in rows.items()}
    return sorted(by_id[i] for i in store.with_name(name.encode(), roles) if i in by_id)


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return database_path(tmp_path, tmp_path / "my project")


def test_the_name_says_what_made_it(where: Path) -> None:
    assert where.name.startswith("my_project-")
    assert f"-v2.4-{fingerprint()}" in where.name


def test_write_and_read(where: Path) -> None:
    store = Store(where, Path("/w"))
    rows = store.write([extracted("a.py", "import os\ndef f(): g()\n"), extracted("b.py", "from os import f\n")])
    for _ in ("pending", "flushed"):
        assert found(store, rows, "f") == ["a.py", "b.py"]
        assert found(store, rows, "f", DEFINES) == ["a.py"]
        assert found(store, rows, "f", IMPORTS) == ["b.py"]
        assert found(store, rows, "os", IMPORTS) == ["a.py", "b.py"]
        assert found(store, rows, "g", DEFINES) == []
        assert found(store, rows, "def") == []
        assert [n for n, _ in store.names(b"f")] == [b"f"]
        store.flush()
    store.close()
    again = Store(where, Path("/w"))
    assert again.load() == rows
    facts = again.facts(rows["a.py"].id)
    assert facts is not None
    assert unpack(facts, again.words(rows["a.py"].id)) == extract_rows(b"import os\ndef f(): g()\n", "python")
    assert found(again, rows, "f") == ["a.py", "b.py"]
    again.close()


def test_nobody_else_may_read_it(where: Path) -> None:
    store = Store(where, Path("/w"))
    store.write([extracted("a.py", "x = 1\n")])
    for file in where.parent.glob(f"{where.name}*"):
        assert file.stat().st_mode & 0o077 == 0
    store.close()


def test_a_changed_file_leaves_no_old_names(where: Path) -> None:
    store = Store(where, Path("/w"))
    store.write([extracted("a.py", "old = 1\n"), extracted("b.py", "old = 1\n")])
    store.flush()
    rows = store.load() | store.write([extracted("a.py", "new = 1\n", 2)])
    assert found(store, rows, "old") == ["b.py"]
    assert found(store, rows, "new") == ["a.py"]
    store.write((), [rows["b.py"].id])
    assert list(store.load()) == ["a.py"]
    store.close()


def test_segments_are_merged(where: Path) -> None:
    store = Store(where, Path("/w"))
    for number in range(60):
        store.write([extracted("a.py", f"x{number} = shared\n", number)])
        store.write([extracted(f"b{number}.py", f"y{number} = shared\n", number)])
        store.flush()
    assert store.segments() == 60
    store.close()
    again = Store(where, Path("/w"))
    rows = again.load()
    assert again.segments() == 1
    assert found(again, rows, "x59") == ["a.py"]
    assert again.with_name(b"x58") == []
    assert len(found(again, rows, "shared")) == 61
    again.write([extracted("a.py", "x60 = shared\n", 60)])
    again.flush()
    assert again.segments() == 2
    again.close()


def test_names_that_are_not_utf8(where: Path) -> None:
    store = Store(where, Path("/w"))
    path = os.fsdecode(b"caf\xe9.py")
    store.write([extracted(path, "x = 1\n")])
    assert list(store.load()) == [path]
    store.close()


def test_one_writes_and_others_read_until_it_ends(where: Path) -> None:
    writer = Store(where, Path("/w"))
    reader = Store(where, Path("/w"))
    assert (writer.writable, reader.writable) == (True, False)
    reader.changed()
    assert not reader.changed()
    rows = writer.write([extracted("a.py", "x = 1\n")])
    assert reader.changed()
    assert reader.load() == rows
    # The postings are not written yet: the reader makes them from the words.
    assert found(reader, rows, "x", DEFINES) == ["a.py"]
    assert not reader.take_over()
    writer.close()
    assert reader.take_over()
    reader.write([extracted("b.py", "x = 1\n")])
    reader.close()


def test_a_reader_may_come_before_the_tables(where: Path) -> None:
    with where.with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reader = Store(where, Path("/w"))
        assert not reader.writable
        assert reader.load() == {}
        assert reader.with_name(b"x") == []
        reader.close()


KILLED = """
import sys, time
from pathlib import Path
from graft_indexer.extract import extract_rows
from graft_indexer.packed import Extracted, names_of, pack
from graft_indexer.store import Store
store = Store(Path(sys.argv[1]), Path("/w"))
for number in range(100_000):
    record = extract_rows(b"name%d = 1" % number, "python")
    store.write([Extracted(f"{number}.py", 1, 1, record.digest, None, *pack(record), *names_of(record))])
    if number == 20:
        store.flush()
    if number == 40:
        print("ready", flush=True)
"""


def test_a_killed_writer_leaves_a_whole_index(where: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(where)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    store = Store(where, Path("/w"))
    rows = store.load()
    assert len(rows) > 40
    for path in rows:
        assert found(store, rows, "name" + path[:-3], DEFINES) == [path]
    store.close()


def test_damage_is_noticed(where: Path) -> None:
    where.write_bytes(b"this is no database" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Store(where, Path("/w")).load()
    assert inspect(where).state == "damaged"
    delete(where)
    assert not where.exists()


def test_inspection(where: Path, tmp_path: Path) -> None:
    root = tmp_path / "my project"
    root.mkdir()
    store = Store(where, root)
    assert inspect(where)[::2] == (str(root), "in use")
    store.close()
    assert inspect(where)[::2] == (str(root), "ok")
    other = where.with_name(where.name.replace(fingerprint(), "00000000"))
    where.rename(other)
    assert inspect(other).state == "old version"
    root.rmdir()
    assert inspect(other).state == "dead"


@given(st.binary(max_size=40), st.integers(0, 60), st.integers(1, 255))
def test_sealed_bytes_are_whole_or_refused(data: bytes, at: int, flip: int) -> None:
    blob = bytearray(seal((data, 1)))
    assert unseal(bytes(blob)) == (data, 1)
    if at < len(blob):
        blob[at] ^= flip
        with pytest.raises(DamagedError):
            unseal(bytes(blob))
    with pytest.raises(DamagedError):
        unseal(bytes(blob)[:at][:-1])
