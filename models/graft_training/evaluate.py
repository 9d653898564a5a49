"""How good a model is on packages that no training saw, through the product's own engine.

    python -m graft_training.evaluate MODEL.gguf --packages DIR... [--items 120] [--humaneval FILE]
        [--tasks lines calls bits edits humaneval] [--json FILE] [--tables FOLDER]

What each task asks is in tasks.py. `--tables` keeps every answer, one CSV file for each task (tables.py). The draw of
one package does not depend on the others: packages can be measured one by one, with as many items each, and merged.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from graft_models.client import LlamaEngine
from graft_models.engine import Engine
from graft_models.prompt import ContextPart
from graft_training import edits, execution, items, tables, tasks
from graft_training.neighbours import Neighbours
from graft_training.product_context import ProductContext
from graft_training.tasks import CONTEXT_TOKENS, ContextOf, Known, ProductOf

SEED = 1


def spelled_context(packages: Mapping[str, Mapping[str, str]], oracle: bool) -> ContextOf:
    """Parts by names near the hole (`oracle`: also by names of the hidden line), as in training, without any graph."""
    around = {name: Neighbours(list(files.items())) for name, files in packages.items()}

    def parts(line: items.Line, typed: str) -> tuple[ContextPart, ...]:
        sought = line.text if oracle else typed
        return tuple(around[line.package].best(line.path, line.before[-500:], CONTEXT_TOKENS, sought))

    return parts


@contextlib.contextmanager
def graph_context(packages: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[ContextOf, ProductOf]]:
    """Parts that the product's graph finds for the cursor, from the package as it is without the hidden text; and what
    the product makes of them for a model that counts."""
    with contextlib.ExitStack() as stack:
        graphs = {n: stack.enter_context(ProductContext(list(files.items()))) for n, files in packages.items()}

        def parts(line: items.Line, typed: str) -> tuple[ContextPart, ...]:
            return graphs[line.package].parts(line.path, line.before + typed, "\n" + line.after, CONTEXT_TOKENS)

        def product(line: items.Line, typed: str) -> Known:
            return graphs[line.package].counted(line.path, line.before + typed, "\n" + line.after, CONTEXT_TOKENS)

        yield parts, product


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
    folder: Path,
    count: int = 120,
    humaneval: Path | None = None,
    chosen: Sequence[str] = tables.TASKS,
    threads: int = 0,
    engines: Mapping[bool, Engine] | None = None,
) -> dict[str, float]:
    """Measure `gguf` (or ready `engines`: with the count model, without) on `count` lines, calls and planted mistakes
    of the folders `packages`, and on HumanEval-Infilling where its file is given; the tables go to `folder`.

    Returns the figures of all tables in `folder`. Raises RuntimeError where the model cannot be loaded or fails,
    ValueError where no line is found.
    """
    texts = {root.name: items.read_package(root) for root in packages}
    wanted = set(chosen)
    if engines is None:
        kinds = (True, False) if wanted & {"lines", "calls"} else (True,)
        engines = {counts: LlamaEngine(gguf, threads=threads, counts=counts) for counts in kinds}
    asyncio.run(_evaluate(engines, texts, count, humaneval, wanted, folder))
    return tables.figures(folder)


async def _evaluate(
    engines: Mapping[bool, Engine],
    texts: Mapping[str, Mapping[str, str]],
    count: int,
    humaneval: Path | None,
    wanted: set[str],
    folder: Path,
) -> None:
    engine = engines[True]
    lines = items.draw(texts, count, SEED)
    if not lines:
        raise ValueError("no line to complete in these packages")
    with contextlib.ExitStack() as stack:
        try:
            for one in engines.values():
                status = await one.start()
                if status.state != "ready":
                    raise RuntimeError(status.message or "the model could not be loaded")
            contexts: dict[str, ContextOf] = {}
            product: ProductOf | None = None
            if wanted & {"lines", "calls", "bits"}:
                contexts["graph"], product = stack.enter_context(graph_context(texts))
            if "bits" in wanted:
                plain = await tasks.run_bits(engine, lines)
                tables.write(
                    folder, "bits", tables.bit_rows(plain, await tasks.run_bits(engine, lines, contexts["graph"]))
                )
            if wanted & {"lines", "calls"}:
                contexts |= {"spelled": spelled_context(texts, False), "oracle": spelled_context(texts, True)}
            for task, drawn in (("lines", lines), ("calls", items.draw(texts, count, SEED, calls=True))):
                if task in wanted:
                    answers = await tasks.run_lines(engines, drawn, contexts, product)
                    tables.write(folder, task, tables.line_rows(answers))
            if "edits" in wanted:
                mended = await tasks.run_edits(engine, planted_edits(texts, count, SEED))
                tables.write(folder, "edits", tables.edit_rows(mended))
            if humaneval is not None and "humaneval" in wanted:
                problems = execution.read_problems(humaneval)
                filled = await tasks.run_humaneval(engine, problems)
                passed = await asyncio.to_thread(execution.judge, problems, filled)
                rows = [
                    (p.task, a.rstrip("\n"), int(a.strip() == p.solution.strip()), int(good))
                    for p, a, good in zip(problems, filled, passed, strict=True)
                ]
                tables.write(folder, "humaneval", rows)
        finally:
            for one in engines.values():
                await one.close()


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit 2 on bad input."""
    parser = argparse.ArgumentParser(prog="graft_training.evaluate")
    parser.add_argument("model", type=Path)
    parser.add_argument("--packages", type=Path, nargs="+", required=True, help="folders, one for each package")
    parser.add_argument("--items", type=int, default=120, help="of each task but HumanEval-Infilling")
    parser.add_argument("--humaneval", type=Path, help="HumanEval-Infilling items, .jsonl or .jsonl.gz")
    parser.add_argument("--tasks", nargs="+", choices=tables.TASKS, default=list(tables.TASKS))
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--tables", type=Path, help="folder for a CSV file of each task")
    args = parser.parse_args(argv)
    missing = [str(p) for p in (args.model, *args.packages, *filter(None, [args.humaneval])) if not p.exists()]
    if missing:
        print(f"not there: {', '.join(missing)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            kept = args.tables or Path(folder)
            options = (args.items, args.humaneval, args.tasks, args.threads)
            result = evaluate(args.model, args.packages, kept, *options)
        text = json.dumps(result, indent=1)
        if args.json:
            args.json.write_text(text + "\n", "utf-8")
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        print(f"{args.model}: {error}", file=sys.stderr)
        return 2
    print(text)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
