"""Ask at every key of a replayed session, and keep what was said, with and without constraint, before and after gates.

What a model says at a key depends only on the text, so it is asked once; which suggestions a person would have met, and
with which gates, is worked out afterwards from the records (`replay_person`).
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from graft_server.benches.code_items import Key, Spot, keys, spots, workspace
from graft_server.completion import gate, graphonly
from graft_server.completion.anchor import place_of
from graft_server.completion.confidence import Variant, variants
from graft_server.completion.decoding import Decoder, Wish
from graft_server.completion.flight import Raw
from graft_server.completion.graphonly import Guess
from graft_server.completion.model import Snapshot, Switches
from graft_server.completion.parses import Trees
from graft_server.completion.screen import GATES, Screened, screen
from graft_server.completion.shortening import stands
from graft_server.errors import UserError

GRAPH_GATES = frozenset({"parses", "names"})


@dataclass(frozen=True, slots=True)
class Offer:
    """What could be shown at a key: a text, whole and cut down, longest first (nothing where the gates left nothing),
    and the `best` text whatever the gates said."""

    variants: tuple[Variant, ...]
    best: str

    @property
    def text(self) -> str:
        """The whole."""
        return self.variants[0].text if self.variants else ""


@dataclass(frozen=True, slots=True)
class Said:
    """What there was to say at one key: by arm, "" for all gates and otherwise the gate that was off; arms that are
    missing said the same as "".  `free` is the arm without constraint, names and parse."""

    key: Key
    offers: dict[str, Offer]
    free: Offer
    guess: Guess | None
    constrained: bool
    asked: bool
    """Whether the gate let the request through."""


async def record(folders: Sequence[Path], files: int, lines: int, seed: int, model: Path | None) -> Recorded:
    """Ask at every key of `lines` spots in each of `files` files, spread evenly over `folders`."""
    from graft_server.commands.complete import open_workbench

    chance = random.Random(seed)
    made = Recorded([], [], "")
    for number, folder in enumerate(folders):
        share = files * (number + 1) // len(folders) - files * number // len(folders)
        if not share:
            continue
        with tempfile.TemporaryDirectory(prefix="graft-replay-") as scratch:
            root = workspace(folder, Path(scratch) / "work")
            chosen = spots(folder.name, root, share, lines, chance)
            bench = await open_workbench(root, model=model)
            try:
                if bench.message or bench.engine is None:
                    raise UserError(bench.message or "there is no model to measure")
                info = bench.engine.status.model
                made.model = info.name if info is not None else ""
                await _record(bench, root, chosen, made)
            finally:
                await bench.close()
        if sys.stderr.isatty():
            print(f"\r{folder.name}: {len(made.said)} keys", end="", file=sys.stderr, flush=True)
    return made


@dataclass(slots=True)
class Recorded:
    """Spots, and what was said at each of their keys, in order."""

    spots: list[Spot]
    said: list[Said]
    model: str


async def _record(bench: Any, root: Path, chosen: list[Spot], made: Recorded) -> None:
    graph, settings = bench.graph, bench.settings
    bound = Decoder(graph, root=str(root), repository=root.name, patient=True)
    free = Decoder(graph, root=str(root), repository=root.name, patient=True, switches=Switches(constraint=False))
    free.holes = bound.holes
    trees = Trees()
    memory = gate.Memory()

    async def offer(raw: Raw, wish: Wish, off: frozenset[str]) -> tuple[Offer, Screened]:
        screened = await asyncio.wrap_future(
            graph.submit(lambda g: screen(g, trees, wish.snapshot, wish.place, wish.mode, raw.text, off))
        )
        made = enumerate(variants(raw, 0, screened, wish.place))
        kept = [v for n, v in made if not n or stands(v.text, screened.text, wish.place, wish.mode, off=off)]
        return Offer(tuple(kept), screened.best), screened

    for spot in chosen:
        index = len(made.spots)
        made.spots.append(spot)
        for key in keys(index, spot):
            text = key.before + key.after
            graph.sync(spot.path, text)
            snapshot = Snapshot(spot.path, text, len(key.before.encode("utf-8", "surrogateescape")))
            place = place_of(snapshot)
            decision = gate.decide(snapshot, place, settings, memory)
            wish = Wish(snapshot, place, decision.mode, settings)
            nothing = Offer((), "")
            if not decision.ask:
                made.said.append(Said(key, {"": nothing}, nothing, None, False, False))
                continue
            flight = await bound.begin(bench.engine, wish)
            (raw,) = await flight.result()
            if flight.error:
                raise UserError(flight.error)
            offers: dict[str, Offer] = {}
            offers[""], screened = await offer(raw, wish, frozenset())
            for name in GATES:
                if any(v.gate == name and (v.detail or not v.passed) for v in screened.verdicts):
                    offers[name], _ = await offer(raw, wish, frozenset({name}))
            loose = raw
            if flight.constrained:
                other = await free.begin(bench.engine, wish)
                (loose,) = await other.result()
            without, _ = await offer(loose, wish, GRAPH_GATES)
            guess = await asyncio.wrap_future(graph.submit(partial(graphonly.suggest, path=spot.path, place=place)))
            made.said.append(Said(key, offers, without, guess, flight.constrained > 0, True))
        graph.sync(spot.path, None)
        bound.forget(spot.path)
