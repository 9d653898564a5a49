"""Calls against signatures: which argument goes to which parameter, and what is wrong about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from graft_indexer.facts import Parameter, ParameterKind, Signature, Span
from graft_indexer.graph import CallSite, CallTarget, SymbolGraph
from graft_server.diagnosis.scopes import BUILTINS
from graft_server.diagnosis.source import Source


class Problem(StrEnum):
    """What may be wrong between a call and a signature."""

    TOO_MANY = "too-many"
    UNKNOWN_KEYWORD = "unknown-keyword"
    DUPLICATE = "duplicate"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One problem: the parameter or keyword it is about, and the argument nodes that show it (none for missing)."""

    problem: Problem
    name: str
    nodes: tuple[ast.expr | ast.keyword, ...] = ()


@dataclass(slots=True)
class Binding:
    """Which argument each parameter gets, and what does not fit."""

    given: dict[str, ast.expr] = field(default_factory=dict)
    mismatches: list[Mismatch] = field(default_factory=list)


_POSITIONAL = (ParameterKind.POSITIONAL_ONLY, ParameterKind.POSITIONAL_OR_KEYWORD)
_BY_NAME = (ParameterKind.POSITIONAL_OR_KEYWORD, ParameterKind.KEYWORD_ONLY)


def bind(signature: Signature, call: ast.Call) -> Binding:
    """Arguments to parameters as the interpreter would.

    `*args` and `**kwargs` at the call hide what they hold: with them nothing is missing, and after `*args` nothing is
    too many.
    """
    result = Binding()
    positional = [p for p in signature.parameters if p.kind in _POSITIONAL]
    by_name = {p.name: p for p in signature.parameters if p.kind in _BY_NAME}
    variadic = any(p.kind is ParameterKind.VAR_POSITIONAL for p in signature.parameters)
    open_keywords = any(p.kind is ParameterKind.VAR_KEYWORD for p in signature.parameters)
    starred = any(isinstance(a, ast.Starred) for a in call.args)
    plain = []
    for argument in call.args:
        if isinstance(argument, ast.Starred):
            break
        plain.append(argument)
    for parameter, argument in zip(positional, plain, strict=False):
        result.given[parameter.name] = argument
    extra = tuple(plain[len(positional) :])
    if extra and not variadic:
        result.mismatches.append(Mismatch(Problem.TOO_MANY, str(len(positional)), extra))
    for keyword in call.keywords:
        if keyword.arg is None:
            continue
        if keyword.arg in by_name and keyword.arg not in result.given:
            result.given[keyword.arg] = keyword.value
        elif keyword.arg in by_name:
            result.mismatches.append(Mismatch(Problem.DUPLICATE, keyword.arg, (keyword,)))
        elif not open_keywords:
            result.mismatches.append(Mismatch(Problem.UNKNOWN_KEYWORD, keyword.arg, (keyword,)))
    if not starred and all(k.arg is not None for k in call.keywords):
        for parameter in signature.parameters:
            if parameter.required and parameter.name not in result.given:
                result.mismatches.append(Mismatch(Problem.MISSING, parameter.name))
    return result


_TRANSPARENT = frozenset(
    {
        *("staticmethod", "classmethod", "property", "abstractmethod", "abc.abstractmethod"),
        *("override", "typing.override", "typing_extensions.override"),
        *("final", "typing.final", "typing_extensions.final"),
        *("dataclass", "dataclasses.dataclass", "total_ordering", "functools.total_ordering"),
        *("cache", "functools.cache", "lru_cache", "functools.lru_cache"),
        *("runtime_checkable", "typing.runtime_checkable", "unique", "enum.unique"),
        *("disjoint_base", "typing.disjoint_base", "typing_extensions.disjoint_base"),
    }
)


def transparent(decorators: Sequence[str]) -> bool:
    """Whether decorators leave a function's signature, or a class's constructor, as it is written."""
    return all(d.split("(", 1)[0].strip() in _TRANSPARENT for d in decorators)


_Found = tuple[CallSite, tuple[CallTarget, ...]] | None
_targets: ContextVar[dict[ast.Call, _Found] | None] = ContextVar("graft_call_targets", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """While the graph does not change, each call's target is asked for once, however many checks want it."""
    token = _targets.set({})
    try:
        yield
    finally:
        _targets.reset(token)


def provable_target(
    graph: SymbolGraph, path: str, source: Source, call: ast.Call
) -> tuple[CallSite, CallTarget] | None:
    """The one thing that a call calls, if the graph proves it and nothing changes its signature."""
    found = provable_targets(graph, path, source, call)
    return (found[0], found[1][0]) if found is not None and len(found[1]) == 1 else None


def provable_targets(graph: SymbolGraph, path: str, source: Source, call: ast.Call) -> _Found:
    """The things of which a call calls one, if the graph proves that these are all: more than one where conditions
    decide.  What is wrong with the call is proved if it is wrong for each."""
    memory = _targets.get()
    if memory is None:
        return _provable_targets(graph, path, source, call)
    if call not in memory:
        memory[call] = _provable_targets(graph, path, source, call)
    return memory[call]


def _provable_targets(graph: SymbolGraph, path: str, source: Source, call: ast.Call) -> _Found:
    if not isinstance(call.func, ast.Name | ast.Attribute):
        return None
    site = graph.call_at(path, source.span(call).end - 1)
    if site is None or site.callee.end > source.span(call).end or site.span.end != source.span(call).end:
        return None
    answer = graph.call_target(path, site)
    targets = tuple(answer.value)
    if not answer.closed or not targets:
        return None
    if len(targets) > 1 and any(t.symbol.path.endswith(".pyi") for t in targets):
        return None  # overloads: stubs make them narrower than what runs
    plain = all(transparent(t.symbol.decorators) and _plain(t.symbol.bases) for t in targets)
    return (site, targets) if plain else None


def _plain(bases: Sequence[str]) -> bool:
    """Whether no metaclass that may change calls stands among a class's bases."""
    metaclasses = [b.partition("=")[2].strip() for b in bases if b.replace(" ", "").startswith("metaclass=")]
    return all(m.rpartition(".")[2] in ("ABCMeta", "type") for m in metaclasses)


def keyword_span(source: Source, keyword: ast.keyword) -> Span:
    """The name of a keyword argument, without its value."""
    start = source.span(keyword).start
    return Span(start, start + len((keyword.arg or "").encode()))


def required_names(signature: Signature) -> list[str]:
    """Parameters that every call must supply."""
    return [p.name for p in signature.parameters if p.required]


def positional_parameters(signature: Signature) -> list[Parameter]:
    """Parameters that positional arguments fill, in order."""
    return [p for p in signature.parameters if p.kind in _POSITIONAL]


def calls(source: Source) -> Iterator[ast.Call]:
    """Every call of a file that may be of something a repository defines; builtins are called right."""
    for call in source.all(ast.Call):
        if not (isinstance(call.func, ast.Name) and call.func.id in BUILTINS):
            yield call
