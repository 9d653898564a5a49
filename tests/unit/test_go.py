"""Go: names, packages, members and what is proved."""

# ruff: noqa: E501 - a fixture is one string

from __future__ import annotations

from pathlib import Path

import pytest

from graft_indexer.facts import Span
from graft_indexer.golang import world
from graft_indexer.graph import Answer, Symbol
from graft_indexer.polyglot import PolyGraph
from graft_indexer.pygraph import open_graph
from graft_testing.fixture import Fixture, parse_fixture


@pytest.fixture(autouse=True)
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sources of Go's own library, wherever the tests run."""
    monkeypatch.setattr(world, "standard", lambda: "")


def opened(tmp_path: Path, source: str) -> tuple[PolyGraph, Fixture]:
    """A graph over a fixture, in a module of its own."""
    fixture = parse_fixture(source)
    graph = open_graph(fixture.write(tmp_path))
    (tmp_path / "go.mod").write_text("module example.com/m\n")
    assert isinstance(graph, PolyGraph)
    return graph, fixture


def shown(answer: Answer[object]) -> str:
    """`closed: a b`, or `open: a b`."""
    symbols: list[Symbol] = list(answer.value)  # type: ignore[call-overload]
    return f"{answer.certainty.value}: {' '.join(sorted(s.name for s in symbols))}".strip()


def findings(tmp_path: Path, source: str) -> list[str]:
    """Everything that is proved wrong, as `path code message`."""
    graph, _ = opened(tmp_path, source)
    return [f"{p} {f.code}: {f.message}" for p in graph.paths() for f in graph.findings(p)]


ONE = "//- /a.go\npackage m\n"


@pytest.mark.parametrize(
    "source",
    [
        ONE + "func f($1x int) int { return $0x }\n",
        ONE + "func f() { $1x := 1; { x := $0x; _ = x } }\n",
        ONE + "func f() { $1x, err := g(); y, err := g(); _ = $0x }\n",
        ONE + "func f() { a, $1err := g(); b, err := g(); _ = $0err }\n",
        ONE + "func f() { if $1v, ok := m[1]; ok { _ = $0v } }\n",
        ONE + "func f($1err error) { a, err := g(); _ = $0err }\n",
        ONE + "type $1T struct{}\nfunc f() { var t $0T }\n",
        ONE + "type T struct{ $1A int }\nfunc f(t *T) { t.$0A = 1 }\n",
        ONE + "type T struct{ $1A int }\nvar t = T{$0A: 1}\n",
        ONE + "type T struct{ $1A int }\nvar t = []*T{{$0A: 1}}\n",
        ONE + "type T struct{}\nfunc (t *T) $1M() {}\nfunc f() { new(T).$0M() }\n",
        ONE + "type E struct{ $1A int }\ntype T struct{ *E }\nfunc f(t T) { t.$0A }\n",
        ONE + "type I interface{ $1M() }\ntype J interface{ I }\nfunc f(j J) { j.$0M() }\n",
        ONE + "type T struct{ $1A int }\nfunc g() (T, error) {}\nfunc f() { t, _ := g(); t.$0A }\n",
        ONE + "type T struct{ $1A int }\nfunc f(m map[string][]T) { for _, ts := range m { for _, t := range ts { t.$0A } } }\n",
        ONE + "type T struct{ $1A int }\nfunc f(x any) { switch v := x.(type) { case *T: v.$0A = 1 } }\n",
        ONE + "type T struct{ $1A int }\nfunc f(c chan T) { (<-c).$0A }\n",
        ONE + "type F func() T\ntype T struct{ $1A int }\nfunc f(g F) { g().$0A }\n",
        ONE + "type S[P any] struct{ v P }\nfunc (s *S[$1P]) m(x $0P) {}\n",
        ONE + "const (\n\tA = iota\n\t$1B\n)\nvar x = $0B\n",
        ONE + "func $1g() {}\n//- /b.go\npackage m\nfunc f() { $0g() }\n",
        "//- /p/a.go\npackage p\nfunc $1Do() {}\n//- /b.go\npackage m\nimport \"example.com/m/p\"\nfunc f() { p.$0Do() }\n",
        "//- /go-p/a.go\npackage other\nfunc $1Do() {}\n//- /b.go\npackage m\nimport \"example.com/m/go-p\"\nfunc f() { other.$0Do() }\n",
        "//- /p/a.go\npackage p\ntype $1T struct{}\n//- /b.go\npackage m\nimport q \"example.com/m/p\"\nvar t *q.$0T\n",
        "//- /vendor/x.org/p/a.go\npackage p\nvar $1V = 1\n//- /b.go\npackage m\nimport \"x.org/p\"\nvar t = p.$0V\n",
    ],
)  # fmt: skip
def test_names_lead_to_their_definitions(tmp_path: Path, source: str) -> None:
    graph, fixture = opened(tmp_path, source)
    answer = graph.definition_at(*fixture.marks[0])
    assert fixture.marks[1] in [(s.path, s.name_span.start) for s in answer.value], answer


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (ONE + "type T struct{ A int }\nfunc (T) M() {}\nfunc f(t T) { t$0.A }\n", "closed: A M"),
        (ONE + "import \"x.org/gone\"\ntype T struct{ gone.E; A int }\nfunc f(t T) { t$0.A }\n", "open: A E"),
        (ONE + "func f[P any](t P) { t$0.A }\n", "open:"),
        ("//- /p/a.go\npackage p\nvar A, b = 1, 2\n//- /b.go\npackage m\nimport \"example.com/m/p\"\nvar x = p$0.A\n", "closed: A"),
        ("//- /p/a.go\npackage p\ntype T struct{ A, b int }\n//- /b.go\npackage m\nimport \"example.com/m/p\"\n"
         "func f(t p.T) { t$0.A }\n", "closed: A"),
    ],
)  # fmt: skip
def test_members_are_closed_only_where_that_is_provable(tmp_path: Path, source: str, expected: str) -> None:
    graph, fixture = opened(tmp_path, source)
    assert shown(graph.members_at(*fixture.marks[0])) == expected


def test_what_is_proved_wrong(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        """
        //- /p/a.go
        package p
        type T struct{ A int }
        func Do(a int, b ...string) {}
        //- /main.go
        package main
        import "example.com/m/p"
        func f(a, b int) (int, int) { return a, b }
        func main() {
            t := p.T{B: 1}
            t.C = 1
            p.Gone()
            p.Do()
            p.Do(1, "a", "b")
            f(1)
            f(f(1, 2))
            nothing()
        }
        """,
    )
    assert found == [
        "main.go missing-member: the literal's type has no field B",
        "main.go missing-member: t has no member C",
        "main.go missing-member: p has no member Gone",
        "main.go call-arguments: p.Do takes at least 1 argument, not 0",
        "main.go call-arguments: f takes 2 arguments, not 1",
        "main.go undefined-name: nothing is not declared",
    ]


@pytest.mark.parametrize(
    "source",
    [
        'import "fmt"\nfunc f() { fmt.Println(len("a"), nil, true, iota) }\n',
        "func f() { lbl: for { break lbl } }\n",
        "type T struct{}\nfunc (t T) M(a int) {}\nvar m = T.M\nfunc f() { T.M(T{}, 1); (*T).M(nil, 1) }\n",
        "func f(m func(a, b int) (x bool, err error)) { if x, err := m(1, 2); x { err.Error() } }\n",
        "type E interface{ error; Code() int }\nfunc f(e E) string { return e.Error() }\n",
        'var a = map[string]int{k: 1}\nconst k = "x"\n',
        "const w, h = 1, 2\nvar x = h\n",
        "type B struct{ x int }\ntype A B\nfunc f(a A) int { return a.x }\n",
        'import "C"\nfunc f() { C.puts(nothing) }\n',
        'import . "x.org/dots"\nfunc f() { Anything() }\n',
        # The second value of an unknown call is not the truth value that an index or an assertion has.
        'import "x.org/dots"\nfunc f() { a, b, _ := dots.Get(); b.Flush(); _, c := dots.Two(); c.Go(); a.Go() }\n',
    ],
)
def test_working_code_is_left_alone(tmp_path: Path, source: str) -> None:
    assert findings(tmp_path, ONE + source) == []


def test_what_is_declared_for_one_platform_each_is_left_open(tmp_path: Path) -> None:
    source = """
        //- /a_linux.go
        package m
        func f(a int) {}
        //- /a_windows.go
        package m
        func f(a, b int) {}
        //- /b.go
        package m
        func g() { f(1, 2) }
    """
    assert findings(tmp_path, source) == []


def test_names_of_a_package_s_tests_are_there_in_tests(tmp_path: Path) -> None:
    source = """
        //- /p/a.go
        package p
        type T struct{}
        //- /p/export_test.go
        package p
        var Inner = 1
        func (T) More() {}
        //- /p/a_test.go
        package p_test
        import "example.com/m/p"
        func f() { _ = p.Inner; p.T{}.More() }
    """
    assert findings(tmp_path, source) == []


def test_importers_are_files_that_import_the_folder(tmp_path: Path) -> None:
    graph, _ = opened(
        tmp_path,
        """
        //- /p/a.go
        package p
        //- /b.go
        package m
        import "example.com/m/p"
        //- /c.go
        package m
        import "other.org/p"
        """,
    )
    assert graph.importers("p/a.go") == ("b.go",)


BROKEN = """//- /p/p.go
package p
func Total(a int) int { return a }
//- /main.go
package m
import "example.com/m/p"
type Own struct { One int }
func (o Own) Two(a, b int) {}
HALF
func g(own Own) {
\tSAID
}
func h() {}
"""
"""A file in which somebody types: HALF does not parse."""


@pytest.mark.parametrize("half", ["func half(x int) { x. }", "func half(x int) {\n\tif (x.\n}"])
@pytest.mark.parametrize(
    ("suggested", "expected"),
    [
        ("p.Totl(1)", "p has no member Totl"),
        ("p.Total(1, 2)", "p.Total takes 1 argument, not 2"),
        ("own.Oen = 1", "own has no member Oen"),
        ("own.Two(1)", "own.Two takes 2 arguments, not 1"),
        ("own.Two(p.Total(1), own.One)", ""),
        ("p.Totl(", ""),
        ("half(1, 2, 3)", ""),
    ],
)
def test_suggestions_are_judged_beside_errors(tmp_path: Path, half: str, suggested: str, expected: str) -> None:
    graph, _ = opened(tmp_path, BROKEN.replace("HALF", half).replace("SAID", suggested))
    text = graph.text("main.go") or ""
    assert graph.errors("main.go")
    start = text.index(suggested)
    found = graph.findings("main.go", Span(start, start + len(suggested)))
    assert [f.message for f in found] == ([expected] if expected else [])
    assert graph.findings("main.go") == []


def test_a_method_that_the_broken_part_may_declare_is_not_missing(tmp_path: Path) -> None:
    source = (
        "//- /a.go\npackage m\ntype Own struct{}\n//- /b.go\npackage m\nfunc (o Own) Two( {\n}\n//- /c.go\npackage m\n"
    )
    source += "func half() { x. }\nfunc g(own Own) { own.Two() }\n"
    graph, _ = opened(tmp_path, source)
    text = graph.text("c.go") or ""
    start = text.index("own.Two")
    assert graph.findings("c.go", Span(start, start + 9)) == []
