"""What a model's opinion is worth to `graft repair`: gain, clip and share, fitted on fixes between releases.

    python bench/repair_gain.py FOLDER FIXES.jsonl [--fixes N] [--others M] [--lines]

FOLDER and FIXES.jsonl as for learn_repair_priors.py.  Without --lines: for fixes that an operator makes, how likely the
fix is among M other changes of its line, for each gain and clip (mean log share; higher is better).  With --lines: how
likely the mended line is among the lines of its function, for each share of surprise.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import itertools
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

from graft_indexer.rewrites import PRIORS, module_of, of_line
from graft_models.engine import Engine, ScoreRequest
from graft_server.repair.holes import line_hole, rows_of
from graft_server.repair.localisation import by_rank
from graft_server.repair.order import started_engine
from graft_server.repair.proposals import parses, shares
from learn_repair_priors import PAIRS, Fix, canonical, read

GAINS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
CLIPS = (0.5, 1.0, 2.0, 4.0)
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
IDS = itertools.count(1)


def chosen(folder: Path, fixes: Path, count: int) -> Iterator[Fix]:
    """Fixes that some operator makes, in random order, at most two of a release."""
    rows = [json.loads(line) for line in fixes.read_text("utf-8").splitlines()]
    covered = {row["where"] for row in rows if row.get("operators")}
    packages = {where.split()[0] for where in covered}
    pairs = {name: found for name, found in json.loads(PAIRS.read_text("utf-8")).items() if name in packages}
    wanted = {(where.split()[0], where.split()[1]) for where in covered}
    pairs = {name: [pair for pair in found if (name, pair[1]) in wanted] for name, found in pairs.items()}
    found = [fix for fix in read(folder, pairs)[0] if fix.where in covered and len(fix.old) < 80_000]
    random.Random(9).shuffle(found)
    seen: dict[str, int] = {}
    for fix in found:
        release = " ".join(fix.where.split()[:2])
        seen[release] = seen.get(release, 0) + 1
        if seen[release] <= 2 and count > 0:
            count -= 1
            yield fix


async def changes(engine: Engine, fix: Fix, others: int) -> tuple[list[float], list[float]] | None:
    """Of the fix and of other changes, the fix first: logarithm of the prior, gain in nats per token."""
    module = module_of(fix.old)
    data = module.data
    rows = data.split(b"\n")
    begin = sum(len(row) + 1 for row in rows[: fix.top])
    end = begin + sum(len(row) + 1 for row in rows[fix.top : fix.top + fix.size])
    goal = canonical(fix.new)
    chance = random.Random(fix.where)
    for line in fix.lines:
        found = of_line(module, line)
        weights = [PRIORS[m.operator] * part for m, part in zip(found, shares(found), strict=True)]
        gold = next(
            (
                i
                for i, m in enumerate(found)
                if canonical((data[begin : m.start] + m.text.encode() + data[m.end : end]).decode()) == goal
            ),
            None,
        )
        if gold is None:
            continue
        picked = [gold, *(i for i in chance.choices(range(len(found)), weights, k=others) if i != gold)]
        texts = [(data[: found[i].start] + found[i].text.encode() + data[found[i].end :]).decode() for i in picked]
        kept = [(i, text) for i, text in zip(picked, texts, strict=True) if parses(text)]
        old = rows_of(fix.old)
        means = []
        for _, text in kept:
            new = rows_of(text)
            last = line + 1 + max(0, len(new) - len(old))
            hole = line_hole("module.py", old, line, line + 1)
            pair = ("".join(old[line : line + 1]), "".join(new[line:last]))
            scores = await engine.score(ScoreRequest(next(IDS), hole, pair, document="fit"))
            if scores.error:
                break
            a, b = (value / max(1, n) for value, n in zip(scores.logprobs, scores.counts, strict=True))
            means.append(b - a)
        if len(means) < len(kept):
            continue  # longer than the model's context
        # Drawn by their prior, the others weigh alike; the fix stands for itself.
        return [0.0] * len(kept), means
    return None


async def lines(engine: Engine, fix: Fix) -> tuple[int, int, dict[int, float]]:
    """(mended line, number of lines, surprise by line) of a fix's function."""
    rows = rows_of(fix.old)
    body = [n for n in range(fix.top + 1, fix.top + fix.size) if rows[n].strip()][:40]
    odd = {}
    for number in body:
        hole = line_hole("module.py", rows, number, number + 1)
        scores = await engine.score(ScoreRequest(next(IDS), hole, (rows[number],), document="fit"))
        if scores.error:
            continue
        odd[number] = -scores.logprobs[0] / max(1, scores.counts[0])
    return fix.lines[0], len(body), odd


async def fit(args: argparse.Namespace) -> None:
    """Ask the model, then print the tables."""
    engine = await started_engine()
    if engine is None:
        raise SystemExit("no model that can score; see `graft doctor`")
    fixes = [fix for fix in chosen(args.folder, args.file, args.fixes) if parsed(fix.new)]
    if args.lines:
        places = [await lines(engine, fix) for fix in fixes]
        places = [place for place in places if place[0] in place[2]]
        for share in SHARES:
            total = 0.0
            for line, count, odd in places:
                total += math.log((1 - share) / count + share * by_rank({("", n): s for n, s in odd.items()})["", line])
            print(f"share {share:.1f}: mean log {total / len(places):.3f} over {len(places)} functions")
    else:
        groups = [group for fix in fixes if (group := await changes(engine, fix, args.others)) is not None]
        for clip in CLIPS:
            row = []
            for gain in GAINS:
                total = 0.0
                for priors, means in groups:
                    values = [p + gain * max(-clip, min(clip, m)) for p, m in zip(priors, means, strict=True)]
                    total += values[0] - math.log(sum(math.exp(v) for v in values))
                row.append(f"{gain}: {total / len(groups):.3f}")
            print(f"clip {clip}: {'  '.join(row)}  ({len(groups)} fixes)")
    await engine.close()


def parsed(text: str) -> bool:
    """Whether a function's text stands alone."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def main() -> None:
    """Arguments as above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--fixes", type=int, default=40)
    parser.add_argument("--others", type=int, default=15)
    parser.add_argument("--lines", action="store_true")
    asyncio.run(fit(parser.parse_args()))


if __name__ == "__main__":
    main()
