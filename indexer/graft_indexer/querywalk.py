"""Level-1 facts of any language from its queries alone: `definitions.scm` and `imports.scm`.

`definitions.scm` follows tree-sitter's tags convention (https://tree-sitter.github.io/tree-sitter/4-code-navigation.html):
a pattern captures a node as `@definition.<kind>` and its `@name`.  What may be captured besides:

- `@body`: the header (the text that is shown for the definition) ends where it begins
- `@parent`: the text of what contains the definition where the tree does not say so (Go's receivers, `Class::method`)
- `@base`: what it inherits, once for each; `@type`: its annotation
- `@scope` with `@name`: a container that is no definition of its own (Rust's `impl`)
- `@definition.prototype`: a function without its body, which counts outside functions only
- `@inside`: a node below whose children definitions stand, such as C's `#ifdef` (see `graft_indexer.explore`)

`imports.scm` captures `@import` (the statement), `@module` (a dotted name, a path or a string), and for single names
`@name` and `@alias`, or the list of them as `@names` (each has a field `name`, maybe `alias`: a pattern that waits for
what follows a list is kept once for each of its members, and all are compared at every step); a `@star` says that
everything is imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from tree_sitter import Query

from graft_indexer.explore import Match, Plan, inside, matches, nested_words
from graft_indexer.rows import DefinitionRow, ImportRow, Kind, Sink
from graft_indexer.syntax import LanguageInfo, grammar, languages

if TYPE_CHECKING:
    from tree_sitter import Node

HEADER: Final = 240
"""Bytes of a header that are kept."""
_LEAD: Final = 80
"""Bytes before a definition on its line that may belong to it."""
LOOK_BACK: Final = HEADER + _LEAD
"""Nothing is shown of a definition that lies further behind its beginning."""
_KINDS: Final = {
    "class": Kind.CLASS, "interface": Kind.CLASS, "struct": Kind.CLASS, "enum": Kind.CLASS, "trait": Kind.CLASS,
    "union": Kind.CLASS, "module": Kind.MODULE, "namespace": Kind.MODULE, "function": Kind.FUNCTION,
    "macro": Kind.FUNCTION, "prototype": Kind.FUNCTION, "method": Kind.METHOD,
    "constructor": Kind.METHOD, "property": Kind.PROPERTY,
    "field": Kind.ATTRIBUTE, "constant": Kind.VARIABLE, "variable": Kind.VARIABLE, "type": Kind.TYPE_ALIAS,
}  # fmt: skip
_CONTAINERS: Final = (Kind.CLASS, Kind.MODULE, Kind.FUNCTION, Kind.METHOD, Kind.PROPERTY)
_NOT_LOCAL: Final = (Kind.VARIABLE, Kind.ATTRIBUTE)
CALLABLE: Final = (Kind.FUNCTION, Kind.METHOD, Kind.PROPERTY)
_OPEN: Final = (Kind.CLASS, Kind.MODULE)
_SPACES = re.compile(r"\s+")
_REMARK = re.compile(r"^\s*;.*$", re.MULTILINE)
_DEFINES = re.compile(r"@(definition\.\w+)")
_MOST_DECORATORS = 8
_DOC_BYTES = 1_500
"""How far above a definition the beginning of its comment is looked for."""


class _Spec(NamedTuple):
    info: LanguageInfo
    plan: Plan
    """Both files as one query: each costs a walk."""
    patterns: tuple[tuple[str, int], ...]
    """By number of the pattern: the capture of what it defines and its kind; ("scope", -1), ("import", -1), or
    ("", -1) for one that defines nothing."""


_Found: TypeAlias = "tuple[int, int, int, int, int, int, str, dict[str, list[Node]]]"
"""(start, -end, start and end of the name, number, kind, name, captures) of one definition or scope of a file, before
it is known what contains it: sorted, an outer one comes before those inside it, and of equal ones that found first."""


@cache
def _spec(language: str) -> _Spec:
    info = languages()[language]
    tongue = grammar(language)
    source = info.query("definitions")
    if (info.queries / "imports.scm").exists():
        source += info.query("imports")
    query = Query(tongue, source)
    text = source.encode()
    patterns = tuple(
        _pattern(text[query.start_byte_for_pattern(n) : query.end_byte_for_pattern(n)].decode())
        for n in range(query.pattern_count)
    )
    containers = frozenset(n for n, (what, kind) in enumerate(patterns) if what == "scope" or kind in _OPEN)
    return _Spec(info, Plan(query, containers, nested_words(info.nested)), patterns)


def _pattern(source: str) -> tuple[str, int]:
    code = _REMARK.sub("", source)
    defined = _DEFINES.search(code)
    if defined is not None:
        return defined[1], _KINDS[defined[1].removeprefix("definition.")]
    return next(((what, -1) for what in ("scope", "import") if re.search(rf"@{what}\b", code)), ("", -1))


def walker_of(language: str) -> Callable[[list[Node], bytes, Sink], None]:
    """The walk of a language that has no walker module of its own.

    Raises KeyError for a capture `@definition.x` of an unknown kind, and tree_sitter.QueryError for a wrong query.
    """
    spec = _spec(language)

    def walk(nodes: list[Node], data: bytes, sink: Sink) -> None:
        found: list[Match] = []
        for node in _roots(nodes):
            found += matches(spec.plan, node, data, sink.words)
        sink.definitions += _definitions(spec, found, data)
        sink.imports += _imports([c for n, c in found if spec.patterns[n][0] == "import"], data)

    return walk


def rows_inside(
    language: str, body: Node, function: DefinitionRow, data: bytes, *, whole: bool
) -> tuple[list[DefinitionRow], list[ImportRow]]:
    """(definitions, imports) in the body of a function whose row is known; `whole` as where a text does not parse."""
    spec = _spec(language)
    found = inside(spec.plan, body, data, whole=whole)
    joint = ".<locals>." if function[7] & 2 else "."
    qualified = f"{function[6]}{joint}{function[0]}" if function[6] else function[0]
    imports = _imports([c for n, c in found if spec.patterns[n][0] == "import"], data)
    return _definitions(spec, found, data, (body.end_byte, qualified, function[1])), imports


def _roots(nodes: list[Node]) -> list[Node]:
    """One node to ask instead of all its children, where these are all."""
    parent = nodes[0].parent if nodes else None
    return [parent] if parent is not None and parent.child_count == len(nodes) else nodes


# -- definitions ------------------------------------------------------------------------------------------------------
_Container: TypeAlias = tuple[int, str, int]
"""(end, qualified name, kind) of what contains others."""


def _definitions(
    spec: _Spec, matched: list[Match], data: bytes, around: _Container | None = None
) -> list[DefinitionRow]:
    found: dict[tuple[int, int], _Found] = {}
    for pattern, captures in matched:
        what, kind = spec.patterns[pattern]
        names = captures.get("name")
        if not names or not what or what == "import":
            continue
        node, start, end = captures[what][0], names[0].start_byte, names[0].end_byte
        node_start, node_end = node.start_byte, node.end_byte
        key = (start, end) if kind >= 0 else (node_start, -node_end)
        known = found.get(key)
        if known is not None and _rank(known[5]) >= _rank(kind):
            if known[5] == kind and "base" in captures:
                bases = known[7].setdefault("base", [])
                bases += [b for b in captures["base"] if b not in bases]
            continue
        name = data[start:end]
        if name[:1] == b":" and name[:2] != b"::":
            start, name = start + 1, name[1:]  # Ruby's symbols
        text = name.decode("utf-8", "surrogateescape")
        found[key] = (node_start, -node_end, start, end, len(found), kind, text, captures)
    return _nested(spec, sorted(found.values()), data, [around] if around is not None else [])


def _rank(kind: int) -> int:
    """Of two patterns that match the same name the one that says more counts."""
    return {-1: 0, Kind.VARIABLE: 1, Kind.TYPE_ALIAS: 2, Kind.ATTRIBUTE: 2}.get(kind, 3)


def _nested(spec: _Spec, found: list[_Found], data: bytes, stack: list[_Container]) -> list[DefinitionRow]:
    """Rows with their parents: the innermost container whose span holds them.  `stack` are those around."""
    rows: list[DefinitionRow] = []
    for start, less, name_start, name_end, _, kind, name, captures in found:
        while stack and stack[-1][0] <= start:
            stack.pop()
        parent, within = ("", -1) if not stack else (stack[-1][1], stack[-1][2])
        if kind < 0:
            stack.append((-less, f"{parent}.{name}" if parent else name, Kind.CLASS))
            continue
        if "parent" in captures:
            around = f"{parent}." if within == Kind.MODULE else ""
            parent, within = around + _owner(data, captures["parent"][0]), Kind.CLASS
        local = within in CALLABLE
        if local and (kind in _NOT_LOCAL or "definition.prototype" in captures):
            continue  # inside a function `Lock lock(mutex);` constructs a variable
        if kind == Kind.FUNCTION and within == Kind.CLASS:
            kind = Kind.METHOD
        begin = _line_start(data, start)
        body = captures.get("body")
        if body:
            head = data[begin : min(body[0].start_byte, begin + HEADER)]
        else:
            head = data[begin : min(-less, begin + HEADER)].split(b"\n", 1)[0]
        rows.append((
            name, kind, start, -less, name_start, name_end, parent, 2 if local else 0, None,
            tuple(_flat(data, n) for n in captures["base"]) if "base" in captures else None, None,
            _flat(data, captures["type"][0]) if "type" in captures else None,
            " ".join(head.decode("utf-8", "replace").split()).rstrip("{:=;, "), doc_above(data, begin, spec.info),
        ))  # fmt: skip
        if kind in _CONTAINERS:
            joint = ".<locals>." if local else "."
            stack.append((-less, f"{parent}{joint}{name}" if parent else name, kind))
    return rows


def _owner(data: bytes, node: Node) -> str:
    """The container that `@parent` names: `Outer::Inner` -> `Outer.Inner`."""
    text = data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")
    return text.replace("::", ".").lstrip("*&")


def _flat(data: bytes, node: Node) -> str:
    start = node.start_byte
    text = data[start : min(node.end_byte, start + HEADER)].decode("utf-8", "surrogateescape")
    return _SPACES.sub(" ", text) if not text.isalnum() else text


def _line_start(data: bytes, at: int) -> int:
    """Start of the definition with what stands before it on its line (`export`, `static`), without indentation."""
    start = data.rfind(b"\n", 0, at) + 1
    lead = data[start:at]
    if not lead or lead.isspace() or len(lead) > _LEAD or not lead.replace(b" ", b"").replace(b"\t", b"").isalpha():
        return at
    return at - len(lead.lstrip())


_PLAIN = re.compile(r"\w")
_TAGS = re.compile(r"</?\w+[^<>]*>")
_NO_DOC = ("@", "eslint", "prettier", "tslint", "nolint", "go:build")

_MARKS: dict[str, tuple[tuple[bytes, ...], tuple[tuple[bytes, bytes], ...]]] = {}
"""By language: what begins a line comment; what begins and ends a block comment."""


def _marks(info: LanguageInfo) -> tuple[tuple[bytes, ...], tuple[tuple[bytes, bytes], ...]]:
    known = _MARKS.get(info.name)
    if known is None:
        blocks = tuple((opener.encode(), closer.encode()) for opener, closer in info.block_comments)
        known = _MARKS[info.name] = tuple(mark.encode() for mark in info.line_comments), blocks
    return known


def doc_above(data: bytes, at: int, info: LanguageInfo) -> str | None:
    """First line that says something of the comment that ends right above byte `at`.

    Attributes and decorators may stand between the two.
    """
    end = data.rfind(b"\n", 0, at) + 1
    for _ in range(_MOST_DECORATORS):
        begin = data.rfind(b"\n", 0, end - 1) + 1 if end else 0
        last = data[begin:end].strip()
        if not last:
            return None
        if not last.startswith((b"@", b"#[")):
            break
        end = begin
    lines, blocks = _marks(info)
    for opener, closer in blocks:
        if last.endswith(closer):
            begin = data.rfind(opener, max(0, end - _DOC_BYTES), end)
            inside = data[begin + len(opener) : data.rfind(closer, begin, end)]
            return _first_line(inside.split(b"\n", 8)) if begin >= 0 else None
    if not last.startswith(lines):
        return None
    text = [last]
    while begin > 0 and len(text) < 100:
        above = data.rfind(b"\n", 0, begin - 1) + 1
        line = data[above:begin].strip()
        if not line.startswith(lines):
            break
        text.append(line)
        begin = above
    return _first_line(text[::-1])


def _first_line(lines: list[bytes]) -> str | None:
    for line in lines:
        words = line.strip().lstrip(b"*/!-#").strip()
        if not words:
            continue
        text = words.decode("utf-8", "replace")
        if b"<" in words:
            text = _TAGS.sub("", text).strip()
        if _PLAIN.search(text) and not text.startswith(_NO_DOC):
            return text[:200]
    return None


# -- imports ----------------------------------------------------------------------------------------------------------
def _imports(matched: list[dict[str, list[Node]]], data: bytes) -> list[ImportRow]:
    rows: dict[tuple[int, int], ImportRow] = {}
    for captures in matched:
        node = captures["import"][0]
        module = captures.get("module", (None,))[0]
        star = captures.get("star", (None,))[0]
        names: list[tuple[Node | None, Node | None]]
        if "names" in captures:
            members = captures["names"][0].named_children
            names = [(m.child_by_field_name("name"), m.child_by_field_name("alias")) for m in members if not m.is_extra]
        else:
            names = [(captures.get("name", (None,))[0], captures.get("alias", (None,))[0])]
        target = _unquoted(_text(data, module)) if module else ""
        for name, alias in names:
            shown = name or alias or star or module or node
            key = (shown.start_byte, shown.end_byte)
            if key in rows and not alias:
                continue
            written = "*" if star else _text(data, name) if name else None
            rows[key] = (
                target, written, _text(data, alias) if alias else None, 0,
                node.start_byte, node.end_byte, shown.start_byte, shown.end_byte, "", 0,
            )  # fmt: skip
    # A statement that names something needs no row for its module alone.
    ordered = sorted(rows.values(), key=lambda r: (r[4], r[6]))
    named = {(row[4], row[5]) for row in ordered if row[1] is not None or row[2] is not None}
    return [row for row in ordered if row[1] is not None or row[2] is not None or (row[4], row[5]) not in named]


def _text(data: bytes, node: Node) -> str:
    return data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")


def _unquoted(text: str) -> str:
    return text.strip("\"'`<>") if text[:1] in "\"'`<" else _SPACES.sub("", text)


__all__ = ["CALLABLE", "HEADER", "LOOK_BACK", "doc_above", "rows_inside", "walker_of"]
