"""Notebooks as one text, and cells that come and go."""

from graft_server.notebooks import SUFFIX, Notebooks
from graft_server.session import Session
from graft_server.workspace import Document


def documents(**texts: str) -> dict[str, Document]:
    return {uri: Document.of(uri, "", "python", 1, text) for uri, text in texts.items()}


def opened(*cells: str) -> Notebooks:
    made = Notebooks()
    made.open("nb", "/w/nb.ipynb", cells)
    return made


def test_a_cell_stands_between_its_neighbours() -> None:
    books, docs = opened("a", "b", "c"), documents(a="import os\n", b="os.", c="x = 1")
    whole = books.whole("b", docs)
    assert whole is not None
    assert whole.text == "import os\n\n\nos.\n\nx = 1"
    assert whole.text[whole.start :].startswith("os.")
    assert whole.path == "/w/nb.ipynb" + SUFFIX


def test_magics_become_comments_of_the_same_length() -> None:
    books, docs = opened("a", "b"), documents(a="%matplotlib inline\n!pip install x\n  %%time\nx = 7 % 2\n", b="é = 1")
    whole = books.whole("b", docs)
    assert whole is not None
    assert whole.text.startswith("#matplotlib inline\n#pip install x\n  #%time\nx = 7 % 2\n\n\n")
    assert whole.text.encode()[whole.start :] == "é = 1".encode()


def test_what_only_looks_like_a_magic_is_python() -> None:
    code = '%ls\ndef f(a):\n    """Is it odd?\n    %no\n    """\n    return (a\n        % 2)\n'
    books, docs = opened("a", "b"), documents(a=code, b="x = !é\ny?")
    whole = books.whole("b", docs)
    assert whole is not None
    assert whole.text == "#" + code[1:] + "\n\nx = _# \n#?"


def test_cells_that_come_and_go() -> None:
    books, docs = opened("a", "b"), documents(a="a = 1", b="b = 2", c="c = 3")
    books.splice("nb", 1, 1, ["c"])
    assert books.whole("b", docs) is None
    whole = books.whole("c", docs)
    assert whole is not None and whole.text == "a = 1\n\nc = 3"
    books.splice("gone", 0, 9, ["x"])
    books.splice("nb", 99, 5, ["b"])
    assert books.whole("b", docs) is not None
    assert books.path_of("nb") == "/w/nb.ipynb" + SUFFIX and books.path_of("gone") == ""
    assert books.close("nb") == ["a", "c", "b"]
    assert books.whole("a", docs) is None and books.close("nb") == []


def test_a_snapshot_of_a_cell_is_the_whole_notebook() -> None:
    session = Session()
    session.documents.update(documents(a="import os\n", b="os."))
    session.notebooks.open("nb", "", ["a", "b"])
    _, made, base = session.snapshot(session.documents["b"], 3, selected=(3, 3, "path"))
    assert made.text.encode()[: made.offset] == b"import os\n\n\nos."
    assert made.offset + base == 3 and made.selected == (made.offset, made.offset, "path")
