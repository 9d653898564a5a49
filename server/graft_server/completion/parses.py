"""Does a suggestion parse where it stands: the file with it, its statement finished, against the file without it.

On the graph's thread, or, of the cursor's surroundings only, where the caller is.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator

from tree_sitter import Tree

from graft_indexer import syntax
from graft_indexer.facts import Span
from graft_server.completion.anchor import Place
from graft_server.completion.stops import brackets_of, closers_for


class Trees:
    """The last tree of each document, so that candidates are parsed incrementally.  One thread only."""

    def __init__(self, size: int = 4) -> None:
        self._kept: OrderedDict[str, tuple[bytes, Tree]] = OrderedDict()
        self._size = size
        self.passed: tuple[str, bytes, Span, int, int] | None = None
        """The last text in which all names were right: (path, text, its new part, names known and unknown)."""

    def parse(self, path: str, data: bytes, language: str) -> Tree:
        """The tree of `data`; what it shares with the last text of `path` is not parsed again."""
        have = self._kept.get(path)
        if have is not None and have[0] == data:
            self._kept.move_to_end(path)
            return have[1]
        self._kept.pop(path, None)
        tree = syntax.parse(data, language) if have is None else syntax.reparse(have[1].copy(), have[0], data, language)
        self._kept[path] = (data, tree)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return tree


def finished(text: str, place: Place, cover: int, language: str) -> Iterator[tuple[bytes, int]]:
    """The file with the suggestion in it and its unfinished statement finished, in the ways to try, each with how many
    bytes after the suggestion belong to its line.

    In languages with braces a line may lack its semicolon, or be the head of a block.
    """
    tail = place.after[cover:]
    if language == "python":
        closed = virtual_end(text, place, cover)
        made = (place.before + text + closed + tail).encode("utf-8", "surrogateescape")
        yield made, len(closed.encode())
        return
    rest, newline, below = tail.partition("\n")
    openers = brackets_of(place.before, text, tail, place.language)[1]
    inner = closers_for(openers.rstrip("{")) if not rest.strip() else ""
    outer = "}" * openers.count("{") if inner or "{" in openers else closers_for(openers)
    for ending in ("", ";", " {}", " x;"):
        line = rest + inner + ending + outer
        made = (place.before + text + line + newline + below).encode("utf-8", "surrogateescape")
        yield made, len(line.encode("utf-8", "surrogateescape"))


def virtual_end(text: str, place: Place, cover: int) -> str:
    """What must stand after an unfinished but good suggestion to make it parse: closers, and a body after a colon."""
    tail = place.after[cover:]
    line_tail = tail.partition("\n")[0]
    openers = brackets_of(place.before, text, tail, place.language)[1]
    closing = closers_for(openers)
    line = (place.line + text).rpartition("\n")[2]
    if line_tail.strip():
        return closing
    whole = line + closing
    lead = line[: len(line) - len(line.lstrip())]
    if re.search(r":\s*(#.*)?$", whole) and not openers:
        below = next((x for x in tail.split("\n")[1:] if x.strip()), "")
        if len(below) - len(below.lstrip()) > len(lead):
            return closing
        body = f"\n{lead}    pass"
        if re.match(r"\s*try\s*:", line) and not re.match(r"\s*(except|finally)\b", below):
            body += f"\n{lead}finally:\n{lead}    pass"
        return closing + body
    if line.lstrip().startswith("@"):
        below = next((x for x in tail.split("\n")[1:] if x.strip()), "")
        if not re.match(r"\s*(@|def |class |async )", below):
            return closing + f"\n{lead}def _(): pass"
    return closing


def new_errors(
    trees: Trees, path: str, language: str, place: Place, tree: Tree, data: bytes, region: Span
) -> str | None:
    """Why the tree is worse than the one without the suggestion's line; None if it is not.

    Compared with the text with the cursor's line blank and with `pass` in it, whichever has fewer errors: what was
    broken before is not held against the suggestion.
    """
    root = tree.root_node
    if not root.has_error:
        return None
    errors = syntax.error_spans(root, language)
    inside = [e for e in errors if e.start < region.end + 1 and e.end > region.start - 1]
    lead = place.line[: len(place.line) - len(place.line.lstrip())]
    head = place.before[: len(place.before) - len(place.line)]
    tail = place.after[len(place.rest) :]
    best: list[Span] | None = None
    for filler in ("", "pass") if language == "python" else ("",):
        base = (head + lead + filler + tail).encode("utf-8", "surrogateescape")
        there = trees.parse(path, base, language).root_node
        found = list(syntax.error_spans(there, language))
        if best is None or len(found) < len(best):
            best = found
    assert best is not None
    worse = len(errors) > len(best) or (
        bool(inside) and not any(e.start <= region.start and e.end >= region.start for e in best)
    )
    if not worse:
        return None
    if best and _parses_alone(place, data, region, language):
        return None
    return "does not parse here"


def _parses_alone(place: Place, data: bytes, region: Span, language: str) -> bool:
    """For files that are broken elsewhere: whether the top-level piece around the cursor parses by itself, or was
    broken itself before."""
    start = region.start
    while start > 0 and data[start : start + 1] in b" \t\r\n)]}":
        start = data.rfind(b"\n", 0, start - 1) + 1
    following = re.compile(rb"^[^ \t\r\n)\]}]", re.MULTILINE).search(
        data, data.find(b"\n", region.end) + 1 or len(data)
    )
    end = following.start() if following is not None else len(data)
    if not syntax.parse(data[start:end], language).root_node.has_error:
        return True
    before = data[start : region.start] + b"pass" + data[region.end : end]
    return start < region.start and syntax.parse(before, language).root_node.has_error
