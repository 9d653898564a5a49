"""What a call gives: instances of classes, what functions return, `super()`, `type()` and the like."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from graft_indexer import attributes, protocols, returns
from graft_indexer.bindings import FUNCTIONS
from graft_indexer.bodies import method_kind
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope
from graft_indexer.values import (
    ClassValue,
    Cls,
    FunctionValue,
    Instance,
    Result,
    SuperValue,
    union,
    unknown,
)

if TYPE_CHECKING:
    from graft_indexer.receivers import Inference

_MADE_OF_ONE = frozenset(
    {"builtins.list", "builtins.set", "builtins.frozenset", "builtins.tuple", "collections.deque", "builtins.enumerate",
     "builtins.reversed"}
)  # fmt: skip
_CLASS_MAKERS = frozenset(
    {"collections.namedtuple", "typing.NamedTuple", "typing.TypedDict", "typing.NewType", "types.new_class",
     "dataclasses.make_dataclass", "typing_extensions.TypedDict", "typing_extensions.NamedTuple",
     "typing_extensions.NewType", "attr.make_class", "attrs.make_class"}
)  # fmt: skip
"""What gives a new class when it is called."""


def result_of_call(inference: Inference, file: PyFile, scope: Scope, node: ast.Call) -> Result:
    """What a call gives."""
    special = _special_call(inference, file, scope, node)
    if special is not None:
        return special
    callee = inference.infer(file, scope, node.func)
    if not callee.values:
        return unknown(callee.reason or "the callee is not known")
    results: list[Result] = []
    for value in callee.values:
        match value:
            case ClassValue():
                results.append(constructed(inference, value, file, scope, node))
            case FunctionValue():
                if f"{value.file.name}.{value.node.name}" in _CLASS_MAKERS:
                    results.append(unknown("a class made by a call"))
                else:
                    results.append(returns.returned(inference, value, node, (file, scope)))
            case Instance(cls=cls):
                called = attributes.attribute(inference, value, "__call__")
                functions = [v for v in called.values if isinstance(v, FunctionValue)]
                if cls.full_name.startswith("typing.") or not functions:
                    results.append(unknown("an object is called"))
                else:
                    results.append(returns.returned(inference, functions[0], node, (file, scope)))
            case _:
                results.append(unknown("not callable"))
    found = union(results)
    return Result(found.values, found.reason or callee.reason)


def _special_call(inference: Inference, file: PyFile, scope: Scope, node: ast.Call) -> Result | None:
    match node.func:
        case ast.Name(id="super"):
            return _super(inference, file, scope, node)
        case ast.Name(id="type") if len(node.args) == 1 and not node.keywords:
            of = inference.infer(file, scope, node.args[0])
            values = tuple(ClassValue(v.cls, v.args, exact=v.exact) for v in of.values if isinstance(v, Instance))
            return Result(values, of.reason or ("" if len(values) == len(of.values) else "type() of something"))
        case ast.Name(id="type"):
            return unknown("a class made by a call")
        case ast.Name(id="cast") | ast.Attribute(attr="cast") if len(node.args) == 2:
            name = inference.annotations.name_of(file, scope, node.func)
            if name == "cast":
                return inference.annotations.evaluate(file, scope, node.args[0])
        case ast.Name(id="getattr" | "vars" | "globals" | "locals" | "eval" | "__import__"):
            return unknown("known only when it runs")
        case ast.Attribute(value=inner, attr="__new__") if isinstance(inner, ast.Call | ast.Name):
            return unknown("__new__")
    return None


def _super(inference: Inference, file: PyFile, scope: Scope, node: ast.Call) -> Result:
    function = scope.function
    while function is not None and function.enclosing_class is None:
        function = function.parent.function if function.parent is not None else None
    if function is None:
        return unknown("super() outside a method")
    cls = inference.owner(file, function)
    if cls is None or not isinstance(function.node, FUNCTIONS):
        return unknown("super() outside a method")
    if node.args and not (isinstance(node.args[0], ast.Name) and node.args[0].id == cls.name):
        return unknown("super() of another class")
    kind = method_kind(function.node)
    receiver: Instance | ClassValue = (
        ClassValue(cls, exact=False)
        if kind == "class" or function.node.name in ("__new__", "__init_subclass__")
        else Instance(cls, own=True)
    )
    return Result((SuperValue(receiver, cls),))


def constructed(inference: Inference, value: ClassValue, file: PyFile, scope: Scope, node: ast.Call) -> Result:
    """What calling a class gives: an instance of it, unless `__new__` or the metaclass say otherwise."""
    cls = value.cls
    shape = inference.classes.shape(cls)
    reason = ""
    new = inference.classes.member(cls, "__new__")
    if new is not None and not new.owner.file.is_stub:
        reason = "__new__ may return something else"
    if cls.full_name in _CLASS_MAKERS:
        return unknown("a class made by a call")
    if inference.is_enum(cls):
        if cls.file.is_stub or len(node.args) + len(node.keywords) > 1:
            return unknown("a class made by a call")
        return Result((Instance(cls),), "")
    for current in shape.order:
        for keyword in current.node.keywords:
            if keyword.arg == "metaclass" and not current.file.is_stub:
                result = inference.infer(current.file, current.outer, keyword.value)
                if not result.closed or not result.values:
                    reason = reason or "the metaclass is not known"
                for meta in result.values:
                    if isinstance(meta, ClassValue):
                        called = inference.classes.member(meta.cls, "__call__")
                        if called is not None and not called.owner.file.is_stub:
                            reason = "the metaclass changes calls"
    args = value.args
    if not args and cls.file.is_stub and inference.annotations.type_parameters(cls):
        args = _constructor_args(inference, cls, file, scope, node)
    if cls.full_name == "builtins.type":
        return unknown("a class made by a call")
    return Result((Instance(cls, args, exact=value.exact),), reason)


def _constructor_args(inference: Inference, cls: Cls, file: PyFile, scope: Scope, node: ast.Call) -> tuple[Result, ...]:
    """Type arguments of `list(xs)`, `set(xs)`, `deque(xs)` and the like from what they are made of."""
    one = len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred)
    if one and cls.full_name in _MADE_OF_ONE:
        items = protocols.iterated(inference, inference.infer(file, scope, node.args[0]))
        fixed = cls.name in ("enumerate", "reversed")
        return (items if fixed else Result(items.values, items.reason or "a container may get other items"),)
    if cls.full_name == "builtins.zip":
        parts = tuple(protocols.iterated(inference, inference.infer(file, scope, a)) for a in node.args)
        return (inference.tuple_of(parts),)
    return ()
