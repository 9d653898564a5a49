"""Where the bug may be: lines of the workspace by suspicion, from traced tests and tracebacks.

Spectrum: Ochiai (Ochiai 1957; for faults Abreu et al. 2006): a line executed by `ef` failing and `ep` passing tests of
`f` failing ones has ef / sqrt(f * (ef + ep)).  On small suites it ties badly (the mended line is first in 7 of 38
QuixBugs programs, among the first five in 34), so ties share their mean rank, and the lines of the failing tests'
tracebacks are joined as a union with their own share rather than blended into one score.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from graft_indexer.rewrites import enclosing_headers, function_lines, is_import

TRACEBACK = re.compile(r'File "([^"\n]+)", line (\d+)|^([^\s:"]+\.\w+):(\d+):', re.MULTILINE)
NETWORK = re.compile(
    r"gaierror|Temporary failure in name resolution|Network is unreachable|Name or service not known|"
    r"NewConnectionError|ConnectError|URLError|ENETUNREACH|nodename nor servname"
)
TRACEBACK_SHARE = 0.3
IMPORT_SHARE = 0.25
"""Weight of a line that runs on import, relative to one of the same rank that the failing tests run."""
MAX_LINES = 250


@dataclass(frozen=True, slots=True)
class Place:
    """One line (0-based) of a file (relative to the root) and its share of the suspicion; all shares sum to 1."""

    path: str
    line: int
    weight: float


@dataclass(slots=True)
class Baseline:
    """What the traced run of the unpatched tests says."""

    failing: list[str] = field(default_factory=list)
    """Ids, those that failed by themselves before those that were stopped, quick ones first."""
    passing: list[str] = field(default_factory=list)
    hanging: list[str] = field(default_factory=list)
    """The failing ones that were stopped for running too long."""
    skipped: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    """Exceptions of failing tests, of collection, and uncaught ones: type, message, stack, id."""
    spectra: list[tuple[bool, frozenset[tuple[str, int]]]] = field(default_factory=list)
    """Per test: (failed, lines it executed as (path, 0-based line))."""
    imported: frozenset[tuple[str, int]] = frozenset()
    escaped: tuple[str, ...] = ()
    traced: bool = False
    """Some process ran the tracer."""
    executed: bool = False
    """Some line of the workspace was executed."""
    session: dict[str, Any] | None = None
    """The trace of the one process that ran the tests, for the warm runner."""


def relative(path: str, root: Path) -> str | None:
    """A traced file's path relative to the sandbox's root, `/` as separator; None if it lies elsewhere."""
    try:
        return (root / path).resolve().relative_to(root).as_posix()
    except ValueError:
        return None


def read_traces(traces: Sequence[Mapping[str, Any]], root: Path) -> Baseline:
    """Join the traces of all processes of one run."""
    base = Baseline(traced=bool(traces))
    cache: dict[str, str | None] = {}

    def lines_of(table: Mapping[str, Sequence[int]]) -> frozenset[tuple[str, int]]:
        out: set[tuple[str, int]] = set()
        for name, numbers in table.items():
            if name not in cache:
                cache[name] = relative(name, root)
            path = cache[name]
            if path is not None:
                out.update((path, n - 1) for n in numbers if n > 0)
        return frozenset(out)

    imported: set[tuple[str, int]] = set()
    escaped: set[str] = set()
    order: list[tuple[bool, float, str]] = []
    with_tests = []
    for trace in traces:
        imported |= lines_of(trace["lines"])
        escaped.update(trace["escaped"])
        base.errors += trace["errors"]
        if trace["tests"]:
            with_tests.append(trace)
        for test in trace["tests"]:
            outcome = test["outcome"]
            if outcome == "skipped":
                base.skipped.append(test["id"])
                continue
            failed = outcome != "passed"
            base.spectra.append((failed, lines_of(test["lines"])))
            if failed:
                order.append((outcome == "timeout", test["seconds"], test["id"]))
                if test["error"]:
                    base.errors.append({**test["error"], "id": test["id"]})
            else:
                base.passing.append(test["id"])
    base.failing = [name for _, _, name in sorted(order)]
    base.hanging = [name for hung, _, name in sorted(order) if hung]
    base.imported = frozenset(imported)
    base.escaped = tuple(sorted(escaped))
    base.executed = bool(imported) or any(lines for _, lines in base.spectra)
    if len(with_tests) == 1:
        base.session = dict(with_tests[0])
    elif not with_tests and len(traces) == 1:
        base.session = dict(traces[0])
    return base


def is_test_file(path: str) -> bool:
    """By the usual names: not to be changed to make tests pass."""
    pure = PurePosixPath(path)
    name = pure.name
    return (
        name.startswith("test_")
        or name.endswith(("_test.py", "_tests.py"))
        or name in ("conftest.py", "tests.py", "test.py")
        or any(part in ("tests", "test", "testing") for part in pure.parts[:-1])
    )


def may_change(path: str, glob: str, test_files: Iterable[str]) -> bool:
    """Whether a repair may change this file."""
    if glob:
        return PurePosixPath(path).match(glob) or PurePosixPath("/" + path).match("/" + glob)
    return path.endswith(".py") and not is_test_file(path) and path not in set(test_files)


def test_file(name: str) -> str:
    """The file part of a pytest id; empty for other runners' ids."""
    return name.split("::", 1)[0] if "::" in name else ""


def suspicious(
    base: Baseline, output: str, root: Path, glob: str = "", texts: Callable[[str], str] = lambda path: ""
) -> list[Place]:
    """Lines that may be changed, most suspicious first, at most `MAX_LINES`.

    `output` is what the tests printed: tracebacks in it count where no tracer ran (other languages, isolated
    interpreters).  `texts` gives a file's text by its path: the conditions and loops that a failing line lies below
    share its suspicion, and imports have none.
    """
    test_files = {test_file(name) for name in (*base.failing, *base.passing)} - {""}

    def allowed(path: str) -> bool:
        return may_change(path, glob, test_files)

    failed = [lines for bad, lines in base.spectra if bad]
    passed = [lines for bad, lines in base.spectra if not bad]
    if not failed and base.errors:
        failed = [base.imported]
    scores: dict[tuple[str, int], float] = {}
    on_import: dict[tuple[str, int], float] = {}
    executed: set[tuple[str, int]] = set().union(*failed)
    for key in executed:
        if not allowed(key[0]):
            continue
        text = texts(key[0])
        if text and failed != [base.imported] and not called(executed, key, text):
            # A module that happened to be imported by a failing test first.
            if not is_import(text, key[1]):
                on_import[key] = 1.0
        else:
            ef = sum(key in lines for lines in failed)
            ep = sum(key in lines for lines in passed)
            scores[key] = ef / math.sqrt(len(failed) * (ef + ep))
    weights = by_rank(scores)
    for key in base.imported:
        if allowed(key[0]) and key not in scores and not is_import(texts(key[0]), key[1]):
            on_import[key] = 1.0
    for key, share in by_rank(on_import).items():
        weights[key] = weights.get(key, 0.0) + min(IMPORT_SHARE, 0.01 * len(on_import)) * share
    stacks = [error.get("stack", []) for error in base.errors]
    if not any(stacks):
        stacks = [printed_stack(output)]
    traces: dict[tuple[str, int], float] = {}
    for stack in stacks:
        own = [(relative(name, root), int(line) - 1) for name, line in stack]
        frames = [(path, line) for path, line in own if path is not None and allowed(path)]
        for depth, (path, line) in enumerate(reversed(frames[-6:])):
            near = [line, *enclosing_headers(texts(path), line)[:3]]
            for distance, number in enumerate(near):
                traces[path, number] = traces.get((path, number), 0.0) + 0.5 ** (depth + distance)
    total = sum(traces.values())
    for key, value in traces.items():
        weights[key] = weights.get(key, 0.0) + TRACEBACK_SHARE * value / total
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MAX_LINES]
    whole = sum(value for _, value in best) or 1.0
    return [Place(path, line, value / whole) for (path, line), value in best]


def called(executed: set[tuple[str, int]], key: tuple[str, int], text: str) -> bool:
    """Whether a line ran because a function was called, not because its module was imported."""
    path, line = key
    return any((path, number) in executed for number in function_lines(text, line))


def by_rank(scores: Mapping[tuple[str, int], float]) -> dict[tuple[str, int], float]:
    """Shares that fall with the rank, equal scores at their mean rank; they sum to 1."""
    levels: dict[float, list[tuple[str, int]]] = {}
    for key, value in scores.items():
        levels.setdefault(round(value, 6), []).append(key)
    out: dict[tuple[str, int], float] = {}
    before = 0
    for value in sorted(levels, reverse=True):
        mean = before + (len(levels[value]) + 1) / 2
        out.update(dict.fromkeys(levels[value], value / (mean + 2)))
        before += len(levels[value])
    total = sum(out.values()) or 1.0
    return {key: value / total for key, value in out.items()}


def printed_stack(output: str) -> list[list[Any]]:
    """(file, line) pairs in what a program printed."""
    out: list[list[Any]] = []
    for match in TRACEBACK.finditer(output):
        name, line = (match[1], match[2]) if match[1] else (match[3], match[4])
        out.append([name, int(line)])
    return out


def needs_network(base: Baseline) -> bool:
    """Whether every failure is that of a program without a network."""
    texts = [f"{e.get('type', '')} {e.get('message', '')}" for e in base.errors]
    return bool(texts) and all(NETWORK.search(text) for text in texts)
