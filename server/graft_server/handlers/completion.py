"""Ghost text, and the classic list for editors without it."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified

from graft_indexer.facts import DefinitionKind
from graft_indexer.syntax import language_of_id
from graft_server import convert
from graft_server.completion import options, ranking
from graft_server.completion.anchor import place_of
from graft_server.completion.model import Completion
from graft_server.shown import Shown

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.completion")

ACCEPTED = "graft.accepted"
MANUAL_COUNT = 3
_numbers = itertools.count(1)

_KINDS = {
    DefinitionKind.MODULE: types.CompletionItemKind.Module,
    DefinitionKind.CLASS: types.CompletionItemKind.Class,
    DefinitionKind.FUNCTION: types.CompletionItemKind.Function,
    DefinitionKind.METHOD: types.CompletionItemKind.Method,
    DefinitionKind.PROPERTY: types.CompletionItemKind.Property,
    DefinitionKind.ATTRIBUTE: types.CompletionItemKind.Field,
    DefinitionKind.TYPE_ALIAS: types.CompletionItemKind.Class,
}


def register(server: GraftServer) -> None:
    """Register the handlers of this module."""

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline(ls: GraftServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
        return await inline_completion(ls, params)

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION,
        types.CompletionOptions(trigger_characters=["."], resolve_provider=False),
    )
    async def classic(ls: GraftServer, params: types.CompletionParams) -> types.CompletionList:
        return await completion_list(ls, params)

    @server.feature("textDocument/didShowCompletion")
    def shown(ls: GraftServer, params: Any) -> None:
        ls.shown.told_shown(_number_of(params))

    @server.feature("textDocument/didPartiallyAcceptCompletion")
    def partly(ls: GraftServer, params: Any) -> None:
        length = params.get("acceptedLength") if isinstance(params, dict) else None
        ls.shown.told_partly(_number_of(params), length if isinstance(length, int) else 0)

    @server.feature("graft/didRejectCompletion")
    def rejected(ls: GraftServer, params: Any) -> None:
        found = ls.shown.told_rejected(_number_of(params))
        if found is not None:
            ls.session.memory.reject(found.line, found.text)


def _number_of(params: Any) -> int | None:
    """The number in the item's command, from the parameters of a told event."""
    item = params.get("item", params) if isinstance(params, dict) else None
    command = item.get("command") if isinstance(item, dict) else None
    arguments = command.get("arguments") if isinstance(command, dict) else None
    return arguments[0] if isinstance(arguments, list) and arguments and isinstance(arguments[0], int) else None


async def inline_completion(ls: GraftServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    """Ghost text.  Everything that a change of the document could move is copied before the first await."""
    session = ls.session
    document = session.documents.get(params.text_document.uri)
    if document is None:
        return types.InlineCompletionList([])
    lines, unit, version = document.lines, session.unit, document.version
    offset = convert.offset(lines, params.position, unit)
    manual = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    selected = None
    info = params.context.selected_completion_info
    if info is not None:
        span = convert.span_of(lines, info.range, unit)
        selected = (span.start, span.end, info.text)
    pipeline, snapshot, base = session.snapshot(document, offset, manual=manual, selected=selected)
    session.ensure_engine()
    found = await pipeline.complete(snapshot, MANUAL_COUNT if manual and _several(ls) else 1)
    if document.version != version or session.documents.get(document.uri) is not document:
        if ls.features.takes_stale:
            raise JsonRpcContentModified("the document changed")
        return types.InlineCompletionList([])
    items: list[types.InlineCompletionItem] = []
    if found and found[0].source != "cache":
        cut = any(not v.passed and v.gate in ("names", "parses", "confidence") for c in found for v in c.gates)
        session.statistics.note("answered", cut=cut, shown=any(c.shown for c in found))
    ls.last_completions[document.uri] = found
    ls.last_document = document.uri
    for completion in found:
        if not completion.shown or not completion.text:
            continue
        moved = _moved(completion, base)
        number = next(_numbers)
        line = lines.data[moved.start : offset].decode("utf-8", "replace")
        ls.shown.offered(
            Shown(number, document.uri, document.language, line, moved.text, moved.source, moved.milliseconds, offset),
            automatic=not manual,
        )
        command = types.Command("Accepted", ACCEPTED, arguments=[number])
        items.append(convert.inline_item(moved, lines, unit, command))
        if len(items) == 1 and not base:
            session.spawn(pipeline.prepare(snapshot, completion))
    return types.InlineCompletionList(items)


def _several(ls: GraftServer) -> bool:
    engine = ls.session.engine
    return engine is not None and engine.capabilities.candidates > 1


def _moved(completion: Completion, base: int) -> Completion:
    from dataclasses import replace

    return replace(completion, start=completion.start + base, end=completion.end + base) if base else completion


async def completion_list(ls: GraftServer, params: types.CompletionParams) -> types.CompletionList:
    """Names that may stand at the cursor, from the graph, with the model's text as the first item if it is at hand."""
    session = ls.session
    document = session.documents.get(params.text_document.uri)
    if document is None or document.oversized or language_of_id(document.language) is None:
        return types.CompletionList(False, [])
    lines, unit = document.lines, session.unit
    offset = convert.offset(lines, params.position, unit)
    pipeline, snapshot, _ = session.snapshot(document, offset)
    if pipeline.graph is None:
        return types.CompletionList(False, [])
    place = place_of(snapshot)
    found = await pipeline.graph.ask(lambda graph: options.options_at(graph, snapshot.path, place), None, wait_ms=500)
    if found is None:
        return types.CompletionList(True, [])
    found = ranking.by_use(found, place)
    session.ensure_engine()
    if session.engine is not None and session.engine.status.state == "ready":
        found = await pipeline.ranked(session.engine, snapshot, place, found)
    start = offset - len(found.typed.encode("utf-8", "surrogateescape"))
    where = convert.range_of(lines, start, offset, unit)
    items = [
        types.CompletionItem(
            label=option.name,
            kind=_KINDS.get(option.kind, types.CompletionItemKind.Variable),
            detail=option.detail,
            documentation=option.symbol.doc if option.symbol is not None else None,
            sort_text=f"{rank:04d}",
            filter_text=option.name,
            text_edit=types.TextEdit(where, option.name),
        )
        for rank, option in enumerate(found.options)
    ]
    return types.CompletionList(is_incomplete=len(items) >= 200, items=items)
