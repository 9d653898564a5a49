"""The first runs of the tests, and whether there is anything to repair: one clear answer for every way they can end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from graft_server.repair.localisation import Baseline, is_test_file, needs_network
from graft_server.repair.outcome import Status, Task
from graft_server.repair.sandbox import Limits, RunResult, Sandbox
from graft_server.repair.validate import SHELL


class Answer(Exception):
    """The answer is known before any proposal runs."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status
        self.reason = reason


async def first_runs(task: Task, sandboxes: Sequence[Sandbox]) -> tuple[RunResult, RunResult]:
    """The command as given, and once more under the tracer; side by side if there are two sandboxes."""
    limit = task.run_limit
    argv = [*SHELL, task.command]
    plain = sandboxes[0].run(argv, cwd=sandboxes[0].original, limits=Limits(wall=limit))
    # Tracing slows tests down, hence more time; one endless test may take a part of it, each further one half of that.
    traced_box = sandboxes[-1]
    traced = traced_box.run(
        argv, cwd=traced_box.original, limits=Limits(wall=3 * limit), trace_seconds=max(1.0, limit / 4)
    )
    if len(sandboxes) > 1:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(plain), group.create_task(traced)
            result = await second
            if any(test["outcome"] == "timeout" for trace in result.traces for test in trace["tests"]):
                # Some tests never end, the tracer has seen which: the plain run would only use up its limit.
                await sandboxes[0].abort()
        return first.result(), second.result()
    return await plain, await traced


def judge(task: Task, base: Baseline, plain: RunResult, traced: RunResult) -> None:
    """Raise `Answer` if there is nothing to repair, or no way to."""
    last = last_line(plain)
    for result in (plain, traced):
        if result.killed == "output":
            raise Answer("tests-do-not-run", f"the tests printed more than {Limits().output_bytes >> 20} MB")
        if result.killed == "processes":
            raise Answer("tests-do-not-run", f"the tests started more than {Limits().processes} processes")
    if base.escaped:
        raise Answer("sandbox-failed", f"the tests execute {base.escaped[0]} outside the sandbox; nothing was tried")
    if plain.rc == 0 and not plain.killed:
        raise Answer("tests-pass", "the tests pass as they are")
    own_code = any(not is_test_file(path) for bad, lines in base.spectra if bad for path, _ in lines)
    if plain.killed in ("time", "abandoned") and not (base.hanging and own_code) and not (base.failing and own_code):
        raise Answer("tests-hang", f"the command did not end within {task.run_limit:.0f} s (--run-seconds allows more)")
    if plain.rc in (126, 127) and not base.traced:
        raise Answer("tests-do-not-run", last or f"the command ended with status {plain.rc}")
    if needs_network(base):
        raise Answer("tests-do-not-run", f"the tests need the network, which the sandbox has not: {last}")
    if not base.failing and not base.errors:
        if base.passing:
            raise Answer("tests-do-not-run", f"every test passes, yet the command ended with status {plain.rc}: {last}")
        if base.session is not None and base.session["runner"] == "pytest":
            raise Answer("tests-do-not-run", f"no test ran: {last}")
        if base.traced and not base.executed:
            raise Answer("sandbox-failed", f"the command executes no file of {task.root} in the sandbox: {last}")


def last_line(result: RunResult) -> str:
    """What the command printed last: usually the reason."""
    return next((line.strip() for line in reversed(result.output.splitlines()) if line.strip()), "")[:200]


def no_places(task: Task, base: Baseline, plain: RunResult) -> Answer:
    """Why there is nothing that may be changed."""
    if base.failing and not base.hanging:
        what = f"matching {task.files!r}" if task.files else "but tests"
        return Answer("no-patch", f"the failing tests execute no file of the workspace {what}")
    if base.hanging:
        return Answer("tests-hang", f"{base.hanging[0]} does not end, and executes nothing that may be changed")
    lines = base.errors[0]["message"].strip().splitlines() if base.errors else []
    message = lines[-1] if lines else last_line(plain) or f"status {plain.rc}, and nothing printed"
    return Answer("tests-do-not-run", f"the tests fail before they reach the workspace's code: {message[:200]}")
