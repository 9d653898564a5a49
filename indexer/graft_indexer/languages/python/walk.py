"""Level-1 facts of Python: one pass over the statements of a tree, never into expressions.

Walking nodes one by one from Python is slow, so expressions are entered only where the bytes say that something is to
be found there (`yield`, `:=`), and function bodies only if they hold a nested definition, an import, a `global` or an
attribute of `self`.  Rows are plain tuples, because they are marshalled; `graft_indexer.extract` makes them facts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from graft_indexer.languages.python.imports import export_call, export_row, import_rows
from graft_indexer.languages.python.inside import generators, walruses
from graft_indexer.languages.python.kinds import (
    ALIAS,
    ARGUMENTS,
    ASSIGNMENT,
    AUGMENTED,
    BLOCK,
    CALL,
    CASE_PATTERN,
    CLASS,
    COMMENT,
    DECORATED,
    DECORATOR,
    ELIF,
    ELSE,
    ERROR,
    EXCEPT,
    EXPRESSION,
    FOR,
    FROM,
    FUNCTION,
    FUTURE,
    GLOBAL,
    IDENTIFIER,
    IF,
    IMPORT,
    INTERESTING,
    PARAMETERS,
    STRING,
    TRY,
    TYPE,
    WITH,
    identifier,
    text_of,
)
from graft_indexer.languages.python.parameters import signature
from graft_indexer.languages.python.quirks import rewrite
from graft_indexer.languages.python.targets import MAX_VALUE, MODULE, Scope, bind, bind_aliases, bind_captures
from graft_indexer.rows import Kind, ParameterRow, SignatureRow, Sink, TooDeep

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_DEPTH = 150
"""Nested statements; CPython itself stops at 100 levels of indentation."""


_DOC = re.compile(rb"[rRuU]?(?:\"\"\"|'''|\"|')")
_BLANK = re.compile(rb"(?:\s|\\\r?\n)+")
_CATCHES = re.compile(rb"\b(?:ImportError|ModuleNotFoundError|Exception|BaseException)\b")
_PLATFORM = re.compile(rb"\b(?:version_info|hexversion|platform|os\.name|PY2|PY3\w*|implementation)\b")
_CHECKING = re.compile(rb"(not\s+)?(?:\w+\s*\.\s*)?TYPE_CHECKING")
# What may follow `self.name` where it is bound: assignment, annotation, the rest of a tuple or a loop's target.
_SETS_SELF = re.compile(rb"self\.\w+\s*(?:=(?!=)|[:,)\]#\\]|in\b)")
_SELF = (b"self.",)
_WRITES_GLOBALS = re.compile(
    # Within one line only: a statement must give the same answer alone as in its file.
    rb"\bglobals\(\)(?![ \t]*(?:\[[^\]\n]*\](?![ \t]*=(?!=))|\.(?:get|items|keys|values|copy)\b))"
    rb"|\bsys\.modules\[(?![ \t]*['\"])[^\]\n]*\][ \t]*=(?!=)"
    rb"|\bsetattr\(sys\.modules\b|\b_convert_\("
)
_PROPERTIES = ("property", "cached_property", "abstractproperty", "setter", "getter", "deleter")
_TYPE_CHECKING_FLAG, _GUARDED_FLAG = 1, 2


def walk(nodes: list[Node], data: bytes, sink: Sink) -> None:
    """Put what the given top-level statements of a tree over `data` define, import and export into `sink`.

    Raises TooDeep for statements nested deeper than `MAX_DEPTH`.
    """
    if not nodes:
        return
    start, end = nodes[0].start_byte, nodes[-1].end_byte
    self_sets = [m.start() for m in _SETS_SELF.finditer(data, start, end)]
    walker = _Walker(data, sink, self_sets, generators(nodes, data, start, end))
    walker.statements(nodes, MODULE, False, 0, 0)
    for owner, node in walruses(nodes, data, start, end):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is not None:
            bind(sink.definitions, data, name, node, Scope(owner, function=False), True, None, value)
    for word in (b"globals", b"modules", b"_convert_"):
        if data.find(word, start, end) >= 0:
            sink.dynamic = sink.dynamic or _WRITES_GLOBALS.search(data, start, end) is not None
            break


class _Walker:
    """State of one walk; statements() is the loop, the other methods are its cases."""

    __slots__ = ("data", "generators", "self_sets", "sink")

    def __init__(self, data: bytes, sink: Sink, self_sets: list[int], generators: set[int]) -> None:
        self.data = data
        self.sink = sink
        self.self_sets = self_sets
        self.generators = generators

    # -- statements ---------------------------------------------------------------------------------------------------
    def statements(self, nodes: list[Node], scope: Scope, conditional: bool, flags: int, depth: int) -> None:
        """Handle sibling nodes; `flags` are those of imports below `if TYPE_CHECKING:` and below guards."""
        if depth > MAX_DEPTH:
            raise TooDeep
        for node in nodes:
            kind = node.kind_id
            if kind not in INTERESTING:
                continue
            if kind == EXPRESSION:
                self._expression(node, scope, conditional)
            elif kind == FUNCTION:
                self._function(node, node, (), scope, conditional, depth)
            elif kind in (IF, ELIF):
                self._if(node, scope, flags, depth)
            elif kind == DECORATED:
                self._decorated(node, scope, conditional, depth)
            elif kind == CLASS:
                self._class(node, node, (), scope, conditional, depth)
            elif kind in (FROM, IMPORT, FUTURE):
                self.sink.imports += import_rows(self.data, node, scope.name, flags)
            elif kind == TRY:
                self._try(node, scope, flags, depth)
            elif kind == FOR:
                target = node.child_by_field_name("left")
                if target is not None and (scope.selves or not scope.function):
                    bind(self.sink.definitions, self.data, target, node, scope, True, None, None)
                self.statements(node.children, scope, True, flags, depth + 1)
            elif kind == WITH:
                self._with(node, scope, flags, depth)
            elif kind == GLOBAL:
                if scope.function:
                    self._global(node)
            elif kind == ALIAS:
                if not scope.function:
                    self._type_alias(node, scope, conditional)
            elif kind == CASE_PATTERN:
                if not scope.function:
                    bind_captures(self.sink.definitions, self.data, node, scope)
            elif kind == ASSIGNMENT:
                # Only inside error nodes: elsewhere an assignment stands in an expression statement.
                self._assignment(node, node, scope, True)
            else:
                self.statements(node.children, scope, conditional or kind != ERROR, flags, depth + 1)

    def _expression(self, node: Node, scope: Scope, conditional: bool) -> None:
        data = self.data
        if scope.function:
            if not self._may_set(scope.selves, node.start_byte, node.end_byte):
                return
            child = node.child(0)
            if child is not None and child.kind_id == ASSIGNMENT:
                self._assignment(child, node, scope, conditional)
            return
        child = node.child(0)
        if child is None:
            return
        kind = child.kind_id
        if kind == ASSIGNMENT:
            self._assignment(child, node, scope, conditional)
        elif scope is MODULE and data.startswith(b"__all__", node.start_byte):
            if kind == AUGMENTED:
                right = child.child_by_field_name("right")
                plus = child.child_by_field_name("operator")
                added = plus is not None and plus.type == "+="
                self.sink.exports.append(export_row(data, "add" if added and not conditional else "dynamic", right))
            elif kind == CALL:
                change = export_call(data, child, conditional)
                if change is not None:
                    self.sink.exports.append(change)

    def _assignment(self, node: Node, statement: Node, scope: Scope, conditional: bool) -> None:
        targets: list[Node] = []
        annotation: str | None = None
        value: Node | None = node
        while value is not None and value.kind_id == ASSIGNMENT:
            left, kind = value.child_by_field_name("left"), value.child_by_field_name("type")
            if kind is not None:
                annotation = text_of(self.data, kind)
            if left is not None:
                targets.append(left)
            value = value.child_by_field_name("right")
        for target in targets:
            if scope is MODULE and self.data[target.start_byte : target.end_byte] == b"__all__" and value is not None:
                self.sink.exports.append(export_row(self.data, "dynamic" if conditional else "set", value))
            bind(self.sink.definitions, self.data, target, statement, scope, conditional, annotation, value)

    def _if(self, node: Node, scope: Scope, flags: int, depth: int) -> None:
        condition = node.child_by_field_name("condition")
        checking = unchecking = False
        if condition is not None:
            text = self.data[condition.start_byte : condition.end_byte]
            found = _CHECKING.fullmatch(text)
            if found is not None:
                checking, unchecking = found[1] is None, found[1] is not None
            if self.data.find(b"import", condition.end_byte, node.end_byte) >= 0 and _PLATFORM.search(text):
                flags |= _GUARDED_FLAG
        for child in node.children:
            kind = child.kind_id
            if kind == BLOCK:
                inner = flags | _TYPE_CHECKING_FLAG if checking else flags
                self.statements(child.children, scope, True, inner, depth + 1)
            elif kind in (ELSE, ELIF, ERROR):
                inner = flags | _TYPE_CHECKING_FLAG if unchecking else flags
                self.statements([child], scope, True, inner, depth + 1)

    def _try(self, node: Node, scope: Scope, flags: int, depth: int) -> None:
        children = node.children
        if not flags & _GUARDED_FLAG:
            for child in children:
                if child.kind_id == EXCEPT:
                    block = next((c for c in child.children if c.kind_id == BLOCK), None)
                    head = self.data[child.start_byte : block.start_byte if block is not None else child.end_byte]
                    if _CATCHES.search(head) or head.rstrip(b" \t\r\n:") == b"except":
                        flags |= _GUARDED_FLAG
        for child in children:
            if child.is_named:
                self.statements([child], scope, True, flags, depth + 1)

    def _with(self, node: Node, scope: Scope, flags: int, depth: int) -> None:
        children = node.children
        for child in children:
            kind = child.kind_id
            if kind == BLOCK:
                self.statements(child.children, scope, True, flags, depth + 1)
            elif kind == ERROR:
                self.statements([child], scope, True, flags, depth + 1)
            elif child.is_named and kind != COMMENT:
                head = self.data[child.start_byte : child.end_byte]
                if b"suppress" in head and _CATCHES.search(head):
                    flags |= _GUARDED_FLAG
                if b"as" in head and (scope.selves or not scope.function):
                    bind_aliases(self.sink.definitions, self.data, child, node, scope)

    def _global(self, node: Node) -> None:
        for child in node.named_children:
            if child.kind_id == IDENTIFIER:
                self.sink.globals.append(
                    (
                        identifier(self.data, child), Kind.VARIABLE, node.start_byte, node.end_byte, child.start_byte,
                        child.end_byte, "", 1, None, None, None, None, None, None,
                    )
                )  # fmt: skip

    def _type_alias(self, node: Node, scope: Scope, conditional: bool) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        name = left
        while name is not None and name.kind_id != IDENTIFIER:
            name = name.named_child(0)
        if name is not None:
            value = text_of(self.data, right)[:MAX_VALUE] if right is not None else None
            self.sink.definitions.append(
                (
                    identifier(self.data, name), Kind.TYPE_ALIAS, node.start_byte, node.end_byte, name.start_byte,
                    name.end_byte, scope.name, 1 if conditional else 0, None, None, None, None, value, None,
                )
            )  # fmt: skip

    # -- definitions --------------------------------------------------------------------------------------------------
    def _decorated(self, node: Node, scope: Scope, conditional: bool, depth: int) -> None:
        decorators: list[str] = []
        for child in node.children:
            kind = child.kind_id
            if kind == DECORATOR:
                decorators.append(text_of(self.data, child)[1:].strip())
            elif kind == FUNCTION:
                self._function(child, node, tuple(decorators), scope, conditional, depth)
            elif kind == CLASS:
                self._class(child, node, tuple(decorators), scope, conditional, depth)
            elif kind == ERROR:
                self.statements([child], scope, conditional, 0, depth + 1)

    def _function(
        self, node: Node, outer: Node, decorators: tuple[str, ...], scope: Scope, conditional: bool, depth: int
    ) -> None:
        data = self.data
        name = parameters = returns = body = None
        broken: list[Node] = []
        for child in node.children:
            kind = child.kind_id
            if kind == IDENTIFIER:
                name = child
            elif kind == PARAMETERS:
                parameters = child
            elif kind == BLOCK:
                body = child
            elif kind == TYPE:
                returns = text_of(self.data, child)
            elif kind == ERROR:
                broken.append(child)
        if name is None:
            return
        start = node.start_byte
        rows = signature(parameters, data) if parameters is not None else ()
        row_kind = Kind.FUNCTION
        in_class = not scope.function and bool(scope.name)
        if in_class:
            row_kind = Kind.METHOD
            for decorator in decorators:
                if decorator.split("(", 1)[0].rstrip().rsplit(".", 1)[-1] in _PROPERTIES:
                    row_kind = Kind.PROPERTY
        text = identifier(self.data, name)
        sig: SignatureRow = (rows, returns, data.startswith(b"async", start), start in self.generators)
        self.sink.definitions.append(
            (
                text, row_kind, outer.start_byte, outer.end_byte, name.start_byte, name.end_byte, scope.name,
                (1 if conditional else 0) | (2 if scope.function else 0), sig, None, decorators or None, None, None,
                self._doc(body) if body is not None else None,
            )
        )  # fmt: skip
        if scope is MODULE and text == "__getattr__":
            self.sink.dynamic = True
        owner, selves = self._selves(scope, in_class, text, rows, decorators)
        if broken:
            # Where the text is wrong, statements of the body stand in error nodes beside it.
            self.statements(
                broken, Scope(scope.prefix + text, function=True, owner=owner, selves=selves), False, 0, depth + 1
            )
        if body is None:
            return
        begin, end = body.start_byte, body.end_byte
        if (
            self._may_set(selves, begin, end)
            or data.find(b"def", begin, end) >= 0
            or data.find(b"import", begin, end) >= 0
            or data.find(b"class", begin, end) >= 0
            or data.find(b"global", begin, end) >= 0
        ):
            inner = Scope(scope.prefix + text, function=True, owner=owner, selves=selves)
            self.statements(body.children, inner, False, 0, depth + 1)

    def _may_set(self, selves: tuple[bytes, ...], start: int, end: int) -> bool:
        """Whether an attribute of one of `selves` may be bound in the range."""
        if selves == _SELF:
            at = bisect_left(self.self_sets, start)
            return at < len(self.self_sets) and self.self_sets[at] < end
        return any(self.data.find(s, start, end) >= 0 for s in selves)

    @staticmethod
    def _selves(
        scope: Scope, in_class: bool, name: str, rows: tuple[ParameterRow, ...],
        decorators: tuple[str, ...],
    ) -> tuple[str | None, tuple[bytes, ...]]:  # fmt: skip
        """The class whose attributes a function's body may set, and the byte prefixes that name its instance."""
        if in_class:
            first = rows[0][0] if rows and rows[0][1] <= 1 and "staticmethod" not in decorators else None
            selves: tuple[bytes, ...] = () if first is None else (first.encode() + b".",)
            if name == "__new__" and first != "self":
                selves += (b"self.",)
            return scope.name, selves
        shadowed = {row[0].encode() + b"." for row in rows}
        return scope.owner, tuple(s for s in scope.selves if s not in shadowed)

    def _class(
        self, node: Node, outer: Node, decorators: tuple[str, ...], scope: Scope, conditional: bool, depth: int
    ) -> None:
        name = node.child_by_field_name("name")
        if name is None:
            return
        bases: tuple[str, ...] | None = None
        body = None
        parts: list[Node] = []
        for child in node.children:
            kind = child.kind_id
            if kind == ERROR:
                parts.append(child)
            elif kind == ARGUMENTS:
                bases = tuple(self._base(c) for c in child.named_children if c.kind_id not in (COMMENT, ERROR))
            elif kind == BLOCK:
                body = child
        text = identifier(self.data, name)
        self.sink.definitions.append(
            (
                text, Kind.CLASS, outer.start_byte, outer.end_byte, name.start_byte, name.end_byte, scope.name,
                (1 if conditional else 0) | (2 if scope.function else 0), None, bases or None, decorators or None, None,
                None, self._doc(body) if body is not None else None,
            )
        )  # fmt: skip
        if body is not None:
            parts += body.children
        self.statements(parts, Scope(scope.prefix + text, function=False), False, 0, depth + 1)

    def _base(self, node: Node) -> str:
        if node.type == "keyword_argument":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                return f"{text_of(self.data, name)}={text_of(self.data, value)}"
        return text_of(self.data, node)

    def _doc(self, body: Node) -> str | None:
        """First line of the docstring of a block."""
        start = body.start_byte
        opening = _DOC.match(self.data, start)
        if opening is None:
            return None
        first = body.child(0)
        string = first.child(0) if first is not None and first.kind_id == EXPRESSION else None
        if first is None or string is None or string.end_byte != first.end_byte:
            return None
        if string.kind_id != STRING:
            if string.type != "concatenated_string":
                return None
            if any(self.data[c.start_byte] in b"fFbBtT" for c in string.children):
                return None
            string = string.child(0)
            if string is None or string.kind_id != STRING or string.start_byte != start or first.child_count != 1:
                return None
        quote = opening.group().lstrip(b"rRuU")
        end = string.end_byte
        if self.data.endswith(quote, start, end):
            end -= len(quote)
        blank = _BLANK.match(self.data, opening.end(), end)
        text = self.data[blank.end() if blank is not None else opening.end() : end]
        if b"\\\n" in text and b"r" not in opening.group().lower():
            text = text.replace(b"\\\n", b"")  # the line goes on
        return text.split(b"\n", 1)[0].strip().decode("utf-8", "surrogateescape") or None


__all__ = ["rewrite", "walk"]
