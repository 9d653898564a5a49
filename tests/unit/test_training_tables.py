"""An evaluation asks in every arm, keeps every answer, and its figures are those of its tables."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graft_models.engine import Done, DoneReason, Request, ScoreRequest, Scores, Status
from graft_training import evaluate, tables, tasks

UNITS = "KILO = 1000\n\n\ndef convert(amount, unit):\n    scaled = amount * unit\n    return round(scaled, 3)\n"
SHOP = """from shop.units import KILO, convert


def heavy(amount, factor):
    total = convert(amount, KILO)
    if total > factor * amount:
        return total
    return convert(amount + factor, KILO)
"""


class Oracle:
    """Knows every line of SHOP, unless the hole shows other files; with `counts` off it knows nothing."""

    def __init__(self, knows: bool) -> None:
        self.knows = knows
        self.asked: list[Request] = []

    async def start(self) -> Status:
        return Status("ready")

    async def close(self) -> None:
        return None

    async def score(self, request: ScoreRequest) -> Scores:
        helped = 0.5 if request.hole.context else 1.0
        return Scores((-helped * len(request.texts[0].encode()),), (1,))

    async def complete(self, request: Request) -> AsyncIterator[Done]:
        self.asked.append(request)
        hole = request.hole
        text = (SHOP + UNITS).partition(hole.prefix[-60:] + hole.typed)[2].split("\n")[0] if self.knows else "pass"
        yield Done(DoneReason.STOP, (text,), (-1.0,), (2,))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    # Longer than what is too short to train on.
    for name, text in (("units", UNITS), ("cart", SHOP)):
        more = [f"\n\ndef {name}_{n}(first, second):\n    return [first, second, {n}]\n" for n in range(9)]
        (folder / f"{name}.py").write_text(text + "".join(more))
    return folder


def measured(shop: Path, out: Path, *chosen: str) -> dict[str, float]:
    engines = {True: Oracle(True), False: Oracle(False)}
    return evaluate.evaluate(Path("none.gguf"), [shop], out, 4, None, chosen, engines=engines)  # type: ignore[arg-type]


def test_every_arm_is_asked_and_kept(shop: Path, tmp_path: Path) -> None:
    figures = measured(shop, tmp_path / "out", "lines", "calls")
    arms = {f"{arm.name}_{int(100 * share)}" for arm in tasks.ARMS for share in tasks.SHARES}
    for task in ("lines", "calls"):
        rows = tables.read(tmp_path / "out", task)
        assert {row["arm"] for row in rows} == arms
        assert {row["package"] for row in rows} == {"shop"}
    calls = tables.read(tmp_path / "out", "calls")
    assert {row["own_call"] for row in calls} == {"1"} and all("convert(" in r["typed"] + r["truth"] for r in calls)
    assert figures["calls_suffix_60_exact_percent"] == 100.0
    assert figures["calls_graph_60_exact_percent"] == 100.0
    assert figures["calls_suffix_no_counts_60_exact_percent"] == 0.0
    assert figures["calls_product_60_exact_percent"] == 100.0


def test_bits_and_edits(shop: Path, tmp_path: Path) -> None:
    figures = measured(shop, tmp_path / "out", "bits", "edits")
    assert figures["bits_per_byte"] == pytest.approx(1.4427, abs=1e-3)
    assert figures["bits_per_byte_graph"] < figures["bits_per_byte"]
    rows = tables.read(tmp_path / "out", "edits")
    assert len(rows) in (2, 4, 6, 8) and [row["shown"] for row in rows] == ["0", "1"] * (len(rows) // 2)
    assert all(row["mistaken"] != row["fixed"] for row in rows)
    assert figures["edits_hidden_items"] == figures["edits_shown_items"] == len(rows) // 2


def test_the_figures_are_those_of_the_tables_also_when_merged(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = measured(shop, tmp_path / "one", "lines", "bits")
    assert tables.figures(tmp_path / "one") == figures
    assert tables.main([str(tmp_path / "one"), str(tmp_path / "one"), "--to", str(tmp_path / "both")]) == 0
    both = tables.figures(tmp_path / "both")
    assert both["lines_suffix_0_items"] == 2 * figures["lines_suffix_0_items"]
    assert both["bits_per_byte"] == figures["bits_per_byte"]
    with (tmp_path / "both/lines.csv").open(newline="") as source:
        assert tuple(next(csv.reader(source))) == tables.HEADERS["lines"]
    assert tables.main([str(tmp_path / "absent"), "--to", str(tmp_path / "x")]) == 2
    assert "no tables in" in capsys.readouterr().err


def test_an_empty_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no line to complete"):
        measured(tmp_path / "empty", tmp_path / "out", "lines")
