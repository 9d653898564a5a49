"""What servers of models say and how: llama-server, OpenAI-compatible ones (vLLM, LM Studio), Ollama.

A dialect declares what it can do, finds out which model it talks to, writes a request and reads a line of the answer.
Sources: llama.cpp, tools/server/README.md; vLLM, "OpenAI-Compatible Server"; Ollama, docs/api.md (durations are in
nanoseconds; `raw` keeps the prompt free of the model's chat template, which its `/v1/completions` would add).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from graft_models.engine import DoneReason, Request, Usage
from graft_models.formats import FAMILIES, PREFIX_ONLY
from graft_models.prompt import GRAFT, Format, Order
from graft_models.remote_http import Channel, RemoteError, fetch

Kind = Literal["llama", "openai", "ollama"]
KINDS: tuple[Kind, ...] = ("llama", "openai", "ollama")
DEFAULT_CONTEXT = 4096
SUFFIX = Format("suffix", Order.PSM)
"""The server puts prefix and suffix together itself (`suffix` of the completions API)."""


@dataclass(frozen=True, slots=True)
class Model:
    """What a server said about its model.  `context` in tokens; `note`: at most one line about what is missing."""

    name: str
    context: int
    form: Format
    note: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one line of an answer brought."""

    text: str = ""
    logprob: float | None = None
    tokens: int = 1
    reason: DoneReason | None = None
    usage: Usage | None = None


class Dialect(Protocol):
    """One kind of server.  `lacks` names what Graft does without there."""

    kind: Kind
    lacks: tuple[str, ...]
    path: str

    async def examine(self, channel: Channel, model: str, form: str) -> Model:
        """Which model answers; raises `RemoteError` if this is not such a server."""

    def body(self, model: Model, prompt: str, suffix: str, request: Request, rest: str = "") -> dict[str, Any]:
        """The request.  `rest` was typed, is not part of the prompt, and must begin the answer."""

    def piece(self, line: bytes) -> Piece | None:
        """Read one line; None if it holds nothing.  Raises `RemoteError`."""

    def refused(self, error: RemoteError) -> bool:
        """Whether to ask once more, without what the server did not understand."""


def dialect(kind: Kind) -> Dialect:
    """A dialect by its name."""
    if kind == "llama":
        return LlamaServer()
    return OpenAI() if kind == "openai" else Ollama()


def by_name(model: str) -> Format | None:
    """The family that a model's name points to."""
    lower = model.lower()
    for sign, name in _SIGNS:
        if sign in lower:
            return by_format(name)
    return None


_SIGNS = (
    ("codeqwen", "qwen"),
    ("qwen", "qwen"),
    ("starcoder2", "starcoder2"),
    ("codegemma", "codegemma"),
    ("granite-4", "granite4"),
    ("granite4", "granite4"),
    ("granite", "granite"),
    ("deepseek-coder", "deepseek"),
    ("codellama", "codellama"),
    ("code-llama", "codellama"),
    ("codestral", "codestral"),
    ("seed-coder", "seed-coder"),
    ("graft", "graft"),
)


def by_format(name: str) -> Format | None:
    """A family by its own name; `suffix` and `none` are ways to say that there is none."""
    if name == "suffix":
        return SUFFIX
    if name == "none":
        return PREFIX_ONLY
    return next((f for f in (GRAFT, *FAMILIES) if f.name == name), None)


def _stated(form: str) -> Format | None:
    if not form:
        return None
    found = by_format(form)
    if found is None:
        names = ", ".join(f.name for f in (GRAFT, *FAMILIES))
        raise RemoteError(f"format={form}: no such format; there are {names}, suffix and none")
    return found


async def _by_tokens(channel: Channel, path: str, key: str, more: dict[str, Any]) -> Format | None:
    """The first family all of whose special tokens the server's tokenizer takes as one token each."""
    for form in (GRAFT, *FAMILIES):
        wanted = [t for t in (form.prefix, form.suffix, form.middle, form.repository, form.file) if t]
        answer = await fetch(channel, "POST", path, {key: "".join(wanted), **more})
        tokens = answer.get("tokens")
        if isinstance(tokens, list) and len(tokens) == len(wanted):
            return form
    return None


NO_TOKENS = "its model has no infill tokens; only the text before is used"
UNKNOWN = "its infill format is not known, only the text before is used; write it as #MODEL;format=qwen"


def _event(line: bytes) -> dict[str, Any] | None:
    """The object of a server-sent event's line; None for anything else.  Raises `RemoteError`."""
    if not line.startswith(b"data:"):
        if line.startswith(b"error:"):
            raise RemoteError(" ".join(line[6:].decode("utf-8", "replace").split())[:200], again=True)
        return None
    data = line[5:].strip()
    return None if data in (b"[DONE]", b"") else _object(data)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        raise RemoteError("the server sent a broken event", again=True) from None
    if not isinstance(found, dict):
        raise RemoteError("the server sent a broken event", again=True)
    error = found.get("error")
    if error:
        message = error.get("message") if isinstance(error, dict) else error
        raise RemoteError(" ".join(str(message).split())[:200], again=True)
    return found


@dataclass
class LlamaServer:
    """llama.cpp's llama-server: raw `/completion` with its memory kept between requests."""

    kind: Kind = "llama"
    lacks: tuple[str, ...] = ("scores", "name constraints", "snapshots", "several candidates")
    path: str = "/completion"

    async def examine(self, channel: Channel, model: str, form: str) -> Model:
        """`/props` for the model, `/tokenize` for its infill tokens."""
        properties = await fetch(channel, "GET", "/props")
        settings = properties.get("default_generation_settings")
        if not isinstance(settings, dict):
            raise RemoteError(f"{channel.address.where} is no llama-server")
        name = str(properties.get("model_alias") or properties.get("model_path") or model or "llama-server")
        context = _number(settings.get("n_ctx"), DEFAULT_CONTEXT)
        chosen = _stated(form) or await _by_tokens(
            channel, "/tokenize", "content", {"add_special": False, "parse_special": True}
        )
        return Model(name, context, chosen or PREFIX_ONLY, "" if chosen else NO_TOKENS)

    def body(self, model: Model, prompt: str, suffix: str, request: Request, rest: str = "") -> dict[str, Any]:
        """As `/completion` takes it."""
        body: dict[str, Any] = {
            "prompt": prompt,
            "n_predict": _room(request, rest),
            "temperature": request.temperature,
            "seed": request.seed,
            "stream": True,
            "cache_prompt": True,
            "n_probs": 1,
            # The answer is cut off by us as often as by the model: every event says what was spent.
            "timings_per_token": True,
        }
        if rest:
            # Token healing: the grammar lets pass only what begins with it (llama.cpp, grammars/README.md).
            body["grammar"] = f"root ::= {json.dumps(rest, ensure_ascii=False)} .*"
        return {**body, "stop": list(request.stop)} if request.stop else body

    def piece(self, line: bytes) -> Piece | None:
        """One event."""
        event = _event(line)
        if event is None:
            return None
        probabilities = event.get("completion_probabilities") or []
        each = probabilities[0].get("logprob") if probabilities and isinstance(probabilities[0], dict) else None
        reason, usage = None, None
        if event.get("stop"):
            kinds = {"limit": DoneReason.LENGTH, "word": DoneReason.STOP}
            reason = kinds.get(str(event.get("stop_type")), DoneReason.END)
        if isinstance(event.get("timings"), dict):
            usage = self._usage(event["timings"])
        return Piece(str(event.get("content", "")), _logprob(each), reason=reason, usage=usage)

    @staticmethod
    def _usage(timings: dict[str, Any]) -> Usage:
        evaluated = _number(timings.get("prompt_n"), 0)
        return Usage(
            prompt=evaluated + _number(timings.get("cache_n"), 0),
            evaluated=evaluated,
            generated=_number(timings.get("predicted_n"), 0),
            prompt_ms=float(timings.get("prompt_ms") or 0.0),
            generate_ms=float(timings.get("predicted_ms") or 0.0),
        )

    def refused(self, error: RemoteError) -> bool:
        """Nothing in the request is optional."""
        return False


@dataclass
class OpenAI:
    """`/v1/completions` of vLLM, LM Studio, llama-server and others."""

    kind: Kind = "openai"
    lacks: tuple[str, ...] = ("exact token healing", "scores", "name constraints", "snapshots", "several candidates")
    path: str = "/completions"
    plain: bool = False
    """The server understands only the parameters that every one does."""

    async def examine(self, channel: Channel, model: str, form: str) -> Model:
        """`/models`; the format from vLLM's `/tokenize` where there is one, else from the model's name."""
        answer = await fetch(channel, "GET", "/models")
        listed = answer.get("data")
        if not isinstance(listed, list) or not listed or not isinstance(listed[0], dict):
            raise RemoteError(f"{channel.address.where} lists no models")
        names = [str(m.get("id")) for m in listed if isinstance(m, dict)]
        if model and model not in names:
            raise RemoteError(f"{channel.address.where} has no model {model}; there are {', '.join(names)[:200]}")
        chosen = next((m for m in listed if m.get("id") == model), listed[0])
        name = str(chosen.get("id"))
        meta = chosen.get("meta")
        there = meta.get("n_ctx") if isinstance(meta, dict) else None
        context = _number(chosen.get("max_model_len") or there, DEFAULT_CONTEXT)
        found = _stated(form) or await self._tokenized(channel, name) or by_name(name)
        return Model(name, context, found or PREFIX_ONLY, "" if found else UNKNOWN)

    async def _tokenized(self, channel: Channel, name: str) -> Format | None:
        above = replace(channel.address, base=channel.address.base.removesuffix("/v1"))
        try:
            return await _by_tokens(
                replace(channel, address=above), "/tokenize", "prompt", {"model": name, "add_special_tokens": False}
            )
        except RemoteError:
            # Only vLLM has it; the name must do.
            return None

    def body(self, model: Model, prompt: str, suffix: str, request: Request, rest: str = "") -> dict[str, Any]:
        """As the completions API takes it; optional parameters are left out once they were refused."""
        body: dict[str, Any] = {
            "model": model.name,
            "prompt": prompt,
            "max_tokens": max(1, _room(request, rest)),
            "temperature": request.temperature,
            "stream": True,
        }
        if model.form is SUFFIX:
            body["suffix"] = suffix
        if request.stop:
            body["stop"] = list(request.stop)[:4]
        if not self.plain:
            body |= {"seed": request.seed, "logprobs": 1, "stream_options": {"include_usage": True}}
        return body

    def piece(self, line: bytes) -> Piece | None:
        """One event."""
        event = _event(line)
        if event is None:
            return None
        counts = event.get("usage")
        usage = None
        if isinstance(counts, dict):
            details = counts.get("prompt_tokens_details") or {}
            prompt = _number(counts.get("prompt_tokens"), 0)
            cached = _number(details.get("cached_tokens"), 0) if isinstance(details, dict) else 0
            usage = Usage(prompt, prompt - cached, _number(counts.get("completion_tokens"), 0))
        choices = event.get("choices") or [{}]
        first = choices[0] if isinstance(choices, list) and isinstance(choices[0], dict) else {}
        known = first.get("logprobs") or {}
        each = known.get("token_logprobs") if isinstance(known, dict) else None
        if each is None and isinstance(known, dict) and isinstance(known.get("content"), list):
            # llama-server writes the newer form here too.
            each = [c.get("logprob") for c in known["content"] if isinstance(c, dict)]
        logprobs = [v for v in (_logprob(e) for e in each or ()) if v is not None]
        kinds = {"length": DoneReason.LENGTH, "stop": DoneReason.END}
        reason = kinds.get(str(first.get("finish_reason"))) if first.get("finish_reason") else None
        text = str(first.get("text") or "")
        total = sum(logprobs) if logprobs else None
        return Piece(text, total, len(logprobs) or (1 if text else 0), reason, usage)

    def refused(self, error: RemoteError) -> bool:
        """Servers that check their parameters refuse unknown ones with 400 or 422."""
        if self.plain or error.status not in (400, 422):
            return False
        self.plain = True
        self.lacks = (*self.lacks, "probabilities")
        return True


@dataclass
class Ollama:
    """Ollama's own `/api/generate`, raw."""

    kind: Kind = "ollama"
    lacks: tuple[str, ...] = (
        *("exact token healing", "scores", "probabilities", "name constraints", "snapshots", "several candidates"),
    )
    path: str = "/api/generate"
    context: int = field(default=DEFAULT_CONTEXT)

    async def examine(self, channel: Channel, model: str, form: str) -> Model:
        """`/api/tags` and `/api/show`; the format from the model's name and architecture."""
        answer = await fetch(channel, "GET", "/api/tags")
        listed = answer.get("models")
        if not isinstance(listed, list):
            raise RemoteError(f"{channel.address.where} is no Ollama")
        names = [str(m.get("name")) for m in listed if isinstance(m, dict)]
        if not names:
            raise RemoteError(f"{channel.address.where} has no models; `ollama pull` one there")
        name = next((n for n in names if n in (model, f"{model}:latest")), "") if model else names[0]
        if not name:
            raise RemoteError(f"{channel.address.where} has no model {model}; there are {', '.join(names)[:200]}")
        shown = await fetch(channel, "POST", "/api/show", {"model": name})
        about = shown.get("model_info") if isinstance(shown.get("model_info"), dict) else {}
        assert isinstance(about, dict)
        trained = next((v for k, v in about.items() if str(k).endswith(".context_length")), None)
        self.context = min(DEFAULT_CONTEXT, _number(trained, DEFAULT_CONTEXT))
        hints = f"{name} {about.get('general.basename', '')} {about.get('general.name', '')}"
        found = _stated(form) or by_name(hints)
        return Model(name, self.context, found or PREFIX_ONLY, "" if found else UNKNOWN)

    def body(self, model: Model, prompt: str, suffix: str, request: Request, rest: str = "") -> dict[str, Any]:
        """As `/api/generate` takes it."""
        # num_predict 0 means without end there.
        options: dict[str, Any] = {
            "num_predict": max(1, _room(request, rest)),
            "temperature": request.temperature,
            "seed": request.seed,
            "num_ctx": self.context,
        }
        if request.stop:
            options["stop"] = list(request.stop)
        body = {"model": model.name, "prompt": prompt, "raw": True, "stream": True, "options": options}
        return {**body, "suffix": suffix, "raw": False} if model.form is SUFFIX else body

    def piece(self, line: bytes) -> Piece | None:
        """One line of JSON."""
        if not line.strip():
            return None
        event = _object(line)
        reason, usage = None, None
        if event.get("done"):
            reason = DoneReason.LENGTH if event.get("done_reason") == "length" else DoneReason.END
            evaluated = _number(event.get("prompt_eval_count"), 0)
            usage = Usage(
                evaluated,
                evaluated,
                _number(event.get("eval_count"), 0),
                _number(event.get("prompt_eval_duration"), 0) / 1e6,
                _number(event.get("eval_duration"), 0) / 1e6,
            )
        return Piece(str(event.get("response") or ""), None, reason=reason, usage=usage)

    def refused(self, error: RemoteError) -> bool:
        """Ollama ignores what it does not know."""
        return False


def _room(request: Request, rest: str) -> int:
    """Tokens to ask for: what was typed and not sent comes first."""
    return request.max_tokens + (len(rest) if request.max_tokens else 0)


def _number(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) and value > 0 else default


def _logprob(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
