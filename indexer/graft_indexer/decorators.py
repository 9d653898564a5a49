"""Functions with what their decorators leave of them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from graft_indexer.bindings import FUNCTIONS, Binding, Function
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope
from graft_indexer.values import (
    ClassValue,
    FunctionValue,
    Result,
)

if TYPE_CHECKING:
    from graft_indexer.receivers import Inference

TRANSPARENT = frozenset(
    {
        "staticmethod", "classmethod", "property", "abc.abstractmethod", "typing.overload", "typing.final",
        "typing_extensions.overload", "typing_extensions.override", "typing.override", "typing_extensions.final",
        "typing.no_type_check", "functools.cached_property", "builtins.property", "builtins.staticmethod",
        "builtins.classmethod", "types.coroutine", "typing_extensions.deprecated", "warnings.deprecated",
        "typing.type_check_only", "abc.abstractproperty", "enum.property", "types.DynamicClassAttribute",
        "reprlib.recursive_repr", "enum.nonmember", "enum.member",
    }
)  # fmt: skip
"""Decorators after which a function has the parameters it was written with."""
CACHES = frozenset({"functools.lru_cache", "functools.cache", "functools.wraps"})
CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
PROPERTIES = frozenset(
    {"property", "builtins.property", "functools.cached_property", "abc.abstractproperty", "enum.property",
     "types.DynamicClassAttribute"}
)  # fmt: skip


def decorated_function(inference: Inference, file: PyFile, binding: Binding) -> Result:
    """A function with what its decorators leave of it."""
    node = binding.node
    assert isinstance(node, FUNCTIONS)
    overloads: tuple[Function, ...] = ()
    siblings = [b.node for b in binding.scope.bindings.get(binding.name, ()) if isinstance(b.node, FUNCTIONS)]
    if len(siblings) > 1:
        marked = [n for n in siblings if has_decorator(n, ("overload",))]
        overloads = tuple(marked)
    value = FunctionValue(file, node, binding.scope, overloads=overloads)
    for decorator in node.decorator_list:
        names = decorator_names(inference, file, binding.scope, decorator)
        if names and names <= TRANSPARENT | CACHES | CONTEXT_MANAGERS:
            continue
        if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter", "register"):
            continue
        return Result((value,), f"the decorator {ast.unparse(decorator)[:60]} may change it")
    return Result((value,))


def decorator_names(inference: Inference, file: PyFile, scope: Scope, decorator: ast.expr) -> set[str]:
    """Full names of what a decorator may be."""
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(inner, ast.Name):
        found = inference.world.lookup(file, scope, inner.id)
    elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
        base = inference.world.lookup(file, scope, inner.value.id)
        modules = [t.module for t in base.targets if t.module is not None]
        if len(modules) != 1:
            return set()
        found = inference.world.module_name_target(modules[0], inner.attr)
    else:
        return set()
    names = set()
    for target in found.targets:
        if target.file is None or target.binding is None:
            return set()
        names.add(f"{target.file.name}.{target.binding.name}")
    return names


def has_decorator(node: Function, wanted: tuple[str, ...]) -> bool:
    """Whether a function has a decorator with one of these last names."""
    for decorator in node.decorator_list:
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = inner.id if isinstance(inner, ast.Name) else getattr(inner, "attr", "")
        if name in wanted:
            return True
    return False


def is_property(inference: Inference, file: PyFile, binding: Binding) -> bool:
    """Whether a method is read like an attribute."""
    if not isinstance(binding.node, FUNCTIONS):
        return False
    for decorator in binding.node.decorator_list:
        if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter"):
            return True
        if decorator_names(inference, file, binding.scope, decorator) & PROPERTIES:
            return True
    return False


def is_descriptor(inference: Inference, file: PyFile, binding: Binding) -> bool:
    """Whether a method's only decorator is a class whose instances answer when they are read."""
    assert isinstance(binding.node, FUNCTIONS)
    if len(binding.node.decorator_list) != 1:
        return False
    made_by = inference.infer(file, binding.scope, binding.node.decorator_list[0])
    return bool(made_by.values) and all(
        isinstance(v, ClassValue) and inference.classes.member(v.cls, "__get__") is not None for v in made_by.values
    )
