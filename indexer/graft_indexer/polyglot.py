"""The symbol graph of a repository in several languages: Python's, and a `Tongue` for each other family of files.

A question about a file goes to the language of the file, a question about a symbol to the language of its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from graft_indexer.facts import Import, Reference, Span
from graft_indexer.findings import Finding
from graft_indexer.graph import Answer, CallSite, CallTarget, Location, Symbol, Window
from graft_indexer.pygraph import EditableSource, PyGraph
from graft_indexer.syntax import languages
from graft_indexer.tongues import FAMILIES, Tongue, family_of, symbol_of
from graft_indexer.world import World


class PolyGraph(PyGraph):
    """`SymbolGraph` for every language that has a folder.  Belongs to one thread."""

    def __init__(self, source: EditableSource, world: World) -> None:
        super().__init__(source, world)
        self._tongues: dict[str, Tongue] = {}

    @cached_property
    def _families(self) -> frozenset[str]:
        return frozenset(FAMILIES.get(name, name) for name in languages()) - {"python"}

    def tongue(self, path: str) -> Tongue | None:
        """Who answers for a file; None for Python, and for what is no language that Graft knows."""
        if path.endswith(".py"):
            return None
        family = family_of(path)
        if family is None or family not in self._families:
            return None
        known = self._tongues.get(family)
        if known is None:
            known = self._tongues[family] = self._made(family)
        return known

    def _made(self, family: str) -> Tongue:
        if family == "typescript":
            from graft_indexer.typescript.tongue import TsTongue

            return TsTongue(self.source)
        if family == "go":
            from graft_indexer.golang.tongue import GoTongue

            return GoTongue(self.source)
        return Tongue(self.source, family)

    def refresh(self, paths: Iterable[str] | None = None) -> Sequence[str]:
        """Re-read files that changed on disk; returns the paths that changed."""
        for tongue in self._tongues.values():
            tongue.forget()
        return super().refresh(paths)

    # -- names --------------------------------------------------------------------------------------------------------
    def find(self, name: str) -> Sequence[Symbol]:
        """Workspace definitions by simple name, dotted suffix (`Class.method`) or full qualified name."""
        found: list[Symbol] = []
        for symbol in super().find(name):
            facts = self.source.facts(symbol.path) if self.tongue(symbol.path) is not None else None
            own = [d for d in facts.definitions if d.name_span == symbol.name_span] if facts is not None else []
            found.append(symbol_of(symbol.path, own[0]) if own else symbol)
        return found

    def definition_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """What the name at `offset` refers to; imports are followed to the definition."""
        tongue = self.tongue(path)
        return super().definition_at(path, offset) if tongue is None else tongue.definition_at(path, offset)

    def visible_names(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Names that may stand at `offset` as an expression."""
        tongue = self.tongue(path)
        return super().visible_names(path, offset) if tongue is None else tongue.visible_names(path, offset)

    def visible_words(self, path: str, offset: int) -> Answer[frozenset[str]]:
        """The names of `visible_names` alone."""
        tongue = self.tongue(path)
        if tongue is None:
            return super().visible_words(path, offset)
        answer = tongue.visible_names(path, offset)
        return Answer(frozenset(s.name for s in answer.value), answer.certainty, answer.reason)

    def members_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Members of the receiver whose expression ends at `offset`."""
        tongue = self.tongue(path)
        return super().members_at(path, offset) if tongue is None else tongue.members_at(path, offset)

    def members_of(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Members of instances of a class, which may be of a subclass."""
        tongue = self.tongue(symbol.path)
        return super().members_of(symbol) if tongue is None else tongue.members_of(symbol)

    def modules(self, prefix: str = "", path: str = "", level: int = 0) -> Answer[Sequence[str]]:
        """Names that may follow the beginning of an import in `path`."""
        tongue = self.tongue(path)
        return super().modules(prefix, path, level) if tongue is None else tongue.modules(prefix, path, level)

    def module_members(self, module: str, path: str, level: int = 0) -> Answer[Sequence[Symbol]]:
        """What may be imported from a module in `path`; a file of another language may be named as the module."""
        tongue = self.tongue(path or module)
        if tongue is None:
            return super().module_members(module, path, level)
        return tongue.module_members(module, path, level)

    def resolve_import(self, path: str, item: Import) -> Answer[Sequence[Symbol]]:
        """What one import binds; an empty closed answer means: provably not there."""
        tongue = self.tongue(path)
        return super().resolve_import(path, item) if tongue is None else tongue.resolve_import(path, item)

    def findings(self, path: str, within: Span | None = None) -> Sequence[Finding]:
        """What is provably wrong in a file that is not Python's, or in a range of it, by place."""
        tongue = self.tongue(path)
        return () if tongue is None else tongue.findings(path, within)

    # -- calls --------------------------------------------------------------------------------------------------------
    def call_at(self, path: str, offset: int) -> CallSite | None:
        """The innermost call whose parentheses enclose `offset`."""
        tongue = self.tongue(path)
        return super().call_at(path, offset) if tongue is None else tongue.call_at(path, offset)

    def call_target(self, path: str, call: CallSite) -> Answer[Sequence[CallTarget]]:
        """What a call calls.  Closed with exactly one target: the call's arguments may be checked against it."""
        tongue = self.tongue(path)
        return super().call_target(path, call) if tongue is None else tongue.call_target(path, call)

    # -- the repository -----------------------------------------------------------------------------------------------
    def references(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Where a symbol is used, its definition excluded."""
        tongue = self.tongue(symbol.path)
        return super().references(symbol) if tongue is None else tongue.references(symbol)

    def callers(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Call sites of a function, method or class."""
        tongue = self.tongue(symbol.path)
        return super().callers(symbol) if tongue is None else tongue.callers(symbol)

    def tests_of(self, symbol: Symbol) -> Sequence[Symbol]:
        """Test functions that exercise a symbol, most direct first."""
        tongue = self.tongue(symbol.path)
        return super().tests_of(symbol) if tongue is None else tongue.tests_of(symbol)

    def subclasses(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Direct and indirect subclasses in the workspace."""
        tongue = self.tongue(symbol.path)
        return super().subclasses(symbol) if tongue is None else tongue.subclasses(symbol)

    def importers(self, path: str) -> Sequence[str]:
        """Files of the workspace that import the module at `path`."""
        tongue = self.tongue(path)
        return super().importers(path) if tongue is None else tongue.importers(path)

    def file_references(self, path: str) -> Sequence[Reference]:
        """Every reference in one file with its role; only Python's are known."""
        return super().file_references(path) if self.tongue(path) is None else ()

    def enclosing(self, path: str, offset: int) -> Sequence[Symbol]:
        """Definitions around `offset`, innermost first; the module is last."""
        tongue = self.tongue(path)
        return super().enclosing(path, offset) if tongue is None else tongue.enclosing(path, offset)

    def usages(self, path: str, offset: int, limit: int = 4, *, patient: bool = False) -> Sequence[Window]:
        """Windows of about 20 lines from other files of the same language that look like the code around `offset`."""
        family = family_of(path)
        found = super().usages(path, offset, 3 * limit if len(self._tongues) else limit, patient=patient)
        return [w for w in found if family_of(w.path) == family][:limit]
