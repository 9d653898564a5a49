"""Edits: a clean file with one small mistake planted, and the line as it was, in the prompt that repair asks with.

The mistakes are the BugLab set of `graft_indexer.rewrites` (Allamanis et al. 2021); the prompt is
`graft_server.repair.holes.line_hole`: whole lines out, sixty lines before and after, cut to what the model reads. In
a share of the samples the lines as they stand, mistake and all, are shown first as a part of the same file, so that
the model can learn to mend a line and not only to write one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from graft_indexer.facts import Span
from graft_indexer.rewrites import Rewrite, parse, rewrites
from graft_models.prompt import GRAFT, ContextPart, Hole, Segment, cut_prefix, cut_suffix, segments
from graft_server.repair.holes import line_hole, rows_of

SHOWN_SHARE = 0.5  # of the samples: the mistaken lines before the file
PREFIX_CHARACTERS = 1700  # about 448 tokens
SUFFIX_CHARACTERS = 900
MOST_ROWS = 3  # of one edit
MOST_LINES = 60  # of a function
BYTES_PER_EDIT = 7000  # one edit for so much text


@dataclass(frozen=True)
class Edit:
    """Rows `first` to `last` (0-based, the end excluded) of `rows`, the mistaken file; `fixed` is what they were."""

    path: str
    kind: str
    rows: tuple[str, ...]
    first: int
    last: int
    fixed: str

    @property
    def mistaken(self) -> str:
        """The rows as they stand, with the mistake."""
        return "".join(self.rows[self.first : self.last])


def plant(path: str, text: str, draw: random.Random, count: int) -> Iterator[Edit]:
    """At most `count` edits of a file with LF line ends, each of one drawn function, all kinds alike likely."""
    raw = text.encode("utf-8", "surrogateescape")
    root = parse(text).root_node
    functions = _functions(root)
    for span in draw.sample(functions, min(count, len(functions))):
        by_kind: dict[str, list[Rewrite]] = {}
        for rewrite in rewrites(root, within=span, max_names=6):
            by_kind.setdefault(rewrite.kind.value, []).append(rewrite)
        if not by_kind:
            continue
        kind = draw.choice(sorted(by_kind))
        edit = planted(path, raw, draw.choice(by_kind[kind]))
        if edit is not None:
            yield edit


def planted(path: str, raw: bytes, rewrite: Rewrite) -> Edit | None:
    """The edit that undoes `rewrite`; None where it spans too many lines or changes how many there are."""
    first = raw.count(b"\n", 0, rewrite.span.start)
    last = raw.count(b"\n", 0, rewrite.span.end) + 1
    old = rows_of(raw.decode("utf-8", "surrogateescape"))
    new = rows_of(rewrite.apply(raw).decode("utf-8", "surrogateescape"))
    if len(old) != len(new) or last - first > MOST_ROWS or old[first:last] == new[first:last]:
        return None
    return Edit(path, rewrite.kind.value, tuple(new), first, last, "".join(old[first:last]))


def hole_of(edit: Edit, shown: bool, typed: str = "") -> Hole:
    """The prompt of repair for an edit. `shown`: the mistaken lines come first, as a part of the same file."""
    hole = line_hole(edit.path, list(edit.rows), edit.first, edit.last, typed)
    parts = (ContextPart(edit.path, edit.mistaken, "edit"),) if shown else ()
    before, after = cut_prefix(hole.prefix, PREFIX_CHARACTERS), cut_suffix(hole.suffix, SUFFIX_CHARACTERS)
    return Hole(edit.path, before, after, typed, "", parts)


def samples(path: str, text: str, draw: random.Random) -> Iterator[tuple[str, list[Segment]]]:
    """Training samples of one file: (kind, segments with the middle and the end)."""
    for edit in plant(path, text, draw, max(1, len(text) // BYTES_PER_EDIT)):
        hole = hole_of(edit, draw.random() < SHOWN_SHARE)
        yield "edit", [*segments(GRAFT, hole), Segment(edit.fixed), Segment(GRAFT.end[0], True)]


def _functions(root: Node) -> list[Span]:
    """Functions of at most `MOST_LINES` lines, in source order, nested ones too."""
    found, todo = [], [root]
    while todo:
        node = todo.pop()
        if node.type == "function_definition" and 1 < node.end_point[0] - node.start_point[0] < MOST_LINES:
            found.append(Span(node.start_byte, node.end_byte))
        todo.extend(reversed(node.named_children))
    return found
