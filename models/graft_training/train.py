"""Rows of token ids -> weights.

    python -m graft_training.train --work DIR --preset mini --minutes 60 [--resume]
    python -m graft_training.train --work DIR --preset mini --steps 2000

With --minutes the learning rate follows the wall clock, so that a run ends decayed and on time however busy the machine
is; with --steps it follows the steps and is reproducible (where two types are about as fast, `--set products=TYPE`).
Checkpoints are written beside and renamed: a kill or a full disk leaves the last one whole. Forward and backward run
over float32 master weights in bf16, or in float32 on a CPU without bf16 products of its own. On a CPU a token sees what
stands before it in its own sample; on a GPU everything before it in its row, so that losses of the two are not alike.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.multiprocessing as processes
from numpy.typing import NDArray
from torch import Tensor

from graft_models.prompt import GRAFT
from graft_training import model as language_model
from graft_training.data import CONTEXT
from graft_training.model import PRESETS, Block, Config, Model, sliced_loss, tiles_of
from graft_training.optim import ADAM_BETAS, ADAM_EPS, Muon
from graft_training.tokenizer import Encoder


@dataclass(frozen=True)
class Recipe:
    """Every hyperparameter of a run."""

    batch_rows: int = 8  # rows of CONTEXT ids in one update
    micro_rows: int = 4  # rows that are in flight at once
    muon_rate: float = 0.012
    adam_rate: float = 0.003  # embedding
    norm_rate: float = 0.003  # norm weights
    weight_decay: float = 0.05  # of matrices, times the learning rate
    warmup: float = 0.02  # share of the run
    hold: float = 0.25  # share of the run at full rate, warm-up included; then linear to `floor`
    floor: float = 0.02
    products: str = ""  # type of products: bfloat16 or float32; empty: what is faster here
    first_row: int = 0  # of train-*.bin: where a run from earlier weights goes on behind the rows that made them
    second_from: float = 1.0  # share of the run after which rows come from second-*.bin (data.py --stage 2)
    second_row: int = 0  # of second-*.bin, as first_row of train-*.bin
    middle_weight: float = 3.0  # of a token of the middle in the loss; others count 1
    checkpoint_minutes: float = 5.0
    validation_rows: int = 32
    validation_minutes: float = 5.0
    seed: int = 1


class Batches:
    """Rows in file order, epoch file after epoch file, then again from the start.

    Files that appear while the run goes on are taken in when the known ones are used up: a machine with many cores
    makes the next epoch's rows while the GPU trains.
    """

    def __init__(self, work: Path, name: str) -> None:
        self.work = work
        self.name = name
        self.files: list[NDArray[np.uint16]] = []
        self.rows = 0
        self.look()

    def look(self) -> None:
        """Take in new files `name`-N.bin, in the order of their numbers (they are made in that order)."""
        found = sorted(self.work.glob(f"{self.name}-*.bin"), key=lambda p: int(p.stem.split("-")[1]))
        for path in found[len(self.files) :]:
            self.files.append(np.memmap(path, dtype=np.uint16, mode="r").reshape(-1, CONTEXT))
        self.rows = sum(map(len, self.files))

    def take(self, start: int, count: int) -> NDArray[np.int64]:
        """`count` rows from row number `start`, int64 [count, CONTEXT]."""
        if start + count > self.rows:
            self.look()
        out = []
        for number in range(start, start + count):
            number %= self.rows
            for file in self.files:
                if number < len(file):
                    out.append(file[number])
                    break
                number -= len(file)
        return np.stack(out).astype(np.int64)


def targets_and_weights(
    rows: NDArray[np.int64], encoder: Encoder, middle: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Next ids and their weights, both [rows, CONTEXT]. Padding counts 0, the middle `middle`, everything else 1."""
    targets = np.concatenate([rows[:, 1:], np.full_like(rows[:, :1], encoder.pad)], axis=1)
    places = np.arange(rows.shape[1])[None, :]
    opened = np.maximum.accumulate(np.where(rows == encoder.special[GRAFT.middle], places, -1), axis=1)
    closed = np.maximum.accumulate(np.where(rows == encoder.end, places, -1), axis=1)
    weights = np.where(opened > closed, middle, 1.0).astype(np.float32)
    weights[targets == encoder.pad] = 0.0
    return targets, weights


def samples_of(tokens: Tensor, end: int) -> Tensor:
    """The number of the sample in its row that each token belongs to: a sample ends with `end`. Both [rows, time]."""
    closed = (tokens == end).long().cumsum(1)
    return torch.cat([torch.zeros_like(closed[:, :1]), closed[:, :-1]], dim=1)


def rate_at(progress: float, recipe: Recipe) -> float:
    """Learning-rate factor at `progress` in 0..1: warm-up, hold, linear decay."""
    if progress < recipe.warmup:
        return max(progress, 0.002) / recipe.warmup
    if progress < recipe.hold:
        return 1.0
    return max(recipe.floor, 1.0 - (1.0 - recipe.floor) * (progress - recipe.hold) / (1.0 - recipe.hold))


def operations(model: Model, tokens: float, pairs: float) -> float:
    """Floating-point operations of forward and backward for `tokens`, in which each head scored `pairs` of query and
    key."""
    c = model.config
    body = model.parameter_counts()[1]
    return 6.0 * (body + c.vocab_size * c.n_embd) * tokens + 12.0 * c.n_layer * c.n_head * c.head_dim * pairs


def fastest_type(device: str) -> torch.dtype:
    """The type in which products run: bf16, but on a CPU float32 unless it is clearly faster at bf16.

    A CPU without such instructions computes bf16 by conversion, several times as slowly as float32.
    """
    if device == "cuda":
        return torch.bfloat16
    wide, narrow = (product_gflops(device, kind, 512, 3) for kind in (torch.float32, torch.bfloat16))
    return torch.bfloat16 if narrow > 1.3 * wide else torch.float32


def product_gflops(device: str, kind: torch.dtype, size: int, times: int) -> float:
    """GFLOP/s of the fastest of some products [size, 1024] x [1024, size]."""
    a = torch.randn(size, 1024, device=device).to(kind)
    b = torch.randn(size, 1024, device=device).to(kind)
    best = 0.0
    for _ in range(times):
        started = time.perf_counter()
        a @ b.T
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2.0 * size * size * 1024 / (time.perf_counter() - started) / 1e9)
    return best


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill or a full disk leaves the last one whole."""
    partial = path.with_suffix(".part")
    try:
        torch.save(state, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer says RuntimeError where the disk is full
        partial.unlink(missing_ok=True)
        raise OSError(f"{path} could not be written, the one before it stays: {str(error).splitlines()[0]}") from error


class Run:
    """Model, optimizers and counters of one training run."""

    def __init__(
        self, work: Path, config: Config, recipe: Recipe, device: str, compiled: bool, rank: int, workers: int
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.rank, self.workers = rank, workers
        self.recipe, self.device = recipe, device
        self.encoder = Encoder(work / "tokenizer.json")
        self.batches = Batches(work, "train")
        if not self.batches.files:
            raise FileNotFoundError(f"no train-*.bin in {work}: run graft_training.data first")
        if not 0 <= recipe.first_row < self.batches.rows:
            raise ValueError(f"there are {self.batches.rows} rows in train-*.bin: first_row={recipe.first_row} is none")
        if recipe.second_row < 0:
            raise ValueError(f"second_row={recipe.second_row} is none")
        self.second = Batches(work, "second")
        self.second_step = 0  # updates made with rows of the second stage
        validation = np.memmap(work / "val.bin", dtype=np.uint16, mode="r").reshape(-1, CONTEXT)
        self.validation = validation[: recipe.validation_rows].astype(np.int64)
        self.model = Model(config).to(device)
        if device == "cuda":
            language_model.LOSS_SLICE = 16_384
        given = {"bfloat16": torch.bfloat16, "float32": torch.float32}
        if recipe.products and recipe.products not in given:
            raise ValueError(f"products run in bfloat16 or float32, not in {recipe.products}")
        kind = given.get(recipe.products) or fastest_type(device)
        narrow = self.agreed(float(kind == torch.bfloat16))
        c = config
        matrices: list[tuple[Tensor, list[int]]] = []
        for block in self.model.blocks:
            assert isinstance(block, Block)
            heads = [c.n_head * c.head_dim, c.n_kv_head * c.head_dim, c.n_kv_head * c.head_dim]
            matrices += [(block.qkv, heads), (block.attn_out, [c.n_embd])]
            matrices += [(block.gate_up, [c.n_ff, c.n_ff]), (block.down, [c.n_embd])]
        self.muon = Muon(matrices, recipe.weight_decay)
        self.run_in(torch.bfloat16 if narrow else torch.float32)
        norms = [p for name, p in self.model.named_parameters() if "norm" in name]
        groups = [
            {"params": [self.model.embedding], "base": recipe.adam_rate},
            {"params": norms, "base": recipe.norm_rate},
        ]
        self.adam = torch.optim.AdamW(groups, lr=0.0, betas=ADAM_BETAS, eps=ADAM_EPS, weight_decay=0.0, fused=True)
        self.hidden: Callable[..., Tensor] = self.model.hidden
        if compiled:
            self.hidden = torch.compile(self.model.hidden, dynamic=False)
            language_model._slice = torch.compile(language_model._slice, dynamic=False)
        self.step = 0
        self.tokens = 0
        self.earlier = 0  # tokens of the runs that made the weights this one began with
        self.pairs = 0.0  # of query and key that each head of this process has scored, times the workers
        self.elapsed = 0.0

    def run_in(self, kind: torch.dtype) -> None:
        """Let products run in this type."""
        self.kind = self.model.dtype = self.muon.kind = kind

    def losses(self, rows: NDArray[np.int64], middles: tuple[float, ...]) -> list[tuple[Tensor, float]]:
        """Weighted mean loss of `rows` and the sum of the weights, for each weight that a middle may have."""
        tokens = torch.from_numpy(rows).to(self.device)
        tiles = tiles_of(samples_of(tokens, self.encoder.end), self.kind) if self.device == "cpu" else None
        if torch.is_grad_enabled():  # validation is not timed
            seen = sum(tile.pairs for tile in tiles) if tiles else tokens.numel() * CONTEXT / 2
            self.pairs += seen * self.workers
        states = self.hidden(tokens, tiles).reshape(-1, self.model.config.n_embd)
        found = []
        for middle in middles:
            targets, weights = targets_and_weights(rows, self.encoder, middle)
            flat = torch.from_numpy(targets).to(self.device).reshape(-1)
            weight = torch.from_numpy(weights).to(self.device).reshape(-1)
            loss = sliced_loss(states, self.model.embedding, flat, weight)
            found.append((loss, float(weights.sum())))
        return found

    def second_stage(self, progress: float) -> bool:
        """Do rows of the second stage come now. They may be made while the run goes on; all workers change together."""
        if progress < self.recipe.second_from:
            return False
        if not self.second.rows:
            self.second.look()
        first = self.recipe.second_row
        if 0 < self.second.rows <= first:
            raise ValueError(f"there are {self.second.rows} rows in second-*.bin: second_row={first} is none")
        return bool(self.agreed(float(self.second.rows > 0)))

    def update(self, rate: float, second: bool = False) -> float:
        """One optimizer step at rate factor `rate`; returns the training loss in nats per weighted token."""
        recipe = self.recipe
        share = recipe.batch_rows // self.workers
        done = self.second_step if second else self.step - self.second_step
        batches, start = (self.second, recipe.second_row) if second else (self.batches, recipe.first_row)
        rows = batches.take(start + done * recipe.batch_rows + self.rank * share, share)
        count = max(1, share // recipe.micro_rows)
        total = 0.0
        for part in np.split(rows, count):
            loss, _ = self.losses(part, (recipe.middle_weight,))[0]
            torch.autograd.backward(loss / count)
            total += float(loss.detach()) / count
        if self.workers > 1:
            self.average_gradients()
        momentum = 0.85 + 0.10 * min(1.0, self.step / 200)
        self.muon.step(rate * recipe.muon_rate, momentum)
        for group in self.adam.param_groups:
            group["lr"] = rate * group["base"]
        self.adam.step()
        self.model.zero_grad(set_to_none=True)
        self.step += 1
        self.second_step += second
        self.tokens += recipe.batch_rows * CONTEXT
        return total

    def average_gradients(self) -> None:
        """Every worker gets the mean of all workers' gradients."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.workers
        pieces = torch.split_with_sizes(flat, [g.numel() for g in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view_as(gradient))

    def agreed(self, value: float) -> float:
        """The first worker's `value`, on every worker."""
        if self.workers == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64)
        torch.distributed.broadcast(box, 0)
        return float(box)

    def validate(self) -> tuple[float, float, float]:
        """On held-out packages: nats per token over all tokens, nats per token of the middles, bits per byte of all."""
        sums = np.zeros(4)
        size = int(np.array(self.encoder.byte_lengths())[self.validation[:, 1:]].sum())
        for part in np.split(self.validation, len(self.validation) // self.recipe.micro_rows):
            with torch.no_grad():
                (every, all_weight), (middle, middle_weight) = self.losses(part, (1.0, 1e6))
            sums += (float(every) * all_weight, all_weight, float(middle) * middle_weight, middle_weight)
        return sums[0] / sums[1], sums[2] / sums[3], sums[0] / math.log(2) / size

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint holds."""
        return {
            "config": self.model.config.as_dict(),
            "recipe": asdict(self.recipe),
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "step": self.step,
            "second_step": self.second_step,
            "kind": self.kind,
            "tokens": self.tokens,
            "earlier": self.earlier,
            "elapsed": self.elapsed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint. Raises ValueError where it would read other rows than those it has not seen."""
        for name, here in (("first_row", self.recipe.first_row), ("second_row", self.recipe.second_row)):
            first = state["recipe"].get(name, 0)
            if first != here:
                raise ValueError(f"the run to go on with began at row {first}: --set {name}={first}")
        self.model.load_state_dict(state["model"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        self.step, self.tokens, self.elapsed = state["step"], state["tokens"], state["elapsed"]
        self.earlier = state.get("earlier", 0)
        self.run_in(state.get("kind", self.kind))  # measured anew, it might differ and with it the curve
        self.second_step = state.get("second_step", 0)  # checkpoints before there was a second stage lack it

    def start_from(self, state: dict[str, Any]) -> None:
        """Begin with the weights of another run's checkpoint, or of `graft_training.restore`."""
        self.model.load_state_dict(state["model"])
        self.earlier = state.get("tokens", 0) + state.get("earlier", 0)


def train(run: Run, out: Path, minutes: float, steps: int) -> None:
    """Train until `minutes` (of training, over all resumptions) or `steps` are over; leaves `out`/checkpoint.pt."""
    recipe = run.recipe
    # The yardstick for utilisation: what a large product reaches here, in each worker at about the same time.
    run.agreed(0.0)
    peak = run.workers * product_gflops(run.device, run.kind, 8192 if run.device == "cuda" else 2048, 6)
    total, body = run.model.parameter_counts()
    on_disk = run.batches.rows * CONTEXT
    print(f"{total:,} parameters, {body:,} outside the embedding; {on_disk:,} tokens on disk", flush=True)
    print(f"large {str(run.kind).removeprefix('torch.')} products reach {peak:.0f} GFLOP/s in all", flush=True)
    last = time.monotonic()
    saved, validated = run.elapsed, run.elapsed
    shown = (run.elapsed, run.tokens, run.pairs)
    smooth = math.nan
    while True:
        progress = max(run.elapsed / 60 / minutes if minutes else 0.0, run.step / steps if steps else 0.0)
        progress = run.agreed(progress)
        if progress >= 1.0:
            break
        loss = run.update(rate_at(progress, recipe), run.second_stage(progress))
        now = time.monotonic()
        run.elapsed += now - last
        last = now
        smooth = loss if math.isnan(smooth) else 0.95 * smooth + 0.05 * loss
        if run.rank:
            continue
        if run.step % 20 == 0 or run.step < 5:
            seconds, tokens, pairs = run.elapsed - shown[0], run.tokens - shown[1], run.pairs - shown[2]
            shown = (run.elapsed, run.tokens, run.pairs)
            speed, gflops = tokens / seconds, operations(run.model, tokens, pairs) / seconds / 1e9
            print(f"step {run.step:6} {progress:6.1%} loss {smooth:.4f} tokens {run.tokens / 1e6:.1f} M", end=" ")
            print(f"{speed:,.0f} tokens/s, {gflops:,.0f} GFLOP/s, {gflops / peak:.0%} of peak", flush=True)
        if run.elapsed - validated > recipe.validation_minutes * 60:
            report(run, out, smooth)
            now = time.monotonic()
            run.elapsed += now - last
            last, validated = now, run.elapsed
        if run.elapsed - saved > recipe.checkpoint_minutes * 60:
            save(out / "checkpoint.pt", run.state())
            saved = run.elapsed
    if run.rank:
        return
    report(run, out, smooth)
    save(out / "checkpoint.pt", run.state())


def report(run: Run, out: Path, smooth: float) -> None:
    """Validate, and write one line to `out`/log.jsonl and the terminal."""
    everything, middle, bits = run.validate()
    line = json.dumps(
        {
            "step": run.step,
            "tokens": run.tokens,
            "minutes": round(run.elapsed / 60, 2),
            "train": round(smooth, 4),
            "validation": round(everything, 4),
            "validation_middle": round(middle, 4),
            "validation_bits_per_byte": round(bits, 4),
        }
    )
    print(line, flush=True)
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(line + "\n")


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit 2 on bad input and where the disk is full."""
    parser = argparse.ArgumentParser(prog="graft_training.train")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="mini")
    parser.add_argument("--out", type=Path, help="default: a folder named after the preset in the work folder")
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    parser.add_argument("--start-from", type=Path, help="begin with the weights of this checkpoint")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes of one thread each; better on a busy CPU than threads"
    )
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change one field of the recipe"
    )
    args = parser.parse_args(argv)
    if not args.minutes and not args.steps:
        parser.error("give --minutes or --steps")
    try:
        if args.workers > 1:
            launch: Callable[..., object] = processes.spawn
            with tempfile.TemporaryDirectory(prefix="graft-training-") as meeting:
                launch(work_as, (args.workers, args, f"file://{meeting}/store"), nprocs=args.workers)
        else:
            work_as(0, 1, args)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def end_with_parent() -> None:
    """End this worker within a second of its parent's end, also where it waits for the others.

    torch ends the workers of a parent that is killed by SIGINT alone, which a shell's background jobs ignore. Left
    alone they would write over the checkpoints of the run that is begun next.
    """
    parent = processes.parent_process()
    while parent is not None and os.getppid() == parent.pid:
        time.sleep(0.5)
    if parent is not None:
        os._exit(1)


def work_as(rank: int, workers: int, args: argparse.Namespace, store: str = "") -> None:
    """One worker of a run. Several share the rows of each batch and average their gradients; they meet at `store`."""
    if workers > 1:
        threading.Thread(target=end_with_parent, daemon=True).start()
        torch.set_num_threads(1)
        torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=workers)
    changed = dict(item.split("=", 1) for item in args.set)
    types = {name: type(value) for name, value in asdict(Recipe()).items()}
    recipe = Recipe(**{name: types[name](value) for name, value in changed.items()})
    out: Path = args.out or args.work / args.preset
    out.mkdir(parents=True, exist_ok=True)
    config = Config(vocab_size=Encoder(args.work / "tokenizer.json").size, context=CONTEXT, **PRESETS[args.preset])
    run = Run(args.work, config, recipe, args.device, not args.no_compile, rank, workers)
    found = args.resume and (out / "checkpoint.pt").exists()
    if args.resume and not found and not rank:
        print(f"no checkpoint in {out} to go on from: a run begins", flush=True)
    if found:
        run.restore(torch.load(out / "checkpoint.pt", map_location=args.device))
    elif args.start_from:
        run.start_from(torch.load(args.start_from, map_location=args.device))
    train(run, out, args.minutes, args.steps)


if __name__ == "__main__":
    raise SystemExit(main())
