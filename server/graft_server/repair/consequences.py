"""One action that mends all consequences of a change: rename, put arguments in order, drop them, mark missing ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from graft_indexer.embedded import has_view
from graft_indexer.facts import Signature, Span
from graft_indexer.graph import Exposure, Symbol, SymbolGraph
from graft_server.diagnosis.calls import bind, positional_parameters
from graft_server.diagnosis.consequences import Consequences, Site, moved_argument, names_of, sites, with_aliases
from graft_server.diagnosis.model import Fix
from graft_server.diagnosis.registry import enabled
from graft_server.diagnosis.run import check_names
from graft_server.diagnosis.source import Source, source_of
from graft_server.edits import Edit
from graft_server.repair.verify import edited_texts, fingerprints, overlaid
from graft_server.settings import Settings


def mend(graph: SymbolGraph, found: Consequences, settings: Settings | None = None) -> Fix | None:
    """Edits in every file that the change broke; None if there is nothing to mend, or the mend does not pass.

    Renames are tried first, then arguments follow the new signature.  Verified in every edited file by all checks, as
    far as the names go that the edits touch.
    """
    files = tuple(found.findings)
    if not files:
        return None
    settings = settings or Settings()
    edits: list[Edit] = []
    titles: list[str] = []
    for gone, new in _renames(found.exposure):
        some = list(_rename(graph, found, gone, new.name))
        if some:
            edits += some
            titles.append(f"Rename `{gone.name}` to `{new.name}`")
    calls = list(sites(graph, found.path, found.before_text, names_of(graph, found.exposure), files))
    marked = {(d.path, d.span) for d in found.stale}
    stale = [c for c in calls if (m := moved_argument(c)) and (c.path, c.source.span(m[0])) in marked]
    broken = [c for c in calls if _broken(found, c)]
    some, safe = _follow(broken)
    if some:
        edits += some
        followed = dict.fromkeys(c.after.symbol.name for c in broken)
        titles.append(f"Follow the new signature of {', '.join(f'`{n}`' for n in followed)}")
    edits = [e for e in dict.fromkeys(edits) if not has_view(e.path)]
    texts = edited_texts(graph, edits)
    if texts is None:
        return None
    checks = enabled(settings.diagnosis_disabled, settings.diagnosis_enabled)
    # The edits touch calls and references of these names and nothing else.
    names = names_of(graph, found.exposure) | {s.name for s in found.exposure.added}
    known = {p: with_aliases(graph, p, names) for p in texts}
    before_ = {p: fingerprints(check_names(graph, p, checks, known[p], whole=True)) for p in texts}
    reached = [site for site in stale if any(e.path == site.path and _inside(site, e) for e in edits)]
    with overlaid(graph, texts):
        if any(graph.errors(p) or source_of(graph, p) is None for p in texts):
            return None
        after_ = {p: fingerprints(check_names(graph, p, checks, known[p], whole=True)) for p in texts}
        if not all(_reaches(graph, site, edits) for site in reached):
            return None
    mended = sum((before_[p] - after_[p]).total() for p in texts) + len(reached)
    if not mended or any(after_[p] - before_[p] for p in texts):
        return None
    verified = ("parses", f"{mended} of {found.number} findings gone", "nothing new")
    mark = "" if safe else " (unsafe)"
    where = f" in {len(texts)} {'file' if len(texts) == 1 else 'files'}"
    return Fix(f"{', '.join(titles)}{where}{mark} - checked: {', '.join(verified)}", safe, verified, tuple(edits))


def _broken(found: Consequences, site: Site) -> bool:
    """Whether a finding stands at a call."""
    span = site.source.span(site.call)
    return any(span.covers(d.span) for d in found.findings.get(site.path, ()))


def _inside(site: Site, edit: Edit) -> bool:
    return site.source.span(site.call).covers(Span(edit.start, edit.end))


def _reaches(graph: SymbolGraph, site: Site, edits: Sequence[Edit]) -> bool:
    """Whether, in the edited text, every argument of a call reaches the parameter that it reached before."""
    source = source_of(graph, site.path)
    callee = site.source.span(site.call.func)
    ahead = [e for e in edits if e.path == site.path and e.end <= callee.end]
    at = callee.end + sum(len(e.text.encode("utf-8", "surrogateescape")) - (e.end - e.start) for e in ahead)
    for call in source.all(ast.Call) if source is not None else ():
        if source is not None and source.span(call.func).end == at:
            was = bind(site.before.signature, site.call).given
            now = bind(site.after.signature, call).given
            kept = {n: ast.dump(v) for n, v in was.items() if n in now}
            return kept == {n: ast.dump(v) for n, v in now.items() if n in was}
    return False


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


def _rename(graph: SymbolGraph, found: Consequences, gone: Symbol, name: str) -> Iterator[Edit]:
    """References to the old definition, found while the old text stands; also those that a package passes on, which
    only break when the package follows."""
    with overlaid(graph, {found.path: found.before_text}):
        locations = graph.references(gone).value
    for location in locations:
        if location.path == found.path:
            continue
        source = source_of(graph, location.path)
        if source is not None and source.segment(location.span) == gone.name:
            yield Edit(location.path, location.span.start, location.span.end, name)


def _follow(found: Sequence[Site]) -> tuple[list[Edit], bool]:
    """Arguments of every call, moved from the old signature's places to the new one's; (edits, whether all is sure)."""
    edits: list[Edit] = []
    sure = True
    for site in found:
        rewritten = _arguments(site.source, site.call, site.before.signature, site.after.signature)
        if rewritten is None:
            continue
        text, certain = rewritten
        start, end = site.arguments.start + 1, site.arguments.end - 1
        if site.source.data[start:end].decode("utf-8", "surrogateescape") != text:
            edits.append(Edit(site.path, start, end, text))
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
