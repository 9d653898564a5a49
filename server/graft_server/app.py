"""The language server: the protocol on standard input and output, and what its handlers share.

pygls supplies the types, the dispatch and the capabilities; the subclass here mends what it leaves to its users: every
request gets exactly one answer, also one that does not fit its type, comes before `initialize` or after `shutdown`;
frames are found again after garbage; the exit status is the protocol's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, BinaryIO

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcContentModified,
    JsonRpcException,
    JsonRpcInternalError,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from graft_server import __version__
from graft_server.completion.model import Completion
from graft_server.framing import FrameBuffer
from graft_server.garbage import keep_tidy
from graft_server.handlers import documents, lifecycle, notebooks, register
from graft_server.session import EngineFactory, GraphFactory, Session
from graft_server.shown import ShownItems

log = logging.getLogger("graft.server")

_LIST_FIELDS = {
    "textDocument/didChange": "contentChanges",
    "workspace/didChangeWatchedFiles": "changes",
}
"""Fields that must be lists, checked before the types are built: a long string there costs seconds otherwise."""


class GraftProtocol(LanguageServerProtocol):
    """The protocol with its gaps closed."""

    _server: GraftServer

    def __init__(self, server: GraftServer, converter: Any) -> None:
        super().__init__(server, converter)
        self.initialized = False
        self.exit_status: int | None = None
        self.stopped = asyncio.Event()

    def receive(self, body: bytes) -> bool:
        """Take one frame's body; False if it is no JSON."""
        try:
            data = json.loads(body)
        except (ValueError, RecursionError) as error:
            log.warning("a message of %d bytes is no JSON: %s", len(body), str(error)[:200])
            self._refuse(None, JsonRpcParseError("the message is no JSON"))
            return False
        if not isinstance(data, dict) or data.get("jsonrpc") != "2.0":
            self._refuse(_id_of(data), JsonRpcInvalidRequest("a message must be an object with jsonrpc 2.0"))
            return True
        method = data.get("method")
        if method is None:
            self._take_response(data)
            return True
        request = "id" in data
        identifier = _id_of(data)
        if not isinstance(method, str) or (request and identifier is None):
            self._refuse(identifier, JsonRpcInvalidRequest("the method must be a string, the id a number or a string"))
            return True
        if method == types.EXIT:
            self.exit_status = 0 if self._shutdown else 1
            self.stopped.set()
            return True
        if self._shutdown:
            if request:
                self._refuse(identifier, JsonRpcInvalidRequest("the server is shutting down"))
            return True
        if not self.initialized and method != types.INITIALIZE:
            if request:
                self._refuse(identifier, JsonRpcServerNotInitialized("the server is not initialized"))
            return True
        if method == types.INITIALIZE and self.initialized:
            self._refuse(identifier, JsonRpcInvalidRequest("the server is initialized already"))
            return True
        if request and identifier in self._request_futures:
            self._refuse(identifier, JsonRpcInvalidRequest(f"a request with id {identifier!r} is under way"))
            return True
        try:
            message = self._structured(method, data)
        except Exception as error:
            log.warning("%s does not fit its type: %s", method, _first_line(error))
            if request:
                self._refuse(identifier, JsonRpcInvalidParams(f"the parameters of {method} do not fit their type"))
            return True
        if method == types.INITIALIZE:
            self.initialized = True
        try:
            self.handle_message(message)
        except Exception:
            log.exception("%s failed", method)
            if request:
                self._refuse(identifier, JsonRpcInternalError(f"{method} failed"))
        return True

    def _structured(self, method: str, data: dict[str, Any]) -> Any:
        name = _LIST_FIELDS.get(method)
        if name is not None:
            params = data.get("params")
            if not isinstance(params, dict) or not isinstance(params.get(name), list):
                raise TypeError(f"{name} must be a list")
        kind = self.get_message_type(method)
        if kind is None:
            # Own methods keep their parameters as plain JSON; pygls would turn them into named tuples.
            return (
                _Plain(data.get("id"), method, data.get("params"))
                if "id" in data
                else _PlainNote(method, data.get("params"))
            )
        if "params" not in data and method not in (types.SHUTDOWN, types.INITIALIZED):
            data = {**data, "params": {}}
        return self._converter.structure(data, kind)

    def _take_response(self, data: dict[str, Any]) -> None:
        try:
            message = self.structure_message(data)
        except JsonRpcException:
            log.warning("an answer of the client does not fit its type")
            future = self._request_futures.pop(data.get("id"), None)  # type: ignore[arg-type]
            if future is not None and not future.done():
                future.set_exception(JsonRpcInvalidParams("the client's answer does not fit its type"))
            return
        future = self._request_futures.get(data.get("id"))  # type: ignore[arg-type]
        if future is None or future.done():
            # Nobody waits any more: pygls would raise InvalidStateError.
            self._request_futures.pop(data.get("id"), None)  # type: ignore[arg-type]
            return
        self.handle_message(message)

    def _refuse(self, identifier: str | int | None, error: JsonRpcException) -> None:
        # As plain JSON: the converter would leave out an id that is null.
        said = {"code": error.code, "message": error.message}
        self._send_data({"jsonrpc": self.VERSION, "id": identifier, "error": said})

    def _send_handler_result(self, future: Future[Any], *, msg_id: str | int) -> None:
        if not future.cancelled() and isinstance(future.exception(), JsonRpcContentModified):
            # Not a fault: the document moved on while the answer was made.
            self._request_futures.pop(msg_id, None)
            error = future.exception()
            assert isinstance(error, JsonRpcException)
            self._send_response(msg_id, error=error.to_response_error())
            return
        super()._send_handler_result(future, msg_id=msg_id)

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Documents are kept by the session, as bytes with line starts; pygls' own copies are not used."""
        documents.did_open(self._server, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Apply the changes at once, so that every later request sees them."""
        documents.did_change(self._server, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget the document; the file on disk counts again."""
        documents.did_close(self._server, params)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Cells are documents of the session too."""
        notebooks.did_open(self._server, params)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Apply the changes at once."""
        notebooks.did_change(self._server, params)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: types.DidCloseNotebookDocumentParams) -> None:
        """Forget the cells."""
        notebooks.did_close(self._server, params)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """As in pygls, then the capabilities that depend on the client."""
        result = yield from super().lsp_initialize(params)
        lifecycle.adapt(self._server, params, result.capabilities)
        return result

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    def lsp_workspace__execute_command(self, params: types.ExecuteCommandParams) -> Generator[Any, Any, Any]:
        """Run a command with its arguments as they came: each command checks its own."""
        handler = self.fm.commands.get(params.command)
        if handler is None:
            raise JsonRpcInvalidParams(f"unknown command {params.command!r}")
        request = self._request_futures.get(self.msg_id) if self.msg_id is not None else None
        return (yield _cancelled_with(request, handler), tuple(params.arguments or ()), {})


def _cancelled_with(request: Any, handler: Callable[..., Any]) -> Callable[..., Any]:
    """A command that ends when its request is cancelled: pygls runs it as a task of its own, which it forgets."""
    if request is None or not asyncio.iscoroutinefunction(handler):
        return handler

    async def run(*arguments: Any) -> Any:
        task = asyncio.ensure_future(handler(*arguments))
        request.add_done_callback(lambda future: future.cancelled() and task.cancel())
        return await task

    return run


class _PlainNote:
    """A notification whose parameters stay JSON."""

    jsonrpc = "2.0"

    def __init__(self, method: str, params: Any) -> None:
        self.method = method
        self.params = params


class _Plain(_PlainNote):
    """A request whose parameters stay JSON."""

    def __init__(self, identifier: Any, method: str, params: Any) -> None:
        super().__init__(method, params)
        self.id = identifier


def _id_of(data: Any) -> str | int | None:
    identifier = data.get("id") if isinstance(data, dict) else None
    return identifier if isinstance(identifier, (str, int)) and not isinstance(identifier, bool) else None


def _first_line(error: BaseException) -> str:
    return ("".join(traceback.format_exception_only(error)).strip().splitlines() or [""])[0][:200]


@dataclass(slots=True)
class ClientFeatures:
    """What the client can do, as far as Graft asks."""

    progress: bool = False
    configuration: bool = False
    watch_registration: bool = False
    resolve_edit: bool = False
    versioned_edits: bool = False
    takes_stale: bool = False
    """Shows no error for ContentModified."""
    pulls: bool = False
    """Takes diagnostics only when it asks."""
    refresh_diagnostics: bool = False
    name: str = ""


class GraftServer(LanguageServer):
    """The server object that handlers receive."""

    protocol: GraftProtocol

    def __init__(self, *, engine: EngineFactory | None = None, graph: GraphFactory | None = None) -> None:
        self.session = Session()
        if engine is not None:
            self.session.engine_factory = engine
        if graph is not None:
            self.session.graph_factory = graph
        self.features = ClientFeatures()
        self.shown = ShownItems(self.session.statistics)
        self.last_completions: dict[str, list[Completion]] = {}
        self.last_document = ""
        self.published: dict[str, tuple[int, list[types.Diagnostic]]] = {}
        """By document: the version, and the diagnostics that the client was last sent for it."""
        super().__init__("graft", __version__, protocol_cls=GraftProtocol, notebook_document_sync=notebooks.SYNC)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Faults go to the log; a pop-up per fault would be worse than the fault."""
        log.error("%s: %s", getattr(source, "__name__", source), _first_line(error))


def serve(
    *,
    engine: EngineFactory | None = None,
    graph: GraphFactory | None = None,
    stdin: BinaryIO | None = None,
) -> int:
    """Serve on standard input and output until `exit` or the end of input; returns the exit status.

    Descriptor 1 is moved away first and then points at stderr, so that nothing a library prints reaches the client.
    """
    wire = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return asyncio.run(_serve(stdin or sys.stdin.buffer, wire, engine=engine, graph=graph))


async def _serve(stdin: BinaryIO, wire: Any, *, engine: EngineFactory | None, graph: GraphFactory | None) -> int:
    server = GraftServer(engine=engine, graph=graph)
    register(server)
    protocol = server.protocol
    protocol.set_writer(_Wire(wire))
    loop = asyncio.get_running_loop()
    frames = FrameBuffer()

    def take(data: bytes) -> None:
        if not data:
            protocol.stopped.set()
            return
        frames.feed(data)
        while (body := frames.pop()) is not None:
            if protocol.exit_status is None and not protocol.receive(body):
                frames.give_back(body)

    # A thread of our own: pygls would read through its pool, which other work can fill.
    threading.Thread(target=_read, args=(stdin.fileno(), loop, take), name="stdin", daemon=True).start()
    watch = asyncio.create_task(_leave_with_parent(server))
    tidy = asyncio.create_task(keep_tidy())
    try:
        await protocol.stopped.wait()
    finally:
        watch.cancel()
        tidy.cancel()
        await server.session.close()
        for future in list(protocol._request_futures.values()):
            future.cancel()
        if server._thread_pool is not None:
            server._thread_pool.shutdown(wait=False, cancel_futures=True)
    return protocol.exit_status if protocol.exit_status is not None else 1


def _read(descriptor: int, loop: asyncio.AbstractEventLoop, take: Callable[[bytes], None]) -> None:
    """Hand everything that arrives to the loop; an empty piece is the end."""
    while True:
        try:
            data = os.read(descriptor, 1 << 16)
        except InterruptedError:
            continue
        except OSError as error:
            log.warning("standard input: %s", error)
            data = b""
        try:
            loop.call_soon_threadsafe(take, data)
        except RuntimeError:
            return  # The loop is closed: the server is leaving.
        if not data:
            return


async def _leave_with_parent(server: GraftServer) -> None:
    """End when the editor that started us is gone without saying so."""
    while True:
        await asyncio.sleep(10)
        parent = server.process_id
        if parent is not None and not _alive(parent):
            log.warning("the editor (process %d) is gone", parent)
            server.protocol.stopped.set()
            return


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


class _Wire:
    """Writes whole frames; a client that went away ends the server quietly."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._broken = False

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._broken:
            try:
                view = view[self._file.write(view) or 0 :]
            except (BrokenPipeError, ConnectionResetError, ValueError):
                log.warning("the client is gone")
                self._broken = True

    def close(self) -> None:
        self._file.close()
