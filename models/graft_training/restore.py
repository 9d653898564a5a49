"""A shipped GGUF -> tokenizer and starting weights, so that a later run goes on from the embedded model.

    python -m graft_training.restore MODEL.gguf --work DIR

Writes tokenizer.json and start.pt (for `train --start-from`) into the work folder. Only the weights come back, rounded
as they were shipped; optimizer and schedule begin anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import quants
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as PreSequence

from graft_training.tokenizer import QWEN2, SPECIALS

Array = NDArray[np.float32]


def read(path: Path) -> tuple[dict[str, Array], dict[str, int | float], Tokenizer, int]:
    """(weights by training name, the model's shape, tokenizer, tokens trained on).

    Raises ValueError for a model of another kind.
    """
    reader = gguf.GGUFReader(path)
    values = {name: field.contents() for name, field in reader.fields.items()}
    if values.get("general.architecture") != "qwen3" or "graft.prompt_version" not in values:
        raise ValueError(f"{path.name} was not written by graft_training.export")
    parts = {t.name: np.asarray(quants.dequantize(t.data, t.tensor_type), np.float32) for t in reader.tensors}
    config: dict[str, int | float] = {
        "vocab_size": len(values["tokenizer.ggml.tokens"]),
        "n_layer": int(values["qwen3.block_count"]),
        "n_embd": int(values["qwen3.embedding_length"]),
        "n_head": int(values["qwen3.attention.head_count"]),
        "n_kv_head": int(values["qwen3.attention.head_count_kv"]),
        "head_dim": int(values["qwen3.attention.key_length"]),
        "n_ff": int(values["qwen3.feed_forward_length"]),
        "rope_base": float(values["qwen3.rope.freq_base"]),
    }
    return fused(parts, int(config["n_layer"])), config, tokenizer_of(values), int(values["graft.training_tokens"])


def fused(parts: Mapping[str, Array], layers: int) -> dict[str, Array]:
    """llama.cpp names -> training names; what `export.tensors` took apart is put together."""
    weights = {"embedding": parts["token_embd.weight"], "output_norm": parts["output_norm.weight"]}
    for layer in range(layers):
        ours, theirs = f"blocks.{layer}.", f"blk.{layer}."
        for target, name in (
            ("attn_norm", "attn_norm"),
            ("attn_q_norm", "q_norm"),
            ("attn_k_norm", "k_norm"),
            ("attn_output", "attn_out"),
            ("ffn_norm", "ffn_norm"),
            ("ffn_down", "down"),
        ):
            weights[ours + name] = parts[f"{theirs}{target}.weight"]
        weights[ours + "qkv"] = np.concatenate([parts[f"{theirs}attn_{n}.weight"] for n in "qkv"])
        weights[ours + "gate_up"] = np.concatenate([parts[f"{theirs}ffn_{n}.weight"] for n in ("gate", "up")])
    return weights


def tokenizer_of(values: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a GGUF's metadata, as `graft_training.tokenizer` would have saved it."""
    names = list(values["tokenizer.ggml.tokens"])
    plain = {name: number for number, name in enumerate(names) if name not in SPECIALS}
    merges = [tuple(merge.split(" ")) for merge in values["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(BPE(vocab=plain, merges=merges))
    tokenizer.pre_tokenizer = PreSequence(
        [Split(Regex(QWEN2), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in names if name in SPECIALS])
    return tokenizer


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    import torch

    parser = argparse.ArgumentParser(prog="graft_training.restore")
    parser.add_argument("model", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args(argv)
    weights, config, tokenizer, tokens = read(args.model)
    args.work.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(args.work / "tokenizer.json"))
    start = {"model": {n: torch.from_numpy(w.copy()) for n, w in weights.items()}, "tokens": tokens}
    torch.save(start, args.work / "start.pt")
    print(json.dumps(config))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
