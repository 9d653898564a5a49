"""`graft.repair` over real pipes: confirmed first, progress, a patch to accept, cancel."""

import asyncio
import sys
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from graft_testing.fixture import parse_fixture
from graft_testing.lsp import Client, ServerError

Start = Callable[..., Coroutine[Any, Any, Client]]
PYTEST = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest -x -q -p no:cacheprovider"
BUG = """
    //- /calc.py
    def total(values):
        result = 0
        for value in values:
            result -= value
        return result
    //- /test_calc.py
    from calc import total


    def test_some():
        assert total([1, 2, 3]) == 6


    def test_none():
        assert total([]) == 0
"""
COMMAND = {"command": "graft.repair", "arguments": [{"test": PYTEST, "budget": 60}]}


def said(client: Client, method: str) -> list[Any]:
    return [m["params"] for m in client.heard if m.get("method") == method]


def processes(mark: str) -> list[str]:
    """Command lines of the processes that have the mark in their environment, the server's left out."""
    out = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                out.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in out if line and " serve" not in line]


async def test_a_patch_is_found_shown_and_applied(start: Start, tmp_path: Path) -> None:
    root = parse_fixture(BUG).write(tmp_path / "project")
    client = await start(None)
    client.replies["window/showMessageRequest"] = {"title": "Run"}
    client.replies["workspace/applyEdit"] = {"applied": True}
    await client.initialize(root)
    client.open(root / "calc.py")
    number = client.begin("workspace/executeCommand", COMMAND)
    question = await client.notification("window/showMessageRequest")
    assert PYTEST in question["message"]
    client.replies["window/showMessageRequest"] = {"title": "Apply"}
    report = await client.answer(number, seconds=120)
    assert report["status"] == "fixed", report
    edit = await client.notification("workspace/applyEdit")
    (change,) = edit["edit"]["documentChanges"]
    assert change["textDocument"]["uri"] == (root / "calc.py").as_uri()
    assert change["edits"]
    kinds = [p["value"]["kind"] for p in said(client, "$/progress") if str(p["token"]).startswith("graft-repair")]
    assert kinds[0] == "begin" and kinds[-1] == "end" and "report" in kinds
    # The server itself writes nothing: the editor does.
    assert "result -= value" in (root / "calc.py").read_text()
    assert await client.stop() == 0


async def test_nothing_runs_without_confirmation(start: Start, tmp_path: Path) -> None:
    root = parse_fixture(BUG).write(tmp_path / "project")
    (root / "conftest.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    client = await start(None)
    await client.initialize(root)
    assert await client.request("workspace/executeCommand", COMMAND) is None
    assert not (tmp_path / "ran").exists()
    assert await client.stop() == 0


@pytest.mark.parametrize("way", ["progress", "request"])
async def test_cancel_leaves_no_process(start: Start, tmp_path: Path, way: str) -> None:
    root = parse_fixture(BUG).write(tmp_path / "project")
    (root / "test_slow.py").write_text("import time\ndef test(): time.sleep(30)\n")
    mark = uuid.uuid4().hex
    client = await start(None, REPAIR_TEST_MARK=mark)
    client.replies["window/showMessageRequest"] = {"title": "Run"}
    await client.initialize(root)
    number = client.begin("workspace/executeCommand", COMMAND)
    message = await client.wait_for(
        lambda m: m.get("method") == "$/progress" and str(m["params"]["token"]).startswith("graft-repair")
    )
    await asyncio.sleep(1.5)
    if way == "progress":
        client.notify("window/workDoneProgress/cancel", {"token": message["params"]["token"]})
        report = await client.answer(number, seconds=30)
        assert report["status"] == "cancelled"
    else:
        client.notify("$/cancelRequest", {"id": number})
        with pytest.raises(ServerError) as caught:
            await client.answer(number, seconds=30)
        assert caught.value.code == -32800
    for _ in range(100):
        if not processes(mark):
            break
        await asyncio.sleep(0.1)
    assert processes(mark) == []
    assert "result -= value" in (root / "calc.py").read_text()
    assert await client.stop() == 0


async def test_bad_arguments_are_refused(start: Start, tmp_path: Path) -> None:
    client = await start(None)
    await client.initialize(tmp_path)
    for arguments in ([], [{}], [{"test": " "}], ["pytest"]):
        with pytest.raises(ServerError) as caught:
            await client.request("workspace/executeCommand", {"command": "graft.repair", "arguments": arguments})
        assert caught.value.code == -32602
    assert await client.stop() == 0
