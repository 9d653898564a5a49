"""Modules: packages, relative imports, re-exports, stubs, what is missing and what cannot be proved missing."""

from pathlib import Path

from graft_indexer.environment import discover
from graft_indexer.facts import Import
from graft_testing.graphs import graph_of


def resolved(source: str, *, site: dict[str, str] | None = None, complete: bool = True) -> list[str]:
    """What every import of the cursor's file binds: `name -> qualified names`, `missing` or `open`."""
    with graph_of(source, site=site, complete=complete) as fixed:
        path = fixed.fixture.path
        facts = fixed.graph.facts(path)
        assert facts is not None
        return [f"{item.bound_name} -> {_shown(fixed.graph.resolve_import(path, item))}" for item in facts.imports]


def _shown(answer: object) -> str:
    value, closed = answer.value, answer.closed  # type: ignore[attr-defined]
    if value:
        return " ".join(sorted({s.qualified_name for s in value}))
    return "missing" if closed else "open"


def test_relative_imports_and_reexports() -> None:
    assert resolved(
        """
        //- /src/pkg/__init__.py
        from .core import run as go
        //- /src/pkg/core.py
        def run(): ...
        //- /src/pkg/sub/__init__.py
        //- /src/pkg/sub/main.py
        from ..core import run
        from .. import go, core, nothing
        from . import other
        import pkg.core as c
        from pkg.nowhere import x
        $0
        """
    ) == ["run -> pkg.core.run", "go -> pkg.core.run", "core -> pkg.core", "nothing -> missing",
          "other -> missing", "c -> pkg.core", "x -> missing"]  # fmt: skip


def test_what_cannot_be_proved_missing() -> None:
    assert resolved("import nowhere\n$0") == ["nowhere -> missing"]
    assert resolved("import nowhere\n$0", complete=False) == ["nowhere -> open"]
    assert resolved("import sys\nsys.path.insert(0, 'x')\nimport nowhere\n$0")[1] == "nowhere -> open"
    assert resolved("try:\n    import nowhere\nexcept ImportError:\n    nowhere = None\n$0") == ["nowhere -> open"]
    assert resolved("//- /p/__init__.py\n//- /main.py\nfrom p._version import version\n$0") == ["version -> open"]
    assert resolved("//- /p/__init__.py\ndef __getattr__(n): ...\n//- /main.py\nfrom p import q\n$0") == ["q -> open"]


def test_standard_library_and_installed_packages() -> None:
    site = {"dist/__init__.py": "from dist.a import *\n", "dist/a.py": "__all__ = ['f']\ndef f(): ...\ng = 1\n"}
    assert resolved("import os.path\nfrom json import loads\nfrom dist import f, g\n$0", site=site) == [
        "os -> os.path", "loads -> json.loads", "f -> dist.a.f", "g -> missing",
    ]  # fmt: skip


def test_stubs_win_and_sources_complete_them() -> None:
    site = {
        "p/__init__.py": "def f(x): ...\n_private = 1\n",
        "q/__init__.py": "",
        "q-stubs/__init__.pyi": "def g() -> int: ...\n",
    }
    assert resolved("from p import f, _private\nfrom q import g\n$0", site=site) == [
        "f -> p.f", "_private -> p._private", "g -> q.g",
    ]  # fmt: skip


def test_importing_a_submodule_binds_it_in_its_package() -> None:
    with graph_of("//- /p/sub.py\nx = 1\n//- /p/__init__.py\nfrom .sub import *\n__all__ = $0sub.names\n") as fixed:
        assert [s.qualified_name for s in fixed.graph.definition_at(*fixed.here).value] == ["p.sub"]
        assert "sub" in {s.name for s in fixed.graph.visible_names(*fixed.here).value}


def test_namespace_packages() -> None:
    assert resolved("//- /ns/a.py\nx = 1\n//- /main.py\nfrom ns.a import x\nfrom ns import a\n$0") == [
        "x -> ns.a.x", "a -> ns.a",
    ]  # fmt: skip


def test_circular_imports_end() -> None:
    assert resolved("//- /a.py\nfrom main import x\n//- /main.py\nfrom a import x\n$0") == ["x -> open"]


def test_names_that_may_follow_import() -> None:
    with graph_of("//- /pkg/__init__.py\n//- /pkg/a.py\n//- /main.py\n$0") as fixed:
        graph = fixed.graph
        assert {"pkg", "main", "os", "json"} <= set(graph.modules("", "main.py").value)
        assert list(graph.modules("pkg", "main.py").value) == ["a"]
        assert list(graph.modules("", "pkg/a.py", level=1).value) == ["a"]


def test_environments_are_found_by_files(tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "lib/python3.12").mkdir(parents=True)
    (base / "lib/python3.12/os.py").write_text("")
    venv = tmp_path / "work/.venv"
    site = venv / "lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text(f"home = {base / 'bin'}\nversion = 3.12.4\n")
    (tmp_path / "extra").mkdir()
    (site / "a.pth").write_text(f"{tmp_path / 'extra'}\n# comment\n")
    found = discover(tmp_path / "work", variables={})
    assert (found.version, found.stdlib, found.complete) == ((3, 12), base / "lib/python3.12", True)
    assert found.site == (site, tmp_path / "extra")
    (site / "b.pth").write_text("import hook\n")
    assert not discover(tmp_path / "work", variables={}).complete


def test_an_unknown_environment_is_not_complete(tmp_path: Path) -> None:
    assert not discover(tmp_path, variables={"PATH": ""}).complete


def test_unknown_paths_are_open() -> None:
    with graph_of("x = 1\n$0") as fixed:
        graph = fixed.graph
        item = Import("os", None, None, 0, graph.enclosing("main.py", 0)[0].span, graph.enclosing("main.py", 0)[0].span)
        assert graph.resolve_import("nowhere.py", item).value
        assert not graph.visible_names("nowhere.py", 0).closed
        assert not graph.definition_at("nowhere.py", 3).closed
        assert graph.call_at("nowhere.py", 3) is None
        assert graph.text("nowhere.py") is None


def test_inside_a_package_its_typing_is_not_the_standard_library() -> None:
    package = "//- /__init__.py\n//- /typing.py\nX = 1\n//- /main.py\nfrom typing import Any, Nothing\n$0"
    assert resolved(package) == ["Any -> open", "Nothing -> open"]


def test_compiled_modules_say_nothing_of_what_they_hold() -> None:
    site = {
        "dist/__init__.py": "",
        "dist/fast.cpython-311-x86_64-linux-gnu.so": "",
        "dist/fast.py": "def f(): ...\n",
        "dist/stubbed.pyd": "",
        "dist/stubbed.pyi": "def f(): ...\n",
        "whole/__init__.cpython-311-x86_64-linux-gnu.so": "",
    }
    source = "from dist.fast import f\nfrom dist.stubbed import f, g\nfrom whole import f\nfrom dist import slow\n$0"
    assert resolved(source, site=site) == ["f -> open", "f -> dist.stubbed.f", "g -> missing", "f -> open",
                                           "slow -> missing"]  # fmt: skip
