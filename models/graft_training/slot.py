"""One slot on a GPU machine that nothing reaches but files: pack here, train there, bring the weights back.

    here:   python -m graft_training.slot pack --work DIR --to .work/slot
    there:  PYTHONPATH=models python3 -m graft_training.slot start --from .work/slot --preset base --minutes 22
            PYTHONPATH=models python3 -m graft_training.slot wait --seconds 580        (as often as needed)
            PYTHONPATH=models python3 -m graft_training.slot collect --to $OUT
    here:   python -m graft_training.slot join PIECE... --to graft-base.gguf

`pack` writes the corpus compressed and the few wheels that such a machine lacks, and says how large it all is: what can
travel is limited (64 MiB, tracked files included: move other models out of the tree first). `start` unpacks, makes the
rows with every core, and leaves the training running in a session of its own, so that a limit on one command's time
does not end it; it trains, exports and writes its log to STATE. `collect` hands out pieces of at most 16 MiB.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

STATE = Path(os.environ.get("GRAFT_SLOT", "/tmp/graft-slot"))
PIECE_BYTES = 16 * 2**20 - 4096
FILES = ("documents.jsonl", "heldout.jsonl", "tokenizer.json", "stats.json")
WHEELS = ("tree-sitter==0.26.1", "tree-sitter-python==0.25.0", "gguf==0.19.0")
GPU_RECIPE = {  # for one large GPU: bigger batches, everything in flight at once
    "batch_rows": "256",
    "micro_rows": "64",
    "muon_rate": "0.02",
    "adam_rate": "0.006",
    "norm_rate": "0.006",
    "validation_rows": "256",
    "checkpoint_minutes": "3",
    "validation_minutes": "3",
}


def pack(work: Path, target: Path, python: str) -> int:
    """Write corpus.tar.xz and wheels/ into `target`; returns the bytes of all of it."""
    (target / "wheels").mkdir(parents=True, exist_ok=True)
    with tarfile.open(target / "corpus.tar.xz", "w:xz", preset=6) as archive:
        for name in FILES:
            archive.add(work / name, arcname=name)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", python, "--dest", str(target / "wheels"), *WHEELS]
    subprocess.run(command, check=True)
    return sum(f.stat().st_size for f in target.rglob("*") if f.is_file())


def start(
    source: Path, preset: str, minutes: float, epochs: int, weights: Path | None, kind: str, changes: list[str]
) -> None:
    """Unpack, install the wheels into the state folder, make rows, and leave the rest running."""
    STATE.mkdir(parents=True, exist_ok=True)
    (STATE / "done").unlink(missing_ok=True)
    site = STATE / "site"
    wheels = sorted(str(w) for w in (source / "wheels").glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, *wheels], check=True)
    with tarfile.open(source / "corpus.tar.xz") as archive:
        archive.extractall(STATE, filter="data")
    rows = [sys.executable, "-m", "graft_training.data", "--work", str(STATE), "--jobs", str(os.cpu_count() or 1)]
    for epoch in range(epochs):
        subprocess.run([*rows, "--epoch", str(epoch)], check=True, env=environment())
    settings = [f"{name}={value}" for name, value in GPU_RECIPE.items()] + changes
    options = [word for setting in settings for word in ("--set", setting)]
    train = [sys.executable, "-m", "graft_training.train", "--work", str(STATE), "--out", str(STATE / "run")]
    train += ["--preset", preset, "--minutes", str(minutes), *options]
    if weights:
        train += ["--start-from", str(weights)]
    export = [sys.executable, "-m", "graft_training.export", "--work", str(STATE), "--type", kind]
    export += ["--checkpoint", str(STATE / "run" / "checkpoint.pt"), "--out", str(STATE / "model.gguf")]
    script = " && ".join(" ".join(command) for command in (train, export)) + f"; echo $? > {STATE / 'done'}"
    with (STATE / "log").open("w") as log:
        subprocess.Popen(["sh", "-c", script], stdout=log, stderr=log, env=environment(), start_new_session=True)


def environment() -> dict[str, str]:
    """This process's environment, with the project and the unpacked wheels to import from."""
    models = Path(__file__).parents[1]
    return {**os.environ, "PYTHONPATH": f"{models}{os.pathsep}{STATE / 'site'}", "PYTHONUNBUFFERED": "1"}


def wait(seconds: float) -> bool:
    """Wait until the run is done or `seconds` are over; prints the end of the log. Says whether it is done."""
    deadline = time.monotonic() + seconds
    while not (STATE / "done").exists() and time.monotonic() < deadline:
        time.sleep(1)
    print("".join((STATE / "log").read_text().splitlines(keepends=True)[-40:]))
    return (STATE / "done").exists()


def collect(target: Path) -> None:
    """The model in pieces, its checksum and the log. Without a model, the log alone."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "log").write_bytes((STATE / "log").read_bytes())
    model = STATE / "model.gguf"
    if model.exists():
        raw = model.read_bytes()
        for number, place in enumerate(range(0, len(raw), PIECE_BYTES)):
            (target / f"piece-{number}").write_bytes(raw[place : place + PIECE_BYTES])
        (target / "sha256").write_text(hashlib.sha256(raw).hexdigest() + "\n")


def join(pieces: list[Path], target: Path) -> None:
    """Put pieces together, in the order of their numbers. Raises ValueError where `sha256` beside them differs."""
    ordered = sorted(pieces, key=lambda p: int(p.name.rsplit("-", 1)[1]))
    raw = b"".join(p.read_bytes() for p in ordered)
    expected = (ordered[0].parent / "sha256").read_text().strip()
    if hashlib.sha256(raw).hexdigest() != expected:
        raise ValueError("the pieces do not make the file that was sent")
    target.write_bytes(raw)


def main(argv: list[str] | None = None) -> int:
    """Entry point; `wait` ends with 3 while the run goes on."""
    parser = argparse.ArgumentParser(prog="graft_training.slot")
    steps = parser.add_subparsers(dest="step", required=True)
    packing = steps.add_parser("pack")
    packing.add_argument("--work", type=Path, required=True)
    packing.add_argument("--to", type=Path, required=True)
    packing.add_argument("--python", default="3.12", help="version on the other machine")
    starting = steps.add_parser("start")
    starting.add_argument("--from", dest="source", type=Path, required=True)
    starting.add_argument("--preset", default="base")
    starting.add_argument("--minutes", type=float, default=22.0)
    starting.add_argument("--epochs", type=int, default=4, help="each draws other holes")
    starting.add_argument("--weights", type=Path, help="a checkpoint to start from")
    starting.add_argument("--type", default="q8_0")
    starting.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change the recipe")
    waiting = steps.add_parser("wait")
    waiting.add_argument("--seconds", type=float, default=580.0)
    collecting = steps.add_parser("collect")
    collecting.add_argument("--to", type=Path, required=True)
    joining = steps.add_parser("join")
    joining.add_argument("pieces", type=Path, nargs="+")
    joining.add_argument("--to", type=Path, required=True)
    args = parser.parse_args(argv)
    if args.step == "pack":
        print(f"{pack(args.work, args.to, args.python) / 2**20:.1f} MiB in {args.to}")
    elif args.step == "start":
        start(args.source, args.preset, args.minutes, args.epochs, args.weights, args.type, args.set)
    elif args.step == "wait":
        return 0 if wait(args.seconds) else 3
    elif args.step == "collect":
        collect(args.to)
    else:
        join(args.pieces, args.to)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
