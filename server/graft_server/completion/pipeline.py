"""From a snapshot of a document to suggestions: gate, cache, hole, engine, stops, gates, item.

The event loop only looks things up; the graph is asked on its thread, the engine in its process.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from graft_models.engine import Allow, DoneReason, Engine, Need, Request, Usage
from graft_models.prompt import ContextPart
from graft_server.completion import budget, constraint, context, gate, graphonly, secrets, shape
from graft_server.completion.anchor import Holes, LiveHole, Place, hole_of, nearby, place_of
from graft_server.completion.cache import SuggestionCache
from graft_server.completion.flight import Flight, Raw
from graft_server.completion.gates import Judged, Trees, judge
from graft_server.completion.model import Completion, Mode, Snapshot, Verdict
from graft_server.completion.rhythm import Rhythm
from graft_server.completion.stops import rule_for
from graft_server.settings import Settings
from graft_server.workspace import BACKGROUND, INTERACTIVE, GraphThread

log = logging.getLogger("graft.completion")

THRESHOLD = 0.35
"""Mean probability per token below which nothing is shown, unless the settings say another."""
SMALL_MODEL = 200_000_000
SMALL_THRESHOLD = 0.7
"""The same for models with fewer parameters than `SMALL_MODEL`: they are sure of too much.  Of 22 lines of this
repository the first embedded model had 9 shown and 2 exactly right at 0.35, 3 shown and the same 2 right at 0.7."""
DEADLINE_MS = 4000
CONTEXT_WAIT_MS = 40.0
JUDGE_WAIT_MS = 150.0
NEED_WAIT_MS = 4.5


@dataclass(frozen=True, slots=True)
class Switches:
    """Parts that can be switched off, for measuring what each is worth."""

    context: bool = True
    constraint: bool = True
    names: bool = True
    threshold: bool = True
    fallback: bool = True
    kinds: frozenset[str] | None = None
    """Context kinds to gather (None: all)."""


class Pipeline:
    """Completion for the documents of one workspace folder."""

    def __init__(
        self,
        graph: GraphThread | None,
        engine: Callable[[], Engine | None],
        settings: Callable[[], Settings],
        *,
        root: str = "",
        repository: str = "",
        memory: gate.Memory | None = None,
        switches: Switches | None = None,
        edits: Callable[[str], Sequence[ContextPart]] | None = None,
        patient: bool = False,
    ) -> None:
        """`patient`: nobody is typing; gather all context, however long it takes."""
        self.graph = graph
        self.memory = memory or gate.Memory()
        self.switches = switches or Switches()
        self.rhythm = Rhythm()
        self._reading = budget.ReadingSpeed()
        self._engine = engine
        self._settings = settings
        self._root = root
        self._repository = repository
        self._edits = edits or (lambda path: ())
        self._patient = patient
        self._ahead: Flight | None = None
        self._slow = context.SlowParts()
        self._holes = Holes()
        self._cache = SuggestionCache()
        self._flights: OrderedDict[str, Flight] = OrderedDict()
        self._trees = Trees()
        self._numbers = itertools.count(1)

    def forget(self, path: str) -> None:
        """The document was closed."""
        self._holes.forget(path)
        self._cache.forget(path)
        flight = self._flights.pop(path, None)
        if flight is not None:
            flight.cancel()

    def cancel_all(self) -> None:
        """End every decode."""
        for flight in self._flights.values():
            flight.cancel()

    async def complete(self, snapshot: Snapshot, count: int = 1, *, force: bool = False) -> list[Completion]:
        """Suggestions, best first; `shown` says whether an editor should show them.  An empty list: nothing to say.

        `force` asks the model even where the gate says no (the verdict is kept), and uses no cache: for measuring.
        Cancelling the caller ends the decode, unless another request has joined it.
        """
        started = time.perf_counter()
        settings = self._settings()
        place = place_of(snapshot)
        cursor = snapshot.offset
        if snapshot.selected is not None:
            snapshot, place = _with_selected(snapshot, place)
        if not force:
            self.rhythm.key()
        decision = gate.decide(
            snapshot,
            place,
            settings,
            self.memory,
            ignored=bool(self._root) and gate.graft_ignored(self._root, snapshot.path),
        )
        if not decision.ask and not force:
            return [_silent(snapshot, cursor, Verdict("gate", False, decision.reason), started)]
        known, kept, _ = self._cache.get(snapshot.path, place)
        if known and not snapshot.manual and count == 1 and not force:
            if kept is None:
                return []
            found = self._item(snapshot, cursor, place, kept.text, kept)
            return [replace(found, source="cache", usage=Usage(), milliseconds=_ms(started))]
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead = None
        completions = await self._from_model(snapshot, cursor, place, decision.mode, settings, count, started)
        if not any(c.shown for c in completions) and self.switches.fallback:
            graph_said = await self._from_graph(snapshot, cursor, place, started)
            if graph_said is not None:
                usage = completions[0].usage if completions else Usage()
                completions = [replace(graph_said, usage=usage), *completions]
        best = next((c for c in completions if c.shown), None)
        if force and not decision.ask:
            no = Verdict("gate", False, decision.reason)
            completions = [replace(c, shown=False, gates=(no, *c.gates)) for c in completions]
        if count == 1 and not force:
            self._cache.put(snapshot.path, place, best)
        return completions

    async def prepare(self, snapshot: Snapshot, shown: Completion) -> None:
        """Have the next suggestion ready as if `shown` were accepted and Enter pressed, in the background.

        The hole stays the same, so it costs the new tokens only; any request of the person's goes first.
        """
        engine = self._engine()
        if engine is None or engine.status.state != "ready" or shown.source != "model" or "\n" in shown.text:
            return
        place = place_of(snapshot)
        if place.rest.strip():
            return
        line = place.line + shown.text
        lead = line[: len(line) - len(line.lstrip())]
        style = shape.indent_style(place.before[-8000:])
        deeper = ("\t" if style.tabs else " " * style.width) if line.rstrip().endswith(":") else ""
        after = Place(place.before + shown.text + "\n" + lead + deeper, place.after, place.newline)
        if not self._holes.holds(snapshot.path, after) or self._cache.get(snapshot.path, after)[0]:
            return
        text = (after.before + after.after).replace("\n", place.newline)
        offset = len(after.before.replace("\n", place.newline).encode("utf-8", "surrogateescape"))
        future = replace(snapshot, text=text, offset=offset, selected=None)
        settings = self._settings()
        live, typed = self._holes.at(snapshot.path, after)
        mode = gate.mode_of(future, after, settings)
        flight = self._start(engine, live, typed, future, after, mode, settings, 1, background=True)
        self._ahead = flight
        (raw,) = await flight.result()
        if raw.text and raw.reason not in (DoneReason.CANCELLED, DoneReason.FAILED):
            made = await self._judged(future, offset, after, mode, raw, 0, settings)
            if made.shown:
                self._cache.put(snapshot.path, after, made)

    async def _from_model(
        self, snapshot: Snapshot, cursor: int, place: Place, mode: Mode, settings: Settings, count: int, started: float
    ) -> list[Completion]:
        engine = self._engine()
        if engine is None or engine.status.state not in ("ready", "unloaded"):
            return []
        flight = self._flights.get(snapshot.path)
        if flight is None or count > 1 or not flight.fits(place):
            delay = 0.0 if snapshot.manual else self.rhythm.delay(settings.completion_delay)
            if delay > 0:
                await asyncio.sleep(delay)
            if flight is not None:
                flight.cancel()
            live, typed = self._holes.at(snapshot.path, place)
            if live.budget == 0:
                answer = snapshot.max_tokens or settings.completion_max_tokens
                known = budget.prompt_tokens(self._reading.tokens_per_second, engine.status.model, answer)
                live.budget = settings.model_context or known
            await self._fill(live, snapshot, settings)
            flight = self._start(engine, live, typed, snapshot, place, mode, settings, count)
        live, _ = self._holes.at(snapshot.path, place)
        begun = time.perf_counter()
        raws = await flight.result()
        self.rhythm.answered(_ms(begun))
        self._reading.saw(flight.usage)
        typed_since = place.before[len(flight.place.before) :]
        out: list[Completion] = []
        for raw in raws:
            if raw.text.startswith(typed_since) and len(raw.text) > len(typed_since):
                made = await self._judged(snapshot, cursor, place, mode, raw, len(typed_since), settings)
                made = replace(made, usage=flight.usage, milliseconds=_ms(started), parts=live.context)
                if not any(c.text == made.text and c.shown == made.shown for c in out):
                    out.append(made)
        if not out:
            said = flight.error or f"said nothing new ({raws[0].reason.value})"
            none = self._item(snapshot, cursor, place, "", None)
            verdict = Verdict("model", False, said)
            out = [replace(none, shown=False, gates=(verdict,), usage=flight.usage, milliseconds=_ms(started))]
        return sorted(out, key=lambda c: (not c.shown, -c.score))

    async def _fill(self, live: LiveHole, snapshot: Snapshot, settings: Settings) -> None:
        """Gather the hole's context, once while it lives."""
        if live.context_known or self.graph is None or not (settings.completion_context and self.switches.context):
            return
        wanted = context.Wanted(
            snapshot.path,
            snapshot.text,
            snapshot.offset,
            budget=budget.context_tokens(live.budget),
            deadline_ms=2000.0 if self._patient else context.DEADLINE_MS,
            disabled=settings.completion_disabled_globs,
            edits=tuple(self._edits(snapshot.path)),
            kinds=self.switches.kinds,
        )
        slow = None if self._patient else self._slow
        found = await self.graph.ask(
            lambda graph: context.gather(graph, wanted, slow),
            None,
            priority=INTERACTIVE,
            wait_ms=self._wait(CONTEXT_WAIT_MS),
        )
        if found is None:
            return
        live.context, missing = found
        live.context_known = True
        if missing:
            # Gathered while the engine reads; the next hole in this function will have them.
            self.graph.submit(lambda graph: self._slow.fill(graph, wanted), BACKGROUND)

    def _wait(self, milliseconds: float) -> float | None:
        return None if self._patient else milliseconds

    def _start(
        self,
        engine: Engine,
        live: LiveHole,
        typed: str,
        snapshot: Snapshot,
        place: Place,
        mode: Mode,
        settings: Settings,
        count: int,
        *,
        background: bool = False,
    ) -> Flight:
        limit = snapshot.max_tokens or settings.completion_max_tokens
        request = Request(
            id=next(self._numbers),
            hole=hole_of(live, typed, snapshot.path, self._repository),
            max_tokens=limit if mode == "block" or snapshot.max_tokens else min(limit, 48),
            candidates=count,
            temperature=0.0 if count == 1 else 0.6,
            triggers=constraint.TRIGGERS if self._constrains(engine, snapshot) else (),
            deadline_ms=None if self._patient else DEADLINE_MS,
            document=f"{self._root}:{snapshot.path}",
            prompt_budget=live.budget,
            background=background,
        )

        graph = self.graph
        ahead: asyncio.Task[Allow | None] | None = None
        if request.triggers and graph is not None and (trigger := constraint.trigger_at(place)) is not None:
            # What the engine will ask first is known: look it up while the prompt is read.
            first = Need(0, trigger, typed)
            ahead = asyncio.create_task(
                graph.ask(lambda g: constraint.allowed(g, snapshot.path, place, typed, first), None)
            )

        async def answer(need: Need) -> Allow | None:
            if graph is None:
                return None
            if ahead is not None and need.text == typed:
                allow = await ahead
                return replace(allow, need=need.need) if allow is not None else None
            return await graph.ask(
                lambda g: constraint.allowed(g, snapshot.path, place, typed, need),
                None,
                wait_ms=self._wait(NEED_WAIT_MS),
            )

        flight = Flight(engine, request, place, rule_for(place, mode), answer)
        if background:
            return flight
        self._flights[snapshot.path] = flight
        self._flights.move_to_end(snapshot.path)
        while len(self._flights) > 8:
            self._flights.popitem(last=False)[1].cancel()
        return flight

    def _constrains(self, engine: Engine, snapshot: Snapshot) -> bool:
        return (
            self.switches.constraint
            and snapshot.language == "python"
            and self.graph is not None
            and self.graph.ready
            and engine.capabilities.constraint
        )

    async def _judged(
        self, snapshot: Snapshot, cursor: int, place: Place, mode: Mode, raw: Raw, skip: int, settings: Settings
    ) -> Completion:
        """One candidate through all gates."""
        shaped = shape.shaped(raw.text[skip:], place, mode, manual=snapshot.manual)
        verdicts = list(shaped.verdicts)
        text = shaped.text
        if text:
            names = self.switches.names
            judged: Judged | None = None
            if self.graph is not None and self.graph.ready:
                judged = await self.graph.ask(
                    lambda graph: judge(
                        graph, self._trees, snapshot.path, snapshot.language, place, text, shaped.cover, names=names
                    ),
                    None,
                    wait_ms=self._wait(JUDGE_WAIT_MS),
                )
            if judged is None:
                # Parsed here, on the event loop: of a long file only the surroundings.
                judged = judge(None, Trees(), snapshot.path, snapshot.language, nearby(place), text, shaped.cover)
            verdicts += judged.verdicts
            text = judged.text
        if text and secrets.find(text):
            verdicts.append(Verdict("secrets", False, "looks like a secret"))
            text = ""
        score = raw.score(skip + len(text) if text else None)
        passed = bool(text)
        if passed and not snapshot.manual and self.memory.was_rejected(place.line, text):
            verdicts.append(Verdict("rejected", False, "rejected a moment ago"))
            passed = False
        if passed and self.switches.threshold:
            least = settings.completion_threshold or default_threshold(self._engine())
            sure = math.exp(score)
            if sure < least and not snapshot.manual:
                verdicts.append(Verdict("confidence", False, f"{sure:.2f} per token, {least:.2f} wanted"))
                passed = False
        best = text or shaped.text or raw.text[skip:]
        made = self._item(snapshot, cursor, place, best, None)
        return replace(made, score=score, shown=passed, gates=tuple(verdicts))

    async def _from_graph(self, snapshot: Snapshot, cursor: int, place: Place, started: float) -> Completion | None:
        """What the graph alone is certain of."""
        if self.graph is None or snapshot.language != "python" or place.rest.strip(gate.CLOSERS):
            return None
        text = await self.graph.ask(
            lambda graph: graphonly.suggest(graph, snapshot.path, place), "", wait_ms=self._wait(JUDGE_WAIT_MS)
        )
        if not text or (self.memory.was_rejected(place.line, text) and not snapshot.manual):
            return None
        made = self._item(snapshot, cursor, place, text, None)
        return replace(made, shown=True, source="graph", milliseconds=_ms(started))

    def _item(self, snapshot: Snapshot, cursor: int, place: Place, text: str, like: Completion | None) -> Completion:
        """The edit that inserts `text` at the place: from the line's start to the cursor, over covered closers."""
        data = snapshot.text.encode("utf-8", "surrogateescape")
        start = max(data.rfind(b"\n", 0, cursor), data.rfind(b"\r", 0, cursor)) + 1
        cover = shape.covering(text, place)
        end = cursor + len(place.rest[:cover].encode("utf-8", "surrogateescape"))
        written = text.replace("\n", place.newline)
        base = like or Completion("", "", 0, 0, 0.0, True)
        return replace(base, text=written, insert=place.line + written, start=start, end=end)


def default_threshold(engine: Engine | None) -> float:
    """The model's own threshold, by its size."""
    model = engine.status.model if engine is not None else None
    return SMALL_THRESHOLD if model is not None and 0 < model.parameters < SMALL_MODEL else THRESHOLD


def _silent(snapshot: Snapshot, cursor: int, verdict: Verdict, started: float) -> Completion:
    return Completion("", "", cursor, cursor, 0.0, False, (verdict,), milliseconds=_ms(started))


def _with_selected(snapshot: Snapshot, place: Place) -> tuple[Snapshot, Place]:
    """The snapshot as if the entry selected in the editor's list were accepted: a suggestion must extend it."""
    assert snapshot.selected is not None
    start, end, text = snapshot.selected
    data = snapshot.text.encode("utf-8", "surrogateescape")
    if not 0 <= start <= snapshot.offset <= end <= len(data):
        return replace(snapshot, selected=None), place
    written = text.encode("utf-8", "surrogateescape")
    made = replace(
        snapshot,
        text=(data[:start] + written + data[end:]).decode("utf-8", "surrogateescape"),
        offset=start + len(written),
        selected=None,
    )
    return made, place_of(made)


def _ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000
