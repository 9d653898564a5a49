"""Questions about places: an offset may be that of a text that was longer, asked while a shorter one came in."""

import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from graft_indexer.locate import word_at
from graft_indexer.pygraph import PyGraph, open_graph

SAMPLES = sorted(p.name for p in (Path(__file__).parent / "samples").iterdir() if p.is_file())


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PyGraph]:
    root = tmp_path_factory.mktemp("samples")
    shutil.copytree(Path(__file__).parent / "samples", root, dirs_exist_ok=True)
    (root / "python.py").write_text("class A:\n    def f(self): ...\n\n\nA().f\n")
    graph = open_graph(root)
    yield graph
    graph.close()


def questions(graph: PyGraph) -> list[str]:
    """Names of all questions about an offset in a file."""
    methods = {n: m for n in dir(graph) if not n.startswith("_") and callable(m := getattr(graph, n))}
    return [n for n, m in methods.items() if [*inspect.signature(m).parameters][:2] == ["path", "offset"]]


@pytest.mark.parametrize("path", ["python.py", *SAMPLES])
def test_a_place_behind_the_end_has_no_name(graph: PyGraph, path: str) -> None:
    asked = questions(graph)
    assert {"definition_at", "members_at", "visible_names"} <= set(asked)
    size = len((graph.text(path) or "").encode())
    for text in (None, "x"):
        if text is not None:
            graph.open_buffer(path, text)
        for offset in (size + 1, size + 1000):
            for name in asked:
                getattr(graph, name)(path, offset)
            assert not graph.definition_at(path, offset).value
        graph.close_buffer(path)


def test_words() -> None:
    data = "a.é1 = 2x".encode()
    words = [word_at(data, at) for at in range(len(data) + 2)]
    assert [data[w.start : w.end].decode() if w else None for w in words] == [
        *("a", "a", "é1", "é1", "é1", "é1"), *(None, None, None, None, None, None)]  # fmt: skip
