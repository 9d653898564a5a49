"""Conditions whose outcome is known before anything runs: versions, platforms, TYPE_CHECKING."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the environment, for conditions: the version (major, minor) to assume."""

    version: tuple[int, int] = (3, 11)


_ASKING = frozenset({"version_info", "platform", "hexversion", "TYPE_CHECKING", "MYPY", "PY2", "PY3", "implementation"})


def is_guard(test: ast.expr) -> bool:
    """Whether a condition asks for a version, a platform or a type checker in a way that is not decided."""
    stack: list[ast.AST] = [test]
    while stack:
        node = stack.pop()
        kind = node.__class__
        if kind is ast.Name:
            if node.id in _ASKING:  # type: ignore[attr-defined]
                return True
        elif kind is ast.Attribute:
            if node.attr in _ASKING:  # type: ignore[attr-defined]
                return True
            stack.append(node.value)  # type: ignore[attr-defined]
        elif kind is not ast.Constant:
            stack.extend(ast.iter_child_nodes(node))
    return False


def truth(test: ast.expr, tests: Known) -> bool | None:
    """The value of a version test; None if it is not one (platforms are never decided)."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            known = truth(operand, tests)
            return None if known is None else not known
        case ast.BoolOp(op=op, values=values):
            parts = [truth(v, tests) for v in values]
            if isinstance(op, ast.And):
                return False if False in parts else (True if all(p is True for p in parts) else None)
            return True if True in parts else (False if all(p is False for p in parts) else None)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _version_test(left, op, right, tests)
        case ast.Name(id="PY2"):
            return False
    return None


def _version_test(left: ast.expr, op: ast.cmpop, right: ast.expr, tests: Known) -> bool | None:
    if _is_major(left):
        if isinstance(right, ast.Constant) and isinstance(right.value, int):
            return _compare((3,), op, (right.value,))
        return None
    if not _is_version_info(left):
        return None
    try:
        wanted = ast.literal_eval(right)
    except ValueError:
        return None
    if not isinstance(wanted, tuple) or not wanted or not all(isinstance(n, int) for n in wanted):
        return None
    if len(wanted) == 1 and wanted[0] == 3:
        return _compare((3, 1), op, (3, 0))
    # The micro version is unknown: compare as many parts as both have.
    if len(wanted) > 2:
        return _compare(tests.version, op, wanted[:2]) if wanted[:2] != tests.version else None
    return _compare((*tests.version, 1) if len(wanted) == 2 else tests.version[:1], op, wanted)


def _is_major(node: ast.expr) -> bool:
    match node:
        case ast.Subscript(value=value, slice=ast.Constant(value=0)):
            return _is_version_info(value)
        case ast.Attribute(value=value, attr="major"):
            return _is_version_info(value)
    return False


def _is_version_info(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "version_info"


def _compare(have: tuple[int, ...], op: ast.cmpop, wanted: tuple[int, ...]) -> bool | None:
    match op:
        case ast.GtE():
            return have >= wanted
        case ast.Gt():
            return have > wanted
        case ast.Lt():
            return have < wanted
        case ast.LtE():
            return have <= wanted
        case ast.Eq():
            return have[: len(wanted)] == wanted
    return None
