"""Scopes and bindings of one file: which name is bound where, by what, and who sees it.

A scope is built when it is first asked for, from its own statements only; nested functions and classes are names in it
and scopes of their own.  The rules are those of the language reference, section 4.2 (naming and binding): classes are
invisible to functions inside them, a comprehension's first iterable belongs outside, walrus targets leave
comprehensions, `except ... as` names end with their handler, type parameters have a scope around their definition.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from graft_indexer.bindings import COMPREHENSIONS, FUNCTIONS, Binding, Function, How, ScopeNode
from graft_indexer.branches import Known
from graft_indexer.collector import Collector
from graft_indexer.dynamic import dynamic_module
from graft_indexer.pytree import Tree, children

_COLLECTED = ("bindings", "globals", "nonlocals", "stars", "dynamic")


@dataclass(eq=False)
class Scope:
    """A block with its own names.  `node` is None only for the scope of builtins."""

    node: ScopeNode
    parent: Scope | None
    tree: Tree
    name: str = ""
    """Qualified name inside the module (`C.f.<locals>.g`); empty for the module."""
    type_parameters: bool = False
    """The scope around a definition with type parameters (PEP 695)."""
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    stars: list[Binding] = field(default_factory=list)
    dynamic: str = field(default_factory=str)
    """Why names may exist that cannot be seen (`exec`, writes to `globals()`); empty if none can."""
    nested: dict[int, Scope] = field(default_factory=dict)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            # Many a scope is only where something stands, and nobody asks what it binds: that is found out then.
            if name not in _COLLECTED:
                raise AttributeError(name)
            self.bindings, self.globals, self.nonlocals, self.stars, self.dynamic = {}, set(), set(), [], ""
            _collect(self)
            return getattr(self, name)

    @property
    def is_module(self) -> bool:
        return isinstance(self.node, ast.Module)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef) and not self.type_parameters

    @property
    def is_function(self) -> bool:
        return isinstance(self.node, (*FUNCTIONS, ast.Lambda)) and not self.type_parameters

    def child(self, node: ScopeNode) -> Scope:
        """The scope of a definition, lambda or comprehension that stands directly in this one."""
        found = self.nested.get(id(node))
        if found is None or found.node is not node:
            found = _make(node, self)
            self.nested[id(node)] = found
        return found

    def forget(self, node: ScopeNode) -> None:
        """The statements of a definition in this scope are others now."""
        self.nested.pop(id(node), None)
        self.nested.pop(-id(node), None)

    @cached_property
    def unit(self) -> str:
        """Qualified name of the outermost function that this scope is or lies in; empty if it lies in none."""
        outer = self.parent.unit if self.parent is not None else ""
        return outer or (self.name if self.is_function and isinstance(self.node, FUNCTIONS) else "")

    @property
    def function(self) -> Scope | None:
        """This scope or the nearest function around it (comprehensions and type parameters skipped)."""
        scope: Scope | None = self
        while scope is not None and not scope.is_function:
            if scope.is_class or scope.is_module:
                return None
            scope = scope.parent
        return scope

    @property
    def enclosing_class(self) -> Scope | None:
        """The class whose body directly holds this function."""
        scope = self.parent
        while scope is not None and scope.type_parameters:
            scope = scope.parent
        return scope if scope is not None and scope.is_class else None

    @property
    def module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


def module_scope(tree: Tree, tests: Known | None = None, implicit: Iterable[str] = ()) -> Scope:
    """The scope of a module with its bindings, `global` writes of its functions included."""
    tests = tests or Known()
    module = ast.Module(body=tree.body, type_ignores=[])
    scope = Scope(module, None, tree)
    collector = Collector(scope, tests, walrus=":=" in tree.text)
    collector.block(tree.body)
    if "global " in tree.text:
        for statement in tree.body:
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef, ast.If, ast.Try, ast.With, ast.For)):
                _global_writes(statement, scope, tests)
    for name in implicit:
        scope.bindings.setdefault(name, []).append(Binding(name, How.IMPLICIT, module, scope))
    if not scope.dynamic:
        scope.dynamic = dynamic_module(tree)
    return scope


def _global_writes(node: ast.stmt, module: Scope, tests: Known) -> None:
    """Bindings that functions below `node` make at module level by `global`."""
    stack: list[ast.AST] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, (*FUNCTIONS, ast.ClassDef)) and b"global" not in _text(module.tree, current):
            continue
        if isinstance(current, FUNCTIONS):
            names = {n for s in ast.walk(current) if isinstance(s, ast.Global) for n in s.names}
            if names:
                inner = Scope(current, module, module.tree)
                Collector(inner, tests, walrus=False).block(current.body)
                for name in inner.globals:
                    for binding in inner.bindings.get("global " + name, []):
                        module.bindings.setdefault(name, []).append(_moved(binding, module, inner))
                    module.bindings.setdefault(name, [])
        stack.extend(c for c in children(current) if isinstance(c, ast.stmt | ast.excepthandler | ast.match_case))


def _text(tree: Tree, node: ast.stmt) -> bytes:
    return tree.data[tree.start(node) : tree.end(node)]


def _moved(binding: Binding, scope: Scope, origin: Scope) -> Binding:
    return Binding(
        binding.name,
        binding.how,
        binding.node,
        scope,
        binding.statement,
        binding.value,
        binding.annotation,
        binding.path,
        True,
        binding.dead,
        binding.guarded,
        binding.is_async,
        origin,
    )


def _make(node: ScopeNode, parent: Scope) -> Scope:
    prefix = f"{parent.name}." if parent.name else ""
    if parent.is_function and parent.name:
        prefix = f"{parent.name}.<locals>."
    name = getattr(node, "name", "<lambda>" if isinstance(node, ast.Lambda) else "<comprehension>")
    scope = Scope(node, parent, parent.tree, prefix + name)
    for name in _COLLECTED:
        delattr(scope, name)
    return scope


def _collect(scope: Scope) -> None:
    """Fill in what a scope binds."""
    node = scope.node
    version = getattr(scope.module, "_version", None)
    tests = Known(version) if version is not None else Known()
    walrus = ":=" in scope.tree.text
    collector = Collector(scope, tests, walrus=walrus)
    if isinstance(node, (*FUNCTIONS, ast.Lambda)):
        collector.parameters(node.args)
        if isinstance(node, ast.Lambda):
            collector.expression(node.body)
        else:
            collector.block(node.body)
            if scope.enclosing_class is not None:
                scope.bindings.setdefault("__class__", [Binding("__class__", How.IMPLICIT, node, scope)])
    elif isinstance(node, ast.ClassDef):
        collector.block(node.body)
        for implicit in ("__module__", "__qualname__"):
            scope.bindings.setdefault(implicit, [Binding(implicit, How.IMPLICIT, node, scope)])
    elif isinstance(node, COMPREHENSIONS):
        for generator in node.generators:
            collector.target(generator.target, How.FOR, generator.iter, None, None, is_async=bool(generator.is_async))


def type_parameter_scope(scope: Scope, node: Function | ast.ClassDef) -> Scope:
    parameters = getattr(node, "type_params", None)
    if not parameters:
        return scope
    key = -id(node)
    found = scope.nested.get(key)
    if found is None or found.node is not node:
        found = Scope(node, scope, scope.tree, scope.name, type_parameters=True)
        for item in parameters:
            found.bindings[item.name] = [Binding(item.name, How.TYPE_PARAMETER, item, found)]
        scope.nested[key] = found
    return found


def scope_of(scope: Scope, node: Function | ast.ClassDef) -> Scope:
    """The scope of a definition's body, through that of its type parameters."""
    return type_parameter_scope(scope, node).child(node)


def known_child(scope: Scope, node: ast.ClassDef) -> Scope | None:
    """The scope of a class's body if it was ever asked for."""
    outer = scope.nested.get(-id(node), scope)
    found = outer.nested.get(id(node))
    return found if found is not None and found.node is node else None


def lookup(scope: Scope, name: str) -> tuple[Scope, list[Binding]] | None:
    """The scope that binds `name` as seen from `scope` (LEGB without B), with its bindings there."""
    current: Scope | None = scope
    first = True
    while current is not None:
        if name in current.globals:
            module = current.module
            found = module.bindings.get(name, [])
            return (module, found) if found else None
        if name in current.nonlocals:
            current, first = current.parent, False
            while current is not None and (current.is_class or current.is_module):
                current = current.parent
            continue
        if first or not current.is_class:
            found = current.bindings.get(name, [])
            if found and not (current.is_function and all(b.how is How.DELETE for b in found)):
                if current.is_class and not first:
                    pass
                else:
                    return current, found
        # A comprehension directly in a class body does not see the class's names, except in its first iterable.
        if not (current.type_parameters and first):
            first = False
        current = current.parent
    return None


def visible(scope: Scope) -> Iterator[tuple[str, Scope, list[Binding]]]:
    """Every name that LEGB finds from `scope` (builtins excluded), innermost first, each once."""
    seen: set[str] = set()
    current: Scope | None = scope
    first = True
    while current is not None:
        if first or not current.is_class:
            for name, bindings in current.bindings.items():
                if " " in name:
                    continue
                if name not in seen and not all(b.how is How.DELETE for b in bindings):
                    seen.add(name)
                    yield name, current, bindings
        first = False
        current = current.parent


def inside_module(scope: Scope) -> Iterator[tuple[str, list[Binding]]]:
    """The names that `visible` finds in the scopes inside the module, with their bindings."""
    for name, owner, bindings in visible(scope):
        if owner.is_module:
            return  # all others are the module's
        yield name, bindings


def is_generator(node: Function) -> bool:
    """Whether a function's own body yields."""
    known = getattr(node, "_graft_yields", None)
    if known is None:
        known = _yields(node)
        node._graft_yields = known  # type: ignore[union-attr]
    return bool(known)


def _yields(node: Function) -> bool:
    stack: list[ast.AST] = list(node.body)
    while stack:
        current = stack.pop()
        if isinstance(current, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(current, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            stack.extend(children(current))
    return False
