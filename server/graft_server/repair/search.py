"""Repair against tests: first run, localisation, proposals, validation, ranking.

`repair` leaves nothing behind however it ends: the sandboxes are closed in `finally`, and the tree is never written.
"""

from __future__ import annotations

import asyncio
import builtins
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from graft_indexer.text import decode
from graft_server.repair import differential
from graft_server.repair.frontier import Frontier
from graft_server.repair.infill import infill
from graft_server.repair.judge import Answer, first_runs, judge, no_places
from graft_server.repair.localisation import Baseline, Place, read_traces, suspicious
from graft_server.repair.oddities import balance
from graft_server.repair.order import by_likelihood
from graft_server.repair.outcome import OnProgress, Progress, Report, Status, Task, Verdict, ignore_progress
from graft_server.repair.patches import make_patch, unified, write_patch
from graft_server.repair.proposals import (
    Proposal,
    donor_statements,
    proposals,
    same_meaning,
    second_edits,
)
from graft_server.repair.sandbox import Sandbox, SandboxError, namespaces_refused
from graft_server.repair.surprise import with_surprise
from graft_server.repair.syntax import mends, unparsed
from graft_server.repair.validate import Clock, Validator, WarmPlan, calibrate, start_warm, untraced, warm_plan

MORE_SECONDS = 4.0
"""After the first passing patch the search goes on for this long, or half of what it took, to see alternatives."""
MORE_RUNS = 120
"""The same in test runs, where the tests run without the sandbox: four seconds of two sandboxes."""
FIRST_EDITS = 60
"""First edits from which two-edit proposals are made without any evidence, most probable first."""
TWO_EDITS = math.log(26 / 164)
"""Logarithm of how likely a repair needs two edits: what is not one line in HumanEvalFix's 164 bugs."""
HALF_MENDS = 0.5
"""How likely one half of a two-edit repair mends failing tests by itself."""
LATE_COST = 3.0
"""Logarithm of how much less likely a change is right that takes four times the processor time of the old code."""
ODDITY_COST = 2.0
"""Logarithm of how much less likely a change is right per oddity it brings in (`bench/repair_oddities.py`: 1.95 from
the releases of five packages)."""
ODDITY_GAIN = 0.4
"""The same of how much likelier it is if it takes any out (0.47 from 874 fixes and 6,731 drawn changes)."""
MODEL_SHARE = 0.15
"""Share of the budget that each use of the model may take."""


@dataclass(slots=True)
class Search:
    """What grows while proposals run."""

    task: Task
    deadline: float
    began: float
    clock: Clock
    frontier: Frontier = field(default_factory=Frontier)
    passing: list[Proposal] = field(default_factory=list)
    mended: list[float] = field(default_factory=list)
    """Shares of the failing tests that first edits mended, of those that mended any."""
    built_upon: int = 0
    runs: int = 0
    done: int = 0
    runs_at_first: int = 0
    tests: int = 0
    most_runs: int = 0


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
            seen = sandboxes[-1].root.resolve()
            base = read_traces(traced.traces, seen)
            judge(task, base, plain, traced)
            texts = read_texts(task.root.resolve())
            places = suspicious(base, plain.output + traced.output, seen, task.files, texts)
            if not places:
                raise no_places(task, base, plain)
            files = {path: texts(path) for path in dict.fromkeys(place.path for place in places) if texts(path)}
            report = await look(task, sandboxes, base, places, files, began, progress, notes)
            return replace(report, tests_run=report.tests_run + runs, seconds=time.monotonic() - began)
    except SandboxError as error:
        answer = Answer("sandbox-failed", str(error))
    except Answer as known:
        answer = known
    seconds = time.monotonic() - began
    return Report(answer.status, answer.reason, tests_run=runs, seconds=seconds, notes=tuple(notes))


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
    plan, clock, base = await prepare(task, sandboxes, base, list(texts), notes)
    state = Search(task, began + task.budget, began, clock, most_runs=task.most_runs)
    broken = unparsed(base, texts)
    for path in broken:
        state.frontier.add(await asyncio.to_thread(mends, path, texts[path]))
    if not broken:
        places = await line_up(state, texts, places, exceptions_met(base), progress)
    validators = [Validator(box, task.command, base, plan=plan, clock=clock, run=task.run_limit) for box in sandboxes]
    async with asyncio.TaskGroup() as group:
        for validator in validators:
            group.create_task(work(state, validator, texts, places, progress))
    shown = tuple((p.path, p.line + 1, p.weight) for p in places[:10])
    if not state.passing and broken:
        reason = f"{next(iter(broken.values()))}; {state.done} small changes tried"
        return Report("tests-do-not-run", reason, tests_run=state.runs, notes=tuple(notes))
    if not state.passing:
        ended = "within the budget" if state.frontier else "of all that were made up"
        reason = f"no change of {len(texts)} files made the tests pass; {state.done} tried, none {ended}"
        status: Status = "tests-hang" if base.hanging and len(base.hanging) == len(base.failing) else "no-patch"
        return Report(status, reason, tests_run=state.runs, notes=tuple(notes), places=shown)
    ranked, remarks = await differential.rank(state.passing, texts, base, validators[0])
    notes += remarks
    patches = tuple(
        make_patch(index, proposal, texts[proposal.path], base, state.tests)
        for index, proposal in enumerate(ranked[: task.patches], 1)
    )
    reason = f"{patches[0].verified[0]}; first passing change after {state.runs_at_first} test runs"
    return Report("fixed", reason, patches, state.runs, state.runs_at_first, notes=tuple(notes), places=shown)


async def line_up(
    state: Search, texts: dict[str, str], places: list[Place], raised: list[str], progress: OnProgress
) -> list[Place]:
    """Fill the frontier; a model joins its surprise to the places, orders by likelihood, and adds texts of its own."""
    task, engine = state.task, state.task.engine
    share = MODEL_SHARE * task.budget
    if engine is not None and task.model != "off":
        places = await with_surprise(engine, texts, places, progress, budget=share)
    donors = list(donor_statements(list(texts.values())))
    found = proposals(texts, places, donors, raised)
    if engine is None or task.model == "off":
        state.frontier.add(found)
        return places
    if task.model == "candidates":
        state.frontier.add(await infill(engine, texts, places, progress, budget=share))
    for stream in await by_likelihood(engine, texts, found, progress, budget=share):
        state.frontier.add(stream)
    return places


def exceptions_met(base: Baseline) -> list[str]:
    """Built-in exceptions that the failing tests ended with, the most frequent first; a failed assertion is none."""
    met = Counter(str(error.get("type", "")) for error in base.errors)
    known = (name for name, _ in met.most_common() if isinstance(getattr(builtins, name, None), type))
    return [name for name in known if name != "AssertionError"]


async def prepare(
    task: Task, sandboxes: Sequence[Sandbox], base: Baseline, targets: list[str], notes: list[str]
) -> tuple[WarmPlan | None, Clock, Baseline]:
    """Start the warm runners and learn how long the tests take, and which of them hang; without a plan the command
    runs as given."""
    cold = Clock(task.run_limit, task.run_limit, task.run_limit)
    seen = sandboxes[-1].root.resolve()
    plan = warm_plan(base, targets, task.root.resolve(), seen) if hasattr(os, "fork") else None
    if plan is None:
        notes.append("every proposal runs the whole command (no plain pytest or unittest run was seen)")
        return None, cold, base
    whys = await asyncio.gather(*(start_warm(box, plan) for box in sandboxes))
    if any(whys):
        notes.append(f"every proposal runs the whole command ({next(filter(None, whys))})")
        return None, cold, base
    base = await untraced(sandboxes[0], base)
    clocks: list[Clock] = []
    for box in sandboxes:
        after, clock, result = await calibrate(box, base, task.run_limit)
        if result.killed or set(after.failing) != set(base.failing):
            notes.append("every proposal runs the whole command (in one process the tests end otherwise)")
            return None, cold, base
        clocks.append(clock)
    return plan, max(clocks, key=lambda c: c.cpu), base


async def work(
    state: Search, validator: Validator, texts: dict[str, str], places: list[Place], progress: OnProgress
) -> None:
    """Take proposals off the frontier until time is up, enough pass, or none is left."""
    task = state.task
    while time.monotonic() < state.deadline and len(state.passing) < 2 * task.patches:
        if state.most_runs and state.runs >= state.most_runs:
            return
        item = state.frontier.pop()
        if item is None:
            return
        proposal, again = item
        if proposal.oddities is None and not again:
            odd = balance(proposal.before, proposal.text, proposal.lines[-1])
            if odd is None:
                continue
            count, fewer = odd
            gain = ODDITY_GAIN * min(1, fewer) - ODDITY_COST * count
            proposal = replace(proposal, oddities=count, score=proposal.score + gain)
            if count:
                state.frontier.add([proposal])
                continue
        verdict, at = await judged(state, validator, proposal, again)
        state.runs += verdict.runs
        state.done += 1
        if verdict.passed:
            accept(state, proposal, verdict.tests, at)
        elif verdict.timeout and not again:
            state.frontier.add([replace(proposal, score=proposal.score - LATE_COST)], again=True)
        elif proposal.size == 1:
            partly(state, proposal, verdict.mended / max(1, len(validator.base.failing)), texts, places)
        if state.done % 20 == 0 or verdict.passed:
            progress(Progress("trying changes", state.done, 0, len(state.passing)))
        # Nothing above may have waited for anything; cancellation and the other sandbox get their turn here.
        await asyncio.sleep(0)


async def judged(state: Search, validator: Validator, proposal: Proposal, again: bool) -> tuple[Verdict, int]:
    """Run a proposal; what passes in the warm runner must pass with the command itself.

    With the verdict how many test runs there had been when its own tests ended: while the command is repeated, which
    takes as long as many trials, the other sandbox goes on.
    """
    if state.task.tester is not None:
        base = validator.base
        verdict = state.task.tester(proposal.text, base.failing, base.passing)
        return verdict, state.runs + verdict.runs
    left = state.deadline - time.monotonic()
    clock = state.clock.longer(8) if again else state.clock
    clock = replace(clock, wall=max(0.5, min(clock.wall, left)))
    verdict = await validator.trial(proposal, clock)
    at = state.runs + verdict.runs
    if verdict.passed and validator.warm:
        confirmed = await validator.confirm(proposal)
        verdict = replace(confirmed, tests=verdict.tests, runs=verdict.runs + 1)
    return verdict, at


def partly(state: Search, proposal: Proposal, share: float, texts: dict[str, str], places: list[Place]) -> None:
    """A first edit that is not enough may be half of a repair; what many others mend as well says little."""
    if share == 0 and state.built_upon >= FIRST_EDITS:
        return
    bonus = TWO_EDITS
    if share > 0:
        # How much likelier half of a repair does this than just any change, as far as they were tried.
        any_change = (1 + sum(other >= share for other in state.mended)) / (2 + state.done)
        bonus += share * max(0.0, math.log(HALF_MENDS / any_change))
        state.mended.append(share)
    else:
        state.built_upon += 1
    state.frontier.add(second_edits(proposal, texts[proposal.path], places, bonus))


def accept(state: Search, proposal: Proposal, tests: int, at: int) -> None:
    """A change after which the command succeeded, after `at` test runs; the first one shortens the time left."""
    if any(same_meaning(p.text, proposal.text) for p in state.passing if p.path == proposal.path):
        return
    state.passing.append(proposal)
    state.tests = tests
    if len(state.passing) == 1:
        state.runs_at_first = at
        if state.task.tester is not None:
            # Seconds say nothing here.
            state.most_runs = at + max(MORE_RUNS, at // 2)
            return
        now = time.monotonic()
        state.deadline = min(state.deadline, now + max(MORE_SECONDS, 0.5 * (now - state.began)))


__all__ = ["repair", "unified", "write_patch"]
