"""Messages between the server and the engine process: length-prefixed JSON, and dataclasses to and from it.

A frame is four bytes, the length of what follows in bytes (big-endian), and a JSON object.  ASCII-only JSON keeps lone
surrogates intact.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import struct
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")
_LENGTH = struct.Struct(">I")
LONGEST = 64 * 1024 * 1024
"""Bytes; a longer frame means that the stream is out of step."""


class BadFrame(Exception):
    """The other side does not speak this protocol."""


def pack(message: dict[str, Any]) -> bytes:
    """A message as one frame."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def length(header: bytes) -> int:
    """The number of bytes that follow a four-byte header.  Raises `BadFrame`."""
    (count,) = _LENGTH.unpack(header)
    if count > LONGEST:
        raise BadFrame(f"a frame of {count} bytes")
    return int(count)


def unpack(body: bytes) -> dict[str, Any]:
    """The message in a frame's body.  Raises `BadFrame`."""
    try:
        message = json.loads(body)
    except ValueError as error:
        raise BadFrame(str(error)) from None
    if not isinstance(message, dict):
        raise BadFrame("not an object")
    return message


def to_wire(value: Any) -> Any:
    """Dataclasses as lists of their fields' values, in order; tuples as lists; everything else as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [to_wire(getattr(value, f.name)) for f in dataclasses.fields(value)]
    if isinstance(value, (tuple, list)):
        return [to_wire(v) for v in value]
    return value


def from_wire(kind: type[T], value: Any) -> T:
    """The inverse of `to_wire` for a dataclass; its annotations say what each field is."""
    made: T = _build(kind, value)
    return made


@functools.cache
def _fields(kind: type) -> list[Any]:
    hints = typing.get_type_hints(kind)
    return [hints[f.name] for f in dataclasses.fields(kind)]


def _build(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return kind(*(_build(k, v) for k, v in zip(_fields(kind), value, strict=True)))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    origin = typing.get_origin(kind)
    if origin is tuple:
        arguments = typing.get_args(kind)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_build(arguments[0], v) for v in value)
        return tuple(_build(k, v) for k, v in zip(arguments, value, strict=True))
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _build(next(a for a in typing.get_args(kind) if a is not type(None)), value)
    return value
