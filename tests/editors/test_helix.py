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
from samples import project


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

    def shows(self, words: str) -> bool:
        """Whether the words have been drawn, whatever colours are between them."""
        return words in re.sub(r"\x1b\[[0-9;:?]*[A-Za-z]", "", self.drawn)

    def wait(self, words: str, seconds: float = 60) -> None:
        """Until the words have been drawn since the last wait."""
        end = time.monotonic() + seconds
        while not self.shows(words):
            assert time.monotonic() < end, f"{words!r} was not drawn: {self.drawn[-1500:]!r}"
            self.read(0.3)
        self.drawn = ""

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)


ESCAPE, ENTER, CTRL_X = "\x1b", "\r", "\x18"


def test_list_diagnostic_and_fix(tmp_path: Path) -> None:
    helix = program("helix", "hx")
    work = project(tmp_path / "shop")
    (work / ".git").mkdir()
    (work / "main.py").write_text((work / "main.py").read_text() + "\n\nlast = 1\n")
    home = tmp_path / "home"
    (home / ".config/helix").mkdir(parents=True)
    (home / ".config/helix/languages.toml").write_text("\n".join(documented("helix.md", "toml")), "utf-8")
    terminal = Terminal([str(helix), "main.py"], work, environment(home))
    try:
        terminal.read(8)
        # A new function after the last line, and in it a name that only the other file has.
        terminal.keys("geo\rdef later(items):\r    return make_basket(items).disc", 3)
        # The menu opens by itself, or when asked; the server may still be starting.
        for _ in range(20):
            if terminal.shows("discount_percent"):
                break
            terminal.keys(CTRL_X, 2)
        terminal.wait("discount_percent", 1)
        terminal.keys("\t", 1)
        terminal.keys(f"{ENTER}{ESCAPE}", 1)
        # A wrong name after the first line, seen after saving where the cursor is.
        terminal.keys(f"ggoprint(make_baskt){ESCAPE}", 1)
        terminal.keys(f":w{ENTER}", 3)
        # The list of diagnostics shows what there is when it opens; Enter goes to the first.
        for _ in range(20):
            terminal.drawn = ""
            terminal.keys(" d", 2)
            if terminal.shows("make_baskt` is not"):
                break
            terminal.keys(ESCAPE, 1)
        terminal.wait("make_baskt` is not", 1)
        terminal.keys(ENTER, 1)
        terminal.keys(" a", 3)
        terminal.wait("finding gone")
        terminal.keys(ENTER, 5)
        terminal.keys(f":w{ENTER}", 3)
    finally:
        terminal.close()
    saved = (work / "main.py").read_text()
    assert saved.endswith("last = 1\n\ndef later(items):\n    return make_basket(items).discount_percent\n")
    assert saved.startswith("from shop import make_basket\nprint(make_basket)\n")
