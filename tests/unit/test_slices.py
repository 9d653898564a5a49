"""Long questions in slices: others get their turn in between, and a change of the graph begins anew."""

import time
from collections.abc import Generator
from pathlib import Path

from graft_indexer.graph import SymbolGraph
from graft_indexer.pygraph import open_graph
from graft_server.slices import SLICE_MS, sliced
from graft_server.workspace import GraphThread


def thread(root: Path) -> GraphThread:
    (root / "a.py").write_text("x = 1\n")
    return GraphThread(str(root), lambda: open_graph(root))


async def test_others_are_answered_between_two_slices(tmp_path: Path) -> None:
    graph = thread(tmp_path)
    order: list[str] = []

    def work(_: SymbolGraph) -> Generator[None, None, str]:
        for number in range(3):
            order.append(f"step {number}")
            time.sleep(SLICE_MS * 1.5 / 1000)
            yield
            if number == 0:
                graph.submit(lambda _: order.append("key press"), 0)
        return "done"

    assert await sliced(graph, work) == "done"
    assert order.index("key press") < order.index("step 2")
    graph.close()


async def test_a_changed_graph_begins_anew(tmp_path: Path) -> None:
    graph = thread(tmp_path)
    begun: list[str | None] = []

    def work(known: SymbolGraph) -> Generator[None, None, str | None]:
        begun.append(known.text("a.py"))
        for _ in range(2):
            time.sleep(SLICE_MS * 1.5 / 1000)
            yield
            if len(begun) == 1:
                graph.sync("a.py", "x = 2\n")
        return known.text("a.py")

    assert await sliced(graph, work) == "x = 2\n"
    assert begun == ["x = 1\n", "x = 2\n"]
    graph.close()


async def test_trial_edits_of_the_work_itself_do_not(tmp_path: Path) -> None:
    graph = thread(tmp_path)
    begun = 0

    def work(known: SymbolGraph) -> Generator[None, None, int]:
        nonlocal begun
        begun += 1
        for _ in range(3):
            known.open_buffer("a.py", "x = 3\n")
            known.close_buffer("a.py")
            time.sleep(SLICE_MS * 1.5 / 1000)
            yield
        return begun

    assert await sliced(graph, work) == 1
    graph.close()


async def test_work_that_nobody_wants_any_more_ends(tmp_path: Path) -> None:
    graph = thread(tmp_path)
    steps = 0

    def work(_: SymbolGraph) -> Generator[None, None, int]:
        nonlocal steps
        while True:
            steps += 1
            time.sleep(SLICE_MS * 1.5 / 1000)
            yield

    assert await sliced(graph, work, valid=lambda: steps < 3) is None
    assert steps == 3
    graph.close()
