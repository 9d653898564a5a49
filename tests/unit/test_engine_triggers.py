"""Where the engine asks what may come next."""

import pytest

from graft_models.engine import Trigger
from graft_models.llama.triggers import trigger_at

ALL = tuple(Trigger)


@pytest.mark.parametrize(
    ("text", "following", "expected"),
    [
        ("x = self.", "", Trigger.DOT),
        ("x = 1.", "", None),
        ("f(a)[0].", "", Trigger.DOT),
        ("x = a1.", "", Trigger.DOT),
        ("import ", "", Trigger.IMPORT),
        ("from os import ", "", Trigger.IMPORT),
        ("from os import path, ", "", Trigger.IMPORT),
        ("from ", "", Trigger.IMPORT),
        ("x = f(", "", Trigger.CALL),
        ("x = f(a, ", "", Trigger.CALL),
        ("x = f(g(1), [2, 3], ", "", Trigger.CALL),
        ("x = (a, ", "", None),
        ("x = [a, ", "b", Trigger.NAME),
        ("x = ", "y", Trigger.NAME),
        ("x = ", "1", None),
        ("    return ", "y", Trigger.NAME),
        ("x\n", "", Trigger.LINE_END),
        ("word", "s", None),
    ],
)
def test_triggers(text: str, following: str, expected: Trigger | None) -> None:
    assert trigger_at(text, ALL, following) is expected


def test_only_what_is_wanted() -> None:
    assert trigger_at("x.", (Trigger.CALL,)) is None
    assert trigger_at("", ALL) is None
