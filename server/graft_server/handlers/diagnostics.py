"""Diagnostics: pushed when a document is opened or saved, answered when a client pulls."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified

from graft_indexer.syntax import language_of_id
from graft_indexer.text import Lines
from graft_server import convert
from graft_server.diagnosis.model import MODEL_HINT, Diagnostic
from graft_server.diagnosis.overlap import duplicate
from graft_server.diagnosis.pending import broken_elsewhere
from graft_server.diagnosis.suppress import unsuppressed
from graft_server.settings import Settings
from graft_server.slices import sliced
from graft_server.workspace import BACKGROUND, NORMAL, Document, Folder

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.diagnostics")

OTHERS = "graft/otherDiagnostics"
"""From clients that know what other servers show in a document."""


def register(server: GraftServer) -> None:
    """Register the handlers of this module."""

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: GraftServer, params: types.DidSaveTextDocumentParams) -> None:
        document = ls.session.documents.get(params.text_document.uri)
        if document is None:
            return
        before = document.saved
        ls.session.saved(document)
        # A save whose consequences were not looked at to the end (a second save came) is looked at with the next.
        oldest = ls.session.unlooked.setdefault(document.uri, before) if document.saved != before else before
        check_soon(ls, document, priority=NORMAL)
        if document.saved != before or ls.session.pending_of(document) is not None:
            _supersede(ls, f"consequences {document.uri}", _look_at_consequences(ls, document, oldest))
        if document.saved != before and model_hint_wanted(ls.session.settings):
            _supersede(ls, f"hints {document.uri}", _ask_the_model(ls, document, before))
        if document.saved != before:
            # What was saved may change what holds in other open files.
            for other in list(ls.session.documents.values()):
                if other is not document and ls.session.folder_of(other.path) is ls.session.folder_of(document.path):
                    check_soon(ls, other)
        if ls.features.refresh_diagnostics and ls.features.pulls:
            ls.workspace_diagnostic_refresh(None)

    @server.feature(OTHERS)
    def others(ls: GraftServer, params: Any) -> None:
        """`graft/otherDiagnostics` {uri, diagnostics}: what other servers show in a document."""
        uri, found = (params or {}).get("uri"), (params or {}).get("diagnostics")
        document = ls.session.documents.get(uri) if isinstance(uri, str) else None
        if document is not None and isinstance(found, list):
            learn(ls, document, [d for d in map(convert.diagnostic_from, found) if d is not None], complete=True)

    @server.feature(
        types.TEXT_DOCUMENT_DIAGNOSTIC,
        types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=False, identifier="graft"),
    )
    async def pulled(ls: GraftServer, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        document = ls.session.documents.get(params.text_document.uri)
        if document is None:
            return types.RelatedFullDocumentDiagnosticReport([])
        asked = document.version
        await check(ls, document, priority=NORMAL)
        version, found = ls.session.found.get(document.uri, (document.version, []))
        if asked != document.version or version != document.version:
            raise JsonRpcContentModified("the document changed")
        items = _converted(ls, document, found)
        # What is found depends on other files, too: the version alone does not tell.
        identifier = f"{version}.{hashlib.sha256(repr(items).encode('utf-8', 'replace')).hexdigest()[:16]}"
        if params.previous_result_id == identifier:
            return types.RelatedUnchangedDocumentDiagnosticReport(identifier)
        return types.RelatedFullDocumentDiagnosticReport(items, result_id=identifier)


def check_again(ls: GraftServer) -> None:
    """Check all open documents: the settings changed."""
    for document in list(ls.session.documents.values()):
        check_soon(ls, document)
    if ls.features.refresh_diagnostics and ls.features.pulls:
        ls.workspace_diagnostic_refresh(None)


IDLE_SECONDS = 0.3
"""After so long without a key press a changed document is checked, so that its findings are ready when it is saved."""


def check_soon(ls: GraftServer, document: Document, *, priority: int = BACKGROUND) -> None:
    """Check a document in the background and publish what is found."""
    if not ls.features.pulls:
        _supersede(ls, f"check {document.uri}", _check_and_publish(ls, document, priority))


def changed(ls: GraftServer, document: Document) -> None:
    """A document changed: get its findings ready; nothing is shown before it is saved."""
    _supersede(ls, f"ready {document.uri}", _get_ready(ls, document))


async def _get_ready(ls: GraftServer, document: Document) -> None:
    await asyncio.sleep(IDLE_SECONDS)
    await check(ls, document)


def _supersede(ls: GraftServer, name: str, work: Any) -> None:
    """Run background work, ending what ran under the same name before."""
    before = ls.session.named_tasks.get(name)
    if before is not None:
        before.cancel()
    task = ls.session.spawn(work)
    ls.session.named_tasks[name] = task
    task.add_done_callback(lambda done: _forget(ls, name, done))


def _forget(ls: GraftServer, name: str, task: Any) -> None:
    if ls.session.named_tasks.get(name) is task:
        del ls.session.named_tasks[name]


def clear(ls: GraftServer, uri: str) -> None:
    """Take a closed document's diagnostics off the screen, but for what other files' changes broke in it."""
    ls.published.pop(uri, None)
    ls.session.foreign.pop(uri, None)
    ls.session.hints.pop(uri, None)
    for name in (f"check {uri}", f"ready {uri}"):
        task = ls.session.named_tasks.pop(name, None)
        if task is not None:
            task.cancel()
    if not ls.features.pulls:
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, _broken_in(ls, uri)))


def _broken_in(ls: GraftServer, uri: str) -> list[types.Diagnostic]:
    """What saved changes broke in a file that is not open."""
    session = ls.session
    absolute = convert.path_of(uri)
    folder = session.folder_of(absolute)
    path = folder.relative(absolute) if folder is not None else None
    if folder is None or path is None:
        return []
    found = session.pending(folder).findings(path)
    lines = session.lines_of(folder, path) if found else None
    return [_one(ls, folder, d, lines) for d in found] if lines is not None else []


async def _check_and_publish(ls: GraftServer, document: Document, priority: int) -> None:
    version = document.version
    await check(ls, document, priority=priority)
    if document.version == version and ls.session.documents.get(document.uri) is document:
        # Else the text moved on while it was checked: what was found may stand elsewhere now.
        publish(ls, document)


def publish(ls: GraftServer, document: Document) -> None:
    """Show what was found in a document, if that was its present text."""
    version, found = ls.session.found.get(document.uri, (None, []))
    if version != document.version or ls.features.pulls:
        return
    now = (version, _converted(ls, document, found))
    if ls.published.get(document.uri) == now:
        # A file is checked when it is opened, when its folder's index is ready, and when another file is saved: the
        # client has seen this already.
        return
    ls.published[document.uri] = now
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(document.uri, now[1], version))


async def check(ls: GraftServer, document: Document, *, priority: int = BACKGROUND) -> list[Diagnostic]:
    """What the checks find in a document as it is now; kept for code actions.  Given up when the text changes."""
    session = ls.session
    folder, path = session.place_of(document)
    settings = session.settings
    if folder is None or language_of_id(document.language) is None or document.oversized:
        return []
    version = document.version
    if not settings.diagnosis_enable:
        session.found[document.uri] = (version, [])
        return []
    known = session.found.get(document.uri)

    def valid() -> bool:
        return document.version == version and session.documents.get(document.uri) is document

    found = await sliced(
        folder.graph, lambda graph: run().stepwise(graph, path, settings), priority=priority, valid=valid
    )
    if found is None:
        return known[1] if known is not None and known[0] == document.version else []
    if valid():
        session.found[document.uri] = (version, found)
    return list(found)


def run() -> Any:
    """The checks; imported when the first file is checked, not when the server starts."""
    return importlib.import_module("graft_server.diagnosis.run")


async def _look_at_consequences(ls: GraftServer, document: Document, before: bytes) -> None:
    """After a save: what it breaks in other files, shown in those that are not open too."""
    session = ls.session
    folder, path = session.place_of(document)
    if folder is None or document.language != "python" or document.oversized or not session.settings.diagnosis_enable:
        return
    pending = session.pending(folder)
    shown = pending.files()
    text = before.decode("utf-8", "surrogateescape")
    settings = session.settings
    await sliced(folder.graph, lambda graph: pending.saved(graph, path, text, settings), priority=NORMAL)
    if document.data == document.saved:
        # Else what was looked at may not have parsed: the next save looks from the same text again.
        session.unlooked.pop(document.uri, None)
    for other in sorted(shown | pending.files()):
        absolute = session.absolute(folder, other)
        opened = next((d for d in session.documents.values() if d.path == absolute), None)
        if opened is not None:
            publish(ls, opened)
            continue
        uri = convert.uri_of(absolute)
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, _broken_in(ls, uri)))
    publish(ls, document)
    if ls.features.pulls and ls.features.refresh_diagnostics and shown | pending.files():
        ls.workspace_diagnostic_refresh(None)


def model_hint_wanted(settings: Settings) -> bool:
    """Off by default, as a check is: switched on by its code."""
    return MODEL_HINT in settings.diagnosis_enabled and MODEL_HINT not in settings.diagnosis_disabled


async def _ask_the_model(ls: GraftServer, document: Document, before: bytes) -> None:
    """Let the model look at the functions that a save changed; what wins by its margin is shown as a hint."""
    from graft_server.diagnosis import model_hints

    session = ls.session
    engine, version = session.engine, document.version
    _, path = session.place_of(document)
    if engine is None or document.language != "python" or document.oversized:
        return
    kept = [d for d in hints(ls, document) if d.path == path]
    text = document.text
    for span in model_hints.changed_functions(before.decode("utf-8", "surrogateescape"), text):
        found = model_hints.winner(await model_hints.doubts(engine, path, text, span))
        if document.version != version:
            return
        kept = [d for d in kept if not span.covers(d.span)]
        if found is not None:
            kept.append(model_hints.diagnostic(path, found))
    session.hints[document.uri] = (version, kept)
    publish(ls, document)


def hints(ls: GraftServer, document: Document) -> list[Diagnostic]:
    """The model's hints for the present text."""
    version, found = ls.session.hints.get(document.uri, (None, []))
    return list(found) if version == document.version else []


def learn(ls: GraftServer, document: Document, found: Iterable[types.Diagnostic], *, complete: bool) -> None:
    """Other servers' findings in a document became known; ours that say the same are taken off the screen.

    `complete`: these are all; otherwise they are added to those known.
    """
    some = [convert.foreign(d, document.lines, ls.session.unit) for d in found if d.source != convert.SOURCE]
    known = ls.session.foreign.get(document.uri, ())
    merged = tuple(dict.fromkeys([*(() if complete else known), *some]))[-MAX_FOREIGN:]
    if merged != known:
        ls.session.foreign[document.uri] = merged
        publish(ls, document)


MAX_FOREIGN = 500
"""Findings of other servers that are remembered of a document."""


def hidden(ls: GraftServer, document: Document, item: Diagnostic) -> bool:
    """Whether another server shows the same."""
    others = ls.session.foreign.get(document.uri, ())
    return duplicate(item, document.lines, others, ls.session.settings.diagnosis_overlap)


def _converted(ls: GraftServer, document: Document, found: Sequence[Diagnostic]) -> list[types.Diagnostic]:
    folder, path = ls.session.place_of(document)
    shown = [d for d in found if d.path == path]
    pending = ls.session.pending_of(document)
    if folder is not None and pending is not None:
        # What a save elsewhere broke: the checks find it too, but for arguments that changed places.
        texts = {(d.code, d.span) for d in shown}
        size = len(document.data)
        shown += [d for d in pending.findings(path) if (d.code, d.span) not in texts and d.span.end <= size]
        shown += broken_elsewhere(pending, path)
    shown += unsuppressed(document.text, hints(ls, document))
    return [_one(ls, folder, d, document.lines) for d in shown if not hidden(ls, document, d)]


def _one(ls: GraftServer, folder: Folder | None, item: Diagnostic, lines: Lines) -> types.Diagnostic:
    session = ls.session
    return convert.diagnostic(
        item,
        lines,
        session.unit,
        lambda other: session.lines_of(folder, other),
        lambda other: session.absolute(folder, other),
    )
