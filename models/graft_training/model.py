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
TILE = 128  # queries that are scored at one time on a CPU


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

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, tiles: list[Tile] | None = None) -> Tensor:
        """x [batch, time, width] -> the same shape."""
        c = self.config
        batch, time, _ = x.shape
        dtype = x.dtype
        y = F.linear(F.rms_norm(x, (c.n_embd,), self.attn_norm.to(dtype), EPS), self.qkv.to(dtype))
        heads = y.view(batch, time, -1, c.head_dim).transpose(1, 2)
        q, k, v = torch.split_with_sizes(heads, [c.n_head, c.n_kv_head, c.n_kv_head], dim=1)
        q = rotate(F.rms_norm(q, (c.head_dim,), self.q_norm.to(dtype), EPS), cos, sin)
        k = rotate(F.rms_norm(k, (c.head_dim,), self.k_norm.to(dtype), EPS), cos, sin)
        if tiles is not None:
            y = tiled_attention(q, k, v, tiles)
        else:
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


@dataclass(frozen=True)
class Tile:
    """Queries at `start`..`end` of one row, keys at `first`..`end`; `bias` [end - start, end - first] hides some."""

    row: int
    first: int
    start: int
    end: int
    bias: Tensor
    pairs: int  # of query and key that are not hidden


def tiles_of(samples: Tensor, dtype: torch.dtype) -> list[Tile]:
    """What each token may look at: what stands before it in its own sample. samples [rows, time] numbers the samples
    of each row in rising order."""
    rows, time = samples.shape
    places = torch.arange(time)
    found = []
    for row in range(rows):
        numbers = samples[row]
        for start in range(0, time, TILE):
            end = min(time, start + TILE)
            # Down to a whole tile: products of few shapes are prepared once and kept.
            first = int(torch.searchsorted(numbers, numbers[start])) // TILE * TILE
            hidden = places[None, first:end] > places[start:end, None]
            hidden |= numbers[None, first:end] != numbers[start:end, None]
            bias = torch.zeros(hidden.shape, dtype=dtype).masked_fill(hidden, -1e30)
            found.append(Tile(row, first, start, end, bias, int((~hidden).sum())))
    return found


class TiledAttention(torch.autograd.Function):
    """Attention inside each sample, tile by tile in plain products.

    torch's kernel for CPUs computes what its mask hides. The shares of all tiles are kept for the way back, in the type
    of q: at most heads * time ** 2 numbers a row and layer.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile]) -> Tensor:
        """q [rows, heads, time, head_dim]; k, v [rows, fewer heads, time, head_dim] -> the shape of q."""
        heads, groups, size = q.shape[1], k.shape[1], q.shape[3]
        out = torch.empty_like(q)
        q = q * size**-0.5
        shares = []
        for tile in tiles:
            # Heads that share their keys are rows of one product.
            queries = q[tile.row, :, tile.start : tile.end].reshape(groups, -1, size)
            keys, values = (x[tile.row, :, tile.first : tile.end] for x in (k, v))
            scores = torch.bmm(queries, keys.transpose(1, 2))
            scores.view(heads, *tile.bias.shape).add_(tile.bias)
            share = torch.softmax(scores, -1)
            out[tile.row, :, tile.start : tile.end] = torch.bmm(share, values).view(heads, -1, size)
            shares.append(share)
        ctx.save_for_backward(q, k, v, out, *shares)
        ctx.tiles = tiles
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of q, k and v; sums over tiles are kept in float32."""
        q, k, v, out, *shares = ctx.saved_tensors
        heads, groups, size = q.shape[1], k.shape[1], q.shape[3]
        grad_q = torch.empty_like(q)
        grad_k = torch.zeros(k.shape, dtype=torch.float32)
        grad_v = torch.zeros(v.shape, dtype=torch.float32)
        inner = (grad * out).sum(-1, keepdim=True)
        for tile, share in zip(ctx.tiles, shares, strict=True):
            own, seen = slice(tile.start, tile.end), slice(tile.first, tile.end)
            queries, given = (x[tile.row, :, own].reshape(groups, -1, size) for x in (q, grad))
            keys, values = (x[tile.row, :, seen] for x in (k, v))
            grad_v[tile.row, :, seen] += torch.bmm(share.transpose(1, 2), given)
            scores = torch.bmm(given, values.transpose(1, 2))
            scores.sub_(inner[tile.row, :, own].reshape(groups, -1, 1)).mul_(share)
            grad_q[tile.row, :, own] = torch.bmm(scores, keys).view(heads, -1, size)
            grad_k[tile.row, :, seen] += torch.bmm(scores.transpose(1, 2), queries)
        return grad_q * size**-0.5, grad_k.to(k.dtype), grad_v.to(v.dtype), None


def _tiled(q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile]) -> Tensor:
    result: Tensor = TiledAttention.apply(q, k, v, tiles)
    return result


# Not compiled: the tiles differ from batch to batch, and each set of shapes would be compiled anew.
tiled_attention: Callable[[Tensor, Tensor, Tensor, list[Tile]], Tensor] = torch.compiler.disable(_tiled)


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

    def hidden(self, tokens: Tensor, tiles: list[Tile] | None = None) -> Tensor:
        """tokens int64 [batch, time] -> normed states [batch, time, width] in `self.dtype`.

        With `tiles` (of `tiles_of`) a token sees its own sample, without all that stands before it in its row.
        """
        time = tokens.shape[1]
        x = F.embedding(tokens, self.embedding).to(self.dtype)
        cos = self.get_buffer("cos")[:time].to(self.dtype)
        sin = self.get_buffer("sin")[:time].to(self.dtype)
        for block in self.blocks:
            x = block(x, cos, sin, tiles)
        return F.rms_norm(x, (self.config.n_embd,), self.output_norm.to(self.dtype), EPS)

    def logits(self, tokens: Tensor) -> Tensor:
        """tokens int64 [batch, time] -> float32 logits [batch, time, vocab]."""
        return F.linear(self.hidden(tokens), self.embedding.to(self.dtype)).float()

    def parameter_counts(self) -> tuple[int, int]:
        """(all parameters, those outside the embedding)."""
        total = sum(p.numel() for p in self.parameters())
        return total, total - self.embedding.numel()
