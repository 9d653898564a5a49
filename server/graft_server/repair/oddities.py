"""What a reader would stumble over in a changed function: code that cannot be what anybody meant.

Names that are bound and never read, collections that are asked and never filled, functions that give a value on some
ways out and nothing on others, code that is never reached, values compared with or assigned to themselves, conditions
that are constants, statements without an effect.  Linters report most of these; real fixes hardly ever bring one in,
random changes often do (`bench/repair_oddities.py` counts both).  A change that brings some in is tried later and
proposed only if nothing better passes; one that takes some out is preferred among those that pass.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

Function = ast.FunctionDef | ast.AsyncFunctionDef
GROWING = ("set", "list", "dict", "deque", "bytearray")
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def oddities(node: ast.AST) -> Counter[str]:
    """How often each oddity stands below a function or module."""
    found: Counter[str] = Counter()
    found.update(f"unused {name}" for name in _unused(node))
    found.update(f"never filled {name}" for name in _never_filled(node))
    for inner in ast.walk(node):
        found.update(_of_node(inner))
        for field in ("body", "orelse", "finalbody"):
            block = getattr(inner, field, None)
            if isinstance(block, list):
                found.update("unreachable" for a in block[:-1] if isinstance(a, ast.stmt) and not falls_through(a))
    return found


def _of_node(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if _inconsistent(node):
            yield "inconsistent return"
    elif isinstance(node, ast.Compare):
        sides = [ast.dump(side) for side in (node.left, *node.comparators)]
        if any(a == b for a, b in itertools.pairwise(sides)):
            yield "compared with itself"
    elif isinstance(node, ast.BoolOp):
        sides = [ast.dump(side) for side in node.values]
        if len(set(sides)) < len(sides):
            yield "same operand twice"
        if any(isinstance(side, ast.Constant) for side in node.values[:-1]):
            yield "constant condition"
    elif isinstance(node, (ast.If, ast.IfExp)):
        if isinstance(node.test, (ast.Constant, ast.Lambda, ast.List, ast.Dict, ast.Tuple)):
            yield "constant condition"
    elif isinstance(node, ast.Assign):
        if any(_same(target, node.value) for target in node.targets):
            yield "assigned to itself"
    elif isinstance(node, ast.Expr) and not isinstance(
        node.value, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.Constant)
    ):
        yield "no effect"


def _same(target: ast.expr, value: ast.expr) -> bool:
    return ast.unparse(target) == ast.unparse(value)


def _unused(node: ast.AST) -> set[str]:
    """Names that are bound below a node, parameters included, and read nowhere below it; `_` and its like are free."""
    bound: set[str] = set()
    read: set[str] = set()
    if isinstance(node, ast.Module):
        return set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            (read if isinstance(inner.ctx, ast.Load) else bound).add(inner.id)
        elif isinstance(inner, ast.arg):
            bound.add(inner.arg)
        elif isinstance(inner, (ast.Global, ast.Nonlocal)):
            read.update(inner.names)
    return {name for name in bound - read if not name.startswith("_") and name not in ("self", "cls")}


def _never_filled(node: ast.AST) -> set[str]:
    """Names bound once, to an empty collection, that are only searched, counted or iterated over."""
    if isinstance(node, ast.Module):
        return set()
    empty: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    loads: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign) and len(inner.targets) == 1 and isinstance(inner.targets[0], ast.Name):
            empty[inner.targets[0].id] += _is_empty(inner.value)
        elif isinstance(inner, ast.Compare):
            asked.update(
                side.id
                for op, side in zip(inner.ops, inner.comparators, strict=True)
                if isinstance(op, (ast.In, ast.NotIn)) and isinstance(side, ast.Name)
            )
        elif isinstance(inner, (ast.For, ast.AsyncFor, ast.comprehension)) and isinstance(inner.iter, ast.Name):
            asked[inner.iter.id] += 1
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "len":
            asked.update(argument.id for argument in inner.args if isinstance(argument, ast.Name))
        elif isinstance(inner, (ast.Global, ast.Nonlocal)):
            stored.update(dict.fromkeys(inner.names, 2))
        elif isinstance(inner, ast.arg):
            stored[inner.arg] += 2
        if isinstance(inner, ast.Name):
            (loads if isinstance(inner.ctx, ast.Load) else stored)[inner.id] += 1
    return {name for name, count in empty.items() if count == stored[name] == 1 and 0 < loads[name] == asked[name]}


def _is_empty(value: ast.expr) -> bool:
    """Whether this makes an empty collection that can grow."""
    if isinstance(value, ast.List):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    made = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in GROWING
    return made and isinstance(value, ast.Call) and not value.args and not value.keywords


def _inconsistent(function: Function) -> bool:
    """Whether some ways out give a value and others none."""
    valued = bare = False
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, SCOPES):
            continue
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(node, ast.Return):
            nothing = node.value is None
            bare |= nothing
            valued |= not nothing and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        todo.extend(ast.iter_child_nodes(node))
    return valued and (bare or all(falls_through(statement) for statement in function.body))


def falls_through(statement: ast.stmt) -> bool:
    """Whether what follows a statement may be reached, as far as its form tells."""
    if isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue)):
        return False
    if isinstance(statement, ast.If):
        return not statement.orelse or _all(statement.body) or _all(statement.orelse)
    if isinstance(statement, ast.While):
        endless = isinstance(statement.test, ast.Constant) and bool(statement.test.value)
        return not endless or _breaks(statement)
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return True  # a context manager may swallow the exception that ended its body
    if isinstance(statement, ast.Try):
        if statement.finalbody and not _all(statement.finalbody):
            return False
        ways = [[*statement.body, *statement.orelse], *(handler.body for handler in statement.handlers)]
        return any(_all(way) for way in ways)
    if isinstance(statement, ast.Match):
        return True
    return True


def _all(block: list[ast.stmt]) -> bool:
    return all(falls_through(statement) for statement in block)


def _breaks(loop: ast.While) -> bool:
    """Whether a `break` of this loop stands in it."""
    todo: list[ast.AST] = list(loop.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Break):
            return True
        if not isinstance(node, (*SCOPES, ast.For, ast.AsyncFor, ast.While)):
            todo.extend(ast.iter_child_nodes(node))
    return False


def around(tree: ast.Module, line: int) -> ast.AST:
    """The outermost function that holds a line (1-based), or the module."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node
        todo.extend(ast.iter_child_nodes(node))
    return tree


@lru_cache(maxsize=8)
def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def balance(before: str, after: str, line: int) -> tuple[int, int] | None:
    """How many oddities a change at a line (0-based) of `before` brings in and takes out; None if `after` does not
    parse."""
    old_tree, new_tree = _parsed(before), _parsed(after)
    if new_tree is None:
        return None
    if old_tree is None:
        return 0, 0
    trees = (old_tree, new_tree)
    places: list[ast.AST] = [around(tree, line + 1) for tree in trees]
    if any(isinstance(place, ast.Module) for place in places):
        places = list(trees)
    old, new = (oddities(place) for place in places)
    return (new - old).total(), (old - new).total()
