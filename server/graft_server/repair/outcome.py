"""What a repair is asked and what it answers: plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from graft_models.engine import Engine
from graft_server.edits import Edit

Status = Literal["fixed", "no-patch", "tests-pass", "tests-do-not-run", "tests-hang", "cancelled", "sandbox-failed"]

EXIT_CODES: dict[Status, int] = {
    "fixed": 0,
    "tests-pass": 0,
    "no-patch": 1,
    "tests-do-not-run": 2,
    "tests-hang": 2,
    "cancelled": 2,
    "sandbox-failed": 2,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`passed`: the tests that this stage ran all passed.  `mended`: how many failing tests now pass.

    `runs`: how often tests were started.  `timeout`: it was stopped, so a longer limit may tell otherwise.
    """

    passed: bool
    mended: int = 0
    runs: int = 1
    timeout: bool = False
    tests: int = 0


Tester = Callable[[str, Sequence[str], Sequence[str]], Verdict]
"""(text of the program, ids of the failing tests, ids of the passing ones) -> verdict."""


@dataclass(frozen=True, slots=True)
class Task:
    """Make `command` succeed.

    `command` is a shell command line, run in `root`; the person has seen and confirmed it.  `files` is a glob
    (relative to `root`) of the files that may be changed, empty for every Python file that the failing tests execute
    and that is not a test.  `budget` and `run_seconds` (one run of the command; 0: a sixth of the budget, between 5
    and 60) are wall seconds.
    """

    root: Path
    command: str
    files: str = ""
    budget: float = 120.0
    run_seconds: float = 0.0
    jobs: int = 2
    engine: Engine | None = None
    model: Literal["off", "order", "candidates"] = "off"
    """What the engine is used for, if there is one: nothing, place and order, or changes of its own too."""
    sandbox: Literal["auto", "overlay", "copy"] = "auto"
    patches: int = 5
    """Stop after so many different passing patches."""
    most_runs: int = 0
    """Stop after so many test runs (0: only the budget counts)."""
    tester: Tester | None = None
    """Runs the tests in place of the sandbox, for benchmarks."""

    @property
    def run_limit(self) -> float:
        """Wall seconds that one run of the command may take."""
        return self.run_seconds or min(60.0, max(5.0, self.budget / 6))


@dataclass(frozen=True, slots=True)
class Patch:
    """A change after which the command succeeded.  `verified` says what was run, in the words the user reads."""

    diff: str
    verified: tuple[str, ...]
    rank: int
    """1 is the proposal; the others pass too."""
    edits: tuple[Edit, ...] = ()
    operators: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of the files as they were when the repair began."""
    score: float = 0.0
    """Logarithm of the prior probability, likelihood gain included where there is a model."""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer.  `reason` is one line; `notes` are further lines for a person; `seconds` are wall seconds."""

    status: Status
    reason: str
    patches: tuple[Patch, ...] = ()
    tests_run: int = 0
    """How often tests were started: one per run of the command or of a candidate."""
    runs_to_first: int = 0
    """`tests_run` when the first patch passed; 0 without one."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    places: tuple[tuple[str, int, float], ...] = field(default=())
    """Most suspicious (path, 1-based line, weight)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """For a person who waits.  `done` counts what was tried; `total` is 0 where nobody knows it."""

    message: str
    done: int = 0
    total: int = 0
    passing: int = 0


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Nobody looks."""
