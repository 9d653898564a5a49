"""The second stage: rows in repair's prompt and with the graph's parts, and the change from the first stage's rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from graft_models.prompt import GRAFT, Hole
from graft_training import data, items, rewards, train
from graft_training.model import PRESETS, Config
from graft_training.tokenizer import Encoder

Rows = np.ndarray


@pytest.fixture(scope="module")
def both(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with rows of both stages."""
    folder = tmp_path_factory.mktemp("both")
    shutil.copytree(work, folder, dirs_exist_ok=True)
    assert data.main(["--work", str(folder), "--jobs", "1", "--stage", "2"]) == 0
    return folder


def texts(path: Path, encoder: Encoder) -> list[str]:
    """The samples of a file of rows, as text."""
    found = []
    for row in np.fromfile(path, dtype=np.uint16).reshape(-1, data.CONTEXT):
        text = encoder.tokenizer.decode([t for t in row if t != encoder.pad], skip_special_tokens=False)
        found += text.split(GRAFT.end[0])[:-1]
    return found


def test_rows_of_the_second_stage_hold_mistakes_to_mend(both: Path) -> None:
    samples = texts(both / "second-0.bin", Encoder(both / "tokenizer.json"))
    shown = 0
    for sample in samples:
        files = sample.split(GRAFT.file)[1:]
        if len(files) == 2 and files[0].split("\n")[0] == files[1].split("\n")[0]:
            mistaken = files[0].split("\n", 1)[1]
            fixed = files[1].rpartition(GRAFT.middle)[2]
            assert mistaken != fixed and mistaken.count("\n") == fixed.count("\n")
            shown += 1
    assert shown >= 10
    assert sum(GRAFT.middle in s for s in samples) > 0.9 * len(samples)


def run_of(work: Path, second_from: float, second_row: int = 0) -> train.Run:
    config = Config(vocab_size=Encoder(work / "tokenizer.json").size, context=data.CONTEXT, **PRESETS["test"])
    recipe = train.Recipe(
        batch_rows=2, micro_rows=2, validation_rows=2, first_row=6, second_from=second_from, second_row=second_row
    )
    return train.Run(work, config, recipe, "cpu", False, 0, 1)


def test_a_row_behind_the_second_stage_s_is_refused(both: Path) -> None:
    with pytest.raises(ValueError, match="second_row=1000000 is none"):
        run_of(both, 0.5, 10**6).second_stage(0.6)


def test_a_run_changes_to_the_second_stage_and_resumes_in_it(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[str, int]] = []
    real = train.Batches.take

    def take(self: train.Batches, start: int, count: int) -> Rows:
        taken.append((self.name, start))
        return real(self, start, count)

    monkeypatch.setattr(train.Batches, "take", take)
    run = run_of(both, 0.5, 4)
    for step in range(3):
        run.update(0.5, run.second_stage(step / 4))
    train.save(tmp_path / "checkpoint.pt", run.state())
    with pytest.raises(ValueError, match="second_row=4"):
        run_of(both, 0.5).restore(torch.load(tmp_path / "checkpoint.pt"))
    again = run_of(both, 0.5, 4)
    again.restore(torch.load(tmp_path / "checkpoint.pt"))
    again.update(0.5, again.second_stage(0.75))
    assert taken == [("train", 6), ("train", 8), ("second", 4), ("second", 6)]


def test_without_rows_of_the_second_stage_the_first_goes_on(work: Path) -> None:
    run = run_of(work, 0.0)
    assert run.second_stage(0.9) is False


def test_rewarded_answers_and_the_true_lines_differ_in_the_middles_alone(work: Path, tmp_path: Path) -> None:
    line = items.Line("p", "p/a.py", 2, "def f(a, b):\n", "    return a + b", "\n", False)
    good, bad = rewards.Verdict(True, True, True), rewards.Verdict(True, False, None)
    said = [rewards.Said(line, "return b + a", -0.1, good), rewards.Said(line, "return c", -0.2, bad)]
    hole = Hole("p/a.py", line.before, line.after, "    ")
    result = rewards.write(tmp_path, work / "tokenizer.json", [(hole, said)])
    assert result == {"samples": 1, "own_rows": 1, "truth_rows": 1}
    encoder = Encoder(work / "tokenizer.json")
    own, truth = (texts(tmp_path / name / "train-0.bin", encoder) for name in ("own", "truth"))
    assert own == [truth[0].replace("return a + b", "return b + a")]
    assert own[0].endswith(f"{GRAFT.middle}    return b + a\n")
