"""Where a suggestion ends: by line, statement or block, before repetition and before what stands after the cursor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from graft_server.completion.anchor import Place
from graft_server.completion.gate import indent_of
from graft_server.completion.lexical import bare
from graft_server.completion.model import Mode

MAX_BLOCK_LINES = 12
_OPEN, _CLOSE = "([{", ")]}"
_PAIRS = dict(zip(_CLOSE, _OPEN, strict=True))


@dataclass(frozen=True, slots=True)
class StopRule:
    """What ends this suggestion: derived once per request, asked after every token."""

    mode: Mode
    indent: int
    """Columns of the line that the cursor is in (its own white space), for blocks."""
    in_brackets: bool
    """The line is a continuation: brackets are open before the cursor."""
    next_line: str
    """The first line after the cursor's that is not blank, stripped."""
    rest: str
    """The cursor's line after the cursor, stripped."""
    typed: str
    """The cursor's line before the cursor."""
    language: str = "python"


def rule_for(place: Place, mode: Mode) -> StopRule:
    """The rule for a place."""
    following = next((line.strip() for line in place.after.split("\n")[1:] if line.strip()), "")
    return StopRule(
        mode=mode,
        indent=indent_of(place.line + "x"),
        in_brackets=bracket_depth(head_of(place.before, place.language), place.language) > 0,
        next_line=following,
        rest=place.rest.strip(),
        typed=place.line,
        language=place.language,
    )


def end_of(text: str, rule: StopRule) -> int | None:
    """Where `text` (generated after the cursor) ends by the rule, in characters; None if it may go on.

    The end is found as soon as it is certain: a line ends with its break, a block with the first line that leaves it.
    """
    if rule.mode in ("line", "span"):
        return _end_of_line(text, rule)
    return _end_of_block(text, rule)


def _end_of_line(text: str, rule: StopRule) -> int | None:
    at = text.find("\n")
    first = True
    while at >= 0:
        line = rule.typed + text[:at]
        if not text[:at].strip() and first and not rule.typed.strip():
            # A blank line to begin with is no suggestion; what follows may be.
            first = False
            at = text.find("\n", at + 1)
            continue
        if rule.mode == "span" or bracket_depth(line, rule.language) <= 0 or text.count("\n", 0, at) >= 8:
            return at
        at = text.find("\n", at + 1)
    return None


def _end_of_block(text: str, rule: StopRule) -> int | None:
    lines = text.split("\n")
    kept = len(lines[0])
    at = kept
    for number, line in enumerate(lines[1:], 1):
        finished = number < len(lines) - 1
        at += 1 + len(line)
        if not line.strip():
            if finished and number + 1 < len(lines) - 1 and not lines[number + 1].strip():
                return kept  # Two blank lines.
            continue
        if bracket_depth(text[:kept], rule.language) <= 0 and (
            indent_of(line) < rule.indent or number >= MAX_BLOCK_LINES
        ):
            return kept
        if not finished:
            return None
        if len(rule.next_line) > 3 and line.strip() == rule.next_line:
            return kept
        kept = at
    return None


_CONTINUES = re.compile(r"(?:[(\[{,+\-*/%|&^=<>\\:]|(?<!\.)\.|\b(?:and|or|not|in|is|if|else|for))\s*(?:#.*)?$")
MOST_LINES = 40


def head_of(before: str, language: str = "python") -> str:
    """The cursor's line and the lines above that it continues: those that end in an opener, a comma or an operator.

    Only they are looked at for brackets: text further up holds strings that cannot be told from code by their quotes.
    """
    return _head_of(before[-8000:], language)


@lru_cache(maxsize=16)
def _head_of(before: str, language: str) -> str:
    """The same of that much text; asked by several gates of every key."""
    lines = before.rsplit("\n", MOST_LINES)
    first = len(lines) - 1
    while first > 0 and len(lines) - first < MOST_LINES:
        above = lines[first - 1].rstrip()
        if not above.strip() or not _CONTINUES.search(above) or above.lstrip().startswith("#"):
            break
        if above.endswith(":") and unmatched(above, language)[1] == "":
            break
        first -= 1
    return "\n".join(lines[first:])


def brackets_of(before: str, text: str, after: str, language: str = "python") -> tuple[str, str]:
    """(closers without an opener, openers without a closer) of the statement at the cursor with `text` put in."""
    return _brackets_of(before[-8000:], text, after[:8000], language)


@lru_cache(maxsize=32)
def _brackets_of(before: str, text: str, after: str, language: str) -> tuple[str, str]:
    """The same of that much text; asked by several gates of every key."""
    head = head_of(before, language)
    first = head.partition("\n")[0]
    tail = tail_of(after, indent_of(first + "x" if first.strip() else head + "x"))
    return unmatched(head + text + tail, language)


def tail_of(after: str, indent: int) -> str:
    """What follows the cursor: the rest of its line, and the lines below that may close its brackets: deeper ones, and
    the first one after them if it begins with a closer.  `indent` is the statement's, in columns."""
    lines = after[:8000].split("\n", MOST_LINES)
    kept = [lines[0]]
    for line in lines[1:MOST_LINES]:
        stripped = line.strip()
        if not stripped:
            kept.append("")
        elif indent_of(line) > indent:
            kept.append(line)
        else:
            if stripped[0] in _CLOSE:
                kept.append(line)
            break
    else:
        return "\n".join(kept)
    return "\n".join(kept)


def bracket_depth(text: str, language: str = "python") -> int:
    """Open brackets minus closed ones outside strings and comments."""
    depth = 0
    for character in bare(text, language):
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
    return depth


def unmatched(text: str, language: str = "python") -> tuple[str, str]:
    """(closers without an opener, openers without a closer) in order, outside strings and comments."""
    closers, openers = "", ""
    for character in bare(text, language):
        if character in _OPEN:
            openers += character
        elif character in _CLOSE:
            if openers and openers[-1] == _PAIRS[character]:
                openers = openers[:-1]
            else:
                closers += character
    return closers, openers


def closers_for(openers: str) -> str:
    """The closers that end `openers`, innermost first."""
    return "".join(_CLOSE[_OPEN.index(c)] for c in reversed(openers))


def repetition(text: str) -> int | None:
    """Where a suggestion begins to repeat itself: a character run or word group said three times, or a line twice in a
    row (then at the second).  None if it does not.  Indentation and rules (`----`) are not repetition."""
    found = re.search(r"(\S.{2,80}?)\1{2,}", text)
    if found is not None and not re.fullmatch(r"([-=#*_~. ])\1*", found.group(1)):
        return found.start() + len(found.group(1))
    lines = text.split("\n")
    at = len(lines[0])
    for before, line in pairwise(lines):
        if line.strip() and len(line.strip()) > 3 and line.strip() == before.strip():
            return at
        at += 1 + len(line)
    return None
