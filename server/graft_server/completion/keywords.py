"""Which keywords may be written at the cursor, and how often each is: at the beginning of a statement, where an operand
is due, and behind one."""

from __future__ import annotations

import re
from keyword import iskeyword

from graft_server.completion.anchor import Place
from graft_server.completion.lexical import bare
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
_AFTER = {
    "async": {"def": 1.0, "with": 0.5, "for": 0.3},
    "yield": _OPERAND | {"from": 0.3},
}
_OPERATOR = _table(
    _OPERATORS, "in 2.1 and 1.4 if 1.0 else 0.9 is 0.85 or 0.8 for 0.6 as 0.24 not 0.2 from 0.03"
)  # fmt: skip
"""Keywords that begin a statement at the top of a file or in a body, those where an operand is due, and those behind
one: what each counts beside names, about 10 for all of the places (`bench/count_places.py`)."""
_DUE = 8.0
"""What `as` counts in a statement that is about to bind a name with it."""
_BEHIND = re.compile(r"""(?:(?P<word>\w+)|[)\]}'"])\s+$""")
"""What an operand ends with."""
_SOFT = ("match", "case", "type", "print")
_HEADER_DONE = re.compile(
    r"\s*(?:(?:async\s+)?(?:if|elif|for|while|with|except)\b[^:]*|else|try|finally|except):\s*$"
)  # fmt: skip
_DECLARED = re.compile(r"([A-Za-z_]\w*)(?:\.\w+)*\s*:(?!=)[^=(){}]*$")
_ONLY_IN = {
    "as": re.compile(r"(?:async\s+)?(?:with|except|import|from|case)\b"),
    "from": re.compile(r"raise\b"),
    "else": re.compile(r".*\bif\b", re.S),
}
"""What the statement must begin with for a keyword to follow an operand."""


def keywords_at(place: Place, typed: str) -> tuple[dict[str, float], bool]:
    """What each keyword counts at the cursor, and whether a name may stand there at all: none follows an operand."""
    lead = place.line[: len(place.line) - len(typed)]
    if lead.lstrip().startswith("@") or place.language != "python":
        return {}, True
    statement = head_of(place.before)
    code = bare(statement[: len(statement) - len(typed)])
    openers = unmatched(code)[1]
    if not lead.strip() and not openers:
        return (_IN_BODY if lead else _AT_TOP), True
    if not openers and _HEADER_DONE.match(code):
        return _IN_BODY, True
    said = statement[: len(statement) - len(typed)]
    behind = _BEHIND.search(said)
    word = behind["word"] if behind is not None else None
    if behind is not None and word == "not":
        negated = _BEHIND.search(said[: behind.start()])
        if negated is not None and not _is_operator(negated["word"]):
            return {"in": _OPERATOR["in"]}, False
    if behind is None or _is_operator(word) or (word in _SOFT and code.split() == [word]):
        return _AFTER.get(word or "", _OPERAND), word != "async"
    if re.search(r"\bfor\b(?!.*\bin\b)[^)\]}]*$", code, re.S):
        return {"in": _OPERATOR["in"]}, False
    start = code.lstrip()
    fitting = {w for w in _OPERATOR if w not in _ONLY_IN or _ONLY_IN[w].match(start)}
    if not openers:
        fitting -= {"for", "async"}
    said_as = "as" in fitting and not re.search(r"\bas\s+\w+\s*$", code) and openers in ("", "(")
    return {w: _DUE if w == "as" and said_as else v for w, v in _OPERATOR.items() if w in fitting}, False


def in_annotation(code: str) -> bool:
    """Whether `code`, a statement up to the cursor without its strings, ends where a type is due."""
    start = code.lstrip()
    if re.match(r"(?:async\s+)?def\b", start):
        return re.search(r"->[^:]*$|[(,]\s*\**\w+\s*:[^=(){}]*$", code) is not None
    return (found := _DECLARED.match(start)) is not None and not iskeyword(found.group(1))


def _is_operator(word: str | None) -> bool:
    """Whether an operand is due behind a word; None is the end of a bracket or string."""
    return word is not None and iskeyword(word) and word not in ("None", "True", "False")
