"""What drafts bring: how many tokens of a draft are right, and what a batch of them costs beside a single token.

    python bench/speculation.py [--model GGUF] [--texts FOLDER] [--lines 60]

With FOLDER (packages of Python sources) lines are drawn and completed greedily from their start, 24 tokens each, with
drafts on: the share that is right is printed.  A model of random weights says nothing about that; what a batch costs is
measured on any model, at 640 tokens of prompt, in processor time.  Together they give the gain: tokens per millisecond
with drafts over without, where one was found.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from graft_models.catalog import embedded_model
from graft_models.engine import Allow, DoneReason, Need, Request, Stop, Token
from graft_models.llama.jobs import Windows, complete
from graft_models.llama.model import Model
from graft_models.llama.speculation import DRAFT, Speculation
from graft_models.prompt import Hole

PROMPT = 640


class Undisturbed:
    """A control that never interrupts."""

    def interrupted(self) -> DoneReason | None:
        return None

    def stopped(self) -> Stop | None:
        return None

    def ask(self, need: Need) -> Allow | Stop | None:
        return None

    def send(self, event: Token) -> None:
        pass


def acceptance(model: Model, folder: Path, count: int) -> dict[str, Any]:
    """Complete lines with drafts on; drafts per generated token, and tokens accepted per draft."""
    from graft_training import items

    packages = {p.name: items.read_package(p) for p in sorted(folder.iterdir()) if p.is_dir()}
    lines = items.draw({n: f for n, f in packages.items() if f}, count, 5)
    model.speculation = Speculation("on")
    generated = batches = 0
    for line in lines:
        hole = Hole(line.path, line.before, line.after, "", line.package)
        request = Request(1, hole, max_tokens=24, prompt_budget=PROMPT, document=line.path)
        work = complete(model, Windows(), request, Undisturbed())
        while True:
            try:
                next(work)
            except StopIteration as stop:
                generated += stop.value.usage.generated
                break
        batches += model.speculation.drafts
        model.speculation.drafts = 0
    made = model.speculation
    return {
        "lines": len(lines),
        "tokens_per_answer": round(generated / len(lines), 2),
        "drafts_per_token": round(batches / max(1, generated), 3),
        "accepted_per_draft": round(made.accepted_total / max(1, batches), 3),
        "accepted_share": round(made.accepted_total / max(1, made.drafted_total), 3),
    }


def cost(model: Model) -> dict[str, Any]:
    """Milliseconds of processor time for one token and for a batch with a draft."""
    native, sequence = model.native, 0
    tokens = list(model.tokenize("value = self.name(item)\n" * 200))[:PROMPT]
    native.remove(sequence, -1)
    for start in range(0, PROMPT, model.batch):
        part = tokens[start : start + model.batch]
        native.decode(part, range(start, start + len(part)), [sequence] * len(part), [False] * len(part))
    spent: dict[int, list[float]] = {1: [], DRAFT + 1: []}
    for _ in range(9):
        for rows, times in spent.items():
            began = time.process_time()
            native.decode(tokens[:rows], range(PROMPT, PROMPT + rows), [sequence] * rows, [True] * rows)
            for row in range(rows):
                native.logits(row).argmax()
            times.append((time.process_time() - began) * 1000)
            native.remove(sequence, PROMPT)
    one, many = (sorted(times)[len(times) // 2] for times in spent.values())
    native.remove(sequence, -1)
    return {"single_ms": round(one, 2), "batch_ms": round(many, 2), "batch_ratio": round(many / one, 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--lines", type=int, default=60)
    args = parser.parse_args()
    path = args.model or embedded_model()
    if path is None:
        sys.exit("no embedded model in this build; name one with --model")
    model = Model(path, threads=1)
    figures = {"model": model.info.name, "parameters": model.info.parameters, "draft": DRAFT, **cost(model)}
    if args.texts:
        figures |= acceptance(model, args.texts, args.lines)
        figures["gain"] = round((1 + figures["accepted_per_draft"]) / figures["batch_ratio"], 2)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
