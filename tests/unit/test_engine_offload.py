"""The model falls back to the CPU when a GPU refuses it, with made-up devices: no GPU is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from graft_models.llama import model as model_module
from graft_models.llama.model import CPU_BATCH, GPU_BATCH, Model
from graft_models.llama.native import Log, NativeError
from graft_models.machine import Device
from graft_testing.tiny_gguf import write

GB = 1_000_000_000
CARD = Device("CUDA0", "Some GPU", "gpu", 24 * GB, 20 * GB)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("offload") / "tiny.gguf")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Layers that loading was asked to put on the GPU, in order."""
    layers: list[int] = []
    real = Model._load

    def load(self: Model, path: Path, gpu_layers: int, cells: int, batch: int, repack: bool, log: Log) -> None:
        layers.append(gpu_layers)
        if gpu_layers and len(layers) == 1 and refusing:
            raise NativeError("cudaMalloc failed: out of memory")
        real(self, path, 0, cells, batch, repack, log)

    refusing = True
    monkeypatch.setattr(Model, "_load", load)
    return layers


def test_a_card_that_refuses_is_followed_by_the_cpu_and_the_reason(
    tiny: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "devices", lambda library: (CARD,))
    model = Model(tiny, threads=1)
    assert asked == [-1, 0] and model.device == "cpu" and model.batch == CPU_BATCH
    assert model.notes[-1] == "running on the CPU: the GPU refused the model (cudaMalloc failed: out of memory)"
    model.native.close()


def test_cpu_never_asks_the_card(tiny: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "devices", lambda library: (CARD,))
    model = Model(tiny, threads=1, device="cpu")
    assert asked == [0] and not any("GPU" in note for note in model.notes)
    model.native.close()


def test_a_full_card_is_not_asked_and_the_status_says_why(
    tiny: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Device("CUDA0", "Some GPU", "gpu", 24 * GB, GB // 10)
    monkeypatch.setattr(model_module, "devices", lambda library: (full,))
    model = Model(tiny, threads=1)
    assert asked == [0] and "running on the CPU: the model needs" in model.notes[-1]
    assert GPU_BATCH > CPU_BATCH
    model.native.close()
