"""The symbol graph over small workspaces: names, members, imports, calls, places."""

from pathlib import Path

from inline_snapshot import snapshot

from graft_indexer import pygraph
from graft_indexer.environment import discover
from graft_indexer.graph import Origin
from graft_indexer.workspace import Workspace
from graft_indexer.world import World
from graft_testing.fixture import parse_fixture
from graft_testing.graphs import Fixed, graph_of, names

BUILTINS = 100


def local_names(fixed: Fixed) -> str:
    answer = fixed.graph.visible_names(*fixed.here)
    shown = [s for s in answer.value if s.origin is not Origin.BUILTIN and not s.name.startswith("__")]
    assert len(answer.value) - len(shown) > BUILTINS
    return ("closed: " if answer.closed else f"open ({answer.reason}): ") + " ".join(sorted(s.name for s in shown))


def check_names(source: str, expected: str) -> None:
    with graph_of(source) as fixed:
        assert local_names(fixed) == expected


def check_members(source: str, expected: str) -> None:
    with graph_of(source) as fixed:
        path, offset = fixed.here
        assert names(fixed.graph.members_at(path, offset - 1)) == expected


def check_definition(source: str, expected: list[str]) -> None:
    with graph_of(source) as fixed:
        answer = fixed.graph.definition_at(*fixed.here)
        found = [f"{s.qualified_name} {s.kind.value} {s.path.rpartition('/')[2]}" for s in answer.value]
        assert [f"{'closed' if answer.closed else answer.reason}", *found] == expected


def test_names_of_a_function() -> None:
    check_names(
        """
        import os
        LIMIT = 3
        class C:
            inner = 1
            def method(self, item):
                total = 0
                $0
        """,
        snapshot("closed: C LIMIT item os self total"),
    )


def test_names_after_an_unknown_star_import_are_open() -> None:
    check_names("from nowhere import *\n$0\n", snapshot("open (a star import cannot be resolved): "))


def test_names_through_a_star_import() -> None:
    check_names(
        """
        //- /a.py
        __all__ = ["x", "_y"]
        x = 1
        _y = 2
        z = 3
        //- /main.py
        from a import *
        $0
        """,
        snapshot("closed: _y x"),
    )


def test_members_of_self_include_those_of_subclasses() -> None:
    check_members(
        """
        class Base:
            kind = 1
            def f(self):
                self.$0
        class Sub(Base):
            def __init__(self):
                self.only_here = 1
        """,
        snapshot("closed: f kind only_here"),
    )


def test_members_of_what_was_constructed() -> None:
    check_members(
        """
        class Base:
            def __init__(self): self.a, (self.b, *self.c) = 1, (2, 3)
        class Sub(Base): extra = 2
        x = Base()
        x.$0
        """,
        snapshot("closed: a b c"),
    )


def test_members_with_getattr_are_open() -> None:
    check_members(
        """
        class A:
            def __getattr__(self, name): ...
        A().$0
        """,
        snapshot("open (it has __getattr__): "),
    )


def test_members_of_a_module() -> None:
    check_members(
        """
        //- /pkg/__init__.py
        from .a import f as g
        //- /pkg/a.py
        def f(): ...
        //- /pkg/b.py
        //- /main.py
        import pkg
        pkg.$0
        """,
        snapshot("closed: a b g"),
    )


def test_members_on_a_broken_line() -> None:
    check_members(
        """
        class A:
            x = 1
        def f(a: A, b):
            if b:
                print(a.$0
            return a
        """,
        snapshot("closed: x"),
    )


def test_definition_through_reexport_and_alias() -> None:
    check_definition(
        """
        //- /pkg/__init__.py
        from .a import Thing as Renamed
        //- /pkg/a.py
        class Thing: ...
        //- /main.py
        from pkg import Renamed as R
        def f(): return R$0()
        """,
        snapshot(["closed", "pkg.a.Thing class a.py"]),
    )


def test_undefined_name_is_closed_and_empty() -> None:
    check_definition("def f():\n    return missing$0\n", snapshot(["closed"]))


def test_call_target_of_a_bound_method() -> None:
    with graph_of(
        """
        class A:
            def f(self, x, *, y=1): ...
        A().f($0)
        """
    ) as fixed:
        site = fixed.graph.call_at(*fixed.here)
        assert site is not None
        answer = fixed.graph.call_target(fixed.fixture.path, site)
        assert answer.closed
        assert [[p.name for p in t.signature.parameters] for t in answer.value] == snapshot([["x", "y"]])


def test_buffers_shadow_files() -> None:
    with graph_of("x = 1\n$0\n") as fixed:
        fixed.graph.open_buffer("main.py", "y = 1\n\n")
        assert fixed.graph.is_open("main.py")
        assert local_names(fixed) == snapshot("closed: y")
        fixed.graph.close_buffer("main.py")
        assert local_names(fixed) == snapshot("closed: x")


def test_enclosing_definitions() -> None:
    with graph_of("class A:\n    def f(self):\n        def g():\n            $0pass\n") as fixed:
        assert [s.qualified_name for s in fixed.graph.enclosing(*fixed.here)] == snapshot(
            ["main.A.f.<locals>.g", "main.A.f", "main.A", "main"]
        )


def test_nothing_is_closed_while_the_index_is_being_built(tmp_path: Path) -> None:
    """Between two batches of a first index, a module that is not there yet must not look like one that is not there."""
    parse_fixture("""
        //- /shop.py
        def total(items): ...
        //- /main.py
        import shop
        shop.$0
    """).write(tmp_path)
    source = Workspace.open(tmp_path, index_dir=None, refresh=False)
    graph = pygraph.PyGraph(source, World(source, discover(tmp_path, None)))
    assert not graph.module_members("shop", "main.py").closed
    graph.refresh()
    answer = graph.module_members("shop", "main.py")
    assert answer.closed and "total" in [s.name for s in answer.value]
    graph.close()
