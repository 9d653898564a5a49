"""A small fixed set of lines that says in seconds whether a model has become worse; CI asks it of the shipped one.

    python -m graft_training.quality [MODEL.gguf]           measure, exit 1 where a figure is behind its limit
    python -m graft_training.quality --make DIR...          draw the set anew, from folders that no training saw

The set (results/fixed.jsonl) is of Graft's own source, as it was when it was drawn: the hole with what stands around
it and the parts that the graph found for it, so that nothing but the model and the engine changes the figures. Answers
are greedy. The limits (results/limits.json) lie a little behind what the shipped model reached: other processors round
otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft_models.catalog import embedded_model
from graft_models.client import LlamaEngine
from graft_models.engine import Engine, ScoreRequest
from graft_models.prompt import ContextPart, Hole, cut_prefix, cut_suffix
from graft_training import items, tasks

RESULTS = Path(__file__).with_name("results")
FIXED = RESULTS / "fixed.jsonl"
LIMITS = RESULTS / "limits.json"
ITEMS = 48
TYPED = 0.5  # of the line
PREFIX_CHARACTERS = 1200
SUFFIX_CHARACTERS = 300
MOST_PARTS = 2
SEED = 5


@dataclass(frozen=True)
class Item:
    """A hole with the typed part of its line, and the rest of the line."""

    hole: Hole
    rest: str


def drawn(folders: Sequence[Path]) -> list[Item]:
    """`ITEMS` lines of some packages, every other one with parts of other files."""
    from graft_training.evaluate import graph_context

    packages = {folder.name: items.read_package(folder) for folder in folders}
    found = []
    with graph_context(packages) as (parts, _):
        for number, line in enumerate(items.draw(packages, ITEMS, SEED)):
            typed = items.typed_part(line.text, TYPED)
            context = parts(line, typed)[-MOST_PARTS:] if number % 2 else ()
            whole = tasks.hole_of(line, typed, True, context)
            prefix = cut_prefix(whole.prefix, PREFIX_CHARACTERS)
            suffix = cut_suffix(whole.suffix, SUFFIX_CHARACTERS)
            hole = Hole(whole.path, prefix, suffix, typed, whole.repository, context)
            found.append(Item(hole, line.text[len(typed) :]))
    return found


def write(path: Path, drawn_items: Sequence[Item]) -> None:
    """One JSON object for each item."""
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for item in drawn_items:
            hole = item.hole
            record = {
                **{name: getattr(hole, name) for name in ("path", "prefix", "suffix", "typed", "repository")},
                "context": [[part.path, part.text] for part in hole.context],
                "rest": item.rest,
            }
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def read(path: Path = FIXED) -> list[Item]:
    """The items of a file that `write` wrote."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        record = json.loads(line)
        context = tuple(ContextPart(*part) for part in record.pop("context"))
        rest = record.pop("rest")
        found.append(Item(Hole(**record, context=context), rest))
    return found


async def measure(engine: Engine, fixed: Sequence[Item]) -> dict[str, float]:
    """Exact answers, edit similarity in percent, and bits per byte of the rest of the line. The engine has started.

    Raises RuntimeError where it fails.
    """
    nats = size = similarity = 0.0
    exact = 0
    for number, item in enumerate(fixed):
        done = await tasks.answer_of(engine, number, item.hole)
        text, rest = tasks.first_line(done.texts[0]).rstrip(), item.rest.rstrip()
        exact += text == rest
        similarity += items.edit_similarity(text, rest)
        scores = await engine.score(ScoreRequest(10_000 + number, item.hole, (item.rest + "\n",)))
        if scores.error:
            raise RuntimeError(scores.error)
        nats -= scores.logprobs[0]
        size += len(item.rest.encode()) + 1
    return {
        "fixed_items": len(fixed),
        "fixed_exact": exact,
        "fixed_similarity_percent": round(100 * similarity / len(fixed), 2),
        "fixed_bits_per_byte": round(nats / math.log(2) / size, 4),
    }


def limits() -> dict[str, float]:
    """What a model must reach: `NAME_least` and `NAME_most` for figures of `measure`."""
    found: dict[str, float] = json.loads(LIMITS.read_text("utf-8"))
    return found


def behind(figures: Mapping[str, float], wanted: Mapping[str, float]) -> list[str]:
    """A line for each figure that is behind its limit. Raises KeyError for a limit of an unknown figure."""
    lines = []
    for name, limit in wanted.items():
        figure, _, side = name.rpartition("_")
        value = figures[figure]
        if (side == "least" and value < limit) or (side == "most" and value > limit):
            lines.append(f"{figure} is {value}, at {side} {limit} is wanted")
    return lines


async def measured(model: Path) -> dict[str, float]:
    """`measure` with an engine of its own, one thread. Raises RuntimeError where the model cannot be loaded."""
    engine = LlamaEngine(model, threads=1)
    try:
        status = await engine.start()
        if status.state != "ready":
            raise RuntimeError(status.message or "the model could not be loaded")
        return await measure(engine, read())
    finally:
        await engine.close()


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit 1 where a figure is behind its limit, 2 on bad input."""
    parser = argparse.ArgumentParser(prog="graft_training.quality")
    parser.add_argument("model", type=Path, nargs="?", default=embedded_model())
    parser.add_argument("--make", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    try:
        if args.make:
            write(FIXED, drawn(args.make))
            print(f"{len(read())} items in {FIXED}")
            return 0
        if args.model is None or not args.model.is_file():
            raise OSError(f"no such model file: {args.model}")
        figures = asyncio.run(measured(args.model))
        worse = behind(figures, limits())
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        print(error, file=sys.stderr)
        return 2
    text = json.dumps(figures, indent=1)
    if args.json:
        args.json.write_text(text + "\n", "utf-8")
    print(text)
    print("\n".join(worse) or "no figure is behind its limit")
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
