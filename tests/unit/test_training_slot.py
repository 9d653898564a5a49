"""What travels to a GPU machine and back arrives whole, in folders and pieces that fit."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from graft_training import slot


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    for name in slot.FILES:
        # Bytes that do not compress, so that several pieces are needed.
        (folder / name).write_bytes(random.Random(name).randbytes(30_000))
    return folder


def packed(work: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    real = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        if "pip" in command:
            Path(command[command.index("--dest") + 1], "one.whl").write_bytes(b"wheel")
            return None
        return real(command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(slot, "LOAD_BYTES", 50_000)
    return slot.pack(work, target, "3.12")


def test_rows_of_the_second_stage_travel_too(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "second-0.bin").write_bytes(b"rows")
    count = len(packed(work, tmp_path / "out", monkeypatch))
    monkeypatch.setattr(slot, "STATE", tmp_path / "state")
    for number in range(count):
        slot.receive(tmp_path / "out" / str(number))
    slot.unpack(tmp_path / "state" / "load", tmp_path / "state")
    assert (tmp_path / "state" / "second-0.bin").read_bytes() == b"rows"


@pytest.mark.parametrize("tool", [True, False])
def test_a_corpus_travels_in_folders(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: bool) -> None:
    if not tool:
        monkeypatch.setattr(shutil, "which", lambda _: None)
    sizes = packed(work, tmp_path / "out", monkeypatch)
    assert len(sizes) == 3
    assert max(sizes) <= 50_000
    monkeypatch.setattr(slot, "STATE", tmp_path / "state")
    for number in (2, 0, 1):
        slot.receive(tmp_path / "out" / str(number))
    assert (tmp_path / "state" / "load" / "wheels" / "one.whl").read_bytes() == b"wheel"
    slot.unpack(tmp_path / "state" / "load", tmp_path / "state")
    for name in slot.FILES:
        assert (tmp_path / "state" / name).read_bytes() == (work / name).read_bytes()


def test_a_missing_folder_is_noticed(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        slot.unpack(tmp_path, tmp_path)
    packed(work, tmp_path / "out", monkeypatch)
    monkeypatch.setattr(slot, "STATE", tmp_path / "state")
    slot.receive(tmp_path / "out" / "0")
    slot.receive(tmp_path / "out" / "2")
    with pytest.raises(ValueError, match="missing or broken"):
        slot.unpack(tmp_path / "state" / "load", tmp_path / "state")


def test_weights_come_back_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "STATE", tmp_path)
    monkeypatch.setattr(slot, "PIECE_BYTES", 1000)
    (tmp_path / "log").write_text("done\n")
    model = random.Random(1).randbytes(11_500)
    (tmp_path / "model.gguf").write_bytes(model)
    slot.collect(tmp_path / "out")
    pieces = list((tmp_path / "out").glob("piece-*"))
    assert len(pieces) == 12
    slot.join(pieces, tmp_path / "joined.gguf")
    assert (tmp_path / "joined.gguf").read_bytes() == model
    assert (tmp_path / "out" / "sha256").read_text().strip() == hashlib.sha256(model).hexdigest()
    pieces[3].write_bytes(b"broken")
    with pytest.raises(ValueError, match="do not make"):
        slot.join(pieces, tmp_path / "joined.gguf")


def test_weights_leave_the_tree_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, safe = tmp_path / "weights", tmp_path / "safe"
    weights.mkdir()
    files = {"a.gguf": b"model", "fingerprints.bin": b"prints", "MODEL_CARD.md": b"card"}
    for name, raw in files.items():
        (weights / name).write_bytes(raw)
    monkeypatch.setattr(slot, "WEIGHTS", weights)
    assert slot.main(["aside", "--to", str(safe)]) == 0
    assert [path.name for path in weights.iterdir()] == ["MODEL_CARD.md"]
    (weights / "a.gguf").write_bytes(b"another")
    assert slot.main(["aside", "--to", str(safe)]) == 2
    assert "holds a.gguf already" in capsys.readouterr().err
    assert (safe / "a.gguf").read_bytes() == b"model"
    assert slot.main(["back", "--from", str(safe)]) == 0
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == files
    assert slot.main(["back", "--from", str(safe)]) == 2
