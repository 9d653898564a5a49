"""The answers of an evaluation as CSV files, one for each task, and the figures that follow from them.

    python -m graft_training.tables FOLDER... [--to FOLDER] [--json FILE]

Several folders (say, one for each package, measured one after the other) become one. Every figure of an evaluation is
computed from these tables, so that what is published can be checked against every answer.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from graft_training.tasks import Answer, Hidden, Mended, percent

Row = Mapping[str, str]
HEADERS: dict[str, tuple[str, ...]] = {
    "lines": (
        *("arm", "package", "path", "line", "own_call", "typed", "truth", "answer"),
        *("exact", "similarity", "names_right", "logprob", "tokens", "milliseconds"),
    ),
    "bits": ("package", "path", "line", "bytes", "nats", "nats_with_graph"),
    "edits": ("path", "line", "kind", "shown", "exact", "mistaken", "fixed", "answer"),
    "humaneval": ("task", "answer", "exact", "passed"),
}
HEADERS["calls"] = HEADERS["lines"]
TASKS = ("lines", "calls", "bits", "edits", "humaneval")


def write(folder: Path, task: str, rows: Iterable[Sequence[object]]) -> None:
    """`folder`/TASK.csv with its header."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{task}.csv").open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(HEADERS[task])
        table.writerows(rows)


def read(folder: Path, task: str) -> list[dict[str, str]]:
    """The rows of one table; empty where there is none."""
    path = folder / f"{task}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def line_rows(answers: Sequence[Answer]) -> list[tuple[object, ...]]:
    """Rows of "lines" and "calls"."""
    rows: list[tuple[object, ...]] = []
    for a in answers:
        place = (a.arm, a.line.package, a.line.path, a.line.number, int(a.line.calls_own))
        measured = (int(a.exact), f"{a.similarity:.4f}", int(a.names_right), f"{a.logprob:.3f}", a.tokens)
        rows.append((*place, a.typed.strip(), a.truth, a.text, *measured, f"{a.milliseconds:.0f}"))
    return rows


def bit_rows(plain: Sequence[Hidden], helped: Sequence[Hidden]) -> list[tuple[object, ...]]:
    """Rows of "bits"."""
    return [
        (a.line.package, a.line.path, a.line.number, a.size, f"{a.nats:.3f}", f"{b.nats:.3f}")
        for a, b in zip(plain, helped, strict=True)
    ]


def edit_rows(mended: Sequence[Mended]) -> list[tuple[object, ...]]:
    """Rows of "edits"."""
    rows: list[tuple[object, ...]] = []
    for m in mended:
        place = (m.edit.path, m.edit.first + 1, m.edit.kind, int(m.shown), int(m.exact))
        rows.append((*place, m.edit.mistaken, m.edit.fixed, m.text))
    return rows


def figures(folder: Path) -> dict[str, float]:
    """Flat figures of the tables in a folder, units in the names. Raises KeyError or ValueError for other tables."""
    result: dict[str, float] = {}
    for task in ("lines", "calls"):
        rows = read(folder, task)
        for arm in dict.fromkeys(row["arm"] for row in rows):
            of_arm = _line_figures([row for row in rows if row["arm"] == arm])
            result |= {f"{task}_{arm}_{name}": value for name, value in of_arm.items()}
        if rows:
            result[f"{task}_answer_p50_ms"] = statistics.median(float(row["milliseconds"]) for row in rows)
    bits = read(folder, "bits")
    if bits:
        size = sum(int(row["bytes"]) for row in bits) * math.log(2)
        result["bits_per_byte"] = round(sum(float(row["nats"]) for row in bits) / size, 4)
        result["bits_per_byte_graph"] = round(sum(float(row["nats_with_graph"]) for row in bits) / size, 4)
    edits = read(folder, "edits")
    for name, shown in (("hidden", "0"), ("shown", "1")):
        group = [row for row in edits if row["shown"] == shown]
        if group:
            result[f"edits_{name}_items"] = len(group)
            result[f"edits_{name}_exact_percent"] = percent([int(row["exact"]) for row in group])
            result[f"edits_{name}_unchanged_percent"] = percent([row["answer"] == row["mistaken"] for row in group])
    problems = read(folder, "humaneval")
    if problems:
        result["humaneval_items"] = len(problems)
        result["humaneval_pass_percent"] = percent([int(row["passed"]) for row in problems])
        result["humaneval_exact_percent"] = percent([int(row["exact"]) for row in problems])
    return result


def _line_figures(rows: Sequence[Row]) -> dict[str, float]:
    surest = sorted(rows, key=lambda row: -float(row["logprob"]) / max(1, int(row["tokens"])))
    result: dict[str, float] = {
        "items": len(rows),
        "exact_percent": percent([int(row["exact"]) for row in rows]),
        "similarity_percent": percent([float(row["similarity"]) for row in rows]),
        "names_percent": percent([int(row["names_right"]) for row in rows]),
    }
    # How right the surest tenth and quarter are: what a threshold could show.
    for share in (0.1, 0.25):
        chosen = surest[: max(1, int(len(rows) * share))]
        result[f"surest_{int(share * 100)}_exact_percent"] = percent([int(row["exact"]) for row in chosen])
    return result


def merge(folders: Sequence[Path], target: Path) -> None:
    """The tables of several folders as one, in the order given. Raises ValueError where none has any."""
    found = False
    for task in TASKS:
        rows = [row for folder in folders for row in read(folder, task)]
        if rows:
            write(target, task, [[row[name] for name in HEADERS[task]] for row in rows])
            found = True
    if not found:
        raise ValueError(f"no tables in {', '.join(map(str, folders))}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit 2 on bad input."""
    parser = argparse.ArgumentParser(prog="graft_training.tables")
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--to", type=Path, help="write the tables of all folders here")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args(argv)
    if len(args.folders) > 1 and args.to is None:
        parser.error("several folders need --to")
    try:
        if args.to is not None:
            merge(args.folders, args.to)
        text = json.dumps(figures(args.to or args.folders[0]), indent=1)
    except (OSError, KeyError, ValueError) as error:
        print(f"not tables of an evaluation: {error}", file=sys.stderr)
        return 2
    print(text)
    if args.json:
        args.json.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
