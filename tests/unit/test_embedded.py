"""Scripts in pages and cells of notebooks, as the workspace and the command line have them."""

import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_indexer.embedded import scripts, view
from graft_indexer.extract import extract_file
from graft_indexer.polyglot import PolyGraph
from graft_indexer.pygraph import open_graph
from graft_indexer.workspace import Workspace
from graft_server.cli import main

PAGE = """\
<!doctype html>
<title>Übersicht</title>
<!-- <script>function hidden() {}</script> -->
<script type="application/ld+json">{"name": 1}</script>
<script src="lib.js"></script>
<p onclick="go()">é</p><script>
  function go(a) { return shown(a) }
</script>
<SCRIPT TYPE='module' data-x="a>b">import { one } from './one.js'
class Page { open() { one() } }</SCRIPT>
<script type="text/template"><b>function not() {}</b></script>
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GRAFT_CONFIG", str(tmp_path / "config.toml"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    monkeypatch.chdir(root)
    return root


def test_scripts_stand_where_they_stand_in_the_page() -> None:
    data = PAGE.encode()
    code = scripts(data)
    assert len(code) == len(data)
    assert code.count(b"\n") == data.count(b"\n")
    assert b"hidden" not in code
    assert b"not()" not in code
    assert b"lib" not in code
    facts = extract_file("page.html", data)
    assert [d.qualified_name for d in facts.definitions] == ["go", "Page", "Page.open"]
    assert [(i.module, i.name) for i in facts.imports] == [("./one.js", "one")]
    for definition in facts.definitions:
        assert data[definition.name_span.start : definition.name_span.end].decode() == definition.name
    assert facts.errors == ()


def test_statements_of_two_scripts_are_two() -> None:
    facts = extract_file("a.htm", b"<script>let a = f</script><script>(function g() {})()</script><script>var b")
    assert [d.name for d in facts.definitions] == ["a", "b"]


def test_a_comment_ends_with_its_script() -> None:
    page = b"<script>//<![CDATA[\nfunction a() {}\n//]]></script> <script>function b() {}</script>"
    facts = extract_file("a.html", page)
    assert [d.name for d in facts.definitions] == ["a", "b"]
    assert scripts(page).count(b"\n") == page.count(b"\n")


def test_only_the_attribute_type_says_what_a_script_is() -> None:
    page = b"""<script data-type="x" data-src='a>b'>var a</script><script-x>var n</script-x>
        <script id=i TYPE=text/plain>var n</script><script async type="text/javascript">var b</script >
        <script src="a>var c</script><script>var d</script>"""
    facts = extract_file("a.html", page)
    assert [d.name for d in facts.definitions] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "part",
    [
        b"<!--",
        b"<script a='b' ",
        b"<script",
        b"<script a='",
        b"<script =\"='",
        b"<script>",
        b"</script",
        b"<script a=",
        b"-",
    ],
)
def test_a_megabyte_of_beginnings_without_an_ending_is_read_at_once(part: bytes) -> None:
    data = part * (1_000_000 // len(part))
    assert len(scripts(data)) == len(data)


def test_other_files_are_code_throughout() -> None:
    data = b"<script>x</script>"
    assert view("a.py", data) is data


def test_a_page_in_the_graph(project: Path) -> None:
    (project / "page.html").write_text(PAGE)
    (project / "one.js").write_text("export function one() {}\n")
    graph = open_graph(project, index_dir=None)
    assert isinstance(graph, PolyGraph)
    at = PAGE.encode().index(b"one() }")
    found = graph.definition_at("page.html", at).value
    assert [(s.path, s.name) for s in found] == [("one.js", "one")]
    refs = graph.references(found[0]).value
    assert {(r.path, PAGE.encode()[r.span.start : r.span.end]) for r in refs if r.path == "page.html"} == {
        ("page.html", b"one")
    }
    graph.close()


def test_a_page_is_not_checked_and_said_to_be(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "page.html").write_text(PAGE)
    assert main(["check", "page.html"]) == 0
    assert capsys.readouterr().err == snapshot(
        "page.html: not checked: another script of the page may bind any name\n0 findings in 1 file\n"
    )


def test_a_buffer_of_a_page_is_read_as_its_file_is(project: Path) -> None:
    (project / "page.html").write_text(PAGE)
    workspace = Workspace.open(project, index_dir=None)
    facts, text = workspace.facts("page.html"), workspace.text("page.html")
    workspace.open_buffer("page.html", PAGE)
    assert workspace.facts("page.html") == facts
    assert workspace.text("page.html") == text
    workspace.open_buffer("page.html", PAGE.replace("go(a)", "went(a)"))
    changed = workspace.facts("page.html")
    assert changed is not None
    assert [d.name for d in changed.definitions] == ["went", "Page", "open"]
    workspace.close()


def write_notebook(file: Path, *sources: str) -> str:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["# T"]}]
    cells += [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": s.splitlines(keepends=True)} for s in sources
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    file.write_text(text)
    return text


def test_a_notebook_is_checked_as_one_program(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tools.py").write_text("def helper(a):\n    return a\n")
    text = write_notebook(
        project / "n.ipynb",
        "%matplotlib inline\nfrom tools import helper\nlength = helper(1)\n",
        'display("é", length)\nprint(lenght)\nhelper(1, 2)',
    )
    assert main(["check", "n.ipynb"]) == 1
    out, err = capsys.readouterr()
    assert out == snapshot("""\
n.ipynb:cell 3:2:7: error: `lenght` is not defined; did you mean `length`? [undefined-name]
n.ipynb:cell 3:3:11: error: `helper` takes 1 by position, 2 given [call-arguments]
""")
    assert err == snapshot("2 findings in 1 file\n")
    assert main(["check", "n.ipynb", "--format", "json"]) == 1
    first = json.loads(capsys.readouterr().out)["diagnostics"][0]
    assert {k: v for k, v in first.items() if k != "message"} == snapshot(
        {
            "path": "n.ipynb",
            "line": 26,
            "column": 12,
            "end_line": 26,
            "end_column": 18,
            "code": "undefined-name",
            "severity": "error",
            "cell": 3,
            "cell_line": 2,
            "cell_column": 7,
            "fixes": [],
        }
    )
    line = text.split("\n")[first["line"] - 1]
    assert line[first["column"] - 1 : first["end_column"] - 1] == "lenght"


def test_a_notebook_is_not_mended(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = write_notebook(project / "n.ipynb", "length = 1\nprint(lenght)\n")
    assert main(["fix", "n.ipynb", "--apply"]) == 0
    assert capsys.readouterr().err == snapshot("""\
graft fix: n.ipynb: a notebook, which is only checked, left as it is
0 fixed in 0 files, 1 left
""")
    assert (project / "n.ipynb").read_text() == text


def test_uses_in_notebooks_are_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tools.py").write_text("def helper(a):\n    return a\n")
    text = write_notebook(project / "n.ipynb", "from tools import helper\n", "def of_cell():\n    helper(1)\n")
    assert main(["query", "callers", "helper", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["results"]
    assert found["path"].endswith("n.ipynb")
    assert text.split("\n")[found["line"] - 1].strip().startswith('"    helper(1)')
    assert main(["query", "def", "of_cell"]) == 0
    assert main(["index"]) == 0
