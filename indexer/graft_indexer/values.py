"""What an expression can be: modules, classes, instances, functions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from graft_indexer.bindings import Function
from graft_indexer.modules import Module
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope, scope_of


@dataclass(eq=False)
class Cls:
    """A class definition.  Equal to another if it has the same place: files may be read again meanwhile."""

    file: PyFile
    node: ast.ClassDef
    outer: Scope
    """The scope that the class statement stands in."""
    memo: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        twins = self.outer.bindings.get(self.node.name, ())
        nth = next((n for n, b in enumerate(twins) if b.node is self.node), 0) if len(twins) > 1 else 0
        self._key = (self.file.path, self.outer.name, self.node.name, nth)
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Cls) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def scope(self) -> Scope:
        """The class body's scope."""
        return scope_of(self.outer, self.node)

    @cached_property
    def inside(self) -> str:
        """Qualified name inside the module: `Outer.Class`."""
        return self.scope.name

    @cached_property
    def full_name(self) -> str:
        """With the module: `package.module.Outer.Class`."""
        return f"{self.file.name}.{self.inside}"

    def __repr__(self) -> str:
        return f"Cls({self.full_name})"


@dataclass(frozen=True, slots=True)
class ModuleValue:
    """A module object."""

    module: Module


@dataclass(frozen=True, slots=True)
class ClassValue:
    """A class object; `exact` unless it may be a subclass (`cls`, `type[C]`)."""

    cls: Cls
    args: tuple[Result, ...] = ()
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance; `exact` if it was made by calling the class itself."""

    cls: Cls
    args: tuple[Result, ...] = ()
    exact: bool = False
    items: tuple[Result, ...] | None = None
    """Of a tuple whose length is known: what each item is."""
    own: bool = False
    """`self` or `cls` of the method around."""


@dataclass(frozen=True, slots=True)
class FunctionValue:
    """A function; `receiver` is what `self` or `cls` is bound to, `owner` the class it was found in."""

    file: PyFile
    node: Function
    outer: Scope
    owner: Cls | None = None
    receiver: Instance | ClassValue | None = None
    bound: bool = False
    """The first parameter is already given."""
    overloads: tuple[Function, ...] = ()
    fixed: bool = False
    """No subclass of the receiver's class can put another in its place."""


@dataclass(frozen=True, slots=True)
class SuperValue:
    """`super()`: attributes from behind `after` in the order of `receiver`'s class."""

    receiver: Instance | ClassValue
    after: Cls


@dataclass(frozen=True, slots=True)
class NoneValue:
    """None."""


Value = ModuleValue | ClassValue | Instance | FunctionValue | SuperValue | NoneValue


@dataclass(frozen=True, slots=True)
class Result:
    """What an expression can be.  `reason` says why it may be something else as well; empty if these are all."""

    values: tuple[Value, ...] = ()
    reason: str = ""

    @property
    def closed(self) -> bool:
        return not self.reason

    def without_none(self) -> Result:
        return Result(tuple(v for v in self.values if not isinstance(v, NoneValue)), self.reason)


def unknown(reason: str) -> Result:
    """Nothing is known, and why."""
    return Result((), reason)


def union(results: Iterable[Result]) -> Result:
    """Any of them."""
    values: dict[Value, None] = {}
    reason = ""
    for result in results:
        values.update(dict.fromkeys(result.values))
        reason = reason or result.reason
    return Result(tuple(values), reason)


Substitution = Mapping[str, Result]
"""Type variable -> what it stands for."""


def is_closed(made: tuple[object, object, Result]) -> bool:
    """Whether the answer that a memo remembers (with what it was made from, to keep that alive) is closed."""
    return not made[2].reason
