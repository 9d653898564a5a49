"""What is known of a type: the declaration that says what the members of its values are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from graft_indexer.typescript.scopes import TsFile

if TYPE_CHECKING:
    from tree_sitter import Node

DEEPEST: Final = 14


FUNCTIONS: Final = frozenset(
    (
        "function_declaration", "function_expression", "generator_function", "generator_function_declaration",
        "arrow_function", "method_definition", "function_signature", "method_signature", "abstract_method_signature",
        "call_signature", "function_type",
    )
)  # fmt: skip


CLASSES: Final = frozenset(("class_declaration", "abstract_class_declaration", "class"))


PREDEFINED: Final = frozenset(("bigint", "intrinsic", "undefined", "null", "object", "symbol", "never"))
"""Types of the language that its grammar reads as names."""


LISTS: Final = frozenset(
    (
        "Array",
        "ReadonlyArray",
        "Set",
        "ReadonlySet",
        "Iterable",
        "IterableIterator",
        "ArrayLike",
        "Iterator",
        "Generator",
    )
)


@dataclass(frozen=True, slots=True)
class Typ:
    """A type.  `kind`: inst (of a class or interface), class (its static side), obj (an object type or literal), fn,
    ns (a module), nsdecl, enum, enumval, array, promise, union, inter, ext (declared outside), tparam, prim."""

    kind: str
    file: TsFile | None = None
    node: Node | None = None
    args: tuple[Typ, ...] = ()
    name: str = ""
    env: tuple[tuple[str, Typ], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A type, None if it is not known, and why it may not be exactly that (empty if it is)."""

    typ: Typ | None
    reason: str = ""


UNKNOWN: Final = Found(None, "the type is not known")


Env = tuple[tuple[str, Typ], ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a type: the node that names it, the node that declares it, and the owner's type parameters."""

    name: str
    file: TsFile
    node: Node
    declaration: Node
    env: Env = ()
    static: bool = False


def prim(name: str) -> Found:
    """A primitive type."""
    return Found(Typ("prim", name=name))


def some(typ: Typ | None) -> tuple[Typ, ...]:
    """A type as type arguments, none if it is not known."""
    return (typ,) if typ is not None else ()


def united(parts: list[Typ], reason: str) -> Found:
    """The union of some types, open for `reason`; a single one is itself."""
    if not parts:
        return Found(None, reason or "the type is not known")
    if len(parts) == 1:
        return Found(parts[0], reason)
    return Found(Typ("union", args=tuple(parts)), "a union")


def bound(file: TsFile, declaration: Node, arguments: tuple[Typ, ...]) -> Env:
    """Type parameters of a declaration with their arguments; those without one are left to their own name."""
    listed = declaration.child_by_field_name("type_parameters")
    if listed is None or not arguments:
        return ()
    names = [file.text(n) for c in listed.named_children if (n := c.child_by_field_name("name")) is not None]
    return tuple(zip(names, arguments, strict=False))


def through(base: Typ, typ: Typ) -> Env:
    """Arguments of a base class in terms of the class's own."""
    known = dict(typ.env)
    return tuple((n, known.get(t.name, t) if t.kind == "tparam" else t) for n, t in base.env)
