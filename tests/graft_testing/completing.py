"""One completion through the whole pipeline: a fixture, what the scripted model says, what is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from graft_models.engine import ModelInfo, ScriptedAnswer, Status
from graft_models.scripted import ScriptedEngine
from graft_server.completion.model import Completion, Mode, Snapshot, Switches
from graft_server.completion.pipeline import Pipeline
from graft_server.edits import Edit, apply_edits
from graft_server.settings import Settings
from graft_server.workspace import GraphThread
from graft_testing.fixture import Fixture, parse_fixture


class Claiming(ScriptedEngine):
    """Says that its model has a certain name."""

    def __init__(self, said: list[str | ScriptedAnswer] | list[str], model: str) -> None:
        super().__init__(said)
        self._model = model

    @property
    def status(self) -> Status:
        """The engine's, with that name."""
        known = super().status
        return replace(known, model=ModelInfo(self._model, "", parameters=1)) if self._model else known


async def complete(
    source: str,
    said: str | ScriptedAnswer | list[str],
    *,
    language: str = "python",
    manual: bool = False,
    root: Path | None = None,
    settings: Settings | None = None,
    mode: Mode = "auto",
    newline: str = "\n",
    switches: Switches | None = None,
    selected: tuple[int, int, str] | None = None,
    count: int = 1,
    model: str = "",
) -> tuple[list[Completion], str, ScriptedEngine]:
    """(completions, the document's text, the engine that was asked).  With `root` the graph is real and reads there;
    `model` is the name that the engine's model claims."""
    fixture = with_newlines(parse_fixture(source), newline)
    engine = Claiming([said] if not isinstance(said, list) else said, model)
    graph = None
    if root is not None:
        from graft_indexer.pygraph import open_graph

        fixture.write(root)
        graph = GraphThread(str(root), lambda: open_graph(root))
        graph.submit(lambda g: None).result(30)
        graph.sync(fixture.path, fixture.text)
    try:
        chosen = settings or Settings(completion_delay="none")
        pipeline = Pipeline(
            graph, lambda: engine, lambda: chosen, root=str(root or ""), switches=switches, patient=True
        )
        snapshot = Snapshot(
            fixture.path, fixture.text, fixture.offset, language=language, manual=manual, mode=mode, selected=selected
        )
        return await pipeline.complete(snapshot, count), fixture.text, engine
    finally:
        if graph is not None:
            graph.close()


def with_newlines(fixture: Fixture, newline: str) -> Fixture:
    """The fixture with other line ends, its marks moved along."""
    if newline == "\n":
        return fixture
    marks = {
        n: (path, at + fixture.files[path].encode()[:at].count(b"\n") * (len(newline) - 1))
        for n, (path, at) in fixture.marks.items()
    }
    files = {path: text.replace("\n", newline) for path, text in fixture.files.items()}
    return replace(fixture, files=files, marks=marks)


def seen(completions: list[Completion], text: str) -> str:
    """The lines that the first shown suggestion changes, as they would be after accepting it, the cursor's end marked
    by `|`; `(silent: why)` if nothing is shown."""
    shown = next((c for c in completions if c.shown), None)
    if shown is None:
        reasons = [f"{v.gate}: {v.detail}" for c in completions for v in c.gates if not v.passed]
        return "(silent)" if not reasons else f"({reasons[-1]})"
    after = apply_edits(text, [Edit("x", shown.start, shown.end, shown.insert + "|")])
    first = text.encode()[: shown.start].count(b"\n")
    count = shown.insert.count("\n") + 1
    return "\n".join(after.split("\n")[first : first + count])
