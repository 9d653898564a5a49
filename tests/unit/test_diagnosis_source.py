"""A parsed text can be written out again, and what stands in its formatted strings has true places."""

import ast

import pytest

from graft_server.diagnosis.source import children, parse


@pytest.mark.parametrize(
    "code",
    ["f'a{b}c'", "f'{a!r:>{width}}' 'tail'", "g(f'{x[0]}', f\"{y.z:{w}.{p}}\")[f'{k}-{v}'].name", "f''"],
)
def test_formatted_strings_can_be_written_out_again(code: str) -> None:
    source = parse(code)
    assert source is not None
    assert ast.unparse(source.tree) == ast.unparse(ast.parse(code))
    assert ast.dump(source.tree) == ast.dump(ast.parse(code))


def test_expressions_in_formatted_strings_have_true_places() -> None:
    source = parse("x = f'é {first} {second:{third}} {{no}}' + fourth\n")
    assert source is not None
    names = {n.id: source.segment(source.span(n)) for n in source.all(ast.Name)}
    assert names == {n: n for n in ("x", "first", "second", "third", "fourth")}
    assert all(n is source.tree or n in source.parents for n in source.all(ast.Name, ast.JoinedStr))


def test_a_tree_of_the_parser_alone_is_walked_too() -> None:
    (statement,) = ast.parse("f'{a}'").body
    assert isinstance(statement, ast.Expr)
    assert any(isinstance(n, ast.FormattedValue) for n in children(statement.value))
