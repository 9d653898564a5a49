"""Exact and near duplicates, and text that no training set may hold.

Near duplicates: one-permutation MinHash (Li, Owen, Zhang 2012) over 5-grams of tokens, densified by rotation
(Shrivastava and Li 2014), candidates by banding, and the estimated Jaccard similarity compared with 0.8.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TOKEN = re.compile(r"\w+|[^\w\s]")
GRAM = 5  # tokens in a shingle
BINS = 128  # numbers in a signature
ROWS = 8  # of them in one band: 16 bands find pairs from about 0.7 up
THRESHOLD = 0.8

CONTAMINATION_GRAM = 13
CONTAMINATION_SHARE = 0.03
CONTAMINATION_LEAST = 3

U64 = NDArray[np.uint64]
_known: dict[str, int] = {}


def tokens(text: str) -> list[str]:
    """Words and single punctuation marks."""
    return TOKEN.findall(text)


def token_hashes(words: Sequence[str]) -> U64:
    """One 64-bit hash per token, remembered per process."""
    known = _known
    out = []
    for word in words:
        value = known.get(word)
        if value is None:
            digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            value = int.from_bytes(digest, "little")
            known[word] = value
        out.append(value)
    return np.array(out, dtype=np.uint64)


def mix(values: U64) -> U64:
    """The finaliser of splitmix64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def shingles(hashes: U64, size: int = GRAM) -> U64:
    """Hashes of all runs of `size` tokens: uint64 [len - size + 1], empty where the text is shorter."""
    count = len(hashes) - size + 1
    if count <= 0:
        return np.zeros(0, dtype=np.uint64)
    total = np.zeros(count, dtype=np.uint64)
    for offset in range(size):
        total = total * np.uint64(0x9E3779B97F4A7C15) + hashes[offset : offset + count]
    return mix(total)


def signature(hashes: U64) -> U64:
    """MinHash signature: uint64 [BINS]. All ones where there is no shingle."""
    values = shingles(hashes)
    empty = np.uint64(0xFFFFFFFFFFFFFFFF)
    result = np.full(BINS, empty, dtype=np.uint64)
    if not len(values):
        return result
    bins = (values >> np.uint64(57)).astype(np.int64)
    np.minimum.at(result, bins, values & np.uint64((1 << 57) - 1))
    filled = np.flatnonzero(result != empty)
    for index in np.flatnonzero(result == empty):
        place = filled[np.searchsorted(filled, index) % len(filled)]
        result[index] = result[place] + np.uint64(int(place - index) % BINS) * np.uint64(0x9E3779B97F4A7C15 >> 7)
    return result


def near_duplicates(signatures: Sequence[U64]) -> dict[int, int]:
    """Index of a document -> the earlier document that it repeats. The first of each cluster is kept."""
    buckets: dict[tuple[int, bytes], list[int]] = {}
    repeats: dict[int, int] = {}
    for index, sig in enumerate(signatures):
        keys = [(band, sig[band : band + ROWS].tobytes()) for band in range(0, BINS, ROWS)]
        candidates = {earlier for key in keys for earlier in buckets.get(key, ())}
        for earlier in sorted(candidates):
            if float(np.mean(signatures[earlier] == sig)) >= THRESHOLD:
                repeats[index] = earlier
                break
        else:
            for key in keys:
                buckets.setdefault(key, []).append(index)
    return repeats


def read_contamination(path: Path) -> frozenset[int]:
    """Hashes of text that must not be trained on: sorted little-endian unsigned 64-bit numbers."""
    return frozenset(np.fromfile(path, dtype="<u8").tolist())


def contaminated(words: Sequence[str], known: frozenset[int]) -> bool:
    """Does a document repeat held-out text: over 3 % of its kept 13-grams, and at least 3, are known."""
    kept = found = 0
    for gram in _grams(words):
        digest = hashlib.blake2b(gram.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if digest[0] & 15 == 0:
            kept += 1
            found += int.from_bytes(digest, "little") in known
    return found >= CONTAMINATION_LEAST and found > CONTAMINATION_SHARE * kept


def _grams(words: Sequence[str]) -> Iterable[str]:
    for start in range(len(words) - CONTAMINATION_GRAM + 1):
        yield "\x1f".join(words[start : start + CONTAMINATION_GRAM])
