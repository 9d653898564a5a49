"""Consequences across files: what a saved change breaks elsewhere, and one action that mends it all.

On save the file's facts before and after are compared.  If a definition that other files can see was removed, renamed
or got another signature, the files that use it are checked, open or not; only what is new there counts.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graft_indexer.facts import Facts, Signature
from graft_indexer.graph import Exposure, Symbol, SymbolGraph
from graft_server.diagnosis.calls import calls, positional_parameters, provable_target
from graft_server.diagnosis.model import Diagnostic, Fix
from graft_server.diagnosis.run import diagnose
from graft_server.diagnosis.source import Source, source_of
from graft_server.edits import Edit
from graft_server.repair.verify import edited_texts, fingerprints, overlaid
from graft_server.settings import Settings

MAX_FILES = 200
"""Files that are checked after one save."""


@dataclass(frozen=True, slots=True)
class Consequences:
    """What one save breaks in other files."""

    exposure: Exposure
    findings: Mapping[str, tuple[Diagnostic, ...]]
    """Path -> findings that the change brought."""
    fix: Fix | None
    """One action over all files; None if there is nothing to mend, or no mend passes."""


def consequences(
    graph: SymbolGraph, path: str, before_text: str, before: Facts, settings: Settings | None = None
) -> Consequences | None:
    """Compare `path` with its facts (and text) before the save; None if other files see no difference.

    Findings that were there before the save are not repeated.
    """
    if source_of(graph, path) is None:
        # A file that does not parse defines who knows what; its importers are as right as they were.
        return None
    exposure = graph.exposure(path, before)
    if not exposure.removed and not exposure.changed:
        return None
    affected = [p for p in exposure.affected if p != path][:MAX_FILES]
    now = {p: diagnose(graph, p, settings) for p in affected}
    with overlaid(graph, {path: before_text}):
        old = {p: fingerprints(diagnose(graph, p, settings)) for p, found in now.items() if found}
    findings = {p: tuple(_new(found, old.get(p, Counter()))) for p, found in now.items()}
    findings = {p: found for p, found in findings.items() if found}
    return Consequences(exposure, findings, _mend(graph, path, before_text, exposure, findings, settings))


def _new(found: Sequence[Diagnostic], old: Counter[tuple[str, ...]]) -> Iterator[Diagnostic]:
    left = Counter(old)
    for diagnostic in found:
        key = (diagnostic.code, *diagnostic.names)
        if left[key]:
            left[key] -= 1
        else:
            yield diagnostic


def _mend(
    graph: SymbolGraph,
    path: str,
    before_text: str,
    exposure: Exposure,
    findings: Mapping[str, tuple[Diagnostic, ...]],
    settings: Settings | None,
) -> Fix | None:
    """Renames first; else arguments are put in order, dropped or given a placeholder."""
    if not findings:
        return None
    edits: list[Edit] = []
    titles: list[str] = []
    safe = True
    for gone, new in _renames(exposure):
        some = list(_rename(graph, path, before_text, gone, new.name, tuple(findings)))
        if some:
            edits += some
            titles.append(f"Rename `{gone.name}` to `{new.name}`")
    for symbol_before, symbol_after in exposure.changed:
        some, sure = _follow(graph, path, before_text, symbol_before, symbol_after, tuple(findings))
        if some:
            edits += some
            safe = safe and sure
            titles.append(f"Follow the new signature of `{symbol_after.name}`")
    edits = list(dict.fromkeys(edits))
    texts = edited_texts(graph, edits)
    if texts is None:
        return None
    with overlaid(graph, texts):
        after = {p: fingerprints(diagnose(graph, p, settings)) for p in {*texts, *findings}}
        if any(graph.errors(p) for p in texts):
            return None
    before = {p: fingerprints(diagnose(graph, p, settings)) for p in {*texts, *findings}}
    mended = sum((before[p] - after[p]).total() for p in before)
    if not mended or any(after[p] - before[p] for p in after):
        return None
    verified = ("parses", f"{mended} of {sum(map(len, findings.values()))} findings gone", "nothing new")
    mark = "" if safe else " (unsafe)"
    where = f" in {len(texts)} {'file' if len(texts) == 1 else 'files'}"
    return Fix(f"{', '.join(titles)}{where}{mark} - checked: {', '.join(verified)}", safe, verified, tuple(edits))


def _renames(exposure: Exposure) -> Iterator[tuple[Symbol, Symbol]]:
    """Pairs of a removed and an added definition of the same kind, parent and signature, if there is only one way."""
    for gone in exposure.removed:
        if not gone.qualified_name:
            continue
        fits = [new for new in exposure.added if _alike(gone, new)]
        rivals = [other for other in exposure.removed if any(_alike(other, new) for new in fits)]
        if len(fits) == 1 and len(rivals) == 1:
            yield gone, fits[0]


def _alike(gone: Symbol, new: Symbol) -> bool:
    same_parent = gone.qualified_name.rpartition(".")[0] == new.qualified_name.rpartition(".")[0]
    return gone.kind == new.kind and same_parent and gone.signature == new.signature


def _rename(
    graph: SymbolGraph, path: str, before_text: str, gone: Symbol, name: str, files: tuple[str, ...]
) -> Iterator[Edit]:
    """References to the old definition, found while the old text stands."""
    with overlaid(graph, {path: before_text}):
        locations = graph.references(gone).value
    for location in locations:
        text = graph.text(location.path)
        if location.path == path or location.path not in files or text is None:
            continue
        source = source_of(graph, location.path)
        if source is not None and source.segment(location.span) == gone.name:
            yield Edit(location.path, location.span.start, location.span.end, name)


def _follow(
    graph: SymbolGraph, path: str, before_text: str, old: Symbol, new: Symbol, files: tuple[str, ...]
) -> tuple[list[Edit], bool]:
    """Arguments of every call, moved from the old signature's places to the new one's; (edits, whether all is sure)."""
    if old.signature is None or new.signature is None:
        return [], True
    edits: list[Edit] = []
    sure = True
    for file in files:
        source = source_of(graph, file)
        if source is None:
            continue
        with overlaid(graph, {path: before_text}):
            found = [
                (call, target.signature)
                for call in calls(source)
                if (hit := provable_target(graph, file, source, call)) is not None
                and (target := hit[1]).symbol.qualified_name == old.qualified_name
            ]
        for call, was in found:
            now = provable_target(graph, file, source, call)
            if now is None:
                continue
            rewritten = _arguments(source, call, was, now[1].signature)
            if rewritten is None:
                continue
            text, certain = rewritten
            start, end = now[0].arguments.start + 1, now[0].arguments.end - 1
            if source.data[start:end].decode("utf-8", "surrogateescape") != text:
                edits.append(Edit(file, start, end, text))
                sure = sure and certain
    return edits, sure


def _arguments(source: Source, call: ast.Call, was: Signature, now: Signature) -> tuple[str, bool] | None:
    """The argument list for the new signature, and whether no value had to be made up or thrown away."""
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return None
    old_names = [p.name for p in positional_parameters(was)]
    if len(call.args) > len(old_names):
        return None
    given = {n: (source.segment(source.span(a)), True) for n, a in zip(old_names, call.args, strict=False)}
    given |= {str(k.arg): (source.segment(source.span(k.value)), False) for k in call.keywords}
    before, after = [p.name for p in was.parameters], [p.name for p in now.parameters]
    gone, added = [n for n in before if n not in after], [n for n in after if n not in before]
    certain = True
    if len(gone) == 1 and len(added) == 1 and before.index(gone[0]) == after.index(added[0]):
        # One parameter in the same place under another name was renamed.
        given = {added[0] if name == gone[0] else name: value for name, value in given.items()}
    else:
        for name in gone:
            certain = given.pop(name, None) is None and certain
    places = {p.name for p in positional_parameters(now)}
    parts: list[str] = []
    in_order = True
    for parameter in now.parameters:
        text, by_position = given.pop(parameter.name, ("", True))
        if not text and parameter.required:
            text, certain = "...", False
        if not text:
            in_order = False
        elif in_order and by_position and parameter.name in places:
            parts.append(text)
        else:
            in_order = False
            parts.append(f"{parameter.name}={text}")
    return None if given else (", ".join(parts), certain)
