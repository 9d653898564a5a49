"""The graph's questions about TypeScript and JavaScript files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from graft_indexer.facts import DefinitionKind, Import, Parameter, ParameterKind, Signature, Span
from graft_indexer.findings import Finding
from graft_indexer.graph import Answer, CallSite, CallTarget, Location, Origin, Symbol
from graft_indexer.locate import word_at
from graft_indexer.querywalk import HEADER, doc_above
from graft_indexer.syntax import languages
from graft_indexer.tongues import CompleteSource, Tongue, scope_at
from graft_indexer.typescript.declarations import enclosing_class, member_name
from graft_indexer.typescript.scopes import TYPE, VALUE, Binding, Scope, TsFile
from graft_indexer.typescript.typ import CLASSES, FUNCTIONS, Found, Member, Typ
from graft_indexer.typescript.types import Types
from graft_indexer.typescript.world import Target, TsWorld

if TYPE_CHECKING:
    from tree_sitter import Node

ALWAYS: Final = frozenset(
    (
        "constructor", "toString", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
        "toLocaleString", "__proto__",
    )
)  # fmt: skip
"""Members of every object."""
ELSEWHERE: Final = 2
"""So many other files that use a name nobody declares make it a name from outside rather than a mistake."""
OF_FUNCTIONS: Final = frozenset(["name", "length", "prototype", "apply", "call", "bind", "arguments", "caller"])
_KINDS: Final = {
    "function": DefinitionKind.FUNCTION, "class": DefinitionKind.CLASS, "self": DefinitionKind.CLASS,
    "interface": DefinitionKind.CLASS, "enum": DefinitionKind.CLASS, "type": DefinitionKind.TYPE_ALIAS,
    "typeparam": DefinitionKind.TYPE_ALIAS, "namespace": DefinitionKind.MODULE, "import": DefinitionKind.MODULE,
    "alias": DefinitionKind.MODULE, "param": DefinitionKind.PARAMETER, "member": DefinitionKind.VARIABLE,
}  # fmt: skip
_SPACES = re.compile(r"\s+")


class TsTongue(Tongue):
    """Scopes, imports and members resolved; closed where the text proves it."""

    def __init__(self, source: CompleteSource) -> None:
        super().__init__(source, "typescript")
        self.world = TsWorld(source)
        self.types = Types(self.world)

    def forget(self) -> None:
        """Files changed on disk."""
        self.world.forget()

    # -- names --------------------------------------------------------------------------------------------------------
    def definition_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """What the name at `offset` refers to.  Closed and empty: it provably refers to nothing."""
        file = self.world.file(path)
        if file is None:
            return self.answer((), "no such file")
        node = name_at(file, offset)
        if node is None:
            return self.answer((), "no name there")
        symbols, reason = self.resolve(file, node)
        return self.answer(tuple(symbols), reason)

    def resolve(self, file: TsFile, node: Node) -> tuple[list[Symbol], str]:
        """(what a name node refers to, why that may not be all)."""
        text = file.text(node)
        parent = node.parent
        if parent is None:
            return [], "no name there"
        kind, role = node.type, parent.type
        if role in ("import_specifier", "export_specifier"):
            return self._specifier(file, node, parent)
        if kind in ("property_identifier", "private_property_identifier"):
            return self._property(file, node, parent)
        if role == "nested_type_identifier" and parent.child_by_field_name("name") == node:
            targets, reason = self.types.nested_targets(file, parent)
            return [self.symbol(t, text) for t in targets], reason
        if kind == "shorthand_property_identifier_pattern" or role in ("jsx_attribute", "statement_identifier"):
            pass
        meaning = TYPE if kind == "type_identifier" else VALUE
        declared = self._declared_here(file, node)
        if declared:
            own = [self.symbol(Target(file, b), text) for b in declared]
            if kind == "shorthand_property_identifier_pattern":
                # `{ name }` binds a variable and names a member.
                own += [self.member_symbol(m) for m in self.types.destructured(file, declared[0])]
            return own, ""
        targets, reason = self.world.resolve(file, text, node.start_byte, meaning)
        if not targets and not reason:
            targets, reason = self.world.resolve(file, text, node.start_byte, TYPE | VALUE)
            if not targets and not reason:
                reason = self.unbound(file, text)
        return [self.symbol(t, text) for t in targets], reason

    def _declared_here(self, file: TsFile, node: Node) -> list[Binding]:
        """The bindings that are declared by a name node, overloads included; imports are followed instead."""
        scope: Scope | None = file.scope_at(node.start_byte)
        name = file.text(node)
        while scope is not None:
            bindings = scope.names.get(name, [])
            for binding in bindings:
                if binding.node.id == node.id:
                    alike = [b for b in bindings if b.how == binding.how == "function" or b is binding]
                    return alike if binding.how != "import" else []
            scope = scope.parent
        return []

    def unbound(self, file: TsFile, name: str) -> str:
        """Why a name that no scope of a file binds may mean something all the same; empty if it cannot."""
        return "a part of the file does not parse" if file.broken else self.outside(file, name)

    def outside(self, file: TsFile, name: str) -> str:
        """Why something outside a file may declare a name for it; empty if nothing does."""
        from graft_indexer.typescript.ambient import is_ambient

        if is_ambient(name) or b"eval(" in file.data or b"with (" in file.data:
            return "declared outside"
        for path, definition in self.source.definitions_named(name):
            other = self.world.file(path)
            if other is None or path == file.path:
                continue
            if not other.is_module or b"declare global" in other.data or b"declare module" in other.data:
                return "declared for every file" if not definition.parent or other.is_module else ""
        others = [p for p in self.mine(self.source.files_with(name)) if p != file.path]
        if any(b"declare global" in self.data(p) for p in others):
            return "declared for every file"
        if len(others) >= ELSEWHERE and not self.source.definitions_named(name):
            return "used in many files and declared in none: it comes from outside"
        if self.world.modules.types_named(file.path, name):
            return "a package of types may declare it"
        return ""

    def _specifier(self, file: TsFile, node: Node, parent: Node) -> tuple[list[Symbol], str]:
        statement: Node | None = parent
        while statement is not None and statement.type not in ("import_statement", "export_statement"):
            statement = statement.parent
        source = statement.child_by_field_name("source") if statement is not None else None
        name = parent.child_by_field_name("name")
        if name is None:
            return [], "no name there"
        text = file.text(name).strip("\"'")
        if source is None:
            targets, reason = self.world.resolve(file, text, node.start_byte, TYPE | VALUE)
        else:
            targets, reason = self.world.member_of_module(file, file.string(source), text, TYPE | VALUE)
        return [self.symbol(t, text) for t in targets], reason

    def _property(self, file: TsFile, node: Node, parent: Node) -> tuple[list[Symbol], str]:
        text = file.text(node)
        if parent.type == "member_expression":
            owner = parent.child_by_field_name("object")
            return self.member(file, owner, text) if owner is not None else ([], "no receiver")
        if parent.type == "nested_identifier":
            owner = parent.child_by_field_name("object")
            return self.member(file, owner, text) if owner is not None else ([], "no receiver")
        if parent.type == "pair_pattern":
            return [self.member_symbol(m) for m in self.types.keyed(file, parent)], "a pattern"
        if parent.type in ("jsx_attribute", "jsx_namespace_name"):
            return [], "an attribute"
        if (
            parent.type in ("pair", "method_definition")
            and parent.parent is not None
            and parent.parent.type == "object"
        ):
            wanted = self.types.expected(file, parent.parent)
            if wanted.typ is None:
                return [], "a key may belong to a declared type"
            members, _ = self.types.members_named(wanted.typ, text)
            return [self.member_symbol(m) for m in members], "a key of a declared type"
        return self._alike(file, node, parent), ""

    def _alike(self, file: TsFile, node: Node, parent: Node) -> list[Symbol]:
        """A member at its declaration, with its other overloads."""
        declaration = parent if parent.type not in ("enum_body",) else node
        members = [Member(file.text(node), file, node, declaration)]
        if declaration.type in FUNCTIONS:
            for other in self.types.same_methods(file, declaration):
                name = other.child_by_field_name("name")
                if name is not None and other.id != declaration.id:
                    members.append(Member(file.text(node), file, name, other))
        return [self.member_symbol(m) for m in members]

    def member(self, file: TsFile, owner: Node, name: str) -> tuple[list[Symbol], str]:
        """(what `owner.name` refers to, why that may not be all)."""
        found = self.types.infer(file, owner)
        typ = found.typ
        if typ is None:
            return [], found.reason or "the receiver is not known"
        if typ.kind in ("ns", "nsdecl"):
            targets, reason = self.types.targets_in(typ, name, VALUE)
            return [self.symbol(t, name) for t in targets], reason or found.reason
        members, reason = self.types.members_named(typ, name)
        reason = reason or found.reason
        if members:
            return [self.member_symbol(m) for m in members], reason
        if name in ALWAYS or (typ.kind == "class" and name in OF_FUNCTIONS):
            return [], "a member of every object"
        if not reason and typ.kind not in ("inst", "class", "enum"):
            reason = "members may be added"
        return [], reason or self._narrowed(file, owner) or self._augmented(typ, name)

    def _narrowed(self, file: TsFile, owner: Node) -> str:
        """Why a receiver may be more than it is declared as: a test around it may narrow its type."""
        if owner.type == "this":
            cls = enclosing_class(owner)
            inside = file.data[cls.start_byte : cls.end_byte] if cls is not None else b""
            return "it narrows itself" if b"this is " in inside else ""
        if owner.type not in ("identifier", "member_expression"):
            return ""
        name = re.escape("".join(file.text(owner).split()))
        top: Node = owner
        while top.parent is not None and top.parent.parent is not None:
            top = top.parent
        text = file.text(top)
        pattern = (
            rf"(?<![\w.]){name}\s+instanceof\b|\bin\s+{name}\b|(?:is|as|has|assert|check|ensure|guard|invariant|expect)"
            rf"\w*\(\s*{name}\s*[,)]|(?:if|while|&&|\|\||\?|!)\s*\(*\s*!*[\w.]+\([^()]*\b{name}\s*[,)]|asserts?\b"
        )
        return "a test may narrow it" if re.search(pattern, text, re.IGNORECASE) else ""

    def _augmented(self, typ: Typ, name: str) -> str:
        """Why a type may have members that its own file does not declare."""
        if typ.file is None or typ.node is None:
            return "not known"
        own = typ.node.child_by_field_name("name")
        if own is None:
            return ""
        text = typ.file.text(own)
        for path in self.mine(p for p, _ in self.source.definitions_named(name)):
            data = self.data(path)
            if b"declare module" in data or b"declare global" in data:
                return "another file may add it to a type above"
        for path in self.mine(self.source.files_with(text)):
            data = self.data(path)
            if path != typ.file.path and (b"declare module" in data or b"declare global" in data):
                return "another file may add to it"
            if re.search(rb"(?:\.prototype\b|Object\.assign\(\s*|as any\)?\s*)\W*" + text.encode(), data) and re.search(
                rb"\b" + name.encode() + rb"\b", data
            ):
                return "a prototype may be changed"
        return ""

    def visible_names(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Names of the scopes around `offset`; those that every file sees are left out, so it is open."""
        file = self.world.file(path)
        if file is None:
            return self.answer((), "no such file")
        table: dict[str, Symbol] = {}
        scope = file.scope_at(offset)
        while True:
            for name, bindings in scope.names.items():
                if name not in table and any(b.space & VALUE for b in bindings):
                    table[name] = self.symbol(Target(file, bindings[0]), name)
            if scope.parent is None:
                break
            scope = scope.parent
        return self.answer(tuple(table.values()), "names of the platform are not listed")

    def members_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Members of the receiver whose expression ends at `offset`."""
        file = self.world.file(path)
        node = expression_ending(file, offset) if file is not None else None
        if file is None or node is None:
            return self.answer((), "no expression there")
        found = self.types.infer(file, node)
        if found.typ is None:
            return self.answer((), found.reason or "the receiver is not known")
        if found.typ.kind == "ns" and found.typ.file is not None:
            return self._module_names(found.typ.file, found.reason)
        inside = enclosing_class(node)
        members, reason = self.types.members(found.typ)
        shown = [
            self.member_symbol(m)
            for m in members.values()
            if not m.name.startswith("#") or (inside is not None and m.file is file)
        ]
        reason = reason or found.reason
        if not reason and found.typ.kind not in ("inst", "enum"):
            reason = "members may be added"
        return self.answer(tuple(shown), reason or self._narrowed(file, node) or self._augmented(found.typ, ""))

    def members_of(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Members of instances of a class or interface, or of an enumeration or namespace."""
        file = self.world.file(symbol.path)
        node = file.node_at(symbol.name_span.start, symbol.name_span.end) if file is not None else None
        if file is None or node is None or node.parent is None:
            return self.answer((), "not a class that is known")
        declaration = node.parent
        kind = {"enum_declaration": "enum", "internal_module": "nsdecl"}.get(declaration.type, "inst")
        if declaration.type == "type_alias_declaration":
            value = declaration.child_by_field_name("value")
            found = self.types.evaluate(file, value) if value is not None else Found(None)
        elif declaration.type in CLASSES or declaration.type == "interface_declaration" or kind != "inst":
            found = Found(Typ(kind, file, declaration, name=symbol.name))
        else:
            found = self.types.value_of(Target(file, next(iter(file.lookup(symbol.name, node.start_byte)), None)))
        if found.typ is None:
            return self.answer((), found.reason or "not a class that is known")
        if found.typ.kind == "nsdecl":
            return super().members_of(symbol)
        members, reason = self.types.members(found.typ)
        return self.answer(tuple(self.member_symbol(m) for m in members.values()), reason or found.reason)

    def _module_names(self, module: TsFile, reason: str = "") -> Answer[Sequence[Symbol]]:
        names, why = self.world.export_names(module)
        found: list[Symbol] = []
        for name, owner in names.items():
            targets, _ = self.world.export(owner, name, VALUE | TYPE)
            found.append(self.symbol(targets[0], name) if targets else _name_only(owner.path, name))
        return self.answer(tuple(found), reason or why)

    def module_members(self, module: str, path: str, level: int) -> Answer[Sequence[Symbol]]:
        """What `import { ... } from "module"` may name in `path`; without a path, `module` is a file."""
        if not path:
            file = self.world.file(module)
            return self._module_names(file) if file is not None else self.answer((), "no such file")
        here = self.world.file(path)
        found, reason = self.world.module(here, module) if here is not None else (None, "no such file")
        return self._module_names(found) if found is not None else self.answer((), reason)

    def modules(self, prefix: str, path: str, level: int) -> Answer[Sequence[str]]:
        """Module specifiers that the files of the workspace import already."""
        return self.answer(tuple(sorted(self.world.modules.packages)), "packages outside the workspace are not listed")

    def resolve_import(self, path: str, item: Import) -> Answer[Sequence[Symbol]]:
        """What one import binds; an empty closed answer means: provably not there."""
        file = self.world.file(path)
        if file is None:
            return self.answer((), "no such file")
        name = item.name if item.name is not None else "*"
        targets, reason = self.world.member_of_module(file, item.module, name, VALUE | TYPE)
        return self.answer(tuple(self.symbol(t, item.alias or name) for t in targets), reason)

    def findings(self, path: str, within: Span | None = None) -> list[Finding]:
        """What is provably wrong in a file; nothing while files are still being read."""
        from graft_indexer.typescript.checks import check

        return check(self, path, within) if self.source.complete else []

    # -- calls --------------------------------------------------------------------------------------------------------
    def call_at(self, path: str, offset: int) -> CallSite | None:
        """The innermost call whose parentheses enclose `offset`."""
        file = self.world.file(path)
        node = file.root.descendant_for_byte_range(max(0, offset - 1), offset) if file is not None else None
        while node is not None:
            if node.type in ("call_expression", "new_expression"):
                arguments = node.child_by_field_name("arguments")
                callee = node.child_by_field_name("function") or node.child_by_field_name("constructor")
                if arguments is not None and callee is not None and arguments.start_byte < offset <= arguments.end_byte:
                    return CallSite(_span(node), _span(callee), _span(arguments))
            node = node.parent
        return None

    def call_target(self, path: str, call: CallSite) -> Answer[Sequence[CallTarget]]:
        """What a call calls.  Closed with exactly one target: the call's arguments may be checked against it."""
        file = self.world.file(path)
        node = file.node_at(call.callee.start, call.callee.end) if file is not None else None
        if file is None or node is None:
            return self.answer((), "no call there")
        new = node.parent is not None and node.parent.type == "new_expression"
        targets, reason = self.targets_of_call(file, node, new)
        return self.answer(tuple(targets), reason)

    def targets_of_call(self, file: TsFile, callee: Node, new: bool) -> tuple[list[CallTarget], str]:
        """(signatures that a call may have, why there may be others)."""
        found = self.types.infer(file, callee)
        typ, reason = found.typ, found.reason
        if typ is None or typ.file is None or typ.node is None:
            return [], reason or "the callee is not known"
        if new or typ.kind == "class":
            return self._constructors(typ, reason)
        if typ.kind != "fn":
            return [], "not a function that is known"
        nodes = self.types.overloads(typ)
        made = [CallTarget(self._function_symbol(typ.file, n), signature_of(typ.file, n)) for n in nodes]
        return made, reason

    def _constructors(self, typ: Typ, reason: str) -> tuple[list[CallTarget], str]:
        if typ.kind != "class" or typ.file is None or typ.node is None:
            return [], reason or "not a class that is known"
        file, node = typ.file, typ.node
        for _ in range(12):
            body = node.child_by_field_name("body")
            nodes = [
                c
                for c in (body.named_children if body is not None else ())
                if c.type in FUNCTIONS and (n := c.child_by_field_name("name")) is not None
                and file.text(n) == "constructor"
            ]  # fmt: skip
            if nodes:
                signatures = [n for n in nodes if n.child_by_field_name("body") is None] or nodes
                made = [CallTarget(self._function_symbol(file, n), signature_of(file, n)) for n in signatures]
                return made, reason or ("it does not parse" if node.has_error else "")
            base = self.types.base_of(file, node)
            if base is None:
                name = node.child_by_field_name("name")
                symbol = self._node_symbol(file, name or node, node, DefinitionKind.CLASS)
                merged = "it is merged with an interface" if len(self.types.merged(file, node)) else ""
                return [CallTarget(symbol, Signature())], reason or merged
            if base.typ is None or base.typ.file is None or base.typ.node is None:
                return [], base.reason or "a base class that is not known"
            file, node, reason = base.typ.file, base.typ.node, reason or base.reason
        return [], "too many bases"

    def _function_symbol(self, file: TsFile, node: Node) -> Symbol:
        name = node.child_by_field_name("name")
        kind = DefinitionKind.METHOD if "method" in node.type else DefinitionKind.FUNCTION
        if name is None and node.parent is not None:
            name = node.parent.child_by_field_name("name") or node.parent.child_by_field_name("key")
        return self._node_symbol(file, name or node, node, kind)

    # -- the repository -----------------------------------------------------------------------------------------------
    def references(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Where a symbol is used: places of its name that resolve to it, and those that cannot be resolved."""
        found: list[Location] = []
        unknown = ""
        for path, span, lines, facts in self.occurrences(symbol.name):
            if (path, span) == (symbol.path, symbol.name_span):
                continue
            file = self.world.file(path)
            node = name_at(file, span.start) if file is not None else None
            if file is None or node is None:
                continue
            symbols, reason = self.resolve(file, node)
            if symbols and not any((s.path, s.name_span) == (symbol.path, symbol.name_span) for s in symbols):
                continue
            if not symbols:
                if node.type != "property_identifier" or symbol.kind not in _MEMBERS:
                    continue
                unknown = reason
            found.append(Location(path, span, lines.line_at(span.start) + 1, scope_at(facts, span.start)))
        return self.answer(tuple(found), unknown)

    # -- symbols ------------------------------------------------------------------------------------------------------
    def symbol(self, target: Target, name: str) -> Symbol:
        """The symbol of a target."""
        file, binding = target.file, target.binding
        origin = Origin.INSTALLED if file.path.startswith("/") else Origin.WORKSPACE
        if binding is None and target.node is None:
            return Symbol(
                name, file.path, DefinitionKind.MODULE, file.path, Span(0, len(file.data)), Span(0, 0),
                module=file.path, origin=origin,
            )  # fmt: skip
        if binding is None:
            assert target.node is not None
            inner = target.named or target.node.child_by_field_name("name") or target.node
            kind = DefinitionKind.CLASS if target.node.type in CLASSES else DefinitionKind.VARIABLE
            kind = DefinitionKind.FUNCTION if target.node.type in FUNCTIONS else kind
            return self._node_symbol(file, inner, target.node, kind, name)
        kind = _KINDS.get(binding.how, DefinitionKind.VARIABLE)
        declaration = binding.declaration
        value = declaration.child_by_field_name("value") if declaration.type == "variable_declarator" else None
        if value is not None and value.type in FUNCTIONS:
            kind = DefinitionKind.FUNCTION
        elif kind is DefinitionKind.VARIABLE and file.scope_at(binding.node.start_byte).parent is not None:
            kind = DefinitionKind.LOCAL
        if binding.how == "self" and declaration.type not in CLASSES:
            kind = DefinitionKind.FUNCTION
        return self._node_symbol(file, binding.node, declaration, kind)

    def member_symbol(self, member: Member) -> Symbol:
        """The symbol of a member."""
        kind = DefinitionKind.ATTRIBUTE
        if member.declaration.type in FUNCTIONS:
            accessor = any(c.type in ("get", "set") for c in member.declaration.children)
            kind = DefinitionKind.PROPERTY if accessor else DefinitionKind.METHOD
        elif member.declaration.type in ("enum_declaration", "property_identifier", "enum_assignment"):
            kind = DefinitionKind.VARIABLE
        return self._node_symbol(member.file, member.node, member.declaration, kind, member.name)

    def _node_symbol(
        self, file: TsFile, name: Node, declaration: Node, kind: DefinitionKind, shown: str | None = None
    ) -> Symbol:
        text = shown or member_name(file, name)
        facts = self.source.facts(file.path)
        own = next((d for d in facts.definitions if d.name_span == _span(name)), None) if facts is not None else None
        annotation = declaration.child_by_field_name("type")
        signature = None
        value = declaration.child_by_field_name("value")
        function = declaration if declaration.type in FUNCTIONS else value
        if function is not None and function.type in FUNCTIONS:
            signature = signature_of(file, function)
        origin = Origin.INSTALLED if file.path.startswith("/") else Origin.WORKSPACE
        parent = scope_at(facts, name.start_byte)
        inside = own.qualified_name if own is not None else f"{parent}.<locals>.{text}" if parent else text
        return Symbol(
            text, f"{file.path}.{inside}", kind, file.path, own.span if own is not None else _span(declaration),
            _span(name), signature, own.doc if own is not None else _doc(file, declaration), file.path, origin,
            _flat(file, annotation).lstrip(": ") if annotation is not None else None,
            own.bases if own is not None else (), (), _header(file, declaration),
        )  # fmt: skip


_MEMBERS = (DefinitionKind.METHOD, DefinitionKind.ATTRIBUTE, DefinitionKind.PROPERTY)


def name_at(file: TsFile, offset: int) -> Node | None:
    """The node of the name at (or ending at) a byte offset."""
    word = word_at(file.data, offset)
    if word is None:
        return None
    node = file.root.named_descendant_for_byte_range(word.start, word.end)
    if node is None or not node.type.endswith(("identifier", "identifier_pattern")):
        return None
    return node


def expression_ending(file: TsFile, offset: int) -> Node | None:
    """The largest primary expression that ends at a byte offset."""
    if offset <= 0:
        return None
    node: Node | None = file.root.descendant_for_byte_range(offset - 1, offset)
    best: Node | None = None
    while node is not None and node.end_byte == offset:
        if node.type in _PRIMARY:
            best = node
        elif best is not None:
            break
        node = node.parent
    return best


_PRIMARY: Final = frozenset(
    (
        "identifier", "this", "super", "member_expression", "subscript_expression", "call_expression", "new_expression",
        "parenthesized_expression", "non_null_expression", "string", "template_string", "array", "object", "number",
    )
)  # fmt: skip


def signature_of(file: TsFile, function: Node) -> Signature:
    """Parameters and return type of a function as they are written; `this` parameters are left out."""
    listed = function.child_by_field_name("parameters")
    single = function.child_by_field_name("parameter")
    parameters: list[Parameter] = []
    for child in listed.named_children if listed is not None else [single] if single is not None else []:
        if child.type == "comment":
            continue
        pattern = child.child_by_field_name("pattern") or child
        annotation, default = child.child_by_field_name("type"), child.child_by_field_name("value")
        text = _flat(file, pattern)
        if text == "this":
            continue
        rest = pattern.type == "rest_pattern"
        optional = child.type == "optional_parameter"
        parameters.append(
            Parameter(
                text.removeprefix("..."),
                ParameterKind.VAR_POSITIONAL if rest else ParameterKind.POSITIONAL_ONLY,
                _flat(file, annotation).lstrip(": ") if annotation is not None else None,
                _flat(file, default) if default is not None else "undefined" if optional else None,
            )
        )
    returns = function.child_by_field_name("return_type")
    marks = {c.type for c in function.children}
    return Signature(
        tuple(parameters), _flat(file, returns).lstrip(": ") if returns is not None else None, "async" in marks,
        "*" in marks,
    )  # fmt: skip


def _header(file: TsFile, declaration: Node) -> str:
    body = declaration.child_by_field_name("body")
    value = declaration.child_by_field_name("value")
    if body is None and value is not None and value.type in FUNCTIONS:
        body = value.child_by_field_name("body")
    start = declaration.start_byte
    end = min(body.start_byte if body is not None else declaration.end_byte, start + HEADER)
    text = file.data[start:end].decode("utf-8", "replace")
    if body is None:
        text = text.split("\n", 1)[0]
    return _SPACES.sub(" ", text).strip().rstrip("{=;, ")


def _doc(file: TsFile, declaration: Node) -> str | None:
    begin = file.data.rfind(b"\n", 0, declaration.start_byte) + 1
    return doc_above(file.data, begin, languages()[file.language])


def _flat(file: TsFile, node: Node) -> str:
    return _SPACES.sub(" ", file.text(node))[:HEADER]


def _span(node: Node) -> Span:
    return Span(node.start_byte, node.end_byte)


def _name_only(path: str, name: str) -> Symbol:
    return Symbol(name, f"{path}.{name}", DefinitionKind.VARIABLE, path, Span(0, 0), Span(0, 0), module=path)
