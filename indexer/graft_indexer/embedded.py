"""Code inside other files: scripts in HTML, cells of notebooks.

A view is the text that the language's part of Graft reads in place of the file's: of the same length in bytes, the code
where it stands in the file, all else blank.  So every offset into the view is one into the file as it lies on disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from graft_indexer import cells

_BEGINS = re.compile(rb"<!--|<script(?![\w-])")
_ENDS = re.compile(rb"</script(?![\w-])")
_IN_TAG = re.compile(rb"""=\s*(["'])|>""")
_TYPE = re.compile(rb"""(?<![\w-])type\s*=\s*["']?([^"'\s>]*)""", re.IGNORECASE)
_SCRIPTS = re.compile(rb"(?:module|.*\b(?:java|ecma|type)script|.*\b(?:babel|jsx))?\Z", re.IGNORECASE)
_BETWEEN = "\u2028;".encode()
"""Ends a comment and a statement of JavaScript, and is no line break of the file's."""
_ALL_BLANK = bytes(c if c in b"\r\n" else 0x20 for c in range(256))


def view(path: str, data: bytes) -> bytes:
    """The code of a file by its name: the same object for a file that is code throughout."""
    made = _VIEWS.get(path[path.rfind(".") :].lower())
    return made(data) if made is not None else data


def has_view(path: str) -> bool:
    """Whether a file holds code of a language among something else."""
    return path[path.rfind(".") :].lower() in _VIEWS


def scripts(data: bytes) -> bytes:
    """The scripts of an HTML page, each ended where its closing tag begins; data blocks and templates are blank."""
    out = bytearray(data.translate(_ALL_BLANK))
    for attributes, start, end in _elements(data.lower()):
        kind = _TYPE.search(data, *attributes)
        if kind is not None and not _SCRIPTS.match(kind[1]):
            continue
        script = data[start:end]
        out[start:end] = script
        if end < len(data) and script.strip():
            out[end : end + len(_BETWEEN)] = _BETWEEN
    return bytes(out)


def _elements(data: bytes) -> Iterator[tuple[tuple[int, int], int, int]]:
    """(attributes' span, start, end of the content) of each script of a page in lower case.

    An ending that is not found is not looked for again: each byte is passed a few times at most.
    """
    missing: set[bytes] = set()

    def find(ending: bytes, at: int) -> int:
        found = data.find(ending, at) if ending not in missing else -1
        if found < 0:
            missing.add(ending)
        return found

    at = 0
    while (begins := _BEGINS.search(data, at)) is not None:
        at = begins.end()
        if begins[0] == b"<!--":
            end = find(b"-->", at)
            at = end + 3 if end >= 0 else at
            continue
        within = at
        while (mark := _IN_TAG.search(data, within)) is not None and mark[1] is not None:
            end = find(mark[1], mark.end())
            within = end + 1 if end >= 0 else mark.end()
        if mark is None:
            return  # Nor do browsers read on behind a tag that does not end.
        ends = _ENDS.search(data, mark.end())
        end = ends.start() if ends is not None else len(data)
        yield (at, mark.start()), mark.end(), end
        at = end


_VIEWS: dict[str, Callable[[bytes], bytes]] = {".html": scripts, ".htm": scripts, ".ipynb": cells.view}
