"""A real client over real pipes: starts a server process, speaks the protocol in raw JSON, keeps all it hears.

Every message of the server passes through `Client.heard`; `request` waits for its one answer and fails on a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Message = dict[str, Any]

CAPABILITIES: Message = {
    "general": {"positionEncodings": ["utf-16"], "staleRequestSupport": {"cancel": True, "retryOnContentModified": []}},
    "window": {"workDoneProgress": True},
    "workspace": {
        "configuration": False,
        "workspaceFolders": True,
        "workspaceEdit": {"documentChanges": True},
        "didChangeWatchedFiles": {"dynamicRegistration": False},
    },
    "textDocument": {
        "publishDiagnostics": {"versionSupport": True},
        "inlineCompletion": {},
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix", "source.fixAll"]}},
            "resolveSupport": {"properties": ["edit"]},
            "dataSupport": True,
        },
    },
}


class ServerError(Exception):
    """The server answered a request with an error."""

    def __init__(self, error: Message) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = error.get("code")


class Client:
    """One server process and the conversation with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.heard: list[Message] = []
        self.answered: dict[Any, int] = {}
        self.garbage = b""
        self.configuration: Message = {}
        self.replies: Message = {}
        """What other requests of the server are answered with, by method (null without)."""
        self._next = 1
        self._waiting: dict[Any, asyncio.Future[Message]] = {}
        self._arrived = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())
        self._versions: dict[str, int] = {}

    @classmethod
    async def start(
        cls, command: Sequence[str], *, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> Client:
        """Start a server.  Its standard error goes where pytest's goes."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            limit=1 << 24,
        )
        return cls(process)

    # -- wire ---------------------------------------------------------------------------------------------------------
    def send_raw(self, data: bytes) -> None:
        """Bytes as they are, for broken messages."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def send(self, message: Message) -> None:
        """One message in its frame."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def notify(self, method: str, params: Any = None) -> None:
        """A notification."""
        self.send({"method": method, **({} if params is None else {"params": params})})

    def begin(self, method: str, params: Any = None) -> int:
        """Send a request; its answer is awaited with `answer`."""
        number = self._next
        self._next += 1
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self.send({"id": number, "method": method, **({} if params is None else {"params": params})})
        return number

    async def answer(self, number: int, seconds: float = 60) -> Any:
        """The result of a request; raises ServerError if the answer is an error."""
        message = await asyncio.wait_for(asyncio.shield(self._waiting[number]), seconds)
        if "error" in message:
            raise ServerError(message["error"])
        return message.get("result")

    async def request(self, method: str, params: Any = None, seconds: float = 60) -> Any:
        """A request and its result."""
        return await self.answer(self.begin(method, params), seconds)

    async def wait_for(self, wanted: Callable[[Message], bool], seconds: float = 60, since: int = 0) -> Message:
        """The first message heard (from number `since` on) that fits; waits for it."""

        async def find() -> Message:
            async with self._arrived:
                while True:
                    for message in self.heard[since:]:
                        if wanted(message):
                            return message
                    await self._arrived.wait()

        return await asyncio.wait_for(find(), seconds)

    async def notification(self, method: str, seconds: float = 60, since: int = 0, **params: Any) -> Any:
        """The parameters of the first notification of a method whose parameters hold `params`."""

        def fits(message: Message) -> bool:
            given = message.get("params") or {}
            return message.get("method") == method and all(given.get(k) == v for k, v in params.items())

        return (await self.wait_for(fits, seconds, since))["params"]

    async def _read(self) -> None:
        assert self.process.stdout is not None
        out = self.process.stdout
        while True:
            length = None
            while True:
                line = await out.readline()
                if not line:
                    await self._end()
                    return
                if line == b"\r\n":
                    break
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                elif b":" not in line:
                    self.garbage += line
            assert length is not None, f"no length in {self.garbage!r}"
            message = json.loads(await out.readexactly(length))
            await self._take(message)

    async def _take(self, message: Message) -> None:
        async with self._arrived:
            self.heard.append(message)
            self._arrived.notify_all()
        if "method" in message:
            if "id" in message:
                self.send({"id": message["id"], "result": self._reply(message)})
            return
        number = message.get("id")
        self.answered[number] = self.answered.get(number, 0) + 1
        future = self._waiting.get(number)
        if future is not None and not future.done():
            future.set_result(message)

    def _reply(self, message: Message) -> Any:
        if message["method"] == "workspace/configuration":
            return [self.configuration for _ in message["params"]["items"]]
        return self.replies.get(message["method"])

    async def _end(self) -> None:
        for number, future in self._waiting.items():
            if not future.done():
                future.set_exception(ConnectionError(f"the server ended before it answered request {number}"))
                future.exception()
        async with self._arrived:
            self.heard.append({"method": "$ended"})
            self._arrived.notify_all()

    # -- conversation -------------------------------------------------------------------------------------------------
    async def initialize(
        self, *roots: Path, options: Message | None = None, capabilities: Message | None = None
    ) -> Message:
        """Initialize with workspace folders; returns the server's capabilities."""
        result = await self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "clientInfo": {"name": "graft-testing"},
                "rootUri": roots[0].as_uri() if roots else None,
                "workspaceFolders": [{"uri": r.as_uri(), "name": r.name} for r in roots] or None,
                "capabilities": CAPABILITIES if capabilities is None else capabilities,
                "initializationOptions": options or {},
            },
        )
        self.notify("initialized", {})
        capabilities_given: Message = result["capabilities"]
        return capabilities_given

    async def ready(self) -> None:
        """Wait until the graph is built and the engine has started, or is known to be absent."""

        def idle(message: Message) -> bool:
            given = message.get("params") or {}
            return (
                message.get("method") == "graft/status" and not given["busy"] and "not started" not in given["message"]
            )

        await self.wait_for(idle)

    def open(self, path: Path, text: str | None = None, language: str = "python") -> str:
        """Open a document; returns its address."""
        uri = path.as_uri()
        self._versions[uri] = 1
        content = path.read_bytes().decode() if text is None else text
        item = {"uri": uri, "languageId": language, "version": 1, "text": content}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return uri

    def change(self, uri: str, line: int, column: int, text: str, *, removed: int = 0) -> int:
        """Replace `removed` units at a position; returns the new version."""
        self._versions[uri] += 1
        where = {"start": {"line": line, "character": column}, "end": {"line": line, "character": column + removed}}
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": uri, "version": self._versions[uri]},
                "contentChanges": [{"range": where, "text": text}],
            },
        )
        return self._versions[uri]

    def save(self, uri: str) -> None:
        """Tell of a save (the file itself is the test's)."""
        self.notify("textDocument/didSave", {"textDocument": {"uri": uri}})

    def begin_inline(self, uri: str, line: int, column: int, *, manual: bool = False, **context: Any) -> int:
        """Ask for ghost text."""
        return self.begin(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": column},
                "context": {"triggerKind": 1 if manual else 2, **context},
            },
        )

    async def inline(self, uri: str, line: int, column: int, *, manual: bool = False, **context: Any) -> list[Message]:
        """Ghost text at a position."""
        result = await self.answer(self.begin_inline(uri, line, column, manual=manual, **context))
        items: list[Message] = result["items"] if isinstance(result, dict) else result
        return items

    async def stop(self) -> int:
        """Shut the server down by the protocol; returns its exit status."""
        await self.request("shutdown")
        self.notify("exit")
        return await self.wait_exit()

    async def wait_exit(self, seconds: float = 30) -> int:
        """The exit status; kills the process if it does not leave in time."""
        try:
            return await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            self.process.kill()
            raise

    async def close(self) -> None:
        """End the conversation whatever its state."""
        if self.process.returncode is None:
            if self.process.stdin is not None:
                self.process.stdin.close()
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        self._reader.cancel()


def scripted_server(script: Path) -> list[str]:
    """The command of a server whose engine answers from a JSON file: see `graft_testing.scripted_server`."""
    return [sys.executable, "-m", "graft_testing.scripted_server", str(script)]
