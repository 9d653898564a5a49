"""Notebooks: their code cells become documents, and their order is kept.

Called by the protocol object in place of pygls' own book-keeping, whose copies are not used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types

from graft_server import convert
from graft_server.workspace import Document

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.notebooks")

SYNC = types.NotebookDocumentSyncOptions(
    notebook_selector=[
        types.NotebookDocumentFilterWithCells(
            notebook=types.NotebookDocumentFilterNotebookType(notebook_type="jupyter-notebook"),
            cells=[types.NotebookCellLanguage(language="python")],
        )
    ],
    save=False,
)


def did_open(server: GraftServer, params: types.DidOpenNotebookDocumentParams) -> None:
    """A notebook was opened."""
    book = params.notebook_document
    _open_cells(server, params.cell_text_documents)
    server.session.notebooks.open(book.uri, convert.path_of(book.uri), _code(book.cells))


def did_change(server: GraftServer, params: types.DidChangeNotebookDocumentParams) -> None:
    """Cells came, went, or were edited, in this order."""
    changes = params.change.cells
    if changes is None:
        return
    if changes.structure is not None:
        _open_cells(server, changes.structure.did_open or ())
        array = changes.structure.array
        cells = _code(array.cells or ())
        server.session.notebooks.splice(params.notebook_document.uri, array.start, array.delete_count, cells)
        for gone in changes.structure.did_close or ():
            server.session.closed(gone.uri)
    for change in changes.text_content or ():
        from graft_server.handlers import documents

        documents.did_change(server, types.DidChangeTextDocumentParams(change.document, change.changes))


def did_close(server: GraftServer, params: types.DidCloseNotebookDocumentParams) -> None:
    """A notebook was closed, and all its cells with it."""
    session, uri = server.session, params.notebook_document.uri
    path = session.notebooks.path_of(uri)
    folder = session.folder_of(path)
    known = (folder.relative(path) or path) if folder is not None else path
    if folder is not None:
        folder.graph.sync(known, None)
    session.pipeline(folder).forget(known)
    session.notebooks.close(uri)
    for cell in params.cell_text_documents:
        server.session.closed(cell.uri)


def _open_cells(server: GraftServer, items: Iterable[types.TextDocumentItem]) -> None:
    for item in items:
        language = item.language_id.value if isinstance(item.language_id, types.LanguageKind) else item.language_id
        server.session.opened(Document.of(item.uri, "", language, item.version, item.text))


def _code(cells: Iterable[types.NotebookCell]) -> list[str]:
    """Addresses of the cells.  The client sends only those that the selector names; the others are no code."""
    return [cell.document for cell in cells if cell.kind == types.NotebookCellKind.Code]
