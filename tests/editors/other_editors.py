"""What the tests of further editors share: the documented configuration, a project, a home of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from graft_testing import parts

ROOT = Path(__file__).parents[2]
GRAFT = Path(sys.executable).parent / "graft"


def program(part: str, name: str) -> Path:
    """A part's program.  One that is missing skips the test outside CI, and fails it there."""
    path = parts.program(part, name)
    if path is None:
        if os.environ.get("CI"):
            raise FileNotFoundError(f"{part} is not there: run tests/editors/setup_others.py")
        pytest.skip(f"{part} is not there: run tests/editors/setup_others.py")
    return path


def documented(page: str, language: str) -> list[str]:
    """The blocks of code in a language on a page of docs/editors, with the server's program by its whole path."""
    text = (ROOT / "docs/editors" / page).read_text("utf-8")
    blocks = [part.split("```")[0] for part in text.split(f"```{language}\n")[1:]]
    assert blocks, f"{page} has no {language}"
    program = f'"{GRAFT}"'
    return [b.replace('command = "graft"', f"command = {program}").replace('("graft"', f"({program}") for b in blocks]


def environment(home: Path) -> dict[str, str]:
    """The machine's environment with another home."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG", "HELIX", "EMACS", "GRAFT"))}
    return {**kept, "HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
