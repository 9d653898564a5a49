"""Decorators that give back the class they were given: `def register(cls): known[cls.name] = cls; return cls`.

What is proved is that the class stays the object that its statement made, and gets no attribute from the decorator.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from graft_indexer.bindings import FUNCTIONS, Binding, Function
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope, scope_of
from graft_indexer.values import FunctionValue, Instance, Result

_KEEPING = frozenset({"append", "appendleft", "add", "insert", "setdefault"})
"""Methods of containers: what is given to them is kept, and not changed."""
_CONTAINERS = frozenset(
    {
        "builtins.list", "builtins.set", "builtins.dict", "collections.deque", "collections.defaultdict",
        "collections.OrderedDict",
    }
)  # fmt: skip
_ASKING = frozenset(
    {
        "isinstance", "issubclass", "repr", "str", "id", "hash", "type", "len", "print", "callable", "hasattr",
        "getattr", "dir", "iter", "list", "tuple", "set", "format",
    }
)  # fmt: skip
_HARMLESS = frozenset(
    {
        "__repr__", "__str__", "__doc__", "__module__", "__name__", "__qualname__", "__eq__", "__ne__", "__hash__",
        "__lt__", "__le__", "__gt__", "__ge__", "__init_subclass__", "__rich_repr__", "__reduce__", "__copy__",
    }
)  # fmt: skip
"""What a decorator may set without changing which members a class has, or how it is made."""
_TEXTS = frozenset({"__doc__", "__module__", "__name__", "__qualname__"})

Infer: TypeAlias = Callable[[PyFile, Scope, ast.expr], Result]
"""What an expression of a scope is."""


def gives_back(value: FunctionValue, infer: Infer, *, called: bool) -> bool:
    """Whether a decorator (`called`: what a call of it returns) hands a class back as it was."""
    node = value.node
    if value.overloads or value.file.is_stub or node.decorator_list:
        return False
    scope = scope_of(value.outer, node)
    value.file.note_scope(scope)
    if not called:
        return _Decorator(value.file, scope, node, infer).hands_back(1 if value.bound else 0)
    if isinstance(node, ast.AsyncFunctionDef) or scope.dynamic or not isinstance(node.body[-1], ast.Return):
        return False
    own = _own(node)
    returned = [n.value for n in own if isinstance(n, ast.Return)]
    names = {v.id if isinstance(v, ast.Name) else "" for v in returned}
    name = names.pop()
    made = _only(scope, name)
    if names or made is None or not isinstance(made.node, FUNCTIONS) or _generates(own):
        return False
    if made.node not in node.body or made.node.decorator_list or _rebound(node, name):
        return False
    return _Decorator(value.file, scope_of(scope, made.node), made.node, infer).hands_back(0)


@dataclass
class _Decorator:
    """A function that is given a class."""

    file: PyFile
    scope: Scope
    node: Function
    infer: Infer
    own: list[ast.AST] = field(default_factory=list)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    def hands_back(self, at: int) -> bool:
        """Whether it returns its parameter number `at` whatever happens, and does nothing unseen to it."""
        node = self.node
        parameters = [*node.args.posonlyargs, *node.args.args]
        self.own = _own(node)
        if isinstance(node, ast.AsyncFunctionDef) or _generates(self.own) or len(parameters) <= at:
            return False
        name = parameters[at].arg
        only = _only(self.scope, name)
        if only is None or only.node is not parameters[at] or self.scope.dynamic or _rebound(node, name):
            return False
        if not isinstance(node.body[-1], ast.Return):
            return False
        for found in self.own:
            if isinstance(found, ast.Return) and not (isinstance(found.value, ast.Name) and found.value.id == name):
                return False
        self.parents = {child: parent for parent in ast.walk(node) for child in ast.iter_child_nodes(parent)}
        return all(self._seen_whole(n) for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name)

    def _seen_whole(self, node: ast.Name) -> bool:
        """Whether this use of the parameter does nothing to it but what the text shows."""
        if not isinstance(node.ctx, ast.Load):
            return False
        parent = self.parents[node]
        match parent:
            case ast.Return():
                return any(parent is n for n in self.own)
            case ast.FormattedValue():
                return True
            case ast.Compare(ops=ops):
                asked = [c for c in parent.comparators if c is not node]
                return not any(isinstance(o, ast.In | ast.NotIn) for o in ops) or all(map(self._is_container, asked))
            case ast.Attribute(attr=attr, ctx=ast.Load()):
                return self._only_read(parent, attr)
            case ast.Attribute(attr=attr):
                return attr in _HARMLESS
            case ast.Subscript(slice=index, value=holder):
                return index is node and self._is_container(holder)
            case ast.Assign(targets=targets):
                return all(isinstance(t, ast.Subscript) and self._is_container(t.value) for t in targets)
            case ast.Call(func=ast.Name() as asking) if asking is not node:
                return self._asks(asking)
            case ast.Call(func=ast.Attribute(attr=called, value=holder)):
                return called in _KEEPING and self._is_container(holder)
            case ast.Tuple():
                around = self.parents[parent]
                if isinstance(around, ast.Subscript):
                    return self._is_container(around.value)
                return _is_text(around)
            case ast.BinOp():
                return _is_text(parent)
        return False

    def _only_read(self, node: ast.Attribute, attr: str) -> bool:
        """Whether an attribute of the class is not called, nor handed to what may call it: it may be a class method."""
        parent = self.parents[node]
        if isinstance(parent, ast.Call) and parent.func is node:
            return False
        if attr in _TEXTS:
            return True
        if attr.startswith("__") and attr.endswith("__"):
            return False
        match parent:
            case ast.Subscript(slice=index):
                return index is node
            case ast.Attribute(attr=inner, ctx=ast.Load()):
                return not inner.startswith("__")
            case ast.Call(func=ast.Name() as asking):
                return self._asks(asking)
            case ast.FormattedValue() | ast.Compare() | ast.If() | ast.UnaryOp() | ast.Assert():
                return True
        return False

    def _asks(self, node: ast.Name) -> bool:
        """Whether a name that is called is a builtin that only asks, and no other of that name."""
        scope: Scope | None = self.scope
        while scope is not None and node.id in _ASKING:
            if node.id in scope.bindings or scope.stars:
                return False
            scope = scope.parent
        return node.id in _ASKING

    def _is_container(self, node: ast.expr) -> bool:
        """Whether an expression of the function itself is provably a container that does nothing to what it holds."""
        if not any(node is n for n in self.own):
            return False
        found = self.infer(self.file, self.scope, node)
        if _contains(found):
            return True
        # An annotation says too little, the one value that the module sets says enough.
        if not isinstance(node, ast.Name) or node.id in self.scope.bindings:
            return False
        binding = _only(self.file.scope, node.id)
        if binding is None or binding.value is None or binding.path or found.reason:
            return False
        return _contains(self.infer(self.file, self.file.scope, binding.value))


def _is_text(node: ast.AST) -> bool:
    """Whether it is a text that `%` fills."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant)


def _contains(found: Result) -> bool:
    return (
        bool(found.values)
        and found.closed
        and all(isinstance(v, Instance) and v.exact and v.cls.full_name in _CONTAINERS for v in found.values)
    )


def _only(scope: Scope, name: str) -> Binding | None:
    """The one place that binds a name in its scope."""
    found = scope.bindings.get(name, ())
    return found[0] if len(found) == 1 else None


def _rebound(node: Function, name: str) -> bool:
    """Whether a function or one inside it declares a name to be another scope's."""
    return any(isinstance(n, ast.Global | ast.Nonlocal) and name in n.names for n in ast.walk(node))


def _own(node: Function) -> list[ast.AST]:
    """The nodes of a function, those of functions and classes inside it left out."""
    found: list[ast.AST] = []
    stack: list[ast.AST] = list(node.body)
    while stack:
        current = stack.pop()
        found.append(current)
        if not isinstance(current, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(current))
    return found


def _generates(own: list[ast.AST]) -> bool:
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own)
