"""What lines that do not parse may have bound, from their words alone.

A mended line (`pytree`) is lost to the tree.  Any name that it bound stands in it, or in the lines that an open bracket
joins to it, in a place where something can be bound: those names may exist, every other is as provable as before.
"""

from __future__ import annotations

import re
from keyword import iskeyword

_TOKENS = re.compile(
    rb"(?P<word>[A-Za-z_\x80-\xff][\w\x80-\xff]*)|(?P<text>(?:\"[^\"\\\n]*\")|(?:'[^'\\\n]*'))|(?P<comment>#[^\n]*)|(?P<walrus>:=)"
    rb"|(?P<compare>[=!<>]=)|(?P<equals>=)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<star>\*)|(?P<colon>:)|(?P<end>\n)"
)
_ANYTHING = re.compile(rb"\"\"\"|'''|\bexec\b|\bimport\s*\(?\s*\*")
_BEHIND = frozenset(
    (b"def", b"class", b"lambda", b"import", b"as", b"global", b"nonlocal", b"case", b"match", b"del", b"except",
     b"type")
)  # fmt: skip
"""Keywords behind which any word may be bound."""


def region(data: bytes, start: int, end: int) -> bytes:
    """A lost line with the deeper lines below it that an open bracket may join to it, and the line that closes it."""
    line = data[start:end]
    depth = sum(line.count(c) for c in b"([{") - sum(line.count(c) for c in b")]}")
    if depth <= 0:
        return line
    indent = len(line) - len(line.lstrip())
    at = end
    while at < len(data):
        stop = data.find(b"\n", at + 1)
        stop = len(data) if stop < 0 else stop
        below = data[at:stop].strip(b"\r\n")
        deeper = len(below) - len(below.lstrip()) > indent or not below.strip()
        if not deeper and below.lstrip()[:1] not in (b")", b"]", b"}"):
            break
        at = stop
        if not deeper:
            break
    return data[start:at]


def may_bind(text: bytes) -> frozenset[str] | None:
    """Names that a lost text may bind; None if they cannot be told (a star import, the beginning of a long string)."""
    if _ANYTHING.search(text):
        return None
    found: set[bytes] = set()
    before: list[bytes] = []
    depth = 0
    behind = header = targets = first = False
    for match in _TOKENS.finditer(text):
        kind, value = match.lastgroup, match[0]
        if kind == "word":
            if value in (b"for", b"in"):
                targets = value == b"for"
            elif value in _BEHIND:
                behind = True
                header = header or value in (b"def", b"lambda", b"class")
            elif behind or targets:
                found.add(value)
            first = not before
            before.append(value)
            continue
        if kind == "walrus" or (kind == "colon" and first and depth == 0):
            found.update(before[-1:])
        elif kind == "equals" and (depth == 0 or header):
            found.update(before)
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        if kind not in ("comment", "text"):
            first = False
    return frozenset(n for w in found if not iskeyword(n := w.decode("utf-8", "replace")))
