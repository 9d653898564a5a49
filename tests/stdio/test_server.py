"""The server over real pipes, with a scripted engine."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from graft_testing.lsp import Client, ServerError, scripted_server

Start = Callable[..., Coroutine[Any, Any, Client]]
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts servers with their own cache, data and settings; ends them all."""
    clients: list[Client] = []

    async def begin(script: dict[str, Any] | None = None, **env: str) -> Client:
        file = tmp_path / f"script{len(clients)}.json"
        file.write_text(json.dumps(script or {}))
        places = {f"GRAFT_{n}_DIR": str(tmp_path / n.lower()) for n in ("CACHE", "DATA", "LOG")}
        own = {
            **places,
            "GRAFT_CONFIG": str(tmp_path / "config.toml"),
            "GRAFT_STRICT": "1",
            "PYTHONPATH": os.pathsep.join(str(REPOSITORY / d) for d in ("indexer", "models", "server", "tests")),
            **env,
        }
        client = await Client.start(scripted_server(file), env=own)
        clients.append(client)
        return client

    yield begin
    for client in clients:
        await client.close()


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
    uri = client.open(root / "main.py")
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
    number = client.begin_inline(uri, 0, 4)
    await asyncio.sleep(0.3)
    client.notify("$/cancelRequest", {"id": number})
    with pytest.raises(ServerError) as caught:
        await client.answer(number, seconds=2)
    assert caught.value.code == -32800
    await asyncio.sleep(0.5)
    assert client.answered[number] == 1


async def test_stale_request_is_content_modified(start: Start, tmp_path: Path) -> None:
    root = project(tmp_path, main_py="x = \n")
    client = await start({"answers": [{"text": "1 + 2\n", "delay_ms": 150}]})
    await client.initialize(root)
    uri = client.open(root / "main.py")
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
    assert await client.request("shutdown", seconds=3) is None
    assert await refused({"id": "late", "method": "textDocument/completion", "params": {}}) == -32600
    client.notify("exit")
    assert await client.wait_exit() == 0


async def test_exit_without_shutdown_is_1(start: Start, tmp_path: Path) -> None:
    client = await start({"answers": [{"text": "1 + 2 + 3\n", "delay_ms": 500}]})
    root = project(tmp_path, main_py="x = \n")
    await client.initialize(root)
    client.begin_inline(client.open(root / "main.py"), 0, 4)
    await asyncio.sleep(0.2)
    client.notify("exit")
    assert await client.wait_exit(5) == 1


async def test_end_of_input_ends_the_server(start: Start, tmp_path: Path) -> None:
    client = await start({})
    await client.initialize(project(tmp_path, main_py="x = 1\n"))
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert await client.wait_exit(5) == 1


async def test_command_line_serves(tmp_path: Path) -> None:
    client = await Client.start([sys.executable, "-m", "graft_server.cli", "serve", "--stdio"])
    try:
        await client.initialize(project(tmp_path, main_py="x = 1\n"), options={"graft": {"model": {"enable": False}}})
        assert await client.stop() == 0
    finally:
        await client.close()
