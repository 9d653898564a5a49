"""What llama.cpp finds on this machine, asked of a process of its own: it may be absent, or crash on this processor."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graft_models.catalog import BITS_PER_WEIGHT, Shape
from graft_models.machine import Device

State = Literal["ok", "absent", "unloadable", "illegal-instruction", "crashed", "silent"]
PROBE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Measured on `device` (cpu or gpu): weights read per second of a prompt, bytes per second while generating."""

    quantization: str
    device: str
    threads: int
    read_weights_per_second: float
    generate_bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Hardware:
    """`message` is one line unless `state` is ok.  `variant` names the CPU library of a portable build."""

    state: State
    message: str = ""
    variant: str = ""
    features: str = ""
    offload: bool = False
    devices: tuple[Device, ...] = ()
    speeds: tuple[Speed, ...] = ()


def probe(*, calibrate: bool = False, command: Sequence[str] | None = None) -> Hardware:
    """Ask llama.cpp; with `calibrate` it measures too (about two seconds).  Never raises.

    `command` stands in for the probing process in tests.
    """
    if command is None:
        if importlib.util.find_spec("llama_cpp") is None:
            return Hardware("absent", "llama-cpp-python is not installed")
        command = [sys.executable, "-P", "-m", "graft_models.llama.probe", *(["--calibrate"] if calibrate else [])]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=PROBE_SECONDS,
            cwd=tempfile.gettempdir(),
            env={**os.environ, "GGML_NO_BACKTRACE": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Hardware("silent", f"llama.cpp did not answer within {PROBE_SECONDS:.0f} s")
    except OSError as error:
        return Hardware("crashed", f"the process does not start: {error.strerror}")
    if done.returncode == -signal.SIGILL:
        return Hardware(
            "illegal-instruction", "llama.cpp was built for another processor (it met an illegal instruction)"
        )
    if done.returncode < 0:
        return Hardware("crashed", f"llama.cpp was ended by signal {_signal_name(-done.returncode)}")
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else f"exit status {done.returncode}"
        return Hardware("unloadable", f"llama.cpp's library does not load: {last}")
    return Hardware(
        "ok",
        "",
        str(report["variant"]),
        str(report["features"]),
        bool(report["offload"]),
        tuple(Device(**d) for d in report["devices"]),
        tuple(Speed(**s) for s in report["speeds"]),
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Tokens per second of a model on this machine."""

    read: float
    generate: float

    def first_ms(self, prompt: int, generated: int) -> float:
        """Milliseconds for an answer of `generated` tokens after `prompt` tokens that are not in memory yet."""
        return 1000 * (prompt / self.read + generated / self.generate)


def predict(shape: Shape, quantization: str, speeds: Sequence[Speed], device: str = "cpu") -> Prediction | None:
    """How fast a model of `shape` will be, from speeds measured on this machine; None without a fitting one.

    Other quantizations are taken for the measured one with the nearest number of bits.
    """
    bits = BITS_PER_WEIGHT.get(quantization)
    measured = [s for s in speeds if s.device == device and s.quantization in BITS_PER_WEIGHT]
    if bits is None or not measured:
        return None
    speed = min(measured, key=lambda s: abs(BITS_PER_WEIGHT[s.quantization] - bits))
    everything = (shape.layer_weights + shape.output_weights) * bits / 8
    return Prediction(speed.read_weights_per_second / shape.layer_weights, speed.generate_bytes_per_second / everything)
