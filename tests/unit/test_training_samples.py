"""Where holes lie, which parts of other files come before them, and what is measured afterwards."""

import random
import sys
from pathlib import Path

import pytest

from graft_models.prompt import Hole
from graft_training import execution, holes, items
from graft_training.neighbours import Neighbours

SOURCE = '''"""A module about parcels."""

import math

from shop.units import Weight, convert


class Parcel:
    """One parcel."""

    def __init__(self, width, height, weight):
        self.width = width
        self.height = height
        self.weight = convert(weight, Weight.KILO)

    def price(self, distance, é=2):
        # a comment with several words in it
        base = math.sqrt(self.width * self.height) + distance
        if self.weight > 10:
            base = base * rate_of(self.weight, distance)
            return round(base, 2)
        return base
'''
UNITS = """
class Weight:
    KILO = "kg"
    POUND = "lb"


def convert(amount, unit):
    factor = FACTORS[unit]
    return amount * factor
"""
OTHER = "def unrelated_thing(alpha, beta):\n    gamma = alpha + beta\n    return gamma\n"


def drawn(kind: str, count: int = 60) -> list[holes.HoleSpan]:
    raw = SOURCE.encode()
    tree = holes.parse(raw)
    found = []
    for seed in range(count * 12):
        hole = holes.draw_hole(tree, raw, 0, random.Random(seed).randrange(len(raw)), random.Random(seed))
        if hole is not None and hole.kind == kind:
            found.append(hole)
    assert found, kind
    return found


@pytest.mark.parametrize("kind", ["line", "lines", "block"])
def test_anchored_holes_are_whole_lines(kind: str) -> None:
    raw = SOURCE.encode()
    for hole in drawn(kind):
        assert hole.start == 0 or raw[hole.start - 1 : hole.start] == b"\n"
        assert raw[hole.end - 1 : hole.end] == b"\n"
        assert raw[hole.start : hole.end].strip()
        if kind == "line":
            assert raw[hole.start : hole.end].count(b"\n") == 1


def test_cursor_holes_begin_at_a_line_start_and_end_inside_the_line() -> None:
    raw = SOURCE.encode()
    for hole in drawn("cursor"):
        assert hole.start == 0 or raw[hole.start - 1 : hole.start] == b"\n"
        assert b"\n" not in raw[hole.start : hole.end]
        assert raw[hole.start : hole.end].strip()


@pytest.mark.parametrize("kind", sorted(holes.KINDS))
def test_holes_never_split_a_character_and_rebuild_the_file(kind: str) -> None:
    raw = SOURCE.encode()
    for hole in drawn(kind):
        parts = raw[: hole.start], raw[hole.start : hole.end], raw[hole.end :]
        assert hole.end > hole.start
        assert "".join(p.decode() for p in parts) == SOURCE


def test_blocks_are_statements() -> None:
    raw = SOURCE.encode()
    texts = {raw[h.start : h.end].decode().strip() for h in drawn("block", 200)}
    assert any(t.startswith("if self.weight > 10:") and t.endswith("return round(base, 2)") for t in texts)


def test_parts_come_from_other_files_and_fit() -> None:
    around = Neighbours([("shop/parcel.py", SOURCE), ("shop/units.py", UNITS), ("shop/other.py", OTHER)])
    parts = around.best("shop/parcel.py", "self.weight = convert(weight, Weight.KILO)", 256)
    assert parts and {p.path for p in parts} == {"shop/units.py"}
    assert "def convert(amount, unit):" in "".join(p.text for p in parts)
    assert around.best("shop/parcel.py", "convert(Weight)", 1) == []


def test_training_parts_never_come_from_the_file_itself() -> None:
    around = Neighbours([("shop/parcel.py", SOURCE), ("shop/units.py", UNITS), ("shop/other.py", OTHER)])
    for seed in range(200):
        parts = around.parts("shop/parcel.py", "convert(weight)", "Parcel()", 256, 0.5, random.Random(seed))
        assert all(p.path != "shop/parcel.py" for p in parts)


def test_lines_worth_measuring() -> None:
    lines = items.candidates("shop", {"shop/parcel.py": SOURCE, "shop/units.py": UNITS})
    texts = [line.text.strip() for line in lines]
    assert "base = math.sqrt(self.width * self.height) + distance" in texts
    assert not any(t.startswith(("#", "import", "from", '"""')) for t in texts)
    for line in lines:
        whole = {"shop/parcel.py": SOURCE, "shop/units.py": UNITS}[line.path]
        assert f"{line.before}{line.text}\n{line.after}" == whole
        assert line.before.count("\n") == line.number - 1
    own = [line.text.strip() for line in lines if line.calls_own]
    assert own == ["self.weight = convert(weight, Weight.KILO)"]


def test_a_definition_is_no_call_of_its_name() -> None:
    files = {"a/x.py": "class A:\n    def __init__(self, value):\n        self.value = list(value)\n"}
    files["a/y.py"] = files["a/x.py"].replace("A:", "B:")
    assert not any(line.calls_own for line in items.candidates("a", files))


def test_drawing_lines_is_even_and_repeats() -> None:
    packages = {"a": {"a/x.py": SOURCE}, "b": {"b/x.py": SOURCE}}
    lines = items.draw(packages, 6, 1)
    assert [line.package for line in lines] == ["a"] * 3 + ["b"] * 3
    assert lines == items.draw(packages, 6, 1) != items.draw(packages, 6, 2)


@pytest.mark.parametrize(
    ("left", "right", "similarity"),
    [("", "", 1.0), ("abc", "abc", 1.0), ("abc", "", 0.0), ("kitten", "sitting", 4 / 7)],
)
def test_edit_similarity(left: str, right: str, similarity: float) -> None:
    assert items.edit_similarity(left, right) == pytest.approx(similarity)


def test_typed_part_keeps_the_indentation() -> None:
    assert items.typed_part("    return base", 0.0) == "    "
    assert items.typed_part("    return base", 0.6) == "    return"


def test_the_hole_of_a_typing_person_is_anchored() -> None:
    from graft_training.tasks import hole_of

    line = items.candidates("shop", {"shop/parcel.py": SOURCE})[0]
    hole = hole_of(line, items.typed_part(line.text, 0.3), True, ())
    assert isinstance(hole, Hole)
    assert hole.prefix.endswith("\n") and line.text.startswith(hole.typed)
    assert hole.suffix == line.after[: len(hole.suffix)] != ""
    assert hole_of(line, "", False, ()).suffix == ""


PROBLEM = execution.Problem(
    "t", "double", "def double(x):\n", "", "    return 2 * x\n", "def check(f):\n    assert f(2) == 4\n"
)


def test_answers_are_judged_by_running_them() -> None:
    answers = [
        "    return 2 * x\n",
        "    return x\n",
        "    return (\n",
        "    import socket; socket.create_connection(('192.0.2.1', 9), 1)\n",
    ]
    assert execution.judge([PROBLEM] * 4, answers) == [True, False, False, False]


def test_an_endless_answer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "SECONDS", 0.5)
    assert execution.judge([PROBLEM], ["    while True: pass\n"]) == [False]


def test_problems_are_read_plain_and_packed(tmp_path: Path) -> None:
    import gzip
    import json

    fields = ("task_id", "entry_point", "prompt", "suffix", "canonical_solution", "test")
    values = ("t", "double", "def double(x):\n", "", "    return 2 * x\n", "def check(f):\n    assert f(2) == 4\n")
    text = json.dumps(dict(zip(fields, values, strict=True))) + "\n"
    (tmp_path / "p.jsonl").write_text(text)
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert (
        execution.read_problems(tmp_path / "p.jsonl") == execution.read_problems(tmp_path / "p.jsonl.gz") == [PROBLEM]
    )


def test_bad_arguments_end_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from graft_training import evaluate

    assert evaluate.main([str(tmp_path / "no.gguf"), "--packages", str(tmp_path)]) == 2
    assert "no.gguf" in capsys.readouterr().err
    assert sys.version_info >= (3, 11)


def test_pieces_of_a_model_come_together_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graft_training import slot

    monkeypatch.setattr(slot, "STATE", tmp_path / "state")
    monkeypatch.setattr(slot, "PIECE_BYTES", 10)
    (tmp_path / "state").mkdir()
    model = bytes(range(115))
    (tmp_path / "state/model.gguf").write_bytes(model)
    (tmp_path / "state/log").write_text("a log\n")
    slot.collect(tmp_path / "out")
    pieces = list((tmp_path / "out").glob("piece-*"))
    assert len(pieces) == 12
    slot.join(pieces, tmp_path / "joined.gguf")
    assert (tmp_path / "joined.gguf").read_bytes() == model
    pieces[0].write_bytes(b"other")
    with pytest.raises(ValueError, match="pieces"):
        slot.join(pieces, tmp_path / "joined.gguf")
