"""The three things the engine does: complete, score, warm.  Generators that yield between batches; the last thing a
job does is to return its answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from graft_models.engine import Done, DoneReason, Request, ScoreRequest, Scores, Usage
from graft_models.llama import fit as fitting
from graft_models.llama import healing
from graft_models.llama.decoding import Control, Generation, Prepared, best_first, clock_ms, finish
from graft_models.llama.kv import Slot
from graft_models.llama.model import STREAMS, Model, aside_from, log_probabilities
from graft_models.llama.native import Floats
from graft_models.prompt import Hole, HoleOpens


class Ended(Exception):
    """The job was interrupted before it had an answer."""

    def __init__(self, reason: DoneReason, evaluated: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.evaluated = evaluated


class Windows:
    """Where the window of each document lies, so that it does not move while a person types."""

    def __init__(self) -> None:
        self._by_document: dict[str, fitting.Window] = {}
        self._ahead: dict[str, tuple[int, fitting.Window]] = {}

    def get(self, document: str, prefix: str) -> fitting.Window | None:
        """The window of the last prompt, or of the one read ahead if this prefix is its."""
        length, window = self._ahead.get(document, (-1, None))
        if length == len(prefix) and window is not None:
            return window
        return self._by_document.get(document)

    def set(self, document: str, window: fitting.Window) -> None:
        """Keep it; a hundred documents at most."""
        _keep(self._by_document, document, window)

    def take_over(self, other: Windows) -> None:
        """Lay every window where another's lies."""
        self._by_document, self._ahead = dict(other._by_document), dict(other._ahead)

    def set_ahead(self, document: str, prefix: str, window: fitting.Window) -> None:
        """Keep the window of a prompt that is read ahead, without moving that of the live one."""
        _keep(self._ahead, document, (len(prefix), window))


def _keep(places: dict[str, Any], document: str, value: object) -> None:
    places.pop(document, None)
    places[document] = value
    if len(places) > 100:
        del places[next(iter(places))]


def prepare(
    model: Model,
    windows: Windows,
    hole: Hole,
    document: str,
    reserve: int,
    budget: int,
    *,
    ahead: bool = False,
    counted: bool = False,
) -> Prepared:
    """The tokens of a hole: prompt, then the forced part of what was typed; the rest is left to healing.

    `ahead`: the prompt is read beside the document's live one, whose window stays where it is.  `counted`: with the
    counts of a small model.
    """
    hole = model.open_hole(hole)
    forced, rest = healing.split(hole.typed, model.form.hole_opens is HoleOpens.BEFORE_BREAK)
    forced_tokens = model.tokenize(forced)
    room = model.context - reserve - len(forced_tokens) - len(rest) - 2
    if budget:
        room = min(room, budget)
    window = windows.get(document, hole.prefix)
    fitted = fitting.fit(model.form, hole, room, model.tokenize, model.choice.ids, model.begin, window)
    if ahead:
        windows.set_ahead(document, hole.prefix, fitted.window)
    else:
        windows.set(document, fitted.window)
    tokens = [*fitted.tokens, *forced_tokens]
    if not tokens:
        # Nothing before the hole and no token that begins a text: some token has to be read.
        tokens = [next(iter(model.ends))]
    mixture = model.mixtures.of(hole) if model.mixtures is not None and counted else None
    return Prepared(tokens, hole.typed, rest.encode("utf-8", "replace"), fitted.parts, tuple(forced_tokens), mixture)


def read(
    model: Model, control: Control, slot: Slot, tokens: list[int], *, background: bool = False
) -> Generator[None, None, int]:
    """Evaluate a prompt into a slot; returns how many tokens that took.

    Raises `Ended` when interrupted, with the number of tokens; what was read stays.
    """
    evaluated = 0
    reason = control.interrupted()
    if reason is not None:
        raise Ended(reason)
    for count in model.feed(slot, tokens, background=background):
        evaluated += count
        reason = control.interrupted()
        if reason is not None and len(tokens) not in slot.ends:
            raise Ended(reason, evaluated)
        yield
    return evaluated


def complete(model: Model, windows: Windows, request: Request, control: Control) -> Generator[None, None, Done]:
    """One completion."""
    began = time.perf_counter()
    if request.deadline_ms is None and model.mixtures is not None:
        # Nobody waits: all that the request brings is counted, not only what there was time to learn.
        model.mixtures.library.learn(request.hole.neighbours)
    prepared = prepare(
        model,
        windows,
        request.hole,
        request.document,
        min(request.max_tokens, model.context // 2),
        request.prompt_budget,
        counted=True,
    )
    model.recall(request.document, prepared.tokens)
    slot = model.cache.acquire(request.document, prepared.tokens)
    usage = Usage(prompt=len(prepared.tokens), parts=prepared.parts)
    slot.busy += 1
    try:
        try:
            evaluated = yield from read(model, control, slot, prepared.tokens, background=request.background)
        except Ended as ended:
            usage = replace(usage, evaluated=ended.evaluated, prompt_ms=clock_ms(began))
            return Done(ended.reason, ("",) * max(1, request.candidates), usage=usage)
        prompt_ms = clock_ms(began)
        began = time.perf_counter()
        generation = Generation(model, request, control, prepared)
        yield from generation.run(slot)
        healed = max((sum(1 for e in s.ends if e == 0) for s in generation.streams), default=0)
        usage = replace(
            usage,
            prompt=usage.prompt + healed,
            evaluated=evaluated + healed,
            generated=sum(s.counted for s in generation.streams),
            prompt_ms=prompt_ms,
            generate_ms=clock_ms(began),
        )
        done = finish(generation, slot, usage)
        return best_first(done) if len(done.texts) > 1 else done
    finally:
        slot.busy -= 1


def warm(
    model: Model,
    windows: Windows,
    hole: Hole,
    document: str,
    control: Control,
    *,
    budget: int = 0,
    max_tokens: int = 64,
) -> Generator[None, None, None]:
    """Read a prompt beside the live one of its document; `budget` and `max_tokens` as in the requests to come."""
    prepared = prepare(model, windows, hole, document, min(max_tokens, model.context // 2), budget, ahead=True)
    slot = model.cache.acquire(document, prepared.tokens, keep_live=True)
    slot.busy += 1
    try:
        yield from read(model, control, slot, prepared.tokens, background=True)
    finally:
        slot.busy -= 1


def score(model: Model, windows: Windows, request: ScoreRequest, control: Control) -> Generator[None, None, Scores]:
    """Log-probabilities of texts in a hole, many texts in one batch.

    With typed text before them, the tokens from the last pre-token boundary on are counted: the same for all texts.
    """
    if request.counted and request.background and model.mixtures is not None:
        model.mixtures.library.learn(request.hole.neighbours)
    most = min(256, model.context // 4)
    reserve = min(request.max_tokens, model.context // 2) if request.max_tokens else most
    prepared = prepare(
        model,
        windows,
        request.hole,
        request.document,
        reserve,
        request.prompt_budget,
        counted=request.counted,
    )
    slot = model.cache.acquire(request.document, prepared.tokens)
    slot.busy += 1
    try:
        yield from read(model, control, slot, prepared.tokens, background=request.background)
        first = slot.ends[len(prepared.tokens)]
        rest = prepared.rest.decode("utf-8", "replace")
        texts = [list(model.tokenize(rest + text))[: 1 if request.first_only else reserve] for text in request.texts]
        heads = [t[0] for t in texts if t]
        mixed = _mixed(prepared)
        chances = dict(zip(heads, log_probabilities(mixed(first, []), heads), strict=True)) if heads else {}
        sums = [chances[t[0]] if t else 0.0 for t in texts]
        for start in range(0, 0 if request.first_only else len(texts), STREAMS):
            yield from _score_group(
                model, control, slot, texts[start : start + STREAMS], sums, start, aside_from(request.background), mixed
            )
        return Scores(tuple(sums), tuple(map(len, texts)))
    except Ended as ended:
        return Scores((), (), ended.reason.value)
    finally:
        slot.busy -= 1


Mixing = Callable[[Floats, Sequence[int]], Floats]
"""Logits and the tokens since the forced ones -> logits."""


def _mixed(prepared: Prepared) -> Mixing:
    """The logits with the counts, if there are any."""
    mixture, forced = prepared.mixture, prepared.forced
    if mixture is None:
        return lambda logits, since: logits
    return lambda logits, since: mixture.apply(logits, [*forced, *since])


def _score_group(
    model: Model,
    control: Control,
    slot: Slot,
    texts: list[list[int]],
    sums: list[float],
    offset: int,
    aside: int,
    mixed: Mixing,
) -> Iterator[None]:
    """Add the log-probabilities of all tokens but the first of each text.  `aside` is the first sequence to use.

    A beginning that several texts share is evaluated once, in all of their sequences.
    """
    native, base = model.native, len(slot.tokens)
    rows = shared_rows(texts)
    native.straighten(slot.sequence, max(1, len(rows)))
    for i in range(len(texts)):
        native.remove(aside + i, -1)
        native.copy(slot.sequence, aside + i, base)
    try:
        start = 0
        while start < len(rows):
            batch = rows[start : start + model.batch]
            code = native.decode(
                [texts[owners[0]][k] for k, owners in batch],
                [base + k for k, _ in batch],
                [[aside + i for i in owners] for _, owners in batch],
                [True] * len(batch),
            )
            reason = control.interrupted()
            if reason is not None:
                raise Ended(reason)
            if code == 1 and not model.cache.evict(slot):
                raise Ended(DoneReason.FAILED)
            if code == 0:
                for row, (k, owners) in enumerate(batch):
                    following = [texts[i][k + 1] for i in owners if k + 1 < len(texts[i])]
                    logits = mixed(native.logits_view(row), texts[owners[0]][: k + 1])
                    found = dict(zip(following, log_probabilities(logits, following), strict=True))
                    for i in owners:
                        if k + 1 < len(texts[i]):
                            sums[offset + i] += found[texts[i][k + 1]]
                start += len(batch)
            yield
    finally:
        for i in range(len(texts)):
            native.remove(aside + i, -1)


def shared_rows(texts: Sequence[Sequence[int]]) -> list[tuple[int, list[int]]]:
    """The rows to evaluate so that every token but the first of each text has its logits: (position in the text,
    indexes of the texts that agree up to and with it), in the order of positions.  A text's last token needs none."""
    rows: list[tuple[int, list[int]]] = []
    groups = [list(range(len(texts)))]
    position = 0
    while groups:
        split: list[list[int]] = []
        for group in groups:
            by_token: dict[int, list[int]] = {}
            for i in group:
                if len(texts[i]) > position:
                    by_token.setdefault(texts[i][position], []).append(i)
            for owners in by_token.values():
                if any(len(texts[i]) > position + 1 for i in owners):
                    rows.append((position, owners))
                    split.append(owners)
        groups = split
        position += 1
    return rows
