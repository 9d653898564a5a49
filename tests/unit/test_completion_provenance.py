"""Whose code a suggestion repeats: training files by fingerprints, dependencies by their tokens."""

from pathlib import Path

from graft_indexer.pygraph import open_graph
from graft_server.completion import provenance
from graft_server.completion.explain import explain
from graft_server.completion.model import Completion
from graft_server.completion.provenance import Note, dependencies, package_of, repeats, trained_on

CODE = """def total(items, rate):
    result = 0
    for item in items:
        if item.price > 0 and item.count > 0:
            result += item.price * item.count * (1 + rate)
    return result
"""


def site(tmp_path: Path) -> Path:
    folder = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages"
    (folder / "sums").mkdir(parents=True)
    (folder / "sums" / "__init__.py").write_text(CODE)
    meta = folder / "sums_of_things-1.2.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Name: sums-of-things\nVersion: 1.2\nLicense-Expression: MIT\n\nText\n")
    (meta / "top_level.txt").write_text("sums\n")
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.0\n")
    return folder


def test_a_dependency_is_named_with_its_licence(tmp_path: Path) -> None:
    file = site(tmp_path) / "sums" / "__init__.py"
    (note,) = repeats(CODE.split("\n", 1)[1], [file])
    assert note == Note("sums_of_things", "1.2", "MIT", "sums/__init__.py", "dependency")
    assert str(note) == "repeats a dependency: sums_of_things 1.2, sums/__init__.py (MIT)"
    assert f"- note: {note}" in explain(Completion("x", "x", 0, 0, 0.0, True), [note])


def test_white_space_and_line_ends_do_not_matter_but_names_do(tmp_path: Path) -> None:
    file = site(tmp_path) / "sums" / "__init__.py"
    body = CODE.split("\n", 1)[1]
    assert repeats(body.replace("    ", "\t").replace("\n", "\r\n"), [file])
    assert not repeats(body.replace("result", "answer"), [file])


def test_short_texts_and_missing_files_say_nothing(tmp_path: Path) -> None:
    file = site(tmp_path) / "sums" / "__init__.py"
    assert repeats("return result", [file]) == []
    assert repeats(CODE, [tmp_path / "gone.py"]) == []
    assert package_of(tmp_path / "own.py") == (tmp_path.name, "", "", "own.py")


def test_the_files_that_are_imported_are_looked_at(tmp_path: Path) -> None:
    site(tmp_path)
    (tmp_path / "main.py").write_text("from sums import total\nimport os\nx = 1\n")
    graph = open_graph(tmp_path)
    try:
        found = dependencies(graph, "main.py")
    finally:
        graph.close()
    assert [f.parent.name for f in found] == ["sums"]


def test_a_training_file_is_recognised_but_own_code_alone_is_not() -> None:
    prints = provenance._fingerprints()
    assert prints is not None
    import textwrap

    source = Path(textwrap.__file__).read_text("utf-8")
    cut = source.index("        chunks = self._split")
    before, text = source[: cut - 2000], source[cut - 2000 : cut]
    packages = {note.package for note in trained_on("", text)}
    assert all(note.kind == "training" and note.licence for note in trained_on("", text))
    assert packages == {s.name for s in prints.attribute(text)}
    own = {note.package for note in trained_on(before + text, "\nx = 1\n")}
    assert not own
