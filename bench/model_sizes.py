"""Models of true shapes on this machine: speed, memory and latency by size, as a table for docs/models.md.

    python bench/model_sizes.py --folder FOLDER [--sizes 0.5b:Q8_0,1.5b:Q8_0] [--threads 1] [--json FILE] [--keep]

The weights are random (`graft_testing.shaped_gguf`), the shapes and vocabularies those of Qwen2.5-Coder; files are
written into FOLDER (0.5 to 8 GB each) and removed again.  With one thread, times are processor time of the engine: what
a quiet machine shows on the clock.  Columns: tokens/s while reading a prompt that is new and
while generating, what `graft models recommend` predicted, milliseconds for a line of 12 tokens after one key press, and
megabytes: of the engine process alone, and of the mapped file (which two windows share).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from graft_models.catalog import embedded_model, known_models
from graft_models.client import LlamaEngine
from graft_models.engine import Done, Request
from graft_models.hardware import predict, probe
from graft_models.prompt import Hole
from graft_testing.shaped_gguf import write_shaped

SHAPES = {e.id.rsplit("-", 1)[1]: e.shape for e in known_models() if e.id.startswith("qwen2.5-coder-") and e.shape}
DEFAULT = "0.5b:Q8_0,0.5b:Q4_K_M,1.5b:Q8_0,1.5b:Q4_K_M,3b:Q4_K_M,7b:Q4_K_M"
PROMPT_LINES = 16
LINE_TOKENS = 12


def main() -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sizes", default=DEFAULT)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave the files, and use those that are there")
    args = parser.parse_args()
    like = embedded_model()
    assert like is not None
    measure_it = [sys.executable, "-P", "-m", "graft_models.llama.probe", "--calibrate", str(args.threads)]
    hardware = probe(command=[*measure_it, *(["cpu"] if args.threads == 1 else [])])
    args.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for text in args.sizes.split(","):
        size, quantization = text.split(":")
        path = args.folder / f"{size}-{quantization}.gguf"
        if not path.exists():
            write_shaped(path, SHAPES[size], quantization, like)
        row = {"model": f"{size.upper()} {quantization}", "file_mb": path.stat().st_size / 1e6}
        row |= asyncio.run(measure(path, args.threads, 1 if path.stat().st_size > 1_700_000_000 else 2))
        shape = SHAPES[size]
        predicted = predict(shape, "Q8_0" if quantization == "Q8_0" else "Q4_K", hardware.speeds)
        # Rows that 256 does not divide get other types than Q4_K.
        if predicted and (quantization == "Q8_0" or shape.width % 256 == 0):
            row |= {"predicted_prompt_tps": predicted.read, "predicted_generate_tps": predicted.generate}
        rows.append(row)
        print(json.dumps({k: round(v, 1) if isinstance(v, float) else v for k, v in row.items()}), flush=True)
        if not args.keep:
            path.unlink()
    table(rows)
    if args.json:
        speeds = [vars_of(s) for s in hardware.speeds]
        args.json.write_text(json.dumps({"variant": hardware.variant, "speeds": speeds, "rows": rows}, indent=1) + "\n")


def vars_of(speed: Any) -> dict[str, Any]:
    """A slotted dataclass as a dictionary."""
    return {name: getattr(speed, name) for name in speed.__slots__}


async def measure(path: Path, threads: int, attempts: int) -> dict[str, float]:
    """One model: load, read a new prompt, generate, type on; the best of what is repeated."""
    engine = LlamaEngine(path, threads=threads, device="cpu", idle_minutes=0, hang_seconds=900)
    status = await engine.start()
    if status.state != "ready":
        raise SystemExit(f"{path.name}: {status.message}")
    assert engine.process_id is not None
    load = clock(engine.process_id, threads)
    read = generate = 0.0
    line = 1e9
    try:
        for attempt in range(attempts):
            text = "".join(
                f"value_{n}_{attempt} = total_{n} + item[{n}]\n" for n in range(PROMPT_LINES // (3 - attempts))
            )
            hole = Hole("a.py", text, "print(value)\n", "result = ")
            done, spent = await ask(engine, hole, 1, threads)
            read = max(read, done.usage.evaluated / spent)
            for typed in ("result = v", "result = va")[:attempts]:
                done, spent = await ask(engine, replace(hole, typed=typed), LINE_TOKENS, threads)
                share = done.usage.generated / (done.usage.generated + done.usage.evaluated)
                generate = max(generate, done.usage.generated / (spent * share))
                line = min(line, spent * LINE_TOKENS / max(1, done.usage.generated))
        anonymous, file = resident(engine.process_id)
    finally:
        await engine.close()
    return {
        "load_s": load,
        "prompt_tps": read,
        "generate_tps": generate,
        "line_ms": line * 1000,
        "own_mb": anonymous / 1e6,
        "mapped_mb": file / 1e6,
    }


async def ask(engine: LlamaEngine, hole: Hole, tokens: int, threads: int) -> tuple[Done, float]:
    """(the answer, seconds).  Sampled: a random model repeats itself greedily, and drafts would be right too often."""
    assert engine.process_id is not None
    begun = clock(engine.process_id, threads)
    done: Done | None = None
    async for event in engine.complete(Request(1, hole, max_tokens=tokens, document="a.py", temperature=1.0)):
        if isinstance(event, Done):
            done = event
    assert done is not None and not done.error, done
    return done, max(1e-3, clock(engine.process_id, threads) - begun)


def clock(process: int, threads: int) -> float:
    """Seconds: processor time of the engine where it has one thread, else the clock on the wall."""
    if threads > 1:
        return time.perf_counter()
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> tuple[int, int]:
    """(bytes of its own, bytes of mapped files) that a process holds now."""
    text = Path(f"/proc/{process}/status").read_text()
    own, file = (int(re.search(rf"{name}:\s+(\d+)", text)[1]) * 1024 for name in ("RssAnon", "RssFile"))  # type: ignore[index]
    return own, file


def table(rows: list[dict[str, Any]]) -> None:
    """Markdown, as it stands in docs/models.md."""
    print(
        "| shape | file | load | reads | predicted | generates | predicted | a line, typing on | own memory | mapped |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r['model']} | {r['file_mb']:,.0f} MB | {r['load_s']:.1f} s | {r['prompt_tps']:.0f} tokens/s "
            f"| {r.get('predicted_prompt_tps', 0):.0f} | {r['generate_tps']:.1f} tokens/s "
            f"| {r.get('predicted_generate_tps', 0):.1f} | {r['line_ms']:,.0f} ms | {r['own_mb']:,.0f} MB "
            f"| {r['mapped_mb']:,.0f} MB |"
        )


if __name__ == "__main__":
    main()
