"""Walking only the outer nodes finds what the query over the whole tree finds."""

# ruff: noqa: E501 - a fixture is one string

from __future__ import annotations

import random
from pathlib import Path

import pytest

from graft_indexer import explore, querywalk
from graft_indexer.extract import count_words
from graft_indexer.rows import DefinitionRow, ImportRow
from graft_indexer.syntax import languages, parse

PRUNED = sorted(name for name, info in languages().items() if info.nested)
SAMPLES = Path(__file__).with_name("samples")


def rows(source: str, language: str, *, whole: bool) -> tuple[list[DefinitionRow], list[ImportRow]]:
    """Definitions and imports of a text, by the query over the whole tree or by outer nodes."""
    data = source.encode()
    spec = querywalk._spec(language)
    plan = spec.plan._replace(nested=()) if whole else spec.plan
    found = explore.matches(plan, parse(data, language).root_node, data, count_words(data))
    imports = [c for n, c in found if spec.patterns[n][0] == "import"]
    return querywalk._definitions(spec, found, data), querywalk._imports(imports, data)


def check(source: str, language: str, *names: str) -> None:
    """Both ways agree, and at least these names are among what they find."""
    found = rows(source, language, whole=False)
    assert found == rows(source, language, whole=True)
    assert {*names} <= {row[0] for row in found[0]}


@pytest.mark.parametrize("language", PRUNED)
def test_samples(language: str) -> None:
    source = next(p for p in SAMPLES.iterdir() if p.stem == language).read_text("utf-8")
    check(source, language)
    assert rows(source, language, whole=False)[0]


@pytest.mark.parametrize("language", PRUNED)
def test_samples_with_pieces_out_of_place(language: str) -> None:
    """Broken and strangely nested code: lines of the sample wrapped, doubled and left out."""
    source = next(p for p in SAMPLES.iterdir() if p.stem == language).read_text("utf-8")
    choose = random.Random(language)
    lines = source.split("\n")
    lost = total = 0
    for _ in range(60):
        mixed = list(lines)
        for _ in range(choose.randrange(1, 4)):
            start = choose.randrange(len(mixed))
            piece = mixed[start : start + choose.randrange(1, 12)]
            at = choose.randrange(len(mixed))
            mixed[at:at] = choose.choice([piece, ["{", *piece, "}"], ["if (x) {", *piece, "}"]])
        whole = rows("\n".join(mixed), language, whole=True)
        found = rows("\n".join(mixed), language, whole=False)
        assert {r[:6] for r in found[0]} <= {r[:6] for r in whole[0]}
        total += len(whole[0])
        lost += len({r[:6] for r in whole[0]} - {r[:6] for r in found[0]})
    # C's grammar takes a function in a block of its own for a statement; it begins with none of the words.
    assert lost * 50 <= total


@pytest.mark.parametrize(
    ("language", "source", "names"),
    [
        ("go", "package p\nfunc f() {\n\tif x {\n\t\ttype T struct{ A int }\n\t}\n}\n", "f T A"),
        ("go", "package p\nfunc f() { type (\n\tT int\n) }\nfunc g() { switch x.(type) {} }\n", "f T g"),
        ("go", "package p\nvar f = func() { type T int }\n", "f T"),
        ("java", "class A {\n  void f() { new Thread() { public void run() {} }; }\n}\n", "A f run"),
        ("java", "class A {\n  Object o = new B() { int x; };\n  static { class C { void g() {} } }\n}\n", "A o x C g"),
        ("java", "enum E { A { void f() {} }; void g() { interface I {} } }\n", "E A f g I"),
        ("rust", "fn f() { fn g() { struct S { x: u8 } } impl S { fn m() {} } use a::b; }\n", "f g S x m"),
        ("rust", "fn f() { macro_rules! m { () => {} } const C: u8 = 1; }\n", "f m"),
        ("rust", "enum E { V { x: u8 } }\nextern \"C\" { fn c(); }\nmod m { trait T { fn t(); } }\n", "E V x c m T t"),
        ("cpp", "void f() { struct S { int x; void m() {} }; typedef int T; }\n", "f S x m T"),
        ("cpp", "#ifdef A\n#if B\nnamespace n { template <class T> class C { struct D { int y; } d; }; }\n#endif\n#endif\n",
         "n C D y"),
        ("cpp", "extern \"C\" {\nint f(void);\nstruct S { union { int u; }; };\n}\n", "f S u"),
        ("cpp", "void f() {\n#define M 1\n#define N(x) x\n}\n", "f N"),
        ("c", "static struct S { int x; } s;\ntypedef struct { int y; } T;\nenum { A, B };\n", "S x s y T A B"),
        ("typescript", "function f() { function g() {} class C { m() {} } interface I { x: number } }\n", "f g C m I x"),
        ("typescript", "describe('x', () => {\n  const a = 1;\n  const f = () => a;\n  let g = async function () {};\n});\n",
         "f g"),
        ("typescript", "const o = { f() { const g: (x: number) => void = (x) => x; } };\n", "o g"),
        ("typescript", "function f() {\n  const a = 1,\n    g = (x) => x;\n  var h = x => x, i = function () {};\n}\n",
         "f g i"),
        ("typescript", "class A { x = class { y() { enum E { B } } }; z = () => { type T = 1; }; }\n", "A x y E B z T"),
        ("typescript", "export namespace n { export const a = 1; namespace m { function f() {} } }\n", "n a m f"),
        ("typescript", "declare global { namespace N { interface I { x: number } } }\ndeclare module 'm' { const c: 1; }\n",
         "N I x"),
        ("typescript", "if (x) { class A { m() {} } }\nexport default class { n() { function p() {} } }\n", "A m n p"),
    ],
)  # fmt: skip
def test_nested_definitions(language: str, source: str, names: str) -> None:
    check(source, language, *names.split())


def test_a_body_without_such_words_is_not_visited() -> None:
    body = "x += f(1);\n" * 300
    data = f"class A {{ void f() {{ {body} }} void g() {{ class B {{}} {body} }} }}\n".encode()
    spec = querywalk._spec("java")
    root = parse(data, "java").root_node
    regions = explore._outer(spec.plan, root, [])
    places = explore._places(spec.plan, [0, 1, 2, 3, 4], data, 0, len(data))
    visited = list(explore._deeper(spec.plan, regions, places, data))
    assert [data[n.start_byte : n.start_byte + 12] for n in visited] == [b"{ class B {}"]


def test_many_names_of_one_import_cost_no_more_than_one_each() -> None:
    """A pattern that waits for what follows a list is in flight once for each member."""
    names = ", ".join(f"name{n} as other{n}" for n in range(3_000))
    source = f"import {{ {names} }} from 'm';\nexport {{ {names} }} from 'm';\n"
    found = rows(source, "typescript", whole=False)[1]
    assert [(r[0], r[1], r[2]) for r in found[:1]] == [("m", "name0", "other0")]
    assert len(found) == 6_000
    plan = querywalk._spec("typescript").plan
    data = source.encode()
    assert len(explore.matches(plan, parse(data, "typescript").root_node, data, {})) < 20


def test_local_prototypes_are_no_functions() -> None:
    found = rows("int f(int);\nvoid g() { Lock lock(mutex); }\n", "cpp", whole=False)[0]
    assert [r[0] for r in found] == ["f", "g"]
