"""Facts of one file: what a parser alone can say about it, as plain dataclasses.

All offsets are bytes into the UTF-8 text of the file as Graft holds it (decoded once, re-encoded as UTF-8 with
`surrogateescape`); for files that are UTF-8 on disk without a byte order mark these are the bytes on disk.
Names of fields are the field's standard terms; nothing here resolves anything across files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open range of bytes, `start <= end`."""

    start: int
    end: int

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and self.start <= offset < self.end

    def covers(self, other: Span) -> bool:
        """Whether `other` lies wholly inside this span."""
        return self.start <= other.start and other.end <= self.end


class DefinitionKind(StrEnum):
    """What a definition defines."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    METHOD = "method"
    PROPERTY = "property"
    VARIABLE = "variable"
    """A name bound at module level or in a class body."""
    ATTRIBUTE = "attribute"
    """An instance attribute, bound as `self.name = ...` in a method."""
    TYPE_ALIAS = "type_alias"
    PARAMETER = "parameter"
    LOCAL = "local"
    """A name bound in a function; only level 2 knows these."""


class ParameterKind(StrEnum):
    """As in `inspect.Parameter.kind`."""

    POSITIONAL_ONLY = "positional_only"
    POSITIONAL_OR_KEYWORD = "positional_or_keyword"
    VAR_POSITIONAL = "var_positional"
    KEYWORD_ONLY = "keyword_only"
    VAR_KEYWORD = "var_keyword"


class ReferenceRole(StrEnum):
    """What a name does where it stands."""

    CALL = "call"
    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ATTRIBUTE = "attribute"
    TYPE = "type"
    IMPORT = "import"
    INHERIT = "inherit"
    KEYWORD = "keyword"
    """The name of a keyword argument at a call."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `annotation` and `default` are source text, `None` where there is none."""

    name: str
    kind: ParameterKind = ParameterKind.POSITIONAL_OR_KEYWORD
    annotation: str | None = None
    default: str | None = None

    @property
    def required(self) -> bool:
        """Whether a call must supply it."""
        return self.default is None and self.kind not in (ParameterKind.VAR_POSITIONAL, ParameterKind.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Signature:
    """Parameters in order, as written (`self` and `cls` included), and the return annotation as source text."""

    parameters: tuple[Parameter, ...] = ()
    returns: str | None = None
    is_async: bool = False
    is_generator: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition of a name.

    `qualified_name` is relative to the module (`Class.method`, `function.<locals>.inner`); `parent` is the qualified
    name of what contains it, empty at module level.  `span` covers decorators and body, `name_span` the name.
    `doc` is the first line of the docstring.  `conditional` is true below `if`, `try`, `with`, `for`, `while`, `match`.
    """

    name: str
    qualified_name: str
    kind: DefinitionKind
    span: Span
    name_span: Span
    parent: str = ""
    signature: Signature | None = None
    bases: tuple[str, ...] = ()
    """Base classes as source text, keywords (`metaclass=...`) included as `name=text`."""
    decorators: tuple[str, ...] = ()
    """Decorators as source text without the `@`."""
    annotation: str | None = None
    """For variables and attributes: the annotation as source text."""
    value: str | None = None
    """For variables and attributes: the start of the assigned expression as source text, at most 200 characters."""
    doc: str | None = None
    conditional: bool = False

    @property
    def is_public(self) -> bool:
        """No leading underscore, or a dunder."""
        return not self.name.startswith("_") or (self.name.startswith("__") and self.name.endswith("__"))


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name, wherever the statement stands.

    `import a.b` -> module "a.b", name None; `from ..a import b as c` -> module "a", level 2, name "b", alias "c";
    `from a import *` -> name "*".  `span` is the statement, `name_span` the name (or the module if there is no name).
    """

    module: str
    name: str | None
    alias: str | None
    level: int
    span: Span
    name_span: Span
    scope: str = ""
    """Qualified name of the function or class that contains it, empty at module level."""
    type_checking: bool = False
    """Below `if TYPE_CHECKING:`."""
    guarded: bool = False
    """In a `try` whose handlers catch ImportError (or more), or below a version or platform test."""

    @property
    def bound_name(self) -> str:
        """The name that the statement binds, `*` for a star import."""
        if self.alias is not None:
            return self.alias
        if self.name is not None:
            return self.name
        return self.module.split(".", 1)[0]


@dataclass(frozen=True, slots=True)
class Reference:
    """One use of a name (level 2: with its role)."""

    name: str
    role: ReferenceRole
    span: Span


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything level 1 knows about one file."""

    path: str
    """Relative to the workspace root, `/` as separator."""
    language: str
    digest: str
    """blake2b-128 of the text's bytes, hexadecimal."""
    definitions: tuple[Definition, ...] = ()
    imports: tuple[Import, ...] = ()
    exports: tuple[str, ...] | None = None
    """The names in `__all__` if it is a plain list or tuple of strings, else None."""
    dynamic_exports: bool = False
    """`__all__` is computed, or the module defines `__getattr__`, or writes to `globals()` / `sys.modules`."""
    postings: dict[str, int] = field(default_factory=dict)
    """Every identifier-like word of the file -> how often."""
    errors: tuple[Span, ...] = ()
    """Spans of syntax error nodes."""
    size: int = 0
    """Bytes of the text."""
    truncated: str | None = None
    """Why the file was not, or not wholly, indexed; None if it was."""
