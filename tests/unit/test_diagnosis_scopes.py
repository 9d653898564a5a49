"""Scopes against the interpreter's own symbol tables, and the cases where anything may be bound."""

import ast
import builtins
import importlib
import inspect
import symtable

import pytest

from graft_server.diagnosis.scopes import BUILTINS, MODULE_NAMES, unbound


def names(source: str) -> list[str]:
    return sorted({n.id for n in unbound(ast.parse(source))})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a, *b, c=d, **e): return a, b, c, e", ["d"]),
        ("class A:\n    x = 1\n    def f(self): return x", ["x"]),
        ("class A:\n    x = [1]\n    y = [z for z in x]\n    w = [x for _ in y]", ["x"]),
        ("[i for i in range(3)]\ni", ["i"]),
        ("[y := 1 for _ in ()]\ny", []),
        ("def f():\n    global g\n    g = 1\ng", []),
        ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x += 1", []),
        ("try:\n    pass\nexcept E as e:\n    e", ["E"]),
        ("match x:\n    case {'a': a, **r} | [a, *r]:\n        a, r\n    case B(c=c) as d:\n        c, d", ["B", "x"]),
        ("class A:\n    def f(self):\n        __class__\n    __module__, __qualname__", []),
        ("lambda a, b=c: a + b", ["c"]),
        ("@d\ndef f(x: A = B) -> C: ...", ["A", "B", "C", "d"]),
        ("import a.b.c, d.e as f\na, f, d", ["d"]),
        ("from m import *\nanything", []),
        ("exec(code)\nanything", []),
        ("globals().update(x)\nanything", []),
        ("globals()['a'] = 1\nanything", []),
        ("print(globals().get('a'))\nanything", ["anything"]),
        ("__file__, __name__, print, ExceptionGroup, WindowsError", []),
        ("del a", ["a"]),
        ("for x in y: pass\nwith a as (b, c): x, b, c", ["a", "y"]),
        ("x: int\nx", []),
    ],
)
def test_unbound(source: str, expected: list[str]) -> None:
    assert names(source) == expected


def oracle(source: str) -> set[str]:
    top = symtable.symtable(source, "m", "exec")
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    found: set[str] = set()
    stack = [top]
    while stack:
        table = stack.pop()
        stack += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_declared_global():
                bound.add(symbol.get_name())
            if symbol.is_global() and symbol.is_referenced():
                found.add(symbol.get_name())
            if table is top and symbol.is_referenced():
                found.add(symbol.get_name())
    return found - bound - set(dir(builtins)) - BUILTINS - MODULE_NAMES


@pytest.mark.parametrize(
    "module", ["argparse", "typing", "dataclasses", "logging", "asyncio.base_events", "zipfile", "tarfile", "pickle"]
)
def test_agrees_with_the_interpreter(module: str) -> None:
    source = inspect.getsource(importlib.import_module(module))
    # Deleting definitions makes names unbound in every kind of scope.
    tree = ast.parse(source)
    tree.body = [n for i, n in enumerate(tree.body) if i % 3]
    source = ast.unparse(tree)
    star = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in ast.walk(tree))
    expected = {n for n in oracle(source) if not (n.startswith("__") and n.endswith("__"))}
    # The interpreter's table takes `del name` for a binding; on a name that nothing binds it is an error all the same.
    deleted = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Del)}
    assert expected and not star
    assert {n for n in names(source) if not n.startswith("__")} - deleted == expected - deleted
