"""The order of the classic completion list: by uses around the cursor, and by the model's probability of each name.

Uses are counted, which costs a millisecond.  The engine then says how likely each name's first token is, in the hole
that ghost text has open anyway, and scores the best `SCORED` in full; if it is late the order by uses stands.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from graft_indexer.graph import Origin
from graft_models.engine import Engine, ScoreRequest
from graft_models.prompt import Neighbour
from graft_server.completion.anchor import Holes, Place, hole_of
from graft_server.completion.decoding import Wish, token_limit
from graft_server.completion.options import Option, Options

SCORED = 8
FIRSTS = 64
"""Names whose first token is looked at."""
WAIT_SECONDS = 0.15
_BEFORE, _AFTER = 12_000, 4_000
"""Characters around the cursor in which uses are counted."""
_FADES = 40.0
"""Lines after which a use counts about a third."""
_WORD = re.compile(r"(\.?)([A-Za-z_]\w*)")
_numbers = itertools.count(1)


def uses(place: Place, names: Container[str], *, member: bool) -> dict[str, list[float]]:
    """Distances in lines of the uses of each name around the cursor; of members only those after a dot."""
    out: dict[str, list[float]] = {}
    before, after = place.before[-_BEFORE:], place.after[:_AFTER]
    typed = re.search(r"\w*$", before)
    before = before[: typed.start()] if typed is not None else before
    # A key changes the cursor's line, and where the text that is read begins: what lies between is remembered.
    cut, _, above = before.partition("\n")
    above, _, line = above.rpartition("\n") if "\n" in before else ("", "", before)
    rest, _, below = after.partition("\n")
    lines = before.count("\n")
    parts = [(_words(above), lines - 1.0, -1.0), (_words(line), 0.0, 1.0), (_words(rest), 0.0, 1.0)]
    if lines:
        parts.insert(0, (_words(cut), float(lines), 1.0))
    for known, nearest, step in [*parts, (_words(below), 1.0, 1.0)]:
        for name, found in known.items():
            if name in names:
                at = [nearest + step * number for number, dot in found if dot or not member]
                if at:
                    out.setdefault(name, []).extend(at)
    return out


@lru_cache(maxsize=64)
def _words(text: str) -> dict[str, list[tuple[int, bool]]]:
    """The names of a text, each with the lines that it stands in, and whether behind a dot."""
    found: dict[str, list[tuple[int, bool]]] = {}
    for number, line in enumerate(text.split("\n")):
        for dot, name in _WORD.findall(line):
            found.setdefault(name, []).append((number, bool(dot)))
    return found


def weight(option: Option) -> float:
    """What a name counts before any use of it is seen."""
    if option.symbol is None:
        return 0.1
    if option.symbol.origin is Origin.BUILTIN:
        return 0.05
    return 0.02 if option.name.startswith("__") else 0.1


def scores(
    place: Place,
    options: Iterable[Option],
    *,
    member: bool,
    keywords: Mapping[str, float] | None = None,
    seen: Mapping[str, Sequence[float]] | None = None,
) -> dict[str, float]:
    """How much speaks for each name; uses fade with their distance.  `keywords` says what each of those counts, `seen`
    where the names are used, if the caller has looked already."""
    weights = {o.name: weight(o) for o in options} | dict(keywords or {})
    if seen is None:
        seen = uses(place, weights.keys(), member=member)
    return {name: w + sum(math.exp(-away / _FADES) for away in seen.get(name, ())) for name, w in weights.items()}


def by_use(found: Options, place: Place) -> Options:
    """The list by uses; keyword arguments stay first, what begins with an underscore unasked stays last."""
    known = scores(place, found.options, member=found.where == "member")
    ordered = sorted(found.options, key=lambda o: (_tier(o), -known[o.name], o.rank, o.name.lower()))
    return replace(found, options=tuple(ordered))


def _tier(option: Option) -> int:
    return -1 if option.rank < 0 else 1 if option.rank >= 2 else 0


async def by_model(
    engine: Engine,
    holes: Holes,
    wish: Wish,
    repository: str,
    document: str,
    found: Options,
    near: tuple[Neighbour, ...] = (),
) -> Options:
    """The list with its first `SCORED` names in the order of their probability; as it is if that takes too long.
    `near` are the files that ghost text counts beside the prompt.

    The names are first put in order by the probability of their first token, which the decode of ghost text has paid
    for; then the best are scored in full.  Names that differ in case from what is typed stay where they are.
    """
    path, place = wish.snapshot.path, wish.place
    fitting = [o for o in found.options if o.name.startswith(found.typed) and o.name != found.typed]
    if len(fitting) < 2 or not engine.capabilities.score or not holes.holds(path, place):
        return found
    live, typed = holes.at(path, place)

    async def values(options: Sequence[Option], *, first_only: bool) -> Sequence[float]:
        texts = tuple(o.name[len(found.typed) :] for o in options)
        request = ScoreRequest(
            next(_numbers),
            replace(hole_of(live, typed, path, repository), neighbours=near),
            texts,
            document,
            background=False,
            prompt_budget=live.budget,
            max_tokens=token_limit(wish),
            first_only=first_only,
            counted=True,
        )
        said = await engine.score(request)
        return said.logprobs if not said.error and len(said.logprobs) == len(options) else ()

    async def ordered() -> Options:
        known = scores(place, fitting, member=found.where == "member")
        total = sum(known.values())
        firsts = await values(fitting[:FIRSTS], first_only=True)
        # What the person uses here counts as much as what the model thinks.
        mixed = [v + math.log(known[o.name] / total) for v, o in zip(firsts, fitting, strict=False)]
        options = reordered(found.options, fitting[: len(mixed)], mixed)
        best = [o for o in options if o in fitting][:SCORED]
        full = await values(best, first_only=False)
        mixed = [v + math.log(known[o.name] / total) for v, o in zip(full, best, strict=False)]
        return replace(found, options=reordered(options, best[: len(mixed)], mixed))

    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(ordered())), WAIT_SECONDS)
    except TimeoutError:
        return found


def reordered(options: Sequence[Option], best: Sequence[Option], values: Sequence[float]) -> tuple[Option, ...]:
    """`options` with those of `best` sorted by `values` among the places that they have; tiers are kept."""
    ranked = sorted(range(len(best)), key=lambda i: (_tier(best[i]), -values[i], i))
    chosen = iter([best[i] for i in ranked])
    names = {o.name for o in best}
    return tuple(next(chosen) if o.name in names else o for o in options)
