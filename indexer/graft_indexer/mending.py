"""Lines that Python refuses, made into lines that it takes: what is wrong is left out, what stands around it stays.

All functions work on the lines (`rows`, with their line ends) of a text or a part of it; `at` is the index of one.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass


class TypeVar(ast.AST):
    """A type parameter (PEP 695), where the running Python's `ast` has none."""

    _fields = ("name", "bound")
    name: str
    bound: ast.expr | None


_GENERIC = re.compile(r"^(\s*(?:async\s+)?(?:def|class)\s+\w+\s*)(\[(?:[^\[\]]|\[[^\[\]]*\])*\])(?=\s*[(:])")
_PARAMETER = re.compile(r"(?:^|,)\s*\**(\w+)")


def blank_type_parameters(rows: list[str], at: int, first: int, found: dict[int, list[str]]) -> bool:
    """Replace type parameters of all headers by blanks, if the line `at` fails for them on a Python before 3.12."""
    if sys.version_info >= (3, 12) or not 0 <= at < len(rows) or not _GENERIC.match(rows[at]):
        return False
    for index, row in enumerate(rows):
        header = _GENERIC.match(row)
        if header is not None:
            inside = re.sub(r"\[[^\[\]]*\]|=[^,]*", "", header[2][1:-1])
            found[first + index + 1] = _PARAMETER.findall(inside)
            rows[index] = header[1] + " " * len(header[2].encode()) + row[header.end() :]
    return True


def give_type_parameters(body: list[ast.stmt], found: dict[int, list[str]]) -> None:
    """Put the blanked type parameters, by the 1-based line of their header, on the definitions that had them."""
    for top in body if found else ():
        for node in ast.walk(top):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.lineno in found:
                parameters = []
                for name in found[node.lineno]:
                    parameter = TypeVar()
                    parameter.name, parameter.bound = name, None
                    parameter.lineno = parameter.end_lineno = node.lineno  # type: ignore[attr-defined]
                    parameter.col_offset = parameter.end_col_offset = node.col_offset  # type: ignore[attr-defined]
                    parameters.append(parameter)
                node.type_params = parameters  # type: ignore[union-attr]


_EMPTY_BLOCK = re.compile(r"expected an indented block after .* on line (\d+)")


def fill_block(rows: list[str], error: SyntaxError, first: int) -> bool:
    """Give a header without a block one, as while `def f():` is typed; nothing is hidden by that."""
    found = _EMPTY_BLOCK.match(error.msg or "")
    if found is None:
        return False
    at = int(found[1]) - 1 - first
    if not 0 <= at < len(rows):
        return False
    while at < len(rows) and not rows[at].split("#")[0].rstrip().endswith(":"):
        at += 1  # the header goes on over several lines
    if at >= len(rows):
        return False
    code = rows[at].split("#")[0].rstrip()
    rows[at] = code + " pass" + rows[at][len(rows[at].rstrip("\r\n")) :]
    return True


_OPENERS, _CLOSERS = "([{", ")]}"
_CLOSING = tuple(_CLOSERS)
_MOST_JOINED = 60
_STRINGS = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*")
_DEFINES = re.compile(r"\s*(?:async\s+)?(?:def|class)\b")
_HEADER = re.compile(r"\s*(?:async\s+)?(?:if|elif|else|for|while|with|def|class|try|except|finally|match|case)\b")


def joined(rows: list[str], at: int) -> tuple[int, int]:
    """The lines (first, end) of the statement that an open bracket joins the line `at` to: the one that opens it, the
    deeper ones below, and the one that closes it.  Alone they are no statements, so mending one of them mends nothing.

    A header's deeper lines are its block; it and what has no open bracket stands for itself.
    """
    top = at
    indent = _indent(rows[at])
    for n in range(at, max(-1, at - _MOST_JOINED), -1):
        row = rows[n]
        if not row.strip() or (n != at and _indent(row) >= indent):
            continue
        if _depth(row) > 0 and not _HEADER.match(row):
            top, indent = n, _indent(row)
        elif n != at:
            break
    if _depth(rows[top]) <= 0 or _HEADER.match(rows[top]):
        return at, at + 1
    bottom = at + 1
    for n in range(top + 1, len(rows)):
        row = rows[n]
        if row.strip() and _indent(row) <= indent:
            if row.lstrip()[0] in _CLOSERS:
                bottom = n + 1
            break
        bottom = max(bottom, n + 1) if row.strip() else bottom
    return top, bottom


@dataclass(slots=True)
class Header:
    """A header that is being mended: the line behind it, the line that was blamed first, its lines as they were, and
    how often it was tried."""

    end: int
    at: int
    rows: list[str]
    tried: int = 0


def open_header(rows: list[str], at: int) -> tuple[int, int] | None:
    """The lines (first, end) of the header of a function or class whose brackets the line `at` stands in, opens or
    closes; None if there is none, or if it does not end.

    Whoever asks what the definition takes or derives from is told that it is being written (`Tree.header_broken`);
    what a condition or a loop says is not mended, since values and dead code follow from it.
    """
    indent = _indent(rows[at]) + (rows[at].lstrip()[:1] in _CLOSING)
    for n in range(at, max(-1, at - _MOST_JOINED), -1):
        row = rows[n]
        if not row.strip() or (n != at and _indent(row) >= indent):
            continue
        if _depth(row) > 0:
            if _DEFINES.match(row) and _code(row)[-1:] in (",", *_OPENERS):
                end = _end_of_header(rows, n)
                return (n, end) if end is not None and at < end else None
        elif n != at:
            return None
        if n != at:
            indent = _indent(row)
    return None


def _end_of_header(rows: list[str], first: int) -> int | None:
    """The line behind the one that closes the brackets of a header; None if none of the deeper ones does, nor the one
    behind them."""
    indent = _indent(rows[first])
    for n in range(first + 1, min(len(rows), first + _MOST_JOINED)):
        row = rows[n]
        if row.strip() and _indent(row) <= indent:
            return n + 1 if row.lstrip()[0] in _CLOSING else None
        if _closing_part(row).strip():
            return n + 1
    return None


def mend_header(rows: list[str], first: int, end: int, at: int, *, whole: bool) -> set[int]:
    """Take out of a header's brackets what is wrong: the line `at`, or all; returns the lines that changed.

    The rest of it, its closers and its block stay: without a header its block would be lost too.
    """
    changed: set[int] = set()
    above = next((n for n in range(at - 1, first, -1) if rows[n].strip()), first)
    if above > first and _code(rows[above])[-1:] not in (",", *_OPENERS):
        at = above  # a comma is missing there: the parser blames what follows
    for n in range(first, end) if whole else (at,):
        row = rows[n]
        if n != first:
            rows[n] = _closing_part(row)
            code = _code(rows[n])
            if n == end - 1 and (":" not in code or (whole and code.endswith(":"))):
                # Its colon is not written yet, or its result is not, or is wrong.
                unfinished = whole or code.endswith("->") or _depth(code) != -1
                rows[n] = (code[0] if unfinished else code) + ":" + row[len(row.rstrip("\r\n")) :]
        elif not whole or at == first:
            opener = min(i for i in (row.find(c) for c in _OPENERS) if i >= 0)
            rows[n] = row[: opener + 1] + row[len(row.rstrip("\r\n")) :]
        if rows[n] != row:
            changed.add(n)
    return changed


def _code(row: str) -> str:
    """A line without its comment, and without the blanks at its end."""
    return _STRINGS.sub(lambda found: "" if found.group()[0] == "#" else found.group(), row).rstrip()


def _closing_part(row: str) -> str:
    """A line from the first closer on that it did not open; its line end if there is none."""
    depth = 0
    bare = _STRINGS.sub(lambda found: " " * len(found.group()), row)
    for i, sign in enumerate(bare):
        depth += (sign in _OPENERS) - (sign in _CLOSERS)
        if depth < 0:
            return row[i:]
    return row[len(row.rstrip("\r\n")) :]


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip(" \t\f"))


def _depth(row: str) -> int:
    """Brackets that a line opens, less those that it closes."""
    bare = _STRINGS.sub("", row)
    return sum(bare.count(c) for c in _OPENERS) - sum(bare.count(c) for c in _CLOSERS)


def replacement(rows: list[str], at: int) -> str:
    row = rows[at]
    indent = row[: len(row) - len(row.lstrip(" \t\f"))]
    ending = row[len(row.rstrip("\r\n")) :]
    deeper = next((r for r in rows[at + 1 :] if r.strip() and not r.lstrip().startswith("#")), "")
    opens = len(deeper) - len(deeper.lstrip(" \t\f")) > len(indent)
    return indent + ("if 1:" if opens else "pass") + ending
