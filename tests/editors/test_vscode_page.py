"""What a person sees of the extension before using it: its page, with pictures and icon, and where it runs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from samples import project
from vscode import VSIX, Code, until
from vscode_fixtures import Open, scripted


def test_its_page_shows_icon_and_pictures(code: Code, open_window: Open, tmp_path: Path) -> None:
    window = open_window(project(tmp_path / "shop"))
    window.press("Control+Shift+x")
    row = window.page.locator(".extensions-list .monaco-list-row", has_text="Completes and repairs code").first
    row.click()
    page = window.page.locator(".extension-editor")
    page.get_by_text("Completes and repairs code on your own laptop").first.wait_for()
    icon = page.locator("img.icon").first
    until(lambda: icon.evaluate("e => e.complete && e.naturalWidth > 0"), 15, "the icon")

    until(lambda: len(window.pictures()) == 3 and all(window.pictures()), 20, "three pictures")
    window.picture("page")
    assert window.notifications() == []


def test_it_runs_where_the_files_are_and_is_small() -> None:
    with zipfile.ZipFile(VSIX) as packed:
        declared = json.loads(packed.read("extension/package.json"))
        names = packed.namelist()
    assert declared["extensionKind"] == ["workspace"]
    assert all(event.startswith("onLanguage:") for event in declared["activationEvents"])
    assert VSIX.stat().st_size < 500_000
    assert not [name for name in names if name.endswith((".ts", ".map")) or "node_modules" in name]


def test_settings_of_earlier_versions_are_said_once_and_still_heeded(
    code: Code, open_window: Open, tmp_path: Path
) -> None:
    shop = project(tmp_path / "shop")
    old = {"graft__completion__enable": False, "graft__completion__maxTokens": 10}
    program = scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"}, **old)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: off here")
    until(lambda: "is no longer a setting" in window.tooltip(), 20, "a word about the old settings")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn ")
    window.page.wait_for_timeout(700)
    assert not window.ghost()
    window.change_settings(graft__server__path=program, graft__completion__maxTokens=10)
    window.wait_status("Graft: ready")
    window.press("Backspace")
    window.type(" ")
    window.wait_ghost("basket.total_price()")
    assert window.notifications() == []
    log = code.logs("Graft.log")
    assert "'completion.enable' is no longer a setting: `completion.eagerness` has the value 'off'" in log
