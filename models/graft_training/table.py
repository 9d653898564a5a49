"""Documents -> the table of counts beside the embedded model (graft_models.llama.table says what is in it).

    python -m graft_training.restore MODEL.gguf --work DIR        (the model's own tokenizer)
    python -m graft_training.table --work DIR --out FILE

Two builds from the same documents are equal byte for byte. It takes minutes and, for 55 million tokens, 4 GB of memory.

A continuation counts by the packages that it occurs in. One that a single package uses is left out, however often: it
foretells nothing for other code, and would only repeat. A package that has seen a context n times weighs sqrt(n), so
that no project dominates; half a package is taken off every continuation, and what is missing to 1 is left to the next
shorter context (absolute discounting over packages instead of over places). Lengths of context are grown one after the
other (after Siivola, Hirsimaki and Virpioja 2007): a continuation is kept if the bits that it saves over what the
shorter contexts kept so far say are more than `LEAST_GAIN`.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import struct
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft_models.llama import table

LEVELS = 5  # tokens in the longest context
SHORTEST = 2  # in the shortest one that is written: what one token foretells the model knows
LEAST_GAIN = 5.0  # bits, weighed over the packages
LEAST_PACKAGES = 2
LEAST_COUNT = 2
DISCOUNT = 0.5  # of a package, from every continuation
FLOOR = 1e-9
NEEDED = ("tokenizer.json", "documents.jsonl", "stats.json")

U64 = NDArray[np.uint64]
Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Ids = NDArray[np.uint16]
MULTIPLIER = np.uint64(table.MULTIPLIER)


@dataclass(frozen=True)
class Corpus:
    """Tokens of all documents in a row, [tokens] each. `before`: tokens of the same document before a place."""

    tokens: Ids
    packages: NDArray[np.uint8]
    before: NDArray[np.int32]
    vocabulary: int


@dataclass(frozen=True)
class Grown:
    """Kept contexts of one length, sorted by hash; entries of context i are those from starts[i] to starts[i + 1]."""

    contexts: U64
    starts: Ints
    tokens: Ids
    chances: Reals


def corpus_of(documents: Sequence[tuple[int, Ids | Sequence[int]]], vocabulary: int) -> Corpus:
    """Documents as (number of the package, at most 127; token ids), in any order."""
    sizes = np.array([len(ids) for _, ids in documents], dtype=np.int64)
    flat = [np.asarray(ids, dtype=np.uint16) for _, ids in documents]
    owners = np.array([package for package, _ in documents], dtype=np.uint8)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    before = (np.arange(sizes.sum()) - starts).astype(np.int32)
    return Corpus(np.concatenate(flat), np.repeat(owners, sizes), before, vocabulary)


def extended(known: U64, tokens: NDArray[np.uint16]) -> U64:
    """`table.extended` for arrays."""
    value = known * MULTIPLIER + tokens.astype(np.uint64) + np.uint64(1)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@dataclass(frozen=True)
class Continuations:
    """Different pairs of a context and its continuation, by the order of their hashes."""

    place: Ints
    """One place where the continuation stands."""
    packages: Ints
    total: Ints
    weight: Reals
    """Sum over packages of their count, each divided by the root of what the package has of the context."""


class Growing:
    """What is known of every place while contexts grow: [tokens] each."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        size = len(corpus.tokens)
        several = int(corpus.packages.max(initial=0)) + 1
        cells = corpus.packages.astype(np.int64) * corpus.vocabulary + corpus.tokens
        counts = np.bincount(cells, minlength=several * corpus.vocabulary).reshape(several, corpus.vocabulary)
        del cells
        self.own = counts[corpus.packages, corpus.tokens].astype(np.uint32)
        """How often the package has the n-gram that ends here, of the length reached."""
        self.weight = np.sqrt(counts).sum(0)[corpus.tokens].astype(np.float32)
        """Sum over packages of the root of that."""
        rates = counts / np.maximum(1, counts.sum(1, keepdims=True))
        self.chance = rates.mean(0)[corpus.tokens].astype(np.float32)
        """Probability of the token here, from the contexts kept so far."""
        self.shared = np.ones(size, dtype=bool)
        """Whether enough packages have the n-gram that ends here."""
        self.contexts = np.zeros(size, dtype=np.uint64)
        """Hash of the context of the length reached."""
        self.length = 0

    def grow(self, least_gain: float) -> Grown:
        """Lengthen all contexts by one token and return what is kept of them."""
        corpus, length = self.corpus, self.length = self.corpus, self.length + 1
        self.contexts[length:] = extended(self.contexts[length:], corpus.tokens[:-length])
        usable = self.shared.copy()
        usable[1:] &= self.shared[:-1]
        usable &= corpus.before >= length
        found, context_weight = self._count(np.flatnonzero(usable))
        kept = self._kept(found, context_weight, least_gain)
        self._foretell(kept)
        return kept

    def _pair(self, places: Ints) -> U64:
        return extended(self.contexts[places], self.corpus.tokens[places])

    def _count(self, places: Ints) -> tuple[Continuations, Reals]:
        """Count the pairs at `places`; takes `own`, `weight` and `shared` on to them. Also the weight of the context
        of each pair that enough packages have."""
        package = self.corpus.packages[places].astype(np.uint64)
        # The lower bits give way to the package: pairs of one package lie together, those of all beside each other.
        keys = (self._pair(places) & ~np.uint64(127)) | package
        order = np.argsort(keys, kind="stable")
        keys, places = keys[order], places[order]
        runs = _firsts(keys)
        counts = np.diff(np.append(runs, len(keys)))
        heads = _firsts(keys[runs] >> np.uint64(7))
        before = self.own[places[runs] - 1].astype(np.float64)
        if len(heads):
            total = np.add.reduceat(counts, heads)
            weight = np.add.reduceat(counts / np.sqrt(before), heads)
            own_weight = np.add.reduceat(np.sqrt(counts), heads)
        else:
            total, weight, own_weight = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        packages = np.diff(np.append(heads, len(runs)))
        first = places[runs[heads]] if len(heads) else np.zeros(0, np.int64)
        context_weight = self.weight[first - 1].astype(np.float64)
        good = (packages >= LEAST_PACKAGES) & (total >= LEAST_COUNT)
        self.own, self.weight = np.zeros_like(self.own), np.zeros_like(self.weight)
        self.shared = np.zeros_like(self.shared)
        self.own[places] = np.repeat(counts, counts)
        self.weight[places] = np.repeat(own_weight, total)
        self.shared[places] = np.repeat(good, total)
        return Continuations(first[good], packages[good], total[good], weight[good]), context_weight[good]

    def _kept(self, found: Continuations, context_weight: Reals, least_gain: float) -> Grown:
        lasting = (found.packages - DISCOUNT) / found.packages
        chance = np.minimum(1.0, found.weight * lasting / context_weight)
        contexts = self.contexts[found.place]
        order = np.argsort(contexts, kind="stable")
        contexts, place, chance = contexts[order], found.place[order], chance[order]
        which = _numbers(contexts)
        left = np.maximum(1e-3, 1 - np.bincount(which, chance))[which] if len(which) else chance
        shorter = np.maximum(self.chance[place].astype(np.float64), FLOOR)
        gain = (found.weight * lasting)[order] * np.log2((chance + left * shorter) / shorter)
        keep = np.flatnonzero(gain > least_gain)
        # The likeliest of a context first, equal ones by token; some contexts have more than fit into one byte.
        tokens = self.corpus.tokens[place]
        keep = keep[np.lexsort((tokens[keep], -chance[keep], contexts[keep]))]
        starts = _firsts(contexts[keep])
        rank = np.arange(len(keep)) - starts[_numbers(contexts[keep])] if len(keep) else np.zeros(0, np.int64)
        keep = keep[rank < table.MOST_ENTRIES]
        starts = _firsts(contexts[keep])
        return Grown(contexts[keep][starts], np.append(starts, len(keep)), tokens[keep], chance[keep])

    def _foretell(self, kept: Grown) -> None:
        """Bring `chance` up to what the contexts kept last say, where a longer context can still need it."""
        if not len(kept.contexts):
            return
        places = np.flatnonzero(self.shared)
        at = _find(kept.contexts, self.contexts[places])
        places, at = places[at >= 0], at[at >= 0]
        sizes = np.diff(kept.starts)
        left = np.maximum(0.0, 1 - np.add.reduceat(kept.chances, kept.starts[:-1]))
        self.chance[places] *= left[at].astype(np.float32)
        pairs = extended(np.repeat(kept.contexts, sizes), kept.tokens)
        order = np.argsort(pairs, kind="stable")
        at = _find(pairs[order], self._pair(places))
        self.chance[places[at >= 0]] += kept.chances[order[at[at >= 0]]].astype(np.float32)


def _firsts(values: U64) -> Ints:
    """Where runs of equal values begin."""
    if not len(values):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def _numbers(values: U64) -> Ints:
    """The number of the run that each value is in."""
    new = np.zeros(len(values), dtype=np.int64)
    new[_firsts(values)] = 1
    return np.cumsum(new) - 1


def _find(ordered: U64, sought: U64) -> Ints:
    """Where each value stands in a sorted array, -1 where it does not."""
    at = np.searchsorted(ordered, sought)
    at[at == len(ordered)] = 0
    return np.where(ordered[at] == sought, at, -1)


def packed(levels: Sequence[Grown], vocabulary: str, corpus: str) -> bytes:
    """The file, of contexts from `SHORTEST` tokens on. `vocabulary` and `corpus`: the hashes that its header names."""
    body = bytearray()
    shapes = []
    for level in levels[SHORTEST - 1 :]:
        bits = table.bucket_bits(len(level.contexts))
        buckets = (level.contexts >> np.uint64(64 - bits)).astype(np.int64)
        first = np.searchsorted(buckets, np.arange((1 << bits) + 1))
        chances = np.clip(np.rint(-np.log(level.chances) * table.SCALE), 0, 255)
        arrays: tuple[NDArray[Any], ...] = (
            first,
            level.starts[first],
            level.contexts & np.uint64(0xFFFF),
            np.diff(level.starts),
            level.tokens,
            chances,
        )
        for (name, kind), values in zip(table.TYPES.items(), arrays, strict=True):
            assert len(values) == table.sizes(len(level.contexts), len(level.tokens))[name], name
            body += values.astype(kind).tobytes()
        shapes.append((len(level.contexts), len(level.tokens)))
    head: dict[str, object] = {"vocabulary": vocabulary, "corpus": corpus, "crc32": zlib.crc32(body)}
    head |= {"shortest": SHORTEST, "levels": shapes}
    raw = json.dumps(head).encode()
    return table.MAGIC + struct.pack("<I", len(raw)) + raw + bytes(body)


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    from graft_training.fingerprints import documents
    from graft_training.tokenizer import Encoder

    parser = argparse.ArgumentParser(prog="graft_training.table")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--levels", type=int, default=LEVELS)
    parser.add_argument("--least-gain", type=float, default=LEAST_GAIN)
    args = parser.parse_args(argv)
    started = time.monotonic()
    if missing := [name for name in NEEDED if not (args.work / name).is_file()]:
        # Said now, and not after minutes of counting.
        parser.error(f"{args.work} has no {missing[0]}: graft_training.corpus and .tokenizer make it")
    corpus = json.loads((args.work / "stats.json").read_text("utf-8"))["corpus_hash"]
    encoder = Encoder(args.work / "tokenizer.json")
    numbers: dict[str, int] = {}
    read: list[tuple[int, Ids | Sequence[int]]] = []
    texts = documents(args.work / "documents.jsonl")
    while some := list(itertools.islice(texts, 200)):
        for (package, _), ids in zip(some, encoder.texts([text for _, text in some]), strict=True):
            read.append((numbers.setdefault(package, len(numbers)), np.array(ids, dtype=np.uint16)))
    growing = Growing(corpus_of(read, encoder.size))
    print(f"{len(growing.corpus.tokens):,} tokens, {time.monotonic() - started:.0f} s", flush=True)
    levels = []
    for length in range(1, args.levels + 1):
        levels.append(growing.grow(args.least_gain))
        sizes = f"{len(levels[-1].contexts):,} contexts, {len(levels[-1].tokens):,} continuations"
        print(f"length {length}: {sizes}, {time.monotonic() - started:.0f} s", flush=True)
    raw = packed(levels, table.vocabulary_hash(encoder.pieces()), corpus)
    args.out.write_bytes(raw)
    print(f"{len(raw):,} bytes, sha256 {hashlib.sha256(raw).hexdigest()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
