"""Hints of the model on functions it was not trained on: false alarms as they are, and with one rewrite injected."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graft_indexer.rewrites import Rewrite
    from graft_models.engine import Engine
    from graft_server.diagnosis.model_hints import Doubt

_LINES = (3, 25)
"""Functions of so many lines are taken."""
_LEVELS = (4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0)
"""Margins that are tried, in natural logarithms."""


def measured(files: Sequence[Path], number: int, random_: random.Random, *, show: bool = False) -> dict[str, Any]:
    """Per margin: share of clean functions with a hint, and of functions with one injected rewrite those in which the
    hint stands at its place, and says what undoes it.  Raises UserError if there is no model."""
    from graft_server import engines
    from graft_server.errors import UserError
    from graft_server.settings import Settings

    engine, status = engines.choose(Settings())
    if engine is None:
        raise UserError(f"no model to ask: {status.message}")
    return asyncio.run(_measured(engine, files, number, random_, show=show))


async def _measured(
    engine: Engine, files: Sequence[Path], number: int, random_: random.Random, *, show: bool
) -> dict[str, Any]:
    from graft_server.diagnosis.model_hints import doubts, winner

    await engine.start()
    clean: list[list[Doubt]] = []
    injected: list[tuple[list[Doubt], Rewrite, Rewrite]] = []
    kinds: Counter[str] = Counter()
    try:
        for path, text, span in _functions(files, number, random_):
            clean.append(await doubts(engine, path, text, span))
            planted = _planted(text, span, random_, kinds)
            if planted is not None:
                changed, new_span, rewrite, undo = planted
                kinds[rewrite.kind.value] += 1
                injected.append((await doubts(engine, path, changed, new_span), rewrite, undo))
    finally:
        await engine.close()
    figures: dict[str, Any] = {"hint_functions": len(clean), "hint_injected": len(injected)}
    for margin in _LEVELS:
        margins = dict.fromkeys([d.rewrite.kind for some in clean for d in some[:1]], margin) | {
            d.rewrite.kind: margin for some, _, _ in injected for d in some
        }
        alarms = sum(winner(some, margins) is not None for some in clean)
        won = [(winner(some, margins), undo) for some, _, undo in injected]
        located = sum(w is not None and w.rewrite.span == u.span for w, u in won)
        repaired = sum(w is not None and (w.rewrite.span, w.rewrite.text) == (u.span, u.text) for w, u in won)
        name = f"margin_{margin:g}"
        figures[f"{name}_false_alarms_share"] = alarms / max(1, len(clean))
        figures[f"{name}_found_share"] = sum(w is not None for w, _ in won) / max(1, len(won))
        figures[f"{name}_located_share"] = located / max(1, len(won))
        figures[f"{name}_repaired_share"] = repaired / max(1, len(won))
    first = sum(bool(some) and some[0].rewrite.span == u.span for some, _, u in injected)
    figures["likeliest_place_is_right_share"] = first / max(1, len(injected))
    return figures


def _functions(files: Sequence[Path], number: int, random_: random.Random) -> Iterator[tuple[str, str, Any]]:
    from graft_server.diagnosis.model_hints import functions
    from graft_server.diagnosis.source import parse

    taken = 0
    for file in random_.sample(list(files), len(files)):
        text = file.read_text("utf-8", "surrogateescape")
        source = parse(text) if len(text) < 200_000 else None
        some = list(functions(source)) if source is not None else []
        fit = [s for _, s in some if source is not None and _LINES[0] <= source.segment(s).count("\n") <= _LINES[1]]
        for span in random_.sample(fit, min(4, len(fit))):
            if taken >= number:
                return
            taken += 1
            yield file.name, text, span


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
