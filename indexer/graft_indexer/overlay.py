"""Open buffers: text, tree and facts in memory.  Nothing of them is ever written.

An edit parses incrementally, and only those top-level statements are walked again that the edit touched; the facts of
the others are kept, moved by the edit's length.  That is Python; for other languages only the body of the function
around the edit is (`rewalk`).  Where a tree has errors it is parsed from scratch, because recovery from errors depends
on the way the text came about, and facts should not; only above `EXACT_SIZE`, where that would be felt while typing,
the facts inside broken statements may depend on it until the text is whole again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graft_indexer import rewalk
from graft_indexer.classheaders import Headers, headers_after, headers_of
from graft_indexer.extract import (
    Record,
    assemble,
    count_words,
    digest_of,
    extract_rows,
    recount_words,
    refusal,
    walk_into,
)
from graft_indexer.rows import Sink
from graft_indexer.syntax import error_spans, languages, mend, parse, reparse
from graft_indexer.text import changed_range, encode

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


@dataclass(frozen=True, slots=True)
class _State:
    """What was made of one text: its bytes, tree (None: it is not indexed), parts and record."""

    data: bytes
    tree: Tree | None
    parts: list[_Part]
    record: Record


class Buffer:
    """One open buffer.  `record` is what `extract_rows` would say of `data`, always.

    Texts come faster than questions about their facts: while a key is answered, a suggestion and a line made whole
    stand for the text, and only the names at the cursor are asked for.  So a new text costs nothing; its digest, the
    tree and the record are made when somebody wants them, from those that were made last.
    """

    __slots__ = ("_counted", "_data", "_digest", "_former", "_headers", "_state", "language", "text")

    def __init__(self, text: str, language: str) -> None:
        self.language = language
        self.text = text
        self._data: bytes | None = None
        self._digest: bytes | None = None
        self._headers: tuple[bytes, Headers] | None = None
        self._state: _State | None = None
        self._former: _State | None = None
        self._counted: tuple[bytes, dict[bytes, int]] | None = None

    @property
    def data(self) -> bytes:
        """The text's bytes."""
        if self._data is None:
            self._data = encode(self.text)
        return self._data

    @property
    def digest(self) -> bytes:
        """Digest of the text, as in its record."""
        if self._digest is None:
            self._digest = digest_of(self.data)
        return self._digest

    @property
    def bases(self) -> frozenset[str]:
        """`base_words` of the present text."""
        data, known = self.data, self._headers
        if known is None or known[0] is not data:
            made = headers_after(known[1], known[0], data) if known is not None else None
            self._headers = known = (data, made or headers_of(data))
        return known[1].words

    @property
    def tree(self) -> Tree | None:
        """The present tree; None for a text that is not indexed (too large, binary, generated)."""
        return self._made().tree

    @property
    def record(self) -> Record:
        """The facts of the present text."""
        return self._made().record

    @property
    def words(self) -> dict[bytes, int]:
        """The words of the present text, as in its record, without making that."""
        data, known = self.data, self._counted
        if known is None or known[0] is not data:
            if refusal(data) is not None:
                words: dict[bytes, int] = {}
            elif known is None or not known[1]:
                words = count_words(data)
            else:
                words = recount_words(known[1], known[0], data)
            self._counted = (data, words)
            return words
        return known[1]

    def update(self, text: str) -> None:
        """Replace the text."""
        if text == self.text:
            return
        self.text, self._data, self._digest = text, None, None

    def _made(self) -> _State:
        """The state of the present text."""
        state, former = self._state, self._former
        if state is not None and state.data == self.data:
            return state
        if former is not None and former.data == self.data:
            # A question about another text was asked and is over.
            self._state, self._former = former, state
            return former
        made = self._fresh() if state is None or state.tree is None else self._after(state, state.tree)
        self._state, self._former = made, state
        return made

    def _fresh(self) -> _State:
        data = self.data
        if refusal(data) is not None:
            return _State(data, None, [], extract_rows(data, self.language))
        return self._walked(parse(data, self.language), [], 0, 0, len(data))

    def _after(self, before: _State, known: Tree) -> _State:
        """From the state of an earlier text."""
        data = self.data
        if refusal(data) is not None:
            return self._fresh()
        # An edit would move the nodes of the former tree.
        old = known.copy()
        tree = reparse(old, before.data, data, self.language)
        if tree.root_node.has_error and len(data) <= EXACT_SIZE:
            tree = parse(data, self.language)
        edit = changed_range(before.data, data)
        if not languages()[self.language].walker:
            record = rewalk.after(before.record, rewalk.Edit(before.data, data, *edit), old, tree, self.language)
            if record is not None:
                return _State(data, tree, [], record)
        return self._walked(tree, before.parts, *edit)

    def _walked(self, tree: Tree, before: list[_Part], start: int, old_end: int, new_end: int) -> _State:
        """Make the parts anew: kept where they lie before `start` or after the edit and hold no error, else walked."""
        data, language = self.data, self.language
        if not languages()[language].walker:
            # Queries see comments and statements around a definition: they run over the whole tree.
            return _State(data, tree, [], extract_rows(data, language, tree))
        root = tree.root_node
        if root.has_error:
            mended = mend(data, language)
            root = mended.root_node if mended is not None else root
        shift = new_end - old_end
        known = {(p.start, p.end, p.kind): p for p in before if not p.broken}
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
                reason = walk_into(sink, [node], data, language) or reason
                kept = _Part(begin, end, kind, broken, sink)
            parts.append(kept)
        if reason is not None:
            # Where a walk stops early depends on where it began.
            return _State(data, tree, [], extract_rows(data, language, tree))
        record = assemble(
            (p.sink for p in parts),
            language,
            self.digest,
            len(data),
            tuple((s.start, s.end) for s in error_spans(root)),
            self.words,
            None,
        )
        return _State(data, tree, parts, record)


def _moved(sink: Sink, by: int) -> Sink:
    """The same rows, `by` bytes further on."""
    return Sink(
        [(r[0], r[1], r[2] + by, r[3] + by, r[4] + by, r[5] + by, *r[6:]) for r in sink.definitions],
        [(r[0], r[1], r[2] + by, r[3] + by, r[4] + by, r[5] + by, *r[6:]) for r in sink.globals],
        [(*r[:4], r[4] + by, r[5] + by, r[6] + by, r[7] + by, *r[8:]) for r in sink.imports],
        sink.exports,
        sink.dynamic,
    )
