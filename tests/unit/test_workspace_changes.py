"""What happens to a workspace while it is in use: nested ones, renames, deletions, branches, kills, other versions.

After each the graph that was kept up to date must answer like one that is made anew.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graft_indexer.environment import Environment
from graft_indexer.files import GIT
from graft_indexer.packed import extract_path, unpack
from graft_indexer.pygraph import PyGraph
from graft_indexer.store import Store, database_path, fingerprint, held, inspect, remove_unused
from graft_indexer.workspace import Workspace
from graft_indexer.world import World
from graft_testing.fixture import parse_fixture

SOURCE = """
    //- /shop.py
    from stock.items import Item, LIMIT
    def order(count):
        item = Item(count)
        return item.price, LIMIT
    //- /stock/__init__.py
    //- /stock/items.py
    from stock.money import Money
    LIMIT = 3
    class Item(Money):
        def __init__(self, count):
            self.count = count
    //- /stock/money.py
    class Money:
        price = 1
"""
ENVIRONMENT = Environment((3, 11), None, (), None, True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = (tmp_path / "root").resolve()
    parse_fixture(SOURCE).write(folder)
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        os.utime(path, ns=(number + 1, number + 1))
    return folder


@pytest.fixture
def graph(root: Path, tmp_path: Path) -> Iterator[PyGraph]:
    made = open_graph(root, tmp_path / "index")
    yield made
    made.close()


def open_graph(root: Path, index_dir: Path | None) -> PyGraph:
    source = Workspace.open(root, index_dir=index_dir, jobs=1)
    return PyGraph(source, World(source, ENVIRONMENT))


def put(root: Path, path: str, text: str, ns: int = 2_000_000_000) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    os.utime(file, ns=(ns, ns))


def answers(graph: PyGraph, paths: list[str] | None = None) -> dict[str, object]:
    """Facts, places of all names, members at all dots, and unresolved names, of all files."""
    found: dict[str, object] = {"paths": list(graph.paths())}
    for path in paths if paths is not None else graph.paths():
        facts = graph.facts(path)
        assert facts is not None
        found[path] = facts
        data = (graph.text(path) or "").encode("utf-8", "surrogateescape")
        for reference in graph.file_references(path):
            at = reference.span.start
            answer = graph.definition_at(path, at)
            symbols = sorted((s.path, s.qualified_name) for s in answer.value)
            found[f"{path}:{at}"] = (reference.name, answer.closed, answer.reason, symbols)
            if data[at - 1 : at] == b".":
                members = graph.members_at(path, at - 1)
                found[f"{path}:{at}."] = (members.closed, sorted(s.name for s in members.value))
    return found


def same_as_new(graph: PyGraph, paths: list[str] | None = None) -> None:
    fresh = open_graph(Path(graph.root), None)
    assert answers(graph, paths) == answers(fresh, paths)
    fresh.close()


def price(graph: PyGraph) -> list[tuple[str, str]]:
    """Where the graph finds `item.price` of shop.py."""
    text = graph.text("shop.py") or ""
    answer = graph.definition_at("shop.py", text.index("price"))
    return [(s.path, s.qualified_name) for s in answer.value]


# -- renames and deletions --------------------------------------------------------------------------------------------
def rename_module(root: Path) -> None:
    (root / "stock/money.py").rename(root / "stock/cash.py")


def rename_package(root: Path) -> None:
    (root / "stock").rename(root / "store")


def rename_case(root: Path) -> None:
    (root / "stock/money.py").rename(root / "stock/Money.py")


def swap(root: Path) -> None:
    """Two files trade places: times and sizes may tell, names do not."""
    (root / "stock/items.py").rename(root / "keep.py")
    (root / "stock/money.py").rename(root / "stock/items.py")
    (root / "keep.py").rename(root / "stock/money.py")


def module_to_package(root: Path) -> None:
    text = (root / "stock/money.py").read_text("utf-8")
    (root / "stock/money.py").unlink()
    put(root, "stock/money/__init__.py", text)


def file_over_folder(root: Path) -> None:
    shutil.rmtree(root / "stock")
    put(root, "stock.py", "LIMIT = 4\n")


def delete_init(root: Path) -> None:
    (root / "stock/__init__.py").unlink()


def delete_package(root: Path) -> None:
    shutil.rmtree(root / "stock")


def delete_base(root: Path) -> None:
    (root / "stock/money.py").unlink()


def file_to_folder(root: Path) -> None:
    (root / "shop.py").unlink()
    (root / "shop.py").mkdir()
    put(root, "shop.py/inner.py", "import stock\n")


def link_over_file(root: Path) -> None:
    (root / "stock/money.py").unlink()
    (root / "stock/money.py").symlink_to(root / "shop.py")


@pytest.mark.parametrize(
    "change",
    [
        rename_module, rename_package, rename_case, swap, module_to_package, file_over_folder, delete_init,
        delete_package, delete_base, file_to_folder, link_over_file,
    ],
)  # fmt: skip
@pytest.mark.parametrize("named", [False, True])
def test_after_a_change_on_disk_the_graph_is_that_of_a_fresh_one(
    graph: PyGraph, root: Path, change: Callable[[Path], None], named: bool
) -> None:
    assert price(graph) == [("stock/money.py", "stock.money.Money.price")]
    before = {str(p.relative_to(root)) for p in root.rglob("*.py")}
    answers(graph)
    change(root)
    after = {str(p.relative_to(root)) for p in root.rglob("*.py")}
    # A client that watches names what came and went; without one everything is compared.
    graph.refresh(sorted(before | after) if named else None)
    same_as_new(graph)
    shutil.rmtree(root)
    root.mkdir()
    graph.refresh()
    assert list(graph.paths()) == []


def test_a_module_that_moved_is_found_where_it_went(graph: PyGraph, root: Path) -> None:
    (root / "stock/money.py").rename(root / "stock/cash.py")
    assert graph.refresh() == ["stock/cash.py", "stock/money.py"]
    assert price(graph) == []
    put(root, "stock/items.py", (root / "stock/items.py").read_text("utf-8").replace("stock.money", "stock.cash"))
    assert graph.refresh() == ["stock/items.py"]
    assert price(graph) == [("stock/cash.py", "stock.cash.Money.price")]


def test_a_buffer_outlives_its_file(graph: PyGraph, root: Path) -> None:
    """Deleted below an open editor: the buffer counts until it is closed, then nothing does."""
    text = (root / "stock/money.py").read_text("utf-8")
    graph.open_buffer("stock/money.py", text + "    tax = 2\n")
    (root / "stock/money.py").unlink()
    graph.refresh()
    assert price(graph) == [("stock/money.py", "stock.money.Money.price")]
    graph.close_buffer("stock/money.py")
    assert price(graph) == []
    same_as_new(graph)


# -- nested workspaces ------------------------------------------------------------------------------------------------
def test_nested_workspaces_see_the_same_file_under_their_own_paths(root: Path, tmp_path: Path) -> None:
    outer, inner = open_graph(root, tmp_path / "index"), open_graph(root / "stock", tmp_path / "index")
    assert list(inner.paths()) == ["__init__.py", "items.py", "money.py"]
    for path in inner.paths():
        ours, theirs = inner.facts(path), outer.facts(f"stock/{path}")
        assert ours is not None
        assert theirs is not None
        assert (ours.digest, ours.definitions) == (theirs.digest, theirs.definitions)
    put(root, "stock/money.py", "class Money:\n    price = 1\n    tax = 2\n")
    assert inner.refresh() == ["money.py"]
    assert outer.refresh() == ["stock/money.py"]
    same_as_new(outer)
    same_as_new(inner)
    # The inner buffer is the inner server's: the outer one has its own.
    inner.open_buffer("money.py", "class Money: pass\n")
    assert price(outer) == [("stock/money.py", "stock.money.Money.price")]
    inner.close()
    outer.close()


def test_a_repository_that_is_cloned_into_the_workspace_joins_and_leaves_it(graph: PyGraph, root: Path) -> None:
    put(root, "vendor/dep/__init__.py", "def helper(): pass\n")
    git(root / "vendor", "init", "-q")
    assert graph.refresh() == ["vendor/dep/__init__.py"]
    same_as_new(graph)
    git(root, "init", "-q")
    assert graph.refresh() == []
    shutil.rmtree(root / "vendor")
    assert graph.refresh() == ["vendor/dep/__init__.py"]
    same_as_new(graph)


# -- a branch switch --------------------------------------------------------------------------------------------------
FILES = 5_000


def git(root: Path, *arguments: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(root)}
    names = ("-c", "user.name=Graft", "-c", "user.email=graft@example.org", "-c", "commit.gpgsign=false")
    subprocess.run([*GIT, *names, *arguments], cwd=root, env=environment, check=True, capture_output=True)


def test_a_branch_switch_of_five_thousand_files(tmp_path: Path) -> None:
    root = (tmp_path / "repository").resolve()
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for number in range(FILES):
        path = root / f"p{number % 50}"
        path.mkdir(exist_ok=True)
        imported = f"from p{(number + 1) % 50} import m{(number + 1) % FILES}\n"
        (path / f"m{number}.py").write_text(f"{imported}def f{number}(): return {number}\n", "utf-8")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    git(root, "checkout", "-qb", "other")
    for number in range(FILES):
        path = root / f"p{number % 50}/m{number}.py"
        if number % 5 == 0:
            path.unlink()
        elif number % 5 == 1:
            path.rename(path.with_name(f"n{number}.py"))
        else:
            path.write_text(f"def g{number}(): return f{number}()\n", "utf-8")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "two")
    git(root, "checkout", "-q", "main")

    source = Workspace.open(root, index_dir=tmp_path / "index", jobs=2)
    assert len(source.paths()) == FILES
    git(root, "checkout", "-q", "other")
    changed = source.refresh()
    # 3,000 rewritten, 1,000 gone, 1,000 under another name (which are two paths each).
    assert len(changed) == 6_000
    assert source.refresh() == []
    same_facts(source)
    assert source.definitions_named("f10") == []
    assert [p for p, _ in source.definitions_named("g12")] == ["p12/m12.py"]
    assert source.files_with("f12") == ["p12/m12.py"]
    git(root, "checkout", "-q", "main")
    assert len(source.refresh()) == 6_000
    same_facts(source)
    source.close()
    # What a later process finds on disk is the same.
    again = Workspace.open(root, index_dir=tmp_path / "index", jobs=2)
    same_facts(again)
    again.close()


def same_facts(source: Workspace) -> None:
    fresh = Workspace.open(Path(source.root), index_dir=None, jobs=2)
    assert list(source.paths()) == list(fresh.paths())
    assert [source.digest(p) for p in source.paths()] == [fresh.digest(p) for p in fresh.paths()]
    for path in list(source.paths())[::37]:
        assert source.facts(path) == fresh.facts(path)
    assert list(source.names("f")) == list(fresh.names("f"))
    for name in ("f7", "g7", "m8", "n11", "return"):
        assert list(source.files_with(name)) == list(fresh.files_with(name))
        assert list(source.importing([name])) == list(fresh.importing([name]))
    fresh.close()


# -- a file that changes while it is read -----------------------------------------------------------------------------
def test_a_file_that_changes_while_it_is_read_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written between the two looks at its state: facts and state are those of one text, the later one."""
    path = root / "stock/money.py"
    looks = 0
    original = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        nonlocal looks
        looks += 1
        if looks == 2:
            put(root, "stock/money.py", "class Money:\n    tax = 2\n", 5_000_000_000)
        return original(descriptor)

    monkeypatch.setattr(os, "fstat", fstat)
    found = extract_path(str(root), "stock/money.py", None)
    monkeypatch.undo()
    assert looks == 4
    assert [row[0] for row in unpack(found.facts).definitions] == ["Money", "tax"]
    assert (found.mtime_ns, found.size) == (5_000_000_000, path.stat().st_size)


def test_a_file_that_never_rests_is_taken_up_by_the_next_look(
    graph: PyGraph, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It changes at every look; what is stored is then marked as of an earlier state, so the next refresh sees it."""
    looks = 0
    original = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        nonlocal looks
        looks += 1
        put(root, "stock/money.py", f"class Money:\n    look{looks} = {'1' * looks}\n", 5_000_000_000 + looks)
        return original(descriptor)

    put(root, "stock/money.py", "class Money: pass\n", 4_000_000_000)
    monkeypatch.setattr(os, "fstat", fstat)
    graph.refresh()
    monkeypatch.undo()
    assert looks
    graph.refresh()
    same_as_new(graph)
    facts = graph.facts("stock/money.py")
    assert facts is not None
    assert [d.name for d in facts.definitions] == ["Money", f"look{looks}"]


# -- a killed writer --------------------------------------------------------------------------------------------------
KILLED = """
import os, signal, sys
from pathlib import Path
from graft_indexer.workspace import Workspace
after = int(sys.argv[3])
def progress(done, total, path):
    if done >= after:
        os.kill(os.getpid(), signal.SIGKILL)
Workspace.open(Path(sys.argv[1]), index_dir=Path(sys.argv[2]), jobs=int(sys.argv[4]), progress=progress)
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_writer_that_is_killed_in_the_middle_of_a_build(root: Path, tmp_path: Path, jobs: int) -> None:
    """Killed after a third, then again after two thirds; the third writer finishes and has everything."""
    for number in range(240):
        body = f"def f{number}(): return {number}\n" + f"# {'x' * 4000}\n"
        put(root, f"m{number}.py", body, 1_000_000_000 + number)
    for after in (80, 100):
        command = [sys.executable, "-c", KILLED, str(root), str(tmp_path / "index"), str(after), str(jobs)]
        done = subprocess.run(command, check=False, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
    database = database_path(tmp_path / "index", root)
    assert not held(database)
    read: list[int] = []
    source = Workspace.open(
        root, index_dir=tmp_path / "index", jobs=1, progress=lambda done, total, path: read.append(total)
    )
    # What the killed ones had written is not read again.
    assert 0 < read[-1] < 243 - 80
    assert source.complete
    assert source.writable
    graph = PyGraph(source, World(source, ENVIRONMENT))
    same_as_new(graph, ["m3.py", "m200.py", "shop.py", "stock/items.py"])
    assert source.names("f23") == Workspace.open(root, index_dir=None).names("f23")
    graph.close()


# -- two versions of Graft at once ------------------------------------------------------------------------------------
OTHER_VERSION = """
import sys
from pathlib import Path
from graft_indexer import store
store.fingerprint = lambda: "00c0ffee"
from graft_indexer import workspace
source = workspace.Workspace.open(Path(sys.argv[1]), index_dir=Path(sys.argv[2]), jobs=1)
def say():
    print(source.database.name, source.writable, len(source.paths()),
          [p for p, _ in source.definitions_named("price")], flush=True)
say()
for line in sys.stdin:
    if line == "refresh\\n":
        source.refresh()
        say()
    else:
        break
source.close()
"""


def test_two_versions_at_once_keep_an_index_each(root: Path, tmp_path: Path) -> None:
    """Both write, neither reads the other's, and what is left of the old one is collected once nobody uses it."""
    index = tmp_path / "index"
    command = [sys.executable, "-c", OTHER_VERSION, str(root), str(index)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as old:
        assert old.stdin is not None
        assert old.stdout is not None
        name, *rest = old.stdout.readline().split(" ", 3)
        assert rest == ["True", "4", "['stock/money.py']\n"]
        assert "00c0ffee" in name
        new = open_graph(root, index)
        source = new.source
        assert isinstance(source, Workspace)
        assert source.writable
        assert source.database is not None
        assert fingerprint() in source.database.name
        put(root, "more.py", "price = 3\n")
        assert new.refresh() == ["more.py"]
        assert old.stdin.write("refresh\n")
        old.stdin.flush()
        assert old.stdout.readline().split(" ", 3)[2:] == ["5", "['more.py', 'stock/money.py']\n"]
        assert inspect(index / name).state == "in use"
        assert not remove_unused(index / name)
        assert (index / name).exists()
        old.stdin.close()
        assert old.wait() == 0
    assert inspect(index / name).state == "old version"
    assert remove_unused(index / name)
    assert [p.name for p in index.glob("*00c0ffee*")] == []
    same_as_new(new)
    new.close()


def test_a_lock_that_was_collected_is_made_again(root: Path, tmp_path: Path) -> None:
    """Whoever waited on a lock file that another process deleted must not believe to be alone."""
    path = database_path(tmp_path, root)
    first = Store(path, root)
    reader = Store(path, root)
    assert not reader.writable
    first.close()
    assert remove_unused(path)
    second = Store(path, root)
    assert second.writable
    assert not reader.take_over()
    second.close()
    reader.close()
