"""Other languages than Python over real pipes: ghost text, the classic list, diagnostics on saving."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from graft_testing.lsp import CAPABILITIES, Client

Start = Callable[..., Coroutine[Any, Any, Client]]

FILES = {
    "typescript": {
        "shop.ts": "export class Cart {\n  total(rate: number): number {\n    return rate;\n  }\n}\n",
        "main.ts": "import { Cart } from './shop';\nfunction f(cart: Cart) {\n  cart.\n}\n",
    },
    "go": {
        "go.mod": "module example.com/m\n",
        "p/p.go": "package p\n\nfunc Total(a int) int { return a }\n",
        "main.go": 'package m\n\nimport "example.com/m/p"\n\nfunc f() {\n\tp.\n}\n',
    },
    "java": {
        "Cart.java": "class Cart {\n  int total(int rate) {\n    return rate;\n  }\n}\n",
        "Main.java": "class Main {\n  int f() {\n    Cart.\n  }\n}\n",
    },
}
MAIN = {"typescript": ("main.ts", 2, 7), "go": ("main.go", 5, 3), "java": ("Main.java", 2, 9)}
"""File, line and column at which is typed."""


def project(root: Path, language: str) -> Path:
    """The files of a language in a folder."""
    for name, text in FILES[language].items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / MAIN[language][0]


@pytest.mark.parametrize(
    ("language", "said", "shown"),
    [
        # Stop: the block of the model ends where its brace would; indentation: the file's own; brackets: one closer
        # too many is cut.
        ("typescript", "total(2));\n}\n\nfunction g() {\n", "  cart.total(2)"),
        ("go", "Total(1))\n}\n\nfunc g() {\n", "\tp.Total(1)"),
        ("java", "total(2));\n  }\n}\n", "    Cart.total(2)"),
    ],
)
async def test_ghost_text_follows_the_rules_of_the_language(
    start: Start, tmp_path: Path, language: str, said: str, shown: str
) -> None:
    main = project(tmp_path / "project", language)
    client = await start({"answers": [said]})
    await client.initialize(main.parent)
    uri = client.open(main, language=language)
    await client.ready()
    items = await client.inline(uri, *MAIN[language][1:])
    assert [item["insertText"] for item in items] == [shown]
    assert items[0]["range"]["start"] == {"line": MAIN[language][1], "character": 0}
    assert await client.stop() == 0


@pytest.mark.parametrize(
    ("language", "name", "detail"),
    [
        ("typescript", "total", "total(rate: number): number"),
        ("go", "Total", "func Total(a int) int"),
        ("java", "total", "int total(int rate)"),
    ],
)
async def test_the_classic_list_has_members(
    start: Start, tmp_path: Path, language: str, name: str, detail: str
) -> None:
    main = project(tmp_path / "project", language)
    client = await start({})
    plain = {k: v for k, v in CAPABILITIES["textDocument"].items() if k != "inlineCompletion"}
    await client.initialize(main.parent, capabilities={**CAPABILITIES, "textDocument": plain})
    uri = client.open(main, language=language)
    await client.notification("textDocument/publishDiagnostics", uri=uri)
    _, line, column = MAIN[language]
    where = {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}
    result = await client.request("textDocument/completion", where)
    assert (name, detail) in [(i["label"], i.get("detail")) for i in result["items"]]


@pytest.mark.parametrize(
    ("language", "wrong", "code"),
    [("typescript", "totl(1);", "missing-member"), ("go", "Totl(1)", "missing-member"), ("java", "totl(1);", None)],
)
async def test_what_is_proved_is_published_after_saving(
    start: Start, tmp_path: Path, language: str, wrong: str, code: str | None
) -> None:
    main = project(tmp_path / "project", language)
    client = await start({})
    await client.initialize(main.parent)
    uri = client.open(main, language=language)
    await client.notification("textDocument/publishDiagnostics", uri=uri)
    _, line, column = MAIN[language]
    client.change(uri, line, column, wrong)
    lines = main.read_text().split("\n")
    lines[line] += wrong
    main.write_text("\n".join(lines))
    heard = len(client.heard)
    client.save(uri)
    if code is None:  # everything is open there: no finding, and none is published for this version
        report = await client.notification("textDocument/publishDiagnostics", uri=uri)
        assert report["diagnostics"] == []
    else:
        published = await client.notification("textDocument/publishDiagnostics", since=heard, uri=uri, version=2)
        assert [(d["code"], d["range"]["start"]) for d in published["diagnostics"]] == [
            (code, {"line": line, "character": column})
        ]
    assert await client.stop() == 0
