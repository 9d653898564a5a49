"""A hole cut to a budget of tokens: exact, and with a window that stays where it is while a person types.

The file keeps at least `FILE_SHARE` of the budget; context parts are dropped from the lowest value up until they fit
beside it; then the prefix is cut from its start and the suffix from its end, at line starts.  When a prefix has to be
cut, more is cut than is needed, so that the next lines typed do not move the window (and with it every token).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from graft_models.prompt import Format, Hole, Order, commented, segments, with_final_newline

FILE_SHARE = 0.6
SUFFIX_SHARE = 0.15
SLACK = 0.25
"""Share of the prefix's room that is left free when its window moves."""

Tokenize = Callable[[str], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Window:
    """Where a document's window lies: characters dropped before it, and the text it begins with."""

    dropped: int = 0
    head: str = ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """`tokens` up to and with the middle token; `parts` are the context parts used, with their tokens."""

    hole: Hole
    tokens: tuple[int, ...]
    parts: tuple[tuple[str, str, int], ...]
    window: Window


def fit(
    form: Format,
    hole: Hole,
    budget: int,
    tokenize: Tokenize,
    special: Mapping[str, int],
    begin: int | None = None,
    window: Window | None = None,
) -> Fitted:
    """The prompt of `hole` in at most `budget` tokens (the forced text not counted)."""
    overhead = len(tokenize(hole.path + "\n")) + len(tokenize(hole.repository + "\n")) + 16
    room = max(16, budget - overhead)
    cost = [_part_cost(form, part.path, part.text, tokenize) for part in hole.context]
    suffix_full = len(tokenize(hole.suffix)) if form.order is not Order.PREFIX_ONLY else 0
    prefix_full = _estimate(hole.prefix, tokenize, room)
    file_needs = min(prefix_full + min(suffix_full, int(room * SUFFIX_SHARE) + 1), int(room * FILE_SHARE))
    kept = _affordable([p.value for p in hole.context], cost, room - file_needs)
    if len(kept) < len(hole.context):
        hole = replace(hole, context=tuple(p for i, p in enumerate(hole.context) if i in kept))
    left = room - sum(cost[i] for i in kept)
    suffix = hole.suffix
    if suffix_full and prefix_full + suffix_full > left:
        suffix = _cut_end(suffix, max(int(room * SUFFIX_SHARE), left - prefix_full), tokenize)
        suffix_full = len(tokenize(suffix))
    prefix, moved = _cut_start(hole.prefix, max(8, left - suffix_full), tokenize, window or Window())
    hole = replace(hole, prefix=prefix, suffix=suffix)
    tokens: list[int] = [] if begin is None else [begin]
    for segment in segments(form, hole):
        if segment.special:
            tokens.append(special[segment.text])
        else:
            tokens += tokenize(segment.text)
    if len(tokens) > budget:
        # Tokens at the seams cost a few more than the parts did alone.
        if len(prefix) > 40:
            return fit(form, replace(hole, prefix=prefix[len(prefix) // 4 :]), budget, tokenize, special, begin)
        if hole.context or suffix:
            bare = replace(hole, context=(), suffix=suffix[: len(suffix) // 2])
            return fit(form, bare, budget, tokenize, special, begin)
    parts = tuple((p.kind, p.path, cost[i]) for i, p in zip(sorted(kept), hole.context, strict=True))
    return Fitted(hole, tuple(tokens), parts, moved)


def _part_cost(form: Format, path: str, text: str, tokenize: Tokenize) -> int:
    if form.file:
        return 1 + len(tokenize(f"{path}\n{with_final_newline(text)}"))
    return len(tokenize(f"# Path: {path}\n{commented(text)}")) if form.comment_context else 0


def _affordable(values: list[float], cost: list[int], room: int) -> set[int]:
    """Indexes that stay: the lowest value goes first, the later of two equals."""
    kept = set(range(len(values)))
    for i in sorted(kept, key=lambda i: (values[i], -i)):
        if sum(cost[k] for k in kept) <= room:
            break
        kept.discard(i)
    return kept


def _estimate(text: str, tokenize: Tokenize, room: int) -> int:
    """Tokens of `text`; of a text that is certainly too long, just some number above `room`."""
    return room + 1 if len(text) > room * 24 else len(tokenize(text))


def _cut_start(text: str, room: int, tokenize: Tokenize, window: Window) -> tuple[str, Window]:
    if window.dropped and text.startswith(window.head, window.dropped):
        held = text[window.dropped :]
        if len(held) <= room * 24 and len(tokenize(held)) <= room:
            return held, window
    if len(text) <= room * 24 and len(tokenize(text)) <= room:
        return text, Window()
    target = max(8, int(room * (1 - SLACK)))
    kept = _lines_within(text, target, tokenize, from_end=True)
    dropped = len(text) - len(kept)
    return kept, Window(dropped, kept[:200])


def _cut_end(text: str, room: int, tokenize: Tokenize) -> str:
    if len(text) <= room * 24 and len(tokenize(text)) <= room:
        return text
    return _lines_within(text, room, tokenize, from_end=False)


def _lines_within(text: str, room: int, tokenize: Tokenize, *, from_end: bool) -> str:
    """As many whole lines as fit in `room` tokens; part of the nearest line if not even that fits."""
    lines = text.splitlines(keepends=True)
    ordered = list(reversed(lines)) if from_end else lines
    total, kept = 0, 0
    for line in ordered:
        # Line by line counts a token too many here and there, never too few by much; `fit` checks the sum.
        total += len(tokenize(line)) if len(line) <= room * 24 else room + 1
        if total > room:
            break
        kept += 1
    if kept:
        chosen = ordered[:kept]
        return "".join(reversed(chosen) if from_end else chosen)
    nearest = ordered[0] if ordered else ""
    return nearest[-room:] if from_end else nearest[:room]
