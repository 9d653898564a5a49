"""Attention by tiles: the same numbers as plain attention, inside each sample of a row and nowhere else."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graft_training import model
from graft_training.model import PRESETS, Config, Model, tiled_attention, tiles_of
from graft_training.train import samples_of

END = 7


def plain(q: Tensor, k: Tensor, v: Tensor, samples: Tensor) -> Tensor:
    """The same by one mask over whole rows."""
    time = q.shape[2]
    places = torch.arange(time)
    seen = (places[None, :] <= places[:, None]) & (samples[:, :, None] == samples[:, None, :])
    repeat = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None])


def tiled(q: Tensor, k: Tensor, v: Tensor, samples: Tensor) -> Tensor:
    """What training does on a CPU."""
    return tiled_attention(q, k, v, tiles_of(samples, q.dtype))


@pytest.mark.parametrize("time", [48, 64, 100])
def test_tiles_give_values_and_gradients_of_plain_attention(time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "TILE", 16)
    torch.manual_seed(time)
    samples = torch.sort(torch.randint(0, 5, (3, time)), 1).values
    given = torch.randn(3, 4, time, 8)
    found = []
    for attend in (tiled, plain):
        torch.manual_seed(1)
        q, k, v = (torch.randn(3, heads, time, 8, requires_grad=True) for heads in (4, 2, 2))
        out = attend(q, k, v, samples)
        torch.autograd.backward(out, given)
        found.append([out, q.grad, k.grad, v.grad])
    for ours, theirs in zip(*found, strict=True):
        assert ours is not None and theirs is not None
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_samples_are_numbered_by_their_ends() -> None:
    row = torch.tensor([[1, 2, END, 3, END, END, 4]])
    assert samples_of(row, END).tolist() == [[0, 0, 0, 1, 1, 2, 3]]


def test_a_sample_has_the_same_states_alone_and_behind_another() -> None:
    config = Config(vocab_size=32, **PRESETS["test"])
    made = Model(config)
    for block in made.blocks:
        torch.nn.init.normal_(block.attn_out, std=0.1)
    row = torch.randint(8, 32, (1, 40))
    row[0, 25] = END
    tiles = tiles_of(samples_of(row, END), torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(made.hidden(row, tiles)[:, 26:], made.hidden(row[:, 26:]), atol=1e-5, rtol=1e-5)
        # Without tiles, as on a GPU, it sees what stands before it in the row.
        assert not torch.allclose(made.hidden(row)[:, 26:], made.hidden(row[:, 26:]), atol=1e-3)
