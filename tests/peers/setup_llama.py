"""Fetch llama-server, llama-bench and llama-quantize (Debian's forky) as peers, and as a real remote engine.

python tests/peers/setup_llama.py [--force]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from graft_testing import parts

PART = "llama"
PROGRAMS = ("llama-server", "llama-bench", "llama-quantize", "llama-cli", "llama-tokenize")

# ggml's builds for the processor, best first, and the flags of /proc/cpuinfo that each needs.
BACKENDS = {
    "sapphirerapids": {"amx_int8", "avx512_bf16", "avx512_vnni", "avx512vbmi"},
    "zen4": {"avx512_bf16", "avx512_vnni", "avx512vbmi"},
    "icelake": {"avx512_vnni", "avx512vbmi", "avx512bw"},
    "cascadelake": {"avx512_vnni", "avx512bw"},
    "skylakex": {"avx512f", "avx512bw", "avx512vl"},
    "alderlake": {"avx2", "avx_vnni", "fma"},
    "haswell": {"avx2", "fma", "f16c", "bmi2"},
    "ivybridge": {"avx", "f16c"},
    "sandybridge": {"avx"},
    "sse42": {"sse4_2"},
    "x64": set(),
}


def main() -> int:
    """Fetch what is missing; returns 0, or 1 and says why not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--force", action="store_true", help="fetch again what is already there")
    args = parser.parse_args()
    try:
        if not parts.is_ready(PART, force=args.force):
            set_up()
    except parts.PartError as error:
        print(f"setup_llama: {error}", file=sys.stderr)
        return 1
    return 0


def set_up() -> None:
    """Fetch, unpack, write starters, and ask one for its version."""
    files = parts.debian(PART, "forky", ["llama.cpp-tools"], drop=("debconf", "wget"))
    backend = pick_backend(files)
    for name in PROGRAMS:
        binary = files / "usr/bin" / name
        if binary.exists():
            parts.starter(PART, name, binary, libraries=("llama", "ggml/backends0"), GGML_BACKEND_PATH=str(backend))
    server = parts.folder() / PART / "bin/llama-server"
    said = subprocess.run([server, "--version"], capture_output=True, text=True)
    match = re.search(r"version: (.+)", said.stdout + said.stderr)
    if not match:
        raise parts.PartError(f"llama-server --version said {said.stdout + said.stderr!r}")
    parts.ready(PART, f"llama.cpp {match.group(1)}, {backend.name}")


def pick_backend(files: Path) -> Path:
    """ggml's library for this processor.  Raises PartError."""
    there = {p.name.removeprefix("libggml-cpu-").removesuffix(".so"): p for p in files.rglob("libggml-cpu-*.so")}
    match = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    flags = set(match.group(1).split()) if match else set()
    for name, needed in BACKENDS.items():
        if name in there and needed <= flags:
            return there[name]
    if there:
        return sorted(there.values())[0]
    raise parts.PartError("no libggml-cpu-*.so among the unpacked files")


if __name__ == "__main__":
    sys.exit(main())
