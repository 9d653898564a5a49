"""The portable llama.cpp against the one compiled for this processor: same kernels' work, in turns.

    python bench/portable_speed.py [--wheel dist/llama_cpp_python-*.whl] [--rounds 5] [--threads 1] [--json FILE]

Both are measured by `graft_models.llama.probe --calibrate`, one after the other in each round, so that a busy machine
slows both; the best of each counts, in processor time where there is one thread.  Above 1.0 the portable build is
faster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KEYS = ("read_weights_per_second", "generate_bytes_per_second")


def main() -> None:
    """Measure in turns and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    wheel = args.wheel or next((ROOT / "dist").glob("llama_cpp_python-*.whl"), None)
    if wheel is None:
        raise SystemExit("no portable wheel: make dist")
    best: dict[str, dict[str, float]] = {"native": {}, "portable": {}}
    names: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        for _ in range(args.rounds):
            for build, library in (("native", ""), ("portable", f"{folder}/llama_cpp/lib")):
                report = probe(library, args.threads)
                names[build] = report["variant"] or "compiled here"
                for speed in report["speeds"]:
                    for key in KEYS:
                        name = f"{speed['quantization']} {key.split('_')[0]}"
                        best[build][name] = max(best[build].get(name, 0.0), speed[key])
    ratios = {name: best["portable"][name] / value for name, value in best["native"].items()}
    for name, ratio in ratios.items():
        print(f"{name}: portable ({names['portable']}) {ratio:.2f} times native ({names['native']})")
    if args.json:
        figures = {f"{name.lower().replace(' ', '_')}_ratio": round(ratio, 3) for name, ratio in ratios.items()}
        figures |= {"threads": args.threads, "rounds": args.rounds}
        args.json.write_text(json.dumps({**figures, "portable": names["portable"]}, indent=1) + "\n")


def probe(library: str, threads: int) -> dict[str, Any]:
    """One measurement with llama.cpp's libraries from `library` (empty: those of this environment)."""
    environment = dict(os.environ)
    if library:
        environment["LLAMA_CPP_LIB_PATH"] = library
    command = [sys.executable, "-P", "-m", "graft_models.llama.probe", "--calibrate", str(threads)]
    command += ["cpu"] if threads == 1 else []
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


if __name__ == "__main__":
    main()
