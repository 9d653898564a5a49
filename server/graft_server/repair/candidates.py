"""Quick-fixes: candidate edits for a finding, and those of them that pass verification.

Candidates come from deterministic rules, one function per code, safest first.  Findings that other servers send along
(Pyright, Ruff, mypy) are treated as the one of ours that means the same; what a message suggests (of tsc and gopls,
too) is tried first.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import islice

from graft_indexer.graph import SymbolGraph
from graft_indexer.text import encode
from graft_server.diagnosis.model import MODEL_HINT, Diagnostic, Fix
from graft_server.diagnosis.registry import CODES
from graft_server.diagnosis.run import PYTHON_SUFFIXES, diagnose
from graft_server.diagnosis.source import Source, source_of
from graft_server.diagnosis.suppress import FOREIGN
from graft_server.edits import Edit, apply_edits
from graft_server.repair import for_calls, for_imports, for_messages, for_names, for_others
from graft_server.repair.candidate import Candidate
from graft_server.repair.verify import fingerprints, overlaid, verify
from graft_server.settings import Settings

MAX_FIXES = 4
"""Shown for one finding."""
MAX_TRIED = 8
"""Candidates that are verified for one finding; each costs a run of the checks on the file."""
MAX_ROUNDS = 200
"""Findings that fix-all mends in one file."""

_QUOTED = re.compile(r"['\"`]([^\W\d]\w*)['\"`]")

Rule = Callable[[SymbolGraph, Source, Diagnostic], Iterator[Candidate]]

RULES: dict[str, Rule] = {
    "undefined-name": for_names.candidates,
    "unresolved-import": for_imports.candidates,
    "call-arguments": for_calls.candidates,
    "missing-member": for_others.missing_member,
    "swapped-arguments": for_others.swapped_arguments,
    "not-awaited": for_others.not_awaited,
    "not-iterated": for_others.not_iterated,
    "unreachable-code": for_others.unreachable_code,
    "format-string": for_others.format_string,
    "unknown-suppression": for_others.unknown_suppression,
    MODEL_HINT: for_others.model_hint,
    **dict.fromkeys(("F401", "unused-import", "reportUnusedImport", "W0611"), for_others.unused_import),
}
_FOREIGN_RULES = (
    "undefined-name",
    "unresolved-import",
    "call-arguments",
    "missing-member",
    "not-awaited",
    "unreachable-code",
)
"""Checks whose fixes need no more than the place that another server's finding marks."""


def fixes(graph: SymbolGraph, diagnostic: Diagnostic) -> list[Fix]:
    """Verified fixes of a finding, safe ones first; empty if none passes, or the file cannot be parsed."""
    return list(islice(_fixes(graph, diagnostic, None), MAX_FIXES))


def stepwise(graph: SymbolGraph, diagnostic: Diagnostic) -> Generator[None, None, list[Fix]]:
    """As `fixes`; yields after each candidate that was verified, so that others get their turn and nobody waits for
    what was cancelled."""
    found: list[Fix] = []
    for fix in _tries(graph, diagnostic, None):
        if fix is not None:
            found.append(fix)
        if len(found) == MAX_FIXES:
            break
        yield
    return found


def _fixes(
    graph: SymbolGraph, diagnostic: Diagnostic, before: Mapping[str, Counter[tuple[str, ...]]] | None
) -> Iterator[Fix]:
    return (fix for fix in _tries(graph, diagnostic, before) if fix is not None)


def _tries(
    graph: SymbolGraph, diagnostic: Diagnostic, before: Mapping[str, Counter[tuple[str, ...]]] | None
) -> Iterator[Fix | None]:
    """A fix for each candidate, safe ones first; None for one that does not pass."""
    unique: dict[tuple[Edit, ...], Candidate] = {}
    for candidate in _candidates(graph, diagnostic):
        unique.setdefault(candidate.edits, candidate)
        if len(unique) >= MAX_TRIED:
            break
    for candidate in sorted(unique.values(), key=lambda c: not c.safe):
        yield _verified(graph, diagnostic, candidate, before)


def _verified(
    graph: SymbolGraph,
    diagnostic: Diagnostic,
    candidate: Candidate,
    before: Mapping[str, Counter[tuple[str, ...]]] | None = None,
) -> Fix | None:
    verified = verify(graph, diagnostic, candidate.edits, before=before)
    if verified is None:
        return None
    mark = "" if candidate.safe else " (unsafe)"
    title = f"{candidate.title}{mark} - checked: {', '.join(verified)}"
    return Fix(title, candidate.safe, verified, candidate.edits)


def verified_stepwise(
    graph: SymbolGraph, diagnostic: Diagnostic, some: Sequence[Candidate]
) -> Generator[None, None, list[Fix]]:
    """Those of some candidates that pass (of a model, see `by_model`), in their order; yields after each.

    Only for findings of ours: of another server's nobody could say that they are gone.
    """
    found: list[Fix] = []
    for candidate in some if diagnostic.code in CODES and not diagnostic.source else ():
        fix = _verified(graph, diagnostic, candidate)
        if fix is not None:
            found.append(fix)
        yield
    return found


def _candidates(graph: SymbolGraph, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """Of a finding of ours by its code's rule; of another server's also from its message, in any language."""
    foreign = diagnostic.code not in CODES or bool(diagnostic.source)
    text = graph.text(diagnostic.path) if foreign else None
    if text is not None:
        yield from for_messages.candidates(encode(text), diagnostic)
    source = source_of(graph, diagnostic.path) if diagnostic.path.endswith(PYTHON_SUFFIXES) else None
    if source is None:
        return
    if foreign:
        # What it is about is the name that stands there, or else one that the message quotes.
        there = source.segment(diagnostic.span)
        quoted = tuple(_QUOTED.findall(diagnostic.message))
        names = (there, *quoted) if there.isidentifier() else (*quoted, there)
        diagnostic = replace(diagnostic, names=diagnostic.names or names)
    rule = _rule(source, diagnostic)
    if rule is not None:
        yield from rule(graph, source, diagnostic)


def _rule(source: Source, diagnostic: Diagnostic) -> Rule | None:
    """Whose candidates a finding gets.  `attr-defined` and its like mean a member, or, in an import, a name."""
    rule = RULES.get(diagnostic.code)
    if rule is not None or diagnostic.code in CODES:
        return rule
    meant = [code for code in _FOREIGN_RULES if diagnostic.code in FOREIGN[code]]
    if len(meant) > 1:
        imports = [*source.all(ast.ImportFrom), *source.all(ast.Import)]
        in_import = any(source.span(s).covers(diagnostic.span) for s in imports)
        meant = ["unresolved-import" if in_import else "missing-member"]
    return RULES[meant[0]] if meant else None


def fix_all(graph: SymbolGraph, path: str, settings: Settings | None = None, *, unsafe: bool = False) -> Fix | None:
    """One fix that applies the first safe fix of every finding in a file, one after the other; None if there is none.

    With `unsafe`, unsafe fixes are used where no safe one exists.
    """
    original = graph.text(path)
    if original is None:
        return None
    text, mended = original, 0
    given_up: set[tuple[str, ...]] = set()
    while mended < MAX_ROUNDS:
        with overlaid(graph, {path: text}):
            found = diagnose(graph, path, settings)
            before = {path: fingerprints(found)} if not (settings and settings.diagnosis_disabled) else None
            chosen: Fix | None = None
            for diagnostic in found:
                key = (diagnostic.code, *diagnostic.names, str(_line_text(text, diagnostic)))
                if key in given_up:
                    continue
                chosen = next(
                    (
                        f
                        for f in _fixes(graph, diagnostic, before)
                        if (f.safe or unsafe) and all(e.path == path for e in f.edits)
                    ),
                    None,
                )
                if chosen is not None:
                    break
                given_up.add(key)
            if chosen is None:
                break
            text = apply_edits(text, chosen.edits)
            mended += 1
    if not mended:
        return None
    what = "finding" if mended == 1 else "findings"
    claims = ("parses", "findings gone", "nothing new")
    title = f"Fix {mended} {what} in this file - checked: {', '.join(claims)}"
    return Fix(title, not unsafe, claims, edits_between(path, original, text))


def _line_text(text: str, diagnostic: Diagnostic) -> bytes:
    data = encode(text)
    start = data.rfind(b"\n", 0, diagnostic.span.start) + 1
    end = data.find(b"\n", diagnostic.span.end)
    return data[start : end if end >= 0 else len(data)]


def edits_between(path: str, before: str, after: str) -> tuple[Edit, ...]:
    """Edits, one per changed run of lines, that turn `before` into `after`."""
    old, new = encode(before).splitlines(keepends=True), encode(after).splitlines(keepends=True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    edits = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            text = b"".join(new[k:m]).decode("utf-8", "surrogateescape")
            edits.append(Edit(path, starts[i], starts[j], text))
    return tuple(edits)
