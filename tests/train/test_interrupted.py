"""A run that is killed goes on to the same weights; a full disk leaves the last checkpoint whole."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

STEPS = 9
SMALL = ("batch_rows=2", "micro_rows=2", "validation_rows=2", "checkpoint_minutes=0")


def command(work: Path, out: Path, steps: int, *more: str, resume: bool = False) -> list[str]:
    settings = [word for setting in SMALL for word in ("--set", setting)]
    options = ["--preset", "test", "--device", "cpu", "--no-compile", "--steps", str(steps), *settings]
    if resume:
        options.append("--resume")
    return [sys.executable, "-m", "graft_training.train", "--work", str(work), "--out", str(out), *options, *more]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def test_a_killed_run_resumes_to_the_same_weights(work: Path, tmp_path: Path) -> None:
    subprocess.run(command(work, tmp_path / "whole", STEPS), check=True, env=environment(), capture_output=True)
    with subprocess.Popen(
        command(work, tmp_path / "parts", STEPS), env=environment(), stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if line.startswith("step      4"):
                run.send_signal(signal.SIGKILL)
                break
    assert run.returncode == -signal.SIGKILL
    first = torch.load(tmp_path / "parts/checkpoint.pt")
    assert 3 <= first["step"] < STEPS
    again = command(work, tmp_path / "parts", STEPS, resume=True)
    subprocess.run(again, check=True, env=environment(), capture_output=True)
    whole, parts = (torch.load(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == STEPS
    assert all(torch.equal(whole["model"][name], parts["model"][name]) for name in whole["model"])


@pytest.mark.parametrize("sign", ["step      4", "parameters"])
def test_workers_end_when_their_parent_is_killed_where_interrupts_are_ignored(
    work: Path, tmp_path: Path, sign: str
) -> None:
    """As in a background job of a shell; also before the first step."""
    run = subprocess.Popen(
        command(work, tmp_path, 1_000_000, "--workers", "2"), env=environment(), stdout=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))  # fmt: skip
    with run:
        assert run.stdout is not None
        assert any(sign in line for line in run.stdout)
        run.kill()
        try:
            run.communicate(timeout=30)  # the end of the output comes when the last worker has closed it
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)


def test_resuming_without_a_checkpoint_says_that_a_run_begins(work: Path, tmp_path: Path) -> None:
    again = command(work, tmp_path, 1, resume=True)
    done = subprocess.run(again, check=True, env=environment(), capture_output=True, text=True)
    assert f"no checkpoint in {tmp_path} to go on from: a run begins" in done.stdout
    assert (tmp_path / "checkpoint.pt").exists()


def test_a_full_disk_ends_with_one_line_and_leaves_the_last_checkpoint(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    subprocess.run(command(work, out, 2), check=True, env=environment(), capture_output=True)
    before = (out / "checkpoint.pt").read_bytes()

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2))

    ended = subprocess.run(
        command(work, out, STEPS, resume=True), env=environment(), capture_output=True, text=True, preexec_fn=full
    )
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1 and "the one before it stays" in ended.stderr
    assert (out / "checkpoint.pt").read_bytes() == before
    assert torch.load(out / "checkpoint.pt")["step"] == 2
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint.pt", "log.jsonl"]
