"""What fits a machine: made-up machines, real catalogue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graft_models.catalog import known, known_models
from graft_models.hardware import Speed, predict
from graft_models.machine import Device, Machine
from graft_models.recommend import Advice, advise, best

GB = 1_000_000_000
LAPTOP = Machine(8, 16 * GB, 10 * GB)
GPU = Device("CUDA0", "Some GPU", "gpu", 24 * GB, 22 * GB)


def speeds(read: float, generate: float, device: str = "cpu") -> Speed:
    """Billions of weights and of bytes per second, at Q8_0."""
    return Speed("Q8_0", device, 7, read * 1e9, generate * 1e9)


def verdicts(machine: Machine, *measured: Speed, **options: bool) -> tuple[dict[str, Advice], str | None]:
    advices = advise(known_models(), machine, measured, **options)
    choice = best(advices)
    return {a.entry.id: a for a in advices}, choice.entry.id if choice else None


def test_the_largest_that_is_fast_enough_is_recommended() -> None:
    _, choice = verdicts(LAPTOP, speeds(200, 30))
    assert choice == "qwen2.5-coder-1.5b"
    found, choice = verdicts(LAPTOP, speeds(40, 8))
    assert choice == "qwen2.5-coder-0.5b" and found["qwen2.5-coder-1.5b"].verdict == "too slow"
    _, choice = verdicts(LAPTOP, speeds(10, 2))
    assert choice is None


def test_a_licence_that_forbids_commercial_use_is_never_recommended_silently() -> None:
    fast = speeds(10_000, 1000)
    found, choice = verdicts(replace(LAPTOP, memory_available=5 * GB), fast)
    assert choice == "qwen2.5-coder-1.5b"
    assert found["qwen2.5-coder-3b"].verdict == "not for commercial use"
    assert found["qwen2.5-coder-14b"].verdict == "not known enough"
    found, choice = verdicts(replace(LAPTOP, memory_available=5 * GB), fast, any_licence=True)
    assert choice == "qwen2.5-coder-3b"


def test_memory_decides_first() -> None:
    found, choice = verdicts(replace(LAPTOP, memory_available=2 * GB), speeds(10_000, 1000))
    assert choice == "qwen2.5-coder-0.5b" and found["qwen2.5-coder-1.5b"].verdict == "too big"


def test_a_gpu_carries_what_fits_into_it() -> None:
    machine = replace(LAPTOP, devices=(GPU,))
    found, choice = verdicts(machine, speeds(40, 8), speeds(5000, 500, "gpu"))
    assert choice == "qwen2.5-coder-7b" and found[choice].device == "gpu"
    full = replace(LAPTOP, devices=(replace(GPU, free=2 * GB),))
    found, _ = verdicts(full, speeds(40, 8), speeds(5000, 500, "gpu"))
    assert found["qwen2.5-coder-0.5b"].device == "gpu" and found["qwen2.5-coder-7b"].device == "cpu"


def test_without_measured_speeds_nothing_is_called_slow() -> None:
    found, choice = verdicts(LAPTOP)
    assert choice == "qwen2.5-coder-7b" and found[choice].reason == "its speed was not measured"


def test_predictions_follow_the_weights() -> None:
    small, large = known("qwen2.5-coder-0.5b"), known("qwen2.5-coder-7b")
    assert small and small.shape and large and large.shape
    one, other = (predict(e.shape, "Q8_0", [speeds(40, 8)]) for e in (small, large) if e.shape)
    assert (
        one and other and one.read / other.read == pytest.approx(large.shape.layer_weights / small.shape.layer_weights)
    )
    assert predict(small.shape, "Q8_0", []) is None and predict(small.shape, "", [speeds(1, 1)]) is None
    nearest = predict(small.shape, "Q4_0", [speeds(40, 8), replace(speeds(80, 4), quantization="Q4_K")])
    assert nearest and nearest.read == pytest.approx(80e9 / small.shape.layer_weights)
