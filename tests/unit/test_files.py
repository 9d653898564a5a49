import os
import subprocess
from pathlib import Path

import pytest

from graft_indexer.files import Entry, belonging, list_files, stat_entry
from graft_testing.fixture import parse_fixture


def write(root: Path, source: str) -> Path:
    return parse_fixture(source).write(root)


def git(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"},
    )


TREE = """
    //- /a.py
    x = 1
    //- /pkg/b.pyi
    y: int
    //- /notes.txt
    no
    //- /build/c.py
    ignored by git
    //- /pkg/gen/d.py
    ignored by a deeper file
    //- /pkg/gen/keep.py
    taken back
    //- /tool
    #!/usr/bin/env python3
    //- /.gitignore
    build/
    //- /pkg/.gitignore
    gen/*
    !gen/keep.py
"""


def names(root: Path, source: str, **options: list[str]) -> list[str]:
    listing = list_files(root, **options)  # type: ignore[arg-type]
    assert listing.source == source
    return sorted(listing.files)


@pytest.mark.parametrize("source", ["git", "walk"])
def test_ignore_rules_are_the_same_with_and_without_git(tmp_path: Path, source: str) -> None:
    write(tmp_path, TREE)
    (tmp_path / "tool").chmod(0o755)
    if source == "git":
        git(tmp_path, "init", "-q")
        git(tmp_path, "add", "a.py")
    assert names(tmp_path, source) == ["a.py", "pkg/b.pyi", "pkg/gen/keep.py", "tool"]


@pytest.mark.parametrize("source", ["git", "walk"])
def test_own_ignore_files_and_the_setting_take_away_tracked_files_too(tmp_path: Path, source: str) -> None:
    write(
        tmp_path,
        """
        //- /a.py
        x = 1
        //- /old/b.py
        x = 1
        //- /pkg/c_generated.py
        x = 1
        //- /pkg/d.py
        x = 1
        //- /.graftignore
        /old/
        //- /pkg/.graftignore
        *_generated.py
        """,
    )
    if source == "git":
        git(tmp_path, "init", "-q")
        git(tmp_path, "add", ".")
    assert names(tmp_path, source) == ["a.py", "pkg/d.py"]
    assert names(tmp_path, source, exclude=["pkg/**"]) == ["a.py"]
    assert names(tmp_path, source, exclude=["[a.py", "!x", "d.py"]) == ["a.py"]


def test_no_script_of_a_repository_runs(tmp_path: Path) -> None:
    """A repository may name programs in its configuration; listing its files must start none of them."""
    canary = tmp_path / "canary"
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\necho ran >> {canary}\n", "utf-8")
    script.chmod(0o755)
    root = tmp_path / "repo"
    root.mkdir()
    write(root, TREE)
    git(root, "init", "-q")
    git(root, "add", "a.py")
    hooks = root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "fsmonitor-watchman", "post-checkout"):
        (hooks / name).write_text(script.read_text("utf-8"), "utf-8")
        (hooks / name).chmod(0o755)
    (root / ".gitattributes").write_text("*.py filter=evil diff=evil\n", "utf-8")
    for key in (
        "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "credential.helper",
        "diff.external", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv",
        "pager.ls-files", "alias.ls-files",
    ):  # fmt: skip
        git(root, "config", key, str(script))
    assert "a.py" in list_files(root).files
    assert not canary.exists()
    # The canary sings if git is asked without the precautions.
    subprocess.run(["git", "ls-files", "-co"], cwd=root, capture_output=True, check=False)
    assert canary.exists()


def test_links_lead_to_no_loop_and_no_double(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "//- /pkg/a.py\nx = 1\n")
    outside = tmp_path / "outside.py"
    outside.write_text("x = 1\n", "utf-8")
    (root / "pkg/loop").symlink_to(root)
    (root / "twin.py").symlink_to(root / "pkg/a.py")
    (root / "guest.py").symlink_to(outside)
    (root / "dangling.py").symlink_to(root / "nowhere.py")
    (root / "ouroboros.py").symlink_to(root / "ouroboros.py")
    assert names(root, "walk") == ["guest.py", "pkg/a.py"]
    git(root, "init", "-q")
    assert names(root, "git") == ["guest.py", "pkg/a.py"]


@pytest.mark.parametrize("source", ["git", "walk"])
def test_names_that_are_not_utf8(tmp_path: Path, source: str) -> None:
    if source == "git":
        git(tmp_path, "init", "-q")
    name = b"caf\xe9.py"
    Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text("x = 1\n", "utf-8")
    (path,) = list_files(tmp_path).files
    assert os.fsencode(path) == name


def test_virtual_environments_are_left_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        //- /a.py
        x = 1
        //- /env/pyvenv.cfg
        home = /usr/bin
        //- /env/lib/b.py
        x = 1
        """,
    )
    assert names(tmp_path, "walk") == ["a.py"]
    git(tmp_path, "init", "-q")
    assert names(tmp_path, "git") == ["a.py"]


def test_a_repository_in_the_repository_belongs_to_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        "//- /a.py\nx = 1\n//- /inner/b.py\nx = 1\n//- /inner/skip/c.py\nx = 1\n//- /inner/.gitignore\nskip/\n",
    )
    git(tmp_path, "init", "-q")
    git(tmp_path / "inner", "init", "-q")
    assert names(tmp_path, "git") == ["a.py", "inner/b.py"]


def test_a_submodule_belongs_to_it(tmp_path: Path) -> None:
    library, root = tmp_path / "library", tmp_path / "root"
    write(library, "//- /lib.py\nx = 1\n")
    write(root, "//- /a.py\nx = 1\n")
    for folder in (library, root):
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "one")
    git(root, "submodule", "add", str(library), "vendored")
    assert names(root, "git") == ["a.py", "vendored/lib.py"]


def test_a_folder_that_its_repository_ignores_is_walked(tmp_path: Path) -> None:
    write(tmp_path, "//- /.gitignore\nlocal/\n//- /local/a.py\nx = 1\n")
    git(tmp_path, "init", "-q")
    assert names(tmp_path / "local", "walk") == ["a.py"]


def test_a_subfolder_of_a_repository_is_a_workspace(tmp_path: Path) -> None:
    write(tmp_path, TREE)
    git(tmp_path, "init", "-q")
    assert names(tmp_path / "pkg", "git") == ["b.pyi", "gen/keep.py"]


@pytest.mark.parametrize("source", ["git", "walk"])
def test_belonging(tmp_path: Path, source: str) -> None:
    write(tmp_path, TREE)
    if source == "git":
        git(tmp_path, "init", "-q")
    kwargs = {"source": source}
    wanted = ["build/c.py", "pkg", "a.py", "missing.py", "notes.txt"]
    found = belonging(tmp_path, wanted, **kwargs)  # type: ignore[arg-type]
    assert sorted(found) == ["a.py", "pkg/b.pyi", "pkg/gen/keep.py"]
    assert belonging(tmp_path, ["build/c.py"], **kwargs) == {}  # type: ignore[arg-type]


def test_entries_tell_a_change(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n", "utf-8")
    before = stat_entry(file)
    assert before == Entry(file.stat().st_mtime_ns, 6)
    file.write_text("x = 10\n", "utf-8")
    assert stat_entry(file) != before
    assert stat_entry(tmp_path) is None
    assert stat_entry(tmp_path / "none") is None
    assert stat_entry(Path("a\0b")) is None
