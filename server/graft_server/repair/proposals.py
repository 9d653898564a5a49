"""Changes worth trying, most probable first, before anything runs.

P(change) = P(line) x P(operator) x its share among that operator's instances at the line.  A line's changes are only
made when no other proposal can be likelier, so large files cost what is looked at.  Two-edit repairs are the same over
the text that a first edit gave.
"""

from __future__ import annotations

import ast
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graft_indexer.rewrites import PRIORS, Module, Mutation, module_of, of_line
from graft_indexer.text import Lines, encode
from graft_server.edits import Edit, apply_edits
from graft_server.repair.localisation import Place

SAME_LINE = 0.5
"""Share of two-edit repairs that change one line twice (the rest: two suspicious lines)."""
LEAST = 1e-12
NO_END = (":", ",", "(", "[", "{", "\\")
NO_START = ("#", "import ", "from ", "@", ")", "]", "}", '"', "'", "def ", "class ")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One edit of one file.  `score` is the logarithm of the prior probability."""

    path: str
    before: str
    """The text that the edit is made in: the original, or what a first edit gave."""
    edit: Edit
    score: float
    operators: tuple[str, ...]
    lines: tuple[int, ...]
    """Changed lines, 0-based, in the original text for the first and in the changed text for the second edit."""
    oddities: int | None = None
    """How many this edit brings in, once they were counted (`oddities.py`)."""

    @property
    def text(self) -> str:
        """The whole new text of the file."""
        return apply_edits(self.before, [self.edit])

    @property
    def size(self) -> int:
        """How many edits."""
        return len(self.operators)


def proposals(
    texts: Mapping[str, str], places: Sequence[Place], donors: Sequence[str] = (), raised: Sequence[str] = ()
) -> Iterator[Proposal]:
    """One-edit proposals for all places, most probable first, no edit twice; `raised` as in `mutations`.

    Syntax is checked when a proposal is about to run (`parses`), not here: most never run.
    """
    return _best_first(texts, [(p.path, p.line, p.weight) for p in places], tuple(donors), None, 0.0, raised)


def second_edits(first: Proposal, original: str, places: Sequence[Place], bonus: float) -> Iterator[Proposal]:
    """Two-edit proposals that begin with `first`; `bonus` is what its run taught (log)."""
    text = first.text
    shift = len(Lines.of(text)) - len(Lines.of(original))
    changed = first.lines[0]
    weights: dict[int, float] = {}
    for place in places:
        if place.path == first.path:
            line = place.line + (shift if place.line > changed else 0)
            weights[line] = weights.get(line, 0.0) + (1 - SAME_LINE) * place.weight
    for line in range(changed, changed + max(0, shift) + 1):
        weights[line] = weights.get(line, 0.0) + SAME_LINE / (max(0, shift) + 1)
    lines = [(first.path, line, weight) for line, weight in weights.items() if weight > 0]
    for proposal in _best_first({first.path: text}, lines, (), first, bonus):
        if proposal.text != original:
            yield proposal


def _best_first(
    texts: Mapping[str, str],
    lines: Iterable[tuple[str, int, float]],
    donors: tuple[str, ...],
    first: Proposal | None,
    bonus: float,
    raised: Sequence[str] = (),
) -> Iterator[Proposal]:
    serial = itertools.count()
    base = (first.score if first else 0.0) + bonus
    top = math.log(max(PRIORS.values()))
    heap: list[tuple[float, int, Proposal | tuple[str, int, float]]] = []
    for place in lines:
        # No change of a line is likelier than the line with the likeliest operator.
        heapq.heappush(heap, (-(base + math.log(max(place[2], LEAST)) + top), next(serial), place))
    modules: dict[str, Module] = {}
    seen: set[Edit] = set()
    while heap:
        _, _, item = heapq.heappop(heap)
        if isinstance(item, Proposal):
            if item.edit not in seen:
                seen.add(item.edit)
                yield item
            continue
        path, line, weight = item
        if path not in modules:
            modules[path] = module_of(texts[path], raised)
        found = of_line(modules[path], line, donors)
        for mutation, part in zip(found, shares(found), strict=True):
            score = base + math.log(max(weight * PRIORS[mutation.operator] * part, LEAST))
            proposal = Proposal(
                path=path,
                before=texts[path],
                edit=Edit(path, mutation.start, mutation.end, mutation.text),
                score=score,
                operators=(*(first.operators if first else ()), mutation.operator),
                lines=(*(first.lines if first else ()), mutation.line),
            )
            heapq.heappush(heap, (-score, next(serial), proposal))


def shares(found: Sequence[Mutation]) -> list[float]:
    """Each mutation's share of its operator at its line; they sum to 1 there.

    Where one operator offers many texts for one place they are made simplest first, and the share falls with that
    order as 1 / (index + 3); places count alike.
    """
    places: Counter[tuple[int, int, str]] = Counter()
    raw = []
    for m in found:
        raw.append(1.0 / (places[m.start, m.end, m.operator] + 3))
        places[m.start, m.end, m.operator] += 1
    totals: dict[tuple[int, str], float] = {}
    for m, value in zip(found, raw, strict=True):
        totals[m.line, m.operator] = totals.get((m.line, m.operator), 0.0) + value
    return [value / totals[m.line, m.operator] for m, value in zip(found, raw, strict=True)]


def parses(text: str) -> bool:
    """Whether Python's own parser takes it (Graft's interpreter's grammar; names are not looked at)."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def same_meaning(a: str, b: str) -> bool:
    """Whether two texts have the same syntax tree (they differ in layout or parentheses only)."""
    try:
        return ast.dump(ast.parse(a)) == ast.dump(ast.parse(b))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def as_edit(path: str, old: str, new: str) -> Edit:
    """The one edit that turns `old` into `new`: what lies between their common beginning and end, in bytes."""
    a, b = encode(old), encode(new)
    limit = min(len(a), len(b))
    start = next((i for i in range(limit) if a[i] != b[i]), limit)
    while start > 0 and start < len(a) and (a[start] & 0xC0) == 0x80:
        start -= 1
    end = 0
    while end < limit - start and a[len(a) - 1 - end] == b[len(b) - 1 - end]:
        end += 1
    while end > 0 and (a[len(a) - end] & 0xC0) == 0x80:
        end -= 1
    return Edit(path, start, len(a) - end, b[start : len(b) - end].decode("utf-8", "surrogateescape"))


def donor_statements(texts: Sequence[str], limit: int = 40) -> Iterator[str]:
    """Simple one-line statements of other files that are frequent there: what this repository tends to write."""
    counts: Counter[str] = Counter()
    for text in texts:
        for line in text.split("\n"):
            stripped = line.strip()
            if 6 < len(stripped) < 80 and not stripped.endswith(NO_END) and not stripped.startswith(NO_START):
                counts[stripped] += 1
    for text, _ in counts.most_common(limit):
        if parses(text):
            yield text
