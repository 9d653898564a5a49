"""A suggestion's provenance in words: which parts the model saw, what they cost, what was checked."""

from __future__ import annotations

import math

from graft_server.completion.context import tokens_of
from graft_server.completion.model import Completion


def explain(completion: Completion) -> str:
    """Markdown, for `graft complete --explain` and the editor's "what the model saw"."""
    state = "shown" if completion.shown else "not shown"
    lines = [f"{state}, from the {completion.source}, {completion.milliseconds:.0f} ms"]
    usage = completion.usage
    if usage.prompt:
        lines.append(
            f"- tokens: {usage.prompt} in the prompt, {usage.evaluated} of them read anew, {usage.generated} generated;"
            f" {usage.prompt_ms:.0f} ms reading, {usage.generate_ms:.0f} ms generating"
        )
        lines.append(f"- confidence: {math.exp(min(0.0, completion.score)):.2f} per token")
    used = {(kind, path): tokens for kind, path, tokens in usage.parts}
    if completion.parts:
        lines.append("- the model saw, beside the open file:")
        for part in completion.parts:
            tokens = used.get((part.kind, part.path))
            cost = f"{tokens} tokens" if tokens is not None else f"about {tokens_of(part.text)} tokens"
            first = next((line.strip() for line in part.text.splitlines() if line.strip()), "")
            lines.append(f"  - {part.kind} from {part.path} ({cost}, value {part.value:.2f}): `{first[:80]}`")
    for verdict in completion.gates:
        mark = "checked" if verdict.passed else "stopped"
        lines.append(f"- {mark}: {verdict.gate}{': ' + verdict.detail if verdict.detail else ''}")
    return "\n".join(lines)


def explain_all(completions: list[Completion]) -> str:
    """Several candidates, with their text."""
    if not completions:
        return "There was nothing to suggest."
    return "\n\n".join(f"```\n{c.text}\n```\n{explain(c)}" for c in completions)
