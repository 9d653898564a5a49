"""Changes worth trying, most probable first, before anything runs.

P(change) = P(line) x P(operator) / instances of the operator at that line.  Two-edit repairs are the same over the
text that a first edit gave: first edits that made some failing test pass come first.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graft_indexer.mutations import PRIORS, Mutation, mutations
from graft_indexer.text import Lines, encode
from graft_server.edits import Edit, apply_edits
from graft_server.repair.localisation import Place

SAME_LINE = 0.5
"""Share of two-edit repairs that change one line twice (the rest: two suspicious lines)."""


NO_END = (":", ",", "(", "[", "{", "\\")
NO_START = ("#", "import ", "from ", "@", ")", "]", "}", '"', "'", "def ", "class ")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A whole new text for one file.  `score` is the logarithm of the prior probability."""

    path: str
    text: str
    score: float
    operators: tuple[str, ...]
    lines: tuple[int, ...]
    """Changed lines, 0-based, in the original text for the first and in the changed text for the second edit."""
    edit: Edit
    """The last edit, in the text it was made from."""

    @property
    def size(self) -> int:
        """How many edits."""
        return len(self.operators)


def proposals(texts: Mapping[str, str], places: Sequence[Place], donors: Sequence[str] = ()) -> list[Proposal]:
    """One-edit proposals for all places, most probable first, without duplicates and without syntax errors' cost.

    Syntax is checked when a proposal is about to run (`parses`), not here: most never run.
    """
    out: list[Proposal] = []
    for path, text in texts.items():
        weights = {place.line: place.weight for place in places if place.path == path}
        out += _of_text(path, text, weights, donors, 0.0, (), ())
    return _best_first(out)


def _of_text(
    path: str,
    text: str,
    weights: Mapping[int, float],
    donors: Sequence[str],
    base: float,
    operators: tuple[str, ...],
    lines: tuple[int, ...],
) -> list[Proposal]:
    found = mutations(text, list(weights), donors=donors)
    out = []
    for mutation, part in zip(found, shares(found), strict=True):
        share = weights[mutation.line] * PRIORS[mutation.operator] * part
        edit = Edit(path, mutation.start, mutation.end, mutation.text)
        out.append(
            Proposal(
                path=path,
                text=apply_edits(text, [edit]),
                score=base + math.log(max(share, 1e-12)),
                operators=(*operators, mutation.operator),
                lines=(*lines, mutation.line),
                edit=edit,
            )
        )
    return out


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


def _best_first(found: list[Proposal]) -> list[Proposal]:
    """Sorted; of proposals that give the same text the likeliest stays, with the probabilities of all."""
    together: dict[tuple[str, str], list[Proposal]] = {}
    for proposal in found:
        together.setdefault((proposal.path, proposal.text), []).append(proposal)
    best = [max(same, key=lambda p: p.score) for same in together.values()]
    return sorted(best, key=lambda p: -p.score)


def second_edits(first: Proposal, original: str, places: Sequence[Place], bonus: float) -> list[Proposal]:
    """Two-edit proposals that begin with `first`; `bonus` is what its run taught (log)."""
    before, after = Lines.of(original), Lines.of(first.text)
    shift = len(after) - len(before)
    changed = first.lines[0]
    weights: dict[int, float] = {}
    for place in places:
        if place.path == first.path:
            line = place.line + (shift if place.line > changed else 0)
            weights[line] = weights.get(line, 0.0) + (1 - SAME_LINE) * place.weight
    for line in range(changed, changed + max(0, shift) + 1):
        weights[line] = weights.get(line, 0.0) + SAME_LINE / (max(0, shift) + 1)
    found = _of_text(first.path, first.text, weights, (), first.score + bonus, first.operators, first.lines)
    return [p for p in _best_first(found) if p.text != original]


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


__all__ = [
    "Mutation",
    "Proposal",
    "as_edit",
    "donor_statements",
    "parses",
    "proposals",
    "same_meaning",
    "second_edits",
]
