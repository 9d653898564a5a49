"""The types that annotations name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graft_indexer.typescript.declarations import flat, namespaces
from graft_indexer.typescript.scopes import TYPE, TsFile
from graft_indexer.typescript.typ import (
    CLASSES,
    DEEPEST,
    LISTS,
    PREDEFINED,
    UNKNOWN,
    Env,
    Found,
    Typ,
    bound,
    prim,
    some,
    united,
)
from graft_indexer.typescript.world import Target

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.typescript.types import Types

_SAME: Final = frozenset(("Partial", "Readonly", "Required", "NonNullable", "Awaited", "DeepPartial"))


def evaluate(types: Types, file: TsFile, node: Node, env: Env = (), depth: int = 0) -> Found:
    """The type that a type node names."""
    if depth > DEEPEST:
        return UNKNOWN
    kind = node.type
    match kind:
        case "type_annotation" | "parenthesized_type" | "readonly_type" | "optional_type" | "rest_type":
            inner = node.named_children
            return evaluate(types, file, inner[0], env, depth + 1) if inner else UNKNOWN
        case "predefined_type":
            text = file.text(node)
            return UNKNOWN if text in ("any", "unknown", "object") else prim(text)
        case "type_identifier" if file.text(node) in PREDEFINED:
            return prim(file.text(node))
        case "type_identifier" | "identifier":
            return _named_type(types, file, node, file.text(node), (), env, depth)
        case "generic_type":
            return _generic(types, file, node, env, depth)
        case "nested_type_identifier":
            return _nested_type(types, file, node, (), env, depth)
        case "array_type":
            inner = node.named_children
            element = evaluate(types, file, inner[0], env, depth + 1) if inner else UNKNOWN
            return Found(Typ("array", args=some(element.typ)), element.reason)
        case "tuple_type":
            return Found(Typ("array"), "a tuple")
        case "union_type":
            return _union(types, file, node, env, depth)
        case "intersection_type":
            parts = [evaluate(types, file, c, env, depth + 1) for c in node.named_children]
            known = tuple(p.typ for p in parts if p.typ is not None)
            reason = next((p.reason for p in parts if p.reason), "")
            return Found(Typ("inter", args=known), reason) if known else UNKNOWN
        case "object_type":
            return Found(Typ("obj", file, node, env=env))
        case "function_type":
            return Found(Typ("fn", file, node, env=env))
        case "literal_type" | "template_literal_type":
            return prim("string" if file.text(node)[:1] in "\"'`" else "literal")
        case "index_type_query":
            return prim("string")
        case "type_query":
            inner = node.named_children
            return types.infer(file, inner[0], depth + 1) if inner else UNKNOWN
        case "lookup_type":
            return _lookup_type(types, file, node, env, depth)
        case "this_type":
            found = types.this(file, node)
            return Found(found.typ, found.reason or "the receiver's own type")
        case "type_predicate" | "type_predicate_annotation" | "asserts_annotation":
            return prim("boolean")
    return UNKNOWN


def _generic(types: Types, file: TsFile, node: Node, env: Env, depth: int) -> Found:
    name, given = node.child_by_field_name("name"), node.child_by_field_name("type_arguments")
    if name is None:
        return UNKNOWN
    arguments: list[Typ] = []
    for child in given.named_children if given is not None else ():
        found = evaluate(types, file, child, env, depth + 1)
        arguments.append(found.typ or Typ("ext", name="?"))
    if name.type == "nested_type_identifier":
        return _nested_type(types, file, name, tuple(arguments), env, depth)
    return _named_type(types, file, name, file.text(name), tuple(arguments), env, depth)


def _named_type(
    types: Types, file: TsFile, node: Node, name: str, arguments: tuple[Typ, ...], env: Env, depth: int
) -> Found:
    targets, reason = types.world.resolve(file, name, node.start_byte, TYPE)
    if not targets and not reason:
        return global_type(types, name, arguments)
    return _type_of_targets(types, targets, reason, name, arguments, env, depth)


def global_type(types: Types, name: str, arguments: tuple[Typ, ...]) -> Found:
    """A type of the language or of its library by name."""
    if name in LISTS:
        return Found(Typ("array", args=arguments[:1], name=name))
    if name in ("Promise", "PromiseLike"):
        return Found(Typ("promise", args=arguments[:1]))
    if name in _SAME and arguments and arguments[0].name != "?":
        return Found(arguments[0], "a utility type")
    return Found(Typ("ext", args=arguments, name=name), "declared outside")


def _type_of_targets(
    types: Types, targets: list[Target], reason: str, name: str, arguments: tuple[Typ, ...], env: Env, depth: int
) -> Found:
    for target in targets:
        binding = target.binding
        if binding is None:
            if target.node is not None and target.node.type in CLASSES:
                return Found(instance(types, target.file, target.node, arguments), reason)
            continue
        declaration = binding.declaration
        match binding.how:
            case "class" | "self" | "interface":
                return Found(instance(types, target.file, declaration, arguments), reason)
            case "enum":
                return Found(Typ("enumval", target.file, declaration), reason)
            case "typeparam":
                known = next((t for n, t in env if n == name), None)
                if known is not None and known.name != "?":
                    return Found(known, reason)
                return Found(Typ("tparam", target.file, declaration, name=name), "a type parameter")
            case "type":
                value = declaration.child_by_field_name("value")
                if value is None:
                    return UNKNOWN
                inner = bound(target.file, declaration, arguments)
                found = evaluate(types, target.file, value, inner, depth + 1)
                return Found(found.typ, found.reason or reason)
    return Found(None, reason or "the type is not known")


def instance(types: Types, file: TsFile, declaration: Node, arguments: tuple[Typ, ...]) -> Typ:
    """An instance of a declared class or interface."""
    return Typ("inst", file, declaration, env=bound(file, declaration, arguments))


def _nested_type(types: Types, file: TsFile, node: Node, arguments: tuple[Typ, ...], env: Env, depth: int) -> Found:
    name = node.child_by_field_name("name")
    targets, reason = nested_targets(types, file, node, depth)
    return _type_of_targets(types, targets, reason, file.text(name) if name else "", arguments, env, depth)


def nested_targets(types: Types, file: TsFile, node: Node, depth: int = 0) -> tuple[list[Target], str]:
    """What `a.b.C` in a type means."""
    outer, name = node.child_by_field_name("module"), node.child_by_field_name("name")
    if outer is None or name is None or depth > DEEPEST:
        return [], "not understood"
    owner = types.infer(file, outer, depth + 1)
    if owner.typ is None:
        return [], owner.reason
    return targets_in(types, owner.typ, file.text(name), TYPE)


def targets_in(types: Types, typ: Typ, name: str, meaning: int) -> tuple[list[Target], str]:
    """What a module or namespace has under a name."""
    if typ.kind == "ns" and typ.file is not None:
        return types.world.export(typ.file, name, meaning)
    if typ.kind == "nsdecl" and typ.file is not None and typ.node is not None:
        found: list[Target] = []
        for body in namespaces(typ.file, typ.name or ""):
            scope = typ.file.scope_at(body.start_byte + 1)
            found += [Target(typ.file, b) for b in scope.names.get(name, ()) if b.space & meaning]
        return found, "a namespace may go on elsewhere"
    return [], "not a module"


def _union(types: Types, file: TsFile, node: Node, env: Env, depth: int) -> Found:
    parts: list[Typ] = []
    reason = ""
    for child in flat(node, "union_type"):
        if file.text(child) in ("null", "undefined", "void", "never"):
            continue
        found = evaluate(types, file, child, env, depth + 1)
        reason = reason or found.reason
        if found.typ is None:
            reason = reason or "a union"
        elif found.typ not in parts:
            parts.append(found.typ)
    return united(parts, reason)


def _lookup_type(types: Types, file: TsFile, node: Node, env: Env, depth: int) -> Found:
    parts = node.named_children
    if len(parts) != 2:
        return UNKNOWN
    owner = evaluate(types, file, parts[0], env, depth + 1)
    key = file.text(parts[1])
    if owner.typ is None:
        return owner
    if key[:1] in "\"'":
        return types.member_type(owner, key.strip("\"'"), depth)
    if key == "number" and owner.typ.kind == "array" and owner.typ.args:
        return Found(owner.typ.args[0], owner.reason)
    return UNKNOWN
