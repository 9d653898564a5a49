"""What followed the same few tokens in the corpus the embedded model learned from: a static n-gram table beside it.

The model saw a part of that corpus once; counting takes the whole of it. For a context of a few tokens the table
holds the continuations that several packages share and that a shorter context does not already foretell, each
with its probability. A longer context leaves what it is unsure of to the next shorter one, so the answer is a sum over
lengths. `graft_training.table` builds it; `graft_models.llama.mixture` mixes it in.

File: `MAGIC`, the size of a header and the header (JSON: hash of the vocabulary, hash of the corpus, CRC-32 of the
rest, the shortest length of context, sizes of each level), then for each length, little endian:

    first     uint32 [buckets + 1]   number of the first context of each bucket (the top bits of a context's hash)
    begins    uint32 [buckets + 1]   number of the first entry of each bucket
    marks     uint16 [contexts]      the low bits of the hash
    counts    uint8 [contexts]       entries of each context
    tokens    uint16 [entries]
    chances   uint8 [entries]        the probability is exp(-chance / SCALE)

Contexts are not kept themselves: a strange one is taken for a known one about once in 65536 / `BUCKET` look-ups.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAGIC = b"GRFTNG01"
SCALE = 24.0
BUCKET = 8
"""Contexts in a bucket, about."""
MOST_ENTRIES = 255
"""Of one context."""
LONGEST = 64
"""No table begins with longer contexts."""
MULTIPLIER = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1
CHANCES = np.exp(-np.arange(256) / SCALE).astype(np.float32)

Tokens = npt.NDArray[np.int64]
Chances = npt.NDArray[np.float32]
FIELDS = ("first", "begins", "marks", "counts", "tokens", "chances")
TYPES = dict(zip(FIELDS, ("<u4", "<u4", "<u2", "u1", "<u2", "u1"), strict=True))


class BadTable(Exception):
    """The file is no table for this model; the message is one line."""


@dataclass(frozen=True, slots=True)
class Level:
    """The arrays of one length of context."""

    bits: int
    first: npt.NDArray[np.uint32]
    begins: npt.NDArray[np.uint32]
    marks: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.uint8]
    tokens: npt.NDArray[np.uint16]
    chances: npt.NDArray[np.uint8]


def vocabulary_hash(pieces: Sequence[bytes]) -> str:
    """What tells one vocabulary from another: SHA-256 over the bytes of every token in order."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(struct.pack("<I", len(piece)) + piece)
    return digest.hexdigest()


def extended(known: int, token: int) -> int:
    """The hash of a context (64 bits; 0 for none) with one more token before it."""
    value = (known * MULTIPLIER + token + 1) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def sizes(contexts: int, entries: int) -> dict[str, int]:
    """How many values each array of a level has."""
    buckets = (1 << bucket_bits(contexts)) + 1
    values = (buckets, buckets, contexts, contexts, entries, entries)
    return dict(zip(FIELDS, values, strict=True))


def bucket_bits(contexts: int) -> int:
    """Bits of a hash that choose the bucket."""
    return max(1, contexts // BUCKET).bit_length()


class Table:
    """A table file, mapped into memory: pages are read when something is looked up in them."""

    def __init__(self, path: Path, vocabulary: str, tokens: int) -> None:
        """`vocabulary` is the model's `vocabulary_hash`, `tokens` how many it has.  Raises OSError where the file
        cannot be read, `BadTable` where it is damaged or counts another vocabulary's tokens."""
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise BadTable(f"{path.name} is empty")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if data[: len(MAGIC)] != MAGIC:
            raise BadTable(f"{path.name} is not a table of counts")
        try:
            head, at = _head(data)
            self.corpus, known, checksum = str(head["corpus"]), str(head["vocabulary"]), _whole(head["crc32"])
            self.shortest = _whole(head["shortest"])
            shapes = [(_whole(contexts), _whole(entries)) for contexts, entries in head["levels"]]
            if not 1 <= self.shortest <= LONGEST:
                raise ValueError
        except (struct.error, ValueError, KeyError, TypeError, RecursionError):
            raise BadTable(f"the head of {path.name} is damaged") from None
        if known != vocabulary:
            raise BadTable(f"{path.name} counts the tokens of another model")
        # The checksum does not cover the head: no array is made before its sizes are known to be the file's.
        if not _fits(shapes, len(data) - at) or zlib.crc32(memoryview(data)[at:]) != checksum:
            raise BadTable(f"{path.name} is damaged or cut short")
        self.levels: list[Level] = []
        for contexts, entries in shapes:
            arrays = {}
            for name, count in sizes(contexts, entries).items():
                arrays[name] = np.frombuffer(data, TYPES[name], count, at)
                at += arrays[name].nbytes
            level = Level(bucket_bits(contexts), **arrays)
            if (wrong := _wrong(level, tokens)) is not None:
                raise BadTable(f"{path.name} is damaged: its {wrong} are out of range")
            self.levels.append(level)

    def next_tokens(self, context: Sequence[int]) -> tuple[Tokens, Chances, int]:
        """What may follow `context`: tokens, their probabilities (they sum to less than 1), and how many tokens of
        context are known.  A token may be there several times, once for each length: its probabilities add up."""
        tokens, codes = [], []
        known = matched = 0
        for length in range(1, min(len(context), self.shortest + len(self.levels) - 1) + 1):
            known = extended(known, context[-length])
            if length < self.shortest:
                continue
            level = self.levels[length - self.shortest]
            begin, end = _entries(level, known)
            if end:
                matched = length
                tokens.append(level.tokens[begin:end])
                codes.append(level.chances[begin:end])
        if not tokens:
            return np.zeros(0, np.int64), np.zeros(0, np.float32), 0
        chances = CHANCES[np.concatenate(codes)]
        sizes = [len(part) for part in codes]
        sums = np.add.reduceat(chances, [sum(sizes[:n]) for n in range(len(sizes))]).tolist()
        # What the longer contexts are unsure of is left to the shorter ones.
        left, shares = 1.0, []
        for known_sum in reversed(sums):
            shares.append(left)
            left *= max(0.0, 1.0 - known_sum)
        chances *= np.repeat(np.array(shares[::-1], np.float32), sizes)
        return np.concatenate(tokens).astype(np.int64), chances, matched


def _head(data: mmap.mmap) -> tuple[dict[str, Any], int]:
    """The header and where what follows it begins."""
    at = len(MAGIC) + 4
    (size,) = struct.unpack_from("<I", data, len(MAGIC))
    if at + size > len(data):
        raise ValueError
    return json.loads(data[at : at + size]), at + size


def _whole(value: object) -> int:
    """A number of the header: an int, not negative.  JSON may say anything else."""
    if type(value) is not int:
        raise TypeError
    if value < 0:
        raise ValueError
    return value


def _fits(shapes: Sequence[tuple[int, int]], length: int) -> bool:
    """Whether the levels fill `length` bytes."""
    for contexts, entries in shapes:
        if max(contexts, entries) > length:
            return False
        length -= sum(np.dtype(TYPES[name]).itemsize * n for name, n in sizes(contexts, entries).items())
    return length == 0


def _wrong(level: Level, tokens: int) -> str | None:
    """The array of a level that points out of another one, or names a token that is none; a few milliseconds."""
    for name, within in (("first", level.marks), ("begins", level.tokens)):
        values = getattr(level, name)
        if values[0] != 0 or values[-1] != len(within) or (values[1:] < values[:-1]).any():
            return name
    ends = np.zeros(len(level.counts) + 1, np.uint32)
    np.cumsum(level.counts, dtype=np.uint32, out=ends[1:])
    if not level.counts.all() or (ends.take(level.first) != level.begins).any():
        return "counts"
    return "tokens" if len(level.tokens) and level.tokens.max() >= tokens else None


def _entries(level: Level, known: int) -> tuple[int, int]:
    """Where the entries of a context begin and end; (0, 0) for one that is not known."""
    bucket = known >> (64 - level.bits)
    start = level.first.item(bucket)
    marks = level.marks[start : level.first.item(bucket + 1)].tolist()
    mark = known & 0xFFFF
    if mark not in marks:
        return 0, 0
    at = marks.index(mark)
    counts = level.counts[start : start + at + 1].tolist()
    begin = level.begins.item(bucket) + sum(counts[:-1])
    return begin, begin + counts[-1]
