"""SymbolGraph: the questions one may ask, and the dataclasses of their answers.

Every answer is *closed* (complete and provable) or *open*.  Only closed answers may reject code or constrain decoding.
Paths are relative to the workspace root with `/` as separator; files outside it (standard library, installed
packages, stubs) are absolute.  Offsets are bytes into the UTF-8 text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from graft_indexer.facts import DefinitionKind, Facts, Import, Reference, Signature, Span

T_co = TypeVar("T_co", covariant=True)


class Certainty(StrEnum):
    """Whether an answer may be used to reject code."""

    CLOSED = "closed"
    OPEN = "open"


class Origin(StrEnum):
    """Where a symbol's file lies."""

    WORKSPACE = "workspace"
    INSTALLED = "installed"
    STDLIB = "stdlib"
    STUB = "stub"
    BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class Answer(Generic[T_co]):
    """A value with its certainty; `reason` says in a few words why an open answer is open (empty if closed)."""

    value: T_co
    certainty: Certainty
    reason: str = ""
    public: bool = False
    """An open answer to which only names with a leading underscore may be missing: stubs leave those out."""

    @property
    def closed(self) -> bool:
        """Whether the answer is complete and provable."""
        return self.certainty is Certainty.CLOSED

    def closed_for(self, name: str) -> bool:
        """Whether the absence of `name`, or of every name that begins so, from a list of names proves anything."""
        return self.closed or (self.public and name != "" and not name.startswith("_"))


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition somewhere in the known world."""

    name: str
    qualified_name: str
    """With the module: `package.module.Class.method`."""
    kind: DefinitionKind
    path: str
    span: Span
    name_span: Span
    signature: Signature | None = None
    doc: str | None = None
    module: str = ""
    """Dotted name of its module."""
    origin: Origin = Origin.WORKSPACE
    annotation: str | None = None
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    """As in `facts.Definition`: source text without the `@`."""
    header: str | None = None
    """Outside Python: the line that defines it as it is written there, without its body."""
    unsure: bool = False
    """It may not be there: only a line that does not parse may bind it, or a file sets it on something unknown."""


@dataclass(frozen=True, slots=True)
class Location:
    """A span in a file; `line` is 1-based, `scope` the qualified name of the enclosing definition in that file."""

    path: str
    span: Span
    line: int
    scope: str = ""


@dataclass(frozen=True, slots=True)
class CallTarget:
    """What a call calls: the symbol and its signature as seen by the call (`self`/`cls` already bound is removed)."""

    symbol: Symbol
    signature: Signature


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call expression: its whole span, the callee's span, the arguments' span (parentheses included)."""

    span: Span
    callee: Span
    arguments: Span


@dataclass(frozen=True, slots=True)
class Window:
    """Lines of a file that may show the model how something is used; `score` in 0..1, `line` 1-based."""

    path: str
    span: Span
    line: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a change of one file's exported definitions touches elsewhere."""

    removed: tuple[Symbol, ...]
    changed: tuple[tuple[Symbol, Symbol], ...]
    """(before, after) of definitions whose signature or kind changed."""
    added: tuple[Symbol, ...]
    affected: tuple[str, ...]
    """Paths of the files that import the module or use one of the names."""


class SymbolGraph(Protocol):
    """What the server, the command line and the training pipeline may ask.

    A graph belongs to one thread.  None of these raises for bad code or an unknown path: the answer is empty and open.
    `path` arguments may name an open buffer, a file of the workspace, or (absolute) any Python file.
    """

    @property
    def root(self) -> str:
        """Absolute path of the workspace."""

    # -- files and buffers ------------------------------------------------------------------------------------------
    def open_buffer(self, path: str, text: str) -> None:
        """Shadow `path` by `text` until it is closed; parses at once (incrementally if already open)."""

    def close_buffer(self, path: str) -> None:
        """Forget the buffer; the file on disk counts again."""

    def is_open(self, path: str) -> bool:
        """Whether a buffer shadows `path`."""

    def refresh(self, paths: Iterable[str] | None = None) -> Sequence[str]:
        """Re-read files that changed on disk (all of them if `paths` is None); returns the paths that changed."""

    def paths(self) -> Sequence[str]:
        """All indexed files."""

    def text(self, path: str) -> str | None:
        """The text that offsets refer to: the buffer's if open, else the file's; None if unreadable."""

    def facts(self, path: str) -> Facts | None:
        """Level-1 facts of one file (buffer first)."""

    def errors(self, path: str) -> Sequence[Span]:
        """Spans of syntax errors in the buffer or file."""

    def changed_since(self, mark: int) -> tuple[int, Sequence[str]]:
        """(a new mark, files and buffers whose text changed since `mark`, the latest first); 0 is the beginning."""

    def within(self, deadline: float) -> AbstractContextManager[None]:
        """Questions asked meanwhile raise `memo.LateError` soon after `time.perf_counter()` is past `deadline`:
        a file that is being parsed is finished.  What they found out until then is kept for the next one."""

    # -- names ------------------------------------------------------------------------------------------------------
    def find(self, name: str) -> Sequence[Symbol]:
        """Workspace definitions by simple name, dotted suffix (`Class.method`) or full qualified name."""

    def files_defining(self, name: str) -> Sequence[str]:
        """Files of the workspace with a definition of a simple name; none of them is read."""

    def definition_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """What the name at `offset` refers to; imports are followed to the definition."""

    def visible_names(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Names that may stand at `offset` as an expression: LEGB, builtins included.  Open after a star import that
        cannot be resolved, or where `exec`, `globals()` writes or a syntax error hide bindings."""

    def visible_words(self, path: str, offset: int) -> Answer[frozenset[str]]:
        """The names of `visible_names` alone, which costs a fraction: for asking whether a name may stand there."""

    def members_at(self, path: str, offset: int) -> Answer[Sequence[Symbol]]:
        """Members of the receiver whose expression ends at `offset` (the byte before the dot is `offset - 1`)."""

    def members_of(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Members of instances of a class, which may be of a subclass."""

    def modules(self, prefix: str = "", path: str = "", level: int = 0) -> Answer[Sequence[str]]:
        """Names that may follow `import prefix.` (or `from <level dots>prefix.`) in `path`."""

    def module_members(self, module: str, path: str, level: int = 0) -> Answer[Sequence[Symbol]]:
        """What `from module import ...` may name in `path`: definitions, re-exports and submodules."""

    def resolve_import(self, path: str, item: Import) -> Answer[Sequence[Symbol]]:
        """What one import binds; an empty closed answer means: provably not there."""

    # -- calls ------------------------------------------------------------------------------------------------------
    def call_at(self, path: str, offset: int) -> CallSite | None:
        """The innermost call whose parentheses enclose `offset`."""

    def call_target(self, path: str, call: CallSite) -> Answer[Sequence[CallTarget]]:
        """What a call calls.  Closed with exactly one target: the call's arguments may be checked against it."""

    # -- the repository ---------------------------------------------------------------------------------------------
    def references(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Where a symbol is used, its definition excluded."""

    def callers(self, symbol: Symbol) -> Answer[Sequence[Location]]:
        """Call sites of a function, method or class."""

    def tests_of(self, symbol: Symbol) -> Sequence[Symbol]:
        """Test functions that exercise a symbol, most direct first."""

    def subclasses(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Direct and indirect subclasses in the workspace."""

    def overrides(self, symbol: Symbol) -> Answer[Sequence[Symbol]]:
        """Members of subclasses in the workspace that override a member of a class."""

    def importers(self, path: str) -> Sequence[str]:
        """Files of the workspace that import the module at `path`."""

    def file_references(self, path: str) -> Sequence[Reference]:
        """Every reference in one file with its role (level 2)."""

    def enclosing(self, path: str, offset: int) -> Sequence[Symbol]:
        """Definitions around `offset`, innermost first; the module is last."""

    def exposure(self, path: str, before: Facts) -> Exposure:
        """What changed between `before` and the file's present facts, as seen from other files."""

    def usages(self, path: str, offset: int, limit: int = 4, *, patient: bool = False) -> Sequence[Window]:
        """Windows of about 20 lines from other files that look like the code around `offset`, best first.

        Files that no such question was asked about before are looked into for some milliseconds only, the likeliest
        first, unless `patient`."""

    def prepare_usages(self, path: str, offset: int) -> bool:
        """Look into some of the files that `usages` leaves out for want of time; whether there are still others."""

    def repository_map(self, path: str = "", budget: int = 1024) -> str:
        """Outline of the most important definitions, at most `budget` tokens (estimated at 4 bytes each)."""

    def close(self) -> None:
        """Release the store."""
