"""Hints of the model on functions it was not trained on: false alarms as they are, and with one rewrite injected."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graft_indexer.rewrites import Rewrite
    from graft_models.engine import Engine
    from graft_server.diagnosis.model_hints import Doubt

_LINES = (3, 25)
"""Functions of so many lines are taken."""
_PER_FILE = 12
"""Functions of one file that are taken at most, so that no big file stands for all."""
_LEVELS = (4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0)
"""Margins that are tried, in natural logarithms."""


def measured(
    files: Sequence[Path],
    number: int,
    random_: random.Random,
    *,
    part: tuple[int, int] = (1, 1),
    rows: Path | None = None,
    show: bool = False,
) -> dict[str, Any]:
    """Per margin: share of clean functions with a hint, and of functions with one injected rewrite those in which the
    hint stands at its place, and says what undoes it.

    `part` (K, N) leaves every N-th function from the K-th on, after one shuffle: slices of one seed have no function
    in common.  `rows` gets what was seen as JSON lines, and is added to: with `rows_of` slices are put together.
    Raises UserError if there is no model.
    """
    from graft_server import engines
    from graft_server.errors import UserError
    from graft_server.settings import Settings

    engine, status = engines.choose(Settings())
    if engine is None:
        raise UserError(f"no model to ask: {status.message}")
    seen = asyncio.run(_asked(engine, files, number, random_, part))
    if rows is not None:
        with rows.open("a", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in seen)
    if show:
        for row in seen:
            print(row)
    return figures(seen)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that several slices wrote."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


async def _asked(
    engine: Engine, files: Sequence[Path], number: int, random_: random.Random, part: tuple[int, int]
) -> list[dict[str, Any]]:
    """One row per function as it is, and one per function with a rewrite injected."""
    from graft_server.diagnosis.model_hints import doubts

    await engine.start()
    rows: list[dict[str, Any]] = []
    kinds: Counter[str] = Counter()
    try:
        for path, text, span in _functions(files, number, random_, part):
            at = {"path": path, "start": span.start}
            rows.append(at | _row(await doubts(engine, path, text, span), None))
            planted = _planted(text, span, random_, kinds)
            if planted is not None:
                changed, new_span, rewrite, undo = planted
                kinds[rewrite.kind.value] += 1
                found = await doubts(engine, path, changed, new_span)
                rows.append(at | _row(found, undo) | {"injected": rewrite.kind.value})
    finally:
        await engine.close()
    return rows


def _row(found: Sequence[Doubt], undo: Rewrite | None) -> dict[str, Any]:
    """The likeliest rewrite of a function: its kind, gain, lead over other places, and whether it undoes the fault."""
    if not found:
        return {"gain": None}
    best = found[0]
    rival = next((d.gain for d in found if d.rewrite.span != best.rewrite.span), None)
    row: dict[str, Any] = {"gain": round(best.gain, 3), "kind": best.rewrite.kind.value, "label": best.rewrite.label}
    row["lead"] = None if rival is None else round(best.gain - rival, 3)
    if undo is not None:
        row["located"] = best.rewrite.span == undo.span
        row["repaired"] = row["located"] and best.rewrite.text == undo.text
    return row


def figures(rows: Sequence[Mapping[str, Any]], lead: float | None = None) -> dict[str, Any]:
    """Shares per margin, and how far the share of false alarms is known (95 %, Wilson 1927)."""
    from graft_server.diagnosis.model_hints import LEAD

    least = LEAD if lead is None else lead
    clean = [r for r in rows if "injected" not in r]
    injected = [r for r in rows if "injected" in r]
    result: dict[str, Any] = {"hint_functions": len(clean), "hint_injected": len(injected)}
    for margin in _LEVELS:

        def hint(row: Mapping[str, Any], margin: float = margin) -> bool:
            enough = row["gain"] is not None and row["gain"] >= margin
            return enough and (row["lead"] is None or row["lead"] >= least)

        alarms = sum(map(hint, clean))
        won = [r for r in injected if hint(r)]
        name = f"margin_{margin:g}"
        result[f"{name}_false_alarms_share"] = alarms / max(1, len(clean))
        low, high = interval(alarms, len(clean))
        result[f"{name}_false_alarms_low_share"], result[f"{name}_false_alarms_high_share"] = low, high
        result[f"{name}_found_share"] = len(won) / max(1, len(injected))
        result[f"{name}_located_share"] = sum(r["located"] for r in won) / max(1, len(injected))
        result[f"{name}_repaired_share"] = sum(r["repaired"] for r in won) / max(1, len(injected))
    first = sum(bool(r.get("located")) for r in injected)
    result["likeliest_place_is_right_share"] = first / max(1, len(injected))
    return result


def interval(hits: int, number: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share."""
    if not number:
        return 0.0, 1.0
    share = hits / number
    middle = share + z * z / (2 * number)
    half = z * math.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    whole = 1 + z * z / number
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _functions(
    files: Sequence[Path], number: int, random_: random.Random, part: tuple[int, int]
) -> Iterator[tuple[str, str, Any]]:
    from graft_server.diagnosis.model_hints import functions
    from graft_server.diagnosis.source import parse

    every: list[tuple[Path, Any]] = []
    for file in sorted(files):
        text = file.read_text("utf-8", "surrogateescape")
        source = parse(text) if len(text) < 200_000 else None
        some = list(functions(source)) if source is not None else []
        fit = [s for _, s in some if source is not None and _LINES[0] <= source.segment(s).count("\n") <= _LINES[1]]
        every += [(file, span) for span in random_.sample(fit, min(_PER_FILE, len(fit)))]
    random_.shuffle(every)
    for file, span in every[part[0] - 1 :: part[1]][:number]:
        yield file.name, file.read_text("utf-8", "surrogateescape"), span


def _planted(
    text: str, span: Any, random_: random.Random, so_far: Counter[str]
) -> tuple[str, Any, Rewrite, Rewrite] | None:
    """(text, the function's bytes, the rewrite, what undoes it): of the kinds that are there, the rarest so far."""
    from graft_indexer import rewrites as edits
    from graft_indexer.facts import Span
    from graft_indexer.rewrites import Rewrite
    from graft_indexer.text import encode
    from graft_server.diagnosis.source import parse

    data = encode(text)
    every = list(edits.rewrites(edits.parse(text).root_node, within=span))
    random_.shuffle(every)
    for rewrite in sorted(every, key=lambda r: so_far[r.kind.value])[:8]:
        changed = rewrite.apply(data).decode("utf-8", "surrogateescape")
        if parse(changed) is None:
            continue
        size = len(rewrite.text.encode("utf-8", "surrogateescape"))
        place = Span(rewrite.span.start, rewrite.span.start + size)
        old = data[rewrite.span.start : rewrite.span.end].decode("utf-8", "surrogateescape")
        moved = size - (rewrite.span.end - rewrite.span.start)
        return changed, Span(span.start, span.end + moved), rewrite, Rewrite(rewrite.kind, place, old, "")
    return None
