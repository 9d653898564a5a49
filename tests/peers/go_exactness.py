"""How exact the graph is on Go: run as a script, prints figures as `name value` lines.

python tests/peers/go_exactness.py definitions ROOT -n 1000     goto-definition against go/types (Debian's golang-go)

ROOT must be the root of a module whose requirements are at hand; a copy of parts of Go's own library will do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from graft_indexer.golang.world import standard
from graft_indexer.polyglot import PolyGraph
from graft_indexer.pygraph import open_graph


def definitions(graph: PolyGraph, root: Path, count: int, seed: int, show: int) -> dict[str, float]:
    """Agreement on random names that go/types resolves, definitions and predeclared names left out."""
    script = Path(__file__).with_name("go_definitions.go")
    done = subprocess.run(
        ["go", "run", script, root, str(count), str(seed)], capture_output=True, text=True, check=True,
        env=os.environ | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "0", "GO111MODULE": "auto"},
    )  # fmt: skip
    total = answered = agreed = 0
    wrong: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        place = json.loads(line)
        total += 1
        path = os.path.relpath(place["path"], root)
        answer = graph.definition_at(path, place["start"])
        if not answer.value:
            silent[answer.reason or "CLOSED"] += 1
            if show > 0 or not answer.reason:
                show -= 1
                print(f"silent {path}:{place['start']} {place['name']}: {answer.reason or 'CLOSED'}")
            continue
        answered += 1
        mine = {(_real(root, s.path), s.name_span.start) for s in answer.value}
        truth = (_same(root, place["def"][0]), place["def"][1])
        if truth in mine:
            agreed += 1
            continue
        wrong[answer.reason or "closed"] += 1
        if show:
            print(f"WRONG {path}:{place['start']} {place['name']}: {sorted(mine)[:2]} not {truth} ({answer.reason})")
    print(dict((wrong + silent).most_common(10)), file=sys.stderr)
    return {
        "names": total, "answered": answered, "agreed": agreed,
        "agreement_percent": round(100 * agreed / max(1, answered), 2),
        "answered_percent": round(100 * answered / max(1, total), 2),
    }  # fmt: skip


def _real(root: Path, path: str) -> str:
    return os.path.realpath(path if path.startswith("/") else root / path)


def _same(root: Path, path: str) -> str:
    """A file as the workspace has it: ROOT may be a copy of parts of the library that the checker finds elsewhere."""
    real = os.path.realpath(path)
    inside = os.path.relpath(real, standard()) if standard() and real.startswith(standard()) else ""
    return str(root / inside) if inside and (root / inside).exists() else real


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("definitions",))
    parser.add_argument("root", type=Path)
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N names that were not answered")
    args = parser.parse_args()
    root = args.root.resolve()
    graph = open_graph(root)
    assert isinstance(graph, PolyGraph)
    for name, value in definitions(graph, root, args.n, args.seed, args.show).items():
        print(name, value)
    return 0


if __name__ == "__main__":
    sys.exit(main())
