"""How much less likely a change is that brings an oddity in: real fixes against changes that operators make.

    python bench/repair_oddities.py FOLDER [--fixes N]

FOLDER holds the wheels of bench/repair_pairs.json (see learn_repair_priors.py).  Prints the share of real fixes that
bring in 0, 1, 2 oddities and take out as many, the same for changes of the same lines drawn by their prior, and the
ratio's logarithm.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from pathlib import Path

from graft_indexer.rewrites import PRIORS, module_of, of_line
from graft_server.repair.oddities import balance
from graft_server.repair.proposals import shares
from learn_repair_priors import PAIRS, Fix, read


def real(fix: Fix) -> tuple[str, str]:
    """The module before and after."""
    rows = fix.old.split("\n")
    pad = rows[fix.top][: len(rows[fix.top]) - len(rows[fix.top].lstrip())]
    new = [pad + line if line else line for line in fix.new.split("\n")]
    return fix.old, "\n".join([*rows[: fix.top], *new, *rows[fix.top + fix.size :]])


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fixes", type=int, default=120)
    parser.add_argument("--packages", default="", help="only these, comma separated")
    args = parser.parse_args()
    pairs = json.loads(PAIRS.read_text("utf-8"))
    if args.packages:
        pairs = {name: pairs[name] for name in args.packages.split(",")}
    chance = random.Random(5)
    fixes = [fix for fix in read(args.folder, pairs)[0] if len(fix.old) < 60_000]
    fixes = chance.sample(fixes, min(args.fixes, len(fixes)))
    mended: dict[str, Counter[int]] = {"brought in": Counter(), "taken out": Counter()}
    drawn: dict[str, Counter[int]] = {"brought in": Counter(), "taken out": Counter()}

    def note(where: dict[str, Counter[int]], found: tuple[int, int] | None) -> None:
        if found is not None:
            for kind, count in zip(where, found, strict=True):
                where[kind][count] += 1

    for fix in fixes:
        before, after = real(fix)
        note(mended, balance(before, after, fix.lines[0]))
        line = chance.choice(fix.lines)
        module = module_of(before)
        found = of_line(module, line)
        if not found:
            continue
        weights = [PRIORS[m.operator] * part for m, part in zip(found, shares(found), strict=True)]
        for m in chance.choices(found, weights, k=8):
            data = module.data
            text = (data[: m.start] + m.text.encode() + data[m.end :]).decode()
            note(drawn, balance(before, text, line))
    for kind in mended:
        real_ones, changes = mended[kind], drawn[kind]
        for count in range(3):
            a, b = real_ones[count] / real_ones.total(), changes[count] / changes.total()
            shares_of = (
                (real_ones[count] + 0.5) / (real_ones.total() + 1),
                (changes[count] + 0.5) / (changes.total() + 1),
            )
            shown = f"fixes {a:.3f} of {real_ones.total()}, changes {b:.4f} of {changes.total()}"
            print(f"{count} {kind}: {shown}, log {math.log(shares_of[0] / shares_of[1]):.2f}")


if __name__ == "__main__":
    main()
