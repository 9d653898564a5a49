"""Tree -> Facts of one file.

`extract_file` is all that most callers need.  Bulk work keeps facts as rows (`Record`, see `rows`) and makes
dataclasses of them only when somebody asks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter
from typing import TYPE_CHECKING
from unicodedata import normalize

from graft_indexer.embedded import view
from graft_indexer.facts import Definition, Facts, Import, Parameter, Signature, Span
from graft_indexer.rows import KINDS, PARAMETER_KINDS, DefinitionRow, ExportRow, ImportRow, Sink, TooDeep
from graft_indexer.syntax import error_spans, language_of, mend, parse, walker
from graft_indexer.text import changed_range, decode, encode

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

MAX_SIZE = 10_000_000
"""Bytes; a larger file is known by name only."""
MINIFIED_SIZE, MINIFIED_LINE = 64_000, 1_500
"""A file of at least so many bytes whose lines are longer than this on average is generated, not written."""

# Everything that is no part of a word becomes a blank: splitting is twice as fast as a regular expression.
_BLANKS = bytes(c if c >= 0x80 or chr(c).isalnum() or c == 0x5F else 0x20 for c in range(256))
_BLANK = 0x20
_CODING = re.compile(rb"coding[:=]")
_POSITION = itemgetter(2, 4)


@dataclass(slots=True)
class Record:
    """Facts of one file as rows."""

    language: str
    digest: bytes
    size: int
    definitions: list[DefinitionRow]
    imports: list[ImportRow]
    exports: tuple[str, ...] | None
    dynamic: bool
    errors: tuple[tuple[int, int], ...]
    words: dict[bytes, int]
    truncated: str | None = None


def empty_record(language: str, digest: bytes, size: int, truncated: str) -> Record:
    """The record of a file that is not indexed, and why."""
    return Record(language, digest, size, [], [], None, False, (), {}, truncated)


def source_bytes(data: bytes) -> bytes:
    """The bytes that offsets count, of a file's bytes: the same object unless there is a mark or a declaration."""
    first = data[:3]
    if first == b"\xef\xbb\xbf" or first[:2] in (b"\xff\xfe", b"\xfe\xff") or _CODING.search(data[:400]):
        return encode(decode(data).text)
    return data


def digest_of(data: bytes) -> bytes:
    """blake2b-128 of a text's bytes."""
    return blake2b(data, digest_size=16).digest()


def refusal(data: bytes) -> str | None:
    """Why a file is not indexed: too large, binary or minified; None for ordinary text."""
    size = len(data)
    if size > MAX_SIZE:
        return f"larger than {MAX_SIZE // 1_000_000} MB"
    if b"\0" in data:
        return "binary: holds NUL bytes"
    if size >= MINIFIED_SIZE and size > MINIFIED_LINE * (data.count(b"\n") + 1):
        return f"generated: lines of more than {MINIFIED_LINE} bytes on average"
    return None


def count_words(data: bytes) -> dict[bytes, int]:
    """Every identifier-like word (comments and strings included), normalised as Python does -> how often."""
    counts = dict(Counter(data.translate(_BLANKS).split()))
    for word in [w for w in counts if w[0] < 0x3A]:
        del counts[word]
    if not data.isascii():
        for word in [w for w in counts if not w.isascii()]:
            usual = encode(normalize("NFKC", word.decode("utf-8", "surrogateescape")))
            if usual != word:
                counts[usual] = counts.get(usual, 0) + counts.pop(word)
    return counts


def recount_words(counts: dict[bytes, int], before: bytes, data: bytes) -> dict[bytes, int]:
    """What `count_words(data)` gives, from what it gave for another text: only the words that differ are counted."""
    start, old_end, new_end = changed_range(before, data)
    while start > 0 and _BLANKS[data[start - 1]] != _BLANK:
        start -= 1
    kept = 0
    while new_end + kept < len(data) and _BLANKS[data[new_end + kept]] != _BLANK:
        kept += 1
    made = dict(counts)
    for word, many in count_words(before[start : old_end + kept]).items():
        made[word] -= many
        if not made[word]:
            del made[word]
    for word, many in count_words(data[start : new_end + kept]).items():
        made[word] = made.get(word, 0) + many
    return made


def extract_rows(data: bytes, language: str, tree: Tree | None = None) -> Record:
    """Rows of a file's text (see `source_bytes`); `tree` saves the parse if the caller has one."""
    digest = digest_of(data)
    reason = refusal(data)
    if reason is not None:
        return empty_record(language, digest, len(data), reason)
    root = (tree or parse(data, language)).root_node
    if root.has_error:
        mended = mend(data, language)
        root = mended.root_node if mended is not None else root
    words = count_words(data)
    sink = Sink(words=words)
    reason = walk_into(sink, root.children, data, language)
    errors = tuple((s.start, s.end) for s in error_spans(root))
    return assemble([sink], language, digest, len(data), errors, words, reason)


def walk_into(sink: Sink, nodes: list[Node], data: bytes, language: str) -> str | None:
    """Walk top-level statements; returns why it stopped early, if it did (what was found until then is kept)."""
    try:
        walker(language)(nodes, data, sink)
    except (TooDeep, RecursionError):
        return "nested too deeply"
    return None


def assemble(
    sinks: Iterable[Sink],
    language: str,
    digest: bytes,
    size: int,
    errors: tuple[tuple[int, int], ...],
    words: dict[bytes, int],
    truncated: str | None,
) -> Record:
    """One record of what the parts of a file gave."""
    definitions: list[DefinitionRow] = []
    imports: list[ImportRow] = []
    exports: list[ExportRow] = []
    declared: list[DefinitionRow] = []
    dynamic = False
    for sink in sinks:
        definitions += sink.definitions
        imports += sink.imports
        exports += sink.exports
        declared += sink.globals
        dynamic = dynamic or sink.dynamic
    if declared:
        bound = {row[0] for row in definitions if not row[6]}
        for row in declared:
            if row[0] not in bound:
                bound.add(row[0])
                definitions.append(row)
    definitions.sort(key=_POSITION)
    names, computed = fold_exports(exports)
    return Record(
        language, digest, size, definitions, imports, names, dynamic or computed, errors, words, truncated
    )  # fmt: skip


def fold_exports(rows: Iterable[ExportRow]) -> tuple[tuple[str, ...] | None, bool]:
    """(names of `__all__` or None, whether it is computed) after all its changes."""
    names: list[str] | None = None
    for action, given in rows:
        if action == "dynamic" or (action == "add" and names is None):
            return None, True
        names = list(given) if action == "set" else [*(names or ()), *given]
    return (None if names is None else tuple(names)), False


def definition_of(row: DefinitionRow) -> Definition:
    """The dataclass of a row."""
    (
        name,
        kind,
        start,
        end,
        name_start,
        name_end,
        parent,
        flags,
        signature,
        bases,
        decorators,
        annotation,
        value,
        doc,
    ) = row
    joint = ".<locals>." if flags & 2 else "."
    return Definition(
        name,
        f"{parent}{joint}{name}" if parent else name,
        KINDS[kind],
        Span(start, end),
        Span(name_start, name_end),
        parent,
        None
        if signature is None
        else Signature(
            tuple(Parameter(n, PARAMETER_KINDS[k], a, d) for n, k, a, d in signature[0]),
            signature[1],
            signature[2],
            signature[3],
        ),
        bases or (),
        decorators or (),
        annotation,
        value,
        doc,
        bool(flags & 1),
    )


def import_of(row: ImportRow) -> Import:
    """The dataclass of a row."""
    module, name, alias, level, start, end, name_start, name_end, scope, flags = row
    span, name_span = Span(start, end), Span(name_start, name_end)
    return Import(module, name, alias, level, span, name_span, scope, bool(flags & 1), bool(flags & 2))


def facts_of(path: str, record: Record) -> Facts:
    """The dataclass of a record."""
    return Facts(
        path=path,
        language=record.language,
        digest=record.digest.hex(),
        definitions=tuple(map(definition_of, record.definitions)),
        imports=tuple(map(import_of, record.imports)),
        exports=record.exports,
        dynamic_exports=record.dynamic,
        postings={word.decode("utf-8", "surrogateescape"): count for word, count in record.words.items()},
        errors=tuple(Span(start, end) for start, end in record.errors),
        size=record.size,
        truncated=record.truncated,
    )


def extract_file(path: str, data: bytes) -> Facts:
    """Facts of any one file from its bytes on disk.  `path` is only recorded; an unknown suffix counts as Python.

    Never raises for bad code: files that are too large, binary or generated say so in `truncated`.
    """
    language = language_of(path) or "python"
    return facts_of(path, extract_rows(view(path, source_bytes(data)), language))
