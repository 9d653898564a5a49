"""Recent edits in other files: what was just changed elsewhere tells what is being done."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from graft_indexer.text import changed_range
from graft_models.prompt import ContextPart

AROUND = 2
"""Lines shown above and below an edit."""
MOST_LINES = 20
FORGET_SECONDS = 1800.0


@dataclass(slots=True)
class _Edited:
    line: int
    text: str
    at: float


class RecentEdits:
    """The last edited place of each of the last edited files."""

    def __init__(self, files: int = 6, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._clock = clock
        self._edited: OrderedDict[tuple[str, str], _Edited] = OrderedDict()

    def note(self, root: str, path: str, before: bytes, after: bytes) -> None:
        """The text of a file went from `before` to `after`."""
        start, _, end = changed_range(before, after)
        head = after.rfind(b"\n", 0, start)
        for _ in range(AROUND):
            head = after.rfind(b"\n", 0, max(0, head)) if head > 0 else -1
        tail = end
        for _ in range(AROUND + 1):
            found = after.find(b"\n", tail)
            tail = found + 1 if found >= 0 else len(after)
        lines = after[head + 1 : tail].decode("utf-8", "replace").split("\n")[:MOST_LINES]
        key = (root, path)
        self._edited[key] = _Edited(after.count(b"\n", 0, start) + 1, "\n".join(lines), self._clock())
        self._edited.move_to_end(key)
        while len(self._edited) > self._files:
            self._edited.popitem(last=False)

    def parts(self, root: str, path: str) -> list[ContextPart]:
        """Edits in other files of the folder, the newest first, as context."""
        now = self._clock()
        out = []
        for rank, ((where, file), edited) in enumerate(reversed(self._edited.items())):
            if where == root and file != path and now - edited.at < FORGET_SECONDS and edited.text.strip():
                out.append(ContextPart(file, edited.text.rstrip() + "\n", "edit", 0.5 / (1 + rank)))
        return out
