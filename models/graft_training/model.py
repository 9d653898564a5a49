"""The language model: a plain qwen3-shaped transformer, written so that llama.cpp computes the same numbers.

RMSNorm before attention and before the feed-forward part, RMSNorm on each query and key head (QK-norm), half-split
rotary positions, grouped keys and values, SwiGLU, tied embeddings. Output projections start at zero, so every block
begins as the identity (Zhang et al. 2019, "Fixup"; modded-nanogpt). The loss over the vocabulary is computed in slices
with its gradient in the same pass, because on a CPU reading and writing the logits costs more than the products.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-6  # of every RMSNorm; written into the GGUF
LOSS_SLICE = 1024  # tokens whose logits exist at one time


@dataclass(frozen=True)
class Config:
    """The shape of a model. `n_embd` and `n_ff` are multiples of 256 where K-quants are wanted, of 32 for Q8_0."""

    vocab_size: int
    n_layer: int
    n_embd: int
    n_head: int
    n_kv_head: int
    head_dim: int
    n_ff: int
    context: int = 1024
    rope_base: float = 10000.0

    def as_dict(self) -> dict[str, int | float]:
        """The fields by name, for a checkpoint."""
        return asdict(self)


PRESETS: dict[str, dict[str, int]] = {
    "test": {"n_layer": 2, "n_embd": 64, "n_head": 2, "n_kv_head": 1, "head_dim": 32, "n_ff": 128},
    "nano": {"n_layer": 4, "n_embd": 256, "n_head": 4, "n_kv_head": 2, "head_dim": 64, "n_ff": 768},
    "mini": {"n_layer": 6, "n_embd": 256, "n_head": 4, "n_kv_head": 2, "head_dim": 64, "n_ff": 768},
    "base": {"n_layer": 12, "n_embd": 512, "n_head": 8, "n_kv_head": 4, "head_dim": 64, "n_ff": 2048},
    "large": {"n_layer": 14, "n_embd": 768, "n_head": 12, "n_kv_head": 4, "head_dim": 64, "n_ff": 2048},
}


def rotary(context: int, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of half-split rotary positions (Su et al. 2021): two tensors [context, head_dim / 2]."""
    frequencies = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply `rotary` to x [batch, heads, time, head_dim]."""
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


class Block(nn.Module):
    """Attention and feed-forward, each behind its norm, each added to the stream."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width, head = config.n_embd, config.head_dim
        self.attn_norm = nn.Parameter(torch.ones(width))
        self.q_norm = nn.Parameter(torch.ones(head))
        self.k_norm = nn.Parameter(torch.ones(head))
        self.qkv = nn.Parameter(torch.empty((config.n_head + 2 * config.n_kv_head) * head, width))
        self.attn_out = nn.Parameter(torch.zeros(width, config.n_head * head))
        self.ffn_norm = nn.Parameter(torch.ones(width))
        self.gate_up = nn.Parameter(torch.empty(2 * config.n_ff, width))
        self.down = nn.Parameter(torch.zeros(width, config.n_ff))
        for weight in (self.qkv, self.gate_up):
            nn.init.normal_(weight, std=1 / math.sqrt(width))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x [batch, time, width] -> the same shape."""
        c = self.config
        batch, time, _ = x.shape
        dtype = x.dtype
        y = F.linear(F.rms_norm(x, (c.n_embd,), self.attn_norm.to(dtype), EPS), self.qkv.to(dtype))
        heads = y.view(batch, time, -1, c.head_dim).transpose(1, 2)
        q, k, v = torch.split_with_sizes(heads, [c.n_head, c.n_kv_head, c.n_kv_head], dim=1)
        q = rotate(F.rms_norm(q, (c.head_dim,), self.q_norm.to(dtype), EPS), cos, sin)
        k = rotate(F.rms_norm(k, (c.head_dim,), self.k_norm.to(dtype), EPS), cos, sin)
        repeat = c.n_head // c.n_kv_head
        if repeat > 1:
            k = k.repeat_interleave(repeat, dim=1)
            v = v.repeat_interleave(repeat, dim=1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = y.transpose(1, 2).reshape(batch, time, c.n_head * c.head_dim)
        x = x + F.linear(y, self.attn_out.to(dtype))
        y = F.linear(F.rms_norm(x, (c.n_embd,), self.ffn_norm.to(dtype), EPS), self.gate_up.to(dtype))
        gate, up = y.chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down.to(dtype))


class SlicedLoss(torch.autograd.Function):
    """Weighted mean cross-entropy of h @ embedding.T in slices of `LOSS_SLICE` tokens, gradients made on the way."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, embedding: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """h [tokens, width], embedding [vocab, width], targets int64 and weights float [tokens] -> scalar nats."""
        table = embedding.to(h.dtype)
        grad_h = torch.empty_like(h)
        grad_table = torch.zeros_like(embedding)
        total = torch.zeros((), dtype=torch.float32, device=h.device)
        scale = 1.0 / weights.sum().clamp(min=1e-9)
        for start in range(0, h.shape[0], LOSS_SLICE):
            rows = h[start : start + LOSS_SLICE]
            target = targets[start : start + LOSS_SLICE]
            weight = weights[start : start + LOSS_SLICE] * scale
            loss, grad = _slice(rows @ table.T, target, weight)
            total += loss
            grad_h[start : start + LOSS_SLICE] = grad @ table
            grad_table += grad.T @ rows
        ctx.save_for_backward(grad_h, grad_table)
        return total

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Scale what forward already knows."""
        grad_h, grad_table = ctx.saved_tensors
        return grad_h * grad_output.to(grad_h.dtype), grad_table * grad_output, None, None


sliced_loss: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = SlicedLoss.apply


def _slice(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Loss (summed, weighted) and d loss / d logits of one slice [tokens, vocab]."""
    wide = logits.float()
    top = wide.amax(-1, keepdim=True)
    exps = (wide - top).exp()
    sums = exps.sum(-1, keepdim=True)
    picked = wide.gather(-1, target[:, None])
    loss = ((sums.log() + top - picked)[:, 0] * weight).sum()
    columns = torch.arange(logits.shape[1], device=logits.device)
    grad = (exps / sums - (columns[None, :] == target[:, None]).float()) * weight[:, None]
    return loss, grad.to(logits.dtype)


class Model(nn.Module):
    """Token ids in, loss or logits out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.n_embd))
        nn.init.normal_(self.embedding, std=0.02)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.output_norm = nn.Parameter(torch.ones(config.n_embd))
        cos, sin = rotary(config.context, config.head_dim, config.rope_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.dtype = torch.float32

    def hidden(self, tokens: Tensor) -> Tensor:
        """tokens int64 [batch, time] -> normed states [batch, time, width] in `self.dtype`."""
        time = tokens.shape[1]
        x = F.embedding(tokens, self.embedding).to(self.dtype)
        cos = self.get_buffer("cos")[:time].to(self.dtype)
        sin = self.get_buffer("sin")[:time].to(self.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return F.rms_norm(x, (self.config.n_embd,), self.output_norm.to(self.dtype), EPS)

    def logits(self, tokens: Tensor) -> Tensor:
        """tokens int64 [batch, time] -> float32 logits [batch, time, vocab]."""
        return F.linear(self.hidden(tokens), self.embedding.to(self.dtype)).float()

    def parameter_counts(self) -> tuple[int, int]:
        """(all parameters, those outside the embedding)."""
        total = sum(p.numel() for p in self.parameters())
        return total, total - self.embedding.numel()
