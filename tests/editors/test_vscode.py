"""The packed extension in a real VS Code: a person's keys in, the screen and the saved file out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import descendants
from samples import project
from vscode import Code, until
from vscode_fixtures import Open, real, scripted


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small project."""
    return project(tmp_path / "shop")


def test_type_see_take_save_and_mend(code: Code, open_window: Open, shop: Path) -> None:
    """The main job with the real server and its own model."""
    real(code)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready", 60)
    window.press("Control+End")
    window.type("\n\ndef later(items):\nreturn make_basket(items).disc")
    shown = window.wait_ghost(seconds=60)
    assert shown.startswith("ount_percent"), shown
    window.picture("ghost-text", 270)
    window.press("Tab")
    window.save()
    saved = (shop / "main.py").read_text()
    assert "    return make_basket(items).disc" + shown.split("\n")[0] in saved
    # A name that does not exist, seen on saving and mended by the light bulb.
    window.press("Control+End", "Enter", "Shift+Tab")
    window.type("print(make_baskt)")
    window.press("Escape")
    window.save()
    until(lambda: window.squiggles() == 1, 20, "a squiggle")
    window.press("ArrowLeft", "ArrowLeft")
    window.press("Control+.")
    window.page.get_by_text("finding gone, nothing new").first.wait_for()
    window.picture("fix", 340)
    window.press("Enter")
    until(lambda: "print(make_basket)" in window.text(), 10, "the fix")
    window.save()
    assert "print(make_basket)" in (shop / "main.py").read_text()
    until(lambda: window.squiggles() == 0, 20, "no squiggle")
    # The server was told of the acceptance by the item's command.
    events = [json.loads(line) for line in next(code.home.rglob("events.jsonl")).read_text().splitlines()]
    assert [e["by"] for e in events if e["event"] == "accepted"] == ["client"]


def test_a_word_then_escape_then_tab_is_tab(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"})
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn ")
    window.wait_ghost("basket.total_price()")
    window.press("Control+ArrowRight")
    window.wait_ghost(".total_price()")
    assert window.text().rstrip().endswith("return basket")
    window.press("Escape")
    until(lambda: not window.ghost(), 5, "no ghost text")
    # Without ghost text, Tab indents: the end of a line, and a selection.
    window.press("Tab")
    window.press("Control+End", "Enter")
    window.press("Tab")
    window.type("pass", delay=10)
    window.press("Escape")
    window.save()
    last = (shop / "main.py").read_text().splitlines()[-2:]
    assert last[0].rstrip() == "    return basket" and last[0] != last[0].rstrip()
    assert last[1].startswith("        ") and last[1].endswith("pass")


def test_auto_closed_pairs(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    scripted(code, tmp_path, by_line={"make_basket(": "items)\n"})
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(items):\nreturn make_basket(")
    window.wait_ghost()
    assert window.text().rstrip().endswith("make_basket()"), "the editor closes the bracket by itself"
    window.press("Tab")
    window.press("Escape")
    window.save()
    assert (shop / "main.py").read_text().splitlines()[-1] == "    return make_basket(items)"


def test_beside_the_open_list(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    """The list's selection comes first; ghost text fits it or stays away, and neither is inserted twice."""
    scripted(code, tmp_path, by_line={"bask": "et.total_price()\n", "basket": ".total_price()\n"})
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn bask")
    window.press("Control+Space")
    listed = window.page.locator(".suggest-widget.visible .monaco-list-row", has_text="basket")
    listed.first.wait_for()
    until(lambda: window.ghost().startswith("et"), 10, "ghost text beside the list")
    window.press("Tab")
    until(lambda: window.text().rstrip().endswith("return basket"), 10, "the list's entry")
    window.wait_ghost(".total_price()")
    window.press("Tab")
    window.save()
    assert (shop / "main.py").read_text().splitlines()[-1] == "    return basket.total_price()"


def test_settings_change_live(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    program = scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"})
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn ")
    window.wait_ghost("basket.total_price()")
    window.change_settings(graft__server__path=program, graft__completion__eagerness="off")
    window.wait_status("Graft: off here")
    window.press("Escape", "Backspace")
    window.type(" ")
    window.page.wait_for_timeout(700)
    assert not window.ghost()
    window.change_settings(graft__server__path=program, graft__completion__eagerness="subtle")
    window.wait_status("Graft: ready")
    window.press("Backspace")
    window.type(" ")
    window.page.wait_for_timeout(700)
    assert not window.ghost()
    window.command("Graft: Suggest Now")
    window.wait_ghost("basket.total_price()")
    assert window.notifications() == []
    assert "unknown setting" not in code.logs("Graft.log")


def test_snoozing(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"})
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn")
    for label, words in (
        ("For 5 minutes", "snoozed 5 min"),
        ("For 1 hour", "snoozed 60 min"),
        ("Until restart", "Graft: snoozed$"),
        ("For this file", "Graft: snoozed"),
        ("For python files", "Graft: snoozed"),
    ):
        window.command("Graft: Snooze")
        window.pick(label)
        window.wait_status(words)
        window.type(" ")
        window.page.wait_for_timeout(600)
        assert not window.ghost()
        window.command("Graft: Wake")
        window.wait_status("Graft: ready")
        window.press("Backspace")
        window.type(" ")
        window.wait_ghost("basket.total_price()")
        window.press("Escape", "Backspace")


def test_a_second_folder(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    second = project(tmp_path / "second")
    (second / "other.py").write_text("from shop import make_basket\n\n\ndef use():\n    return make_baskt([1.0])\n")
    workspace = tmp_path / "both.code-workspace"
    workspace.write_text(json.dumps({"folders": [{"path": str(shop)}, {"path": str(second)}]}))
    real(code)
    window = open_window(None, workspace=workspace)
    window.open_file(str(shop / "main.py"), expect="total_price")
    window.wait_status("Graft: ready", 60)
    window.open_file(str(second / "other.py"), expect="make_baskt")
    until(lambda: window.squiggles() == 1, 30, "a squiggle in the second folder")
    window.press("Control+End")
    window.type("    \nvalue = make_basket([1.0]).disc")
    assert window.wait_ghost(seconds=30).startswith("ount")


NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": ["def area(w, h):\n", "    return w * h"],
        },
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ["total = "]},
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def test_a_notebook(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    (shop / "shapes.ipynb").write_text(json.dumps(NOTEBOOK))
    scripted(code, tmp_path, by_line={"total = ": "area(1, 2)\n"})
    window = open_window(shop)
    # Notebooks are an extension's too: one that is opened before that has been found is shown as text.
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.open_notebook("shapes.ipynb")
    window.page.locator(".notebookOverlay .cell .view-lines").nth(1).click()
    window.press("Control+End")
    until(window.focused, 10, "the cursor in the cell")
    window.press("Backspace")
    window.type(" ")
    window.wait_ghost("area(1, 2)")
    window.press("Tab")
    window.save()
    source = json.loads((shop / "shapes.ipynb").read_text())["cells"][1]["source"]
    assert "".join(source) == "total = area(1, 2)"


def test_a_killed_engine_and_a_killed_server(code: Code, open_window: Open, shop: Path) -> None:
    real(code)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready", 60)
    (engine,) = until(lambda: [p for p, c in descendants(code.pid) if "graft_models.llama" in c], 60, "the engine")
    window.press("Control+End")
    os.kill(engine, signal.SIGKILL)
    window.type("\n\ndef later(items):\nreturn make_basket(items).disc")
    window.wait_status("engine restart", 30)
    assert window.wait_ghost(seconds=30).startswith("ount"), "the graph goes on answering"
    window.wait_status("engine restarted", 60)
    servers = [p for p, c in descendants(code.pid) if "serve --stdio" in c]
    assert len(servers) == 1
    before = window.text()
    os.kill(servers[0], signal.SIGKILL)
    window.wait_status("Graft: starting", 20)
    window.type("ount")
    window.wait_status("Graft: ready", 60)
    window.type("_")
    assert window.wait_ghost(seconds=30).startswith("percent")
    window.press("Escape")
    assert window.text().rstrip() == before.rstrip() + "ount_"
    assert window.notifications() == []


@pytest.mark.parametrize("offline", [True])
def test_without_a_network(offline: bool) -> None:
    """The main job again, with VS Code, the browser and the server in a namespace that has only the loopback."""
    if subprocess.run(["unshare", "-rn", "true"]).returncode:
        pytest.skip("this machine lets nobody make a namespace") if not os.environ.get("CI") else None
    script = Path(__file__).with_name("offline.py")
    test = f"{__file__}::{test_type_see_take_save_and_mend.__name__}"
    command = [
        "unshare",
        "-rn",
        sys.executable,
        str(script),
        sys.executable,
        "-m",
        "pytest",
        "-n0",
        "-q",
        "-p",
        "no:cacheprovider",
        test,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-4000:] + done.stderr[-4000:]


def test_nothing_before_a_supported_file_and_little_then(
    code: Code, open_window: Open, shop: Path, tmp_path: Path
) -> None:
    (shop / "notes.txt").write_text("hello\n")
    scripted(code, tmp_path, answers=["x\n"])
    window = open_window(shop)
    window.open_file("notes.txt", expect="hello")
    window.page.wait_for_timeout(1500)
    assert window.status() == ""
    assert not [c for _, c in descendants(code.pid) if "scripted_server" in c]
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    milliseconds = window.activation()
    print(f"activation: {milliseconds} ms (code loading and activate())")
    assert milliseconds < 100


def test_what_the_model_saw(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    scripted(code, tmp_path, by_line={"return ": "basket.total_price()\n"})
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn ")
    window.wait_ghost("basket.total_price()")
    window.command("Graft: Show What the Model Saw")
    window.page.locator(".tab.active", has_text="What the model saw.md").first.wait_for()
    until(lambda: "checked: names" in window.text() or "checked" in window.text(), 10, "the checks")
    assert "basket.total_price()" in window.text()
    # Read-only.
    before = window.text()
    window.press("Control+End")
    window.type("x")
    assert window.text() == before
