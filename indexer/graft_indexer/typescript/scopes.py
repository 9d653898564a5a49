"""One file at level 2: scopes, bindings, imports and exports, from the tree and one query over it.

JavaScript is read with TSX's grammar, so there is one vocabulary of nodes.  A name has a value meaning, a type meaning
or both, as the language has it; `lookup` is told which is wanted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tree_sitter import Query, QueryCursor

from graft_indexer.syntax import grammar, language_of, languages, parse

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

VALUE, TYPE = 1, 2
_SPACES: Final = {
    "function": VALUE, "let": VALUE, "var": VALUE, "param": VALUE, "member": VALUE, "self": VALUE | TYPE,
    "class": VALUE | TYPE, "enum": VALUE | TYPE, "import": VALUE | TYPE, "alias": VALUE | TYPE,
    "namespace": VALUE | TYPE, "interface": TYPE, "type": TYPE, "typeparam": TYPE,
}  # fmt: skip
NAMES: Final = ("identifier", "shorthand_property_identifier_pattern", "type_identifier", "property_identifier")


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """A name bound in a scope.  `node` is the name; `root` the pattern or name that the declaration `declares`."""

    name: str
    how: str
    node: Node
    root: Node

    @property
    def declaration(self) -> Node:
        """The node that declares it: a declarator, a parameter, a function, an import specifier."""
        parent = self.root.parent
        return parent if parent is not None else self.root

    @property
    def space(self) -> int:
        """Its meanings."""
        return _SPACES[self.how]


@dataclass(slots=True, eq=False)
class Scope:
    """A region of the text in which names are bound."""

    kind: str
    start: int
    end: int
    node: Node
    parent: Scope | None = None
    names: dict[str, list[Binding]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """What a module exports under one name: a local name, an expression, or a name (`*`: all) of another module."""

    node: Node
    """The name or expression that says so."""
    local: str = ""
    module: str = ""
    imported: str = ""
    expression: Node | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """What an import binds: `name` of a module, `default`, or `*` for the module itself."""

    module: str
    name: str
    type_only: bool = False


class TsFile:
    """A file's tree with its scopes; exports are read when they are first asked for."""

    def __init__(self, path: str, data: bytes, tree: Tree | None = None) -> None:
        self.path = path
        self.data = data
        self.language = language_of(path) or "typescript"
        self.tree = tree or parse(data, self.language)
        self.root = self.tree.root_node
        self.broken = self.root.has_error
        self.is_javascript = self.language == "javascript"
        self.memo: dict[Any, Any] = {}
        """Answers that hold while this text does."""
        self.scopes: list[Scope] = []
        self._starts: list[int] = []
        self._read()
        self._exports: tuple[dict[str, Export], list[str], str] | None = None

    # -- scopes -------------------------------------------------------------------------------------------------------
    def _read(self) -> None:
        whole = Scope("program", 0, len(self.data) + 1, self.root)
        binds: list[tuple[str, Node]] = []
        scopes: dict[tuple[int, int], Scope] = {}
        for capture, nodes in QueryCursor(_query(self.language)).captures(self.root).items():
            group, _, kind = capture.partition(".")
            if group == "scope":
                for node in nodes:
                    scopes.setdefault(
                        (node.start_byte, node.end_byte), Scope(kind, node.start_byte, node.end_byte, node)
                    )
            else:
                binds += [(kind, node) for node in nodes]
        ordered = sorted(scopes.values(), key=lambda s: (s.start, -s.end))
        self.scopes = [whole, *ordered]
        stack = [whole]
        for scope in ordered:
            while stack[-1].end <= scope.start:
                stack.pop()
            scope.parent = stack[-1]
            stack.append(scope)
        self._starts = [s.start for s in self.scopes]
        for kind, node in binds:
            self._bind(kind, node)

    def _bind(self, kind: str, node: Node) -> None:
        scope = self.scope_at(node.start_byte)
        parent = node.parent
        if kind in ("function", "class", "interface", "type", "enum", "namespace"):
            # The declaration's own scope holds its parameters; its name belongs outside.
            while scope.parent is not None and parent is not None and scope.start >= parent.start_byte:
                scope = scope.parent
        elif kind == "typeparam" and parent is not None and parent.type == "infer_type":
            while scope.parent is not None and scope.node.type != "conditional_type":
                scope = scope.parent
        elif kind == "var" or (kind == "let" and parent is not None and _keyword(parent) == "var"):
            while scope.parent is not None and scope.kind not in ("function", "namespace", "program"):
                scope = scope.parent
        if kind == "namespace":
            node = first_part(node)
        for name in pattern_names(node):
            text = self.text(name)
            scope.names.setdefault(text, []).append(Binding(text, kind, name, node))

    def scope_at(self, offset: int) -> Scope:
        """The innermost scope around a byte."""
        scope: Scope | None = self.scopes[max(0, bisect_right(self._starts, offset) - 1)]
        while scope is not None and not scope.start <= offset < scope.end:
            scope = scope.parent
        return scope or self.scopes[0]

    def lookup(self, name: str, offset: int, meaning: int = VALUE) -> list[Binding]:
        """Bindings of a name as seen from `offset`, of the nearest scope that has one with the meaning."""
        scope: Scope | None = self.scope_at(offset)
        while scope is not None:
            found = [b for b in scope.names.get(name, ()) if b.space & meaning]
            if found:
                return found
            scope = scope.parent
        return []

    def text(self, node: Node) -> str:
        """Source text of a node."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def node_at(self, start: int, end: int) -> Node | None:
        """The smallest named node that covers the range."""
        return self.root.named_descendant_for_byte_range(start, end)

    # -- modules ------------------------------------------------------------------------------------------------------
    def imported(self, binding: Binding) -> Imported | None:
        """What an import binding stands for."""
        node: Node | None = binding.node
        name = "default"
        type_only = False
        while node is not None and node.type not in ("import_statement", "program"):
            if node.type == "import_specifier":
                given = node.child_by_field_name("name")
                name = self.text(given).strip("\"'") if given is not None else name
                type_only = any(c.type == "type" for c in node.children)
            elif node.type in ("namespace_import", "import_require_clause"):
                name = "*"
                source = node.child_by_field_name("source")
                if source is not None:
                    return Imported(self.string(source), "*")
            node = node.parent
        source = node.child_by_field_name("source") if node is not None else None
        if node is None or source is None:
            return None
        type_only = type_only or any(c.type == "type" for c in node.children)
        return Imported(self.string(source), name, type_only)

    def string(self, node: Node) -> str:
        """Value of a string literal."""
        return self.text(node).strip("\"'`")

    @property
    def exports(self) -> dict[str, Export]:
        """Exports by name; `default` and `export=` among them."""
        return self._all_exports()[0]

    @property
    def stars(self) -> list[str]:
        """Modules that are exported as a whole."""
        return self._all_exports()[1]

    @property
    def open_exports(self) -> str:
        """Why there may be more exports than are known; empty if there cannot."""
        return self._all_exports()[2]

    @property
    def is_module(self) -> bool:
        """Whether it has an import or export; what a script declares is visible everywhere."""
        known = self.memo.get("is_module")
        if known is None:
            known = any(c.type in ("import_statement", "export_statement") for c in self.root.children)
            if not known and self.is_javascript:
                known = b"require(" in self.data or b"exports" in self.data
            self.memo["is_module"] = known
        return bool(known)

    def _all_exports(self) -> tuple[dict[str, Export], list[str], str]:
        if self._exports is None:
            self._exports = read_exports(self, self.root.children)
        return self._exports


def read_exports(file: TsFile, nodes: list[Node]) -> tuple[dict[str, Export], list[str], str]:
    """(exports by name, modules exported as a whole, why there may be more) of a module's statements."""
    found: dict[str, Export] = {}
    stars: list[str] = []
    reason = "a part of the file does not parse" if file.broken else ""
    ambient = file.path.endswith((".d.ts", ".d.mts", ".d.cts"))
    for node in nodes:
        if node.type == "export_statement":
            _export(file, node, found, stars)
        elif ambient and node.type in ("ambient_declaration", "interface_declaration", "type_alias_declaration"):
            # In a declaration file everything is exported, unless it says what is.
            for name in declared(node):
                found.setdefault(file.text(name), Export(name, local=file.text(name)))
    if file.is_javascript:
        reason = _common_js(file, found) or reason
    return found, stars, reason


def _export(file: TsFile, node: Node, found: dict[str, Export], stars: list[str]) -> None:
    source = node.child_by_field_name("source")
    module = file.string(source) if source is not None else ""
    declaration = node.child_by_field_name("declaration")
    value = node.child_by_field_name("value")
    kinds = [c.type for c in node.children]
    if declaration is not None:
        names = list(declared(declaration))
        if "default" in kinds:
            found["default"] = Export(
                names[0] if names else declaration, local=file.text(names[0]) if names else "", expression=declaration
            )
        else:
            for name in names:
                found[file.text(name)] = Export(name, local=file.text(name))
    elif value is not None:
        local = file.text(value) if value.type == "identifier" else ""
        found["default"] = Export(value, local=local, expression=value)
    elif "=" in kinds:
        inner = node.named_children[0] if node.named_children else node
        found["export="] = Export(inner, local=file.text(inner) if inner.type == "identifier" else "", expression=inner)
    for child in node.named_children:
        if child.type == "export_clause":
            for item in child.named_children:
                if item.type != "export_specifier":
                    continue
                given, alias = item.child_by_field_name("name"), item.child_by_field_name("alias")
                if given is None:
                    continue
                text = file.text(given).strip("\"'")
                shown = file.text(alias or given).strip("\"'")
                if module:
                    found[shown] = Export(alias or given, module=module, imported=text)
                else:
                    found[shown] = Export(alias or given, local=text)
        elif child.type == "namespace_export" and child.named_children:
            name = child.named_children[0]
            found[file.text(name).strip("\"'")] = Export(name, module=module, imported="*")
    if module and "*" in kinds:
        stars.append(module)


def _common_js(file: TsFile, found: dict[str, Export]) -> str:
    """Exports by assignment to `module.exports` and `exports`; returns why there may be more."""
    if b"exports" not in file.data:
        return ""
    reason = ""
    for capture in QueryCursor(_assignments(file.language)).captures(file.root).get("assignment", ()):
        left, right = capture.child_by_field_name("left"), capture.child_by_field_name("right")
        if left is None or right is None:
            continue
        target = "".join(file.text(left).split())
        if target == "module.exports":
            found["export="] = Export(
                left, local=file.text(right) if right.type == "identifier" else "", expression=right
            )
        elif (
            target.startswith(("exports.", "module.exports.")) and target.count(".") - target.startswith("module") == 1
        ):
            name = left.child_by_field_name("property")
            if name is not None:
                found.setdefault(file.text(name), Export(name, expression=right))
        elif "exports" in target:
            reason = "exports are computed"
    return reason


def declared(node: Node) -> Iterator[Node]:
    """Names that a declaration statement binds in its own scope."""
    if node.type in ("ambient_declaration", "export_statement", "expression_statement"):
        for child in node.named_children:
            yield from declared(child)
        return
    if node.type in ("lexical_declaration", "variable_declaration"):
        for child in node.named_children:
            if child.type == "variable_declarator":
                name = child.child_by_field_name("name")
                if name is not None:
                    yield from pattern_names(name)
        return
    outer = node.child_by_field_name("name")
    if outer is not None:
        yield first_part(outer)


def first_part(node: Node) -> Node:
    """The first name of a dotted one."""
    while node.type == "nested_identifier" and node.named_children:
        node = node.named_children[0]
    return node


def pattern_names(node: Node) -> Iterator[Node]:
    """The names that a pattern binds."""
    kind = node.type
    if kind in NAMES:
        yield node
    elif kind in ("pair_pattern",):
        value = node.child_by_field_name("value")
        if value is not None:
            yield from pattern_names(value)
    elif kind in ("assignment_pattern", "object_assignment_pattern"):
        left = node.child_by_field_name("left")
        if left is not None:
            yield from pattern_names(left)
    elif kind in ("object_pattern", "array_pattern", "rest_pattern"):
        for child in node.named_children:
            yield from pattern_names(child)


def _keyword(node: Node) -> str:
    kind = node.child_by_field_name("kind")
    return kind.type if kind is not None else ""


@cache
def _query(language: str) -> Query:
    return Query(grammar(language), languages()[language].query("scopes"))


@cache
def _assignments(language: str) -> Query:
    return Query(grammar(language), "(assignment_expression left: (member_expression)) @assignment")
