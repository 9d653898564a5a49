"""Consequences across files: what a saved change breaks elsewhere.

On save the definitions of a file before and after are compared.  If one that other files can see was removed, renamed
or got another signature, the files that use it are looked at, open or not: not whole, but every call, attribute and
import of the names in question.  Only what is new there counts.  `repair.consequences` makes one action of it all.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graft_indexer.embedded import has_view
from graft_indexer.extract import extract_rows, facts_of
from graft_indexer.facts import DefinitionKind, Facts, Signature, Span
from graft_indexer.graph import CallTarget, Exposure, Symbol, SymbolGraph
from graft_indexer.text import encode
from graft_server.diagnosis.calls import positional_parameters, provable_target, remembered
from graft_server.diagnosis.model import STALE_ARGUMENTS, Diagnostic, Severity
from graft_server.diagnosis.registry import enabled
from graft_server.diagnosis.run import check_names, excluded
from graft_server.diagnosis.source import Source, source_of
from graft_server.diagnosis.subject import Subject
from graft_server.diagnosis.suppress import unsuppressed
from graft_server.repair.verify import fingerprints, overlaid
from graft_server.settings import Settings

MAX_FILES = 400
"""Files that are looked at after one save, those that import the file or name its classes first."""
_CHAIN = 60
"""Files that pass a name on; more are not followed."""
_INSIDE = (DefinitionKind.METHOD, DefinitionKind.PROPERTY, DefinitionKind.ATTRIBUTE, DefinitionKind.VARIABLE)


@dataclass(frozen=True, slots=True)
class Consequences:
    """What one save breaks in other files."""

    path: str
    before_text: str
    exposure: Exposure
    findings: Mapping[str, tuple[Diagnostic, ...]]
    """Path -> findings that the change brought; empty if it breaks nothing."""
    stale: tuple[Diagnostic, ...]
    """Of `findings`, calls whose arguments go to other parameters than before.  Nothing in the text of a call shows
    that, so these hold until the text changes."""
    place: Span
    """In `path`, where to say so."""
    files: int
    """How many files were looked at."""

    @property
    def number(self) -> int:
        """How many findings there are."""
        return sum(map(len, self.findings.values()))


def facts_before(path: str, text: str) -> Facts:
    """Facts of a text that is no longer there."""
    return facts_of(path, extract_rows(encode(text), "python"))


def consequences(
    graph: SymbolGraph,
    path: str,
    before_text: str,
    settings: Settings | None = None,
    *,
    saved_before: str | None = None,
    stale: Sequence[Diagnostic] = (),
) -> Consequences | None:
    """What the change from `before_text` to the present text of `path` breaks; None if other files see no difference.

    After several saves `saved_before` is the text at the last one, and `stale` what was found then and still holds:
    an order of parameters is compared with the last save only.
    """
    steps = stepwise(graph, path, before_text, settings, saved_before=saved_before, stale=stale)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Consequences | None = end.value
            return found


def stepwise(
    graph: SymbolGraph,
    path: str,
    before_text: str,
    settings: Settings | None = None,
    *,
    saved_before: str | None = None,
    stale: Sequence[Diagnostic] = (),
) -> Generator[None, None, Consequences | None]:
    """As `consequences`; yields after each file.  The graph must not change between two steps."""
    settings = settings or Settings()
    if not settings.diagnosis_enable or source_of(graph, path) is None:
        # A file that does not parse defines who knows what; its importers are as right as they were.
        return None
    exposure = graph.exposure(path, facts_before(path, before_text))
    if not exposure.removed and not exposure.changed and not _fields(exposure.added):
        return None
    names = names_of(graph, exposure)
    files = [p for p in _files(graph, path, exposure, names) if not excluded(p, settings.diagnosis_exclude)]
    checks = enabled(settings.diagnosis_disabled, settings.diagnosis_enabled)
    now: dict[str, list[Diagnostic]] = {}
    for file in files:
        found = check_names(graph, file, checks, with_aliases(graph, file, names))
        if found:
            now[file] = found
        yield
    moved = list(stale)
    if STALE_ARGUMENTS not in settings.diagnosis_disabled:
        last = before_text if saved_before is None else saved_before
        changed = exposure.changed
        if last != before_text:
            changed = graph.exposure(path, facts_before(path, last)).changed
        reordered = frozenset(b.name for b, a in changed if _reordered(b.signature, a.signature))
        if reordered:
            moved += _moved(graph, path, last, reordered, files)
            yield
    if now:
        with overlaid(graph, {path: before_text}):
            old = {p: fingerprints(check_names(graph, p, checks, with_aliases(graph, p, names))) for p in now}
        now = {p: list(_new(found, old[p])) for p, found in now.items()}
    # A call that does not fit any more says enough.
    moved = [d for d in moved if not any(_near(graph, d, other) for other in now.get(d.path, ()))]
    for diagnostic in moved:
        now.setdefault(diagnostic.path, []).append(diagnostic)
    findings = {p: tuple(sorted(some, key=lambda d: d.span)) for p, some in now.items() if some}
    return Consequences(path, before_text, exposure, findings, tuple(moved), _place(graph, path, exposure), len(files))


def _near(graph: SymbolGraph, one: Diagnostic, other: Diagnostic) -> bool:
    """Whether two findings stand in one statement."""
    text = encode(graph.text(one.path) or "")
    low, high = sorted((one.span.start, other.span.start))
    return other.code == "call-arguments" and b"\n" not in text[low:high]


def _new(found: Sequence[Diagnostic], old: Counter[tuple[str, ...]]) -> Iterator[Diagnostic]:
    left = Counter(old)
    for diagnostic in found:
        key = (diagnostic.code, *diagnostic.names)
        if left[key]:
            left[key] -= 1
        else:
            yield diagnostic


# -- which names, which files -----------------------------------------------------------------------------------------
def names_of(graph: SymbolGraph, exposure: Exposure) -> frozenset[str]:
    """Names whose calls, attributes and imports may be broken; of a constructor or a field those of its classes."""
    names: set[str] = set()
    for symbol in (*exposure.removed, *(b for b, _ in exposure.changed), *_fields(exposure.added)):
        names.add(symbol.name)
        owner = owner_of(symbol)
        if owner and (symbol.kind is DefinitionKind.VARIABLE or symbol.name in _MAKERS or _abstract(symbol)):
            names.add(owner.rpartition(".")[2])
            for cls in graph.find(owner):
                if cls.kind is DefinitionKind.CLASS:
                    names.update(s.name for s in graph.subclasses(cls).value)
    return frozenset(names)


_MAKERS = ("__init__", "__new__", "__call__", "__post_init__")


def _abstract(symbol: Symbol) -> bool:
    return any(d.rpartition(".")[2].startswith("abstract") for d in symbol.decorators)


def _fields(added: Iterable[Symbol]) -> list[Symbol]:
    """Of what was added that which can break code: fields (of a dataclass), constructors, abstract methods."""
    return [
        s
        for s in added
        if owner_of(s) and ((s.kind is DefinitionKind.VARIABLE and s.annotation) or s.name in _MAKERS or _abstract(s))
    ]


def owner_of(symbol: Symbol) -> str:
    """Qualified name of the class that a member belongs to, empty for a definition at module level."""
    owner = symbol.qualified_name.rpartition(".")[0]
    return owner if symbol.kind in _INSIDE and owner != symbol.module else ""


def _files(graph: SymbolGraph, path: str, exposure: Exposure, names: frozenset[str]) -> list[str]:
    """Files to look at, the likeliest first: they hold one of the names as a word, and say so outside of strings."""
    importers = dict.fromkeys(graph.importers(path))
    queue = [p for p in importers if _passes_on(graph, p, names)]
    seen = set(queue)
    while queue and len(seen) < _CHAIN:
        # A package that passes a name on has importers of its own.
        for other in graph.importers(queue.pop(0)):
            importers[other] = None
            if other not in seen and _passes_on(graph, other, names):
                seen.add(other)
                queue.append(other)
    affected = dict.fromkeys([*importers, *exposure.affected])
    for symbol in (*exposure.removed, *(b for b, _ in exposure.changed), *exposure.added):
        owner = owner_of(symbol)
        for cls in graph.find(owner) if owner else ():
            for one in (cls, *(graph.subclasses(cls).value if cls.kind is DefinitionKind.CLASS else ())):
                affected.update(dict.fromkeys(location.path for location in graph.references(one).value))
    affected.pop(path, None)
    word = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b") if names else None
    # What lies in a notebook is no document of its own in an editor, and is not mended on disk.
    found = [p for p in affected if word is not None and not has_view(p) and word.search(graph.text(p) or "")]
    return found[:MAX_FILES]


def _passes_on(graph: SymbolGraph, path: str, names: frozenset[str]) -> bool:
    """Whether others may import one of the names from a file that imports it itself."""
    facts = graph.facts(path)
    if facts is None:
        return False
    if any(i.name == "*" for i in facts.imports):
        return True
    shown = path.endswith(("/__init__.py", "/__init__.pyi")) or not names.isdisjoint(facts.exports or ())
    return shown and any(i.name in names for i in facts.imports)


def with_aliases(graph: SymbolGraph, file: str, names: frozenset[str]) -> frozenset[str]:
    facts = graph.facts(file)
    return names | {i.alias for i in facts.imports if i.alias and i.name in names} if facts is not None else names


# -- arguments that went elsewhere ------------------------------------------------------------------------------------
def _reordered(before: Signature | None, after: Signature | None) -> bool:
    """Whether some value by position goes to another parameter than before, and that parameter is still there."""
    if before is None or after is None:
        return False
    old, new = ([p.name for p in positional_parameters(s)] for s in (before, after))
    return any(a != b and a in new for a, b in zip(old, new, strict=False))


@dataclass(frozen=True, slots=True)
class Site:
    """A call of a changed definition, with its targets before and after."""

    path: str
    source: Source
    call: ast.Call
    before: CallTarget
    after: CallTarget
    arguments: Span
    """With the parentheses."""


def sites(
    graph: SymbolGraph, path: str, before_text: str, names: frozenset[str], files: Iterable[str]
) -> Iterator[Site]:
    """Calls of `names` in the given files whose target is proved before and now, and has another signature now."""
    asked: list[tuple[str, Source, ast.Call]] = []
    for file in files:
        source = source_of(graph, file)
        if source is not None:
            wanted = with_aliases(graph, file, names)
            asked += [(file, source, c) for c in Subject(graph, file, source, names=wanted).calls()]
    with overlaid(graph, {path: before_text}), remembered():
        before = [provable_target(graph, file, source, call) for file, source, call in asked]
    with remembered():
        for (file, source, call), was in zip(asked, before, strict=True):
            now = provable_target(graph, file, source, call) if was is not None else None
            if was is None or now is None or was[1].symbol.qualified_name != now[1].symbol.qualified_name:
                continue
            if was[1].signature.parameters != now[1].signature.parameters:
                yield Site(file, source, call, was[1], now[1], now[0].arguments)


def _moved(
    graph: SymbolGraph, path: str, before_text: str, names: frozenset[str], files: Sequence[str]
) -> Iterator[Diagnostic]:
    for site in sites(graph, path, before_text, names, files):
        found = moved_argument(site)
        if found is None:
            continue
        argument, was, now = found
        span = site.source.span(argument)
        diagnostic = Diagnostic(
            site.path,
            span,
            STALE_ARGUMENTS,
            Severity.WARNING,
            f"this was `{was}` of `{site.after.symbol.name}`, and is now `{now}`",
            names=(site.after.symbol.name, was, now),
            related=((site.after.symbol.path, site.after.symbol.name_span, "its parameters changed places"),),
        )
        yield from unsuppressed(site.source.text, [diagnostic])


def moved_argument(site: Site) -> tuple[ast.expr, str, str] | None:
    """(the first argument by position that goes to another parameter than before, its name then, its name now)."""
    old = [p.name for p in positional_parameters(site.before.signature)]
    new = [p.name for p in positional_parameters(site.after.signature)]
    for argument, was, now in zip(site.call.args, old, new, strict=False):
        if isinstance(argument, ast.Starred):
            return None
        if was != now and was in new:
            return argument, was, now
    return None


def _place(graph: SymbolGraph, path: str, exposure: Exposure) -> Span:
    """Where the changed file says what was broken: a definition that changed, or came instead; else its first line."""
    for symbol in (*(a for _, a in exposure.changed), *exposure.added):
        if symbol.path == path:
            return symbol.name_span
    first = encode(graph.text(path) or "").split(b"\n", 1)[0]
    return Span(0, len(first.rstrip(b"\r")))
