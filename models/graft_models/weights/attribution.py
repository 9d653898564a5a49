"""Does a text repeat a file that the embedded model was trained on, and whose: offline, from winnowed fingerprints.

Winnowing (Schleimer, Wilkerson, Aiken 2003): of every run of `WINDOW` consecutive hashes of `GRAM` tokens the
smallest is kept, so any common text of `GRAM + WINDOW - 1` = 50 tokens shares at least one kept hash. Grams that
several packages hold belong to none of them and are left out.

File: magic, the size of a list of packages and the list (JSON: names, versions, licences), then one byte per bucket
(the first `BUCKET_BITS` of a hash) with the number of its entries, then the entries: 16 more bits of the hash, low
byte first, and the package's number.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

TOKEN = re.compile(r"\w+|[^\w\s]")
GRAM = 20
WINDOW = 31
BUCKET_BITS = 18
HASH_BITS = BUCKET_BITS + 16
ENTRY = 3  # bytes
MAGIC = b"GRFTFP01"
MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Source:
    """A package of the training set."""

    name: str
    version: str
    licence: str


def token_hash(word: str) -> int:
    """64 bits of one token."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def gram_hashes(text: str) -> list[int]:
    """64 bits of every run of `GRAM` tokens, in order."""
    hashes = [token_hash(word) for word in TOKEN.findall(text)]
    found = []
    for start in range(len(hashes) - GRAM + 1):
        total = 0
        for value in hashes[start : start + GRAM]:
            total = (total * 0x9E3779B97F4A7C15 + value) & MASK
        total = ((total ^ (total >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        total = ((total ^ (total >> 27)) * 0x94D049BB133111EB) & MASK
        found.append(total ^ (total >> 31))
    return found


def winnow(hashes: list[int]) -> set[int]:
    """The hashes that are kept: of every `WINDOW` in a row the smallest, its lower `HASH_BITS` bits.

    The lower ones, because the upper bits of what is smallest are nearly all zero and tell little apart.
    """
    if len(hashes) < WINDOW:
        return set()
    starts = range(len(hashes) - WINDOW + 1)
    return {min(hashes[start : start + WINDOW]) & ((1 << HASH_BITS) - 1) for start in starts}


class Fingerprints:
    """A fingerprint file in memory (at most 8 MB)."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file cannot be read, ValueError where it is not one."""
        raw = path.read_bytes()
        if raw[: len(MAGIC)] != MAGIC:
            raise ValueError(f"{path.name} is not a fingerprint file")
        (size,) = struct.unpack_from("<I", raw, len(MAGIC))
        head = len(MAGIC) + 4
        self.sources = [Source(*entry) for entry in json.loads(raw[head : head + size])]
        buckets = head + size
        self._counts = raw[buckets : buckets + (1 << BUCKET_BITS)]
        self._entries = raw[buckets + (1 << BUCKET_BITS) :]
        self._starts = [0, *itertools.accumulate(self._counts)]
        if self._starts[-1] * ENTRY != len(self._entries):
            raise ValueError(f"{path.name} is cut short")

    def find(self, value: int) -> Source | None:
        """Whose gram has this hash."""
        bucket, rest = value >> 16, value & 0xFFFF
        for number in range(self._starts[bucket], self._starts[bucket + 1]):
            place = number * ENTRY
            if self._entries[place] | self._entries[place + 1] << 8 == rest:
                return self.sources[self._entries[place + 2]]
        return None

    def attribute(self, text: str) -> tuple[Source, ...]:
        """The packages that `text` repeats 50 tokens or more of (a shorter text is never attributed)."""
        found = {source for value in winnow(gram_hashes(text)) if (source := self.find(value)) is not None}
        return tuple(sorted(found, key=lambda s: s.name))
