"""Level-1 facts of Python: one pass over the statements of a tree, never into expressions.

Walking nodes one by one from Python is slow, so expressions are entered only where the bytes say that something is to
be found there (`yield`, `:=`), and function bodies only if they hold a nested definition, an import, a `global` or an
attribute of `self`.  Rows are plain tuples, because they are marshalled; `graft_indexer.extract` makes them facts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING
from unicodedata import normalize

from graft_indexer.languages.python.parameters import signature
from graft_indexer.languages.python.quirks import rewrite
from graft_indexer.rows import ImportRow, Kind, ParameterRow, SignatureRow, Sink, TooDeep
from graft_indexer.syntax import grammar

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_DEPTH = 150
"""Nested statements; CPython itself stops at 100 levels of indentation."""
MAX_VALUE = 200
"""Bytes of an assigned expression that are kept."""


def _ids(*names: str) -> frozenset[int]:
    found = (grammar("python").id_for_node_kind(name, True) for name in names)
    return frozenset(i for i in found if i is not None)


def _id(name: str) -> int:
    (found,) = _ids(name)
    return found


_FUNCTION, _CLASS, _DECORATED = _id("function_definition"), _id("class_definition"), _id("decorated_definition")
_EXPRESSION, _ASSIGNMENT, _AUGMENTED = _id("expression_statement"), _id("assignment"), _id("augmented_assignment")
_IF, _TRY, _WITH, _FOR = _id("if_statement"), _id("try_statement"), _id("with_statement"), _id("for_statement")
_EXCEPT, _CASE_PATTERN, _LAMBDA, _ELIF = _id("except_clause"), _id("case_pattern"), _id("lambda"), _id("elif_clause")
_BLOCK, _ELSE, _CASE = _id("block"), _id("else_clause"), _id("case_clause")
_IMPORT, _FROM, _FUTURE = _id("import_statement"), _id("import_from_statement"), _id("future_import_statement")
_GLOBAL, _ALIAS, _DECORATOR = _id("global_statement"), _id("type_alias_statement"), _id("decorator")
_IDENTIFIER, _ATTRIBUTE, _STRING, _CALL = _id("identifier"), _id("attribute"), _id("string"), _id("call")
_ALIASED, _DOTTED, _STAR, _RELATIVE = (
    _id("aliased_import"),
    _id("dotted_name"),
    _id("wildcard_import"),
    _id("relative_import"),
)
_COMMENT, _PARAMETERS, _ARGUMENTS, _TYPE = _id("comment"), _id("parameters"), _id("argument_list"), _id("type")
_AS_PATTERN, _AS_TARGET, _SPLAT_PATTERN = _id("as_pattern"), _id("as_pattern_target"), _id("splat_pattern")
_KEYWORD_PATTERN, _NAMED, _ERROR = _id("keyword_pattern"), _id("named_expression"), 65535
_TARGETS = _ids(
    "pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "parenthesized_expression",
    "as_pattern_target", "tuple", "list", "expression_list", "list_splat",
)  # fmt: skip
_SEQUENCES = _ids("pattern_list", "tuple_pattern", "list_pattern", "expression_list", "tuple", "list")
_SPLATS = _ids("list_splat_pattern", "list_splat")
_NESTS = _ids("while_statement", "match_statement", "case_clause", "except_clause", "finally_clause") | {
    _BLOCK,
    _ELSE,
    _ERROR,
}
_INTERESTING = (
    _NESTS
    | {_FUNCTION, _CLASS, _DECORATED, _EXPRESSION, _IF, _TRY, _WITH, _FOR, _ELIF, _ASSIGNMENT}
    | {_IMPORT, _FROM, _FUTURE, _GLOBAL, _ALIAS, _CASE_PATTERN}
)

_DOC = re.compile(rb"[rRuU]?(?:\"\"\"|'''|\"|')")
_BLANK = re.compile(rb"(?:\s|\\\r?\n)+")
_CATCHES = re.compile(rb"\b(?:ImportError|ModuleNotFoundError|Exception|BaseException)\b")
_PLATFORM = re.compile(rb"\b(?:version_info|hexversion|platform|os\.name|PY2|PY3\w*|implementation)\b")
_CHECKING = re.compile(rb"(?:\w+\s*\.\s*)?TYPE_CHECKING")
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


class _Scope:
    """Where a statement stands: `name` is the qualified name, `prefix` what its members' names begin with."""

    __slots__ = ("function", "name", "owner", "prefix", "selves")

    def __init__(self, name: str, *, function: bool, owner: str | None = None, selves: tuple[bytes, ...] = ()) -> None:
        self.name = name
        self.function = function
        self.prefix = f"{name}{'.<locals>.' if function else '.'}" if name else ""
        self.owner = owner
        self.selves = selves


_MODULE = _Scope("", function=False)


def walk(nodes: list[Node], data: bytes, sink: Sink) -> None:
    """Put what the given top-level statements of a tree over `data` define, import and export into `sink`.

    Raises TooDeep for statements nested deeper than `MAX_DEPTH`.
    """
    if not nodes:
        return
    start, end = nodes[0].start_byte, nodes[-1].end_byte
    walker = _Walker(data, sink, [m.start() for m in _SETS_SELF.finditer(data, start, end)])
    if data.find(b"yield", start, end) >= 0:
        walker.find_generators(nodes, start, end)
    walker.statements(nodes, _MODULE, False, 0, 0)
    if data.find(b":=", start, end) >= 0:
        walker.find_walrus(nodes, start, end)
    for word in (b"globals", b"modules", b"_convert_"):
        if data.find(word, start, end) >= 0:
            sink.dynamic = sink.dynamic or _WRITES_GLOBALS.search(data, start, end) is not None
            break


def _ancestors(top: Node, start: int, end: int) -> list[Node]:
    """Nodes from `top` down to the smallest one that covers the range."""
    node = top.descendant_for_byte_range(start, end)
    chain: list[Node] = []
    while node is not None and node != top:
        chain.append(node)
        node = node.parent
    chain.append(top)
    chain.reverse()
    return chain


class _Walker:
    """State of one walk; statements() is the loop, the other methods are its cases."""

    __slots__ = ("data", "generators", "self_sets", "sink")

    def __init__(self, data: bytes, sink: Sink, self_sets: list[int]) -> None:
        self.data = data
        self.sink = sink
        self.self_sets = self_sets
        self.generators: set[int] = set()

    def text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def identifier(self, node: Node) -> str:
        """Text of a name, normalised as Python does (NFKC)."""
        text = self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")
        return text if text.isascii() else normalize("NFKC", text)

    # -- statements ---------------------------------------------------------------------------------------------------
    def statements(self, nodes: list[Node], scope: _Scope, conditional: bool, flags: int, depth: int) -> None:
        """Handle sibling nodes; `flags` are those of imports below `if TYPE_CHECKING:` and below guards."""
        if depth > MAX_DEPTH:
            raise TooDeep
        for node in nodes:
            kind = node.kind_id
            if kind not in _INTERESTING:
                continue
            if kind == _EXPRESSION:
                self._expression(node, scope, conditional)
            elif kind == _FUNCTION:
                self._function(node, node, (), scope, conditional, depth)
            elif kind in (_IF, _ELIF):
                self._if(node, scope, flags, depth)
            elif kind == _DECORATED:
                self._decorated(node, scope, conditional, depth)
            elif kind == _CLASS:
                self._class(node, node, (), scope, conditional, depth)
            elif kind in (_FROM, _IMPORT, _FUTURE):
                self._import(node, kind, scope, flags)
            elif kind == _TRY:
                self._try(node, scope, flags, depth)
            elif kind == _FOR:
                target = node.child_by_field_name("left")
                if target is not None and (scope.selves or not scope.function):
                    self._bind(target, node, scope, True, None, None)
                self.statements(node.children, scope, True, flags, depth + 1)
            elif kind == _WITH:
                self._with(node, scope, flags, depth)
            elif kind == _GLOBAL:
                if scope.function:
                    self._global(node)
            elif kind == _ALIAS:
                if not scope.function:
                    self._type_alias(node, scope, conditional)
            elif kind == _CASE_PATTERN:
                if not scope.function:
                    self._captures(node, scope)
            elif kind == _ASSIGNMENT:
                # Only inside error nodes: elsewhere an assignment stands in an expression statement.
                self._assignment(node, node, scope, True)
            else:
                self.statements(node.children, scope, conditional or kind != _ERROR, flags, depth + 1)

    def _expression(self, node: Node, scope: _Scope, conditional: bool) -> None:
        data = self.data
        if scope.function:
            if not self._may_set(scope.selves, node.start_byte, node.end_byte):
                return
            child = node.child(0)
            if child is not None and child.kind_id == _ASSIGNMENT:
                self._assignment(child, node, scope, conditional)
            return
        child = node.child(0)
        if child is None:
            return
        kind = child.kind_id
        if kind == _ASSIGNMENT:
            self._assignment(child, node, scope, conditional)
        elif scope is _MODULE and data.startswith(b"__all__", node.start_byte):
            if kind == _AUGMENTED:
                right = child.child_by_field_name("right")
                plus = child.child_by_field_name("operator")
                added = plus is not None and plus.type == "+="
                self._export("add" if added and not conditional else "dynamic", right)
            elif kind == _CALL:
                self._export_call(child, conditional)

    def _assignment(self, node: Node, statement: Node, scope: _Scope, conditional: bool) -> None:
        targets: list[Node] = []
        annotation: str | None = None
        value: Node | None = node
        while value is not None and value.kind_id == _ASSIGNMENT:
            left, kind = value.child_by_field_name("left"), value.child_by_field_name("type")
            if kind is not None:
                annotation = self.text(kind)
            if left is not None:
                targets.append(left)
            value = value.child_by_field_name("right")
        for target in targets:
            if scope is _MODULE and self.data[target.start_byte : target.end_byte] == b"__all__" and value is not None:
                self._export("dynamic" if conditional else "set", value)
            self._bind(target, statement, scope, conditional, annotation, value)

    def _bind(
        self,
        target: Node,
        statement: Node,
        scope: _Scope,
        conditional: bool,
        annotation: str | None,
        value: Node | None,
    ) -> None:
        """A row for each name that `target` binds in a module or class, or as an attribute of self."""
        kind = target.kind_id
        start, end = target.start_byte, target.end_byte
        if kind == _IDENTIFIER:
            if scope.function:
                return
            name, name_start, parent, row_kind, prefix = (
                self.identifier(target),
                start,
                scope.name,
                Kind.VARIABLE,
                scope.prefix,
            )
        elif kind == _ATTRIBUTE:
            if scope.owner is None:
                return
            # The commonest target: compared as bytes, its nodes are looked at only if written with gaps.
            for self_name in scope.selves:
                if self.data.startswith(self_name, start):
                    name = self.data[start + len(self_name) : end].decode("utf-8", "surrogateescape")
                    name_start = start + len(self_name)
                    break
            else:
                return
            if not name.isidentifier():
                last = target.child_by_field_name("attribute")
                whole = target.child_by_field_name("object")
                if last is None or whole is None or whole.kind_id != _IDENTIFIER:
                    return
                name, name_start, end = self.identifier(last), last.start_byte, last.end_byte
            if not name.isascii():
                name = normalize("NFKC", name)
            parent, row_kind, prefix = scope.owner, Kind.ATTRIBUTE, ""
        elif kind in _TARGETS:
            parts = target.named_children
            if len(parts) == 1 and target.child_count == 3 and self.data[start] == 0x28:
                # A name in parentheses is no sequence.
                self._bind(parts[0], statement, scope, conditional, annotation, value)
                return
            values: list[Node] | None = None
            if value is not None and kind in _SEQUENCES and value.kind_id in _SEQUENCES:
                values = [v for v in value.named_children if v.kind_id != _COMMENT]
                splat = any(n.kind_id in _SPLATS for n in (*values, *parts))
                if splat or len(values) != sum(n.kind_id != _COMMENT for n in parts):
                    values = None
            at = 0
            for part in parts:
                if part.kind_id == _COMMENT:
                    continue
                self._bind(part, statement, scope, conditional, None, values[at] if values else None)
                at += 1
            return
        else:
            return
        text: str | None = None
        if value is not None:
            begin = value.start_byte
            finish = value.end_byte
            if finish - begin <= MAX_VALUE:
                text = self.data[begin:finish].decode("utf-8", "surrogateescape")
            else:
                text = self.data[begin : begin + MAX_VALUE].decode("utf-8", "ignore")
        in_function = row_kind == Kind.VARIABLE and prefix.endswith("<locals>.")
        self.sink.definitions.append(
            (
                name, row_kind, statement.start_byte, statement.end_byte, name_start, end, parent,
                (1 if conditional else 0) | (2 if in_function else 0), None, None, None, annotation, text, None,
            )
        )  # fmt: skip

    def _if(self, node: Node, scope: _Scope, flags: int, depth: int) -> None:
        condition = node.child_by_field_name("condition")
        checking = False
        if condition is not None:
            text = self.data[condition.start_byte : condition.end_byte]
            checking = _CHECKING.fullmatch(text) is not None
            if self.data.find(b"import", condition.end_byte, node.end_byte) >= 0 and _PLATFORM.search(text):
                flags |= _GUARDED_FLAG
        for child in node.children:
            kind = child.kind_id
            if kind == _BLOCK:
                inner = flags | _TYPE_CHECKING_FLAG if checking else flags
                self.statements(child.children, scope, True, inner, depth + 1)
            elif kind in (_ELSE, _ELIF, _ERROR):
                self.statements([child], scope, True, flags, depth + 1)

    def _try(self, node: Node, scope: _Scope, flags: int, depth: int) -> None:
        children = node.children
        if not flags & _GUARDED_FLAG:
            for child in children:
                if child.kind_id == _EXCEPT:
                    block = next((c for c in child.children if c.kind_id == _BLOCK), None)
                    head = self.data[child.start_byte : block.start_byte if block is not None else child.end_byte]
                    if _CATCHES.search(head) or head.rstrip(b" \t\r\n:") == b"except":
                        flags |= _GUARDED_FLAG
        for child in children:
            if child.is_named:
                self.statements([child], scope, True, flags, depth + 1)

    def _with(self, node: Node, scope: _Scope, flags: int, depth: int) -> None:
        children = node.children
        for child in children:
            kind = child.kind_id
            if kind == _BLOCK:
                self.statements(child.children, scope, True, flags, depth + 1)
            elif kind == _ERROR:
                self.statements([child], scope, True, flags, depth + 1)
            elif child.is_named and kind != _COMMENT:
                head = self.data[child.start_byte : child.end_byte]
                if b"suppress" in head and _CATCHES.search(head):
                    flags |= _GUARDED_FLAG
                if b"as" in head and (scope.selves or not scope.function):
                    self._with_targets(child, node, scope)

    def _with_targets(self, node: Node, statement: Node, scope: _Scope) -> None:
        for child in node.named_children:
            kind = child.kind_id
            if kind == _AS_TARGET:
                self._bind(child, statement, scope, True, None, None)
            elif kind != _CALL and kind != _LAMBDA:
                self._with_targets(child, statement, scope)

    def _global(self, node: Node) -> None:
        for child in node.named_children:
            if child.kind_id == _IDENTIFIER:
                self.sink.globals.append(
                    (
                        self.identifier(child), Kind.VARIABLE, node.start_byte, node.end_byte, child.start_byte,
                        child.end_byte, "", 1, None, None, None, None, None, None,
                    )
                )  # fmt: skip

    def _type_alias(self, node: Node, scope: _Scope, conditional: bool) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        name = left
        while name is not None and name.kind_id != _IDENTIFIER:
            name = name.named_child(0)
        if name is not None:
            value = self.text(right)[:MAX_VALUE] if right is not None else None
            self.sink.definitions.append(
                (
                    self.identifier(name), Kind.TYPE_ALIAS, node.start_byte, node.end_byte, name.start_byte,
                    name.end_byte, scope.name, 1 if conditional else 0, None, None, None, None, value, None,
                )
            )  # fmt: skip

    def _captures(self, node: Node, scope: _Scope) -> None:
        """Names that a case pattern binds: a bare name, `*rest`, `**rest`, `... as name`."""
        kind = node.kind_id
        names: list[Node] = []
        children = node.named_children
        if kind == _DOTTED:
            names = children if len(children) == 1 else []
        elif kind == _SPLAT_PATTERN:
            names = children
        elif kind == _AS_PATTERN:
            names = [c for c in children[1:] if c.kind_id == _IDENTIFIER]
            children = children[:1]
        elif kind == _KEYWORD_PATTERN:
            children = children[1:]
        for name in names:
            if name.kind_id == _IDENTIFIER and self.text(name) != "_":
                self._bind(name, name, scope, True, None, None)
        if kind in (_DOTTED, _SPLAT_PATTERN):
            return
        # A class pattern begins with the class's own name, which binds nothing.
        skip = 1 if node.type == "class_pattern" else 0
        for child in children[skip:]:
            self._captures(child, scope)

    # -- definitions --------------------------------------------------------------------------------------------------
    def _decorated(self, node: Node, scope: _Scope, conditional: bool, depth: int) -> None:
        decorators: list[str] = []
        for child in node.children:
            kind = child.kind_id
            if kind == _DECORATOR:
                decorators.append(self.text(child)[1:].strip())
            elif kind == _FUNCTION:
                self._function(child, node, tuple(decorators), scope, conditional, depth)
            elif kind == _CLASS:
                self._class(child, node, tuple(decorators), scope, conditional, depth)
            elif kind == _ERROR:
                self.statements([child], scope, conditional, 0, depth + 1)

    def _function(
        self, node: Node, outer: Node, decorators: tuple[str, ...], scope: _Scope, conditional: bool, depth: int
    ) -> None:
        data = self.data
        name = parameters = returns = body = None
        broken: list[Node] = []
        for child in node.children:
            kind = child.kind_id
            if kind == _IDENTIFIER:
                name = child
            elif kind == _PARAMETERS:
                parameters = child
            elif kind == _BLOCK:
                body = child
            elif kind == _TYPE:
                returns = self.text(child)
            elif kind == _ERROR:
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
        text = self.identifier(name)
        sig: SignatureRow = (rows, returns, data.startswith(b"async", start), start in self.generators)
        self.sink.definitions.append(
            (
                text, row_kind, outer.start_byte, outer.end_byte, name.start_byte, name.end_byte, scope.name,
                (1 if conditional else 0) | (2 if scope.function else 0), sig, None, decorators or None, None, None,
                self._doc(body) if body is not None else None,
            )
        )  # fmt: skip
        if scope is _MODULE and text == "__getattr__":
            self.sink.dynamic = True
        owner, selves = self._selves(scope, in_class, text, rows, decorators)
        if broken:
            # Where the text is wrong, statements of the body stand in error nodes beside it.
            self.statements(
                broken, _Scope(scope.prefix + text, function=True, owner=owner, selves=selves), False, 0, depth + 1
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
            inner = _Scope(scope.prefix + text, function=True, owner=owner, selves=selves)
            self.statements(body.children, inner, False, 0, depth + 1)

    def _may_set(self, selves: tuple[bytes, ...], start: int, end: int) -> bool:
        """Whether an attribute of one of `selves` may be bound in the range."""
        if selves == _SELF:
            at = bisect_left(self.self_sets, start)
            return at < len(self.self_sets) and self.self_sets[at] < end
        return any(self.data.find(s, start, end) >= 0 for s in selves)

    @staticmethod
    def _selves(
        scope: _Scope, in_class: bool, name: str, rows: tuple[ParameterRow, ...],
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
        self, node: Node, outer: Node, decorators: tuple[str, ...], scope: _Scope, conditional: bool, depth: int
    ) -> None:
        name = node.child_by_field_name("name")
        if name is None:
            return
        bases: tuple[str, ...] | None = None
        body = None
        parts: list[Node] = []
        for child in node.children:
            kind = child.kind_id
            if kind == _ERROR:
                parts.append(child)
            elif kind == _ARGUMENTS:
                bases = tuple(self._base(c) for c in child.named_children if c.kind_id not in (_COMMENT, _ERROR))
            elif kind == _BLOCK:
                body = child
        text = self.identifier(name)
        self.sink.definitions.append(
            (
                text, Kind.CLASS, outer.start_byte, outer.end_byte, name.start_byte, name.end_byte, scope.name,
                (1 if conditional else 0) | (2 if scope.function else 0), None, bases or None, decorators or None, None,
                None, self._doc(body) if body is not None else None,
            )
        )  # fmt: skip
        if body is not None:
            parts += body.children
        self.statements(parts, _Scope(scope.prefix + text, function=False), False, 0, depth + 1)

    def _base(self, node: Node) -> str:
        if node.type == "keyword_argument":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                return f"{self.text(name)}={self.text(value)}"
        return self.text(node)

    def _doc(self, body: Node) -> str | None:
        """First line of the docstring of a block."""
        start = body.start_byte
        opening = _DOC.match(self.data, start)
        if opening is None:
            return None
        first = body.child(0)
        string = first.child(0) if first is not None and first.kind_id == _EXPRESSION else None
        if first is None or string is None or string.end_byte != first.end_byte:
            return None
        if string.kind_id != _STRING:
            if string.type != "concatenated_string":
                return None
            if any(self.data[c.start_byte] in b"fFbBtT" for c in string.children):
                return None
            string = string.child(0)
            if string is None or string.kind_id != _STRING or string.start_byte != start or first.child_count != 1:
                return None
        quote = opening.group().lstrip(b"rRuU")
        end = string.end_byte
        if self.data.endswith(quote, start, end):
            end -= len(quote)
        blank = _BLANK.match(self.data, opening.end(), end)
        text = self.data[blank.end() if blank is not None else opening.end() : end]
        return text.split(b"\n", 1)[0].strip().decode("utf-8", "surrogateescape") or None

    # -- imports and exports ------------------------------------------------------------------------------------------
    def _import(self, node: Node, kind: int, scope: _Scope, flags: int) -> None:
        start, end = node.start_byte, node.end_byte
        module, level, module_node = "", 0, None
        names = node.named_children
        if kind == _FROM:
            module_node = node.child_by_field_name("module_name")
            if module_node is None:
                return
            module = self._dotted(module_node)
            if module_node.kind_id == _RELATIVE:
                level = len(module) - len(module.lstrip("."))
                module = module[level:]
        elif kind == _FUTURE:
            module = "__future__"
        rows: list[ImportRow] = self.sink.imports
        for item in names:
            if item == module_node:
                continue
            item_kind = item.kind_id
            alias: str | None = None
            target: Node | None = item
            if item_kind == _ALIASED:
                target, alias_node = item.child_by_field_name("name"), item.child_by_field_name("alias")
                alias = self.identifier(alias_node) if alias_node is not None else None
            elif item_kind != _DOTTED and item_kind != _STAR:
                continue
            if target is None:
                continue
            name = self._dotted(target)
            at = (start, end, target.start_byte, target.end_byte, scope.name, flags)
            if kind == _IMPORT:
                rows.append((name, None, alias, 0, *at))
            else:
                rows.append((module, name, alias, level, *at))

    def _dotted(self, node: Node) -> str:
        text = self.identifier(node)
        if not text.isidentifier() and not text.replace(".", "").isidentifier():
            text = "".join(re.sub(r"#[^\n]*|\\", "", text).split())
        return text

    def _export(self, action: str, value: Node | None) -> None:
        """One change of `__all__`: set or add plain strings; anything else makes it dynamic."""
        names: list[str] = []
        if value is None or value.kind_id not in _SEQUENCES:
            action = "dynamic"
        else:
            for child in value.named_children:
                if child.kind_id == _COMMENT:
                    continue
                text = self.text(child)
                if child.kind_id != _STRING or child.named_child_count > 3 or text[0] not in "'\"":
                    action = "dynamic"
                    break
                names.append(text.strip("'\""))
        self.sink.exports.append((action, tuple(names)))

    def _export_call(self, node: Node, conditional: bool) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        method = "".join(self.text(function).split()) if function is not None else ""
        if not method.startswith("__all__."):
            return
        given = [c for c in arguments.named_children if c.kind_id != _COMMENT] if arguments is not None else []
        if conditional or len(given) != 1:
            self.sink.exports.append(("dynamic", ()))
        elif method == "__all__.extend":
            self._export("add", given[0])
        elif method == "__all__.append" and given[0].kind_id == _STRING:
            self.sink.exports.append(("add", (self.text(given[0]).strip("'\""),)))
        elif method != "__all__.sort":
            self.sink.exports.append(("dynamic", ()))

    # -- what only expressions show -----------------------------------------------------------------------------------
    def find_generators(self, nodes: list[Node], start: int, end: int) -> None:
        """Start bytes of the functions whose own body yields."""
        at = start - 1
        while (at := self.data.find(b"yield", at + 1, end)) >= 0:
            top = _covering(nodes, at)
            if top is None:
                continue
            chain = _ancestors(top, at, at + 5)
            if chain[-1].type != "yield":
                continue
            for inner, node in zip(chain[:0:-1], chain[-2::-1], strict=True):
                if node.kind_id == _LAMBDA:
                    break
                if node.kind_id == _FUNCTION and inner.kind_id == _BLOCK:
                    self.generators.add(node.start_byte)
                    break

    def find_walrus(self, nodes: list[Node], start: int, end: int) -> None:
        """Names bound by `:=` in a module or a class body."""
        at = self.data.find(b":=", start, end)
        while at >= 0:
            top = _covering(nodes, at)
            if top is not None:
                self._walrus(_ancestors(top, at, at + 2))
            at = self.data.find(b":=", at + 2, end)

    def _walrus(self, chain: list[Node]) -> None:
        if len(chain) < 2 or chain[-1].type != ":=" or chain[-2].kind_id != _NAMED:
            return
        scope = _MODULE
        for node, inner in pairwise(chain):
            kind = node.kind_id
            if kind == _LAMBDA or (kind == _FUNCTION and inner.kind_id == _BLOCK):
                return
            if kind == _CLASS and inner.kind_id == _BLOCK:
                name = node.child_by_field_name("name")
                scope = _Scope(scope.prefix + (self.identifier(name) if name is not None else ""), function=False)
        named = chain[-2]
        name, value = named.child_by_field_name("name"), named.child_by_field_name("value")
        if name is not None:
            self._bind(name, named, scope, True, None, value)


def _covering(nodes: list[Node], offset: int) -> Node | None:
    low, high = 0, len(nodes)
    while low < high:
        middle = (low + high) // 2
        if nodes[middle].end_byte <= offset:
            low = middle + 1
        else:
            high = middle
    return nodes[low] if low < len(nodes) and nodes[low].start_byte <= offset else None


__all__ = ["rewrite", "walk"]
