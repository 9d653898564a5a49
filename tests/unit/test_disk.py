"""Writing is byte-exact or does not happen."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_indexer.text import decode, encode
from graft_server import disk
from graft_server.edits import Edit
from graft_server.errors import UserError


@pytest.mark.parametrize(
    "data",
    [
        b"a = 1\r\nb = 2\r\n",
        b"\xef\xbb\xbfa = 1\n",
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\na = 1\n",
        b"",
        b"no newline",
        "größe = 1\n".encode(),
    ],
)
def test_without_edits_bytes_stay(data: bytes) -> None:
    assert disk.edited_bytes(decode(data), ()) == data


def test_encoding_and_mark_are_kept() -> None:
    decoded = decode(b"# coding: latin-1\nx = '\xe9'\na\n")
    offset = encode(decoded.text).index(b"a\n")
    assert disk.edited_bytes(decoded, [Edit("", offset, offset + 1, "b")]) == b"# coding: latin-1\nx = '\xe9'\nb\n"
    assert disk.disk_offset(decoded, offset) == offset - 1
    marked = decode(b"\xef\xbb\xbfa = 1\n")
    assert disk.edited_bytes(marked, [Edit("", 0, 1, "b")]) == b"\xef\xbb\xbfb = 1\n"
    assert disk.disk_offset(marked, 0) == 3


def test_what_cannot_be_written_back_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be written back"):
        disk.edited_bytes(decode(b"x = '\xff'\n"), ())
    with pytest.raises(UserError, match="does not exist in the file's encoding"):
        disk.edited_bytes(decode(b"# coding: latin-1\n"), [Edit("", 0, 0, "→")])


@given(st.text().filter(lambda t: "\ufeff" not in t[:1] and "coding" not in t))
def test_any_utf8_text_survives(text: str) -> None:
    data = encode(text)
    decoded = decode(data)
    if decoded.editable:
        assert disk.edited_bytes(decoded, ()) == data


def test_replace_keeps_mode_and_links(tmp_path: Path) -> None:
    file, link = tmp_path / "a.py", tmp_path / "link.py"
    file.write_bytes(b"old")
    file.chmod(0o754)
    link.symlink_to(file)
    disk.replace_file(link, b"new")
    assert file.read_bytes() == b"new"
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o754
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.py", "link.py"]


def test_replace_that_fails_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"old")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UserError, match="No space left"):
        disk.replace_file(file, b"new")
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]


def test_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p/q").mkdir(parents=True)
    (tmp_path / "p/pyproject.toml").touch()
    (tmp_path / "p/q/a.py").touch()
    monkeypatch.chdir(tmp_path / "p/q")
    ((root, (target,)),) = disk.targets([Path("a.py")]).items()
    assert (root, target.path, target.is_file) == (tmp_path / "p", "q/a.py", True)
    assert disk.selected(["q/a.py", "q/b.py", "r.md"], [target]) == ["q/a.py"]
    ((_, (folder,)),) = disk.targets([Path()]).items()
    assert disk.selected(["q/a.py", "qq/b.py"], [folder]) == ["q/a.py"]
    with pytest.raises(UserError, match="no such file"):
        disk.targets([Path("missing.py")])
