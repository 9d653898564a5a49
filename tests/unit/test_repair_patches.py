"""Patches are written where they were made for, whole, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from graft_server.edits import Edit
from graft_server.repair.outcome import Patch
from graft_server.repair.patches import digest, write_patch

OLD, NEW = "x = 1\n", "x = 2\n"


def patch(path: str, text: str = OLD) -> Patch:
    made = dict.fromkeys(Patch.__dataclass_fields__)
    values = {**made, "edits": (Edit(path, 4, 5, "2"),), "digests": {path: digest(text.encode())}}
    return Patch(**values)  # type: ignore[arg-type]


def test_a_link_stays_and_what_it_leads_to_is_mended(tmp_path: Path) -> None:
    real = tmp_path / "real.py"
    real.write_text(OLD)
    real.chmod(0o640)
    (tmp_path / "link.py").symlink_to("real.py")
    assert write_patch(tmp_path, patch("link.py")) == ["link.py"]
    assert (tmp_path / "link.py").is_symlink()
    assert real.read_text() == NEW
    assert real.stat().st_mode & 0o777 == 0o640


def test_nothing_outside_is_written(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(OLD)
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.py").symlink_to(outside)
    with pytest.raises(ValueError, match="leads out of"):
        write_patch(root, patch("link.py"))
    assert outside.read_text() == OLD


def test_a_changed_file_is_refused_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text("x = 3\n")
    with pytest.raises(ValueError, match="changed while"):
        write_patch(tmp_path, patch("a.py"))
    (tmp_path / "a.py").write_text(OLD)

    def full(self: Path, mode: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "chmod", full)
    with pytest.raises(OSError, match="No space"):
        write_patch(tmp_path, patch("a.py"))
    assert (tmp_path / "a.py").read_text() == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]
