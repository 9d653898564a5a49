"""Beginning, configuration, workspace folders, files that changed, status and progress."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from graft_server import convert
from graft_server.status import ServerStatus
from graft_server.workspace import innermost

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.lifecycle")

STATUS = "graft/status"
WATCHED = "**/*.{py,pyi,toml,cfg}"


def register(server: GraftServer) -> None:
    """Register the handlers of this module."""

    @server.feature(types.INITIALIZE)
    def initialize(ls: GraftServer, params: types.InitializeParams) -> None:
        _begin(ls, params)

    @server.feature(types.INITIALIZED)
    def initialized(ls: GraftServer, params: types.InitializedParams) -> None:
        ls.session.start()
        if ls.features.watch_registration:
            ls.session.spawn(_watch_files(ls))
        if ls.features.configuration:
            ls.session.spawn(_ask_configuration(ls))

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configuration(ls: GraftServer, params: types.DidChangeConfigurationParams) -> None:
        if ls.features.configuration:
            ls.session.spawn(_ask_configuration(ls))
        elif isinstance(params.settings, dict):
            from graft_server.handlers import diagnostics

            ls.session.configure(_own_section(params.settings))
            diagnostics.check_again(ls)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders(ls: GraftServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
        for removed in params.event.removed:
            ls.session.remove_folder(convert.path_of(removed.uri))
        for added in params.event.added:
            if path := convert.path_of(added.uri):
                ls.session.add_folder(path)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def watched(ls: GraftServer, params: types.DidChangeWatchedFilesParams) -> None:
        by_root: dict[str, list[str]] = {}
        for change in params.changes:
            path = convert.path_of(change.uri)
            folder = innermost(ls.session.folders, path) if path else None
            relative = folder.relative(path) if folder is not None else None
            if folder is not None and relative is not None:
                by_root.setdefault(folder.root, []).append(relative)
        for folder in ls.session.folders:
            if folder.root in by_root:
                ls.session.refresh(folder, by_root[folder.root])

    @server.feature(types.SHUTDOWN)
    def shutdown(ls: GraftServer, params: Any) -> None:
        for pipeline in ls.session.pipelines():
            pipeline.cancel_all()


def _begin(ls: GraftServer, params: types.InitializeParams) -> None:
    capabilities = params.capabilities
    features, window = ls.features, capabilities.window
    workspace, document = capabilities.workspace, capabilities.text_document
    features.name = params.client_info.name if params.client_info is not None else ""
    features.progress = bool(window is not None and window.work_done_progress)
    if workspace is not None:
        features.configuration = bool(workspace.configuration)
        watching = workspace.did_change_watched_files
        features.watch_registration = bool(watching is not None and watching.dynamic_registration)
        edit = workspace.workspace_edit
        features.versioned_edits = bool(edit is not None and edit.document_changes)
        features.refresh_diagnostics = bool(workspace.diagnostics is not None and workspace.diagnostics.refresh_support)
    if document is not None:
        action = document.code_action
        resolve = action.resolve_support if action is not None else None
        features.resolve_edit = bool(resolve is not None and "edit" in resolve.properties)
        features.pulls = document.diagnostic is not None and document.publish_diagnostics is None
    stale = capabilities.general.stale_request_support if capabilities.general is not None else None
    features.takes_stale = stale is not None
    ls.session.watches_files = features.watch_registration
    ls.session.hooks.status = lambda status: _send_status(ls, status)
    reporter = _Progress(ls)
    ls.session.hooks.progress = reporter.report
    ls.session.hooks.opened = lambda root: _graph_opened(ls, root)
    options = params.initialization_options
    roots = [path for folder in params.workspace_folders or [] if (path := convert.path_of(folder.uri))]
    if not roots and params.root_uri and (path := convert.path_of(params.root_uri)):
        roots = [path]
    if not roots and params.root_path:
        roots = [params.root_path]
    ls.session.begin(roots, _own_section(options) if isinstance(options, dict) else {})


def adapt(ls: GraftServer, params: types.InitializeParams, capabilities: types.ServerCapabilities) -> None:
    """What depends on the client: the negotiated encoding, pull diagnostics only where nothing is pushed (a client
    that takes both would show every finding twice), the classic list only where there is no ghost text."""
    ls.session.unit = convert.unit_of(capabilities.position_encoding)
    if not ls.features.pulls:
        capabilities.diagnostic_provider = None
    document = params.capabilities.text_document
    if document is not None and document.inline_completion is not None:
        # The list is for editors without ghost text; elsewhere it would stand beside another server's.
        capabilities.completion_provider = None


def _own_section(values: dict[str, Any]) -> dict[str, Any]:
    inner = values.get("graft")
    return inner if isinstance(inner, dict) else values


async def _ask_configuration(ls: GraftServer) -> None:
    params = types.ConfigurationParams([types.ConfigurationItem(section="graft")])
    try:
        answer = await asyncio.shield(ls.workspace_configuration_async(params))
    except Exception as error:
        log.info("the client gave no configuration: %s", error)
        return
    if answer and isinstance(answer[0], dict):
        from graft_server.handlers import diagnostics

        ls.session.configure(answer[0])
        diagnostics.check_again(ls)


async def _watch_files(ls: GraftServer) -> None:
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(WATCHED)])
    registration = types.Registration("graft-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
    try:
        await asyncio.shield(ls.client_register_capability_async(types.RegistrationParams([registration])))
    except Exception as error:
        log.info("the client does not watch files: %s", error)
        ls.session.watches_files = False


def _send_status(ls: GraftServer, status: ServerStatus) -> None:
    ls.protocol.notify(STATUS, dataclasses.asdict(status))


def _graph_opened(ls: GraftServer, root: str) -> None:
    from graft_server.handlers import diagnostics

    for document in list(ls.session.documents.values()):
        folder = ls.session.folder_of(document.path)
        if folder is not None and folder.root == root:
            ls.session.warm(document)
            diagnostics.check_soon(ls, document)


class _Progress:
    """Work-done progress of indexing: one token per folder, at most five reports a second."""

    def __init__(self, ls: GraftServer) -> None:
        self._ls = ls
        self._begun: dict[str, tuple[str, asyncio.Task[bool]]] = {}
        self._last: dict[str, float] = {}

    def report(self, root: str, done: int, total: int) -> None:
        if not self._ls.features.progress or not self._ls.protocol.initialized:
            return
        loop = asyncio.get_running_loop()
        if root not in self._begun:
            if done >= total:
                return
            token = f"graft-index-{len(self._last)}"
            self._begun[root] = token, asyncio.create_task(self._begin(token))
            self._last[root] = loop.time()
        elif done >= total:
            token, begun = self._begun.pop(root)
            end = types.WorkDoneProgressEnd(message=f"{total} files")
            self._ls.session.spawn(self._after(begun, token, end))
        elif loop.time() - self._last[root] >= 0.2:
            self._last[root] = loop.time()
            token, begun = self._begun[root]
            percentage = 100 * done // total if total else 0
            value = types.WorkDoneProgressReport(message=f"{done}/{total} files", percentage=percentage)
            self._ls.session.spawn(self._after(begun, token, value))

    async def _begin(self, token: str) -> bool:
        try:
            create = types.WorkDoneProgressCreateParams(token)
            await asyncio.shield(self._ls.window_work_done_progress_create_async(create))
        except Exception as error:
            log.info("the client shows no progress: %s", error)
            self._ls.features.progress = False
            return False
        self._ls.progress(types.ProgressParams(token, types.WorkDoneProgressBegin(title="Indexing", percentage=0)))
        return True

    async def _after(self, begun: asyncio.Task[bool], token: str, value: Any) -> None:
        """Send, but never before the beginning: a small index is done before the client has made the token."""
        if await begun:
            self._ls.progress(types.ProgressParams(token, value))
