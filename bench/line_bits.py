"""Bits per byte of the rest of a line: where the hole opens, and what counts of the file's own tokens add.

    python bench/line_bits.py FOLDER [--model GGUF] [--lines 120] [--json FILE]

FOLDER holds packages (folders with Python sources) that no training saw.  For lines drawn from them, with 0, 30 and
60 % typed: the hole at the start of the line with the typed text forced, and the hole at the cursor, both with token
healing.  Then the same with a nested cache n-gram over token ids of the open file (and of its neighbours) mixed in, the
weight fitted on every other package and measured on the rest, beside the weights that the engine uses (`shipped`), and
the share of lines that are exactly right, greedily, with the counts of the open file and without.  The line break at
the end is not counted: in one layout it is part of the answer, in the other of the suffix.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graft_models.catalog import embedded_model
from graft_models.counts import Counts
from graft_models.engine import Allow, DoneReason, Need, Request, Stop, Token
from graft_models.llama import healing
from graft_models.llama.jobs import Windows, complete, prepare, read
from graft_models.llama.mixture import WEIGHTS
from graft_models.llama.model import Model
from graft_models.prompt import Hole, anchor
from graft_training import items

SHARES = (0.0, 0.3, 0.6)
BUDGET = 640
NEIGHBOURS = 12


class Undisturbed:
    """A control that never interrupts."""

    def interrupted(self) -> DoneReason | None:
        return None

    def stopped(self) -> Stop | None:
        return None

    def ask(self, need: Need) -> Allow | Stop | None:
        return None

    def send(self, event: Token) -> None:
        pass


@dataclass(frozen=True)
class Step:
    """One token of the truth: the model's and the counts' probability of it, and of all that typed text allows."""

    model: float
    model_allowed: float
    counts: float
    counts_allowed: float
    mass: float
    """Probability that the counts give to anything at all."""
    matched: int


def cursor_hole(line: items.Line, typed: str) -> Hole:
    """The hole at the cursor; what healing needs of the typed text is left to it."""
    start = typed.rfind("\n") + 1
    forced, rest = healing.split(typed[start:], False)
    return Hole(line.path, line.before + typed[:start] + forced, "\n" + line.after, rest, line.package)


def anchored_hole(line: items.Line, typed: str) -> Hole:
    """The product's hole."""
    prefix, forced, after = anchor(line.before + typed, "\n" + line.after)
    return Hole(line.path, prefix, after, forced, line.package)


def truth_steps(model: Model, hole: Hole, rest: str, counts: Counts | None, path: str) -> list[Step]:
    """One step per token of `rest`, the healed ones included."""
    prepared = prepare(model, Windows(), hole, path, 64, BUDGET)
    slot = model.cache.acquire(path, prepared.tokens)
    for _ in read(model, Undisturbed(), slot, prepared.tokens):
        pass
    base = len(prepared.tokens)
    heal = prepared.rest
    target = list(model.tokenize(heal.decode("utf-8", "replace") + rest))
    logits = [slot.ends[base]]
    if len(target) > 1:
        native = model.native
        rows = target[:-1]
        code = native.decode(rows, range(base, base + len(rows)), [slot.sequence] * len(rows), [True] * len(rows))
        assert code == 0
        logits += [native.logits(i) for i in range(len(rows))]
        native.remove(slot.sequence, base)
    context = [*model.tokenize(hole.prefix[-2000:]), *prepared.tokens[base - len(healing_forced(model, hole)) :]]
    steps = []
    for token, row in zip(target, logits, strict=True):
        weights = np.exp(row - row.max(), dtype=np.float64)
        p = weights / weights.sum()
        allowed = model.continuing(heal) if heal else None
        found: dict[Any, float] = {}
        matched = 0
        if counts is not None:
            found, matched = counts.next_words(path, context)
        steps.append(
            Step(
                float(p[token]),
                float(p[allowed].sum()) if allowed is not None else 1.0,
                found.get(token, 0.0),
                sum(found.get(int(t), 0.0) for t in allowed) if allowed is not None else sum(found.values()),
                sum(found.values()),
                matched,
            )
        )
        context.append(token)
        heal = heal[len(model.pieces[token]) :]
    return steps


def healing_forced(model: Model, hole: Hole) -> Sequence[int]:
    """Tokens of the typed text that are forced."""
    return model.tokenize(healing.split(hole.typed, False)[0])


def bits(steps: Sequence[Step], weight: dict[int, float]) -> float:
    """Bits of all steps with the counts mixed in by `weight` per length of match (none: the model alone)."""
    out = 0.0
    for s in steps:
        a = weight.get(min(s.matched, 16), 0.0) if s.mass > 0 else 0.0
        # The counts' own mass is made whole: what they leave to the unknown is the model's.
        token = (1 - a * s.mass) * s.model + a * s.counts
        allowed = (1 - a * s.mass) * s.model_allowed + a * (s.counts_allowed if s.model_allowed < 1 else s.mass)
        out -= math.log2(max(1e-12, min(1.0, token / max(1e-12, allowed))))
    return out


def fit(steps: Sequence[Step]) -> dict[int, float]:
    """The weight per length of match that costs the fewest bits."""
    by_length: dict[int, list[Step]] = defaultdict(list)
    for s in steps:
        if s.mass > 0:
            by_length[min(s.matched, 16)].append(s)
    grid = [i / 20 for i in range(20)]
    return {n: min(grid, key=lambda a: bits(group, {n: a})) for n, group in sorted(by_length.items())}


def exact(model: Model, lines: Sequence[items.Line]) -> dict[str, float]:
    """Percent of lines whose rest is said exactly, greedily, with the counts and without."""
    out: dict[str, float] = {}
    mixtures = model.mixtures
    for name, used in (("alone", None), ("mixed", mixtures)):
        model.mixtures = used
        for share in SHARES:
            right = 0
            for line in lines:
                typed = items.typed_part(line.text, share)
                request = Request(1, anchored_hole(line, typed), 48, prompt_budget=BUDGET, stop=("\n",))
                work = complete(model, Windows(), request, Undisturbed())
                while True:
                    try:
                        next(work)
                    except StopIteration as stop:
                        right += stop.value.texts[0].rstrip() == line.text[len(typed) :].rstrip()
                        break
            out[f"exact_percent_{name}_{int(share * 100)}"] = round(100 * right / len(lines), 1)
    model.mixtures = mixtures
    return out


def drawn(folder: Path, count: int, seed: int) -> tuple[list[items.Line], dict[str, dict[str, str]]]:
    """Lines and the packages they are from."""
    packages = {p.name: items.read_package(p) for p in sorted(folder.iterdir()) if p.is_dir()}
    packages = {name: files for name, files in packages.items() if files}
    return items.draw(packages, count, seed), packages


def near(line: items.Line, files: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A few files of the same package: those in the same folder first."""
    folder = line.path.rsplit("/", 1)[0]
    others = sorted((p for p in files if p != line.path), key=lambda p: (p.rsplit("/", 1)[0] != folder, p))
    for path in others[:NEIGHBOURS]:
        yield path, files[path]


def main() -> None:
    """Draw, walk, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--lines", type=int, default=120)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    path = args.model or embedded_model()
    if path is None:
        sys.exit("no embedded model in this build; name one with --model")
    model = Model(path, threads=1, context=2048)
    lines, packages = drawn(args.folder, args.lines, args.seed)
    steps: dict[tuple[str, float], dict[str, list[Step]]] = defaultdict(lambda: defaultdict(list))
    size: dict[tuple[float, str], int] = defaultdict(int)
    for line in lines:
        own, both = Counts(), Counts()
        for name, text in near(line, packages[line.package]):
            both.learn_words(name, list(model.tokenize(text)))
        for counts in (own, both):
            counts.learn_words(line.path, list(model.tokenize(line.before)))
            counts.learn_words(line.path + " below", list(model.tokenize(line.after)))
        for share in SHARES:
            typed = items.typed_part(line.text, share)
            rest = line.text[len(typed) :]
            if not rest.strip():
                continue
            size[share, line.package] += len(rest.encode())
            for name, hole, counts in (
                ("cursor", cursor_hole(line, typed), None),
                ("anchored", anchored_hole(line, typed), None),
                ("own file", anchored_hole(line, typed), own),
                ("neighbours", anchored_hole(line, typed), both),
            ):
                steps[name, share][line.package] += truth_steps(model, hole, rest, counts, line.path)
    names = sorted(packages)
    fitted, tested = names[::2], names[1::2]
    figures: dict[str, Any] = {"lines": len(lines), "model": model.info.name}
    for name in ("cursor", "anchored", "own file", "neighbours"):
        for share in SHARES:
            known = steps[name, share]
            learned = [s for sh in SHARES for p in fitted for s in steps[name, sh][p]]
            weight = fit(learned) if name in ("own file", "neighbours") else {}
            some = names if not weight else tested
            total = sum(bits(known[p], weight) for p in some)
            key = f"{name.replace(' ', '_')}_{int(share * 100)}"
            figures[f"bits_per_byte_{key}"] = round(total / sum(size[share, p] for p in some), 4)
            if weight:
                alone = sum(bits(known[p], {}) for p in some)
                figures[f"bits_per_byte_{key}_alone"] = round(alone / sum(size[share, p] for p in some), 4)
                figures[f"weights_{name.replace(' ', '_')}"] = weight
        if name in ("own file", "neighbours"):
            shipped = dict(enumerate(WEIGHTS))
            for share in SHARES:
                total = sum(bits(steps[name, share][p], shipped) for p in names)
                key = f"bits_per_byte_{name.replace(' ', '_')}_{int(share * 100)}_shipped"
                figures[key] = round(total / sum(size[share, p] for p in names), 4)
    figures |= exact(model, lines)
    print(json.dumps(figures, indent=1))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
