"""What Graft is doing, in one line for a person: the content of `graft/status`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from graft_models.engine import Status as EngineStatus

Kind = Literal["normal", "warning", "error", "inactive"]


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """`kind` colours the editor's status item; `busy` spins it; `model` and `device` are empty without a model."""

    kind: Kind = "normal"
    message: str = ""
    busy: bool = False
    model: str = ""
    device: str = ""


@dataclass(slots=True)
class StatusBoard:
    """Collects what the parts report and tells `publish` when the sum has changed."""

    publish: Callable[[ServerStatus], None]
    engine: EngineStatus | None = None
    index: str = ""
    """What the indexer is doing; empty when it is done."""
    notices: tuple[str, ...] = ()
    """Things to be said until they change, such as a settings file that was ignored."""
    snoozed: bool = False
    enabled: bool = True
    last: ServerStatus | None = None

    def changed(self) -> None:
        """Publish the present status if it differs from the last one published."""
        now = self.current()
        if now != self.last:
            self.last = now
            self.publish(now)

    def current(self) -> ServerStatus:
        """The status now."""
        return compose(
            self.engine,
            index=self.index,
            notices=self.notices,
            snoozed=self.snoozed,
            enabled=self.enabled,
        )


def compose(
    engine: EngineStatus | None,
    *,
    index: str = "",
    notices: tuple[str, ...] = (),
    snoozed: bool = False,
    enabled: bool = True,
) -> ServerStatus:
    """One status from the parts'.  A missing or broken model is a warning, never an error: the graph goes on."""
    model = engine.model.name if engine is not None and engine.model is not None else ""
    device = engine.model.device if engine is not None and engine.model is not None else ""
    parts: list[str] = []
    kind: Kind = "normal"
    busy = bool(index)
    if not enabled:
        kind = "inactive"
        parts.append("suggestions are off")
    elif snoozed:
        kind = "inactive"
        parts.append("snoozed")
    if index:
        parts.append(index)
    if engine is None or engine.state == "absent":
        kind = "warning" if kind == "normal" else kind
        parts.append((engine.message if engine is not None else "") or "no model: answers come from the graph alone")
    elif engine.state in ("loading", "restarting"):
        busy = True
        parts.append(engine.message or ("loading the model" if engine.state == "loading" else "restarting the model"))
    elif engine.state == "failed":
        kind = "warning" if kind == "normal" else kind
        parts.append(engine.message or "the model failed: answers come from the graph alone")
    elif engine.message:
        parts.append(engine.message)
    if notices:
        kind = "warning" if kind == "normal" else kind
        parts += notices
    return ServerStatus(kind, "; ".join(parts), busy, model, device)
