"""Which of the known models fits a machine: by memory, by speed measured here, and by licence.  Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from graft_models.budget import CANDIDATE_CELLS, DEVICE_RESERVE, RESERVE, Needs
from graft_models.catalog import Entry
from graft_models.hardware import Prediction, Speed, predict
from graft_models.machine import Machine

LINE_TOKENS = 12
"""Tokens of a suggested line."""
TYPED_TOKENS = 4
"""Tokens that are read when a person has typed on."""
PROMPT_TOKENS = 640
"""Tokens of a prompt that is read from its beginning: after a jump, while the person looks around."""
LINE_MS = 1000.0
"""A line that comes later than this comes after the person has typed it."""
PROMPT_MS = 8000.0
CONTEXT = 2048
"""Tokens of context that a recommended model must have room for."""

Verdict = Literal["fits", "too big", "too slow", "not for commercial use", "not known enough"]


@dataclass(frozen=True, slots=True)
class Advice:
    """What is to be said of one model.  `needs` in bytes (0: not known); `reason` is one line."""

    entry: Entry
    verdict: Verdict
    needs: int
    device: str
    prediction: Prediction | None
    reason: str


def advise(
    entries: Sequence[Entry], machine: Machine, speeds: Sequence[Speed], *, any_licence: bool = False
) -> list[Advice]:
    """One advice per entry, in their order.

    A licence that forbids commercial use, or is not known, is never a fit unless `any_licence`.  Without measured
    speeds nothing is called too slow.
    """
    return [_advise(entry, machine, speeds, any_licence) for entry in entries]


def best(advices: Sequence[Advice]) -> Advice | None:
    """The one with most weights that fits; None: the model that comes with Graft serves this machine best."""
    fitting = [a for a in advices if a.verdict == "fits"]
    return max(fitting, key=lambda a: a.entry.parameters or 0, default=None)


def _advise(entry: Entry, machine: Machine, speeds: Sequence[Speed], any_licence: bool) -> Advice:
    size, shape = entry.estimated_bytes, entry.shape
    needs = 0
    if size is not None and shape is not None:
        needs = Needs(size, shape.layers, shape.kv_bytes).total(CONTEXT + CANDIDATE_CELLS)
    room = sum(max(0, d.free - DEVICE_RESERVE) for d in machine.devices if d.kind == "gpu")
    measured = {s.device for s in speeds}
    device = "gpu" if needs and needs <= room and "gpu" in measured else "cpu"
    prediction = predict(shape, entry.quantization, speeds, device) if shape is not None else None

    def said(verdict: Verdict, reason: str) -> Advice:
        return Advice(entry, verdict, needs, device, prediction, reason)

    if entry.commercial is False and not any_licence:
        return said("not for commercial use", "its licence forbids it")
    if entry.licence is None and not any_licence:
        return said("not known enough", "its licence is not in the catalogue")
    if entry.url is None:
        return said("not known enough", "no address is in the catalogue; give `pull` a file or an address")
    if not needs:
        return said("not known enough", "its size is not in the catalogue")
    if device == "cpu" and machine.memory_available and needs > machine.memory_available - RESERVE:
        return said("too big", f"{machine.memory_available / 1e9:.1f} GB of memory are available")
    if prediction is not None:
        line = prediction.first_ms(TYPED_TOKENS, LINE_TOKENS)
        prompt = prediction.first_ms(PROMPT_TOKENS, 0)
        if line > LINE_MS:
            return said("too slow", f"a line would take {line / 1000:.1f} s")
        if prompt > PROMPT_MS:
            return said("too slow", f"reading a new place would take {prompt / 1000:.0f} s")
        return said("fits", f"a line in {line / 1000:.1f} s, a new place read in {prompt / 1000:.1f} s")
    return said("fits", "its speed was not measured")
