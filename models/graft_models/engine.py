"""The engine protocol: data only, no functions cross it.

A client sends a `Request` and reads `Event`s until `Done`.  At a trigger the engine sends `Need` and waits at most
5 ms for `Allow` or `Stop`; without an answer it goes on unconstrained.  The same dataclasses travel as length-prefixed
JSON frames to the llama.cpp process (`graft_models.llama`), and stay objects for the scripted engine of the tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from graft_models.prompt import Hole


class Trigger(StrEnum):
    """Where the engine asks what may come next.  Matched against the end of the text generated so far."""

    DOT = "dot"
    """After `.` that is not part of a number."""
    IMPORT = "import"
    """After `import ` or `, ` in an import line."""
    CALL = "call"
    """After `(` or `, ` inside a call."""
    NAME = "name"
    """Before the first character of a name in expression position."""
    LINE_END = "line_end"
    """After a line break."""


class DoneReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    """The client said `Stop`, or a stop string was met."""
    END = "end"
    """The model ended its answer."""
    LENGTH = "length"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """The engine could not answer; `Done.error` says why in one line."""


@dataclass(frozen=True, slots=True)
class Request:
    """One completion.

    `hole.typed` is forced with token healing: up to the last pre-token boundary it is evaluated as given, the rest
    constrains the first generated tokens.  `max_tokens` counts generated tokens without the forced ones.
    `deadline_ms` is counted from the moment the engine takes the request.  `document` names the KV sequence to reuse.
    `prompt_budget` is the number of prompt tokens allowed (0: what the model's context holds).
    """

    id: int
    hole: Hole
    max_tokens: int = 64
    temperature: float = 0.0
    candidates: int = 1
    triggers: tuple[Trigger, ...] = ()
    stop: tuple[str, ...] = ()
    deadline_ms: int | None = None
    document: str = ""
    prompt_budget: int = 0
    seed: int = 0
    background: bool = False
    """Yields to any foreground request at the next micro-batch."""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Log-probabilities of several texts in the same hole (their own tokens only, natural logarithm).

    `prompt_budget` and `max_tokens` are those of the completions of the document, whose prompt is reused then; 0: what
    the model's context holds.  `first_only`: of each text's first token only, which costs nothing beyond the prompt.
    `counted`: with what a small model's answers mix in (`Capabilities.counts`), not of the model alone.
    """

    id: int
    hole: Hole
    texts: tuple[str, ...]
    document: str = ""
    background: bool = True
    prompt_budget: int = 0
    max_tokens: int = 0
    first_only: bool = False
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """Generated text; `text` may be empty while a multi-byte character is incomplete.  For candidate `index`."""

    text: str
    logprob: float
    index: int = 0
    forced: bool = False
    """Part of what was typed already (healing); not to be shown again."""


@dataclass(frozen=True, slots=True)
class Need:
    """The engine stands at a trigger and asks.  `text` is all that was generated for this candidate, typed included."""

    need: int
    trigger: Trigger
    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Allow:
    """Answer to `Need`: the next name must be one of `names`.  `open`: anything else may follow too (a hint only)."""

    need: int
    names: tuple[str, ...]
    open: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """End the answer now; what was generated beyond `keep` characters is dropped from the KV cache too."""

    keep: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens: `prompt` in the whole prompt (forced ones included), `evaluated` of them not found in the KV cache,
    `generated`.  Times in milliseconds."""

    prompt: int = 0
    evaluated: int = 0
    generated: int = 0
    prompt_ms: float = 0.0
    generate_ms: float = 0.0
    parts: tuple[tuple[str, str, int], ...] = ()
    """Context parts that were used: (kind, path, tokens)."""


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every request.  `texts` holds one text per candidate, typed text not included."""

    reason: DoneReason
    texts: tuple[str, ...] = ()
    logprobs: tuple[float, ...] = ()
    """Sum of log-probabilities per candidate."""
    counts: tuple[int, ...] = ()
    """Generated tokens per candidate, so that `logprobs[i] / counts[i]` is the mean."""
    usage: Usage = field(default_factory=Usage)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Scores:
    """Answer to `ScoreRequest`: per text the sum of log-probabilities and the number of tokens that it is of."""

    logprobs: tuple[float, ...]
    counts: tuple[int, ...]
    error: str = ""


Event = Token | Need | Done


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; each feature says in its own documentation what it does without."""

    infill: bool = False
    score: bool = False
    constraint: bool = False
    candidates: int = 1
    snapshots: bool = False
    counts: bool = False
    """What the neighbours of a hole repeat is counted in; without it they need not be gathered."""
    partial_removal: bool = False
    """The memory allows removing the end of a sequence; without it every edit reads the prompt again."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is loaded, for status, doctor and the model card."""

    name: str
    path: str
    architecture: str = ""
    parameters: int = 0
    quantization: str = ""
    context_length: int = 0
    device: str = "cpu"
    format: str = ""
    languages: tuple[str, ...] = ()
    """Languages the metadata names; empty means: not said."""
    prompt_version: int | None = None
    licence: str = ""
    size_bytes: int = 0


State = Literal["absent", "loading", "ready", "restarting", "failed", "unloaded"]


@dataclass(frozen=True, slots=True)
class Status:
    """`message` is one line for a person; empty when all is well."""

    state: State
    message: str = ""
    model: ModelInfo | None = None


class Job(Protocol):
    """A request under way.  Iterate until `Done`; it is always delivered, exactly once, and is the last event."""

    def __aiter__(self) -> AsyncIterator[Event]:
        """The events of this request in order."""

    def answer(self, reply: Allow | Stop) -> None:
        """Answer the open `Need`, or stop at any time.  Late answers are ignored."""

    def cancel(self) -> None:
        """Stop decoding (within 50 ms); `Done(CANCELLED)` follows."""


class Engine(Protocol):
    """A model that completes holes.  All methods must be called from one asyncio event loop."""

    @property
    def status(self) -> Status:
        """State now; never blocks."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do, known once it is ready."""

    async def start(self) -> Status:
        """Load the model; returns when it is ready or has failed.  Never raises for a bad model file."""

    def complete(self, request: Request) -> Job:
        """Begin a completion.  A newer foreground request does not cancel older ones: the caller does."""

    async def score(self, request: ScoreRequest) -> Scores:
        """Log-probabilities of texts in a hole."""

    async def warm(self, hole: Hole, document: str = "", *, prompt_budget: int = 0, max_tokens: int = 64) -> bool:
        """Read a prompt into the cache in the background, beside the live one of its document; whether it was read.

        `prompt_budget` and `max_tokens` are those of the requests that will follow: they decide where it is cut.
        """

    async def unload(self) -> None:
        """Free the model's memory; the next request loads it again."""

    async def close(self) -> None:
        """End the engine and its process."""


@dataclass(slots=True)
class ScriptedAnswer:
    """One answer of the scripted engine: `texts` per candidate, split into `tokens` if given."""

    text: str
    logprob: float = -0.1
    """Per token."""
    tokens: Sequence[str] | None = None
    logprobs: Sequence[float] | None = None
    """Of each of `tokens`, instead of `logprob`."""
    delay_ms: float = 0.0
    """Before each token."""
