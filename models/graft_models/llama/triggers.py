"""Where in generated text the engine asks what may come next."""

from __future__ import annotations

import re
from collections.abc import Collection

from graft_models.engine import Trigger

_DOT = re.compile(r"(?:[A-Za-z_]\w*|[)\]}\"'])\.\Z")
_IMPORT = re.compile(
    r"(?:\A|\n)[ \t]*(?:from[ \t]+[.\w]+[ \t]+)?import[ \t]+\(?(?:[\w.]+(?:[ \t]+as[ \t]+\w+)?,[ \t]*)*\Z"
)
_FROM = re.compile(r"(?:\A|\n)[ \t]*from[ \t]+\Z")
_WORDS = "return yield await in not and or if elif while assert raise del for with is lambda except import else"
_BEFORE_NAME = re.compile(
    r"(?:[=(,\[{:+\-*/%<>!&|^~][ \t]*|(?:\A|[^\w.])(?:" + _WORDS.replace(" ", "|") + r")[ \t]+|(?:\A|\n)[ \t]*)\Z"
)
_CALLEE = re.compile(r"[\w)\]]\Z")


def trigger_at(text: str, wanted: Collection[Trigger], following: str = "") -> Trigger | None:
    """The trigger at the end of `text`, if it is wanted.

    `following` is the next character if it is known: `NAME` is asked only before one that begins a name.
    """
    last = text[-1:]
    if last == "\n" and Trigger.LINE_END in wanted:
        return Trigger.LINE_END
    line = text[text.rfind("\n") + 1 :]
    if last == "." and Trigger.DOT in wanted and _DOT.search(line):
        return Trigger.DOT
    # Not after a bare comma: names would follow it without the blank that belongs there; the gates see to those.
    if last in (" ", "(") and Trigger.IMPORT in wanted and (_IMPORT.search(line) or _FROM.search(line)):
        return Trigger.IMPORT
    if last in ("(", " ") and Trigger.CALL in wanted and _in_call(text[-2000:]):
        return Trigger.CALL
    if Trigger.NAME in wanted and (following.isalpha() or following == "_") and _BEFORE_NAME.search(line):
        return Trigger.NAME
    return None


def _in_call(text: str) -> bool:
    """Whether `text` ends after `(` or `, ` of a call: brackets are counted backwards, strings are not looked into."""
    stripped = text.rstrip(" \t")
    if not stripped.endswith(("(", ",")) or (text != stripped and stripped.endswith("(")):
        return False
    depth = 0
    for i in range(len(stripped) - 1, -1, -1):
        character = stripped[i]
        if character in ")]}":
            depth += 1
        elif character in "([{":
            if depth == 0:
                return character == "(" and bool(_CALLEE.search(stripped[:i]))
            depth -= 1
    return False
