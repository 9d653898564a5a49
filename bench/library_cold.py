"""What the first member list of a library costs in a new process, and what of it a cache on disk could save.

python bench/library_cold.py [MODULE...]      processor milliseconds, each module in a process of its own

`cold` is everything from an open graph to the members after `import X` and `X.`; `parse` is what of that goes into
reading and parsing the library's files; `load` is reading the finished answer from a file and looking whether the
files that it was made from have changed: the least that a cache shared by workspaces would cost.
"""

from __future__ import annotations

import json
import marshal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULES = ["os", "asyncio", "typing", "requests", "jinja2", "urllib3", "numpy", "rich", "hypothesis"]


def measure(name: str) -> dict[str, object]:
    """Figures of one module; this process must not have asked before."""
    from graft_indexer import world
    from graft_indexer.pygraph import open_graph

    spent = {"parse": 0.0, "files": 0}
    original = world.parse

    def parse(text: str, before: object = None) -> object:
        began = time.process_time()
        tree = original(text, before)  # type: ignore[arg-type]
        spent["parse"] += time.process_time() - began
        spent["files"] += 1
        return tree

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "work")
        root.mkdir()
        (root / "main.py").write_text("import sys\nsys.\n", "utf-8")
        graph = open_graph(root, python_paths=[Path(sys.prefix)])
        graph.members_at("main.py", 14)  # the builtins and the environment are read
        world.parse = parse  # type: ignore[assignment]
        text = f"import {name}\n{name}.\n"
        graph.open_buffer("main.py", text)
        began = time.process_time()
        answer = graph.members_at("main.py", len(text) - 2)
        cold = time.process_time() - began
        began = time.process_time()
        graph.world.memo.change(*(t.text for _, t in graph.world._tokens.values()))
        graph.members_at("main.py", len(text) - 2)
        again = time.process_time() - began
        files = [graph.world.finder.absolute(p) for p in graph.world._files if p.startswith("/")]
        rows = [
            (s.name, s.qualified_name, s.kind.value, s.path, s.span.start, s.span.end, s.doc, s.annotation)
            for s in answer.value
        ]
        stored = Path(folder, "answer")
        stored.write_bytes(marshal.dumps((rows, [(f, Path(f).stat().st_mtime_ns) for f in files])))
        began = time.process_time()
        loaded, stamps = marshal.loads(stored.read_bytes())
        fresh = all(Path(f).stat().st_mtime_ns == stamp for f, stamp in stamps)
        load = time.process_time() - began
        assert fresh
        assert len(loaded) == len(rows)
        graph.close()
    return {
        "module": name, "members": len(rows), "closed": answer.closed, "files": spent["files"],
        "cold_ms": round(1000 * cold, 1), "parse_ms": round(1000 * spent["parse"], 1),
        "again_ms": round(1000 * again, 1), "load_ms": round(1000 * load, 1),
    }  # fmt: skip


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        print(json.dumps(measure(sys.argv[2])))
        return
    for name in sys.argv[1:] or MODULES:
        subprocess.run([sys.executable, __file__, "--one", name], check=True)


if __name__ == "__main__":
    main()
