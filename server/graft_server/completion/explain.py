"""A suggestion's provenance in words: which parts the model saw, what they cost, what was checked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graft_server.completion.context import tokens_of
from graft_server.completion.model import Completion
from graft_server.completion.provenance import Note


def explain(completion: Completion, notes: Sequence[Note] = ()) -> str:
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
    if completion.counted:
        lines.append(f"- counted beside the prompt: {', '.join(completion.counted)}")
    for verdict in completion.gates:
        mark = "checked" if verdict.passed else "stopped"
        lines.append(f"- {mark}: {verdict.gate}{': ' + verdict.detail if verdict.detail else ''}")
    lines += [f"- note: {note}" for note in notes]
    return "\n".join(lines)


def explain_all(completions: list[Completion], notes: Sequence[Sequence[Note]] = ()) -> str:
    """Several candidates, with their text; `notes` has what each repeats, in the same order."""
    if not completions:
        return "There was nothing to suggest."
    said = [notes[i] if i < len(notes) else () for i in range(len(completions))]
    return "\n\n".join(f"```\n{c.text}\n```\n{explain(c, n)}" for c, n in zip(completions, said, strict=True))
