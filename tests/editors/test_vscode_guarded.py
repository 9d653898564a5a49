"""A home that nothing can be written to, and a workspace that is not trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import project
from vscode import Code, until
from vscode_fixtures import Open, scripted

TRUST = {"enabled": True, "startupPrompt": "never", "banner": "never", "untrustedFiles": "open"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small project."""
    return project(tmp_path / "shop")


def test_a_read_only_home(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    """Nothing can be written for the next time: the index is in memory, the keys and the file are as always."""
    program = Path(scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"}))
    # A home below /proc can be made by nobody, root included.
    homes = "".join(
        f"export {name}=/proc/none\n" for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    )
    program.write_text(program.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{homes}", 1))
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn ")
    window.wait_ghost("basket.total_price()")
    window.press("Tab")
    window.save()
    assert "return basket.total_price()" in (shop / "main.py").read_text()
    window.page.wait_for_timeout(1000)
    assert len(window.notifications()) <= 1
    assert "Traceback" not in code.logs("Graft.log")


def test_an_untrusted_workspace_does_not_supply_the_program(
    code: Code, open_window: Open, shop: Path, tmp_path: Path
) -> None:
    """Its virtual environment is not touched and no test is run in it, until the person trusts it."""
    real = Path(scripted(code, tmp_path, answers=["pass\n"]))
    environment = shop / ".venv/bin"
    environment.mkdir(parents=True)
    canary = tmp_path / "canary"
    (environment / "graft").write_text(real.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\ntouch '{canary}'\n", 1))
    (environment / "graft").chmod(0o755)
    # A setting of the workspace may not name a program either.
    (shop / ".vscode").mkdir()
    (shop / ".vscode/settings.json").write_text(json.dumps({"graft.server.path": str(environment / "graft")}))
    trust = {f"security__workspace__trust__{name}": value for name, value in TRUST.items()}
    code.settings(**trust)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: install")
    window.answer("Not Now")
    window.command("Graft: Repair a Failing Test")
    until(lambda: any("trusted workspace" in said for said in window.notifications()), 10, "a refusal")
    window.press("Control+End")
    window.type("done = True")
    window.press("Escape")
    window.save()
    assert (shop / "main.py").read_text().endswith("done = True")
    assert not canary.exists()
    # By the status bar: the palette lacks the command in windows that were slow to come up.
    window.page.locator(".statusbar-item", has_text="Restricted Mode").first.click()
    window.page.locator(".workspace-trust-editor .monaco-button", has_text="Trust").first.click()
    until(canary.exists, 20, "the workspace's own program")
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
