"""`unreachable-code`: statements after one that always leaves."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from graft_indexer.facts import Span
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.subject import Subject

CODE = "unreachable-code"
SEVERITY = Severity.WARNING


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Code after `return`, `raise`, `break`, `continue`, or an `if`/`else`, `try` or loop that never ends normally."""
    path, source = subject.path, subject.source
    for kind, fields in _BLOCKS.items():
        for node in subject.nodes(kind):
            for field in fields:
                statements: Sequence[ast.stmt] = getattr(node, field, ())
                for index, statement in enumerate(statements[:-1]):
                    if not leaves(statement):
                        continue
                    dead = statements[index + 1 :]
                    if not _meant(statement, dead):
                        span = Span(source.span(dead[0]).start, source.span(dead[-1]).end)
                        yield Diagnostic(
                            path, span, CODE, SEVERITY, _message(statement), names=(type(statement).__name__,)
                        )
                    break


_BLOCKS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.FunctionDef: ("body",),
    ast.AsyncFunctionDef: ("body",),
    ast.If: ("body", "orelse"),
    ast.For: ("body", "orelse"),
    ast.AsyncFor: ("body", "orelse"),
    ast.While: ("body", "orelse"),
    ast.With: ("body",),
    ast.AsyncWith: ("body",),
    ast.Try: ("body", "orelse", "finalbody"),
    ast.ExceptHandler: ("body",),
    ast.match_case: ("body",),
    ast.Module: ("body",),
}


def leaves(statement: ast.stmt) -> bool:
    """Whether control never goes on after a statement."""
    match statement:
        case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
            return True
        case ast.If(body=body, orelse=orelse):
            return bool(orelse) and _block_leaves(body) and _block_leaves(orelse)
        case ast.While(test=ast.Constant(value=value), orelse=[]) if value:
            return not _has_break(statement)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            if final and _block_leaves(final):
                return True
            ends = _block_leaves(body) or (bool(orelse) and _block_leaves(orelse))
            return ends and all(_block_leaves(h.body) for h in handlers)
    # A `with` may swallow the exception that its body raises, so its end may be reached.
    return False


def _block_leaves(body: Sequence[ast.stmt]) -> bool:
    return any(leaves(s) for s in body)


def _has_break(loop: ast.While) -> bool:
    stack: list[ast.AST] = list(loop.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Break):
            return True
        if not isinstance(
            node, ast.While | ast.For | ast.AsyncFor | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            stack.extend(ast.iter_child_nodes(node))
        elif isinstance(node, ast.While | ast.For | ast.AsyncFor):
            stack.extend(node.orelse)
    return False


def _meant(last: ast.stmt, dead: Sequence[ast.stmt]) -> bool:
    """`return` before a `yield` makes a generator; type checkers like a `raise` or `assert_never` at the end; and a
    test that is switched off by an early return is known to be off."""
    if any(isinstance(n, ast.Yield | ast.YieldFrom) for s in dead for n in ast.walk(s)):
        return True
    first = dead[0]
    if isinstance(first, ast.Assert | ast.Pass | ast.Raise | ast.Break | ast.Continue | ast.Return):
        return True
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return True
    name = getattr(getattr(first, "value", None), "func", None)
    return isinstance(name, ast.Name) and name.id == "assert_never"


def _message(last: ast.stmt) -> str:
    word = {ast.Return: "return", ast.Raise: "raise", ast.Break: "break", ast.Continue: "continue"}.get(type(last))
    if word:
        return f"never runs: the `{word}` above always leaves"
    if isinstance(last, ast.While):
        return "never runs: the loop above has no `break`"
    return "never runs: every branch above leaves"
