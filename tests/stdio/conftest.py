"""Servers for the tests of this folder: real processes, each with places of its own."""

import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from graft_testing.lsp import Client, scripted_server

REPOSITORY = Path(__file__).parents[2]
Start = Callable[..., Coroutine[Any, Any, Client]]


def own_places(root: Path) -> dict[str, str]:
    """Environment of a server that touches nothing of the user's."""
    return {
        **{f"GRAFT_{n}_DIR": str(root / n.lower()) for n in ("CACHE", "DATA", "LOG")},
        "GRAFT_CONFIG": str(root / "config.toml"),
        "GRAFT_STRICT": "1",
        "PYTHONPATH": os.pathsep.join(str(REPOSITORY / d) for d in ("indexer", "models", "server", "tests")),
    }


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """`start(script)` starts a server with a scripted engine, `start(None)` one as users start it; ends them all."""
    clients: list[Client] = []

    async def begin(script: dict[str, Any] | None = None, **env: str) -> Client:
        if script is None:
            command = [sys.executable, "-m", "graft_server.cli", "serve", "--stdio"]
        else:
            file = tmp_path / f"script{len(clients)}.json"
            file.write_text(json.dumps(script))
            command = scripted_server(file)
        client = await Client.start(command, env={**own_places(tmp_path), **env})
        clients.append(client)
        return client

    yield begin
    for client in clients:
        await client.close()
