"""Battery or mains, from folders like the kernel's."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from graft_models.power import FRESH_SECONDS, Power, on_battery
from graft_models.scripted import ScriptedEngine
from graft_server.completion.anchor import Place
from graft_server.completion.model import Snapshot
from graft_server.completion.pipeline import Pipeline
from graft_server.settings import Settings

T = TypeVar("T")
BATTERY = {"type": "Battery", "status": "Discharging"}
MAINS = {"type": "Mains", "online": "1"}


def supplies(root: Path, *described: dict[str, str]) -> Path:
    for number, files in enumerate(described):
        folder = root / f"supply{number}"
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ((), False),
        ((BATTERY,), True),
        ((BATTERY, MAINS), False),
        ((BATTERY, MAINS | {"online": "0"}), True),
        ((BATTERY | {"status": "Charging"},), False),
        ((BATTERY | {"scope": "Device"},), False),
        (({"type": "Battery"},), False),
    ],
)
def test_who_drains_the_battery(tmp_path: Path, described: tuple[dict[str, str], ...], expected: bool) -> None:
    assert on_battery(supplies(tmp_path / "power", *described)) is expected


def test_without_the_folder_it_is_mains(tmp_path: Path) -> None:
    assert not on_battery(tmp_path / "none")


def test_the_answer_is_kept_for_a_while(tmp_path: Path) -> None:
    power = Power(supplies(tmp_path, BATTERY))
    assert power.on_battery(0.0)
    (tmp_path / "supply0" / "status").write_text("Charging\n")
    assert power.on_battery(FRESH_SECONDS - 1)
    assert not power.on_battery(FRESH_SECONDS)


def _same(value: T) -> T:
    return value


async def test_on_battery_nothing_is_done_ahead() -> None:
    class Battery(Power):
        def on_battery(self, now: float | None = None) -> bool:
            return True

    for allowed in (False, True):
        engine = ScriptedEngine(["compute(1)\n", "y = compute(2)\n"])
        settings = Settings(completion_delay="none", model_battery=allowed)
        pipeline = Pipeline(None, partial(_same, engine), partial(_same, settings))
        pipeline.decoder._power = Battery()
        first = Snapshot("a.py", "x = \n", 4)
        (shown,) = await pipeline.complete(first)
        await pipeline.prepare(first, shown)
        assert len(engine.requests) == 1 + allowed
        below = "x = 1\n" * 3
        pipeline.decoder.holes.at("a.py", Place("", ""))
        for typed in ("x = 1\n", below):
            await pipeline.complete(Snapshot("a.py", typed, len(typed)))
        await asyncio.sleep(0)
        assert bool(engine.warmed) is allowed
