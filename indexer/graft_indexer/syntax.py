"""Text -> tree: languages, parsing, incremental parsing, error nodes.

Trees hold about 27 bytes per byte of source: only those of open buffers are kept.  A parser holds the interpreter lock
while it parses, so bulk work is done by processes (`build`), never by threads.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tree_sitter import Language, Parser, Tree

from graft_indexer.facts import Span
from graft_indexer.text import changed_range

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_ERRORS = 200
"""Error spans reported per file; a file with more is broken as a whole."""


@dataclass(frozen=True, slots=True)
class LanguageInfo:
    """A folder below `languages/`: its language.toml, with the path of its queries."""

    name: str
    tier: int
    extensions: tuple[str, ...]
    filenames: tuple[str, ...]
    interpreters: tuple[str, ...]
    ids: tuple[str, ...]
    """What editors call it, besides its name (`typescriptreact`)."""
    grammar: str
    function: str
    walker: str
    """Module with its own walk over statements; empty: the queries alone say what is defined."""
    keywords: frozenset[bytes]
    line_comments: tuple[str, ...]
    block_comments: tuple[tuple[str, str], ...]
    strings: tuple[str, ...]
    """Quotes; of several that begin alike the longest comes first."""
    block: str
    """What ends a block: `braces`, `indentation` or `words`."""
    openers: tuple[str, ...]
    """Ends of a line after which a block begins."""
    nested: Mapping[str, str]
    """Words that begin definitions below a statement, each with the regular expression that must match where it stands;
    empty: everything is looked at (see `graft_indexer.explore`)."""
    folder: Path
    queries: Path

    def query(self, name: str) -> str:
        """Source of `<name>.scm`; raises FileNotFoundError if the language has none."""
        return (self.queries / f"{name}.scm").read_text("utf-8")


@cache
def languages() -> Mapping[str, LanguageInfo]:
    """All languages that have a folder, by name."""
    found: dict[str, LanguageInfo] = {}
    for file in sorted((Path(__file__).parent / "languages").glob("*/language.toml")):
        table: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
        found[table["name"]] = LanguageInfo(
            name=table["name"],
            tier=table["tier"],
            extensions=tuple(table["extensions"]),
            filenames=tuple(table.get("filenames", ())),
            interpreters=tuple(table.get("interpreters", ())),
            ids=tuple(table.get("ids", ())),
            grammar=table["grammar"],
            function=table.get("function", "language"),
            walker=table.get("walker", ""),
            keywords=frozenset(word.encode() for word in table.get("keywords", ())),
            line_comments=tuple(table.get("line_comments", ())),
            block_comments=tuple((pair[0], pair[1]) for pair in table.get("block_comments", ())),
            strings=tuple(table.get("strings", ('"', "'"))),
            block=table.get("block", "braces"),
            openers=tuple(table.get("openers", ("{",))),
            nested=table.get("nested", {}),
            folder=file.parent,
            queries=file.parent.parent / table.get("queries", file.parent.name),
        )
    return found


@cache
def language_of_id(name: str) -> str | None:
    """Name of the language that an editor calls `name` (`typescriptreact`, `shellscript`); None if it is unknown."""
    if name in languages():
        return name
    return next((info.name for info in languages().values() if name in info.ids), None)


@cache
def _by_name() -> tuple[dict[str, str], dict[str, str]]:
    extensions = {e: i.name for i in languages().values() for e in i.extensions}
    filenames = {f: i.name for i in languages().values() for f in i.filenames}
    return extensions, filenames


def language_of(path: str) -> str | None:
    """Name of the language of a file by its name alone; None if Graft does not know it."""
    extensions, filenames = _by_name()
    name = PurePosixPath(path).name
    dot = name.rfind(".")
    return (extensions.get(name[dot:].lower()) if dot > 0 else None) or filenames.get(name)


@cache
def grammar(language: str) -> Language:
    """The compiled grammar of a language.  Raises KeyError for an unknown one."""
    info = languages()[language]
    return Language(getattr(importlib.import_module(info.grammar), info.function)())


@cache
def _parser(language: str) -> Parser:
    return Parser(grammar(language))


_CHUNK = 65_536
"""Bytes of text handed to a parser at a time."""
_STUCK, _STUCK_PER_BYTE = 1_000, 1 / 40
"""Reports of a parser that gets no further before it is stopped: a second's. At the end of a file, where the tree is
balanced, up to one for 200 bytes was seen, so that more are let pass the longer a file is."""


def parse(data: bytes, language: str = "python") -> Tree:
    """Parse the bytes of a file.  Never fails: what is not grammatical becomes error nodes.

    Some grammars never end on some texts, and take memory without bounds: tree-sitter-kotlin 1.1.0 on a `#` behind
    `return x`.  Where a parser gets stuck, the line is read as if it were a stray bracket.
    """
    text = data
    for _ in range(_MOST_STUCK):
        tree, stuck = _watched(text, language, None)
        if tree is not None:
            return tree
        start = data.rfind(b"\n", 0, stuck) + 1
        end = data.find(b"\n", stuck)
        end = len(data) if end < 0 else end
        if start == end:  # at the end of a line that is empty: it is the one above
            start = data.rfind(b"\n", 0, max(0, start - 1)) + 1
        text = text[:start] + b")".ljust(end - start)[: end - start] + text[end:]
    return _parser(language).parse(b")".ljust(len(data)))


_MOST_STUCK = 4
"""Lines left out of a text before all of it is."""


def _watched(data: bytes, language: str, old: Tree | None) -> tuple[Tree | None, int]:
    """(tree, 0), or (None, byte at which the parser gets stuck)."""
    furthest = calls = 0
    most = _STUCK + int(len(data) * _STUCK_PER_BYTE)

    def read(offset: int, _: object) -> bytes:
        return data[offset : offset + _CHUNK]

    def stop(offset: int, _: bool) -> bool:
        nonlocal furthest, calls
        calls += 1
        if offset > furthest:
            furthest, calls = offset, 0
        return calls > most

    parser = _parser(language)
    try:
        if old is None:
            return parser.parse(read, progress_callback=stop), 0
        return parser.parse(read, old, progress_callback=stop), 0
    except ValueError:  # the only way in which it says that it was stopped
        parser.reset()
        return None, furthest


def reparse(tree: Tree, old: bytes, new: bytes, language: str = "python") -> Tree:
    """Parse `new` given the tree of `old`; only what an edit touched is read again.  `tree` is void after this."""
    start, old_end, new_end = changed_range(old, new)
    tree.edit(start, old_end, new_end, _point(old, start), _point(old, old_end), _point(new, new_end))
    return _watched(new, language, tree)[0] or parse(new, language)


def _point(data: bytes, offset: int) -> tuple[int, int]:
    """(row, column in bytes) as tree-sitter counts them: rows end at LF only."""
    return data.count(b"\n", 0, offset), offset - (data.rfind(b"\n", 0, offset) + 1)


def error_spans(node: Node, language: str = "python") -> tuple[Span, ...]:
    """Spans of error and missing nodes below `node`, outermost only, in order, at most `MAX_ERRORS`.

    Error nodes are the same in every language: `language` is there for callers that pass it on.
    """
    spans: list[Span] = []
    stack = [node] if node.has_error else []
    while stack and len(spans) < MAX_ERRORS:
        node = stack.pop()
        if node.is_error or node.is_missing:
            spans.append(Span(node.start_byte, node.end_byte))
            continue
        wrong = [child for child in reversed(node.children) if child.has_error]
        if not wrong and (gap := _unended(node)) is not None:
            spans.append(gap)
        stack += wrong
    return tuple(spans)


def _unended(node: Node) -> Span | None:
    """Between two statements of one line, where the token that ends the first is missing; the tree does not show it, as
    in Python's `from a import b, 0`.  A file's last line may lack its end."""
    for left, right in pairwise(node.children):
        if left.is_named and right.is_named and left.end_point.row == right.start_point.row:
            return Span(left.end_byte, right.start_byte)
    return None


@cache
def walker(language: str) -> Callable[..., Any]:
    """The function `walk(nodes, data, sink)` of a language: its walker module's, or the one over its queries."""
    module = languages()[language].walker
    if not module:
        made: Callable[..., Any] = importlib.import_module("graft_indexer.querywalk").walker_of(language)
        return made
    function: Callable[..., Any] = importlib.import_module(module).walk
    return function


def mend(data: bytes, language: str = "python") -> Tree | None:
    """A tree without errors of a correct text that the grammar misreads, with the same offsets; None if there is none.

    The language's walker module may offer `rewrite(data)`: the same program in other bytes of the same length.
    """
    module = languages()[language].walker
    rewrite = getattr(importlib.import_module(module), "rewrite", None) if module else None
    other: bytes | None = rewrite(data) if rewrite is not None else None
    if other is None:
        return None
    tree = parse(other, language)
    return None if tree.root_node.has_error else tree
