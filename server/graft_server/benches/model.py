"""`graft bench model`: a model on packages that it was not trained on; without packages, on a small fixed set.

The measuring is `graft_training.evaluate` (or `quality`, which fails where a figure is behind its limit), run in a
process of its own because nothing in the product imports the training pipeline; it is in the source tree, not in the
wheel.  Keys are flat, with the unit in the name.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from graft_server.errors import UserError

TASKS = ("lines", "calls", "bits", "edits", "humaneval")
STDERR = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--packages, --model, --items, --humaneval, --tasks, --tables."""
    parser.add_argument("--packages", type=Path, nargs="+", default=[], help="folders of unseen code, one a package")
    parser.add_argument("--model", type=Path, help="a GGUF file (the embedded model)")
    parser.add_argument("--items", type=int, default=60, help="lines, calls and planted mistakes (60 each)")
    parser.add_argument("--humaneval", type=Path, help="HumanEval-Infilling items, .jsonl or .jsonl.gz")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="only these")
    parser.add_argument("--tables", type=Path, help="folder for a CSV file of each task, with every answer")


def run(args: argparse.Namespace) -> dict[str, float | int | str]:
    """Evaluate; raises UserError without a model, without the source tree, or if the evaluation fails."""
    from graft_models.catalog import embedded_model

    model = args.model or embedded_model()
    if model is None or not model.is_file():
        raise UserError(f"no such model file: {model}; name one with --model")
    for package in args.packages:
        if not package.is_dir():
            raise UserError(f"{package} is no folder")
    if importlib.util.find_spec("graft_training") is None:
        raise UserError("graft_training is not installed: this bench needs a source checkout (make bench)")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "figures.json")
        module = "evaluate" if args.packages else "quality"
        command = [sys.executable, "-m", f"graft_training.{module}", str(model), "--json", str(out)]
        if args.packages:
            command += ["--packages", *map(str, args.packages), "--items", str(args.items), "--tasks", *args.tasks]
            for option, value in (("--humaneval", args.humaneval), ("--tables", args.tables)):
                if value is not None:
                    command += [option, str(value)]
        # To stderr: the figures are printed by `graft bench`, and whoever reads them may be gone by then.
        status = subprocess.run(command, stdout=STDERR, check=False).returncode
        if status == 1 and out.is_file():
            raise UserError("the model is behind the limits of the fixed set; which stands above")
        if status != 0 or not out.is_file():
            raise UserError("the evaluation failed; what it said stands above")
        figures: dict[str, float | int | str] = json.loads(out.read_text("utf-8"))
    return figures
