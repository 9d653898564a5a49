"""tree-sitter tree -> `ast` statements, for text that the running Python cannot parse.

Two uses: syntax newer than the interpreter that runs Graft, and files with more errors than mending line by line can
take.  What is not understood is left out and its span returned as broken.
"""

from __future__ import annotations

import ast

from graft_indexer.facts import Span
from graft_indexer.text import Lines


def statements(data: bytes, start: int, end: int, lines: Lines) -> tuple[list[ast.stmt], list[Span]] | None:
    """Statements of `data[start:end]` and the spans that were not understood; None if nothing was."""
    return None
