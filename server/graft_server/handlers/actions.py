"""Code actions: verified fixes of what the checks found, their edits made when the action is chosen."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from graft_indexer.facts import Span
from graft_indexer.graph import SymbolGraph
from graft_server import convert
from graft_server.diagnosis.model import Diagnostic, Fix
from graft_server.diagnosis.suppress import FOREIGN
from graft_server.edits import Edit
from graft_server.handlers import diagnostics
from graft_server.settings import Settings
from graft_server.slices import sliced
from graft_server.workspace import NORMAL, Document, Folder

if TYPE_CHECKING:
    from graft_server.app import GraftServer
    from graft_server.diagnosis.consequences import Consequences

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
    from_others = [d for d in params.context.diagnostics if d.source != convert.SOURCE]
    diagnostics.learn(ls, document, from_others, complete=False)
    out: list[types.CodeAction] = []
    found: list[Diagnostic] = await _current(ls, document)
    if _wants(only, "quickfix"):
        found = [*found, *diagnostics.hints(ls, document)]
        ours = [d for d in found if d.path == path and d.span.end >= span.start and d.span.start <= span.end]
        theirs = [convert.finding_of(d, path, document.lines, ls.session.unit) for d in from_others]
        # A finding that both have is mended once, as ours: its fix can be checked by running the check again.
        theirs = [t for t in theirs if not any(same_place(t, o) for o in ours)]
        for item in (*ours, *theirs):
            mended = await _fixes(folder, item)
            for rank, fix in enumerate(mended):
                out.append(_action(ls, document, folder, item, fix, version, preferred=rank == 0 and fix.safe))
            if params.context.trigger_kind == types.CodeActionTriggerKind.Invoked and not any(f.safe for f in mended):
                out += await _of_the_model(ls, document, folder, item, mended, version)
        out += await _mends(ls, document, folder, path, span, version)
        out.sort(key=lambda action: not action.is_preferred)
    if _wants(only, FIX_ALL) and only is not None and found:
        settings = ls.session.settings
        everything = await folder.graph.ask(lambda graph: fix_all(graph, path, settings), None, wait_ms=5000)
        if everything is not None and document.version == version:
            edit = workspace_edit(ls, folder, everything.edits)
            out.append(types.CodeAction(everything.title, types.CodeActionKind.SourceFixAll, edit=edit))
    return out if document.version == version else []


def same_place(theirs: Diagnostic, ours: Diagnostic) -> bool:
    """Whether two findings overlap and mean the same."""
    overlap = theirs.span.start <= ours.span.end and ours.span.start <= theirs.span.end
    return overlap and theirs.code in FOREIGN.get(ours.code, frozenset())


async def _mends(
    ls: GraftServer, document: Document, folder: Folder, path: str, span: Span, version: int
) -> list[types.CodeAction]:
    """One action for all that a saved change breaks: offered at the change, and at every place that it breaks."""
    out: list[types.CodeAction] = []
    for broken in ls.session.pending(folder).about(path, span.start, span.end):
        if broken.path == path and not (broken.place.start <= span.end and span.start <= broken.place.end):
            continue
        fix = await _mend(ls, folder, broken)
        if fix is None:
            continue
        action = types.CodeAction(fix.title, types.CodeActionKind.QuickFix, is_preferred=fix.safe or None)
        if ls.features.resolve_edit:
            action.data = {"uri": document.uri, "version": version, "title": fix.title, "broken": broken.path}
        else:
            action.edit = workspace_edit(ls, folder, fix.edits)
        out.append(action)
    return out


async def _mend(ls: GraftServer, folder: Folder, broken: Consequences) -> Fix | None:
    settings = ls.session.settings
    module = importlib.import_module("graft_server.repair.consequences")
    fix: Fix | None = await folder.graph.ask(
        lambda graph: module.mend(graph, broken, settings), None, priority=NORMAL, wait_ms=5000
    )
    return fix


async def _current(ls: GraftServer, document: Document) -> list[Diagnostic]:
    """The findings of the text as it is now."""
    have = ls.session.found.get(document.uri)
    if have is not None and have[0] == document.version:
        return have[1]
    return await diagnostics.check(ls, document, priority=NORMAL)


async def _fixes(folder: Folder, item: Diagnostic) -> list[Fix]:
    """Verified fixes of one finding; the graph's thread works on them a candidate at a time."""
    module = importlib.import_module("graft_server.repair.candidates")
    found: list[Fix] | None = await sliced(folder.graph, lambda graph: module.stepwise(graph, item), priority=NORMAL)
    return found or []


async def _of_the_model(
    ls: GraftServer, document: Document, folder: Folder, item: Diagnostic, known: Sequence[Fix], version: int
) -> list[types.CodeAction]:
    """What the model would write in place of a finding of ours that no rule mends safely; asked only where somebody
    opened the menu.  The edits come along: the model would have to be asked again to make them later."""
    engine = ls.session.engine
    python = item.path.endswith((".py", ".pyi", ".pyw"))
    if engine is None or item.source or not python or document.version != version:
        return []
    by_model = importlib.import_module("graft_server.repair.by_model")
    module = importlib.import_module("graft_server.repair.candidates")
    some = await by_model.candidates(engine, document.text, item)
    found: list[Fix] | None = await sliced(
        folder.graph,
        lambda graph: module.verified_stepwise(graph, item, some),
        priority=NORMAL,
        valid=lambda: document.version == version,
    )
    edits = {fix.edits for fix in known}
    actions = []
    for fix in found or []:
        if fix.edits not in edits:
            action = _action(ls, document, folder, item, fix, version, preferred=False)
            action.data, action.edit = None, workspace_edit(ls, folder, fix.edits)
            actions.append(action)
    return actions


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
    shown.source = item.source or convert.SOURCE
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
            "foreign": bool(item.source),
        }
    else:
        action.edit = workspace_edit(ls, folder, fix.edits)
    return action


def workspace_edit(ls: GraftServer, folder: Folder, edits: Iterable[Edit]) -> types.WorkspaceEdit | None:
    """Edits of a folder's files in the form this client takes; None if a file is gone."""
    session = ls.session

    def uri_for(path: str) -> str:
        absolute = session.absolute(folder, path)
        return next((d.uri for d in session.documents.values() if d.path == absolute), convert.uri_of(absolute))

    def version_of(path: str) -> int | None:
        absolute = session.absolute(folder, path)
        return next((d.version for d in session.documents.values() if d.path == absolute), None)

    return convert.workspace_edit(
        edits,
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
    folder, path = ls.session.place_of(document)
    if folder is None:
        return action
    if isinstance(data.get("broken"), str):
        broken = ls.session.pending(folder).found.get(data["broken"])
        mended = await _mend(ls, folder, broken) if broken is not None else None
        action.edit = (
            workspace_edit(ls, folder, mended.edits)
            if mended is not None and mended.title == data.get("title")
            else None
        )
        return action
    if data.get("foreign"):
        return await _resolved_foreign(ls, document, folder, path, action, data)
    found = [d for d in (*await _current(ls, document), *diagnostics.hints(ls, document)) if d.code == data.get("code")]
    if document.version != data.get("version") and len(found) != 1:
        # The text moved on, and which of several findings was meant cannot be told.
        return action
    for item in found:
        same = item.code == data.get("code") and (
            document.version != data.get("version")
            or (item.span.start, item.span.end) == (data.get("start"), data.get("end"))
        )
        if not same:
            continue
        for fix in await _fixes(folder, item):
            if fix.title == data.get("title"):
                action.edit = workspace_edit(ls, folder, fix.edits)
                return action
    return action


async def _resolved_foreign(
    ls: GraftServer, document: Document, folder: Folder, path: str, action: types.CodeAction, data: dict[str, Any]
) -> types.CodeAction:
    """The edit of a fix for another server's finding, which only holds for the text that it was found in."""
    if document.version != data.get("version") or not action.diagnostics:
        return action
    item = convert.finding_of(action.diagnostics[0], path, document.lines, ls.session.unit)
    for fix in await _fixes(folder, item):
        if fix.title == data.get("title"):
            action.edit = workspace_edit(ls, folder, fix.edits)
    return action
