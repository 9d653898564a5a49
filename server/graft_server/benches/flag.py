"""`graft bench flag`: alarms on working code, recall on planted faults, and fixes under random mutation.

Working code is the standard library and installed packages at the versions found; an alarm there is counted as false
unless it is listed as looked at.  Faults are planted on places that jedi resolves, so that an independent tool vouches
that the original was right and that the graph could have known.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft_server.benches import flag_changes, flag_edits, flag_hints
from graft_server.errors import UserError

if TYPE_CHECKING:
    from graft_indexer.graph import SymbolGraph


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Folders, sizes and the seed."""
    parser.add_argument(
        "--path", type=Path, action="append", help="folder of working code (standard library, packages)"
    )
    parser.add_argument("--files", type=int, default=0, help="check at most this many files of each folder (all)")
    parser.add_argument("--faults", type=int, default=200, help="planted faults (200)")
    parser.add_argument("--kinds", help="plant only these kinds of faults, comma-separated")
    parser.add_argument("--mutations", type=int, default=200, help="random mutations through check, fix, check (200)")
    parser.add_argument("--edits", type=int, default=0, help="random edits, findings compared with a whole check (0)")
    parser.add_argument("--timed", type=int, default=0, help="edits per file of about 1,000 lines, timed (0)")
    parser.add_argument(
        "--changes", type=int, default=0, help="changed definitions, with what they break elsewhere (0)"
    )
    parser.add_argument("--hints", type=int, default=0, help="functions to ask the model about (0)")
    parser.add_argument(
        "--hints-part", type=_slice, default=(1, 1), metavar="K/N", help="every N-th function, from the K-th on"
    )
    parser.add_argument("--hint-rows", type=Path, metavar="FILE", help="add what was seen of each function, JSON lines")
    parser.add_argument("--skip-alarms", action="store_true", help="do not look for alarms on working code")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print every alarm and every fault that was missed")
    parser.add_argument("--all-checks", action="store_true", help="also checks that are off by default")
    parser.add_argument("--site", type=Path, action="append", help="folder of the packages that the code imports")
    parser.add_argument("--slice", type=_slice, default=(1, 1), metavar="K/N", help="every N-th file, from the K-th on")
    parser.add_argument("--alarms", type=Path, metavar="FILE", help="write every alarm with its line, as JSON lines")
    parser.add_argument(
        "--trees", type=int, default=0, metavar="MB", help="keep the trees of so much text (1.5), twice that at most"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep copies and indexes here, for the next slice")


def _slice(text: str) -> tuple[int, int]:
    """`K/N` with 1 <= K <= N.  Raises ArgumentTypeError otherwise."""
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with 1 <= K <= N")
    return int(part), int(parts)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Flat figures: alarms per 10,000 lines (all, and per check), recall (all, and per kind), mutation results."""
    with tempfile.TemporaryDirectory(prefix="graft-flag-") as scratch:
        given = [p.resolve() for p in args.path or default_folders()]
        for folder in given:
            if not folder.is_dir():
                raise UserError(f"{folder}: no such folder")
        return _run(args, [copied(folder, (args.keep or Path(scratch)) / folder.name) for folder in given])


def copied(folder: Path, target: Path) -> Path:
    """A copy of a folder's Python files in a workspace of its own, without tests and nested environments.

    Returns the workspace: of a package the folder that holds it, because that is what its imports count from.
    """
    root = target if (folder / "__init__.py").is_file() else target / folder.name
    if (target / folder.name).is_dir():
        return root
    for file in folder.rglob("*.py*"):
        relative = file.relative_to(folder)
        if file.suffix in (".py", ".pyi") and file.is_file() and not _SKIPPED.intersection(relative.parts[:-1]):
            copy = target / folder.name / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return root


def _run(args: argparse.Namespace, folders: list[Path]) -> dict[str, Any]:
    from graft_indexer.memo import MOST_ENTRIES
    from graft_indexer.pygraph import open_graph

    random_ = random.Random(args.seed)
    figures: dict[str, Any] = {"folders": ", ".join(p.name for p in folders)}
    alarms: Counter[str] = Counter()
    lines = files = 0
    spent = 0.0
    slow: list[float] = []
    sample: list[tuple[Path, str]] = []
    graphs: dict[Path, SymbolGraph] = {}
    for folder in folders:
        index = args.keep / "index" if args.keep else None
        opened = open_graph(folder, index_dir=index, python_paths=args.site)
        if args.trees:
            opened.world.kept_bytes = args.trees * 1_000_000
            opened.world.memo.most_entries = args.trees * MOST_ENTRIES
        graph: SymbolGraph = opened
        graphs[folder] = graph
        chosen = [p for p in graph.paths() if p.endswith(".py")]
        random_.shuffle(chosen)
        chosen = chosen[args.slice[0] - 1 :: args.slice[1]]
        for path in chosen[: args.files or None]:
            text = graph.text(path)
            if text is None:
                continue
            count = text.count("\n") + 1
            if args.skip_alarms:
                sample.append((folder, path))
                continue
            began = time.process_time()
            found = check(graph, path, all_checks=args.all_checks)
            took = time.process_time() - began
            spent += took
            files, lines = files + 1, lines + count
            sample.append((folder, path))
            if 900 <= count <= 1100:
                slow.append(took * 1000)
            for code, line, message in found:
                alarms[code] += 1
                if args.show:
                    print(f"{folder.name}/{path}:{line}: {message} [{code}]", file=sys.stderr)
                if args.alarms:
                    entry = {"path": f"{folder.name}/{path}", "line": line, "code": code, "message": message}
                    with args.alarms.open("a", encoding="utf-8") as out:
                        out.write(json.dumps(entry | {"text": text.split("\n")[line - 1].strip()[:200]}) + "\n")
    figures |= {"files_checked": files, "lines_checked": lines, "check_cpu_s": round(spent, 2)}
    if slow:
        slow.sort()
        figures["thousand_line_file_p50_ms"] = slow[len(slow) // 2]
        figures["thousand_line_file_p95_ms"] = slow[int(len(slow) * 0.95)]
    figures["alarms"] = sum(alarms.values())
    per = 10_000 / max(lines, 1)
    figures["alarms_per_10k_lines"] = sum(alarms.values()) * per
    for code, number in sorted(alarms.items()):
        figures[f"alarms_{code}_per_10k_lines"] = number * per
    if args.faults:
        figures |= recall(graphs, sample, args.faults, random_, kinds=_kinds(args.kinds), show=args.show)
    if args.mutations:
        figures |= mutations(graphs, sample, args.mutations, random_, show=args.show)
    if args.hints:
        asked = [folder / path for folder, path in sample]
        figures |= flag_hints.measured(
            asked, args.hints, random.Random(args.seed), part=args.hints_part, rows=args.hint_rows, show=args.show
        )
    for folder, graph in graphs.items():
        paths = [p for f, p in sample if f == folder]
        if args.timed:
            figures |= _named(folder, flag_edits.timed(graph, paths, args.timed, random_))
        if args.edits:
            figures |= _named(folder, flag_edits.compared(graph, paths, args.edits, random_, show=args.show))
        if args.changes:
            figures |= _named(folder, flag_changes.changed(graph, paths, args.changes, random_, show=args.show))
        graph.close()
    return figures


def _named(folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
    return {f"{folder.name}_{name}": value for name, value in figures.items()}


def default_folders() -> list[Path]:
    """The standard library and the environment's packages."""
    return [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]


_SKIPPED = {"site-packages", "dist-packages", "lib2to3", "idlelib", "test", "tests", "__pycache__", "node_modules"}


def check(graph: SymbolGraph, path: str, *, all_checks: bool = False) -> list[tuple[str, int, str]]:
    """(code, line, message) of every finding in a file."""
    from graft_indexer.text import Lines
    from graft_server.diagnosis.registry import CODES, enabled
    from graft_server.diagnosis.run import run_checks

    found = run_checks(graph, path, enabled(also=CODES if all_checks else ()))
    if not found:
        return []
    lines = Lines.of(graph.text(path) or "")
    return [(d.code, lines.line_at(d.span.start) + 1, d.message) for d in found]


def recall(
    graphs: dict[Path, SymbolGraph],
    sample: list[tuple[Path, str]],
    number: int,
    random_: random.Random,
    *,
    kinds: Sequence[str] = (),
    show: bool,
) -> dict[str, Any]:
    """Share of planted faults that are flagged at their place."""
    from graft_server.benches.faults import KINDS, plant

    found: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    for folder, path in _endless(sample, random_, number * 20):
        if sum(planted.values()) >= number:
            break
        graph = graphs[folder]
        for fault in plant(folder, path, graph.text(path) or "", random_, planted, kinds or KINDS):
            planted[fault.kind] += 1
            graph.open_buffer(path, fault.text)
            hits = [
                d for d in _diagnose(graph, path) if d.span.start <= fault.span.end and fault.span.start <= d.span.end
            ]
            graph.close_buffer(path)
            found[fault.kind] += bool(hits)
            if show:
                print(
                    f"{'found' if hits else 'missed'} {fault.kind}: {folder.name}/{path}: {fault.what}", file=sys.stderr
                )
            if sum(planted.values()) >= number:
                break
    figures: dict[str, Any] = {"faults_planted": sum(planted.values())}
    figures["recall_share"] = sum(found.values()) / max(1, sum(planted.values()))
    for kind in sorted(planted):
        figures[f"recall_{kind}_share"] = found[kind] / planted[kind]
        figures[f"faults_{kind}"] = planted[kind]
    return figures


def _kinds(text: str | None) -> tuple[str, ...]:
    """Kinds of faults by name.  Raises UserError for one that there is not."""
    from graft_server.benches.faults import KINDS

    given = tuple(k.strip() for k in (text or "").split(",") if k.strip())
    for kind in given:
        if kind not in KINDS:
            raise UserError(f"no kind of fault is called {kind!r}; there are {', '.join(KINDS)}")
    return given


def mutations(
    graphs: dict[Path, SymbolGraph],
    sample: list[tuple[Path, str]],
    number: int,
    random_: random.Random,
    *,
    show: bool,
) -> dict[str, Any]:
    """Random edits of real files, each through check, every fix, and check again."""
    import ast

    from graft_server.benches.faults import mutate
    from graft_server.edits import apply_edits
    from graft_server.repair.candidates import fixes

    tried = parsed = findings = offered = broken = new = crashes = 0
    for folder, path in _endless(sample, random_, number * 3):
        if tried >= number:
            break
        graph = graphs[folder]
        text = graph.text(path)
        mutated = mutate(text, random_) if text and len(text) < 120_000 else None
        if mutated is None:
            continue
        tried += 1
        try:
            graph.open_buffer(path, mutated)
            before = _diagnose(graph, path)
            keys = Counter((d.code, d.names) for d in before)
            parsed += _parses(mutated)
            for diagnostic in before[:3]:
                findings += 1
                for fix in fixes(graph, diagnostic):
                    offered += 1
                    after_text = apply_edits(mutated, [e for e in fix.edits if e.path == path])
                    try:
                        ast.parse(after_text)
                    except SyntaxError:
                        broken += 1
                        continue
                    graph.open_buffer(path, after_text)
                    after = Counter((d.code, d.names) for d in _diagnose(graph, path))
                    if after - keys or after.total() >= keys.total():
                        new += 1
                        if show:
                            print(f"bad fix {fix.title} of {diagnostic.message} in {path}", file=sys.stderr)
                    graph.open_buffer(path, mutated)
        except Exception as error:
            crashes += 1
            print(f"crash on {folder.name}/{path}: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            graph.close_buffer(path)
    return {
        "mutations_tried": tried,
        "mutations_that_parse": parsed,
        "mutation_findings": findings,
        "mutation_fixes": offered,
        "fixes_that_do_not_parse": broken,
        "fixes_that_bring_new_findings": new,
        "mutation_crashes": crashes,
    }


def _diagnose(graph: SymbolGraph, path: str) -> list[Any]:
    from graft_server.diagnosis.run import diagnose

    return list(diagnose(graph, path))


def _parses(text: str) -> bool:
    from graft_server.diagnosis.source import parse

    return parse(text) is not None


def _endless(sample: list[tuple[Path, str]], random_: random.Random, limit: int) -> Iterator[tuple[Path, str]]:
    for _ in range(limit if sample else 0):
        yield random_.choice(sample)
