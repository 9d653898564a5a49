"""Statements that tree-sitter takes and Python does not."""

import ast
import sysconfig
from pathlib import Path

import pytest

from graft_indexer.facts import Span
from graft_indexer.syntax import parse
from graft_server.completion.grammar import refused


def check(source: str, expected: bool) -> None:
    """`source` has the new text between two `|`."""
    before, new, after = source.split("|")
    data = (before + new + after).encode()
    start = len(before.encode())
    assert refused(parse(data), data, Span(start, start + len(new.encode()))) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from a import |b,|\n", True),
        ("from a import |b, c|\n", False),
        ("from a import (|b,|)\n", False),
        ("x = f(|a=1, 2|)\n", True),
        ("x = f(|2, a=1|)\n", False),
        ("def f(|a=1, b|): pass\n", True),
        ("def f(|a, b=1|): pass\n", False),
        ("def f(|a, b=1|):\n    print 'the body is not asked'\n", False),
        ("|print x|\n", True),
        ("|print(x)|\n", False),
        ("if a:\n    |print x|\n", True),
        ("class A:\n    def f(self):\n        return |await x|\n", False),
        ("if a: pass\nelif |b|: pass\n", False),
        ("if a: pass\nelse|:| pass\n", False),
        ("try: pass\nexcept |A, e|: pass\n", True),
        ("try: pass\nexcept |A as e|: pass\n", False),
        ("try: pass\nfinally|:| pass\n", False),
        ("match x:\n    case |[1, *y]|: pass\n", False),
        ("with |a as b, c|: pass\n", False),
        ("for |x in y|: pass\n", False),
        ("@|functools.cache|\ndef f(): pass\n", False),
        ("x = 1; |y = 2|\nprint x\n", False),
        ("x = 1\n|print(x)\nprint x|\n", True),
    ],
)
def test_touched_statements_are_read_by_python(source: str, expected: bool) -> None:
    check(source, expected)


def test_no_statement_of_the_standard_library_is_refused() -> None:
    folder = Path(sysconfig.get_paths()["stdlib"])
    for name in ("ast.py", "typing.py", "asyncio/tasks.py", "dataclasses.py", "tarfile.py", "contextlib.py"):
        data = (folder / name).read_bytes()
        ast.parse(data)
        assert not refused(parse(data), data, Span(0, len(data))), name
