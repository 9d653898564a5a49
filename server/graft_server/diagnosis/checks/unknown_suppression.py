"""`unknown-suppression`: `# graft: ignore[code]` with a code that no check has, so that it silences nothing."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from io import StringIO

from graft_indexer.facts import Span
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source
from graft_server.diagnosis.subject import Subject
from graft_server.diagnosis.suppress import FOREIGN

CODE = "unknown-suppression"
SEVERITY = Severity.WARNING
_LIST = re.compile(r"graft\s*:\s*ignore(?:-file)?\s*\[([^\]]*)\]", re.IGNORECASE)
_ITEM = re.compile(r"[^\s,]+")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Comments of Graft's own form only: what codes other tools have is theirs to say."""
    from graft_server.diagnosis.registry import CODES  # the registry imports this module

    known = {*CODES, *(code for codes in FOREIGN.values() for code in codes)}
    for start, text in _comments(subject.source):
        for listed in _LIST.finditer(text):
            for item in _ITEM.finditer(listed[1]):
                if item[0] in known:
                    continue
                at = start + len(text[: listed.start(1) + item.start()].encode())
                near = closest(item[0], CODES)
                hint = f"; did you mean `{near[0]}`?" if near else ""
                yield Diagnostic(
                    subject.path,
                    Span(at, at + len(item[0].encode())),
                    CODE,
                    SEVERITY,
                    f"no check is called `{item[0]}`{hint}",
                    names=(item[0],),
                    candidates=tuple(near),
                )


def _comments(source: Source) -> Iterator[tuple[int, str]]:
    """(byte offset, text) of the comments that speak of Graft."""
    if not re.search(rb"graft\s*:", source.data, re.IGNORECASE):
        return
    try:
        for token in tokenize.generate_tokens(StringIO(source.text, newline="").readline):
            if token.type == tokenize.COMMENT:
                line, column = token.start
                yield source.offset(line, len(token.line[:column].encode("utf-8", "surrogateescape"))), token.string
    except (tokenize.TokenError, SyntaxError):
        return  # text that `ast` takes and the tokenizer does not, such as a form feed in an odd place
