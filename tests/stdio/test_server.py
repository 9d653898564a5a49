"""The server over real pipes, with a scripted engine."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from graft_testing.lsp import CAPABILITIES, Client, ServerError

Start = Callable[..., Coroutine[Any, Any, Client]]


def project(root: Path, **files: str) -> Path:
    folder = root / "project"
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


async def test_open_type_item(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="def area(width, height):\n    return \n")
    client = await start({"answers": ["width * height\n"]})
    capabilities = await client.initialize(root)
    assert capabilities["inlineCompletionProvider"] is not None
    assert "completionProvider" not in capabilities
    uri = client.open(root / "main.py")
    await client.ready()
    items = await client.inline(uri, 1, 11)
    assert [{k: v for k, v in item.items() if k != "command"} for item in items] == snapshot(
        [
            {
                "insertText": "    return width * height",
                "filterText": "    return width * height",
                "range": {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 11}},
            }
        ]
    )
    assert items[0]["command"]["command"] == "graft.accepted"
    # Typed as suggested: the rest comes without asking the engine again.
    client.change(uri, 1, 11, "wid")
    items = await client.inline(uri, 1, 14)
    assert items[0]["insertText"] == "    return width * height"
    await client.request("workspace/executeCommand", {"command": "graft.accepted", "arguments": [1]})
    assert await client.stop() == 0
    assert client.garbage == b""


async def test_cancel_answers_once(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="x = \n")
    client = await start({"answers": [{"text": "1 + 2 + 3 + 4 + 5 + 6 + 7 + 8\n", "delay_ms": 200}]})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    await client.ready()
    number = client.begin_inline(uri, 0, 4)
    await asyncio.sleep(0.3)
    client.notify("$/cancelRequest", {"id": number})
    with pytest.raises(ServerError) as caught:
        await client.answer(number, seconds=10)
    assert caught.value.code == -32800
    await asyncio.sleep(0.5)
    assert client.answered[number] == 1


async def test_stale_request_is_content_modified(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="x = \n")
    client = await start({"answers": [{"text": "1 + 2\n", "delay_ms": 150}]})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    await client.ready()
    number = client.begin_inline(uri, 0, 4)
    await asyncio.sleep(0.1)
    client.change(uri, 0, 4, "y")
    with pytest.raises(ServerError) as caught:
        await client.answer(number)
    assert caught.value.code == -32801


async def test_without_a_model_the_status_says_so(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="x = 1\n")
    client = await start({})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    assert await client.inline(uri, 0, 5) == []
    status = await client.wait_for(
        lambda m: m.get("method") == "graft/status" and "no model in this test" in m["params"]["message"]
    )
    assert status["params"]["kind"] == "warning"


async def test_broken_messages(start: Start, tmp_path: Path) -> None:
    client = await start({})

    async def refused(message: dict[str, Any]) -> int:
        client.send(message)
        answer = await client.wait_for(lambda m: m.get("id") == message["id"] and "error" in m)
        return int(answer["error"]["code"])

    assert await refused({"id": "early", "method": "textDocument/completion", "params": {}}) == -32002
    await client.initialize(project(tmp_path, main_py="x = 1\n"))
    assert await refused({"id": "misfit", "method": "textDocument/completion", "params": {"position": 3}}) == -32602
    assert await refused({"id": "unknown", "method": "no/such/method", "params": {}}) == -32601
    assert await refused({"id": "again", "method": "initialize", "params": {"capabilities": {}}}) == -32600
    client.send_raw(b"garbage\r\nmore garbage without a header\r\n")
    assert await refused({"id": "after garbage", "method": "no/such/method"}) == -32601
    client.send_raw(b"Content-Length: 5\r\n\r\n{nojs")
    assert (await client.wait_for(lambda m: m.get("error", {}).get("code") == -32700))["id"] is None
    body = json.dumps({"jsonrpc": "2.0", "id": "too long", "method": "no/such/method"}).encode()
    client.send_raw(b"Content-Length: %d\r\n\r\n" % (len(body) + 20) + body)
    assert await refused({"id": "after too long", "method": "no/such/method"}) == -32601
    client.send({"method": "textDocument/didChange", "params": {"contentChanges": "x" * 200_000}})
    assert await client.request("shutdown", seconds=10) is None
    assert await refused({"id": "late", "method": "textDocument/completion", "params": {}}) == -32600
    client.notify("exit")
    assert await client.wait_exit() == 0


async def test_exit_without_shutdown_is_1(start: Start, tmp_path: Path) -> None:
    client = await start({"answers": [{"text": "1 + 2 + 3\n", "delay_ms": 500}]})
    root = project(tmp_path, main_py="x = \n")
    await client.initialize(root)
    uri = client.open(root / "main.py")
    await client.ready()
    client.begin_inline(uri, 0, 4)
    await asyncio.sleep(0.2)
    client.notify("exit")
    assert await client.wait_exit() == 1


async def test_end_of_input_ends_the_server(start: Start, tmp_path: Path) -> None:
    client = await start({})
    await client.initialize(project(tmp_path, main_py="x = 1\n"))
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert await client.wait_exit() == 1


LIBRARY = "def area(width, height):\n    return width * height\n"


async def test_save_diagnostic_action(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, shapes_py=LIBRARY, main_py="from shapes import area\n\nprint(area(1, 2))\n")
    client = await start({})
    capabilities = await client.initialize(root)
    assert "diagnosticProvider" not in capabilities
    uri = client.open(root / "main.py")
    clean = await client.notification("textDocument/publishDiagnostics", uri=uri)
    assert clean["diagnostics"] == []
    client.change(uri, 2, 6, "arae", removed=4)
    (root / "main.py").write_text("from shapes import area\n\nprint(arae(1, 2))\n")
    heard = len(client.heard)
    client.save(uri)
    published = await client.notification("textDocument/publishDiagnostics", since=heard, uri=uri, version=2)
    assert [(d["code"], d["range"], d["source"]) for d in published["diagnostics"]][:1] == snapshot(
        [("undefined-name", {"start": {"line": 2, "character": 6}, "end": {"line": 2, "character": 10}}, "graft")]
    )
    found = published["diagnostics"][0]
    actions = await client.request(
        "textDocument/codeAction",
        {"textDocument": {"uri": uri}, "range": found["range"], "context": {"diagnostics": [found], "triggerKind": 1}},
    )
    assert actions[0]["title"] == snapshot("Change to `area` - checked: parses, resolves, finding gone, nothing new")
    assert "edit" not in actions[0]
    action = await client.request("codeAction/resolve", actions[0])
    (change,) = action["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": uri, "version": 2}
    assert change["edits"] == snapshot(
        [{"range": {"start": {"line": 2, "character": 6}, "end": {"line": 2, "character": 10}}, "newText": "area"}]
    )
    assert await client.stop() == 0


async def test_diagnostics_are_pulled_by_clients_that_only_pull(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="print(undefined_name)\n")
    client = await start({})
    document = {k: v for k, v in CAPABILITIES["textDocument"].items() if k != "publishDiagnostics"}
    capabilities = await client.initialize(
        root, capabilities={**CAPABILITIES, "textDocument": {**document, "diagnostic": {}}}
    )
    assert capabilities["diagnosticProvider"]["identifier"] == "graft"
    uri = client.open(root / "main.py")
    report = await client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    assert [d["code"] for d in report["items"]] == ["undefined-name"]
    again = await client.request(
        "textDocument/diagnostic", {"textDocument": {"uri": uri}, "previousResultId": report["resultId"]}
    )
    assert again["kind"] == "unchanged"
    assert not [m for m in client.heard if m.get("method") == "textDocument/publishDiagnostics"]


async def test_classic_completion_lists_members(start: Start, tmp_path: Path) -> None:
    text = "class Thing:\n    def paint(self, colour): ...\n\n\nthing = Thing()\nthing.\n"
    root = project(tmp_path, main_py=text)
    client = await start({})
    plain = {k: v for k, v in CAPABILITIES["textDocument"].items() if k != "inlineCompletion"}
    capabilities = await client.initialize(root, capabilities={**CAPABILITIES, "textDocument": plain})
    assert capabilities["completionProvider"]["triggerCharacters"] == ["."]
    uri = client.open(root / "main.py")
    await client.notification("textDocument/publishDiagnostics", uri=uri)
    where = {"textDocument": {"uri": uri}, "position": {"line": 5, "character": 6}}
    result = await client.request("textDocument/completion", where)
    assert [(i["label"], i["detail"]) for i in result["items"]][:1] == [("paint", "def paint(self, colour)")]


async def test_progress_of_the_first_index(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="x = 1\n", **{f"module{n}_py": LIBRARY for n in range(100)})
    client = await start({})
    await client.initialize(root)
    end = await client.wait_for(lambda m: m.get("method") == "$/progress" and m["params"]["value"].get("kind") == "end")
    token = end["params"]["token"]
    kinds = [m["params"]["value"]["kind"] for m in client.heard if m.get("method") == "$/progress"]
    assert kinds[0] == "begin" and kinds[-1] == "end"
    created = [m for m in client.heard if m.get("method") == "window/workDoneProgress/create"]
    assert [m["params"]["token"] for m in created] == [token]


async def test_columns_count_in_the_negotiated_unit(start: Start, tmp_path: Path) -> None:
    text = "s = '\N{GRINNING FACE}'; x = \n"
    for encoding, column in (("utf-8", 16), ("utf-16", 14), ("utf-32", 13)):
        root = project(tmp_path / encoding, main_py=text)
        client = await start({"answers": ["len(s)\n"]})
        capabilities = await client.initialize(
            root, capabilities={**CAPABILITIES, "general": {"positionEncodings": [encoding]}}
        )
        assert capabilities["positionEncoding"] == encoding
        uri = client.open(root / "main.py")
        await client.ready()
        items = await client.inline(uri, 0, column)
        assert items[0]["range"]["end"]["character"] == column
        assert items[0]["insertText"] == text.rstrip("\n") + "len(s)"


async def test_an_unknown_document_and_a_far_position(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="x = 1\n")
    client = await start({"answers": ["y\n"]})
    await client.initialize(root)
    assert await client.inline((root / "other.py").as_uri(), 3, 4) == []
    uri = client.open(root / "main.py")
    await client.inline(uri, 999, 999)
    assert await client.stop() == 0


async def test_command_line_serves(start: Start, tmp_path: Path) -> None:
    client = await start(None)
    await client.initialize(project(tmp_path, main_py="x = 1\n"), options={"graft": {"model": {"enable": False}}})
    assert await client.stop() == 0


async def test_fix_all_mends_a_whole_file(start: Start, tmp_path: Path) -> None:
    text = "def area(width, height):\n    return width * height\n\n\nprint(arae(1, 2))\nprint(aera(3, 4))\n"
    root = project(tmp_path, main_py=text)
    client = await start({})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    await client.notification("textDocument/publishDiagnostics", uri=uri)
    everything = {"start": {"line": 0, "character": 0}, "end": {"line": 6, "character": 0}}
    context = {"diagnostics": [], "only": ["source.fixAll"]}
    actions = await client.request(
        "textDocument/codeAction", {"textDocument": {"uri": uri}, "range": everything, "context": context}
    )
    assert [a["kind"] for a in actions] == ["source.fixAll"]
    edits = actions[0]["edit"]["documentChanges"][0]["edits"]
    assert "".join(e["newText"] for e in edits).count("area") == 2


async def test_two_workspace_folders_do_not_mix(start: Start, tmp_path: Path) -> None:
    one = project(tmp_path / "one", main_py="import helper\nhelper.\n", helper_py="def only_in_one(): ...\n")
    two = project(tmp_path / "two", main_py="import helper\nhelper.\n", helper_py="def only_in_two(): ...\n")
    client = await start({})
    await client.initialize(one)
    event = {"added": [{"uri": two.as_uri(), "name": "two"}], "removed": []}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    for root, name in ((one, "only_in_one"), (two, "only_in_two")):
        uri = client.open(root / "main.py")
        await client.notification("textDocument/publishDiagnostics", uri=uri)
        where = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 7}}
        labels = {i["label"] for i in (await client.request("textDocument/completion", where))["items"]}
        assert name in labels and not labels & ({"only_in_one", "only_in_two"} - {name})


async def test_a_changed_file_is_seen_when_the_client_tells(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="import helper\nhelper.\n", helper_py="def old(): ...\n")
    client = await start({})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    await client.notification("textDocument/publishDiagnostics", uri=uri)
    (root / "helper.py").write_text("def renewed(): ...\n")
    change = {"uri": (root / "helper.py").as_uri(), "type": 2}
    client.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
    where = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 7}}
    for _ in range(50):
        labels = {i["label"] for i in (await client.request("textDocument/completion", where))["items"]}
        if "renewed" in labels:
            break
        await asyncio.sleep(0.1)
    assert "renewed" in labels and "old" not in labels


async def test_every_command_answers_once(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="def area(width, height):\n    return \n")
    client = await start({"answers": ["width * height\n"]})
    capabilities = await client.initialize(root)
    commands = capabilities["executeCommandProvider"]["commands"]
    assert commands == snapshot(
        [
            "graft.accepted",
            "graft.serverStatus",
            "graft.pause",
            "graft.reloadModel",
            "graft.index",
            "graft.explain",
            "graft.repair",
        ]
    )
    uri = client.open(root / "main.py")
    await client.ready()
    await client.inline(uri, 1, 11)
    for command in commands:
        for arguments in (None, [], [1], ["x", {"y": []}]):
            params = {"command": command} | ({} if arguments is None else {"arguments": arguments})
            number = client.begin("workspace/executeCommand", params)
            if command == "graft.repair":  # without a command line there is nothing to ask about
                with pytest.raises(ServerError, match="takes"):
                    await client.answer(number)
            else:
                await client.answer(number)
            assert client.answered[number] == 1
    said = await client.request("workspace/executeCommand", {"command": "graft.explain"})
    assert "width * height" in said and "checked: parses" in said
    with pytest.raises(ServerError) as caught:
        await client.request("workspace/executeCommand", {"command": "graft.nonsense"})
    assert caught.value.code == -32602


async def test_pausing_ends_automatic_suggestions_only(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="def area(width, height):\n    return \n")
    client = await start({"answers": ["width * height\n"]})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    await client.ready()
    await client.request("workspace/executeCommand", {"command": "graft.pause", "arguments": [5]})
    await client.notification("graft/status", kind="inactive")
    assert await client.inline(uri, 1, 11) == []
    assert len(await client.inline(uri, 1, 11, manual=True)) == 1
    await client.request("workspace/executeCommand", {"command": "graft.pause", "arguments": [0]})
    assert len(await client.inline(uri, 1, 11)) == 1


async def test_a_rejected_text_is_not_shown_again(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="def area(width, height):\n    return \n")
    client = await start({"answers": ["width * height\n"]})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    await client.ready()
    (item,) = await client.inline(uri, 1, 11)
    client.notify("textDocument/didShowCompletion", {"item": item})
    client.notify("graft/didRejectCompletion", {"item": item})
    client.change(uri, 1, 11, "w")
    client.change(uri, 1, 11, "", removed=1)
    client.change(uri, 0, 0, "# a change above, so that the cache is no help\n")
    assert await client.inline(uri, 2, 11) == []


async def test_what_was_published_is_not_published_again(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="print(nothing)\n", other_py="x = 1\n")
    client = await start({})
    await client.initialize(root)
    uri = client.open(root / "main.py")
    other = client.open(root / "other.py")
    await client.ready()
    await client.notification("textDocument/publishDiagnostics", uri=uri)
    for saved in (uri, other, uri):
        client.save(saved)
    # The saves' checks are asked before this one and answered by one thread, so they are done when it is.
    await client.request(
        "textDocument/codeAction",
        {
            "textDocument": {"uri": other},
            "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}},
            "context": {"diagnostics": []},
        },
    )
    client.save(other)
    await client.request("workspace/executeCommand", {"command": "graft.serverStatus"})
    told = [m["params"] for m in client.heard if m.get("method") == "textDocument/publishDiagnostics"]
    assert [len(p["diagnostics"]) for p in told if p["uri"] == uri] == [1]
    assert [len(p["diagnostics"]) for p in told if p["uri"] == other] == [0]


async def test_the_status_in_detail(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="x = 1\n", other_py="y = 2\n")
    client = await start({})
    await client.initialize(root)
    client.open(root / "main.py")
    await client.ready()
    found = await client.request("workspace/executeCommand", {"command": "graft.serverStatus"})
    assert found["state"] == "no-model"
    assert found["folders"] == [{"root": str(root), "files": 2, "ready": True}]
    assert found["today"]["accepted"] == 0
