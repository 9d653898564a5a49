"""Asking llama.cpp in a process of its own: it answers, is absent, crashes, hangs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from graft_models import hardware
from graft_models.catalog import known
from graft_models.gguf_file import read_gguf
from graft_models.hardware import predict, probe
from graft_models.llama.probe import layer_weights, write_sample


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("code", "state", "says"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "illegal-instruction", "another processor"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed", "SIGSEGV"),
        ("raise OSError('libgomp.so.1: cannot open shared object file')", "unloadable", "libgomp.so.1"),
        ("print('hello')", "unloadable", "exit status 0"),
    ],
)
def test_what_goes_wrong_is_one_line(code: str, state: str, says: str) -> None:
    found = probe(command=python(code))
    assert found.state == state and says in found.message and "\n" not in found.message


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "PROBE_SECONDS", 0.5)
    assert probe(command=python("import time; time.sleep(20)")).state == "silent"
    assert probe(command=["/no/such/program"]).state == "crashed"


def test_without_llama_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert probe().state == "absent"


def test_the_sample_is_a_whole_file_of_the_shape_that_is_said(tmp_path: Path) -> None:
    for kind, bits in (("Q8_0", 8.5), ("Q4_K", 4.5)):
        path = tmp_path / f"{kind}.gguf"
        write_sample(path, kind)
        file = read_gguf(path)
        assert file.architecture == "llama" and file.metadata["llama.block_count"] == 2
        assert file.size == pytest.approx(layer_weights() * bits / 8, rel=0.02)


def test_a_real_measurement_predicts_plausible_speeds() -> None:
    found = probe(calibrate=True)
    assert found.state == "ok" and "CPU" in found.features
    assert {s.quantization for s in found.speeds} == {"Q8_0", "Q4_K"}
    entry = known("qwen2.5-coder-0.5b")
    assert entry is not None and entry.shape is not None
    prediction = predict(entry.shape, "Q8_0", found.speeds)
    assert prediction is not None and 0.5 < prediction.generate < prediction.read < 1e6
