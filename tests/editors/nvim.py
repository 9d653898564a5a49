"""A real Neovim, embedded: keys in, buffer text and the screen's cells out."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from graft_testing import parts

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "clients/neovim"
WIDTH, HEIGHT = 90, 24


class NvimError(Exception):
    """Neovim answered a request with an error, or did not answer."""


def nvim_path(version: str) -> Path:
    """Neovim of that version ("0.12"); fails where setup_neovim.py has not run."""
    path = parts.program(f"neovim-{version}", "nvim")
    if path is None:
        raise FileNotFoundError(f"Neovim {version} is not there: run tests/editors/setup_neovim.py")
    return path


@dataclass
class Cell:
    """One cell of the screen."""

    text: str = " "
    highlight: int = 0


@dataclass
class Screen:
    """The grid as a terminal would show it, kept from `redraw` events (ext_linegrid)."""

    width: int = WIDTH
    height: int = HEIGHT
    cells: list[list[Cell]] = field(default_factory=list)
    highlights: dict[int, dict[str, Any]] = field(default_factory=dict)
    default_colors: tuple[int, int] = (0xD0D0D0, 0x101010)
    cursor: tuple[int, int] = (0, 0)

    def redraw(self, events: Sequence[Sequence[Any]]) -> None:
        """Apply one batch."""
        for name, *calls in events:
            handler: Callable[..., None] | None = getattr(self, f"_{name}", None)
            if handler is not None:
                for call in calls:
                    handler(*call)

    def _grid_resize(self, grid: int, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells = [[Cell() for _ in range(width)] for _ in range(height)]

    def _grid_clear(self, grid: int) -> None:
        self._grid_resize(grid, self.width, self.height)

    def _grid_line(self, grid: int, row: int, column: int, cells: Sequence[Sequence[Any]], wrap: bool = False) -> None:
        highlight = 0
        for text, *rest in cells:
            highlight = rest[0] if rest else highlight
            for _ in range(rest[1] if len(rest) > 1 else 1):
                self.cells[row][column] = Cell(text, highlight)
                column += 1

    def _grid_scroll(self, grid: int, top: int, bottom: int, left: int, right: int, rows: int, columns: int) -> None:
        span = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for row in span:
            self.cells[row][left:right] = self.cells[row + rows][left:right]

    def _grid_cursor_goto(self, grid: int, row: int, column: int) -> None:
        self.cursor = (row, column)

    def _hl_attr_define(self, number: int, rgb: dict[str, Any], cterm: dict[str, Any], info: list[Any]) -> None:
        self.highlights[number] = rgb

    def _default_colors_set(self, foreground: int, background: int, *rest: int) -> None:
        self.default_colors = (
            foreground if foreground >= 0 else self.default_colors[0],
            background if background >= 0 else self.default_colors[1],
        )

    def text(self) -> str:
        """The screen's lines without trailing blanks."""
        return "\n".join("".join(cell.text for cell in row).rstrip() for row in self.cells).rstrip()


class Nvim:
    """One embedded Neovim with an attached screen."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> None:
        self.screen = Screen()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment), cwd=cwd
        )
        self._lock = threading.Lock()
        self._answers: dict[int, tuple[Any, Any]] = {}
        self._arrived = threading.Condition()
        self._next = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process that was started: Neovim, or what put it into its namespace."""
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="surrogateescape")
        while data := self._process.stdout.read1(65536):  # type: ignore[attr-defined]
            unpacker.feed(data)
            for message in unpacker:
                with self._arrived:
                    if message[0] == 1:
                        self._answers[message[1]] = (message[2], message[3])
                    elif message[0] == 2 and message[1] == "redraw":
                        self.screen.redraw(message[2])
                    self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    def call(self, method: str, *arguments: Any, timeout: float = 60) -> Any:
        """Call an API function.  Raises NvimError with Neovim's message."""
        with self._lock:
            self._next += 1
            number = self._next
            assert self._process.stdin is not None
            self._process.stdin.write(msgpack.packb([0, number, method, list(arguments)]))
            self._process.stdin.flush()
        with self._arrived:
            if not self._arrived.wait_for(lambda: number in self._answers or not self._reader.is_alive(), timeout):
                raise NvimError(f"{method} was not answered in {timeout} s; the screen:\n{self.screen.text()}")
            if number not in self._answers:
                raise NvimError(f"Neovim ended during {method}")
            error, result = self._answers.pop(number)
        if error is not None:
            raise NvimError(error[1] if isinstance(error, list) else str(error))
        return result

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua; `...` are the arguments."""
        return self.call("nvim_exec_lua", code, list(arguments))

    def command(self, command: str) -> None:
        """Run an Ex command."""
        self.call("nvim_command", command)

    def keys(self, keys: str) -> None:
        """Feed keys as if typed, and wait until they are processed."""
        self.call("nvim_input", keys)
        self.call("nvim_get_mode")

    def type(self, text: str, pause: float = 0.0) -> None:
        """Type text, one key at a time."""
        for character in text:
            self.keys({"<": "<lt>", "\n": "<CR>"}.get(character, character))
            time.sleep(pause)

    def lines(self) -> list[str]:
        """The current buffer's lines."""
        found: list[str] = self.call("nvim_buf_get_lines", 0, 0, -1, True)
        return found

    def line(self) -> str:
        """The cursor's line."""
        found: str = self.call("nvim_get_current_line")
        return found

    def cursor(self) -> tuple[int, int]:
        """Row from 1, column from 0 in bytes."""
        row, column = self.call("nvim_win_get_cursor", 0)
        return row, column

    def peek(self) -> dict[str, Any] | None:
        """The visible suggestion, as the plugin knows it."""
        found: dict[str, Any] | None = self.lua("return require('graft_ls.ghost').peek()")
        return found

    def wait(self, what: Callable[[], Any], timeout: float = 30, say: str = "") -> Any:
        """Ask until the answer is truthy, and return it.  Raises NvimError with the screen."""
        end = time.monotonic() + timeout
        while True:
            answer = what()
            if answer:
                return answer
            if time.monotonic() > end:
                messages = self.call("nvim_exec2", "messages", {"output": True})["output"]
                raise NvimError(f"waited {timeout} s for {say or what}; screen:\n{self.screen.text()}\n{messages}")
            time.sleep(0.02)

    def ghost(self, text: str | None = None, timeout: float = 30) -> str:
        """Wait for a visible suggestion (this one, if given) and return what is left of it."""

        def there() -> Any:
            seen = self.peek()
            return seen if seen is not None and (text is None or seen["text"] == text) else None

        found: str = self.wait(there, timeout, f"ghost text {text!r}")["text"]
        return found

    def on_screen(self, text: str, timeout: float = 20) -> None:
        """Wait until the text stands somewhere on the screen."""
        self.wait(lambda: text in self.screen.text(), timeout, f"{text!r} on the screen")

    def close(self) -> None:
        """End it, and whatever it started."""
        assert self._process.stdin is not None and self._process.stdout is not None
        if self._process.stdin.closed:
            return
        if self._process.poll() is None:
            with contextlib.suppress(NvimError, OSError):
                self.call("nvim_command", "qall!", timeout=10)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdin.close()
        self._reader.join(5)
        self._process.stdout.close()


@contextlib.contextmanager
def started(
    version: str,
    cwd: Path,
    home: Path,
    setup: str = "require('graft_ls').setup({})",
    *,
    offline: bool = False,
    environment: Mapping[str, str] | None = None,
    plugin: bool = True,
) -> Iterator[Nvim]:
    """Neovim with the plugin and no other configuration; `setup` is Lua that runs at its start.

    `offline` puts it, and so all that it starts, into a namespace without network (needs `unshare -rn`).
    """
    home.mkdir(parents=True, exist_ok=True)
    init = home / "init.lua"
    lines = [f"vim.opt.runtimepath:prepend([[{PLUGIN}]])"] if plugin else []
    lines += ["vim.o.swapfile = false", "vim.o.shadafile = 'NONE'", "vim.o.termguicolors = true", setup]
    init.write_text("\n".join(lines) + "\n", "utf-8")
    env = {
        **os.environ,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        **(environment or {}),
    }
    command = [str(nvim_path(version)), "--embed", "-u", str(init), "-i", "NONE", "-n"]
    if offline:
        command = ["unshare", "-rn", *command]
    nvim = Nvim(command, env, cwd)
    try:
        nvim.call("nvim_ui_attach", WIDTH, HEIGHT, {"rgb": True, "ext_linegrid": True})
        # Requests are answered while the configuration still runs, for instance while vim.pack waits for git.
        nvim.wait(lambda: nvim.call("nvim_get_vvar", "vim_did_enter"), 30, "the end of the configuration")
        yield nvim
    finally:
        nvim.close()


def can_go_offline() -> bool:
    """Whether this machine lets us make a namespace without network."""
    return shutil.which("unshare") is not None and subprocess.run(["unshare", "-rn", "true"]).returncode == 0
