"""More than one suggestion, whose code a suggestion is, and a server that is lost over and over while someone types."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from samples import project
from vscode import Code, until
from vscode_fixtures import READY, Open, faked, real, scripted


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small project."""
    return project(tmp_path / "shop")


def test_next_and_previous(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    """VS Code's own keys; the one in front is the one that Tab takes, and the one that the server hears of."""
    texts = [f"    return basket.{name}" for name in ("total_price()", "items", "discount_percent")]
    answer = {"full": texts[0], "alternatives": texts[1:], "min": 11}
    faked(code, tmp_path, answers=[answer], status=READY)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef again(basket):\nreturn ")
    window.wait_ghost("basket.total_price()")
    window.press("Alt+]")
    window.wait_ghost("basket.items")
    window.press("Alt+]")
    window.wait_ghost("basket.discount_percent")
    window.press("Alt+[")
    window.wait_ghost("basket.items")
    window.press("Tab")
    window.save()
    assert (shop / "main.py").read_text().splitlines()[-1] == texts[1]

    def told() -> list[Any]:
        messages = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        return [m["params"]["arguments"] for m in messages if m.get("params", {}).get("command") == "graft.accepted"]

    assert until(told, 10, "the acceptance") == [[texts[1]]]


MIXER = """\
def blended(first, second, third):
    return [left * third + right * (1 - third) for left, right in zip(first, second) if left > right and third]
"""


def test_whose_code_it_is(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    """A suggestion that repeats a dependency is shown with its name and licence by what the model saw."""
    site = shop / ".venv/lib/python3.11/site-packages"
    (site / "mixer").mkdir(parents=True)
    (shop / ".venv/pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.0\n")
    (site / "mixer/__init__.py").write_text(MIXER)
    (site / "mixer-2.1.dist-info").mkdir()
    metadata = "Name: mixer\nVersion: 2.1\nLicense-Expression: MIT\n\nText\n"
    (site / "mixer-2.1.dist-info/METADATA").write_text(metadata)
    (site / "mixer-2.1.dist-info/top_level.txt").write_text("mixer\n")
    (shop / "main.py").write_text("import mixer\n")
    scripted(code, tmp_path, by_line={"return ": MIXER.split("return ")[1]})
    window = open_window(shop)
    window.open_file("main.py", expect="import mixer")
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type("\n\ndef blended(first, second, third):\nreturn ")
    window.wait_ghost(MIXER.split("return ")[1].strip())
    window.command("Graft: Show What the Model Saw")
    window.page_text("What the model saw.md", "repeats a dependency: mixer 2.1")
    assert "(MIT)" in window.text() and "- checked: " in window.text()


def test_what_it_cost(code: Code, open_window: Open, shop: Path) -> None:
    """With the real model: tokens of the prompt, how many were read anew, and which other files were counted."""
    real(code)
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready", 60)
    window.press("Control+End")
    window.type("\n\ndef later(items):\nreturn make_basket(items).disc")
    window.wait_ghost(seconds=60)
    window.command("Graft: Show What the Model Saw")
    window.page_text("What the model saw.md", "read anew")
    assert "tokens: " in window.text() and "confidence: " in window.text()
    # Files near it are looked for when the first decode has ended, so that nobody typing waits for them.

    def next_line() -> bool:
        window.command("View: Close Editor")
        until(window.focused, 10, "the cursor in the file")
        window.press("Escape", "Control+End")
        window.type("\nreturn make_basket(items).disc")
        window.wait_ghost(seconds=60)
        window.command("Graft: Show What the Model Saw")
        window.page_text("What the model saw.md", "read anew")
        return "counted beside the prompt: shop.py" in window.text()

    assert until(next_line, 60, "the other file")


def test_a_server_that_dies_at_every_key(code: Code, open_window: Open, shop: Path, tmp_path: Path) -> None:
    """Started again four times, then one message; every key of the person arrives."""
    faked(code, tmp_path, status=READY, crash_at="textDocument/inlineCompletion")
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.press("Control+End", "Enter")
    typed, end = 0, time.monotonic() + 120
    while window.status() != "Graft: stopped" and time.monotonic() < end:
        window.type("q", delay=0)
        typed += 1
        window.page.wait_for_timeout(200)
    said = until(window.notifications, 10, "a message")
    assert len(said) == 1 and said[0].startswith("Graft's server keeps stopping")
    window.press("Escape", "Escape")
    window.save()
    assert (shop / "main.py").read_text().splitlines()[-1].strip() == "q" * typed
    messages = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len([m for m in messages if m.get("method") == "initialize"]) == 5
    # Restart is the way back, and it asks nothing twice.
    faked(code, tmp_path, status=READY)
    window.command("Graft: Restart")
    window.wait_status("Graft: ready")
    assert window.notifications() == []
