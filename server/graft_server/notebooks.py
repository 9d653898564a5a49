"""Open notebooks: a cell is completed as part of the whole, with the cells above before it and those below after it.

Knows no protocol.  Lines that are no Python (`%magic`, `!command`) are made Python of the same length, as in notebooks
on disk, so that every byte stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graft_indexer.cells import python_of
from graft_indexer.text import encode
from graft_server.workspace import Document

SUFFIX = ".py"
"""Put behind a notebook's path where the graph must know the language."""


@dataclass(slots=True)
class Notebook:
    """`path` is absolute, empty for one that is no file; `cells` are the addresses of its code cells, in order."""

    uri: str
    path: str
    cells: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Whole:
    """A notebook as one text; the cell's own begins at byte `start`."""

    path: str
    text: str
    start: int


class Notebooks:
    """The notebooks that are open, by address."""

    def __init__(self) -> None:
        self._open: dict[str, Notebook] = {}
        self._of_cell: dict[str, str] = {}

    def open(self, uri: str, path: str, cells: Sequence[str]) -> None:
        """A notebook was opened with these code cells."""
        self._open[uri] = Notebook(uri, path, list(cells))
        self._of_cell |= dict.fromkeys(cells, uri)

    def splice(self, uri: str, start: int, delete: int, cells: Sequence[str]) -> None:
        """Cells from `start` on were replaced; what lies past the end counts as the end."""
        notebook = self._open.get(uri)
        if notebook is None:
            return
        for gone in notebook.cells[start : start + delete]:
            self._of_cell.pop(gone, None)
        notebook.cells[start : start + delete] = cells
        self._of_cell |= dict.fromkeys(cells, uri)

    def close(self, uri: str) -> list[str]:
        """A notebook was closed; the addresses of its cells."""
        notebook = self._open.pop(uri, None)
        for cell in notebook.cells if notebook is not None else ():
            self._of_cell.pop(cell, None)
        return notebook.cells if notebook is not None else []

    def path_of(self, uri: str) -> str:
        """The path by which the graph knows an open notebook, empty for one that is not open."""
        notebook = self._open.get(uri)
        return (notebook.path or notebook.uri) + SUFFIX if notebook is not None else ""

    def whole(self, cell: str, documents: Mapping[str, Document]) -> Whole | None:
        """The notebook around a cell as one text, None for an address that is no code cell."""
        notebook = self._open.get(self._of_cell.get(cell, ""))
        if notebook is None or cell not in documents:
            return None
        at = notebook.cells.index(cell)
        above = "".join(_source(documents[c]) + "\n\n" for c in notebook.cells[:at] if c in documents)
        below = "".join("\n\n" + _source(documents[c]) for c in notebook.cells[at + 1 :] if c in documents)
        path = self.path_of(notebook.uri)
        return Whole(path, above + _source(documents[cell]) + below, len(above.encode("utf-8", "surrogateescape")))


def _source(document: Document) -> str:
    if document.language != "python":
        return ""
    written = encode(document.text)
    read = python_of(written)
    return document.text if read is written else read.decode("utf-8", "surrogateescape")
