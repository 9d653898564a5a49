"""Bits per byte of the rest of a line: where the hole opens, and what counts add to the model.

    python bench/line_bits.py FOLDER [--model GGUF] [--lines 120] [--seed 11] [--json FILE]

FOLDER holds packages (folders with Python sources) that no training saw.  For lines drawn from them, with 0, 30 and
60 % typed: the hole at the start of the line with the typed text forced, and the hole at the cursor, both with token
healing.  Then the same with counts mixed in: of the model's training corpus (the table beside it), of the open file, of
both, and of the table, the open file and its neighbours.  The gates (graft_models.llama.mixture) are fitted on four
fifths of the packages and measured on the fifth that they did not see, in turn; beside them stand the gates that the
engine uses (`shipped`) and the gates fitted on all (`gates`, to be shipped), and the share of lines that are exactly
right, greedily, with the engine's mixture and without.  The line break at the end is not counted: in one layout it is
part of the answer, in the other of the suffix.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graft_models.catalog import embedded_model
from graft_models.counts import Counts
from graft_models.engine import Allow, DoneReason, Need, Request, Stop, Token
from graft_models.llama import healing
from graft_models.llama.jobs import Windows, complete, prepare, read
from graft_models.llama.mixture import CORPUS, HERE, MOST_WEIGHT, Gate, log_odds
from graft_models.llama.model import Model
from graft_models.prompt import Hole, anchor, cut_prefix, cut_suffix
from graft_training import items
from graft_training.tasks import PREFIX_CHARACTERS, SUFFIX_CHARACTERS

SHARES = (0.0, 0.3, 0.6)
BUDGET = 640
NEIGHBOURS = 12
FOLDS = 5
ROUNDS = 400
PULL = 1.0
ARMS: tuple[tuple[str, str, dict[str, Gate]], ...] = (
    ("cursor", "cursor", {}),
    ("anchored", "anchored", {}),
    ("corpus", "anchored", {"corpus": CORPUS}),
    ("file", "anchored", {"here": HERE}),
    ("corpus_and_file", "anchored", {"corpus": CORPUS, "here": HERE}),
    ("corpus_and_neighbours", "anchored", {"corpus": CORPUS, "near": HERE}),
)
Reals = npt.NDArray[np.float64]


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
class Said:
    """What some counts say of one token of the truth: its probability, that of all that typed text allows, that of
    anything at all, that of their likeliest token, and the length of the match."""

    token: float = 0.0
    allowed: float = 0.0
    mass: float = 0.0
    top: float = 0.0
    matched: int = 0


@dataclass(frozen=True)
class Step:
    """One token of the truth: the model's probability of it, of all that typed text allows, of its likeliest token; and
    what each kind of counts says."""

    model: float
    allowed: float
    top: float
    counts: dict[str, Said]


def cursor_hole(line: items.Line, typed: str) -> Hole:
    """The hole at the cursor; what healing needs of the typed text is left to it."""
    start = typed.rfind("\n") + 1
    forced, rest = healing.split(typed[start:], False)
    return Hole(line.path, line.before + typed[:start] + forced, "\n" + line.after, rest, line.package)


def anchored_hole(line: items.Line, typed: str) -> Hole:
    """The product's hole."""
    prefix, forced, after = anchor(line.before + typed, "\n" + line.after)
    return Hole(line.path, prefix, after, forced, line.package)


def truth_steps(model: Model, hole: Hole, rest: str, counts: dict[str, Counts], path: str) -> list[Step]:
    """One step per token of `rest`, the healed ones included; `counts` by name, the table's are added as "corpus"."""
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
        given = rows, range(base, base + len(rows)), [slot.sequence] * len(rows), [True] * len(rows)
        code = native.decode(*given)
        while code == 1 and model.cache.evict(slot):  # older documents make room
            code = native.decode(*given)
        assert code == 0
        logits += [native.logits(i) for i in range(len(rows))]
        native.remove(slot.sequence, base)
    context = [*model.tokenize(hole.prefix[-2000:]), *prepared.tokens[base - len(healing_forced(model, hole)) :]]
    table = model.mixtures.table if model.mixtures is not None else None
    steps = []
    for token, row in zip(target, logits, strict=True):
        weights = np.exp(row - row.max(), dtype=np.float64)
        p = weights / weights.sum()
        allowed = model.continuing(heal) if heal else None
        said: dict[str, Said] = {}
        for name, known in counts.items():
            found, matched = known.next_words(path, context)
            ids, chances = np.array([*found], dtype=np.int64), np.array([*found.values()], dtype=np.float64)
            said[name] = _said(np.bincount(ids, chances, len(row)), token, allowed, matched)
        if table is not None:
            ids, values, matched = table.next_tokens(context[-32:])
            said["corpus"] = _said(np.bincount(ids, values, len(row)), token, allowed, matched)
        steps.append(
            Step(float(p[token]), float(p[allowed].sum()) if allowed is not None else 1.0, float(p.max()), said)
        )
        context.append(token)
        heal = heal[len(model.pieces[token]) :]
    return steps


def _said(chances: Reals, token: int, allowed: Any, matched: int) -> Said:
    mass = float(chances.sum())
    within = mass if allowed is None else float(chances[allowed].sum())
    return Said(float(chances[token]), within, mass, float(chances.max()), matched)


def healing_forced(model: Model, hole: Hole) -> Sequence[int]:
    """Tokens of the typed text that are forced."""
    return model.tokenize(healing.split(hole.typed, False)[0])


Gates = dict[str, Gate]
"""By the name of the counts, in the order in which they are mixed in."""


class Table:
    """Steps as arrays [steps], for fitting."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.model = np.array([s.model for s in steps])
        self.allowed = np.array([s.allowed for s in steps])
        self.sure = np.array([log_odds(s.top) for s in steps])

    def of(self, name: str, field: str) -> Reals:
        """One field of what some counts say."""
        return np.array([getattr(s.counts.get(name, Said()), field) for s in self.steps], dtype=np.float64)

    def features(self, name: str, gate: Gate) -> Reals:
        """What the score of a gate is linear in, [steps, parameters], in the order of `parameters`."""
        matched = self.of(name, "matched")
        last = gate.shortest + len(gate.matched) - 1
        columns = [np.minimum(matched, last) == n for n in range(gate.shortest, last + 1)]
        columns.append(np.log(np.maximum(1.0, matched / last)) if gate.longer else np.zeros(len(matched)))
        columns.append(np.array([log_odds(value) for value in self.of(name, "top")]))
        return np.stack([*columns, self.sure], axis=1).astype(np.float64)

    def weights(self, name: str, gate: Gate) -> Reals:
        """The gate's weight at each step."""
        score = self.features(name, gate) @ parameters(gate)
        return np.where(self.of(name, "matched") >= gate.shortest, MOST_WEIGHT / (1 + np.exp(-score)), 0.0)

    def bits(self, weights: dict[str, Reals]) -> Reals:
        """Bits of each step with counts mixed in by these weights, in their order."""
        token, allowed = self.model, self.allowed
        for name, weight in weights.items():
            rest = 1 - weight * self.of(name, "mass")
            token = rest * token + weight * self.of(name, "token")
            allowed = rest * allowed + weight * self.of(name, "allowed")
        return -np.log2(np.clip(token / np.maximum(1e-12, allowed), 1e-12, 1.0))


def parameters(gate: Gate) -> Reals:
    """A gate as a vector."""
    return np.array([*gate.matched, gate.longer, gate.counts, gate.model])


def fit(steps: Sequence[Step], start: Gates) -> Gates:
    """The gates that cost the fewest bits, from those given; a little pull to the mean length keeps rare ones still."""
    table = Table(steps)
    found = {name: parameters(gate) for name, gate in start.items()}
    features = {name: table.features(name, gate) for name, gate in start.items()}
    known = {name: table.of(name, "matched") >= gate.shortest for name, gate in start.items()}
    fields = {name: [table.of(name, f) for f in ("mass", "token", "allowed")] for name in start}
    moments = {name: (np.zeros_like(v), np.zeros_like(v)) for name, v in found.items()}

    def bits(weights: dict[str, Reals]) -> Reals:
        token, allowed = table.model, table.allowed
        for name, weight in weights.items():
            mass, of_token, of_allowed = fields[name]
            token = (1 - weight * mass) * token + weight * of_token
            allowed = (1 - weight * mass) * allowed + weight * of_allowed
        return -np.log2(np.clip(token / np.maximum(1e-12, allowed), 1e-12, 1.0))

    for step in range(1, ROUNDS + 1):
        weights = {n: np.where(known[n], MOST_WEIGHT / (1 + np.exp(-features[n] @ v)), 0.0) for n, v in found.items()}
        base = bits(weights)
        for name, values in found.items():
            slope = (bits({**weights, name: weights[name] + 1e-4}) - base) / 1e-4
            slope *= weights[name] * (1 - weights[name] / MOST_WEIGHT)
            lengths = len(start[name].matched)
            pull = np.zeros_like(values)
            pull[:lengths] = values[:lengths] - values[:lengths].mean()
            gradient = features[name].T @ slope + PULL * pull
            first, second = moments[name]
            first[:], second[:] = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
            values -= 0.05 * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    out = {}
    for name, values in found.items():
        rounded = [round(float(v), 2) for v in values]
        gate = start[name]
        longer = rounded[-3] if gate.longer else 0.0
        out[name] = Gate(tuple(rounded[:-3]), gate.shortest, longer, rounded[-2], rounded[-1])
    return out


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


Steps = dict[tuple[str, float], dict[str, list[Step]]]
_fits: dict[tuple[object, ...], Gates] = {}


def fitted(steps: Steps, names: tuple[str, ...], start: Gates) -> Gates:
    """Gates of some packages' lines, all shares of them; made once.  The open file is there whole and cut short: little
    text foretells less, and is to be weighed right too."""
    key = (names, tuple(start))
    if key not in _fits:
        found = [s for share in SHARES for p in names for s in steps["anchored", share][p]]
        if "here" in start:
            found += [replace(s, counts=s.counts | {"here": s.counts["short"]}) for s in found]
        _fits[key] = fit(found, start)
    return _fits[key]


def cost(steps: Sequence[Step], gates: Gates) -> float:
    """Bits of steps."""
    if not steps:
        return 0.0
    table = Table(steps)
    return float(table.bits({name: table.weights(name, gate) for name, gate in gates.items()}).sum())


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
    model = Model(path, threads=1, context=2048, batch=256)  # the rest of a line is decoded at one time
    lines, packages = drawn(args.folder, args.lines, args.seed)
    steps: dict[tuple[str, float], dict[str, list[Step]]] = defaultdict(lambda: defaultdict(list))
    size: dict[tuple[float, str], int] = defaultdict(int)
    for line in lines:
        own, both, short = Counts(), Counts(), Counts()
        for name, text in near(line, packages[line.package]):
            both.learn_words(name, list(model.tokenize(text)))
        short.learn_words(line.path + " below", list(model.tokenize(cut_suffix(line.after, SUFFIX_CHARACTERS))))
        short.learn_words(line.path, list(model.tokenize(cut_prefix(line.before, PREFIX_CHARACTERS))))
        for counts in (own, both):
            counts.learn_words(line.path + " below", list(model.tokenize(line.after)))
            counts.learn_words(line.path, list(model.tokenize(line.before)))
        for share in SHARES:
            typed = items.typed_part(line.text, share)
            rest = line.text[len(typed) :]
            if not rest.strip():
                continue
            size[share, line.package] += len(rest.encode())
            steps["cursor", share][line.package] += truth_steps(model, cursor_hole(line, typed), rest, {}, line.path)
            known = {"here": own, "near": both, "short": short}
            hole = anchored_hole(line, typed)
            steps["anchored", share][line.package] += truth_steps(model, hole, rest, known, line.path)
    names = sorted(packages)
    figures: dict[str, Any] = {"lines": len(lines), "model": model.info.name}
    for arm, place, start in ARMS:
        for share in SHARES:
            total = 0.0
            for number in range(FOLDS if start else 1):
                tested = names[number::FOLDS] if start else names
                gates = start
                if start:
                    learned = [n for n in names if n not in tested]
                    gates = fitted(steps, tuple(learned), start)
                found = [s for p in tested for s in steps[place, share][p]]
                total += cost(found, gates)
            whole = sum(size[share, p] for p in names)
            figures[f"bits_per_byte_{arm}_{int(share * 100)}"] = round(total / whole, 4)
            if start:
                shipped = cost([s for p in names for s in steps[place, share][p]], start)
                figures[f"bits_per_byte_{arm}_{int(share * 100)}_shipped"] = round(shipped / whole, 4)
        if start:
            figures[f"gates_{arm}"] = {n: asdict(g) for n, g in fitted(steps, tuple(names), start).items()}
    figures |= exact(model, lines)
    print(json.dumps(figures, indent=1))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
