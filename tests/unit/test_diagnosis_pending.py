"""What saves break stays in view from save to save, until it is mended."""

from pathlib import Path

from graft_indexer.pygraph import PyGraph, open_graph
from graft_server.diagnosis.model import BREAKS
from graft_server.diagnosis.pending import Pending, broken_elsewhere
from graft_server.settings import Settings

LIBRARY = "def area(width, height):\n    return width * height\n"
USE = "from shapes import area\n\nprint(area(1, 2))\n"


class Session:
    """An editor with two files, saving as it goes."""

    def __init__(self, root: Path) -> None:
        (root / "shapes.py").write_text(LIBRARY)
        (root / "use.py").write_text(USE)
        self.graph: PyGraph = open_graph(root)
        self.saved = {"shapes.py": LIBRARY, "use.py": USE}
        self.pending = Pending()

    def save(self, path: str, text: str) -> list[str]:
        """Save a text; what is broken in use.py then."""
        self.graph.open_buffer(path, text)
        for _ in self.pending.saved(self.graph, path, self.saved[path], Settings()):
            pass
        self.saved[path] = text
        return [d.message for d in self.pending.findings("use.py")]


def test_it_stays_until_it_is_mended(tmp_path: Path) -> None:
    session = Session(tmp_path)
    assert session.save("shapes.py", LIBRARY) == []
    wider = LIBRARY.replace("height)", "height, depth)")
    assert session.save("shapes.py", wider) == ["`area` needs `depth`"]
    assert session.pending.files() == {"use.py"}
    # Another save that has nothing to do with it.
    assert session.save("shapes.py", wider + "\n\nx = 1\n") == ["`area` needs `depth`"]
    (hint,) = broken_elsewhere(session.pending, "shapes.py")
    assert (hint.code, hint.message) == (BREAKS, "this change breaks 1 place in another file")
    assert broken_elsewhere(session.pending, "use.py") == []
    # A place in the other file leads to it, too.
    found = session.pending.findings("use.py")[0]
    assert [c.path for c in session.pending.about("use.py", found.span.start, found.span.start)] == ["shapes.py"]
    assert session.pending.about("use.py", 0, 1) == []
    assert session.save("use.py", USE.replace("1, 2", "1, 2, 3")) == []
    assert session.pending.found == {}


def test_taking_the_change_back_mends_it(tmp_path: Path) -> None:
    session = Session(tmp_path)
    assert session.save("shapes.py", LIBRARY.replace("area", "surface")) == ["module `shapes` has no `area`"]
    assert session.save("shapes.py", LIBRARY) == []
    assert session.pending.found == {}


def test_a_file_that_does_not_parse_for_a_while(tmp_path: Path) -> None:
    session = Session(tmp_path)
    wider = LIBRARY.replace("height)", "height, depth)")
    assert session.save("shapes.py", wider) == ["`area` needs `depth`"]
    assert session.save("shapes.py", wider + "def broken(:\n") == ["`area` needs `depth`"]
    assert session.save("shapes.py", wider) == ["`area` needs `depth`"]


def test_stale_arguments_hold_for_the_text_they_were_found_in(tmp_path: Path) -> None:
    session = Session(tmp_path)
    turned = LIBRARY.replace("width, height)", "height, width)")
    stale = ["this was `width` of `area`, and is now `height`"]
    assert session.save("shapes.py", turned) == stale
    assert session.save("shapes.py", turned + "\n\nx = 1\n") == stale
    assert session.save("use.py", USE.replace("1, 2", "2, 1")) == []
    assert session.save("shapes.py", turned) == []
