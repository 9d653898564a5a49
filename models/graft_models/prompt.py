"""Fill-in-the-middle formats and the prompt layout.  Pure functions over text; no tokenizer, no model.

The layout is versioned (`LAYOUT_VERSION`): the embedded model was trained on exactly this, its metadata says on which
(`graft.prompt_version`), and a mismatch is reported by `graft doctor`.

The prefix-suffix-middle order with repository and file separators is the one published for Qwen2.5-Coder (technical
report, arXiv 2409.12186, section 3.2.2); the embedded model uses the same special tokens, so one layout serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

LAYOUT_VERSION = 1
"""Raised when the text that a model sees for the same hole changes."""


class Order(StrEnum):
    """In which order the model reads the parts."""

    PSM = "psm"
    SPM = "spm"
    PREFIX_ONLY = "prefix_only"
    """The model has no infill tokens: the suffix is not shown."""


class HoleOpens(StrEnum):
    """On which side of the line break the hole opens, so that the cut falls between two tokens."""

    AFTER_BREAK = "after_break"
    BEFORE_BREAK = "before_break"


@dataclass(frozen=True, slots=True)
class Format:
    """How one model family writes a hole.  Special tokens are given as text; an empty string means: has none."""

    name: str
    order: Order
    prefix: str = ""
    suffix: str = ""
    middle: str = ""
    repository: str = ""
    file: str = ""
    end: tuple[str, ...] = ()
    """Special tokens that end an answer, beside the model's own end-of-generation tokens."""
    hole_opens: HoleOpens = HoleOpens.AFTER_BREAK
    comment_context: bool = False
    """The family has no file separator: context parts are written as comments before the prefix."""
    path_inside: bool = False
    """The path of the file with the hole stands inside its prefix (StarCoder2)."""
    repository_break: str = "\n"
    """What follows the repository's name."""


GRAFT = Format(
    name="graft",
    order=Order.PSM,
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    repository="<|repo_name|>",
    file="<|file_sep|>",
    end=("<|endoftext|>",),
)
"""The embedded model's own format."""


@dataclass(frozen=True, slots=True)
class ContextPart:
    """A piece of another file (or of a far place in this one) for the model to read before the hole.

    `value` orders the parts: when the budget is short the lowest go first.  `kind` names the source for `--explain`
    (definition, outline, caller, test, usage, edit, header).
    """

    path: str
    text: str
    kind: str = "definition"
    value: float = 1.0


NEIGHBOUR_CHARACTERS = 48_000
"""Of another file that is counted: its beginning."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another file of the workspace, for what is counted beside the prompt: a small model's mixture (see
    `graft_models.llama.mixture`).  It is never part of a prompt.

    `digest` stands for the text: once an engine has a text it need not be said again, and `text` may be empty.
    """

    path: str
    digest: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Hole:
    """What is to be completed.  Text has LF line ends.

    `prefix` is everything before the hole; `suffix` everything after it.  With an anchored hole `prefix` ends at the
    start of a line and `typed` is what already stands between there and the cursor: it is forced as the beginning of
    the middle.  Neither is cut here; `fit` cuts them to a budget.
    """

    path: str
    prefix: str
    suffix: str
    typed: str = ""
    repository: str = ""
    context: tuple[ContextPart, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    """Nearest first; only for engines whose capabilities name `counts`."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of prompt: text to be tokenized as plain text, or the name of one special token."""

    text: str
    special: bool = False


def anchor(before: str, after: str, *, closers: str = ")]}>\"'`,;: \t") -> tuple[str, str, str]:
    """Open the hole at the start of the cursor's line: (prefix, typed, suffix).

    The suffix begins at the next line; the rest of the cursor's line enters it only if it holds more than closers,
    quotes and punctuation, because editors' auto-closing pairs would otherwise change it on many keystrokes.
    """
    cut = before.rfind("\n") + 1
    rest, newline, following = after.partition("\n")
    if rest.strip(closers):
        return before[:cut], before[cut:], after
    return before[:cut], before[cut:], following if newline else ""


def segments(form: Format, hole: Hole) -> list[Segment]:
    """The prompt up to the middle token, in order; the forced text `hole.typed` is not part of it.

    Stable parts come first: repository, context parts in the order given, then the file with the hole.
    """
    out: list[Segment] = []
    if form.file:
        if form.repository and hole.repository:
            out += [Segment(form.repository, True), Segment(hole.repository + form.repository_break)]
        for part in hole.context:
            out += [Segment(form.file, True), Segment(f"{part.path}\n{with_final_newline(part.text)}")]
        head = hole.path + "\n" if form.path_inside else ""
        out.append(Segment(form.file, True))
        if not form.path_inside:
            out.append(Segment(hole.path + "\n"))
    elif form.comment_context:
        head = "".join(f"# Path: {p.path}\n{commented(p.text)}" for p in hole.context) + f"# Path: {hole.path}\n"
    else:
        head = ""
    before = head + hole.prefix
    if form.order is Order.PSM:
        out += [Segment(form.prefix, True), Segment(before), Segment(form.suffix, True), Segment(hole.suffix)]
        out.append(Segment(form.middle, True))
    elif form.order is Order.SPM:
        out += [Segment(form.suffix, True), Segment(hole.suffix), Segment(form.prefix, True), Segment(before)]
        if form.middle:
            out.append(Segment(form.middle, True))
    else:
        out.append(Segment(before))
    return [s for s in out if s.text]


def with_final_newline(text: str) -> str:
    """`text` with exactly one line break at its end."""
    return text.rstrip("\n") + "\n"


def commented(text: str) -> str:
    """Every line of `text` as a line comment."""
    return "".join(f"# {line}\n" for line in text.rstrip("\n").split("\n"))


def cut_prefix(text: str, characters: int) -> str:
    """The end of `text`, at most `characters` long, beginning at a line start where one lies in the first half."""
    if len(text) <= characters:
        return text
    tail = text[len(text) - characters :]
    newline = tail.find("\n", 0, max(1, characters // 2))
    return tail[newline + 1 :] if newline >= 0 else tail


def cut_suffix(text: str, characters: int) -> str:
    """The beginning of `text`, at most `characters` long, ending after a line where one ends in the second half."""
    if len(text) <= characters:
        return text
    head = text[:characters]
    newline = head.rfind("\n", characters // 2)
    return head[: newline + 1] if newline >= 0 else head


def without_parts(hole: Hole, keep: Sequence[ContextPart]) -> Hole:
    """The hole with only those context parts that are in `keep`, in their order."""
    return replace(hole, context=tuple(p for p in hole.context if p in keep))
