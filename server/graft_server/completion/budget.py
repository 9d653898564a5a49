"""How many prompt tokens a hole may cost: what the model can read while a person waits.

A cold prompt (a new file, a jump) is read in full before the first token; with the KV cache every later keystroke costs
one or two.  So the budget follows the measured reading speed, above a floor that quality needs.
"""

from __future__ import annotations

from graft_models.engine import ModelInfo, Usage

COLD_SECONDS = 0.3
"""What a cold prompt may take, if the floor allows."""
FLOOR = 640
"""Tokens below which too little of the file is seen, however slow the model."""
TRAINED = 1024
"""The rows on which models of Graft's own layout (version 1) were trained; beyond, positions are new to them."""
CONTEXT_SHARE = 0.4
"""Of the budget, at most, for parts of other files."""
FILE_TOKENS = 512
"""What the open file keeps at least: the code nearest to the cursor is worth more than any of another file.  With 384
for the file and 256 for others the embedded model found the right line less likely than with the file alone."""
SETTLED = 0.25
"""A wish that differs by no more than this share changes nothing."""
SAMPLE = 48
"""Fewer evaluated tokens than this say nothing about speed."""


class ReadingSpeed:
    """Prompt tokens per second, from the answers so far; 0 until one is known."""

    def __init__(self) -> None:
        self.tokens_per_second = 0.0

    def saw(self, usage: Usage) -> None:
        """Learn from one answer."""
        if usage.evaluated >= SAMPLE and usage.prompt_ms > 0:
            speed = usage.evaluated / (usage.prompt_ms / 1000)
            known = self.tokens_per_second
            self.tokens_per_second = speed if known == 0 else 0.7 * known + 0.3 * speed


def prompt_tokens(speed: float, model: ModelInfo | None, answer: int) -> int:
    """Tokens for the whole prompt of a hole whose answer has up to `answer` tokens; `speed` in tokens per second."""
    wanted = max(FLOOR, int(speed * COLD_SECONDS))
    if model is not None and model.prompt_version is not None:
        wanted = min(wanted, TRAINED - answer)
    if model is not None and model.context_length:
        wanted = min(wanted, max(64, model.context_length - answer - 16))
    return wanted


def settled(before: int, wanted: int) -> int:
    """The budget of the hole before it if that is about right: another one moves the window, and all is read again."""
    return before if before and abs(wanted - before) <= before * SETTLED else wanted


def context_tokens(prompt: int) -> int:
    """Tokens of the budget for parts of other files."""
    return max(0, min(int(prompt * CONTEXT_SHARE), prompt - FILE_TOKENS))
