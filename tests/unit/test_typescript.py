"""TypeScript and JavaScript: names, imports, members and what is proved."""

# ruff: noqa: E501 - a fixture is one string

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graft_indexer.facts import Span
from graft_indexer.graph import Answer, Symbol
from graft_indexer.polyglot import PolyGraph
from graft_indexer.pygraph import open_graph
from graft_server.diagnosis.run import diagnose
from graft_testing.fixture import Fixture, parse_fixture


def opened(tmp_path: Path, source: str) -> tuple[PolyGraph, Fixture]:
    """A graph over a fixture."""
    fixture = parse_fixture(source)
    graph = open_graph(fixture.write(tmp_path))
    assert isinstance(graph, PolyGraph)
    return graph, fixture


def shown(answer: Answer[object]) -> str:
    """`closed: a b`, or `open: a b`."""
    symbols: list[Symbol] = list(answer.value)  # type: ignore[call-overload]
    return f"{answer.certainty.value}: {' '.join(sorted(s.name for s in symbols))}".strip()


def leads(tmp_path: Path, source: str) -> None:
    """The name at `$0` is defined at `$1`."""
    graph, fixture = opened(tmp_path, source)
    answer = graph.definition_at(*fixture.marks[0])
    assert fixture.marks[1] in [(s.path, s.name_span.start) for s in answer.value], answer


def members(tmp_path: Path, source: str) -> str:
    """Members of what ends at `$0`."""
    graph, fixture = opened(tmp_path, source)
    return shown(graph.members_at(*fixture.marks[0]))


def findings(tmp_path: Path, source: str) -> list[str]:
    """Everything that is proved wrong, as `path code message`."""
    graph, _ = opened(tmp_path, source)
    return [f"{p} {f.code}: {f.message}" for p in graph.paths() for f in graph.findings(p)]


@pytest.mark.parametrize(
    "source",
    [
        "//- /a.ts\nlet $1x = 1;\n{ let y = $0x; }\n",
        "//- /a.ts\nlet x = 1;\n{ let $1x = 2; f($0x); }\nfunction f(a) {}\n",
        "//- /a.ts\nfunction f() { if (1) { var $1x = 1; } return $0x; }\n",
        "//- /a.ts\nexport class $1A {}\n//- /b.ts\nimport { A as B } from './a';\nnew $0B();\n",
        "//- /a.ts\nexport default class $1A {}\n//- /b.ts\nimport X from './a.js';\nnew $0X();\n",
        "//- /a.ts\nexport const $1a = 1;\n//- /i/index.ts\nexport * from '../a';\n//- /b.ts\nimport { a } from './i';\n$0a;\n",
        "//- /a.ts\nexport const $1a = 1;\n//- /b.ts\nimport * as n from './a';\nn.$0a;\n",
        "//- /a.ts\nconst $1a = 1;\nexport { a as b };\n//- /b.ts\nimport { $0b } from './a';\n",
        "//- /a.js\nexports.$1f = () => 1;\n//- /b.js\nconst m = require('./a');\nm.$0f();\n",
        "//- /a.ts\nclass A { $1m() {} }\nnew A().$0m();\n",
        "//- /a.ts\nclass A { $1m() {} }\nclass B extends A { n() { this.$0m(); } }\n",
        "//- /a.ts\nclass A { constructor(private $1q: number) {} n() { return this.$0q; } }\n",
        "//- /a.ts\ninterface I { $1x: number }\nfunction f(i: I) { return i.$0x; }\n",
        "//- /a.ts\ninterface J { $1x: number }\ninterface I extends J {}\nfunction f(i: I) { return i.$0x; }\n",
        "//- /a.ts\nclass P { $1x = 1 }\nfunction f(ps: P[]) { for (const p of ps) p.$0x; }\n",
        "//- /a.ts\nclass P { $1x = 1 }\nfunction f(ps: P[]) { ps.map((p) => p.$0x); }\n",
        "//- /a.ts\nclass P { $1x = 1 }\nfunction g(): Promise<P> {}\nasync function f() { (await g()).$0x; }\n",
        "//- /a.ts\nclass Box<T> { v: T }\nclass P { $1x = 1 }\nfunction f(b: Box<P>) { b.v.$0x; }\n",
        "//- /a.ts\nclass P { $1x = 1 }\nfunction id<T>(t: T): T { return t; }\nid(new P()).$0x;\n",
        "//- /a.ts\nenum E { $1M }\nE.$0M;\n",
        "//- /a.ts\nconst o = { $1a: 1 };\no.$0a;\n",
        "//- /a.ts\ntype T = { $1a: number };\nfunction f({ $0a }: T) {}\n",
        "//- /a.ts\ninterface O { $1key: number }\nconst o: O = { $0key: 1 };\n",
        "//- /a.ts\nnamespace N { export const $1v = 1; }\nN.$0v;\n",
        "//- /a.ts\ntype $1T = 1;\nlet T = 2;\nlet x: $0T;\n",
        "//- /a.ts\ntype T = 1;\nlet $1T = 2;\nlet x = $0T;\n",
        "//- /a.tsx\nfunction $1App() { return null; }\nconst x = <$0App />;\n",
    ],
)  # fmt: skip
def test_names_lead_to_their_definitions(tmp_path: Path, source: str) -> None:
    leads(tmp_path, source)


def test_paths_of_tsconfig_and_packages_of_the_workspace(tmp_path: Path) -> None:
    leads(
        tmp_path,
        """
        //- /tsconfig.json
        { // a comment
          "compilerOptions": { "baseUrl": ".", "paths": { "@lib/*": ["./lib/*"], }, } }
        //- /lib/a.ts
        export const $1a = 1;
        //- /src/b.ts
        import { $0a } from "@lib/a";
        """,
    )
    other = tmp_path / "other"
    other.mkdir()
    leads(
        other,
        """
        //- /packages/core/package.json
        { "name": "@me/core", "exports": { ".": { "types": "./dist/index.d.ts" }, "./deep": "./src/deep.ts" } }
        //- /packages/core/src/index.ts
        export const b = 1;
        //- /packages/core/src/deep.ts
        export const $1a = 1;
        //- /packages/app/b.ts
        import { b } from "@me/core";
        import { $0a } from "@me/core/deep";
        """,
    )


def test_packages_in_node_modules_are_read_where_they_declare_types(tmp_path: Path) -> None:
    package = tmp_path / "node_modules/lib"
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": "lib", "types": "t.d.ts"}))
    (package / "t.d.ts").write_text("export declare class Lib { go(): void }\n")
    graph, fixture = opened(tmp_path, "//- /a.ts\nimport { Lib } from 'lib';\nnew Lib().go$0;\n")
    answer = graph.definition_at(*fixture.marks[0])
    assert [s.path for s in answer.value] == [str(package / "t.d.ts")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("//- /a.ts\nclass A { a = 1; m() {} static s = 2 }\nlet x = new A();\nx$0.a\n", "closed: a m"),
        ("//- /a.ts\nclass A { a = 1; static s = 2 }\nA$0.s\n", "open: s"),
        ("//- /a.ts\nclass A { [k: string]: any; a = 1 }\nlet x = new A();\nx$0.a\n", "open: a"),
        ("//- /a.ts\nimport { B } from 'gone';\nclass A extends B { a = 1 }\nlet x = new A();\nx$0.a\n", "open: a"),
        ("//- /a.ts\nclass A { a = 1 }\nclass B { a = 2 }\nfunction f(x: A | B) { x$0.a }\n", "open: a"),
        ("//- /a.ts\nclass A { a = 1 }\nclass B extends A { b = 1 }\nfunction f(x: A) { if (x instanceof B) x$0.b }\n", "open: a"),
        ("//- /a.js\nclass A { constructor() { this.a = 1; } m() {} }\nlet x = new A();\nx$0.a\n", "open: a m"),
        ("//- /a.ts\nfunction f(x: any) { x$0.a }\n", "open:"),
        ("//- /a.ts\nenum E { A, B = 'x' }\nE$0.A\n", "closed: A B"),
        ("//- /a.ts\nexport const a = 1, b = 2;\n//- /b.ts\nimport * as n from './a';\nn$0.a\n", "closed: a b"),
    ],
)  # fmt: skip
def test_members_are_closed_only_where_that_is_provable(tmp_path: Path, source: str, expected: str) -> None:
    assert members(tmp_path, source) == expected


def test_what_is_proved_wrong(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        """
        //- /shop.ts
        export class Cart { total(tax: number, rate?: number): number { return tax; } }
        export enum Kind { Food }
        //- /main.ts
        import { Cart, gone } from "./shop";
        import * as shop from "./shop";
        import { x } from "./missing";
        const cart = new Cart(1);
        cart.totl(1);
        cart.total();
        cart.total(1, 2);
        cart.total(...[1]);
        shop.Gone;
        shop.Kind;
        nothing();
        let t: Nothing;
        """,
    )
    assert found == [
        'main.ts unresolved-import: ./shop exports no gone',
        'main.ts unresolved-import: there is no file for ./missing',
        'main.ts call-arguments: Cart takes 0 arguments, not 1',
        'main.ts missing-member: cart has no member totl',
        'main.ts call-arguments: cart.total takes 1 to 2 arguments, not 0',
        'main.ts missing-member: shop has no member Gone',
        'main.ts undefined-name: no name nothing is declared or imported here',
        'main.ts undefined-name: no type Nothing is declared or imported here',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "window.setTimeout(() => process.exit(1));\ndescribe('a', () => {});\n",
        "type F<T> = T extends (infer U)[] ? U : { [K in keyof T]: K };\n",
        "if (typeof __DEV__ !== 'undefined' && typeof maybe === 'function') maybe();\n",
        "function f(a: string): void;\nfunction f(a: string, b: number): void;\nfunction f(...r: any[]) {}\nf('a', 1);\n",
        "class A {}\ninterface A { merged: number }\nnew A().merged;\nnew A().toString();\n",
        "function ok(x: A): x is B { return true; }\nclass A {}\nclass B extends A { b = 1 }\n"
        "function f(x: A) { if (ok(x)) x.b; }\n",
        "label: for (const [k, v] of Object.entries({})) { if (k) continue label; console.log(v); }\n",
        "class S<T> { next(v: T) {} }\nnew S<void>().next();\n",
        "type T = [first: number, second?: string];\nlet x: bigint;\n",
        "export const f = ({ a: { b = 1 }, ...rest }: any, [c, , d]: any[]) => [b, rest, c, d, arguments];\n",
        "namespace N { export const a = 1; }\nnamespace N { a; other; }\n",
        "class A { #p = 1; m() { return this.#p; } static { this.name; } }\nA.name.length;\n",
        "type A = { f: { a: 1 } };\ntype B = A & { f: { b: 2 } };\nfunction f(x: B) { x.f.b; }\n",
        "const el = <div className='x'>text</div>;\n",
        "async function f() { await using app = open(''); using other = app; app; other; }\nfunction open(a: string) {}\n",
        "namespace core { export namespace deep { export interface A {} } }\ndeclare const x: any;\n"
        "x.f() satisfies core.deep.A;\n",
        "export const on = (f: any) => attachEvent('onload', f);\n",
    ],
)
def test_working_code_is_left_alone(tmp_path: Path, source: str) -> None:
    assert findings(tmp_path, f"//- /a.tsx\n{source}export {{}};\n") == []


def test_names_of_scripts_and_global_declarations_are_visible_everywhere(tmp_path: Path) -> None:
    assert findings(
        tmp_path,
        """
        //- /globals.d.ts
        declare const VERSION_TEXT: string;
        interface Shared { a: number }
        //- /more.ts
        export {};
        declare global { function everywhere(): void; }
        //- /main.ts
        export const x: Shared = everywhere(VERSION_TEXT);
        """,
    ) == []  # fmt: skip


def test_names_that_packages_of_types_declare_or_many_files_use_come_from_outside(tmp_path: Path) -> None:
    assert findings(
        tmp_path,
        """
        //- /package.json
        { "devDependencies": { "@types/geo-json": "1" } }
        //- /a.ts
        export const a: GeoJSON.Point = outside();
        //- /b.ts
        export const b = outside();
        //- /c.ts
        export const c = outside(alone);
        """,
    ) == ["c.ts undefined-name: no name alone is declared or imported here"]  # fmt: skip


def test_a_member_that_is_declared_for_a_type_above_is_there(tmp_path: Path) -> None:
    assert findings(
        tmp_path,
        """
        //- /core.ts
        export interface Base { a: number }
        export interface Below extends Base { b: number }
        export function make(): Below { return null as any; }
        //- /main.ts
        import { make } from './core';
        declare module 'pack/core' { interface Base { added(): string } }
        make().added();
        make().missing();
        """,
    ) == ["main.ts missing-member: make() has no member missing"]  # fmt: skip


def said(tmp_path: Path, path: str, source: str) -> list[str]:
    """What a user is told of one file."""
    graph, _ = opened(tmp_path, source)
    return [d.message for d in diagnose(graph, path)]


PAGE = """
var total = 3;
$(function () {
    documnet.title = totl;
    Mustache.render(total);
    dagre.render(total);
    dagre.layout(total);
    var stemmer = new Stemmer();
});
"""


def test_of_a_page_s_script_only_slips_are_said(tmp_path: Path) -> None:
    """What the page loads beside it is not known."""
    slips = ["no name documnet is declared or imported here", "no name totl is declared or imported here"]
    assert said(tmp_path, "page.js", f"//- /page.js\n{PAGE}") == slips
    assert len(said(tmp_path, "module.js", f"//- /module.js\nexport {{}};\n{PAGE}")) == 6


def test_nothing_is_proved_in_a_file_that_does_not_parse(tmp_path: Path) -> None:
    assert findings(tmp_path, "//- /a.ts\nnothing(;\nother();\n") == []


def test_an_edit_in_one_file_counts_in_another(tmp_path: Path) -> None:
    graph, fixture = opened(
        tmp_path, "//- /a.ts\nexport class A { x = 1 }\n//- /b.ts\nimport { A } from './a';\nnew A().y$0;\n"
    )
    assert [f.code for f in graph.findings("b.ts")] == ["missing-member"]
    graph.open_buffer("a.ts", "export class A { y = 1 }\n")
    assert graph.findings("b.ts") == []
    assert [s.name for s in graph.definition_at(*fixture.marks[0]).value] == ["y"]
    graph.close_buffer("a.ts")
    assert [f.code for f in graph.findings("b.ts")] == ["missing-member"]


def test_references_are_those_that_resolve(tmp_path: Path) -> None:
    graph, _ = opened(
        tmp_path,
        """
        //- /a.ts
        export class A { run() {} }
        //- /b.ts
        import { A } from "./a";
        new A().run();
        class B { run() {} }
        new B().run();
        """,
    )
    (run,) = graph.find("A.run")
    assert [(r.path, r.line) for r in graph.references(run).value] == [("b.ts", 2)]
    assert [(r.path, r.line) for r in graph.callers(run).value] == [("b.ts", 2)]


def test_mixed_repositories_ask_each_language(tmp_path: Path) -> None:
    graph, fixture = opened(
        tmp_path,
        """
        //- /a.py
        def shared(): ...
        $0shared()
        //- /a.ts
        export function shared() {}
        $1shared();
        //- /a.rs
        fn shared() {}
        fn main() { $2shared(); }
        """,
    )
    found = [graph.definition_at(*fixture.marks[n]) for n in range(3)]
    assert [a.value[0].path for a in found] == ["a.py", "a.ts", "a.rs"]
    assert [a.closed for a in found] == [True, True, False]
    assert sorted(s.path for s in graph.find("shared")) == ["a.py", "a.rs", "a.ts"]


BROKEN = """//- /shop.ts
export class Cart { total(a: number): number { return a; } }
//- /main.ts
import { Cart } from './shop';
class Own { one = 1; }
function two(a: number, b: number) { return a + b; }
HALF
function g(cart: Cart) {
  SAID
}
function h() {}
"""
"""A file in which somebody types: HALF does not parse."""


@pytest.mark.parametrize(
    "half", ["function half(x) { return x.;\n}", "function half(x) { return (x.\n}", "const half = ;"]
)
@pytest.mark.parametrize(
    ("suggested", "expected"),
    [
        ("cart.totl(1);", "cart has no member totl"),
        ("new Own().oen;", "new Own() has no member oen"),
        ("cart.total(1, 2);", "cart.total takes 1 argument, not 2"),
        ("two(1);", "two takes 2 arguments, not 1"),
        ("return tow;", "no name tow is declared or imported here"),
        ("cart.total(two(1, 2));", ""),
        # The range itself does not parse, or what would have to be known does not.
        ("cart.totl(", ""),
        ("half(1, 2, 3);", ""),
    ],
)
def test_suggestions_are_judged_beside_errors(tmp_path: Path, half: str, suggested: str, expected: str) -> None:
    graph, _ = opened(tmp_path, BROKEN.replace("HALF", half).replace("SAID", suggested))
    text = graph.text("main.ts") or ""
    assert graph.errors("main.ts")
    start = text.index(suggested)
    found = graph.findings("main.ts", Span(start, start + len(suggested)))
    assert [f.message for f in found] == ([expected] if expected else [])
    assert graph.findings("main.ts") == []


def test_a_member_that_the_broken_part_may_declare_is_not_missing(tmp_path: Path) -> None:
    source = "class Own { one = 1; } }\n two() { return 1 }\n}\n"
    suggested = "function f(own: Own) { own.two; }"
    graph, _ = opened(tmp_path, f"//- /main.ts\n{source}{suggested}\n")
    assert graph.errors("main.ts")
    assert graph.findings("main.ts", Span(len(source), len(source) + len(suggested))) == []
