"""Star imports: which may bring a name is known without the trees of all."""

from __future__ import annotations

import pytest

from graft_indexer import world
from graft_indexer.world import World
from graft_testing.graphs import graph_of

PARTS = 40


def gathered(last: str) -> str:
    """A package that gathers forty modules by star imports, and a file that uses it."""
    body = "".join(f"    def m{n}(self): return {n}\n" for n in range(60))
    parts = "".join(
        f"//- /p/part{n}.py\n__all__ = ['f{n}']\nclass C{n}:\n{body}\ndef f{n}(a): ...\n" for n in range(PARTS)
    )
    stars = "".join(f"from p.part{n} import *\n" for n in range(PARTS))
    return f"//- /p/__init__.py\n{stars}{parts}//- /main.py\n{last}"


def found(graph_world: World, name: str) -> list[str]:
    module = graph_world.finder.find("p", "main.py")
    assert module is not None
    answer = graph_world.module_name_target(module, name)
    return [t.file.path for t in answer.targets if t.file is not None]


def test_a_name_is_looked_for_where_it_may_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty names of forty modules, of which ten are kept: one after the other through all would be 1,600 parses."""
    monkeypatch.setattr(world, "KEPT_BYTES", 20_000)
    with graph_of(gathered("import p\np.f$01\n")) as fixed:
        graph_world = fixed.graph.world
        graph_world.sync()
        before = graph_world.loads
        for n in range(PARTS):
            assert found(graph_world, f"f{n}") == [f"p/part{n}.py"]
            graph_world.sync()
        assert found(graph_world, "C1") == []
        assert graph_world.loads - before <= 3 * PARTS


def test_a_changed_list_of_exports_is_seen() -> None:
    with graph_of(gathered("$0import p\n")) as fixed:
        graph_world = fixed.graph.world
        graph_world.sync()
        assert found(graph_world, "C3") == []
        text = fixed.graph.text("p/part3.py") or ""
        fixed.graph.source.open_buffer("p/part3.py", text.replace("['f3']", "['f3', 'C3']"))
        graph_world.sync()
        assert found(graph_world, "C3") == ["p/part3.py"]
        fixed.graph.source.close_buffer("p/part3.py")
        graph_world.sync()
        assert found(graph_world, "C3") == []


def test_members_of_a_gathering_module_are_listed_once_and_again_after_an_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trees that the list was made from do not fit into what is kept."""
    monkeypatch.setattr(world, "KEPT_BYTES", 20_000)
    with graph_of(gathered("import p\np$0.f1\n")) as fixed:
        graph = fixed.graph

        def listed() -> tuple[set[str], int]:
            before = graph.world.loads
            members = {m.name for m in graph.members_at(*fixed.here).value}
            return {n for n in members if n[0] in "fC"}, graph.world.loads - before

        names = {f"f{n}" for n in range(PARTS)}
        first, loads = listed()
        assert first == names
        assert loads >= PARTS
        again, loads = listed()
        assert again == names
        assert loads <= 1
        text = graph.text("p/part3.py") or ""
        graph.source.open_buffer("p/part3.py", text.replace("['f3']", "['f3', 'C3']"))
        assert listed()[0] == names | {"C3"}
