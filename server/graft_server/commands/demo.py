"""`graft demo`: a tour on real code, in a copy: index, complete, a planted bug found and mended, and a failing test.

The code is Graft's own three packages and the standard library's `json` and `http`, copied into a temporary folder.
Nothing of yours is read or written.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import functools
import importlib.util
import shutil
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graft_indexer.graph import SymbolGraph
    from graft_server.completion.model import Completion

PACKAGES = ("graft_indexer", "graft_models", "graft_server", "json", "http")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A real cursor: in `path`, what follows `before` (first occurrence after `after`) on its line is taken out."""

    path: str
    after: str
    before: str
    why: str


CURSORS = (
    Cursor("http/client.py", "def _read_status", "raise BadStatusLine", "the arguments of an exception"),
    Cursor("graft_server/session.py", "class ", "async def _watch_engine", "the head of a method"),
    Cursor(
        "graft_server/edits.py",
        "from dataclasses",
        "from graft_indexer.text import ",
        "a name that another module defines",
    ),
)


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug that the demo plants: `old` becomes `new` in `path`."""

    path: str
    old: str
    new: str
    what: str


BUG = Plant(
    "graft_server/edits.py",
    "pieces.append(data[at:])",
    "pieces.append(daat[at:])",
    "a misspelt name",
)
KEYWORD = Plant(
    "graft_server/settings.py",
    "merge(layers)\n    return settings",
    "merge(layers, strict=True)\n    return settings",
    "a keyword that the function does not have",
)
TESTED = Plant(
    "graft_server/edits.py",
    "edit.end < edit.start",
    "edit.end > edit.start",
    "a wrong comparison, which no graph can disprove but a test can",
)
TEST = """
import unittest

from graft_server.edits import Edit, apply_edits


class Edits(unittest.TestCase):
    def test_replacing(self):
        self.assertEqual(apply_edits("hello world", [Edit("a", 0, 5, "goodbye")]), "goodbye world")

    def test_inserting(self):
        self.assertEqual(apply_edits("ac", [Edit("a", 1, 1, "b")]), "abc")

    def test_edits_that_end_before_they_start_are_refused(self):
        with self.assertRaises(ValueError):
            apply_edits("abc", [Edit("a", 2, 1, "")])
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--no-model, --no-repair."""
    parser.add_argument("--no-model", action="store_true", help="the symbol graph alone")
    parser.add_argument("--no-repair", action="store_true", help="leave out the repair against a test")


def run(args: argparse.Namespace) -> int:
    """The tour; exit status 1 if a step did not do what it announced."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="graft-demo-") as folder:
        root = Path(folder).resolve()
        copied = copy_packages(root)
        say(f"A copy of {', '.join(PACKAGES)} ({copied} files) lies in {root}.", "")
        ok = asyncio.run(tour(root, model=not args.no_model))
        if not args.no_repair:
            ok = repair(root) and ok
    say("", f"The tour took {time.perf_counter() - started:.1f} s. The copy is gone; nothing was sent anywhere.")
    say("Next: `graft check PATH`, `graft complete FILE:LINE:COL --explain`, or your editor (README.md).")
    return 0 if ok else 1


def say(*lines: str) -> None:
    """Print lines at once."""
    for line in lines:
        print(line, flush=True)


def heading(number: int, text: str) -> None:
    """A step's heading."""
    say("", f"{number}. {text}", "   " + "-" * len(text))


def copy_packages(root: Path) -> int:
    """Copy the packages' Python files below `root`; returns how many."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError(f"package {name} has no folder")
        source = Path(next(iter(spec.submodule_search_locations)))
        shutil.copytree(source, root / name, ignore=lambda d, names: [n for n in names if not _wanted(Path(d) / n)])
    return sum(1 for _ in root.rglob("*.py"))


def _wanted(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")


async def tour(root: Path, *, model: bool) -> bool:
    """Index, complete, check and fix."""
    from graft_indexer.pygraph import open_graph
    from graft_server.completion.pipeline import Pipeline
    from graft_server.engines import choose
    from graft_server.settings import Settings
    from graft_server.workspace import GraphThread

    settings = Settings(model_enable=model)
    heading(1, "The index")
    started = time.perf_counter()
    thread = GraphThread(str(root), lambda: open_graph(root))
    try:
        paths, definitions = await asyncio.wrap_future(thread.submit(_count))
        say(f"   {paths} files, {definitions} definitions, in {time.perf_counter() - started:.2f} s")

        heading(2, "Three completions at real cursors")
        engine, status = choose(settings)
        if engine is not None:
            started = time.perf_counter()
            status = await engine.start()
            info = status.model
            if status.state == "ready" and info is not None:
                say(
                    f"   Model: {info.name}, {info.parameters / 1e6:.1f} million parameters,"
                    f" {info.size_bytes / 1e6:.0f} MB, loaded in {time.perf_counter() - started:.2f} s.",
                    "   It is a small model of our own: it says little, and what it says was checked.",
                )
        if status.state != "ready":
            say(f"   Without a model: {status.message}. Suggestions come from the graph alone.")
        pipeline = Pipeline(thread, lambda: engine, lambda: settings, root=str(root), repository="demo")
        for cursor in CURSORS:
            await complete(root, cursor, pipeline, thread)
        if engine is not None:
            await engine.close()

        heading(3, "Two bugs, planted by this demo, found and mended by the graph")
        found = [
            await asyncio.wrap_future(thread.submit(functools.partial(mend, root, plant))) for plant in (BUG, KEYWORD)
        ]
        return all(found)
    finally:
        thread.close()


def _count(graph: SymbolGraph) -> tuple[int, int]:
    paths = graph.paths()
    facts = [graph.facts(p) for p in paths]
    return len(paths), sum(len(f.definitions) for f in facts if f is not None)


async def complete(root: Path, cursor: Cursor, pipeline: object, thread: object) -> None:
    """Show one completion: what stands there, what the model saw, what would be shown."""
    from graft_server.completion.model import Snapshot
    from graft_server.completion.pipeline import Pipeline
    from graft_server.workspace import GraphThread

    assert isinstance(pipeline, Pipeline) and isinstance(thread, GraphThread)
    text = (root / cursor.path).read_text("utf-8")
    at = text.find(cursor.before, text.find(cursor.after))
    if at < 0:
        say(f"   {cursor.path}: this Python's version of the file has no such place; left out")
        return
    at += len(cursor.before)
    end = text.find("\n", at)
    truth, shortened = text[at:end], text[:at] + text[end:]
    thread.sync(cursor.path, shortened)
    started = time.perf_counter()
    snapshot = Snapshot(cursor.path, shortened, len(shortened[:at].encode()), manual=True)
    completions = await pipeline.complete(snapshot)
    took = (time.perf_counter() - started) * 1000
    thread.sync(cursor.path, None)
    line = text.count("\n", 0, at) + 1
    say("", f"   {cursor.path}:{line} - {cursor.why}", f"     {text[text.rfind(chr(10), 0, at) + 1 : at].lstrip()}|")
    best = next((c for c in completions if c.shown), completions[0] if completions else None)
    if best is None:
        say(f"     nothing to say ({took:.0f} ms)")
        return
    describe(best, truth, took)


def describe(best: Completion, truth: str, took: float) -> None:
    """What was suggested, from what, checked how."""
    shown = "shown" if best.shown else "kept back"
    first = best.text.split("\n", 1)[0]
    say(f"     {shown}: {first!r} from the {best.source}, {took:.0f} ms; the file says {truth!r}")
    parts = ", ".join(f"{kind} of {path} ({tokens} tokens)" for kind, path, tokens in best.usage.parts[:4])
    if best.usage.prompt:
        say(f"     the model saw {best.usage.prompt} tokens" + (f", with {parts}" if parts else ""))
    last = {v.gate: v for v in best.gates}.values()  # a text that was cut back is checked again
    verdicts = ", ".join(f"{v.gate}{'' if v.passed else ' NO: ' + v.detail}" for v in last)
    if verdicts:
        say(f"     checked: {verdicts}")


def mend(root: Path, plant: Plant, graph: SymbolGraph) -> bool:
    """Plant a bug, find it, fix it, and say what was verified; False if it was not found."""
    from graft_server.diagnosis.run import diagnose
    from graft_server.edits import apply_edits
    from graft_server.repair.candidates import fixes
    from graft_server.settings import Settings

    file = root / plant.path
    clean = file.read_text("utf-8")
    if plant.old not in clean:
        say(f"   {plant.path}: no place for {plant.what}; left out")
        return True
    planted = clean.replace(plant.old, plant.new, 1)
    graph.open_buffer(plant.path, planted)
    try:
        say("", f"   Planted in {plant.path}: {plant.what}: {plant.new.splitlines()[0]!r}")
        started = time.perf_counter()
        found = diagnose(graph, plant.path, Settings())
        took = (time.perf_counter() - started) * 1000
        for diagnostic in found:
            line = planted.encode()[: diagnostic.span.start].count(b"\n") + 1
            say(f"     found in {took:.0f} ms: line {line}: {diagnostic.message} [{diagnostic.code}]")
        if not found:
            say("     NOT FOUND")
            return False
        started = time.perf_counter()
        offered = fixes(graph, found[0])
        took = (time.perf_counter() - started) * 1000
        if not offered:
            say("     no fix could be verified")
            return False
        say(f"     offered in {took:.0f} ms: {offered[0].title}")
        mended = apply_edits(planted, [e for e in offered[0].edits if e.path == plant.path])
        print_diff(planted, mended, plant.path)
        return True
    finally:
        graph.close_buffer(plant.path)


def print_diff(before: str, after: str, path: str) -> None:
    """A unified diff without context."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, lineterm="", n=0)
    for line in list(lines)[2:]:
        if not line.startswith("@@"):
            say(f"       {line}")


def repair(root: Path) -> bool:
    """Plant a bug that only a test can see, and let `graft repair` mend it."""
    from graft_server.cli import main

    heading(4, "A failing test, mended by `graft repair`")
    file = root / TESTED.path
    clean = file.read_text("utf-8")
    if TESTED.old not in clean:
        say(f"   {TESTED.path}: no place for the bug; left out")
        return True
    file.write_text(clean.replace(TESTED.old, TESTED.new, 1), "utf-8")
    (root / "test_edits.py").write_text(textwrap.dedent(TEST), "utf-8")
    say(f"   Planted in {TESTED.path}: {TESTED.what}: {TESTED.new!r}", "")
    started = time.perf_counter()
    command = f"{sys.executable} -m unittest test_edits"
    status = main(
        ["repair", "--test", command, "--root", str(root), "--files", "graft_server/edits.py", "--budget", "60"]
    )
    say(f"   took {time.perf_counter() - started:.1f} s")
    return status == 0
