"""What a model may be shown beside the open file: the arms of `graft bench complete`, all within the same budget.

- `in_file`: nothing; of a small model the open file alone is counted (`graft_models.llama.mixture`).
- `vim_chunks`: what llama.vim keeps in its ring: chunks of 64 lines around places in other files that were lately open;
  here of the files in the same folder, as if the person had just been there.
- `bm25`: windows of 20 lines of other files, ranked by BM25 against the last 10 lines before the cursor, as
  CrossCodeEval (Ding and others, 2023) does.
- `near`: nothing in the prompt, but the files near the open one are counted beside it: that half of `graft` alone.
- `graft`: what the product does: parts from the graph in the prompt, the files near counted beside it.
- `oracle`: the definitions of the names that the hidden text uses, then windows ranked knowing the hidden text, and the
  files near counted.  It cannot be shipped; it says how much there is to gain.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graft_indexer.graph import SymbolGraph
from graft_models.engine import Capabilities
from graft_models.prompt import ContextPart
from graft_server.completion.context import Wanted, choose, gate_for, gather, tokens_of
from graft_server.completion.names import stub

EVERY = Capabilities()
"""Of an engine that is shown all kinds of context."""
ARMS = ("in_file", "vim_chunks", "bm25", "near", "graft", "oracle")
COUNTED = frozenset({"near", "graft", "oracle"})
"""Arms in which the files near the open one are counted."""
WINDOW, STEP, QUERY = 20, 10, 10
"""Lines of a window, from one to the next, and of the query."""
CHUNK, CHUNKS = 64, 16
K1, B = 1.2, 0.75
_WORD = re.compile(r"[A-Za-z_]\w+")


@dataclass(frozen=True, slots=True)
class Cut:
    """Lines of a file and how often each word stands in them."""

    path: str
    line: int
    text: str
    words: Counter[str]


class Repository:
    """The files of a workspace in windows, for the arms that know no graph."""

    def __init__(self, texts: dict[str, str]) -> None:
        """`texts` by path relative to the root."""
        self.texts = texts
        self._cuts = [cut for path, text in texts.items() for cut in _windows(path, text)]
        self._documents: Counter[str] = Counter(word for cut in self._cuts for word in cut.words)
        self._mean = sum(c.words.total() for c in self._cuts) / max(1, len(self._cuts))

    def ranked(self, path: str, query: str, count: int) -> list[ContextPart]:
        """The windows of other files that BM25 likes best for `query`."""
        wanted = set(_WORD.findall(query))
        scored: list[tuple[float, int]] = []
        for number, cut in enumerate(self._cuts):
            if cut.path == path:
                continue
            size = cut.words.total()
            score = 0.0
            for word in wanted & cut.words.keys():
                have = cut.words[word]
                idf = math.log(1 + (len(self._cuts) - self._documents[word] + 0.5) / (self._documents[word] + 0.5))
                score += idf * have * (K1 + 1) / (have + K1 * (1 - B + B * size / self._mean))
            if score > 0:
                scored.append((score, number))
        scored.sort(key=lambda item: (-item[0], item[1]))
        best = scored[0][0] if scored else 1.0
        return [ContextPart(self._cuts[n].path, self._cuts[n].text, "window", s / best) for s, n in scored[:count]]

    def chunks(self, path: str, seed: int) -> list[ContextPart]:
        """Chunks of 64 lines at places of files in the same folder, those visited last valued most."""
        chance = random.Random(f"{path}/{seed}")
        folder = path.rpartition("/")[0]
        near = [p for p in self.texts if p != path and p.rpartition("/")[0] == folder]
        others = near or [p for p in self.texts if p != path]
        out = []
        for rank in range(min(CHUNKS, len(others))):
            other = chance.choice(others)
            lines = self.texts[other].split("\n")
            start = chance.randrange(max(1, len(lines) - CHUNK))
            out.append(ContextPart(other, "\n".join(lines[start : start + CHUNK]) + "\n", "chunk", 1 / (1 + rank)))
        return out


def _windows(path: str, text: str) -> list[Cut]:
    lines = text.split("\n")
    out = []
    for start in range(0, max(1, len(lines) - STEP), STEP):
        body = "\n".join(lines[start : start + WINDOW])
        if body.strip():
            out.append(Cut(path, start + 1, body + "\n", Counter(_WORD.findall(body))))
    return out


def parts_of(
    arm: str,
    graph: SymbolGraph,
    repository: Repository,
    path: str,
    before: str,
    after: str,
    hidden: str,
    budget: int,
    *,
    kinds: frozenset[str] | None = None,
    seed: int = 0,
    capabilities: Capabilities = EVERY,
) -> tuple[ContextPart, ...]:
    """The parts of one arm for a cursor between `before` and `after`; `budget` in tokens, `capabilities` the engine's.

    Only the oracle looks at `hidden`.  The graph must see `before + after` as the text of `path`.
    """
    query = "\n".join(before.split("\n")[-QUERY:])
    if arm in ("in_file", "near"):
        return ()
    if arm == "vim_chunks":
        return choose(_trimmed(repository.chunks(path, seed), budget), budget)
    if arm == "bm25":
        return choose(repository.ranked(path, query, 5), budget)
    if arm == "graft":
        offset = len(before.encode("utf-8", "surrogateescape"))
        wanted = Wanted(path, before + after, offset, budget, deadline_ms=5000.0, kinds=kinds)
        return gather(graph, gate_for(wanted, capabilities)).parts
    windows = [
        ContextPart(p.path, p.text, p.kind, 0.5 * p.value) for p in repository.ranked(path, hidden + "\n" + query, 5)
    ]
    return choose([*_definitions(graph, path, before + after, hidden), *windows], budget)


def _trimmed(parts: Sequence[ContextPart], budget: int) -> list[ContextPart]:
    """Chunks cut in half until one fits: a ring of 64 lines is made for models that read more."""
    out = []
    for part in parts:
        text = part.text
        while tokens_of(text) + 8 > budget // 2 and text.count("\n") > 4:
            lines = text.split("\n")
            text = "\n".join(lines[: len(lines) // 2]) + "\n"
        out.append(ContextPart(part.path, text, part.kind, part.value))
    return out


def _definitions(graph: SymbolGraph, path: str, text: str, hidden: str) -> list[ContextPart]:
    out = []
    for name in dict.fromkeys(_WORD.findall(hidden)):
        for symbol in graph.find(name)[:2]:
            body = stub(symbol)
            if symbol.path != path and body.strip() not in text:
                out.append(ContextPart(symbol.path, body, "definition", 1.0))
    return out
