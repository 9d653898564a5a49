"""`graft bench complete`: what is context from other files worth?  One run, the same items, the same model, one budget.

An item is a line of a real file, cut where it first uses a name that another file of the package defines (half of the
items, "calls"), or half-way through (the other half, "lines").  Keys, per arm of `contexts.ARMS`:

- `ARM_line_exact_percent`: the rest of the line is right, over all items;
- `ARM_call_exact_percent`: over the items of the first kind, the call (or name) at the cursor is right to its end;
- `ARM_identifier_percent`: the first name is right; `ARM_similarity_percent`: edit similarity;
- `ARM_bits_per_character`: of the hidden text; needs no luck, so it shows differences that exact matches cannot;
- `ARM_prompt_tokens`: mean prompt length.

The files near the open one are counted beside the prompt in the arms that stand for the product, and in the oracle's
(`--everywhere`: in every arm; `--alone`: in none, and Graft shows what it shows a model that counts nothing); the open
file and what the prompt holds of others in all.  Bits are of the probabilities that answers are drawn from.
`*_gain_*` are differences to `in_file`; `graft_share_of_oracle_bits_percent` is Graft's gain in bits over the oracle's.
`--parts` adds an arm for each kind of context in the prompt alone (`only_KIND`) and left out (`no_KIND`), in bits only;
they are to be compared with `near`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from graft_indexer.graph import SymbolGraph
from graft_models.engine import Capabilities, Done, Engine, Request, ScoreRequest
from graft_models.prompt import ContextPart, Hole, Neighbour, cut_prefix, cut_suffix
from graft_server.benches.code_items import NAME, code_lines, edit_similarity, files, folders, workspace
from graft_server.benches.contexts import ARMS, COUNTED, Repository, parts_of
from graft_server.completion.budget import TRAINED, context_tokens
from graft_server.completion.context import tokens_of
from graft_server.completion.decoding import LINE_TOKENS
from graft_server.completion.neighbours import Neighbours
from graft_server.completion.stops import bracket_depth
from graft_server.errors import UserError

KINDS = ("definition", "outline", "usage")
CHARACTERS_PER_TOKEN = 3.0
BUDGET = TRAINED - 64
"""Prompt tokens: what the product takes of the embedded model where so much is read in 0.3 s."""
SUFFIX_SHARE = 0.15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Packages, sizes, the seed."""
    parser.add_argument("--packages", type=Path, nargs="+", metavar="DIR", help="folders of unseen code, one a package")
    parser.add_argument("--model", type=Path, metavar="GGUF", help="the model (default: the one that comes with Graft)")
    parser.add_argument("--items", type=int, default=100, help="lines to complete (100)")
    parser.add_argument("--budget", type=int, default=BUDGET, help=f"prompt tokens ({BUDGET})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="only these; in_file always")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write every item of every arm, as JSON lines")
    near = parser.add_mutually_exclusive_group()
    near.add_argument("--alone", action="store_true", help="without counts of the files near the open one")
    near.add_argument("--everywhere", action="store_true", help="with counts of the files near in every arm")
    parser.add_argument("--parts", action="store_true", help="also each kind of context alone, and left out")


@dataclass(frozen=True, slots=True)
class Item:
    """A cursor in `path`; `truth` is the rest of its line.  `calls`: it begins with a name of another file."""

    package: str
    path: str
    before: str
    truth: str
    after: str
    calls: bool


@dataclass(slots=True)
class Score:
    """Sums over the items of one arm."""

    lines: int = 0
    names: int = 0
    calls: int = 0
    similarity: float = 0.0
    nats: float = 0.0
    prompt: int = 0
    each: list[float] = field(default_factory=list)
    """Nats per item, in order, for paired comparisons."""


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure; raises UserError without a model, or without items."""
    if args.items < 2 or args.budget < 128:
        raise UserError("--items must be at least 2, --budget at least 128")
    return asyncio.run(_run(args))


def arms_of(parts: bool) -> dict[str, tuple[str, frozenset[str] | None]]:
    """Arm -> (source of context, kinds)."""
    out: dict[str, tuple[str, frozenset[str] | None]] = {arm: (arm, None) for arm in ARMS}
    if parts:
        out |= {f"only_{kind}": ("graft", frozenset({kind})) for kind in KINDS}
        out |= {f"no_{kind}": ("graft", frozenset(KINDS) - {kind}) for kind in KINDS}
    return out


async def _run(args: argparse.Namespace) -> dict[str, Any]:
    from graft_server.commands.complete import open_workbench

    began = time.perf_counter()
    budget = context_tokens(args.budget)
    chosen = folders(args.packages)
    arms = arms_of(args.parts)
    if args.arms:
        unknown = [arm for arm in args.arms if arm not in arms]
        if unknown:
            raise UserError(f"no such arm: {', '.join(unknown)}; there are {', '.join(arms)}")
        arms = {arm: how for arm, how in arms.items() if arm in args.arms or arm == "in_file"}
    scores = {arm: Score() for arm in arms}
    count = calls = characters = 0
    rows: list[str] = []
    model = ""
    for number, folder in enumerate(chosen):
        share = args.items * (number + 1) // len(chosen) - args.items * number // len(chosen)
        if not share:
            continue
        with tempfile.TemporaryDirectory(prefix="graft-complete-") as scratch:
            root = workspace(folder, Path(scratch) / "work")
            items, repository = items_of(folder.name, root, share, random.Random(f"{folder.name}/{args.seed}"))
            bench = await open_workbench(root, model=args.model)
            try:
                if bench.message or bench.engine is None:
                    raise UserError(bench.message or "there is no model to measure")
                info = bench.engine.status.model
                model = info.name if info is not None else ""
                for item in items:
                    text = item.before + item.after
                    bench.graph.sync(item.path, text)
                    near = (
                        () if args.alone else await asyncio.wrap_future(bench.graph.submit(partial(_near, item.path)))
                    )
                    for arm, (source, kinds) in arms.items():
                        wanted = partial(
                            parts_of, source, repository=repository, path=item.path, before=item.before,
                            after=item.after, hidden=item.truth, budget=budget, kinds=kinds, seed=args.seed,
                            capabilities=Capabilities() if args.alone else bench.engine.capabilities,
                        )  # fmt: skip
                        parts = await asyncio.wrap_future(bench.graph.submit(wanted))
                        shown = arm in ARMS
                        counted = near if args.everywhere or source in COUNTED else ()
                        await _ask(bench.engine, item, parts, counted, args.budget, scores[arm], folder.name, shown)
                        known = [(p.kind, round(p.value, 4), tokens_of(p.text)) for p in parts]
                        row = {"item": count, "arm": arm, "calls": item.calls, "truth": item.truth, "parts": known}
                        rows.append(json.dumps({**row, "nats": round(scores[arm].each[-1], 4)}))
                    bench.graph.sync(item.path, None)
                    count += 1
                    calls += item.calls
                    characters += len(item.truth)
            finally:
                await bench.close()
        if sys.stderr.isatty():
            print(f"\r{count} items", end="", file=sys.stderr, flush=True)
    if not count:
        raise UserError("there is nothing to complete in these folders")
    if args.rows is not None:
        args.rows.write_text("\n".join(rows) + "\n", "utf-8")
    figures: dict[str, Any] = {
        "model": model,
        "packages": ", ".join(f.name for f in chosen),
        "items": count,
        "call_items": calls,
        "budget_tokens": args.budget,
    }
    figures |= summary(scores, count, calls, characters)
    figures["seconds"] = round(time.perf_counter() - began, 1)
    return figures


def items_of(package: str, root: Path, count: int, chance: random.Random) -> tuple[list[Item], Repository]:
    """`count` items of a package, half of each kind where there are enough, and its files for the other arms."""
    found = list(files(root, least=20, most=4000))
    repository = Repository({path: text for path, text, _ in found})
    defined: dict[str, set[str]] = {}
    for path, text in repository.texts.items():
        for name in re.findall(r"^(?:async def|def|class)[ \t]+([A-Za-z]\w{3,})", text, re.MULTILINE):
            defined.setdefault(name, set()).add(path)
    calls: list[Item] = []
    lines: list[Item] = []
    for path, text, tree in found:
        rows = text.split("\n")
        for number in code_lines(text, tree):
            line = rows[number - 1]
            if re.match(r"\s*(?:import|from|def|class|async def|@)\b", line):
                continue
            own = next((m for m in NAME.finditer(line) if defined.get(m.group(), {path}) - {path}), None)
            start = len(line) - len(line.lstrip())
            at = own.start() if own is not None else start + (len(line) - start) // 2
            head, tail = "\n".join(rows[: number - 1]), "\n".join(rows[number:])
            before = (head + "\n" if number > 1 else "") + line[:at]
            item = Item(package, path, before, line[at:].rstrip(), "\n" + tail, own is not None)
            if len(item.truth) >= 3:
                (calls if item.calls else lines).append(item)
    half = min(len(calls), (count + 1) // 2)
    picked = chance.sample(calls, half)
    return picked + chance.sample(lines, min(count - half, len(lines))), repository


def _near(path: str, graph: SymbolGraph) -> tuple[Neighbour, ...]:
    return Neighbours().of(graph, path)


async def _ask(
    engine: Engine,
    item: Item,
    parts: tuple[ContextPart, ...],
    near: tuple[Neighbour, ...],
    budget: int,
    score: Score,
    repository: str,
    answer: bool,
) -> None:
    """One item in one arm: the log-probability of what is right, and with `answer` a greedy answer."""
    line = item.before[item.before.rfind("\n") + 1 :]
    prefix = item.before[: len(item.before) - len(line)]
    suffix = item.after[1:]
    document = f"bench:{item.path}"
    room = budget - sum(tokens_of(p.text) + 8 for p in parts)
    # Cut here and not by the engine, so that the answer and the score see the same prompt, and read it once.
    shown = cut_suffix(suffix, int(room * SUFFIX_SHARE * CHARACTERS_PER_TOKEN))
    cut = cut_prefix(prefix, int(room * CHARACTERS_PER_TOKEN) - len(shown))
    hole = Hole(item.path, cut, shown, line, repository, parts, near)
    prompt = 0
    said = ""
    if answer:
        done = await _done(engine, Request(0, hole, LINE_TOKENS, document=document, stop=("\n",)))
        said = done.texts[0].partition("\n")[0].rstrip() if done.texts else ""
        prompt = done.usage.prompt
    scored = await engine.score(ScoreRequest(0, hole, (item.truth + "\n",), document, counted=True))
    if scored.error:
        raise UserError(f"the engine: {scored.error}")
    score.lines += said == item.truth
    score.calls += item.calls and call_of(said) == call_of(item.truth)
    score.names += first_name(said) == first_name(item.truth)
    score.similarity += edit_similarity(said, item.truth)
    score.nats -= scored.logprobs[0]
    score.each.append(-scored.logprobs[0])
    score.prompt += prompt


async def _done(engine: Engine, request: Request) -> Done:
    async for event in engine.complete(request):
        if isinstance(event, Done):
            if event.error:
                raise UserError(f"the engine: {event.error}")
            return event
    raise UserError("the engine gave no answer")


def first_name(text: str) -> str:
    """The first name of a text, empty if there is none."""
    found = NAME.search(text)
    return found.group() if found is not None else ""


def call_of(text: str) -> str:
    """From the start of `text`, the name with its dots, and the arguments if it is called on the same line."""
    found = re.match(r"[\w.]*", text)
    end = found.end() if found is not None else 0
    if text[end : end + 1] != "(":
        return text[:end]
    for at in range(end + 1, len(text) + 1):
        if bracket_depth(text[end:at]) == 0:
            return re.sub(r"\s+", " ", text[:at])
    return re.sub(r"\s+", " ", text)


def summary(scores: dict[str, Score], count: int, calls: int, characters: int) -> dict[str, Any]:
    """Flat figures; shares in percent, bits per character, differences to `in_file`."""
    out: dict[str, Any] = {}
    base = scores["in_file"]
    for arm, score in scores.items():
        out[f"{arm}_bits_per_character"] = round(score.nats / math.log(2) / max(1, characters), 4)
        if arm not in ARMS:
            continue
        out[f"{arm}_line_exact_percent"] = round(100 * score.lines / count, 2)
        out[f"{arm}_call_exact_percent"] = round(100 * score.calls / max(1, calls), 2)
        out[f"{arm}_identifier_percent"] = round(100 * score.names / count, 2)
        out[f"{arm}_similarity_percent"] = round(100 * score.similarity / count, 2)
        out[f"{arm}_prompt_tokens"] = round(score.prompt / count, 1)
    for arm, score in scores.items():
        if arm in ARMS[1:]:
            out[f"{arm}_gain_lines_points"] = round(100 * (score.lines - base.lines) / count, 2)
            out[f"{arm}_gain_calls_points"] = round(100 * (score.calls - base.calls) / max(1, calls), 2)
        if arm != "in_file":
            better = sum(a < b - 0.05 for a, b in zip(score.each, base.each, strict=True))
            worse = sum(a > b + 0.05 for a, b in zip(score.each, base.each, strict=True))
            out[f"{arm}_better_percent"] = round(100 * better / count, 1)
            out[f"{arm}_worse_percent"] = round(100 * worse / count, 1)
    if "oracle" not in scores or "graft" not in scores:
        return out
    gain = base.nats - scores["oracle"].nats
    out["graft_share_of_oracle_bits_percent"] = round(100 * (base.nats - scores["graft"].nats) / gain, 1) if gain else 0
    return out
