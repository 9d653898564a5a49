"""How good a model is on packages that no training saw, through the product's own engine.

    python -m graft_training.evaluate MODEL.gguf --packages DIR... [--items 200] [--humaneval FILE] [--json F] [--csv F]

The rest of a line at 0, 30 and 60 percent typed, with and without suffix, and with parts of other files: matched by
spelling, found by the product's graph, matched knowing the hidden line (an oracle); bits per byte of hidden lines;
HumanEval-Infilling by execution. No threshold is applied: every answer counts, shown or not. `--csv F.csv` writes every
answer of the lines, and those of HumanEval-Infilling to F-humaneval.csv.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft_models.client import LlamaEngine
from graft_models.engine import Done, DoneReason, Engine, Request, ScoreRequest
from graft_models.prompt import ContextPart, Hole, anchor, cut_prefix, cut_suffix
from graft_training import execution, items
from graft_training.neighbours import Neighbours
from graft_training.product_context import ProductContext

SHARES = (0.0, 0.3, 0.6)  # of the line typed
PREFIX_CHARACTERS = 1700  # about 448 tokens
SUFFIX_CHARACTERS = 480  # about 128
CONTEXT_TOKENS = 256
MAX_TOKENS = 48
PROMPT_BUDGET = 896
SEED = 1

ContextOf = Callable[[items.Line, str], tuple[ContextPart, ...]]


@dataclass(frozen=True)
class Answer:
    """What a model said in one situation, and what was right."""

    arm: str
    line: items.Line
    typed: str
    text: str
    truth: str
    logprob: float
    tokens: int
    milliseconds: float

    @property
    def exact(self) -> bool:
        """The rest of the line is right, spaces at its end aside."""
        return self.text.rstrip() == self.truth.rstrip()

    @property
    def similarity(self) -> float:
        """Edit similarity, 0..1."""
        return items.edit_similarity(self.text.rstrip(), self.truth.rstrip())

    @property
    def names_right(self) -> bool:
        """All names of the rest of the line are right and in order."""
        return items.names(self.text) == items.names(self.truth)


async def answer_of(engine: Engine, number: int, hole: Hole) -> Done:
    """One answer to the end of the line. Raises RuntimeError where the engine fails."""
    request = Request(number, hole, max_tokens=MAX_TOKENS, stop=("\n",), prompt_budget=PROMPT_BUDGET)
    async for event in engine.complete(request):
        if isinstance(event, Done):
            if event.reason is DoneReason.FAILED:
                raise RuntimeError(event.error)
            return event
    raise RuntimeError("the engine gave no answer")


def first_line(text: str) -> str:
    """Up to the first line break."""
    return text.split("\n", 1)[0]


def hole_of(line: items.Line, typed: str, suffix: bool, context: tuple[ContextPart, ...]) -> Hole:
    """The anchored hole of a person who has typed `typed` of the line."""
    prefix, forced, after = anchor(line.before + typed, "\n" + line.after)
    shown = cut_suffix(after, SUFFIX_CHARACTERS) if suffix else ""
    repository = line.package if context else ""
    return Hole(line.path, cut_prefix(prefix, PREFIX_CHARACTERS), shown, forced, repository, context)


def spelled_context(packages: Mapping[str, Mapping[str, str]], oracle: bool) -> ContextOf:
    """Parts by names near the hole (`oracle`: also by names of the hidden line), as in training, without any graph."""
    around = {name: Neighbours(list(files.items())) for name, files in packages.items()}

    def parts(line: items.Line, typed: str) -> tuple[ContextPart, ...]:
        sought = line.text if oracle else typed
        return tuple(around[line.package].best(line.path, line.before[-500:], CONTEXT_TOKENS, sought))

    return parts


@contextlib.contextmanager
def graph_context(packages: Mapping[str, Mapping[str, str]]) -> Iterator[ContextOf]:
    """Parts that the product's graph finds for the cursor, from the package as it is without the hidden text."""
    with contextlib.ExitStack() as stack:
        graphs = {n: stack.enter_context(ProductContext(list(files.items()))) for n, files in packages.items()}

        def parts(line: items.Line, typed: str) -> tuple[ContextPart, ...]:
            return graphs[line.package].parts(line.path, line.before + typed, "\n" + line.after, CONTEXT_TOKENS)

        yield parts


async def run_lines(engine: Engine, lines: Sequence[items.Line], contexts: Mapping[str, ContextOf]) -> list[Answer]:
    """Every line in every situation: arms "suffix", "no_suffix" and one for each of `contexts` (with suffix)."""
    answers = []
    number = 0
    for line in lines:
        for share in SHARES:
            typed = items.typed_part(line.text, share)
            arms: dict[str, tuple[bool, tuple[ContextPart, ...]]] = {"suffix": (True, ()), "no_suffix": (False, ())}
            arms.update({name: (True, of(line, typed)) for name, of in contexts.items()})
            for arm, (suffix, context) in arms.items():
                number += 1
                started = time.perf_counter()
                done = await answer_of(engine, number, hole_of(line, typed, suffix, context))
                spent = (time.perf_counter() - started) * 1000
                logprob, count = (done.logprobs[0], done.counts[0]) if done.logprobs else (0.0, 0)
                name, truth = f"{arm}_{int(share * 100)}", line.text[len(typed) :]
                answers.append(Answer(name, line, typed, first_line(done.texts[0]), truth, logprob, count, spent))
    return answers


async def bits_per_byte(engine: Engine, lines: Sequence[items.Line]) -> float:
    """Bits per byte of whole hidden lines, line break included, given prefix and suffix."""
    nats = size = 0.0
    for number, line in enumerate(lines):
        text = line.text + "\n"
        scores = await engine.score(ScoreRequest(1_000_000 + number, hole_of(line, "", True, ()), (text,)))
        if scores.error:
            raise RuntimeError(scores.error)
        nats -= scores.logprobs[0]
        size += len(text.encode())
    return nats / math.log(2) / max(1.0, size)


async def run_humaneval(engine: Engine, problems: Sequence[execution.Problem]) -> list[str]:
    """One line for each problem."""
    answers = []
    for number, problem in enumerate(problems):
        hole = Hole("solution.py", cut_prefix(problem.prompt, 2 * PREFIX_CHARACTERS), problem.suffix)
        done = await answer_of(engine, 2_000_000 + number, hole)
        answers.append(first_line(done.texts[0]) + "\n")
    return answers


def summary(answers: Sequence[Answer]) -> dict[str, float]:
    """Flat figures, units in the names."""
    result: dict[str, float] = {}
    for arm in sorted({a.arm for a in answers}):
        group = [a for a in answers if a.arm == arm]
        own = [a for a in group if a.line.calls_own]
        result[f"{arm}_items"] = len(group)
        result[f"{arm}_exact_percent"] = _percent([a.exact for a in group])
        result[f"{arm}_similarity_percent"] = _percent([a.similarity for a in group])
        result[f"{arm}_names_percent"] = _percent([a.names_right for a in group])
        if own:
            result[f"{arm}_own_calls"] = len(own)
            result[f"{arm}_own_calls_exact_percent"] = _percent([a.exact for a in own])
        # how right the surest tenth and quarter are: what a threshold could show
        for share in (0.1, 0.25):
            surest = sorted(group, key=lambda a: -a.logprob / max(1, a.tokens))[: max(1, int(len(group) * share))]
            result[f"{arm}_surest_{int(share * 100)}_exact_percent"] = _percent([a.exact for a in surest])
    result["answer_p50_ms"] = round(statistics.median(a.milliseconds for a in answers), 1)
    return result


def _percent(values: Sequence[float]) -> float:
    return round(100 * sum(values) / max(1, len(values)), 2)


def evaluate(
    gguf: Path,
    packages: Sequence[Path],
    count: int = 200,
    humaneval: Path | None = None,
    contexts: Mapping[str, ContextOf] | None = None,
    csv_out: Path | None = None,
    threads: int = 0,
    engine: Engine | None = None,
) -> dict[str, float]:
    """Measure `gguf` (or a ready `engine`) on `count` lines of the folders `packages` and on HumanEval-Infilling.

    `contexts` names arms with parts of other files; by default "spelled", "graph" and "oracle" (see `spelled_context`,
    `graph_context`).
    Raises RuntimeError where the model cannot be loaded or fails, ValueError where no line is found.
    """
    texts = {folder.name: items.read_package(folder) for folder in packages}
    lines = items.draw(texts, count, SEED)
    if not lines:
        raise ValueError("no line to complete in these packages")
    problems = execution.read_problems(humaneval) if humaneval else []
    with graph_context(texts) as graph:
        if contexts is None:
            spelled, oracle = spelled_context(texts, False), spelled_context(texts, True)
            contexts = {"spelled": spelled, "graph": graph, "oracle": oracle}
        return asyncio.run(_evaluate(engine or LlamaEngine(gguf, threads=threads), lines, contexts, problems, csv_out))


async def _evaluate(
    engine: Engine,
    lines: Sequence[items.Line],
    contexts: Mapping[str, ContextOf],
    problems: Sequence[execution.Problem],
    csv_out: Path | None,
) -> dict[str, float]:
    try:
        status = await engine.start()
        if status.state != "ready":
            raise RuntimeError(status.message or "the model could not be loaded")
        answers = await run_lines(engine, lines, contexts)
        result = summary(answers)
        result["bits_per_byte"] = round(await bits_per_byte(engine, lines), 4)
        filled = await run_humaneval(engine, problems)
    finally:
        await engine.close()
    if problems:
        passed = await asyncio.to_thread(execution.judge, problems, filled)
        result["humaneval_items"] = len(problems)
        result["humaneval_pass_percent"] = _percent(passed)
        exact = [a.strip() == p.solution.strip() for a, p in zip(filled, problems, strict=True)]
        result["humaneval_exact_percent"] = _percent(exact)
        if csv_out:
            write_humaneval(csv_out.with_stem(csv_out.stem + "-humaneval"), problems, filled, passed)
    if csv_out:
        write_csv(csv_out, answers)
    return result


def write_csv(path: Path, answers: Sequence[Answer]) -> None:
    """One row per answer."""
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(("arm", "package", "path", "line", "typed", "truth", "answer", "exact", "similarity", "logprob"))
        for a in answers:
            row = (a.arm, a.line.package, a.line.path, a.line.number, a.typed.strip(), a.truth, a.text)
            table.writerow((*row, int(a.exact), f"{a.similarity:.3f}", f"{a.logprob:.3f}"))


def write_humaneval(
    path: Path, problems: Sequence[execution.Problem], filled: Sequence[str], passed: Sequence[bool]
) -> None:
    """One row per problem."""
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(("task", "answer", "passed"))
        for problem, answer, good in zip(problems, filled, passed, strict=True):
            table.writerow((problem.task, answer.rstrip("\n"), int(good)))


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit 2 on bad input."""
    parser = argparse.ArgumentParser(prog="graft_training.evaluate")
    parser.add_argument("model", type=Path)
    parser.add_argument("--packages", type=Path, nargs="+", required=True, help="folders, one for each package")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--humaneval", type=Path, help="HumanEval-Infilling items, .jsonl or .jsonl.gz")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args(argv)
    random.seed(SEED)
    missing = [str(p) for p in (args.model, *args.packages, *filter(None, [args.humaneval])) if not p.exists()]
    if missing:
        print(f"not there: {', '.join(missing)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        result = evaluate(args.model, args.packages, args.items, args.humaneval, None, args.csv, args.threads)
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        print(f"{args.model}: {error}", file=sys.stderr)
        return 2
    result["seconds"] = round(time.monotonic() - started, 1)
    text = json.dumps(result, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
