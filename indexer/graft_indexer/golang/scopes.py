"""One Go file at level 2: scopes with what binds names in them, its package and its imports.

Go's scopes depend on place: inside a function a name is visible from the end of its statement on, and `:=` binds only
names that its own scope does not have yet (https://go.dev/ref/spec#Declarations_and_scope).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tree_sitter import Query, QueryCursor

from graft_indexer.syntax import grammar, languages, parse

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

UNIVERSE: Final = frozenset(
    """
    any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string uint
    uint8 uint16 uint32 uint64 uintptr true false iota nil append cap clear close complex copy delete imag len make max
    min new panic print println real recover
    """.split()  # noqa: SIM905 - a list of words reads as words
)
_STATEMENTS: Final = ("short_var_declaration", "var_spec", "const_spec", "range_clause", "receive_statement")


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """A name bound in a scope, visible from byte `since` on."""

    name: str
    how: str
    node: Node
    since: int

    @property
    def declaration(self) -> Node:
        """The node that declares it: a statement, a parameter, a spec, a function."""
        parent = self.node.parent
        if parent is not None and parent.type == "expression_list":
            parent = parent.parent
        return parent if parent is not None else self.node


@dataclass(slots=True, eq=False)
class Scope:
    """A region of the text in which names are bound."""

    start: int
    end: int
    node: Node
    parent: Scope | None = None
    names: dict[str, list[Binding]] = field(default_factory=dict)


class GoFile:
    """A file's tree with its scopes.  What it declares at its top level belongs to the package (`declared`)."""

    def __init__(self, path: str, data: bytes, tree: Tree | None = None) -> None:
        self.path = path
        self.data = data
        self.tree = tree or parse(data, "go")
        self.root = self.tree.root_node
        self.broken = self.root.has_error
        self.memo: dict[Any, Any] = {}
        self.package = ""
        self.imports: dict[str, tuple[str, Node]] = {}
        """Name in this file -> (import path, the import's node); without one the last part of the path."""
        self.dots: list[str] = []
        """Paths of packages whose names are imported without a qualifier."""
        self.declared: dict[str, list[Binding]] = {}
        self.methods: dict[str, list[tuple[str, Node]]] = {}
        """Type -> (name, declaration) of the methods that this file declares."""
        self.scopes: list[Scope] = []
        self._read()

    def text(self, node: Node) -> str:
        """Source text of a node."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def _read(self) -> None:
        for node in self.root.children:
            if node.type == "package_clause" and node.named_children:
                self.package = self.text(node.named_children[0])
            elif node.type == "import_declaration":
                self._import(node)
            elif node.type == "method_declaration":
                owner, name = receiver_type(self, node), node.child_by_field_name("name")
                if owner and name is not None:
                    self.methods.setdefault(owner, []).append((self.text(name), node))
        whole = Scope(0, len(self.data) + 1, self.root)
        scopes: dict[tuple[int, int], Scope] = {}
        binds: list[tuple[str, Node]] = []
        for capture, nodes in QueryCursor(_query()).captures(self.root).items():
            if capture == "scope":
                for node in nodes:
                    parent = node.parent
                    body = node.type == "block" and parent is not None and parent.type in _FUNCTIONS
                    if not body:
                        scopes[(node.start_byte, node.end_byte)] = Scope(node.start_byte, node.end_byte, node)
            else:
                binds += [(capture.partition(".")[2], node) for node in nodes]
        ordered = sorted(scopes.values(), key=lambda s: (s.start, -s.end))
        self.scopes = [whole, *ordered]
        stack = [whole]
        for scope in ordered:
            while stack[-1].end <= scope.start:
                stack.pop()
            scope.parent = stack[-1]
            stack.append(scope)
        self._starts = [s.start for s in self.scopes]
        for how, node in sorted(binds, key=lambda b: b[1].start_byte):
            self._bind(how, node)

    def _bind(self, how: str, node: Node) -> None:
        scope = self.scope_at(node.start_byte)
        name = self.text(node)
        declaration = Binding(name, how, node, 0).declaration
        if how in ("type", "function"):
            while scope.parent is not None and scope.start >= declaration.start_byte:
                scope = scope.parent
        since = 0
        if scope.parent is not None:
            if how == "type":
                since = node.start_byte
            elif declaration.type in _STATEMENTS:
                since = declaration.end_byte
                if declaration.type == "short_var_declaration" and name in scope.names:
                    return  # assigned, not declared
                if how == "range" and b":=" not in self.data[declaration.start_byte : declaration.end_byte]:
                    return
                if how == "receive" and b":=" not in self.data[declaration.start_byte : declaration.end_byte]:
                    return
        binding = Binding(name, how, node, since)
        if name == "_":
            return
        scope.names.setdefault(name, []).append(binding)
        if scope.parent is None:
            self.declared.setdefault(name, []).append(binding)

    def _import(self, node: Node) -> None:
        for child in node.named_children:
            if child.type == "import_spec_list":
                self._import(child)
            elif child.type == "import_spec":
                path, name = child.child_by_field_name("path"), child.child_by_field_name("name")
                if path is None:
                    continue
                target = self.text(path).strip('"`')
                if name is None:
                    self.imports.setdefault(default_name(target), (target, child))
                elif name.type == "dot":
                    self.dots.append(target)
                elif name.type == "package_identifier":
                    self.imports[self.text(name)] = (target, child)

    def scope_at(self, offset: int) -> Scope:
        """The innermost scope around a byte."""
        scope: Scope | None = self.scopes[max(0, bisect_right(self._starts, offset) - 1)]
        while scope is not None and not scope.start <= offset < scope.end:
            scope = scope.parent
        return scope or self.scopes[0]

    def lookup(self, name: str, offset: int) -> Binding | None:
        """The binding inside functions that a name has at `offset`; None if it is the package's or unknown."""
        scope: Scope | None = self.scope_at(offset)
        while scope is not None and scope.parent is not None:
            for binding in reversed(scope.names.get(name, ())):
                if binding.since <= offset or binding.node.start_byte == offset:
                    return binding
            scope = scope.parent
        return None


_FUNCTIONS: Final = ("function_declaration", "method_declaration", "func_literal")


def receiver_type(file: GoFile, method: Node) -> str:
    """Name of the type that a method belongs to."""
    at = method.child_by_field_name("receiver")
    while at is not None and at.type != "type_identifier":
        inner = at.child_by_field_name("type")
        at = inner if inner is not None else at.named_children[0] if at.named_children else None
    return file.text(at) if at is not None else ""


def default_name(path: str) -> str:
    """The name that a package most likely has: the last part of its path, without version and `go-`."""
    parts = path.split("/")
    last = parts[-1]
    if len(parts) > 1 and last[:1] == "v" and last[1:].isdigit():
        last = parts[-2]
    return last.split(".v", 1)[0].removeprefix("go-").removesuffix("-go").replace("-", "_").replace(".", "_")


@cache
def _query() -> Query:
    return Query(grammar("go"), languages()["go"].query("scopes"))
