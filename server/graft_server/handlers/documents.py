"""Opening, changing and closing documents.  Changes are applied in order and at once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from graft_server import convert
from graft_server.shown import Shown
from graft_server.workspace import Document

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.documents")


def did_open(server: GraftServer, params: types.DidOpenTextDocumentParams) -> None:
    """A document was opened; its text counts from now on, not the disk's."""
    from graft_server.handlers import diagnostics

    item = params.text_document
    language = item.language_id.value if isinstance(item.language_id, types.LanguageKind) else item.language_id
    document = Document.of(item.uri, convert.path_of(item.uri), language, item.version, item.text)
    server.session.opened(document)
    diagnostics.check_soon(server, document)


def did_change(server: GraftServer, params: types.DidChangeTextDocumentParams) -> None:
    """Apply the changes.  A change that does not fit leaves the document as it was and is logged."""
    from graft_server.handlers import diagnostics

    document = server.session.documents.get(params.text_document.uri)
    if document is None:
        log.warning("a change of %s, which is not open", params.text_document.uri)
        return
    before = document.data
    for change in params.content_changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, end = change.range.start, change.range.end
            try:
                document.change(
                    (start.line, start.character), (end.line, end.character), change.text, server.session.unit
                )
            except ValueError as error:
                log.error("%s: %s", document.uri, error)
        else:
            document.replace(change.text)
    document.version = params.text_document.version
    server.session.changed_text(document, before)
    diagnostics.changed(server, document)
    item = server.shown.inferred(document.uri, before, document.data)
    if item is not None:
        server.session.spawn(_follow(server, item))


CONCLUDE_SECONDS = 2.0
KEPT_SECONDS = (30, 120, 300, 600)


async def _follow(server: GraftServer, item: Shown) -> None:
    """Count an acceptance that the client does not tell of, and what is left of the text later."""
    await asyncio.sleep(CONCLUDE_SECONDS)
    if server.shown.conclude(item):
        server.session.memory.accept()
    waited = 0
    for seconds in KEPT_SECONDS:
        await asyncio.sleep(seconds - waited)
        waited = seconds
        document = server.session.documents.get(item.uri)
        if document is None:
            return
        server.shown.kept(item, seconds, document.data)


def did_close(server: GraftServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget the document, and take its diagnostics away."""
    from graft_server.handlers import diagnostics

    known = params.text_document.uri in server.session.documents
    server.session.closed(params.text_document.uri)
    server.last_completions.pop(params.text_document.uri, None)
    if known:
        diagnostics.clear(server, params.text_document.uri)
