"""How much less likely a change is that brings an oddity in: real fixes against changes that operators make.

    python bench/repair_oddities.py FOLDER [--fixes N]

FOLDER holds the wheels of bench/repair_pairs.json (see learn_repair_priors.py).  Prints the share of real fixes that
bring in 0, 1, 2 oddities, the same for changes of the same lines drawn by their prior, and the ratio's logarithm.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from pathlib import Path

from graft_indexer.rewrites import PRIORS, module_of, of_line
from graft_server.repair.oddities import brought_in
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
    mended: Counter[int] = Counter()
    drawn: Counter[int] = Counter()
    for fix in fixes:
        before, after = real(fix)
        mended[brought_in(before, after, fix.lines[0]) or 0] += 1
        line = chance.choice(fix.lines)
        module = module_of(before)
        found = of_line(module, line)
        if not found:
            continue
        weights = [PRIORS[m.operator] * part for m, part in zip(found, shares(found), strict=True)]
        for m in chance.choices(found, weights, k=8):
            data = module.data
            text = (data[: m.start] + m.text.encode() + data[m.end :]).decode()
            if (count := brought_in(before, text, line)) is not None:
                drawn[count] += 1
    for count in range(3):
        a, b = mended[count] / mended.total(), drawn[count] / drawn.total()
        ratio = math.log((mended[count] + 0.5) / (mended.total() + 1) / ((drawn[count] + 0.5) / (drawn.total() + 1)))
        shown = f"fixes {a:.3f} of {mended.total()}, changes {b:.3f} of {drawn.total()}"
        print(f"{count} brought in: {shown}, log {ratio:.2f}")


if __name__ == "__main__":
    main()
