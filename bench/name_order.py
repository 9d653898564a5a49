"""How far up in the classic completion list stands the name that the person means?  By uses alone, and by the model.

    python bench/name_order.py --packages DIR... [--places 200] [--typed 0] [--plain]

Places are names in lines of unseen packages, the rest of the line hidden, with `--typed` letters of the name typed;
only those count whose list holds the name.  Prints for both orders how often the name is first, among the first five,
and the mean reciprocal rank; how many milliseconds the model's order takes beyond the list itself, and how often it
would come too late (`ranking.WAIT_SECONDS`), when the order by uses stands.  `--plain`: without counts in the scores.
The files near are learned and ghost text is decoded before the list is asked for: in an editor that may still go on.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from graft_models.engine import ScoreRequest, Scores
from graft_server.benches.code_items import spots, workspace
from graft_server.commands.complete import open_workbench
from graft_server.completion import ranking
from graft_server.completion.anchor import place_of
from graft_server.completion.model import Snapshot
from graft_server.completion.options import Options, options_at

_NAME = re.compile(r"[A-Za-z_]\w{2,}")


def rank(found: Options, name: str) -> int:
    """From 1; 0 if the list does not hold it."""
    return next((n for n, o in enumerate(found.options, 1) if o.name == name), 0)


def told(label: str, ranks: list[int]) -> str:
    """One line of figures."""
    first, five = (100 * sum(r <= most for r in ranks) / len(ranks) for most in (1, 5))
    return f"{label}: first {first:.1f} %, among five {five:.1f} %, MRR {sum(1 / r for r in ranks) / len(ranks):.3f}"


async def places(folder: Path, count: int, typed: int, seed: int, plain: bool, out: dict[str, list[float]]) -> None:
    """Add ranks and milliseconds of `count` places of a package to `out`."""
    with tempfile.TemporaryDirectory(prefix="graft-order-") as scratch:
        root = workspace(folder, Path(scratch) / "work")
        chance = random.Random(f"{folder.name}/{seed}")
        bench = await open_workbench(root)
        assert bench.engine is not None and not bench.message, bench.message
        if plain:
            score = bench.engine.score

            async def own(request: ScoreRequest) -> Scores:
                return await score(replace(request, counted=False))

            bench.engine.score = own  # type: ignore[method-assign]
        try:
            left = count
            for spot in spots(folder.name, root, 40, 6, chance):
                line = spot.hidden.split("\n")[0]
                names = list(_NAME.finditer(line))
                if not names or not left:
                    continue
                name = chance.choice(names)
                if typed >= len(name.group()):
                    continue
                before = spot.before + line[: name.start() + typed]
                text = before + spot.after
                bench.graph.sync(spot.path, text)
                snapshot = Snapshot(spot.path, text, len(before.encode("utf-8")), language="python")
                place = place_of(snapshot)
                question = bench.graph.submit(lambda g, path=spot.path, place=place: options_at(g, path, place))
                used = ranking.by_use(await asyncio.wrap_future(question), place)
                if used.where != "new" and rank(used, name.group()):
                    # As in an editor: ghost text is asked for at the same cursor, and reads the prompt.
                    await bench.pipeline.complete(replace(snapshot, manual=True))
                    began = time.perf_counter()
                    by_model = await bench.pipeline.ranked(bench.engine, snapshot, place, used)
                    out["milliseconds"].append(1000 * (time.perf_counter() - began))
                    out["uses"].append(rank(used, name.group()))
                    out["model"].append(rank(by_model, name.group()))
                    left -= 1
                bench.graph.sync(spot.path, None)
        finally:
            await bench.close()


async def measure(args: argparse.Namespace) -> None:
    """All packages, then the figures."""
    out: dict[str, list[float]] = {"uses": [], "model": [], "milliseconds": []}
    wait, ranking.WAIT_SECONDS = ranking.WAIT_SECONDS, 10.0
    for number, folder in enumerate(args.packages):
        count = args.places * (number + 1) // len(args.packages) - args.places * number // len(args.packages)
        await places(folder, count, args.typed, args.seed, args.plain, out)
    took = sorted(out["milliseconds"])
    if not took:
        raise SystemExit("no name of these packages stands in its list")
    print(f"{len(took)} places, {args.typed} letters typed")
    print(told("by uses ", [int(r) for r in out["uses"]]))
    print(told("by model", [int(r) for r in out["model"]]))
    late = sum(t > 1000 * wait for t in took)
    print(f"milliseconds: p50 {took[len(took) // 2]:.0f}, p95 {took[int(0.95 * len(took))]:.0f}; "
          f"later than {1000 * wait:.0f}: {100 * late / len(took):.1f} %")  # fmt: skip


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--places", type=int, default=200)
    parser.add_argument("--typed", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
