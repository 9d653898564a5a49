"""Documents -> the fingerprint file that ships with the model (graft_models.weights.attribution says what is in it).

    python -m graft_training.fingerprints --work DIR --out FILE

Prints its size, and how many windows of 50 tokens of the held-out packages it attributes: these were not trained on, so
what is attributed there is common code or chance.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graft_models.weights.attribution import BUCKET_BITS, GRAM, HASH_BITS, MAGIC, TOKEN, WINDOW, Fingerprints, Source
from graft_training import corpus, dedup

MOST_BYTES = 8_000_000
TRIALS = 2_000


def kept_hashes(text: str) -> NDArray[np.uint64]:
    """The winnowed hashes of one document, `HASH_BITS` bits each, without repeats."""
    grams = dedup.shingles(dedup.token_hashes(TOKEN.findall(text)), GRAM)
    if len(grams) < WINDOW:
        return np.zeros(0, dtype=np.uint64)
    smallest = np.lib.stride_tricks.sliding_window_view(grams, WINDOW).min(axis=1)
    return np.unique(smallest & np.uint64((1 << HASH_BITS) - 1))


def documents(path: Path) -> Iterator[tuple[str, str]]:
    """(package, text) of every document."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield record["package"], record["text"]


def write(found: NDArray[np.uint64], owner: NDArray[np.uint8], sources: list[Source], out: Path) -> int:
    """Write hashes that exactly one package holds; returns how many. Raises ValueError above `MOST_BYTES`."""
    order = np.lexsort((owner, found))
    found, owner = found[order], owner[order]
    first = np.concatenate(([True], (found[1:] != found[:-1]) | (owner[1:] != owner[:-1])))
    found, owner = found[first], owner[first]
    repeated = np.zeros(len(found), dtype=bool)
    same = found[1:] == found[:-1]
    repeated[1:] |= same
    repeated[:-1] |= same
    found, owner = found[~repeated], owner[~repeated]
    counts = np.bincount((found >> np.uint64(16)).astype(np.int64), minlength=1 << BUCKET_BITS)
    entries = np.empty((len(found), 3), dtype=np.uint8)
    entries[:, 0] = (found & np.uint64(0xFF)).astype(np.uint8)
    entries[:, 1] = ((found >> np.uint64(8)) & np.uint64(0xFF)).astype(np.uint8)
    entries[:, 2] = owner
    head = json.dumps([[s.name, s.version, s.licence] for s in sources]).encode()
    raw = MAGIC + struct.pack("<I", len(head)) + head + counts.astype(np.uint8).tobytes() + entries.tobytes()
    if len(raw) > MOST_BYTES or counts.max(initial=0) > 255:
        raise ValueError(f"{len(raw):,} bytes are more than {MOST_BYTES:,}: raise WINDOW or leave documents out")
    out.write_bytes(raw)
    return len(found)


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="graft_training.fingerprints")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    started = time.monotonic()
    manifest = {p.name: p for p in corpus.read_manifest()}
    sources: list[Source] = []
    numbers: dict[str, int] = {}
    hashes, owners = [], []
    for package, text in documents(args.work / "documents.jsonl"):
        if package not in numbers:
            numbers[package] = len(sources)
            sources.append(Source(package, manifest[package].version, manifest[package].licence))
        kept = kept_hashes(text)
        hashes.append(kept)
        owners.append(np.full(len(kept), numbers[package], dtype=np.uint8))
    count = write(np.concatenate(hashes), np.concatenate(owners), sources, args.out)
    size = args.out.stat().st_size
    print(f"{count:,} fingerprints of {len(sources)} packages, {size:,} bytes, {time.monotonic() - started:.0f} s")
    prints = Fingerprints(args.out)
    for name in ("heldout.jsonl", "documents.jsonl"):
        share = attributed(prints, args.work / name, TRIALS)
        print(f"{name}: {share:.3%} of {TRIALS} windows of 50 tokens attributed")
    chance = 1 - (1 - count / (1 << HASH_BITS)) ** (2 * (GRAM + WINDOW - 1) / (WINDOW + 1))
    print(f"by chance, where nothing is repeated: {chance:.4%} of windows of 50 tokens")
    return 0


def attributed(prints: Fingerprints, path: Path, trials: int) -> float:
    """Share of random 50-token windows of a document file that are attributed."""
    draw = random.Random(1)
    texts = [text for _, text in documents(path)]
    hits = 0
    for _ in range(trials):
        matches = list(TOKEN.finditer(draw.choice(texts)))
        start = draw.randrange(max(1, len(matches) - 50))
        window = matches[start : start + GRAM + WINDOW - 1]
        hits += bool(window) and bool(prints.attribute(window[0].string[window[0].start() : window[-1].end()]))
    return hits / trials


if __name__ == "__main__":
    raise SystemExit(main())
