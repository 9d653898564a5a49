"""The embedded model on the fixed set: it has not become worse, and it would be noticed if it had."""

from __future__ import annotations

from pathlib import Path

import pytest

from graft_models.catalog import embedded_model
from graft_models.engine import Done, DoneReason, ScoreRequest, Scores
from graft_models.prompt import ContextPart, Hole
from graft_training import quality


async def test_the_shipped_model_is_behind_no_limit() -> None:
    model = embedded_model()
    assert model is not None
    figures = await quality.measured(model)
    assert quality.behind(figures, quality.limits()) == [], figures


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("fixed_bits_per_byte", 9.0, "fixed_bits_per_byte is 9.0, at most 1.33 is wanted"),
        ("fixed_exact", 0, "fixed_exact is 0, at least 3 is wanted"),
        ("fixed_similarity_percent", 1.0, "fixed_similarity_percent is 1.0, at least 33.5 is wanted"),
        ("fixed_items", 3, "fixed_items is 3, at least 48 is wanted"),
    ],
)
def test_each_figure_that_falls_is_named(name: str, value: float, said: str) -> None:
    good = {key.rpartition("_")[0]: limit for key, limit in quality.limits().items()}
    assert quality.behind(good, quality.limits()) == []
    assert quality.behind({**good, name: value}, quality.limits()) == [said]


class Parrot:
    """Says the same to everything."""

    def complete(self, request: object) -> Parrot:
        return self

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        yield Done(DoneReason.STOP, ("self",), (-1.0,), (1,))

    async def score(self, request: ScoreRequest) -> Scores:
        return Scores((-8.0 * len(request.texts[0].encode()),), (1,))


async def test_a_model_that_knows_nothing_is_behind_every_limit() -> None:
    figures = await quality.measure(Parrot(), quality.read())  # type: ignore[arg-type]
    assert figures["fixed_bits_per_byte"] == pytest.approx(11.54, abs=0.01)
    assert len(quality.behind(figures, quality.limits())) == 3


def test_the_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    parts = (ContextPart("b.py", "def f():\n    pass\n"),)
    item = quality.Item(Hole("a.py", "x = 1\n", "é = 3\n", "y = ", "shop", parts), "f()")
    quality.write(tmp_path / "set.jsonl", [item])
    assert quality.read(tmp_path / "set.jsonl") == [item]


def test_the_set_is_whole() -> None:
    fixed = quality.read()
    assert len(fixed) == quality.ITEMS
    assert sum(bool(item.hole.context) for item in fixed) >= quality.ITEMS // 3
    assert all(item.rest.strip() and "\n" not in item.rest for item in fixed)


def test_a_missing_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quality.main([str(tmp_path / "absent.gguf")]) == 2
    assert "absent.gguf" in capsys.readouterr().err
