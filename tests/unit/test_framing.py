"""Frames out of a byte stream."""

from hypothesis import given
from hypothesis import strategies as st

from graft_server.framing import FrameBuffer


def frame(body: bytes) -> bytes:
    return b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n" % len(body) + body


def popped(buffer: FrameBuffer) -> list[bytes]:
    out = []
    while (body := buffer.pop()) is not None:
        out.append(body)
    return out


@given(st.lists(st.binary(max_size=30), max_size=5), st.lists(st.integers(1, 20), max_size=40))
def test_any_cutting_gives_the_same_frames(bodies: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(frame, bodies))
    buffer, out = FrameBuffer(), []
    for cut in cuts:
        buffer.feed(data[:cut])
        data = data[cut:]
        out += popped(buffer)
    buffer.feed(data)
    out += popped(buffer)
    assert out == bodies
    assert buffer.skipped == 0


@given(st.binary(max_size=200).filter(lambda b: b"content-length" not in b.lower()))
def test_a_frame_after_garbage_is_found(garbage: bytes) -> None:
    buffer = FrameBuffer()
    buffer.feed(garbage + b"\r\n" + frame(b"{}"))
    assert popped(buffer) == [b"{}"]


def test_a_wrong_length_costs_one_message() -> None:
    buffer = FrameBuffer()
    buffer.feed(b"Content-Length: 30\r\n\r\n{}" + frame(b"[1]") + frame(b"[2]"))
    first = buffer.pop()
    assert first is not None and first.startswith(b"{}Content-Length")
    buffer.give_back(first)
    assert popped(buffer) == [b"[1]", b"[2]"]


def test_an_absurd_length_is_garbage() -> None:
    buffer = FrameBuffer()
    buffer.feed(b"Content-Length: 99999999999\r\n\r\n" + frame(b"{}"))
    assert popped(buffer) == [b"{}"]


def test_garbage_does_not_pile_up() -> None:
    buffer = FrameBuffer()
    for _ in range(50):
        buffer.feed(b"x" * 1000)
        assert buffer.pop() is None
    assert len(buffer._data) < 3000
