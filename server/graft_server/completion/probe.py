"""Asking the graph about a line that is still being typed.

`pieces += [data[a:b], encode(edit.` is no Python, so its names mean nothing to a parser.  A probe gives the line a name
where one is due, the closers that are missing and a body after a header, asks, and puts the text back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from graft_indexer.graph import SymbolGraph
from graft_server.completion.anchor import Place
from graft_server.completion.stops import brackets_of, closers_for

NAME = "graft_probe_"
_HEADER = re.compile(r"\s*(?:async\s+)?(?:if|elif|else|for|while|with|def|class|except|try|finally|match|case)\b")

_WANTS_NAME = re.compile(
    r"\b(?:in|is|not|and|or|if|else|return|yield|await|raise|del|assert|from|import|as|with|while|for|elif|except|case"
    r"|match)\s*$"
)


@contextmanager
def shadowed(graph: SymbolGraph, path: str, text: str) -> Iterator[None]:
    """The graph sees `text` in the place of `path` meanwhile."""
    before = graph.text(path) if graph.is_open(path) else None
    graph.open_buffer(path, text)
    try:
        yield
    finally:
        if before is not None:
            graph.open_buffer(path, before)
        else:
            graph.close_buffer(path)


@contextmanager
def probing(graph: SymbolGraph, path: str, place: Place, generated: str = "") -> Iterator[int]:
    """The graph sees the cursor's line made whole, `generated` included; gives the byte offset of its end.

    Nothing is changed if the line is whole already and the document's line breaks are those of the place: offsets count
    the place's text, in which every break is LF.
    """
    before = place.before + generated
    offset = len(before.encode("utf-8", "surrogateescape"))
    filler = completing(before, place)
    if not filler and not generated and place.newline == "\n":
        yield offset
        return
    with shadowed(graph, path, before + filler + place.after):
        yield offset


def completing(before: str, place: Place) -> str:
    """What makes the text before the cursor and the line's rest a whole statement; empty if it is one."""
    line = before.rpartition("\n")[2]
    name = ""
    if line.strip() and (_WANTS_NAME.search(line) or not re.search(r"[\w)\]}'\":]$", line)):
        name = f" {NAME}" if re.search(r"\w$", line) else NAME
    openers = brackets_of(before, name, place.after)[1]
    filler = name + closers_for(openers)
    if place.rest.strip():
        return filler
    if _HEADER.match(line):
        if not (line + filler).rstrip().endswith(":"):
            filler += ":"
        lead = line[: len(line) - len(line.lstrip())]
        below = next((x for x in place.after.split("\n")[1:] if x.strip()), "")
        if len(below) - len(below.lstrip()) <= len(lead):
            filler += f"\n{lead}    pass"
    elif line.lstrip().startswith("@"):
        below = next((x for x in place.after.split("\n")[1:] if x.strip()), "")
        if not re.match(r"\s*(@|def |class |async )", below):
            filler += "\n" + line[: len(line) - len(line.lstrip())] + "def _(): pass"
    return filler
