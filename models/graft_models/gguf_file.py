"""What a GGUF file says about itself, read without llama.cpp: metadata, and whether the file is whole.

The layout is that of the GGUF specification, versions 2 and 3 (ggml, docs/gguf.md): header, key-value pairs, tensor
descriptions, padding, tensor data.  Big-endian files are refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST_KEPT_ARRAY = 64
"""Longer arrays (vocabularies, merges) are skipped: only their length is kept."""

# ggml type -> (elements per block, bytes per block); from ggml's type table.
_TYPES = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 25: "IQ4_NL", 30: "IQ4_XS",
    32: "BF16", 38: "MXFP4",
}  # fmt: skip


class BadModelFile(Exception):
    """The file cannot be used as a model; the message is one line that says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A file whose header was read and whose length agrees with it.  `size` is in bytes."""

    path: Path
    size: int
    version: int
    metadata: dict[str, Any]
    parameters: int
    """Number of weights, all tensors together."""
    tensors: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        """`general.architecture`, or an empty string."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def name(self) -> str:
        """`general.name`, or the file's name."""
        return str(self.metadata.get("general.name") or self.path.stem)

    @property
    def quantization(self) -> str:
        """The file type's name as llama.cpp writes it, or an empty string."""
        return _FILE_TYPES.get(int(self.metadata.get("general.file_type", -1)), "")

    @property
    def context_length(self) -> int:
        """Tokens the model was trained for; 0 if it does not say."""
        return int(self.metadata.get(f"{self.architecture}.context_length", 0))


class _Reader:
    """Reads little-endian values and never beyond the end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.size = size

    def take(self, count: int) -> bytes:
        data = self.file.read(count) if count <= self.size else b""
        if len(data) != count:
            raise EOFError
        return data

    def skip(self, count: int) -> None:
        """Pass over `count` bytes; a count beyond the file's size is damage."""
        if count > self.size:
            raise EOFError
        self.file.seek(count, 1)

    def value(self, kind: str) -> Any:
        return struct.unpack("<" + kind, self.take(struct.calcsize("<" + kind)))[0]

    def text(self) -> str:
        return self.take(self.value("Q")).decode("utf-8", "replace")

    def item(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self.array()
        if kind not in _SCALARS:
            raise BadModelFile(f"unknown metadata type {kind}")
        return self.value(_SCALARS[kind])

    def array(self) -> list[Any] | int:
        kind, count = self.value("I"), self.value("Q")
        if count > self.size:
            raise EOFError
        if count <= _LONGEST_KEPT_ARRAY:
            return [self.item(kind) for _ in range(count)]
        if kind in _SCALARS:
            self.skip(count * struct.calcsize(_SCALARS[kind]))
        else:
            for _ in range(count):
                if kind == _STRING:
                    self.skip(self.value("Q"))
                else:
                    self.item(kind)
        return int(count)


def read_gguf(path: Path) -> GgufFile:
    """Read the header of `path` and compare the file's length with what it promises.

    Raises `BadModelFile` for a file that is missing, unreadable, not GGUF, or shorter than its header says.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _read(path, file, size)
    except FileNotFoundError:
        raise BadModelFile(f"no such file: {path}") from None
    except (EOFError, RecursionError):
        raise BadModelFile(f"{path.name} is cut off: its header does not end within {size:,} bytes") from None
    except OSError as error:
        raise BadModelFile(f"{path}: {error.strerror}") from None


def _read(path: Path, file: BinaryIO, size: int) -> GgufFile:
    reader = _Reader(file, size)
    magic = file.read(4)
    if magic != b"GGUF":
        raise BadModelFile(f"{path.name} is not a GGUF file (it begins with {magic!r})")
    version = reader.value("I")
    if version not in (2, 3):
        raise BadModelFile(f"{path.name}: GGUF version {version} is not supported (2 and 3 are)")
    tensor_count, pair_count = reader.value("Q"), reader.value("Q")
    metadata: dict[str, Any] = {}
    for _ in range(pair_count):
        key = reader.text()
        metadata[key] = reader.item(reader.value("I"))
    tensors: dict[str, tuple[int, ...]] = {}
    parameters = end = 0
    for _ in range(tensor_count):
        name = reader.text()
        shape = tuple(reader.value("Q") for _ in range(reader.value("I")))
        kind, offset = reader.value("I"), reader.value("Q")
        count = 1
        for length in shape:
            count *= length
        parameters += count
        tensors[name] = shape
        elements, size_of_block = _TYPES.get(kind, (1, 0))
        end = max(end, offset + count // elements * size_of_block)
    alignment = int(metadata.get("general.alignment", 32)) or 32
    start = (file.tell() + alignment - 1) // alignment * alignment
    if start + end > size:
        raise BadModelFile(f"{path.name} is cut off: {size:,} of {start + end:,} bytes")
    return GgufFile(path, size, version, metadata, parameters, tensors)
