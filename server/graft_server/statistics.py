"""Local statistics: one JSON line per event, on this machine only, off by a setting, deleted by deleting the folder.

No text is kept: only counts, lengths, times and the language.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from graft_server import paths

log = logging.getLogger("graft.statistics")

MAX_BYTES = 2_000_000
"""Of one file; then the older half is kept as `events.1.jsonl`, replacing the one before."""


def folder() -> Path:
    """Where the events are."""
    return paths.data_dir() / "stats"


class Statistics:
    """Appends events.  A folder that cannot be written ends it silently after one log line."""

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._broken = False

    def note(self, event: str, **values: Any) -> None:
        """Keep one event with its values (numbers, words; never source text)."""
        if not self.enabled or self._broken:
            return
        where = paths.private(folder())
        try:
            if where is None:
                raise OSError(f"{folder()} cannot be written")
            file = where / "events.jsonl"
            if file.exists() and file.stat().st_size > MAX_BYTES:
                file.replace(where / "events.1.jsonl")
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"at": round(time.time(), 3), "event": event, **values}) + "\n")
        except OSError as error:
            self._broken = True
            log.warning("no statistics: %s", error)


def events() -> Iterator[dict[str, Any]]:
    """All events kept, oldest first; lines that are no JSON are skipped."""
    for name in ("events.1.jsonl", "events.jsonl"):
        file = folder() / name
        if not file.is_file():
            continue
        for line in file.read_text("utf-8", "replace").splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict) and "event" in value:
                yield value


def summary(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Figures: counts per event and how they are known, acceptance, characters, latencies (ms), kept after seconds."""
    offered = accepted = partly = rejected = shown = characters = 0
    cut = asked = 0
    latencies: list[float] = []
    kept: dict[str, list[float]] = {}
    by: dict[str, int] = {}
    for value in found:
        event = value["event"]
        if event == "offered":
            offered += 1
            latencies.append(float(value.get("ms", 0.0)))
        elif event == "accepted":
            accepted += 1
            characters += int(value.get("characters", 0))
            by[str(value.get("by", "client"))] = by.get(str(value.get("by", "client")), 0) + 1
        elif event == "partly":
            partly += 1
            characters += int(value.get("characters", 0))
        elif event == "rejected":
            rejected += 1
        elif event == "shown":
            shown += 1
        elif event == "kept":
            kept.setdefault(str(value.get("seconds")), []).append(float(value.get("share", 0.0)))
        elif event == "answered":
            asked += 1
            cut += bool(value.get("cut"))
    latencies.sort()
    out: dict[str, Any] = {
        "offered": offered,
        "shown_told_by_client": shown,
        "accepted": accepted,
        "accepted_told_by_client": by.get("client", 0),
        "accepted_inferred": by.get("inferred", 0),
        "partly_accepted": partly,
        "rejected": rejected,
        "acceptance_percent": round(100 * accepted / offered, 1) if offered else None,
        "characters_accepted": characters,
        "latency_p50_ms": _quantile(latencies, 0.5),
        "latency_p95_ms": _quantile(latencies, 0.95),
        "cut_by_gates_percent": round(100 * cut / asked, 1) if asked else None,
    }
    for seconds, shares in sorted(kept.items(), key=lambda item: int(item[0]) if item[0].isdigit() else 0):
        out[f"kept_after_{seconds}_s_percent"] = round(100 * sum(shares) / len(shares), 1)
    return out


def _quantile(values: list[float], share: float) -> float | None:
    return values[min(len(values) - 1, int(share * len(values)))] if values else None
