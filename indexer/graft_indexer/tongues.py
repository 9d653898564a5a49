"""A language beside Python as the graph asks it: `Tongue`, answered here from level-1 facts alone.

That is tier 3: every answer is open.  Tier 2 (`graft_indexer.typescript`, `graft_indexer.golang`) derives from it and
resolves scopes, imports and members.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final, Protocol, TypeVar

from graft_indexer.facts import Definition, DefinitionKind, Facts, Import, Span
from graft_indexer.findings import Finding
from graft_indexer.graph import Answer, CallSite, CallTarget, Certainty, Location, Origin, Symbol
from graft_indexer.locate import word_at
from graft_indexer.packed import last_part
from graft_indexer.source import FactSource
from graft_indexer.syntax import language_of, languages
from graft_indexer.text import Lines, encode

T = TypeVar("T")

BY_NAME: Final = "found by name only"
_MOST: Final = 8
"""Definitions of one name that are worth showing."""
_MOST_FILES: Final = 400
"""Files that are read for one question about uses."""
_CALLABLE: Final = (DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.PROPERTY)
_TEST: Final = re.compile(r"(?:^|/)(?:tests?|__tests__|specs?)/|[._-](?:test|spec)s?\.\w+$|Tests?\.\w+$|(?:^|/)test_")
FAMILIES: Final = {"tsx": "typescript", "javascript": "typescript", "c": "cpp"}
"""Languages that see each other's definitions go by one name."""


class CompleteSource(FactSource, Protocol):
    """A source that knows whether it has looked at every file."""

    @property
    def complete(self) -> bool: ...


def family_of(path: str) -> str | None:
    """The language of a file, as the graph dispatches by it; None for files that Graft does not read."""
    language = language_of(path)
    return FAMILIES.get(language, language) if language is not None else None


def symbol_of(path: str, definition: Definition, origin: Origin = Origin.WORKSPACE) -> Symbol:
    """The symbol of a level-1 definition; its module is the file."""
    header = definition.value if definition.kind not in (DefinitionKind.VARIABLE, DefinitionKind.ATTRIBUTE) else None
    return Symbol(
        definition.name, f"{path}.{definition.qualified_name}", definition.kind, path, definition.span,
        definition.name_span, definition.signature, definition.doc, path, origin, definition.annotation,
        definition.bases, definition.decorators, header or definition.value,
    )  # fmt: skip


def file_symbol(path: str, size: int) -> Symbol:
    """A file as a module."""
    stem = PurePosixPath(path).name.split(".", 1)[0]
    return Symbol(stem, path, DefinitionKind.MODULE, path, Span(0, size), Span(0, 0), module=path)


class Tongue:
    """Questions about the files of one language family.  All answers are open here; belongs to the graph's thread."""

    def __init__(self, source: CompleteSource, family: str) -> None:
        self.source = source
        self.family = family

    def forget(self) -> None:
        """Files changed on disk; what was read of others than the source's is void."""

    # -- answers ------------------------------------------------------------------------------------------------------
    def answer(self, value: T, reason: str = "") -> Answer[T]:
        """An answer: open for a reason, or while files are still being read."""
        if not reason and not self.source.complete:
            reason = "the index is being built"
        return Answer(value, Certainty.OPEN if reason else Certainty.CLOSED, reason)

    def mine(self, paths: Iterable[str]) -> Iterator[str]:
        """Those paths that are of this family."""
        return (p for p in paths if family_of(p) == self.family)

    def data(self, path: str) -> bytes:
        """The bytes that offsets count; empty if the file is gone."""
        return encode(self.source.text(path) or "")

    # -- names --------------------------------------------------------------------------------------------------------
    def definition_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Definitions of the name at `offset`: those of the file, else of files it imports, else of any."""
        word = word_at(self.data(path), offset)
        if word is None:
            return self.answer((), "no name there")
        return self.answer(tuple(self.named(path, self.text_of(path, word))), BY_NAME)

    def text_of(self, path: str, span: Span) -> str:
        """Text of a span."""
        return self.data(path)[span.start : span.end].decode("utf-8", "surrogateescape")

    def named(self, path: str, name: str) -> list[Symbol]:
        """Definitions of a name, those in the same file first; at most a handful."""
        facts = self.source.facts(path)
        own = [d for d in facts.definitions if d.name == name] if facts is not None else []
        if own:
            return [symbol_of(path, d) for d in own[:_MOST]]
        imported = {last_part(i.module) for i in facts.imports} if facts is not None else set()
        folder = PurePosixPath(path).parent
        found = [(p, d) for p, d in self.source.definitions_named(name) if family_of(p) == self.family]

        def near(item: tuple[str, Definition]) -> tuple[bool, bool, bool, str]:
            place = PurePosixPath(item[0])
            nested = item[1].kind in (DefinitionKind.ATTRIBUTE, DefinitionKind.VARIABLE)
            return (place.name.split(".", 1)[0] not in imported, place.parent != folder, nested, item[0])

        return [symbol_of(p, d) for p, d in sorted(found, key=near)[:_MOST]]

    def visible_names(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Definitions of the file and names it imports."""
        facts = self.source.facts(path)
        if facts is None:
            return self.answer((), "no such file")
        table: dict[str, Symbol] = {}
        for definition in facts.definitions:
            table.setdefault(definition.name, symbol_of(path, definition))
        for item in facts.imports:
            bound = item.alias or item.name
            if bound and bound != "*":
                table.setdefault(bound, _imported(path, item, bound))
        return self.answer(tuple(table.values()), BY_NAME)

    def members_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Nothing is known of receivers here; the members of a type of that very name are offered."""
        word = word_at(self.data(path), offset)
        if word is None or word.end != offset:
            return self.answer((), "the receiver is not known")
        found: list[Symbol] = []
        for symbol in self.named(path, self.text_of(path, word)):
            if symbol.kind in (DefinitionKind.CLASS, DefinitionKind.MODULE):
                found += self.members_of(symbol).value
        return self.answer(tuple(found), BY_NAME)

    def members_of(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Definitions inside a definition, in any file (methods may stand elsewhere)."""
        own = symbol.qualified_name.removeprefix(f"{symbol.module}.")
        facts = self.source.facts(symbol.path)
        inside = [symbol_of(symbol.path, d) for d in facts.definitions if d.parent == own] if facts else []
        return self.answer(tuple(inside), BY_NAME)

    def modules(self, prefix: str, path: str, level: int) -> Answer[Sequence[str]]:
        """Names of files of the family."""
        stems = {PurePosixPath(p).name.split(".", 1)[0] for p in self.mine(self.source.paths())}
        return self.answer(tuple(sorted(stems)), BY_NAME)

    def module_members(self, module: str, path: str, level: int) -> Answer[Sequence[Symbol]]:
        """Outer definitions of files of that name."""
        wanted = last_part(module) if "/" in module else module.rpartition(".")[2]
        found: list[Symbol] = []
        for candidate in self.mine(self.source.paths()):
            if PurePosixPath(candidate).name.split(".", 1)[0] == wanted:
                facts = self.source.facts(candidate)
                if facts is not None:
                    found += [symbol_of(candidate, d) for d in facts.definitions if not d.parent]
        return self.answer(tuple(found), BY_NAME)

    def resolve_import(self, path: str, item: Import) -> Answer[Sequence[Symbol]]:
        """Definitions of what is imported, by its name."""
        name = item.name if item.name not in (None, "*") else last_part(item.module)
        return self.answer(tuple(s for s in self.named(path, name or "") if s.path != path), BY_NAME)

    def findings(self, path: str, within: Span | None = None) -> list[Finding]:
        """What is provably wrong in a file; nothing can be proved from facts alone."""
        return []

    # -- calls --------------------------------------------------------------------------------------------------------
    def call_at(self, path: str, offset: int) -> CallSite | None:
        """Not known from facts."""
        return None

    def call_target(self, path: str, call: CallSite) -> Answer[Sequence[CallTarget]]:
        """Not known from facts."""
        return self.answer((), BY_NAME)

    # -- the repository ------------------------------------------------------------------------------------------------
    def references(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Every place where the name stands, its definition excluded."""
        found = [
            Location(path, span, lines.line_at(span.start) + 1, scope_at(facts, span.start))
            for path, span, lines, facts in self.occurrences(symbol.name)
            if (path, span) != (symbol.path, symbol.name_span)
        ]
        return self.answer(tuple(found), BY_NAME)

    def callers(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Places where the name stands before an opening parenthesis."""
        found: list[Location] = []
        for location in self.references(symbol).value:
            after = self.data(location.path)[location.span.end : location.span.end + 3].lstrip()
            if after.startswith((b"(", b"!", b"<")):
                found.append(location)
        return self.answer(tuple(found), BY_NAME)

    def occurrences(self, name: str) -> Iterator[tuple[str, Span, Lines, Facts | None]]:
        """(path, place, lines, facts) of every word that is `name` in files of the family."""
        pattern = re.compile(rb"(?<![\w$])" + re.escape(encode(name)) + rb"(?![\w$])")
        for path in list(self.mine(self.source.files_with(name)))[:_MOST_FILES]:
            data = self.data(path)
            lines, facts = Lines(data), self.source.facts(path)
            for match in pattern.finditer(data):
                yield path, Span(match.start(), match.end()), lines, facts

    def tests_of(self, symbol: Symbol) -> Sequence[Symbol]:
        """Functions of test files that name the symbol."""
        found: dict[str, Symbol] = {}
        for location in self.references(symbol).value:
            if _TEST.search(location.path):
                for around in self.enclosing(location.path, location.span.start):
                    if around.kind in _CALLABLE:
                        found.setdefault(around.qualified_name, around)
        return tuple(found.values())

    def subclasses(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Classes that name the symbol among their bases."""
        found: list[Symbol] = []
        for path in list(self.mine(self.source.files_with(symbol.name)))[:_MOST_FILES]:
            facts = self.source.facts(path)
            found += [
                symbol_of(path, definition)
                for definition in (facts.definitions if facts is not None else ())
                if any(re.split(r"[<(\[.: ]", base)[0] == symbol.name for base in definition.bases)
            ]
        return self.answer(tuple(found), BY_NAME)

    def importers(self, path: str) -> Sequence[str]:
        """Files with an import whose last part is this file's name."""
        stem = PurePosixPath(path).name.split(".", 1)[0]
        wanted = PurePosixPath(path).parent.name if stem in ("index", "mod", "main", "__init__") else stem
        return tuple(p for p in self.mine(self.source.importing([stem, wanted])) if p != path)

    def enclosing(self, path: str, offset: int) -> Sequence[Symbol]:
        """Definitions around `offset`, innermost first; the file is last."""
        facts = self.source.facts(path)
        if facts is None:
            return ()
        around = [d for d in facts.definitions if d.span.start <= offset <= d.span.end]
        around.sort(key=lambda d: (d.span.end - d.span.start, -d.span.start))
        return (*(symbol_of(path, d) for d in around), file_symbol(path, facts.size))


def _imported(path: str, item: Import, name: str) -> Symbol:
    return Symbol(name, f"{item.module}.{name}", DefinitionKind.MODULE, path, item.span, item.name_span, module=path)


def scope_at(facts: Facts | None, offset: int) -> str:
    """Qualified name of the innermost definition around an offset, empty if there is none."""
    best, size = "", 1 << 60
    for definition in facts.definitions if facts is not None else ():
        wide = definition.span.end - definition.span.start
        inside = definition.span.start <= offset < definition.span.end
        if inside and wide < size and definition.kind in (*_CALLABLE, DefinitionKind.CLASS):
            best, size = definition.qualified_name, wide
    return best


def tier_of(path: str) -> int:
    """The tier of a file's language; 0 if Graft does not know it."""
    language = language_of(path)
    return languages()[language].tier if language is not None else 0
