import os
from pathlib import Path

import pytest

from graft_indexer import build, packed
from graft_indexer.build import Wanted, extract_all
from graft_indexer.packed import Extracted, extract_path, unpack


def wanted(root: Path, count: int, size: int = 30_000) -> list[Wanted]:
    """`count` files of about `size` bytes."""
    found: list[Wanted] = []
    for number in range(count):
        path = root / f"m{number}.py"
        path.write_text(f"def f{number}(a, b=1):\n    return a\n\n" * (size // 35), "utf-8")
        os.utime(path, ns=(1, number + 1))
        found.append(Wanted(path.name, path.stat().st_size))
    return found


def collect(root: Path, files: list[Wanted], **options: int) -> dict[str, Extracted]:
    return {item.path: item for batch in extract_all(root, files, **options) for item in batch}


def test_workers_find_what_one_process_finds(tmp_path: Path) -> None:
    files = wanted(tmp_path, 40)
    many, one = collect(tmp_path, files, jobs=2), collect(tmp_path, files, jobs=1)
    assert {p: i._replace(plain=sorted(i.plain)) for p, i in many.items()} == {
        p: i._replace(plain=sorted(i.plain)) for p, i in one.items()
    }
    assert unpack(many["m3.py"].facts).definitions[0][0] == "f3"
    assert (many["m3.py"].mtime_ns, many["m3.py"].size) == (4, files[3].size)


def test_progress_counts_every_file_once(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    files = wanted(tmp_path, 30)
    for _ in extract_all(tmp_path, files, jobs=2, progress=lambda done, total, path: seen.append((done, total))):
        pass
    assert seen == sorted(seen)
    assert seen[-1] == (30, 30)


@pytest.mark.parametrize("jobs", [1, 2])
def test_cancelling_stops_soon(tmp_path: Path, jobs: int) -> None:
    files = wanted(tmp_path, 60)
    done: list[str] = []
    for batch in extract_all(tmp_path, files, jobs=jobs, cancelled=lambda: bool(done)):  # noqa: B023
        done += [item.path for item in batch]
    assert 0 < len(done) < 60


def test_known_digests_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", "utf-8")
    first = extract_path(str(tmp_path), "a.py", None)
    assert extract_path(str(tmp_path), "a.py", first.digest).unchanged
    (tmp_path / "a.py").write_text("x = 2\n", "utf-8")
    assert not extract_path(str(tmp_path), "a.py", first.digest).unchanged


def test_missing_unreadable_and_huge_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.py").mkdir()
    assert extract_path(str(tmp_path), "none.py", None).gone
    assert extract_path(str(tmp_path), "folder.py", None).gone
    assert extract_path(str(tmp_path), "a\0b.py", None).gone
    monkeypatch.setattr(packed, "MAX_SIZE", 3)
    (tmp_path / "big.py").write_text("x = 1\n", "utf-8")
    assert extract_path(str(tmp_path), "big.py", None).truncated == "larger than 0 MB"


def test_a_file_read_right_after_it_was_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", "utf-8")
    assert extract_path(str(tmp_path), "a.py", None).mtime_ns == -1
    os.utime(tmp_path / "a.py", ns=(5, 5))
    assert extract_path(str(tmp_path), "a.py", None).mtime_ns == 5


SICK = """
import sys, json, os
sys.path[:] = json.loads(sys.argv[1])
from graft_indexer import build
healthy = build._one
def one(root, item, parse_only):
    if item.path == "m7.py":
        {what}
    return healthy(root, item, parse_only)
build._one = one
build.work()
"""


@pytest.mark.parametrize(
    ("what", "why"),
    [("os._exit(11)", "the parser crashed on it"), ("import time; time.sleep(60)", "it took longer than 4 s")],
)
def test_a_worker_that_dies_or_hangs_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, why: str
) -> None:
    files = wanted(tmp_path, 24, 40_000)
    monkeypatch.setattr(build, "_START", SICK.format(what=what))
    monkeypatch.setattr(build, "HANG_SECONDS", 4.0 if "sleep" in what else 60.0)
    found = collect(tmp_path, files, jobs=2)
    assert {p for p, i in found.items() if i.truncated} == {"m7.py"}
    assert found["m7.py"].truncated == why
    assert len(found) == 24


@pytest.mark.parametrize("start", ["raise SystemExit(1)", None])
def test_without_workers_this_process_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str | None) -> None:
    files = wanted(tmp_path, 24, 40_000)
    if start is None:

        def refuse() -> build._Worker:
            raise BlockingIOError("no more processes")

        monkeypatch.setattr(build, "_start", refuse)
    else:
        monkeypatch.setattr(build, "_START", start)
    found = collect(tmp_path, files, jobs=2)
    assert len(found) == 24
    assert not any(item.truncated for item in found.values())


def test_nothing_of_the_workspace_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / "canary"
    for name in ("tree_sitter", "json", "sitecustomize", "graft_indexer"):
        (tmp_path / f"{name}.py").write_text(f"open({str(canary)!r}, 'w').close()\n", "utf-8")
    files = [*wanted(tmp_path, 24, 40_000), Wanted("json.py", 50)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend("")
    assert len(collect(tmp_path, files, jobs=2)) == 25
    assert not canary.exists()
