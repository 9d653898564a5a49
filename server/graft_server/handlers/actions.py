"""Code actions: verified fixes of what the checks found, their edits made when the action is chosen."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from graft_indexer.graph import SymbolGraph
from graft_server import convert
from graft_server.diagnosis.model import Diagnostic, Fix
from graft_server.handlers import diagnostics
from graft_server.settings import Settings
from graft_server.workspace import NORMAL, Document, Folder

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.actions")

FIX_ALL = "source.fixAll"


def register(server: GraftServer) -> None:
    """Register the handlers of this module."""

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(
            code_action_kinds=[types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll],
            resolve_provider=True,
        ),
    )
    async def actions(ls: GraftServer, params: types.CodeActionParams) -> list[types.CodeAction]:
        return await code_actions(ls, params)

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(ls: GraftServer, params: types.CodeAction) -> types.CodeAction:
        return await resolved(ls, params)


def _wants(only: Sequence[str] | None, kind: str) -> bool:
    return only is None or any(kind == o or kind.startswith(o + ".") for o in only)


async def code_actions(ls: GraftServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """Quick fixes for the findings in the range, the safe and likely ones first."""
    document = ls.session.documents.get(params.text_document.uri)
    if document is None:
        return []
    only = [str(getattr(k, "value", k)) for k in params.context.only] if params.context.only else None
    if not _wants(only, "quickfix") and not _wants(only, FIX_ALL):
        return []
    span = convert.span_of(document.lines, params.range, ls.session.unit)
    folder, path = ls.session.place_of(document)
    if folder is None:
        return []
    version = document.version
    found = await _current(ls, document)
    out: list[types.CodeAction] = []
    if _wants(only, "quickfix"):
        for item in found:
            if item.path != path or item.span.end < span.start or item.span.start > span.end:
                continue
            for rank, fix in enumerate(await _fixes(folder, item)):
                out.append(_action(ls, document, folder, item, fix, version, preferred=rank == 0 and fix.safe))
    if _wants(only, FIX_ALL) and only is not None and found:
        settings = ls.session.settings
        everything = await folder.graph.ask(lambda graph: fix_all(graph, path, settings), None, wait_ms=5000)
        if everything is not None and document.version == version:
            edit = _edit(ls, folder, everything)
            out.append(types.CodeAction(everything.title, types.CodeActionKind.SourceFixAll, edit=edit))
    return out


async def _current(ls: GraftServer, document: Document) -> list[Diagnostic]:
    """The findings of the text as it is now."""
    have = ls.session.found.get(document.uri)
    if have is not None and have[0] == document.version:
        return have[1]
    return await diagnostics.check(ls, document)


async def _fixes(folder: Folder, item: Diagnostic) -> list[Fix]:
    nothing: Sequence[Fix] = ()
    return list(await folder.graph.ask(lambda graph: fixes(graph, item), nothing, priority=NORMAL, wait_ms=3000))


def fixes(graph: SymbolGraph, item: Diagnostic) -> Sequence[Fix]:
    """Verified fixes of one finding; on the graph's thread."""
    module = importlib.import_module("graft_server.repair.candidates")
    found: Sequence[Fix] = module.fixes(graph, item)
    return found


def fix_all(graph: SymbolGraph, path: str, settings: Settings) -> Fix | None:
    """All safe fixes of a file as one; on the graph's thread."""
    module = importlib.import_module("graft_server.repair.candidates")
    found: Fix | None = module.fix_all(graph, path, settings)
    return found


def _action(
    ls: GraftServer,
    document: Document,
    folder: Folder,
    item: Diagnostic,
    fix: Fix,
    version: int,
    *,
    preferred: bool,
) -> types.CodeAction:
    shown = convert.diagnostic(item, document.lines, ls.session.unit, lambda path: None, lambda path: path)
    action = types.CodeAction(
        title=fix.title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[shown],
        is_preferred=preferred or None,
    )
    if ls.features.resolve_edit:
        action.data = {
            "uri": document.uri,
            "version": version,
            "title": fix.title,
            "code": item.code,
            "start": item.span.start,
            "end": item.span.end,
        }
    else:
        action.edit = _edit(ls, folder, fix)
    return action


def _edit(ls: GraftServer, folder: Folder, fix: Fix) -> types.WorkspaceEdit | None:
    session = ls.session

    def uri_for(path: str) -> str:
        absolute = session.absolute(folder, path)
        return next((d.uri for d in session.documents.values() if d.path == absolute), convert.uri_of(absolute))

    def version_of(path: str) -> int | None:
        absolute = session.absolute(folder, path)
        return next((d.version for d in session.documents.values() if d.path == absolute), None)

    return convert.workspace_edit(
        fix.edits,
        lambda path: session.lines_of(folder, path),
        uri_for,
        version_of,
        session.unit,
        versioned=ls.features.versioned_edits,
    )


async def resolved(ls: GraftServer, action: types.CodeAction) -> types.CodeAction:
    """Make the action's edit from the text as it is now, verified anew; without one if the finding is gone."""
    data: Any = action.data
    if not isinstance(data, dict):
        data = getattr(data, "_asdict", dict)() if data is not None else {}
    document = ls.session.documents.get(str(data.get("uri", "")))
    if document is None or action.edit is not None:
        return action
    folder, _ = ls.session.place_of(document)
    if folder is None:
        return action
    for item in await _current(ls, document):
        same = item.code == data.get("code") and (
            document.version != data.get("version")
            or (item.span.start, item.span.end) == (data.get("start"), data.get("end"))
        )
        if not same:
            continue
        for fix in await _fixes(folder, item):
            if fix.title == data.get("title"):
                action.edit = _edit(ls, folder, fix)
                return action
    return action
