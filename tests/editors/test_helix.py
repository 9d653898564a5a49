"""Helix in a terminal, configured as docs/editors/helix.md says: list, diagnostic, fix, saved file."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

from other_editors import documented, environment, program
from vscode_fixtures import project


class Terminal:
    """A program in a pseudo-terminal: keys in, everything it drew out."""

    def __init__(self, command: list[str], cwd: Path, env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env=env, start_new_session=True
        )
        os.close(slave)
        self.drawn = ""

    def read(self, seconds: float) -> None:
        """Take what it draws for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                return
            try:
                self.drawn += os.read(self._master, 1 << 16).decode("utf-8", "replace")
            except OSError:
                return

    def keys(self, text: str, pause: float = 0.3) -> None:
        """Send keys, then look for a moment."""
        os.write(self._master, text.encode())
        self.read(pause)

    def wait(self, words: str, seconds: float = 60) -> None:
        """Until the words have been drawn since the last wait, whatever colours are between them."""
        end = time.monotonic() + seconds
        while words not in (plain := re.sub(r"\x1b\[[0-9;:?]*[A-Za-z]", "", self.drawn)):
            assert time.monotonic() < end, f"{words!r} was not drawn: {plain[-1500:]!r}"
            self.read(0.3)
        self.drawn = ""

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)


ESCAPE, ENTER = "\x1b", "\r"


def test_list_diagnostic_and_fix(tmp_path: Path) -> None:
    helix = program("helix", "hx")
    work = project(tmp_path / "shop")
    (work / ".git").mkdir()
    home = tmp_path / "home"
    (home / ".config/helix").mkdir(parents=True)
    (home / ".config/helix/languages.toml").write_text("\n".join(documented("helix.md", "toml")), "utf-8")
    terminal = Terminal([str(helix), "main.py"], work, environment(home))
    try:
        terminal.read(8)
        terminal.keys("ge")  # the last line
        terminal.keys("o\rdef later(items):\rreturn make_basket(items).disc", 3)
        terminal.wait("discount_percent")
        terminal.keys("\t", 1)
        terminal.keys(ENTER, 1)
        terminal.keys(ESCAPE, 1)
        terminal.keys("ge")
        terminal.keys(f"o{ESCAPE}xd", 0.5)
        terminal.keys("o", 0.5)
        terminal.keys("print(make_baskt)", 1)
        terminal.keys(ESCAPE, 1)
        terminal.drawn = ""
        terminal.keys(f":w{ENTER}", 2)
        terminal.wait("is not defined")
        # The fix: put the cursor on the name, open the menu, take the first.
        terminal.keys("ghf(l", 1)
        terminal.keys(" a", 3)
        terminal.wait("make_basket")
        terminal.keys(ENTER, 2)
        terminal.keys(f"{ESCAPE}:w{ENTER}", 2)
    finally:
        terminal.close()
    saved = (work / "main.py").read_text()
    assert "return make_basket(items).discount_percent" in saved
    assert "print(make_basket" in saved and "make_baskt" not in saved
