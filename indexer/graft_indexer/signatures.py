"""Signatures: of functions, classes, dataclasses and named tuples, and how a call's arguments meet them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from graft_indexer.bindings import Function
from graft_indexer.facts import Parameter, ParameterKind, Signature
from graft_indexer.pytree import Tree
from graft_indexer.scopes import is_generator


def signature_of(tree: Tree, node: Function | ast.Lambda, *, skip_first: bool = False) -> Signature:
    """The signature as written; `skip_first` leaves out the parameter that is already bound."""
    known: Signature | None = getattr(node, "_graft_signature", None)
    if known is None:
        known = _signature(tree, node)
        node._graft_signature = known  # type: ignore[union-attr]
    first = known.parameters[0].kind if skip_first and known.parameters else None
    if first in (ParameterKind.POSITIONAL_ONLY, ParameterKind.POSITIONAL_OR_KEYWORD):
        return replace(known, parameters=known.parameters[1:])
    return known


def _signature(tree: Tree, node: Function | ast.Lambda) -> Signature:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    offset = len(positional) - len(arguments.defaults)
    parameters: list[Parameter] = []
    for index, arg in enumerate(positional):
        if index < len(arguments.posonlyargs) or _is_dunder(arg.arg):
            kind = ParameterKind.POSITIONAL_ONLY
        else:
            kind = ParameterKind.POSITIONAL_OR_KEYWORD
        default = arguments.defaults[index - offset] if index >= offset else None
        parameters.append(_parameter(tree, arg, kind, default))
    if arguments.vararg is not None:
        parameters.append(_parameter(tree, arguments.vararg, ParameterKind.VAR_POSITIONAL, None))
    for arg, maybe in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(_parameter(tree, arg, ParameterKind.KEYWORD_ONLY, maybe))
    if arguments.kwarg is not None:
        parameters.append(_parameter(tree, arguments.kwarg, ParameterKind.VAR_KEYWORD, None))
    if isinstance(node, ast.Lambda):
        return Signature(tuple(parameters))
    returns = tree.source(node.returns) if node.returns is not None else None
    # Most bodies do not say the word and need not be walked.
    yields = tree.data.find(b"yield", tree.start(node), tree.end(node)) >= 0 and is_generator(node)
    return Signature(tuple(parameters), returns, isinstance(node, ast.AsyncFunctionDef), yields)


def _is_dunder(name: str) -> bool:
    """Parameters called `__x` are positional-only by the convention of old stubs; in sources they are mangled names."""
    return False


def _parameter(tree: Tree, arg: ast.arg, kind: ParameterKind, default: ast.expr | None) -> Parameter:
    return Parameter(
        arg.arg,
        kind,
        tree.source(arg.annotation) if arg.annotation is not None else None,
        tree.source(default) if default is not None else None,
    )


def assigned(node: Function, call: ast.Call, bound: bool) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Parameters with the arguments that a call gives them (None: left out), as far as no `*` or `**` hides it."""
    positional = [*node.args.posonlyargs, *node.args.args][1 if bound else 0 :]
    given: dict[str, ast.expr] = {}
    starred = False
    for index, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            starred = True
            break
        if index < len(positional):
            given[positional[index].arg] = argument
        elif node.args.vararg is not None:
            yield node.args.vararg, argument
    for keyword in call.keywords:
        if keyword.arg is None:
            starred = True
        else:
            given[keyword.arg] = keyword.value
    for arg in (*positional, *node.args.kwonlyargs):
        if arg.arg in given:
            yield arg, given[arg.arg]
        elif not starred:
            yield arg, None


def accepts(node: Function, call: ast.Call, bound: bool) -> bool:
    """Whether a call's number and names of arguments fit a function."""
    positional = [*node.args.posonlyargs, *node.args.args][1 if bound else 0 :]
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return True
    if len(call.args) > len(positional) and node.args.vararg is None:
        return False
    names = {k.arg for k in call.keywords}
    by_position = {a.arg for a in positional[: len(call.args)]}
    by_name = {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
    if not names <= by_name and node.args.kwarg is None:
        return False
    required = positional[: len(positional) - len(node.args.defaults)]
    if any(a.arg not in by_position and a.arg not in names for a in required):
        return False
    return all(
        default is not None or arg.arg in names
        for arg, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    )
