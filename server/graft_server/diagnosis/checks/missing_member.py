"""`missing-member`: an attribute that its receiver provably does not have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from graft_indexer.facts import DefinitionKind, Span
from graft_indexer.graph import Origin, Symbol, SymbolGraph
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source, elsewhere, guarded_by, makes_names, parse
from graft_server.diagnosis.subject import Subject

CODE = "missing-member"
SEVERITY = Severity.ERROR
_MAX_FILES = 6
"""Files whose strings are searched before an attribute is called missing."""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Reads of attributes on closed receivers; what `hasattr` or an `except AttributeError` guards is left alone."""
    graph, path, source = subject.graph, subject.path, subject.source
    spared = _spared(source)
    # Members of an expression as they were seen in the same function: enough to accept a name, never to reject one.
    known: dict[tuple[ast.AST | None, str], set[str]] = {}
    modules: dict[tuple[ast.AST | None, str], bool] = {}
    for node in subject.nodes(ast.Attribute):
        name = node.attr
        if not isinstance(node.ctx, ast.Load) or name in spared:
            continue
        if name.startswith("__") and name.endswith("__"):
            continue
        place = (source.function_of(node), ast.dump(node.value))
        if name in known.get(place, ()):
            continue
        end = receiver_end(source, node)
        if end is None:
            continue
        # One name first: to list what a module gathers, or what a class and all below it have, takes far longer.
        absent = graph.definition_at(path, source.span(node).end - len(name.encode()))
        if absent.value:
            known.setdefault(place, set()).add(name)
            continue
        if place not in modules:
            modules[place] = _is_module(graph, path, end)
        # The list says what the classes have; this one name was looked for everywhere: set by others, by subclasses.
        # Not of a module: what it has is what its file or its stub says.
        if not absent.closed and not modules[place]:
            continue
        answer = graph.members_at(path, end)
        members = {m.name for m in answer.value}
        if not answer.closed_for(name) or not members or _more_than_it_looks(answer.value):
            continue
        if name in members or _mangled(source, node, members) or guarded_by(source, node, "AttributeError"):
            continue
        if _named_in_a_string(graph, path, name, answer.value) or elsewhere(source, node) or _replaced(source, node):
            continue
        near = closest(name, members)
        if _makes_names(graph, path, end) or (name.startswith("_") and _described(answer.value, near)):
            continue
        span = source.span(node)
        start = span.end - len(name.encode())
        if not modules[place] and _filled(graph, path, end, answer.value):
            continue
        hint = f"; did you mean `{near[0]}`?" if near else ""
        receiver = " ".join(source.segment(source.span(node.value)).split())
        if len(receiver) > 40:
            receiver = receiver[:39] + "…"
        yield Diagnostic(
            path,
            Span(start, span.end),
            CODE,
            SEVERITY,
            f"`{receiver}` has no member `{name}`{hint}",
            names=(name,),
            candidates=tuple(near),
        )


def receiver_end(source: Source, node: ast.Attribute) -> int | None:
    """Where the expression before the dot ends, closing parentheses included; None if it cannot be told."""
    head = source.data[: source.span(node).end - len(node.attr.encode())].rstrip(b" \t\r\n\f\\")
    return len(head[:-1].rstrip(b" \t\r\n\f\\")) if head.endswith(b".") else None


def _more_than_it_looks(members: Sequence[Symbol]) -> bool:
    """`collections.namedtuple(...)` is declared to make plain tuples, and has fields all the same; an object with
    `__get__`, a property, or what `auto()` makes, is seldom what reading an attribute gives."""
    return any(
        m.qualified_name in ("builtins.tuple.count", "enum.auto.value", "builtins.property.fget")
        or (m.name == "__get__" and m.origin in (Origin.WORKSPACE, Origin.INSTALLED))
        for m in members
    )


def _named_in_a_string(graph: SymbolGraph, path: str, name: str, members: Sequence[Symbol]) -> bool:
    """Whether a string of this file, or of a file that defines the receiver, spells the name: `setattr(cls, "x", ...)`
    by way of a helper, a table of fields, `type("C", bases, {"x": ...})`."""
    files = dict.fromkeys([path, *(m.path for m in members if m.origin is Origin.WORKSPACE)])
    for file in list(files)[:_MAX_FILES]:
        source = _with_word(graph, file, name)
        for constant in source.all(ast.Constant) if source is not None else ():
            if (
                isinstance(constant.value, str)
                and name in constant.value
                and name in re.split(r"[\s,]+", constant.value)
            ):
                return True
    return False


def _with_word(graph: SymbolGraph, path: str, word: str) -> Source | None:
    """The parsed text of a file in which `word` stands.  The others are not parsed: a member of a class with many bases
    would cost a second at every key press."""
    text = graph.text(path)
    return parse(text) if text is not None and word in text else None


def _replaced(source: Source, node: ast.Attribute) -> bool:
    """Whether the function gives the attribute before the dot another value further down, and none before: what it is
    until then comes from outside (`self.names = self.names.split(",")`, of an option that others set)."""
    receiver = node.value
    if not isinstance(receiver, ast.Attribute):
        return False
    function = source.function_of(node)
    inner = ast.dump(receiver.value)
    stores = [
        other
        for other in source.all(ast.Attribute)
        if other.attr == receiver.attr
        and isinstance(other.ctx, ast.Store)
        and source.function_of(other) is function
        and ast.dump(other.value) == inner
    ]
    # The targets of the statement that the node stands in come after it, too.
    own = source.statement_of(node)
    return bool(stores) and all(s.lineno > node.lineno or source.statement_of(s) is own for s in stores)


def _described(members: Sequence[Symbol], near: Sequence[str]) -> bool:
    """Whether a stub describes the receiver, which leaves private names out; a slip of a private name that the
    workspace itself defines is one all the same."""
    if any(m.name in near and m.name.startswith("_") and m.origin is Origin.WORKSPACE for m in members):
        return False
    return any(m.origin in (Origin.STUB, Origin.STDLIB) for m in members if not m.name.startswith("__"))


def _is_module(graph: SymbolGraph, path: str, end: int) -> bool:
    symbols = graph.definition_at(path, end - 1).value
    return bool(symbols) and all(s.kind is DefinitionKind.MODULE for s in symbols)


def _filled(graph: SymbolGraph, path: str, end: int, members: Sequence[Symbol]) -> bool:
    """Whether attributes are set by names that are computed: on the receiver, in the file that binds it, or on anything
    in a file that defines its class.  A class without any member of its own is a bag to be filled."""
    if all(m.qualified_name.startswith("builtins.object.") for m in members):
        return True
    for file in dict.fromkeys(m.path for m in members if m.origin is Origin.WORKSPACE):
        source = _with_word(graph, file, "setattr")
        if source is not None and _filled_names(source) - {"self", "cls"}:
            return True
    for symbol in graph.definition_at(path, end - 1).value:
        source = _with_word(graph, symbol.path, "setattr") if symbol.path else None
        if source is not None and symbol.name in _filled_names(source):
            return True
    return False


@lru_cache(maxsize=64)
def _filled_names(source: Source) -> frozenset[str]:
    """Variables `x` of a file with `setattr(x, name, ...)`."""
    return frozenset(
        call.args[0].id
        for call in source.all(ast.Call)
        if isinstance(call.func, ast.Name)
        and call.func.id == "setattr"
        and len(call.args) == 3
        and isinstance(call.args[0], ast.Name)
        and not isinstance(call.args[1], ast.Constant)
    )


def _makes_names(graph: SymbolGraph, path: str, end: int) -> bool:
    """Whether the receiver is a module that puts names into itself."""
    modules = [s for s in graph.definition_at(path, end - 1).value if s.kind is DefinitionKind.MODULE]
    return any(makes_names(graph.text(s.path) or "") for s in modules)


@lru_cache(maxsize=8)
def _spared(source: Source) -> frozenset[str]:
    """Names that the file sets on something, or asks for with `hasattr` and the like: whoever asks, knows that they may
    be missing."""
    found = {n.attr for n in source.all(ast.Attribute) if not isinstance(n.ctx, ast.Load)}
    for call in source.all(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id in ("hasattr", "getattr", "setattr", "delattr"):
            found |= {a.value for a in call.args[1:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return frozenset(found)


def _mangled(source: Source, node: ast.Attribute, members: set[str]) -> bool:
    if not node.attr.startswith("__"):
        return False
    return any(
        f"_{parent.name.lstrip('_')}{node.attr}" in members
        for parent in source.ancestors(node)
        if isinstance(parent, ast.ClassDef)
    )
