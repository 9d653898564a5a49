"""Files as level 2 sees them, and names followed from file to file.

`World` loads trees (workspace files through a `FactSource`, others from disk), keeps the recent ones, and follows
imports to what they bind.  Nothing here decides what a value is; that is `receivers`.
"""

from __future__ import annotations

import ast
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from graft_indexer import scopes
from graft_indexer.environment import Environment
from graft_indexer.facts import Span
from graft_indexer.graph import Origin
from graft_indexer.modules import Finder, Module
from graft_indexer.pytree import Tree
from graft_indexer.reparse import parse
from graft_indexer.scopes import FUNCTIONS, Binding, How, Known, Scope
from graft_indexer.source import FactSource
from graft_indexer.text import decode

MODULE_NAMES = (
    "__name__", "__doc__", "__file__", "__loader__", "__package__", "__spec__", "__builtins__", "__debug__",
    "__annotations__", "__cached__", "__dict__", "__path__",
)  # fmt: skip
"""Names that every module has."""

_VERSIONS = 2
"""Earlier versions kept of a file that is edited: trial edits are taken back."""
KEPT_BYTES = 1_500_000
"""Source text whose trees are kept; about 60 bytes of memory per byte."""


@dataclass(eq=False)
class PyFile:
    """One analysed file."""

    path: str
    """As in the graph: relative to the workspace, or absolute."""
    name: str
    """Dotted module name."""
    origin: Origin
    tree: Tree
    tests: Known
    classes: dict[int, object] = field(default_factory=dict)
    memo: dict[object, object] = field(default_factory=dict)
    """Answers that depend on this file's text alone."""

    @cached_property
    def scope(self) -> Scope:
        """The module's scope."""
        scope = scopes.module_scope(self.tree, self.tests, MODULE_NAMES)
        scope._version = self.tests.version  # type: ignore[attr-defined]
        return scope

    @property
    def is_stub(self) -> bool:
        return self.path.endswith(".pyi")

    @property
    def in_workspace(self) -> bool:
        return self.origin is Origin.WORKSPACE

    @cached_property
    def loose(self) -> str:
        """Why the module may bind names that its text does not show; empty if it does not."""
        if self.tree.unreadable:
            return self.tree.unreadable
        if self.scope.dynamic:
            return self.scope.dynamic
        covered = [self.tree.full_span(s) for s in self.tree.body if isinstance(s, (*FUNCTIONS, ast.ClassDef))]
        for broken in self.tree.hiding:
            if not any(c.start < broken.start and broken.end <= c.end for c in covered):
                return "a syntax error hides bindings"
        return ""

    @cached_property
    def exports(self) -> tuple[frozenset[str] | None, str]:
        """`__all__` as far as it is spelled out (None if there is none), and why it may hold more."""
        bindings = self.scope.bindings.get("__all__", [])
        if not bindings:
            return None, ""
        names: set[str] = set()
        reason = ""
        for statement in self._module_statements():
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                    | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
                    | ast.AugAssign(target=ast.Name(id="__all__"), value=value)
                ):
                    reason = reason or _spelled(value, names)
                case ast.Expr(
                    value=ast.Call(func=ast.Attribute(value=ast.Name(id="__all__"), attr=method), args=[value])
                ):
                    if method == "append" and isinstance(value, ast.Constant):
                        names.add(str(value.value))
                    elif method == "extend":
                        reason = reason or _spelled(value, names)
                    elif method != "remove":
                        reason = "__all__ is computed"
        return frozenset(names), reason

    def _module_statements(self) -> Iterator[ast.stmt]:
        stack: list[ast.stmt] = list(reversed(self.tree.body))
        while stack:
            statement = stack.pop()
            yield statement
            if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                for name in ("body", "orelse", "finalbody"):
                    stack.extend(s for s in getattr(statement, name, []) if isinstance(s, ast.stmt))
                for handler in getattr(statement, "handlers", []):
                    stack.extend(handler.body)


def _spelled(value: ast.expr, names: set[str]) -> str:
    match value:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            for item in items:
                if isinstance(item, ast.Constant) and isinstance(item.value, str):
                    names.add(item.value)
                else:
                    return "__all__ is computed"
            return ""
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _spelled(left, names) or _spelled(right, names)
    return "__all__ is computed"


@dataclass(frozen=True, slots=True)
class Target:
    """What a name finally refers to: a binding in a file, or a module."""

    file: PyFile | None = None
    binding: Binding | None = None
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Targets of a name; `reason` says why there may be others (or none), empty if these are all."""

    targets: tuple[Target, ...] = ()
    reason: str = ""


class World:
    """Everything that can be reached from a workspace."""

    def __init__(self, source: FactSource, environment: Environment) -> None:
        self.source = source
        self.environment = environment
        self.finder = Finder(source, environment)
        self.tests = Known(environment.version)
        self._files: OrderedDict[str, tuple[str, PyFile]] = OrderedDict()
        self._bytes = 0
        self._older: dict[str, dict[str, PyFile]] = {}
        self._checked: dict[str, int] = {}
        self._pinned: dict[str, PyFile] = {}
        self._generation = -1
        self._memo: dict[object, object] = {}
        self.loads = 0

    @property
    def memo(self) -> dict[object, object]:
        """Answers that hold until any file changes."""
        generation = self.source.generation
        if generation != self._generation:
            self._generation = generation
            self._memo = {}
        return self._memo

    # -- files --------------------------------------------------------------------------------------------------------
    def file(self, path: str) -> PyFile | None:
        """A file by its graph path; None if it cannot be read or is not Python."""
        pinned = self._pinned.get(path)
        if pinned is not None:
            return pinned
        generation = self.source.generation
        known = self._files.get(path)
        if known is not None and self._checked.get(path) == generation:  # nothing changed since
            self._files.move_to_end(path)
            return known[1]
        self.finder.refresh()
        inside = not path.startswith("/")
        digest = (self.source.digest(path) if inside else None) or ""
        if known is not None and (known[0] == digest and (digest or not inside)):
            self._checked[path] = generation
            self._files.move_to_end(path)
            return known[1]
        older = self._older.get(path, {}).pop(digest, None) if digest else None
        if older is not None:  # the text is what it was before a trial edit
            self._keep(path, digest, older, generation)
            return older
        text = self.source.text(path) if inside else None
        if text is None:
            text = _read(self.finder.absolute(path))
        if text is None:
            self._forget(path)
            return None
        before = known[1] if known is not None else None
        tree = parse(text, before.tree if before is not None else None)
        self.loads += 1
        file = PyFile(path, self.finder.module_name(path), self.finder.origin_of(path), tree, self.tests)
        if file.origin is Origin.BUILTIN:
            self._pinned[path] = file
            return file
        self._keep(path, digest, file, generation)
        return file

    def _keep(self, path: str, digest: str, file: PyFile, generation: int) -> None:
        """Make `file` the present version of a path, and remember the one before it for a while."""
        before = self._files.get(path)
        self._forget(path)
        if before is not None and before[0] and digest:
            versions = self._older.setdefault(path, {})
            versions[before[0]] = before[1]
            while len(versions) > _VERSIONS:
                del versions[next(iter(versions))]
            while len(self._older) > 4:
                del self._older[next(iter(self._older))]
        self._files[path] = (digest, file)
        self._bytes += len(file.tree.data)
        self._checked[path] = generation
        while self._bytes > KEPT_BYTES and len(self._files) > 8:
            oldest = next(iter(self._files))
            self._forget(oldest)

    def _forget(self, path: str) -> None:
        gone = self._files.pop(path, None)
        if gone is not None:
            self._bytes -= len(gone[1].tree.data)
        self._checked.pop(path, None)

    def module_file(self, module: Module) -> PyFile | None:
        """The file of a module (its stub if it has one)."""
        return self.file(module.path) if module.path else None

    @cached_property
    def builtins(self) -> PyFile | None:
        """The stub of the builtins; None without typeshed."""
        if self.environment.typeshed is None:
            return None
        return self.file(str(self.environment.typeshed / "builtins.pyi"))

    # -- names --------------------------------------------------------------------------------------------------------
    def import_module(self, path: str, name: str, level: int) -> tuple[Module | None, str]:
        """The module of an import statement in `path`; with a reason if its absence cannot be proved."""
        if level:
            package = self.finder.package_of(path, level)
            if package is None:
                return None, "the dots lead out of the package"
            module: Module | None = package
            for part in filter(None, name.split(".")):
                parent = module
                module = self.finder.submodule(parent, part) if parent is not None else None
                if module is None:
                    reason = self._missing_submodule(parent, part, name)
                    return None, reason
            return module, ""
        module = self.finder.find(name, path)
        if module is not None:
            return module, "several modules have that name" if module.ambiguous else ""
        top, _, rest = name.partition(".")
        parent = self.finder.find(top, path)
        if parent is None:
            return None, self._missing_top(path, top)
        for part in rest.split("."):
            child = self.finder.submodule(parent, part)
            if child is None:
                return None, self._missing_submodule(parent, part, name)
            parent = child
        return parent, ""

    def _missing_top(self, path: str, top: str) -> str:
        if not self.environment.complete:
            return "the environment of the workspace is not known"
        if not path.startswith("/") and self._path_changes():
            return "sys.path is changed"
        return ""

    def _path_changes(self) -> bool:
        found = self.memo.get("sys.path")
        if found is None:
            found = any("sys.path" in (self.source.text(p) or "") for p in self.source.files_with("sys"))
            self.memo["sys.path"] = found
        return bool(found)

    def _missing_submodule(self, parent: Module | None, part: str, name: str) -> str:
        if parent is None:
            return "the package is not known"
        if part.startswith("_") or "version" in part or part.endswith("_pb2"):
            return "the module may be generated"
        if not parent.path and not parent.binary and parent.origin is not Origin.WORKSPACE:
            return "namespace packages may lie elsewhere"
        if parent.binary:
            return "a C extension may define it"
        file = self.module_file(parent)
        if file is not None:
            if "__path__" in file.scope.bindings and any(
                b.how is not How.IMPLICIT for b in file.scope.bindings["__path__"]
            ):
                return "the package changes its __path__"
            if "__path__" in file.tree.text or "sys.modules" in file.tree.text:
                return "the package changes where its modules come from"
        return ""

    def module_name_target(self, module: Module, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Found:
        """What `module.name` is: followed through re-exports and star imports, submodules last."""
        key = (module.path or module.name, name)
        if key in seen:
            return Found((), "imports run in a circle")
        seen = seen | {key}
        file = self.module_file(module)
        reason = ""
        if file is not None:
            found = self.lookup_in(file, name, seen)
            if found.targets:
                return found
            reason = found.reason
        sub = self.finder.submodule(module, name)
        if sub is not None:
            return Found((Target(module=sub),), "")
        if file is None:
            if module.binary:
                return Found((), "a C extension without stub")
            if module.path:
                return Found((), "the module cannot be read")
            if module.origin is not Origin.WORKSPACE:
                return Found((), "namespace packages may lie elsewhere")
            return Found((), self._missing_submodule(module, name, name))
        if module.is_stub and not reason:
            if module.source:
                source = self.file(module.source)
                if source is None:
                    return Found((), "the source of the stub cannot be read")
                found = self.lookup_in(source, name, seen)
                if found.targets:
                    return Found(found.targets, found.reason)
                reason = found.reason
            elif name.startswith("_"):
                reason = "stubs leave out private names"
        if not reason and module.is_package:
            reason = self._missing_submodule(module, name, name)
        return Found((), reason)

    def lookup_in(self, file: PyFile, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Found:
        """A module-level name of one file."""
        bindings = [b for b in file.scope.bindings.get(name, []) if b.how is not How.DELETE]
        if bindings:
            return self.follow_all(file, bindings, seen)
        targets: list[Target] = []
        reason = file.loose
        for star in file.scope.stars:
            found = self._through_star(file, star, name, seen)
            targets += found.targets
            reason = reason or found.reason
        if targets:
            return Found(tuple(targets), "")
        if file.path.endswith(("/__init__.py", "/__init__.pyi")):
            # Importing a submodule binds it in its package.
            package = self.finder.package_of(file.path, 1)
            sub = self.finder.submodule(package, name) if package is not None else None
            if sub is not None:
                return Found((Target(module=sub),), "")
        if "__getattr__" in file.scope.bindings:
            reason = "the module has __getattr__"
        return Found((), reason)

    def _through_star(self, file: PyFile, star: Binding, name: str, seen: frozenset[tuple[str, str]]) -> Found:
        module, reason = self.star_module(file, star)
        if module is None:
            return Found((), reason or "a star import cannot be resolved")
        key = (module.path or module.name, name)
        if key in seen:
            return Found()
        inner = self.module_file(module)
        if inner is None:
            return Found((), "a star import cannot be resolved")
        exports, computed = inner.exports
        if exports is None:
            if name.startswith("_"):
                return Found()
        elif name not in exports and not computed:
            return Found()
        found = self.module_name_target(module, name, seen)
        return Found(found.targets, found.reason or (computed if not found.targets else ""))

    def star_module(self, file: PyFile, star: Binding) -> tuple[Module | None, str]:
        """The module of a star import."""
        statement = star.statement
        assert isinstance(statement, ast.ImportFrom)
        return self.import_module(file.path, statement.module or "", statement.level)

    def follow_all(self, file: PyFile, bindings: list[Binding], seen: frozenset[tuple[str, str]]) -> Found:
        """Follow each of a name's bindings, those in dead branches only if there are no others."""
        live = [b for b in bindings if not b.dead] or bindings
        targets: list[Target] = []
        reason = ""
        for binding in live:
            found = self.follow(file, binding, seen)
            targets += found.targets
            if found.reason and not (binding.guarded and len(live) > 1):
                reason = reason or found.reason
        unique = list({_identity(t): t for t in targets}.values())
        if not unique and not reason:
            reason = "an import that cannot be resolved"
        return Found(tuple(unique), reason)

    def follow(self, file: PyFile, binding: Binding, seen: frozenset[tuple[str, str]] = frozenset()) -> Found:
        """Follow one binding through imports; anything else is its own target."""
        statement = binding.statement
        if binding.how is How.IMPORT:
            assert isinstance(binding.node, ast.alias)
            name = binding.node.name if binding.node.asname else binding.node.name.split(".")[0]
            module, reason = self.import_module(file.path, name, 0)
            return Found((Target(module=module),) if module else (), reason or ("" if module else "no such module"))
        if binding.how is How.FROM:
            assert isinstance(binding.node, ast.alias)
            assert isinstance(statement, ast.ImportFrom)
            module, reason = self.import_module(file.path, statement.module or "", statement.level)
            if module is None:
                return Found((), reason or "no such module")
            found = self.module_name_target(module, binding.node.name, seen)
            return Found(found.targets, reason or found.reason or ("" if found.targets else "no such name"))
        return Found((Target(file=file, binding=binding),))

    def lookup(self, file: PyFile, scope: Scope, name: str) -> Found:
        """What a name means in a scope: LEGB, builtins last.  No targets and no reason: provably undefined."""
        found = scopes.lookup(scope, name)
        if found is not None:
            owner, bindings = found
            live = [b for b in bindings if b.how is not How.DELETE]
            if owner.is_module:
                return self.lookup_in(file, name)
            result = self.follow_all(file, live, frozenset())
            if owner.dynamic:
                return Found(result.targets, owner.dynamic)
            if owner.is_class:
                outer = owner.parent
                # A class body reads the outer name until its own is bound.
                if outer is not None and any(b.conditional for b in live):
                    return Found(result.targets, "bound in part of the class body")
            return result
        reason = self.hidden(file, scope)
        module = self.lookup_in(file, name)
        if module.targets:
            return module
        reason = reason or module.reason
        builtins = self.builtins
        if builtins is None:
            return Found((), "the builtins are not known")
        if file is not builtins and self.lookup_builtin(name):
            return self.follow_all(builtins, builtins.scope.bindings[name], frozenset())
        return Found((), reason)

    def lookup_builtin(self, name: str) -> bool:
        """Whether a name of the builtins' stub is a builtin, not a helper or an import of the stub."""
        if self.builtins is None or (name.startswith("_") and not name.startswith("__")):
            return False
        bindings = self.builtins.scope.bindings.get(name)
        if not bindings or name in ("function", "ellipsis", "reveal_type", "reveal_locals"):
            return False
        return bindings[0].how in (How.FUNCTION, How.CLASS, How.ASSIGN, How.DECLARE)

    def hidden(self, file: PyFile, scope: Scope) -> str:
        """Why a name may be bound in the scopes around without being seen."""
        current: Scope | None = scope
        while current is not None:
            if current.dynamic and not current.is_module:
                return current.dynamic
            if (
                current.is_function
                and not isinstance(current.node, ast.Lambda)
                and file.tree.is_broken(file.tree.span(current.node))
            ):
                return "a syntax error hides bindings"
            if current.is_class and current is scope and file.tree.is_broken(file.tree.span(current.node)):
                return "a syntax error hides bindings"
            if current.stars and not current.is_module:
                return "a star import outside module level"
            current = current.parent
        return file.loose

    def star_names(self, module: Module, seen: frozenset[str] = frozenset()) -> tuple[list[str], str]:
        """Names that `from module import *` binds."""
        names, reason = self.namespace(module, seen)
        file = self.module_file(module)
        if file is None:
            return [], "a star import cannot be resolved"
        exports, computed = file.exports
        if exports is not None:
            return sorted(exports), computed
        return [n for n in names if not n.startswith("_")], reason

    def namespace(self, module: Module, seen: frozenset[str] = frozenset()) -> tuple[list[str], str]:
        """Module-level names (submodules excluded), with why there may be more."""
        key = module.path or module.name
        if key in seen:
            return [], ""
        file = self.module_file(module)
        if file is None:
            if module.binary:
                return [], "a C extension without stub"
            return [], "" if not module.path else "the module cannot be read"
        names = dict.fromkeys(file.scope.bindings)
        reason = file.loose
        if "__getattr__" in names:
            reason = reason or "the module has __getattr__"
        for star in file.scope.stars:
            inner, missing = self.star_module(file, star)
            if inner is None:
                reason = reason or missing or "a star import cannot be resolved"
                continue
            more, why = self.star_names(inner, seen | {key})
            names.update(dict.fromkeys(more))
            reason = reason or why
        if module.is_stub and module.source and not reason:
            source = self.file(module.source)
            if source is not None:
                names.update(dict.fromkeys(source.scope.bindings))
                for star in source.scope.stars:
                    inner, _ = self.star_module(source, star)
                    if inner is not None and (inner.path or inner.name) not in seen:
                        names.update(dict.fromkeys(self.star_names(inner, seen | {key})[0]))
        return list(names), reason


def _identity(target: Target) -> object:
    if target.module is not None:
        return target.module.path or target.module.name
    return id(target.binding)


def _read(path: str) -> str | None:
    try:
        return decode(Path(path).read_bytes()).text
    except OSError:
        return None


def span_of(file: PyFile, binding: Binding) -> Span:
    """Bytes of the name that a binding binds."""
    if binding.how is How.IMPLICIT:
        return Span(0, 0)
    return file.tree.name_span(binding.node)
