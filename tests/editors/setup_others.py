"""Fetch Helix and Emacs (with eglot) from Debian's forky for the tests.

python tests/editors/setup_others.py [--force] [helix|emacs]...
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from graft_testing import parts


def set_up_helix() -> None:
    """Helix; its grammars and queries are in its runtime folder."""
    part = "helix"
    files = parts.debian(part, "forky", ["hx"])
    binary = next(path for path in (files / "usr/bin/hx", files / "usr/lib/helix/hx") if path.exists())
    runtime = files / "usr/lib/hx/runtime"
    started = parts.starter(part, "hx", binary, HELIX_RUNTIME=str(runtime))
    parts.ready(part, parts.version_of(started))


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
    parts.ready(part, parts.version_of(started))


if __name__ == "__main__":
    sys.exit(parts.set_up("setup_others", __doc__ or "", {"helix": set_up_helix, "emacs": set_up_emacs}))
