"""Scopes and bindings: who sees which name, and which positions belong to which scope."""

import ast
import builtins
import symtable
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from graft_indexer.bindings import How
from graft_indexer.branches import Known, truth
from graft_indexer.positions import path_to, scope_at
from graft_indexer.reparse import parse
from graft_indexer.scopes import is_generator, lookup, module_scope, visible
from graft_indexer.signatures import signature_of
from graft_testing.fixture import parse_fixture


def check(source: str, expected: str) -> None:
    """Names that the cursor sees, builtins left out, innermost scope first."""
    fixture = parse_fixture(source)
    scope = scope_at(module_scope(parse(fixture.text)), fixture.offset)
    shown = [n for n, _, _ in visible(scope) if not n.startswith("__")]
    assert " ".join(sorted(shown)) == expected


def bindings(source: str, name: str) -> list[How]:
    fixture = parse_fixture(source)
    scope = scope_at(module_scope(parse(fixture.text)), fixture.offset)
    found = lookup(scope, name)
    return [b.how for b in found[1]] if found else []


def test_functions_do_not_see_the_class_around_them() -> None:
    check("class C:\n    a = 1\n    def f(self, b):\n        $0", snapshot("C b self"))


def test_class_bodies_see_their_own_names() -> None:
    check("x = 1\nclass C:\n    a = 1\n    $0\n    b = 2\n", snapshot("C a b x"))


def test_defaults_and_decorators_are_evaluated_outside() -> None:
    check("class C:\n    a = 1\n    def f(self, b=$0a): pass\n", snapshot("C a f"))
    check("class C:\n    a = 1\n    @$0a\n    def f(self): pass\n", snapshot("C a f"))
    check("def f(p=$01): q = 1\n", snapshot("f"))


def test_first_iterable_of_a_comprehension_is_outside() -> None:
    check("class C:\n    a = [1]\n    b = [x for x in $0a]\n", snapshot("C a b"))
    check("class C:\n    a = [1]\n    b = [$0x for x in a]\n", snapshot("C x"))
    check("class C:\n    a = [1]\n    b = [x for x in a for y in $0a]\n", snapshot("C x y"))


def test_walrus_leaves_comprehensions() -> None:
    check("def f(xs):\n    ys = [y := x for x in xs]\n    $0\n", snapshot("f xs y ys"))


def test_global_and_nonlocal() -> None:
    check("def f():\n    global g\n    g = 1\n\n$0\n", snapshot("f g"))
    check("def f():\n    n = 1\n    def h():\n        nonlocal n\n        n = 2\n        $0\n", snapshot("f h n"))
    assert bindings("n = 0\ndef f():\n    global n\n    n = 1\n    $0\n", "n") == snapshot([How.ASSIGN, How.ASSIGN])


def test_patterns_bind() -> None:
    check(
        "def f(v):\n    match v:\n        case [a, *b]: pass\n        case {'k': c, **d}: pass\n"
        "        case P(x=e) as g: pass\n        case _: $0\n",
        snapshot("a b c d e f g v"),
    )


def test_with_for_except_and_import_bind() -> None:
    check(
        """
        import a.b, c as d
        from e import f as g, h
        with open("x") as i, j() as (k, [l, *m]): pass
        for n, o in []: pass
        try: pass
        except E as p: pass
        q: int
        r += 1
        del r
        $0
        """,
        snapshot("a d g h i j k l m n o p q r".replace(" j ", " ")),
    )


def test_lambdas_and_nested_functions() -> None:
    check("def f(a):\n    g = lambda b, *c, d=1, **e: $0b\n", snapshot("a b c d e f g"))


def test_blank_lines_belong_to_the_block_by_indentation() -> None:
    check("def f(a):\n    b = 1\n    $0\n\nc = 2\n", snapshot("a b c f"))
    check("def f(a):\n    b = 1\n$0\n\nc = 2\n", snapshot("c f"))


def test_f_strings_see_the_scope_around() -> None:
    check("def f(a):\n    return f'{a!r:>{$0a}} {{b}}'\n", snapshot("a f"))
    fixture = parse_fixture("x = f'''{1}\n  {$0name}'''\n")
    node = path_to(parse(fixture.text), fixture.offset)[-1]
    assert isinstance(node, ast.Name)
    assert node.id == "name"
    assert parse(fixture.text).start(node) == fixture.offset


def test_conditions_are_marked() -> None:
    tree = parse(
        "import sys\ntry:\n    import a\nexcept ImportError:\n    a = None\n"
        "if sys.version_info >= (3, 12):\n    b = 1\nelse:\n    b = 2\n"
    )
    scope = module_scope(tree, Known((3, 11)))
    assert [(b.guarded, b.dead) for b in scope.bindings["a"]] == snapshot([(True, False), (True, False)])
    assert [(b.guarded, b.dead) for b in scope.bindings["b"]] == snapshot([(True, True), (True, False)])


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("sys.version_info >= (3, 11)", True),
        ("sys.version_info < (3, 8)", False),
        ("sys.version_info[0] == 2", False),
        ("sys.version_info.major > 2", True),
        ("version_info.major == 2", None),
        ("not sys.version_info >= (3,)", False),
        ("sys.version_info > (3, 11)", True),
        ("sys.version_info >= (3, 11, 4)", None),
        ("sys.platform == 'win32'", None),
        ("sys.version_info >= (3, 9) and x", None),
        ("sys.version_info >= (3, 13) and x", False),
    ],
)
def test_version_tests(test: str, expected: bool | None) -> None:
    assert truth(ast.parse(test, mode="eval").body, Known((3, 11))) is expected


def test_module_writes_that_cannot_be_seen() -> None:
    for source in (
        "globals()['x'] = 1",
        "exec('x = 1')",
        "globals().update(a=1)",
        "def f():\n    globals()['x'] = 1",
        "vars()['x'] = 1",
    ):
        assert module_scope(parse(source)).dynamic, source
    for source in (
        "y = globals().get('x')",
        "def f():\n    locals()['x'] = 1",
        "print(globals()['x'])",
        "sorted(globals())",
    ):
        assert not module_scope(parse(source)).dynamic, source


def test_type_parameters_have_a_scope_around_their_definition() -> None:
    check(
        "class C[T: int](B[T]):\n    x = 1\n    def f[S, *Ts](self, s: S) -> T:\n        $0pass\n",
        snapshot("C S T Ts s self"),
    )
    check("def f[T](x: $0T) -> T: ...\n", snapshot("T f"))
    check("def f[T](x: T) -> T: ...\n$0\n", snapshot("f"))


def test_generators() -> None:
    def function(source: str) -> ast.FunctionDef:
        node = ast.parse(source).body[0]
        assert isinstance(node, ast.FunctionDef)
        return node

    assert is_generator(function("def f():\n    x = yield 1"))
    assert not is_generator(function("def f():\n    def g(): yield 1"))


NAMES = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0) -> str:
    """Random nested functions, classes and comprehensions that assign and read a few names."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["assign", "read", "def", "class", "comp", "for", "lambda"]))
        name, other = draw(NAMES), draw(NAMES)
        if kind in ("def", "class") and depth < 3:
            head = f"def f_{name}({other}):" if kind == "def" else f"class K_{name}:"
            lines.append(head)
            lines += ["    " + line for line in draw(blocks(depth + 1)).splitlines()]
        elif kind == "comp":
            lines.append(f"u = [{name} for {name} in {other}]")
        elif kind == "for":
            lines.append(f"for {name} in {other}: pass")
        elif kind == "lambda":
            lines.append(f"v = lambda {name}: {other}")
        elif kind == "read":
            lines.append(f"print({name})")
        else:
            lines.append(f"{name} = {other}")
    return "\n".join(lines)


@settings(max_examples=25, deadline=None)
@given(blocks())
def test_scopes_agree_with_the_compiler(source: str) -> None:
    """Every name that `symtable` calls local, global or free is found where it says."""
    tree = parse(source)
    module = module_scope(tree)
    table = symtable.symtable(source, "x.py", "exec")
    by_line = {(t.get_name(), t.get_lineno()): t for t in _tables(table)}
    for top in tree.body:
        for node in ast.walk(top):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                inner = by_line[node.name, node.lineno]
                scope = scope_at(module, tree.start(node.body[0]))
                if isinstance(node.body[0], ast.FunctionDef | ast.ClassDef | ast.Assign):
                    continue
                inlined = _inlined(node)
                for symbol in inner.get_symbols():
                    if symbol.get_name() in vars(builtins) or symbol.get_name() in ("__class__", *inlined):
                        continue
                    found = lookup(scope, symbol.get_name())
                    if symbol.is_local():
                        assert found is not None
                        assert found[0].node is node
                    elif symbol.is_free():
                        assert found is not None
                        assert found[0].is_function
                        assert found[0].node is not node
                    else:
                        assert found is None or found[0].is_module


def _inlined(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    """Names that the compiler's table takes for the function's own since it inlines comprehensions (PEP 709, 3.12)."""
    if sys.version_info < (3, 12):
        return set()
    loops = (loop for n in ast.walk(node) if isinstance(n, ast.ListComp) for loop in n.generators)
    return {n.id for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name)}


def _tables(table: symtable.SymbolTable) -> list[symtable.SymbolTable]:
    return [table, *(t for child in table.get_children() for t in _tables(child))]


@settings(max_examples=60, deadline=None)
@given(blocks(), blocks(), st.data())
def test_edits_parse_to_the_same_tree(first: str, second: str, data: st.DataObject) -> None:
    """Parsing after an edit with the tree before gives what parsing afresh gives, broken text included."""
    text = f"{first}\n{second}\n"
    tree = parse(text)
    for _ in range(3):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        inserted = data.draw(
            st.sampled_from(["", "x", "\n", "    ", "(", ")", "'", '"""', "def g():\n", "a.", "if a:\n", "#"])
        )
        text = text[:start] + inserted + text[end:]
        tree = parse(text, tree)
        try:
            expected = ast.parse(text)
        except SyntaxError:
            assert tree.broken or tree.unreadable or tree.filled
            continue
        if tree.broken or tree.filled:
            continue  # what was broken before is read again only where it was edited
        assert ast.dump(ast.Module(tree.body, []), include_attributes=True) == ast.dump(
            expected, include_attributes=True
        )


def test_what_a_scope_binds_is_found_when_somebody_asks() -> None:
    source = "class C:\n    a = 1\n    def f(self, b):\n        global g\n        c = b\n        g = 1\n"
    tree = parse(source)
    module = module_scope(tree)
    node = tree.body[0]
    assert isinstance(node, ast.ClassDef) and isinstance(node.body[1], ast.FunctionDef)
    method = module.child(node).child(node.body[1])
    assert method.name == "C.f" and method.is_function and method.enclosing_class is module.child(node)
    assert "bindings" not in vars(method) and "bindings" not in vars(module.child(node))
    assert sorted(method.bindings) == ["__class__", "b", "c", "global g", "self"] and method.globals == {"g"}
    assert method.dynamic == "" and method.stars == [] and method.nonlocals == set()
    assert sorted(module.child(node).bindings) == ["__module__", "__qualname__", "a", "f"]
    with pytest.raises(AttributeError):
        _ = method.nothing  # type: ignore[attr-defined]


def test_signatures_of_generators() -> None:
    def check(source: str, expected: bool) -> None:
        tree = parse(source)
        node = tree.body[-1]
        assert isinstance(node, ast.FunctionDef)
        assert signature_of(tree, node).is_generator is expected

    check("def f():\n    x = yield 1\n", True)
    check("def f():\n    yield from x\n", True)
    check("def f():\n    return 'yield'\n", False)
    check("def f():\n    def g(): yield 1\n", False)
    check("@yields\ndef f(): ...\n", False)
