"""Diagnostics: pushed when a document is opened or saved, answered when a client pulls."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from graft_indexer.graph import SymbolGraph
from graft_server import convert
from graft_server.diagnosis.model import Diagnostic
from graft_server.settings import Settings
from graft_server.workspace import NORMAL, Document

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.diagnostics")


def register(server: GraftServer) -> None:
    """Register the handlers of this module."""

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: GraftServer, params: types.DidSaveTextDocumentParams) -> None:
        document = ls.session.documents.get(params.text_document.uri)
        if document is None:
            return
        ls.session.saved(document)
        check_soon(ls, document)
        # What was saved may change what holds in other open files.
        for other in list(ls.session.documents.values()):
            if other is not document and ls.session.folder_of(other.path) is ls.session.folder_of(document.path):
                check_soon(ls, other)
        if ls.features.refresh_diagnostics and ls.features.pulls:
            ls.workspace_diagnostic_refresh(None)

    @server.feature(
        types.TEXT_DOCUMENT_DIAGNOSTIC,
        types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=False, identifier="graft"),
    )
    async def pulled(ls: GraftServer, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        document = ls.session.documents.get(params.text_document.uri)
        if document is None:
            return types.RelatedFullDocumentDiagnosticReport([])
        version = document.version
        identifier = f"{version}"
        if params.previous_result_id == identifier and document.uri in ls.session.found:
            return types.RelatedUnchangedDocumentDiagnosticReport(identifier)
        found = await check(ls, document)
        return types.RelatedFullDocumentDiagnosticReport(_converted(ls, document, found), result_id=identifier)


def check_soon(ls: GraftServer, document: Document) -> None:
    """Check a document in the background and publish what is found."""
    if not ls.features.pulls:
        ls.session.spawn(_check_and_publish(ls, document))


def clear(ls: GraftServer, uri: str) -> None:
    """Take a closed document's diagnostics off the screen."""
    ls.published.pop(uri, None)
    if not ls.features.pulls:
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))


async def _check_and_publish(ls: GraftServer, document: Document) -> None:
    version = document.version
    found = await check(ls, document)
    if document.version != version or ls.session.documents.get(document.uri) is not document:
        # The text moved on while it was checked: what was found may stand elsewhere now.
        return
    now = (version, _converted(ls, document, found))
    if ls.published.get(document.uri) == now:
        # A file is checked when it is opened, when its folder's index is ready, and when another file is saved: the
        # client has seen this already.
        return
    ls.published[document.uri] = now
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(document.uri, now[1], version))


async def check(ls: GraftServer, document: Document) -> list[Diagnostic]:
    """What the checks find in a document as it is now; kept for code actions."""
    session = ls.session
    folder, path = session.place_of(document)
    settings = session.settings
    if folder is None or document.language != "python" or document.oversized or not settings.diagnosis_enable:
        return []
    version = document.version
    nothing: Sequence[Diagnostic] = ()
    found = list(await folder.graph.ask(lambda graph: diagnose(graph, path, settings), nothing, priority=NORMAL))
    if document.version == version:
        session.found[document.uri] = (version, found)
    return found


def diagnose(graph: SymbolGraph, path: str, settings: Settings) -> Sequence[Diagnostic]:
    """All checks on one file; on the graph's thread."""
    module = importlib.import_module("graft_server.diagnosis.run")
    found: Sequence[Diagnostic] = module.diagnose(graph, path, settings)
    return found


def _converted(ls: GraftServer, document: Document, found: Sequence[Diagnostic]) -> list[types.Diagnostic]:
    session = ls.session
    folder, path = session.place_of(document)
    return [
        convert.diagnostic(
            item,
            document.lines,
            session.unit,
            lambda other: session.lines_of(folder, other),
            lambda other: session.absolute(folder, other),
        )
        for item in found
        if item.path == path
    ]
