"""Whether the server grows while a person types: text is typed and taken back, again and again, over its real pipes.

    python bench/growth.py [--keys 20000] [--inside] [--json FILE]

After every pass the document is what it was before it, so memory that is still taken then belongs to no text.  The same
lines of Python's library come in every pass (`--fresh`: other ones in each), each key with a request for ghost text
whose answer is awaited, so the real model answers too.  Prints megabytes (proportional share) of the server and of
the model's process after each pass; `--inside` also has the server itself count its objects by type after a full
garbage collection, and prints those that became more over the second half.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import gc
import json
import os
import random
import shutil
import signal
import statistics
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests/editors")]

MODULES = ("textwrap.py", "shlex.py", "json", "configparser.py", "csv.py", "fractions.py")
COUNTS = "GRAFT_GROWTH_COUNTS"


def serve() -> int:
    """The server as ever, which writes down its objects when it gets SIGUSR1."""
    from graft_server.cli import main

    def count(*_: Any) -> None:
        gc.unfreeze()
        gc.collect()
        found = gc.get_objects()
        kinds = collections.Counter(f"{type(o).__module__}.{type(o).__qualname__}" for o in found)
        sizes: collections.Counter[str] = collections.Counter()
        for o in found:
            if isinstance(o, (dict, list, set)) and len(o) > 300:
                sizes[f"{type(o).__name__} of over 300"] += len(o)
        kinds.update(sizes)
        kinds["blocks"] = sys.getallocatedblocks()
        path = Path(os.environ[COUNTS])
        path.with_suffix(".new").write_text(json.dumps(kinds))
        path.with_suffix(".new").rename(path)

    signal.signal(signal.SIGUSR1, count)
    return main(["serve", "--stdio"])


def lines_of(folder: Path, seed: int, characters: int) -> list[str]:
    """Lines of the project, whole functions where it can be, about so many characters in all."""
    random_source = random.Random(seed)
    text = random_source.choice(sorted(folder.rglob("*.py"))).read_text("utf-8")
    found = [line for line in text.splitlines() if line.isascii()]
    start = random_source.randrange(max(1, len(found) - 40))
    out: list[str] = []
    for line in found[start:]:
        out.append(line)
        if sum(len(one) + 1 for one in out) >= characters:
            break
    return out


async def one_pass(client: Any, uri: str, lines: list[str]) -> int:
    """Type the lines at the start of the document, key by key, and take them back the same way; keys pressed."""
    keys = 0
    for number, line in enumerate(lines):
        for column, character in enumerate(line + "\n"):
            client.change(uri, number, column, character)
            row, at = (number + 1, 0) if character == "\n" else (number, column + 1)
            await client.inline(uri, row, at)
            keys += 1
    for number in reversed(range(len(lines))):
        client.notify("textDocument/didChange", back(client, uri, number, len(lines[number]), newline=True))
        await client.inline(uri, number, len(lines[number]))
        for column in reversed(range(len(lines[number]))):
            client.change(uri, number, column, "", removed=1)
            await client.inline(uri, number, column)
        keys += len(lines[number]) + 1
    # What a client hears is not this measurement's business.
    client.heard.clear()
    client.answered.clear()
    client._waiting.clear()
    return keys


def back(client: Any, uri: str, line: int, column: int, *, newline: bool) -> dict[str, Any]:
    """A Backspace at the beginning of the next line."""
    client._versions[uri] += 1
    where = {"start": {"line": line, "character": column}, "end": {"line": line + 1, "character": 0}}
    document = {"uri": uri, "version": client._versions[uri]}
    return {"textDocument": document, "contentChanges": [{"range": where, "text": ""}]}


async def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Type, and look at the process after each pass."""
    from processes import descendants, resident

    from graft_testing.lsp import Client

    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("")
    source = Path(sysconfig.get_path("stdlib"))
    for name in MODULES:
        if (source / name).is_dir():
            shutil.copytree(source / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, project)
    (project / "typed.py").write_text("import textwrap\n")
    counts = folder / "counts.json"
    places = {f"GRAFT_{n}_DIR": str(folder / n.lower()) for n in ("CACHE", "DATA", "LOG")}
    env = {**places, "GRAFT_CONFIG": str(folder / "config.toml"), COUNTS: str(counts)}
    client = await Client.start([sys.executable, __file__, "--serve"], env=env)
    await client.initialize(project)
    uri = client.open(project / "typed.py")
    await client.inline(uri, 0, 0)
    await client.ready()
    pressed = 0
    keys: list[int] = []
    sizes: list[int] = []
    engine: list[int] = []
    inside: list[dict[str, int]] = []
    began = time.monotonic()
    while pressed < args.keys:
        seed = args.seed + (len(keys) if args.fresh else 0)
        pressed += await one_pass(client, uri, lines_of(project, seed, args.characters))
        await asyncio.sleep(1)
        keys.append(pressed)
        if args.inside:
            counts.unlink(missing_ok=True)
            client.process.send_signal(signal.SIGUSR1)
            inside.append(await asyncio.to_thread(appeared, counts))
        sizes.append(resident(client.process.pid))
        engine.append(sum(resident(p) for p, c in descendants(client.process.pid) if "graft_models.llama" in c))
        seconds = time.monotonic() - began
        print(
            f"{pressed} keys: {sizes[-1] / 1e6:.1f} and {engine[-1] / 1e6:.1f} MB, {seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    await client.stop()
    half = len(sizes) // 2
    figures: dict[str, Any] = {
        "keys": pressed,
        "server_mb": [round(size / 1e6, 1) for size in sizes],
        "growth_second_half_percent": round(100 * (sizes[-1] / sizes[half] - 1), 1),
        "kilobytes_per_1000_keys": round(slope(keys[half:], sizes[half:]), 1),
        "engine_mb": [round(size / 1e6, 1) for size in engine],
    }
    if inside:
        grown = {kind: inside[-1][kind] - inside[half].get(kind, 0) for kind in inside[-1]}
        figures["more_in_second_half"] = dict(collections.Counter(grown).most_common(args.kinds))
    return figures


def appeared(path: Path) -> dict[str, int]:
    """What a file says, as soon as it is there."""
    while not path.exists():
        time.sleep(0.1)
    found: dict[str, int] = json.loads(path.read_text())
    return found


def slope(keys: list[int], sizes: list[int]) -> float:
    """Kilobytes per 1,000 keys, a straight line through the points."""
    if len(keys) < 2:
        return 0.0
    return statistics.linear_regression([k / 1000 for k in keys], [s / 1000 for s in sizes]).slope


def main() -> int:
    """Measure, print JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--characters", type=int, default=600, help="characters that one pass types")
    parser.add_argument("--fresh", action="store_true", help="other lines in each pass")
    parser.add_argument("--inside", action="store_true", help="count the server's objects")
    parser.add_argument("--kinds", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve()
    with tempfile.TemporaryDirectory(prefix="graft-growth-") as folder:
        figures = asyncio.run(measure(args, Path(folder)))
    print(json.dumps(figures, indent=1))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
