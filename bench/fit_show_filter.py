"""Fit what is shown: two logistic models, for a model's text and for the graph's guesses, from replayed typing.

    graft bench replay --packages DIR... --files 12 --items 3 --seed 21 --judge 0 --dump a.jsonl     # several times
    python bench/fit_show_filter.py a.jsonl b.jsonl ... [--out server/graft_server/completion/show_filter.json]

The packages must be neither in the model's training set nor among those that the benches report.  Packages are split
in two halves; each half is judged by filters fitted on the other one.  On these judgements the two thresholds are
chosen: the best precision among those that keep `KEEP` of the most characters that any save.  The figures that are
printed are of these judgements too; the filters that are written are fitted on all.  The filter of the model's text is
fitted on the texts and on all that they may be cut down to.  `--guesses FILE` takes the guesses' filter, threshold and
all, from an earlier fit: for a change that touches the model's text only.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graft_server.benches.code_items import Key
from graft_server.benches.replay_person import Judgement, Session, chooser, play
from graft_server.benches.replay_record import Offer, Said
from graft_server.completion.confidence import FEATURES, SMALL_THRESHOLD, Filters, Variant, first_sure, read
from graft_server.completion.graphonly import FEATURES as GUESS_FEATURES
from graft_server.completion.graphonly import Guess

KEEP = 0.93
"""Of the characters that are saved at most."""
RIDGE = 5.0
GRID = tuple(round(0.1 * n, 1) for n in range(3, 9))
"""Below 0.3 a suggestion is noise, whatever it would save."""
PARTS = (("model_text", FEATURES), ("graph_guess", GUESS_FEATURES))


def examples(rows: Sequence[dict[str, Any]], part: str) -> list[tuple[list[float], bool, float]]:
    """(features, right, weight).  The variants of a text are no independent witnesses, nor do they say all the same:
    n of them weigh as much as the square root of n texts."""
    if part == "graph_guess":
        return [(r["guess_features"], r["guess_right"], 1.0) for r in rows if r["guess_features"]]
    return [(v["features"], v["right"], len(r["variants"]) ** -0.5) for r in rows for v in r["variants"]]


def fit(known: Sequence[tuple[list[float], bool, float]]) -> dict[str, Any]:
    """Mean, scale, weights and bias of a logistic model (ridge, Newton) over examples."""
    raw = np.array([features for features, _, _ in known], dtype=float)
    y = np.array([float(right) for _, right, _ in known])
    counted = np.array([weight for _, _, weight in known])
    mean, scale = raw.mean(0), raw.std(0)
    scale[scale < 1e-6] = 1.0
    x = np.hstack([(raw - mean) / scale, np.ones((len(raw), 1))])
    w = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], RIDGE)
    ridge[-1] = 1e-3
    for _ in range(60):
        q = 1 / (1 + np.exp(-np.clip(x @ w, -40, 40)))
        curve = (x * (counted * q * (1 - q))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(curve, x.T @ (counted * (y - q)) - ridge * w)
        w += step
        if float(np.abs(step).max()) < 1e-7:
            break
    return {
        "mean": [round(float(v), 5) for v in mean],
        "scale": [round(float(v), 5) for v in scale],
        "weights": [round(float(v), 5) for v in w[:-1]],
        "bias": round(float(w[-1]), 5),
        "threshold": 0.5,
        "rows": len(known),
        "right": int(y.sum()),
    }


def filters(rows: Sequence[dict[str, Any]], guesses: dict[str, Any] | None) -> dict[str, Any]:
    """The contents of the data file, thresholds not chosen yet but that of given `guesses`."""
    out: dict[str, Any] = {"model": rows[0]["model"]}
    for part, names in PARTS:
        out[part] = {"features": list(names), **fit(examples(rows, part))}
    if guesses is not None:
        out["graph_guess"] = guesses
    return out


def sayings(rows: Sequence[dict[str, Any]], made: Filters) -> Known:
    """What the person of the replay needs of each row, with the probability of each variant and of the guess."""
    out = []
    for number, r in enumerate(rows):
        key = Key(r["spot"] + 1_000_000 * r["file"], r["line"], r["column"], str(number), "", r["truth"])
        offer = Offer(tuple(Variant(v["text"], tuple(v["features"]), v["score"]) for v in r["variants"]), "")
        guess = Guess(r["guess"], tuple(r["guess_features"])) if r["guess"] else None
        likely = [made.for_model.probability(v.features) for v in offer.variants]
        chance = made.for_graph.probability(guess.features) if guess is not None else 0.0
        out.append((Said(key, {"": offer}, Offer((), ""), guess, False, True), likely, chance))
    return out


Known = list[tuple[Said, list[float], float]]


def sessions(halves: Sequence[Known], judge: Callable[[Known], Judgement]) -> Session:
    """One person through all halves."""
    out = Session()
    for known in halves:
        made = play([s for s, _, _ in known], chooser(judge(known)))
        out.typed, out.saved = out.typed + made.typed, out.saved + made.saved
        out.showings += made.showings
    return out


def by_thresholds(least_model: float, least_guess: float, *, whole: bool = False) -> Callable[[Known], Judgement]:
    """Show the longest variant that is likely enough, or only a `whole` text."""

    def judge(known: Known) -> Judgement:
        likely = {id(s.offers[""]): p for s, p, _ in known}
        chance = {id(s.guess): p for s, _, p in known}

        def longest(offer: Offer) -> tuple[str, float]:
            found = zip(offer.variants[: 1 if whole else None], likely[id(offer)], strict=False)
            return next(((v.text, p) for v, p in found if p >= least_model), ("", 0.0))

        return Judgement(longest, lambda g: (chance[id(g)] >= least_guess, chance[id(g)]))

    return judge


def by_rule(known: Known) -> Judgement:
    """The rule of thumb: the probabilities of the tokens, and one name that fits."""

    def longest(offer: Offer) -> tuple[str, float]:
        found = first_sure(SMALL_THRESHOLD, offer.variants, bool)
        return found.text if found is not None else "", 0.0

    return Judgement(longest, lambda g: (g.sure, 0.0))


def choose(halves: Sequence[Known], guess: Sequence[float]) -> tuple[float, float]:
    """The thresholds (that of guesses is one of `guess`) with the best precision that keep `KEEP` of the characters."""
    made = {pair: sessions(halves, by_thresholds(*pair)) for pair in itertools.product(GRID, guess)}
    most = max(s.saved for s in made.values())
    enough = [(s.right / max(1, len(s.showings)), pair) for pair, s in made.items() if s.saved >= KEEP * most]
    return max(enough)[1]


def told(name: str, s: Session) -> str:
    """One line about a session."""
    shown = len(s.showings)
    right, saved = 100 * s.right / max(1, shown), 100 * s.saved / s.typed
    return f"{name:24} shown {shown:5}  right {right:5.1f} %  saved {saved:5.1f} %"


def main() -> None:
    """Fit, print what each half says about the other, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dumps", type=Path, nargs="+")
    parser.add_argument("--guesses", type=Path, help="the data file whose filter of guesses is kept")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for number, dump in enumerate(args.dumps):
        rows += [{**json.loads(line), "file": number} for line in dump.read_text("utf-8").splitlines()]
    packages = sorted({r["package"] for r in rows})
    halves = [[r for r in rows if packages.index(r["package"]) % 2 == side] for side in (0, 1)]
    earlier = json.loads(args.guesses.read_text("utf-8")) if args.guesses else None
    guesses = earlier and {"provenance": earlier["provenance"], **earlier["graph_guess"]}
    judged = []
    for mine, other in ((0, 1), (1, 0)):
        known = read(filters(halves[mine], guesses))
        assert known is not None
        judged.append(sayings(halves[other], known))
    a, b = choose(judged, [guesses["threshold"]] if guesses else GRID)
    print(f"{len(rows)} keys in {', '.join(packages)}; each half judged by filters fitted on the other")
    print(told("everything", sessions(judged, by_thresholds(0.0, 0.0))))
    print(told("rule of thumb", sessions(judged, by_rule)))
    print(told(f"filter at {a} and {b}", sessions(judged, by_thresholds(a, b))))
    for least in GRID:
        print(told(f"whole texts at {least} and {b}", sessions(judged, by_thresholds(least, b, whole=True))))
    made = filters(rows, guesses)
    made["model_text"]["threshold"], made["graph_guess"]["threshold"] = a, b
    made["provenance"] = {
        "made_by": "python bench/fit_show_filter.py",
        "packages": packages,
        "keys": len(rows),
        "keep": KEEP,
    }
    for part, names in PARTS:
        weights = sorted(zip(made[part]["weights"], names, strict=True), key=lambda p: -abs(p[0]))
        print(part, made[part]["rows"], "rows;", ", ".join(f"{n} {w:+.2f}" for w, n in weights))
    if args.out:
        args.out.write_text(json.dumps(made, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
