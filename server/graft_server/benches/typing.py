"""`graft bench typing`: tokens and milliseconds per keystroke over a replayed session, several arms on one model."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from graft_server.benches.typing_session import Moment, session
from graft_server.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, file, and the llama-server to compare with."""
    parser.add_argument("--model", type=Path, metavar="GGUF", help="the model (default: the one that comes with Graft)")
    parser.add_argument("--file", type=Path, help="a Python file of some 400 lines (default: the library's textwrap)")
    parser.add_argument("--other", type=Path, help="the file that is visited (default: the library's statistics)")
    parser.add_argument("--llama-server", type=Path, metavar="PROGRAM", help="also run the arms against this program")
    parser.add_argument("--keys", type=int, default=0, help="stop after this many keystrokes (0: all)")
    parser.add_argument("--lines", type=int, default=40, help="type a function of about so many lines")
    parser.add_argument("--interval-ms", type=int, default=120, help="time between keys, for reading ahead")
    parser.add_argument("--no-read-ahead", action="store_true", help="do not read the next hole between keys")
    parser.add_argument("--tokens", type=int, default=8, help="tokens to generate per keystroke")
    parser.add_argument("--budget", type=int, default=0, help="prompt tokens (0: what the model's context holds)")
    parser.add_argument("--threads", type=int, default=0, help="threads, the same for all arms")
    parser.add_argument("--only-graft", action="store_true", help="leave out llama.vim's layout in Graft's engine")
    parser.add_argument("--cancels", type=int, default=0, metavar="N", help="also cancel N requests and time it")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Per arm a dictionary of figures; beside them ratios between the arms."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> dict[str, Any]:
    from graft_models.catalog import embedded_model
    from graft_models.client import LlamaEngine
    from graft_models.machine import default_threads
    from graft_server.benches import typing_arms as arms
    from graft_server.benches.typing_limits import cancels

    model = args.model or embedded_model()
    if model is None:
        raise UserError("there is no embedded model in this build; name one with --model")
    file = args.file or Path(textwrap.__file__)
    other = args.other or Path(statistics.__file__)
    try:
        text, other_text = file.read_text("utf-8"), other.read_text("utf-8")
        moments = list(session(file.name, text, other.name, other_text, args.lines))
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
        raise UserError(f"cannot replay {file}: {error}") from None
    if args.keys:
        moments = moments[: args.keys]
    figures: dict[str, Any] = {"keystrokes": len(moments), "keys": dict(Counter(m.key for m in moments))}
    figures |= {"file": file.name, "file_lines": text.count("\n"), "interval_ms": args.interval_ms}
    engine = LlamaEngine(model, threads=args.threads)
    try:
        status = await engine.start()
        if status.model is None or status.state != "ready":
            raise UserError(status.message)
        figures |= {"model": status.model.name, "parameters": status.model.parameters}
        ours = arms.Graft(engine, args.tokens, args.budget, ahead=not args.no_read_ahead)
        try:
            figures["graft"] = await replay(ours, moments, args.interval_ms / 1000)
        finally:
            await ours.close()
        read_ahead = int((await engine.stats())["background"])
        figures["graft"]["read_ahead_total"] = read_ahead
        figures["graft"]["evaluated_total"] += read_ahead
        if not args.only_graft and not args.llama_server:
            figures["vim_layout"] = await replay(arms.VimLayout(engine, args.tokens, args.budget), moments)
        if args.cancels:
            figures |= await cancels(engine, text, args.cancels)
        form = arms.format_named(status.model.format)
        context = status.model.context_length
    finally:
        await engine.close()
    if args.llama_server:
        threads = args.threads or default_threads()
        for name, infill in (("llama_server_infill", True), ("llama_server_anchored", False)):
            with arms.llama_server(args.llama_server, model, threads, context) as port:
                graft = arms.Graft(engine, args.tokens, args.budget)
                arm = arms.LlamaServer(port, args.tokens, form, infill, graft, context)
                figures[name] = await replay(arm, moments)
    for name in ("vim_layout", "llama_server_infill", "llama_server_anchored"):
        if name in figures:
            theirs, mine = figures[name], figures["graft"]
            figures[f"evaluated_total_to_{name}_ratio"] = mine["evaluated_total"] / max(1, theirs["evaluated_total"])
            figures[f"prompt_ms_p50_to_{name}_ratio"] = mine["prompt_ms_p50"] / max(1e-9, theirs["prompt_ms_p50"])
            figures[f"total_ms_p50_to_{name}_ratio"] = mine["total_ms_p50"] / max(1e-9, theirs["total_ms_p50"])
    return figures


async def replay(arm: Any, moments: list[Moment], interval: float = 0.0) -> dict[str, Any]:
    """Ask after every keystroke, `interval` seconds apart where an arm has something to do meanwhile.

    The first request of the session reads the whole prompt and is counted too.
    """
    readings = []
    for moment in moments:
        readings.append(await arm.ask(moment))
        await arm.pause(interval)
    evaluated = sorted(r.evaluated for r in readings)
    prompt_ms = sorted(r.prompt_ms for r in readings)
    total_ms = sorted(r.total_ms for r in readings)
    ordinary = sum(1 for r in readings if r.evaluated * 10 < r.prompt)
    dearest = sorted(zip((r.evaluated for r in readings), (m.key for m in moments), strict=True), reverse=True)
    return {
        "evaluated_p50": _at(evaluated, 0.5),
        "evaluated_p95": _at(evaluated, 0.95),
        "evaluated_total": sum(evaluated),
        "prompt_p50": _at(sorted(r.prompt for r in readings), 0.5),
        "prompt_ms_p50": _at(prompt_ms, 0.5),
        "prompt_ms_p95": _at(prompt_ms, 0.95),
        "generate_ms_p50": _at(sorted(r.generate_ms for r in readings), 0.5),
        "prompt_ms_total": sum(prompt_ms),
        "generate_ms_total": sum(r.generate_ms for r in readings),
        "total_ms_total": sum(total_ms),
        "total_ms_p50": _at(total_ms, 0.5),
        "total_ms_p95": _at(total_ms, 0.95),
        "generated": sum(r.generated for r in readings),
        "under_a_tenth_share": ordinary / max(1, len(readings)),
        "dearest": [f"{key} {count}" for count, key in itertools.islice(dearest, 8)],
    }


def _at(ordered: list[Any], share: float) -> Any:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0
