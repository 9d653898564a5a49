"""What is a comment and what a string, per language: enough to count brackets and to know where a cursor stands.

No parser: this runs on the event loop after every key, on text that is half a statement, in languages that have no
grammar here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

CODE, STRING, COMMENT = "code", "string", "comment"
_LOOK_BACK = 6000
"""Characters before the cursor that are read to know its scope."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Marks of one family of languages."""

    comments: tuple[str, ...] = ()
    """Begin a comment that ends with its line."""
    block: tuple[str, str] | None = None
    quotes: str = "\"'"
    """Begin and end a string on one line."""
    long_quotes: tuple[str, ...] = ()
    """Begin and end a string over several lines."""
    characters: bool = False
    """`'` encloses one character; elsewhere it is no quote (a lifetime, an apostrophe)."""


PYTHON = Lexicon(("#",), None, "\"'", ("'''", '"""'))
HASH = Lexicon(("#",))
C = Lexicon(("//",), ("/*", "*/"), '"', characters=True)
JAVA = Lexicon(("//",), ("/*", "*/"), '"', ('"""',), characters=True)
GO = Lexicon(("//",), ("/*", "*/"), '"', ("`",), characters=True)
SCRIPT = Lexicon(("//",), ("/*", "*/"), "\"'", ("`",))
DASHES = Lexicon(("--",))
NONE = Lexicon(quotes="")

_OF = {
    "python": PYTHON,
    **dict.fromkeys(
        ("javascript", "typescript", "javascriptreact", "typescriptreact", "php", "dart", "svelte"), SCRIPT
    ),
    **dict.fromkeys(("c", "cpp", "rust", "csharp", "zig", "objective-c", "cuda-cpp"), C),
    **dict.fromkeys(("java", "kotlin", "scala", "swift", "groovy"), JAVA),
    "go": GO,
    **dict.fromkeys(("lua", "sql", "haskell", "elm", "ada"), DASHES),
    **dict.fromkeys(
        ("ruby", "shellscript", "bash", "sh", "yaml", "toml", "perl", "r", "elixir", "makefile", "dockerfile"), HASH
    ),
}
"""By the editor's name of the language."""


def lexicon_of(language: str) -> Lexicon:
    """The marks of a language; those of C for one that is not known, because most are like it."""
    return _OF.get(language, C)


@lru_cache(maxsize=32)
def _spans(lexicon: Lexicon) -> re.Pattern[str]:
    """Whole strings and comments.  Triple quotes stand alone: their inside may be code to the reader."""
    parts = [rf"{q}(?:\\.|[^{q}\\\n])*{q}" for q in lexicon.long_quotes if len(q) == 1]
    parts += [re.escape(q) for q in lexicon.long_quotes if len(q) > 1]
    parts += [rf"{q}(?:\\.|[^{q}\\\n])*{q}" for q in lexicon.quotes]
    if lexicon.characters:
        parts.append(r"'(?:\\[^'\n]{1,9}|\\'|[^'\\\n])'")
    parts += [re.escape(mark) + r"[^\n]*" for mark in lexicon.comments]
    if lexicon.block is not None:
        begin, end = map(re.escape, lexicon.block)
        parts.append(rf"{begin}[\s\S]*?{end}")
    return re.compile("|".join(parts) or r"(?!)")


@lru_cache(maxsize=32)
def _marks(lexicon: Lexicon) -> re.Pattern[str]:
    """Everything that may begin or end a string or a comment."""
    marks: Iterable[str] = (*lexicon.long_quotes, *(lexicon.block or ()), *lexicon.comments, *lexicon.quotes)
    parts = [re.escape(m) for m in sorted(marks, key=len, reverse=True)]
    if lexicon.characters:
        parts.insert(0, r"'(?:\\[^'\n]{1,9}|\\'|[^'\\\n])'")
    return re.compile("|".join([r"\\.", *parts, r"\n"]), re.DOTALL)


def bare(text: str, language: str = "python") -> str:
    """`text` without its strings and comments."""
    return _spans(lexicon_of(language)).sub("", text)


def emptied(text: str, language: str = "python") -> str:
    """`text` without its comments, and with `""` for each string."""
    comments = lexicon_of(language).comments
    return _spans(lexicon_of(language)).sub(lambda m: "" if comments and m.group().startswith(comments) else '""', text)


def comment_start(before: str, text: str, language: str = "python") -> int | None:
    """Where in `text`, put in after `before`, the first comment begins; None if there is none."""
    lexicon = lexicon_of(language)
    begins = (*lexicon.comments, *((lexicon.block[0],) if lexicon.block is not None else ()))
    if not begins or scope_of(before, language) != CODE:
        return None
    for found in re.finditer("|".join(map(re.escape, begins)), text):
        if scope_of(before + text[: found.start()], language) == CODE:
            return found.start()
    return None


def quotes_left(text: str, language: str = "python") -> int:
    """Quotes in `text` that belong to no whole string."""
    lexicon = lexicon_of(language)
    left = bare(text, language)
    return sum(left.count(q) for q in (*lexicon.quotes, *lexicon.long_quotes))


def scope_of(before: str, language: str = "python") -> str:
    """`comment`, `string` or `code` for the end of `before`, read from a few thousand characters up."""
    return _scope_of(before[-_LOOK_BACK:], language)


@lru_cache(maxsize=16)
def _scope_of(before: str, language: str) -> str:
    """The same of that much text; asked by several gates of every key."""
    lexicon = lexicon_of(language)
    begin, end = lexicon.block or ("", "")
    opening = {*lexicon.comments, *lexicon.long_quotes, *lexicon.quotes} | ({begin} if begin else set())
    state = ""
    for token in _marks(lexicon).findall(before):
        if not state:
            state = token if token in opening else ""
        elif state in lexicon.comments:
            state = "" if token == "\n" else state
        elif state == begin:
            state = "" if token == end else state
        elif token == state or (token == "\n" and state not in lexicon.long_quotes):
            state = ""
    if state in lexicon.comments or (begin and state == begin):
        return COMMENT
    return STRING if state else CODE
