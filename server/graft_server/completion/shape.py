"""Gates over text alone: what the model said becomes what could be inserted.

Each function takes and returns text with LF line ends.  They run in a fixed order (`shaped`): special tokens,
repetition, lines that stand below already, spaces at the seam, indentation, brackets and the range over closers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from graft_server.completion.anchor import Place
from graft_server.completion.gate import indent_of
from graft_server.completion.lexical import bare, comment_start, quotes_left
from graft_server.completion.model import Mode, Verdict
from graft_server.completion.stops import MOST_LINES, bracket_depth, brackets_of, head_of, repetition

_SPECIAL = re.compile(
    r"<\|[A-Za-z_]+\|>|<\uff5c[^\uff5c]*\uff5c>|</?s>|<fim[_-]\w+>|<(?:PRE|SUF|MID|EOT|END)>|<(?:file_sep|repo_name|filename|endoftext)>|\ufffd"
)
_COVERABLE = ")]}>\"'`,;: \t"
_CLOSING = tuple(")]}")
MINIMUM = 2
"""Characters other than white space that an automatic suggestion must have."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """`text` goes in after the cursor, in place of the `cover` characters there.  Empty text: nothing to show."""

    text: str
    cover: int
    verdicts: tuple[Verdict, ...]


def shaped(
    text: str,
    place: Place,
    mode: Mode,
    *,
    manual: bool = False,
    comments: bool = False,
    off: frozenset[str] = frozenset(),
) -> Shaped:
    """All gates over text, in order; each that changed or refused something leaves a verdict.

    `comments`: comments are wanted.  `off` names gates that are left out, for measuring what each is worth.
    """
    verdicts: list[Verdict] = []

    def gate(name: str, before: str, change: Callable[[str], str]) -> str:
        if name in off:
            return before
        after = change(before)
        if before != after:
            verdicts.append(Verdict(name, bool(after.strip()), f"cut {len(before) - len(after)} characters"))
        return after

    text = gate("special-tokens", text, without_specials)
    text = gate("repetition", text, without_circles)
    text = gate("comment", text, lambda t: t if comments else without_comment(t, place))
    text = gate("seam", text, lambda t: at_seam(t, place))
    text = gate("indentation", text, lambda t: indented(t, place))
    text = gate("duplicate", text, lambda t: without_duplicates(t, place, mode))
    text = text.rstrip() if mode == "block" or not place.rest.strip() else text.rstrip("\n")
    text = gate("rest-of-line", text, lambda t: without_rest(t, place))
    cover = covering(text, place)
    if text and bracket_penalty(text, cover, place) > bracket_penalty("", 0, place):
        text = gate("brackets", text, lambda t: cut_to_balance(t, place))
        cover = covering(text, place)
    if "length" not in off and len(re.sub(r"\s", "", text)) < (1 if manual else MINIMUM):
        if text.strip():
            verdicts.append(Verdict("length", False, "too short to be worth a look"))
        text = ""
    return Shaped(text, cover if text else 0, tuple(verdicts))


def without_circles(text: str) -> str:
    """Without lines that go round in circles: such a line is no good from its beginning, those before it may be."""
    at = repetition(text)
    return text if at is None else text[: max(0, text.rfind("\n", 0, at + 1))]


def without_specials(text: str) -> str:
    """Up to the first special token of any model family, or replacement character."""
    found = _SPECIAL.search(text)
    return text if found is None else text[: found.start()]


def without_comment(text: str, place: Place) -> str:
    """Without a comment at the beginning or at the end of its only line: what a model remarks is seldom what is meant.

    Comments between the lines of a block stay.
    """
    at = comment_start(place.before, text, place.language)
    if at is None or ("\n" in text.rstrip() and text[:at].strip()):
        return text
    return text[:at].rstrip()


def at_seam(text: str, place: Place) -> str:
    """No second space where one stands before the cursor, no blank lines to begin with."""
    if place.line.strip() and place.line[-1:] in (" ", "\t"):
        return text.lstrip(" \t")
    if not place.line.strip() and text[:1] == "\n":
        stripped = text.lstrip("\n")
        lead = indent_of(stripped.split("\n", 1)[0]) if stripped.strip() else 0
        # The blank lines go; what was said for a later line is moved to the cursor's own.
        return stripped.lstrip(" \t") if lead == indent_of(place.line + "x") else ""
    return text


@dataclass(frozen=True, slots=True)
class IndentStyle:
    """How a file indents: one tab, or `width` spaces."""

    tabs: bool
    width: int


def indent_style(text: str) -> IndentStyle:
    """The style of most indented lines; four spaces for a file without any."""
    tabs = len(re.findall(r"^\t+\S", text, re.MULTILINE))
    widths = [len(w) for w in re.findall(r"^( +)\S", text, re.MULTILINE)]
    if tabs > len(widths):
        return IndentStyle(True, 4)
    steps = [w for w in widths if w in (2, 3, 4, 8)]
    return IndentStyle(False, min(steps) if steps else 4)


def indented(text: str, place: Place) -> str:
    """White space at line starts as the file has it; an unexpected indentation of the first line is taken off."""
    if "\n" not in text and place.line.strip():
        return text
    style = indent_style(place.before[-8000:] + "x" + place.after[:8000])
    lines = text.split("\n")
    if not place.line.strip() and lines[0][:1] in (" ", "\t"):
        above = next((line for line in reversed(place.before.split("\n")[:-1]) if line.strip()), "")
        deepest = indent_of(above) + (style.width if above.rstrip()[-1:] in ":([{," else 0)
        lead = len(lines[0]) - len(lines[0].lstrip())
        # A line that closes a bracket stands no deeper than the one that opened it.
        closes = lines[0].lstrip()[:1] in _CLOSING
        closer = _indent_of_closer(place.before.split("\n")[:-1], place.language) if closes else None
        if (closer is not None and indent_of(place.line + "x") >= closer) or (
            indent_of(place.line + lines[0]) > deepest
            and bracket_depth(head_of(place.before, place.language), place.language) <= 0
        ):
            lines[0] = lines[0][lead:]
    out = [lines[0]]
    for line in lines[1:]:
        body = line.lstrip(" \t")
        lead_text = line[: len(line) - len(body)]
        if style.tabs and " " in lead_text:
            columns = len(lead_text.expandtabs(style.width))
            lead_text = "\t" * (columns // style.width) + " " * (columns % style.width)
        elif not style.tabs and "\t" in lead_text:
            lead_text = lead_text.replace("\t", " " * style.width)
        out.append(lead_text + body if body else "")
    return "\n".join(out)


def _indent_of_closer(above: list[str], language: str) -> int | None:
    """Indentation of a closing bracket on a line of its own below these lines, as most write it: that of the line
    which opened it.  None if none of the nearest lines looks like that."""
    inside: int | None = None
    for line in reversed(above[-MOST_LINES:]):
        said = bare(line, language).rstrip()
        if not said:
            continue
        indent = indent_of(said)
        if inside is None and said[-1] not in "([{":
            inside = indent
        elif inside is None or indent < inside:
            return indent
    return None


def without_duplicates(text: str, place: Place, mode: Mode) -> str:
    """Without lines that stand below the cursor already, and nothing if the line itself would repeat its neighbour."""
    below = list(islice(_said_below(place.after), 3))
    above = list(islice(_said_above(place.before), 1))
    lines = text.split("\n")
    first = (place.line + lines[0]).strip()
    if len(first) > 2 and re.search(r"\w", first) and mode != "span":
        if below and first == below[0]:
            return ""
        if above and first == above[0] and not first.endswith((",", "(", "[", "{")):
            return ""
    for number in range(1, len(lines)):
        tail = [line.strip() for line in lines[number:] if line.strip()]
        if tail and below and tail == below[: len(tail)] and any(len(line) > 1 for line in tail):
            return "\n".join(lines[:number])
    return text


def _said_below(after: str) -> Iterator[str]:
    """The lines that say something below the cursor's, stripped, the nearest first."""
    at = after.find("\n") + 1
    while at:
        end = after.find("\n", at)
        if line := (after[at:end] if end >= 0 else after[at:]).strip():
            yield line
        at = end + 1


def _said_above(before: str) -> Iterator[str]:
    """Those above it, the nearest first."""
    end = before.rfind("\n")
    while end >= 0:
        start = before.rfind("\n", 0, end)
        if line := before[start + 1 : end].strip():
            yield line
        end = start


def without_rest(text: str, place: Place) -> str:
    """In mid-line: without what follows the cursor anyway, if the suggestion ends with it or runs into it."""
    rest = place.rest
    if not rest.strip(_COVERABLE) or "\n" in text:
        return text
    stripped = rest.rstrip()
    if stripped and text.rstrip().endswith(stripped):
        return text.rstrip()[: -len(stripped)]
    for size in range(min(len(text), len(stripped)), 1, -1):
        if text.endswith(stripped[:size]):
            return text[:-size]
    return text


def covering(text: str, place: Place) -> int:
    """How many characters after the cursor the text replaces: the fewest that leave brackets and quotes balanced.

    Only closers, quotes and punctuation can be covered, and only if the text holds them in the same order, so that the
    editor can draw the suggestion as an insertion.
    """
    if not text or ("\n" in text and place.rest.strip()):
        limit = 0
    else:
        limit = len(place.rest) - len(place.rest.lstrip(_COVERABLE))
    best, least = 0, bracket_penalty(text, 0, place)
    for cover in range(1, limit + 1):
        if not _ends_with_subsequence(text, place.rest[:cover].replace(" ", "")):
            continue
        penalty = bracket_penalty(text, cover, place)
        if penalty < least:
            best, least = cover, penalty
    said = text.rstrip()[-1:]
    if said and said in ":;," and best < limit and place.rest[best] == said:
        best += 1
    return best


def bracket_penalty(text: str, cover: int, place: Place) -> int:
    """Brackets and quotes that have no partner, were the text inserted."""
    line_rest = place.rest[cover:]
    closers, openers = brackets_of(place.before, text, place.after[cover:], place.language)
    quotes = quotes_left(place.line + text + line_rest, place.language) if "\n" not in text else 0
    return len(closers) + len(openers) + 2 * (quotes % 2)


def cut_to_balance(text: str, place: Place) -> str:
    """The longest beginning of `text`, ending with a whole token, that leaves no bracket or quote without a partner."""
    base = bracket_penalty("", 0, place)
    for end in sorted({m.start() for m in re.finditer(r"(?<=[\w)\]}'\"])(?!\w)|\n", text)} | {len(text)}, reverse=True):
        head = text[:end].rstrip()
        if head and not re.search(r"[=+\-*/%&|^<>,.(\[{:]$", head):
            cover = covering(head, place)
            if bracket_penalty(head, cover, place) <= base:
                return head
    return ""


def _ends_with_subsequence(text: str, wanted: str) -> bool:
    at = 0
    for character in text:
        if at < len(wanted) and character == wanted[at]:
            at += 1
    return at == len(wanted)
