"""Each command of the extension in a real VS Code, as the palette runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from processes import descendants
from samples import project
from vscode import Code, Window, until
from vscode_fixtures import Open, scripted

from graft_testing import faulty_http as web

EMBEDDED = Path(__file__).parents[2] / "models/graft_models/weights/graft-embedded.gguf"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small project."""
    return project(tmp_path / "shop")


@pytest.fixture
def window(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> Window:
    """A window with a ready server and its file in front."""
    scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"})
    made = open_window(shop)
    made.open_file("main.py", expect="total_price")
    made.wait_status("Graft: ready")
    return made


def servers(code: Code) -> list[int]:
    """Processes of the language server."""
    return [process for process, command in descendants(code.pid) if "graft_testing.scripted_server" in command]


def chosen(code: Code) -> dict[str, Any]:
    """The settings on the disk: the user's, and the machine's, where paths go when the browser is elsewhere."""
    found: dict[str, Any] = {}
    for name in ("User", "Machine"):
        path = code.user / name / "settings.json"
        found |= json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def test_restart_log_index_statistics_and_doctor(code: Code, window: Window, shop: Path) -> None:
    (before,) = servers(code)
    window.command("Graft: Restart")
    until(lambda: servers(code) and before not in servers(code), 20, "another server")
    window.wait_status("Graft: ready")
    window.command("Graft: Index Now")
    window.wait_status("Graft: ready")
    window.command("Graft: Show Log")
    panel = window.page.locator(".part.panel")
    panel.locator(".view-line", has_text="server: ").first.wait_for()
    window.command("View: Hide Panel")
    window.command("Graft: Statistics")
    window.page_text("Graft statistics.txt", "graft/stats")
    window.command("Graft: Doctor")
    window.page_text("Graft doctor.txt", "llama.cpp", 120)
    # The pages are nothing that suggestions are made in, and nobody complained.
    assert window.notifications() == []
    assert len(servers(code)) == 1


def test_a_command_without_a_server_says_so_once(code: Code, open_window: Open, shop: Path) -> None:
    code.settings()
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: install")
    window.answer("Not Now")
    for _ in range(2):
        window.command("Graft: Doctor")
    assert until(window.notifications, 10, "a message") == ["Graft's server is not installed."]


def test_the_walkthrough(window: Window) -> None:
    window.command("Welcome: Open Walkthrough")
    window.pick("Get started with Graft")
    steps = window.page.locator(".getting-started-step .step-title")
    until(lambda: steps.count() == 5, 20, "five steps")
    titles = [str(title).strip() for title in steps.all_inner_texts()]
    assert titles == ["Install the server", "Type", "Save", "Choose a model", "Keep it quiet"]
    for step in (1, 2, 4):
        steps.nth(step).click()
        until(lambda: len(window.pictures()) == 1 and all(window.pictures()), 15, f"the picture of {titles[step]}")
    # A step's button runs its command.
    window.page.locator(".getting-started-step .monaco-button", has_text="Snooze").first.click()
    until(lambda: any("For 5 minutes" in row for row in window.rows()), 10, "what to snooze")


def test_menu_and_tooltip_of_the_status_item(window: Window) -> None:
    said = window.tooltip()
    for part in ("Model", "Index", "Today", "Click for everything else"):
        assert part in said, said
    window.page.locator('.statusbar-item[id*="graft.status"] a').first.click()
    # The list of files may still be closing.
    rows = until(lambda: " ".join(window.rows()) if any("Snooze" in row for row in window.rows()) else "", 10, "a menu")
    for part in ("Show what the model saw", "Choose a model", "Statistics", "Doctor", "Show log", "Restart"):
        assert part.lower() in str(rows).lower(), rows
    window.press("Escape")


class Slow:
    """A download that stands still after its first three megabytes until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, handler: web.Handler) -> None:
        begin, content = handler.start(), handler.faulty.content
        handler.send_response(206 if begin else 200)
        handler.send_header("Content-Length", str(len(content) - begin))
        handler.send_header("ETag", web.ETAG)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        handler.end_headers()
        half = max(begin, 3_000_000)
        handler.wfile.write(content[begin:half])
        handler.wfile.flush()
        self.go.wait(60)
        handler.wfile.write(content[half:])


def download(window: Window, address: str) -> None:
    """Ask for the model at an address, and agree to its terms."""
    window.command("Graft: Download a Model")
    # Which models fit this machine is measured first.
    until(lambda: any("Qwen" in row for row in window.rows(60)), 60, "the catalogue")
    box = window.page.locator(".quick-input-widget input").first
    box.fill("An address")
    window.pick("An address of a GGUF file")
    until(lambda: not window.page.locator(".quick-input-list .monaco-list-row").count(), 10, "the question")
    window.page.locator(".quick-input-widget input").first.fill(address)
    window.press("Enter")
    dialog = window.page.locator(".monaco-dialog-box")
    dialog.get_by_text("Licence: not known").wait_for()
    window.answer("Download")


def test_download_cancel_resume_use_and_choose(code: Code, window: Window) -> None:
    """The real program against a server that is slow: progress, cancel, on from there, use it, and back."""
    models = code.home / ".local/share/graft/models"
    content = EMBEDDED.read_bytes()
    slow = Slow()
    with web.serving(content, slow) as server:
        address = f"{server.address}/other.gguf"
        download(window, address)
        progress = window.page.locator(".notification-toast", has_text="downloading other.gguf")
        progress.get_by_text("%").first.wait_for()
        window.answer("Cancel")
        part = models / "other.gguf.part"
        until(lambda: window.notifications() == [], 20, "no message after cancelling")
        assert part.stat().st_size >= 2_000_000, "what has come is kept"
        assert not (models / "other.gguf").exists()
        slow.go.set()
        download(window, address)
        until(lambda: any("is on this machine" in said for said in window.notifications()), 60, "the end of it")
        assert "range" in server.seen[-1].headers, "it went on from there"
    assert (models / "other.gguf").read_bytes() == content
    window.answer("Use It")
    until(lambda: chosen(code).get("graft.model.path") == str(models / "other.gguf"), 10, "the setting")
    window.command("Graft: Choose a Model")
    until(lambda: len([row for row in window.rows() if "million parameters" in row]) == 2, 20, "two models")
    window.pick("The model that comes with Graft")
    until(lambda: "graft.model.path" not in chosen(code), 10, "no setting")


def test_a_download_that_cannot_be_is_one_message(code: Code, window: Window) -> None:
    with web.serving(b"", web.status(404)) as server:
        download(window, f"{server.address}/nothing.gguf")
        said = until(lambda: [s for s in window.notifications() if "404" in s], 60, "a message")
    assert len(said) == 1
    until(lambda: window.notifications() == said, 10, "nothing else")


BROKEN = "def double(number):\n    return number + 2\n"
TESTS = """\
from calc import double

assert double(2) == 4
assert double(3) == 6
assert double(5) == 10
"""


def test_repair_a_failing_test(code: Code, open_window: Open, tmp_path: Path) -> None:
    """The command line is shown and confirmed; nothing runs before, nothing changes before a patch is taken."""
    folder = tmp_path / "calc"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("")
    (folder / "calc.py").write_text(BROKEN)
    (folder / "test_calc.py").write_text(TESTS)
    scripted(code, tmp_path)
    window = open_window(folder)
    window.open_file("calc.py", expect="number + 2")
    # Without a model: the operators suffice.
    window.wait_status("Graft: (ready|no model|graph only)")
    for confirmed in (False, True):
        window.command("Graft: Repair a Failing Test")
        box = window.page.locator(".quick-input-widget input").first
        until(lambda box=box: "pytest" in box.input_value() or "python3" in box.input_value(), 10, "the command line")
        box.fill("python3 test_calc.py")
        window.press("Enter")
        dialog = window.page.locator(".monaco-dialog-box")
        dialog.get_by_text("python3 test_calc.py").first.wait_for()
        if not confirmed:
            window.answer("Cancel")
            window.page.wait_for_timeout(500)
            assert not [c for _, c in descendants(code.pid) if " repair " in c]
            continue
        window.answer("Run")
    until(lambda: any("found a patch" in said for said in window.notifications()), 120, "a patch")
    window.page_text("Graft patch.diff", "+    return number")
    assert (folder / "calc.py").read_text() == BROKEN
    window.answer("Apply")
    window.open_file("calc.py")
    until(lambda: window.text().strip() != BROKEN.strip(), 10, "the patch")
    window.save()
    assert subprocess.run([sys.executable, "test_calc.py"], cwd=folder).returncode == 0
