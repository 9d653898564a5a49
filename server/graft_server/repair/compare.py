"""Does a repaired program behave as its reference?  For the benchmark: both run side by side on generated inputs.

The inputs come from the tests: the calls they make are observed while they run against the reference, then varied
(`probe.py`).  An input on which the reference fails or runs out of time says nothing and is left out.
"""

from __future__ import annotations

import copy
import importlib
import json
import random
import sys
from pathlib import Path
from typing import Any

SEED = 20


def load(source: str, name: str) -> dict[str, Any]:
    """Run a program's text as a module of its own."""
    space: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"<{name}>", "exec"), space)
    return space


def compare(probe: Any, reference: str, candidate: str, tests: str, name: str, count: int) -> dict[str, int]:
    """{"inputs", "different", "skipped"}: how many of `count` generated inputs give different answers."""
    right, other = load(reference, "reference"), load(candidate, "candidate")
    calls: list[tuple[Any, ...]] = []

    def record(*arguments: Any) -> Any:
        calls.append(copy.deepcopy(arguments))
        return right[name](*arguments)

    exec(compile(tests, "<tests>", "exec"), {**right, name: record})
    used = different = skipped = late = 0
    random.seed(SEED)
    sys.setrecursionlimit(3_000)
    for arguments in probe.inputs(calls, count, SEED):
        pair = copy.deepcopy((arguments, arguments))
        expected = probe.answer(right[name], pair[0], 0.5)
        if expected == "?" or expected.startswith("!"):
            skipped += 1
            late += expected == "?"
            if late > 20:
                break
            continue
        used += 1
        got = probe.answer(other[name], copy.deepcopy(arguments), 2.0)
        if got != expected:
            different += 1
            if different >= 5:
                break
    return {"inputs": used, "different": different, "skipped": skipped}


def main() -> None:
    """Arguments: folder with reference.py, candidate.py, tests.txt; function; count.  Prints one JSON object."""
    folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    sys.path.insert(0, str(Path(__file__).parent))
    probe = importlib.import_module("probe")
    texts = [(folder / part).read_text("utf-8") for part in ("reference.py", "candidate.py", "tests.txt")]
    print(json.dumps(compare(probe, texts[0], texts[1], texts[2], name, count)))


if __name__ == "__main__":
    main()
