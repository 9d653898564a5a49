"""An engine for tests: it answers from a script, in order, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence

from graft_models.engine import (
    Allow,
    Capabilities,
    Done,
    DoneReason,
    Event,
    ModelInfo,
    Need,
    Request,
    ScoreRequest,
    Scores,
    ScriptedAnswer,
    Status,
    Stop,
    Token,
    Trigger,
    Usage,
)
from graft_models.prompt import Hole

Script = Callable[[Request], ScriptedAnswer] | Sequence[str | ScriptedAnswer]

_TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


class ScriptedEngine:
    """Answers the n-th request with the n-th entry of `script` (the last one repeats), or with `script(request)`.

    Honours `Need`/`Allow` at `.` (trigger DOT) and at line ends (trigger LINE_END): if the scripted token is not a
    prefix-compatible member of a closed `Allow`, the first allowed name is generated in its place.
    """

    def __init__(self, script: Script, *, capabilities: Capabilities | None = None) -> None:
        self.requests: list[Request] = []
        self.scored: list[ScoreRequest] = []
        self.cancelled: list[int] = []
        self.warmed: list[tuple[str, Hole]] = []
        self._script = script
        self._capabilities = capabilities or Capabilities(infill=True, score=True, constraint=True, candidates=8)

    @property
    def status(self) -> Status:
        """Always ready."""
        return Status("ready", "", ModelInfo("scripted", "", languages=("python",)))

    @property
    def capabilities(self) -> Capabilities:
        """Everything, unless told otherwise."""
        return self._capabilities

    async def start(self) -> Status:
        """Nothing to load."""
        return self.status

    def complete(self, request: Request) -> ScriptedJob:
        """Begin the next scripted answer."""
        self.requests.append(request)
        if callable(self._script):
            answer: str | ScriptedAnswer = self._script(request)
        else:
            answer = self._script[min(len(self.requests), len(self._script)) - 1]
        return ScriptedJob(self, request, ScriptedAnswer(answer) if isinstance(answer, str) else answer)

    async def score(self, request: ScoreRequest) -> Scores:
        """Minus the number of characters, so that shorter texts are likelier; deterministic."""
        self.scored.append(request)
        return Scores(tuple(-float(len(t)) for t in request.texts), tuple(max(1, len(t) // 4) for t in request.texts))

    async def warm(self, hole: Hole, document: str = "", *, prompt_budget: int = 0, max_tokens: int = 64) -> bool:
        """Nothing to warm; kept in `warmed`."""
        self.warmed.append((document, hole))
        return True

    async def unload(self) -> None:
        """Nothing to free."""

    async def close(self) -> None:
        """Nothing to close."""


class ScriptedJob:
    """One scripted answer under way."""

    def __init__(self, engine: ScriptedEngine, request: Request, answer: ScriptedAnswer) -> None:
        self._engine = engine
        self._request = request
        self._answer = answer
        self._reply: Allow | Stop | None = None
        self._cancelled = False

    def answer(self, reply: Allow | Stop) -> None:
        """Keep the reply for the token that comes next."""
        self._reply = reply

    def cancel(self) -> None:
        """End the answer at the next token."""
        self._cancelled = True
        self._engine.cancelled.append(self._request.id)

    async def __aiter__(self) -> AsyncIterator[Event]:
        typed = self._request.hole.typed
        tokens = list(self._answer.tokens or _TOKEN.findall(self._answer.text))
        text, count, needs = "", 0, 0
        logprobs: list[float] = []
        reason = DoneReason.END
        while tokens:
            await asyncio.sleep(self._answer.delay_ms / 1000)
            if self._cancelled:
                reason = DoneReason.CANCELLED
                break
            trigger = _trigger(typed + text)
            if trigger is not None and trigger in self._request.triggers:
                needs += 1
                self._reply = None
                yield Need(needs, trigger, typed + text)
                await asyncio.sleep(0)
                if isinstance(self._reply, Allow) and not self._reply.open and self._reply.names:
                    names = self._reply.names
                    word = re.match(r"\w*", "".join(tokens))
                    if word is not None and word.group() not in names:
                        rest = "".join(tokens)[word.end() :]
                        tokens = [names[0], *_TOKEN.findall(rest)]
            if isinstance(self._reply, Stop):
                reason = DoneReason.STOP
                if self._reply.keep is not None:
                    text = text[: self._reply.keep]
                break
            if count >= self._request.max_tokens:
                reason = DoneReason.LENGTH
                break
            token = tokens.pop(0)
            count += 1
            text += token
            said = self._answer.logprobs
            logprobs.append(said[count - 1] if said is not None else self._answer.logprob)
            yield Token(token, logprobs[-1])
            met = next((s for s in self._request.stop if s in text), None)
            if met is not None:
                text = text[: text.index(met)]
                reason = DoneReason.STOP
                break
        yield Done(reason, (text,), (sum(logprobs),), (count,), Usage(generated=count))


def _trigger(text: str) -> Trigger | None:
    if re.search(r"(?<![\d.])\.$|[A-Za-z_]\w*\.$|[)\]]\.$", text):
        return Trigger.DOT
    if text.endswith("\n"):
        return Trigger.LINE_END
    if re.search(r"(?:^|\n)\s*from [\w.]+ import (?:\w+, )*$", text):
        return Trigger.IMPORT
    return None
