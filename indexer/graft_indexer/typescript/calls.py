"""The types of what calls and `new` give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graft_indexer.typescript.declarations import accessor, is_static, returns
from graft_indexer.typescript.scopes import VALUE, TsFile
from graft_indexer.typescript.typ import DEEPEST, FUNCTIONS, UNKNOWN, Env, Found, Typ, some, united

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.typescript.types import Types

_ELEMENT: Final = frozenset(("find", "pop", "shift", "at", "findLast"))
_ITSELF: Final = frozenset(("filter", "slice", "concat", "reverse", "sort", "splice", "fill"))


def new(types: Types, file: TsFile, node: Node, depth: int) -> Found:
    """What `new` makes."""
    callee = node.child_by_field_name("constructor")
    if callee is None:
        return UNKNOWN
    given = node.child_by_field_name("type_arguments")
    arguments = [types.evaluate(file, a, (), depth + 1).typ for a in given.named_children] if given else []
    filled = tuple(a or Typ("ext", name="?") for a in arguments)
    found = types.infer(file, callee, depth + 1)
    if found.typ is not None and found.typ.kind == "class" and found.typ.file is not None and found.typ.node:
        return Found(types.instance(found.typ.file, found.typ.node, filled), found.reason)
    if found.typ is None and callee.type == "identifier" and not file.lookup(file.text(callee), callee.start_byte):
        return types.global_type(file.text(callee), filled)
    return UNKNOWN


def call(types: Types, file: TsFile, node: Node, depth: int) -> Found:
    """What a call gives: `import()`, `require`, methods of lists, else what the function returns."""
    callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if callee is None:
        return UNKNOWN
    if callee.type == "import" and arguments is not None and arguments.named_children:
        module, _ = types.world.module(file, file.string(arguments.named_children[0]))
        return Found(Typ("promise", args=(Typ("ns", module),))) if module is not None else UNKNOWN
    if callee.type == "identifier" and file.text(callee) == "require" and arguments is not None:
        first = arguments.named_children
        if first and first[0].type == "string" and not file.lookup("require", callee.start_byte):
            return _required(types, file, file.string(first[0]), depth)
    if callee.type == "member_expression":
        listed = _list_method(types, file, callee, arguments, depth)
        if listed is not None:
            return listed
    found = types.infer(file, callee, depth + 1)
    if found.typ is None or found.typ.kind != "fn":
        return UNKNOWN
    return returned(types, found, file, node, depth)


def _required(types: Types, file: TsFile, specifier: str, depth: int) -> Found:
    targets, reason = types.world.member_of_module(file, specifier, "*", VALUE)
    if not targets:
        return Found(None, reason)
    whole = targets[0].file.exports.get("export=")
    if whole is not None and targets[0].node is None and targets[0].binding is None:
        targets, why = types.world.exported(targets[0].file, whole, VALUE, 8)
        reason = reason or why
    found = types.value_of(targets[0], depth + 1) if targets else UNKNOWN
    return Found(found.typ, found.reason or reason)


def _list_method(types: Types, file: TsFile, callee: Node, arguments: Node | None, depth: int) -> Found | None:
    owner, name = callee.child_by_field_name("object"), callee.child_by_field_name("property")
    if owner is None or name is None:
        return None
    found = types.infer(file, owner, depth + 1)
    typ = found.typ
    text = file.text(name)
    if typ is None:
        return None
    if typ.kind == "ext" and typ.name in ("Map", "ReadonlyMap", "WeakMap") and len(typ.args) == 2:
        if text == "get":
            return Found(typ.args[1]) if typ.args[1].name != "?" else UNKNOWN
        if text in ("values", "keys"):
            return Found(Typ("array", args=(typ.args[text == "values"],)))
        return None
    if typ.kind != "array":
        return None
    if text in _ELEMENT:
        return types.element(found)
    if text in _ITSELF or text == "values":
        return found
    if text == "map" and arguments is not None and arguments.named_children:
        callback = arguments.named_children[0]
        if callback.type in ("arrow_function", "function_expression"):
            made = returned(types, Found(Typ("fn", file, callback)), file, None, depth)
            return Found(Typ("array", args=some(made.typ)), made.reason)
    return UNKNOWN


def returned(types: Types, found: Found, file: TsFile, call: Node | None, depth: int) -> Found:
    """The type of a call's result; `call` gives type arguments and arguments."""
    typ = found.typ
    if typ is None or typ.file is None or typ.node is None or depth > DEEPEST:
        return UNKNOWN
    function = typ.node
    reason = found.reason
    alternatives = overloads(types, typ)
    if len(alternatives) > 1:
        function, reason = alternatives[0], "overloads"
    annotation = function.child_by_field_name("return_type")
    env = (*_type_arguments(types, typ, function, file, call, depth), *typ.env)
    if annotation is not None:
        evaluated = types.evaluate(typ.file, annotation, env, depth + 1)
        return Found(evaluated.typ, evaluated.reason or reason)
    body = function.child_by_field_name("body")
    if body is None:
        return UNKNOWN
    made = result_of_body(types, typ.file, body, depth)
    if any(c.type == "async" for c in function.children) and made.typ is not None:
        made = Found(Typ("promise", args=(made.typ,)), made.reason)
    if any(c.type == "*" for c in function.children):
        return UNKNOWN
    return Found(made.typ, made.reason or reason)


def result_of_body(types: Types, file: TsFile, body: Node, depth: int) -> Found:
    """What all `return` statements of a body have in common."""
    if body.type != "statement_block":
        return types.infer(file, body, depth + 1)
    parts: list[Typ] = []
    reason = ""
    for statement in returns(body):
        inner = statement.named_children
        if not inner or file.text(inner[0]) in ("null", "undefined"):
            continue
        found = types.infer(file, inner[0], depth + 1)
        if found.typ is None:
            return UNKNOWN
        reason = reason or found.reason
        if found.typ not in parts:
            parts.append(found.typ)
    return united(parts, reason)


def _type_arguments(types: Types, typ: Typ, function: Node, file: TsFile, call: Node | None, depth: int) -> Env:
    """Type parameters of a function for one call: given, or the type of the argument that has just that type."""
    listed = function.child_by_field_name("type_parameters")
    if listed is None or call is None or typ.file is None:
        return ()
    names = [typ.file.text(n) for c in listed.named_children if (n := c.child_by_field_name("name")) is not None]
    given = call.child_by_field_name("type_arguments")
    if given is not None:
        evaluated = [types.evaluate(file, a, (), depth + 1).typ for a in given.named_children]
        return tuple((n, t or Typ("ext", name="?")) for n, t in zip(names, evaluated, strict=False))
    parameters, arguments = function.child_by_field_name("parameters"), call.child_by_field_name("arguments")
    if parameters is None or arguments is None or arguments.type != "arguments":
        return ()
    pairs = zip(parameters.named_children, [a for a in arguments.named_children if a.type != "comment"], strict=False)
    env: dict[str, Typ] = {}
    for parameter, argument in pairs:
        annotation = parameter.child_by_field_name("type")
        text = typ.file.text(annotation).lstrip(": ").strip() if annotation is not None else ""
        plain, listing = text in names, text.endswith("[]") and text[:-2] in names
        if (plain or listing) and argument.type != "spread_element":
            found = types.infer(file, argument, depth + 1).typ
            if found is not None and listing:
                found = found.args[0] if found.kind == "array" and found.args else None
            if found is not None and found.kind != "prim":
                env.setdefault(text.removesuffix("[]"), found)
    return tuple(env.items())


def overloads(types: Types, typ: Typ) -> list[Node]:
    """The signatures of a function that callers see, in order; the one node where there are no overloads."""
    if typ.file is None or typ.node is None:
        return []
    node = typ.node
    name = node.child_by_field_name("name")
    if name is None or node.type in ("arrow_function", "function_expression", "function_type"):
        return [node]
    if node.type in ("function_declaration", "function_signature"):
        bindings = typ.file.lookup(typ.file.text(name), node.start_byte)
        same = [b.declaration for b in bindings if b.how == "function"]
    else:
        same = same_methods(types, typ.file, node)
    signatures = [n for n in same if n.child_by_field_name("body") is None]
    return signatures if len(same) > 1 and signatures else same or [node]


def same_methods(types: Types, file: TsFile, node: Node) -> list[Node]:
    """All declarations of a method beside one of them."""
    parent, name = node.parent, node.child_by_field_name("name")
    if parent is None or name is None:
        return [node]
    text, static = file.text(name), is_static(node)
    return [
        c
        for c in parent.named_children
        if c.type in FUNCTIONS and (n := c.child_by_field_name("name")) is not None
        and file.text(n) == text and is_static(c) == static and accessor(c) == accessor(node)
    ]  # fmt: skip
