"""Files on disk for the command line: which ones, whose workspace, and byte-exact writing."""

from __future__ import annotations

import codecs
import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft_indexer.text import Decoded, decode, encode
from graft_server.diagnosis import foreign
from graft_server.edits import Edit, apply_edits
from graft_server.errors import UserError

MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg", ".hg", "package.json", "go.mod", "tsconfig.json")


def workspace_root(path: Path) -> Path:
    """The workspace of a file or folder: the nearest folder upwards with `.git`, else with another project file, else
    the topmost package's parent."""
    start = path if path.is_dir() else path.parent
    for marker in MARKERS:
        for folder in (start, *start.parents):
            if (folder / marker).exists():
                return folder
    while (start / "__init__.py").exists() and start.parent != start:
        start = start.parent
    return start


@dataclass(frozen=True, slots=True)
class Target:
    """One path of the command line: the workspace, and the path relative to it (empty for all of it)."""

    root: Path
    path: str
    is_file: bool

    def holds(self, path: str) -> bool:
        """Whether a workspace path is this file or lies below this folder."""
        return path == self.path if self.is_file else not self.path or path.startswith(self.path + "/")


def targets(paths: Iterable[Path]) -> dict[Path, list[Target]]:
    """Paths of the command line by workspace.  Raises UserError for one that does not exist."""
    found: dict[Path, list[Target]] = {}
    for given in paths:
        path = Path(os.path.normpath(Path.cwd() / given))
        if not path.exists():
            raise UserError(f"{given}: no such file or folder")
        path = path.resolve()
        root = workspace_root(path)
        relative = "" if path == root else path.relative_to(root).as_posix()
        found.setdefault(root, []).append(Target(root, relative, path.is_file()))
    return found


def selected(paths: Sequence[str], wanted: Sequence[Target]) -> list[str]:
    """Indexed files in a language with checks that the command line asked for, and every file it names."""
    checked = [p for p in paths if p.endswith((".py", ".pyi", ".pyw", ".ipynb", *foreign.SUFFIXES))]
    found = {p for p in checked if any(t.holds(p) for t in wanted)}
    return sorted(found | {t.path for t in wanted if t.is_file})


def read(path: Path) -> Decoded:
    """A file's text.  Raises UserError if it cannot be read."""
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error


def disk_offset(decoded: Decoded, offset: int) -> int:
    """Where byte `offset` of the UTF-8 text lies in the file on disk."""
    at = offset
    if decoded.encoding not in ("utf-8", "ascii"):
        at = len(encode(decoded.text)[:offset].decode("utf-8", "surrogateescape").encode(decoded.encoding, "replace"))
    return at + (len(codecs.BOM_UTF8) if decoded.bom and decoded.encoding == "utf-8" else 0)


def edited_bytes(decoded: Decoded, edits: Iterable[Edit]) -> bytes:
    """The file's bytes after `edits`: encoding, byte order mark and line endings stay as they are.

    Raises UserError if the file cannot be written back exactly, or an edit needs a character its encoding lacks.
    """
    if not decoded.editable:
        raise UserError(f"text is not valid {decoded.encoding}, so it cannot be written back exactly; nothing changed")
    text = apply_edits(decoded.text, edits)
    try:
        data = text.encode(decoded.encoding)
    except UnicodeEncodeError as error:
        raise UserError(f"{text[error.start]!r} does not exist in the file's encoding {decoded.encoding}") from error
    return (codecs.BOM_UTF8 if decoded.bom else b"") + data


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file's content at once, or not at all; mode and a symbolic link to it stay.

    Raises UserError if it cannot be written.
    """
    path = path.resolve()
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; the file is as it was") from error
