"""What the protocols of a value give: its items, what `with` and `await` make of it, what stands at an index."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from graft_indexer import attributes, returns
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope
from graft_indexer.values import (
    ClassValue,
    FunctionValue,
    Instance,
    Result,
    Value,
    union,
    unknown,
)

if TYPE_CHECKING:
    from graft_indexer.receivers import Inference


def method_result(inference: Inference, value: Value, name: str) -> Result:
    """What calling a method without arguments gives."""
    found = attributes.attribute(inference, value, name)
    functions = [v for v in found.values if isinstance(v, FunctionValue)]
    if len(functions) != 1:
        return unknown(found.reason or f"{name} is not known")
    result = returns.returned(inference, functions[0], None, None)
    return Result(result.values, result.reason or found.reason)


def iterated(inference: Inference, result: Result, *, is_async: bool = False) -> Result:
    """The items of an iterable."""
    if not result.values:
        return unknown(result.reason or "nothing is known")
    begin, step = ("__aiter__", "__anext__") if is_async else ("__iter__", "__next__")
    results: list[Result] = []
    for value in result.values:
        if isinstance(value, Instance) and value.items is not None:
            results.append(union(value.items) if value.items else unknown("an empty tuple"))
            continue
        if isinstance(value, ClassValue) and inference.is_enum(value.cls):
            results.append(Result((Instance(value.cls),)))
            continue
        if not isinstance(value, Instance):
            results.append(unknown("not iterable"))
            continue
        iterator = method_result(inference, value, begin)
        items = [method_result(inference, v, step) for v in iterator.values]
        found = union(items) if items else unknown(iterator.reason)
        if is_async:
            found = awaited(found)
        results.append(Result(found.values, found.reason or iterator.reason))
    found = union(results)
    return Result(found.values, found.reason or result.reason)


def entered(inference: Inference, result: Result, *, is_async: bool = False) -> Result:
    """What `with` gives to its target."""
    if not result.values:
        return unknown(result.reason or "nothing is known")
    name = "__aenter__" if is_async else "__enter__"
    found = union(method_result(inference, v, name) for v in result.values)
    if is_async:
        found = awaited(found)
    return Result(found.values, found.reason or result.reason)


def awaited(result: Result) -> Result:
    """What `await` gives."""
    if not result.values:
        return unknown(result.reason or "nothing is known")
    results: list[Result] = []
    for value in result.values:
        if isinstance(value, Instance) and value.cls.full_name in (
            "typing.Coroutine", "types.CoroutineType", "collections.abc.Coroutine",
        ) and len(value.args) == 3:  # fmt: skip
            results.append(value.args[2])
        elif isinstance(value, Instance) and value.args:
            results.append(value.args[0] if len(value.args) == 1 else unknown("awaited"))
        else:
            results.append(unknown("awaited"))
    found = union(results)
    return Result(found.values, found.reason or result.reason)


def subscript(inference: Inference, file: PyFile, scope: Scope, result: Result, index: ast.expr) -> Result:
    """An item of a container, or a class with type arguments."""
    if not result.values:
        return unknown(result.reason or "nothing is known")
    results: list[Result] = []
    for value in result.values:
        match value:
            case ClassValue(cls=cls):
                items = index.elts if isinstance(index, ast.Tuple) else [index]
                if inference.is_enum(cls):
                    results.append(Result((Instance(cls),)))
                else:
                    args = tuple(inference.annotations.evaluate(file, scope, i) for i in items)
                    results.append(Result((ClassValue(cls, args, value.exact),)))
            case Instance(cls=cls) if cls.full_name in ("typing._SpecialForm", "typing_extensions._SpecialForm"):
                results.append(unknown("a type"))
            case Instance(items=tuple(items_)) if isinstance(index, ast.Constant) and isinstance(index.value, int):
                n = index.value
                results.append(items_[n] if -len(items_) <= n < len(items_) else unknown("out of range"))
            case Instance():
                results.append(_item(inference, value, index))
            case _:
                results.append(unknown("not a container"))
    found = union(results)
    return Result(found.values, found.reason or result.reason)


def _item(inference: Inference, value: Instance, index: ast.expr) -> Result:
    name = value.cls.full_name
    if isinstance(index, ast.Slice):
        if name in ("builtins.str", "builtins.bytes", "builtins.list"):
            return Result((Instance(value.cls, value.args, exact=True),))
        return unknown("a slice")
    if name in (
        "builtins.list",
        "typing.Sequence",
        "collections.deque",
        "builtins.tuple",
        "typing.MutableSequence",
    ):
        return value.args[0] if value.args else unknown("items are not known")
    if name in ("builtins.dict", "collections.OrderedDict", "collections.defaultdict", "typing.Mapping",
                "typing.MutableMapping"):  # fmt: skip
        return value.args[1] if len(value.args) > 1 else unknown("items are not known")
    if name == "builtins.str":
        return inference.builtin("str")
    return method_result(inference, value, "__getitem__")
