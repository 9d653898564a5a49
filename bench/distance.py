"""How far generation is from what memory allows: weights' bytes over bandwidth, beside this engine and llama-bench.

    python bench/distance.py MODEL.gguf [--threads 2] [--llama-bench PROGRAM]

Every generated token reads all weights once, so bandwidth over bytes is the ceiling (the embedding table counts if it
is the output matrix too, else one row of it does not).  Bandwidth is the best of five sums over 1 GiB of 64-bit
integers, one thread per part.  Prints GB/s, MB read per token, the ceiling and the measured tokens per second, and
tokens per second of reading 512 tokens; the machine should be quiet.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from graft_models.llama.model import Model

READ, WRITTEN, ROUNDS = 512, 64, 5


def bandwidth(threads: int) -> float:
    """Bytes per second that so many threads read together."""
    data = np.ones(2**27, np.int64)
    parts = np.array_split(data, threads)
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            list(pool.map(np.sum, parts))
            best = max(best, data.nbytes / (time.perf_counter() - began))
    return best


def engine(path: Path, threads: int) -> dict[str, float]:
    """Tokens per second of this engine's batches (reading) and of single tokens (generating)."""
    model = Model(path, threads=threads)
    native = model.native
    tokens = (list(model.tokenize("value = self.name(item)\n" * 400)) * 2)[:READ]
    reading, writing = [], []
    for _ in range(ROUNDS):
        native.remove(0, -1)
        began = time.perf_counter()
        for start in range(0, READ, model.batch):
            part = tokens[start : start + model.batch]
            native.decode(part, range(start, start + len(part)), [0] * len(part), [False] * len(part))
        reading.append(READ / (time.perf_counter() - began))
        native.remove(0, -1)
        native.decode(tokens[:1], range(1), [0], [True])
        began = time.perf_counter()
        for at in range(1, WRITTEN + 1):
            native.decode([int(native.logits(0).argmax())], range(at, at + 1), [0], [True])
        writing.append(WRITTEN / (time.perf_counter() - began))
    return {"read": statistics.median(reading), "generated": statistics.median(writing)}


def llama_bench(program: Path, path: Path, threads: int) -> dict[str, float]:
    """The same of llama.cpp's own bench, whose batches are 512 tokens."""
    sizes = ["-p", str(READ), "-n", str(WRITTEN), "-r", str(ROUNDS), "-t", str(threads)]
    command = [str(program), "-m", str(path), *sizes, "-o", "json", "-fa", "1", "-ctk", "q8_0", "-ctv", "q8_0"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{program} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    rows = json.loads(done.stdout)
    return {"generated" if row["n_gen"] else "read": float(row["avg_ts"]) for row in rows}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--llama-bench", type=Path)
    args = parser.parse_args()
    size = args.model.stat().st_size
    speed = bandwidth(args.threads)
    own = engine(args.model, args.threads)
    figures: dict[str, Any] = {
        "threads": args.threads,
        "bandwidth_gb_s": round(speed / 1e9, 1),
        "weights_mb": round(size / 1e6),
        "ceiling_generated_per_s": round(speed / size, 1),
        "graft_generated_per_s": round(own["generated"], 1),
        "graft_share_of_ceiling": round(own["generated"] * size / speed, 2),
        "graft_read_per_s": round(own["read"]),
    }
    if args.llama_bench:
        other = llama_bench(args.llama_bench, args.model, args.threads)
        figures["llama_bench_generated_per_s"] = round(other["generated"], 1)
        figures["llama_bench_read_per_s"] = round(other["read"])
    print("\n".join(f"{name:30} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
