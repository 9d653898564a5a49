"""`graft complete`: places, bad input, and that a batch item's answer on disk never reaches a prompt."""

import asyncio
import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_indexer.text import Lines
from graft_models.prompt import GRAFT, segments
from graft_models.scripted import ScriptedEngine
from graft_server.cli import main
from graft_server.commands.complete import BatchItem, Workbench, complete_item, offset_of, parse_place, read_batch
from graft_server.completion.pipeline import Pipeline
from graft_server.errors import UserError
from graft_server.session import graph_thread, open_graph
from graft_server.settings import Settings

PLANTED = "the_answer_is_forty_two"


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CACHE_DIR", "DATA_DIR", "LOG_DIR", "CONFIG"):
        monkeypatch.setenv(f"GRAFT_{name}", str(tmp_path / "places" / name))


async def test_what_lies_on_disk_never_reaches_a_prompt(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    prefix = "import math\n\n\ndef area(radius):\n    "
    suffix = "\n\n\ndef other(radius):\n    return area(radius)\n"
    # Both the name that the answer defines and its text stand in the file on disk only.
    (root / "shapes.py").write_text(f"{prefix}{PLANTED} = math.pi\n    return {PLANTED} * radius{suffix}")
    (root / "user.py").write_text("from shapes import area\n\n\ndef use():\n    return area(3)\n")
    engine = ScriptedEngine(["return math.pi * radius\n"])
    graph = graph_thread(open_graph, str(root), Settings())
    pipeline = Pipeline(graph, lambda: engine, Settings, root=str(root), repository="project", patient=True)
    bench = Workbench(pipeline, graph, engine, Settings(), "")
    await asyncio.wrap_future(graph.submit(lambda g: None))
    try:
        answer = await complete_item(bench, BatchItem("one", "shapes.py", prefix, suffix, "line", 32))
        prompts = ["".join(s.text for s in segments(GRAFT, r.hole)) + r.hole.typed for r in engine.requests]
        again = await complete_item(
            bench, BatchItem("two", "user.py", "from shapes import area\nx = ", "\n", "line", None)
        )
    finally:
        await bench.close()
    assert len(prompts) == 1
    assert not any(PLANTED in prompt for prompt in prompts)
    assert answer.pop("ms") >= 0
    assert answer == snapshot(
        {
            "id": "one",
            "text": "return math.pi * radius",
            "score": -0.1,
            "shown": True,
            "gates": [
                {"gate": "parses", "passed": True, "detail": ""},
                {"gate": "names", "passed": True, "detail": ""},
            ],
            "source": "model",
            "tokens": {"prompt": 0, "evaluated": 0, "generated": 0},
        }
    )
    # The next item sees the file on disk again: it is another file's context now.
    assert again["id"] == "two"


def test_places() -> None:
    assert parse_place("a/b.py:3:4") == (Path("a/b.py"), 3, 4)
    assert parse_place("c:d.py:3:4") == (Path("c:d.py"), 3, 4)
    for bad in ("a.py", "a.py:3", "a.py:0:1", "a.py:x:1", ":1:1"):
        with pytest.raises(UserError):
            parse_place(bad)


def test_columns_are_code_points() -> None:
    lines = Lines.of("s = '😀' + \nx")
    assert offset_of(lines, Path("a.py"), 1, 11) == 13
    with pytest.raises(UserError, match="there is no column 12"):
        offset_of(lines, Path("a.py"), 1, 12)
    with pytest.raises(UserError, match="there is no line 3"):
        offset_of(lines, Path("a.py"), 3, 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"id": 1, "prefix": "a"}', "must be strings"),
        ('{"id": 1, "prefix": "", "suffix": "", "mode": "word"}', "mode must be one of"),
        ('{"id": 1, "prefix": "", "suffix": "", "path": "../x.py"}', "relative to --root"),
        ('{"id": 1, "prefix": "", "suffix": "", "max_tokens": 0}', "positive"),
    ],
)
def test_bad_batch_lines(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"id": 0, "prefix": "", "suffix": ""}\n' + line + "\n")
    with pytest.raises(UserError, match=message) as caught:
        list(read_batch(file))
    assert f"{file}:2:" in str(caught.value)


def test_the_command_writes_one_answer_per_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "main.py").write_text("x = 1\n")
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    items = [
        {
            "id": "member",
            "path": "main.py",
            "prefix": "class A:\n    def paint(self): ...\n\n\nA().pai",
            "suffix": "\n",
        },
        {"id": "nothing", "prefix": "", "suffix": "", "mode": "block"},
    ]
    source.write_text("".join(json.dumps(i) + "\n" for i in items))
    assert main(["complete", "--batch", str(source), "--root", str(root), "--out", str(out), "--no-model"]) == 0
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(a["id"], a["text"], a["shown"]) for a in answers] == [("member", "nt", True), ("nothing", "", False)]
    assert set(answers[0]) >= {"id", "text", "score", "shown", "gates", "tokens", "ms"}
    assert "2 completions in" in capsys.readouterr().err


def test_bad_places_exit_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    assert main(["complete", f"{file}:9:1"]) == 2
    assert capsys.readouterr().err == f"graft complete: {file} has 2 lines; there is no line 9\n"
    assert main(["complete", f"{tmp_path}/missing.py:1:1"]) == 2
    assert main(["complete"]) == 2
    assert main(["complete", "--batch", "x.jsonl"]) == 2


def test_a_file_beside_the_current_project_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, other = tmp_path / "here", tmp_path / "other"
    for folder in (here, other):
        (folder / ".git").mkdir(parents=True)
    (other / "b.py").write_text("def total(items):\n    return sum(items)\n\n\nx = tot\n")
    monkeypatch.chdir(here)
    assert main(["complete", "--no-model", "../other/b.py:5:8"]) == 0
    assert capsys.readouterr().out == "al\n"


def test_a_model_that_does_not_run_is_one_line_and_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n\n")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF and no more")
    assert main(["complete", "--model", str(tmp_path / "bad.gguf"), f"{file}:2:1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["complete", "--no-model", f"{file}:2:1"]) == 0
    assert "nothing to suggest" in capsys.readouterr().err


def test_a_file_that_is_not_read_is_named_as_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "big.py"
    file.write_text("x=1;" * 100_000)
    assert main(["complete", "--no-model", f"{file}:1:9"]) == 0
    said = capsys.readouterr().err
    assert "the file was not read (generated: lines of more than 1500 bytes" in said
