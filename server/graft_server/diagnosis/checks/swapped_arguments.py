"""`swapped-arguments`: two variables passed to each other's parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_indexer.facts import Span
from graft_server.diagnosis.calls import calls, positional_parameters, provable_target
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.subject import Subject

CODE = "swapped-arguments"
SEVERITY = Severity.WARNING
_REVERSING = (
    "reverse",
    "swap",
    "flip",
    "invert",
    "opposite",
    "back",
    "transpose",
    "mirror",
    "rsub",
    "rdiv",
    "exchange",
)


def check(subject: Subject) -> Iterator[Diagnostic]:
    """`f(height, width)` for `def f(width, height)`: both names cross, and nothing nearby says that it is meant.

    Recursive calls and comparisons with both orders are left alone: algorithms swap on purpose.
    """
    graph, path, source = subject.graph, subject.path, subject.source
    for call in subject.calls():
        names = [_name(a) for a in call.args]
        if sum(n is not None for n in names) < 2 or any(isinstance(a, ast.Starred) for a in call.args):
            continue
        found = provable_target(graph, path, source, call)
        if found is None:
            continue
        _, target = found
        parameters = [p.name for p in positional_parameters(target.signature)][: len(names)]
        crossed = [
            (i, j)
            for i, p in enumerate(parameters)
            for j in range(i + 1, len(parameters))
            if names[i] == parameters[j] and names[j] == p and names[i] != names[j]
        ]
        if len(crossed) != 1:
            continue
        function = source.function_of(call)
        around = getattr(function, "name", "") + " " + target.symbol.name
        recursive = getattr(function, "name", "") == target.symbol.name and not target.symbol.name.startswith("__")
        if recursive or any(word in around.lower() for word in _REVERSING):
            continue
        if any(_both_orders(other, call, names) for other in calls(source)):
            subject.whole_file = True
            continue
        i, j = crossed[0]
        yield Diagnostic(
            path,
            Span(source.span(call.args[i]).start, source.span(call.args[j]).end),
            CODE,
            SEVERITY,
            f"`{names[i]}` and `{names[j]}` look swapped: "
            f"`{target.symbol.name}` takes `{parameters[i]}` before `{parameters[j]}`",
            names=(str(names[i]), str(names[j])),
            related=((target.symbol.path, target.symbol.name_span, f"`{target.symbol.name}` is defined here"),),
        )


def _name(argument: ast.expr) -> str | None:
    if isinstance(argument, ast.Name):
        return argument.id
    # `self.width` fits the parameter `width`.
    if isinstance(argument, ast.Attribute) and isinstance(argument.value, ast.Name) and argument.value.id == "self":
        return argument.attr
    return None


def _both_orders(other: ast.Call, call: ast.Call, names: list[str | None]) -> bool:
    if other is call or ast.dump(other.func) != ast.dump(call.func):
        return False
    theirs = [_name(a) for a in other.args]
    return theirs != names and sorted(map(str, theirs)) == sorted(map(str, names))
