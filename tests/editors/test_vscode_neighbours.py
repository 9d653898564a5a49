"""Beside another extension's findings nothing is shown twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from samples import project
from vscode import Code, until
from vscode_fixtures import Open, scripted


def test_what_another_extension_shows_is_not_shown_twice(code: Code, open_window: Open, tmp_path: Path) -> None:
    """A hint is no reason to hide by its place alone: the server knows from `graft/otherDiagnostics` what it says."""
    shop = project(tmp_path / "shop")
    (shop / "use.py").write_text("from shop import make_basket\n\nprint(make_baskt)\nprint(undefined_one)\n")
    found = shop / "neighbour.json"
    found.write_text("{}")
    program = scripted(code, tmp_path, answers=["pass\n"])
    window = open_window(shop)
    window.open_file("use.py", expect="make_baskt")
    window.wait_status("Graft: ready")
    until(lambda: window.squiggles() == 2, 30, "two squiggles")

    def shows(*findings: dict[str, Any]) -> None:
        temporary = found.with_suffix(".new")
        temporary.write_text(json.dumps({"use.py": list(findings)}))
        temporary.replace(found)

    hint = {"line": 2, "start": 6, "end": 16, "message": "Undefined name `make_baskt`", "severity": 3, "code": "F821"}
    unlike = {**hint, "message": "Line too long", "code": "E501"}
    shows(unlike)
    window.page.wait_for_timeout(1500)
    assert window.squiggles() == 2, "a hint that says something else hides nothing"
    shows(hint)
    until(lambda: window.squiggles() == 1, 20, "ours gone where the other says the same")
    shows()
    until(lambda: window.squiggles() == 2, 20, "ours again")
    # A warning at the place hides ours whatever it says; theirs is what remains, and `off` shows both.
    shows({**unlike, "severity": 1})
    window.page.wait_for_timeout(1000)
    assert window.squiggles() == 2
    window.change_settings(graft__server__path=program, graft__diagnosis__hideDuplicates="off")
    until(lambda: window.squiggles() == 3, 20, "both")
    assert window.notifications() == []
