"""A checkpoint -> one GGUF file that llama.cpp, and Graft, can run.

    python -m graft_training.export --work DIR --checkpoint FILE --out FILE.gguf [--type q8_0] [--name NAME]

Architecture "qwen3" (half-split rotary positions, so no permutation), tied embeddings, tokenizer "gpt2" with the
pre-tokenizer "qwen2". Besides what llama.cpp needs the file says what Graft needs: prompt version, corpus hash,
languages, licence. Written here: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0. K-quants come from llama.cpp's own
quantizer, out of an f32 file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import quants
from numpy.typing import NDArray

from graft_models.prompt import GRAFT, LAYOUT_VERSION
from graft_training.data import CONTEXT
from graft_training.tokenizer import END, PAD, SPECIALS

EPS = 1e-6
LICENCE = "apache-2.0"
TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "q5_1": (gguf.GGMLQuantizationType.Q5_1, gguf.LlamaFileType.MOSTLY_Q5_1),
    "q5_0": (gguf.GGMLQuantizationType.Q5_0, gguf.LlamaFileType.MOSTLY_Q5_0),
    "q4_1": (gguf.GGMLQuantizationType.Q4_1, gguf.LlamaFileType.MOSTLY_Q4_1),
    "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
}
SPECIAL_KEYS = {
    GRAFT.prefix: gguf.Keys.Tokenizer.FIM_PRE_ID,
    GRAFT.suffix: gguf.Keys.Tokenizer.FIM_SUF_ID,
    GRAFT.middle: gguf.Keys.Tokenizer.FIM_MID_ID,
    PAD: gguf.Keys.Tokenizer.FIM_PAD_ID,
    GRAFT.repository: gguf.Keys.Tokenizer.FIM_REP_ID,
    GRAFT.file: gguf.Keys.Tokenizer.FIM_SEP_ID,
}

Array = NDArray[np.float32]


def tensors(weights: Mapping[str, Array], config: Mapping[str, int | float]) -> Iterator[tuple[str, Array]]:
    """Training names -> llama.cpp names; fused matrices are taken apart. Matrices are [out, in]."""
    heads, kv, size = int(config["n_head"]), int(config["n_kv_head"]), int(config["head_dim"])
    hidden = int(config["n_ff"])
    yield "token_embd.weight", weights["embedding"]
    yield "output_norm.weight", weights["output_norm"]
    for layer in range(int(config["n_layer"])):
        ours, theirs = f"blocks.{layer}.", f"blk.{layer}."
        for name, target in (
            ("attn_norm", "attn_norm"),
            ("q_norm", "attn_q_norm"),
            ("k_norm", "attn_k_norm"),
            ("attn_out", "attn_output"),
            ("ffn_norm", "ffn_norm"),
            ("down", "ffn_down"),
        ):
            yield f"{theirs}{target}.weight", weights[ours + name]
        query, key, value = np.split(weights[ours + "qkv"], [heads * size, (heads + kv) * size])
        yield f"{theirs}attn_q.weight", query
        yield f"{theirs}attn_k.weight", key
        yield f"{theirs}attn_v.weight", value
        gate, up = np.split(weights[ours + "gate_up"], [hidden])
        yield f"{theirs}ffn_gate.weight", gate
        yield f"{theirs}ffn_up.weight", up


def write(
    out: Path,
    weights: Mapping[str, Array],
    config: Mapping[str, int | float],
    tokenizer: Path,
    kind: str,
    name: str,
    corpus_hash: str,
    context: int,
    tokens: int,
) -> None:
    """Write `out`. `kind` is a key of TYPES; vectors stay float32. `tokens` is what the model was trained on."""
    quantized, file_type = TYPES[kind]
    writer = gguf.GGUFWriter(str(out), "qwen3")
    writer.add_name(name)
    writer.add_license(LICENCE)
    writer.add_languages(["en"])
    writer.add_tags(["code", "fill-in-the-middle", "python"])
    writer.add_uint32("graft.prompt_version", LAYOUT_VERSION)
    writer.add_string("graft.corpus_hash", corpus_hash)
    writer.add_array("graft.languages", ["python"])
    writer.add_uint64("graft.training_tokens", tokens)
    writer.add_context_length(context)
    writer.add_embedding_length(int(config["n_embd"]))
    writer.add_block_count(int(config["n_layer"]))
    writer.add_feed_forward_length(int(config["n_ff"]))
    writer.add_head_count(int(config["n_head"]))
    writer.add_head_count_kv(int(config["n_kv_head"]))
    writer.add_key_length(int(config["head_dim"]))
    writer.add_value_length(int(config["head_dim"]))
    writer.add_layer_norm_rms_eps(EPS)
    writer.add_rope_dimension_count(int(config["head_dim"]))
    writer.add_rope_freq_base(float(config["rope_base"]))
    writer.add_vocab_size(int(config["vocab_size"]))
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_tokenizer(writer, tokenizer)
    for target, array in tensors(weights, config):
        if array.ndim == 1 or kind == "f32":
            writer.add_tensor(target, np.ascontiguousarray(array, dtype=np.float32))
        else:
            data = quants.quantize(np.ascontiguousarray(array, dtype=np.float32), quantized)
            writer.add_tensor(target, data, raw_dtype=quantized)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer: gguf.GGUFWriter, path: Path) -> None:
    """Vocabulary, merges and special ids of a `tokenizers` file into the GGUF."""
    saved = json.loads(path.read_text("utf-8"))
    ids: dict[str, int] = dict(saved["model"]["vocab"])
    ids.update({token["content"]: token["id"] for token in saved["added_tokens"]})
    names = sorted(ids, key=ids.__getitem__)
    merges = [m if isinstance(m, str) else " ".join(m) for m in saved["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(names)
    writer.add_token_types([gguf.TokenType.CONTROL if n in SPECIALS else gguf.TokenType.NORMAL for n in names])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(ids[END])
    writer.add_pad_token_id(ids[PAD])
    writer.add_add_bos_token(False)
    for special, key in SPECIAL_KEYS.items():
        writer.add_uint32(key, ids[special])


def load_weights(checkpoint: Path) -> tuple[dict[str, Array], dict[str, Any], int]:
    """(float32 arrays by training name, config, tokens trained on in all runs) of a checkpoint."""
    import torch

    state = torch.load(checkpoint, map_location="cpu")
    tokens = int(state["tokens"]) + int(state.get("earlier", 0))
    return {n: t.float().numpy() for n, t in state["model"].items()}, state["config"], tokens


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="graft_training.export")
    parser.add_argument("--work", type=Path, required=True, help="holds tokenizer.json and stats.json")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--type", choices=sorted(TYPES), default="q8_0")
    parser.add_argument("--name", default="graft-embedded")
    parser.add_argument("--context", type=int, default=CONTEXT, help="context length that the metadata states")
    args = parser.parse_args(argv)
    weights, config, tokens = load_weights(args.checkpoint)
    corpus_hash = json.loads((args.work / "stats.json").read_text("utf-8"))["corpus_hash"]
    tokenizer = args.work / "tokenizer.json"
    write(args.out, weights, config, tokenizer, args.type, args.name, corpus_hash, args.context, tokens)
    digest = hashlib.sha256(args.out.read_bytes()).hexdigest()
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, sha256 {digest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
