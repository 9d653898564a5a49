"""How good a model is on packages that no training saw, through the product's own engine.

    python -m graft_training.evaluate MODEL.gguf --packages DIR... [--items 120] [--humaneval FILE]
        [--tasks lines calls bits edits humaneval] [--json FILE] [--tables FOLDER]

What each task asks is in tasks.py. `--tables` writes every answer, one CSV file for each task.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from graft_models.client import LlamaEngine
from graft_models.engine import Engine
from graft_models.prompt import ContextPart
from graft_training import edits, execution, items, tasks
from graft_training.neighbours import Neighbours
from graft_training.product_context import ProductContext
from graft_training.tasks import CONTEXT_TOKENS, ContextOf

TASKS = ("lines", "calls", "bits", "edits", "humaneval")
SEED = 1


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


def planted_edits(packages: Mapping[str, Mapping[str, str]], count: int, seed: int) -> list[edits.Edit]:
    """`count` planted mistakes, as evenly over the packages as they allow; the same for the same seed and files."""
    found: list[edits.Edit] = []
    names = sorted(packages)
    for index, name in enumerate(names):
        share = count * (index + 1) // len(names) - count * index // len(names)
        draw = random.Random(hashlib.sha256(f"{name}/{seed}/edits".encode()).digest())
        paths = draw.sample(sorted(packages[name]), len(packages[name]))
        of_package: list[edits.Edit] = []
        for path in paths:
            if len(of_package) < share:
                of_package += edits.plant(path, packages[name][path], draw, 2)
        found += of_package[:share]
    return found


def evaluate(
    gguf: Path,
    packages: Sequence[Path],
    count: int = 120,
    humaneval: Path | None = None,
    chosen: Sequence[str] = TASKS,
    tables: Path | None = None,
    threads: int = 0,
    engines: Mapping[bool, Engine] | None = None,
) -> dict[str, float]:
    """Measure `gguf` (or ready `engines`: with the count model, without) on `count` lines, calls and planted mistakes
    of the folders `packages`, and on HumanEval-Infilling where its file is given.

    Raises RuntimeError where the model cannot be loaded or fails, ValueError where no line is found.
    """
    texts = {folder.name: items.read_package(folder) for folder in packages}
    wanted = set(chosen) - ({"humaneval"} if humaneval is None else set())
    if engines is None:
        kinds = (True, False) if wanted & {"lines", "calls"} else (True,)
        engines = {counts: LlamaEngine(gguf, threads=threads, counts=counts) for counts in kinds}
    if tables is not None:
        tables.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_evaluate(engines, texts, count, humaneval, wanted, tables))


async def _evaluate(
    engines: Mapping[bool, Engine],
    texts: Mapping[str, Mapping[str, str]],
    count: int,
    humaneval: Path | None,
    wanted: set[str],
    tables: Path | None,
) -> dict[str, float]:
    result: dict[str, float] = {}
    lines = items.draw(texts, count, SEED)
    if not lines:
        raise ValueError("no line to complete in these packages")
    with contextlib.ExitStack() as stack:
        try:
            for engine in engines.values():
                status = await engine.start()
                if status.state != "ready":
                    raise RuntimeError(status.message or "the model could not be loaded")
            contexts: dict[str, ContextOf] = {}
            if wanted & {"lines", "calls", "bits"}:
                contexts["graph"] = stack.enter_context(graph_context(texts))
            if wanted & {"lines", "calls"}:
                contexts |= {"spelled": spelled_context(texts, False), "oracle": spelled_context(texts, True)}
            if "lines" in wanted:
                result |= await _lines(engines, lines, contexts, tables, "lines")
            if "calls" in wanted:
                result |= await _lines(engines, items.draw(texts, count, SEED, calls=True), contexts, tables, "calls")
            if "bits" in wanted:
                result |= await _bits(engines[True], lines, contexts["graph"], tables)
            if "edits" in wanted:
                result |= await _edits(engines[True], planted_edits(texts, count, SEED), tables)
            if "humaneval" in wanted and humaneval is not None:
                result |= await _humaneval(engines[True], execution.read_problems(humaneval), tables)
        finally:
            for engine in engines.values():
                await engine.close()
    return result


async def _lines(
    engines: Mapping[bool, Engine],
    lines: Sequence[items.Line],
    contexts: Mapping[str, ContextOf],
    tables: Path | None,
    task: str,
) -> dict[str, float]:
    answers = await tasks.run_lines(engines, lines, contexts)
    if tables:
        tasks.write_table(tables / f"{task}.csv", tasks.LINE_HEADER, tasks.line_rows(answers))
    return {f"{task}_{name}": value for name, value in tasks.summary(answers).items()} if answers else {}


async def _bits(engine: Engine, lines: Sequence[items.Line], graph: ContextOf, tables: Path | None) -> dict[str, float]:
    plain, helped = await tasks.run_bits(engine, lines), await tasks.run_bits(engine, lines, graph)
    if tables:
        header = ("package", "path", "line", "bytes", "nats", "nats_with_graph")
        tasks.write_table(
            tables / "bits.csv",
            header,
            (
                (a.line.package, a.line.path, a.line.number, a.size, f"{a.nats:.3f}", f"{b.nats:.3f}")
                for a, b in zip(plain, helped, strict=True)
            ),
        )
    return {
        "bits_per_byte": round(tasks.bits_per_byte(plain), 4),
        "bits_per_byte_graph": round(tasks.bits_per_byte(helped), 4),
    }


async def _edits(engine: Engine, planted: Sequence[edits.Edit], tables: Path | None) -> dict[str, float]:
    mended = await tasks.run_edits(engine, planted)
    if tables:
        header = ("path", "line", "kind", "shown", "exact", "mistaken", "fixed", "answer")
        rows = []
        for m in mended:
            place = (m.edit.path, m.edit.first + 1, m.edit.kind, int(m.shown), int(m.exact))
            rows.append((*place, m.edit.mistaken, m.edit.fixed, m.text))
        tasks.write_table(tables / "edits.csv", header, rows)
    return {
        "edits_items": len(planted),
        "edits_hidden_exact_percent": tasks.percent([m.exact for m in mended if not m.shown]),
        "edits_shown_exact_percent": tasks.percent([m.exact for m in mended if m.shown]),
        "edits_shown_copied_percent": tasks.percent([m.text == m.edit.mistaken for m in mended if m.shown]),
    }


async def _humaneval(engine: Engine, problems: Sequence[execution.Problem], tables: Path | None) -> dict[str, float]:
    filled = await tasks.run_humaneval(engine, problems)
    passed = await asyncio.to_thread(execution.judge, problems, filled)
    exact = [a.strip() == p.solution.strip() for a, p in zip(filled, problems, strict=True)]
    if tables:
        rows = ((p.task, a.rstrip("\n"), int(good)) for p, a, good in zip(problems, filled, passed, strict=True))
        tasks.write_table(tables / "humaneval.csv", ("task", "answer", "passed"), rows)
    return {
        "humaneval_items": len(problems),
        "humaneval_pass_percent": tasks.percent(passed),
        "humaneval_exact_percent": tasks.percent(exact),
    }


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit 2 on bad input."""
    parser = argparse.ArgumentParser(prog="graft_training.evaluate")
    parser.add_argument("model", type=Path)
    parser.add_argument("--packages", type=Path, nargs="+", required=True, help="folders, one for each package")
    parser.add_argument("--items", type=int, default=120, help="of each task but HumanEval-Infilling")
    parser.add_argument("--humaneval", type=Path, help="HumanEval-Infilling items, .jsonl or .jsonl.gz")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path, help="figures; those of other tasks that it holds are kept")
    parser.add_argument("--tables", type=Path, help="folder for a CSV file of each task")
    args = parser.parse_args(argv)
    missing = [str(p) for p in (args.model, *args.packages, *filter(None, [args.humaneval])) if not p.exists()]
    if missing:
        print(f"not there: {', '.join(missing)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        result = evaluate(args.model, args.packages, args.items, args.humaneval, args.tasks, args.tables, args.threads)
        known = json.loads(args.json.read_text("utf-8")) if args.json and args.json.exists() else {}
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        print(f"{args.model}: {error}", file=sys.stderr)
        return 2
    print(json.dumps({**result, "seconds": round(time.monotonic() - started, 1)}, indent=1))
    if args.json:
        args.json.write_text(json.dumps({**known, **result}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
