"""The BugLab set: every rewrite parses and changes what its kind says; judged by `ast`, not by the code under test."""

import ast
import inspect
import json.decoder

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from tree_sitter import Node

from graft_indexer.facts import Span
from graft_indexer.rewrites import BUGLAB, RewriteKind, is_load, local_names, parse, rewrites
from graft_indexer.rewrites.tree import walk


def tree(source: str) -> Node:
    return parse(source).root_node


def labels(source: str, *kinds: RewriteKind) -> list[str]:
    return [r.label for r in rewrites(tree(source), kinds=kinds or BUGLAB)]


def test_operators() -> None:
    assert labels("a < b", RewriteKind.COMPARISON) == snapshot(["< -> <=", "< -> >", "< -> >=", "< -> !=", "< -> =="])
    assert labels("a  not  in b or c is not d", RewriteKind.COMPARISON) == ["not  in -> in", "is not -> is"]
    assert labels("a and b", RewriteKind.BOOLEAN) == ["and -> or"]
    assert labels("a + b", RewriteKind.ARITHMETIC) == snapshot(["+ -> -", "+ -> *", "+ -> /", "+ -> //", "+ -> %"])
    assert labels("'%s' % b", RewriteKind.ARITHMETIC) == []
    assert labels("a += 1", RewriteKind.ASSIGNMENT) == snapshot(
        ["+= -> -=", "+= -> *=", "+= -> /=", "+= -> //=", "+= -> %=", "+= -> ="]
    )
    assert labels("a = b", RewriteKind.ASSIGNMENT) == ["= -> +=", "= -> -="]
    assert labels("a: int = b", RewriteKind.ASSIGNMENT) == []
    assert labels("a = b = 1", RewriteKind.ASSIGNMENT) == []
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


def test_what_is_read() -> None:
    source = "def f(a: T = b, *c):\n    d, e = a.g, h(i=j)\n    for k in l: pass\n    del m\n    n += 1\n"
    read = [n.text.decode() for n in walk(tree(source)) if n.type == "identifier" and n.text and is_load(n)]
    assert read == snapshot(["b", "a", "h", "j", "l"])


def test_swapped_arguments() -> None:
    source = "\n\nf(a, k=1, *z, b)"
    (swap,) = rewrites(tree(source), kinds=[RewriteKind.ARGUMENT_SWAP])
    assert swap.apply(source.encode()) == b"\n\nf(b, k=1, *z, a)"


def test_within_limits_the_places() -> None:
    source = "a < b\nc < d\n"
    found = list(rewrites(tree(source), within=Span(6, 11), kinds=[RewriteKind.COMPARISON]))
    assert {r.span.start for r in found} == {8}


@pytest.mark.parametrize("kind", list(RewriteKind))
def test_every_rewrite_of_real_code_parses_and_changes_the_tree(kind: RewriteKind) -> None:
    source = inspect.getsource(json.decoder)
    data, before = source.encode(), ast.dump(ast.parse(source))
    found = list(rewrites(tree(source), kinds=[kind]))
    assert found
    for rewrite in found[:: max(1, len(found) // 60)]:
        assert ast.dump(ast.parse(rewrite.apply(data))) != before, rewrite


@given(st.text(alphabet="ab=<>+-()[]:,.1 \n\t'notif", max_size=60))
def test_any_text_is_survived(source: str) -> None:
    data = source.encode()
    for rewrite in rewrites(tree(source)):
        assert 0 <= rewrite.span.start <= rewrite.span.end <= len(data)
        assert rewrite.apply(data)
