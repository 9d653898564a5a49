"""The symbol graph of a workspace: `SymbolGraph` for Python, from level-1 facts and level-2 analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from keyword import iskeyword
from pathlib import Path
from typing import Protocol, TypeVar

from graft_indexer import calls, locate, usages
from graft_indexer.bindings import Binding, How
from graft_indexer.environment import discover
from graft_indexer.facts import DefinitionKind, Facts, Import, Reference, Span
from graft_indexer.graph import (
    Answer,
    CallSite,
    CallTarget,
    Certainty,
    Exposure,
    Location,
    Origin,
    Symbol,
    SymbolGraph,
    Window,
)
from graft_indexer.guards import flag_branch, version_branch
from graft_indexer.members import Listing, Members
from graft_indexer.positions import scope_at
from graft_indexer.pyfile import PyFile
from graft_indexer.receivers import Inference
from graft_indexer.references import References
from graft_indexer.repomap import RepositoryMap
from graft_indexer.repository import Repository
from graft_indexer.scopes import inside_module
from graft_indexer.source import FactSource
from graft_indexer.symbols import binding_symbol, file_symbol, lost_symbol, module_symbol, target_symbol
from graft_indexer.values import Instance, ModuleValue, Result
from graft_indexer.world import World

T = TypeVar("T")


class EditableSource(FactSource, Protocol):
    """A source of facts whose files may be shadowed by open buffers."""

    @property
    def complete(self) -> bool: ...

    def open_buffer(self, path: str, text: str) -> None: ...

    def close_buffer(self, path: str) -> None: ...

    def refresh(self, paths: Iterable[str] | None = None) -> Sequence[str]: ...

    def close(self) -> None: ...


def open_graph(
    root: Path, *, index_dir: Path | None = None, jobs: int = 0,
    progress: Callable[[int, int, str], None] | None = None, python_paths: Sequence[Path] | None = None,
) -> PyGraph:  # fmt: skip
    """Open a workspace and bring its index up to date.

    `index_dir` holds the store (memory only if None); `jobs` is the number of worker processes (0: as many as fit);
    `progress` is called with (files done, files in all, path); `python_paths` are interpreters, environments or folders
    of packages, found by files and never run.  Raises NotADirectoryError if `root` is no folder.
    """
    from graft_indexer.workspace import Workspace

    root = root.resolve()
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder")
    from graft_indexer.polyglot import PolyGraph

    source = Workspace.open(root, index_dir=index_dir, jobs=jobs, progress=progress)
    return PolyGraph(source, World(source, discover(root, python_paths)))


class PyGraph:
    """`SymbolGraph` over a source of facts.  Belongs to one thread."""

    def __init__(self, source: EditableSource, world: World) -> None:
        self.source = source
        self._open: set[str] = set()
        self.world = world
        self.inference = Inference(world)
        self.repository = Repository(self.inference)
        self.member_answers = Members(self.inference, self.repository)
        self._references = References(self)
        self._usages = usages.Usages(source)
        self._map = RepositoryMap(source)

    @property
    def root(self) -> str:
        """Absolute path of the workspace."""
        return self.source.root

    def _answer(self, value: T, reason: str) -> Answer[T]:
        # Until every file has been looked at, nothing is proved by absence.
        if not reason and not self.source.complete:
            reason = "the index is being built"
        return Answer(value, Certainty.OPEN if reason else Certainty.CLOSED, reason)

    # -- files and buffers --------------------------------------------------------------------------------------------
    def open_buffer(self, path: str, text: str) -> None:
        """Shadow `path` by `text` until it is closed."""
        self._open.add(path)
        self.source.open_buffer(path, text)

    def close_buffer(self, path: str) -> None:
        """Forget the buffer; the file on disk counts again."""
        self._open.discard(path)
        self.source.close_buffer(path)

    def is_open(self, path: str) -> bool:
        """Whether a buffer shadows `path`."""
        return path in self._open

    def refresh(self, paths: Iterable[str] | None = None) -> Sequence[str]:
        """Re-read files that changed on disk; returns the paths that changed."""
        self.world.finder.look_again()
        return self.source.refresh(paths)

    def changed_since(self, mark: int) -> tuple[int, Sequence[str]]:
        """(a new mark, files and buffers whose text changed since `mark`, the latest first)."""
        return self.source.changed_since(mark)

    def paths(self) -> Sequence[str]:
        """All indexed files."""
        return self.source.paths()

    def text(self, path: str) -> str | None:
        """The text that offsets refer to; files outside the workspace are read from disk."""
        found = self.source.text(path) if not path.startswith("/") else None
        if found is None:
            file = self._file(path)
            return file.tree.text if file is not None else None
        return found

    def facts(self, path: str) -> Facts | None:
        """Level-1 facts of one file (buffer first); None outside the workspace."""
        return self.source.facts(path)

    def errors(self, path: str) -> Sequence[Span]:
        """Spans of syntax errors in the buffer or file."""
        facts = self.source.facts(path)
        if facts is not None:
            return facts.errors
        file = self._file(path)
        return tuple(file.tree.broken) if file is not None else ()

    def _file(self, path: str) -> PyFile | None:
        self.world.sync()
        path = self.world.finder.relative(path) if path.startswith("/") else path
        if not path.endswith((".py", ".pyi", ".pyw")):
            facts = self.source.facts(path)
            if facts is None or facts.language != "python":
                return None
        return self.world.file(path)

    @contextmanager
    def within(self, deadline: float) -> Iterator[None]:
        """Questions asked meanwhile raise `memo.LateError` once `time.perf_counter()` is past `deadline`."""
        with self.world.memo.until(deadline):
            yield

    # -- names --------------------------------------------------------------------------------------------------------
    def find(self, name: str) -> Sequence[Symbol]:
        """Workspace definitions by simple name, dotted suffix (`Class.method`) or full qualified name."""
        simple = name.rpartition(".")[2]
        found: list[Symbol] = []
        for path, definition in self.source.definitions_named(simple):
            module = self.world.finder.module_name(path) if path.endswith((".py", ".pyi")) else path
            full = f"{module}.{definition.qualified_name}"
            if full == name or full.endswith(f".{name}"):
                found.append(
                    Symbol(
                        definition.name,
                        full,
                        definition.kind,
                        path,
                        definition.span,
                        definition.name_span,
                        definition.signature,
                        definition.doc,
                        module,
                        Origin.WORKSPACE,
                        definition.annotation,
                        definition.bases,
                        definition.decorators,
                    )
                )
        for path in self.source.paths():
            if path.endswith((".py", ".pyi")) and (
                path.endswith((f"{simple}.py", f"{simple}/__init__.py", f"{simple}.pyi"))
            ):
                module = self.world.finder.module_name(path)
                if (module == name or module.endswith(f".{name}")) and (file := self._file(path)) is not None:
                    found.append(file_symbol(file))
        found.sort(key=lambda s: (s.kind in (DefinitionKind.VARIABLE, DefinitionKind.ATTRIBUTE), s.path, s.span.start))
        return found

    def files_defining(self, name: str) -> Sequence[str]:
        """Files of the workspace with a definition of a simple name; none of them is read."""
        return self.source.files_defining(name)

    def definition_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """What the name at `offset` refers to; imports are followed to the definition.  Closed and empty: it provably
        refers to nothing.  Stricter than the lists: it asks for this one name everywhere."""
        file = self._file(path)
        if file is None:
            return self._answer((), "no such file")
        place = locate.place(file, offset)
        if place is None:
            return self._answer((), "no name there")
        symbols, reason = self._references.resolve(file, place)
        return self._answer(tuple(symbols), reason)

    def visible_names(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Names that may stand at `offset` as an expression: LEGB, builtins included."""
        file = self._file(path)
        if file is None:
            return self._answer((), "no such file")
        scope = scope_at(file.scope, offset)
        lost, reason = self.world.lost_names(file, scope)
        table: dict[str, Symbol] = {}
        for name, bindings in inside_module(scope):
            live = [b for b in bindings if not b.dead] or bindings
            table[name] = self._named(file, live[0], name) or binding_symbol(file, live[0])
        module_names, why = self._module_names(file)
        reason = reason or why
        for name, symbol in module_names.items():
            table.setdefault(name, symbol)
        for name, symbol in self._builtin_names().items():
            table.setdefault(name, symbol)
        if self.world.builtins is None:
            reason = reason or "the builtins are not known"
        for name, symbol in self.repository.builtins_set().items():
            table.setdefault(name, symbol)
        for name in sorted(n for n in lost - table.keys() if not iskeyword(n)):
            # A line that is not finished may bind it.
            table[name] = lost_symbol(file, name)
        return self._answer(tuple(table.values()), reason)

    def visible_words(self, path: str, offset: int) -> Answer[frozenset[str]]:
        """The names of `visible_names` alone: no symbol is made, and an edit of a function voids none but its own."""
        file = self._file(path)
        if file is None:
            return self._answer(frozenset(), "no such file")
        scope = scope_at(file.scope, offset)
        lost, reason = self.world.lost_names(file, scope)
        words, why = self.world.memo.remember(("outer words", file.path), lambda: self._outer_words(file))
        reason = reason or why
        if self.world.builtins is None:
            reason = reason or "the builtins are not known"
        own = (name for name, _ in inside_module(scope))
        return self._answer(words.union(own, (n for n in lost if not iskeyword(n))), reason)

    def _outer_words(self, file: PyFile) -> tuple[frozenset[str], str]:
        """The names that all of a file sees: the module's and the builtins."""
        words, reason = self.world.memo.remember(("module words", file.path), lambda: self._all_module_words(file))
        return words.union(self._builtin_names(), self.repository.builtins_set()), reason

    def _all_module_words(self, file: PyFile) -> tuple[frozenset[str], str]:
        file.note()
        words = {name for name, bindings in file.scope.bindings.items() if " " not in name and bindings}
        starred, reason = self._starred(file)
        return frozenset((*words, *starred)), reason

    def _named(self, file: PyFile, binding: Binding, name: str) -> Symbol | None:
        if binding.how not in (How.IMPORT, How.FROM):
            return None
        for target in self.world.follow(file, binding).targets:
            return target_symbol(self.world, target, name)
        return None

    def _module_names(self, file: PyFile) -> tuple[dict[str, Symbol], str]:
        return self.world.memo.remember(("module names", file.path), lambda: self._all_module_names(file))

    def _all_module_names(self, file: PyFile) -> tuple[dict[str, Symbol], str]:
        file.note_text()
        file.note()
        table = {
            name: self._bound(file, name, ([b for b in bindings if not b.dead] or bindings)[0])
            for name, bindings in file.scope.bindings.items()
            if " " not in name and bindings
        }
        starred, reason = self._starred(file)
        for name, symbol in starred.items():
            table.setdefault(name, symbol)
        return table, reason

    def _bound(self, file: PyFile, name: str, binding: Binding) -> Symbol:
        """What a name at the top of a file is, imports followed: they seldom lead elsewhere after an edit."""
        found: Symbol | None = None
        if binding.how in (How.IMPORT, How.FROM):

            def follow() -> Symbol | None:
                file.note()
                return self._named(file, binding, name)

            found = self.world.memo.remember(("imported", file.path, name), follow)
        return found or binding_symbol(file, binding)

    def _starred(self, file: PyFile) -> tuple[dict[str, Symbol], str]:
        """What star imports bind, and importing the submodules of a package; why there may be more."""
        table: dict[str, Symbol] = {}
        reason = ""
        for star in file.scope.stars:
            module, missing = self.world.star_module(file, star)
            if module is None:
                reason = reason or missing or "a star import cannot be resolved"
                continue
            names, why = self.world.namespaces.star_names(module)
            reason = reason or why
            wanted = set(names)
            for symbol in self.member_answers.module(module)[0]:
                if symbol.name in wanted:
                    table.setdefault(symbol.name, symbol)
        if file.path.endswith(("/__init__.py", "/__init__.pyi")):
            package = self.world.finder.package_of(file.path, 1)
            for name in self.world.finder.submodules(package) if package is not None else ():
                sub = self.world.finder.submodule(package, name) if package is not None else None
                if sub is not None:  # importing a submodule binds it in its package
                    table.setdefault(name, module_symbol(self.world, sub, name))
        return table, reason

    def _builtin_names(self) -> dict[str, Symbol]:
        file = self.world.builtins
        if file is None:
            return {}
        known = file.memo.get("names")
        if known is None:
            known = file.memo["names"] = {
                name: binding_symbol(file, bindings[0])
                for name, bindings in file.scope.bindings.items()
                if bindings and self.world.lookup_builtin(name)
            }
        return known  # type: ignore[return-value]

    def members_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Members of the receiver whose expression ends at `offset` (the byte before the dot is `offset - 1`)."""
        file = self._file(path)
        if file is None:
            return self._answer((), "no such file")
        return self._listed(self.member_answers.all(self.receiver(file, offset)))

    def _listed(self, found: Listing) -> Answer[Sequence[Symbol]]:
        answer = self._answer(tuple(found.symbols), found.reason or found.private)
        return replace(answer, public=not found.reason and self.source.complete)

    def receiver(self, file: PyFile, offset: int) -> Result:
        """What the expression that ends at `offset` is."""
        found = locate.receiver(file, offset)
        if found is None:
            return Result((), "no expression there")
        node, scope = found
        return self.inference.infer(file, scope, node)

    def members_of(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Members of instances of a class, which may be of a subclass."""
        self.world.sync()
        cls = self._references.class_named(symbol)
        if cls is None:
            return self._answer((), "not a class that is known")
        return self._listed(self.member_answers.of(Instance(cls)))

    def modules(self, prefix: str = "", path: str = "", level: int = 0) -> Answer[Sequence[str]]:
        """Names that may follow `import prefix.` (or `from <level dots>prefix.`) in `path`."""
        self.world.sync()
        if not prefix and not level:
            reason = "" if self.world.environment.complete else "the environment of the workspace is not known"
            return self._answer(tuple(self.world.finder.top_level(path)), reason)
        module, reason = self.world.import_module(path, prefix, level)
        if module is None:
            return self._answer((), reason)
        if module.binary or (not module.path and module.origin is not Origin.WORKSPACE):
            reason = reason or "namespace packages may lie elsewhere"
        return self._answer(tuple(self.world.finder.submodules(module)), reason)

    def module_members(self, module: str, path: str, level: int = 0) -> Answer[Sequence[Symbol]]:
        """What `from module import ...` may name in `path`: definitions, re-exports and submodules."""
        self.world.sync()
        found, reason = self.world.import_module(path, module, level)
        if found is None:
            return self._answer((), reason)
        symbols, why = self.member_answers.module(found)
        return self._answer(tuple(symbols), reason or why)

    def resolve_import(self, path: str, item: Import) -> Answer[Sequence[Symbol]]:
        """What one import binds; an empty closed answer means: provably not there."""
        self.world.sync()
        module, reason = self.world.import_module(path, item.module, item.level)
        if module is None:
            return self._answer((), reason or self._import_guard(path, item))
        if item.name is None:
            symbol = module_symbol(self.world, module)
            return self._answer((symbol,), reason)
        if item.name == "*":
            symbols, why = self.member_answers.module(module)
            names, why_star = self.world.namespaces.star_names(module)
            wanted = set(names)
            return self._answer(tuple(s for s in symbols if s.name in wanted), reason or why or why_star)
        symbols, why = self.member_answers.named(Result((ModuleValue(module),)), item.name)
        if not symbols and not why:
            why = self._import_guard(path, item)
        return self._answer(tuple(symbols), reason or why)

    def _import_guard(self, path: str, item: Import) -> str:
        if item.guarded:
            return "the import is guarded"
        file = self._file(path)
        return flag_branch(self.world, file, item.span.start) if file is not None else ""

    # -- calls --------------------------------------------------------------------------------------------------------
    def call_at(self, path: str, offset: int) -> CallSite | None:
        """The innermost call whose parentheses enclose `offset`."""
        file = self._file(path)
        if file is None:
            return None
        node = calls.calls_around(file.tree, offset)
        if node is not None:
            return calls.call_site(file.tree, node)
        return locate.call_in_text(file, offset)

    def call_target(self, path: str, call: CallSite) -> Answer[Sequence[CallTarget]]:
        """What a call calls.  Closed with exactly one target: the call's arguments may be checked against it."""
        file = self._file(path)
        if file is None:
            return self._answer((), "no such file")
        found = locate.expression(file, call.callee.start, call.callee.end)
        if found is None:
            return self._answer((), "no call there")
        node, scope = found
        result = self.inference.infer(file, scope, node)
        targets, reason = calls.targets_of(self.inference, result)
        return self._answer(tuple(targets), reason or version_branch(self.world, file, call.callee.start))

    # -- the repository -----------------------------------------------------------------------------------------------
    def references(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Where a symbol is used, its definition excluded."""
        self.world.sync()
        found, reason = self._references.references(symbol)
        return self._answer(tuple(found), reason)

    def callers(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Call sites of a function, method or class."""
        self.world.sync()
        found, reason = self._references.callers(symbol)
        return self._answer(tuple(found), reason)

    def tests_of(self, symbol: Symbol) -> Sequence[Symbol]:
        """Test functions that exercise a symbol, most direct first."""
        self.world.sync()
        return self._references.tests_of(symbol)

    def subclasses(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Direct and indirect subclasses in the workspace."""
        self.world.sync()
        found, reason = self._references.subclasses(symbol)
        return self._answer(tuple(found), reason)

    def overrides(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Members of subclasses in the workspace that override a member of a class."""
        self.world.sync()
        found, reason = self._references.overrides(symbol)
        return self._answer(tuple(found), reason)

    def importers(self, path: str) -> Sequence[str]:
        """Files of the workspace that import the module at `path`."""
        self.world.sync()
        return self._references.importers(path)

    def file_references(self, path: str) -> Sequence[Reference]:
        """Every reference in one file with its role."""
        file = self._file(path)
        return locate.references(file) if file is not None else ()

    def enclosing(self, path: str, offset: int) -> Sequence[Symbol]:
        """Definitions around `offset`, innermost first; the module is last."""
        file = self._file(path)
        if file is None:
            return ()
        return locate.enclosing(file, offset)

    def exposure(self, path: str, before: Facts) -> Exposure:
        """What changed between `before` and the file's present facts, as seen from other files."""
        return self._references.exposure(path, before)

    def usages(self, path: str, offset: int, limit: int = 4, *, patient: bool = False) -> Sequence[Window]:
        """Windows of about 20 lines from other files that look like the code around `offset`, best first."""
        return self._usages.windows(path, offset, limit, patient=patient)

    def prepare_usages(self, path: str, offset: int) -> bool:
        """Look into some of the files that `usages` leaves out for want of time; whether there are still others."""
        return self._usages.prepare(path, offset)

    def repository_map(self, path: str = "", budget: int = 1024) -> str:
        """Outline of the most important definitions, at most `budget` tokens (estimated at 4 bytes each)."""
        return self._map.outline(path, budget)

    def close(self) -> None:
        """Release the store."""
        self.source.close()


def _keeps_the_protocol(graph: PyGraph) -> SymbolGraph:
    """Type-checked only: `PyGraph` is a `SymbolGraph`."""
    return graph
