"""Byte-level BPE with llama.cpp's "qwen2" pre-tokenizer, so that both tokenize alike.

    python -m graft_training.tokenizer --work DIR [--vocab 8192]
    python -m graft_training.tokenizer --work DIR --count       tokens of the whole corpus, with the tokenizer there

Reads documents.jsonl, writes tokenizer.json (256 bytes, merges, then the special tokens at the end of the vocabulary).
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as PreSequence
from tokenizers.trainers import BpeTrainer

from graft_models.prompt import GRAFT, Segment

VOCAB = 8192  # specials included; at most 65,535, ids are stored in 16 bits
SAMPLE_BYTES = 60_000_000  # of text that merges are learned from
MIN_FREQUENCY = 8

END = GRAFT.end[0]
PAD = "<|fim_pad|>"
SPECIALS = (END, GRAFT.prefix, GRAFT.middle, GRAFT.suffix, PAD, GRAFT.repository, GRAFT.file)
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train(texts: Iterator[str], vocab: int) -> Tokenizer:
    """Learn merges from `texts`. The special tokens take the last ids."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = PreSequence(
        [Split(Regex(QWEN2), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocab - len(SPECIALS),
        min_frequency=MIN_FREQUENCY,
        show_progress=False,
        initial_alphabet=ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def sample(documents: Path, size: int, seed: int = 1) -> Iterator[str]:
    """Texts drawn evenly over the corpus, `size` bytes in all."""
    share = size / max(1, documents.stat().st_size)
    draw = random.Random(seed)
    with documents.open(encoding="utf-8") as lines:
        for line in lines:
            if draw.random() < share:
                yield json.loads(line)["text"]


class Encoder:
    """Plain text and prompt segments to ids. Special tokens in plain text are never recognised."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(path))
        self.special: dict[str, int] = {name: int(self.tokenizer.token_to_id(name) or 0) for name in SPECIALS}
        self.end = self.special[END]
        self.pad = self.special[PAD]
        self.tokenizer.encode_special_tokens = True

    @property
    def size(self) -> int:
        """Number of ids, specials included."""
        return int(self.tokenizer.get_vocab_size())

    def byte_lengths(self) -> list[int]:
        """Bytes of text behind each id; 0 for specials."""
        lengths = [0] * self.size
        for token, number in self.tokenizer.get_vocab(with_added_tokens=False).items():
            lengths[number] = len(token)  # one character of the byte alphabet stands for one byte
        return lengths

    def pieces(self) -> list[bytes]:
        """The bytes of each token; none for specials, as the engine has it."""
        printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
        others = [byte for byte in range(256) if byte not in printable]
        alphabet = {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(others)}
        found = [b""] * self.size
        for token, number in self.tokenizer.get_vocab(with_added_tokens=False).items():
            found[number] = bytes(alphabet[c] for c in token)
        return found

    def text(self, text: str) -> list[int]:
        """Ids of plain text."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of many plain texts."""
        return [e.ids for e in self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def segments(self, segments: Sequence[Segment]) -> list[int]:
        """Ids of a prompt."""
        plain = iter(self.texts([s.text for s in segments if not s.special]))
        ids: list[int] = []
        for segment in segments:
            ids += [self.special[segment.text]] if segment.special else next(plain)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, specials left out."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text


def measure(documents: Path, encoder: Encoder) -> tuple[int, int, int]:
    """(documents, bytes, tokens) of a whole corpus, each document once."""
    found = [0, 0, 0]
    with documents.open(encoding="utf-8") as lines:
        texts = (json.loads(line)["text"] for line in lines)
        while some := list(itertools.islice(texts, 200)):
            sizes = len(some), sum(len(t.encode()) for t in some), sum(map(len, encoder.texts(some)))
            found = [a + b for a, b in zip(found, sizes, strict=True)]
    return found[0], found[1], found[2]


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="graft_training.tokenizer")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--vocab", type=int, default=VOCAB)
    parser.add_argument("--out", type=Path, help="default: tokenizer.json in the work folder")
    parser.add_argument("--count", action="store_true", help="only count documents, bytes and tokens")
    args = parser.parse_args(argv)
    started = time.monotonic()
    if args.count:
        encoder = Encoder(args.out or args.work / "tokenizer.json")
        documents, size, tokens = measure(args.work / "documents.jsonl", encoder)
        print(f"{documents:,} documents, {size:,} bytes, {tokens:,} tokens of {encoder.size:,} ids")
        return 0
    tokenizer = train(sample(args.work / "documents.jsonl", SAMPLE_BYTES), args.vocab)
    out: Path = args.out or args.work / "tokenizer.json"
    tokenizer.save(str(out))
    encoder = Encoder(out)
    for name in ("documents.jsonl", "heldout.jsonl"):
        texts = list(sample(args.work / name, 3_000_000, seed=2))
        count = sum(map(len, encoder.texts(texts)))
        size = sum(len(t.encode()) for t in texts)
        print(f"{name}: {size / max(1, count):.3f} bytes per token")
    print(f"{encoder.size} ids, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
