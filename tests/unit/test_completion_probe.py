"""Asking the graph about a half-typed line, whatever the document's line breaks."""

from pathlib import Path

import pytest

from graft_indexer.pygraph import open_graph
from graft_server.completion.anchor import place_of
from graft_server.completion.model import Snapshot
from graft_server.completion.probe import probing

TEXT = (
    "class Basket:\n    def __init__(self):\n        self.total_price = 1\n\n\nbasket = Basket()\np = basket.total_\n"
)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_members_before_the_name_that_was_begun(tmp_path: Path, newline: str) -> None:
    text = TEXT.replace("\n", newline)
    (tmp_path / "main.py").write_bytes(text.encode())
    graph = open_graph(tmp_path)
    graph.open_buffer("main.py", text)
    place = place_of(Snapshot("main.py", text, text.index("total_" + newline) + len("total_")))
    with probing(graph, "main.py", place) as offset:
        answer = graph.members_at("main.py", offset - len("total_") - 1)
    assert "total_price" in [s.name for s in answer.value]
    assert graph.text("main.py") == text
    graph.close()
