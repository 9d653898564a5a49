"""What is known of a type and of a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from graft_indexer.golang.scopes import Binding, GoFile
from graft_indexer.golang.world import Package

if TYPE_CHECKING:
    from tree_sitter import Node

DEEPEST: Final = 16


@dataclass(frozen=True, slots=True)
class Typ:
    """A type.  `kind`: named (a declared type), struct, interface, func, pointer, list, map, chan, tuple, basic,
    package, tparam."""

    kind: str
    file: GoFile | None = None
    node: Node | None = None
    args: tuple[Typ, ...] = ()
    name: str = ""
    package: Package | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A type, None if it is not known, and why it may not be exactly that (empty if it is)."""

    typ: Typ | None
    reason: str = ""


UNKNOWN: Final = Found(None, "the type is not known")


@dataclass(frozen=True, slots=True)
class Member:
    """A field or method: the node that names it and the one that declares it."""

    name: str
    file: GoFile
    node: Node
    declaration: Node


@dataclass(frozen=True, slots=True)
class Target:
    """What a name means: a binding in a file, or a package."""

    file: GoFile
    binding: Binding | None = None
    package: Package | None = None
    node: Node | None = None


def basic(name: str) -> Found:
    """A predeclared type."""
    return Found(Typ("basic", name=name))
