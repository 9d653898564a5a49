"""Findings and fixes over real pipes: what a save breaks in other files, other servers' findings, quick-fixes."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from inline_snapshot import snapshot

from graft_testing.lsp import Client

Start = Callable[..., Coroutine[Any, Any, Client]]
PUBLISH = "textDocument/publishDiagnostics"
SHAPES = "def area(width, height):\n    return width * height\n"
USE = "import shapes\n\n\ndef show():\n    return shapes.area(1, 2)\n"


def project(root: Path, **files: str) -> Path:
    root = root / "project"
    root.mkdir()
    for name, text in files.items():
        (root / name.replace("_py", ".py")).write_text(text)
    return root


async def opened(client: Client, path: Path) -> str:
    """Open a document and wait for its first findings."""
    uri = client.open(path)
    await client.notification(PUBLISH, uri=uri)
    return uri


async def actions(client: Client, uri: str, place: Any, *found: Any) -> list[Any]:
    context = {"diagnostics": list(found), "triggerKind": 1}
    request = {"textDocument": {"uri": uri}, "range": place, "context": context}
    return list(await client.request("textDocument/codeAction", request))


def edited(root: Path, edit: Any) -> dict[str, str]:
    """The texts after a WorkspaceEdit; places are applied here, from the end."""
    texts = {}
    for change in edit["documentChanges"]:
        path = Path(change["textDocument"]["uri"].removeprefix("file://"))
        lines = path.read_text().split("\n")
        for one in sorted(change["edits"], key=lambda e: -e["range"]["start"]["line"]):
            start, end = one["range"]["start"], one["range"]["end"]
            assert start["line"] == end["line"]
            line = lines[start["line"]]
            lines[start["line"]] = line[: start["character"]] + one["newText"] + line[end["character"] :]
        texts[path.name] = "\n".join(lines)
    return texts


async def test_a_second_save_at_once_does_not_hide_what_the_first_broke(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, shapes_py=SHAPES, one_py=USE)
    client = await start({})
    await client.initialize(root)
    uri = await opened(client, root / "shapes.py")
    heard = len(client.heard)
    client.change(uri, 0, 22, ", depth", removed=0)
    client.save(uri)
    client.change(uri, 0, 0, "# saved twice\n", removed=0)
    client.save(uri)
    broken = await client.notification(PUBLISH, since=heard, uri=(root / "one.py").as_uri())
    assert [d["code"] for d in broken["diagnostics"]] == ["call-arguments"]


async def test_a_save_breaks_closed_files_and_one_action_mends_them(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, shapes_py=SHAPES, one_py=USE, two_py="from shapes import area\n\nprint(area(3, 4))\n")
    client = await start({})
    await client.initialize(root)
    uri = await opened(client, root / "shapes.py")
    heard = len(client.heard)
    client.change(uri, 0, 22, ", depth", removed=0)
    (root / "shapes.py").write_text(SHAPES.replace("height)", "height, depth)"))
    client.save(uri)
    broken = {}
    for name in ("one.py", "two.py"):
        shown = await client.notification(PUBLISH, since=heard, uri=(root / name).as_uri())
        broken[name] = [(d["code"], d["message"]) for d in shown["diagnostics"]]
    assert broken == snapshot(
        {"one.py": [("call-arguments", "`area` needs `depth`")], "two.py": [("call-arguments", "`area` needs `depth`")]}
    )
    # Looking at such a file and closing it again takes nothing off the screen.
    other = await opened(client, root / "one.py")
    since = len(client.heard)
    client.notify("textDocument/didClose", {"textDocument": {"uri": other}})
    kept = await client.notification(PUBLISH, since=since, uri=other)
    assert [d["code"] for d in kept["diagnostics"]] == ["call-arguments"]
    hint = await client.wait_for(
        lambda m: m.get("method") == PUBLISH and m["params"]["uri"] == uri and bool(m["params"]["diagnostics"]),
        since=heard,
    )
    (breaks,) = hint["params"]["diagnostics"]
    assert (breaks["code"], breaks["message"], len(breaks["relatedInformation"])) == snapshot(
        ("breaks-callers", "this change breaks 2 places in 2 other files", 2)
    )
    (action,) = await actions(client, uri, breaks["range"], breaks)
    assert action["title"] == snapshot(
        "Follow the new signature of `area` in 2 files (unsafe) - checked: parses, 2 of 2 findings gone, nothing new"
    )
    assert "isPreferred" not in action
    resolved = await client.request("codeAction/resolve", action)
    texts = edited(root, resolved["edit"])
    assert texts == snapshot(
        {
            "one.py": """\
import shapes


def show():
    return shapes.area(1, 2, ...)
""",
            "two.py": """\
from shapes import area

print(area(3, 4, ...))
""",
        }
    )

    # Mended by hand and saved: the hints go away.
    heard = len(client.heard)
    for name, text in texts.items():
        other = client.open(root / name, text=(root / name).read_text())
        whole = {"textDocument": {"uri": other, "version": 2}, "contentChanges": [{"text": text}]}
        client.notify("textDocument/didChange", whole)
        (root / name).write_text(text)
        client.save(other)
    gone = await client.wait_for(
        lambda m: m.get("method") == PUBLISH and m["params"]["uri"] == uri and not m["params"]["diagnostics"],
        since=heard,
    )
    assert gone["params"]["diagnostics"] == []
    assert await client.stop() == 0


async def test_what_another_server_shows_is_not_shown_twice(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="print(undefined)\n")
    client = await start({})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    shown = await client.wait_for(lambda m: m.get("method") == PUBLISH and bool(m["params"]["diagnostics"]))
    (ours,) = shown["params"]["diagnostics"]
    heard = len(client.heard)
    theirs = {
        "range": ours["range"], "message": "Undefined name `undefined`", "code": "F821", "source": "Ruff", "severity": 1
    }  # fmt: skip
    client.notify("graft/otherDiagnostics", {"uri": uri, "diagnostics": [theirs]})
    hidden = await client.notification(PUBLISH, since=heard, uri=uri)
    assert hidden["diagnostics"] == []
    heard = len(client.heard)
    client.notify("graft/otherDiagnostics", {"uri": uri, "diagnostics": [{"range": 3}, None]})
    again = await client.notification(PUBLISH, since=heard, uri=uri)
    assert [d["code"] for d in again["diagnostics"]] == ["undefined-name"]
    # A request for actions tells of them, too.
    heard = len(client.heard)
    await actions(client, uri, ours["range"], theirs)
    hidden = await client.notification(PUBLISH, since=heard, uri=uri)
    assert hidden["diagnostics"] == []


async def test_fixes_for_other_servers_findings(start: Start, tmp_path: Path) -> None:
    text = "import os\nimport sys\n\nprint(sys.path)\n"
    root = project(tmp_path, main_py=text)
    client = await start({})
    await client.initialize(root)
    uri = await opened(client, root / "main.py")
    place = {"start": {"line": 0, "character": 7}, "end": {"line": 0, "character": 9}}
    theirs = {"range": place, "message": "`os` imported but unused", "code": "F401", "source": "Ruff", "severity": 2}
    (action,) = await actions(client, uri, place, theirs)
    assert action["title"] == snapshot("Remove the unused import - checked: parses, nothing new")
    assert action["diagnostics"][0]["source"] == "Ruff"
    resolved = await client.request("codeAction/resolve", action)
    (change,) = resolved["edit"]["documentChanges"]
    assert change["edits"] == snapshot(
        [{"range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}, "newText": ""}]
    )


async def test_the_model_writes_what_no_rule_mends(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, area_py="def area(width, height):\n    return width * xyzzy\n")
    client = await start({"answers": ["height"]})
    await client.initialize(root)
    uri = await opened(client, root / "area.py")
    place = {"start": {"line": 1, "character": 19}, "end": {"line": 1, "character": 19}}
    found = await actions(client, uri, place)
    chosen = next(a for a in found if a["title"].startswith("Write `return width * height`"))
    assert "isPreferred" not in chosen
    assert edited(root, chosen["edit"]) == {"area.py": "def area(width, height):\n    return width * height\n"}
    # Nobody asked: an editor looks for a light bulb wherever the cursor stands.
    context = {"diagnostics": [], "triggerKind": 2}
    asked = {"textDocument": {"uri": uri}, "range": place, "context": context}
    assert await client.request("textDocument/codeAction", asked) == []
