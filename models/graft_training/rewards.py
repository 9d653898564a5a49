"""Rejection sampling with rewards that can be checked: what a model writes itself, kept where it is provably sensible.

    python -m graft_training.rewards MODEL.gguf --work DIR --out DIR [--packages NAME...] [--holes 200] [--samples 4]

Lines of training packages are hidden, with parts that the product's graph finds before them; the model writes each
greedily and `--samples` times by chance. An answer is rewarded if the file parses with it, if the product's checks find
nothing on its line (undefined names, members that are not there, calls that do not fit), and, where the module's own
tests run and notice the line, if they pass. Tests run for modules of the standard library, whose tests come with the
interpreter, in a process without network (execution.py). Method: rejection-sampling fine-tuning (Yuan et al. 2023,
arXiv 2308.01825).

Writes answers.csv (every answer with its verdicts), and two folders to train on, which differ in the middles alone:
own/train-0.bin with the rewarded answers and truth/train-0.bin with the lines that really stood there. Only what beats
the second on held-out packages is a gain of the rewards and not of more training.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from graft_models.client import LlamaEngine
from graft_models.engine import Done, Engine, Request
from graft_models.prompt import GRAFT, Hole, Segment, segments
from graft_server.diagnosis.registry import CheckInfo, enabled
from graft_server.diagnosis.run import run_checks
from graft_training import execution, items, tasks
from graft_training.product_context import ProductContext

if TYPE_CHECKING:
    from graft_training.tokenizer import Encoder

TEMPERATURE = 0.8
MOST_KEPT = 2  # answers of one hole
CHECKS = frozenset({"undefined-name", "missing-member", "unresolved-import", "call-arguments"})
TEST_SECONDS = 15.0
STDLIB = "cpython"
TESTED = frozenset(
    (
        *("textwrap", "shlex", "string", "fractions", "statistics", "difflib", "calendar", "colorsys", "fnmatch"),
        *("graphlib", "ipaddress", "cmd", "copy", "pprint", "reprlib", "sched", "configparser", "argparse", "getopt"),
        *(
            "optparse",
            "plistlib",
            "quopri",
            "base64",
            "netrc",
            "mimetypes",
            "shelve",
            "timeit",
            "zipapp",
            "dataclasses",
        ),
    )
)
"""Modules in Python alone whose tests (test/test_NAME.py) take seconds and need nothing."""
HEADER = ("package", "path", "line", "truth", "answer", "parses", "names", "tests", "rewarded", "mean_logprob")
RUN_TESTS = (
    "import sys; sys.path.insert(0, sys.argv[1]); import unittest; "
    "unittest.main(module='test.test_' + sys.argv[2], argv=['x', '-q', '-f'])"
)


@dataclass(frozen=True)
class Verdict:
    """What could be proved about one answer. `tests` is None where no test notices the line."""

    parses: bool
    names: bool
    tests: bool | None

    @property
    def rewarded(self) -> bool:
        """Nothing speaks against it."""
        return self.parses and self.names and self.tests is not False


@dataclass(frozen=True)
class Said:
    """One answer: the rest of the line behind its indentation, and what it is worth."""

    line: items.Line
    text: str
    mean_logprob: float
    verdict: Verdict

    @property
    def exact(self) -> bool:
        """It is the line that stood there."""
        return self.text.strip() == self.line.text.strip()


def with_answer(line: items.Line, answer: str) -> str:
    """The file with `answer` (indentation included) in place of the line."""
    return f"{line.before}{answer}\n{line.after}"


def parses(text: str) -> bool:
    """Is it Python."""
    try:
        compile(text, "<answer>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def names_resolve(product: ProductContext, line: items.Line, text: str) -> bool:
    """Do the product's checks find nothing on the line, in the file as `text` has it."""
    checks: list[CheckInfo] = [c for c in enabled((), ()) if c.code in CHECKS]
    product.graph.open_buffer(line.path, text)
    product.shown = line.path
    found = run_checks(product.graph, line.path, checks, remember=False)
    at = len(line.before.encode())
    end = len(text.encode()) - len(line.after.encode())
    return not any(at <= d.span.start < end for d in found)


def tested(line: items.Line) -> bool:
    """Are there tests that can be run for the line's module."""
    pure = PurePosixPath(line.path)
    return line.package == STDLIB and len(pure.parts) == 1 and pure.stem in TESTED


def tests_pass(line: items.Line, text: str) -> bool:
    """Does the module's own test pass with `text` in its place."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, line.path).write_text(text, "utf-8")
        module = PurePosixPath(line.path).stem
        command = [*execution.isolation(), sys.executable, "-I", "-c", RUN_TESTS, folder, module]
        try:
            done = subprocess.run(
                command, cwd=folder, timeout=TEST_SECONDS, capture_output=True, stdin=subprocess.DEVNULL, check=False,
                env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder})  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def noticed(line: items.Line) -> bool:
    """Do the tests pass as the file is, and fail where the line raises instead."""
    indent = line.text[: len(line.text) - len(line.text.lstrip())]
    broken = with_answer(line, f"{indent}raise AssertionError")
    return tests_pass(line, with_answer(line, line.text)) and parses(broken) and not tests_pass(line, broken)


async def written(engine: Engine, number: int, hole: Hole, samples: int) -> dict[str, float]:
    """Rest of the line -> mean log-probability of a token; the greedy answer first, then `samples` by chance."""
    found: dict[str, float] = {}
    for seed in range(samples + 1):
        request = Request(
            number * 100 + seed, hole, max_tokens=tasks.MAX_TOKENS, stop=("\n",), prompt_budget=tasks.PROMPT_BUDGET,
            temperature=TEMPERATURE if seed else 0.0, seed=seed, document="rewards")  # fmt: skip
        async for event in engine.complete(request):
            if isinstance(event, Done):
                if event.error:
                    raise RuntimeError(event.error)
                text = tasks.first_line(event.texts[0]).rstrip()
                if text.strip():
                    found.setdefault(text, event.logprobs[0] / max(1, event.counts[0]))
    return found


def judged(product: ProductContext, line: items.Line, answers: Mapping[str, float]) -> list[Said]:
    """Each answer with its verdict."""
    indent = line.text[: len(line.text) - len(line.text.lstrip())]
    with_tests = tested(line) and noticed(line)
    first: list[tuple[str, float, bool, bool]] = []
    for text, mean in answers.items():
        whole = with_answer(line, indent + text)
        good = parses(whole)
        first.append((text, mean, good, good and names_resolve(product, line, whole)))
    with ThreadPoolExecutor(2) as pool:
        passed = list(
            pool.map(
                lambda a: tests_pass(line, with_answer(line, indent + a[0])) if with_tests and a[3] else None, first
            )
        )
    return [
        Said(line, text, mean, Verdict(good, names, tests if names else None))
        for (text, mean, good, names), tests in zip(first, passed, strict=True)
    ]


def kept(said: Sequence[Said]) -> list[Said]:
    """Of one hole's answers the rewarded ones, those proved by tests first, then the likeliest."""
    good = [s for s in said if s.verdict.rewarded]
    return sorted(good, key=lambda s: (s.verdict.tests is not True, -s.mean_logprob))[:MOST_KEPT]


def write_rows(out: Path, encoder: Encoder, pairs: Sequence[tuple[Hole, str]]) -> int:
    """Training rows of holes with their middles; returns how many."""
    from graft_training import data

    samples = [encoder.segments([*segments(GRAFT, h), Segment(m), Segment(GRAFT.end[0], True)]) for h, m in pairs]
    rows = np.array(list(data.pack(iter(samples), data.CONTEXT, encoder.pad)), dtype=np.uint16)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows.tofile(out)
    return len(rows)


def documents_of(path: Path, names: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """(path, text) of the documents of some packages; of the standard library the modules that lie in no folder."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            nested = "/" in record["path"]
            if record["package"] in found and not (record["package"] == STDLIB and nested):
                found[record["package"]].append((record["path"], record["text"]))
    return found


def drawn(package: str, documents: Sequence[tuple[str, str]], count: int) -> list[items.Line]:
    """`count` lines of a package, of the standard library from modules whose tests run."""
    draw = random.Random(hashlib.sha256(f"{package}/rewards".encode()).digest())
    chosen = dict(draw.sample(list(documents), min(len(documents), 60)))
    if package == STDLIB:
        chosen = {p: t for p, t in documents if PurePosixPath(p).stem in TESTED}
    return items.draw({package: chosen}, count, draw.randrange(2**32))


async def sample(
    engine: Engine, packages: Mapping[str, Sequence[tuple[str, str]]], holes: int, samples: int
) -> list[tuple[Hole, list[Said]]]:
    """Every hole with its answers. Raises RuntimeError where the engine fails."""
    found = []
    try:
        status = await engine.start()
        if status.state != "ready":
            raise RuntimeError(status.message or "the model could not be loaded")
        number = 4_000
        for name, documents in packages.items():
            with ProductContext(documents) as product:
                for line in drawn(name, documents, holes // len(packages)):
                    number += 1
                    typed = line.text[: len(line.text) - len(line.text.lstrip())]
                    parts = product.parts(line.path, line.before + typed, "\n" + line.after, tasks.CONTEXT_TOKENS)
                    hole = tasks.hole_of(line, typed, True, parts)
                    answers = await written(engine, number, hole, samples)
                    found.append((hole, judged(product, line, answers)))
            print(f"{name}: {len(found)} holes", flush=True)
    finally:
        await engine.close()
    return found


def summary(found: Sequence[tuple[Hole, Sequence[Said]]]) -> dict[str, float]:
    """Flat figures over all answers."""
    said = [s for _, answers in found for s in answers]
    proved = [s for s in said if s.verdict.tests is not None]
    return {
        "holes": len(found),
        "answers": len(said),
        "parses_percent": tasks.percent([s.verdict.parses for s in said]),
        "names_percent": tasks.percent([s.verdict.names for s in said]),
        "tested_answers": len(proved),
        "tests_percent": tasks.percent([bool(s.verdict.tests) for s in proved]),
        "rewarded_percent": tasks.percent([s.verdict.rewarded for s in said]),
        "exact_percent": tasks.percent([s.exact for s in said]),
        "exact_of_rewarded_percent": tasks.percent([s.exact for s in said if s.verdict.rewarded]),
    }


def write(out: Path, tokenizer: Path, found: Sequence[tuple[Hole, Sequence[Said]]]) -> dict[str, float]:
    """answers.csv and the rows of both arms; returns how many samples and rows each has."""
    from graft_training.tokenizer import Encoder  # late: judging answers needs no tokenizer

    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for s in (s for _, answers in found for s in answers):
        v = s.verdict
        tests = "" if v.tests is None else int(v.tests)
        place = (s.line.package, s.line.path, s.line.number, s.line.text.strip(), s.text.strip())
        rows.append((*place, int(v.parses), int(v.names), tests, int(v.rewarded), f"{s.mean_logprob:.3f}"))
    with (out / "answers.csv").open("w", encoding="utf-8", newline="") as answers_file:
        table = csv.writer(answers_file, lineterminator="\n")
        table.writerows([HEADER, *rows])
    encoder = Encoder(tokenizer)
    own, truth = [], []
    for hole, answers in found:
        for s in kept(answers):
            own.append((hole, f"{hole.typed}{s.text}\n"))
            truth.append((hole, f"{s.line.text}\n"))
    result: dict[str, float] = {"samples": len(own)}
    for name, pairs in (("own", own), ("truth", truth)):
        result[f"{name}_rows"] = write_rows(out / name / "train-0.bin", encoder, pairs) if pairs else 0
        if pairs:
            shutil.copy(tokenizer, out / name / "tokenizer.json")
    return result


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit 2 on bad input."""
    parser = argparse.ArgumentParser(prog="graft_training.rewards")
    parser.add_argument("model", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="holds documents.jsonl and tokenizer.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--packages", nargs="+", default=[STDLIB], help="training packages to draw lines from")
    parser.add_argument("--holes", type=int, default=200)
    parser.add_argument("--samples", type=int, default=4)
    args = parser.parse_args(argv)
    started = time.monotonic()
    try:
        packages = documents_of(args.work / "documents.jsonl", args.packages)
        absent = [name for name, documents in packages.items() if not documents]
        if absent:
            raise ValueError(f"no documents of {', '.join(absent)} in {args.work}")
        found = asyncio.run(sample(LlamaEngine(args.model), packages, args.holes, args.samples))
        result = {**summary(found), **write(args.out, args.work / "tokenizer.json", found)}
    except (OSError, RuntimeError, ValueError) as error:
        print(f"{args.model}: {error}", file=sys.stderr)
        return 2
    result["seconds"] = round(time.monotonic() - started, 1)
    text = json.dumps(result, indent=1)
    (args.out / "rewards.json").write_text(text + "\n", "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
