"""Where a model goes and how much memory it may take: on the accelerator or beside the CPU, with which context.

Pure functions over a file's header and a machine's report, so that every outcome can be tried without the hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graft_models.machine import Device

MEGABYTE = 1_000_000
CANDIDATE_CELLS = 256
"""Cells beside the prompt, for candidates and what is generated."""
SMALLEST_CONTEXT = 1024
"""Tokens; below this a prompt with context from other files does not fit, and a smaller model serves better."""
RESERVE = 512 * MEGABYTE
"""Bytes of main memory that are left for everything else on the machine."""
DEVICE_RESERVE = 400 * MEGABYTE
"""Bytes of an accelerator's memory that its driver and the screen need."""
WORK_BYTES = 200 * MEGABYTE
"""Buffers of a computation, logits and the process itself: about 110 MB at 0.5 and at 1.5 billion weights
(`bench/model_sizes.py`), with something to spare."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model asks for.  Bytes: of all weights, of one layer's, of key and value memory per cell."""

    weights: int
    layers: int
    kv_per_cell: int

    def total(self, cells: int) -> int:
        """Bytes with `cells` of key and value memory."""
        return self.weights + cells * self.kv_per_cell + WORK_BYTES


@dataclass(frozen=True, slots=True)
class Offload:
    """`layers` of the model on accelerators (-1: all with the output, 0: none); `reason` is one line for the status."""

    layers: int
    device: str
    reason: str = ""


def offload(needs: Needs, cells: int, devices: Sequence[Device], wanted: str, capable: bool) -> Offload:
    """Where the weights go.  `wanted` is auto, cpu or gpu; `capable`: this llama.cpp has a GPU backend.

    All layers go to the accelerators if they fit into what is free there; else as many as fit, if that is at least
    half (a token waits for the slower part); else none, and the reason says so.  An integrated GPU shares the main
    memory and is slower than the CPU at reading it: it is taken only if asked for by name.
    """
    if wanted == "cpu":
        return Offload(0, "cpu")
    usable = [d for d in devices if d.kind == "gpu" or wanted == "gpu"]
    if not usable:
        if not capable:
            reason = "this llama.cpp was built without a GPU backend" if wanted == "gpu" else ""
        else:
            reason = "its GPU backend finds no device" if wanted == "gpu" or not devices else ""
        return Offload(0, "cpu", f"{reason}; running on the CPU" if reason else "")
    names = ", ".join(d.description or d.name for d in usable)
    if all(d.free == 0 for d in usable):
        return Offload(-1, names, "")
    room = sum(max(0, d.free - DEVICE_RESERVE) for d in usable)
    whole = needs.total(cells)
    if whole <= room:
        return Offload(-1, names)
    per_layer = (needs.weights + cells * needs.kv_per_cell) / max(1, needs.layers + 1)
    fitting = int(max(0, room - WORK_BYTES) // max(1.0, per_layer))
    short = f"needs {whole // MEGABYTE:,} MB, {room // MEGABYTE:,} MB are free on {names}"
    if fitting * 2 >= needs.layers:
        fitting = min(fitting, needs.layers)
        return Offload(fitting, names, f"{fitting} of {needs.layers} layers on the GPU: it {short}")
    return Offload(0, "cpu", f"running on the CPU: the model {short}")


@dataclass(frozen=True, slots=True)
class Memory:
    """`context` tokens in `cells` of key and value memory (0: the model cannot be loaded); `reason` is one line.

    The reason is empty if all is as asked.  `copies`: there is room for weights that are laid out anew for the
    processor (llama.cpp repacks some quantizations: faster to generate with, but a copy that windows do not share).
    """

    context: int
    cells: int
    reason: str = ""
    copies: bool = True


def fit_memory(needs: Needs, context: int, most_cells: int, available: int, ceiling: int = 0) -> Memory:
    """How much context fits.  `available` and `ceiling` in bytes (0: not known, none set).

    Weights that are mapped from the file are counted like any others: a model that does not fit is read from the disk
    for every token.  First the memory for other documents shrinks (a prompt needs `context` cells and room for its
    candidates), then the context is halved; below `SMALLEST_CONTEXT` the model is refused.
    """
    limits = [n for n in (ceiling, max(1, available - RESERVE) if available else 0) if n]
    if not limits:
        return Memory(context, most_cells)
    room = min(limits)
    which = "graft.model.memoryMegabytes allows" if ceiling and room == ceiling else "this machine can spare"
    said = f"{which} {room // MEGABYTE:,} MB"
    possible = (room - needs.total(0)) // max(1, needs.kv_per_cell)
    fitting = context
    while fitting + CANDIDATE_CELLS > possible and fitting > SMALLEST_CONTEXT:
        fitting = max(SMALLEST_CONTEXT, fitting // 2)
    if fitting + CANDIDATE_CELLS > possible:
        need = needs.total(fitting + CANDIDATE_CELLS)
        return Memory(0, 0, f"the model needs {need // MEGABYTE:,} MB of memory and {said}; choose a smaller one")
    cells = min(possible, most_cells)
    copies = needs.total(cells) + needs.weights <= room
    if fitting < context:
        return Memory(fitting, cells, f"context cut from {context} to {fitting} tokens: {said}", copies)
    return Memory(context, cells, "", copies)
