"""Calls: where their parentheses are, what they call, and with which parameters."""

from graft_indexer.facts import ParameterKind
from graft_testing.graphs import graph_of


def check(source: str, expected: str | None) -> None:
    """Parameters of the one closed target at `$0` (None: open, or not one)."""
    with graph_of(source) as fixed:
        site = fixed.graph.call_at(*fixed.here)
        assert site is not None
        answer = fixed.graph.call_target(fixed.fixture.path, site)
        if not answer.closed or len(answer.value) != 1:
            assert expected is None, answer
            return
        parts = []
        for parameter in answer.value[0].signature.parameters:
            star = {ParameterKind.VAR_POSITIONAL: "*", ParameterKind.VAR_KEYWORD: "**"}.get(parameter.kind, "")
            mark = "!" if parameter.required else ""
            parts.append(star + parameter.name + mark + ("/kw" if parameter.kind is ParameterKind.KEYWORD_ONLY else ""))
        assert " ".join(parts) == expected


def test_functions_and_methods() -> None:
    check("def f(a, b=1, *c, d, **e): ...\nf($0)\n", "a! b *c d!/kw **e")
    check("class A:\n    def f(self, x): ...\nA().f($0)\n", "x!")
    check("class A:\n    def f(self, x): ...\nA.f($0)\n", "self! x!")
    check("class A:\n    @staticmethod\n    def f(x): ...\nA().f($0)\n", "x!")
    check("class A:\n    @classmethod\n    def f(cls, x): ...\nA.f($0)\n", "x!")


def test_functions_put_into_a_class_are_methods() -> None:
    check("def f(a, b): ...\nclass A:\n    g = f\nA().g($0)\n", "b!")
    check("//- /m.py\ndef f(a, b): ...\n//- /main.py\nclass A:\n    from m import f\nA().f($0)\n", "b!")


def test_a_call_while_it_is_typed() -> None:
    check("def f(a, b): ...\ndef g():\n    f(1, $0\n    return 2\n", "a! b!")
    check("def f(a, b): ...\ndef g():\n    x = [f(1, $0)]\n", "a! b!")


def test_constructors() -> None:
    check("class A:\n    def __init__(self, x, *, y=1): ...\nA($0)\n", "x! y/kw")
    check("class A:\n    def __init__(self, x): ...\nclass B(A): ...\nB($0)\n", "x!")
    check("class A: ...\nA($0)\n", "")
    check("from nowhere import X\nclass A(X): ...\nA($0)\n", None)
    check("from nowhere import X\nclass A(X):\n    def __init__(self, a): ...\nA($0)\n", "a!")
    check(
        "class M(type):\n    def __call__(c, *a): ...\nclass A(metaclass=M):\n    def __init__(self, a): ...\nA($0)\n",
        None,
    )


def test_dataclasses_make_init() -> None:
    head = "from dataclasses import dataclass, field, KW_ONLY\nfrom typing import ClassVar\n"
    check(head + "@dataclass\nclass A:\n    x: int\n    y: int = 1\n    z: ClassVar[int] = 2\nA($0)\n", "x! y")
    check(
        head
        + "@dataclass\nclass A:\n    x: int\n@dataclass\nclass B(A):\n    y: d = field(default_factory=dict)\nB($0)\n",
        "x! y",
    )
    check(head + "@dataclass\nclass A:\n    x: int\n    _: KW_ONLY\n    y: int\nA($0)\n", "x! y!/kw")
    check(head + "@dataclass(init=False)\nclass A:\n    x: int\nA($0)\n", "")
    check(head + "@dataclass(kw_only=True)\nclass A:\n    x: int\n    n: int = field(init=False)\nA($0)\n", "x!/kw")
    check("from typing import NamedTuple\nclass A(NamedTuple):\n    x: int\n    y: str = ''\nA($0)\n", "x! y")


def test_decorators() -> None:
    check("import functools\n@functools.lru_cache(maxsize=None)\ndef f(a): ...\nf($0)\n", "a!")
    check("from contextlib import contextmanager as cm\n@cm\ndef f(a): yield\nf($0)\n", "a!")
    check("def d(g): return g\n@d\ndef f(a): ...\nf($0)\n", None)
    check("import functools\nf = functools.partial(print, 1)\nf($0)\n", "*args **kwargs")


def test_overridden_methods_and_branches_are_open() -> None:
    check(
        "class A:\n    def f(self, x): ...\nclass B(A):\n    def f(self, x, y=1): ...\ndef g(a: A):\n    a.f($0)\n",
        None,
    )
    check("if x:\n    def f(a): ...\nelse:\n    def f(a, b): ...\nf($0)\n", None)
    check("import sys\ndef f(a): ...\nif sys.version_info >= (3, 12):\n    f($0)\n", None)


def test_callable_instances() -> None:
    check("class A:\n    def __call__(self, x): ...\nA()($0)\n", "x!")
