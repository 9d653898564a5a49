"""`graft complete`: one completion at FILE:LINE:COL, or many from a file, through the same pipeline as the editor's."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from graft_server.errors import UserError

if TYPE_CHECKING:
    from graft_models.engine import Engine
    from graft_server.completion.model import Completion, Mode
    from graft_server.completion.pipeline import Pipeline
    from graft_server.settings import Settings
    from graft_server.workspace import GraphThread

MODES = ("auto", "line", "block", "span")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the subcommand."""
    parser.add_argument("place", nargs="?", metavar="FILE:LINE:COL", help="where; lines and columns are counted from 1")
    parser.add_argument("--root", type=Path, help="workspace (default: the project that holds FILE)")
    parser.add_argument("--n", type=int, default=1, metavar="N", help="how many candidates (default 1)")
    parser.add_argument("--explain", action="store_true", help="what the model saw, what it cost, what was checked")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--model", type=Path, metavar="GGUF", help="use this model for once")
    parser.add_argument("--no-model", action="store_true", help="answer from the graph alone")
    parser.add_argument("--batch", type=Path, metavar="IN.jsonl", help="complete every line of a file")
    parser.add_argument("--out", type=Path, metavar="OUT.jsonl", help="where the answers of --batch go")


def run(args: argparse.Namespace) -> int:
    """Run it; raises UserError for bad input."""
    import asyncio

    from graft_indexer.text import Lines, decode

    if args.batch is not None:
        if args.place or args.out is None or args.root is None:
            raise UserError("--batch needs --root DIR and --out OUT.jsonl, and no FILE:LINE:COL")
        items = list(read_batch(args.batch))
        root = _root_of(args.root, Path())
        with args.out.open("w", encoding="utf-8") as out:
            return asyncio.run(_batch(args, root, items, out))
    if not args.place:
        raise UserError("say where: FILE:LINE:COL, or --batch IN.jsonl")
    if args.n < 1 or args.n > 16:
        raise UserError("--n must be between 1 and 16")
    file, line, column = parse_place(args.place)
    root = _root_of(args.root, file)
    if file.exists() and not file.is_file():
        raise UserError(f"{file} is no file")
    try:
        text = decode(file.read_bytes()).text
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    offset = offset_of(Lines.of(text), file, line, column)
    return asyncio.run(_single(args, root, relative_to(file, root), text, offset))


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One line of the batch: `prefix` + `suffix` stand for the text of `path`."""

    id: Any
    path: str
    prefix: str
    suffix: str
    mode: Mode
    max_tokens: int | None


def read_batch(path: Path) -> Iterator[BatchItem]:
    """The items of a batch file.  Raises UserError with the line's number for anything that does not fit."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}:{number}: not JSON: {error}") from error
        if not isinstance(value, dict) or "id" not in value:
            raise UserError(f"{path}:{number}: each line must be an object with id, prefix and suffix")
        prefix, suffix = value.get("prefix"), value.get("suffix")
        if not isinstance(prefix, str) or not isinstance(suffix, str):
            raise UserError(f"{path}:{number}: prefix and suffix must be strings")
        mode, most = value.get("mode") or "line", value.get("max_tokens")
        if mode not in MODES:
            raise UserError(f"{path}:{number}: mode must be one of {', '.join(MODES)}, not {mode!r}")
        if most is not None and (not isinstance(most, int) or most < 1):
            raise UserError(f"{path}:{number}: max_tokens must be a positive number")
        name = value.get("path") or "untitled.py"
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"{path}:{number}: path must be relative to --root")
        yield BatchItem(value["id"], Path(name).as_posix(), prefix, suffix, cast("Mode", mode), most)


@dataclass(slots=True)
class Workbench:
    """A pipeline with its graph and engine, for commands without an editor."""

    pipeline: Pipeline
    graph: GraphThread
    engine: Engine | None
    settings: Settings
    message: str

    async def close(self) -> None:
        """End the engine, close the graph."""
        if self.engine is not None:
            await self.engine.close()
        self.graph.close()


def existing(model: Path) -> str:
    """The absolute path of a model file.  Raises UserError if there is none."""
    if not model.is_file():
        raise UserError(f"no such model file: {model}")
    return str(model.absolute())


async def open_workbench(root: Path, *, model: Path | None = None, no_model: bool = False) -> Workbench:
    """Index `root`, start the engine that the settings ask for.  Without a model, `message` says why."""
    import asyncio

    from graft_server import engines, paths, settings
    from graft_server.completion.pipeline import Pipeline
    from graft_server.session import graph_thread, open_graph
    from graft_server.workspace import ClosedError

    command_line: dict[str, Any] = {}
    if no_model:
        command_line["model.enable"] = False
    if model is not None:
        command_line["model.path"] = existing(model)
    values, messages = settings.load(root, paths.config_file(), command_line=command_line)
    for message in messages:
        print(f"graft complete: {message}", file=sys.stderr)
    graph = graph_thread(open_graph, str(root), values)
    engine, status = engines.choose(values)
    if engine is not None:
        status = await engine.start()
    # The graph opens on its thread; a first question waits for it.
    try:
        await asyncio.wrap_future(graph.submit(lambda g: None))
    except ClosedError as error:
        if engine is not None:
            await engine.close()
        raise UserError(str(error)) from error
    pipeline = Pipeline(graph, lambda: engine, lambda: values, root=str(root), repository=root.name, patient=True)
    return Workbench(pipeline, graph, engine, values, "" if status.state == "ready" else status.message)


async def _single(args: argparse.Namespace, root: Path, path: str, text: str, offset: int) -> int:
    import asyncio

    from graft_indexer.text import Lines
    from graft_server.completion import provenance
    from graft_server.completion.explain import explain
    from graft_server.completion.model import Snapshot

    bench = await open_workbench(root, model=args.model, no_model=args.no_model)
    try:
        bench.graph.sync(path, text)
        snapshot = Snapshot(path, text, offset, language=language_of(path), manual=True)
        found = await bench.pipeline.complete(snapshot, args.n)
        before = text.encode("utf-8", "surrogateescape")[:offset].decode("utf-8", "surrogateescape")
        wanted = found if args.explain or args.json else []
        repeated = [await provenance.notes(bench.graph, path, before, c.text) for c in wanted]
        facts = await asyncio.wrap_future(bench.graph.submit(lambda graph: graph.facts(path)))
    finally:
        await bench.close()
    if bench.message:
        print(f"graft complete: {bench.message}", file=sys.stderr)
    if args.json:
        lines = Lines.of(text)
        told = [
            as_json(c, lines) | {"repeats": [dataclasses.asdict(n) for n in notes]}
            for c, notes in zip(found, repeated, strict=True)
        ]
        print(json.dumps({"completions": told}, ensure_ascii=False))
    else:
        for number, completion in enumerate(found):
            if completion.shown or args.explain:
                print(completion.text)
            if args.explain:
                print(explain(completion, repeated[number]))
    if any(c.shown for c in found):
        return 0
    if bench.message and args.model is not None:
        return 1  # The model that was asked for does not run: that is said above, and why there is nothing.
    if not args.json and not args.explain:
        unread = facts.truncated if facts is not None else ""
        why = f": the file was not read ({unread})" if unread else " (--explain says why)"
        print(f"graft complete: nothing to suggest here{why}", file=sys.stderr)
    return 0


def _root_of(root: Path | None, file: Path) -> Path:
    """The workspace: as given, or the project that holds `file`, or its folder."""
    from graft_server.workspace import project_root

    near = file.resolve()  # without "..", which would find the folder the file is reached from
    chosen = (root or Path(project_root(str(near)) or near.parent)).resolve()
    if not chosen.is_dir():
        raise UserError(f"no such folder: {chosen}")
    return chosen


def relative_to(file: Path, root: Path) -> str:
    """`file` relative to `root`, with `/`."""
    try:
        return file.resolve().relative_to(root).as_posix()
    except ValueError as error:
        raise UserError(f"{file} is not below {root}") from error


def language_of(path: str) -> str:
    """The editor's name of a file's language, by its name; Python where nothing is known."""
    from graft_indexer import embedded, syntax

    if embedded.has_view(path):
        return "plaintext"  # most of it is
    return syntax.language_of(path) or ("python" if path.endswith(".py") else "plaintext")


def parse_place(place: str) -> tuple[Path, int, int]:
    """FILE:LINE:COL as (file, line, column), both from 1.  Raises UserError."""
    name, _, rest = place.rpartition(":")
    name, _, line = name.rpartition(":")
    if not name or not line.isdigit() or not rest.isdigit() or int(line) < 1 or int(rest) < 1:
        raise UserError(f"{place!r} is not FILE:LINE:COL (lines and columns are counted from 1)")
    return Path(name), int(line), int(rest)


def offset_of(lines: Any, file: Path, line: int, column: int) -> int:
    """Byte offset of a 1-based place.  Raises UserError for one past the end."""
    if line > len(lines):
        raise UserError(f"{file} has {len(lines)} lines; there is no line {line}")
    end = lines.end_of(line - 1)
    width = lines.position(end, "utf-32")[1]
    if column > width + 1:
        raise UserError(f"line {line} of {file} has {width} characters; there is no column {column}")
    offset: int = lines.offset(line - 1, column - 1, "utf-32")
    return offset


async def _batch(args: argparse.Namespace, root: Path, items: Sequence[BatchItem], out: TextIO) -> int:
    bench = await open_workbench(root, model=args.model, no_model=args.no_model)
    if bench.message:
        print(f"graft complete: {bench.message}", file=sys.stderr)
    started = time.perf_counter()
    try:
        for done, item in enumerate(items, 1):
            out.write(json.dumps(await complete_item(bench, item), ensure_ascii=False) + "\n")
            out.flush()
            if sys.stderr.isatty():
                print(f"\r{done}/{len(items)}", end="", file=sys.stderr, flush=True)
    finally:
        await bench.close()
    seconds = time.perf_counter() - started
    print(f"{len(items)} completions in {seconds:.1f} s", file=sys.stderr)
    return 0


async def complete_item(bench: Workbench, item: BatchItem) -> dict[str, Any]:
    """One answer of the batch.  The item's text shadows the stored facts and text of its path before any question, and
    until the answer is there: what lies on disk may hold the solution."""
    from graft_indexer.text import encode
    from graft_server.completion.model import Snapshot

    text = item.prefix + item.suffix
    bench.graph.sync(item.path, text)
    snapshot = Snapshot(
        item.path,
        text,
        len(encode(item.prefix)),
        language=language_of(item.path),
        mode=item.mode,
        max_tokens=item.max_tokens,
    )
    started = time.perf_counter()
    found = await bench.pipeline.complete(snapshot, force=True)
    milliseconds = (time.perf_counter() - started) * 1000
    bench.pipeline.forget(item.path)
    bench.graph.sync(item.path, None)
    best = found[0] if found else None
    usage = next((c.usage for c in found if c.usage.prompt), None)
    return {
        "id": item.id,
        "text": best.text if best is not None else "",
        "score": _finite(best.score) if best is not None else 0.0,
        "shown": best.shown if best is not None else False,
        "gates": [{"gate": v.gate, "passed": v.passed, "detail": v.detail} for v in (best.gates if best else ())],
        "source": best.source if best is not None else "",
        "tokens": {
            "prompt": usage.prompt if usage else 0,
            "evaluated": usage.evaluated if usage else 0,
            "generated": usage.generated if usage else 0,
        },
        "ms": round(milliseconds, 2),
    }


def as_json(completion: Completion, lines: Any) -> dict[str, Any]:
    """A completion for `--json`."""
    line, start = lines.position(completion.start, "utf-32")
    end = lines.position(completion.end, "utf-32")[1]
    return {
        "text": completion.text,
        "shown": completion.shown,
        "source": completion.source,
        "score": _finite(completion.score),
        "replace": {"line": line + 1, "column": start + 1, "end_column": end + 1, "text": completion.insert},
        "gates": [{"gate": v.gate, "passed": v.passed, "detail": v.detail} for v in completion.gates],
        "parts": [{"path": p.path, "kind": p.kind, "value": p.value, "text": p.text} for p in completion.parts],
        "counted": list(completion.counted),
        "tokens": {
            "prompt": completion.usage.prompt,
            "evaluated": completion.usage.evaluated,
            "generated": completion.usage.generated,
        },
        "ms": round(completion.milliseconds, 2),
    }


def _finite(value: float) -> float:
    return round(value, 4) if math.isfinite(value) else 0.0
