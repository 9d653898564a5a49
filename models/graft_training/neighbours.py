"""Parts of other files of the same package for a training sample: definitions and usages near the hole.

This stands in for the indexer's graph behind one call, `Neighbours.parts`: names are matched by spelling, rare names
weigh more (inverse document frequency over the package's blocks). A part is the head of a definition or a few lines
of use.
"""

from __future__ import annotations

import collections
import keyword
import math
import random
import re
from collections.abc import Mapping, Sequence

from graft_models.prompt import ContextPart

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]{2,}")
DEFINITION = re.compile(r"^[ \t]*(?:async def|def|class)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
BLOCK_LINES = 10
HEAD_LINES = 7  # of a definition
MOST_PARTS = 4
TOO_COMMON = 40  # blocks that hold a name; commoner names say nothing
MOST_DEFINITIONS = 8  # a name that is defined more often says nothing either
TOKENS_PER_BYTE = 0.32
MIDDLE_SHARE = 0.5  # of the samples: names of the hidden middle choose parts too, as the product's graph often can
KEYWORDS = frozenset((*keyword.kwlist, "self", "str", "int", "list", "dict", "type", "isinstance"))


class Neighbours:
    """The blocks of one package. Building it reads every document once."""

    def __init__(self, documents: Sequence[tuple[str, str]]) -> None:
        self.blocks: list[tuple[str, str]] = []  # path, text
        self.holding: dict[str, list[int]] = collections.defaultdict(list)
        self.defining: dict[str, list[int]] = collections.defaultdict(list)
        for path, text in documents:
            self._add(path, text)

    def _add(self, path: str, text: str) -> None:
        lines = text.split("\n")
        for start in range(0, len(lines), BLOCK_LINES):
            body = "\n".join(lines[start : start + BLOCK_LINES])
            names = set(NAME.findall(body)) - KEYWORDS
            if len(names) < 3:
                continue
            for name in names:
                self.holding[name].append(len(self.blocks))
            self.blocks.append((path, body))
        for match in DEFINITION.finditer(text):
            line_start = text.rfind("\n", 0, match.start(1)) + 1
            head = "\n".join(text[line_start : line_start + 700].split("\n")[:HEAD_LINES])
            self.defining[match.group(1)].append(len(self.blocks))
            self.blocks.append((path, head))

    def parts(
        self, path: str, near: str, middle: str, tokens: int, noise: float, draw: random.Random
    ) -> list[ContextPart]:
        """Parts for a training sample with a hole in `path`, at most `tokens` (estimated) in all.

        `near` is the text before the hole, `middle` what it hides, `noise` the chance of one part that has nothing
        to do with it.
        """
        names = dict.fromkeys(NAME.findall(near), 1.0)
        if draw.random() < MIDDLE_SHARE:
            names.update({name: names.get(name, 0.0) + 2.0 for name in NAME.findall(middle)})
        chosen = self._ranked(path, names)[: draw.randint(1, MOST_PARTS)]
        if self.blocks and draw.random() < noise:
            chosen.insert(0, draw.randrange(len(self.blocks)))
        return self._fitting(path, chosen, tokens)

    def with_noise(self, parts: Sequence[ContextPart], noise: float, draw: random.Random) -> list[ContextPart]:
        """`parts`, and with the chance `noise` before them a block that has nothing to do with the hole."""
        if not self.blocks or draw.random() >= noise:
            return list(parts)
        return [ContextPart(*self.blocks[draw.randrange(len(self.blocks))]), *parts]

    def best(self, path: str, near: str, tokens: int, sought: str = "") -> list[ContextPart]:
        """The parts that names of `near`, and four times as much those of `sought`, point to; best last."""
        names = {**dict.fromkeys(NAME.findall(near), 1.0), **dict.fromkeys(NAME.findall(sought), 4.0)}
        return self._fitting(path, self._ranked(path, names)[:MOST_PARTS], tokens)

    def _ranked(self, path: str, names: Mapping[str, float]) -> list[int]:
        scores: dict[int, float] = collections.defaultdict(float)
        for name, weight in names.items():
            defined = self.defining.get(name, ())
            held = self.holding.get(name, ())
            if len(defined) <= MOST_DEFINITIONS:
                for block in defined:
                    scores[block] += 2.0 * weight * math.log(1 + len(self.blocks) / len(defined))
            if len(held) <= TOO_COMMON:
                for block in held:
                    scores[block] += weight * math.log(1 + len(self.blocks) / len(held))
        return [b for b in sorted(scores, key=lambda b: (-scores[b], b))[:16] if self.blocks[b][0] != path]

    def _fitting(self, path: str, chosen: Sequence[int], tokens: int) -> list[ContextPart]:
        parts: list[ContextPart] = []
        room = tokens / TOKENS_PER_BYTE
        for block in chosen:
            other, text = self.blocks[block]
            room -= len(text) + len(other) + 4
            if other != path and room > 0 and text.strip():
                parts.append(ContextPart(other, text))
        return parts[::-1]
