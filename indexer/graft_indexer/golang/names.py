"""What names mean, and the types of what they are bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graft_indexer.golang.scopes import Binding, GoFile
from graft_indexer.golang.typ import DEEPEST, UNKNOWN, Found, Target, Typ, basic
from graft_indexer.golang.world import Package

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.golang.types import Types


def resolve(types: Types, file: GoFile, name: str, offset: int) -> tuple[list[Target], str]:
    """What a name means at an offset.  Nothing and no reason: it is declared nowhere."""
    local = file.lookup(name, offset)
    if local is not None:
        return [Target(file, local)], ""
    package = types.world.package_of(file)
    if package is not None and name in package.names:
        return [Target(f, b) for f, b in package.names[name]], ""
    found, reason = package_named(types, file, name)
    if found is not None or reason:
        node = file.imports[name][1] if name in file.imports else None
        return ([Target(file, package=found, node=node)] if found is not None or node is not None else []), reason
    for path in file.dots:
        dotted, why = types.world.imported(file, path)
        if dotted is not None and file.path.endswith("_test.go"):
            dotted = types.world.package(dotted.folder, dotted.name, tests=True) or dotted
        if dotted is None:
            reason = reason or why
        elif name in dotted.names:
            return [Target(f, b) for f, b in dotted.names[name]], ""
    if package is None or package.partial:
        reason = reason or (package.partial if package is not None else "the package is not known")
    return [], reason


def package_named(types: Types, file: GoFile, name: str) -> tuple[Package | None, str]:
    """The package that a file calls by a name; (None, "") if it imports none of that name."""
    given = file.imports.get(name)
    if given is not None:
        return types.world.imported(file, given[0])
    reason = ""
    for path, node in list(file.imports.values()):
        if node.child_by_field_name("name") is None:
            package, why = types.world.imported(file, path)
            if package is not None and package.name == name:
                file.imports[name] = (path, node)
                return package, ""
            if package is None:
                reason = reason or why
    return None, reason


def value(types: Types, target: Target, depth: int = 0, offset: int = -1) -> Found:
    """The type of what a name means; `offset` is where it is used (in a type switch that says which case)."""
    if target.binding is None:
        return Found(Typ("package", package=target.package)) if target.package is not None else UNKNOWN
    file, binding = target.file, target.binding
    key = ("value", binding.node.id, offset if binding.how == "switch" else -1)
    known: Found | None = file.memo.get(key)
    if known is None:
        file.memo[key] = UNKNOWN
        known = _value(types, file, binding, depth, offset) if depth <= DEEPEST else UNKNOWN
        if depth > DEEPEST // 2:
            file.memo.pop(key, None)
        else:
            file.memo[key] = known
    return known


def _value(types: Types, file: GoFile, binding: Binding, depth: int, offset: int) -> Found:
    declaration = binding.declaration
    kind = declaration.child_by_field_name("type")
    match binding.how:
        case "function":
            return Found(Typ("func", file, declaration))
        case "param":
            found = types.evaluate(file, kind, depth + 1) if kind is not None else UNKNOWN
            if declaration.type == "variadic_parameter_declaration":
                return Found(Typ("list", args=(found.typ or Typ("unknown"),)), found.reason)
            return found
        case "range":
            return _ranged(types, file, binding, declaration, depth)
        case "receive":
            return _at(types, file, binding, declaration, depth)
        case "switch":
            return _switched(types, file, declaration, offset, depth)
        case "var" | "const":
            if kind is not None:
                return types.evaluate(file, kind, depth + 1)
            return _at(types, file, binding, declaration, depth)
    return UNKNOWN


def _at(types: Types, file: GoFile, binding: Binding, declaration: Node, depth: int) -> Found:
    """The type of the value that a statement gives to one of its names."""
    left = declaration.child_by_field_name("left")
    listed = left.named_children if left is not None else declaration.named_children
    names = [n for n in listed if n.type == "identifier" or left is not None]
    right = declaration.child_by_field_name("right") or declaration.child_by_field_name("value")
    if right is None:
        return UNKNOWN
    values = right.named_children if right.type == "expression_list" else [right]
    index = next((i for i, n in enumerate(names) if n.id == binding.node.id), 0)
    if len(values) == len(names):
        return _typed(types, types.infer(file, values[index], depth + 1))
    if len(values) != 1:
        return UNKNOWN
    found = types.infer(file, values[0], depth + 1)
    if found.typ is not None and found.typ.kind == "tuple":
        part = found.typ.args[index] if index < len(found.typ.args) else None
        return Found(part, found.reason) if part is not None and part.kind != "unknown" else UNKNOWN
    if index == 0:
        return found
    # `v, ok :=` of an index, an assertion or a receive; the second value of an unknown call is unknown.
    return basic("bool") if len(names) == 2 and _comma_ok(values[0]) else UNKNOWN


def _typed(types: Types, found: Found) -> Found:
    return found


def _ranged(types: Types, file: GoFile, binding: Binding, declaration: Node, depth: int) -> Found:
    left, right = declaration.child_by_field_name("left"), declaration.child_by_field_name("right")
    if left is None or right is None:
        return UNKNOWN
    index = next((i for i, n in enumerate(left.named_children) if n.id == binding.node.id), 0)
    found = types.infer(file, right, depth + 1)
    base = types.underlying(found.typ) if found.typ is not None else None
    if base is not None and base.kind == "pointer" and base.args:
        base = types.underlying(base.args[0])
    if base is None:
        return UNKNOWN
    if base.kind == "list":
        return part(types, base, 0, found.reason) if index == 1 else basic("int")
    if base.kind == "map":
        return part(types, base, index, found.reason)
    if base.kind == "chan":
        return part(types, base, 0, found.reason)
    if base.kind == "basic":
        return basic("rune" if index == 1 else "int")
    return UNKNOWN


def part(types: Types, base: Typ, index: int, reason: str) -> Found:
    """One of the types that a type is made of, if it is known: of a map 0 is the key, 1 the element."""
    if index < len(base.args) and base.args[index].kind != "unknown":
        return Found(base.args[index], reason)
    return UNKNOWN


def _switched(types: Types, file: GoFile, declaration: Node, offset: int, depth: int) -> Found:
    for child in declaration.named_children:
        if child.type == "type_case" and child.start_byte <= offset < child.end_byte:
            kinds = child.children_by_field_name("type")
            if len(kinds) == 1:
                return types.evaluate(file, kinds[0], depth + 1)
    value = declaration.child_by_field_name("value")
    return types.infer(file, value, depth + 1) if value is not None else UNKNOWN


def _comma_ok(node: Node) -> bool:
    """Has this expression a second value that says whether there is a first."""
    if node.type == "parenthesized_expression" and node.named_child_count:
        return _comma_ok(node.named_children[0])
    if node.type == "unary_expression":
        operator = node.child_by_field_name("operator")
        return operator is not None and operator.type == "<-"
    return node.type in ("index_expression", "type_assertion_expression")
