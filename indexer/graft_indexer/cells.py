"""Notebooks on disk (`.ipynb`, https://nbformat.readthedocs.io): their code cells as one Python text.

The text has the length of the file.  What is no source is blank; a line of source begins at column 0 of a line, because
the byte before it is made a line break.  JSON's escapes are longer than what they stand for: blanks make up for that,
behind quotes and line breaks, before backslashes.  So a name's offset is that of the file, and string literals may hold
a blank more than they do.

IPython's own lines are no Python: `%magic`, `!command` and `?help` become comments, `name = !command` binds an unknown
value, a cell of another language (`%%bash`) is comments only, and after `%run` any name may be bound.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)
_RUNS = re.compile(rb'((?:\\")+)|((?:\\\\)+)|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u[0-9a-fA-F]{4}|\\(.)')
_PLAIN_CELL = re.compile(rb"%%(?:time|timeit|capture|prun|memit|mprun|debug)\b")
_ASSIGNED = re.compile(rb"([\w.,\[\] \t]+=[ \t]*)[%!](?!=)")
_CAPTURED = re.compile(rb"%%capture[ \t]+(?!-)(\w+)")
_TIMED = re.compile(rb"([ \t]*)%(?:time|prun|memit)[ \t]+(?=\w)")
_BINDING = re.compile(rb"([ \t]*)%(?:run|pylab|load|store|macro|edit|recall|rerun)\b")
_SUSPECT = re.compile(rb"^[ \t]*[%!?]|\?[ \t\r]*$|=[ \t]*[%!](?!=)", re.MULTILINE)
_MARK = re.compile(rb"""#[^\n]*|'{3}|"{3}|['"]|[(\[{]|[)\]}]|\\\r?\n|\n""")
_ENDS = {
    quote * count: re.compile(rb"\\\r\n|\\.|" + (quote * 3 if count == 3 else rb"\n|" + quote), re.DOTALL)
    for quote in (b"'", b'"')
    for count in (1, 3)
}
_LONG = 100
"""Bytes."""


@dataclass(slots=True)
class Cell:
    """A code cell: its number among all cells from 1, and where its source's strings stand, without their quotes."""

    number: int
    pieces: list[tuple[int, int]] = field(default_factory=list)


def view(data: bytes) -> bytes:
    """The Python text of a notebook; blank for one of another language, or what is no notebook."""
    out = bytearray(b"\n" * len(data))
    last, joined = 0, False
    for cell in code_cells(data):
        first = cell.pieces[0][0]
        for start, end in cell.pieces:
            out[last:start] = b" " * (start - last) if joined else _gap(start - last)
            text = _unescaped(data[start:end])
            joined = text.endswith(b"\\\n ")
            out[start:end] = text
            last = end
        out[first:last] = python_of(bytes(out[first:last]))
        joined = False
    if last:
        out[last:] = _gap(len(data) - last)
    return bytes(out)


def place(data: bytes, offset: int) -> tuple[int, int, int] | None:
    """(cell, line, column), each from 1, of a byte of the file; None outside of code cells."""
    for cell in code_cells(data):
        above = ""
        for start, end in cell.pieces:
            if start <= offset <= end:
                text = above + _decoded(data[start:offset])
                return cell.number, text.count("\n") + 1, len(text) - text.rfind("\n")
            above += _decoded(data[start:end])
    return None


def code_cells(data: bytes) -> list[Cell]:
    """The code cells of a notebook that have a source, in order; none if it is no notebook or not Python's."""
    try:
        book = json.loads(data)
        metadata = book.get("metadata", {})
        names = (metadata.get("language_info", {}).get("name"), metadata.get("kernelspec", {}).get("language"))
    except (ValueError, AttributeError, RecursionError):
        return []
    said = next((name for name in names if name), "python")
    return _scanned(data) if str(said).lower() in ("python", "ipython", "python3") else []


def _scanned(data: bytes) -> list[Cell]:
    """Code cells of valid JSON."""
    found: list[Cell] = []
    number = 0
    stack: list[dict[str, Any]] = []
    key: bytes | None = None
    for token in _TOKEN.finditer(data):
        mark = token[0]
        if mark in b"{[":
            stack.append({"list": mark == b"[", "key": key, "kind": b"", "pieces": []})
            key = None
        elif mark in b"}]" and stack:
            frame = stack.pop()
            if frame["list"]:
                if stack and frame["key"] == b"source":
                    stack[-1]["pieces"] = frame["pieces"]
            elif frame["kind"]:
                number += 1
                if frame["kind"] == b"code" and frame["pieces"]:
                    found.append(Cell(number, frame["pieces"]))
            key = None
        elif mark == b",":
            key = None
        elif token[1] is not None and stack:
            if stack[-1]["list"]:
                stack[-1]["pieces"].append(token.span(1))
            elif key is None:
                key = token[1]
            elif key == b"cell_type":
                stack[-1]["kind"] = token[1]
            elif key == b"source":
                stack[-1]["pieces"] = [token.span(1)]
    return found


def _gap(size: int) -> bytes:
    """What stands between two strings: it ends the line before and begins a line.

    Long ones are lines of `#`: patterns that skip blanks take a time that grows with the square of those.
    """
    if size < _LONG:
        return b"\n" * size if size < 2 else b"\n" + b" " * (size - 2) + b"\n"
    filled = (b"#" * (_LONG - 1) + b"\n") * (size // _LONG + 1)
    return b"\n" + filled[: size - 2] + b"\n"


def _unescaped(raw: bytes) -> bytes:
    """A JSON string's bytes as Python's, of the same length."""

    def bytes_of(found: re.Match[bytes]) -> bytes:
        size = len(found[0])
        if found[1] is not None:
            return (b'"' * (size // 2)).ljust(size)
        if found[2] is not None:
            return (b"\\" * (size // 2)).rjust(size)
        if found[3] == b"n":
            # Behind a backslash the line goes on: nothing may stand between the two.
            return b"\n " if raw[: found.start()].endswith(b"\\\\") else b" \n"
        if found[3] in (b"t", b"/"):
            return b"\t " if found[3] == b"t" else b" /"
        if found[3] is not None:
            return b"  "
        character: str = json.loads(b'"' + found[0] + b'"')
        return character.encode("utf-8", "replace").ljust(size)

    return _RUNS.sub(bytes_of, raw)


def _decoded(raw: bytes) -> str:
    """A JSON string's text; an escape that is cut off at its end is left out."""
    for less in range(min(12, len(raw) + 1)):
        try:
            text: str = json.loads(b'"' + raw[: len(raw) - less] + b'"')
        except ValueError:
            continue
        return text
    return raw.decode("utf-8", "replace")


def python_of(text: bytes) -> bytes:
    """A cell as Python, each byte in its place: the same object if nothing in it is IPython's.

    What is IPython's begins a statement; inside of brackets and strings, and behind a backslash, it is not looked for.
    """
    if not _SUSPECT.search(text) or _parses(text):
        return text
    begins = text.lstrip()
    out = bytearray(text)
    foreign = begins.startswith(b"%%") and not _PLAIN_CELL.match(begins)
    at, goes_on = 0, False
    while at < len(out):
        end = out.find(b"\n", at)
        end = end if end >= 0 else len(out)
        line = bytes(out[at:end])
        new = _commented(line) if foreign or goes_on else _python_line(line)
        if new is line and line.rstrip().endswith(b"?") and _statement_end(out, at) == (end, True):
            new = _commented(line)
        if new is not line:
            out[at:end] = new
            goes_on = line.rstrip(b"\r").endswith(b"\\") and not _TIMED.match(line)
            if goes_on:
                at = end + 1
                continue
        goes_on = False
        at = _statement_end(out, at)[0] + 1
    return bytes(out)


def _parses(text: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text.decode("utf-8", "surrogateescape"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _statement_end(text: bytearray, at: int) -> tuple[int, bool]:
    """Where the statement that begins at `at` ends; whether code stands before it, not a comment or an open string."""
    depth, code = 0, True
    while (found := _MARK.search(text, at)) is not None:
        mark, at = found[0], found.end()
        if mark == b"\n":
            if depth == 0:
                return found.start(), code
            code = True
        elif mark[:1] == b"#":
            code = False
        elif mark in _ENDS:
            closing = _closing(text, at, mark)
            if closing < 0:
                return len(text), False
            code = text[closing - 1 : closing] != b"\n"
            at = closing if code else closing - 1
        elif mark[:1] != b"\\":
            depth = depth + 1 if mark in b"([{" else max(0, depth - 1)
    return len(text), code


def _closing(text: bytearray, at: int, quote: bytes) -> int:
    """Behind the end of a string, or behind the line break that cuts it off; -1 if there is neither."""
    while (found := _ENDS[quote].search(text, at)) is not None:
        at = found.end()
        if found[0][:1] != b"\\":
            return at
    return -1


def _python_line(line: bytes) -> bytes:
    """The first line of a statement as Python: the same object if it is."""
    bare = line.lstrip()
    if not bare.startswith((b"%", b"!", b"?")):
        assigned = _ASSIGNED.match(line)
        if assigned is None:
            return line
        return assigned[1] + b"_" + _commented(line[assigned.end() :])
    captured = _CAPTURED.match(bare)
    if captured is not None:
        return (captured[1] + b"=_").ljust(len(line))
    timed = _TIMED.match(line)
    if timed is not None:
        return (timed[1] + b"0;").ljust(timed.end()) + line[timed.end() :]
    binding = _BINDING.match(line)
    if binding is not None and len(bare) >= len(b"exec(_)"):
        called = binding[1] + b"exec(_)"
        return called + _commented(line[len(called) :])
    return _commented(line)


def _commented(line: bytes) -> bytes:
    """A line as a comment, `#` in place of its first character that is not blank; the same object if it is blank."""
    bare = line.lstrip()
    if not bare:
        return line
    size = 1
    while size < len(bare) and bare[size] & 0xC0 == 0x80:
        size += 1  # UTF-8
    return line[: len(line) - len(bare)] + b"#".ljust(size) + bare[size:]
