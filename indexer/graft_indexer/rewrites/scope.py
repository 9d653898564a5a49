"""What may stand in a function: its names, attributes, expressions, conditions and statements, as donors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tree_sitter import Node

from graft_indexer.rewrites.tree import (
    EXPRESSIONS,
    SIMPLE_STATEMENTS,
    is_called,
    is_doc,
    is_load,
    is_text,
    local_names,
    text_of,
    walk,
)

MAX_DONORS = 24
MAX_NAMES = 14
MAX_ATTRIBUTES = 8
FILLED_BY = {"[]": "append", "list()": "append", "set()": "add", "deque()": "append", "collections.deque()": "append"}
DONOR_KINDS = EXPRESSIONS - {"string", "lambda", "identifier"}


@dataclass(slots=True)
class Scope:
    """What may stand in one function, nearest first."""

    names: list[str] = field(default_factory=list)
    """Local names, those of enclosing functions, constants of the module."""
    functions: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    """Data attributes, those that this function uses first."""
    methods: list[str] = field(default_factory=list)
    expressions: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    returns: list[str] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    """Names of functions that are called with one argument in this file."""
    exceptions: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    """Second arguments of `isinstance` in this file."""
    raises: list[str] = field(default_factory=list)
    """`raise` statements of one line, those of this function first."""
    empties: dict[str, str] = field(default_factory=dict)
    """Local names that are made as empty collections -> the method that puts one item in."""
    keywords: list[str] = field(default_factory=list)
    """Keyword arguments as they stand in this file, `name=value`."""


class Module:
    """A tree with its text, and the scopes computed so far."""

    def __init__(self, root: Node, data: bytes, raised: tuple[str, ...] = ()) -> None:
        self.root = root
        self.data = data
        self.raised = raised
        self._scopes: dict[int, Scope] = {}
        self._shared: Scope | None = None

    def scope(self, node: Node) -> Scope:
        """The scope of the function around a node."""
        function: Node | None = node
        while function is not None and function.type != "function_definition":
            function = function.parent
        key = function.id if function is not None else 0
        if key not in self._scopes:
            if self._shared is None:
                self._shared = _of_module(self.root)
            self._scopes[key] = _of_function(function or self.root, self._shared)
        return self._scopes[key]


def _add(kind: list[str], value: str, limit: int) -> None:
    if len(kind) < limit and value not in kind:
        kind.append(value)


def _of_module(root: Node) -> Scope:
    """What every function of the module shares: attributes, methods, strings, wrappers, exceptions."""
    scope = Scope()
    for node in walk(root):
        if node.type == "attribute":
            name = node.child_by_field_name("attribute")
            if name is not None:
                _add(scope.methods if is_called(node) else scope.attributes, text_of(name), 200)
        elif node.type == "string" and not (node.parent is not None and node.parent.type == "expression_statement"):
            text = text_of(node)
            if "\n" not in text and len(text) < 30:
                _add(scope.strings, text, 200)
        elif node.type == "call":
            function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
            if function is not None and arguments is not None and len(arguments.named_children) == 1:
                name_text = text_of(function)
                if name_text.isidentifier() and name_text != "super":
                    scope.calls[name_text] += 1
            if function is not None and arguments is not None:
                _of_call(scope, function, arguments)
        elif node.type in ("except_clause", "raise_statement") and node.named_children:
            if node.type == "raise_statement" and "\n" not in text_of(node) and len(text_of(node)) < 100:
                _add(scope.raises, text_of(node), 3)
            for inner in walk(node.named_children[0]):
                if inner.type == "identifier" and text_of(inner)[:1].isupper():
                    _add(scope.exceptions, text_of(inner), 12)
    return scope


def _of_call(scope: Scope, function: Node, arguments: Node) -> None:
    """Types that are asked for, and keyword arguments."""
    parts = arguments.named_children
    if text_of(function) == "isinstance" and len(parts) == 2:
        _add(scope.types, text_of(parts[1]), 4)
    for part in parts:
        if part.type == "keyword_argument" and len(text_of(part)) < 40 and "\n" not in text_of(part):
            _add(scope.keywords, text_of(part), 24)


def _bound(owner: Node) -> tuple[list[str], list[str]]:
    """Names that a function or module binds itself, and its functions and classes."""
    if owner.type == "module":
        names = []
        for child in owner.named_children:
            inner = child.named_children[0] if child.type == "expression_statement" and child.named_children else None
            target = inner.child_by_field_name("left") if inner is not None and inner.type == "assignment" else None
            if target is not None and target.type == "identifier":
                names.append(text_of(target))
    else:
        names = list(local_names(owner))
    functions = []
    for node in walk(owner):
        if node.type in ("function_definition", "class_definition") and node != owner:
            above = node.parent
            while above is not None and above.type not in ("function_definition", "class_definition", "module"):
                above = above.parent
            name = node.child_by_field_name("name")
            if above == owner and name is not None:
                functions.append(text_of(name))
    return names, functions


def _add_empties(empties: dict[str, str], function: Node) -> None:
    for node in walk(function):
        if node.type == "assignment":
            target, value = node.child_by_field_name("left"), node.child_by_field_name("right")
            if target is not None and value is not None and target.type == "identifier":
                method = FILLED_BY.get(text_of(value))
                if method is not None:
                    empties.setdefault(text_of(target), method)


def _of_function(function: Node, shared: Scope) -> Scope:
    scope = Scope(calls=shared.calls, exceptions=shared.exceptions, types=shared.types, keywords=shared.keywords)
    owner: Node | None = function
    while owner is not None:
        if owner.type in ("function_definition", "module"):
            names, functions = _bound(owner)
            if owner.type == "function_definition":
                _add_empties(scope.empties, owner)
            for name in names:
                if owner.type == "function_definition" or name.isupper() or owner == function:
                    _add(scope.names, name, MAX_NAMES)
            for name in functions:
                _add(scope.functions, name, MAX_NAMES)
        owner = owner.parent
    own_strings: list[str] = []
    for node in walk(function):
        if node.type == "return_statement" and node.named_children:
            _add(scope.returns, text_of(node.named_children[0]), 6)
        if node.type in SIMPLE_STATEMENTS and not is_doc(node):
            text = text_of(node)
            if "\n" not in text and len(text) < 100:
                _add(scope.statements, text, MAX_DONORS)
        if node.type == "raise_statement" and "\n" not in text_of(node):
            _add(scope.raises, text_of(node), 3)
        if node.type in DONOR_KINDS and is_load(node):
            text = text_of(node)
            if "\n" not in text and len(text) <= 40:
                _add(scope.expressions, text, MAX_DONORS)
        if node.type in ("if_statement", "while_statement", "elif_clause"):
            condition = node.child_by_field_name("condition")
            if condition is not None and "\n" not in text_of(condition):
                _add(scope.conditions, text_of(condition), 8)
        if node.type == "attribute":
            name_node = node.child_by_field_name("attribute")
            if name_node is not None:
                kind = scope.methods if is_called(node) else scope.attributes
                _add(kind, text_of(name_node), MAX_ATTRIBUTES)
        if is_text(node) and not is_doc(node.parent or node) and "\n" not in text_of(node) and len(text_of(node)) < 30:
            _add(own_strings, text_of(node), MAX_ATTRIBUTES)
    for kind, more in ((scope.attributes, shared.attributes), (scope.methods, shared.methods)):
        for value in more:
            _add(kind, value, MAX_ATTRIBUTES)
    for value in shared.raises:
        _add(scope.raises, value, 3)
    scope.strings = own_strings
    for value in shared.strings:
        _add(scope.strings, value, MAX_ATTRIBUTES)
    return scope
