"""From a place to the tokens that an engine says there: the live hole, its context, the budget, the decode under way.

One `Decoder` per workspace folder, used from the event loop only.  What the text is worth is the pipeline's business.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from graft_indexer.graph import SymbolGraph
from graft_indexer.syntax import language_of_id, languages
from graft_models.engine import Allow, Engine, Need, Request
from graft_models.power import Power
from graft_models.prompt import ContextPart, Neighbour
from graft_server.completion import budget, constraint, context
from graft_server.completion.anchor import Holes, LiveHole, Place, hole_of, in_place
from graft_server.completion.flight import Flight
from graft_server.completion.model import Mode, Snapshot, Switches
from graft_server.completion.neighbours import Neighbours, Steps
from graft_server.completion.stops import rule_for
from graft_server.settings import Settings
from graft_server.workspace import BACKGROUND, INTERACTIVE, GraphThread

log = logging.getLogger("graft.completion")

DEADLINE_MS = 4000
PATIENT_MS = 60_000.0
"""For the context where nobody is typing."""
CONTEXT_WAIT_MS = 40.0
NEED_WAIT_MS = 4.5
MOST_FLIGHTS = 8
BLOCK_TOKENS = 64
"""Longest suggestion; most end earlier, where the syntax does."""
NEAR_SECONDS = 60.0
"""So long the files near a document stay the same."""
QUIET_SECONDS = 0.05
"""After a decode: what it said is judged, with questions to the graph."""
LINE_TOKENS = 48
"""Longest suggestion that is not a block."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be decoded: the document, the cursor in it, the kind of text and how many candidates."""

    snapshot: Snapshot
    place: Place
    mode: Mode
    settings: Settings
    count: int = 1


def token_limit(wish: Wish) -> int:
    """Tokens that may be generated."""
    return wish.snapshot.max_tokens or (BLOCK_TOKENS if wish.mode == "block" else LINE_TOKENS)


class Decoder:
    """The holes and decodes of one folder's documents."""

    def __init__(
        self,
        graph: GraphThread | None,
        *,
        root: str = "",
        repository: str = "",
        switches: Switches | None = None,
        edits: Callable[[str], Sequence[ContextPart]] | None = None,
        patient: bool = False,
    ) -> None:
        """`patient`: nobody is typing; gather all context, however long it takes, and set no deadline."""
        self.reading = budget.ReadingSpeed()
        self.holes = Holes()
        self._graph = graph
        self._root = root
        self._repository = repository
        self._switches = switches or Switches()
        self._edits = edits or (lambda path: ())
        self._patient = patient
        self._slow = context.SlowParts()
        self._library = Neighbours()
        self._near: OrderedDict[str, tuple[float, tuple[Neighbour, ...]]] = OrderedDict()
        """Files near each document, and when they were looked for."""
        self._flights: OrderedDict[str, Flight] = OrderedDict()
        self._numbers = itertools.count(1)
        self._power = Power()
        self._reading_ahead: dict[str, asyncio.Task[None]] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    def forget(self, path: str) -> None:
        """The document was closed."""
        self.holes.forget(path)
        self._near.pop(path, None)
        reading = self._reading_ahead.pop(path, None)
        if reading is not None:
            reading.cancel()
        looking = self._looking.pop(path, None)
        if looking is not None:
            looking.cancel()
        flight = self._flights.pop(path, None)
        if flight is not None:
            flight.cancel()

    def cancel_all(self) -> None:
        """End every decode."""
        for flight in self._flights.values():
            flight.cancel()
        for looking in self._looking.values():
            looking.cancel()

    def joinable(self, wish: Wish) -> Flight | None:
        """The decode under way that says what is wished for."""
        flight = self._flights.get(wish.snapshot.path)
        return flight if flight is not None and wish.count == 1 and flight.fits(wish.place) else None

    async def begin(self, engine: Engine, wish: Wish) -> Flight:
        """A new decode; the document's one before it ends."""
        path = wish.snapshot.path
        before = self._flights.get(path)
        if before is not None:
            before.cancel()
        live, typed = self.holes.at(path, wish.place)
        if live.budget == 0:
            answer = wish.snapshot.max_tokens or BLOCK_TOKENS
            known = budget.prompt_tokens(self.reading.tokens_per_second, engine.status.model, answer)
            live.budget = budget.settled(live.earlier_budget, known)
        await self._fill(engine, live, wish)
        looking = self._look_around(engine, wish)
        if looking is not None and self._patient:
            await asyncio.wait([looking])
        flight = self._start(engine, live, typed, wish)
        self._flights[path] = flight
        self._flights.move_to_end(path)
        while len(self._flights) > MOST_FLIGHTS:
            self._flights.popitem(last=False)[1].cancel()
        return flight

    def begin_background(self, engine: Engine, wish: Wish) -> Flight:
        """A decode in the hole as it is, which any request of the person's interrupts."""
        live, typed = self.holes.at(wish.snapshot.path, wish.place)
        return self._start(engine, live, typed, wish, background=True)

    def read_ahead(self, engine: Engine, wish: Wish) -> None:
        """When the live hole has grown long, have the next one read beside it while the person pauses.

        `Holes.at` swaps it in once it is read: the line on which the hole is opened anew costs no more than any other.
        """
        path = wish.snapshot.path
        if self._patient or not self.works_ahead(wish.settings):
            return
        coming = self.holes.ahead(path, wish.place)
        if coming is None:
            return
        before = self._reading_ahead.pop(path, None)
        if before is not None:
            before.cancel()
        task = asyncio.create_task(self._read_ahead(engine, coming, wish), name="read ahead")
        self._reading_ahead[path] = task
        task.add_done_callback(lambda ended: self._ended(path, ended))

    def works_ahead(self, settings: Settings) -> bool:
        """Whether to do now what nobody waits for: not on battery, unless the settings allow it."""
        return settings.model_battery or not self._power.on_battery()

    async def _read_ahead(self, engine: Engine, coming: LiveHole, wish: Wish) -> None:
        await self._fill(engine, coming, wish)
        snapshot = wish.snapshot
        coming.read = await engine.warm(
            hole_of(coming, "", snapshot.path, self._repository),
            self._document(snapshot.path),
            prompt_budget=coming.budget,
            max_tokens=BLOCK_TOKENS,
        )

    def _ended(self, path: str, task: asyncio.Task[None]) -> None:
        if self._reading_ahead.get(path) is task:
            del self._reading_ahead[path]
        if not task.cancelled() and task.exception() is not None:
            log.warning("reading ahead failed", exc_info=task.exception())

    def _document(self, path: str) -> str:
        return f"{self._root}:{path}"

    async def _fill(self, engine: Engine, live: LiveHole, wish: Wish) -> None:
        """Gather the hole's context, once while it lives."""
        if live.context_known or self._graph is None:
            return
        if not (wish.settings.completion_context and self._switches.context):
            return
        path = wish.snapshot.path
        wanted = context.Wanted(
            path,
            wish.snapshot.text,
            wish.snapshot.offset,
            budget=budget.context_tokens(live.budget),
            deadline_ms=PATIENT_MS if self._patient else context.DEADLINE_MS,
            disabled=wish.settings.completion_disabled_globs,
            edits=tuple(self._edits(path)),
            kinds=self._switches.kinds,
        )
        wanted = context.gate_for(wanted, engine.capabilities)
        slow = None if self._patient else self._slow
        found = await self._graph.ask(
            lambda graph: context.gather(graph, wanted, slow),
            None,
            priority=INTERACTIVE,
            wait_ms=self._wait(CONTEXT_WAIT_MS),
        )
        if found is None:
            return
        live.context = in_place(live.earlier, found.parts)
        live.context_known = True
        if found.missing or found.missed:
            # Gathered while the engine reads; the next hole in this function will have them.
            self._gather_slowly(self._graph, wanted, late=found.missed)

    def _gather_slowly(self, thread: GraphThread, wanted: context.Wanted, *, late: bool) -> None:
        """Gather the slow parts on the graph's thread, a step at a time: whoever types is answered between two."""

        def step(graph: SymbolGraph) -> None:
            if self._slow.prepare(graph, wanted):
                thread.submit(step, BACKGROUND)
            else:
                self._slow.fill(graph, wanted, late=late)

        thread.submit(step, BACKGROUND)

    def near(self, path: str) -> tuple[Neighbour, ...]:
        """The files near a document, as far as they have been found."""
        known = self._near.get(path)
        return known[1] if known is not None else ()

    def _look_around(self, engine: Engine, wish: Wish) -> asyncio.Task[None] | None:
        """Find the files near a document, in the background, now and then; nobody typing waits for them."""
        path = wish.snapshot.path
        if (
            self._graph is None
            or not engine.capabilities.counts
            or not (wish.settings.completion_context and self._switches.context and self._switches.neighbours)
        ):
            return None
        known = self._near.get(path)
        if path in self._looking or (known is not None and time.monotonic() - known[0] < NEAR_SECONDS):
            return None
        task = asyncio.create_task(
            self._look(self._graph, path, wish.settings.completion_disabled_globs), name="look around"
        )
        self._looking[path] = task
        task.add_done_callback(lambda ended: self._looked(path, ended))
        return task

    async def _look(self, graph: GraphThread, path: str, disabled: tuple[str, ...]) -> None:
        """One step at a time, while nothing is decoded: the graph's thread is free for what a decode asks."""
        steps: Steps[tuple[Neighbour, ...]] | None = None
        found: tuple[Neighbour, ...] | None = None

        def step(graph: SymbolGraph) -> bool:
            nonlocal steps, found
            steps = steps or self._library.steps(graph, path, disabled)
            try:
                next(steps)
            except StopIteration as end:
                found = end.value
                return True
            return False

        done = False
        while not done:
            if not self._patient:
                await self._quiet()
            done = await graph.ask(step, True, priority=BACKGROUND)
        before = self._near.get(path)
        if found is None:  # The graph failed: not asked again at every key press.
            found = before[1] if before is not None else ()
        self._near[path] = (time.monotonic(), found)
        self._near.move_to_end(path)
        while len(self._near) > MOST_FLIGHTS:
            self._near.popitem(last=False)

    async def _quiet(self) -> None:
        """Wait until nothing is being decoded."""
        while running := [flight for flight in self._flights.values() if flight.running]:
            for flight in running:
                await flight.ended()
            await asyncio.sleep(QUIET_SECONDS)

    def _looked(self, path: str, task: asyncio.Task[None]) -> None:
        if self._looking.get(path) is task:
            del self._looking[path]
        if not task.cancelled() and task.exception() is not None:
            log.warning("looking for the files near %s failed", path, exc_info=task.exception())

    def _wait(self, milliseconds: float) -> float | None:
        return None if self._patient else milliseconds

    def _start(self, engine: Engine, live: LiveHole, typed: str, wish: Wish, *, background: bool = False) -> Flight:
        snapshot, place = wish.snapshot, wish.place
        constrained = self._constrains(engine, snapshot)
        hole = hole_of(live, typed, snapshot.path, self._repository)
        request = Request(
            id=next(self._numbers),
            hole=replace(hole, neighbours=self.near(snapshot.path)),
            max_tokens=token_limit(wish),
            candidates=wish.count,
            temperature=0.0 if wish.count == 1 else 0.6,
            triggers=constraint.TRIGGERS if constrained else (),
            deadline_ms=None if self._patient else DEADLINE_MS,
            document=self._document(snapshot.path),
            prompt_budget=live.budget,
            background=background,
        )
        answer = self._answerer(snapshot.path, place, typed) if constrained else _nothing
        return Flight(engine, request, place, rule_for(place, wish.mode), answer)

    def _answerer(self, path: str, place: Place, typed: str) -> Callable[[Need], Awaitable[Allow | None]]:
        graph = self._graph
        assert graph is not None
        ahead: asyncio.Task[Allow | None] | None = None
        if (trigger := constraint.trigger_at(place)) is not None:
            # What the engine will ask first is known: look it up while the prompt is read.
            first = Need(0, trigger, typed)
            ahead = asyncio.create_task(graph.ask(lambda g: constraint.allowed(g, path, place, typed, first), None))

        async def answer(need: Need) -> Allow | None:
            if ahead is not None and need.text == typed:
                allow = await ahead
                return replace(allow, need=need.need) if allow is not None else None
            return await graph.ask(
                lambda g: constraint.allowed(g, path, place, typed, need), None, wait_ms=self._wait(NEED_WAIT_MS)
            )

        return answer

    def _constrains(self, engine: Engine, snapshot: Snapshot) -> bool:
        """Where members and modules are resolved: in languages of tiers 1 and 2."""
        return (
            self._switches.constraint
            and _resolved(snapshot.language)
            and self._graph is not None
            and self._graph.ready
            and engine.capabilities.constraint
        )


async def _nothing(need: Need) -> Allow | None:
    del need  # Never asked: the request has no triggers.
    return None


def _resolved(language: str) -> bool:
    """Whether the graph resolves names of a language, as editors call it."""
    known = language_of_id(language)
    return known is not None and languages()[known].tier <= 2
