"""Which module a `from` statement is for: the one that defines what the file misses."""

from pathlib import Path

import pytest

from graft_indexer.pygraph import open_graph
from graft_server.completion import graphonly
from graft_server.completion.anchor import place_of
from graft_server.completion.homes import homes
from graft_server.completion.imports import module_name
from graft_server.completion.model import Snapshot
from graft_testing.fixture import parse_fixture

REPOSITORY = """
//- /app/__init__.py
//- /app/shapes/__init__.py
class Shape: ...
//- /app/shapes/paint.py
def brush(): ...
def dip(): ...
class Tin:
    def lid(self): ...
//- /app/wide.py
def brush_all(): ...
//- /app/__main__.py
def main_entry(): ...
//- /scripts/01-intro.py
def intro(): ...
//- /examples/demo.py
def show_it(): ...
//- /tests/test_it.py
def check_it(): ...
//- /app/text/__init__.py
//- /app/text/lines.py
def split(): ...
"""


def check(tmp_path: Path, source: str, expected: str, guess: str | None = None) -> None:
    """The modules with their names, and what the graph says first."""
    fixture = parse_fixture(REPOSITORY + source)
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    try:
        graph.open_buffer(fixture.path, fixture.text)
        place = place_of(Snapshot(fixture.path, fixture.text, fixture.offset))
        item = module_name(place.before)
        assert item is not None
        found = homes(graph, fixture.path, place, item)
        assert "; ".join(f"{module} {' '.join(names)}" for module, names in found.items()) == expected
        if guess is not None:
            said = graphonly.suggest(graph, fixture.path, place)
            assert (said.text if said is not None else "") == guess
    finally:
        graph.close()


@pytest.mark.parametrize(
    ("source", "expected", "guess"),
    [
        ("from $0\nbrush()\n", "app.shapes.paint brush", "app.shapes.paint import brush"),
        ("from .$0\nbrush(dip)\n", ".shapes.paint brush dip", "shapes.paint import brush, dip"),
        ("from .shapes.p$0\nbrush()\n", ".shapes.paint brush", "aint import brush"),
        ("from app.$0\nbrush(Shape)\n", "app.shapes.paint brush; app.shapes Shape", "shapes.paint import brush"),
        ("from .wide import brush_all\nfrom $0\nbrush()\n", ".shapes.paint brush", ".shapes.paint import brush"),
        ("from .$0 import brush\nbrush()\n", "", None),
        ("from .$0\nlid()\n", "", None),
        ("from os$0\nbrush()\n", "", None),
        # No more dots than packages, no files that nobody imports.
        ("from ..$0\nbrush()\n", "", None),
        ("from $0\nshow_it(dip)\n", "app.shapes.paint dip", None),
        ("from $0\nintro(dip)\n", "app.shapes.paint dip", None),
        ("from $0\ncheck_it(main_entry)\n", "", None),
    ],
)
def test_beside_its_package(tmp_path: Path, source: str, expected: str, guess: str | None) -> None:
    check(tmp_path, f"//- /app/main.py\n{source}", expected, guess)


def test_dots_lead_up(tmp_path: Path) -> None:
    check(tmp_path, "//- /app/text/words.py\nfrom ..$0\nbrush()\n", "..shapes.paint brush", "shapes.paint import brush")
    check(tmp_path, "//- /app/text/words.py\nfrom .$0\nbrush(split)\n", ".lines split", "lines import split")


def test_from_outside_the_package_that_passes_a_name_on_is_asked(tmp_path: Path) -> None:
    source = "//- /kit/__init__.py\nfrom kit.core import Engine\n//- /kit/core.py\nclass Engine: ...\nclass Part: ...\n"
    check(tmp_path, f"{source}//- /use.py\nfrom kit$0\nEngine(Part)\n", "kit Engine; kit.core Part")
    check(tmp_path, f"{source}//- /kit/more.py\nfrom kit$0\nEngine(Part)\n", "kit.core Engine Part")


def test_sources_in_a_folder_of_their_own(tmp_path: Path) -> None:
    source = "//- /src/own/__init__.py\n//- /src/own/a.py\ndef go(): ...\n//- /src/other/b.py\ndef stop(): ...\n"
    check(tmp_path, f"{source}//- /src/own/m.py\nfrom .$0\ngo(stop)\n", ".a go", "a import go")
    check(tmp_path, f"{source}//- /src/own/m.py\nfrom ..$0\ngo(stop)\n", "")


def test_what_a_module_uses_itself_is_not_what_it_is_imported_for(tmp_path: Path) -> None:
    fixture = parse_fixture(
        "//- /kit/__init__.py\nfrom kit.a import Alpha\n//- /kit/a.py\nclass Alpha: ...\n"
        "//- /kit/b.py\nfrom kit.a import Alpha\nclass Beta(Alpha): ...\n"
        "//- /main.py\nfrom kit.b import $0\nAlpha(Beta)\n//- /other.py\nfrom kit import $1\nAlpha(Beta)\n"
    )
    fixture.write(tmp_path)
    graph = open_graph(tmp_path)
    try:
        for mark, expected in ((0, "Beta"), (1, "Alpha")):
            path, offset = fixture.marks[mark]
            text = fixture.files[path]
            graph.open_buffer(path, text)
            place = place_of(Snapshot(path, text, offset))
            said = graphonly.suggest(graph, path, place)
            assert said is not None and said.text == expected
    finally:
        graph.close()


def test_a_name_of_many_modules_says_nothing(tmp_path: Path) -> None:
    many = "".join(f"//- /app/m{i}.py\ndef run(): ...\n" for i in range(7))
    check(tmp_path, f"{many}//- /app/main.py\nfrom .$0\nrun()\n", "")
