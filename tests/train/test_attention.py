"""Attention by tiles: the same numbers as plain attention, inside each sample of a row and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graft_training import model
from graft_training.data import CONTEXT
from graft_training.model import PRESETS, Config, Model, tiled_attention, tiles_of
from graft_training.tokenizer import Encoder
from graft_training.train import Recipe, Run, samples_of

END = 7
Attend = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


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


def worked(attend: Attend, samples: Tensor, dtype: torch.dtype, kind: torch.dtype) -> list[Tensor]:
    """Values and gradients (of q, k, v) in `kind`, from numbers that `dtype` holds."""
    torch.manual_seed(1)
    rows, time = samples.shape
    made = [torch.randn(rows, heads, time, 8).to(dtype).to(kind).requires_grad_() for heads in (4, 2, 2)]
    out = attend(*made, samples)
    torch.autograd.backward(out, torch.randn(rows, 4, time, 8).to(dtype).to(kind))
    return [out.float(), *(x.grad.float() for x in made if x.grad is not None)]


CASES = {
    "one sample": [0] * 64,
    "an end at a tile's edge": [0] * 16 + [1] * 48,
    "samples of one token": list(range(48)),
    "a last tile that is not full": [0] * 5 + [1] * 50 + [2] * 10 + [3] * 35,
}


@pytest.mark.parametrize("numbers", CASES.values(), ids=CASES.keys())
def test_tiles_give_values_and_gradients_of_plain_attention(
    numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "TILE", 16)
    samples = torch.tensor([numbers, sorted(numbers[i] for i in range(0, len(numbers), 2)) * 2])
    samples = torch.sort(samples, 1).values
    ours, theirs = (worked(attend, samples, torch.float32, torch.float32) for attend in (tiled, plain))
    assert len(ours) == len(theirs) == 4
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-5)


def test_bf16_is_off_by_less_than_a_hundredth() -> None:
    samples = torch.tensor([[0] * 300 + [1] * 212])
    exact = worked(plain, samples, torch.bfloat16, torch.float32)
    for mine, true in zip(worked(tiled, samples, torch.bfloat16, torch.bfloat16), exact, strict=True):
        assert (mine - true).norm() < 0.01 * true.norm()


def test_samples_are_numbered_by_their_ends() -> None:
    row = torch.tensor([[1, 2, END, 3, END, END, 4]])
    assert samples_of(row, END).tolist() == [[0, 0, 0, 1, 1, 2, 3]]


def test_a_sample_has_the_same_states_alone_and_behind_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "TILE", 8)
    made = Model(Config(vocab_size=32, **PRESETS["test"]))
    for block in made.blocks:
        torch.nn.init.normal_(block.attn_out, std=0.1)
    row = torch.randint(8, 32, (1, 40))
    row[0, 25] = END
    other = torch.cat([torch.randint(8, 25, (1, 25)), row[:, 25:]], 1)
    with torch.no_grad():
        alone = made.hidden(row[:, 26:])
        for whole in (row, other):
            behind = made.hidden(whole, tiles_of(samples_of(whole, END), torch.float32))[:, 26:]
            torch.testing.assert_close(behind, alone, atol=1e-5, rtol=1e-5)


def test_a_run_trains_on_samples_by_themselves(work: Path) -> None:
    config = Config(vocab_size=Encoder(work / "tokenizer.json").size, context=CONTEXT, **PRESETS["test"])
    recipe = Recipe(batch_rows=2, micro_rows=2, validation_rows=2, products="float32")
    run = Run(work, config, recipe, "cpu", False, 0, 1)
    real, given = run.hidden, []

    def hidden(tokens: Tensor, tiles: list[model.Tile] | None = None) -> Tensor:
        given.append(tiles)
        return real(tokens, tiles)

    run.hidden = hidden
    run.update(0.1)
    assert given and all(given)
    assert 0 < run.pairs < 2 * CONTEXT * (CONTEXT + 1) / 2


def test_a_run_begins_where_it_is_told_and_goes_on_there(work: Path) -> None:
    config = Config(vocab_size=Encoder(work / "tokenizer.json").size, context=CONTEXT, **PRESETS["test"])

    def run_from(row: int, second: int = 0) -> Run:
        recipe = Recipe(batch_rows=2, validation_rows=2, first_row=row, second_row=second)
        return Run(work, config, recipe, "cpu", False, 0, 1)

    run = run_from(3)
    run.start_from({"model": run.model.state_dict(), "tokens": 500, "earlier": 20})
    state = run.state()
    assert state["earlier"] == 520
    again = run_from(3)
    again.restore(state)
    assert again.earlier == 520
    with pytest.raises(ValueError, match="first_row=3"):
        run_from(0).restore(state)
    with pytest.raises(ValueError, match="is none"):
        run_from(10**6)
    with pytest.raises(ValueError, match="second_row=-1 is none"):
        run_from(3, -1)
