"""Fit what is shown: two logistic models, for a model's text and for the graph's guesses, from replayed typing.

    graft bench replay --packages DIR... --files 12 --items 3 --seed 21 --judge 0 --dump a.jsonl     # several times
    python bench/fit_show_filter.py a.jsonl b.jsonl ... [--out server/graft_server/completion/show_filter.json]

The packages must be neither in the model's training set nor among those that the benches report.  Packages are split
in two halves; each half is judged by filters fitted on the other one.  On these judgements the two thresholds are
chosen: the best precision among those that keep `KEEP` of the characters that showing everything would save.  The
figures that are printed are of these judgements too; the filters that are written are fitted on all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graft_server.benches.code_items import Key
from graft_server.benches.replay_person import Judgement, Session, chooser, play
from graft_server.benches.replay_record import Offer, Said
from graft_server.completion.confidence import FEATURES, SMALL_THRESHOLD, Filters, read
from graft_server.completion.graphonly import FEATURES as GUESS_FEATURES
from graft_server.completion.graphonly import Guess

KEEP = 0.95
"""Of the characters that showing everything would save."""
RIDGE = 5.0
GRID = tuple(round(0.1 * n, 1) for n in range(3, 9))
"""Below 0.3 a suggestion is noise, whatever it would save."""
PARTS = (
    ("model_text", "features", "right", FEATURES),
    ("graph_guess", "guess_features", "guess_right", GUESS_FEATURES),
)


def fit(rows: Sequence[dict[str, Any]], features: str, right: str) -> dict[str, Any]:
    """Mean, scale, weights and bias of a logistic model (ridge, Newton) over the rows that have `features`."""
    kept = [r for r in rows if r[features]]
    raw = np.array([r[features] for r in kept], dtype=float)
    y = np.array([float(r[right]) for r in kept])
    mean, scale = raw.mean(0), raw.std(0)
    scale[scale < 1e-6] = 1.0
    x = np.hstack([(raw - mean) / scale, np.ones((len(raw), 1))])
    w = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], RIDGE)
    ridge[-1] = 1e-3
    for _ in range(60):
        q = 1 / (1 + np.exp(-np.clip(x @ w, -40, 40)))
        step = np.linalg.solve((x * (q * (1 - q))[:, None]).T @ x + np.diag(ridge), x.T @ (y - q) - ridge * w)
        w += step
        if float(np.abs(step).max()) < 1e-7:
            break
    return {
        "mean": [round(float(v), 5) for v in mean],
        "scale": [round(float(v), 5) for v in scale],
        "weights": [round(float(v), 5) for v in w[:-1]],
        "bias": round(float(w[-1]), 5),
        "threshold": 0.5,
        "rows": len(kept),
        "right": int(y.sum()),
    }


def filters(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The contents of the data file, thresholds not chosen yet."""
    out: dict[str, Any] = {"model": rows[0]["model"]}
    for part, features, right, names in PARTS:
        out[part] = {"features": list(names), **fit(rows, features, right)}
    return out


def sayings(rows: Sequence[dict[str, Any]], made: Filters) -> Known:
    """What the person of the replay needs of each row, with the probability of each offer."""
    out = []
    nothing = Offer("", "", 0.0, ())
    for number, r in enumerate(rows):
        key = Key(r["spot"] + 1_000_000 * r["file"], r["line"], r["column"], str(number), "", r["truth"])
        offer = Offer(r["text"], r["text"], r["score"], tuple(r["features"])) if r["text"] else nothing
        guess = Guess(r["guess"], tuple(r["guess_features"])) if r["guess"] else None
        likely = made.for_model.probability(offer.features) if offer.text else 0.0
        chance = made.for_graph.probability(guess.features) if guess is not None else 0.0
        out.append((Said(key, {"": offer}, nothing, guess, False, True), likely, chance))
    return out


Known = list[tuple[Said, float, float]]


def sessions(halves: Sequence[Known], judge: Callable[[Known], Judgement]) -> Session:
    """One person through all halves."""
    out = Session()
    for known in halves:
        made = play([s for s, _, _ in known], chooser(judge(known)))
        out.typed, out.saved = out.typed + made.typed, out.saved + made.saved
        out.showings += made.showings
    return out


def by_thresholds(least_model: float, least_guess: float) -> Callable[[Known], Judgement]:
    """Show what is likely enough."""

    def judge(known: Known) -> Judgement:
        likely = {id(s.offers[""]): p for s, p, _ in known}
        chance = {id(s.guess): p for s, _, p in known}
        return Judgement(
            lambda o: (likely[id(o)] >= least_model, likely[id(o)]),
            lambda g: (chance[id(g)] >= least_guess, chance[id(g)]),
        )

    return judge


def by_rule(known: Known) -> Judgement:
    """The rule of thumb: the mean probability per token, and one name that fits."""
    return Judgement(lambda o: (math.exp(o.score) >= SMALL_THRESHOLD, 0.0), lambda g: (g.sure, 0.0))


def choose(halves: Sequence[Known]) -> tuple[float, float]:
    """The thresholds with the best precision that keep `KEEP` of the characters."""
    most = sessions(halves, by_thresholds(0.0, 0.0)).saved
    best, precision = (GRID[0], GRID[0]), 0.0
    for pair in itertools.product(GRID, GRID):
        made = sessions(halves, by_thresholds(*pair))
        share = made.right / max(1, len(made.showings))
        if made.saved >= KEEP * most and share > precision:
            best, precision = pair, share
    return best


def told(name: str, s: Session) -> str:
    """One line about a session."""
    shown = len(s.showings)
    right, saved = 100 * s.right / max(1, shown), 100 * s.saved / s.typed
    return f"{name:24} shown {shown:5}  right {right:5.1f} %  saved {saved:5.1f} %"


def main() -> None:
    """Fit, print what each half says about the other, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dumps", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for number, dump in enumerate(args.dumps):
        rows += [{**json.loads(line), "file": number} for line in dump.read_text("utf-8").splitlines()]
    packages = sorted({r["package"] for r in rows})
    halves = [[r for r in rows if packages.index(r["package"]) % 2 == side] for side in (0, 1)]
    judged = []
    for mine, other in ((0, 1), (1, 0)):
        known = read(filters(halves[mine]))
        assert known is not None
        judged.append(sayings(halves[other], known))
    a, b = choose(judged)
    print(f"{len(rows)} keys in {', '.join(packages)}; each half judged by filters fitted on the other")
    print(told("everything", sessions(judged, by_thresholds(0.0, 0.0))))
    print(told("rule of thumb", sessions(judged, by_rule)))
    print(told(f"filter at {a} and {b}", sessions(judged, by_thresholds(a, b))))
    made = filters(rows)
    made["model_text"]["threshold"], made["graph_guess"]["threshold"] = a, b
    made["provenance"] = {
        "made_by": "python bench/fit_show_filter.py",
        "packages": packages,
        "keys": len(rows),
        "keep": KEEP,
    }
    for part, _, _, names in PARTS:
        weights = sorted(zip(made[part]["weights"], names, strict=True), key=lambda p: -abs(p[0]))
        print(part, made[part]["rows"], "rows;", ", ".join(f"{n} {w:+.2f}" for w, n in weights))
    if args.out:
        args.out.write_text(json.dumps(made, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
