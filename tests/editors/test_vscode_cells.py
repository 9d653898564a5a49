"""The cells of a notebook know each other: names of another cell are shown, names of none are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from samples import project
from vscode import Code, until
from vscode_fixtures import Open, scripted


def cell(source: str) -> dict[str, Any]:
    """A code cell of a notebook's file."""
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": [source]}


def test_cells_of_a_notebook_know_each_other(code: Code, open_window: Open, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop")
    cells = [cell("def area(width, height):\n    return width * height"), cell("total =")]
    metadata = {"language_info": {"name": "python"}}
    book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (shop / "shapes.ipynb").write_text(json.dumps(book))
    scripted(
        code, tmp_path, by_line={"total = ": "area(1, 2)\n", "other = ": "aera(1, 2)\n", "third = ": "area(3, 4)\n"}
    )
    window = open_window(shop)
    window.open_file("main.py", expect="total_price")
    window.wait_status("Graft: ready")
    window.open_notebook("shapes.ipynb")
    window.page.locator(".notebookOverlay .cell .view-lines").nth(1).click()
    window.press("Control+End")
    until(window.focused, 10, "the cursor in the cell")
    window.type(" ")
    window.wait_ghost("area(1, 2)")
    window.press("Tab")
    window.press("Enter")
    window.type("other = ")
    window.page.wait_for_timeout(3000)
    assert "aera" not in (window.ghost() or ""), "no cell binds it"
    window.type("1\nthird = ")
    window.wait_ghost("area(3, 4)")
