"""What Graft is doing, in one word and one line for a person: the content of `graft/status`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from graft_models.engine import Status as EngineStatus

Kind = Literal["normal", "warning", "error", "inactive"]
Word = Literal["ready", "indexing", "loading", "no-model", "graph-only", "restarting", "restarted", "snoozed", "off"]

RESTARTED_SECONDS = 60.0
"""How long the status says that the model's process had to be started again."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """`kind` colours the editor's status item, `state` is its word, `busy` spins it; `model` and `device` are empty
    without a model; `done` of `total` files are indexed while `state` is `indexing`."""

    kind: Kind = "normal"
    message: str = ""
    busy: bool = False
    model: str = ""
    device: str = ""
    state: Word = "ready"
    done: int = 0
    total: int = 0


@dataclass(slots=True)
class StatusBoard:
    """Collects what the parts report and tells `publish` when the sum has changed."""

    publish: Callable[[ServerStatus], None]
    engine: EngineStatus | None = None
    index: tuple[int, int] | None = None
    """(files indexed, files in all) while indexing."""
    notices: tuple[str, ...] = ()
    """Things to be said until they change, such as a settings file that was ignored."""
    snoozed: bool = False
    enabled: bool = True
    model_wanted: bool = True
    """False where the user switched the model off: then its absence is no warning."""
    last: ServerStatus | None = None
    clock: Callable[[], float] = time.monotonic
    _restarted: float | None = None

    def changed(self) -> None:
        """Publish the present status if it differs from the last one published."""
        now = self.current()
        if now != self.last:
            self.last = now
            self.publish(now)

    def current(self) -> ServerStatus:
        """The status now."""
        if self.engine is not None and self.engine.state == "restarting":
            self._restarted = self.clock()
        lately = self._restarted is not None and self.clock() - self._restarted < RESTARTED_SECONDS
        return compose(
            self.engine,
            index=self.index,
            notices=self.notices,
            snoozed=self.snoozed,
            enabled=self.enabled,
            model_wanted=self.model_wanted,
            restarted=lately,
        )


def compose(
    engine: EngineStatus | None,
    *,
    index: tuple[int, int] | None = None,
    notices: tuple[str, ...] = (),
    snoozed: bool = False,
    enabled: bool = True,
    model_wanted: bool = True,
    restarted: bool = False,
) -> ServerStatus:
    """One status from the parts'.  A missing or broken model is a warning, never an error: the graph goes on."""
    model = engine.model.name if engine is not None and engine.model is not None else ""
    device = engine.model.device if engine is not None and engine.model is not None else ""
    parts: list[str] = []
    kind: Kind = "normal"
    state: Word = "ready"
    busy = index is not None
    if engine is None or engine.state == "absent":
        state = "no-model" if model_wanted else "graph-only"
        kind = "warning" if model_wanted else "normal"
        parts.append((engine.message if engine is not None else "") or "no model: answers come from the graph alone")
    elif engine.state in ("loading", "restarting"):
        busy = True
        state = "restarting" if engine.state == "restarting" or restarted else "loading"
        parts.append(engine.message or ("loading the model" if state == "loading" else "restarting the model"))
    elif engine.state == "failed":
        state, kind = "no-model", "warning"
        parts.append(engine.message or "the model failed: answers come from the graph alone")
    elif restarted:
        state, kind = "restarted", "warning"
        parts.append(engine.message or "the model's process ended and was started again")
    elif engine.message:
        parts.append(engine.message)
    if index is not None:
        state = "indexing"
        parts.insert(0, f"indexing {index[0]} of {index[1]} files" if index[1] else "indexing")
    if not enabled or snoozed:
        state = "snoozed" if enabled else "off"
        kind = "inactive"
        parts.insert(0, "snoozed" if enabled else "suggestions are off")
    if notices:
        kind = "warning" if kind == "normal" else kind
        parts += notices
    done, total = index or (0, 0)
    return ServerStatus(kind, "; ".join(parts), busy, model, device, state, done, total)
