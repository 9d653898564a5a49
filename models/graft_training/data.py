"""Documents -> rows of token ids in the product's own prompt layout (graft_models.prompt, version 1).

    python -m graft_training.data --work DIR [--epoch N] [--limit-mb N] [--stage 2]

A file is walked from top to bottom in pieces of about a prompt's size. Most pieces become a hole with prefix, suffix
and middle (holes.py draws it), half of those with parts of other files of the same package before them
(neighbours.py); the rest stay plain text behind their path. Samples are packed, uncut, into rows of `CONTEXT` ids.
The second stage of training has other shares: few plain pieces, and most holes with the parts that the product's own
graph finds for them (product_context.py), and edits beside them (edits.py).
Writes train-N.bin, of the second stage second-N.bin (uint16, [rows, CONTEXT]), val.bin (the same from heldout.jsonl)
and their counts beside them (.json).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import itertools
import json
import multiprocessing
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graft_models.prompt import GRAFT, LAYOUT_VERSION, ContextPart, Hole, Segment, segments
from graft_training import holes
from graft_training.neighbours import Neighbours
from graft_training.tokenizer import Encoder

if TYPE_CHECKING:
    from graft_training.product_context import ProductContext

CONTEXT = 1024  # ids in a row
NOISE_SHARE = 0.15  # of the holes with parts: one part has nothing to do with the hole
REPOSITORY_SHARE = 0.5  # of the samples with parts: the repository's name first
PREFIX_BYTES = (200, 1600)  # a piece has this much before the hole (drawn evenly) ...
SUFFIX_BYTES = (0, 500)  # ... and this much behind it
PLAIN_BYTES = (800, 3000)
CONTEXT_TOKENS = 256  # at most, of all parts
NO_SUFFIX_SHARE = 0.12  # of the holes: the person writes at the end of the file
PACK_BUFFER = 512  # samples from which a row is filled

Rows = NDArray[np.uint16]


@dataclass(frozen=True)
class Shares:
    """What the samples of one stage of training are."""

    plain: float  # of the pieces: no hole
    context: float  # of the holes: parts of other files before them
    product: float  # of those: parts that the product's graph finds, instead of matched spellings
    edits: bool = False  # planted mistakes to mend, beside the pieces


STAGES = {
    1: Shares(plain=0.2, context=0.5, product=0.0),
    2: Shares(plain=0.05, context=0.75, product=0.8, edits=True),
}
FILE_NAMES = {1: "train", 2: "second"}

Sample = tuple[str, list[Segment]]
Job = tuple[str, list[tuple[str, str]], Path, int, int, int]


def pieces(
    package: str,
    path: str,
    text: str,
    around: Neighbours,
    draw: random.Random,
    shares: Shares = STAGES[1],
    product: ProductContext | None = None,
) -> Iterator[Sample]:
    """Cut one document into samples: (kind, segments with the middle and the end). `product` may be None in stage 1."""
    raw = text.encode()
    tree = holes.parse(raw)
    start = 0
    while start < len(raw) - 40:
        if draw.random() < shares.plain:
            stop = holes.line_end(raw, min(len(raw), start + draw.randint(*PLAIN_BYTES)))
            body = raw[start:stop].decode()
            yield "plain", [Segment(GRAFT.file, True), Segment(f"{path}\n{body}"), Segment(GRAFT.end[0], True)]
            start = stop
            continue
        wanted = start + draw.randint(*PREFIX_BYTES)
        hole = holes.draw_hole(tree, raw, start, wanted, draw)
        if hole is None:
            start = holes.line_end(raw, min(len(raw), wanted))
            continue
        stop = holes.line_end(raw, min(len(raw), hole.end + draw.randint(*SUFFIX_BYTES)))
        suffix = b"" if draw.random() < NO_SUFFIX_SHARE else raw[hole.end : stop]
        middle = raw[hole.start : hole.end].decode()
        parts: list[ContextPart] = []
        if draw.random() < shares.context:
            near = raw[max(start, hole.start - 500) : hole.start].decode("utf-8", "ignore")
            if product is not None and draw.random() < shares.product:
                found = product.parts(path, raw[: hole.start].decode(), raw[hole.end :].decode(), CONTEXT_TOKENS)
                parts = around.with_noise(found, NOISE_SHARE, draw)
            else:
                parts = around.parts(path, near, middle, CONTEXT_TOKENS, NOISE_SHARE, draw)
        repository = package if parts and draw.random() < REPOSITORY_SHARE else ""
        prompt = Hole(path, raw[start : hole.start].decode(), suffix.decode(), "", repository, tuple(parts))
        yield hole.kind, [*segments(GRAFT, prompt), Segment(middle), Segment(GRAFT.end[0], True)]
        start = stop if suffix else hole.end


def pack(samples: Iterator[list[int]], context: int, pad: int) -> Iterator[list[int]]:
    """Rows of `context` ids: each filled with the longest waiting samples that still fit, the rest is padding.

    A sample that is longer than a row is cut at the row's end.
    """
    waiting: list[list[int]] = []
    for sample in samples:
        waiting.append(sample[:context])
        if len(waiting) >= PACK_BUFFER:
            yield _fill(waiting, context, pad)
    while waiting:
        yield _fill(waiting, context, pad)


def _fill(waiting: list[list[int]], context: int, pad: int) -> list[int]:
    row = waiting.pop(0)
    while len(row) < context:
        room = context - len(row)
        best = max((i for i, s in enumerate(waiting) if len(s) <= room), key=lambda i: len(waiting[i]), default=None)
        if best is None:
            break
        row = row + waiting.pop(best)
    return row + [pad] * (context - len(row))


def _graph(documents: list[tuple[str, str]]) -> ProductContext:
    # Imported late: the first stage runs on machines that have nothing of the server's.
    from graft_training.product_context import ProductContext

    return ProductContext(documents)


def _edits(path: str, text: str, draw: random.Random) -> Iterator[Sample]:
    # Imported late for the same reason as above.
    from graft_training import edits

    return edits.samples(path, text, draw)


def package_rows(job: Job) -> tuple[Rows, collections.Counter[str]]:
    """All rows of one package's documents [(path, text)], reproducible by package, epoch and text.

    With a limit of `limit` bytes some of the documents are walked, and all of them are there to find parts in.
    """
    package, documents, tokenizer, epoch, stage, limit = job
    encoder = Encoder(tokenizer)
    draw = random.Random(int.from_bytes(hashlib.sha256(f"{package}/{epoch}".encode()).digest()[:8], "little"))
    around = Neighbours(documents)
    chosen = draw.sample(documents, min(len(documents), max(1, limit // 20_000))) if limit else documents
    counts: collections.Counter[str] = collections.Counter()

    def encoded() -> Iterator[list[int]]:
        for path, text in chosen:
            cut = pieces(package, path, text, around, draw, STAGES[stage], product)
            for kind, sample in itertools.chain(cut, _edits(path, text, draw) if STAGES[stage].edits else ()):
                ids = encoder.segments(sample)
                counts[f"samples_{kind}"] += 1
                counts["tokens"] += len(ids)
                counts["samples_with_context"] += sum(s.text == GRAFT.file for s in sample) > 1
                counts["cut"] += len(ids) > CONTEXT
                yield ids

    with _graph(documents) if STAGES[stage].product else contextlib.nullcontext() as product:
        rows = np.array(list(pack(encoded(), CONTEXT, encoder.pad)), dtype=np.uint16).reshape(-1, CONTEXT)
    counts["rows"] = len(rows)
    return rows, counts


def jobs_of(documents: Path, tokenizer: Path, epoch: int, limit: int, stage: int) -> Iterator[Job]:
    """One job per package, in the file's order."""
    with documents.open(encoding="utf-8") as lines:
        records = (json.loads(line) for line in lines)
        for package, group in itertools.groupby(records, key=lambda r: str(r["package"])):
            files = [(str(r["path"]), str(r["text"])) for r in group]
            yield package, files, tokenizer, epoch, stage, limit


def make(
    documents: Path, tokenizer: Path, out: Path, epoch: int, jobs: int, limit: int = 0, stage: int = 1
) -> dict[str, int]:
    """Write `out`: rows of all packages in one random order (fixed by the epoch). `limit`: bytes per package, or 0."""
    counts: collections.Counter[str] = collections.Counter()
    all_rows = []
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for rows, count in pool.imap_unordered(package_rows, jobs_of(documents, tokenizer, epoch, limit, stage)):
            all_rows.append((hashlib.sha256(rows.tobytes()).digest(), rows))
            counts.update(count)
    rows = np.concatenate([r for _, r in sorted(all_rows, key=lambda pair: pair[0])])
    order = np.random.default_rng(epoch).permutation(len(rows))
    partial = out.with_suffix(".part")
    rows[order].tofile(partial)
    partial.replace(out)
    return dict(sorted(counts.items()))


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="graft_training.data")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epoch", type=int, default=0, help="another number draws other holes")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--stage", type=int, choices=sorted(STAGES), default=1, help="2: mostly with the graph's parts")
    parser.add_argument("--limit-mb", type=float, default=0, help="per package, for a quick trial")
    args = parser.parse_args(argv)
    started = time.monotonic()
    work: Path = args.work
    limit = int(args.limit_mb * 1e6)
    for name, out, epoch in (
        ("heldout", "val.bin", 0),
        ("documents", f"{FILE_NAMES[args.stage]}-{args.epoch}.bin", args.epoch),
    ):
        if name == "heldout" and (work / out).exists():
            continue
        counts = make(work / f"{name}.jsonl", work / "tokenizer.json", work / out, epoch, args.jobs, limit, args.stage)
        counts["layout_version"] = LAYOUT_VERSION
        print(out, json.dumps(counts), f"{time.monotonic() - started:.0f} s", flush=True)
        (work / out).with_suffix(".json").write_text(json.dumps(counts, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
