"""`graft.repair`: the repair against tests as a command of the editor, with progress, cancel and a patch to accept.

Argument: `{"test": "pytest -x -q", "root"?: uri, "files"?: glob, "budget"?: seconds, "model"?: "order"}`.  Answer: the
report of `graft repair --json`, or null if the person did not confirm.  The command line is shown and confirmed before
anything runs, every time.  It runs in a process of its own, so that the server goes on answering; ending the progress
or the request ends that process, which leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from graft_server import convert
from graft_server.edits import Edit
from graft_server.handlers.actions import workspace_edit
from graft_server.workspace import Folder, innermost

if TYPE_CHECKING:
    from graft_server.app import GraftServer

log = logging.getLogger("graft.repair")

COMMAND = "graft.repair"
RUN, APPLY, LEAVE = "Run", "Apply", "Leave"
GRACE_SECONDS = 15.0
"""How long a cancelled repair may take to clean up."""


def register(server: GraftServer) -> None:
    """Register the command."""

    @server.command(COMMAND)
    async def repair(ls: GraftServer, *arguments: Any) -> dict[str, Any] | None:
        given = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        test = given.get("test")
        if not isinstance(test, str) or not test.strip():
            raise JsonRpcInvalidParams('graft.repair takes {"test": "the command line that fails"}')
        folder = _folder(ls, given.get("root"))
        if not await _confirmed(ls, test, folder):
            return None
        report = await _run(ls, command_line(folder.root, test, given))
        if report["status"] == "fixed":
            ls.session.spawn(_offer(ls, folder, report))
        elif report["status"] != "cancelled":
            _say(ls, f"Graft: {report['reason']}")
        return report


def command_line(root: str, test: str, given: dict[str, Any]) -> list[str]:
    """Graft's own command for what the editor asked."""
    # -P: an editor may have started the server in the workspace, and nothing of that may be imported.
    out = [sys.executable, "-P", "-m", "graft_server.cli", "repair", "--root", root, "--test", test, "--json", "--yes"]
    out += ["--progress", "json"]
    for name in ("files", "model"):
        if isinstance(given.get(name), str) and given[name]:
            out += [f"--{name}", given[name]]
    budget = given.get("budget")
    if isinstance(budget, (int, float)) and not isinstance(budget, bool):
        out += ["--budget", str(budget)]
    return out


def _folder(ls: GraftServer, uri: Any) -> Folder:
    path = convert.path_of(uri) if isinstance(uri, str) else ""
    folders = ls.session.folders
    folder = innermost(folders, path) if path else (folders[0] if folders else None)
    if folder is None:
        raise JsonRpcInvalidParams("graft.repair needs a folder of the workspace")
    return folder


async def _ask(ls: GraftServer, message: str, *actions: str) -> str:
    params = types.ShowMessageRequestParams(
        types.MessageType.Warning, message, [types.MessageActionItem(action) for action in actions]
    )
    answer = await asyncio.shield(ls.window_show_message_request_async(params))
    return answer.title if answer is not None else ""


def _say(ls: GraftServer, message: str) -> None:
    ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, message))


async def _confirmed(ls: GraftServer, test: str, folder: Folder) -> bool:
    where = Path(folder.root).name
    return await _ask(ls, f"Run `{test}` in {where}? It runs many times, in a sandbox without a network.", RUN) == RUN


async def _run(ls: GraftServer, command: list[str]) -> dict[str, Any]:
    """Run the repair; cancelling this, or the progress in the editor, ends it in order."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=16 << 20,
    )
    token = f"graft-repair-{process.pid}"
    shown = await _begin(ls, token)
    watch = asyncio.create_task(_watch(ls, process, token if shown else ""))
    reading = asyncio.create_task(_read(process))
    try:
        stopped = ls.work_done_progress.tokens.get(token) if shown else None
        if stopped is not None:
            stopped.add_done_callback(lambda future: _end(process) if future.cancelled() else None)
        out = await asyncio.shield(reading)
    except asyncio.CancelledError:
        _end(process)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), GRACE_SECONDS)
        raise
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        last = await watch
        if shown:
            ls.work_done_progress.end(token, types.WorkDoneProgressEnd())
    try:
        report: dict[str, Any] = json.loads(out)
    except ValueError:
        reason = last or f"graft repair ended with status {process.returncode}"
        return {"status": "sandbox-failed", "reason": reason, "patches": [], "tests_run": 0, "seconds": 0.0}
    return report


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    out = await process.stdout.read()
    await process.wait()
    return out


def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM: the repair ends its sandboxes and says that it was cancelled."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()


async def _begin(ls: GraftServer, token: str) -> bool:
    if not ls.features.progress:
        return False
    try:
        await asyncio.wait_for(ls.work_done_progress.create_async(token), 5)
    except Exception as error:
        log.info("the client shows no progress: %s", error)
        return False
    ls.work_done_progress.begin(token, types.WorkDoneProgressBegin("Graft: repairing", cancellable=True))
    return True


async def _watch(ls: GraftServer, process: asyncio.subprocess.Process, token: str) -> str:
    """Pass progress on; gives the last other line of standard error."""
    assert process.stderr is not None
    last = ""
    while line := await process.stderr.readline():
        text = line.decode("utf-8", "replace").strip()
        try:
            said = json.loads(text)["progress"]
        except (ValueError, KeyError, TypeError):
            last = text or last
            continue
        if token:
            ls.work_done_progress.report(token, types.WorkDoneProgressReport(message=str(said)))
    return last


async def _offer(ls: GraftServer, folder: Folder, report: dict[str, Any]) -> None:
    """Show what was found, and apply it if the person says so and nothing changed meanwhile."""
    patch = report["patches"][0]
    more = f" ({len(report['patches'])} changes pass; this is the likeliest.)" if len(report["patches"]) > 1 else ""
    question = f"Graft found a change: {'; '.join(patch['verified'])}.{more}\n{patch['diff']}"
    if await _ask(ls, question, APPLY, LEAVE) != APPLY:
        return
    before = _texts_in_editor(ls, folder, patch)
    stale = await asyncio.to_thread(
        _stale, {ls.session.absolute(folder, p): p for p in patch["digests"]}, before, patch
    )
    # What was typed while the files were read makes the patch stale, too; from here on nothing is awaited.
    if not stale and _texts_in_editor(ls, folder, patch) != before:
        stale = next(iter(patch["digests"]))
    if stale:
        _say(ls, f"Graft: {stale} is not what was repaired any more; nothing was changed")
        return
    edits = [Edit(e["path"], e["start"], e["end"], e["text"]) for e in patch["edits"]]
    edit = workspace_edit(ls, folder, edits)
    if edit is not None:
        await asyncio.shield(ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, "Graft: repair")))


def _texts_in_editor(ls: GraftServer, folder: Folder, patch: dict[str, Any]) -> dict[str, bytes]:
    """Absolute path -> text of the patch's files that are open.  Belongs on the event loop."""
    wanted = {ls.session.absolute(folder, path) for path in patch["digests"]}
    return {d.path: d.data for d in ls.session.documents.values() if d.path in wanted}


def _stale(paths: dict[str, str], opened: dict[str, bytes], patch: dict[str, Any]) -> str:
    """A file whose text, in the editor or on disk, is not the one that was repaired."""
    from graft_server.repair.patches import digest

    for absolute, path in paths.items():
        try:
            text = opened[absolute] if absolute in opened else Path(absolute).read_bytes()
        except OSError:
            return path
        if digest(text) != patch["digests"][path]:
            return path
    return ""
