"""One file as level 2 sees it: its tree, its module scope, what it exports, and the tokens of what may change in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from graft_indexer import scopes
from graft_indexer.bindings import FUNCTIONS, Binding, How
from graft_indexer.branches import Known
from graft_indexer.facts import Span
from graft_indexer.graph import Origin, Symbol
from graft_indexer.inplace import Move
from graft_indexer.memo import Memo, Token
from graft_indexer.pytree import Tree
from graft_indexer.scopes import Scope

MODULE_NAMES = (
    "__name__", "__doc__", "__file__", "__loader__", "__package__", "__spec__", "__builtins__", "__debug__",
    "__annotations__", "__cached__", "__dict__", "__path__",
)  # fmt: skip
"""Names that every module has."""


_OUTSIDE = ("class stores", "classes")
"""Answers about a file that no function's body has a part in."""
_MOST_MOVES = 50


class FileTokens:
    """What answers may have read of one version of a file.

    `file` changes with anything but the body of a function; `text` with every byte (answers that hold offsets); each
    outermost function has a token of its own, and each class one for what its methods set on self.
    """

    __slots__ = ("_retired", "classes", "file", "memo", "text", "units")

    def __init__(self, memo: Memo) -> None:
        self.memo = memo
        self.file = Token()
        self.text = Token()
        self.units: dict[str, Token] = {}
        self.classes: dict[str, Token] = {}
        self._retired: list[tuple[Token, int]] = []

    def note_scope(self, scope: Scope) -> None:
        """What is computed was made from the bindings that `scope` sees."""
        memo = self.memo
        if memo.busy:
            memo.note(self.file)
            name = scope.unit
            if name:
                memo.note(self.unit(name))

    def unit(self, name: str) -> Token:
        """The token of an outermost function, by its qualified name."""
        found = self.units.get(name)
        if found is None:
            found = self.units[name] = Token()
        return found

    def cls(self, name: str) -> Token:
        """The token of what the methods of a class do to its instances, by the class's qualified name."""
        found = self.classes.get(name)
        if found is None:
            found = self.classes[name] = Token()
        return found

    def retire(self) -> None:
        """This version is not the file any more."""
        tokens = [self.file, self.text, *self.units.values(), *self.classes.values()]
        self._retired = [(t, t.changed) for t in tokens]
        self.memo.change(*tokens)

    def revive(self) -> None:
        """It is again: what was made from it holds."""
        for token, changed in self._retired:
            token.changed = changed
        self._retired = []


@dataclass(eq=False)
class PyFile:
    """One analysed file."""

    path: str
    """As in the graph: relative to the workspace, or absolute."""
    name: str
    """Dotted module name."""
    origin: Origin
    tree: Tree
    tests: Known
    tokens: FileTokens | None = None
    """None for a file outside the workspace, which does not change."""
    classes: dict[int, object] = field(default_factory=dict)
    memo: dict[object, object] = field(default_factory=dict)
    """Answers that depend on this file's text alone."""
    symbols: dict[tuple[int, str | None], tuple[Binding, Symbol, int]] = field(default_factory=dict)
    """Of bindings, with how many moves there had been."""
    moves: list[Move] = field(default_factory=list)
    """Edits of function bodies since the file was read, for spans that were made before them."""

    def note(self) -> None:
        """What is computed was made from this file (its functions' bodies excepted)."""
        if self.tokens is not None:
            self.tokens.memo.note(self.tokens.file)

    def note_text(self) -> None:
        """What is computed holds offsets into this file."""
        if self.tokens is not None:
            self.tokens.memo.note(self.tokens.text)

    def note_scope(self, scope: Scope) -> None:
        """What is computed was made from what a scope of this file binds."""
        if self.tokens is not None:
            self.tokens.note_scope(scope)

    @cached_property
    def scope(self) -> Scope:
        """The module's scope."""
        scope = scopes.module_scope(self.tree, self.tests, MODULE_NAMES)
        scope._version = self.tests.version  # type: ignore[attr-defined]
        return scope

    def edited(self, move: Move) -> None:
        """A function's body was changed in the tree: forget what depends on it, and what it would be a burden to."""
        self.moves.append(move)
        if len(self.moves) > _MOST_MOVES:
            self.moves.clear()
            self.symbols.clear()
        self.memo = {k: self.memo[k] for k in _OUTSIDE if k in self.memo}

    @property
    def is_stub(self) -> bool:
        return self.path.endswith(".pyi")

    @property
    def in_workspace(self) -> bool:
        return self.origin is Origin.WORKSPACE

    @cached_property
    def loose(self) -> str:
        """Why the module may bind names that its text does not show; empty if it does not."""
        if self.tree.unreadable:
            return self.tree.unreadable
        if self.scope.dynamic:
            return self.scope.dynamic
        return "a syntax error hides bindings" if self.lost_at_module_level else ""

    @property
    def lost_at_module_level(self) -> list[Span]:
        """Lines that do not parse and may bind names of the module."""
        return [b for b in self.tree.hiding if not self._in_definition(b)]

    def _in_definition(self, broken: Span) -> bool:
        """Whether a function or class at the top of the file holds a lost line; it can only be the last to begin."""
        holder = self.tree.statement_at(broken.start)
        if not isinstance(holder, (*FUNCTIONS, ast.ClassDef)):
            return False
        span = self.tree.full_span(holder)
        return span.start < broken.start and broken.end <= span.end

    def loose_for(self, name: str) -> str:
        """Why the module may bind this name though its text does not show it; empty if it does not."""
        if not self.loose or self.tree.unreadable or self.scope.dynamic:
            return self.loose
        return self.loose if any(self.tree.hides(b, name) for b in self.lost_at_module_level) else ""

    @cached_property
    def exports(self) -> tuple[frozenset[str] | None, str]:
        """`__all__` as far as it is spelled out (None if there is none, or another module's), and why it may hold
        more."""
        bindings = self.scope.bindings.get("__all__", [])
        if not bindings:
            return None, ""
        if any(b.how in (How.FROM, How.IMPORT) for b in bindings):
            return None, "__all__ is imported"
        names: set[str] = set()
        reason = ""
        for statement in self._module_statements():
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                    | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
                    | ast.AugAssign(target=ast.Name(id="__all__"), value=value)
                ):
                    reason = reason or _spelled(value, names)
                case ast.Expr(
                    value=ast.Call(func=ast.Attribute(value=ast.Name(id="__all__"), attr=method), args=[value])
                ):
                    if method == "append" and isinstance(value, ast.Constant):
                        names.add(str(value.value))
                    elif method == "extend":
                        reason = reason or _spelled(value, names)
                    elif method != "remove":
                        reason = "__all__ is computed"
        return frozenset(names), reason

    def _module_statements(self) -> Iterator[ast.stmt]:
        stack: list[ast.stmt] = list(reversed(self.tree.body))
        while stack:
            statement = stack.pop()
            yield statement
            if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                for name in ("body", "orelse", "finalbody"):
                    stack.extend(s for s in getattr(statement, name, []) if isinstance(s, ast.stmt))
                for handler in getattr(statement, "handlers", []):
                    stack.extend(handler.body)


def _spelled(value: ast.expr, names: set[str]) -> str:
    match value:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            for item in items:
                if isinstance(item, ast.Constant) and isinstance(item.value, str):
                    names.add(item.value)
                else:
                    return "__all__ is computed"
            return ""
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _spelled(left, names) or _spelled(right, names)
    return "__all__ is computed"
