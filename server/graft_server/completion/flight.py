"""One decode under way, shared by the requests that want the same text.

A key press cancels the old request and sends a new one.  If the new one asks for what the decode is about to say, it
joins it: so a decode outlives its last reader by a moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from graft_models.engine import Allow, Done, DoneReason, Engine, Job, Need, Request, Stop, Token, Usage
from graft_server.completion.anchor import Place
from graft_server.completion.stops import StopRule, end_of, repetition

log = logging.getLogger("graft.completion")

GRACE_SECONDS = 0.015
"""A decode without readers goes on so long, for a request that joins it."""

Answerer = Callable[[Need], Awaitable[Allow | None]]


@dataclass(slots=True)
class Raw:
    """What the engine said for one candidate, up to the stop.  `marks` are (characters, log-probability) per token."""

    text: str = ""
    marks: list[tuple[int, float]] = field(default_factory=list)
    reason: DoneReason = DoneReason.END
    stopped: bool = False
    """The stop rule was met; otherwise the text may be unfinished."""

    def score(self, characters: int | None = None) -> float:
        """Mean log-probability of the tokens that begin within the first `characters`; 0 for none."""
        kept = [lp for at, lp in self.marks if characters is None or at < characters]
        return sum(kept) / len(kept) if kept else 0.0


class Flight:
    """A decode with its readers."""

    def __init__(self, engine: Engine, request: Request, place: Place, rule: StopRule, answer: Answerer) -> None:
        self.place = place
        self.raws: list[Raw] = [Raw() for _ in range(max(1, request.candidates))]
        self.usage = Usage()
        self.error = ""
        self.constrained = 0
        """How often names were prescribed."""
        self.counted = tuple(near.path for near in request.hole.neighbours)
        """Files that are counted beside the prompt."""
        self._rule = rule
        self._answer = answer
        self._readers = 0
        self._job: Job = engine.complete(request)
        self._task = asyncio.create_task(self._read(), name="decode")

    @property
    def running(self) -> bool:
        """Whether the engine is still at it."""
        return not self._task.done()

    async def ended(self) -> None:
        """Wait for the end without being a reader."""
        await asyncio.wait([self._task])

    def fits(self, place: Place) -> bool:
        """Whether what this decode says, or may yet say, holds at `place` too."""
        if not place.before.startswith(self.place.before) or place.after != self.place.after:
            return False
        typed = place.before[len(self.place.before) :]
        said = self.raws[0].text
        return said.startswith(typed) or (self.running and typed.startswith(said))

    async def result(self) -> list[Raw]:
        """Wait for the end; if every reader is cancelled, so is the decode."""
        self._readers += 1
        try:
            await asyncio.shield(self._task)
        finally:
            self._readers -= 1
            if self._readers == 0 and self.running:
                asyncio.get_running_loop().call_later(GRACE_SECONDS, self._leave)
        return self.raws

    def cancel(self) -> None:
        """End the decode now, readers or not; they get what was said so far."""
        if self.running:
            self._job.cancel()

    def _leave(self) -> None:
        if self._readers == 0:
            self.cancel()

    async def _read(self) -> None:
        async for event in self._job:
            if isinstance(event, Token):
                self._take(event)
            elif isinstance(event, Need):
                allow = None
                try:
                    allow = await self._answer(event)
                    self.constrained += allow is not None and not allow.open
                finally:
                    self._job.answer(allow if allow is not None else Allow(event.need, (), open=True))
            elif isinstance(event, Done):
                self._finish(event)

    def _take(self, token: Token) -> None:
        if token.forced or token.index >= len(self.raws):
            return
        raw = self.raws[token.index]
        if raw.stopped:
            return
        raw.marks.append((len(raw.text), token.logprob))
        raw.text += token.text
        end = end_of(raw.text, self._rule)
        if end is None and len(raw.text) > 40 and repetition(raw.text) is not None:
            end = len(raw.text)
        if end is not None:
            raw.text = raw.text[:end]
            raw.stopped = True
            if all(r.stopped for r in self.raws):
                self._job.answer(Stop(keep=max(len(r.text) for r in self.raws) if len(self.raws) == 1 else None))

    def _finish(self, done: Done) -> None:
        self.usage = done.usage
        self.error = done.error
        for index, raw in enumerate(self.raws):
            raw.reason = done.reason
            if index < len(done.texts) and not raw.stopped:
                # Healing may have changed the seam: the engine's own account of the text is the right one.
                raw.text = done.texts[index]
                end = end_of(raw.text + ("\n" if done.reason is DoneReason.END else ""), self._rule)
                if end is not None:
                    raw.text = raw.text[:end]
                    raw.stopped = True
                if not raw.marks and index < len(done.counts) and done.counts[index]:
                    raw.marks = [(0, done.logprobs[index] / done.counts[index])]
        if done.error:
            log.warning("the engine: %s", done.error)
