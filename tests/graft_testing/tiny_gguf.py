"""GGUF files with random weights: tiny ones with the special tokens of each model family, and ones of true shape.

A random model answers nonsense, deterministically: enough to test formats, memory, cancelling and equality, and as slow
as the real one of its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

WORDS = [
    *("def", "return", "self", "import", "from", "class", "if", "else", "for", "in", "not", "None", "True", "print"),
    *("len", "range", "name", "value", "item", "list", "dict", "str", "int", "append", "self.name", "__init__", "path"),
    *("open", "read", "write", "line", "text", "data", "result", "index", "key"),
]
FIM = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>")


@dataclass(frozen=True)
class Shape:
    """Sizes of a model; `heads` divide `width`, `kv_heads` divide `heads`."""

    width: int = 64
    layers: int = 2
    heads: int = 2
    kv_heads: int = 1
    inner: int = 128
    context: int = 2048


NANO = Shape()
QWEN_HALF_BILLION = Shape(width=896, layers=24, heads=14, kv_heads=2, inner=4864, context=32768)
"""Qwen2.5-Coder-0.5B's shape, as its published configuration gives it; its vocabulary has 151,936 entries, tied."""
QWEN_ONE_AND_A_HALF_BILLION = Shape(width=1536, layers=28, heads=12, kv_heads=2, inner=8960, context=32768)
"""Qwen2.5-Coder-1.5B's; the same vocabulary, tied."""


def bytes_to_unicode() -> dict[int, str]:
    """GPT-2's printable stand-ins for bytes (the published table)."""
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    out = {b: chr(b) for b in kept}
    for b in range(256):
        if b not in out:
            out[b] = chr(256 + len(out) - len(kept))
    return out


_CHARACTER = bytes_to_unicode()


def stand_in(text: bytes) -> str:
    """Bytes as a byte-level vocabulary writes them."""
    return "".join(_CHARACTER[b] for b in text)


def merges_for(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Tokens and merges that make each word (alone and after a blank) one token, built left to right."""
    tokens: dict[str, None] = {}
    merges: dict[str, None] = {}
    for word in words:
        for text in (word, " " + word):
            parts = [stand_in(bytes([b])) for b in text.encode()]
            while len(parts) > 1:
                merges[f"{parts[0]} {parts[1]}"] = None
                parts[:2] = [parts[0] + parts[1]]
                tokens[parts[0]] = None
    return list(tokens), list(merges)


def write(
    path: Path,
    *,
    specials: Iterable[str] = FIM,
    architecture: str = "qwen2",
    pre: str = "qwen2",
    shape: Shape = NANO,
    vocabulary: int = 0,
    words: Iterable[str] = WORDS,
    seed: int = 0,
    quantized: bool = False,
    fim: dict[str, str] | None = None,
    metadata: dict[str, str | int] | None = None,
    sentencepiece: bool = False,
    begin: str = "",
    context: int = 0,
    like: Path | None = None,
) -> Path:
    """Write a model and return `path`.

    `specials[0]` is the end token.  `fim` maps `pre`, `suf`, `mid`, `rep`, `sep` to special tokens for the metadata;
    `vocabulary` pads to that many tokens with made-up ones; `begin` is put before every prompt; `like` is a byte-level
    model whose ordinary tokens and merges are taken over.
    """
    specials = list(specials)
    if sentencepiece:
        tokens, scores, kinds = _sentencepiece(specials, words)
        merges: list[str] = []
    else:
        extra, merges = merges_for(words) if like is None else _taken_over(like)
        tokens = list(dict.fromkeys([*(_CHARACTER[b] for b in range(256)), *extra]))
        kinds = [gguf.TokenType.NORMAL] * len(tokens)
        for i in range(len(tokens) + len(specials), vocabulary):
            tokens.append(stand_in(f"{'Ġ' if i % 2 else ''}w{i:x}".encode()))
            kinds.append(gguf.TokenType.NORMAL)
        scores = None
    tokens = [*tokens, *specials]
    kinds = [*kinds, *[gguf.TokenType.CONTROL] * len(specials)]
    if scores is not None:
        scores = [*scores, *[0.0] * len(specials)]
    identity = {t: i for i, t in enumerate(tokens)}

    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("random")
    writer.add_context_length(context or shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    if architecture == "llama":
        writer.add_rope_dimension_count(shape.width // shape.heads)
    if architecture == "qwen3":
        writer.add_key_length(shape.width // shape.heads)
        writer.add_value_length(shape.width // shape.heads)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantized else gguf.LlamaFileType.ALL_F32)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, value in (metadata or {}).items():
        if isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)
    writer.add_tokenizer_model("llama" if sentencepiece else "gpt2")
    if not sentencepiece:
        writer.add_tokenizer_pre(pre)
        writer.add_token_merges(merges)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    if scores is not None:
        writer.add_token_scores(scores)
    writer.add_eos_token_id(identity[specials[0]])
    writer.add_bos_token_id(identity[begin or specials[0]])
    writer.add_add_bos_token(bool(begin))
    for key, token in (fim or {}).items():
        writer.add_uint32(f"tokenizer.ggml.fim_{key}_token_id", identity[token])
    for name, array in _weights(architecture, shape, len(tokens), seed):
        if quantized and array.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _taken_over(path: Path) -> tuple[list[str], list[str]]:
    """Ordinary tokens and merges of a byte-level model."""
    fields = gguf.GGUFReader(path).fields

    def strings(key: str) -> list[str]:
        return [bytes(fields[key].parts[i]).decode("utf-8") for i in fields[key].data]

    kinds = fields["tokenizer.ggml.token_type"]
    normal = [int(kinds.parts[i][0]) == int(gguf.TokenType.NORMAL) for i in kinds.data]
    tokens = strings("tokenizer.ggml.tokens")
    return [t for t, n in zip(tokens, normal, strict=True) if n], strings("tokenizer.ggml.merges")


def _sentencepiece(specials: list[str], words: Iterable[str]) -> tuple[list[str], list[float], list[gguf.TokenType]]:
    """Unknown, byte tokens, printable characters, and words with all their beginnings (longer is better)."""
    pieces = ["<unk>", *(f"<0x{b:02X}>" for b in range(256))]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.BYTE] * 256]
    scores = [0.0] * 257
    normal: dict[str, None] = {"▁": None}
    normal |= dict.fromkeys(chr(c) for c in range(33, 127))
    for word in words:
        for text in (word, "▁" + word):
            normal |= dict.fromkeys(text[:n] for n in range(1, len(text) + 1))
    for piece in normal:
        if not re.fullmatch(r"<.*>", piece):
            pieces.append(piece)
            kinds.append(gguf.TokenType.NORMAL)
            scores.append(-1.0 / len(piece))
    return pieces, scores, kinds


def _weights(architecture: str, shape: Shape, vocabulary: int, seed: int) -> Iterable[tuple[str, np.ndarray]]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, scale: float = 1.0) -> np.ndarray:
        return (random.standard_normal((rows, columns), dtype=np.float32) * (scale / columns**0.5)).astype(np.float32)

    head = shape.width // shape.heads
    yield "token_embd.weight", matrix(vocabulary, shape.width, shape.width**0.5)
    yield "output_norm.weight", np.ones(shape.width, np.float32)
    for i in range(shape.layers):
        yield f"blk.{i}.attn_norm.weight", np.ones(shape.width, np.float32)
        yield f"blk.{i}.ffn_norm.weight", np.ones(shape.width, np.float32)
        yield f"blk.{i}.attn_q.weight", matrix(shape.width, shape.width, 2.0)
        yield f"blk.{i}.attn_k.weight", matrix(shape.kv_heads * head, shape.width, 2.0)
        yield f"blk.{i}.attn_v.weight", matrix(shape.kv_heads * head, shape.width)
        yield f"blk.{i}.attn_output.weight", matrix(shape.width, shape.width)
        yield f"blk.{i}.ffn_gate.weight", matrix(shape.inner, shape.width)
        yield f"blk.{i}.ffn_up.weight", matrix(shape.inner, shape.width)
        yield f"blk.{i}.ffn_down.weight", matrix(shape.width, shape.inner)
        if architecture == "qwen2":
            yield f"blk.{i}.attn_q.bias", random.standard_normal(shape.width).astype(np.float32) * 0.1
            yield f"blk.{i}.attn_k.bias", random.standard_normal(shape.kv_heads * head).astype(np.float32) * 0.1
            yield f"blk.{i}.attn_v.bias", random.standard_normal(shape.kv_heads * head).astype(np.float32) * 0.1
        if architecture == "qwen3":
            yield f"blk.{i}.attn_q_norm.weight", np.ones(head, np.float32)
            yield f"blk.{i}.attn_k_norm.weight", np.ones(head, np.float32)
