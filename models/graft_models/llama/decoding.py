"""One completion from its prompt to its end: healing, names as constraint, triggers, stops, several candidates at once.

Everything here is a generator that yields wherever the engine may turn to something more urgent; the memory of a job
that is put aside stays as it is.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from graft_models.engine import Allow, Done, DoneReason, Need, Request, Stop, Token, Trigger, Usage
from graft_models.llama import speculation
from graft_models.llama.constraint import Names, name_length
from graft_models.llama.kv import Slot
from graft_models.llama.mixture import Mixture
from graft_models.llama.model import STREAMS, Model, aside_from, log_probability
from graft_models.llama.native import Floats, NativeError
from graft_models.llama.triggers import trigger_at
from graft_models.llama.vocabulary import Ids

CLOSE = 8.0
TRIED = 64
"""This many tokens, none less likely than the best by more than `CLOSE` (natural logarithm), are tried one by one
before all allowed ones are computed."""


class Control(Protocol):
    """What the outside may do to a job, and what the job tells it."""

    def interrupted(self) -> DoneReason | None:
        """Cancelled or past its deadline."""

    def stopped(self) -> Stop | None:
        """The client's `Stop`, if it came."""

    def ask(self, need: Need) -> Allow | Stop | None:
        """Send `need` and wait for its answer."""

    def send(self, event: Token) -> None:
        """Pass an event on."""


@dataclass(slots=True)
class Prepared:
    """What to generate from: `tokens` are prompt and forced text, `rest` must begin what is generated (bytes)."""

    tokens: list[int]
    typed: str
    rest: bytes
    parts: tuple[tuple[str, str, int], ...] = ()
    forced: tuple[int, ...] = ()
    """The tokens of the forced text alone."""
    mixture: Mixture | None = None


@dataclass(slots=True)
class Stream:
    """One candidate.  `data` is all it generated as bytes, typed text not included; `ends` where each token ends."""

    index: int
    sequence: int
    position: int
    rest: bytes
    text: str = ""
    tokens: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    counted: int = 0
    names: Names | None = None
    literal: bytes = b""
    """Comes before the name: the part of a token up to and with the trigger."""
    name_done: bytes = b""
    asked_at: int = -1
    reason: DoneReason | None = None
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))


class Generation:
    """State of one request after its prompt was read."""

    def __init__(self, model: Model, request: Request, control: Control, prepared: Prepared) -> None:
        self.model = model
        self.request = request
        self.control = control
        self.prepared = prepared
        self.needs = 0
        self.streams: list[Stream] = []
        self._ordered = True
        self._said = model.said.get(request.document, ())
        self._prompt = np.array(prepared.tokens, dtype=np.int32)
        self._waiting: list[Stream] = []
        """Candidates that begin where the typed text is healed."""
        self._names_cache: dict[tuple[str, ...], Names] = model.name_sets

    def run(self, slot: Slot) -> Iterator[None]:
        """Generate until every stream has a reason to end.  `slot` holds the prompt, with its logits."""
        count = max(1, min(self.request.candidates, STREAMS))
        logits = self._mixed(slot.ends[len(self.prepared.tokens)], [])
        start = len(self.prepared.tokens)
        if count > 1:
            self.model.native.straighten(slot.sequence, count)
        for i in range(count):
            sequence = slot.sequence if count == 1 else aside_from(self.request.background) + i
            if count > 1:
                self.model.native.remove(sequence, -1)
                self.model.native.copy(slot.sequence, sequence, start)
            self.streams.append(Stream(i, sequence, start, self.prepared.rest))
        self._ask_about_typed()
        try:
            self._first_tokens(logits)
            while live := [s for s in self.streams if s.reason is None and s not in self._waiting]:
                reason = self.control.interrupted()
                if reason is not None:
                    for stream in live:
                        stream.reason = reason
                    break
                if (stop := self.control.stopped()) is not None:
                    for stream in live:
                        self._stop(stream, stop)
                    break
                yield from self._step(live, slot)
        finally:
            if count > 1:
                for stream in self.streams:
                    self.model.native.remove(stream.sequence, -1)

    def _step(self, live: list[Stream], slot: Slot) -> Iterator[None]:
        """Evaluate the last token of every live stream in one batch and choose the next ones."""
        drafted = self._draft(live[0])
        if drafted:
            self._verify(live[0], slot, drafted)
            yield
            return
        began = time.perf_counter()
        tokens = [s.tokens[-1] for s in live]
        positions = [s.position for s in live]
        native = self.model.native
        code = native.decode(tokens, positions, [s.sequence for s in live], [True] * len(live), ordered=self._ordered)
        if code == 1:
            if not self.model.cache.evict(slot):
                if not self._ordered:
                    raise NativeError("the answer does not fit into the model's memory")
                self._ordered = False
        elif code == 2:
            for stream in live:
                native.remove(stream.sequence, stream.position)
        else:
            if len(live) == 1:
                self.model.speculation.single(clock_ms(began))
            for row, stream in enumerate(live):
                stream.position += 1
                if len(self.streams) == 1:
                    slot.tokens.append(stream.tokens[-1])
                logits = self._mixed(native.logits(row), stream.tokens)
                if self._waiting and not stream.rest:
                    self._fork(stream, self._waiting, logits)
                else:
                    self._take(stream, self._choose(stream, logits), logits)
        yield

    def _mixed(self, logits: Floats, generated: list[int]) -> Floats:
        """With the counts of the code at hand, for a small model."""
        mixture = self.prepared.mixture
        return logits if mixture is None else mixture.apply(logits, [*self.prepared.forced, *generated])

    def _draft(self, stream: Stream) -> list[int]:
        """What may follow, for a single greedy stream that nothing constrains now."""
        free = len(self.streams) == 1 and self.request.temperature <= 0 and not stream.rest and stream.names is None
        if not free or not self.model.speculation.wanted():
            return []
        room = min(self.request.max_tokens - stream.counted, self.model.context - stream.position - 2) - 1
        return speculation.draft(self._said, self._prompt, stream.tokens, min(speculation.DRAFT, room))

    def _verify(self, stream: Stream, slot: Slot, drafted: list[int]) -> None:
        """Evaluate the last token and a draft in one batch; take tokens as long as they are those drafted."""
        native, start = self.model.native, stream.position
        rows = [stream.tokens[-1], *drafted]
        began = time.perf_counter()
        code = native.decode(rows, range(start, start + len(rows)), [stream.sequence] * len(rows), [True] * len(rows))
        if code != 0:
            # No room or cut short: the next step goes without a draft, and sees to it.
            if code == 2:
                native.remove(stream.sequence, start)
            self._said, self._prompt = (), self._prompt[:0]
            return
        spent = clock_ms(began)
        for row, token in enumerate(rows):
            stream.position += 1
            slot.tokens.append(token)
            logits = self._mixed(native.logits_view(row), stream.tokens)
            self._take(stream, self._choose(stream, logits), logits)
            if stream.reason is not None or (row < len(drafted) and stream.tokens[-1] != drafted[row]):
                break
        native.remove(stream.sequence, stream.position)
        self.model.speculation.batch(spent, len(drafted), stream.position - start - 1)

    # Choosing a token
    def _first_tokens(self, logits: Floats) -> None:
        """Greedy candidates differ in their first token; sampled ones by their seed.

        Where typed text leaves fewer first tokens than candidates, the others wait until it is healed.
        """
        if len(self.streams) == 1 or self.request.temperature > 0:
            for stream in self.streams:
                self._take(stream, self._choose(stream, logits), logits)
            return
        first, *others = self.streams
        if first.rest:
            self._waiting = others
            self._take(first, self._choose(first, logits), logits)
        else:
            self._fork(first, others, logits)

    def _fork(self, stream: Stream, others: list[Stream], logits: Floats) -> None:
        """Take the likeliest token for `stream`, and the next likeliest for each of `others`, from the same place."""
        self._waiting = []
        masked = logits.copy()
        choices = []
        for _ in range(len(others) + 1):
            choices.append(self._choose(stream, masked))
            masked[choices[-1]] = -np.inf
            # An alternative that ends at once is none.
            masked[self.model.end_ids] = -np.inf
        for other in others:
            self.model.native.remove(other.sequence, -1)
            self.model.native.copy(stream.sequence, other.sequence, stream.position)
            other.position, other.rest, other.text = stream.position, stream.rest, stream.text
            other.tokens, other.ends, other.logprobs = [*stream.tokens], [*stream.ends], [*stream.logprobs]
            other.counted, other.names, other.literal = stream.counted, stream.names, stream.literal
            other.name_done, other.asked_at = stream.name_done, stream.asked_at
            other.decoder.setstate(stream.decoder.getstate())
        for each, token in zip([stream, *others], choices, strict=True):
            self._take(each, token, logits)

    def _choose(self, stream: Stream, logits: Floats) -> int:
        """The next token under the constraints of `stream`; an end token if nothing is allowed."""
        if not stream.rest and stream.names is None:
            if self.request.temperature <= 0:
                return int(logits.argmax())
            return self._sample(stream, logits, None)
        if stream.rest:
            allowed = self.model.continuing(stream.rest)
            if stream.names is not None:
                if self.request.temperature <= 0:
                    # One look at the likeliest: thousands of tokens may begin with a blank.
                    token = self._likeliest_permitted(stream, logits, allowed)
                    if token is not None:
                        return token
                fitting = [t for t in allowed if self._permits(stream, int(t))]
                if not fitting:
                    near = self.model.vocabulary.consistent_with(stream.rest)
                    fitting = [t for t in near if self._permits(stream, int(t))]
                allowed = np.array(fitting, dtype=np.int32)
        else:
            if self.request.temperature <= 0:
                token = self._likeliest_permitted(stream, logits)
                if token is not None:
                    return token
            allowed = self._all_permitted(stream)
        if len(allowed) == 0 or not np.isfinite(logits[allowed].max()):
            return self._any_end()
        if self.request.temperature <= 0:
            return int(allowed[int(logits[allowed].argmax())])
        return self._sample(stream, logits, allowed)

    def _likeliest_permitted(self, stream: Stream, logits: Floats, among: Ids | None = None) -> int | None:
        """The best allowed token if it is among those close to the best of all (of those `among`)."""
        some = logits if among is None else logits[among]
        close = np.flatnonzero(some > some.max(initial=-np.inf) - CLOSE)
        close = close if among is None else among[close].astype(np.int64)
        if len(close) > TRIED:
            close = close[np.argpartition(-logits[close], TRIED)[:TRIED]]
        for token in close[np.argsort(-logits[close], kind="stable")]:
            if self._permits(stream, int(token)):
                return int(token)
        return None

    def _permits(self, stream: Stream, token: int) -> bool:
        piece, literal = self.model.pieces[token], stream.literal
        if not piece or stream.names is None:
            return False
        if literal:
            if len(piece) <= len(literal):
                return literal.startswith(piece)
            if not piece.startswith(literal):
                return False
        return stream.names.permits(stream.name_done, piece[len(literal) :])

    def _all_permitted(self, stream: Stream) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        assert stream.names is not None
        if not stream.literal:
            return stream.names.allowed(stream.name_done)
        near = self.model.vocabulary.consistent_with(stream.literal)
        return near[[self._permits(stream, int(t)) for t in near]]

    def _sample(self, stream: Stream, logits: Floats, allowed: object) -> int:
        ids = np.arange(len(logits)) if allowed is None else np.asarray(allowed)
        scaled = logits[ids].astype(np.float64) / self.request.temperature
        weights = np.exp(scaled - scaled.max())
        seed = (self.request.seed, stream.index, len(stream.tokens))
        at = np.random.default_rng(seed).random() * weights.sum()
        return int(ids[min(int(np.searchsorted(np.cumsum(weights), at)), len(ids) - 1)])

    def _any_end(self) -> int:
        return int(self.model.end_ids[0])

    # Taking a token
    def _take(self, stream: Stream, token: int, logits: Floats) -> None:
        """Make `token` the next of `stream`, after asking about a trigger inside or before it."""
        if token not in self.model.ends and stream.names is None:
            token = self._ask_within(stream, token, logits)
            if stream.reason is not None:
                return
        if token in self.model.ends:
            stream.reason = DoneReason.END
            return
        piece = self.model.pieces[token]
        forced = min(len(stream.rest), len(piece))
        logprob = self._logprob(stream, token, logits)
        stream.rest = stream.rest[forced:]
        self._advance_names(stream, piece)
        stream.tokens.append(token)
        if forced == len(piece):
            stream.ends.append(0)
            stream.logprobs.append(0.0)
            self.control.send(Token(piece.decode("utf-8", "replace"), logprob, stream.index, forced=True))
            return
        visible = stream.decoder.decode(piece[forced:])
        stream.text += visible
        stream.ends.append(len(stream.text))
        stream.counted += 1
        stream.logprobs.append(logprob)
        self.control.send(Token(visible, logprob, stream.index))
        self._end_by_text(stream)

    def _logprob(self, stream: Stream, token: int, logits: Floats) -> float:
        """Of a token; while typed text is healed, among the tokens that agree with it."""
        if stream.rest:
            allowed = self.model.continuing(stream.rest)
            chosen = logits[allowed]
            top = chosen.max()
            return float(logits[token] - top - np.log(np.exp(chosen - top).sum(dtype=np.float64)))
        return log_probability(logits, token)

    def _advance_names(self, stream: Stream, piece: bytes) -> None:
        if stream.names is None:
            return
        used = min(len(stream.literal), len(piece))
        stream.literal = stream.literal[used:]
        after = piece[used:]
        if not after:
            return
        stream.name_done += after
        if name_length(after) < len(after):
            stream.names = None

    def _end_by_text(self, stream: Stream) -> None:
        for stop in self.request.stop:
            at = stream.text.find(stop)
            if at >= 0:
                stream.text = stream.text[:at]
                stream.reason = DoneReason.STOP
        if stream.reason is None and stream.counted >= self.request.max_tokens:
            stream.reason = DoneReason.LENGTH
        if stream.reason is None and stream.position + 2 > self.model.context:
            stream.reason = DoneReason.LENGTH

    def _stop(self, stream: Stream, stop: Stop) -> None:
        stream.reason = DoneReason.STOP
        if stop.keep is not None:
            stream.text = stream.text[: max(0, stop.keep)]

    # Asking
    def _ask_about_typed(self) -> None:
        """If the typed text ends in a trigger and perhaps the beginning of a name: which names may stand there?

        `Need.text` then ends with that beginning, and the names of the answer are whole names.
        """
        if not self.request.triggers:
            return
        typed = self.prepared.typed
        begun = len(typed) - len(_name_tail(typed))
        partial = typed[begun:]
        trigger = trigger_at(typed[:begun], self.request.triggers, partial[:1])
        if trigger is None or trigger is Trigger.LINE_END:
            return
        for stream in self.streams:
            reply = self._ask(stream, trigger, typed)
            stream.asked_at = 0
            if isinstance(reply, Stop):
                self._stop(stream, reply)
            elif reply is not None and not reply.open:
                data = partial.encode("utf-8", "replace")
                rest = self.prepared.rest
                inside = len(rest) - len(data)
                stream.names = self._names(reply.names)
                stream.literal = rest[:inside] if inside > 0 else b""
                stream.name_done = b"" if inside >= 0 else data[:-inside]
                if not stream.names.begins(data):
                    stream.names, stream.literal, stream.name_done = None, b"", b""

    def _ask_within(self, stream: Stream, token: int, logits: Floats) -> int:
        """Ask at each trigger before or inside the text of `token`; another token if the answer forbids it.

        Of a token that begins with typed text (healing) what follows that text is looked at: a name after a blank
        begins in the token that has the blank.
        """
        if not self.request.triggers:
            return token
        piece = self.model.pieces[token].decode("utf-8", "ignore")
        forced = len(stream.rest.decode("utf-8", "ignore"))
        before = self.prepared.typed + stream.text
        for k in range(forced, len(piece)):
            at, head = len(stream.text) + k - forced, piece[forced:k]
            if k == forced and stream.asked_at == at:
                continue
            trigger = trigger_at(before + head, self.request.triggers, piece[k])
            if trigger is None:
                continue
            stream.asked_at = at
            reply = self._ask(stream, trigger, before + head)
            if isinstance(reply, Stop):
                self._stop_within(stream, reply, head)
                return token
            if reply is not None and not reply.open and (names := self._names(reply.names)):
                stream.names, stream.literal, stream.name_done = names, piece[:k].encode(), b""
                return self._choose(stream, logits)
        return token

    def _stop_within(self, stream: Stream, stop: Stop, head: str) -> None:
        """Stop in the middle of a token: its beginning still belongs to the text."""
        if head:
            stream.text += head
        self._stop(stream, stop)

    def _ask(self, stream: Stream, trigger: Trigger, text: str) -> Allow | Stop | None:
        self.needs += 1
        return self.control.ask(Need(self.needs, trigger, text, stream.index))

    def _names(self, names: tuple[str, ...]) -> Names:
        known = self._names_cache.get(names)
        if known is None:
            if len(self._names_cache) > 32:
                self._names_cache.pop(next(iter(self._names_cache)))
            known = self._names_cache[names] = Names(names, self.model.vocabulary, self.model.enders)
        return known


def _name_tail(text: str) -> str:
    """The name characters at the end of `text`."""
    i = len(text)
    while i and (text[i - 1].isalnum() or text[i - 1] == "_"):
        i -= 1
    return text[i:]


def whole_lines(text: str) -> str:
    """`text` up to the end of its last whole line; all of it if there is none."""
    cut = text.rfind("\n")
    return text[: cut + 1] if cut >= 0 else text


def finish(generation: Generation, slot: Slot, usage: Usage) -> Done:
    """The answer.  What was generated beyond its text is dropped from memory."""
    streams = [s for s in generation.streams if s.reason is not None] or generation.streams[:1]
    reasons = [s.reason or DoneReason.FAILED for s in streams]
    reason = reasons[0]
    texts, sums, counts = [], [], []
    for stream in streams:
        text = stream.text
        if stream.reason is not DoneReason.STOP:
            text += stream.decoder.decode(b"", final=True).replace("\ufffd", "")
        if stream.reason is DoneReason.DEADLINE:
            text = whole_lines(text)
        texts.append(text)
        starts = [0, *stream.ends][: len(stream.ends)]
        own = [
            p for p, start, end in zip(stream.logprobs, starts, stream.ends, strict=True) if end and start < len(text)
        ]
        sums.append(sum(own))
        counts.append(len(own))
    if len(streams) == 1:
        generation.model.remember_said(generation.request.document, streams[0].tokens)
        kept = sum(1 for end in streams[0].ends if end <= len(texts[0]))
        generation.model.cache.truncate(slot, min(len(slot.tokens), len(generation.prepared.tokens) + kept))
    return Done(reason, tuple(texts), tuple(sums), tuple(counts), usage)


def best_first(done: Done) -> Done:
    """Candidates by mean log-probability, best first."""
    order = sorted(range(len(done.texts)), key=lambda i: -(done.logprobs[i] / max(1, done.counts[i])))
    return Done(
        done.reason,
        tuple(done.texts[i] for i in order),
        tuple(done.logprobs[i] for i in order),
        tuple(done.counts[i] for i in order),
        done.usage,
        done.error,
    )


def clock_ms(since: float) -> float:
    """Milliseconds since `since` (of `time.perf_counter`)."""
    return (time.perf_counter() - since) * 1000
