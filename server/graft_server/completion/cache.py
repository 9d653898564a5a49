"""Typed as suggested: the rest of an earlier answer, if the person typed just what it said.

The text before the cursor and the text after it are both checked, so a suggestion never survives an edit elsewhere in
the file.  Comparison is of whole texts (memory comparison), not of hashes of parts.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from graft_server.completion.anchor import Place
from graft_server.completion.model import Completion

MAX_TYPED = 400
"""Characters that may have been typed since."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer (LF line ends) and where it was given; an empty `text` remembers that nothing could be said there."""

    before: str
    after: str
    text: str
    completion: Completion | None


class SuggestionCache:
    """The last answers per document."""

    def __init__(self, per_document: int = 12, documents: int = 8) -> None:
        self._kept: OrderedDict[str, list[Kept]] = OrderedDict()
        self._per_document = per_document
        self._documents = documents

    def put(self, path: str, place: Place, completion: Completion | None) -> None:
        """Keep an answer; None: the engine had nothing to say here."""
        kept = self._kept.setdefault(path, [])
        self._kept.move_to_end(path)
        text = completion.text.replace("\r\n", "\n") if completion is not None else ""
        kept[:] = [k for k in kept if (k.before, k.after) != (place.before, place.after)]
        kept.append(Kept(place.before, place.after, text, completion))
        del kept[: -self._per_document]
        while len(self._kept) > self._documents:
            self._kept.popitem(last=False)

    def get(self, path: str, place: Place) -> tuple[bool, Completion | None, str]:
        """(known, answer, typed since).  Known with None means: nothing was found at just this place.

        The answer's `text` is what is left of it; its range and insertion are the caller's to compute.
        """
        for kept in reversed(self._kept.get(path, ())):
            if not place.before.startswith(kept.before):
                continue
            typed = place.before[len(kept.before) :]
            if len(typed) > MAX_TYPED:
                continue
            if not typed and kept.after == place.after:
                return True, kept.completion, ""
            if kept.completion is None or not kept.text.startswith(typed) or typed == kept.text:
                continue
            if kept.after == place.after or _closed_since(kept.after, place.after):
                return True, replace(kept.completion, text=kept.text[len(typed) :]), typed
        return False, None, ""

    def forget(self, path: str) -> None:
        """The document was closed."""
        self._kept.pop(path, None)


def _closed_since(before: str, now: str) -> bool:
    """Whether `now` is `before` with only closers added or taken at its start, as auto-closing pairs do."""
    a, _, rest_a = before.partition("\n")
    b, _, rest_b = now.partition("\n")
    return rest_a == rest_b and a.strip(")]}\"'") == b.strip(")]}\"'")
