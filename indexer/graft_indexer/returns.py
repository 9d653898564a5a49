"""What calling a function gives: its annotation, else what its return statements give; overloads by arguments."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from graft_indexer import protocols
from graft_indexer.bindings import Function
from graft_indexer.bodies import always_leaves, own_statements
from graft_indexer.decorators import (
    CONTEXT_MANAGERS,
    decorator_names,
)
from graft_indexer.memo import CircularError
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope, is_generator, scope_of
from graft_indexer.values import (
    ClassValue,
    FunctionValue,
    Instance,
    NoneValue,
    Result,
    is_closed,
    union,
    unknown,
)

MANY_RETURNS = 12
"""Of a function with more return statements nothing is said."""

if TYPE_CHECKING:
    from graft_indexer.receivers import Inference


def returned(
    inference: Inference, value: FunctionValue, node: ast.Call | None, where: tuple[PyFile, Scope] | None
) -> Result:
    """What calling a function gives: its annotation, else what its return statements give."""
    if value.overloads:
        return _overloaded(inference, value, node, where)
    found = _returned(inference, value, value.node, node, where)
    decorators = [decorator_names(inference, value.file, value.outer, d) for d in value.node.decorator_list]
    if any(names & CONTEXT_MANAGERS for names in decorators):
        return _manager(inference, found, any("contextlib.asynccontextmanager" in n for n in decorators))
    return found


def _manager(inference: Inference, found: Result, is_async: bool) -> Result:
    name = "_AsyncGeneratorContextManager" if is_async else "_GeneratorContextManager"
    item = protocols.iterated(inference, found, is_async=is_async)
    none = Result((NoneValue(),))
    return inference.known("contextlib", name, item, none, none)


def _overloaded(
    inference: Inference, value: FunctionValue, node: ast.Call | None, where: tuple[PyFile, Scope] | None
) -> Result:
    from graft_indexer.signatures import accepts

    candidates = [n for n in value.overloads if node is None or accepts(n, node, value.bound)]
    if not candidates:
        return unknown("no overload fits")
    if node is not None and where is not None:
        certain: list[Function] = []
        for candidate in candidates:
            verdict = _literals_fit(inference, value, candidate, node)
            if verdict is not False:
                certain.append(candidate)
                if verdict is True:
                    break
        candidates = certain or candidates
    results = [_returned(inference, value, n, node, where) for n in candidates]
    first = results[0]
    if all(r == first for r in results):
        return first
    values = [v for r in results for v in r.values if isinstance(v, Instance)]
    same = len({(v.cls, v.args) for v in values}) == 1 and len(values) == sum(len(r.values) for r in results)
    if same and all(r.closed for r in results):
        # `str` of one overload and a literal's `str` of another: whichever is meant, it is one.
        return Result((min(values, key=lambda v: v.exact),))
    # Which one is meant is not known; that it is one of these is.
    return union(results)


def _literals_fit(inference: Inference, value: FunctionValue, node: Function, call: ast.Call) -> bool | None:
    """Whether constant arguments fit `Literal` annotations: False excludes an overload, True decides for it."""
    from graft_indexer.signatures import assigned

    decided: bool | None = None
    for parameter, argument in assigned(node, call, value.bound):
        if parameter.annotation is None:
            continue
        allowed = inference.annotations.literals(value.file, value.outer, parameter.annotation)
        if allowed is None:
            continue
        if argument is None:
            decided = True  # left out, and its default is one of the literals
        elif isinstance(argument, ast.Constant):
            if argument.value not in allowed:
                return False
            decided = True
        else:
            return None
    return decided


def _returned(
    inference: Inference,
    value: FunctionValue,
    node: Function,
    call: ast.Call | None,
    where: tuple[PyFile, Scope] | None,
) -> Result:
    receiver = value.receiver
    substitution: dict[str, Result] = {}
    self_value: Result | None = None
    if receiver is not None and value.owner is not None:
        substitution.update(inference.annotations.substitution(receiver, value.owner))
        self_value = (
            inference.instances_of(Result((receiver,))) if isinstance(receiver, ClassValue) else Result((receiver,))
        )
    if node.returns is not None:
        if call is not None and where is not None:
            inference.annotations.bind_arguments(value, node, call, where, substitution)
        result = inference.annotations.evaluate(value.file, value.outer, node.returns, substitution, self_value)
        return (
            _coroutine(inference, result)
            if isinstance(node, ast.AsyncFunctionDef) and not is_generator(node)
            else result
        )
    if value.file.is_stub:
        return unknown("the stub says nothing")
    if is_generator(node):
        return unknown("a generator without annotation")
    result = _from_body(inference, value, node)
    if value.owner is not None and not (isinstance(receiver, Instance) and receiver.exact):
        result = Result(result.values, result.reason or "it may be overridden")
    return _coroutine(inference, result) if isinstance(node, ast.AsyncFunctionDef) else result


def _coroutine(inference: Inference, result: Result) -> Result:
    none = Result((NoneValue(),))
    return inference.known("typing", "Coroutine", none, none, result)


def _from_body(inference: Inference, value: FunctionValue, node: Function) -> Result:
    scope = scope_of(value.outer, node)

    def make() -> tuple[Function, Scope, Result]:
        value.file.note_scope(scope)
        return node, scope, _all_returned(inference, value, node, scope)

    try:
        return inference.world.memo.remember(("returns", id(node), id(scope)), make, is_closed)[2]
    except CircularError:
        return unknown("it depends on itself")


def _all_returned(inference: Inference, value: FunctionValue, node: Function, scope: Scope) -> Result:
    results: list[Result] = []
    for statement in own_statements(node.body):
        if isinstance(statement, ast.Return):
            if statement.value is None:
                results.append(Result((NoneValue(),)))
            else:
                results.append(inference.infer(value.file, scope, statement.value))
        if len(results) > MANY_RETURNS:
            return unknown("many return statements")
    if not results:
        last = node.body[-1]
        return unknown("it raises") if isinstance(last, ast.Raise) else Result((NoneValue(),))
    if not always_leaves(node.body):
        results.append(Result((NoneValue(),)))
    return union(results)
