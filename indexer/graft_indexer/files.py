"""Which files belong to a workspace.

With a git repository, git says (`ls-files`, tracked and untracked, its ignore rules applied); else a walk with the
`.gitignore` files it meets.  `.graftignore` files and the setting `index.exclude` (both in gitignore's syntax) take
more away.  Virtual environments are never part of a workspace.

No configuration of the repository is ever run: git is called with its file system monitor and hooks switched off.
"""

from __future__ import annotations

import logging
import os
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from pathspec import GitIgnoreSpec

from graft_indexer.syntax import language_of, languages

log = logging.getLogger("graft.index")

GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=", "--no-optional-locks", "--no-pager")
"""How git is called everywhere: without these a repository's configuration can run a program."""

IGNORE_FILE = ".graftignore"
SKIPPED = frozenset(
    (
        ".git", ".hg", ".svn", ".jj", "__pycache__", "node_modules", "site-packages", "dist-packages", ".tox", ".nox",
        ".eggs", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints",
    )
)  # fmt: skip
"""Folders that a walk does not enter (git's own rules usually say the same)."""
MAX_DEPTH = 64
MAX_FILES = 100_000
"""More are not indexed: a home folder or a whole disk that was opened by mistake must not be read for an hour."""
GIT_TIMEOUT = 60.0
"""Seconds; a repository that takes longer is walked."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file and what tells that it has not changed: modification time in nanoseconds and size in bytes."""

    mtime_ns: int
    size: int


@dataclass(slots=True)
class Listing:
    """Files of a workspace by path (relative to its root, `/` as separator), and who listed them."""

    files: dict[str, Entry] = field(default_factory=dict)
    source: Literal["git", "walk"] = "walk"
    cut: bool = False
    """There are more than `MAX_FILES`."""


def list_files(root: Path, *, exclude: Sequence[str] = ()) -> Listing:
    """The source files below `root`, in the languages that Graft knows.  `root` must be absolute and resolved.

    Links to folders are not followed, and links to files only where they lead out of the workspace, so that nothing
    is listed twice and no loop is walked.  What cannot be read is left out.
    """
    names = _git(root)
    source: Literal["git", "walk"] = "git" if names else "walk"
    if not names:
        names = list(islice(_walk(root), 2 * MAX_FILES))
    names = _without_environments(names)
    listing = Listing(source=source)
    for path in _kept(root, names, exclude):
        if len(listing.files) >= MAX_FILES:
            listing.cut = True
            break
        entry = _entry(root, path)
        if entry is not None:
            listing.files[path] = entry
    return listing


def belonging(
    root: Path, paths: Iterable[str], *, exclude: Sequence[str] = (), source: Literal["git", "walk"] = "git"
) -> dict[str, Entry]:
    """Those of `paths` (files, or folders for what is in them) that `list_files` would list, given who listed then."""
    wanted = tuple(paths)
    names = _git(root, only=wanted) if source == "git" else None
    if names is None:
        names = [n for n in _walk(root) if any(n == w or n.startswith(w + "/") for w in wanted)]
    found: dict[str, Entry] = {}
    for path in _kept(root, _without_environments(names), exclude):
        entry = _entry(root, path)
        if entry is not None:
            found[path] = entry
    return found


def stat_entry(path: Path) -> Entry | None:
    """The entry of one regular file; None if it is not there, or not a regular file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Entry(found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None


def _entry(root: Path, path: str) -> Entry | None:
    full = os.path.join(root, path)  # noqa: PTH118 - a Path for each of 30,000 files would cost as much as the listing
    try:
        found = os.lstat(full)
        if stat.S_ISLNK(found.st_mode):
            target = os.path.realpath(full)
            if target == str(root) or target.startswith(f"{root}{os.sep}"):
                return None
            found = os.stat(full)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return Entry(found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None


# -- git ------------------------------------------------------------------------------------------------------------
def _git(root: Path, depth: int = 0, only: Sequence[str] = ()) -> list[str] | None:
    """Names that git lists below `root`; None if git cannot (no repository, not trusted, not installed, too slow)."""
    if len(only) > 100:
        only = ()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [*GIT, "--literal-pathspecs", "ls-files", "-co", "--exclude-standard", "-z", "--", *only],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("git cannot list %s: %s", root, error)
        return None
    if done.returncode != 0:
        return None
    names: list[str] = []
    seen: set[bytes] = set()
    for raw in done.stdout.split(b"\0"):
        # During a merge git names a file once per side.
        if not raw or raw in seen:
            continue
        seen.add(raw)
        name = os.fsdecode(raw)
        if language_of(name) or name.endswith(("/", IGNORE_FILE, "pyvenv.cfg")) or "." not in name.rpartition("/")[2]:
            inner = root / name.rstrip("/")
            if (name.endswith("/") or inner.is_dir()) and not inner.is_symlink():
                # A submodule, or a repository in the repository: git names the folder and stops.
                if depth < 8:
                    nested = _git(inner, depth + 1) or []
                    names += [f"{name.rstrip('/')}/{n}" for n in nested]
            else:
                names.append(name)
    return names


# -- without git ------------------------------------------------------------------------------------------------------
def _walk(root: Path) -> Iterator[str]:
    """Names below `root` that no `.gitignore` on the way excludes."""
    stack: list[tuple[str, tuple[tuple[str, GitIgnoreSpec], ...], int]] = [("", (), 0)]
    while stack:
        prefix, specs, depth = stack.pop()
        try:
            with os.scandir(root / prefix) as found:
                entries = sorted(found, key=lambda e: e.name)
        except OSError as error:
            log.info("not listed: %s", error)
            continue
        names = {e.name for e in entries}
        if prefix and "pyvenv.cfg" in names:
            continue
        if ".gitignore" in names:
            spec = _spec(root / prefix / ".gitignore")
            specs = (*specs, (prefix, spec)) if spec is not None else specs
        for entry in entries:
            path = prefix + entry.name
            try:
                folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            if folder and (entry.name in SKIPPED or depth >= MAX_DEPTH):
                continue
            if specs and _ignored(path + "/" if folder else path, specs):
                continue
            if folder:
                stack.append((path + "/", specs, depth + 1))
            elif language_of(entry.name) or entry.name == IGNORE_FILE or "." not in entry.name:
                yield path


def _spec(file: Path) -> GitIgnoreSpec | None:
    try:
        return GitIgnoreSpec.from_lines(file.read_text("utf-8", "replace").splitlines())
    except (OSError, ValueError) as error:
        log.warning("%s: ignored: %s", file, error)
        return None


def _ignored(path: str, specs: Iterable[tuple[str, GitIgnoreSpec]]) -> bool:
    """The last pattern that matches decides, those of deeper folders after those of higher ones."""
    ignored = False
    for prefix, spec in specs:
        verdict = spec.check_file(path[len(prefix) :]).include
        if verdict is not None:
            ignored = verdict
    return ignored


# -- both ----------------------------------------------------------------------------------------------------------
def _without_environments(names: list[str]) -> list[str]:
    """Drop what lies in a virtual environment that git does not ignore."""
    homes = tuple(n[: -len("pyvenv.cfg")] for n in names if n.endswith("/pyvenv.cfg"))
    return [n for n in names if not n.startswith(homes)] if homes else names


def _kept(root: Path, names: list[str], exclude: Sequence[str]) -> Iterator[str]:
    specs: list[tuple[str, GitIgnoreSpec]] = []
    for name in sorted((n for n in names if n.rpartition("/")[2] == IGNORE_FILE), key=lambda n: n.count("/")):
        spec = _spec(root / name)
        if spec is not None:
            specs.append((name[: -len(IGNORE_FILE)], spec))
    if exclude:
        try:
            specs.append(("", GitIgnoreSpec.from_lines(exclude)))
        except ValueError as error:
            log.warning("index.exclude: ignored: %s", error)
    for name in names:
        base = name.rpartition("/")[2]
        if language_of(base) is None and not ("." not in base and _is_script(root / name)):
            continue
        if specs and _excluded(name, specs):
            continue
        yield name


def _excluded(name: str, specs: list[tuple[str, GitIgnoreSpec]]) -> bool:
    mine = [(p, s) for p, s in specs if name.startswith(p)]
    if not mine:
        return False
    # A pattern may name a folder above the file: ask for each of them, from the top, as git does.
    parts = name.split("/")
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth]) + "/"
        if _ignored(folder, [(p, s) for p, s in mine if folder.startswith(p) and folder != p]):
            return True
    return _ignored(name, mine)


def _is_script(path: Path) -> bool:
    """Whether an executable without a suffix begins with `#!` and an interpreter of a known language."""
    return script_language(path) is not None


def script_language(path: Path) -> str | None:
    """Language that the `#!` line of an executable file names."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or not found.st_mode & 0o111:
            return None
        with path.open("rb") as file:
            line = file.read(128).split(b"\n", 1)[0]
    except (OSError, ValueError):
        return None
    if not line.startswith(b"#!"):
        return None
    words = line[2:].decode("ascii", "replace").split()
    commands = {w.rpartition("/")[2] for w in words}
    for info in languages().values():
        if any(c.rstrip("0123456789.") in info.interpreters or c in info.interpreters for c in commands):
            return info.name
    return None
