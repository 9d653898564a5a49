"""What a key press costs without the model: processor time of all threads, and wall time, over a replayed session.

    python bench/key_press.py --root PACKAGE [--keys 300] [--pause MS] [--profile]

A scripted engine stands for the model.  It answers at once, with the rest of the true line made a little wrong, so that
no key is answered from the cache: every gate, every question to the graph and the context of every new hole are paid,
and nothing else.  Prints milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import random
import tempfile
import time
from pathlib import Path

from graft_models.engine import Request, ScriptedAnswer
from graft_models.scripted import ScriptedEngine
from graft_server import garbage
from graft_server.benches.code_items import Key, files, keys, spots, workspace
from graft_server.completion.model import Snapshot
from graft_server.completion.pipeline import Pipeline
from graft_server.diagnosis.run import diagnose
from graft_server.session import graph_thread, open_graph
from graft_server.settings import Settings


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def measure(root: Path, most: int, seed: int, pause: float, *, profile: bool) -> None:
    """Type with `pause` milliseconds after each answer, and print."""
    garbage.relax()
    settings = Settings(completion_delay="none")
    graph = graph_thread(open_graph, str(root), settings)
    graph.submit(lambda g: None).result()
    truth: dict[str, str] = {}

    def answer(request: Request) -> ScriptedAnswer:
        return ScriptedAnswer(truth["line"] + "\n")

    engine = ScriptedEngine(answer)
    pipeline = Pipeline(graph, lambda: engine, lambda: settings, root=str(root), repository=root.name)
    profiler = cProfile.Profile(time.thread_time)  # Other work on the machine is not counted.
    if profile:
        graph.submit(lambda g: profiler.enable()).result()
    found = [s for s in spots("bench", root, 6, 12, random.Random(seed)) if s.before.count("\n") > 40]
    cpu: list[float] = []
    wall: list[float] = []
    begun: list[float] = []
    begun_wall: list[float] = []
    count = 0
    for index, spot in enumerate(found):
        # As in an editor: the file was opened, and checked, before the first key.
        graph.sync(spot.path, spot.before + spot.hidden + spot.after)
        graph.submit(lambda g, path=spot.path: diagnose(g, path, settings)).result()
        garbage.tidy()
        key: Key
        for key in keys(index, spot):
            text = key.before + key.after
            # The right line with its last name changed: it is judged in full, and no key finds it in the cache.
            truth["line"] = f"q{key.column}" + key.truth.partition("\n")[0]
            t0, c0 = time.perf_counter(), time.process_time()
            graph.sync(spot.path, text)
            await pipeline.complete(Snapshot(spot.path, text, len(key.before.encode("utf-8"))))
            cost, took = 1000 * (time.process_time() - c0), 1000 * (time.perf_counter() - t0)
            first = key.column == len(key.before.rpartition("\n")[2]) and not key.before.rpartition("\n")[2].strip()
            (begun if first else cpu).append(cost)
            (begun_wall if first else wall).append(took)
            count += 1
            # What runs in the background is not part of this key, and keys do not come faster than hands.
            await asyncio.sleep(pause / 1000)
            if count >= most:
                break
        graph.sync(spot.path, None)
        pipeline.forget(spot.path)
        if count >= most:
            break
    print(f"{len(cpu)} keys in a line: processor time p50 {quantile(cpu, 0.5):.1f}, p95 {quantile(cpu, 0.95):.1f} ms")
    later = cpu[len(cpu) // 3 :]
    print(f"    after the first third: p50 {quantile(later, 0.5):.1f}, p95 {quantile(later, 0.95):.1f} ms")
    print(f"    wall p50 {quantile(wall, 0.5):.1f}, p95 {quantile(wall, 0.95):.1f} ms")
    if begun:
        print(f"{len(begun)} keys that begin a line (context): p50 {quantile(begun, 0.5):.1f}, "
              f"p95 {quantile(begun, 0.95):.1f} ms")  # fmt: skip
        print(f"    wall p50 {quantile(begun_wall, 0.5):.1f}, p95 {quantile(begun_wall, 0.95):.1f} ms")
    if profile:
        graph.submit(lambda g: profiler.disable()).result()
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)
    graph.close()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="a package")
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=60, metavar="MS", help="between an answer and the next key (60)")
    parser.add_argument("--profile", action="store_true", help="also say what the graph's thread spends its time on")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="graft-keys-") as scratch:
        root = workspace(args.root, Path(scratch) / "work")
        sizes = [text.count("\n") for _, text, _ in files(root)]
        print(f"{args.root.name}: {len(sizes)} files of 40 to 2,000 lines, median {sorted(sizes)[len(sizes) // 2]}")
        asyncio.run(measure(root, args.keys, args.seed, args.pause, profile=args.profile))


if __name__ == "__main__":
    main()
