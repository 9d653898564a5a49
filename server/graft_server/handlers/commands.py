"""Commands that the editor, or an item, runs."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Any

from graft_server import statistics
from graft_server.completion import provenance
from graft_server.completion.explain import explain_all
from graft_server.handlers.completion import ACCEPTED

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.commands")


def register(server: GraftServer) -> None:
    """Register the commands: their names are part of the interface."""

    @server.command(ACCEPTED)
    def accepted(ls: GraftServer, *arguments: Any) -> None:
        number = arguments[0] if arguments and isinstance(arguments[0], int) else None
        if ls.shown.told_accepted(number) is not None:
            ls.session.memory.accept()

    # None of these names may be one that the VS Code extension registers itself: its client registers ours too.
    @server.command("graft.serverStatus")
    async def status(ls: GraftServer, *arguments: Any) -> dict[str, Any]:
        return await details(ls)

    @server.command("graft.pause")
    def snooze(ls: GraftServer, *arguments: Any) -> None:
        minutes = arguments[0] if arguments and isinstance(arguments[0], (int, float)) else 10
        ls.session.memory.snooze(float(minutes))
        ls.session.changed()

    @server.command("graft.reloadModel")
    async def restart(ls: GraftServer, *arguments: Any) -> None:
        await ls.session.restart_engine()

    @server.command("graft.index")
    def reindex(ls: GraftServer, *arguments: Any) -> None:
        for folder in ls.session.folders:
            ls.session.refresh(folder, None)

    @server.command("graft.explain")
    async def explain(ls: GraftServer, *arguments: Any) -> str:
        return await explained(ls, arguments[0] if arguments and isinstance(arguments[0], str) else ls.last_document)


async def explained(ls: GraftServer, uri: str) -> str:
    """The document's last suggestions: what the model saw, what was checked, whose code they repeat."""
    found, document = ls.last_completions.get(uri, []), ls.session.documents.get(uri)
    repeated = []
    if document is not None:
        folder, path = ls.session.place_of(document)
        graph = folder.graph if folder is not None else None
        for completion in found:
            before = document.data[: completion.end].decode("utf-8", "replace")
            repeated.append(await provenance.notes(graph, path, before, completion.text))
    return explain_all(found, repeated)


async def details(ls: GraftServer) -> dict[str, Any]:
    """The status, and what a person may want to know beside it: folders with their files, the model's measured
    reading speed (tokens per second, 0: not known yet), what was counted today."""
    session = ls.session
    folders = []
    for folder in session.folders:
        files = await folder.graph.ask(lambda graph: len(graph.paths()), 0, wait_ms=200)
        folders.append({"root": folder.root, "files": files, "ready": folder.graph.ready})
    speeds = [pipeline.decoder.reading.tokens_per_second for pipeline in session.pipelines()]
    midnight = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1))
    today = await asyncio.to_thread(
        lambda: statistics.summary(e for e in statistics.events() if float(e.get("at", 0)) >= midnight)
    )
    return {
        **dataclasses.asdict(session.status()),
        "folders": folders,
        "tokens_per_second": round(max(speeds, default=0.0)),
        "today": today,
    }
