"""What an expression or a type annotation is: types by declaration, without checking.

A `Typ` names the declaration that says what a value's members are.  Everything that would need a real checker
(conditional and mapped types, overloads, generic inference beyond a plain parameter) is left open: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from graft_indexer.typescript.scopes import TYPE, VALUE, Binding, TsFile
from graft_indexer.typescript.world import Target, TsWorld

if TYPE_CHECKING:
    from tree_sitter import Node

DEEPEST: Final = 14
FUNCTIONS: Final = frozenset(
    (
        "function_declaration", "function_expression", "generator_function", "generator_function_declaration",
        "arrow_function", "method_definition", "function_signature", "method_signature", "abstract_method_signature",
        "call_signature", "function_type",
    )
)  # fmt: skip
CLASSES: Final = frozenset(("class_declaration", "abstract_class_declaration", "class"))
PREDEFINED: Final = frozenset(("bigint", "intrinsic", "undefined", "null", "object", "symbol", "never"))
"""Types of the language that its grammar reads as names."""
_LISTS: Final = frozenset(
    (
        "Array",
        "ReadonlyArray",
        "Set",
        "ReadonlySet",
        "Iterable",
        "IterableIterator",
        "ArrayLike",
        "Iterator",
        "Generator",
    )
)
_SAME: Final = frozenset(("Partial", "Readonly", "Required", "NonNullable", "Awaited", "DeepPartial"))
_ELEMENT: Final = frozenset(("find", "pop", "shift", "at", "findLast"))
_CALLBACK: Final = frozenset(
    ("map", "filter", "forEach", "some", "every", "find", "findIndex", "flatMap", "findLast", "findLastIndex", "sort")
)
_ITSELF: Final = frozenset(("filter", "slice", "concat", "reverse", "sort", "splice", "fill"))


@dataclass(frozen=True, slots=True)
class Typ:
    """A type.  `kind`: inst (of a class or interface), class (its static side), obj (an object type or literal), fn,
    ns (a module), nsdecl, enum, enumval, array, promise, union, inter, ext (declared outside), tparam, prim."""

    kind: str
    file: TsFile | None = None
    node: Node | None = None
    args: tuple[Typ, ...] = ()
    name: str = ""
    env: tuple[tuple[str, Typ], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A type, None if it is not known, and why it may not be exactly that (empty if it is)."""

    typ: Typ | None
    reason: str = ""


UNKNOWN: Final = Found(None, "the type is not known")
Env = tuple[tuple[str, Typ], ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a type: the node that names it, the node that declares it, and the owner's type parameters."""

    name: str
    file: TsFile
    node: Node
    declaration: Node
    env: Env = ()
    static: bool = False


def prim(name: str) -> Found:
    """A primitive type."""
    return Found(Typ("prim", name=name))


class Types:
    """Inference over a world; every answer is bounded in depth."""

    def __init__(self, world: TsWorld) -> None:
        self.world = world

    # -- annotations --------------------------------------------------------------------------------------------------
    def evaluate(self, file: TsFile, node: Node, env: Env = (), depth: int = 0) -> Found:
        """The type that a type node names."""
        if depth > DEEPEST:
            return UNKNOWN
        kind = node.type
        match kind:
            case "type_annotation" | "parenthesized_type" | "readonly_type" | "optional_type" | "rest_type":
                inner = node.named_children
                return self.evaluate(file, inner[0], env, depth + 1) if inner else UNKNOWN
            case "predefined_type":
                text = file.text(node)
                return UNKNOWN if text in ("any", "unknown", "object") else prim(text)
            case "type_identifier" if file.text(node) in PREDEFINED:
                return prim(file.text(node))
            case "type_identifier" | "identifier":
                return self._named_type(file, node, file.text(node), (), env, depth)
            case "generic_type":
                return self._generic(file, node, env, depth)
            case "nested_type_identifier":
                return self._nested_type(file, node, (), env, depth)
            case "array_type":
                inner = node.named_children
                element = self.evaluate(file, inner[0], env, depth + 1) if inner else UNKNOWN
                return Found(Typ("array", args=_some(element.typ)), element.reason)
            case "tuple_type":
                return Found(Typ("array"), "a tuple")
            case "union_type":
                return self._union(file, node, env, depth)
            case "intersection_type":
                parts = [self.evaluate(file, c, env, depth + 1) for c in node.named_children]
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
                return self.infer(file, inner[0], depth + 1) if inner else UNKNOWN
            case "lookup_type":
                return self._lookup_type(file, node, env, depth)
            case "this_type":
                found = self._this(file, node)
                return Found(found.typ, found.reason or "the receiver's own type")
            case "type_predicate" | "type_predicate_annotation" | "asserts_annotation":
                return prim("boolean")
        return UNKNOWN

    def _generic(self, file: TsFile, node: Node, env: Env, depth: int) -> Found:
        name, given = node.child_by_field_name("name"), node.child_by_field_name("type_arguments")
        if name is None:
            return UNKNOWN
        arguments: list[Typ] = []
        for child in given.named_children if given is not None else ():
            found = self.evaluate(file, child, env, depth + 1)
            arguments.append(found.typ or Typ("ext", name="?"))
        if name.type == "nested_type_identifier":
            return self._nested_type(file, name, tuple(arguments), env, depth)
        return self._named_type(file, name, file.text(name), tuple(arguments), env, depth)

    def _named_type(
        self, file: TsFile, node: Node, name: str, arguments: tuple[Typ, ...], env: Env, depth: int
    ) -> Found:
        targets, reason = self.world.resolve(file, name, node.start_byte, TYPE)
        if not targets and not reason:
            return self._global_type(name, arguments)
        return self._type_of_targets(targets, reason, name, arguments, env, depth)

    def _global_type(self, name: str, arguments: tuple[Typ, ...]) -> Found:
        if name in _LISTS:
            return Found(Typ("array", args=arguments[:1], name=name))
        if name in ("Promise", "PromiseLike"):
            return Found(Typ("promise", args=arguments[:1]))
        if name in _SAME and arguments and arguments[0].name != "?":
            return Found(arguments[0], "a utility type")
        return Found(Typ("ext", args=arguments, name=name), "declared outside")

    def _type_of_targets(
        self, targets: list[Target], reason: str, name: str, arguments: tuple[Typ, ...], env: Env, depth: int
    ) -> Found:
        for target in targets:
            binding = target.binding
            if binding is None:
                if target.node is not None and target.node.type in CLASSES:
                    return Found(self._instance(target.file, target.node, arguments), reason)
                continue
            declaration = binding.declaration
            match binding.how:
                case "class" | "self" | "interface":
                    return Found(self._instance(target.file, declaration, arguments), reason)
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
                    inner = _bound(target.file, declaration, arguments)
                    found = self.evaluate(target.file, value, inner, depth + 1)
                    return Found(found.typ, found.reason or reason)
        return Found(None, reason or "the type is not known")

    def _instance(self, file: TsFile, declaration: Node, arguments: tuple[Typ, ...]) -> Typ:
        return Typ("inst", file, declaration, env=_bound(file, declaration, arguments))

    def _nested_type(self, file: TsFile, node: Node, arguments: tuple[Typ, ...], env: Env, depth: int) -> Found:
        name = node.child_by_field_name("name")
        targets, reason = self.nested_targets(file, node, depth)
        return self._type_of_targets(targets, reason, file.text(name) if name else "", arguments, env, depth)

    def nested_targets(self, file: TsFile, node: Node, depth: int = 0) -> tuple[list[Target], str]:
        """What `a.b.C` in a type means."""
        outer, name = node.child_by_field_name("module"), node.child_by_field_name("name")
        if outer is None or name is None or depth > DEEPEST:
            return [], "not understood"
        owner = self.infer(file, outer, depth + 1)
        if owner.typ is None:
            return [], owner.reason
        return self.targets_in(owner.typ, file.text(name), TYPE)

    def targets_in(self, typ: Typ, name: str, meaning: int) -> tuple[list[Target], str]:
        """What a module or namespace has under a name."""
        if typ.kind == "ns" and typ.file is not None:
            return self.world.export(typ.file, name, meaning)
        if typ.kind == "nsdecl" and typ.file is not None and typ.node is not None:
            found: list[Target] = []
            for body in _namespaces(typ.file, typ.name or ""):
                scope = typ.file.scope_at(body.start_byte + 1)
                found += [Target(typ.file, b) for b in scope.names.get(name, ()) if b.space & meaning]
            return found, "a namespace may go on elsewhere"
        return [], "not a module"

    def _union(self, file: TsFile, node: Node, env: Env, depth: int) -> Found:
        parts: list[Typ] = []
        reason = ""
        for child in _flat(node, "union_type"):
            if file.text(child) in ("null", "undefined", "void", "never"):
                continue
            found = self.evaluate(file, child, env, depth + 1)
            reason = reason or found.reason
            if found.typ is None:
                reason = reason or "a union"
            elif found.typ not in parts:
                parts.append(found.typ)
        return _united(parts, reason)

    def _lookup_type(self, file: TsFile, node: Node, env: Env, depth: int) -> Found:
        parts = node.named_children
        if len(parts) != 2:
            return UNKNOWN
        owner = self.evaluate(file, parts[0], env, depth + 1)
        key = file.text(parts[1])
        if owner.typ is None:
            return owner
        if key[:1] in "\"'":
            return self.member_type(owner, key.strip("\"'"), depth)
        if key == "number" and owner.typ.kind == "array" and owner.typ.args:
            return Found(owner.typ.args[0], owner.reason)
        return UNKNOWN

    # -- expressions --------------------------------------------------------------------------------------------------
    def infer(self, file: TsFile, node: Node, depth: int = 0) -> Found:
        """The type of an expression."""
        key = ("infer", node.id)
        known = file.memo.get(key)
        if known is None:
            file.memo[key] = UNKNOWN  # While it is being inferred: a circle ends here.
            known = self._infer(file, node, depth) if depth <= DEEPEST else UNKNOWN
            if depth > DEEPEST // 2:
                file.memo.pop(key, None)
                return known
            file.memo[key] = known
        found: Found = known
        return found

    def _infer(self, file: TsFile, node: Node, depth: int) -> Found:
        kind = node.type
        match kind:
            case "identifier" | "shorthand_property_identifier":
                return self._identifier(file, node, depth)
            case "this":
                return self._this(file, node)
            case "super":
                cls = enclosing_class(node)
                base = self.base_of(file, cls, depth) if cls is not None else None
                return base or UNKNOWN
            case "parenthesized_expression" | "non_null_expression":
                inner = node.named_children
                return self.infer(file, inner[0], depth + 1) if inner else UNKNOWN
            case "as_expression" | "satisfies_expression":
                parts = node.named_children
                if len(parts) < 2 or kind == "satisfies_expression":
                    return self.infer(file, parts[0], depth + 1) if parts else UNKNOWN
                return self.evaluate(file, parts[1], (), depth + 1)
            case "type_assertion":
                parts = node.named_children
                if len(parts) == 2 and parts[0].named_children:
                    return self.evaluate(file, parts[0].named_children[0], (), depth + 1)
            case "member_expression" | "nested_identifier":
                return self._member(file, node, depth)
            case "subscript_expression":
                return self._subscript(file, node, depth)
            case "call_expression":
                return self._call(file, node, depth)
            case "new_expression":
                return self._new(file, node, depth)
            case "await_expression":
                inner = node.named_children
                found = self.infer(file, inner[0], depth + 1) if inner else UNKNOWN
                if found.typ is not None and found.typ.kind == "promise":
                    return Found(found.typ.args[0], found.reason) if found.typ.args else UNKNOWN
                return found
            case "ternary_expression":
                branches = (node.child_by_field_name("consequence"), node.child_by_field_name("alternative"))
                return self._either(file, [b for b in branches if b is not None], depth)
            case "binary_expression":
                return self._binary(file, node, depth)
            case "assignment_expression":
                right = node.child_by_field_name("right")
                return self.infer(file, right, depth + 1) if right is not None else UNKNOWN
            case "object":
                return Found(Typ("obj", file, node))
            case "array":
                first = next((c for c in node.named_children if c.type not in ("spread_element", "comment")), None)
                element = self.infer(file, first, depth + 1) if first is not None else UNKNOWN
                return Found(Typ("array", args=_some(element.typ)), element.reason)
            case "string" | "template_string":
                return prim("string")
            case "number":
                return prim("number")
            case "true" | "false":
                return prim("boolean")
            case "regex":
                return Found(Typ("ext", name="RegExp"), "declared outside")
            case "class":
                return Found(Typ("class", file, node))
        if kind in FUNCTIONS:
            return Found(Typ("fn", file, node))
        return UNKNOWN

    def _either(self, file: TsFile, nodes: list[Node], depth: int) -> Found:
        parts: list[Typ] = []
        reason = ""
        for node in nodes:
            if file.text(node) in ("null", "undefined"):
                continue
            found = self.infer(file, node, depth + 1)
            reason = reason or found.reason
            if found.typ is not None and found.typ not in parts:
                parts.append(found.typ)
        return _united(parts, reason)

    def _binary(self, file: TsFile, node: Node, depth: int) -> Found:
        operator = node.child_by_field_name("operator")
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if operator is None or left is None or right is None:
            return UNKNOWN
        if operator.type in ("||", "??"):
            return self._either(file, [left, right], depth)
        if operator.type == "&&":
            return self.infer(file, right, depth + 1)
        if operator.type in ("===", "!==", "==", "!=", "<", ">", "<=", ">=", "instanceof", "in"):
            return prim("boolean")
        return prim("number") if operator.type in ("-", "*", "/", "%", "**") else UNKNOWN

    def _identifier(self, file: TsFile, node: Node, depth: int) -> Found:
        targets, reason = self.world.resolve(file, file.text(node), node.start_byte, VALUE)
        for target in targets:
            found = self.value_of(target, depth)
            return Found(found.typ, found.reason or reason)
        return Found(None, reason or "the name is not known")

    def value_of(self, target: Target, depth: int = 0) -> Found:
        """The type of what a name means as a value."""
        file, binding = target.file, target.binding
        if binding is None:
            if target.node is None:
                return Found(Typ("ns", file))
            if target.node.type in CLASSES:
                return Found(Typ("class", file, target.node))
            return self.infer(file, target.node, depth + 1)
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
                return self.variable(file, binding, depth)
        return UNKNOWN

    def variable(self, file: TsFile, binding: Binding, depth: int = 0) -> Found:
        """The declared or initial type of a variable or parameter."""
        key = ("variable", binding.node.id)
        known: Found | None = file.memo.get(key)
        if known is None:
            file.memo[key] = UNKNOWN
            known = self._variable(file, binding, depth) if depth <= DEEPEST else UNKNOWN
            if depth > DEEPEST // 2:
                file.memo.pop(key, None)
                return known
            file.memo[key] = known
        return known

    def _variable(self, file: TsFile, binding: Binding, depth: int) -> Found:
        declaration = binding.declaration
        whole = self._declared_value(file, declaration, depth)
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
                    name = _key_of(file, step)
                    if step.type == "rest_pattern" or not name:
                        return UNKNOWN
                    found = self.member_type(found, name, depth + 1)
                case "array_pattern":
                    found = self._element(found) if step.type != "rest_pattern" else UNKNOWN
            outer = step
        return found

    def _declared_value(self, file: TsFile, declaration: Node, depth: int) -> Found:
        annotation = declaration.child_by_field_name("type")
        kind = declaration.type
        if annotation is not None and kind != "for_in_statement":
            return self.evaluate(file, annotation, (), depth + 1)
        if kind == "for_in_statement":
            operator, right = declaration.child_by_field_name("operator"), declaration.child_by_field_name("right")
            if operator is None or operator.type == "in" or right is None:
                return prim("string")
            return self._element(self.infer(file, right, depth + 1))
        value = declaration.child_by_field_name("value")
        if value is not None:
            return self.infer(file, value, depth + 1)
        if kind in ("required_parameter", "optional_parameter", "arrow_function"):
            return self._from_context(file, declaration, depth)
        return UNKNOWN

    def _element(self, found: Found) -> Found:
        typ = found.typ
        if typ is None or typ.kind != "array" or not typ.args or typ.args[0].name == "?":
            return UNKNOWN
        return Found(typ.args[0], found.reason)

    def _from_context(self, file: TsFile, parameter: Node, depth: int) -> Found:
        """The type of a parameter without annotation, from the function that its function is given to."""
        function = parameter if parameter.type == "arrow_function" else _function_of(parameter)
        if (
            function is None
            or function.parent is None
            or function.type not in ("arrow_function", "function_expression")
        ):
            return UNKNOWN
        listed = function.child_by_field_name("parameters")
        index = 0
        if parameter.type != "arrow_function" and listed is not None:
            index = next((i for i, c in enumerate(listed.named_children) if c.id == parameter.id), 0)
        parent = function.parent
        if parent.type == "arguments" and parent.parent is not None:
            callee = parent.parent.child_by_field_name("function")
            place = next((i for i, c in enumerate(parent.named_children) if c.id == function.id), 0)
            return self._callback(file, callee, place, index, depth) if callee is not None else UNKNOWN
        annotation = (
            parent.child_by_field_name("type")
            if parent.type in ("variable_declarator", "public_field_definition")
            else None
        )
        if annotation is None:
            return UNKNOWN
        wanted = self.evaluate(file, annotation, (), depth + 1)
        return self._parameter(wanted, index, depth)

    def _callback(self, file: TsFile, callee: Node, place: int, index: int, depth: int) -> Found:
        """The type of parameter `index` of a function that is argument `place` of a call."""
        if callee.type == "member_expression":
            owner, name = callee.child_by_field_name("object"), callee.child_by_field_name("property")
            if owner is not None and name is not None and file.text(name) in _CALLBACK and place == 0:
                element = self._element(self.infer(file, owner, depth + 1))
                if element.typ is not None and (index == 0 or file.text(name) == "sort"):
                    return element
        found = self.infer(file, callee, depth + 1)
        given = self._parameter(found, place, depth)
        return self._parameter(given, index, depth) if given.typ is not None else UNKNOWN

    def _parameter(self, found: Found, index: int, depth: int) -> Found:
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
        evaluated = self.evaluate(typ.file, annotation, typ.env, depth + 1)
        return Found(evaluated.typ, evaluated.reason or found.reason)

    def _this(self, file: TsFile, node: Node) -> Found:
        at: Node | None = node
        while at is not None:
            parent = at.parent
            if parent is None:
                break
            if at.type in ("method_definition", "public_field_definition", "class_static_block"):
                static = at.type == "class_static_block" or any(c.type == "static" for c in at.children)
                if parent.type == "class_body" and parent.parent is not None:
                    return Found(Typ("class" if static else "inst", file, parent.parent, env=()))
                if parent.type == "object":
                    return Found(Typ("obj", file, parent), "an object's method may be called on another")
            if at.type in CLASSES or at.type == "interface_declaration":
                return Found(Typ("inst", file, at))
            if at.type in ("function_declaration", "function_expression", "generator_function"):
                return UNKNOWN
            at = parent
        return UNKNOWN

    def base_of(self, file: TsFile, cls: Node, depth: int = 0) -> Found | None:
        """The base class of a class as an instance; None if it has none."""
        for child in cls.named_children:
            if child.type != "class_heritage":
                continue
            for clause in child.named_children:
                if clause.type != "extends_clause":
                    continue
                value = clause.child_by_field_name("value")
                if value is None:
                    return UNKNOWN
                found = self.infer(file, value, depth + 1)
                if found.typ is None or found.typ.kind != "class" or found.typ.file is None or found.typ.node is None:
                    return Found(None, found.reason or "a base class that is not known")
                given = clause.child_by_field_name("type_arguments")
                arguments = [self.evaluate(file, a, (), depth + 1).typ for a in given.named_children] if given else []
                filled = tuple(a or Typ("ext", name="?") for a in arguments)
                return Found(self._instance(found.typ.file, found.typ.node, filled), found.reason)
        return None

    def _member(self, file: TsFile, node: Node, depth: int) -> Found:
        owner, name = node.child_by_field_name("object"), node.child_by_field_name("property")
        if owner is None or name is None:
            return UNKNOWN
        return self.member_type(self.infer(file, owner, depth + 1), file.text(name), depth)

    def _subscript(self, file: TsFile, node: Node, depth: int) -> Found:
        owner, index = node.child_by_field_name("object"), node.child_by_field_name("index")
        if owner is None or index is None:
            return UNKNOWN
        found = self.infer(file, owner, depth + 1)
        if index.type == "string":
            return self.member_type(found, file.string(index), depth)
        element = self._element(found)
        return element if element.typ is not None and index.type != "string" else UNKNOWN

    def _new(self, file: TsFile, node: Node, depth: int) -> Found:
        callee = node.child_by_field_name("constructor")
        if callee is None:
            return UNKNOWN
        given = node.child_by_field_name("type_arguments")
        arguments = [self.evaluate(file, a, (), depth + 1).typ for a in given.named_children] if given else []
        filled = tuple(a or Typ("ext", name="?") for a in arguments)
        found = self.infer(file, callee, depth + 1)
        if found.typ is not None and found.typ.kind == "class" and found.typ.file is not None and found.typ.node:
            return Found(self._instance(found.typ.file, found.typ.node, filled), found.reason)
        if found.typ is None and callee.type == "identifier" and not file.lookup(file.text(callee), callee.start_byte):
            return self._global_type(file.text(callee), filled)
        return UNKNOWN

    def _call(self, file: TsFile, node: Node, depth: int) -> Found:
        callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if callee is None:
            return UNKNOWN
        if callee.type == "import" and arguments is not None and arguments.named_children:
            module, _ = self.world.module(file, file.string(arguments.named_children[0]))
            return Found(Typ("promise", args=(Typ("ns", module),))) if module is not None else UNKNOWN
        if callee.type == "identifier" and file.text(callee) == "require" and arguments is not None:
            first = arguments.named_children
            if first and first[0].type == "string" and not file.lookup("require", callee.start_byte):
                return self._required(file, file.string(first[0]), depth)
        if callee.type == "member_expression":
            listed = self._list_method(file, callee, arguments, depth)
            if listed is not None:
                return listed
        found = self.infer(file, callee, depth + 1)
        if found.typ is None or found.typ.kind != "fn":
            return UNKNOWN
        return self.returned(found, file, node, depth)

    def _required(self, file: TsFile, specifier: str, depth: int) -> Found:
        targets, reason = self.world.member_of_module(file, specifier, "*", VALUE)
        if not targets:
            return Found(None, reason)
        whole = targets[0].file.exports.get("export=")
        if whole is not None and targets[0].node is None and targets[0].binding is None:
            targets, why = self.world.exported(targets[0].file, whole, VALUE, 8)
            reason = reason or why
        found = self.value_of(targets[0], depth + 1) if targets else UNKNOWN
        return Found(found.typ, found.reason or reason)

    def _list_method(self, file: TsFile, callee: Node, arguments: Node | None, depth: int) -> Found | None:
        owner, name = callee.child_by_field_name("object"), callee.child_by_field_name("property")
        if owner is None or name is None:
            return None
        found = self.infer(file, owner, depth + 1)
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
            return self._element(found)
        if text in _ITSELF or text == "values":
            return found
        if text == "map" and arguments is not None and arguments.named_children:
            callback = arguments.named_children[0]
            if callback.type in ("arrow_function", "function_expression"):
                made = self.returned(Found(Typ("fn", file, callback)), file, None, depth)
                return Found(Typ("array", args=_some(made.typ)), made.reason)
        return UNKNOWN

    def returned(self, found: Found, file: TsFile, call: Node | None, depth: int) -> Found:
        """The type of a call's result; `call` gives type arguments and arguments."""
        typ = found.typ
        if typ is None or typ.file is None or typ.node is None or depth > DEEPEST:
            return UNKNOWN
        function = typ.node
        reason = found.reason
        alternatives = self.overloads(typ)
        if len(alternatives) > 1:
            function, reason = alternatives[0], "overloads"
        annotation = function.child_by_field_name("return_type")
        env = (*self._type_arguments(typ, function, file, call, depth), *typ.env)
        if annotation is not None:
            evaluated = self.evaluate(typ.file, annotation, env, depth + 1)
            return Found(evaluated.typ, evaluated.reason or reason)
        body = function.child_by_field_name("body")
        if body is None:
            return UNKNOWN
        made = self._result_of_body(typ.file, body, depth)
        if any(c.type == "async" for c in function.children) and made.typ is not None:
            made = Found(Typ("promise", args=(made.typ,)), made.reason)
        if any(c.type == "*" for c in function.children):
            return UNKNOWN
        return Found(made.typ, made.reason or reason)

    def _result_of_body(self, file: TsFile, body: Node, depth: int) -> Found:
        if body.type != "statement_block":
            return self.infer(file, body, depth + 1)
        parts: list[Typ] = []
        reason = ""
        for statement in _returns(body):
            inner = statement.named_children
            if not inner or file.text(inner[0]) in ("null", "undefined"):
                continue
            found = self.infer(file, inner[0], depth + 1)
            if found.typ is None:
                return UNKNOWN
            reason = reason or found.reason
            if found.typ not in parts:
                parts.append(found.typ)
        return _united(parts, reason)

    def _type_arguments(self, typ: Typ, function: Node, file: TsFile, call: Node | None, depth: int) -> Env:
        """Type parameters of a function for one call: given, or the type of the argument that has just that type."""
        listed = function.child_by_field_name("type_parameters")
        if listed is None or call is None or typ.file is None:
            return ()
        names = [typ.file.text(n) for c in listed.named_children if (n := c.child_by_field_name("name")) is not None]
        given = call.child_by_field_name("type_arguments")
        if given is not None:
            evaluated = [self.evaluate(file, a, (), depth + 1).typ for a in given.named_children]
            return tuple((n, t or Typ("ext", name="?")) for n, t in zip(names, evaluated, strict=False))
        parameters, arguments = function.child_by_field_name("parameters"), call.child_by_field_name("arguments")
        if parameters is None or arguments is None or arguments.type != "arguments":
            return ()
        pairs = zip(
            parameters.named_children, [a for a in arguments.named_children if a.type != "comment"], strict=False
        )
        env: dict[str, Typ] = {}
        for parameter, argument in pairs:
            annotation = parameter.child_by_field_name("type")
            text = typ.file.text(annotation).lstrip(": ").strip() if annotation is not None else ""
            plain, listing = text in names, text.endswith("[]") and text[:-2] in names
            if (plain or listing) and argument.type != "spread_element":
                found = self.infer(file, argument, depth + 1).typ
                if found is not None and listing:
                    found = found.args[0] if found.kind == "array" and found.args else None
                if found is not None and found.kind != "prim":
                    env.setdefault(text.removesuffix("[]"), found)
        return tuple(env.items())

    def overloads(self, typ: Typ) -> list[Node]:
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
            same = self.same_methods(typ.file, node)
        signatures = [n for n in same if n.child_by_field_name("body") is None]
        return signatures if len(same) > 1 and signatures else same or [node]

    def same_methods(self, file: TsFile, node: Node) -> list[Node]:
        """All declarations of a method beside one of them."""
        parent, name = node.parent, node.child_by_field_name("name")
        if parent is None or name is None:
            return [node]
        text, static = file.text(name), _is_static(node)
        return [
            c
            for c in parent.named_children
            if c.type in FUNCTIONS and (n := c.child_by_field_name("name")) is not None
            and file.text(n) == text and _is_static(c) == static and _accessor(c) == _accessor(node)
        ]  # fmt: skip

    # -- what is expected ---------------------------------------------------------------------------------------------
    def expected(self, file: TsFile, node: Node, depth: int = 0) -> Found:
        """The declared type of the place where an expression stands: an annotation, a parameter, a return type."""
        parent = node.parent
        if parent is None or depth > DEEPEST:
            return UNKNOWN
        match parent.type:
            case "parenthesized_expression" | "ternary_expression":
                return self.expected(file, parent, depth + 1)
            case "variable_declarator" | "public_field_definition" | "required_parameter" | "optional_parameter":
                annotation = parent.child_by_field_name("type")
                return self.evaluate(file, annotation, (), depth + 1) if annotation is not None else UNKNOWN
            case "assignment_expression":
                left = parent.child_by_field_name("left")
                return self.infer(file, left, depth + 1) if left is not None and left.id != node.id else UNKNOWN
            case "as_expression" | "satisfies_expression":
                parts = parent.named_children
                return self.evaluate(file, parts[1], (), depth + 1) if len(parts) > 1 else UNKNOWN
            case "pair":
                key, outer = parent.child_by_field_name("key"), parent.parent
                if key is None or outer is None:
                    return UNKNOWN
                return self.member_type(self.expected(file, outer, depth + 1), member_name(file, key), depth + 1)
            case "array":
                return self._element(self.expected(file, parent, depth + 1))
            case "arguments" if parent.parent is not None:
                call = parent.parent
                place = next((i for i, c in enumerate(parent.named_children) if c.id == node.id), 0)
                callee = call.child_by_field_name("function")
                if callee is not None:
                    return self._parameter(self.infer(file, callee, depth + 1), place, depth)
                return self._constructor_parameter(file, call, place, depth)
            case "return_statement":
                function: Node | None = parent
                while function is not None and function.type not in FUNCTIONS:
                    function = function.parent
                annotation = function.child_by_field_name("return_type") if function is not None else None
                found = self.evaluate(file, annotation, (), depth + 1) if annotation is not None else UNKNOWN
                if found.typ is not None and found.typ.kind == "promise":
                    return Found(found.typ.args[0], found.reason) if found.typ.args else UNKNOWN
                return found
            case "arrow_function":
                annotation = parent.child_by_field_name("return_type")
                return self.evaluate(file, annotation, (), depth + 1) if annotation is not None else UNKNOWN
        return UNKNOWN

    def _constructor_parameter(self, file: TsFile, call: Node, place: int, depth: int) -> Found:
        callee = call.child_by_field_name("constructor")
        found = self.infer(file, callee, depth + 1) if callee is not None else UNKNOWN
        typ = found.typ
        if typ is None or typ.kind != "class" or typ.file is None or typ.node is None:
            return UNKNOWN
        body = typ.node.child_by_field_name("body")
        for child in body.named_children if body is not None else ():
            name = child.child_by_field_name("name")
            if child.type == "method_definition" and name is not None and typ.file.text(name) == "constructor":
                return self._parameter(Found(Typ("fn", typ.file, child)), place, depth)
        return UNKNOWN

    def destructured(self, file: TsFile, binding: Binding) -> list[Member]:
        """The members that a name in an object pattern takes its value from."""
        step = binding.node
        while step.parent is not None and step.parent.type == "object_assignment_pattern":
            step = step.parent
        return self._taken(file, step, binding.name)

    def keyed(self, file: TsFile, pair: Node) -> list[Member]:
        """The members that the key of a pattern names."""
        key = pair.child_by_field_name("key")
        return self._taken(file, pair, member_name(file, key)) if key is not None else []

    def _taken(self, file: TsFile, step: Node, name: str) -> list[Member]:
        outer = step.parent
        if outer is None or outer.type != "object_pattern" or outer.parent is None:
            return []
        if outer.parent.type in ("pair_pattern", "array_pattern", "assignment_pattern"):
            return []
        found = self._declared_value(file, outer.parent, 0)
        return self.members_named(found.typ, name)[0] if found.typ is not None else []

    # -- members ------------------------------------------------------------------------------------------------------
    def member_type(self, owner: Found, name: str, depth: int = 0) -> Found:
        """The type of `owner.name`."""
        if owner.typ is None or depth > DEEPEST:
            return UNKNOWN
        typ = owner.typ
        if typ.kind in ("ns", "nsdecl"):
            targets, reason = self.targets_in(typ, name, VALUE)
            if not targets:
                return Found(None, reason or "not exported")
            found = self.value_of(targets[0], depth + 1)
            return Found(found.typ, found.reason or reason)
        members, reason = self.members_named(typ, name, depth)
        if not members:
            return Found(None, reason or owner.reason or "no such member")
        found = self.type_of_member(members[0], depth)
        several = "several types declare it" if len(members) > 1 and typ.kind in ("union", "inter") else ""
        return Found(found.typ, found.reason or owner.reason or several)

    def type_of_member(self, member: Member, depth: int = 0) -> Found:
        """The type that a member is declared with."""
        file, node = member.file, member.declaration
        kind = node.type
        if kind in FUNCTIONS:
            if _accessor(node) == "get":
                annotation = node.child_by_field_name("return_type")
                if annotation is not None:
                    return self.evaluate(file, annotation, member.env, depth + 1)
                body = node.child_by_field_name("body")
                return self._result_of_body(file, body, depth + 1) if body is not None else UNKNOWN
            return Found(Typ("fn", file, node, env=member.env))
        if kind in ("enum_declaration",):
            return Found(Typ("enumval", file, node))
        annotation = node.child_by_field_name("type")
        if annotation is not None:
            return self.evaluate(file, annotation, member.env, depth + 1)
        if kind == "shorthand_property_identifier":
            return self.infer(file, node, depth + 1)
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
        return self.infer(file, value, depth + 1) if value is not None else UNKNOWN

    def members_named(self, typ: Typ, name: str, depth: int = 0) -> tuple[list[Member], str]:
        """Members of that name, the nearest class's only; nothing and no reason: there is none."""
        found: list[Member] = []
        reason = ""
        for members, why in self.layers(typ, depth):
            reason = reason or why
            found += [m for m in members if m.name == name]
            if found and typ.kind not in ("union", "inter"):
                return found, reason
        return found, reason

    def members(self, typ: Typ) -> tuple[dict[str, Member], str]:
        """All members by name, and why there may be more."""
        table: dict[str, Member] = {}
        reason = ""
        for members, why in self.layers(typ, 0):
            reason = reason or why
            for member in members:
                table.setdefault(member.name, member)
        return table, reason

    def layers(self, typ: Typ, depth: int) -> Iterator[tuple[list[Member], str]]:
        """(own members, why there may be more) of a type, then of its bases."""
        if depth > DEEPEST:
            yield [], "nested too deeply"
            return
        file, node = typ.file, typ.node
        match typ.kind:
            case "inst" | "class" if file is not None and node is not None:
                yield from self._class_layers(typ, file, node, depth)
            case "obj" if file is not None and node is not None:
                yield from self._object_layers(typ, file, node, depth)
            case "enum" if file is not None and node is not None:
                yield _enum_members(file, node), ""
            case "union":
                for part in typ.args:
                    yield from self.layers(part, depth + 1)
                yield [], "a union"
            case "inter":
                for part in typ.args:
                    yield from self.layers(part, depth + 1)
            case "tparam" if file is not None and node is not None:
                constraint = node.child_by_field_name("constraint")
                inner = constraint.named_children if constraint is not None else []
                found = self.evaluate(file, inner[0], (), depth + 1) if inner else UNKNOWN
                if found.typ is not None:
                    yield from self.layers(found.typ, depth + 1)
                yield [], "a type parameter"
            case _:
                yield [], "members are declared outside"

    def _class_layers(self, typ: Typ, file: TsFile, node: Node, depth: int) -> Iterator[tuple[list[Member], str]]:
        static = typ.kind == "class"
        if node.type in CLASSES:
            own, reason = class_members(file, node, static, typ.env)
            yield own, reason
            for merged in self._merged(file, node):
                if not static:
                    yield body_members(file, merged, typ.env)
            base = self.base_of(file, node, depth)
            if base is not None:
                if base.typ is None:
                    yield [], base.reason or "a base class that is not known"
                else:
                    inner = (
                        replace(base.typ, kind="class") if static else replace(base.typ, env=_through(base.typ, typ))
                    )
                    for members, why in self.layers(inner, depth + 1):
                        yield members, why or base.reason
            return
        declarations = [node, *self._merged(file, node)]
        for declaration in declarations:
            if declaration.type in CLASSES:
                yield from self._class_layers(Typ("inst", file, declaration, env=typ.env), file, declaration, depth + 1)
                continue
            yield body_members(file, declaration, typ.env)
            for clause in declaration.named_children:
                if clause.type == "extends_type_clause":
                    for parent in clause.named_children:
                        found = self.evaluate(file, parent, typ.env, depth + 1)
                        if found.typ is None:
                            yield [], found.reason or "a base that is not known"
                            continue
                        for members, why in self.layers(found.typ, depth + 1):
                            yield members, why or found.reason

    def _merged(self, file: TsFile, node: Node) -> list[Node]:
        """Other declarations of the same name beside it, which TypeScript merges."""
        name = node.child_by_field_name("name")
        if name is None:
            return []
        bindings = file.lookup(file.text(name), node.start_byte, TYPE)
        return [b.declaration for b in bindings if b.how in ("interface", "class") and b.declaration.id != node.id]

    def _object_layers(self, typ: Typ, file: TsFile, node: Node, depth: int) -> Iterator[tuple[list[Member], str]]:
        if node.type == "object_type":
            yield body_members(file, node, typ.env)
            return
        members, spreads = object_members(file, node)
        yield members, ""
        for spread in spreads:
            inner = spread.named_children
            found = self.infer(file, inner[0], depth + 1) if inner else UNKNOWN
            if found.typ is not None:
                yield from self.layers(found.typ, depth + 1)
            yield [], "a spread"


# -- declarations -----------------------------------------------------------------------------------------------------
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
        if _is_static(child) == static:
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


def _enum_members(file: TsFile, node: Node) -> list[Member]:
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


def _is_static(node: Node) -> bool:
    return any(c.type == "static" for c in node.children)


def _accessor(node: Node) -> str:
    return next((c.type for c in node.children if c.type in ("get", "set")), "")


def _function_of(parameter: Node) -> Node | None:
    listed = parameter.parent
    return listed.parent if listed is not None and listed.type == "formal_parameters" else None


def _returns(body: Node) -> Iterator[Node]:
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


def _key_of(file: TsFile, step: Node) -> str:
    if step.type == "pair_pattern":
        key = step.child_by_field_name("key")
        return member_name(file, key) if key is not None else ""
    if step.type == "object_assignment_pattern":
        left = step.child_by_field_name("left")
        return file.text(left) if left is not None else ""
    return file.text(step)


def _some(typ: Typ | None) -> tuple[Typ, ...]:
    return (typ,) if typ is not None else ()


def _united(parts: list[Typ], reason: str) -> Found:
    if not parts:
        return Found(None, reason or "the type is not known")
    if len(parts) == 1:
        return Found(parts[0], reason)
    return Found(Typ("union", args=tuple(parts)), "a union")


def _flat(node: Node, kind: str) -> Iterator[Node]:
    for child in node.named_children:
        if child.type == kind:
            yield from _flat(child, kind)
        else:
            yield child


def _bound(file: TsFile, declaration: Node, arguments: tuple[Typ, ...]) -> Env:
    """Type parameters of a declaration with their arguments; those without one are left to their own name."""
    listed = declaration.child_by_field_name("type_parameters")
    if listed is None or not arguments:
        return ()
    names = [file.text(n) for c in listed.named_children if (n := c.child_by_field_name("name")) is not None]
    return tuple(zip(names, arguments, strict=False))


def _through(base: Typ, typ: Typ) -> Env:
    """Arguments of a base class in terms of the class's own."""
    known = dict(typ.env)
    return tuple((n, known.get(t.name, t) if t.kind == "tparam" else t) for n, t in base.env)


def _namespaces(file: TsFile, name: str) -> Iterator[Node]:
    """Bodies of the namespaces of a name in a file."""
    for binding in file.scopes[0].names.get(name, ()):
        body = binding.declaration.child_by_field_name("body")
        if binding.how == "namespace" and body is not None:
            yield body
