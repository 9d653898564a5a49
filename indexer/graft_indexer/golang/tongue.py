"""The graph's questions about Go files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from graft_indexer.facts import DefinitionKind, Import, Parameter, ParameterKind, Signature, Span
from graft_indexer.findings import Finding
from graft_indexer.golang.scopes import UNIVERSE, Binding, GoFile
from graft_indexer.golang.typ import Found, Member, Target
from graft_indexer.golang.types import Types
from graft_indexer.golang.world import GoWorld, Package
from graft_indexer.graph import Answer, CallSite, CallTarget, Location, Origin, Symbol
from graft_indexer.locate import word_at
from graft_indexer.querywalk import HEADER, doc_above
from graft_indexer.syntax import languages
from graft_indexer.tongues import CompleteSource, Tongue, scope_at

if TYPE_CHECKING:
    from tree_sitter import Node

_KINDS: Final = {
    "function": DefinitionKind.FUNCTION, "type": DefinitionKind.CLASS, "typeparam": DefinitionKind.TYPE_ALIAS,
    "param": DefinitionKind.PARAMETER,
}  # fmt: skip
_SPACES = re.compile(r"\s+")


class GoTongue(Tongue):
    """Packages, scopes and members resolved; closed where the text proves it."""

    def __init__(self, source: CompleteSource) -> None:
        super().__init__(source, "go")
        self.world = GoWorld(source)
        self.types = Types(self.world)

    def forget(self) -> None:
        """Files changed on disk."""
        self.world.forget()

    # -- names --------------------------------------------------------------------------------------------------------
    def definition_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """What the name at `offset` refers to.  Closed and empty: it provably refers to nothing."""
        file = self.world.file(path)
        node = name_at(file, offset) if file is not None else None
        if file is None or node is None:
            return self.answer((), "no name there")
        symbols, reason = self.resolve(file, node)
        return self.answer(tuple(symbols), reason)

    def resolve(self, file: GoFile, node: Node) -> tuple[list[Symbol], str]:
        """(what a name node refers to, why that may not be all)."""
        text, parent = file.text(node), node.parent
        if parent is None or text == "_":
            return [], "no name"
        role = parent.type
        if node.type == "label_name" or role in ("package_clause",):
            return [], "no name of a value"
        if node.type == "field_identifier":
            return self._field(file, node, parent, text)
        if role in ("qualified_type", "selector_expression") and node.type == "type_identifier":
            owner = parent.child_by_field_name("package")
            if owner is not None:
                return self.of_package(file, file.text(owner), text)
        if node.type == "package_identifier":
            return self._package_symbols(file, text)
        if role == "literal_element" and (key := self._key(file, node, parent, text)) is not None:
            return key
        targets, reason = self.types.resolve(file, text, node.start_byte)
        if not targets and not reason and text in UNIVERSE:
            reason = "a predeclared name"
        if not targets and not reason and file.broken:
            reason = "a part of the file does not parse"
        return [self.symbol(t, text) for t in targets], reason

    def _field(self, file: GoFile, node: Node, parent: Node, text: str) -> tuple[list[Symbol], str]:
        if parent.type == "selector_expression":
            owner = parent.child_by_field_name("operand")
            return self.member(file, owner, text) if owner is not None else ([], "no receiver")
        return [self.member_symbol(Member(text, file, node, parent))], ""

    def member(self, file: GoFile, owner: Node, name: str) -> tuple[list[Symbol], str]:
        """(what `owner.name` refers to, why that may not be all)."""
        if owner.type == "identifier" and file.lookup(file.text(owner), owner.start_byte) is None:
            package = self.world.package_of(file)
            if package is None or file.text(owner) not in package.names:
                return self.of_package(file, file.text(owner), name)
        found = self._receiver(file, owner)
        if found.typ is None:
            return [], found.reason or "the receiver is not known"
        members, reason = self.types.members_named(found.typ, name)
        return [self.member_symbol(m) for m in members], reason or found.reason

    def _receiver(self, file: GoFile, owner: Node) -> Found:
        """The type of a receiver; a method expression (`T.Method`) has the type itself before its dot."""
        found = self.types.infer(file, owner)
        if found.typ is None and owner.type in ("identifier", "parenthesized_expression"):
            evaluated = self.types.evaluate(file, owner)
            if evaluated.typ is not None and evaluated.typ.kind in ("named", "pointer"):
                return evaluated
        return found

    def of_package(self, file: GoFile, alias: str, name: str) -> tuple[list[Symbol], str]:
        """What `alias.name` refers to where alias is an imported package."""
        package, reason = self.types.package_named(file, alias)
        if package is None:
            return [], reason or "not an imported package"
        found = package.names.get(name, [])
        return [self.symbol(Target(f, b), name) for f, b in found], reason or ("" if found else package.partial)

    def _package_symbols(self, file: GoFile, text: str) -> tuple[list[Symbol], str]:
        given = file.imports.get(text)
        package, reason = self.types.package_named(file, text)
        if given is None and package is None:
            return [], reason or "not imported"
        node = (given or file.imports[text])[1]
        return [self.symbol(Target(file, package=package, node=node), text)], reason

    def _key(self, file: GoFile, node: Node, element: Node, text: str) -> tuple[list[Symbol], str] | None:
        """What the key of a composite literal refers to, if the literal is a struct's; None if it is a value."""
        keyed = element.parent
        if keyed is None or keyed.type != "keyed_element" or keyed.child_by_field_name("key") != element:
            return None
        outer = keyed.parent
        found = self.types.literal(file, outer) if outer is not None and outer.type == "literal_value" else Found(None)
        if found.typ is None:
            return [], found.reason or "the literal's type is not known"
        typ = self.types.underlying(found.typ)
        if typ.kind == "pointer" and typ.args:
            typ = self.types.underlying(typ.args[0])
        if typ.kind != "struct":
            return None if typ.kind in ("map", "list") else ([], "the literal's type is not known")
        members, reason = self.types.members_named(typ, text)
        return [self.member_symbol(m) for m in members], reason or found.reason

    def visible_names(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Names of the scopes around `offset`, of the package and of its imports."""
        file = self.world.file(path)
        if file is None:
            return self.answer((), "no such file")
        table: dict[str, Symbol] = {}
        scope = file.scope_at(offset)
        while scope.parent is not None:
            for name, bindings in scope.names.items():
                if name not in table and bindings[0].since <= offset:
                    table[name] = self.symbol(Target(file, bindings[0]), name)
            scope = scope.parent
        package = self.world.package_of(file)
        for name, found in (package.names if package is not None else {}).items():
            table.setdefault(name, self.symbol(Target(*found[0]), name))
        for name, (target, node) in file.imports.items():
            table.setdefault(name, _import_symbol(file, name, target, node))
        return self.answer(tuple(table.values()), "predeclared names are not listed")

    def members_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Members of the receiver whose expression ends at `offset`."""
        file = self.world.file(path)
        node = expression_ending(file, offset) if file is not None else None
        if file is None or node is None:
            return self.answer((), "no expression there")
        if node.type == "identifier" and file.lookup(file.text(node), node.start_byte) is None:
            found_package, reason = self.types.package_named(file, file.text(node))
            own = self.world.package_of(file)
            if found_package is not None and (own is None or file.text(node) not in own.names):
                return self._exported(found_package, reason)
        found = self._receiver(file, node)
        if found.typ is None:
            return self.answer((), found.reason or "the receiver is not known")
        members, reason = self.types.members(found.typ)
        folder = file.path.rpartition("/")[0]
        shown = [
            self.member_symbol(m)
            for m in members.values()
            if m.name[:1].isupper() or m.file.path.rpartition("/")[0] == folder
        ]
        return self.answer(tuple(shown), reason or found.reason)

    def _exported(self, package: Package, reason: str) -> Answer[Sequence[Symbol]]:
        names = [self.symbol(Target(*f[0]), n) for n, f in package.names.items() if n[:1].isupper()]
        return self.answer(tuple(names), reason or package.partial)

    def members_of(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Fields and methods of a type."""
        file = self.world.file(symbol.path)
        node = file.root.named_descendant_for_byte_range(symbol.name_span.start, symbol.name_span.end) if file else None
        if file is None or node is None:
            return self.answer((), "not a type that is known")
        found = self.types.evaluate(file, node)
        if found.typ is None:
            return self.answer((), found.reason)
        members, reason = self.types.members(found.typ)
        return self.answer(tuple(self.member_symbol(m) for m in members.values()), reason or found.reason)

    def module_members(self, module: str, path: str, level: int) -> Answer[Sequence[Symbol]]:
        """Exported names of a package, by its import path as seen from a file, or by a file of it."""
        file = self.world.file(path or module)
        if file is None:
            return self.answer((), "no such file")
        package, reason = self.world.imported(file, module) if path else (self.world.package_of(file), "")
        return self._exported(package, reason) if package is not None else self.answer((), reason)

    def resolve_import(self, path: str, item: Import) -> Answer[Sequence[Symbol]]:
        """The package that an import names."""
        file = self.world.file(path)
        package, reason = self.world.imported(file, item.module) if file is not None else (None, "no such file")
        if package is None or file is None:
            return self.answer((), reason)
        return self.answer((self.symbol(Target(file, package=package), package.name),), reason)

    def findings(self, path: str, within: Span | None = None) -> list[Finding]:
        """What is provably wrong in a file; nothing while files are still being read."""
        from graft_indexer.golang.checks import check

        return check(self, path, within) if self.source.complete else []

    # -- calls --------------------------------------------------------------------------------------------------------
    def call_at(self, path: str, offset: int) -> CallSite | None:
        """The innermost call whose parentheses enclose `offset`."""
        file = self.world.file(path)
        node = file.root.descendant_for_byte_range(max(0, offset - 1), offset) if file is not None else None
        while node is not None:
            if node.type == "call_expression":
                callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
                if callee is not None and arguments is not None and arguments.start_byte < offset <= arguments.end_byte:
                    return CallSite(_span(node), _span(callee), _span(arguments))
            node = node.parent
        return None

    def call_target(self, path: str, call: CallSite) -> Answer[Sequence[CallTarget]]:
        """What a call calls.  Closed with exactly one target: the call's arguments may be checked against it."""
        file = self.world.file(path)
        node = file.root.named_descendant_for_byte_range(call.callee.start, call.callee.end) if file else None
        if file is None or node is None:
            return self.answer((), "no call there")
        targets, reason = self.targets_of_call(file, node)
        return self.answer(tuple(targets), reason)

    def targets_of_call(self, file: GoFile, callee: Node) -> tuple[list[CallTarget], str]:
        """(what a callee is with its signature, why that may not be it)."""
        if self.types.is_type(file, callee):
            return [], "a conversion"
        found = self.types.infer(file, callee)
        if found.typ is None:
            return [], found.reason or "the callee is not known"
        typ = self.types.underlying(found.typ)
        if typ.kind != "func" or typ.file is None or typ.node is None:
            return [], "not a function that is known"
        name = typ.node.child_by_field_name("name")
        kind = DefinitionKind.METHOD if typ.node.type.startswith("method") else DefinitionKind.FUNCTION
        symbol = self._symbol(typ.file, name or typ.node, typ.node, kind)
        return [CallTarget(symbol, signature_of(typ.file, typ.node))], found.reason

    # -- the repository -----------------------------------------------------------------------------------------------
    def references(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Where a symbol is used: places of its name that resolve to it, and those that cannot be resolved."""
        found: list[Location] = []
        unknown = ""
        for path, span, lines, facts in self.occurrences(symbol.name):
            file = self.world.file(path)
            node = name_at(file, span.start) if file is not None else None
            if file is None or node is None or (path, span) == (symbol.path, symbol.name_span):
                continue
            symbols, reason = self.resolve(file, node)
            if symbols and not any((s.path, s.name_span) == (symbol.path, symbol.name_span) for s in symbols):
                continue
            if not symbols:
                if node.type != "field_identifier":
                    continue
                unknown = reason
            found.append(Location(path, span, lines.line_at(span.start) + 1, scope_at(facts, span.start)))
        return self.answer(tuple(found), unknown)

    def importers(self, path: str) -> Sequence[str]:
        """Files that import the package of a file."""
        folder = path.rpartition("/")[0]
        name = folder.rpartition("/")[2]
        found: list[str] = []
        for other in self.mine(self.source.importing([name])) if name else ():
            file = self.world.file(other)
            targets = [t for t, _ in file.imports.values()] if file is not None else []
            if file is not None and any(
                (package := self.world.imported(file, t)[0]) is not None and package.folder == folder
                for t in targets
                if t.endswith(name)
            ):
                found.append(other)
        return tuple(found)

    # -- symbols ------------------------------------------------------------------------------------------------------
    def symbol(self, target: Target, name: str) -> Symbol:
        """The symbol of a target."""
        binding = target.binding
        if binding is not None:
            return self._binding_symbol(target.file, binding)
        if target.node is not None:
            path = target.package.folder if target.package is not None else ""
            return _import_symbol(target.file, name, path, target.node)
        first = target.package.files[0] if target.package is not None else target.file
        return Symbol(
            name, first.path.rpartition("/")[0], DefinitionKind.MODULE, first.path, Span(0, len(first.data)),
            Span(0, 0), module=first.path, origin=_origin(first),
        )  # fmt: skip

    def _binding_symbol(self, file: GoFile, binding: Binding) -> Symbol:
        outer = file.scope_at(binding.node.start_byte).parent is None or binding.how == "function"
        kind = _KINDS.get(binding.how, DefinitionKind.VARIABLE if outer else DefinitionKind.LOCAL)
        return self._symbol(file, binding.node, binding.declaration, kind)

    def member_symbol(self, member: Member) -> Symbol:
        """The symbol of a field or method."""
        method = member.declaration.type in ("method_declaration", "method_elem")
        kind = DefinitionKind.METHOD if method else DefinitionKind.ATTRIBUTE
        return self._symbol(member.file, member.node, member.declaration, kind)

    def _symbol(self, file: GoFile, name: Node, declaration: Node, kind: DefinitionKind) -> Symbol:
        text = file.text(name) if name.end_byte - name.start_byte < HEADER else ""
        facts = self.source.facts(file.path) if not file.path.startswith("/") else None
        own = next((d for d in facts.definitions if d.name_span == _span(name)), None) if facts is not None else None
        annotation = declaration.child_by_field_name("type")
        function = declaration.child_by_field_name("parameters") is not None
        parent = scope_at(facts, name.start_byte)
        inside = own.qualified_name if own is not None else f"{parent}.<locals>.{text}" if parent else text
        short = annotation is not None and annotation.end_byte - annotation.start_byte < HEADER
        return Symbol(
            text, f"{file.path}.{inside}", kind, file.path, own.span if own is not None else _span(declaration),
            _span(name), signature_of(file, declaration) if function else None,
            own.doc if own is not None else _doc(file, declaration), file.path, _origin(file),
            _flat(file, annotation) if annotation is not None and short else None, (), (), _header(file, declaration),
        )  # fmt: skip


def _origin(file: GoFile) -> Origin:
    return Origin.INSTALLED if file.path.startswith("/") else Origin.WORKSPACE


def _import_symbol(file: GoFile, name: str, target: str, node: Node) -> Symbol:
    named = node.child_by_field_name("name") or node.child_by_field_name("path") or node
    return Symbol(
        name, target or name, DefinitionKind.MODULE, file.path, _span(node), _span(named), module=file.path,
        header=f"import {_flat(file, node)}",
    )  # fmt: skip


def name_at(file: GoFile, offset: int) -> Node | None:
    """The node of the name at (or ending at) a byte offset."""
    word = word_at(file.data, offset)
    node = file.root.named_descendant_for_byte_range(word.start, word.end) if word is not None else None
    return node if node is not None and node.type.endswith("identifier") else None


_PRIMARY: Final = frozenset(
    (
        "identifier", "selector_expression", "call_expression", "index_expression", "slice_expression",
        "parenthesized_expression", "composite_literal", "type_assertion_expression", "package_identifier",
    )
)  # fmt: skip


def expression_ending(file: GoFile, offset: int) -> Node | None:
    """The largest primary expression that ends at a byte offset."""
    node: Node | None = file.root.descendant_for_byte_range(max(0, offset - 1), offset)
    best: Node | None = None
    while node is not None and node.end_byte == offset:
        if node.type in _PRIMARY:
            best = node
        elif best is not None:
            break
        node = node.parent
    return best


def signature_of(file: GoFile, function: Node) -> Signature:
    """Parameters and results of a function as they are written."""
    listed = function.child_by_field_name("parameters")
    parameters: list[Parameter] = []
    for child in listed.named_children if listed is not None else ():
        kind = child.child_by_field_name("type")
        if child.type == "comment" or kind is None:
            continue
        rest = child.type == "variadic_parameter_declaration"
        names = [file.text(n) for n in child.children_by_field_name("name")] or ["_"]
        parameters += [
            Parameter(
                n, ParameterKind.VAR_POSITIONAL if rest else ParameterKind.POSITIONAL_ONLY, _flat(file, kind)
            )
            for n in names
        ]  # fmt: skip
    result = function.child_by_field_name("result")
    return Signature(tuple(parameters), _flat(file, result) if result is not None else None)


def _header(file: GoFile, declaration: Node) -> str:
    body = declaration.child_by_field_name("body")
    start = declaration.start_byte
    if declaration.type in ("type_spec", "type_alias"):
        return "type " + file.data[start : declaration.end_byte].split(b"\n", 1)[0].decode("utf-8", "replace")[:HEADER]
    end = min(body.start_byte if body is not None else declaration.end_byte, start + HEADER)
    text = file.data[start:end].decode("utf-8", "replace")
    return _SPACES.sub(" ", text if body is not None else text.split("\n", 1)[0]).strip().rstrip("{ ")


def _doc(file: GoFile, declaration: Node) -> str | None:
    begin = file.data.rfind(b"\n", 0, declaration.start_byte) + 1
    return doc_above(file.data, begin, languages()["go"])


def _flat(file: GoFile, node: Node) -> str:
    return _SPACES.sub(" ", file.text(node))[:HEADER]


def _span(node: Node) -> Span:
    return Span(node.start_byte, node.end_byte)


__all__ = ["GoTongue"]
