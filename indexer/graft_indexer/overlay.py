"""Open buffers: text, tree and facts in memory.  Nothing of them is ever written.

An edit parses incrementally, and only those top-level statements are walked again that the edit touched; the facts of
the others are kept, moved by the edit's length.  Where a tree has errors it is parsed from scratch, because recovery
from errors depends on the way the text came about, and facts should not; only above `EXACT_SIZE`, where that would be
felt while typing, the facts inside broken statements may depend on it until the text is whole again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from graft_indexer.extract import (
    Record,
    assemble,
    count_words,
    digest_of,
    extract_rows,
    refusal,
    walk_into,
)
from graft_indexer.rows import Sink
from graft_indexer.syntax import changed_range, error_spans, languages, mend, parse, reparse
from graft_indexer.text import encode

if TYPE_CHECKING:
    from tree_sitter import Tree

EXACT_SIZE = 120_000
"""Bytes, about 3,500 lines; parsing that takes 12 ms."""


@dataclass(slots=True)
class _Part:
    """A top-level statement and what it gave; rows count from `start`, the statement's offset when it was walked."""

    start: int
    end: int
    kind: int
    broken: bool
    sink: Sink


_State: TypeAlias = "tuple[str, bytes, Tree | None, list[_Part], Record]"
"""Text, bytes, tree, parts and record of a buffer."""


class Buffer:
    """One open buffer.  `record` is what `extract_rows` would say of `data`, always."""

    __slots__ = ("_former", "_parts", "_tree", "data", "language", "record", "text")

    def __init__(self, text: str, language: str) -> None:
        self.language = language
        self.text = text
        self.data = encode(text)
        self._tree: Tree | None = None
        self._parts: list[_Part] = []
        self.record: Record
        self._former: _State | None = None
        self._from_scratch()

    @property
    def tree(self) -> Tree | None:
        """The present tree; None for a text that is not indexed (too large, binary, generated)."""
        return self._tree

    def update(self, text: str) -> None:
        """Replace the text."""
        if text == self.text:
            return
        former, self._former = self._former, (self.text, self.data, self._tree, self._parts, self.record)
        if former is not None and former[0] == text:
            # A question about another text was asked and is over: completion asks many per key.
            self.text, self.data, self._tree, self._parts, self.record = former
            return
        if self._tree is not None:
            self._tree = self._tree.copy()  # an edit would move the nodes of the former one
        old, self.text, self.data = self.data, text, encode(text)
        if self._tree is None or refusal(self.data) is not None:
            self._from_scratch()
            return
        tree = reparse(self._tree, old, self.data, self.language)
        if tree.root_node.has_error and len(self.data) <= EXACT_SIZE:
            tree = parse(self.data, self.language)
        self._tree = tree
        self._walk(*changed_range(old, self.data))

    def _from_scratch(self) -> None:
        self._parts = []
        self._tree = None
        if refusal(self.data) is not None:
            self.record = extract_rows(self.data, self.language)
            return
        self._tree = parse(self.data, self.language)
        self._walk(0, 0, len(self.data))

    def _walk(self, start: int, old_end: int, new_end: int) -> None:
        """Make the parts anew: kept where they lie before `start` or after the edit and hold no error, else walked."""
        assert self._tree is not None
        if not languages()[self.language].walker:
            # Queries see comments and statements around a definition: they run over the whole tree.
            self.record = extract_rows(self.data, self.language, self._tree)
            return
        root = self._tree.root_node
        if root.has_error:
            mended = mend(self.data, self.language)
            root = mended.root_node if mended is not None else root
        shift = new_end - old_end
        known = {(p.start, p.end, p.kind): p for p in self._parts if not p.broken}
        parts: list[_Part] = []
        reason: str | None = None
        for node in root.children:
            begin, end, kind, broken = node.start_byte, node.end_byte, node.kind_id, node.has_error
            kept: _Part | None = None
            if broken:
                pass
            elif end <= start:
                kept = known.get((begin, end, kind))
            elif begin >= new_end:
                kept = known.get((begin - shift, end - shift, kind))
                if kept is not None and shift:
                    kept = _Part(begin, end, kind, False, _moved(kept.sink, shift))
            if kept is None:
                sink = Sink()
                reason = walk_into(sink, [node], self.data, self.language) or reason
                kept = _Part(begin, end, kind, broken, sink)
            parts.append(kept)
        if reason is not None:
            # Where a walk stops early depends on where it began.
            self._parts = []
            self.record = extract_rows(self.data, self.language, self._tree)
            return
        self._parts = parts
        self.record = assemble(
            (p.sink for p in parts),
            self.language,
            digest_of(self.data),
            len(self.data),
            tuple((s.start, s.end) for s in error_spans(root)),
            count_words(self.data),
            None,
        )


def _moved(sink: Sink, by: int) -> Sink:
    """The same rows, `by` bytes further on."""
    return Sink(
        [(r[0], r[1], r[2] + by, r[3] + by, r[4] + by, r[5] + by, *r[6:]) for r in sink.definitions],
        [(r[0], r[1], r[2] + by, r[3] + by, r[4] + by, r[5] + by, *r[6:]) for r in sink.globals],
        [(*r[:4], r[4] + by, r[5] + by, r[6] + by, r[7] + by, *r[8:]) for r in sink.imports],
        sink.exports,
        sink.dynamic,
    )
