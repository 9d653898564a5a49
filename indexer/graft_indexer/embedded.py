"""Code inside other files: scripts in HTML, cells of notebooks.

A view is the text that the language's part of Graft reads in place of the file's: of the same length in bytes, the code
where it stands in the file, all else blank.  So every offset into the view is one into the file as it lies on disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from graft_indexer import cells

_SCRIPT = re.compile(
    rb"""<!--.*?-->|<script\b((?:[^>"']|"[^"]*"|'[^']*')*)>(.*?)(?=</script\b|\Z)""", re.IGNORECASE | re.DOTALL
)
_TYPE = re.compile(rb"""\btype\s*=\s*["']?([^"'\s>]*)""", re.IGNORECASE)
_SCRIPTS = re.compile(rb"(?:module|.*\b(?:java|ecma|type)script|.*\b(?:babel|jsx))?\Z", re.IGNORECASE)
_ALL_BLANK = bytes(c if c in b"\r\n" else 0x20 for c in range(256))


def view(path: str, data: bytes) -> bytes:
    """The code of a file by its name: the same object for a file that is code throughout."""
    made = _VIEWS.get(path[path.rfind(".") :].lower())
    return made(data) if made is not None else data


def has_view(path: str) -> bool:
    """Whether a file holds code of a language among something else."""
    return path[path.rfind(".") :].lower() in _VIEWS


def scripts(data: bytes) -> bytes:
    """The scripts of an HTML page, ended by `;` where their closing tag begins; data blocks and templates are blank."""
    out = bytearray(data.translate(_ALL_BLANK))
    for found in _SCRIPT.finditer(data):
        if found[2] is None:
            continue  # a comment
        kind = _TYPE.search(found[1])
        if kind is not None and not _SCRIPTS.match(kind[1]):
            continue
        start, end = found.span(2)
        out[start:end] = found[2]
        if end < len(data) and found[2].strip():
            out[end] = 0x3B
    return bytes(out)


_VIEWS: dict[str, Callable[[bytes], bytes]] = {".html": scripts, ".htm": scripts, ".ipynb": cells.view}
