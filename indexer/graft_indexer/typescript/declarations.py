"""Members that a class, an interface, an object type or a literal declares, by its tree alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graft_indexer.typescript.scopes import TsFile
from graft_indexer.typescript.typ import CLASSES, FUNCTIONS, Env, Member

if TYPE_CHECKING:
    from tree_sitter import Node


def member_name(file: TsFile, node: Node) -> str:
    """The name that a member's name node gives; empty for computed names."""
    if node.type == "string":
        return file.string(node)
    if node.type == "computed_property_name":
        inner = node.named_children
        return file.string(inner[0]) if inner and inner[0].type == "string" else ""
    return file.text(node)


def class_members(file: TsFile, node: Node, static: bool, env: Env) -> tuple[list[Member], str]:
    """Members that a class declares itself, parameters of its constructor included."""
    body = node.child_by_field_name("body")
    if body is None:
        return [], "no body"
    found: list[Member] = []
    reason = ""
    for child in body.named_children:
        kind = child.type
        if kind == "index_signature":
            reason = reason or ("an index signature" if not static else "")
            continue
        name = child.child_by_field_name("name") or child.child_by_field_name("property")
        if name is None or kind == "decorator":
            continue
        text = member_name(file, name)
        if not text:
            if "Symbol." not in file.text(name):
                reason = "a computed member"
            continue
        if text == "constructor" and kind in FUNCTIONS:
            if not static:
                found += _parameter_properties(file, child, env)
            continue
        if is_static(child) == static:
            found.append(Member(text, file, name, child, env, static))
    if file.is_javascript:
        if not static:
            found += _assigned(file, body, env)
        reason = reason or "JavaScript may add members anywhere"
    if node.has_error:
        reason = reason or "it does not parse"
    return found, reason


def _parameter_properties(file: TsFile, constructor: Node, env: Env) -> Iterator[Member]:
    listed = constructor.child_by_field_name("parameters")
    for parameter in listed.named_children if listed is not None else ():
        marks = [c.type for c in parameter.children]
        if "accessibility_modifier" in marks or "readonly" in marks or "override_modifier" in marks:
            name = parameter.child_by_field_name("pattern")
            if name is not None and name.type == "identifier":
                yield Member(file.text(name), file, name, parameter, env)


def _assigned(file: TsFile, body: Node, env: Env) -> Iterator[Member]:
    """Members that methods of a JavaScript class make by `this.x = ...`."""
    stack = list(body.named_children)
    seen: set[str] = set()
    while stack:
        node = stack.pop(0)
        if node.type in CLASSES:
            continue
        if node.type == "assignment_expression":
            left = node.child_by_field_name("left")
            owner = left.child_by_field_name("object") if left is not None else None
            name = left.child_by_field_name("property") if left is not None else None
            if owner is not None and owner.type == "this" and name is not None and file.text(name) not in seen:
                seen.add(file.text(name))
                yield Member(file.text(name), file, name, node, env)
        stack += node.named_children


def body_members(file: TsFile, node: Node, env: Env) -> tuple[list[Member], str]:
    """Members of an interface or an object type."""
    body = node if node.type == "object_type" else node.child_by_field_name("body")
    if body is None:
        return [], "no body"
    found: list[Member] = []
    reason = ""
    for child in body.named_children:
        if child.type == "index_signature":
            reason = "an index signature"
        elif child.type in ("property_signature", "method_signature"):
            name = child.child_by_field_name("name")
            text = member_name(file, name) if name is not None else ""
            if text and name is not None:
                found.append(Member(text, file, name, child, env))
            elif name is not None and "Symbol." not in file.text(name):
                reason = "a computed member"
        elif child.type in ("call_signature", "construct_signature"):
            reason = reason or "it can be called"
    return found, "it does not parse" if body.has_error else reason


def object_members(file: TsFile, node: Node) -> tuple[list[Member], list[Node]]:
    """(members, spreads) of an object literal."""
    found: list[Member] = []
    spreads: list[Node] = []
    for child in node.named_children:
        if child.type == "pair":
            key = child.child_by_field_name("key")
            text = member_name(file, key) if key is not None else ""
            if text and key is not None:
                found.append(Member(text, file, key, child))
            else:
                spreads.append(child)
        elif child.type == "method_definition":
            name = child.child_by_field_name("name")
            if name is not None:
                found.append(Member(member_name(file, name), file, name, child))
        elif child.type == "shorthand_property_identifier":
            found.append(Member(file.text(child), file, child, child))
        elif child.type != "comment":
            spreads.append(child)
    return found, spreads


def enum_members(file: TsFile, node: Node) -> list[Member]:
    """The members of an enumeration."""
    body = node.child_by_field_name("body")
    found: list[Member] = []
    for child in body.named_children if body is not None else ():
        name = child.child_by_field_name("name") if child.type == "enum_assignment" else child
        if name is not None and name.type in ("property_identifier", "string"):
            found.append(Member(member_name(file, name), file, name, node))
    return found


def enclosing_class(node: Node) -> Node | None:
    """The innermost class around a node."""
    at: Node | None = node
    while at is not None:
        if at.type in CLASSES:
            return at
        at = at.parent
    return None


def is_static(node: Node) -> bool:
    """Whether a member is one of the class itself."""
    return any(c.type == "static" for c in node.children)


def accessor(node: Node) -> str:
    """`get` or `set` of an accessor, else empty."""
    return next((c.type for c in node.children if c.type in ("get", "set")), "")


def function_of(parameter: Node) -> Node | None:
    """The function that a parameter belongs to."""
    listed = parameter.parent
    return listed.parent if listed is not None and listed.type == "formal_parameters" else None


def returns(body: Node) -> Iterator[Node]:
    """Return statements of a function's own body."""
    stack = [body]
    while stack:
        node = stack.pop()
        if node.type == "return_statement":
            yield node
        elif node.type not in FUNCTIONS and node.type not in CLASSES:
            stack += [
                c
                for c in node.named_children
                if "statement" in c.type or c.type.endswith(("_clause", "_body", "_case", "_default"))
            ]


def key_of(file: TsFile, step: Node) -> str:
    """The name that a step of a pattern or a literal is about, empty if it is computed."""
    if step.type == "pair_pattern":
        key = step.child_by_field_name("key")
        return member_name(file, key) if key is not None else ""
    if step.type == "object_assignment_pattern":
        left = step.child_by_field_name("left")
        return file.text(left) if left is not None else ""
    return file.text(step)


def flat(node: Node, kind: str) -> Iterator[Node]:
    """The operands of nested nodes of one kind (`a | b | c`), in order."""
    for child in node.named_children:
        if child.type == kind:
            yield from flat(child, kind)
        else:
            yield child


def namespaces(file: TsFile, name: str) -> Iterator[Node]:
    """Bodies of the namespaces of a name in a file."""
    for binding in file.scopes[0].names.get(name, ()):
        body = binding.declaration.child_by_field_name("body")
        if binding.how == "namespace" and body is not None:
            yield body
