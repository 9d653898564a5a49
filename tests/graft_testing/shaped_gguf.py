"""GGUF files of any published shape and quantization, written in seconds: random blocks, streamed to the disk.

What such a model says means nothing; what it costs to load and run is what the real one costs, since the kernels do
not look at the values.  Types are laid out as llama.cpp's quantizer does it (src/llama-quant.cpp, Q4_K_M: Q6_K for the
output and for half of attn_v and ffn_down; rows that 256 does not divide get Q5_0 for Q4_K and Q8_0 for Q6_K).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

from graft_models.catalog import Shape
from graft_testing.tiny_gguf import FIM, _taken_over, stand_in

Type = gguf.GGMLQuantizationType
_BLOCKS = {Type.Q8_0: (32, 34), Type.Q5_0: (32, 22), Type.Q4_K: (256, 144), Type.Q6_K: (256, 210)}
_FILE_TYPES = {"Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "Q4_K_M": gguf.LlamaFileType.MOSTLY_Q4_K_M}


def write_shaped(path: Path, shape: Shape, quantization: str, like: Path, context: int = 32768) -> Path:
    """A model of architecture qwen2 with byte-level tokens of `like` and made-up ones up to the vocabulary."""
    tokens, merges = _taken_over(like)
    known, wanted = set(tokens), shape.vocabulary - len(FIM)
    made = (stand_in(f"{' ' if i % 2 else ''}w{i:x}".encode()) for i in range(2 * shape.vocabulary))
    for token in made:
        if len(tokens) == wanted:
            break
        if token not in known:
            tokens.append(token)
    kinds = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(FIM)
    tokens += FIM
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name(f"random {path.stem}")
    writer.add_context_length(context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(_FILE_TYPES[quantization])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_merges(merges)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_eos_token_id(tokens.index(FIM[0]))
    writer.add_bos_token_id(tokens.index(FIM[0]))
    writer.add_add_bos_token(False)
    tensors = list(_tensors(shape, quantization))
    for name, rows, columns, kind in tensors:
        if kind is None:
            writer.add_tensor_info(name, (columns,), np.dtype(np.float32), columns * 4)
        else:
            per_block, size = _BLOCKS[kind]
            row = columns // per_block * size
            writer.add_tensor_info(name, (rows, row), np.dtype(np.uint8), rows * row, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = np.random.default_rng(0)
    for name, rows, columns, kind in tensors:
        writer.write_tensor_data(_data(random, name, rows, columns, kind))
    writer.close()
    return path


def _tensors(shape: Shape, quantization: str) -> Iterator[tuple[str, int, int, Type | None]]:
    """(name, rows, columns, type; None for vectors in single precision)."""
    many = quantization == "Q4_K_M"

    def fitting(kind: Type, columns: int) -> Type:
        if not many:
            return Type.Q8_0
        if columns % 256 == 0:
            return kind
        return Type.Q5_0 if kind is Type.Q4_K else Type.Q8_0

    width, kv = shape.width, shape.width // shape.heads * shape.kv_heads
    yield "token_embd.weight", shape.vocabulary, width, fitting(Type.Q6_K if shape.tied else Type.Q4_K, width)
    if not shape.tied:
        yield "output.weight", shape.vocabulary, width, fitting(Type.Q6_K, width)
    yield "output_norm.weight", 1, width, None
    for i in range(shape.layers):
        eighth = shape.layers // 8
        better = i < eighth or i >= 7 * shape.layers // 8 or (i - eighth) % 3 == 2
        strong = Type.Q6_K if better else Type.Q4_K
        for name, columns in (("attn_norm.weight", width), ("ffn_norm.weight", width), ("attn_q.bias", width)):
            yield f"blk.{i}.{name}", 1, columns, None
        yield f"blk.{i}.attn_k.bias", 1, kv, None
        yield f"blk.{i}.attn_v.bias", 1, kv, None
        yield f"blk.{i}.attn_q.weight", width, width, fitting(Type.Q4_K, width)
        yield f"blk.{i}.attn_k.weight", kv, width, fitting(Type.Q4_K, width)
        yield f"blk.{i}.attn_v.weight", kv, width, fitting(strong, width)
        yield f"blk.{i}.attn_output.weight", width, width, fitting(Type.Q4_K, width)
        yield f"blk.{i}.ffn_gate.weight", shape.inner, width, fitting(Type.Q4_K, width)
        yield f"blk.{i}.ffn_up.weight", shape.inner, width, fitting(Type.Q4_K, width)
        yield f"blk.{i}.ffn_down.weight", width, shape.inner, fitting(strong, shape.inner)


def _data(random: np.random.Generator, name: str, rows: int, columns: int, kind: Type | None) -> np.ndarray:
    if kind is None:
        return np.full(columns, 1.0 if name.endswith("norm.weight") else 0.0, np.float32)
    per_block, size = _BLOCKS[kind]
    blocks = rows * columns // per_block
    some = min(blocks, 40_000)
    data = random.integers(0, 256, (some, size), np.uint8)
    # Weights of about 1 / sqrt(columns): the scale of a block stands where its layout says.
    steps = {Type.Q8_0: 74.0, Type.Q5_0: 9.0, Type.Q4_K: 300.0, Type.Q6_K: 1400.0}[kind]
    half = np.frombuffer(np.float16(1 / steps / columns**0.5).tobytes(), np.uint8)
    at = size - 2 if kind is Type.Q6_K else 0
    data[:, at : at + 2] = half
    if kind is Type.Q4_K:
        data[:, 2:4] = half
    return np.resize(data, (rows, columns // per_block * size))
