"""Where a model goes and how much it may take, tried on reports of devices that are not here."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graft_models.budget import CANDIDATE_CELLS, RESERVE, SMALLEST_CONTEXT, Needs, fit_memory, offload
from graft_models.machine import Device

MB = 1_000_000
SEVEN = Needs(weights=8100 * MB, layers=28, kv_per_cell=57_344)


def gpu(free: int, kind: str = "gpu") -> Device:
    return Device("CUDA0", "Some GPU", kind, free * 2 * MB, free * MB)  # type: ignore[arg-type]


def test_all_layers_where_they_fit() -> None:
    plan = offload(SEVEN, 4096, [gpu(12_000)], "auto", True)
    assert (plan.layers, plan.device, plan.reason) == (-1, "Some GPU", "")


def test_some_layers_if_at_least_half_and_it_is_said() -> None:
    plan = offload(SEVEN, 4096, [gpu(6_000)], "auto", True)
    assert 14 <= plan.layers < 28
    assert plan.reason.startswith(f"{plan.layers} of 28 layers on the GPU: it needs 8,")


def test_too_little_runs_on_the_cpu_and_says_why() -> None:
    plan = offload(SEVEN, 4096, [gpu(2_000)], "auto", True)
    assert plan.layers == 0 and plan.device == "cpu"
    assert plan.reason == "running on the CPU: the model needs 8,534 MB, 1,600 MB are free on Some GPU"


def test_two_cards_are_added_up() -> None:
    assert offload(SEVEN, 4096, [gpu(5_000), gpu(5_000)], "auto", True).layers == -1


def test_fall_backs_are_never_silent() -> None:
    assert offload(SEVEN, 4096, [gpu(99_000)], "cpu", True).reason == ""
    assert "built without a GPU backend; running on the CPU" in offload(SEVEN, 4096, [], "gpu", False).reason
    assert "finds no device; running on the CPU" in offload(SEVEN, 4096, [], "gpu", True).reason
    assert "finds no device" in offload(SEVEN, 4096, [], "auto", True).reason
    assert offload(SEVEN, 4096, [], "auto", False).reason == ""


def test_an_integrated_gpu_only_when_asked_for() -> None:
    assert offload(SEVEN, 4096, [gpu(99_000, "igpu")], "auto", True).layers == 0
    assert offload(SEVEN, 4096, [gpu(99_000, "igpu")], "gpu", True).layers == -1


def test_a_driver_that_does_not_say_is_tried() -> None:
    assert offload(SEVEN, 4096, [Device("Vulkan0", "", "gpu", 0, 0)], "auto", True).layers == -1


def test_context_is_halved_until_it_fits_and_it_is_said() -> None:
    needs = Needs(500 * MB, 24, 100_000)
    room = needs.total(2048 + CANDIDATE_CELLS) + RESERVE + 50 * MB
    memory = fit_memory(needs, 4096, 16_384, room)
    assert memory.context == 2048 and memory.cells >= 2048 + CANDIDATE_CELLS
    assert memory.reason.startswith("context cut from 4096 to 2048 tokens: this machine can spare ")


def test_other_documents_give_way_before_the_context() -> None:
    needs = Needs(500 * MB, 24, 100_000)
    memory = fit_memory(needs, 4096, 16_384, needs.total(6000) + RESERVE)
    assert memory.context == 4096 and memory.cells == 6000 and not memory.reason


def test_weights_are_copied_only_where_there_is_room_for_both() -> None:
    needs = Needs(500 * MB, 24, 100_000)
    assert fit_memory(needs, 1024, 4096, needs.total(4096) + 500 * MB + RESERVE).copies
    assert not fit_memory(needs, 1024, 4096, needs.total(4096) + 499 * MB + RESERVE).copies
    assert fit_memory(needs, 1024, 4096, 0).copies


def test_a_ceiling_is_named_when_it_decides() -> None:
    memory = fit_memory(SEVEN, 4096, 16_384, 64_000 * MB, 4_000 * MB)
    assert memory.context == 0
    assert "graft.model.memoryMegabytes allows 4,000 MB; choose a smaller one" in memory.reason
    assert fit_memory(SEVEN, 4096, 16_384, 0, 0) == fit_memory(SEVEN, 4096, 16_384, 1 << 50, 0)


@given(
    st.integers(1, 20_000), st.integers(1, 64), st.integers(100, 500_000), st.integers(1, 40_000), st.integers(0, 9000)
)
def test_what_is_granted_never_exceeds_the_room(
    weights: int, layers: int, kv: int, available: int, ceiling: int
) -> None:
    needs = Needs(weights * MB, layers, kv)
    memory = fit_memory(needs, 4096, 16_384, available * MB, ceiling * MB)
    if memory.context:
        assert memory.context >= SMALLEST_CONTEXT and memory.context + CANDIDATE_CELLS <= memory.cells <= 16_384
        assert needs.total(memory.cells) <= max(1, available * MB - RESERVE)
        assert not ceiling or needs.total(memory.cells) <= ceiling * MB
    else:
        assert memory.reason
