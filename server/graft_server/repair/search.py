"""Repair against tests: first run, localisation, proposals, validation, ranking.

`repair` leaves nothing behind however it ends: the sandboxes are closed in `finally`, and the tree is never written.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import heapq
import itertools
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from graft_indexer.text import decode, encode
from graft_server.repair import differential, order
from graft_server.repair.localisation import (
    Baseline,
    Place,
    is_test_file,
    needs_network,
    read_traces,
    suspicious,
)
from graft_server.repair.outcome import (
    OnProgress,
    Patch,
    Progress,
    Report,
    Status,
    Task,
    ignore_progress,
)
from graft_server.repair.proposals import (
    Proposal,
    as_edit,
    donor_statements,
    parses,
    proposals,
    same_meaning,
    second_edits,
)
from graft_server.repair.sandbox import (
    Limits,
    RunResult,
    Sandbox,
    SandboxError,
    namespaces_refused,
)
from graft_server.repair.validate import SHELL, Clock, Validator, WarmPlan, calibrate, start_warm, warm_plan

MORE_SECONDS = 4.0
"""After the first passing patch the search goes on for this long, or half of what it took, to see alternatives."""
FIRST_EDITS = 60
"""First edits from which two-edit proposals are made without any evidence, most probable first."""
HALF_MENDED = 10
"""So many first edits that mend half of the failing tests or more are built upon at once."""
EVIDENCE = 6.0
"""Logarithm of how much likelier a first edit is right that mends all failing tests (and breaks others)."""


class Answer(Exception):
    """The answer is known before any proposal runs."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status
        self.reason = reason


@dataclass(slots=True)
class Search:
    """What grows while proposals run."""

    task: Task
    deadline: float
    began: float
    clock: Clock
    queue: list[tuple[float, int, Proposal, bool]] = field(default_factory=list)
    """Heap of (-score, serial, proposal, second try)."""
    serial: itertools.count[int] = field(default_factory=itertools.count)
    passing: list[Proposal] = field(default_factory=list)
    partial: list[tuple[float, Proposal]] = field(default_factory=list)
    """First edits with the share of the failing tests that they mend."""
    seeds: list[Proposal] = field(default_factory=list)
    built_upon: int = 0
    late: list[Proposal] = field(default_factory=list)
    tried: set[tuple[str, str]] = field(default_factory=set)
    runs: int = 0
    done: int = 0
    runs_at_first: int = 0
    tests: int = 0

    def push(self, proposal: Proposal, *, again: bool = False) -> None:
        """Put a proposal in line, unless its text was tried."""
        key = (proposal.path, proposal.text)
        if key in self.tried and not again:
            return
        self.tried.add(key)
        heapq.heappush(self.queue, (-proposal.score, next(self.serial), proposal, again))


async def repair(task: Task, progress: OnProgress = ignore_progress) -> Report:
    """Find a change of the workspace after which `task.command` succeeds.

    Never raises for what the tests do; cancellation propagates after everything is cleaned up.
    """
    began = time.monotonic()
    notes: list[str] = []
    runs = 0
    try:
        async with AsyncExitStack() as stack:
            sandboxes = await open_sandboxes(task, stack, notes)
            progress(Progress("running the tests"))
            plain, traced = await first_runs(task, sandboxes)
            runs += 2
            base = read_traces(traced.traces, sandboxes[-1].root.resolve())
            judge(task, base, plain, traced, sandboxes[0])
            texts = read_texts(task.root.resolve())
            output = plain.output + traced.output
            places = suspicious(base, output, sandboxes[-1].root.resolve(), task.files, texts)
            if not places:
                raise no_places(task, base)
            files = {path: texts(path) for path in dict.fromkeys(place.path for place in places) if texts(path)}
            report = await look(task, sandboxes, base, places, files, began, progress, notes)
            return replace(report, tests_run=report.tests_run + runs, seconds=time.monotonic() - began)
    except SandboxError as error:
        return Report(
            "sandbox-failed", str(error), tests_run=runs, seconds=time.monotonic() - began, notes=tuple(notes)
        )
    except Answer as answer:
        return Report(
            answer.status, answer.reason, tests_run=runs, seconds=time.monotonic() - began, notes=tuple(notes)
        )


def read_texts(root: Path) -> Callable[[str], str]:
    """Texts of the workspace's files by relative path, read once; empty for what is not editable text."""

    @cache
    def text(path: str) -> str:
        try:
            decoded = decode((root / path).read_bytes())
        except OSError:
            return ""
        return decoded.text if decoded.editable and not decoded.bom and decoded.encoding in ("utf-8", "ascii") else ""

    return text


async def open_sandboxes(task: Task, stack: AsyncExitStack, notes: list[str]) -> list[Sandbox]:
    """As many as there are jobs; the copy mode where namespaces are refused."""
    refused = await asyncio.to_thread(namespaces_refused) if task.sandbox != "copy" else "asked for"
    if refused and task.sandbox == "overlay":
        raise SandboxError(f"no namespaces: {refused}")
    boxes: list[Sandbox] = []
    if not refused:
        try:
            boxes.append(await stack.enter_async_context(Sandbox(task.root, "overlay")))
        except SandboxError as error:
            if task.sandbox == "overlay":
                raise
            refused = str(error)
    if refused:
        notes.append(
            f"tests run in a copy of the workspace ({refused}): the network and files outside it are not protected"
        )
    while len(boxes) < max(1, task.jobs):
        boxes.append(await stack.enter_async_context(Sandbox(task.root, "copy" if refused else "overlay")))
    return boxes


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


def judge(task: Task, base: Baseline, plain: RunResult, traced: RunResult, sandbox: Sandbox) -> None:
    """Raise `Answer` if there is nothing to repair, or no way to."""
    last = next((line for line in reversed(plain.output.strip().splitlines()) if line.strip()), "")[:200]
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


def no_places(task: Task, base: Baseline) -> Answer:
    """Why there is nothing that may be changed."""
    if base.failing and not base.hanging:
        what = f"matching {task.files!r}" if task.files else "but tests"
        return Answer("no-patch", f"the failing tests execute no file of the workspace {what}")
    if base.hanging:
        return Answer("tests-hang", f"{base.hanging[0]} does not end, and executes nothing that may be changed")
    message = base.errors[0]["message"].strip().splitlines()[-1] if base.errors else "no trace and no traceback"
    return Answer("tests-do-not-run", f"the tests fail before they reach the workspace's code: {message[:200]}")


async def look(
    task: Task,
    sandboxes: list[Sandbox],
    base: Baseline,
    places: list[Place],
    texts: dict[str, str],
    began: float,
    progress: OnProgress,
    notes: list[str],
) -> Report:
    """Make proposals, run them, rank what passes."""
    plan, clock = await prepare(task, sandboxes, base, list(texts), notes)
    donors = list(donor_statements([text for path, text in texts.items()]))
    found = await asyncio.to_thread(proposals, texts, places, donors)
    if task.engine is not None:
        found = await order.by_likelihood(task.engine, texts, found, progress, budget=0.15 * task.budget)
    state = Search(task, began + task.budget, began, clock)
    for proposal in found:
        state.push(proposal)
    state.seeds = list(reversed(found[:FIRST_EDITS]))
    validators = [Validator(box, task.command, base, plan=plan, clock=clock, run=task.run_limit) for box in sandboxes]
    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work(state, v, texts, places, progress)) for v in validators]
    del workers
    shown = tuple((p.path, p.line + 1, p.weight) for p in places[:10])
    if not state.passing:
        ended = "within the budget" if state.queue else "of all that were made up"
        reason = f"no change of {len(texts)} files made the tests pass; {state.done} tried, none {ended}"
        status: Status = "tests-hang" if base.hanging and len(base.hanging) == len(base.failing) else "no-patch"
        return Report(status, reason, tests_run=state.runs, notes=tuple(notes), places=shown)
    ranked, remarks = await differential.rank(state.passing, texts, base, validators[0])
    notes += remarks
    patches = tuple(
        make_patch(index, proposal, texts[proposal.path], base, state)
        for index, proposal in enumerate(ranked[: task.patches], 1)
    )
    reason = f"{patches[0].verified[0]}; first passing change after {state.runs_at_first} test runs"
    return Report("fixed", reason, patches, state.runs, state.runs_at_first, notes=tuple(notes), places=shown)


async def prepare(
    task: Task, sandboxes: Sequence[Sandbox], base: Baseline, targets: list[str], notes: list[str]
) -> tuple[WarmPlan | None, Clock]:
    """Start the warm runners and learn how long the tests take; without a plan the command runs as given."""
    cold = Clock(task.run_limit, task.run_limit, task.run_limit)
    seen = sandboxes[-1].root.resolve()
    plan = warm_plan(base, targets, task.root.resolve(), seen) if hasattr(os, "fork") else None
    if plan is None:
        notes.append("every proposal runs the whole command (no plain pytest or unittest run was seen)")
        return None, cold
    whys = await asyncio.gather(*(start_warm(box, plan) for box in sandboxes))
    if any(whys):
        notes.append(f"every proposal runs the whole command ({next(filter(None, whys))})")
        return None, cold
    clocks: list[Clock] = []
    for box in sandboxes:
        after, clock, result = await calibrate(box, base, task.run_limit)
        if result.killed or set(after.failing) != set(base.failing):
            notes.append("every proposal runs the whole command (in one process the tests end otherwise)")
            return None, cold
        clocks.append(clock)
    return plan, max(clocks, key=lambda c: c.cpu)


async def work(
    state: Search, validator: Validator, texts: dict[str, str], places: list[Place], progress: OnProgress
) -> None:
    """Take proposals off the queue until time is up, enough pass, or none is left."""
    while time.monotonic() < state.deadline and len(state.passing) < 2 * state.task.patches:
        if not state.queue and not refill(state, texts, places):
            return
        _, _, proposal, again = heapq.heappop(state.queue)
        if not again and not parses(proposal.text):
            continue
        left = state.deadline - time.monotonic()
        clock = state.clock.longer(8) if again else state.clock
        clock = replace(clock, wall=max(0.5, min(clock.wall, left)))
        verdict = await validator.trial(proposal, clock)
        state.runs += verdict.runs
        state.done += 1
        if verdict.passed and validator.warm:
            state.runs += 1
            verdict = replace(await validator.confirm(proposal), tests=verdict.tests)
        if verdict.passed:
            accept(state, proposal, verdict.tests)
        elif verdict.timeout and not again:
            state.late.append(proposal)
        elif verdict.mended and proposal.size == 1:
            share = verdict.mended / max(1, len(validator.base.failing))
            if share >= 0.5 and state.built_upon < HALF_MENDED:
                state.built_upon += 1
                build_upon(state, proposal, EVIDENCE * share, texts, places)
            else:
                state.partial.append((share, proposal))
        if state.done % 20 == 0 or verdict.passed:
            progress(Progress("trying changes", state.done, state.done + len(state.queue), len(state.passing)))


def accept(state: Search, proposal: Proposal, tests: int) -> None:
    """A change after which the command succeeded; the first one shortens what time is left."""
    if any(same_meaning(p.text, proposal.text) for p in state.passing if p.path == proposal.path):
        return
    state.passing.append(proposal)
    state.tests = tests
    if len(state.passing) == 1:
        state.runs_at_first = state.runs
        now = time.monotonic()
        state.deadline = min(state.deadline, now + max(MORE_SECONDS, 0.5 * (now - state.began)))


def refill(state: Search, texts: dict[str, str], places: list[Place]) -> bool:
    """More proposals when the queue is empty: two edits, then those that ran out of time.  False if there are none."""
    if state.passing:
        return False
    state.partial.sort(key=lambda item: (item[0], item[1].score))
    while state.partial and not state.queue:
        share, first = state.partial.pop()
        build_upon(state, first, EVIDENCE * share, texts, places)
    if not state.queue:
        late, state.late = state.late, []
        for proposal in late:
            state.push(proposal, again=True)
    while state.seeds and not state.queue:
        build_upon(state, state.seeds.pop(), 0.0, texts, places)
    return bool(state.queue)


def build_upon(state: Search, first: Proposal, bonus: float, texts: dict[str, str], places: list[Place]) -> None:
    """Put the two-edit proposals that begin with `first` in line."""
    for proposal in second_edits(first, texts[first.path], places, bonus):
        state.push(proposal)


def make_patch(rank: int, proposal: Proposal, original: str, base: Baseline, state: Search) -> Patch:
    """A passing proposal in the words of the report."""
    if base.failing:
        many = len(base.failing)
        verified = [f"{many} failing test{'s' if many > 1 else ''} now pass{'' if many > 1 else 'es'}"]
        if state.tests:
            verified.append(f"all {state.tests} tests pass")
    else:
        verified = ["the tests run"]
    verified += ["the command as given ends with status 0", "parses"]
    return Patch(
        diff=unified(proposal.path, original, proposal.text),
        verified=tuple(verified),
        rank=rank,
        edits=(as_edit(proposal.path, original, proposal.text),),
        operators=proposal.operators,
        score=proposal.score,
        digests={proposal.path: digest(encode(original))},
    )


def digest(data: bytes) -> str:
    """To see whether a file changed while the repair ran."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def unified(path: str, old: str, new: str) -> str:
    """A unified diff that `patch -p1` and `git apply` take."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}", n=3
    )
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def write_patch(root: Path, patch: Patch) -> list[str]:
    """Write a patch into the tree; a file that changed since the repair began is refused (ValueError)."""
    from graft_server.edits import apply_edits

    written = []
    for path in dict.fromkeys(edit.path for edit in patch.edits):
        target = root / path
        data = target.read_bytes()
        if digest(data) != patch.digests[path]:
            raise ValueError(f"{path} changed while the repair ran; nothing was written to it")
        new = apply_edits(decode(data).text, [edit for edit in patch.edits if edit.path == path])
        temporary = target.with_name(f".{target.name}.graft-{os.getpid()}")
        temporary.write_bytes(encode(new))
        temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
        written.append(path)
    return written
