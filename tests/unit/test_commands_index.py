import json
import os
from pathlib import Path

import pytest

from graft_server.cli import main
from graft_server.commands.cache import indexes
from graft_server.commands.index import progress_bar
from graft_testing.fixture import parse_fixture


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAFT_CACHE_DIR", str(tmp_path / "cache"))
    return parse_fixture("//- /a.py\ndef f(): ...\n//- /pkg/b.py\nx = 1\n//- /c.py\nx = '\0'\n").write(
        tmp_path / "root"
    )


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_index_says_what_it_did(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "index", root)
    assert (status, err) == (0, "")
    assert "1 file not indexed: binary: holds NUL bytes\n3 files, 3 read again, in " in out
    status, out, _ = run(capsys, "index", root, "--json")
    figures = json.loads(out)
    assert status == 0
    assert {k: figures[k] for k in ("root", "files", "truncated", "messages")} == {
        "root": str(root),
        "files": 3,
        "truncated": {"c.py": "binary: holds NUL bytes"},
        "messages": [],
    }
    assert figures["bytes"] == Path(figures["database"]).stat().st_size
    assert run(capsys, "index", root, "--where") == (0, figures["database"] + "\n", "")


def test_index_heeds_the_settings(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "pyproject.toml").write_text('[tool.graft]\n"index.exclude" = ["pkg/"]\n', "utf-8")
    _, out, _ = run(capsys, "index", root, "--json", "--jobs", "1")
    assert json.loads(out)["files"] == 2


def test_index_prints_names_that_are_not_utf8(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(os.fsdecode(bytes(root) + b"/caf\xe9.py")).write_bytes(b"\0")
    _, out, _ = run(capsys, "index", root, "--json")
    assert "caf?.py" in json.loads(out)["truncated"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "graft index: nowhere is not a folder: give the folder of a workspace\n"),
        (["--jobs", "0"], "graft index: --jobs 0: give a number of at least 1\n"),
    ],
)
def test_bad_input_is_one_line(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(root)
    assert run(capsys, "index", *arguments) == (2, "", message)


def test_without_a_writable_home_it_says_so(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    monkeypatch.setenv("GRAFT_CACHE_DIR", str(tmp_path / "file"))
    status, out, err = run(capsys, "index", root)
    assert status == 0
    assert "kept in memory only" in out
    assert err.count("\n") == 1
    assert "the index is kept in memory" in err


def test_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    bar = progress_bar(10)
    bar(5, 10, "pkg/é.py")
    bar(6, 10, "too soon after the last")
    bar(10, 10, "last.py")
    assert [part.split("]")[0] for part in capsys.readouterr().err.split("\r")] == ["", "[#####.....", "[##########"]


def test_cache_lists_collects_and_clears(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = parse_fixture("//- /a.py\nx = 1\n").write(tmp_path / "other")
    run(capsys, "index", root)
    run(capsys, "index", other)
    folder = tmp_path / "cache/index"
    (folder / "junk.sqlite").write_bytes(b"junk")
    snapshots = tmp_path / "cache/kv"
    snapshots.mkdir()
    (snapshots / "one").write_bytes(bytes(1000))
    (other / "a.py").unlink()
    other.rmdir()
    status, out, _ = run(capsys, "cache", "--json")
    figures = json.loads(out)
    assert status == 0
    assert [i["root"] for i in figures["indexes"]] == [str(root)]
    assert sorted(i["state"] for i in figures["removed"]) == ["damaged", "dead"]
    assert (figures["snapshots"], figures["snapshot_bytes"]) == (1, 1000)
    _, out, _ = run(capsys, "cache")
    assert f"ok           {root}\n" in out
    _, out, _ = run(capsys, "cache", "--clear")
    assert f"removed      {root}\n" in out
    assert indexes(folder) == []
    assert list(folder.iterdir()) == []
    assert list(snapshots.iterdir()) == []
    assert run(capsys, "cache")[0] == 0


def test_an_index_in_use_is_not_cleared(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from graft_indexer.workspace import Workspace

    workspace = Workspace.open(root, index_dir=tmp_path / "cache/index")
    _, out, _ = run(capsys, "cache", "--clear")
    assert f"in use       {root}\n" in out
    assert workspace.paths() == ["a.py", "c.py", "pkg/b.py"]
    workspace.close()


def test_the_bench_measures_a_small_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root"
    for number in range(5):
        body = "".join(f"def f{n}(a, b=1):\n    return a\n\n" for n in range(100))
        parse_fixture(f"//- /m{number}.py\n{body}").write(root)
    out = tmp_path / "figures.json"
    status, _, _ = run(capsys, "bench", "index", "--root", root, "--runs", 1, "--edits", 5, "--json", out)
    figures = json.loads(out.read_text("utf-8"))
    assert status == 0
    wanted = {"ratio_to_parse", "seconds", "parse_seconds", "reopen_seconds", "edit_ms", "db_bytes", "rss_bytes"}
    assert wanted <= figures.keys()
    assert (figures["files"], figures["definitions"]) == (5, 500)
    assert all(figures[name] > 0 for name in wanted)
    assert figures["level2_ratio_to_parse"] > 0 and figures["level2_files"] == 5
    assert {name.removeprefix("budget_") for name in figures if name.startswith("budget_")} - figures.keys() <= {
        f"{name}_ms_p95" for name in ("definition", "members", "names", "call", "usages", "map")
    }, "every budget stands beside its figure; questions are asked in files of 500 lines only"
    assert run(capsys, "bench", "index", "--root", tmp_path / "none")[0] == 2
