"""Installing the server from the extension: no command typed, no network asked, nothing left over from a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import project
from vscode import Code, until
from vscode_fixtures import Open
from vscode_steps import install, wheel_folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small project."""
    return project(tmp_path / "shop")


def environment(code: Code) -> Path:
    """Where the extension puts its private environment."""
    return code.user / "User/globalStorage/graft-ls.graft-ls/environment"


def test_a_folder_that_does_not_hold_graft(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    code.settings()
    (tmp_path / "empty").mkdir()
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: install")
    window.page.locator(".notification-toast .monaco-button", has_text="Install").first.click()
    window.pick("From a folder of wheels")
    box = window.page.locator(".quick-input-widget input").first
    until(lambda: "/" in box.input_value(), 15, "the dialog for a folder")
    box.fill(f"{tmp_path / 'empty'}/")
    window.page.wait_for_timeout(300)
    window.press("Enter")
    said = until(window.notifications, 20, "a message")
    assert len(said) == 1 and "no wheel of Graft" in said[0]
    assert not environment(code).exists()
    assert window.status() == "Graft: install"


def test_from_a_folder_of_wheels_to_ghost_text(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    wheels = wheel_folder(tmp_path / "wheels")
    code.settings()
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    seconds = install(window, wheels)
    window.wait_status("Graft: ready", 60)
    window.press("Control+End")
    window.type("\n\ndef later(items):\nreturn make_basket(items).disc")
    assert window.wait_ghost(seconds=60).startswith("ount_percent")
    print(f"installed, started and ready in {seconds:.0f} s")
    assert (environment(code) / "bin/graft").exists()
    assert window.notifications() == []
