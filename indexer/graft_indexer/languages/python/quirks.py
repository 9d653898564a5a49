"""Correct Python that the grammar misreads.

tree-sitter-python 0.25 takes the indentation of a line after a trailing dot seriously even inside brackets:

    (bar.
  baz)

One file of CPython's standard library has this (test/test_compile.py), and its whole tree is an error.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings

_TRAILING_DOT = re.compile(rb"\.[ \t]*(?:#[^\n]*)?\r?\n")
MAX_SIZE = 1_000_000
"""Bytes; Python's own parser and tokenizer are not tried on more."""


def rewrite(data: bytes) -> bytes | None:
    """The same program with line breaks and comments inside brackets turned to blanks, offsets unchanged.

    None if there is no trailing dot, or if Python's own parser finds the text wrong too.
    """
    if len(data) > MAX_SIZE or _TRAILING_DOT.search(data) is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
        return _blank(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return None


def _blank(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    out = bytearray(data)
    depth = 0
    for token in tokenize.tokenize(io.BytesIO(data).readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        elif depth > 0 and token.type in (tokenize.NL, tokenize.COMMENT):
            row, column = token.start
            begin = starts[row - 1] + len(token.line[:column].encode())
            end = begin + max(1, len(token.string.encode()))
            out[begin:end] = b" " * (end - begin)
    return bytes(out)
