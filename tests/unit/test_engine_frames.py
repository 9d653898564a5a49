"""Messages survive the pipe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_models.engine import Done, DoneReason, Need, Request, Token, Trigger, Usage
from graft_models.llama.frames import BadFrame, from_wire, length, pack, to_wire, unpack
from graft_models.prompt import ContextPart, Hole

text = st.text(max_size=20)
holes = st.builds(Hole, text, text, text, text, text, st.lists(st.builds(ContextPart, text, text)).map(tuple))
requests = st.builds(
    Request,
    id=st.integers(0, 99),
    hole=holes,
    triggers=st.lists(st.sampled_from(Trigger)).map(tuple),
    stop=st.lists(text).map(tuple),
    deadline_ms=st.none() | st.integers(0, 99),
)
usages = st.builds(Usage, parts=st.lists(st.tuples(text, text, st.integers())).map(tuple))
answers = st.builds(Done, reason=st.sampled_from(DoneReason), texts=st.lists(text).map(tuple), usage=usages)


@given(
    requests
    | answers
    | st.builds(Need, st.integers(), st.sampled_from(Trigger), text)
    | st.builds(Token, text, st.just(-0.5))
)
def test_round_trip(value: Request | Done | Need | Token) -> None:
    frame = pack({"value": to_wire(value)})
    assert length(frame[:4]) == len(frame) - 4
    assert from_wire(type(value), unpack(frame[4:])["value"]) == value


def test_lone_surrogates_survive() -> None:
    hole = Hole("a.py", "\udc80", "")
    assert from_wire(Hole, unpack(pack({"v": to_wire(hole)})[4:])["v"]) == hole


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff"])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(BadFrame):
        unpack(body)


def test_a_length_out_of_step_is_refused() -> None:
    with pytest.raises(BadFrame):
        length(b"\xff\xff\xff\xff")
