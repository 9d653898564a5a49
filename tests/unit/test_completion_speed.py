"""The keystroke path without the model, in processor time of the event loop: wall time would measure others."""

import time

from graft_indexer.text import Lines
from graft_models.scripted import ScriptedEngine
from graft_server.completion.pipeline import Pipeline
from graft_server.session import Session
from graft_server.settings import Settings
from graft_server.workspace import Document

FUNCTION = '''def function_{n}(first, second):
    """Adds two numbers, and says so ({n})."""
    total = first + second
    if total > {n}:
        print("large", total)
    return total


'''


def p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


async def test_a_key_press_in_a_file_of_5000_lines() -> None:
    text = "".join(FUNCTION.format(n=n) for n in range(625))
    assert text.count("\n") == 5000
    document = Document.of("file:///big.py", "", "python", 1, text)
    settings = Settings(completion_delay="none")
    engine = ScriptedEngine(["rst + second\n"])
    pipeline = Pipeline(None, lambda: engine, lambda: settings)
    session = Session()
    line = 2500
    typed = "    answer = first + second * total"
    document.change((line, 0), (line, 0), "\n", "utf-16")
    costs: list[float] = []
    for column, character in enumerate(typed):
        began = time.thread_time()
        document.change((line, column), (line, column), character, "utf-16")
        offset = document.lines.offset(line, column + 1, "utf-16")
        _, snapshot, base = session.snapshot(document, offset)
        await pipeline.complete(snapshot)
        costs.append(1000 * (time.thread_time() - began))
        assert base == 0
    assert document.lines.starts == Lines(document.data).starts
    # Parsing of the surroundings included: without a graph's thread the gates parse here.
    assert p95(costs) < 40, costs
    changes = []
    for column in range(200):
        began = time.thread_time()
        document.change((line, column % 5), (line, column % 5), "x", "utf-16")
        document.lines.offset(line, 1, "utf-16")
        changes.append(1000 * (time.thread_time() - began))
    assert p95(changes) < 10, changes
