"""Facts as plain tuples: what walkers write, workers send and the store keeps; `extract` makes them dataclasses.

Tuples of strings and integers are marshalled in C; building a dataclass for each would cost more than parsing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from graft_indexer.facts import DefinitionKind, ParameterKind


class Kind:
    """`DefinitionKind` as a plain integer (marshal refuses enumerations); the order is part of the store's format."""

    MODULE: Final = 0
    CLASS: Final = 1
    FUNCTION: Final = 2
    METHOD: Final = 3
    PROPERTY: Final = 4
    VARIABLE: Final = 5
    ATTRIBUTE: Final = 6
    TYPE_ALIAS: Final = 7


KINDS = (
    DefinitionKind.MODULE,
    DefinitionKind.CLASS,
    DefinitionKind.FUNCTION,
    DefinitionKind.METHOD,
    DefinitionKind.PROPERTY,
    DefinitionKind.VARIABLE,
    DefinitionKind.ATTRIBUTE,
    DefinitionKind.TYPE_ALIAS,
)
PARAMETER_KINDS = tuple(ParameterKind)

ParameterRow: TypeAlias = tuple[str, int, str | None, str | None]
"""(name, index in `PARAMETER_KINDS`, annotation, default)"""
SignatureRow: TypeAlias = tuple[tuple[ParameterRow, ...], str | None, bool, bool]
"""(parameters, returns, is_async, is_generator)"""
DefinitionRow: TypeAlias = tuple[
    str, int, int, int, int, int, str, int,
    SignatureRow | None, tuple[str, ...] | None, tuple[str, ...] | None, str | None, str | None, str | None,
]  # fmt: skip
"""(name, kind, start, end, name start, name end, parent, flags, signature, bases, decorators, annotation, value, doc);
flags: 1 conditional, 2 parent is a function."""
ImportRow: TypeAlias = tuple[str, str | None, str | None, int, int, int, int, int, str, int]
"""(module, name, alias, level, start, end, name start, name end, scope, flags); flags: 1 type_checking, 2 guarded."""
ExportRow: TypeAlias = tuple[str, tuple[str, ...]]
"""("set" | "add" | "dynamic", names)"""


class TooDeep(Exception):
    """Statements are nested deeper than the walker goes."""


@dataclass(slots=True)
class Sink:
    """What a walker fills."""

    definitions: list[DefinitionRow] = field(default_factory=list)
    globals: list[DefinitionRow] = field(default_factory=list)
    """Names declared `global` in functions: module variables, if nothing else binds them."""
    imports: list[ImportRow] = field(default_factory=list)
    exports: list[ExportRow] = field(default_factory=list)
    dynamic: bool = False
    words: Mapping[bytes, int] = field(default_factory=dict)
    """Words of the text, if they are counted already: what is not among them need not be looked for."""
