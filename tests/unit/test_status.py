"""One status from its parts: every state has its word, and only what is wrong is coloured."""

import pytest

from graft_models.engine import ModelInfo, State
from graft_models.engine import Status as EngineStatus
from graft_server.status import RESTARTED_SECONDS, ServerStatus, StatusBoard, compose

MODEL = ModelInfo("tiny", "/tiny.gguf")


def engine(state: State, message: str = "") -> EngineStatus:
    return EngineStatus(state, message, MODEL if state == "ready" else None)


@pytest.mark.parametrize(
    ("status", "word", "kind", "busy"),
    [
        (compose(engine("ready")), "ready", "normal", False),
        (compose(engine("unloaded")), "ready", "normal", False),
        (compose(engine("loading")), "loading", "normal", True),
        (compose(engine("restarting", "it died")), "restarting", "normal", True),
        (compose(engine("ready"), restarted=True), "restarted", "warning", False),
        (compose(engine("absent", "not installed")), "no-model", "warning", False),
        (compose(None, model_wanted=False), "graph-only", "normal", False),
        (compose(engine("failed", "broken file")), "no-model", "warning", False),
        (compose(engine("loading"), index=(3, 9)), "indexing", "normal", True),
        (compose(engine("ready"), snoozed=True), "snoozed", "inactive", False),
        (compose(engine("ready"), enabled=False, snoozed=True), "off", "inactive", False),
    ],
)
def test_every_state_has_its_word(status: ServerStatus, word: str, kind: str, busy: bool) -> None:
    assert (status.state, status.kind, status.busy) == (word, kind, busy)


def test_the_message_says_everything_that_holds() -> None:
    status = compose(engine("absent", "no model here"), index=(3, 9), notices=("a setting was ignored",))
    assert status.message == "indexing 3 of 9 files; no model here; a setting was ignored"
    assert (status.done, status.total) == (3, 9)


def test_a_restart_is_said_for_a_minute() -> None:
    now = 100.0
    said: list[ServerStatus] = []
    board = StatusBoard(said.append, clock=lambda: now)
    states: list[State] = ["ready", "restarting", "ready"]
    for state in states:
        board.engine = engine(state)
        board.changed()
    now += RESTARTED_SECONDS + 1
    board.changed()
    assert [status.state for status in said] == ["ready", "restarting", "restarted", "ready"]
