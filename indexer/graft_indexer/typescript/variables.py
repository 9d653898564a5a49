"""The types of what a name is bound to: variables, parameters, imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graft_indexer.typescript.declarations import function_of, key_of
from graft_indexer.typescript.expressions import CALLBACK
from graft_indexer.typescript.scopes import Binding, TsFile
from graft_indexer.typescript.typ import CLASSES, DEEPEST, UNKNOWN, Found, Typ, prim
from graft_indexer.typescript.world import Target

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.typescript.types import Types


def value_of(types: Types, target: Target, depth: int = 0) -> Found:
    """The type of what a name means as a value."""
    file, binding = target.file, target.binding
    if binding is None:
        if target.node is None:
            return Found(Typ("ns", file))
        if target.node.type in CLASSES:
            return Found(Typ("class", file, target.node))
        return types.infer(file, target.node, depth + 1)
    declaration = binding.declaration
    match binding.how:
        case "class" | "self":
            if declaration.type in CLASSES:
                return Found(Typ("class", file, declaration))
            return Found(Typ("fn", file, declaration))
        case "function":
            return Found(Typ("fn", file, declaration))
        case "enum":
            return Found(Typ("enum", file, declaration))
        case "namespace":
            return Found(Typ("nsdecl", file, declaration, name=binding.name), "a namespace may go on elsewhere")
        case "member":
            return Found(Typ("enumval", file, declaration))
        case "param" | "let" | "var":
            return variable(types, file, binding, depth)
    return UNKNOWN


def variable(types: Types, file: TsFile, binding: Binding, depth: int = 0) -> Found:
    """The declared or initial type of a variable or parameter."""
    key = ("variable", binding.node.id)
    known: Found | None = file.memo.get(key)
    if known is None:
        file.memo[key] = UNKNOWN
        known = _variable(types, file, binding, depth) if depth <= DEEPEST else UNKNOWN
        if depth > DEEPEST // 2:
            file.memo.pop(key, None)
            return known
        file.memo[key] = known
    return known


def _variable(types: Types, file: TsFile, binding: Binding, depth: int) -> Found:
    declaration = binding.declaration
    whole = declared_value(types, file, declaration, depth)
    if binding.node.id == binding.root.id or whole.typ is None:
        if binding.root.type == "rest_pattern" and whole.typ is not None:
            return whole
        return whole if binding.node.id == binding.root.id else UNKNOWN
    # A pattern: from the outside in, by keys and places.
    path: list[Node] = []
    at: Node | None = binding.node
    while at is not None and at.id != binding.root.id:
        path.append(at)
        at = at.parent
    found = whole
    outer = binding.root
    for step in reversed(path):
        if found.typ is None:
            return UNKNOWN
        match outer.type:
            case "object_pattern":
                name = key_of(file, step)
                if step.type == "rest_pattern" or not name:
                    return UNKNOWN
                found = types.member_type(found, name, depth + 1)
            case "array_pattern":
                found = element(types, found) if step.type != "rest_pattern" else UNKNOWN
        outer = step
    return found


def declared_value(types: Types, file: TsFile, declaration: Node, depth: int) -> Found:
    """The type of what a declaration gives its name."""
    annotation = declaration.child_by_field_name("type")
    kind = declaration.type
    if annotation is not None and kind != "for_in_statement":
        return types.evaluate(file, annotation, (), depth + 1)
    if kind == "for_in_statement":
        operator, right = declaration.child_by_field_name("operator"), declaration.child_by_field_name("right")
        if operator is None or operator.type == "in" or right is None:
            return prim("string")
        return element(types, types.infer(file, right, depth + 1))
    value = declaration.child_by_field_name("value")
    if value is not None:
        return types.infer(file, value, depth + 1)
    if kind in ("required_parameter", "optional_parameter", "arrow_function"):
        return _from_context(types, file, declaration, depth)
    return UNKNOWN


def element(types: Types, found: Found) -> Found:
    """The type of the elements of a list, or of what an iterable yields."""
    typ = found.typ
    if typ is None or typ.kind != "array" or not typ.args or typ.args[0].name == "?":
        return UNKNOWN
    return Found(typ.args[0], found.reason)


def _from_context(types: Types, file: TsFile, parameter: Node, depth: int) -> Found:
    """The type of a parameter without annotation, from the function that its function is given to."""
    function = parameter if parameter.type == "arrow_function" else function_of(parameter)
    if function is None or function.parent is None or function.type not in ("arrow_function", "function_expression"):
        return UNKNOWN
    listed = function.child_by_field_name("parameters")
    index = 0
    if parameter.type != "arrow_function" and listed is not None:
        index = next((i for i, c in enumerate(listed.named_children) if c.id == parameter.id), 0)
    parent = function.parent
    if parent.type == "arguments" and parent.parent is not None:
        callee = parent.parent.child_by_field_name("function")
        place = next((i for i, c in enumerate(parent.named_children) if c.id == function.id), 0)
        return _callback(types, file, callee, place, index, depth) if callee is not None else UNKNOWN
    annotation = (
        parent.child_by_field_name("type")
        if parent.type in ("variable_declarator", "public_field_definition")
        else None
    )
    if annotation is None:
        return UNKNOWN
    wanted = types.evaluate(file, annotation, (), depth + 1)
    return types.parameter(wanted, index, depth)


def _callback(types: Types, file: TsFile, callee: Node, place: int, index: int, depth: int) -> Found:
    """The type of parameter `index` of a function that is argument `place` of a call."""
    if callee.type == "member_expression":
        owner, name = callee.child_by_field_name("object"), callee.child_by_field_name("property")
        if owner is not None and name is not None and file.text(name) in CALLBACK and place == 0:
            element = types.element(types.infer(file, owner, depth + 1))
            if element.typ is not None and (index == 0 or file.text(name) == "sort"):
                return element
    found = types.infer(file, callee, depth + 1)
    given = parameter(types, found, place, depth)
    return parameter(types, given, index, depth) if given.typ is not None else UNKNOWN


def parameter(types: Types, found: Found, index: int, depth: int) -> Found:
    """The declared type of a function type's parameter."""
    typ = found.typ
    if typ is None or typ.kind != "fn" or typ.file is None or typ.node is None:
        return UNKNOWN
    listed = typ.node.child_by_field_name("parameters")
    parameters = [c for c in listed.named_children if c.type.endswith("_parameter")] if listed is not None else []
    if index >= len(parameters):
        return UNKNOWN
    annotation = parameters[index].child_by_field_name("type")
    if annotation is None:
        return UNKNOWN
    evaluated = types.evaluate(typ.file, annotation, typ.env, depth + 1)
    return Found(evaluated.typ, evaluated.reason or found.reason)
