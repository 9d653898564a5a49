"""Where the hole of a training sample lies: whole lines, statements and blocks, spans of syntax, any characters.

The product opens a hole at the start of the cursor's line (the anchored hole), so most holes begin there. Where the
rest of the cursor's line must be kept, the suffix begins in the middle of a line: that is the kind "cursor". "syntax"
and "characters" are the plain spans of fill-in-the-middle training (Bavarian et al. 2022; Gong et al. 2024).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import tree_sitter
import tree_sitter_python

KINDS = {"line": 0.46, "lines": 0.14, "block": 0.14, "cursor": 0.10, "syntax": 0.09, "characters": 0.07}
MAX_LINES = 8
MAX_BLOCK_BYTES = 700
MAX_SPAN_BYTES = 300
DULL = re.compile(rb"\s*(#|import |from |\"\"\"|'''|[\])}\"',]*\s*$|else:|try:|pass$|@|[A-Za-z ,.]+$)")
REDRAW = 0.7  # chance of looking for another line where the drawn one is dull
TRIES = 4

BLOCKS = frozenset(
    {
        "function_definition",
        "if_statement",
        "for_statement",
        "while_statement",
        "with_statement",
        "try_statement",
        "return_statement",
        "expression_statement",
        "assert_statement",
        "raise_statement",
        "decorated_definition",
        "block",
        "elif_clause",
        "else_clause",
        "except_clause",
        "class_definition",
        "match_statement",
    }
)
SPANS = frozenset(
    {
        "argument_list",
        "call",
        "binary_operator",
        "boolean_operator",
        "comparison_operator",
        "attribute",
        "subscript",
        "list",
        "dictionary",
        "tuple",
        "lambda",
        "conditional_expression",
        "list_comprehension",
        "string",
        "parameters",
        "identifier",
        "keyword_argument",
        "assignment",
        "not_operator",
        "generator_expression",
        "pair",
    }
)

_parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))


@dataclass(frozen=True)
class HoleSpan:
    """Bytes [start, end) of the document are the middle."""

    kind: str
    start: int
    end: int


def parse(raw: bytes) -> tree_sitter.Tree:
    """The syntax tree of one document."""
    return _parser.parse(raw)


def line_start(raw: bytes, place: int) -> int:
    """Start of the line that holds `place`."""
    return raw.rfind(b"\n", 0, place) + 1


def line_end(raw: bytes, place: int) -> int:
    """First byte behind the line break at or after `place`; `place` itself where it is a line start."""
    if place == 0 or raw[place - 1 : place] == b"\n":
        return place
    found = raw.find(b"\n", place)
    return len(raw) if found < 0 else found + 1


def boundary(raw: bytes, place: int) -> int:
    """`place`, moved forward to the start of a UTF-8 character."""
    while place < len(raw) and raw[place] & 0xC0 == 0x80:
        place += 1
    return place


def draw_hole(tree: tree_sitter.Tree, raw: bytes, low: int, place: int, draw: random.Random) -> HoleSpan | None:
    """A hole at or a little behind `place`, not before `low`; None at the end of the file."""
    kind = draw.choices(list(KINDS), weights=list(KINDS.values()))[0]
    start = draw_line(raw, max(low, min(place, len(raw) - 1)), draw)
    if start is None:
        return None
    end = line_end(raw, start + 1)
    if kind == "lines":
        for _ in range(draw.randint(1, MAX_LINES - 1)):
            end = line_end(raw, min(len(raw), end + 1))
        return HoleSpan(kind, start, end)
    if kind == "block":
        return _block(tree, raw, start) or HoleSpan("line", start, end)
    if kind == "syntax":
        return _span(tree, raw, start, end, draw) or HoleSpan("line", start, end)
    first = start + len(raw[start:end]) - len(raw[start:end].lstrip())
    if kind == "cursor" and end - first > 3:
        return HoleSpan(kind, start, boundary(raw, draw.randint(first + 1, end - 2)))
    if kind == "characters":
        left = boundary(raw, draw.randint(start, max(start, end - 2)))
        right = boundary(raw, min(len(raw), left + 1 + int(draw.expovariate(1 / 60))))
        return HoleSpan(kind, left, min(right, left + MAX_SPAN_BYTES)) if right > left else None
    return HoleSpan("line", start, end)


def draw_line(raw: bytes, place: int, draw: random.Random) -> int | None:
    """Start of a line worth completing at or behind `place`: never blank, seldom dull."""
    start = line_start(raw, place)
    for _ in range(60):
        if start >= len(raw):
            return None
        end = line_end(raw, start + 1)
        line = raw[start:end]
        if line.strip() and (not DULL.match(line) or draw.random() > REDRAW):
            return start
        start = end
    return None


def _block(tree: tree_sitter.Tree, raw: bytes, start: int) -> HoleSpan | None:
    """The largest statement of bearable size that begins on the line at `start`, whole lines."""
    first = start + len(raw[start : start + 200]) - len(raw[start : start + 200].lstrip())
    node = tree.root_node.descendant_for_byte_range(first, first + 1)
    best = None
    while node is not None and line_start(raw, node.start_byte) == start:
        if node.type in BLOCKS and node.end_byte - start <= MAX_BLOCK_BYTES:
            best = node
        node = node.parent
    if best is None:
        return None
    return HoleSpan("block", start, line_end(raw, best.end_byte))


def _span(tree: tree_sitter.Tree, raw: bytes, start: int, end: int, draw: random.Random) -> HoleSpan | None:
    """An expression or argument list that begins on the line [start, end)."""
    found = []
    place = start
    for _ in range(4):
        place = draw.randint(start, max(start, end - 2))
        node = tree.root_node.descendant_for_byte_range(place, place + 1)
        while node is not None and node.start_byte >= start and node.end_byte - node.start_byte <= MAX_SPAN_BYTES:
            if node.type in SPANS:
                inner = node.type in ("argument_list", "parameters") and node.end_byte - node.start_byte > 2
                found.append((node.start_byte + inner, node.end_byte - inner))
            node = node.parent
    if not found:
        return None
    left, right = draw.choice(sorted(set(found)))
    return HoleSpan("syntax", left, right)
