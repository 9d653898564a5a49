"""Where a suggestion may end early: its beginnings that a reader can take as they are, and that say nothing else than
it does.

A beginning of a judged text is judged with it, but for names that only what follows binds: `rest` of `rest, last =
split(x)` is a new name there and a missing one in `rest,`.  Such beginnings are left out by their spelling, which costs
microseconds; a second look of the gates would cost milliseconds with every key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from graft_server.completion.anchor import Place
from graft_server.completion.lexical import STRING, bare, scope_of
from graft_server.completion.stops import bracket_depth, head_of

SHORTEST = 3
"""Characters of what is left."""
_QUOTES = "\"'`"
_WORD = re.compile(r"\w")
_BOUND_NEXT = re.compile(r"\s*:?=(?!=)")
"""An assignment, a walrus, a keyword argument."""
_ASSIGNS = re.compile(r"(?<![=!<>:])=(?!=)")
_ANNOTATED = re.compile(r"\s*[\w.]+$")
_UNBOUND = re.compile(r"\bfor\b(?!.*\bin\b)|\blambda\b[^:]*$")
"""What is bound here ends later: the targets of a loop, the parameters of a lambda."""


def beginnings(marks: Sequence[int], text: str, place: Place) -> Iterator[str]:
    """The beginnings of `text` (LF line ends, after the cursor at `place`) that end where a token or a line ends, in no
    word, no blanks and no string that they open, longest first.  `marks`: where tokens begin, in characters."""
    breaks = {found.start() for found in re.finditer("\n", text)}
    for end in sorted(breaks.union(marks), reverse=True):
        if SHORTEST <= end < len(text) and _ends_well(text[end - 1], text[end]):
            kept = text[:end]
            if not _in_its_string(kept, place) and not _bound_later(kept, text[end:], place):
                yield kept


def _ends_well(last: str, following: str) -> bool:
    return not last.isspace() and not (_WORD.match(last) and _WORD.match(following))


def _in_its_string(kept: str, place: Place) -> bool:
    """Whether `kept` ends in a string that it opens.  Only the cursor's line is read: it is asked for many texts."""
    return any(quote in kept for quote in _QUOTES) and scope_of(place.line + kept, place.language) == STRING


def _bound_later(kept: str, left_out: str, place: Place) -> bool:
    """Whether a name of the last line of `kept` may be one that what was left out of that line binds."""
    following = bare(left_out.partition("\n")[0], place.language)
    if _BOUND_NEXT.match(following) or re.search(r"\bfor\b", following):
        return True
    line = bare((place.line + kept).rpartition("\n")[2], place.language)
    if _UNBOUND.search(line) or (following.lstrip().startswith(":") and _ANNOTATED.match(line)):
        return True
    return _ASSIGNS.search(_outside(following)) is not None and (
        bracket_depth(head_of(place.before, place.language) + kept, place.language) <= 0
    )


def _outside(code: str) -> str:
    """`code` without what stands in its brackets."""
    previous = ""
    while previous != code:
        previous, code = code, re.sub(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}", "", code)
    return code
