"""What a completion is asked and what it answers: plain data, byte offsets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from graft_models.engine import Usage
from graft_models.prompt import ContextPart

Mode = Literal["auto", "line", "block", "span"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The document at the moment of the request, copied before the handler's first await."""

    path: str
    """Relative to the workspace root if inside, else absolute."""
    text: str
    offset: int
    """Cursor, bytes into the UTF-8 text."""
    version: int = 0
    language: str = "python"
    manual: bool = False
    """The user asked for it; automatic triggers may be declined by the gate."""
    mode: Mode = "auto"
    selected: tuple[int, int, str] | None = None
    """`selectedCompletionInfo`: (start, end, text) of the entry selected in the editor's list."""
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one gate said."""

    gate: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """One suggestion.  Replace bytes `start` to `end` (on the cursor's line) by `insert`; `text` is what is new after
    the cursor.  `shown` is False if a gate said no: then `text` is the best text all the same, for measuring."""

    text: str
    insert: str
    start: int
    end: int
    score: float
    """Mean log-probability per generated token, natural logarithm."""
    shown: bool
    gates: tuple[Verdict, ...] = ()
    usage: Usage = field(default_factory=Usage)
    milliseconds: float = 0.0
    source: Literal["model", "graph", "counts", "cache"] = "model"
    parts: tuple[ContextPart, ...] = ()
    """What the model was shown of other files."""
    counted: tuple[str, ...] = ()
    """Other files whose words were counted beside the prompt."""
    likely: float = 0.0
    """Probability that it is right, 0 where that is not known."""
    shortened: bool = False
    """The model said more; what is missing at the end was not sure enough."""
    settled: bool = False
    """Of the graph's: the file itself asks for it, so it goes before a longer text of the model."""

    @property
    def gain(self) -> float:
        """Characters that it saves, on average."""
        return self.likely * len(self.text)


@dataclass(frozen=True, slots=True)
class Switches:
    """Parts that can be switched off, for measuring what each is worth.  No setting does it."""

    context: bool = True
    neighbours: bool = True
    """Other files are counted beside the prompt, where the engine does that."""
    constraint: bool = True
    fallback: bool = True
    off: frozenset[str] = frozenset()
    """Gates that are left out: names of `screen.GATES`, and "confidence"."""
    kinds: frozenset[str] | None = None
    """Context kinds to gather (None: all)."""
