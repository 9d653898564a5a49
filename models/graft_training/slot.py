"""A training run on another machine that is reached by copying files only: pack here, train there, bring weights back.

    here:   python -m graft_training.slot pack --work DIR --to LOAD
            python -m graft_training.slot aside --to SAFE      (the tracked weights out of the tree: it travels too)
    there:  PYTHONPATH=models python3 -m graft_training.slot receive --from LOAD/0     (once for each folder)
            PYTHONPATH=models python3 -m graft_training.slot start --preset base --minutes 20
            PYTHONPATH=models python3 -m graft_training.slot wait --seconds 580        (as often as needed)
            PYTHONPATH=models python3 -m graft_training.slot collect --to OUT
    here:   python -m graft_training.slot back --from SAFE
            python -m graft_training.slot join OUT/piece-* --to graft-base.gguf

`pack` writes the corpus compressed, rows of the second stage where they were made (data.py --stage 2: that needs the
product's graph and no GPU), and the few wheels that such a machine may lack, into numbered folders of at most
`LOAD_BYTES`, to be copied one by one. `receive` copies one folder to STATE. `start` unpacks them, makes the rows of the
first epoch with every core, and leaves the training running in a session of its own, so that it outlives the command,
while the rows of the next epochs are made beside it; it trains, exports and writes its log to STATE. `collect` hands
out the weights in pieces of at most `PIECE_BYTES`.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import lzma
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

WEIGHTS = Path(__file__).parents[1] / "graft_models" / "weights"
LARGE = ("*.gguf", "*.bin", "*.counts")  # of the weights folder: megabytes that training does not need
STATE = Path(os.environ.get("GRAFT_SLOT", "/tmp/graft-slot"))
LOAD_BYTES = 44 * 2**20
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
    "second_from": "0.85",
}


def pack(work: Path, target: Path, python: str) -> list[int]:
    """Write numbered folders into `target`: pieces of corpus.tar.xz, and wheels/ in the first; returns their bytes."""
    shutil.rmtree(target, ignore_errors=True)
    wheels = target / "0" / "wheels"
    wheels.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "--python-version", python, "--dest", str(wheels), *WHEELS], check=True)
    whole = target / "corpus.tar.xz"
    names = [*FILES, *sorted(path.name for path in work.glob("second-*.bin"))]
    compressor = shutil.which("xz")
    if compressor:  # with every core: a corpus of 600 MB takes minutes
        with whole.open("wb") as out:
            tar = subprocess.Popen(["tar", "-C", str(work), "-c", *names], stdout=subprocess.PIPE)
            subprocess.run([compressor, "-6", "-T0", "-c"], stdin=tar.stdout, stdout=out, check=True)
            if tar.wait():
                raise OSError(f"tar could not read {work}")
    else:
        with tarfile.open(whole, "w:xz", preset=6) as archive:
            for name in names:
                archive.add(work / name, arcname=name)
    room = LOAD_BYTES - sum(wheel.stat().st_size for wheel in wheels.iterdir())  # of the folder that holds them
    with whole.open("rb") as source:
        for number in itertools.count():
            piece = source.read(LOAD_BYTES if number else room)
            if not piece:
                break
            (target / str(number)).mkdir(exist_ok=True)
            (target / str(number) / f"corpus.{number:03}").write_bytes(piece)
    whole.unlink()
    folders = sorted((f for f in target.iterdir() if f.is_dir()), key=lambda f: int(f.name))
    return [sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) for folder in folders]


def receive(source: Path) -> None:
    """Copy one folder of `pack` to STATE."""
    shutil.copytree(source, STATE / "load", dirs_exist_ok=True)


def unpack(load: Path, target: Path) -> None:
    """The corpus from its received pieces into `target`. Raises FileNotFoundError or ValueError as `start`."""
    pieces = sorted(load.glob("corpus.*"))
    if not pieces:
        raise FileNotFoundError(f"nothing was received in {load}")
    whole = target / "corpus.tar.xz"
    with whole.open("wb") as out:
        for piece in pieces:
            out.write(piece.read_bytes())
    try:
        with tarfile.open(whole) as archive:
            archive.extractall(target, filter="data")
    except (tarfile.ReadError, lzma.LZMAError, EOFError) as error:
        raise ValueError(f"a piece of the corpus is missing or broken: {error}") from error
    whole.unlink()


def start(preset: str, minutes: float, epochs: int, weights: Path | None, kind: str, changes: list[str]) -> None:
    """Unpack, install the wheels into the state folder, make rows, and leave the rest running.

    Raises FileNotFoundError where nothing was received, ValueError where a piece is missing or broken.
    """
    load = STATE / "load"
    unpack(load, STATE)
    (STATE / "done").unlink(missing_ok=True)
    site = STATE / "site"
    wheels = sorted(str(w) for w in (load / "wheels").glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, *wheels], check=True)
    rows = [sys.executable, "-m", "graft_training.data", "--work", str(STATE), "--jobs"]
    cores = os.cpu_count() or 1
    subprocess.run([*rows, str(cores), "--epoch", "0"], check=True, env=environment())
    later = [shlex.join([*rows, str(max(1, cores - 2)), "--epoch", str(epoch)]) for epoch in range(1, epochs)]
    settings = [f"{name}={value}" for name, value in GPU_RECIPE.items()] + changes
    options = [word for setting in settings for word in ("--set", setting)]
    train = [sys.executable, "-m", "graft_training.train", "--work", str(STATE), "--out", str(STATE / "run")]
    train += ["--preset", preset, "--minutes", str(minutes), *options]
    if weights:
        train += ["--start-from", str(weights)]
    export = [sys.executable, "-m", "graft_training.export", "--work", str(STATE), "--type", kind]
    export += ["--checkpoint", str(STATE / "run" / "checkpoint.pt"), "--out", str(STATE / "model.gguf")]
    script = f"{shlex.join(train)} && {shlex.join(export)}; echo $? > {shlex.quote(str(STATE / 'done'))}"
    with (STATE / "log").open("w") as log:
        for command in filter(None, (" && ".join(later), script)):
            subprocess.Popen(["sh", "-c", command], stdout=log, stderr=log, env=environment(), start_new_session=True)


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


def aside(safe: Path) -> list[str]:
    """Move the large files of the weights folder to `safe`, each copied whole before it goes; returns their names.

    Raises FileExistsError where `safe` has one already: a second call must not replace what the first saved.
    """
    safe.mkdir(parents=True, exist_ok=True)
    names = sorted(path.name for pattern in LARGE for path in WEIGHTS.glob(pattern))
    if taken := [name for name in names if (safe / name).exists()]:
        raise FileExistsError(f"{safe} holds {', '.join(taken)} already")
    for name in names:
        shutil.copy2(WEIGHTS / name, safe / f"{name}.part")
        (safe / f"{name}.part").replace(safe / name)
        (WEIGHTS / name).unlink()
    return names


def back(safe: Path) -> list[str]:
    """Put back what `aside` moved; returns the names. Raises FileNotFoundError where there is nothing."""
    names = sorted(path.name for pattern in LARGE for path in safe.glob(pattern))
    if not names:
        raise FileNotFoundError(f"no weights in {safe}")
    for name in names:
        shutil.copy2(safe / name, WEIGHTS / f"{name}.part")
        (WEIGHTS / f"{name}.part").replace(WEIGHTS / name)
        (safe / name).unlink()
    return names


def main(argv: list[str] | None = None) -> int:
    """Entry point; `wait` ends with 3 while the run goes on."""
    parser = argparse.ArgumentParser(prog="graft_training.slot")
    steps = parser.add_subparsers(dest="step", required=True)
    packing = steps.add_parser("pack")
    packing.add_argument("--work", type=Path, required=True)
    packing.add_argument("--to", type=Path, required=True)
    packing.add_argument("--python", default="3.12", help="version on the other machine")
    moving = steps.add_parser("aside")
    moving.add_argument("--to", type=Path, required=True)
    returning = steps.add_parser("back")
    returning.add_argument("--from", dest="source", type=Path, required=True)
    receiving = steps.add_parser("receive")
    receiving.add_argument("--from", dest="source", type=Path, required=True)
    starting = steps.add_parser("start")
    starting.add_argument("--preset", default="base")
    starting.add_argument("--minutes", type=float, default=20.0)
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
        for number, size in enumerate(pack(args.work, args.to, args.python)):
            print(f"{size / 2**20:.1f} MiB in {args.to / str(number)}")
    elif args.step in ("aside", "back"):
        try:
            names = aside(args.to) if args.step == "aside" else back(args.source)
        except OSError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"{', '.join(names)}: moved")
    elif args.step == "receive":
        receive(args.source)
    elif args.step == "start":
        start(args.preset, args.minutes, args.epochs, args.weights, args.type, args.set)
    elif args.step == "wait":
        return 0 if wait(args.seconds) else 3
    elif args.step == "collect":
        collect(args.to)
    else:
        join(args.pieces, args.to)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
