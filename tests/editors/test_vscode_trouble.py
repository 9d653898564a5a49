"""What can go wrong around the VS Code extension: one clear message at most, never a loop, never a lost keystroke."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from processes import descendants
from samples import project
from vscode import Code, Window, until
from vscode_fixtures import READY, Open, faked, scripted

STATES: list[tuple[dict[str, Any], str]] = [
    ({"state": "indexing", "busy": True, "done": 3, "total": 9}, "Graft: indexing 3 of 9"),
    ({"state": "loading", "busy": True}, "Graft: model loading"),
    ({"state": "no-model", "kind": "warning"}, "Graft: no model"),
    ({"state": "graph-only"}, "Graft: graph only"),
    ({"state": "restarting", "busy": True}, "Graft: engine restarting"),
    ({"state": "restarted", "kind": "warning"}, "Graft: engine restarted"),
    ({"state": "snoozed", "kind": "inactive"}, "Graft: snoozed"),
    ({"state": "off", "kind": "inactive"}, "Graft: off here"),
    ({"state": "ready"}, "Graft: ready"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small project."""
    return project(tmp_path / "shop")


def shell(code: Code, folder: Path, script: str) -> None:
    """Let the extension use a shell script as its server; each start leaves a line in `starts`."""
    program = folder / "graft-shell"
    program.write_text(f"#!/bin/sh\necho start >> '{folder}/starts'\n{script}\n", "utf-8")
    program.chmod(0o755)
    code.settings(graft__server__path=str(program))


def types_on(window: Window, file: Path) -> None:
    """Whatever the server does, keys arrive and files are saved."""
    window.press("Control+End")
    window.type("done = True")
    window.press("Escape")
    window.save()
    assert file.read_text().endswith("done = True")


def test_a_word_for_every_state(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    script = faked(code, tmp_path, status=READY)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("^Graft: ready$")
    for change, words in STATES:
        temporary = script.with_suffix(".new")
        temporary.write_text(json.dumps({"answers": [], "status": {**READY, **change}}))
        temporary.replace(script)
        window.wait_status(f"^{words}$", 10)
    window.command("Graft: Actions")
    window.page.locator(".quick-input-list .monaco-list-row", has_text="Doctor").first.wait_for()
    window.picture("menu")
    window.press("Escape")
    assert window.notifications() == []


def test_without_a_server_it_offers_to_install_once(code: Code, open_window: Open, shop: Path) -> None:
    code.settings()
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: install")
    until(window.notifications, 10, "a message")
    assert window.notifications() == ["Graft's server is not installed. Install it into a private environment?"]
    window.page.locator(".notification-toast .monaco-button", has_text="Not Now").click()
    window.open_file("shop.py", expect="Basket")
    window.page.wait_for_timeout(1500)
    assert window.notifications() == []
    types_on(window, shop / "shop.py")


def test_a_wrong_setting_is_named(code: Code, open_window: Open, shop: Path) -> None:
    code.settings(graft__server__path="/nothing/graft")
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    said = until(window.notifications, 10, "a message")
    assert len(said) == 1 and "/nothing/graft" in said[0]


def test_an_old_server_is_refused_once(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    faked(code, tmp_path, version="0.0.9")
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: update")
    said = until(window.notifications, 10, "a message")
    assert len(said) == 1 and "0.0.9" in said[0]
    types_on(window, shop / "main.py")


@pytest.mark.parametrize(
    ("name", "script", "reason"),
    [
        ("crashing", "echo 'ImportError: no module named graft' >&2; exit 3", "ImportError: no module named graft"),
        (
            "garbage",
            "while true; do echo 'Hello, I am no language server'; sleep 0.1; done",
            "no message of the protocol",
        ),
    ],
)
def test_a_server_that_cannot_work(
    code: Code, open_window: Open, shop: Path, tmp_path: Path, name: str, script: str, reason: str
) -> None:
    """Started five times, with longer and longer pauses; then one message, and no more."""
    shell(code, tmp_path, script)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: stopped", 60)
    said = until(window.notifications, 10, "a message")
    assert len(said) == 1 and said[0].startswith("Graft's server keeps stopping") and reason in said[0]
    types_on(window, shop / "main.py")
    window.open_file("shop.py", expect="Basket")
    window.page.wait_for_timeout(2000)
    assert (tmp_path / "starts").read_text().count("start") == 5
    # Escape took it off the screen, and it did not come back.
    assert window.notifications() == []
    assert not [c for _, c in descendants(code.pid) if "graft-shell" in c]


AWKWARD = "it's a shop 🛒 (new)"


def test_a_path_with_spaces_emoji_and_a_quote(code: Code, open_window: Open, tmp_path: Path) -> None:
    folder = project(tmp_path / AWKWARD)
    scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"})
    window = open_window(folder)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn ")
    window.wait_ghost("basket.total_price()")
    window.press("Tab", "Enter", "Shift+Tab")
    window.type("print(make_baskt)")
    window.press("Escape")
    window.save()
    until(lambda: window.squiggles() == 1, 20, "a squiggle")
    assert "return basket.total_price()" in (folder / "main.py").read_text()


def test_fifty_thousand_lines(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    (shop / "long.py").write_text("".join(f"value_{n} = {n}\n" for n in range(50_000)))
    scripted(code, tmp_path, by_line={"last = ": "value_1 + value_2\n"})
    window = open_window(shop)
    window.open_file("long.py", expect="value_3 = 3")
    window.wait_status("Graft: ready", 60)
    window.press("Control+End")
    window.type("last = ")
    window.wait_ghost("value_1 + value_2", 30)
    window.press("Tab")
    window.save()
    assert (shop / "long.py").read_text().endswith("value_49999 = 49999\nlast = value_1 + value_2")
    assert window.notifications() == []


def test_an_untitled_buffer(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    scripted(code, tmp_path, by_line={"total = ": "1 + 2\n"})
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.command("File: New Untitled Text File")
    window.page.locator(".tab.active", has_text="Untitled").first.wait_for()
    window.command("Change Language Mode")
    box = window.page.locator(".quick-input-widget input").first
    box.fill("Python")
    window.pick("Python")
    until(window.focused, 10, "the cursor in the editor")
    window.type("total = ")
    window.wait_ghost("1 + 2")
    window.press("Tab")
    assert window.text().rstrip() == "total = 1 + 2"
    assert window.notifications() == []


def test_a_diff_view(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    beside = {"diffEditor__renderSideBySide": True, "diffEditor__useInlineViewWhenSpaceIsLimited": False}
    scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"}, **beside)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.command("File: Compare Active File with Clipboard")
    window.page.locator(".monaco-diff-editor").first.wait_for()
    # Into the middle: near its top the right half may lie under the hover of the new tab.
    half = window.page.locator(".monaco-diff-editor .editor.modified").first.bounding_box()
    assert half is not None
    window.page.mouse.click(half["x"] + half["width"] / 2, half["y"] + half["height"] / 2)
    until(window.focused, 10, "the cursor in the right half")
    window.press("Control+End")
    window.type("\n\ndef more(basket):\nreturn ")
    window.wait_ghost("basket.total_price()", 20)
    assert window.notifications() == []


def test_a_file_deleted_outside(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"})
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    (shop / "main.py").unlink()
    (shop / "shop.py").unlink()
    window.page.locator(
        ".tab.active.deleted, .tab.active .strikethrough, .tab.active .monaco-icon-label.strikethrough"
    ).first.wait_for()
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn ")
    window.wait_ghost("basket.total_price()", 20)
    assert window.notifications() == []
    assert window.status() == "Graft: ready"
    assert "Traceback" not in code.logs("Graft.log")
