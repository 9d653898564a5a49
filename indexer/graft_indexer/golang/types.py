"""Types of Go expressions by declaration: what its members are, and what it yields when called, indexed or ranged over.

Go writes its types, so nearly every answer is exact; generic functions are followed by name only, and what would need
inference of type arguments is left open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from graft_indexer.golang.scopes import UNIVERSE, Binding, GoFile
from graft_indexer.golang.world import GoWorld, Package

if TYPE_CHECKING:
    from tree_sitter import Node

DEEPEST: Final = 16
_COMPARE: Final = ("==", "!=", "<", "<=", ">", ">=", "&&", "||")


@dataclass(frozen=True, slots=True)
class Typ:
    """A type.  `kind`: named (a declared type), struct, interface, func, pointer, list, map, chan, tuple, basic,
    package, tparam."""

    kind: str
    file: GoFile | None = None
    node: Node | None = None
    args: tuple[Typ, ...] = ()
    name: str = ""
    package: Package | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A type, None if it is not known, and why it may not be exactly that (empty if it is)."""

    typ: Typ | None
    reason: str = ""


UNKNOWN: Final = Found(None, "the type is not known")


@dataclass(frozen=True, slots=True)
class Member:
    """A field or method: the node that names it and the one that declares it."""

    name: str
    file: GoFile
    node: Node
    declaration: Node


@dataclass(frozen=True, slots=True)
class Target:
    """What a name means: a binding in a file, or a package."""

    file: GoFile
    binding: Binding | None = None
    package: Package | None = None
    node: Node | None = None


def basic(name: str) -> Found:
    """A predeclared type."""
    return Found(Typ("basic", name=name))


class Types:
    """Inference over a world; every answer is bounded in depth."""

    def __init__(self, world: GoWorld) -> None:
        self.world = world

    # -- names --------------------------------------------------------------------------------------------------------
    def resolve(self, file: GoFile, name: str, offset: int) -> tuple[list[Target], str]:
        """What a name means at an offset.  Nothing and no reason: it is declared nowhere."""
        local = file.lookup(name, offset)
        if local is not None:
            return [Target(file, local)], ""
        package = self.world.package_of(file)
        if package is not None and name in package.names:
            return [Target(f, b) for f, b in package.names[name]], ""
        found, reason = self.package_named(file, name)
        if found is not None or reason:
            node = file.imports[name][1] if name in file.imports else None
            return ([Target(file, package=found, node=node)] if found is not None or node is not None else []), reason
        for path in file.dots:
            dotted, why = self.world.imported(file, path)
            if dotted is not None and file.path.endswith("_test.go"):
                dotted = self.world.package(dotted.folder, dotted.name, tests=True) or dotted
            if dotted is None:
                reason = reason or why
            elif name in dotted.names:
                return [Target(f, b) for f, b in dotted.names[name]], ""
        if package is None or package.partial:
            reason = reason or (package.partial if package is not None else "the package is not known")
        return [], reason

    def package_named(self, file: GoFile, name: str) -> tuple[Package | None, str]:
        """The package that a file calls by a name; (None, "") if it imports none of that name."""
        given = file.imports.get(name)
        if given is not None:
            return self.world.imported(file, given[0])
        reason = ""
        for path, node in list(file.imports.values()):
            if node.child_by_field_name("name") is None:
                package, why = self.world.imported(file, path)
                if package is not None and package.name == name:
                    file.imports[name] = (path, node)
                    return package, ""
                if package is None:
                    reason = reason or why
        return None, reason

    # -- types --------------------------------------------------------------------------------------------------------
    def evaluate(self, file: GoFile, node: Node, depth: int = 0) -> Found:
        """The type that a type node (or an expression that is a type) names."""
        if depth > DEEPEST:
            return UNKNOWN
        match node.type:
            case "type_identifier" | "identifier":
                return self._named(file, node, depth)
            case "qualified_type" | "selector_expression":
                owner = node.child_by_field_name("package") or node.child_by_field_name("operand")
                name = node.child_by_field_name("name") or node.child_by_field_name("field")
                if owner is None or name is None:
                    return UNKNOWN
                package, reason = self.package_named(file, file.text(owner))
                if package is None:
                    return Found(None, reason or "the package is not known")
                return self._declared(package.names.get(file.text(name), []), depth)
            case "generic_type":
                inner = node.child_by_field_name("type")
                return self.evaluate(file, inner, depth + 1) if inner is not None else UNKNOWN
            case "pointer_type":
                return self._wrapped("pointer", file, node.named_children[-1:], depth)
            case "unary_expression":
                return self._wrapped("pointer", file, node.named_children[-1:], depth)
            case "slice_type" | "array_type" | "implicit_length_array_type":
                element = node.child_by_field_name("element")
                return self._wrapped("list", file, [element] if element is not None else [], depth)
            case "channel_type":
                value = node.child_by_field_name("value")
                return self._wrapped("chan", file, [value] if value is not None else [], depth)
            case "map_type":
                key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
                if key is None or value is None:
                    return UNKNOWN
                parts = [self.evaluate(file, n, depth + 1) for n in (key, value)]
                return Found(
                    Typ("map", args=tuple(p.typ or Typ("unknown") for p in parts)), parts[0].reason or parts[1].reason
                )
            case "struct_type":
                return Found(Typ("struct", file, node))
            case "interface_type":
                return Found(Typ("interface", file, node))
            case "function_type":
                return Found(Typ("func", file, node))
            case "parenthesized_type" | "type_elem" | "parenthesized_expression" | "type_constraint":
                inner_nodes = node.named_children
                return self.evaluate(file, inner_nodes[0], depth + 1) if len(inner_nodes) == 1 else UNKNOWN
        return UNKNOWN

    def _wrapped(self, kind: str, file: GoFile, nodes: list[Node], depth: int) -> Found:
        if not nodes:
            return UNKNOWN
        inner = self.evaluate(file, nodes[0], depth + 1)
        return Found(Typ(kind, args=(inner.typ or Typ("unknown"),)), inner.reason)

    def _named(self, file: GoFile, node: Node, depth: int) -> Found:
        name = file.text(node)
        targets, reason = self.resolve(file, name, node.start_byte)
        found = self._declared([(t.file, t.binding) for t in targets if t.binding is not None], depth)
        if found.typ is None and not targets and name in UNIVERSE:
            return basic(name)
        return Found(found.typ, found.reason or reason)

    def _declared(self, candidates: list[tuple[GoFile, Binding]], depth: int) -> Found:
        for file, binding in candidates:
            declaration = binding.declaration
            if binding.how == "typeparam":
                return Found(Typ("tparam", file, declaration), "a type parameter")
            if binding.how != "type":
                continue
            if declaration.type == "type_alias":
                inner = declaration.child_by_field_name("type")
                return self.evaluate(file, inner, depth + 1) if inner is not None else UNKNOWN
            package = self.world.package_of(file) if file.scope_at(binding.node.start_byte).parent is None else None
            if package is None and self._outer(file, binding):
                package = self.world.package_of(file)
            reason = "declared more than once" if len(candidates) > 1 else ""
            return Found(Typ("named", file, declaration, name=binding.name, package=package), reason)
        return UNKNOWN

    def _outer(self, file: GoFile, binding: Binding) -> bool:
        return any(b is binding for b in file.declared.get(binding.name, ()))

    # -- expressions --------------------------------------------------------------------------------------------------
    def infer(self, file: GoFile, node: Node, depth: int = 0) -> Found:
        """The type of an expression; a tuple for a call with several results."""
        key = ("infer", node.id)
        known: Found | None = file.memo.get(key)
        if known is not None:
            return known
        file.memo[key] = UNKNOWN
        known = self._infer(file, node, depth) if depth <= DEEPEST else UNKNOWN
        if depth > DEEPEST // 2:
            file.memo.pop(key, None)
        else:
            file.memo[key] = known
        return known

    def _infer(self, file: GoFile, node: Node, depth: int) -> Found:
        match node.type:
            case "identifier" | "type_identifier":
                targets, reason = self.resolve(file, file.text(node), node.start_byte)
                if not targets:
                    return Found(None, reason or "a predeclared name")
                found = self.value(targets[0], depth, node.start_byte)
                several = "declared more than once" if len(targets) > 1 else ""
                return Found(found.typ, found.reason or reason or several)
            case "parenthesized_expression":
                return self.infer(file, node.named_children[0], depth + 1) if node.named_children else UNKNOWN
            case "selector_expression":
                return self._selector(file, node, depth)
            case "call_expression":
                return self._call(file, node, depth)
            case "composite_literal":
                kind = node.child_by_field_name("type")
                return self.evaluate(file, kind, depth + 1) if kind is not None else UNKNOWN
            case "literal_value":
                return self.literal(file, node, depth)
            case "unary_expression":
                return self._unary(file, node, depth)
            case "index_expression":
                return self._index(file, node, depth)
            case "slice_expression":
                operand = node.child_by_field_name("operand")
                found = self.infer(file, operand, depth + 1) if operand is not None else UNKNOWN
                base = self.underlying(found.typ) if found.typ is not None else None
                if base is not None and base.kind == "pointer" and base.args:
                    return Found(base.args[0], found.reason)
                return found
            case "type_assertion_expression" | "type_conversion_expression":
                kind = node.child_by_field_name("type")
                if kind is None:
                    return UNKNOWN
                found = self.evaluate(file, kind, depth + 1)
                return found if found.typ is not None else UNKNOWN
            case "func_literal":
                return Found(Typ("func", file, node))
            case "binary_expression":
                operator, left = node.child_by_field_name("operator"), node.child_by_field_name("left")
                if operator is not None and operator.type in _COMPARE:
                    return basic("bool")
                found = self.infer(file, left, depth + 1) if left is not None else UNKNOWN
                if found.typ is not None and found.typ.kind == "basic" and found.typ.name.startswith("untyped"):
                    right = node.child_by_field_name("right")
                    return self.infer(file, right, depth + 1) if right is not None else UNKNOWN
                return found
            case "interpreted_string_literal" | "raw_string_literal":
                return basic("untyped string")
            case "int_literal" | "float_literal" | "rune_literal" | "imaginary_literal" | "true" | "false" | "iota":
                return basic("untyped")
        return UNKNOWN

    def value(self, target: Target, depth: int = 0, offset: int = -1) -> Found:
        """The type of what a name means; `offset` is where it is used (in a type switch that says which case)."""
        if target.binding is None:
            return Found(Typ("package", package=target.package)) if target.package is not None else UNKNOWN
        file, binding = target.file, target.binding
        key = ("value", binding.node.id, offset if binding.how == "switch" else -1)
        known: Found | None = file.memo.get(key)
        if known is None:
            file.memo[key] = UNKNOWN
            known = self._value(file, binding, depth, offset) if depth <= DEEPEST else UNKNOWN
            if depth > DEEPEST // 2:
                file.memo.pop(key, None)
            else:
                file.memo[key] = known
        return known

    def _value(self, file: GoFile, binding: Binding, depth: int, offset: int) -> Found:
        declaration = binding.declaration
        kind = declaration.child_by_field_name("type")
        match binding.how:
            case "function":
                return Found(Typ("func", file, declaration))
            case "param":
                found = self.evaluate(file, kind, depth + 1) if kind is not None else UNKNOWN
                if declaration.type == "variadic_parameter_declaration":
                    return Found(Typ("list", args=(found.typ or Typ("unknown"),)), found.reason)
                return found
            case "range":
                return self._ranged(file, binding, declaration, depth)
            case "receive":
                return self._at(file, binding, declaration, depth)
            case "switch":
                return self._switched(file, declaration, offset, depth)
            case "var" | "const":
                if kind is not None:
                    return self.evaluate(file, kind, depth + 1)
                return self._at(file, binding, declaration, depth)
        return UNKNOWN

    def _at(self, file: GoFile, binding: Binding, declaration: Node, depth: int) -> Found:
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
            return self._typed(self.infer(file, values[index], depth + 1))
        if len(values) != 1:
            return UNKNOWN
        found = self.infer(file, values[0], depth + 1)
        if found.typ is not None and found.typ.kind == "tuple":
            part = found.typ.args[index] if index < len(found.typ.args) else None
            return Found(part, found.reason) if part is not None and part.kind != "unknown" else UNKNOWN
        if index == 0:
            return found
        # `v, ok :=` of an index, an assertion or a receive; the second value of an unknown call is unknown.
        return basic("bool") if len(names) == 2 and _comma_ok(values[0]) else UNKNOWN

    @staticmethod
    def _typed(found: Found) -> Found:
        return found

    def _ranged(self, file: GoFile, binding: Binding, declaration: Node, depth: int) -> Found:
        left, right = declaration.child_by_field_name("left"), declaration.child_by_field_name("right")
        if left is None or right is None:
            return UNKNOWN
        index = next((i for i, n in enumerate(left.named_children) if n.id == binding.node.id), 0)
        found = self.infer(file, right, depth + 1)
        base = self.underlying(found.typ) if found.typ is not None else None
        if base is not None and base.kind == "pointer" and base.args:
            base = self.underlying(base.args[0])
        if base is None:
            return UNKNOWN
        if base.kind == "list":
            return self._part(base, 0, found.reason) if index == 1 else basic("int")
        if base.kind == "map":
            return self._part(base, index, found.reason)
        if base.kind == "chan":
            return self._part(base, 0, found.reason)
        if base.kind == "basic":
            return basic("rune" if index == 1 else "int")
        return UNKNOWN

    @staticmethod
    def _part(base: Typ, index: int, reason: str) -> Found:
        if index < len(base.args) and base.args[index].kind != "unknown":
            return Found(base.args[index], reason)
        return UNKNOWN

    def _switched(self, file: GoFile, declaration: Node, offset: int, depth: int) -> Found:
        for child in declaration.named_children:
            if child.type == "type_case" and child.start_byte <= offset < child.end_byte:
                kinds = child.children_by_field_name("type")
                if len(kinds) == 1:
                    return self.evaluate(file, kinds[0], depth + 1)
        value = declaration.child_by_field_name("value")
        return self.infer(file, value, depth + 1) if value is not None else UNKNOWN

    def _selector(self, file: GoFile, node: Node, depth: int) -> Found:
        owner, name = node.child_by_field_name("operand"), node.child_by_field_name("field")
        if owner is None or name is None:
            return UNKNOWN
        found = self.infer(file, owner, depth + 1)
        if found.typ is None:
            return found
        if found.typ.kind == "package":
            return self._of_package(found.typ.package, file.text(name), depth)
        members, reason = self.members_named(found.typ, file.text(name))
        if not members:
            return Found(None, reason or found.reason or "no such member")
        typ = self.type_of(members[0], depth)
        several = "declared more than once" if len(members) > 1 else ""
        return Found(typ.typ, typ.reason or found.reason or reason or several)

    def _of_package(self, package: Package | None, name: str, depth: int) -> Found:
        if package is None:
            return UNKNOWN
        candidates = package.names.get(name, [])
        if not candidates:
            return Found(None, package.partial or "no such name")
        file, binding = candidates[0]
        if binding.how == "type":
            return self._declared(candidates, depth)
        found = self.value(Target(file, binding), depth + 1)
        return Found(found.typ, found.reason or ("declared more than once" if len(candidates) > 1 else ""))

    def type_of(self, member: Member, depth: int = 0) -> Found:
        """The type of a field or method."""
        if member.declaration.type in ("method_declaration", "method_elem"):
            return Found(Typ("func", member.file, member.declaration))
        kind = member.declaration.child_by_field_name("type")
        if kind is None:
            return UNKNOWN
        found = self.evaluate(member.file, kind, depth + 1)
        if found.typ is not None and any(c.type == "*" for c in member.declaration.children):
            return Found(Typ("pointer", args=(found.typ,)), found.reason)
        return found

    def _unary(self, file: GoFile, node: Node, depth: int) -> Found:
        operator, operand = node.child_by_field_name("operator"), node.child_by_field_name("operand")
        if operand is None or operator is None:
            return UNKNOWN
        found = self.infer(file, operand, depth + 1)
        if found.typ is None:
            return found
        if operator.type == "&":
            return Found(Typ("pointer", args=(found.typ,)), found.reason)
        base = self.underlying(found.typ)
        if operator.type == "*":
            return self._part(base, 0, found.reason) if base.kind == "pointer" else UNKNOWN
        if operator.type == "<-":
            return self._part(base, 0, found.reason) if base.kind == "chan" else UNKNOWN
        return basic("bool") if operator.type == "!" else found

    def _index(self, file: GoFile, node: Node, depth: int) -> Found:
        operand = node.child_by_field_name("operand")
        found = self.infer(file, operand, depth + 1) if operand is not None else UNKNOWN
        if found.typ is None:
            return found
        base = self.underlying(found.typ)
        if base.kind == "pointer" and base.args:
            base = self.underlying(base.args[0])
        if base.kind == "list":
            return self._part(base, 0, found.reason)
        if base.kind == "map":
            return self._part(base, 1, found.reason)
        if base.kind == "func":
            return Found(found.typ, "a generic function")
        if base.kind == "basic" and "string" in base.name:
            return basic("byte")
        return UNKNOWN

    def literal(self, file: GoFile, node: Node, depth: int = 0) -> Found:
        """The type of a `{...}` whose type is written further out."""
        parent = node.parent
        if parent is None or depth > DEEPEST:
            return UNKNOWN
        if parent.type == "composite_literal":
            return self.infer(file, parent, depth + 1)
        element = parent
        keyed = element.parent if element.parent is not None and element.parent.type == "keyed_element" else None
        outer = (keyed or element).parent
        if element.type != "literal_element" or outer is None or outer.type != "literal_value":
            return UNKNOWN
        found = self.literal(file, outer, depth + 1)
        base = self.underlying(found.typ) if found.typ is not None else None
        if base is None:
            return UNKNOWN
        if base.kind == "pointer" and base.args:
            base = self.underlying(base.args[0])
        if base.kind == "list":
            return self._part(base, 0, found.reason)
        if base.kind == "map":
            is_key = keyed is not None and keyed.child_by_field_name("key") == element
            return self._part(base, 0 if is_key else 1, found.reason)
        return UNKNOWN

    # -- calls --------------------------------------------------------------------------------------------------------
    def _call(self, file: GoFile, node: Node, depth: int) -> Found:
        callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if callee is None:
            return UNKNOWN
        given = arguments.named_children if arguments is not None else []
        if callee.type == "identifier" and file.text(callee) in UNIVERSE:
            targets, _ = self.resolve(file, file.text(callee), callee.start_byte)
            if not targets:
                return self._builtin(file, file.text(callee), given, depth)
        if callee.type in ("slice_type", "array_type", "map_type", "channel_type", "parenthesized_expression"):
            inner = callee.named_children
            if callee.type != "parenthesized_expression":
                return self.evaluate(file, callee, depth + 1)
            if inner and inner[0].type == "unary_expression":
                evaluated = self.evaluate(file, inner[0], depth + 1)
                if evaluated.typ is not None and evaluated.typ.args and evaluated.typ.args[0].kind != "unknown":
                    return evaluated
        if self._is_type(file, callee):
            return self.evaluate(file, callee, depth + 1)
        found = self.infer(file, callee, depth + 1)
        if found.typ is None:
            return found
        base = self.underlying(found.typ)
        if base.kind != "func":
            return UNKNOWN
        return self.results(base, found.reason, depth)

    def _is_type(self, file: GoFile, node: Node) -> bool:
        """Whether a callee is a type: then the call converts."""
        if node.type == "identifier":
            targets, _ = self.resolve(file, file.text(node), node.start_byte)
            return any(t.binding is not None and t.binding.how in ("type", "typeparam") for t in targets)
        if node.type == "selector_expression":
            owner, name = node.child_by_field_name("operand"), node.child_by_field_name("field")
            if owner is None or name is None or owner.type != "identifier":
                return False
            if file.lookup(file.text(owner), owner.start_byte) is not None:
                return False
            package, _ = self.package_named(file, file.text(owner))
            return package is not None and any(b.how == "type" for _, b in package.names.get(file.text(name), ()))
        return False

    def _builtin(self, file: GoFile, name: str, given: list[Node], depth: int) -> Found:
        if name == "new" and given:
            return self._wrapped("pointer", file, given[:1], depth)
        if name == "make" and given:
            return self.evaluate(file, given[0], depth + 1)
        if name in ("append", "min", "max") and given:
            return self.infer(file, given[0], depth + 1)
        if name in ("len", "cap", "copy"):
            return basic("int")
        if name in ("string", "error") or (name[:3] in ("int", "uin", "flo", "byt", "run", "boo") and given):
            return basic(name)
        return UNKNOWN

    def results(self, function: Typ, reason: str = "", depth: int = 0) -> Found:
        """The type that a function yields; a tuple of several."""
        if function.file is None or function.node is None:
            return UNKNOWN
        result = function.node.child_by_field_name("result")
        if result is None:
            return Found(None, "it yields nothing")
        if result.type != "parameter_list":
            found = self.evaluate(function.file, result, depth + 1)
            return Found(found.typ, found.reason or reason)
        kinds: list[Typ] = []
        for child in result.named_children:
            kind = child.child_by_field_name("type")
            if child.type == "comment" or kind is None:
                continue
            found = self.evaluate(function.file, kind, depth + 1)
            reason = reason or found.reason
            count = max(1, len(child.children_by_field_name("name")))
            kinds += [found.typ or Typ("unknown")] * count
        if len(kinds) == 1:
            return Found(kinds[0], reason) if kinds[0].kind != "unknown" else UNKNOWN
        return Found(Typ("tuple", args=tuple(kinds)), reason)

    # -- members ------------------------------------------------------------------------------------------------------
    def underlying(self, typ: Typ, depth: int = 0) -> Typ:
        """The type that a declared type is made of."""
        while typ.kind == "named" and typ.file is not None and typ.node is not None and depth < DEEPEST:
            inner = typ.node.child_by_field_name("type")
            found = self.evaluate(typ.file, inner, depth) if inner is not None else UNKNOWN
            if found.typ is None:
                return Typ("unknown")
            typ = found.typ
            depth += 1
        return typ

    def members_named(self, typ: Typ, name: str) -> tuple[list[Member], str]:
        """Fields and methods of a name, the shallowest; nothing and no reason: there is none."""
        reason = ""
        for members, why in self.layers(typ):
            reason = reason or why
            found = [m for m in members if m.name == name]
            if found:
                return found, reason
        return [], reason

    def members(self, typ: Typ) -> tuple[dict[str, Member], str]:
        """All fields and methods by name, and why there may be more."""
        table: dict[str, Member] = {}
        reason = ""
        for members, why in self.layers(typ):
            reason = reason or why
            for member in members:
                table.setdefault(member.name, member)
        return table, reason

    def layers(self, typ: Typ) -> Iterator[tuple[list[Member], str]]:
        """(fields and methods, why there may be more) by depth of embedding."""
        level: list[tuple[Typ, str]] = [(typ, "")]
        seen: set[int] = set()
        for _ in range(DEEPEST):
            members: list[Member] = []
            deeper: list[tuple[Typ, str]] = []
            reason = ""
            for item, why in level:
                own, inner, because = self._layer(item, seen)
                members += own
                deeper += inner
                reason = reason or why or because
            yield members, reason
            if not deeper:
                return
            level = deeper
        yield [], "embedded too deeply"

    def _layer(self, typ: Typ, seen: set[int]) -> tuple[list[Member], list[tuple[Typ, str]], str]:
        """(own members, what is embedded, why there may be more) of one type."""
        if typ.kind == "pointer" and typ.args:
            typ = typ.args[0]
        members: list[Member] = []
        reason = ""
        while typ.kind == "named" and typ.file is not None and typ.node is not None:
            if typ.node.id in seen:
                return members, [], reason
            seen.add(typ.node.id)
            if typ.package is not None:
                reason = reason or typ.package.partial
                for name, found in typ.package.methods.get(typ.name, {}).items():
                    for file, node in found:
                        named = node.child_by_field_name("name")
                        if named is not None:
                            members.append(Member(name, file, named, node))
            inner = typ.node.child_by_field_name("type")
            evaluated = self.evaluate(typ.file, inner) if inner is not None else UNKNOWN
            if evaluated.typ is None:
                return members, [], evaluated.reason
            if evaluated.typ.kind == "named":
                # Methods stay with the type they were declared for; fields and an interface's methods come along.
                base = self.underlying(evaluated.typ)
                typ = base
            else:
                typ = evaluated.typ
        if typ.file is None or typ.node is None or typ.kind not in ("struct", "interface"):
            known = typ.kind in ("basic", "list", "map", "chan", "func", "pointer")
            if typ.kind == "basic" and typ.name == "error":
                return members, [], "a predeclared type"
            return members, [], reason if known else reason or "the type is not known"
        if typ.kind == "struct":
            more, embedded, why = self._fields(typ.file, typ.node)
        else:
            more, embedded, why = self._elements(typ.file, typ.node)
        return members + more, embedded, reason or why

    def _fields(self, file: GoFile, node: Node) -> tuple[list[Member], list[tuple[Typ, str]], str]:
        members: list[Member] = []
        embedded: list[tuple[Typ, str]] = []
        reason = "it does not parse" if node.has_error else ""
        body = next((c for c in node.named_children if c.type == "field_declaration_list"), None)
        for child in body.named_children if body is not None else ():
            if child.type != "field_declaration":
                continue
            names = child.children_by_field_name("name")
            members += [Member(file.text(n), file, n, child) for n in names]
            kind = child.child_by_field_name("type")
            if names or kind is None:
                continue
            last = _last_name(kind)
            if last is not None:
                members.append(Member(file.text(last), file, last, child))
            found = self.evaluate(file, kind)
            if found.typ is None:
                reason = reason or found.reason
            else:
                embedded.append((found.typ, found.reason))
        return members, embedded, reason

    def _elements(self, file: GoFile, node: Node) -> tuple[list[Member], list[tuple[Typ, str]], str]:
        members: list[Member] = []
        embedded: list[tuple[Typ, str]] = []
        reason = "it does not parse" if node.has_error else ""
        for child in node.named_children:
            name = child.child_by_field_name("name")
            if child.type == "method_elem" and name is not None:
                members.append(Member(file.text(name), file, name, child))
            elif child.type == "type_elem":
                if len(child.named_children) != 1:
                    reason = reason or "a set of types"
                    continue
                found = self.evaluate(file, child.named_children[0])
                if found.typ is None:
                    reason = reason or found.reason
                elif found.typ.kind == "basic" and found.typ.name == "error":
                    reason = reason or "a predeclared type"
                else:
                    embedded.append((found.typ, found.reason))
        return members, embedded, reason


def _last_name(kind: Node) -> Node | None:
    """The name that an embedded field has."""
    at: Node | None = kind
    while at is not None and at.type != "type_identifier":
        at = at.child_by_field_name("name") or at.child_by_field_name("type") or (
            at.named_children[-1] if at.named_children else None
        )  # fmt: skip
    return at


def _comma_ok(node: Node) -> bool:
    """Has this expression a second value that says whether there is a first."""
    if node.type == "parenthesized_expression" and node.named_child_count:
        return _comma_ok(node.named_children[0])
    if node.type == "unary_expression":
        operator = node.child_by_field_name("operator")
        return operator is not None and operator.type == "<-"
    return node.type in ("index_expression", "type_assertion_expression")
