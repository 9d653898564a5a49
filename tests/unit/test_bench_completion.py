"""`graft bench replay` and `graft bench complete`: items from real files, a person's session, all arms, bad input."""

import argparse
import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graft_indexer.pygraph import open_graph
from graft_models.engine import Request, ScriptedAnswer
from graft_models.scripted import ScriptedEngine
from graft_server import engines
from graft_server.benches import complete, replay
from graft_server.benches.code_items import (
    Key,
    Spot,
    code_lines,
    edit_similarity,
    files,
    folders,
    keys,
    right_so_far,
    spots,
    workspace,
)
from graft_server.benches.complete import call_of
from graft_server.benches.contexts import ARMS, COUNTED, Repository, parts_of
from graft_server.benches.replay_jedi import finished
from graft_server.benches.replay_person import Judgement, chooser, play
from graft_server.benches.replay_record import Offer, Said
from graft_server.completion.confidence import Variant
from graft_server.completion.graphonly import FEATURES, Guess
from graft_server.errors import UserError

SHAPES = '''"""Shapes."""


class Shape:
    """Has an area."""

    def __init__(self, width: int) -> None:
        self.width = width

    def area(self) -> int:
        return self.width * self.width


def make_shape(width: int) -> Shape:
    # A shape.
    return Shape(width)
'''
MAIN = '''"""Uses shapes."""

from .shapes import make_shape


def total(widths: list[int]) -> int:
    result = 0
    for width in widths:
        shape = make_shape(width)
        result += shape.area()
    return result
'''


def package(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    for name, text in (("shapes", SHAPES), ("main", MAIN)):
        (folder / f"{name}.py").write_text(text + "\n" * 40)
    (folder / "__init__.py").write_text("")
    return folder


def test_code_lines_are_no_comments_and_no_documentation(tmp_path: Path) -> None:
    root = workspace(package(tmp_path), tmp_path / "work")
    found = {path: (text, tree) for path, text, tree in files(root, least=5)}
    text, tree = found["pack/shapes.py"]
    lines = [text.split("\n")[n - 1].strip() for n in code_lines(text, tree)]
    assert "class Shape:" in lines and "return Shape(width)" in lines
    assert not any("Shapes." in line or "# A shape" in line for line in lines)


def test_what_is_hidden_and_the_rest_make_the_file(tmp_path: Path) -> None:
    root = workspace(package(tmp_path), tmp_path / "work")
    found = spots("pack", root, 2, 3, random.Random(1))
    assert {s.kind for s in found} == {"edit", "write"}
    for spot in found:
        assert spot.before + spot.hidden + spot.after == (root / spot.path).read_text()


def test_keys_type_the_line_and_close_pairs() -> None:
    spot = Spot("p", "a.py", 2, "x = 1\n", "    y = f([1], 'a')", "\nz", "edit", 1)
    found = list(keys(0, spot))
    assert found[0].before == "x = 1\n    " and found[0].after == "\nz"
    assert [k.after.partition("\n")[0] for k in found] == [
        *("", "", "", "", "", ""),
        *(")", "])", "])", ")", ")", ")", "')", "')"),
        ")",
    ]
    assert all(k.before + k.truth == "x = 1\n    y = f([1], 'a')" for k in found)


def test_right_is_what_the_person_types_up_to_the_end_of_a_word() -> None:
    assert right_so_far("foo", "foo(x)") and right_so_far("foo(x)", "foo(x)")
    assert not right_so_far("fo", "foo(x)") and not right_so_far("", "x") and not right_so_far("bar", "foo")


def test_edit_similarity() -> None:
    assert edit_similarity("", "") == 1.0
    assert edit_similarity("abc", "abd") == pytest.approx(2 / 3)
    assert edit_similarity("abc", "") == 0.0


def variants(*texts: str) -> tuple[Variant, ...]:
    return tuple(Variant(text, (), -0.1) for text in texts if text)


def said(column: int, truth: str, text: str = "", guess: str = "", line: int = 0, **off: str) -> Said:
    def offer(text: str) -> Offer:
        return Offer(variants(text), text)

    made = Guess(guess, tuple(0.0 for _ in FEATURES)) if guess else None
    offers = {"": offer(text)} | {gate: offer(said) for gate, said in off.items()}
    return Said(Key(0, line, column, "x", "", truth), offers, offer(text), made, False, True)


EVERYTHING = Judgement(lambda o: (o.text, 0.0), lambda g: (True, 0.0))


def test_a_right_suggestion_is_taken_and_saves_all_but_one_key() -> None:
    line = "compute(x)"
    session = play([said(n, line[n:], line[n:] if n == 2 else "") for n in range(len(line))], chooser(EVERYTHING))
    assert (session.typed, session.saved, len(session.showings), session.right) == (10, 7, 1, 1)
    assert session.showings[0].whole


def test_a_wrong_suggestion_stays_while_it_is_typed_and_counts_once() -> None:
    line = "compute(x)"
    texts = {0: "com(y)", 1: "never seen", 4: "wrong"}
    session = play([said(n, line[n:], texts.get(n, "")) for n in range(len(line))], chooser(EVERYTHING))
    assert [s.text for s in session.showings] == ["com(y)", "wrong"]
    assert session.saved == 0


def test_the_graph_speaks_where_the_model_is_silent_and_where_it_saves_more() -> None:
    keys = [said(0, "compute(x)", "", "compute")]
    assert play(keys, chooser(EVERYTHING)).showings[0].source == "graph"
    assert not play(keys, chooser(EVERYTHING, fallback=False)).showings
    both = [said(0, "compute(x)", "com", "compute")]
    sure = Judgement(lambda o: (o.text, 0.9), lambda g: (True, 0.8))
    assert play(both, chooser(sure)).showings[0].text == "compute"
    assert play(both, chooser(EVERYTHING)).showings[0].text == "com"
    asked = tuple(float(name == "missed") for name in FEATURES)
    longer = [replace(said(0, "compute(x)", "compute(y)"), guess=Guess("compute", asked))]
    assert play(longer, chooser(sure)).showings[0].text == "compute"


def test_the_variant_that_is_shown_is_taken_and_weighed_against_the_guess() -> None:
    cut = Judgement(lambda o: (o.variants[-1].text, 0.9), lambda g: (True, 0.8))
    keys = [said(n, "compute(x)"[n:]) for n in range(10)]
    keys[0].offers[""] = Offer(variants("compute(y)", "compute("), "compute(y)")
    session = play(keys, chooser(cut))
    assert [(s.text, s.right, s.source) for s in session.showings] == [("compute(", True, "model")]
    assert session.saved == 7
    keys[0] = replace(keys[0], guess=Guess("compute(x)", tuple(0.0 for _ in FEATURES)))
    assert play(keys, chooser(cut)).showings[0].source == "graph"


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ('x = b"HTTP', 'x = b"HTTP"\n'),
        ('f(a, "b', 'f(a, "b")\n'),
        ("if a", "if a:\n    pass\n"),
        ("x = f(a", "x = f(a)\n"),
    ],
)
def test_jedi_reads_a_file_whose_statement_was_finished(whole: str, expected: str) -> None:
    assert finished(whole, "\n") == expected


def test_a_gate_that_is_off_shows_what_it_would_have_kept_back() -> None:
    keys = [said(0, "compute(x)", "", names="nonsense")]
    assert not play(keys, chooser(EVERYTHING)).showings
    assert play(keys, chooser(EVERYTHING, "names")).showings[0].text == "nonsense"


def test_lines_are_sessions_of_their_own() -> None:
    first = [said(n, "ab"[n:], "ax") for n in range(2)]
    second = [said(n, "cd"[n:], "cd" if n == 0 else "", line=1) for n in range(2)]
    session = play([*first, *second], chooser(EVERYTHING))
    assert [s.text for s in session.showings] == ["ax", "cd"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(a, [1]) + 2", "f(a, [1])"),
        ("a.b(c)(d)", "a.b(c)"),
        ("name + 1", "name"),
        ("f(  a,\tb)", "f( a, b)"),
        ("f(a", "f(a"),
        ("+ 1", ""),
    ],
)
def test_the_call_at_the_cursor(text: str, expected: str) -> None:
    assert call_of(text) == expected


def test_every_arm_stays_in_its_budget_and_only_the_oracle_sees_the_answer(tmp_path: Path) -> None:
    root = workspace(package(tmp_path), tmp_path / "work")
    texts = {path: text for path, text, _ in files(root, least=5)}
    path, text = "pack/main.py", texts["pack/main.py"]
    at = text.index("make_shape(width)\n        result")
    before, after = text[:at], "\n" + text[at:].partition("\n")[2]
    graph = open_graph(root)
    try:
        graph.open_buffer(path, before + after)
        found = {
            arm: parts_of(arm, graph, Repository(texts), path, before, after, "make_shape(width)", 200) for arm in ARMS
        }
    finally:
        graph.close()
    assert found["in_file"] == ()
    assert any("def make_shape(width: int) -> Shape:" in p.text for p in found["oracle"])
    for parts in found.values():
        assert sum(len(p.text) for p in parts) / 3.5 <= 200
        assert all(p.path != path for p in parts)


def arguments(module: Any, *given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args([*given])


def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Request) -> ScriptedAnswer:
        # Repeats the last line that begins like the cursor's.
        typed = request.hole.typed
        lines = [line for line in request.hole.prefix.split("\n") if line.startswith(typed) and line != typed]
        return ScriptedAnswer((lines[-1][len(typed) :] if lines else "nothing") + "\n")

    def choose(settings: object) -> tuple[ScriptedEngine, Any]:
        engine = ScriptedEngine(answer)
        return engine, engine.status

    monkeypatch.setattr(engines, "choose", choose)


def test_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    dump = tmp_path / "dump.jsonl"
    figures = replay.run(
        arguments(replay, "--packages", str(package(tmp_path)), "--files", "2", "--items", "2", "--judge", "5",
                  "--dump", str(dump))
    )  # fmt: skip
    rows = [json.loads(line) for line in dump.read_text().splitlines()]
    assert figures["keys"] == len(rows) == figures["typed_characters"] > 20
    assert figures["files"] == 2 and figures["model"] == "scripted"
    assert 0 <= figures["right"] <= figures["shown"] and figures["off_filter_shown"] >= figures["shown"]
    assert figures["jedi_truth_unresolved_percent"] == 0.0
    assert all(re.match(r"[a-z_\-]+$", name) for name in figures)


def test_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    counted: list[tuple[str, ...]] = []
    ask = complete._ask

    async def asking(engine: Any, item: Any, parts: Any, near: Any, *more: Any) -> None:
        counted.append(tuple(n.path for n in near))
        await ask(engine, item, parts, near, *more)

    monkeypatch.setattr(complete, "_ask", asking)
    figures = complete.run(arguments(complete, "--packages", str(package(tmp_path)), "--items", "4", "--parts"))
    # In each arm in turn: what stands for the product and the oracle counts the files near.
    arms = list(complete.arms_of(True).values())
    assert [bool(near) for near in counted[: len(arms)]] == [source in COUNTED for source, _ in arms]
    assert all("pack/" in path for near in counted for path in near)
    assert 2 <= figures["items"] <= 4 and figures["call_items"] >= 1
    for arm in ARMS:
        assert 0 <= figures[f"{arm}_line_exact_percent"] <= 100
        assert figures[f"{arm}_bits_per_character"] > 0
    assert "only_definition_bits_per_character" in figures and "no_usage_bits_per_character" in figures


def test_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    with pytest.raises(UserError, match="is no folder"):
        folders([tmp_path / "gone"])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="no Python files"):
        replay.run(arguments(replay, "--packages", str(empty)))
    with pytest.raises(UserError, match="at least"):
        replay.run(arguments(replay, "--packages", str(empty), "--files", "0"))
    with pytest.raises(UserError, match="at least"):
        complete.run(arguments(complete, "--packages", str(empty), "--items", "1"))
