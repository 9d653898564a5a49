"""Cells of a notebook over the real pipes."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from graft_testing.lsp import CAPABILITIES, Client

Start = Callable[..., Coroutine[Any, Any, Client]]


def cell(number: int) -> str:
    return f"vscode-notebook-cell:/nb.ipynb#{number}"


def item(number: int, text: str) -> dict[str, object]:
    return {"uri": cell(number), "languageId": "python", "version": 1, "text": text}


def code(number: int) -> dict[str, object]:
    return {"kind": 2, "document": cell(number)}


async def test_a_cell_knows_the_cells_above(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text("class Shape:\n    def area(self): ...\n")
    book = (tmp_path / "nb.ipynb").as_uri()
    client = await start({"answers": ["area()\n"]})
    plain = {k: v for k, v in CAPABILITIES["textDocument"].items() if k != "inlineCompletion"}
    able = {**CAPABILITIES, "textDocument": plain, "notebookDocument": {"synchronization": {}}}
    capabilities = await client.initialize(tmp_path, capabilities=able)
    assert capabilities["notebookDocumentSync"]["notebookSelector"][0]["cells"] == [{"language": "python"}]
    client.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {"uri": book, "notebookType": "jupyter-notebook", "version": 1, "cells": [code(1)]},
            "cellTextDocuments": [item(1, "%load_ext x\nfrom shapes import Shape\nshape = Shape()\n")],
        },
    )
    await client.ready()
    structure = {
        "array": {"start": 1, "deleteCount": 0, "cells": [code(2)]},
        "didOpen": [item(2, "y = ")],
    }
    edit = {"range": {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 4}}, "text": "shape."}
    for change in (
        {"cells": {"structure": structure}},
        {"cells": {"textContent": [{"document": {"uri": cell(2), "version": 2}, "changes": [edit]}]}},
    ):
        client.notify("notebookDocument/didChange", {"notebookDocument": {"uri": book, "version": 2}, "change": change})
    where = {"textDocument": {"uri": cell(2)}, "position": {"line": 0, "character": 10}}
    listed = await client.request("textDocument/completion", where)
    assert "area" in [i["label"] for i in listed["items"]]
    (offered,) = await client.inline(cell(2), 0, 10)
    assert offered["insertText"] == "y = shape.area()"
    assert offered["range"] == {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 10}}
    client.notify(
        "notebookDocument/didClose",
        {"notebookDocument": {"uri": book}, "cellTextDocuments": [{"uri": cell(1)}, {"uri": cell(2)}]},
    )
    assert await client.inline(cell(2), 0, 10) == []
    assert await client.stop() == 0
    assert client.garbage == b""
