"""Fetch Helix and Emacs (with eglot) from Debian's forky for the tests.

python tests/editors/setup_others.py [--force] [helix|emacs]...
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from graft_testing import parts

PARTS = ("helix", "emacs")


def main() -> int:
    """Fetch what is missing; returns 0, or 1 and says why not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--force", action="store_true", help="fetch again what is already there")
    parser.add_argument("parts", nargs="*", help=" ".join(PARTS))
    args = parser.parse_args()
    try:
        for part in args.parts or PARTS:
            if part not in PARTS:
                raise parts.PartError(f"no such part: {part} (there are {', '.join(PARTS)})")
            if not parts.is_ready(part, force=args.force):
                {"helix": set_up_helix, "emacs": set_up_emacs}[part]()
    except parts.PartError as error:
        print(f"setup_others: {error}", file=sys.stderr)
        return 1
    return 0


def set_up_helix() -> None:
    """Helix; its grammars and queries are in its runtime folder."""
    part = "helix"
    files = parts.debian(part, "forky", ["hx"])
    binary = next(path for path in (files / "usr/bin/hx", files / "usr/lib/helix/hx") if path.exists())
    runtime = files / "usr/lib/hx/runtime"
    started = parts.starter(part, "hx", binary, HELIX_RUNTIME=str(runtime))
    parts.ready(part, version_of([started, "--version"]))


def set_up_emacs() -> None:
    """Emacs without a window system; eglot is part of it."""
    part = "emacs"
    files = parts.debian(part, "forky", ["emacs-nox"], drop=("emacs-el", "systemd", "perl-base"))
    binary = next(
        path for path in sorted((files / "usr/bin").glob("emacs*")) if path.is_file() and not path.is_symlink()
    )
    (share,) = (files / "usr/share/emacs").glob("[0-9]*")
    lisp = share / "lisp"
    folders = [lisp, *(path for path in lisp.rglob("*") if path.is_dir())]
    dump = next((files / "usr/libexec/emacs").rglob("*.pdmp"), None)
    started = parts.starter(
        part,
        "emacs",
        binary,
        EMACSLOADPATH=":".join(map(str, folders)),
        EMACSDATA=str(share / "etc"),
        EMACSDOC=str(share / "etc"),
        EMACSPATH=str(files / "usr/bin"),
    )
    if dump is not None:
        text = started.read_text("utf-8")
        started.write_text(text.replace(' "$@"', f" --dump-file='{dump}' \"$@\""), "utf-8")
    parts.ready(part, version_of([started, "--version"]))


def version_of(command: list[Path | str]) -> str:
    """The first line of what it says of itself.  Raises PartError."""
    said = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if said.returncode or not said.stdout:
        raise parts.PartError(f"{command[0]} --version said {(said.stdout + said.stderr).strip()[:300]!r}")
    return said.stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
