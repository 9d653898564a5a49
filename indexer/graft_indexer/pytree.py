"""Python source -> `ast` statements of one file, kept up to date while it is typed in.

The standard parser is exact and four times as fast as walking another tree in Python, so level 2 works on `ast`.
Broken text is mended line by line: the line that the parser blames becomes `pass` (or `if 1:` before a deeper block)
and is remembered as *broken*, so that nothing is proved from what it may have said.  After an edit only the top-level
statements that it touched are parsed again.  Positions of nodes are lines and UTF-8 columns; `Tree.span` gives bytes.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from bisect import bisect_right
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from graft_indexer.facts import Span
from graft_indexer.lost import may_bind, region
from graft_indexer.text import Lines

_BINDS = re.compile(
    rb"(?<![=!<>])=(?!=)|:=|\b(?:def|class|import|for|with|as|global|nonlocal|except|del|exec|match|case|type)\b|\"\"\"|'''"
)
_SKIPPED = frozenset({"ctx", "op", "ops", "type_ignores", "kind", "type_comment"})
_FIELDS: dict[type, tuple[str, ...]] = {}


@dataclass(eq=False)
class Tree:
    """Statements of one file with their text.  `broken` are the spans of mended lines, in order."""

    text: str
    data: bytes
    lines: Lines
    body: list[ast.stmt]
    broken: list[Span] = field(default_factory=list)
    unreadable: str = ""
    """Why there are no statements though there is text; empty if there are."""
    filled: bool = False
    """A header without a block was given one."""
    _point: tuple[int, int, int] = (-1, 1, 0)
    _hiding: list[Span] | None = None
    _lost: dict[Span, frozenset[str] | None] = field(default_factory=dict)

    def replace(self, text: str, data: bytes, lines: Lines, broken: list[Span], filled: bool) -> None:
        """The same statements over another text: they have been brought into line with it already."""
        self.text, self.data, self.lines, self.broken, self.filled = text, data, lines, broken, filled
        self._point = (-1, 1, 0)
        self._hiding = None
        self._lost = {}

    def start(self, node: ast.AST) -> int:
        """First byte of a node (without its decorators)."""
        return self.lines.starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined, no-any-return]

    def end(self, node: ast.AST) -> int:
        """First byte after a node."""
        return self.lines.starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined, no-any-return]

    def span(self, node: ast.AST) -> Span:
        """Bytes of a node, without its decorators."""
        return Span(self.start(node), self.end(node))

    def full_span(self, node: ast.AST) -> Span:
        """Bytes of a definition with its decorators."""
        start = self.start(node)
        decorators = getattr(node, "decorator_list", None)
        if decorators:
            start = self.data.rfind(b"@", 0, self.start(decorators[0]))
        return Span(start, self.end(node))

    def source(self, node: ast.AST) -> str:
        """Source text of a node."""
        return self.data[self.start(node) : self.end(node)].decode("utf-8", "surrogateescape")

    def name_span(self, node: ast.AST) -> Span:
        """Bytes of the name that a definition, parameter, handler or import binds."""
        start = self.start(node)
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                keyword = rb"class" if isinstance(node, ast.ClassDef) else rb"def"
                return self._after(keyword, name, start)
            case ast.arg(arg=name):
                return Span(start, start + len(name.encode()))
            case ast.ExceptHandler(name=str(name)):
                begin = self.end(node.type) if node.type else start
                return self._after(rb"as", name, begin)
            case ast.Attribute(attr=name):
                end = self.end(node)
                return Span(end - len(name.encode()), end)
            case ast.alias(name=name, asname=asname):
                if asname:
                    return self._after(rb"as", asname, start)
                return Span(start, start + len(name.encode()))
            case ast.keyword(arg=str(name)):
                return Span(start, start + len(name.encode()))
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                end = self.end(node)
                return Span(end - len(name.encode()), end)
            case ast.MatchMapping(rest=str(name)):
                at = self.data.rfind(name.encode(), start, self.end(node))
                return Span(at, at + len(name.encode()))
        if node.__class__.__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple"):
            name = str(getattr(node, "name", ""))
            at = self.data.find(name.encode(), start)
            return Span(at, at + len(name.encode()))
        return self.span(node)

    def _after(self, keyword: bytes, name: str, start: int) -> Span:
        raw = name.encode("utf-8", "surrogateescape")
        plain = start + len(keyword) + 1
        if self.data.startswith(keyword + b" " + raw, start):
            return Span(plain, plain + len(raw))
        found = re.compile(rb"\b" + keyword + rb"(?:\s|\\)+" + re.escape(raw)).search(self.data, start)
        if found is None:  # normalised identifiers differ from what is written
            return Span(start, start)
        return Span(found.end() - len(raw), found.end())

    def is_broken(self, span: Span) -> bool:
        """Whether a mended line inside `span` may have bound a name."""
        return bool(self.unreadable) or any(b.start < span.end and span.start <= b.end for b in self.hiding)

    def header_broken(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
        """Whether lines of a definition's header were mended: it takes, or derives from, something else then."""
        if not self.broken:
            return False
        start, end = self.start(node), self.start(node.body[0])
        return any(start <= b.start < end for b in self.broken)

    @property
    def hiding(self) -> list[Span]:
        """The mended lines that may have bound a name."""
        if self._hiding is None:
            self._hiding = [b for b in self.broken if _BINDS.search(self.data, b.start, b.end)]
        return self._hiding

    def lost(self, broken: Span) -> frozenset[str] | None:
        """Names that a mended line may have bound; None if it may be any."""
        if broken not in self._lost:
            self._lost[broken] = may_bind(region(self.data, broken.start, broken.end))
        return self._lost[broken]

    def hides(self, span: Span, name: str) -> bool:
        """Whether a mended line inside `span` may have bound this name."""
        if self.unreadable:
            return True
        for broken in self.hiding:
            if broken.start < span.end and span.start <= broken.end:
                names = self.lost(broken)
                if names is None or name in names:
                    return True
        return False

    def point(self, offset: int) -> tuple[int, int]:
        """(1-based line, column in bytes) of an offset, as nodes carry them."""
        if offset != self._point[0]:
            line = self.lines.line_at(offset)
            self._point = (offset, line + 1, offset - self.lines.starts[line])
        return self._point[1], self._point[2]

    def statement_at(self, offset: int) -> ast.stmt | None:
        """The top-level statement that holds `offset`, or the last one before it on another line."""
        line = self.lines.line_at(offset) + 1
        at = bisect_right(self.body, line, key=first_line) - 1
        return self.body[at] if at >= 0 else None


def first_line(statement: ast.stmt) -> int:
    """1-based line on which a statement begins, decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min(decorators[0].lineno, statement.lineno) if decorators else statement.lineno


def children(node: ast.AST) -> Iterator[ast.AST]:
    """Child nodes in source order of their fields, operators and contexts left out; f-strings with true positions."""
    fields = _FIELDS.get(node.__class__)
    if fields is None:
        fields = _FIELDS[node.__class__] = tuple(f for f in node._fields if f not in _SKIPPED)
    for name in fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            for item in value:
                if isinstance(item, ast.AST):
                    yield item
        elif isinstance(value, ast.AST):
            yield value


def fix_formatted(tree: Tree, node: ast.JoinedStr) -> list[ast.expr]:
    """The expressions of an f-string with true positions (before Python 3.12 the parser's are off)."""
    if sys.version_info >= (3, 12):
        return [v for v in node.values if isinstance(v, ast.FormattedValue)]
    fixed: list[ast.expr] | None = getattr(node, "_graft_fixed", None)
    if fixed is None:
        fixed = list(_replacement_fields(tree, tree.start(node), tree.end(node)))
        node._graft_fixed = fixed  # type: ignore[attr-defined]
    return fixed


_STRING = re.compile(rb"""([A-Za-z]{0,3})('''|\"\"\"|'|\")""")


def _replacement_fields(tree: Tree, start: int, end: int) -> Iterator[ast.expr]:
    """Expressions between braces of the f-strings in `[start, end)`, literals joined to them included."""
    data, at = tree.data, start
    while at < end:
        found = _STRING.search(data, at, end)
        if found is None:
            return
        prefix, quote = found.group(1).lower(), found.group(2)
        at = found.end()
        while at < end and data[at : at + len(quote)] != quote:
            byte = data[at : at + 1]
            if b"f" in prefix and b"r" not in prefix and data[at : at + 3] == b"\\N{":
                at = data.find(b"}", at, end) + 1 or end  # a character by its name
            elif (byte == b"\\" and not (b"f" in prefix and data[at + 1 : at + 2] in (b"{", b"}"))) or (
                b"f" in prefix and byte == b"{" and data[at + 1 : at + 2] == b"{"
            ):
                at += 2
            elif b"f" in prefix and byte == b"{":
                at = yield from _field(tree, at + 1, end)
            else:
                at += 1
        at += len(quote)


def _field(tree: Tree, start: int, end: int) -> Generator[ast.expr, None, int]:
    """One replacement field from behind its brace; returns the offset behind its closing brace."""
    data, at, depth, in_spec = tree.data, start, 0, False
    close = -1
    while at < end:
        byte = data[at : at + 1]
        if not in_spec and byte in (b"'", b'"'):
            quote = data[at : at + 3] if data[at : at + 3] == byte * 3 else byte
            stop = data.find(quote, at + len(quote), end)
            at = end if stop < 0 else stop + len(quote)
            continue
        if in_spec and byte == b"{":
            at = yield from _field(tree, at + 1, end)
            continue
        if not in_spec and byte in b"([{":
            depth += 1
        elif byte == b"}" and (depth == 0 or in_spec):
            close = at if close < 0 else close
            break
        elif not in_spec and byte in b")]}":
            depth -= 1
        elif depth == 0 and not in_spec and (byte == b":" or (byte == b"!" and data[at + 1 : at + 2] != b"=")):
            close, in_spec = at, True
        at += 1
    code = data[start : close if close >= 0 else at].decode("utf-8", "surrogateescape")
    yield from _expression_at(tree, code, start)
    return at + 1


def _expression_at(tree: Tree, code: str, start: int) -> Iterator[ast.expr]:
    stripped = code.rstrip()
    if stripped.endswith("=") and not stripped.endswith(("==", "!=", "<=", ">=")):
        stripped = stripped[:-1]
    expression = parse_expression(stripped)
    if expression is None:
        return
    place(tree, expression, start, lead=1)
    yield expression


def parse_expression(code: str) -> ast.expr | None:
    """An expression standing alone, on one logical line; None if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(f"({code}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def place(tree: Tree, expression: ast.expr, start: int, lead: int = 1) -> None:
    """Move a separately parsed expression to byte `start` of the tree (`lead` bytes stood before it)."""
    line = tree.lines.line_at(start)
    column = start - tree.lines.starts[line] - lead
    for node in ast.walk(expression):
        if not isinstance(node, ast.expr | ast.arg | ast.keyword):
            continue
        if node.lineno == 1:
            node.col_offset += column
        if node.end_lineno == 1 and node.end_col_offset is not None:
            node.end_col_offset += column
        node.lineno += line
        node.end_lineno = (node.end_lineno or 1) + line
