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
_OPENERS = ("(", "[", "{")
_CLOSERS = (")", "]", "}")
_WORD = re.compile(r"\w")
_TORN = re.compile(
    r"[-+*/%@&|^~=<>!?:]{2}|\?\.|\.\.|\{\{|\}\}|\$[{\w]|\w\$|\\.|.[\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]"
    r"|[\U0001f1e6-\U0001f1ff]{2}",
    re.DOTALL,
)
"""The two halves of an operator, of an escape, of a name, of one character."""
_EXPONENT = re.compile(r"\d[eE][+-]?$")
_BOUND_NEXT = re.compile(r"\s*:?=(?!=)")
"""An assignment, a walrus, a keyword argument."""
_ASSIGNS = re.compile(r"(?<![-+*/%&|^@=!<>:])=(?!=)")
_BINDS = re.compile(r"\bfor\b")
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

    It opens no string that it does not close, ends with no comma outside of brackets, none of its names is bound by
    what is left out, and the gates over text leave it as it is.  An open bracket is no fault, the person goes on in it;
    but it must not take the partner of one before the cursor.  Costs some tenths of a millisecond.
    """
    if _in_its_string(kept, place):
        return False
    # Of prose on one line; what a look further up takes for prose may be code below a docstring.
    if scope_of(place.line, place.language) == CODE:
        depth = bracket_depth(head_of(place.before, place.language) + kept, place.language)
        if (kept.endswith(",") and depth <= 0) or _bound_later(kept, whole[len(kept) :], place, depth):
            return False
    if not place.rest.lstrip().startswith(_CLOSERS):
        off = off | {"brackets"}
    return shape.shaped(kept, place, mode, comments=comments, off=off).text == kept


def _ends_well(kept: str, following: str) -> bool:
    last = kept[-1]
    if last.isspace() or unicodedata.combining(following) or _TORN.match(last + following):
        return False
    if (last == "." and following.isdigit() and kept[-2:-1].isdigit()) or (
        (following in "+-" or following.isdigit()) and _EXPONENT.search(kept) is not None
    ):
        return False
    # The letters before a string belong to it: `f`, `rb`, the tag of a template.
    return not (_WORD.match(last) and (_WORD.match(following) or following in _QUOTES))


def _in_its_string(kept: str, place: Place) -> bool:
    """Whether `kept` ends in a string that it opens, as far as the cursor's line tells."""
    return any(quote in kept for quote in _QUOTES) and scope_of(place.line + kept, place.language) == STRING


def _bound_later(kept: str, left_out: str, place: Place, depth: int) -> bool:
    """Whether a name of the end of `kept` may be one that what was left out of its statement binds.  `depth`: brackets
    that are open between them."""
    rest = bare(left_out, place.language)
    line_left = rest.partition("\n")[0]
    following = _until_closed(rest, depth) if depth > 0 else line_left
    level = _outside(following)
    if _BOUND_NEXT.match(following) or ":=" in line_left or ":=" in following or _BINDS.search(level):
        return True
    line = bare((place.line + kept).rpartition("\n")[2], place.language)
    if _UNBOUND.search(line):
        return True
    if depth > 0:
        # The targets may be in brackets themselves.
        head = (head_of(place.before, place.language) + kept).lstrip()
        return head.startswith(_OPENERS) and _ASSIGNS.search(_outside(line_left)) is not None
    return (following.lstrip().startswith(":") and _ANNOTATED.match(line) is not None) or (
        _ASSIGNS.search(level) is not None
    )


def _until_closed(code: str, depth: int) -> str:
    """`code` up to where so many brackets are closed."""
    for at, character in enumerate(code):
        depth += (character in _OPENERS) - (character in _CLOSERS)
        if depth == 0:
            return code[:at]
    return code


def _outside(code: str) -> str:
    """`code` without what stands in its brackets."""
    previous = ""
    while previous != code:
        previous, code = code, re.sub(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}", "", code)
    return code
