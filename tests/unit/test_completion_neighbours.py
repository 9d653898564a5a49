"""Which files are counted beside the prompt, and that nothing secret is among them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import SymbolGraph
from graft_models.engine import Capabilities, ScriptedAnswer
from graft_models.scripted import ScriptedEngine
from graft_server.completion import decoding, neighbours
from graft_server.completion.anchor import place_of
from graft_server.completion.explain import explain
from graft_server.completion.model import Snapshot, Switches
from graft_server.completion.neighbours import MOST, PIECE, Neighbours, ranked
from graft_server.completion.options import Option, Options
from graft_server.completion.pipeline import Pipeline
from graft_server.session import graph_thread, open_graph
from graft_server.settings import Settings
from graft_server.workspace import NORMAL
from graft_testing.graphs import graph_of

TREE = """
//- /shop/cart.py
from shop.prices import total
from .deep.tax import rate
import json
import decimal
x = 1$0
//- /shop/cart_view.py
y = 1
//- /shop/zebra.py
import json
import decimal
//- /shop/other.py
z = 1
//- /shop/prices.py
def total(): ...
//- /shop/deep/tax.py
rate = 1
//- /far/away.py
a = 1
//- /shop/notes.md
text
"""


def test_imported_first_then_alike() -> None:
    with graph_of(TREE) as fixed:
        got = ranked(fixed.graph, "shop/cart.py")
    assert set(got[:2]) == {"shop/prices.py", "shop/deep/tax.py"}
    assert got[2] == "shop/zebra.py", "the same imports"
    assert got.index("shop/cart_view.py") < got.index("shop/other.py") < got.index("far/away.py")
    assert "shop/cart.py" not in got and "shop/notes.md" not in got


def test_secrets_are_masked_and_ignored_files_left_out() -> None:
    source = (
        "//- /a.py\nx = 1$0\n//- /b.py\npassword = 'Zx81kQ9vLmPq7'\n//- /c_secret.py\nc = 1\n//- /d.py\nd = 1\n"
        "//- /.graftignore\nd.py\n//- /empty.py\n\n"
    )
    with graph_of(source) as fixed:
        near = Neighbours()
        got = near.of(fixed.graph, "a.py", ("**/*secret*",))
        assert [n.path for n in got] == ["b.py"]
        assert "Zx81" not in got[0].text and "****" in got[0].text
        assert near.of(fixed.graph, "a.py", ("**/*secret*",))[0] is got[0]
        fixed.graph.open_buffer("b.py", "b = 2\n")
        changed = near.of(fixed.graph, "a.py", ("**/*secret*",))[0]
        assert changed.text == "b = 2\n" and changed.digest != got[0].digest


def test_files_read_through_a_view_are_no_neighbours_and_give_no_windows() -> None:
    code = "".join(f"alpha_{n} = beta_gamma(delta_{n}, epsilon)\n" for n in range(12))
    book = json.dumps({"cells": [{"cell_type": "code", "source": code.splitlines(keepends=True)}], "metadata": {}})
    source = (
        f"//- /a.py\n{code}$0\n//- /n.ipynb\n{book}\n//- /b.py\n{code}//- /p.html\n<script>{code}</script>\n"
        f"//- /q.html\n<script>{code}</script>\n"
    )
    with graph_of(source) as fixed:
        assert {"n.ipynb", "p.html", "q.html"} <= set(fixed.graph.paths())
        windows = fixed.graph.usages(*fixed.here, limit=9)
        assert {w.path for w in windows} == {"b.py"}
        assert ranked(fixed.graph, "q.html") == []
        assert ranked(fixed.graph, "a.py") == ["b.py"]


def test_not_more_than_are_good() -> None:
    source = "//- /a.py\nx = 1$0\n" + "".join(f"//- /m{n}.py\nx = {n}\n" for n in range(MOST + 8))
    with graph_of(source) as fixed:
        assert len(Neighbours().of(fixed.graph, "a.py")) == MOST


@pytest.mark.parametrize(
    ("counts", "switched", "wanted"),
    [(True, True, True), (True, False, True), (False, True, True), (True, True, False)],
)
async def test_only_engines_that_count_are_given_them(
    tmp_path: Path, counts: bool, switched: bool, wanted: bool
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("y = 1\n")
    settings = Settings(completion_delay="none", completion_context=wanted)
    graph = graph_thread(open_graph, str(tmp_path), settings)
    graph.submit(lambda g: None).result()
    engine = ScriptedEngine(["1\n"], capabilities=Capabilities(infill=True, score=True, counts=counts))
    pipeline = Pipeline(
        graph,
        lambda: engine,
        lambda: settings,
        root=str(tmp_path),
        switches=Switches(neighbours=switched),
        patient=True,
    )
    snapshot = Snapshot("a.py", "x = 1\nz = \n", 10)
    await pipeline.complete(snapshot)
    # The classic list is ordered by what is counted for ghost text.
    names = tuple(Option(n, DefinitionKind.VARIABLE, "", None) for n in "xy")
    await pipeline.ranked(engine, snapshot, place_of(snapshot), Options("", names, True, "name"))
    graph.close()
    asked = [engine.requests[0].hole, *(r.hole for r in engine.scored)]
    near = ["b.py"] if counts and switched and wanted else []
    assert len(asked) > 1 and [[n.path for n in hole.neighbours] for hole in asked] == [near] * len(asked)


ALIKE = "def area(width, height, unit):\n    return convert(width * height, unit)\n\n" * 3


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("alike", [True, False])
async def test_what_an_engine_that_counts_is_shown(tmp_path: Path, counts: bool, alike: bool) -> None:
    (tmp_path / "far.py").write_text("def distant(one: int) -> str: ...\n")
    (tmp_path / "near.py").write_text(ALIKE if alike else "def volume(x):\n    unit = 1\n    return width\n")
    text = "from far import distant\n\ndef f(width, height, unit):\n    distant(convert(width * height, unit))\n    "
    (tmp_path / "a.py").write_text(text)
    settings = Settings(completion_delay="none")
    graph = graph_thread(open_graph, str(tmp_path), settings)
    graph.submit(lambda g: None).result()
    engine = ScriptedEngine(["1\n"], capabilities=Capabilities(infill=True, score=True, counts=counts))
    pipeline = Pipeline(graph, lambda: engine, lambda: settings, root=str(tmp_path), patient=True)
    await pipeline.complete(Snapshot("a.py", text, len(text)))
    graph.close()
    kinds = {part.kind for part in engine.requests[0].hole.context}
    assert ("definition" in kinds) == (not counts), "signatures are for models that read them"
    assert ("usage" in kinds) == (alike or not counts), "windows must be much alike"


async def test_they_are_looked_for_between_decodes_a_file_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far").mkdir()
    text = "import json\nz = \nw = \n"
    (tmp_path / "a.py").write_text(text)
    for n in range(3 * PIECE):
        (tmp_path / "far" / f"m{n}.py").write_text(f"import json\nx = {n}\n")
    settings = Settings(completion_delay="none")
    graph = graph_thread(open_graph, str(tmp_path), settings)
    graph.submit(lambda g: None).result()
    jobs: list[list[str]] = []
    asked = graph.submit

    def submit(ask: Callable[[SymbolGraph], Any], priority: int = NORMAL) -> Future[Any]:
        def counted(g: SymbolGraph) -> Any:
            jobs.append([])
            return ask(g)

        return asked(counted, priority)

    def count(owner: object, name: str) -> None:
        before = getattr(owner, name)

        def counting(*given: Any) -> Any:
            jobs[-1].append(name)
            return before(*given)

        monkeypatch.setattr(owner, name, counting)

    count(neighbours, "_common")
    count(neighbours, "_names")
    count(Neighbours, "_made")
    monkeypatch.setattr(graph, "submit", submit)
    # Longer than it takes to judge an answer on a busy machine.
    monkeypatch.setattr(decoding, "QUIET_SECONDS", 1.0)
    engine = ScriptedEngine(
        [ScriptedAnswer("1 + 2 + 3 + 4\n", delay_ms=15)], capabilities=Capabilities(infill=True, counts=True)
    )
    pipeline = Pipeline(graph, lambda: engine, lambda: settings, root=str(tmp_path))

    def done() -> list[list[str]]:
        return [job for job in jobs if job]

    await pipeline.complete(Snapshot("a.py", text, text.index("z = ") + 4))
    assert not done(), "nothing while the decode asks"
    await pipeline.complete(Snapshot("a.py", text, text.index("w = ") + 4))
    assert not done(), "nor while the next one does"
    assert [r.hole.neighbours for r in engine.requests] == [(), ()]
    for _ in range(500):
        if sum(job.count("_made") for job in jobs) == MOST:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert {(len(set(job)), job[0]) for job in done()} == {(1, "_common"), (1, "_names"), (1, "_made")}
    assert max(job.count("_common") for job in jobs) == PIECE
    assert max(max(job.count("_names"), job.count("_made")) for job in jobs) == 1
    before = len(done())
    monkeypatch.setattr(decoding, "QUIET_SECONDS", 0.01)
    (shown,) = await pipeline.complete(Snapshot("a.py", text + "v = ", len(text) + 4))
    await asyncio.sleep(0.1)
    pipeline.cancel_all()
    graph.close()
    assert len(engine.requests[-1].hole.neighbours) == MOST
    assert len(done()) == before, "they stay near for a while"
    assert len(shown.counted) == MOST and f"- counted beside the prompt: {shown.counted[0]}, " in explain(shown)
