import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graft_indexer import files as files_module
from graft_indexer import store as store_module
from graft_indexer import workspace as workspace_module
from graft_indexer.extract import extract_file
from graft_indexer.source import FactSource
from graft_indexer.workspace import Workspace
from graft_testing.fixture import parse_fixture

SOURCE = """
    //- /a.py
    import os
    from b import helper
    def main(): helper()
    //- /b.py
    def helper(): pass
    class Helper:
        def main(self): self.state = 1
    //- /pkg/c.py
    import a
    # helper is mentioned here
"""
Opener = Callable[..., Workspace]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    parse_fixture(SOURCE).write(folder)
    settle(folder)
    return folder


@pytest.fixture
def start(root: Path, tmp_path: Path) -> Iterator[Opener]:
    """Opens workspaces on `root` and closes them in the end."""
    opened: list[Workspace] = []

    def opener(index_dir: Path | None = tmp_path / "index", **options: object) -> Workspace:
        opened.append(Workspace.open(root, index_dir=index_dir, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield opener
    for workspace in opened:
        workspace.close()


def settle(folder: Path, ns: int = 1_000_000_000) -> None:
    """Old time stamps, so that no file counts as just written."""
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        os.utime(path, ns=(ns + number, ns + number))


def put(root: Path, path: str, text: str, ns: int = 2_000_000_000) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    os.utime(file, ns=(ns, ns))


def answers(workspace: Workspace) -> dict[str, object]:
    """What a workspace says, to compare two of them."""
    source: FactSource = workspace
    return {
        "paths": list(source.paths()),
        "facts": [source.facts(p) for p in source.paths()],
        "main": [(p, d.qualified_name) for p, d in source.definitions_named("main")],
        "state": [(p, d.qualified_name) for p, d in source.definitions_named("state")],
        "helper": list(source.files_with("helper")),
        "importing": list(source.importing(["a", "helper"])),
    }


def same_as_new(workspace: Workspace, root: Path) -> None:
    """A workspace that was kept up to date answers like one that is opened on the same files."""
    fresh = Workspace.open(root, index_dir=None)
    assert answers(workspace) == answers(fresh)
    fresh.close()


def test_questions(start: Opener, root: Path) -> None:
    for workspace in (start(), start(None)):
        assert workspace.paths() == ["a.py", "b.py", "pkg/c.py"]
        assert workspace.facts("b.py") == extract_file("b.py", (root / "b.py").read_bytes())
        assert workspace.facts("none.py") is None
        assert [(p, d.qualified_name) for p, d in workspace.definitions_named("main")] == [
            ("a.py", "main"),
            ("b.py", "Helper.main"),
        ]
        assert [d.qualified_name for _, d in workspace.definitions_named("state")] == ["Helper.state"]
        assert workspace.definitions_named("os") == []
        assert workspace.files_with("helper") == ["a.py", "b.py", "pkg/c.py"]
        assert workspace.importing(["a"]) == ["pkg/c.py"]
        assert workspace.importing(["helper", "os"]) == ["a.py"]
        assert workspace.names("hel") == ["helper"]
        assert workspace.text("b.py") == (root / "b.py").read_text("utf-8")
        assert workspace.text("none.py") is None
        facts = workspace.facts("a.py")
        assert facts is not None
        assert workspace.digest("a.py") == facts.digest
        workspace.close()


def test_reopening_reads_no_file(start: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start()
    before = answers(first)
    first.close()

    def refuse(*_: object, **__: object) -> Iterator[list[object]]:
        raise AssertionError("a file was read")
        yield []

    monkeypatch.setattr(workspace_module, "extract_all", refuse)
    assert answers(start()) == before


def test_changes_on_disk(start: Opener, root: Path) -> None:
    workspace = start()
    generation = workspace.generation
    assert workspace.refresh() == []
    assert workspace.generation == generation
    put(root, "b.py", "def other(): pass\n")
    put(root, "new/d.py", "from a import main\n")
    (root / "pkg/c.py").unlink()
    assert workspace.refresh() == ["b.py", "new/d.py", "pkg/c.py"]
    assert workspace.generation > generation
    same_as_new(workspace, root)


def test_changes_that_are_named(start: Opener, root: Path) -> None:
    workspace = start()
    put(root, "b.py", "def other(): pass\n")
    put(root, "pkg/d.py", "from a import main\n")
    assert workspace.refresh(["b.py"]) == ["b.py"]
    assert workspace.refresh(["pkg"]) == ["pkg/d.py"]
    shutil.move(root / "pkg", root / "moved")
    assert workspace.refresh(["pkg", "moved"]) == ["moved/c.py", "moved/d.py", "pkg/c.py", "pkg/d.py"]
    assert workspace.refresh(["nothing.py", "a.txt", str(root / "b.py"), "../index"]) == []
    same_as_new(workspace, root)


def test_text_and_facts_agree_before_anybody_tells_of_a_change(start: Opener, root: Path) -> None:
    workspace = start()
    generation = workspace.generation
    put(root, "b.py", "# longer\ndef helper(): pass\n")
    text = workspace.text("b.py")
    facts = workspace.facts("b.py")
    assert text == "# longer\ndef helper(): pass\n"
    assert facts is not None
    span = facts.definitions[0].name_span
    assert text[span.start : span.end] == "helper"
    assert workspace.generation > generation


def test_a_touched_file_is_no_change(start: Opener, root: Path) -> None:
    workspace = start()
    settle(root, 7_000_000_000)
    assert workspace.refresh() == []
    workspace.close()
    again = start()
    assert again.refresh() == []


def test_a_branch_switch(start: Opener, root: Path) -> None:
    for number in range(300):
        put(root, f"m{number}.py", f"def f{number}(): pass\n")
    workspace = start()
    for number in range(0, 300, 2):
        put(root, f"m{number}.py", f"def g{number}(): pass\n", 3_000_000_000)
    for number in range(1, 300, 2):
        (root / f"m{number}.py").unlink()
        put(root, f"n{number}.py", f"def f{number}(): pass\n", 3_000_000_000)
    assert len(workspace.refresh()) == 450
    assert [p for p, _ in workspace.definitions_named("g4")] == ["m4.py"]
    assert workspace.definitions_named("f4") == []
    same_as_new(workspace, root)


def test_an_excluded_file_goes_away(start: Opener) -> None:
    start().close()
    assert start(exclude=["pkg/"]).paths() == ["a.py", "b.py"]


def test_buffers_shadow_files(start: Opener, root: Path) -> None:
    workspace = start()
    before = answers(workspace)
    generation = workspace.generation
    workspace.open_buffer("b.py", "def fresh(): pass\n")
    workspace.open_buffer("unsaved.py", "import a\n")
    assert workspace.generation > generation
    assert workspace.paths() == ["a.py", "b.py", "pkg/c.py", "unsaved.py"]
    assert workspace.files_with("helper") == ["a.py", "pkg/c.py"]
    assert [p for p, _ in workspace.definitions_named("fresh")] == ["b.py"]
    assert [p for p, _ in workspace.definitions_named("main")] == ["a.py"]
    assert workspace.importing(["a"]) == ["pkg/c.py", "unsaved.py"]
    assert workspace.text("b.py") == "def fresh(): pass\n"
    assert workspace.names("fre") == ["fresh"]
    facts = workspace.facts("b.py")
    assert facts is not None
    assert facts == extract_file("b.py", b"def fresh(): pass\n")
    assert workspace.digest("b.py") == facts.digest
    workspace.open_buffer("b.py", "def fresher(): pass\n")
    assert [p for p, _ in workspace.definitions_named("fresher")] == ["b.py"]
    # The file changes below the buffer: the buffer counts, until it is closed.
    put(root, "b.py", "def helper(): pass\nclass Helper:\n    def main(self): self.state = 1\n")
    workspace.refresh()
    assert workspace.text("b.py") == "def fresher(): pass\n"
    workspace.close_buffer("b.py")
    workspace.close_buffer("unsaved.py")
    workspace.close_buffer("never open.py")
    after = answers(workspace)
    assert {k: v for k, v in after.items() if k != "facts"} == {k: v for k, v in before.items() if k != "facts"}


def test_a_buffer_outside_the_workspace_is_none_of_its_files(start: Opener) -> None:
    workspace = start()
    workspace.open_buffer("/elsewhere/x.py", "helper = 1\n")
    facts = workspace.facts("/elsewhere/x.py")
    assert facts is not None
    assert facts.definitions[0].name == "helper"
    assert "/elsewhere/x.py" not in workspace.paths()
    assert "/elsewhere/x.py" not in workspace.files_with("helper")


def test_no_unsaved_text_is_written(start: Opener, tmp_path: Path) -> None:
    workspace = start()
    workspace.open_buffer("a.py", "very_secret_name = 1\n")
    workspace.refresh()
    workspace.close()
    for file in (tmp_path / "index").iterdir():
        assert b"very_secret_name" not in file.read_bytes()


def test_a_cancelled_build_is_taken_up_again(start: Opener, root: Path) -> None:
    for number in range(100):
        put(root, f"m{number}.py", f"def f{number}(): pass\n")
    seen: list[int] = []
    workspace = start(jobs=1, cancelled=lambda: bool(seen), progress=lambda done, total, path: seen.append(done))
    assert 0 < len(workspace.paths()) < 103
    assert not workspace.complete
    workspace.close()
    again = start()
    assert again.complete
    assert len(again.paths()) == 103
    same_as_new(again, root)


def test_questions_during_a_build(start: Opener, root: Path) -> None:
    for number in range(100):
        put(root, f"m{number}.py", f"def f{number}(): shared\n")
    workspace = start(refresh=False)
    seen: list[tuple[int, int, bool]] = []

    def ask(done: int, total: int, path: str) -> None:
        seen.append((workspace.generation, len(workspace.files_with("shared")), workspace.complete))
        workspace.open_buffer("m1.py", f"def f1(): shared  # {done}\n")

    workspace.refresh(progress=ask)
    generations, counts, complete = zip(*seen, strict=True)
    assert len(seen) > 1
    assert sorted(set(generations)) == list(generations)
    assert sorted(counts) == list(counts)
    assert set(complete) == {False}
    assert workspace.complete
    workspace.close_buffer("m1.py")
    same_as_new(workspace, root)


def test_names_that_are_not_utf8(start: Opener, root: Path) -> None:
    path = os.fsdecode(b"caf\xe9.py")
    put(root, path, "helper = 1\n")
    for _ in range(2):
        workspace = start()
        assert path in workspace.files_with("helper")
        assert workspace.text(path) == "helper = 1\n"
        workspace.close()


# -- what goes wrong --------------------------------------------------------------------------------------------------
def test_a_root_that_is_no_folder(root: Path) -> None:
    with pytest.raises(NotADirectoryError):
        Workspace.open(root / "a.py", index_dir=None)


@pytest.mark.parametrize("damage", ["garbage", "empty", "truncated", "other tables", "blobs", "missing blobs"])
def test_a_damaged_index_is_built_again(
    start: Opener, root: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = start()
    before = answers(first)
    database = first.database
    assert database is not None
    first.close()
    whole = database.read_bytes()
    if damage == "garbage":
        database.write_bytes(b"no database at all " * 1000)
    elif damage == "empty":
        database.write_bytes(b"")
    elif damage == "truncated":
        database.write_bytes(whole[: len(whole) // 3])
    else:
        statement = {
            "other tables": "DROP TABLE blobs",
            "blobs": "UPDATE blobs SET facts = x'00112233445566'",
            "missing blobs": "DELETE FROM blobs",
        }[damage]
        connection = sqlite3.connect(database)
        connection.execute(statement)
        connection.commit()
        connection.close()
    again = start()
    assert answers(again) == before
    assert again.messages == []
    # One line each time that it is found out, and none about what is left behind.
    said = [record.getMessage() for record in caplog.records]
    assert all("is built again" in line for line in said) and len(said) <= 2
    again.close()
    last = start()
    assert answers(last) == before
    assert last.database == database


def test_damage_in_the_middle_of_work(start: Opener) -> None:
    workspace = start()
    before = answers(workspace)
    database = workspace.database
    assert database is not None
    workspace._facts.clear()
    workspace._records.clear()
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE blobs SET facts = x'00112233445566'")
    connection.close()
    assert answers(workspace) == before


def test_too_many_files_are_cut_and_that_is_said(start: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "MAX_FILES", 2)
    monkeypatch.setattr(workspace_module, "MAX_FILES", 2)
    workspace = start()
    assert len(workspace.paths()) == 2
    assert workspace.messages == ["only 2 files are indexed: leave some out with a .graftignore file"]


def test_a_full_disk_is_said_once(start: Opener, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = store_module.Store.write
    for number in range(50):
        put(root, f"m{number}.py", f"def f{number}(): pass\n")

    def full(self: store_module.Store, *arguments: object, **options: object) -> object:
        if self.path is not None:
            raise sqlite3.OperationalError("database or disk is full")
        return original(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store_module.Store, "write", full)
    workspace = start(refresh=False)
    database = workspace.database
    assert database is not None
    assert len(workspace.refresh()) == 53
    same_as_new(workspace, root)
    assert workspace.refresh() == []
    assert not database.exists()
    assert [m.partition(": ")[2].rpartition(": ")[2] for m in workspace.messages] == ["database or disk is full"]
    assert workspace.database is None


def test_a_read_only_home_keeps_the_index_in_memory(start: Opener, root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    workspace = start(tmp_path / "file" / "index")
    same_as_new(workspace, root)
    assert len(workspace.messages) == 1
    assert "kept in memory" in workspace.messages[0]
    put(root, "b.py", "def other(): pass\n")
    assert workspace.refresh() == ["b.py"]
    same_as_new(workspace, root)


def test_readers_see_what_the_writer_writes_and_take_over(start: Opener, root: Path) -> None:
    writer, reader = start(), start()
    assert (writer.writable, reader.writable) == (True, False)
    assert answers(reader) == answers(writer)
    put(root, "b.py", "def other(): pass\n")
    # The reader may look first: it keeps what it finds in memory.
    assert reader.refresh() == ["b.py"]
    same_as_new(reader, root)
    assert writer.refresh() == ["b.py"]
    assert reader.refresh() == []
    same_as_new(reader, root)
    put(root, "b.py", "def third(): pass\n", 3_000_000_000)
    (root / "a.py").unlink()
    assert writer.refresh() == ["a.py", "b.py"]
    assert reader.refresh() == ["a.py", "b.py"]
    same_as_new(reader, root)
    writer.close()
    put(root, "e.py", "def helper(): pass\n")
    assert reader.refresh() == ["e.py"]
    assert reader.writable
    same_as_new(reader, root)
    third = start()
    same_as_new(third, root)


def test_a_reader_that_did_not_look_reads_what_was_replaced(start: Opener, root: Path) -> None:
    writer, reader = start(), start()
    put(root, "b.py", "def other(): pass\n")
    writer.refresh()
    facts = reader.facts("b.py")
    assert facts is not None
    assert [d.name for d in facts.definitions] == ["other"]


OTHER = """
import sys
from pathlib import Path
from graft_indexer.workspace import Workspace
workspace = Workspace.open(Path(sys.argv[1]), index_dir=Path(sys.argv[2]))
print(workspace.writable, len(workspace.paths()), [p for p, _ in workspace.definitions_named("main")], flush=True)
sys.stdin.readline()
"""


def test_two_processes_at_once(start: Opener, root: Path, tmp_path: Path) -> None:
    for number in range(200):
        put(root, f"m{number}.py", f"def f{number}(): pass\n")
    command = [sys.executable, "-c", OTHER, str(root), str(tmp_path / "index")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    lines = [process.stdout.readline().strip() for process in processes]
    assert sorted(lines) == ["False 203 ['a.py', 'b.py']", "True 203 ['a.py', 'b.py']"]
    for process in processes:
        process.kill()
        process.communicate()
    workspace = start()
    assert workspace.writable
    same_as_new(workspace, root)


def test_nested_workspaces_have_indexes_of_their_own(start: Opener, root: Path, tmp_path: Path) -> None:
    outer = start()
    inner = Workspace.open(root / "pkg", index_dir=tmp_path / "index")
    assert inner.paths() == ["c.py"]
    assert inner.database != outer.database
    assert outer.writable
    assert inner.writable
    inner.close()
