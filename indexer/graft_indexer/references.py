"""Where symbols are used: definitions of places, references, callers, tests, importers, exposure."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graft_indexer import calls, locate
from graft_indexer.bindings import FUNCTIONS, How
from graft_indexer.classes import class_of
from graft_indexer.facts import Definition, DefinitionKind, Facts, ReferenceRole, Span
from graft_indexer.graph import Exposure, Location, Origin, Symbol
from graft_indexer.guards import OLD_NAMES, import_doubt, names_version
from graft_indexer.locate import Place
from graft_indexer.memo import CircularError
from graft_indexer.positions import scope_along, scope_at
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope
from graft_indexer.symbols import (
    binding_symbol,
    class_symbol,
    function_symbol,
    member_symbol,
    module_symbol,
    target_symbol,
)
from graft_indexer.tongues import family_of
from graft_indexer.values import Cls, ModuleValue, Result
from graft_indexer.world import Found

if TYPE_CHECKING:
    from graft_indexer.pygraph import PyGraph

_CALLABLE = (DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.CLASS, DefinitionKind.PROPERTY)
_MEMBERS = (DefinitionKind.METHOD, DefinitionKind.PROPERTY, DefinitionKind.ATTRIBUTE)
_MAX_TESTS = 40


class References:
    """Answers for a graph."""

    def __init__(self, graph: PyGraph) -> None:
        self.graph = graph
        self.world = graph.world
        self.source = graph.source

    # -- one place ----------------------------------------------------------------------------------------------------
    def resolve(self, file: PyFile, place: Place) -> tuple[list[Symbol], str]:
        """Definitions of the name at a place."""
        node = place.node
        inference = self.graph.inference
        match node:
            case ast.Name(id=name):
                scope = self._scope(file, place)
                if isinstance(node.ctx, ast.Store | ast.Del):
                    return self._own(file, scope, name, node)
                found = self.world.lookup(file, scope, name)
                symbols = self._symbols(found, name)
                reason = found.reason
                if not symbols and not reason:
                    reason = self._name_doubt(file, place, name)
                return symbols, reason
            case ast.Attribute(value=value, attr=attr):
                scope = self._scope(file, place)
                result = inference.infer(file, scope, value)
                symbols, reason = self.graph.member_answers.named(result, attr)
                if not symbols and not reason:
                    reason = self._attribute_doubt(file, place, node)
                return symbols, reason
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                outer = self._outer(file, node)
                return [function_symbol(file, node, outer)], ""
            case ast.ClassDef():
                return [class_symbol(class_of(file, node, self._outer(file, node)))], ""
            case ast.arg() | ast.MatchAs() | ast.MatchStar() | ast.MatchMapping() | ast.ExceptHandler():
                scope = scope_at(file.scope, place.span.start)
                holder = next((n for n in reversed(place.path) if isinstance(n, (*FUNCTIONS, ast.Lambda))), None)
                if isinstance(node, ast.arg) and holder is not None:
                    body = holder.body if isinstance(holder, ast.Lambda) else holder.body[0]
                    scope = scope_at(file.scope, file.tree.start(body))
                    while scope.node is not holder and scope.parent is not None:
                        scope = scope.parent
                return self._own(file, scope, place.name, node)
            case ast.alias() | ast.ImportFrom():
                return self._import(file, place)
            case ast.keyword():
                return self._keyword(file, place)
            case ast.Global() | ast.Nonlocal():
                scope = scope_at(file.scope, place.span.start)
                found = self.world.lookup(file, scope, place.name)
                return self._symbols(found, place.name), found.reason or "declared, not read"
        return [], "not a name that is followed"

    def _scope(self, file: PyFile, place: Place) -> Scope:
        """The scope of a name or attribute."""
        if place.path and place.path[-1] is place.node:
            return scope_along(file.scope, place.path)
        for at in range(len(place.path) - 1, -1, -1):
            if place.path[at] is place.node:
                return scope_along(file.scope, place.path[: at + 1])
        start = place.node.value if isinstance(place.node, ast.Attribute) else place.node
        return scope_at(file.scope, file.tree.start(start))

    def _symbols(self, found: Found, name: str) -> list[Symbol]:
        symbols = [target_symbol(self.world, t) for t in found.targets]
        return list(dict.fromkeys(s for s in symbols if s is not None))

    def _own(self, file: PyFile, scope: Scope, name: str, node: ast.AST) -> tuple[list[Symbol], str]:
        for key in (name, f"global {name}", f"nonlocal {name}"):
            for binding in scope.bindings.get(key, ()):
                if binding.node is node:
                    return [binding_symbol(file, binding)], ""
        found = self.world.lookup(file, scope, name)
        symbols = self._symbols(found, name)
        return symbols, found.reason or ("" if symbols else "not bound there")

    def _outer(self, file: PyFile, node: ast.AST) -> Scope:
        if any(s is node for s in file.tree.body):
            return file.scope
        scope = scope_at(file.scope, file.tree.full_span(node).start)
        while scope.node is node and scope.parent is not None:
            scope = scope.parent
        return scope

    def _name_doubt(self, file: PyFile, place: Place, name: str) -> str:
        """Why a name that nothing binds may exist all the same."""
        if name in self.graph.repository.builtins_set():
            return "it is added to the builtins"
        if name in ("get_ipython", "display", "__IPYTHON__", "_", "reveal_type", "reveal_locals", "__class__", "exit"):
            return "it may be set by the surroundings"
        if file.tree.hides(Span(place.span.start, place.span.end), name):
            return "a syntax error is near"
        for parent, child in zip(place.path, place.path[1:], strict=False):
            match parent:
                case ast.Try(body=body, handlers=handlers) if any(s is child for s in body):
                    for handler in handlers:
                        if handler.type is None or any(
                            isinstance(n, ast.Name) and n.id in ("NameError", "Exception", "BaseException")
                            for n in ast.walk(handler.type)
                        ):
                            return "a NameError is caught"
                case ast.If(test=test) | ast.IfExp(test=test) if child is not test:
                    if name in OLD_NAMES or names_version(self.world, file, test):
                        return "guarded by a condition"
        if name in OLD_NAMES and any(f"{w}" in file.tree.text for w in ("PY2", "PY3", "version_info")):
            return "guarded by a condition"
        return ""

    def _attribute_doubt(self, file: PyFile, place: Place, node: ast.Attribute) -> str:
        if isinstance(node.ctx, ast.Store | ast.Del):
            return "it is set here"
        line = file.tree.lines.line_at(place.span.start)
        text = file.tree.data[file.tree.lines.starts[line] : file.tree.lines.end_of(line)]
        if b"type: ignore" in text or b"pyright: ignore" in text:
            return "the author tells checkers to be quiet"
        if file.tree.is_broken(Span(place.span.start, place.span.end)):
            return "a syntax error is near"
        for parent, child in zip(place.path, place.path[1:], strict=False):
            match parent:
                case ast.Try(body=body, handlers=handlers) if any(s is child for s in body):
                    for handler in handlers:
                        if handler.type is None or any(
                            (isinstance(n, ast.Name) and n.id in ("AttributeError", "Exception", "BaseException"))
                            for n in ast.walk(handler.type)
                        ):
                            return "an AttributeError is caught"
                case ast.With(items=items) if any(
                    (isinstance(i.context_expr, ast.Call) and "raises" in ast.dump(i.context_expr.func).lower())
                    or "suppress" in ast.dump(i.context_expr).lower()
                    for i in items
                ):
                    return "an AttributeError is expected"
                case ast.If(test=test) | ast.IfExp(test=test) if child is not test and names_version(
                    self.world, file, test
                ):
                    return "guarded by a condition"
        return ""

    def _import(self, file: PyFile, place: Place) -> tuple[list[Symbol], str]:
        node = place.node
        if isinstance(node, ast.ImportFrom) and place.module is not None:
            module, reason = self.world.import_module(file.path, place.module, node.level)
            return ([module_symbol(self.world, module)] if module else []), reason
        assert isinstance(node, ast.alias)
        statement = next((n for n in reversed(place.path) if isinstance(n, ast.Import | ast.ImportFrom)), None)
        if isinstance(statement, ast.Import):
            dotted = place.module or node.name
            module, reason = self.world.import_module(file.path, dotted, 0)
            if module is None and not reason:
                reason = import_doubt(self.world, file, place.path)
            return ([module_symbol(self.world, module)] if module else []), reason
        if isinstance(statement, ast.ImportFrom):
            module, reason = self.world.import_module(file.path, statement.module or "", statement.level)
            if module is None:
                return [], reason or "the module is not there"
            symbols, why = self.graph.member_answers.named(Result((ModuleValue(module),)), node.name)
            if not symbols and not why:
                why = import_doubt(self.world, file, place.path)
            symbols = [self._unaliased(s) for s in symbols]
            return symbols, reason or why
        return [], "not an import"

    def _unaliased(self, symbol: Symbol) -> Symbol:
        return symbol

    def _keyword(self, file: PyFile, place: Place) -> tuple[list[Symbol], str]:
        call = next((n for n in reversed(place.path) if isinstance(n, ast.Call)), None)
        if call is None:
            return [], "not in a call"
        scope = scope_at(file.scope, file.tree.start(call.func))
        result = self.graph.inference.infer(file, scope, call.func)
        targets, reason = calls.targets_of(self.graph.inference, result)
        found = [t.symbol for t in targets if any(p.name == place.name for p in t.signature.parameters)]
        return found, reason or ("" if found else "no parameter of that name")

    # -- all places ---------------------------------------------------------------------------------------------------
    def references(self, symbol: Symbol) -> tuple[list[Location], str]:
        """Where a symbol is used; open if a place could not be decided."""
        return self._places(symbol, None)

    def callers(self, symbol: Symbol) -> tuple[list[Location], str]:
        """Where a function or class is called."""
        if symbol.kind not in _CALLABLE:
            return [], "it is not called"
        return self._places(symbol, ReferenceRole.CALL)

    def _places(self, symbol: Symbol, role: ReferenceRole | None) -> tuple[list[Location], str]:
        key = ("places", symbol.path, symbol.name_span, symbol.qualified_name, role)
        try:
            return self.world.memo.remember(key, lambda: self._find_places(symbol, role))
        except CircularError:
            return [], "it depends on itself"

    def _find_places(self, symbol: Symbol, role: ReferenceRole | None) -> tuple[list[Location], str]:
        name = symbol.qualified_name.rpartition(".")[2]
        if symbol.kind in (DefinitionKind.LOCAL, DefinitionKind.PARAMETER):
            paths: Sequence[str] = [symbol.path]
        else:
            paths = self.graph.repository.files_with(name)
        wanted = self._family(symbol)
        found: list[Location] = []
        undecided = 0
        for path in paths:
            file = self.world.file(path)
            if file is None:
                continue
            file.note_text()
            aliases = self._aliases(file, name)
            for shown, kind, span, node in locate.occurrences(file):
                if shown not in aliases and not (kind is ReferenceRole.IMPORT and shown.endswith(name)):
                    continue
                if role is ReferenceRole.CALL and kind is not ReferenceRole.CALL:
                    continue
                verdict = self._is_one(file, node, span, wanted, symbol)
                if verdict is None:
                    undecided += 1
                elif verdict:
                    line = file.tree.lines.line_at(span.start) + 1
                    found.append(Location(path, span, line, self._scope_name(file, span.start)))
        reason = f"{undecided} places could not be decided" if undecided else ""
        return found, reason

    def _aliases(self, file: PyFile, name: str) -> set[str]:
        names = {name}
        for bindings in file.scope.bindings.values():
            for binding in bindings:
                if binding.how is How.FROM and isinstance(binding.node, ast.alias) and binding.node.name == name:
                    names.add(binding.name)
        return names

    def _family(self, symbol: Symbol) -> set[tuple[str, Span]]:
        """The symbol with the definitions that are the same thing: for methods, what it overrides and is overridden by
        does not count, but all assignments of one attribute or variable do."""
        family = {(symbol.path, symbol.name_span)}
        file = self.world.file(symbol.path) if symbol.path else None
        if file is None:
            return family
        name = symbol.qualified_name.rpartition(".")[2]
        inside = symbol.qualified_name[len(symbol.module) + 1 :] if symbol.module else symbol.qualified_name
        if "." not in inside:
            for binding in file.scope.bindings.get(name, ()):
                family.add(
                    (file.path, file.tree.name_span(binding.node))
                    if binding.how is not How.IMPLICIT
                    else (file.path, symbol.name_span)
                )
        return family

    def _is_one(
        self, file: PyFile, node: ast.AST, span: Span, wanted: set[tuple[str, Span]], symbol: Symbol
    ) -> bool | None:
        if isinstance(node, (ast.Attribute | ast.alias | ast.keyword, ast.Name)):
            place = locate.place(file, span.end if isinstance(node, ast.alias) else span.start)
            if place is None:
                return None
            if isinstance(node, ast.keyword) and symbol.kind is not DefinitionKind.PARAMETER:
                return False
            symbols, reason = self.resolve(file, place)
            if any(self._same(s, symbol, wanted) for s in symbols):
                return True
            if not symbols and reason and isinstance(node, ast.Attribute):
                return None if symbol.kind in _MEMBERS else False
            return False
        return False

    def _same(self, found: Symbol, symbol: Symbol, wanted: set[tuple[str, Span]]) -> bool:
        if (found.path, found.name_span) in wanted and found.qualified_name == symbol.qualified_name:
            return True
        return found.qualified_name == symbol.qualified_name and found.path == symbol.path

    def _scope_name(self, file: PyFile, offset: int) -> str:
        scope: Scope | None = scope_at(file.scope, offset)
        while scope is not None and not (scope.is_function or scope.is_class or scope.is_module):
            scope = scope.parent
        return scope.name if scope is not None else ""

    # -- the repository -----------------------------------------------------------------------------------------------
    def tests_of(self, symbol: Symbol) -> list[Symbol]:
        """Tests that call the symbol, then those that mention it, then those of what calls it."""
        scores: dict[tuple[str, str], tuple[int, Symbol]] = {}
        level: list[Symbol] = [symbol]
        seen = {(symbol.path, symbol.qualified_name)}
        for distance in range(3):
            following: list[Symbol] = []
            for current in level[:12]:
                for location in self._places(current, None)[0]:
                    file = self.world.file(location.path)
                    if file is None:
                        continue
                    for around in locate.enclosing(file, location.span.start):
                        if around.kind not in (DefinitionKind.FUNCTION, DefinitionKind.METHOD):
                            continue
                        key = (around.path, around.qualified_name)
                        if is_test(around):
                            if key not in scores:
                                scores[key] = (distance, around)
                        elif key not in seen:
                            seen.add(key)
                            following.append(around)
                        break
                if len(scores) >= _MAX_TESTS:
                    break
            level = following
        ranked = sorted(scores.values(), key=lambda item: (item[0], item[1].path, item[1].span.start))
        return [s for _, s in ranked[:_MAX_TESTS]]

    def subclasses(self, symbol: Symbol) -> tuple[list[Symbol], str]:
        """Subclasses of a class in the workspace."""
        cls = self.class_named(symbol)
        if cls is None:
            return [], "not a class that is known"
        found, reason = self.graph.repository.some_subclasses(cls)
        inside = [class_symbol(c) for c in found if c.file.origin is Origin.WORKSPACE]
        return inside, reason

    def overrides(self, symbol: Symbol) -> tuple[list[Symbol], str]:
        """Members of subclasses in the workspace that override a member of a class."""
        owner, _, name = symbol.qualified_name.rpartition(".")
        inside = owner[len(symbol.module) + 1 :]
        cls = self._class_called(symbol.path, inside) if inside else None
        if cls is None:
            return [], "not a member of a class that is known"
        found, reason = self.graph.repository.some_subclasses(cls)
        classes = self.graph.inference.classes
        members = [m for c in found if c.file.in_workspace and (m := classes.own_member(c, name)) is not None]
        return [member_symbol(m) for m in members], reason

    def _class_called(self, path: str, inside: str) -> Cls | None:
        from graft_indexer.repository import classes_in

        file = self.world.file(path) if path else None
        return next((c for c in classes_in(file) if c.inside == inside), None) if file is not None else None

    def class_named(self, symbol: Symbol) -> Cls | None:
        """The class of a class symbol."""
        from graft_indexer.repository import classes_in

        file = self.world.file(symbol.path) if symbol.path else None
        if file is None:
            return None
        for cls in classes_in(file):
            if file.tree.name_span(cls.node) == symbol.name_span:
                return cls
        return None

    def importers(self, path: str) -> list[str]:
        """Files that import a module."""
        name = self.world.finder.module_name(path)
        last = name.rpartition(".")[2]
        found: list[str] = []
        family = family_of(path)
        for candidate in self.source.importing([last]):
            if candidate == path or family_of(candidate) != family:
                continue
            facts = self.source.facts(candidate)
            for item in facts.imports if facts is not None else ():
                module, _ = self.world.import_module(candidate, item.module, item.level)
                if module is None:
                    continue
                if path in (module.path, module.source):
                    found.append(candidate)
                    break
                if item.name is not None and item.name != "*":
                    sub = self.world.finder.submodule(module, item.name)
                    if sub is not None and path in (sub.path, sub.source):
                        found.append(candidate)
                        break
        return found

    def exposure(self, path: str, before: Facts) -> Exposure:
        """Differences in a file's definitions, and the files that may notice."""
        now = self.source.facts(path)
        old = {d.qualified_name: d for d in before.definitions if _exported(d)}
        new = {d.qualified_name: d for d in (now.definitions if now is not None else ()) if _exported(d)}
        removed = tuple(self._definition(path, d) for n, d in old.items() if n not in new)
        added = tuple(self._definition(path, d) for n, d in new.items() if n not in old)
        changed = tuple(
            (self._definition(path, d), self._definition(path, new[n]))
            for n, d in old.items()
            if n in new and _changed(d, new[n])
        )
        affected: dict[str, None] = {}
        touched = [*removed, *(b for b, _ in changed)]
        if touched or added:
            family = family_of(path)
            importers = set(self.graph.importers(path))
            for symbol in touched:
                # Another language has the word too, and means something else.
                users = [p for p in self.source.files_with(symbol.name) if p != path and family_of(p) == family]
                member = symbol.kind in _MEMBERS
                affected.update(dict.fromkeys(p for p in users if member or p in importers or _stars(self.source, p)))
            if added and not touched:
                affected.update(dict.fromkeys(importers))
        return Exposure(removed, changed, added, tuple(affected))

    def _definition(self, path: str, definition: Definition) -> Symbol:
        module = self.world.finder.module_name(path)
        return Symbol(
            definition.name, f"{module}.{definition.qualified_name}", definition.kind, path, definition.span,
            definition.name_span, definition.signature, definition.doc, module, Origin.WORKSPACE,
            definition.annotation, definition.bases, definition.decorators,
        )  # fmt: skip


def _exported(definition: Definition) -> bool:
    return "<locals>" not in definition.qualified_name


def _changed(before: Definition, after: Definition) -> bool:
    return (before.kind, before.signature, before.bases, before.decorators, before.annotation) != (
        after.kind, after.signature, after.bases, after.decorators, after.annotation,
    )  # fmt: skip


def _stars(source: object, path: str) -> bool:
    facts = source.facts(path)  # type: ignore[attr-defined]
    return facts is not None and any(i.name == "*" for i in facts.imports)


def is_test(symbol: Symbol) -> bool:
    """Whether a function is a test by the conventions of pytest and unittest."""
    name = symbol.qualified_name.rpartition(".")[2]
    file = symbol.path.rpartition("/")[2]
    in_tests = (
        file.startswith("test_")
        or file.endswith("_test.py")
        or "/tests/" in f"/{symbol.path}"
        or ("/test/" in f"/{symbol.path}")
    )
    return in_tests and name.startswith("test")
