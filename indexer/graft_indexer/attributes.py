"""The attribute of a value: of modules, instances, classes and `super()`; properties and descriptors."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from graft_indexer import returns
from graft_indexer.bindings import FUNCTIONS, Binding, How
from graft_indexer.bodies import file_overloads, is_accessor, method_kind
from graft_indexer.classes import Member
from graft_indexer.decorators import (
    decorated_function,
    is_descriptor,
    is_property,
)
from graft_indexer.values import (
    ClassValue,
    Cls,
    FunctionValue,
    Instance,
    ModuleValue,
    NoneValue,
    Result,
    SuperValue,
    Value,
    union,
    unknown,
)

if TYPE_CHECKING:
    from graft_indexer.receivers import Inference


def attribute_of(inference: Inference, result: Result, name: str) -> Result:
    """The attribute of any of several values."""
    if not result.values:
        return unknown(result.reason or "nothing is known")
    values = [v for v in result.values if not isinstance(v, NoneValue)]
    found = union(attribute(inference, v, name) for v in values)
    return Result(found.values, result.reason or found.reason)


def attribute(inference: Inference, value: Value, name: str) -> Result:
    """The attribute of one value."""
    match value:
        case ModuleValue(module=module):
            found = inference.world.module_name_target(module, name)
            if not found.targets:
                return unknown(found.reason or f"{module.name} has no {name}")
            if inference.stored_elsewhere(name) and any(t.binding is not None for t in found.targets):
                result = inference.targets(found)
                keep = all(isinstance(v, ClassValue | FunctionValue | ModuleValue) for v in result.values)
                return result if keep else Result(result.values, result.reason or "it is set elsewhere")
            return inference.targets(found)
        case Instance(cls=cls):
            return member_value(inference, value, cls, name)
        case ClassValue(cls=cls):
            return class_attribute(inference, value, cls, name)
        case SuperValue(receiver=receiver, after=after):
            member = inference.classes.member(receiver.cls, name, after)
            if member is None:
                return unknown("super() has no such attribute")
            found_ = _member(inference, receiver, member)
            reason = found_.reason or _sibling(inference, receiver.cls, after, member)
            values = tuple(replace(v, fixed=True) if isinstance(v, FunctionValue) else v for v in found_.values)
            return Result(values, reason)
        case FunctionValue():
            return unknown("attribute of a function")
        case NoneValue():
            return unknown("attribute of None")


def _sibling(inference: Inference, cls: Cls, after: Cls, member: Member) -> str:
    """Why `super()` may lead elsewhere: the order of a subclass puts other classes behind `after`."""
    unsure = "super() may lead to a sibling"
    if member.owner.full_name == "builtins.object":
        return unsure  # whoever hands on to object awaits to be mixed with others
    classes = inference.classes
    below, reason = inference.subclasses(cls)
    for current in (cls, *below):
        reason = reason or classes.shape(current).reason
        found = classes.member(current, member.name, after)
        if found is None or found.owner != member.owner:
            return unsure
    if not reason and inference.computes_bases():
        return unsure
    return reason


def member_value(inference: Inference, value: Instance, cls: Cls, name: str) -> Result:
    """An attribute of an instance."""
    member = inference.classes.member(cls, name)
    if name == "__class__":
        return Result((ClassValue(cls, value.args, exact=value.exact),))
    if name == "__dict__":
        return inference.builtin("dict", inference.builtin("str"), unknown("any attribute"))
    if member is None:
        return unknown(inference.classes.shape(cls).reason or f"{cls.name} has no {name}")
    return _member(inference, value, member)


def _member(inference: Inference, receiver: Instance | ClassValue, member: Member) -> Result:
    """What a member is that a class has or inherits: a base that is not known may have another of that name."""
    found = _own_member(inference, receiver, member)
    return Result(found.values, found.reason or _unknown_before(inference, receiver.cls, member.owner))


def _unknown_before(inference: Inference, cls: Cls, owner: Cls) -> str:
    """Why a base that is not known may come before one of those that are."""
    classes = inference.classes
    for current in classes.shape(cls).order if cls != owner else ():
        if current == owner:
            break
        bases, why = classes.bases(current)
        leading = (b for b in bases if b.cls == owner or owner in classes.shape(b.cls).order)
        first = next(leading, None)
        if why and (first is None or first.unsure):
            return first.unsure if first is not None else why
    return ""


def _own_member(inference: Inference, receiver: Instance | ClassValue, member: Member) -> Result:
    owner = member.owner
    substitution = inference.annotations.substitution(receiver, owner)
    self_value = Result((receiver,)) if isinstance(receiver, Instance) else inference.instances_of(Result((receiver,)))
    results: list[Result] = []
    declared = [b for b in (*member.bindings, *member.attributes) if b.annotation is not None]
    if declared and not any(b.how in (How.FUNCTION, How.CLASS) for b in member.bindings):
        first = declared[0]
        scope = first.scope if first.scope.is_class else (first.scope.parent or first.scope)
        if first.scope.is_function:
            scope = first.scope
        found = inference.annotations.evaluate(owner.file, scope, _inner(first.annotation), substitution, self_value)
        return _read(inference, found) if member.bindings else found
    functions = [b for b in member.bindings if b.how is How.FUNCTION]
    for binding in member.bindings:
        if binding.how is How.FUNCTION:
            if binding is functions[-1] or not file_overloads(functions):
                results.append(_method(inference, receiver, member, binding, functions))
        elif binding.how is How.CLASS:
            results.append(inference.binding(owner.file, binding))
        else:
            results.append(_read(inference, _bound(receiver, owner, inference.binding(owner.file, binding))))
    results.extend(inference.binding(owner.file, b) for b in member.attributes)
    if not results:
        return unknown("only named in __slots__")
    found = union(results)
    if not functions and not found.reason and not owner.file.is_stub:
        if inference.stored_elsewhere(member.name):
            return Result(found.values, "it is set elsewhere")
        if not (isinstance(receiver, Instance) and receiver.exact):
            below, reason = inference.subclasses(receiver.cls)
            more = [m for c in below if (m := inference.classes.own_member(c, member.name)) is not None]
            if reason or more:
                return Result(found.values, reason or "a subclass sets it too")
    return found


def _read(inference: Inference, result: Result) -> Result:
    """What reading an attribute of a class gives: descriptors say it themselves."""
    parts: list[Result] = []
    plain: list[Value] = []
    for value in result.values:
        if not isinstance(value, Instance) or inference.classes.member(value.cls, "__get__") is None:
            plain.append(value)
            continue
        getter = attribute(inference, value, "__get__")
        functions = [v for v in getter.values if isinstance(v, FunctionValue)]
        if len(functions) == 1 and functions[0].node.returns is not None:
            parts.append(returns.returned(inference, functions[0], None, None))
        else:
            parts.append(unknown("a descriptor"))
    if not parts:
        return result
    found = union([Result(tuple(plain)), *parts])
    return Result(found.values, found.reason or result.reason)


def _bound(receiver: Instance | ClassValue, owner: Cls, result: Result) -> Result:
    """Functions that became attributes by assignment (`__radd__ = __add__`, `show = Other.show`)."""
    bound = isinstance(receiver, Instance)
    values = tuple(
        FunctionValue(v.file, v.node, v.outer, owner, receiver, bound, v.overloads)
        if isinstance(v, FunctionValue) and not v.bound
        else v
        for v in result.values
    )
    # A function written in C stays what it is, and a stub does not say who wrote it.
    unsure = bound and any(
        isinstance(v, FunctionValue) and not v.bound and v.owner is None and v.file.is_stub for v in result.values
    )
    return Result(values, result.reason or ("it may be written in C, and not be bound" if unsure else ""))


def _method(
    inference: Inference, receiver: Instance | ClassValue, member: Member, binding: Binding, functions: list[Binding],
) -> Result:  # fmt: skip
    owner = member.owner
    assert isinstance(binding.node, FUNCTIONS)
    found = decorated_function(inference, owner.file, binding)
    if isinstance(receiver, Instance) and is_property(inference, owner.file, binding):
        getter = next((b for b in functions if isinstance(b.node, FUNCTIONS) and not is_accessor(b.node)), binding)
        assert isinstance(getter.node, FUNCTIONS)
        return returns.returned(
            inference, FunctionValue(owner.file, getter.node, getter.scope, owner, receiver, True), None, None
        )
    if is_property(inference, owner.file, binding):
        return unknown("a property of the class")
    if found.reason and isinstance(receiver, Instance) and is_descriptor(inference, owner.file, binding):
        # Such as the `cached_property` of Django, Werkzeug and Pyramid: most likely what the function gives.
        made = returns.returned(
            inference, FunctionValue(owner.file, binding.node, binding.scope, owner, receiver, True), None, None
        )
        return Result(made.values, found.reason)
    values: list[Value] = []
    for value in found.values:
        if not isinstance(value, FunctionValue):
            values.append(value)
            continue
        kind = method_kind(value.node)
        bound = kind == "class" or (kind == "instance" and isinstance(receiver, Instance))
        if value.node.name in ("__new__",):
            bound = False
        if value.node.name in ("__init_subclass__", "__class_getitem__"):
            bound = True
        values.append(FunctionValue(value.file, value.node, value.outer, owner, receiver, bound, value.overloads))
    return Result(tuple(values), found.reason)


def class_attribute(inference: Inference, value: ClassValue, cls: Cls, name: str) -> Result:
    """An attribute of a class object: its own, then its metaclass's."""
    member = inference.classes.class_member(cls, name) or inference.classes.member(cls, name)
    if member is not None and (member.bindings or not member.attributes):
        return _member(inference, value, Member(name, member.owner, member.bindings))
    if member is not None:
        return _member(inference, value, member)
    meta = metaclass(inference, cls)
    for one in meta.values:
        if isinstance(one, ClassValue):
            found = inference.classes.member(one.cls, name)
            if found is not None:
                return _member(inference, Instance(one.cls), found)
    return unknown(inference.classes.shape(cls).reason or meta.reason or f"{cls.name} has no {name}")


def metaclass(inference: Inference, cls: Cls) -> Result:
    """The class of a class."""
    for current in inference.classes.shape(cls).order:
        for keyword in current.node.keywords:
            if keyword.arg == "metaclass":
                return inference.infer(current.file, current.outer, keyword.value)
    type_class = inference.classes.builtin("type")
    return Result((ClassValue(type_class),)) if type_class else unknown("the builtins are not known")


def _inner(annotation: ast.expr | None) -> ast.expr:
    assert annotation is not None
    return annotation
