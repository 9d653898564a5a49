"""Running the tests against proposals: failing tests first, then all, then the command as it was given.

For pytest and unittest on systems that fork, one warm runner per sandbox (`warm.py`); any other command as given.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graft_indexer.text import encode
from graft_server.repair.localisation import Baseline
from graft_server.repair.outcome import Verdict
from graft_server.repair.proposals import Proposal
from graft_server.repair.sandbox import Limits, Sandbox, TestResult

SHELL = ("/bin/sh", "-c")
PARTIAL_LIMIT = 12
"""With at most so many failing tests all of them run, so that a proposal that mends some is recognised."""
HANGING_SECONDS = 4.0
"""Processor time after which a test hangs."""
MOST_HANGING = 3
UNFIT = re.compile(r"^(-n|--numprocesses|--dist|--forked|--boxed|--pdb|--trace|-c$|--looponfail|-f$)")


@dataclass(frozen=True, slots=True)
class WarmPlan:
    """How the warm runner is started, read from the trace of the first run."""

    python: str
    config: Mapping[str, Any]
    cwd: Path


@dataclass(frozen=True, slots=True)
class Clock:
    """Limits for one candidate in seconds: processor time for the failing tests, for all, and the wall."""

    cpu: float
    cpu_all: float
    wall: float

    def longer(self, factor: float) -> Clock:
        """For those that ran out of time at first."""
        return Clock(self.cpu * factor, self.cpu_all * factor, self.wall * factor)


def warm_plan(base: Baseline, targets: Sequence[str], root: Path, seen: Path) -> WarmPlan | None:
    """How to run these tests warm; None if they are not pytest's or unittest's, or use what forks do not bear.

    `seen` is the workspace's path where it was traced (a copy has its own), `root` the workspace.
    """
    session = base.session
    if session is None or session["runner"] not in ("pytest", "unittest"):
        return None
    argv = [str(a) for a in session["argv"]]
    if any(UNFIT.match(a) for a in argv[1:]):
        return None
    modules = [m for m in session["modules"] if m.split(".")[0] not in ("__main__", "conftest")]
    if "xdist" in modules and any(a.startswith("-n") for a in argv):
        return None
    config = {
        "runner": session["runner"],
        "args": argv[1:],
        "argv": argv,
        "modules": modules,
        "targets": list(targets),
        "env": own_environment(session["env"]),
        "seen": str(seen),
        "dash_m": "-m" in session["orig_argv"][:4] or session["runner"] == "unittest",
    }
    try:
        cwd = root / Path(session["cwd"]).resolve().relative_to(seen)
    except ValueError:
        return None
    return WarmPlan(str(session["executable"]), config, cwd)


def own_environment(traced: Mapping[str, str]) -> dict[str, str]:
    """The environment of the traced test run without what the tracer needed; the command itself may have set some."""
    env = {name: value for name, value in traced.items() if not name.startswith("GRAFT_")}
    path = [p for p in env.get("PYTHONPATH", "").split(os.pathsep) if p and Path(p).parts[-1:] != ("hook",)]
    plugins = [p for p in env.get("PYTEST_PLUGINS", "").split(",") if p and p != "_graft_tracer"]
    for name, value in (("PYTHONPATH", os.pathsep.join(path)), ("PYTEST_PLUGINS", ",".join(plugins))):
        env.pop(name, None)
        if value:
            env[name] = value
    return env


async def start_warm(sandbox: Sandbox, plan: WarmPlan) -> str:
    """Start the runner; if conftest files import what is to be changed, fork before pytest starts.

    Returns why it does not run, or an empty string.
    """
    why = await sandbox.warm(plan.python, plan.config, cwd=plan.cwd)
    if why:
        why = await sandbox.warm(plan.python, {**plan.config, "early": True}, cwd=plan.cwd)
    return why


class Validator:
    """Runs proposals in one sandbox.  The caller started the warm runner by `plan` and tried it; without one the
    command runs as given."""

    def __init__(
        self, sandbox: Sandbox, command: str, base: Baseline, *, plan: WarmPlan | None, clock: Clock, run: float
    ) -> None:
        self.sandbox = sandbox
        self.command = command
        self.base = base
        self.plan = plan
        self.clock = clock
        self.run_seconds = run

    @property
    def warm(self) -> bool:
        """Whether there is a warm runner."""
        return self.plan is not None

    async def test(self, files: Mapping[str, bytes], ids: Sequence[str] | None, **options: Any) -> TestResult:
        """One warm run; a runner that was lost is started again, so that one bad proposal costs only itself."""
        result = await self.sandbox.test(files, ids=ids, **options)
        if result.killed == "warm" and self.plan is not None and await start_warm(self.sandbox, self.plan):
            self.plan = None
        return result

    async def trial(self, proposal: Proposal, clock: Clock) -> Verdict:
        """Failing tests, then all; the command itself if there is no warm runner."""
        files = {proposal.path: encode(proposal.text)}
        if not self.warm:
            return await self.confirm(proposal, seconds=min(self.run_seconds, clock.wall))
        failing = self.base.failing
        runs = 1
        mended = 0
        if failing:
            few = len(failing) <= PARTIAL_LIMIT
            first = await self.test(files, failing, wall=clock.wall, cpu=clock.cpu, stop_first=not few)
            mended = sum(outcome != "failed" for _, outcome in first.outcomes)
            if not first.passed or not first.outcomes:
                return Verdict(False, mended, 1, timeout=first.killed == "time")
            runs = 2
        every = await self.test(files, None, wall=clock.wall, cpu=clock.cpu_all)
        seen = {name for name, outcome in every.outcomes if outcome == "passed"}
        complete = seen.issuperset(self.base.failing) and seen.issuperset(self.base.passing)
        return Verdict(every.passed and complete, mended, runs, every.killed == "time", len(every.outcomes))

    async def confirm(self, proposal: Proposal, *, seconds: float | None = None) -> Verdict:
        """The command as given must end with status 0."""
        result = await self.sandbox.run(
            [*SHELL, self.command],
            cwd=self.sandbox.original,
            files={proposal.path: encode(proposal.text)},
            limits=Limits(wall=seconds or self.run_seconds),
        )
        return Verdict(result.rc == 0 and not result.killed, timeout=result.killed == "time")


async def untraced(sandbox: Sandbox, base: Baseline) -> Baseline:
    """The baseline without the tests that only hang under the tracer, which is slow where functions are called often.

    The first few tests that were stopped there run alone in the warm runner, without a tracer.
    """
    ended: dict[str, str] = {}
    for name in base.hanging[:MOST_HANGING]:
        result = await sandbox.test({}, ids=[name], wall=3 * HANGING_SECONDS, cpu=HANGING_SECONDS)
        if not result.killed:
            ended.update(result.outcomes)
    if not ended:
        return base
    passed = [name for name, outcome in ended.items() if outcome == "passed"]
    return replace(
        base,
        hanging=[name for name in base.hanging if name not in ended],
        failing=[name for name in base.failing if name not in passed],
        passing=[*base.passing, *passed],
    )


async def calibrate(sandbox: Sandbox, base: Baseline, run_limit: float) -> tuple[Baseline, Clock, TestResult]:
    """Run the unchanged tests warm: the outcomes must be those of the traced run; gives the time limits.

    Tests that were stopped in the first run are left out here.  The first warm run also fills the compiled-file cache.
    """
    ids = [*base.failing, *base.passing]
    known = [name for name in ids if name not in set(base.hanging)]
    chosen: list[str] | None = known if base.hanging else None
    result: TestResult | None = None
    if known or not ids:
        for keep in (True, False):
            result = await sandbox.test({}, ids=chosen, wall=run_limit, cpu=None, stop_first=False, keep_bytecode=keep)
    if result is None:
        result = TestResult(1, "", (), 0.1, 0.03)
    outcomes = dict(result.outcomes)
    failing = [name for name in base.failing if outcomes.get(name, "failed") == "failed"]
    # Processor time is what counts on a busy machine; the wall limit only catches what sleeps.
    cpu = 4.0 * result.cpu + 0.08
    clock = Clock(cpu=cpu, cpu_all=2 * cpu, wall=max(3.0, 10 * cpu))
    return replace(base, failing=failing), clock, result


def command_words(command: str) -> list[str]:
    """The words of a command line, or the whole if its quoting is broken."""
    try:
        return shlex.split(command)
    except ValueError:
        return [command]
