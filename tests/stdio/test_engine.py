"""The server with a real engine process (a tiny model with random weights): killed, cancelled, broken."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from graft_testing import tiny_gguf
from graft_testing.lsp import Client, ServerError

Start = Callable[..., Coroutine[Any, Any, Client]]


def children(process: int) -> dict[int, str]:
    """Processes below `process`, with their command lines."""
    out: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == process:
                out[int(folder.name)] = line
    return out


def project(root: Path) -> Path:
    folder = root / "project"
    folder.mkdir()
    (folder / "main.py").write_text("def area(width, height):\n    return width\n\n\nvalue = \n")
    return folder


async def served(start: Start, tmp_path: Path, model: Path) -> tuple[Client, str]:
    (tmp_path / "config.toml").write_text(f'[model]\npath = "{model}"\nthreads = 1\n')
    client = await start(None)
    root = project(tmp_path)
    await client.initialize(root)
    return client, client.open(root / "main.py")


async def state(client: Client, word: str, since: int = 0) -> dict[str, Any]:
    """The first status (from message `since` on) that names a model or says `word`."""
    message = await client.wait_for(
        lambda m: m.get("method") == "graft/status" and word in (m["params"]["model"] + m["params"]["message"]),
        seconds=60,
        since=since,
    )
    found: dict[str, Any] = message["params"]
    return found


async def test_a_killed_engine_is_replaced(start: Start, tmp_path: Path) -> None:
    model = tiny_gguf.write(tmp_path / "tiny.gguf")
    client, uri = await served(start, tmp_path, model)
    await client.wait_for(
        lambda m: m.get("method") == "graft/status" and m["params"]["model"] != "" and not m["params"]["busy"],
        seconds=60,
    )
    assert isinstance(await client.inline(uri, 4, 8, manual=True), list)
    (first,) = [p for p, line in children(client.process.pid).items() if "graft_models" in line]
    os.kill(first, signal.SIGKILL)
    for _ in range(300):
        now = [p for p, line in children(client.process.pid).items() if "graft_models" in line and p != first]
        if now:
            break
        await asyncio.sleep(0.1)
    assert now, "no new engine process"
    # Graph features answer meanwhile, and so does the server itself.
    where = {"textDocument": {"uri": uri}, "position": {"line": 4, "character": 8}}
    labels = {i["label"] for i in (await client.request("textDocument/completion", where))["items"]}
    assert "area" in labels
    assert await client.stop() == 0


async def test_cancel_ends_a_real_decode_and_is_answered_once(start: Start, tmp_path: Path) -> None:
    model = tiny_gguf.write(tmp_path / "tiny.gguf")
    client, uri = await served(start, tmp_path, model)
    await client.wait_for(
        lambda m: m.get("method") == "graft/status" and m["params"]["model"] != "" and not m["params"]["busy"],
        seconds=60,
    )
    outcomes: list[str] = []
    for _ in range(10):
        number = client.begin_inline(uri, 4, 8, manual=True)
        client.notify("$/cancelRequest", {"id": number})
        try:
            await client.answer(number)
            outcomes.append("answered")
        except ServerError as error:
            outcomes.append(str(error.code))
        assert client.answered[number] == 1
    assert set(outcomes) <= {"-32800", "answered"} and "-32800" in outcomes


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model" * 1000])
async def test_a_broken_model_is_one_line_of_status(start: Start, tmp_path: Path, content: bytes) -> None:
    model = tmp_path / "broken.gguf"
    model.write_bytes(content)
    client, uri = await served(start, tmp_path, model)
    message = await client.wait_for(
        lambda m: (
            m.get("method") == "graft/status"
            and m["params"]["kind"] == "warning"
            and "broken.gguf" in m["params"]["message"]
        ),
        seconds=60,
    )
    assert "\n" not in message["params"]["message"]
    await client.notification("textDocument/publishDiagnostics", uri=uri)
    where = {"textDocument": {"uri": uri}, "position": {"line": 4, "character": 8}}
    assert (await client.request("textDocument/completion", where))["items"]
    assert await client.stop() == 0


async def test_models_are_switched_without_a_restart(start: Start, tmp_path: Path) -> None:
    first = tiny_gguf.write(tmp_path / "first.gguf", metadata={"general.basename": "a"})
    client, uri = await served(start, tmp_path, first)
    ready = await client.wait_for(
        lambda m: m.get("method") == "graft/status" and m["params"]["model"] != "" and not m["params"]["busy"],
        seconds=60,
    )
    assert ready["params"]["kind"] == "normal"
    # What `graft models use` writes: first nonsense, then a model again.
    before = {p for p, line in children(client.process.pid).items() if "graft_models" in line}
    (tmp_path / "config.toml").write_text(f'[model]\npath = "{tmp_path}/absent.gguf"\n')
    await state(client, "model file not found")
    assert isinstance(await client.inline(uri, 4, 8, manual=True), list)
    (tmp_path / "config.toml").write_text(f'[model]\npath = "{first}"\nthreads = 1\n')
    for _ in range(300):
        now = {p for p, line in children(client.process.pid).items() if "graft_models" in line} - before
        if now:
            break
        await asyncio.sleep(0.1)
    assert now, "the model was not loaded again"
    assert isinstance(await client.inline(uri, 4, 8, manual=True), list)
    assert await client.stop() == 0
