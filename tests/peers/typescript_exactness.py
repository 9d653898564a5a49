"""How exact the graph is on TypeScript: run as a script, prints figures as `name value` lines.

python tests/peers/typescript_exactness.py definitions ROOT -n 1000     goto-definition against TypeScript 5.9.3

TypeScript is npm's package (`npm pack typescript@5.9.3`, unpacked): its folder is $GRAFT_TYPESCRIPT, or fetched once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from graft_indexer.graph import Symbol
from graft_indexer.polyglot import PolyGraph
from graft_indexer.pygraph import open_graph
from graft_indexer.text import encode


def utf16_to_bytes(text: str, offset: int) -> int:
    """Byte offset of a place given in UTF-16 code units."""
    return len(encode(text.encode("utf-16-le", "surrogatepass")[: 2 * offset].decode("utf-16-le", "replace")))


def definitions(graph: PolyGraph, root: Path, count: int, seed: int, show: int) -> dict[str, float]:
    """Agreement on random names that TypeScript resolves and that are no definitions themselves."""
    typescript = os.environ.get("GRAFT_TYPESCRIPT") or fetched()
    script = Path(__file__).with_name("tsc_definitions.mjs")
    done = subprocess.run(
        ["node", "--max-old-space-size=4096", script, typescript, root, str(count), str(seed)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    texts: dict[str, str] = {}
    total = answered = agreed = inside = answered_inside = 0
    wrong: Counter[str] = Counter()
    shown = 0
    for line in done.stdout.splitlines():
        place = json.loads(line)
        total += 1
        path = os.path.relpath(place["path"], root)
        texts.setdefault(place["path"], Path(place["path"]).read_text("utf-8", "replace"))
        at = utf16_to_bytes(texts[place["path"]], place["start"])
        truth = set()
        for file, start in place["defs"]:
            if not file.startswith(str(root)):
                truth.add((file, -1))
                continue
            texts.setdefault(file, Path(file).read_text("utf-8", "replace"))
            truth.add((os.path.relpath(file, root), utf16_to_bytes(texts[file], start)))
        local = any(start >= 0 for _, start in truth)
        inside += local
        answer = graph.definition_at(path, at)
        if not answer.value:
            if show and local and shown < show:
                shown += 1
                print(f"silent {path}:{_line(texts[place['path']], place['start'])} {place['name']}: {answer.reason}")
            continue
        answered += 1
        answered_inside += local
        mine = {(s.path, s.name_span.start) for s in answer.value}
        if mine & truth or _same_module(answer.value, truth, path, texts[place["path"]], place["name"]):
            agreed += 1
        else:
            wrong[answer.reason or "closed"] += 1
            if show:
                line = _line(texts[place["path"]], place["start"])
                print(f"WRONG {path}:{line} {place['name']}: {sorted(mine)[:2]} not {sorted(truth)[:2]}")
    print(dict(wrong.most_common(8)), file=sys.stderr)
    return {
        "names": total, "in_workspace": inside, "answered": answered, "agreed": agreed,
        "agreement_percent": round(100 * agreed / max(1, answered), 2),
        "answered_of_workspace_percent": round(100 * answered_inside / max(1, inside), 2),
    }  # fmt: skip


def _line(text: str, at: int) -> int:
    return text[:at].count("\n") + 1


def _same_module(symbols: Sequence[Symbol], truth: set[tuple[str, int]], path: str, text: str, name: str) -> bool:
    """A name of a module leads to its file here, and to `import * as name` there: both are right."""
    if not any(s.kind.value == "module" for s in symbols):
        return False
    starred = re.search(rf"\*\s+as\s+{re.escape(name)}\b", text) is not None
    return any(file == s.path for file, _ in truth for s in symbols) or (starred and any(f == path for f, _ in truth))


def fetched() -> str:
    """Folder of the TypeScript package, fetched through npm once."""
    from graft_testing import parts

    folder = parts.folder() / "typescript"
    if not (folder / "package/lib/typescript.js").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "pack", "--silent", "typescript@5.9.3"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        subprocess.run(["tar", "xzf", next(folder.glob("typescript-*.tgz"))], cwd=folder, check=True)
    return str(folder / "package")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("definitions",))
    parser.add_argument("root", type=Path)
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N names that were not answered")
    args = parser.parse_args()
    random.seed(args.seed)
    root = args.root.resolve()
    graph = open_graph(root)
    assert isinstance(graph, PolyGraph)
    figures = definitions(graph, root, args.n, args.seed, args.show)
    for name, value in figures.items():
        print(name, value)
    return 0


if __name__ == "__main__":
    sys.exit(main())
