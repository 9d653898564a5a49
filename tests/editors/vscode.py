"""A real VS Code (code-server) in a real browser: keys in, what is on the screen and on the disk out."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft_testing import parts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "clients/vscode"
VSIX = EXTENSION / "graft-ls.vsix"
CHROMIUM_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
SETTINGS: dict[str, Any] = {
    "security.workspace.trust.enabled": False,
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "window.restoreWindows": "none",
    "files.hotExit": "off",
    # In a browser VS Code saves by itself; on a desktop it does not.
    "files.autoSave": "off",
    "telemetry.telemetryLevel": "off",
    "extensions.autoCheckUpdates": False,
    "git.enabled": False,
    "chat.commandCenter.enabled": False,
}
WIDTH, HEIGHT = 1100, 700
PATIENCE = float(os.environ.get("GRAFT_PATIENCE") or 1)
"""How many times as long everything is waited for: more on a machine that is busy with other things."""


def program(part: str, name: str) -> Path:
    """The starter of a part; fails where setup_vscode.py has not run."""
    path = parts.program(part, name)
    if path is None:
        raise FileNotFoundError(f"{part} is not there: run tests/editors/setup_vscode.py")
    return path


def until(true: Callable[[], Any], seconds: float = 30, what: str = "") -> Any:
    """What `true` returns once it is true; AssertionError after `seconds`."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what or 'it'} did not come within {seconds:g} s; last: {found!r}")
        time.sleep(0.05)


class Code:
    """One code-server with its own home, settings and extensions."""

    def __init__(
        self, home: Path, *, environment: Mapping[str, str] | None = None, prefix: tuple[str, ...] = ()
    ) -> None:
        self.home = home
        self.user = home / "user"
        self.extensions = home / "extensions"
        (self.user / "User").mkdir(parents=True, exist_ok=True)
        self.extensions.mkdir(exist_ok=True)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("VSCODE", "XDG", "GRAFT"))},
            "HOME": str(home),
            # Only the system: a `graft` of the developer's own environment must not be found by chance.
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            **(environment or {}),
        }
        self._prefix = prefix
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.settings()

    def _command(self, *arguments: str) -> list[str]:
        folders = ["--user-data-dir", str(self.user), "--extensions-dir", str(self.extensions)]
        return [*self._prefix, str(program("vscode", "code-server")), *folders, *arguments]

    def settings(self, **values: Any) -> None:
        """Write the user's settings: those that make the tests quiet, and `values` (underscores stand for dots)."""
        file = self.user / "User/settings.json"
        file.write_text(json.dumps(self.chosen(**values), indent=2), "utf-8")

    def chosen(self, **values: Any) -> dict[str, Any]:
        """The content of the user's settings."""
        return {**SETTINGS, **{name.replace("__", "."): value for name, value in values.items()}}

    def install(self, *packed: Path) -> None:
        """Install packed extensions (ours, if none is named) the way `code --install-extension` does."""
        arguments = [part for vsix in packed or (VSIX,) for part in ("--install-extension", str(vsix))]
        done = subprocess.run(self._command(*arguments), env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0 and "successfully installed" in done.stdout, done.stdout + done.stderr

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = ("--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}", "--disable-telemetry")
        log = (self.home / "code-server.log").open("ab")
        tries = 0

        def answers() -> bool:
            nonlocal tries
            if self._process is None or self._process.poll() is not None:
                # Its two processes wait ten seconds for each other; a busy machine takes longer: then it is begun anew.
                assert tries < 5 and (tries == 0 or self.said().rstrip().endswith("timed out")), self.said()
                tries += 1
                command = self._command(*options, "--disable-update-check")
                self._process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
            address = f"http://127.0.0.1:{self.port}/healthz"
            with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2) as reply:
                return bool(reply.status == 200)
            return False

        until(answers, 60, "code-server")

    def said(self) -> str:
        """What code-server itself wrote."""
        return (self.home / "code-server.log").read_text("utf-8", "replace")

    def logs(self, name: str) -> str:
        """All log files of that name, such as Graft.log or remoteexthost.log, oldest first."""
        files = sorted((self.user / "logs").rglob(name), key=lambda path: path.stat().st_mtime)
        return "\n".join(path.read_text("utf-8", "replace") for path in files)

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it and all it started."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Window:
    """One window of it."""

    def __init__(self, code: Code, page: Page, folder: Path | None) -> None:
        self.code = code
        self.page = page
        self.folder = folder

    # -- doing ---------------------------------------------------------------------------------------------------------
    def open_file(self, name: str, *, expect: str = "") -> None:
        """Open a file of the workspace, or of an absolute path, and put the cursor into it."""
        # Quick Open with a whole path: the search by name needs a program (ripgrep) that npm does not bring.
        path = Path(self.folder or "/", name)
        self.page.keyboard.press("Control+p")
        box = self.page.locator(".quick-input-widget input").first
        box.wait_for(state="visible")
        box.fill(str(path))
        row = self.page.locator(".quick-input-list .monaco-list-row").first
        row.locator(".label-name", has_text=path.name).first.wait_for()
        self.page.keyboard.press("Enter")
        tab = self.page.locator(".tab.active", has_text=path.name)
        tab.first.wait_for()
        until(lambda: self.focused(), 10, "the cursor in the editor")
        if expect:
            until(lambda: expect in self.text(), 10, f"{expect!r} in the editor")

    def open_notebook(self, name: str) -> None:
        """Open a notebook of the workspace."""
        self.page.locator(".explorer-folders-view .monaco-list-row", has_text=name).first.dblclick()
        self.page.locator(".notebookOverlay .cell .view-lines").first.wait_for()

    def focused(self) -> bool:
        """Whether the text editor has the keyboard."""
        return bool(self.page.evaluate("!!document.activeElement?.closest('.monaco-editor')"))

    def press(self, *keys: str) -> None:
        """Press keys by name, such as Control+End."""
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str, delay: float = 40) -> None:
        """Type like a person: one key after the other, `delay` milliseconds apart."""
        self.page.keyboard.type(text, delay=delay)

    def paste(self, text: str) -> None:
        """Put text in as one piece, so that the editor adds no brackets."""
        self.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        self.press("Control+v")

    def change_settings(self, **values: Any) -> None:
        """Change the user's settings as a person does: in their file, in the editor, with Ctrl+S."""
        front = self.page.locator(".tab.active").first.get_attribute("data-resource-name") or ""
        self.command("Preferences: Open User Settings (JSON)")
        self.page.locator(".tab.active", has_text="settings.json").first.wait_for()
        until(self.focused, 10, "the cursor in the settings")
        chosen = self.code.chosen(**values)
        self.press("Control+a")
        self.paste(json.dumps(chosen))
        self.press("Control+s")
        file = self.code.user / "User/settings.json"
        until(lambda: file.read_text("utf-8") == json.dumps(chosen), 10, "the settings on the disk")
        self.command("View: Close Editor")
        self.page.locator(".tab.active", has_text=front).first.wait_for()
        until(self.focused, 10, "the cursor in the editor")

    def command(self, title: str) -> None:
        """Run a command by its title, as the palette shows it."""
        self.page.keyboard.press("F1")
        box = self.page.locator(".quick-input-widget input").first
        box.wait_for(state="visible")
        box.fill(">" + title)
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=title).first
        row.wait_for()
        row.click()

    def pick(self, label: str) -> None:
        """Choose an entry of the open list."""
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=label).first
        row.wait_for()
        row.click()

    def save(self) -> None:
        """Ctrl+S, until no tab is dirty."""
        self.page.keyboard.press("Control+s")
        until(lambda: self.page.locator(".tab.active.dirty").count() == 0, 10, "saving")

    # -- seeing --------------------------------------------------------------------------------------------------------
    def ghost(self) -> str:
        """The ghost text on the screen, all its lines."""
        script = """() => {
            const inline = [...document.querySelectorAll('.ghost-text-decoration, .ghost-text-decoration-preview')];
            const below = [...document.querySelectorAll('.suggest-preview-text .view-line')];
            return [inline.map(e => e.textContent).join(''), ...below.map(e => e.textContent)].join('\\n');
        }"""
        said: str = self.page.evaluate(script)
        return said.replace("\u00a0", " ").replace("\u200b", "").rstrip("\n")

    def wait_ghost(self, text: str | None = None, seconds: float = 15) -> str:
        """Wait for ghost text, or for exactly this one."""
        if text is None:
            return str(until(self.ghost, seconds, "ghost text"))
        until(lambda: self.ghost() == text, seconds, f"ghost text {text!r} (is {self.ghost()!r})")
        return text

    def text(self) -> str:
        """The editor's visible lines, ghost text left out."""
        script = """() => [...document.querySelectorAll('.editor-instance .view-lines > .view-line')]
            .sort((a, b) => parseInt(a.style.top) - parseInt(b.style.top))
            .map(line => [...line.querySelectorAll('span > span')].filter(s => !s.className.includes('ghost-text'))
                .map(s => s.textContent).join('')).join('\\n')"""
        said: str = self.page.evaluate(script)
        return said.replace("\u00a0", " ").replace("\u200b", "")

    def status(self) -> str:
        """The words of Graft's status item; empty if there is none."""
        item = self.page.locator('.statusbar-item[id*="graft.status"]')
        return str(item.first.inner_text()).strip() if item.count() else ""

    def wait_status(self, words: str, seconds: float = 30) -> str:
        """Wait until the status item's words match a pattern.

        A window of a slow machine now and then comes up without the user's settings, and keeps none until their file
        changes: then the extension finds no server.  So their file is written once more.
        """
        file = self.code.user / "User/settings.json"
        patience = time.monotonic() + 10

        def matches() -> str:
            nonlocal patience
            said = self.status()
            if re.search(words, said):
                return said
            if "install" in said and time.monotonic() > patience and "graft.server.path" in file.read_text("utf-8"):
                patience = float("inf")
                file.write_text(file.read_text("utf-8") + "\n", "utf-8")
            return ""

        return str(until(matches, seconds, f"status {words!r}, {self.status()!r},"))

    def notifications(self) -> list[str]:
        """Messages on the screen now."""
        return [
            str(t) for t in self.page.locator(".notifications-toasts .notification-list-item-message").all_inner_texts()
        ]

    def activation(self) -> int:
        """Milliseconds that the extension took to load and activate, as Running Extensions says."""
        self.command("Developer: Show Running Extensions")
        row = self.page.locator(".editor-instance .extension", has_text="Graft").first
        row.wait_for()
        said = row.locator(".activation-time").first.inner_text()
        match = re.search(r"(\d+)\s*ms", said)
        assert match, said
        return int(match.group(1))

    def rows(self, seconds: float = 30) -> list[str]:
        """The visible entries of the open list, as soon as there are any."""
        found = self.page.locator(".quick-input-list .monaco-list-row")
        until(lambda: found.count() > 0, seconds, "a list")
        return [str(row).replace("\n", " ") for row in found.all_inner_texts()]

    def answer(self, button: str, seconds: float = 15) -> None:
        """Press a button of a message or of a dialog."""
        buttons = ".notification-toast .monaco-button, .monaco-dialog-box .monaco-button"
        found = self.page.locator(buttons, has_text=re.compile(f"^{re.escape(button)}$")).first
        found.wait_for(timeout=seconds * 1000 * PATIENCE)
        found.click()

    def page_text(self, title: str, part: str, seconds: float = 60) -> None:
        """Wait for a page that the extension opens, and until `part` stands there."""
        self.page.locator(".tab.active", has_text=title).first.wait_for(timeout=seconds * 1000 * PATIENCE)
        until(lambda: part in self.text(), 10, f"{part!r} on the page {title}")

    def pictures(self) -> list[int]:
        """Widths of the pictures on a page of Markdown, as they came; 0 for one that is broken."""
        from playwright.sync_api import Error

        # A page that is about to be replaced by the next may go while it is asked.
        with contextlib.suppress(Error):
            for frame in self.page.frames:
                element = frame.frame_element() if frame.parent_frame else None
                if element is not None and element.get_attribute("id") == "active-frame":
                    return list(frame.evaluate("[...document.images].map(e => e.complete ? e.naturalWidth : 0)"))
        return []

    def tooltip(self) -> str:
        """What the status item says under the mouse."""
        self.page.locator('.statusbar-item[id*="graft.status"]').first.hover()
        hover = self.page.locator(".workbench-hover, .monaco-hover").filter(has_text="on this machine only").first
        hover.wait_for()
        return str(hover.inner_text())

    def squiggles(self) -> int:
        """Underlined places on the screen."""
        return int(self.page.locator(".editor-instance .squiggly-error, .editor-instance .squiggly-warning").count())

    def picture(self, name: str, height: int = HEIGHT) -> None:
        """Keep a picture of the editor's upper part (of the whole window at full height) where GRAFT_PICTURES says."""
        where = os.environ.get("GRAFT_PICTURES")
        if not where:
            return
        Path(where).mkdir(parents=True, exist_ok=True)
        left, top = (0, 0) if height == HEIGHT else (323, 35)
        clip: Any = {"x": left, "y": top, "width": WIDTH - left, "height": height}
        self.page.screenshot(path=str(Path(where) / f"{name}.png"), clip=clip)

    def explain(self, name: str) -> None:
        """What there is to see after a failure: a screenshot, and the end of the extension's log."""
        path = Path(os.environ.get("GRAFT_FAILED", self.code.home)) / f"{name}.png"
        self.page.screenshot(path=str(path))
        print(f"screenshot: {path}; Graft.log:\n{self.code.logs('Graft.log')[-3000:]}", file=sys.stderr)


def launch(playwright: Playwright) -> Browser:
    """The browser, headless."""
    return playwright.chromium.launch(executable_path=str(program("chromium", "chromium")), args=list(CHROMIUM_FLAGS))


@contextlib.contextmanager
def window(code: Code, browser: Browser, folder: Path | None, *, workspace: Path | None = None) -> Iterator[Window]:
    """Open a folder (or a .code-workspace file) in a window of its own; wait until the workbench stands."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    context.set_default_timeout(15_000 * PATIENCE)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    try:
        query = f"workspace={workspace}" if workspace is not None else f"folder={folder}" if folder else "ew=true"
        page.goto(f"http://127.0.0.1:{code.port}/?{urllib.parse.quote(query, safe='=/')}", timeout=60_000 * PATIENCE)
        page.locator(".statusbar-item").first.wait_for(timeout=60_000 * PATIENCE)
        yield Window(code, page, folder)
    finally:
        context.close()


def wrapper(
    path: Path,
    *command: str,
    environment: Mapping[str, str] | None = None,
    serve: tuple[str, ...] = (),
) -> Path:
    """An executable file that runs `command` with what it is given, to be named by graft.server.path; `serve`, if
    there is one, in place of it where the first argument is `serve`."""
    lines = ["#!/bin/sh", *(f"export {k}='{v}'" for k, v in (environment or {}).items())]
    if serve:
        lines.append('[ "$1" = serve ] && exec ' + " ".join(f"'{part}'" for part in serve) + ' "$@"')
    lines.append("exec " + " ".join(f"'{part}'" for part in command) + ' "$@"')
    path.write_text("\n".join(lines) + "\n", "utf-8")
    path.chmod(0o755)
    return path
