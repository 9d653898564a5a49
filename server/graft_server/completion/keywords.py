"""Which keywords may be written at the cursor, and how often each is: at the beginning of a statement, where an operand
is due, and behind one."""

from __future__ import annotations

import re
from keyword import iskeyword

from graft_server.completion.anchor import Place
from graft_server.completion.lexical import emptied
from graft_server.completion.stops import head_of, unmatched

LEAST = 0.005
"""What a keyword counts that is not in its table."""

_STATEMENTS = (
    "assert async await class def del elif else except finally for from global if import lambda match not pass raise "
    "try while with False None True"
)
_IN_FUNCTIONS = "break continue nonlocal return yield"
_OPERANDS = "None True False not lambda await yield"
_OPERATORS = "and or in is not if else for async as from"


def _table(allowed: str, text: str) -> dict[str, float]:
    words = text.split()
    return dict.fromkeys(allowed.split(), LEAST) | {w: float(v) for w, v in zip(words[::2], words[1::2], strict=True)}


_AT_TOP = _table(
    _STATEMENTS,
    "from 2.2 class 1.6 def 1.5 import 1.2 if 0.3 else 0.1 try 0.08 except 0.08 async 0.05 for 0.02 with 0.02 "
    "assert 0.01 del 0.01 while 0.01 pass 0.01",
)
_IN_BODY = _table(
    f"{_STATEMENTS} {_IN_FUNCTIONS}",
    "if 1.2 return 1.0 def 1.0 raise 0.3 else 0.25 try 0.2 for 0.2 except 0.18 elif 0.12 with 0.1 pass 0.09 async 0.08 "
    "class 0.05 finally 0.05 while 0.05 assert 0.05 await 0.05 del 0.04 continue 0.04 yield 0.04 from 0.03 import 0.03 "
    "break 0.03 match 0.02 global 0.01 nonlocal 0.01",
)
_OPERAND = _table(_OPERANDS, "None 0.41 not 0.16 False 0.16 True 0.15 lambda 0.08")
_YIELDED = _OPERAND | {"from": 0.3}
_ASYNC = {"def": 1.0, "with": 0.5, "for": 0.3}
_OPERATOR = _table(
    _OPERATORS, "in 2.1 and 1.4 if 1.0 else 0.9 is 0.85 or 0.8 for 0.6 as 0.24 not 0.2 from 0.03"
)  # fmt: skip
"""Keywords that begin a statement at the top of a file or in a body, those where an operand is due, and those behind
one: what each counts beside names, about 10 for all of the places (`bench/count_places.py`)."""
_AS_DUE = 8.0
"""What `as` counts in a statement that is about to bind a name with it."""
_OPERAND_ENDS = re.compile(r"""(?:(?P<word>\w+)|[)\]}'"])\s+$""")
_FOR_TARGET = re.compile(r"\bfor\b(?!.*\bin\b)[^\]}]*$", re.S)
_SOFT = ("match", "case", "type", "print")
"""Words that begin a statement before an operand, though they may be names; `print` as Python 2 has it."""
_HEADER_DONE = re.compile(
    r"\s*(?:(?:async\s+)?(?:if|elif|for|while|with|except|def|class|match|case)\b.*|else|try|finally|except):\s*$", re.S
)
_DECLARED = re.compile(r"([A-Za-z_]\w*)(?:\.\w+)*\s*:(?!=)[^=(){}]*$")
_LONGEST_TYPE = 400
_ONLY_IN = {
    "as": re.compile(r"(?:async\s+)?(?:with|except|import|from|case)\b"),
    "from": re.compile(r"raise\b"),
    "else": re.compile(r".*\bif\b", re.S),
}
"""What a statement must begin with, or hold, for a keyword to follow an operand."""


def keywords_at(place: Place, typed: str) -> tuple[dict[str, float], bool]:
    """What each keyword counts at the cursor, and whether a name may stand there at all: none follows an operand."""
    lead = place.line[: len(place.line) - len(typed)]
    if lead.lstrip().startswith("@") or place.language != "python":
        return {}, True
    code = code_before(place, typed)
    openers = unmatched(code)[1]
    if not lead.strip() and not openers:
        return (_IN_BODY if lead else _AT_TOP), True
    if not openers and _HEADER_DONE.match(code):
        return _IN_BODY, True
    behind = _OPERAND_ENDS.search(code)
    word = behind["word"] if behind is not None else None
    if behind is not None and word == "not":
        negated = _OPERAND_ENDS.search(code[: behind.start()])
        if negated is not None and not _wants_operand(negated["word"]):
            return {"in": _OPERATOR["in"]}, False
    if word == "async":
        return _ASYNC, False
    if behind is None or _wants_operand(word) or (word in _SOFT and code.split() == [word]):
        return (_YIELDED if word == "yield" else _OPERAND), True
    if _FOR_TARGET.search(code):
        return {"in": _OPERATOR["in"]}, False
    start = code.lstrip()
    found = {w: v for w, v in _OPERATOR.items() if w not in _ONLY_IN or _ONLY_IN[w].match(start)}
    if not openers:
        found = {w: v for w, v in found.items() if w not in ("for", "async")}
    if "as" in found and openers in ("", "(") and not re.search(r"\bas\s+\w+\s*$", code):
        found["as"] = _AS_DUE
    return found, False


def code_before(place: Place, typed: str) -> str:
    """The statement at the cursor up to what is `typed` of a name, its comments left out and its strings empty."""
    statement = head_of(place.before)
    return emptied(statement[: len(statement) - len(typed)])


def in_annotation(code: str, above: str = "") -> bool:
    """Whether `code`, a statement up to the cursor (`code_before`), ends where a type is due.

    `above` is the text before the cursor's line: where its last code ends in a comma or an opener, `name: ` is a key
    and its value.
    """
    start = code.lstrip()
    if re.match(r"(?:async\s+)?def\b", start):
        arrow = code.rfind("->")
        if arrow >= 0:
            return ":" not in code[arrow:]
        return re.search(r"[(,]\s*\**\w+\s*:[^=(){}]*$", code[-_LONGEST_TYPE:]) is not None
    found = _DECLARED.match(start)
    return found is not None and not iskeyword(found.group(1)) and not _goes_on(above)


def _goes_on(above: str) -> bool:
    """Whether the last line of code above is plainly inside brackets; blank lines and comments are skipped."""
    for line in reversed(above[-4000:].split("\n")):
        if (said := emptied(line).rstrip()) != "":
            return said[-1] in ",([{"
    return False


def _wants_operand(word: str | None) -> bool:
    """Whether an operand is due behind a word; None is the end of a bracket or string."""
    return word is not None and iskeyword(word) and word not in ("None", "True", "False")
