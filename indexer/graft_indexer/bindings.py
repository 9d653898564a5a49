"""One place that binds a name, and how."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graft_indexer.scopes import Scope

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
ScopeNode = ast.Module | Function | ast.Lambda | ast.ClassDef | Comprehension

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class How(Enum):
    """How a name comes to its value."""

    ASSIGN = auto()
    """`value` is assigned, taken apart along `path`."""
    DECLARE = auto()
    """Annotation without a value."""
    AUGMENT = auto()
    FOR = auto()
    """Item of iterating over `value`."""
    WITH = auto()
    """What entering `value` gives."""
    EXCEPT = auto()
    """Instance of the exception class (or one of the tuple) `value`."""
    IMPORT = auto()
    FROM = auto()
    STAR = auto()
    FUNCTION = auto()
    CLASS = auto()
    PARAMETER = auto()
    DELETE = auto()
    MATCH = auto()
    TYPE_PARAMETER = auto()
    TYPE_ALIAS = auto()
    IMPLICIT = auto()
    """`__name__` and its like, `__class__` in methods."""


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One place that binds `name` in `scope`.

    `node` is the AST node whose span is the name's (see `Tree.name_span`), `statement` the statement around it.
    """

    name: str
    how: How
    node: ast.AST
    scope: Scope
    statement: ast.stmt | None = None
    value: ast.expr | None = None
    annotation: ast.expr | None = None
    path: tuple[int | str, ...] = ()
    """Into `value`: index from the front, `*n` for the starred target at n; empty for all of it."""
    conditional: bool = False
    dead: bool = False
    """Below a version test that is false for the environment's Python."""
    guarded: bool = False
    """Below `try` with handlers, a version test or TYPE_CHECKING."""
    is_async: bool = False
    origin: Scope | None = None
    """For `global`/`nonlocal` writes and walrus targets: the scope that does it."""
