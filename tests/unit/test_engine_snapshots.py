"""Prompts that outlive the process."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from graft_models.client import LlamaEngine
from graft_models.engine import Done, Request
from graft_models.llama.snapshots import Snapshots
from graft_models.prompt import Hole
from graft_testing.tiny_gguf import write

HOLE = Hole("a.py", "".join(f"value{i} = call({i})\n" for i in range(60)), "end()\n", "x = va", "repo")


async def ask(model: Path, folder: Path, hole: Hole = HOLE) -> Done:
    engine = LlamaEngine(model, threads=1, snapshots=folder)
    await engine.start()
    done: Done | None = None
    async for event in engine.complete(Request(1, hole, max_tokens=6, document="a.py")):
        if isinstance(event, Done):
            done = event
    await engine.close()
    assert done is not None
    return done


async def test_a_new_process_reads_only_what_is_new(tmp_path: Path) -> None:
    model = write(tmp_path / "tiny.gguf")
    folder = tmp_path / "kv"
    first = await ask(model, folder)
    files = sorted(folder.iterdir())
    assert {f.suffix for f in files} == {".kv", ".json"}
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in files)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    second = await ask(model, folder)
    assert first.usage.evaluated > 500 and second.usage.evaluated < 10
    assert (second.texts, second.logprobs) == (first.texts, first.logprobs)
    edited = await ask(model, folder, replace(HOLE, prefix="import os\n" + HOLE.prefix))
    assert edited.usage.evaluated > 500


async def test_a_damaged_snapshot_is_read_again_and_deleted(tmp_path: Path) -> None:
    model = write(tmp_path / "tiny.gguf")
    folder = tmp_path / "kv"
    first = await ask(model, folder)
    (snapshot,) = folder.glob("*.kv")
    data = snapshot.read_bytes()
    snapshot.write_bytes(data[: len(data) // 2] + b"\0" * 100)
    again = await ask(model, folder)
    assert again.texts == first.texts and again.usage.evaluated == first.usage.evaluated


async def test_another_model_does_not_use_it(tmp_path: Path) -> None:
    folder = tmp_path / "kv"
    await ask(write(tmp_path / "tiny.gguf"), folder)
    other = await ask(write(tmp_path / "other.gguf", seed=7), folder)
    assert other.usage.evaluated == other.usage.prompt
    assert len(list(folder.glob("*.kv"))) == 2


class Disk:
    """A memory that writes its tokens."""

    def save(self, path: Path, sequence: int, tokens: Sequence[int]) -> int:
        return path.write_bytes(bytes(tokens))

    def restore(self, path: Path, sequence: int, capacity: int) -> list[int]:
        return list(path.read_bytes())


def test_the_oldest_go_when_all_are_too_many(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path, "key", limit=1000)
    for name in "abcd":
        assert snapshots.save(Disk(), name, 0, [1] * 300)
        assert not snapshots.save(Disk(), name, 0, [1] * 300)
    assert sum(f.stat().st_size for f in tmp_path.glob("*.kv")) <= 1000
    assert Snapshots(tmp_path, "key").restore(Disk(), "d", 0, 4000) == [1] * 300
    assert Snapshots(tmp_path, "key").restore(Disk(), "a", 0, 4000) == []


def test_short_prompts_and_full_disks_are_no_matter(tmp_path: Path) -> None:
    assert not Snapshots(tmp_path, "key").save(Disk(), "a", 0, [1] * 10)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert not Snapshots(blocked / "below", "key").save(Disk(), "a", 0, [1] * 300)
