"""Every rewrite parses and changes what its kind says; judged by `ast`, not by the code under test."""

import ast
import inspect
import json.decoder

import pytest
import tree_sitter_python
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from tree_sitter import Language, Node, Parser

from graft_indexer.facts import Span
from graft_indexer.rewrites import (
    BUGLAB,
    RewriteKind,
    guards,
    inserts,
    local_names,
    rewrites,
    statements,
    wrap_in_if,
)

PARSER = Parser(Language(tree_sitter_python.language()))


def tree(source: str) -> Node:
    return PARSER.parse(source.encode()).root_node


def labels(source: str, *kinds: RewriteKind) -> list[str]:
    return [r.label for r in rewrites(tree(source), kinds=kinds or BUGLAB)]


def test_operators() -> None:
    assert labels("a < b", RewriteKind.COMPARISON) == snapshot(["< -> <=", "< -> ==", "< -> !=", "< -> >=", "< -> >"])
    assert labels("a  not  in b or c is not d", RewriteKind.COMPARISON) == ["not  in -> in", "is not -> is"]
    assert labels("a and b", RewriteKind.BOOLEAN) == ["and -> or"]
    assert labels("a + b", RewriteKind.ARITHMETIC) == snapshot(["+ -> -", "+ -> *", "+ -> /", "+ -> //", "+ -> %"])
    assert labels("'%s' % b", RewriteKind.ARITHMETIC) == []
    assert labels("a += 1", RewriteKind.ASSIGNMENT) == snapshot(
        ["+= -> -=", "+= -> *=", "+= -> /=", "+= -> //=", "+= -> %=", "+= -> ="]
    )
    assert labels("a = b", RewriteKind.ASSIGNMENT) == ["= -> +=", "= -> -="]
    assert labels("a: int = b", RewriteKind.ASSIGNMENT) == []
    assert labels("f(-1, True)", RewriteKind.LITERAL) == snapshot(
        ["-1 -> -2", "-1 -> 0", "-1 -> 1", "-1 -> 2", "True -> False"]
    )


def test_variable_misuse_offers_the_names_of_the_function() -> None:
    source = "def f(a, *b, c=1, **d):\n    for e, (g, h) in b:\n        i = a\n    with x as j:\n        (k := i)\n"
    function = tree(source).named_children[0]
    assert local_names(function) == ("a", "b", "c", "d", "e", "g", "h", "i", "j", "k")
    found = [r.label for r in rewrites(tree(source), kinds=[RewriteKind.VARIABLE], max_names=2)]
    assert found == snapshot(["b -> a", "b -> c", "a -> b", "a -> c", "i -> a", "i -> b"])


def test_variable_misuse_leaves_other_names_alone() -> None:
    source = "def f(a, b):\n    import a.b as c\n    return g(b=1).a\n"
    assert labels(source, RewriteKind.VARIABLE) == []


def test_swapped_arguments() -> None:
    source = "f(a, k=1, *z, b)"
    (swap,) = rewrites(tree(source), kinds=[RewriteKind.ARGUMENT_SWAP])
    assert swap.apply(source.encode()) == b"f(b, k=1, *z, a)"


def test_kinds_of_repair() -> None:
    assert labels("if not a:\n    pass\n", RewriteKind.NEGATION) == ["without not"]
    assert labels("def f(n):\n    return n\n", RewriteKind.OFF_BY_ONE) == ["n -> n + 1", "n -> n - 1"]
    assert labels("x = a[n - 1]", RewriteKind.OFF_BY_ONE) == ["without - 1"]
    assert labels("max(a.append(b))", RewriteKind.TWIN) == ["max -> min", "append -> extend"]
    assert labels("def f():\n    'doc'\n    g()\n", RewriteKind.DELETION) == ["without g()"]


def test_within_limits_the_places() -> None:
    source = "a < b\nc < d\n"
    found = list(rewrites(tree(source), within=Span(6, 11), kinds=[RewriteKind.COMPARISON]))
    assert {r.span.start for r in found} == {8}


def test_guards_and_inserts_keep_indentation_and_line_endings() -> None:
    data = b"def f(a):\r\n\tfor x in a:\r\n\t\tx.go()\r\n"
    root = PARSER.parse(data).root_node
    texts = [g.apply(data) for g in guards(root, data)]
    assert b"def f(a):\r\n\tfor x in a:\r\n\t\tif x is None:\r\n\t\t\tcontinue\r\n\t\tx.go()\r\n" in texts
    for text in texts:
        ast.parse(text)
    after = [i.apply(data) for i in inserts(root, data, ["return 1"], after=True)]
    assert after[-1] == b"def f(a):\r\n\tfor x in a:\r\n\t\tx.go()\r\n\t\treturn 1\r\n"


def test_wrap_in_if() -> None:
    data = b"def f(a):\n    if a:\n        b()\n"
    statement = next(statements(PARSER.parse(data).root_node))
    wrapped = wrap_in_if(statement, data, "c")
    assert wrapped is not None
    assert wrapped.apply(data) == b"def f(a):\n    if c:\n        if a:\n            b()\n"


@pytest.mark.parametrize("kind", [k for k in RewriteKind if k not in (RewriteKind.GUARD, RewriteKind.INSERTION)])
def test_every_rewrite_of_real_code_parses_and_changes_the_tree(kind: RewriteKind) -> None:
    source = inspect.getsource(json.decoder)
    data, before = source.encode(), ast.dump(ast.parse(source))
    found = list(rewrites(PARSER.parse(data).root_node, kinds=[kind]))
    if kind is not RewriteKind.TWIN:
        assert found
    for rewrite in found[:: max(1, len(found) // 60)]:
        assert ast.dump(ast.parse(rewrite.apply(data))) != before, rewrite


@given(st.text(alphabet="ab=<>+-()[]:,.1 \n\t'notif", max_size=60))
def test_any_text_is_survived(source: str) -> None:
    data = source.encode()
    root = PARSER.parse(data).root_node
    for rewrite in rewrites(root, kinds=list(RewriteKind)):
        assert 0 <= rewrite.span.start <= rewrite.span.end <= len(data)
    for rewrite in [*guards(root, data), *inserts(root, data, ["pass"])]:
        assert rewrite.apply(data)
