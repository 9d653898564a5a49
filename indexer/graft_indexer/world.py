"""Files as level 2 sees them, and names followed from file to file.

`World` loads trees (workspace files through a `FactSource`, others from disk), keeps the recent ones, and follows
imports to what they bind.  Nothing here decides what a value is; that is `receivers`.
"""

from __future__ import annotations

import ast
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from graft_indexer import inplace, scopes
from graft_indexer.bindings import Binding, How
from graft_indexer.branches import Known
from graft_indexer.environment import Environment
from graft_indexer.facts import Span
from graft_indexer.graph import Origin
from graft_indexer.memo import CircularError, Memo, Token
from graft_indexer.modules import USUAL_ROOTS, Finder, Module
from graft_indexer.namespaces import Namespaces
from graft_indexer.pyfile import FileTokens, PyFile
from graft_indexer.reparse import parse
from graft_indexer.scopes import Scope
from graft_indexer.source import FactSource
from graft_indexer.text import decode

_VERSIONS = 2
"""Earlier versions kept of a file that is edited: trial edits are taken back."""
KEPT_BYTES = 1_500_000
"""Source text whose trees are kept, twice as much at most; about 60 bytes of memory per byte."""


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


@lru_cache(maxsize=256)
def _hooks_imports(folder: str) -> bool:
    """Whether a module right in an installed package registers a finder of modules (as `tlz` does)."""
    found = sorted(Path(folder).glob("*.py"))[:60]
    return any(b"sys.meta_path" in f.read_bytes() for f in found if f.is_file())


class World:
    """Everything that can be reached from a workspace."""

    def __init__(self, source: FactSource, environment: Environment) -> None:
        self.source = source
        self.environment = environment
        self.finder = Finder(source, environment)
        self.namespaces = Namespaces(self)
        self.tests = Known(environment.version)
        self.memo = Memo()
        self._files: OrderedDict[str, tuple[str, PyFile]] = OrderedDict()
        self._bytes = 0
        self.kept_bytes = KEPT_BYTES
        """Source text whose trees this world keeps; whoever asks of a whole big repository may want all of it."""
        self._evicted = 0
        self._replaced = 0
        """Bytes of texts that edits of whole files left behind."""
        self._older: dict[str, dict[str, PyFile]] = {}
        self._tokens: dict[str, tuple[str, FileTokens]] = {}
        """Of every workspace file that was read: answers may outlive its tree."""
        self._pinned: dict[str, PyFile] = {}
        self._missing: dict[str, Token] = {}
        self._generation = -1
        self._mark = 0
        self._found = 0
        self.watchers: list[Callable[[str], None]] = []
        """Called with the path of every file of the workspace whose text changed."""
        self.path_changes: Callable[[], bool] = lambda: False
        """Whether the workspace changes `sys.path`."""
        self.loads = 0

    # -- keeping up ---------------------------------------------------------------------------------------------------
    def sync(self) -> None:
        """Take note of what changed since the last question; while one is answered, nothing does."""
        if self._evicted >= self.kept_bytes and not self.memo.busy:
            # Answers hold on to the trees that they were made from, those that are no longer kept among them.
            self.memo.let_go()
            self._older.clear()
            self._evicted = 0
        if self._replaced > self.kept_bytes and not self.memo.busy:
            self.memo.sweep()
            self._replaced = 0
        generation = self.source.generation
        if generation == self._generation or self.memo.busy:
            return
        with self.memo.until(None):  # Whoever gives up a question must not leave half of a change unseen.
            self._take_over(generation)

    def _take_over(self, generation: int) -> None:
        """Make what is known agree with the texts of a generation."""
        self._generation = generation
        self._mark, changed = self.source.changed_since(self._mark)
        self.finder.refresh()
        if self.finder.version != self._found:  # files appeared or went away: any import may mean something else
            self._found = self.finder.version
            for path in list(self._files):
                if not path.startswith("/") and self.source.digest(path) is None:
                    self._forget(path)
            self.memo.clear()
            self.namespaces.clear()
            self._missing.clear()
            for path in changed:
                for watch in self.watchers:
                    watch(path)
                self._changed(path)
            return
        for path in changed:
            for watch in self.watchers:
                watch(path)
            self._changed(path)

    def _changed(self, path: str) -> None:
        """The text of a workspace file is another."""
        missing = self._missing.pop(path, None)
        if missing is not None:
            self.memo.change(missing)
        known = self._files.get(path)
        digest = self.source.digest(path) or ""
        if known is None:
            before = self._tokens.get(path)
            if before is not None and before[0] != digest:
                before[1].retire()
                del self._tokens[path]
            return
        if known[0] == digest:
            return
        file = known[1]
        older = self._older.get(path, {}).pop(digest, None)
        if older is not None:  # the text is what it was before a trial edit
            assert file.tokens is not None
            assert older.tokens is not None
            file.tokens.retire()
            older.tokens.revive()
            self._keep(path, digest, older)
            return
        text = self.source.text(path)
        if text is None:
            assert file.tokens is not None
            file.tokens.retire()
            self._tokens.pop(path, None)
            self._forget(path)
            return
        if not self._edit(path, digest, file, text):
            assert file.tokens is not None
            file.tokens.retire()
            self._keep(path, digest, self._parsed(path, text, file))

    def _edit(self, path: str, digest: str, file: PyFile, text: str) -> bool:
        """Change a file in place; False if the edit is not of that kind."""
        before = len(file.tree.data)
        edit = inplace.edit_body(file.tree, text)
        tokens = file.tokens
        if edit is None or tokens is None:
            return False
        self.loads += 1
        self._older.pop(path, None)  # its trees share nodes with this one
        outer: scopes.Scope | None = file.scope
        for container in edit.containers:
            outer = scopes.known_child(outer, container) if outer is not None else None
        if outer is not None:
            outer.forget(edit.node)
        file.edited(edit.move)
        changed = [tokens.text, tokens.unit(edit.name)]
        if edit.stores:
            changed.append(tokens.cls(edit.name.rpartition(".")[0]))
        self.memo.change(*changed)
        self._files[path] = (digest, file)
        self._tokens[path] = (digest, tokens)
        self._bytes += len(file.tree.data) - before
        return True

    # -- files --------------------------------------------------------------------------------------------------------
    def file(self, path: str) -> PyFile | None:
        """A file by its graph path; None if it cannot be read or is not Python."""
        known = self._files.get(path)
        if known is not None:
            self._files.move_to_end(path)
            known[1].note()
            return known[1]
        pinned = self._pinned.get(path)
        if pinned is not None:
            return pinned
        inside = not path.startswith("/")
        digest = (self.source.digest(path) if inside else None) or ""
        text = self.source.text(path) if inside else None
        if text is None:
            text = _read(self.finder.absolute(path))
        if text is None:
            if inside:
                self.memo.note(self._missing.setdefault(path, Token()))
            return None
        file = self._parsed(path, text, None)
        if file.origin is Origin.BUILTIN:
            self._pinned[path] = file
            return file
        if inside:
            before = self._tokens.get(path)
            if before is not None and before[0] == digest:
                file.tokens = before[1]
            elif before is not None:
                before[1].retire()
        self._keep(path, digest, file)
        file.note()
        return file

    def held(self, path: str) -> str:
        """Digest of the version of a workspace file whose tree is kept; empty if none is."""
        known = self._files.get(path)
        return known[0] if known is not None else ""

    def tokens_of(self, path: str, digest: str) -> FileTokens | None:
        """Tokens of a file of the workspace if this version of it was read and is still there."""
        known = self._tokens.get(path)
        return known[1] if known is not None and known[0] == digest else None

    def _parsed(self, path: str, text: str, before: PyFile | None) -> PyFile:
        if before is None:
            self.memo.hurry()
        tree = parse(text, before.tree if before is not None else None)
        self.loads += 1
        tokens = FileTokens(self.memo) if not path.startswith("/") else None
        return PyFile(path, self.finder.module_name(path), self.finder.origin_of(path), tree, self.tests, tokens)

    def _keep(self, path: str, digest: str, file: PyFile) -> None:
        """Make `file` the present version of a path, and remember the one before it for a while."""
        before = self._files.get(path)
        self._forget(path)
        if before is not None and before[0] and digest:
            versions = self._older.setdefault(path, {})
            versions[before[0]] = before[1]
            while len(versions) > _VERSIONS:
                self._replaced += len(versions.pop(next(iter(versions))).tree.data)
            while len(self._older) > 4:
                del self._older[next(iter(self._older))]
        self._files[path] = (digest, file)
        if file.tokens is not None:
            self._tokens[path] = (digest, file.tokens)
        self._bytes += len(file.tree.data)
        if self._bytes <= 2 * self.kept_bytes:
            return
        # Down to half at once, and not one file for each new one: a check that reads a little more than may be kept
        # would find none of it again the next time. Answers hold on to trees: they go too, before the next question.
        while self._bytes > self.kept_bytes and len(self._files) > 8:
            oldest = next(iter(self._files))
            self._evicted += len(self._files[oldest][1].tree.data)
            self._forget(oldest)

    def _forget(self, path: str) -> None:
        gone = self._files.pop(path, None)
        if gone is not None:
            self._bytes -= len(gone[1].tree.data)

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
        if not path.startswith("/") and self.path_changes():
            return "sys.path is changed"
        return ""

    def _missing_submodule(self, parent: Module | None, part: str, name: str) -> str:
        if parent is None:
            return "the package is not known"
        if part.startswith("_") or "version" in part or part.endswith("_pb2"):
            return "the module may be generated"
        if not parent.path and not parent.binary and (parent.origin is not Origin.WORKSPACE or self.path_changes()):
            return "namespace packages may lie elsewhere"
        if parent.origin is Origin.WORKSPACE and not _at_usual_place(parent) and self.path_changes():
            return "sys.path is changed: another package may be meant"
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
            if parent.origin is not Origin.WORKSPACE and _hooks_imports(str(Path(file.path).parent)):
                return "an import hook of the package may make it"
        return ""

    def module_name_target(self, module: Module, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Found:
        """What `module.name` is: followed through re-exports and star imports, submodules last."""
        key = (module.path or module.name, name)
        if key in seen:
            return Found((), "imports run in a circle")
        if not seen:
            try:
                return self.memo.remember(
                    ("module name", module, name), lambda: self._module_name_target(module, name, frozenset({key}))
                )
            except CircularError:
                return Found((), "imports run in a circle")
        return self._module_name_target(module, name, seen | {key})

    def _module_name_target(self, module: Module, name: str, seen: frozenset[tuple[str, str]]) -> Found:
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
                # The standard library's stubs are complete for public names, however its sources make them.
                reason = found.reason if module.origin is not Origin.STUB or name.startswith("_") else ""
            elif name.startswith("_"):
                reason = "stubs leave out private names"
        if not reason and module.is_package:
            reason = self._missing_submodule(module, name, name)
        return Found((), reason)

    def lookup_in(self, file: PyFile, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Found:
        """A module-level name of one file."""
        file.note()
        bindings = [b for b in file.scope.bindings.get(name, []) if b.how is not How.DELETE]
        if bindings:
            return self.follow_all(file, bindings, seen)
        targets: list[Target] = []
        reason = file.loose_for(name)
        stars = file.scope.stars
        if stars:
            offers = self.namespaces.offers(file)
            bringing = offers.by_name.get(name, ()) if offers is not None else ()
            for index, star in enumerate(stars):
                if offers is None or index in bringing or index not in offers.closed:
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
                return Found((), computed)
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
            if found.reason and (len(live) == 1 or not binding.guarded or _stands_in(live, binding)):
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
            if module.path == file.path and (sub := self.finder.submodule(module, binding.node.name)) is not None:
                # `from . import x` in a package: what the package itself calls `x` comes later, often from this.
                return Found((Target(module=sub),), reason)
            found = self.module_name_target(module, binding.node.name, seen)
            return Found(found.targets, reason or found.reason or ("" if found.targets else "no such name"))
        return Found((Target(file=file, binding=binding),))

    def lookup(self, file: PyFile, scope: Scope, name: str) -> Found:
        """What a name means in a scope: LEGB, builtins last.  No targets and no reason: provably undefined."""
        file.note_scope(scope)
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
                if outer is not None and (any(b.conditional for b in live) or scopes.lookup(outer, name) is not None):
                    return Found(result.targets, "bound in part of the class body")
            return result
        reason = self.hidden(file, scope, name)
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

    def hidden(self, file: PyFile, scope: Scope, name: str) -> str:
        """Why a name may be bound in the scopes around without being seen."""
        for span, why in self._hiding(file, scope):
            if why or file.tree.hides(span, name):
                return why or "a syntax error hides bindings"
        return file.loose_for(name)

    def lost_names(self, file: PyFile, scope: Scope) -> tuple[frozenset[str], str]:
        """(names that lines which do not parse may bind in the scopes around, why there may be any other)."""
        spans: list[Span] = []
        for span, why in self._hiding(file, scope):
            if why:
                return frozenset(), why
            spans += [b for b in file.tree.hiding if b.start < span.end and span.start <= b.end]
        if file.loose:
            if file.tree.unreadable or file.scope.dynamic:
                return frozenset(), file.loose
            spans += file.lost_at_module_level
        found: set[str] = set()
        for broken in spans:
            names = file.tree.lost(broken)
            if names is None:
                return frozenset(), "a syntax error hides bindings"
            found |= names
        return frozenset(found), ""

    def _hiding(self, file: PyFile, scope: Scope) -> Iterator[tuple[Span, str]]:
        """Ranges around whose lost lines may bind names that `scope` sees, or a reason why any name may be bound."""
        if file.tree.broken:
            file.note_text()
        current: Scope | None = scope
        while current is not None:
            if current.dynamic and not current.is_module:
                yield Span(0, 0), current.dynamic
            of_function = current.is_function and not isinstance(current.node, ast.Lambda)
            if of_function or (current.is_class and current is scope):
                yield file.tree.span(current.node), ""
            if current.stars and not current.is_module:
                yield Span(0, 0), "a star import outside module level"
            current = current.parent


def _at_usual_place(module: Module) -> bool:
    """Whether a module of the workspace lies where such are imported from, not somewhere deep in it."""
    path = module.path.rpartition("/")[0] if module.is_package else module.path.rpartition(".")[0]
    root = path.removesuffix(module.name.replace(".", "/")).rstrip("/")
    return root in USUAL_ROOTS


def _stands_in(bindings: list[Binding], one: Binding) -> bool:
    """Whether a name of an import that cannot be followed has a stand-in written by hand: that often takes less than
    what it stands for, so it does not say what the name takes.  A module in place of another is as good as it."""
    return one.how is How.FROM and any(b.how in (How.FUNCTION, How.CLASS) for b in bindings)


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
