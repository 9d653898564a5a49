"""Where a suggestion may end early: its beginnings that a reader can take as they are.

The names of a text that the graph has judged are judged in its beginnings too, but for those that only what follows
binds: `rest` of `rest, last = split(x)` is a new name there and a missing one in `rest,`.  Such beginnings are told by
their spelling; asking the graph again would cost milliseconds with every key.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from graft_server.completion import shape
from graft_server.completion.anchor import Place
from graft_server.completion.lexical import CODE, STRING, bare, scope_of
from graft_server.completion.model import Mode
from graft_server.completion.stops import bracket_depth, head_of

SHORTEST = 3
"""Characters of what is left."""
_QUOTES = "\"'`"
_CLOSERS = (")", "]", "}")
_WORD = re.compile(r"\w")
_TORN = re.compile(r"[-+*/%@&|^~=<>!?:]{2}|\?\.|\\.|.[\u200d\ufe00-\ufe0f]", re.DOTALL)
"""The two halves of an operator, of an escape, of one character."""
_BOUND_NEXT = re.compile(r"\s*:?=(?!=)")
"""An assignment, a walrus, a keyword argument."""
_ASSIGNS = re.compile(r"(?<![=!<>:])=(?!=)")
_ANNOTATED = re.compile(r"\s*[\w.]+$")
_UNBOUND = re.compile(r"\bfor\b(?!.*\bin\b)|\blambda\b[^:]*$")
"""What is bound here ends later: the targets of a loop, the parameters of a lambda."""

Marks = list[tuple[int, float]]
"""(characters, log-probability) of tokens: where they begin in a text."""


def marks_in(marks: Sequence[tuple[int, float]], said: str, text: str) -> Marks:
    """Where tokens of `said` begin in `text`, what gates left of it: white space may differ, the end may be missing.

    `marks` below 0 are of tokens that began before `said`; they have no place.  None after the first other difference.
    """
    out: Marks = []
    i = j = 0
    for at, logprob in marks:
        if at > len(said):
            break  # Beyond the stop.
        while i < at:
            if j == len(text):
                return out
            if said[i] == text[j]:
                i, j = i + 1, j + 1
            elif said[i].isspace():
                i += 1
            elif text[j].isspace():
                j += 1
            else:
                return out
        if at >= 0:
            out.append((j, logprob))
    return out


def beginnings(ends: Sequence[int], text: str) -> Iterator[str]:
    """The beginnings of `text` that end at one of `ends` (characters), but in no word, no operator and no blanks,
    longest first."""
    for end in sorted(set(ends), reverse=True):
        if SHORTEST <= end < len(text) and _ends_well(text[:end], text[end]):
            yield text[:end]


def stands(
    kept: str, whole: str, place: Place, mode: Mode, *, comments: bool = False, off: frozenset[str] = frozenset()
) -> bool:
    """Whether the beginning `kept` of `whole` (LF line ends, after the cursor at `place`) may be shown.

    It opens no string that it does not close, none of its names is bound by what is left out, and the gates over text
    leave it as it is.  An open bracket is no fault, the person goes on in it; but it must not take the partner of one
    before the cursor.  Costs some tenths of a millisecond.
    """
    if _in_its_string(kept, place) or _bound_later(kept, whole[len(kept) :], place):
        return False
    if not place.rest.lstrip().startswith(_CLOSERS):
        off = off | {"brackets"}
    return shape.shaped(kept, place, mode, comments=comments, off=off).text == kept


def _ends_well(kept: str, following: str) -> bool:
    last = kept[-1]
    if last.isspace() or unicodedata.combining(following) or _TORN.match(last + following):
        return False
    if last == "." and following.isdigit() and kept[-2:-1].isdigit():
        return False
    return not (_WORD.match(last) and _WORD.match(following))


def _in_its_string(kept: str, place: Place) -> bool:
    """Whether `kept` ends in a string that it opens, as far as the cursor's line tells."""
    return any(quote in kept for quote in _QUOTES) and scope_of(place.line + kept, place.language) == STRING


def _bound_later(kept: str, left_out: str, place: Place) -> bool:
    """Whether a name of the end of `kept` may be one that what was left out of its statement binds."""
    # Of prose on one line; what a look further up takes for prose may be code below a docstring.
    if scope_of(place.line, place.language) != CODE:
        return False
    inside = bracket_depth(head_of(place.before, place.language) + kept, place.language) > 0
    following = bare(left_out if inside else left_out.partition("\n")[0], place.language)
    if _BOUND_NEXT.match(following) or re.search(r"\bfor\b", following):
        return True
    line = bare((place.line + kept).rpartition("\n")[2], place.language)
    if _UNBOUND.search(line) or (following.lstrip().startswith(":") and _ANNOTATED.match(line)):
        return True
    return not inside and _ASSIGNS.search(_outside(following)) is not None


def _outside(code: str) -> str:
    """`code` without what stands in its brackets."""
    previous = ""
    while previous != code:
        previous, code = code, re.sub(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}", "", code)
    return code
