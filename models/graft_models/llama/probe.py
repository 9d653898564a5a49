"""What llama.cpp finds on this machine, and how fast it is.

    python -P -m graft_models.llama.probe [--calibrate [THREADS [cpu]]]

With `cpu` processor time is taken for time: on one thread it is what a quiet machine would show.  Prints one JSON
object and ends: {"variant", "features", "offload", "devices": [...], "speeds": [...], "log"}.  A speed is measured with
two layers of the shape of a 1.5 billion weight model (the kernels' cost depends on the shapes and the quantization, not
on the values), and tells how other sizes will do: reading a prompt is bound by arithmetic on the weights of the layers,
generating by the bytes of all weights.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

Clock = Callable[[], float]
"""Seconds."""
WIDTH, INNER, HEADS, KV_HEADS, LAYERS, VOCABULARY = 1536, 8960, 12, 2, 2, 256
_QUANTIZED = {"Q8_0": (8, 32, b"\x00\x1c" + bytes(range(32))), "Q4_K": (12, 256, b"\x00\x1c" * 2 + bytes(range(140)))}
"""Name -> (ggml type, weights per block, one block); the scales are 2^-8, so that no value overflows."""
READ_TOKENS, GENERATED_TOKENS = 64, 8


def matrices() -> list[tuple[str, int, int]]:
    """(name, rows, columns) of the layers' matrices."""
    kv = WIDTH // HEADS * KV_HEADS
    sizes = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (kv, WIDTH),
        "attn_v": (kv, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (INNER, WIDTH),
        "ffn_up": (INNER, WIDTH),
        "ffn_down": (WIDTH, INNER),
    }
    return [(f"blk.{i}.{name}.weight", *size) for i in range(LAYERS) for name, size in sizes.items()]


def layer_weights() -> int:
    """Weights of all matrices."""
    return sum(rows * columns for _, rows, columns in matrices())


def write_sample(path: Path, quantization: str) -> None:
    """A GGUF file (version 3) without a tokenizer: `LAYERS` layers of architecture llama."""
    kind, per_block, block = _QUANTIZED[quantization]
    tensors: list[tuple[str, tuple[int, ...], int, bytes, int]] = []
    one = struct.pack("<f", 1.0)

    def add(name: str, shape: tuple[int, ...], quantized: bool) -> None:
        count = 1
        for size in shape:
            count *= size
        if quantized:
            tensors.append((name, shape, kind, block, count // per_block))
        else:
            tensors.append((name, shape, 0, one, count))

    add("token_embd.weight", (WIDTH, VOCABULARY), True)
    add("output_norm.weight", (WIDTH,), False)
    for i in range(LAYERS):
        add(f"blk.{i}.attn_norm.weight", (WIDTH,), False)
        add(f"blk.{i}.ffn_norm.weight", (WIDTH,), False)
    for name, rows, columns in matrices():
        add(name, (columns, rows), True)
    metadata: dict[str, str | int | float] = {
        "general.architecture": "llama",
        "general.name": "calibration",
        "llama.context_length": 512,
        "llama.embedding_length": WIDTH,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-6,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.vocab_size": VOCABULARY,
        "tokenizer.ggml.model": "none",
    }
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        if isinstance(value, str):
            head += _string(key) + struct.pack("<I", 8) + _string(value)
        else:
            head += _string(key) + (
                struct.pack("<If", 6, value) if isinstance(value, float) else struct.pack("<II", 4, value)
            )
    offset = 0
    for name, shape, type_, data, count in tensors:
        head += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, type_, offset)
        offset += -(-len(data) * count // 32) * 32
    with path.open("wb") as file:
        file.write(head + bytes(-len(head) % 32))
        for *_, data, count in tensors:
            megabyte = max(1, (1 << 20) // len(data))
            for _ in range(count // megabyte):
                file.write(data * megabyte)
            file.write(data * (count % megabyte))
            file.write(bytes(-len(data) * count % 32))


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def measure(quantization: str, gpu_layers: int, threads: int, clock: Clock = time.perf_counter) -> dict[str, Any]:
    """Speed on one device: weights per second while reading, bytes per second while generating."""
    from graft_models.llama.model import has_tiles
    from graft_models.llama.native import Log, Native, Options

    with tempfile.TemporaryDirectory(prefix="graft-calibrate-") as folder:
        path = Path(folder, "sample.gguf")
        write_sample(path, quantization)
        size = path.stat().st_size
        native = Native(
            Options(
                path=str(path),
                threads=threads,
                cells=512,
                sequences=1,
                batch=READ_TOKENS,
                gpu_layers=gpu_layers,
                quantized_memory=gpu_layers == 0,
                repack=not has_tiles(),
            ),
            Log(),
        )
        try:
            read = generate = 0.0
            for attempt in range(3):
                native.remove(0, 0)
                read = max(read, READ_TOKENS / _timed(native, range(READ_TOKENS), clock))
                for position in range(READ_TOKENS, READ_TOKENS + (GENERATED_TOKENS if attempt else 2)):
                    generate = max(generate, 1 / _timed(native, range(position, position + 1), clock))
        finally:
            native.close()
    return {
        "quantization": quantization,
        "device": "gpu" if gpu_layers else "cpu",
        "threads": threads,
        "read_weights_per_second": read * layer_weights(),
        "generate_bytes_per_second": generate * size,
    }


def _timed(native: Any, positions: range, clock: Clock) -> float:
    count = len(positions)
    begun = clock()
    # Logits of every token: without, llama.cpp leaves most of the last layer out, and that is half of this model.
    native.decode([7] * count, positions, [0] * count, [True] * count)
    native.logits(count - 1)
    return clock() - begun


def main() -> int:
    """Print what was found."""
    out = os.dup(1)
    os.dup2(2, 1)
    from graft_models.llama.devices import cpu_variant, devices
    from graft_models.llama.native import L, Log
    from graft_models.machine import default_threads

    log = Log()
    L.llama_backend_init()
    found = devices(L._lib)
    report: dict[str, Any] = {
        "variant": cpu_variant(),
        "features": L.llama_print_system_info().decode("utf-8", "replace"),
        "offload": bool(L.llama_supports_gpu_offload()),
        "devices": [asdict(d) for d in found],
        "speeds": [],
        "log": log.lines[-3:],
    }
    if "--calibrate" in sys.argv[1:]:
        places = [0, -1] if report["offload"] and any(d.kind == "gpu" for d in found) else [0]
        threads = int(sys.argv[2]) if len(sys.argv) > 2 else default_threads()
        clock = time.process_time if sys.argv[3:] == ["cpu"] else time.perf_counter
        report["speeds"] = [measure(q, layers, threads, clock) for q in _QUANTIZED for layers in places]
    os.write(out, json.dumps(report).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
