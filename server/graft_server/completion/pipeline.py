"""From a snapshot of a document to suggestions: gate, cache, hole, engine, stops, gates, item.

The event loop only looks things up; the graph is asked on its thread, the engine in its process.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from graft_models.engine import DoneReason, Engine, Usage
from graft_models.prompt import ContextPart
from graft_server.completion import gate, graphonly, ranking, shape
from graft_server.completion.anchor import Place, place_of
from graft_server.completion.cache import SuggestionCache
from graft_server.completion.confidence import DOUBTFUL, of_guess, of_model, variants
from graft_server.completion.decoding import Decoder, Wish
from graft_server.completion.flight import Flight, Raw
from graft_server.completion.model import Completion, Snapshot, Switches, Verdict
from graft_server.completion.options import Options
from graft_server.completion.parses import Trees
from graft_server.completion.rhythm import Rhythm
from graft_server.completion.screen import Screened, screen
from graft_server.completion.shortening import stands
from graft_server.settings import Settings
from graft_server.workspace import GraphThread

log = logging.getLogger("graft.completion")

LOADING_SECONDS = 10.0
"""So long a request waits for a model that is being loaded, where the graph has nothing to say."""
JUDGE_WAIT_MS = 150.0


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
        self.decoder = Decoder(
            graph, root=root, repository=repository, switches=self.switches, edits=edits, patient=patient
        )
        self._engine = engine
        self._settings = settings
        self._root = root
        self._repository = repository
        self._patient = patient
        self._ahead: Flight | None = None
        self._cache = SuggestionCache()
        self._trees = Trees()

    def forget(self, path: str) -> None:
        """The document was closed."""
        self.decoder.forget(path)
        self._cache.forget(path)

    def cancel_all(self) -> None:
        """End every decode."""
        self.decoder.cancel_all()

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
        wish = Wish(snapshot, place, decision.mode, settings, count)
        whole = force or count > 1  # What is measured, and what a person chooses from, is what the model says.
        completions = await self._from_model(wish, cursor, started, whole)
        best = next((c for c in completions if c.shown), None)
        # Of what was asked for by hand, or comes from a model without a filter, no likelihood is known: only what the
        # file itself misses goes before it, and before a mere beginning any guess.
        if self.switches.fallback and (best is None or best.likely or best.shortened or snapshot.manual):
            graph_said = await self._from_graph(snapshot, cursor, place, started)
            if graph_said is not None and (
                best is None or graph_said.settled or (graph_said.gain > best.gain if best.likely else best.shortened)
            ):
                usage = completions[0].usage if completions else Usage()
                best = replace(graph_said, usage=usage)
                less = Verdict("graph", False, "what the graph guesses is surer, or saves more")
                rest = [replace(c, shown=False, gates=(*c.gates, less)) if c.shown else c for c in completions]
                completions = [best, *rest]
        if not completions and await self._loaded():
            # Whoever types just after the start would wait for the next key; a key press cancels this.
            completions = await self._from_model(wish, cursor, started, whole)
            best = next((c for c in completions if c.shown), None)
        if force and not decision.ask:
            no = Verdict("gate", False, decision.reason)
            completions = [replace(c, shown=False, gates=(no, *c.gates)) for c in completions]
        engine = self._engine()
        loading = engine is not None and engine.status.state == "loading"
        if count == 1 and not force and not (best is None and loading):
            self._cache.put(snapshot.path, place, best)
        return completions

    async def ranked(self, engine: Engine, snapshot: Snapshot, place: Place, found: Options) -> Options:
        """The classic list with its best names in the model's order, in the hole that ghost text has open."""
        settings = self._settings()
        wish = Wish(snapshot, place, gate.mode_of(snapshot, place, settings), settings)
        document = f"{self._root}:{snapshot.path}"
        near = self.decoder.near(snapshot.path)
        return await ranking.by_model(engine, self.decoder.holes, wish, self._repository, document, found, near)

    async def prepare(self, snapshot: Snapshot, shown: Completion) -> None:
        """Have the next suggestion ready as if `shown` were accepted and Enter pressed, in the background.

        The hole stays the same, so it costs the new tokens only; any request of the person's goes first.
        """
        engine = self._engine()
        if engine is None or engine.status.state != "ready" or shown.source != "model" or "\n" in shown.text:
            return
        if shown.shortened:
            # Whoever takes it goes on where it ends.
            return
        place = place_of(snapshot)
        if place.rest.strip() or not self.decoder.works_ahead(self._settings()):
            return
        line = place.line + shown.text
        lead = line[: len(line) - len(line.lstrip())]
        style = shape.indent_style(place.before[-8000:])
        deeper = ("\t" if style.tabs else " " * style.width) if line.rstrip().endswith(":") else ""
        after = replace(place, before=place.before + shown.text + "\n" + lead + deeper)
        if not self.decoder.holes.holds(snapshot.path, after) or self._cache.get(snapshot.path, after)[0]:
            return
        text = (after.before + after.after).replace("\n", place.newline)
        offset = len(after.before.replace("\n", place.newline).encode("utf-8", "surrogateescape"))
        future = replace(snapshot, text=text, offset=offset, selected=None)
        settings = self._settings()
        wish = Wish(future, after, gate.mode_of(future, after, settings), settings)
        flight = self.decoder.begin_background(engine, wish)
        self._ahead = flight
        (raw,) = await flight.result()
        if raw.text and raw.reason not in (DoneReason.CANCELLED, DoneReason.FAILED):
            made = await self._judged(wish, offset, raw, 0)
            if made.shown:
                self._cache.put(snapshot.path, after, made)

    async def _loaded(self) -> bool:
        """Wait for a model that is being loaded; whether there is one now that was not there before."""
        end = time.monotonic() + LOADING_SECONDS
        waited = False
        while (engine := self._engine()) is not None and engine.status.state == "loading" and time.monotonic() < end:
            waited = True
            await asyncio.sleep(0.05)
        return waited and engine is not None and engine.status.state == "ready"

    async def _from_model(self, wish: Wish, cursor: int, started: float, whole: bool) -> list[Completion]:
        engine = self._engine()
        if engine is None or engine.status.state not in ("ready", "unloaded"):
            return []
        place = wish.place
        flight = self.decoder.joinable(wish)
        if flight is None:
            delay = 0.0 if wish.snapshot.manual else self.rhythm.delay(wish.settings.completion_delay)
            if delay > 0:
                await asyncio.sleep(delay)
            flight = await self.decoder.begin(engine, wish)
        live, _ = self.decoder.holes.at(wish.snapshot.path, place)
        begun = time.perf_counter()
        raws = await flight.result()
        self.rhythm.answered(_ms(begun))
        self.decoder.reading.saw(flight.usage)
        self.decoder.read_ahead(engine, wish)
        typed_since = place.before[len(flight.place.before) :]
        out: list[Completion] = []
        for raw in raws:
            if raw.text.startswith(typed_since) and len(raw.text) > len(typed_since):
                made = await self._judged(wish, cursor, raw, len(typed_since), whole=whole)
                made = replace(
                    made, usage=flight.usage, milliseconds=_ms(started), parts=live.context, counted=flight.counted
                )
                if not any(c.text == made.text and c.shown == made.shown for c in out):
                    out.append(made)
        if not out:
            said = flight.error or f"said nothing new ({raws[0].reason.value})"
            none = self._item(wish.snapshot, cursor, place, "", None)
            verdict = Verdict("model", False, said)
            out = [replace(none, shown=False, gates=(verdict,), usage=flight.usage, milliseconds=_ms(started))]
        return sorted(out, key=lambda c: (not c.shown, -c.score))

    def _wait(self, milliseconds: float) -> float | None:
        return None if self._patient else milliseconds

    async def _judged(self, wish: Wish, cursor: int, raw: Raw, skip: int, *, whole: bool = False) -> Completion:
        """One candidate through all gates; `skip` characters of it were typed meanwhile.  `whole`: an end that is not
        sure enough is not left out."""
        snapshot, place, said = wish.snapshot, wish.place, raw.text[skip:]
        off, comments = self.switches.off, wish.settings.completion_in_comments
        screened: Screened | None = None
        if self.graph is not None and self.graph.ready:
            screened = await self.graph.ask(
                lambda graph: screen(graph, self._trees, snapshot, place, wish.mode, said, off, comments=comments),
                None,
                wait_ms=self._wait(JUDGE_WAIT_MS),
            )
        if screened is None:
            # Parsed here, on the event loop: of a long file only the surroundings.
            screened = screen(None, Trees(), snapshot, place, wish.mode, said, off, comments=comments)
        verdicts = list(screened.verdicts)
        text, likely = screened.text, 0.0
        score = raw.score(skip + len(text) if text else None)
        passed = bool(text)
        if passed and "confidence" not in off and not snapshot.manual:
            setting = wish.settings.completion_threshold
            made = variants(raw, skip, screened, place, min(DOUBTFUL, setting or DOUBTFUL))
            candidates = itertools.islice(made, 1 if whole else None)
            fits = partial(stands, whole=text, place=place, mode=wish.mode, comments=comments, off=off)
            sure = of_model(self._engine(), setting, candidates, fits)
            verdicts += (sure.verdict,) if sure.verdict.detail else ()
            passed, likely, text, score = sure.verdict.passed, sure.likely, sure.variant.text, sure.variant.score
        refused = any(self.memory.was_rejected(place.line, said) for said in (text, screened.text))
        if passed and not snapshot.manual and refused:
            verdicts.append(Verdict("rejected", False, "rejected a moment ago"))
            passed = False
        item = self._item(snapshot, cursor, place, text if passed else screened.best, None)
        cut = passed and text != screened.text
        return replace(item, score=score, shown=passed, gates=tuple(verdicts), likely=likely, shortened=cut)

    async def _from_graph(self, snapshot: Snapshot, cursor: int, place: Place, started: float) -> Completion | None:
        """What the graph alone is certain of."""
        if self.graph is None or snapshot.language != "python" or place.rest.strip(gate.CLOSERS):
            return None
        guess = await self.graph.ask(
            lambda graph: graphonly.suggest(graph, snapshot.path, place), None, wait_ms=self._wait(JUDGE_WAIT_MS)
        )
        if guess is None or (self.memory.was_rejected(place.line, guess.text) and not snapshot.manual):
            return None
        sure = of_guess(guess)
        if not sure.verdict.passed:
            return None
        made = self._item(snapshot, cursor, place, guess.text, None)
        return replace(
            made, shown=True, source="graph", milliseconds=_ms(started), likely=sure.likely, settled=guess.settled
        )

    def _item(self, snapshot: Snapshot, cursor: int, place: Place, text: str, like: Completion | None) -> Completion:
        """The edit that inserts `text` at the place: from the line's start to the cursor, over covered closers."""
        data = snapshot.text.encode("utf-8", "surrogateescape")
        start = max(data.rfind(b"\n", 0, cursor), data.rfind(b"\r", 0, cursor)) + 1
        cover = shape.covering(text, place)
        end = cursor + len(place.rest[:cover].encode("utf-8", "surrogateescape"))
        written = text.replace("\n", place.newline)
        base = like or Completion("", "", 0, 0, 0.0, True)
        return replace(base, text=written, insert=place.line + written, start=start, end=end)


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
