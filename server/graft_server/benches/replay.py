"""`graft bench replay`: real lines typed again, key by key; what a person would have been shown, and was it right?

Keys of the answer, all flat:

- `keys`, `lines`, `files`: the size of the session; `typed_characters`.
- `shown`, `right`, `whole_right`: suggestions that came up, that were right as far as they went, and that were right to
  the end of the line; `right_percent`; `saved_percent` of the characters; `*_model`, `*_graph` by source.
- `off_GATE_shown`, `off_GATE_right_percent`, `off_GATE_saved_percent`: the same with one gate (or the graph's own
  suggestions, or the filter) switched off.  No setting does that.  `whole_only_*`: no end that is not sure enough is
  left out.
- `jedi_*`: of the suggestions shown (and of those an editor would show when asked by hand), the share with a name that
  jedi cannot resolve in the completed file, with constraint and gates and without; `jedi_*_real_percent` is the part of
  it that stands in the real file so, jedi's own error; `jedi_truth_*` is that error on the true text.
- `next_identifier_*`: where a name begins, the share of names that are right, with and without constraint, and of the
  likelier one of the model's and the graph's (`with_graph`), shown or not;
  `next_member_*`: the same after a dot.
- `similarity_*`: mean edit similarity to the true rest of the line, with and without constraint and gates.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import keyword
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from graft_server.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Packages, sizes, the seed."""
    parser.add_argument("--packages", type=Path, nargs="+", metavar="DIR", help="folders of unseen code, one a package")
    parser.add_argument("--model", type=Path, metavar="GGUF", help="the model (default: the one that comes with Graft)")
    parser.add_argument("--files", type=int, default=20, help="files to type in (20)")
    parser.add_argument("--items", type=int, default=3, help="places per file (3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--judge", type=int, default=150, metavar="N", help="texts per arm that jedi judges (150)")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N suggestions that were shown")
    parser.add_argument("--dump", type=Path, metavar="FILE", help="write every offer with its features, as JSON lines")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Replay; raises UserError without a model, without files, or for sizes below 1."""
    from graft_server.benches.code_items import folders
    from graft_server.benches.replay_record import record

    if args.files < 1 or args.items < 1:
        raise UserError("--files and --items must be at least 1")
    if args.judge and importlib.util.find_spec("jedi") is None:
        raise UserError("jedi is not installed (pip install jedi), or say --judge 0")
    began = time.perf_counter()
    chosen = folders(args.packages)
    recorded = asyncio.run(record(chosen, args.files, args.items, args.seed, args.model))
    if not recorded.said:
        raise UserError("there is nothing to type in these folders")
    figures: dict[str, Any] = {
        "model": recorded.model,
        "packages": ", ".join(f.name for f in chosen),
        "files": len({(s.package, s.path) for s in recorded.spots}),
        "lines": len({(s.key.spot, s.key.line) for s in recorded.said}),
        "keys": len(recorded.said),
        "record_seconds": round(time.perf_counter() - began, 1),
    }
    if args.dump is not None:
        dump(args.dump, recorded)
    figures |= summary(recorded, args, chosen)
    figures["seconds"] = round(time.perf_counter() - began, 1)
    return figures


def summary(recorded: Any, args: argparse.Namespace, packages: list[Path]) -> dict[str, Any]:
    """The figures of one recorded session."""
    from graft_server.benches.replay_person import Judgement, chooser, play
    from graft_server.benches.replay_record import Offer
    from graft_server.completion.confidence import SMALL_THRESHOLD, first_likely, first_sure, fitted, of_guess
    from graft_server.completion.graphonly import Guess
    from graft_server.completion.screen import GATES

    made = fitted()

    def guess(guess: Guess) -> tuple[bool, float]:
        sure = of_guess(guess)
        return sure.verdict.passed, sure.likely

    own = made.for_model if made is not None and made.model == recorded.model else None

    def by_threshold(offer: Offer) -> tuple[str, float]:
        found = first_sure(SMALL_THRESHOLD, offer.variants, bool)
        return found.text if found is not None else "", 0.0

    def by_filter(offer: Offer) -> tuple[str, float]:
        if own is None:
            return by_threshold(offer)
        found, likely = first_likely(own, offer.variants, bool)
        return found.text if found is not None else "", likely

    def whole(offer: Offer) -> tuple[str, float]:
        return by_filter(replace(offer, variants=offer.variants[:1]))

    def everything(offer: Offer) -> tuple[str, float]:
        return offer.text, own.probability(offer.variants[0].features) if own is not None else 0.0

    def every_guess(guess: Guess) -> tuple[bool, float]:
        return True, of_guess(guess).likely

    product = Judgement(by_filter, guess)
    said = recorded.said
    out: dict[str, Any] = {}
    full = play(said, chooser(product))
    out |= session_figures("", full)
    out["typed_characters"] = full.typed
    for source in ("model", "graph"):
        mine = [s for s in full.showings if s.source == source]
        out[f"shown_{source}"] = len(mine)
        out[f"right_{source}_percent"] = percent(sum(s.right for s in mine), len(mine))
    for name in GATES:
        out |= session_figures(f"off_{name}_", play(said, chooser(product, name)))
    out |= session_figures("off_graph_suggestions_", play(said, chooser(product, fallback=False)))
    out |= session_figures("whole_only_", play(said, chooser(Judgement(whole, guess))))
    out |= session_figures("off_filter_", play(said, chooser(Judgement(everything, every_guess))))
    out |= session_figures("threshold_only_", play(said, chooser(Judgement(by_threshold, lambda g: (g.sure, 0.0)))))
    loose = play(said, chooser(product, free=True, fallback=False))
    out |= session_figures("off_constraint_and_graph_gates_", loose)
    out |= names_and_similarity(said, chooser(Judgement(everything, every_guess)))
    if args.judge:
        from graft_server.benches.replay_jedi import judged

        out |= judged(recorded, packages, product, args.judge, random.Random(args.seed))
    for showing in full.showings[: args.show] if args.show else ():
        key = showing.said.key
        line = key.before.rpartition("\n")[2]
        mark = "right" if showing.right else "wrong"
        truth = key.truth.partition("\n")[0]
        print(
            f"{mark} {showing.source:5} {line}⟦{showing.text}⟧{key.after.partition(chr(10))[0]}\n        true: {truth}"
        )
    return out


def session_figures(prefix: str, session: Any) -> dict[str, Any]:
    """Shown, share right, share of characters saved."""
    shown = len(session.showings)
    out: dict[str, Any] = {f"{prefix}shown": shown}
    if not prefix:
        out["right"] = session.right
        out["whole_right"] = sum(s.whole for s in session.showings)
    out[f"{prefix}right_percent"] = percent(session.right, shown)
    out[f"{prefix}saved_percent"] = percent(session.saved, session.typed)
    return out


def names_and_similarity(said: list[Any], choose: Callable[[Any], tuple[str, str]]) -> dict[str, Any]:
    """Next name, and edit similarity to the rest of the line, with and without constraint and gates; `choose` says what
    is likeliest of the model's text and the graph's."""
    from graft_server.benches.code_items import NAME, edit_similarity

    members, names = Counter[str](), Counter[str]()
    similar: list[float] = []
    loose_similar: list[float] = []
    for each in said:
        if not each.asked:
            continue
        key, offer = each.key, each.offers[""]
        truth = key.truth.partition("\n")[0]
        wanted = NAME.match(truth)
        begins = not re.search(r"\w$", key.before) and key.before.rpartition("\n")[2].strip()
        if wanted is not None and begins and not keyword.iskeyword(wanted.group()):
            found, loose = NAME.match(offer.best), NAME.match(each.free.best)
            likeliest = NAME.match(choose(each)[0] or offer.best)
            for tally in (names, members) if key.before.endswith(".") else (names,):
                tally["places"] += 1
                tally["closed"] += each.constrained
                tally["right"] += found is not None and found.group() == wanted.group()
                tally["likeliest"] += likeliest is not None and likeliest.group() == wanted.group()
                tally["loose"] += loose is not None and loose.group() == wanted.group()
        if key.column % 4 == 0:
            similar.append(edit_similarity(offer.best.partition("\n")[0], truth))
            loose_similar.append(edit_similarity(each.free.best.partition("\n")[0], truth))
    out: dict[str, Any] = {}
    for name, tally in (("identifier", names), ("member", members)):
        out[f"next_{name}_places"] = tally["places"]
        out[f"next_{name}_places_closed"] = tally["closed"]
        out[f"next_{name}_percent"] = percent(tally["right"], tally["places"])
        out[f"next_{name}_with_graph_percent"] = percent(tally["likeliest"], tally["places"])
        out[f"next_{name}_without_percent"] = percent(tally["loose"], tally["places"])
    out["similarity_percent"] = percent(sum(similar), len(similar))
    out["similarity_without_percent"] = percent(sum(loose_similar), len(loose_similar))
    return out


def percent(part: float, whole: float) -> float:
    """Rounded to two digits; 0 of nothing is 0."""
    return round(100 * part / whole, 2) if whole else 0.0


def dump(path: Path, recorded: Any) -> None:
    """Every offer with what is needed to fit a filter: each variant's features and whether it was right, the truth."""
    from graft_server.benches.code_items import right_so_far

    with path.open("w", encoding="utf-8") as out:
        for said in recorded.said:
            offer, key = said.offers[""], said.key
            row = {
                "package": recorded.spots[key.spot].package,
                "spot": key.spot,
                "line": key.line,
                "column": key.column,
                "truth": key.truth,
                "variants": [
                    {"text": v.text, "right": right_so_far(v.text, key.truth), "score": v.score, "features": v.features}
                    for v in offer.variants
                ],
                "guess": said.guess.text if said.guess is not None else "",
                "guess_right": said.guess is not None and right_so_far(said.guess.text, key.truth),
                "guess_features": list(said.guess.features) if said.guess is not None else [],
                "guess_sure": said.guess is not None and said.guess.sure,
                "model": recorded.model,
            }
            out.write(json.dumps(row) + "\n")
