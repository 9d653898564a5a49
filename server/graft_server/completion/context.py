"""What the model is shown of other files: gathered from the graph, each part with its value per token, within 10 ms.

All functions run on the graph's thread.  Parts are ordered by how seldom they change, so that the engine's cache keeps
its beginning; `ContextPart.value` says which go first when the budget is short.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import Origin, Symbol, SymbolGraph
from graft_indexer.memo import LateError
from graft_models.engine import Capabilities
from graft_models.prompt import ContextPart
from graft_server.completion import secrets
from graft_server.completion.gate import graft_ignored, matches
from graft_server.completion.names import CALLABLE, stub

DEADLINE_MS = 10.0
SHARE = 0.3
"""Of it, for one name: the names behind one that leads far are not to go without."""
BUDGET_TOKENS = 512
BYTES_PER_TOKEN = 3.5
NEAR_LINES = 12
"""Lines above the cursor whose names are looked up."""
LEAST_LINES = 6
USAGE_VALUE = 1.0
"""Of the best window, more the more alike it is; definitions of the nearest names have up to 1.0 and come after it: on
packages that no bench uses a window gained ten times as many bits as definitions did."""
_WORD = re.compile(r"[A-Za-z_]\w*")
_SKIP = frozenset(
    re.findall(
        r"\w+",
        "False None True and as assert async await break class continue def del elif else except finally for from "
        "global if import in is lambda nonlocal not or pass raise return try while with yield self cls super print len "
        "str int list dict set tuple range isinstance match case type",
    )
)
SMALL_KINDS = frozenset({"usage", "edit"})
SMALL_ALIKE = 0.15
"""What a model is shown whose counts know the files near it: see `gate_for`."""
_ORDER = {"header": 0, "outline": 1, "definition": 2, "usage": 3, "edit": 4}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What context is asked for: the cursor at byte `offset` of `text`, at most `budget` tokens (estimated).

    `kinds` limits which sources are asked (None: all), `alike` is how like the code at the cursor a window must be, 0
    to 1; `edits` are recent edits elsewhere, which only the caller knows; `disabled` are globs of files that are never
    shown.
    """

    path: str
    text: str
    offset: int
    budget: int = BUDGET_TOKENS
    deadline_ms: float = DEADLINE_MS
    disabled: tuple[str, ...] = ()
    edits: tuple[ContextPart, ...] = ()
    kinds: frozenset[str] | None = None
    alike: float = 0.0


def gate_for(wanted: Wanted, capabilities: Capabilities) -> Wanted:
    """The same for the engine that will read it: whether other files are shown at all.

    A small model whose counts have read the files near the cursor (`Capabilities.counts`) gains nothing from signatures
    in its prompt and loses by what they push out; windows help it where they are much like the code at the cursor.
    """
    if not capabilities.counts or wanted.kinds is not None:
        return wanted
    return replace(wanted, kinds=SMALL_KINDS, alike=SMALL_ALIKE)


@dataclass(slots=True)
class _Gathering:
    graph: SymbolGraph
    request: Wanted
    parts: list[ContextPart]
    deadline: float
    missed: bool = False
    """Something was not looked up for want of time."""

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def text(self) -> str:
        return self.request.text

    @property
    def offset(self) -> int:
        return self.request.offset

    def late(self) -> bool:
        over = time.perf_counter() > self.deadline
        self.missed = self.missed or over
        return over

    def defined(self, at: int) -> Sequence[Symbol]:
        """What the name at an offset means; nothing if that takes so long that the next names would have to wait."""
        share = SHARE * self.request.deadline_ms / 1000
        try:
            with self.graph.within(min(self.deadline, time.perf_counter() + share)):
                return self.graph.definition_at(self.path, at).value[:1]
        except LateError:
            self.missed = True
            return ()

    def add(self, path: str, text: str, kind: str, value: float) -> None:
        """Add a part unless its file is secret or its text stands in the open file already."""
        if not text.strip() or matches(path, self.request.disabled) or graft_ignored(self.graph.root, path):
            return
        body = text.strip()
        if body in self.text or any(body in p.text for p in self.parts):
            return
        self.parts.append(ContextPart(path, secrets.mask(text), kind, value))


FRESH_SECONDS = 120.0


class SlowParts:
    """Usages per function, gathered in the background; on the graph's thread only."""

    def __init__(self, size: int = 32, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[float, tuple[ContextPart, ...]]] = OrderedDict()
        self._size = size
        self._clock = clock

    def get(self, path: str, scope: str) -> tuple[ContextPart, ...] | None:
        """The parts for a function, None if they have to be gathered (anew)."""
        have = self._kept.get((path, scope))
        return have[1] if have is not None and self._clock() - have[0] < FRESH_SECONDS else None

    def prepare(self, graph: SymbolGraph, request: Wanted) -> bool:
        """Do a part of what `fill` would take long for, some milliseconds; whether there is more to do."""
        wanted = request.kinds is None or any(kind in request.kinds for kind, _ in SLOW)
        return wanted and graph.prepare_usages(request.path, request.offset)

    def fill(self, graph: SymbolGraph, request: Wanted, *, late: bool = False) -> None:
        """Gather them now; takes tens of milliseconds if nothing was prepared.  `late`: also what there was no time
        for before."""
        work = _Gathering(graph, request, [], time.perf_counter() + 0.5)
        _run(work, (*FAST, *SLOW) if late else SLOW)
        self._kept[(request.path, scope_name(graph, request))] = (self._clock(), tuple(work.parts))
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)


def scope_name(graph: SymbolGraph, request: Wanted) -> str:
    """The innermost definition around the cursor."""
    around = graph.enclosing(request.path, request.offset)
    return around[0].qualified_name if around else ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The parts for a cursor, most stable first; whether the slow ones are still to be gathered, and whether there was
    no time for some of the others."""

    parts: tuple[ContextPart, ...]
    missing: bool = False
    missed: bool = False


def gather(graph: SymbolGraph, request: Wanted, slow: SlowParts | None = None) -> Gathered:
    """The parts for a cursor, within the time that the request gives.

    Without `slow` everything is gathered at once, which takes longer than a key press allows.
    """
    work = _Gathering(graph, request, [], time.perf_counter() + request.deadline_ms / 1000)
    _run(work, FAST)
    missing = False
    if slow is None:
        _run(work, SLOW)
    else:
        have = slow.get(request.path, scope_name(graph, request))
        missing = have is None
        for part in have or ():
            work.add(part.path, part.text, part.kind, part.value)
    if request.kinds is None or "edit" in request.kinds:
        for part in request.edits:
            work.add(part.path, part.text, "edit", part.value)
    return Gathered(choose(work.parts, request.budget), missing, work.missed)


def _run(work: _Gathering, sources: tuple[Source, ...]) -> None:
    kinds = work.request.kinds
    with work.graph.within(work.deadline):
        for kind, source in sources:
            if (kinds is None or kind in kinds) and not work.late():
                try:
                    source(work)
                except LateError:
                    work.missed = True


def tokens_of(text: str) -> int:
    """Tokens that a text will take, estimated from its bytes."""
    return max(1, round(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN))


def choose(parts: Iterable[ContextPart], budget: int) -> tuple[ContextPart, ...]:
    """The parts with the highest value that fit, in the order of how seldom they change; a window is cut to fit."""
    left = budget
    kept: list[ContextPart] = []
    for part in sorted(parts, key=lambda p: -p.value):
        cost = tokens_of(part.text) + 8
        if cost > left and part.kind == "usage":
            part = _shortened(part, left - 8)
            cost = tokens_of(part.text) + 8
        if cost <= left:
            kept.append(part)
            left -= cost
    merged = _merged(kept)
    return tuple(sorted(merged, key=lambda p: (_ORDER.get(p.kind, 9), p.path)))


def _shortened(part: ContextPart, tokens: int) -> ContextPart:
    """A window without as many of its last lines as it has to lose; as it is if fewer than `LEAST_LINES` would stay."""
    lines = part.text.split("\n")
    while len(lines) > LEAST_LINES and tokens_of("\n".join(lines)) > tokens:
        lines.pop()
    text = "\n".join(lines).rstrip("\n") + "\n"
    return replace(part, text=text) if tokens_of(text) <= tokens else part


def _merged(parts: list[ContextPart]) -> list[ContextPart]:
    """Parts of the same file and kind as one, so that its path is written once."""
    out: dict[tuple[str, str], ContextPart] = {}
    for part in parts:
        key = (part.path, part.kind)
        have = out.get(key)
        if have is None:
            out[key] = part
        else:
            joined = have.text.rstrip("\n") + "\n" + part.text
            out[key] = replace(have, text=joined, value=max(have.value, part.value))
    return list(out.values())


def _definitions(work: _Gathering) -> None:
    """Definitions of the names used near the cursor and in the headers around it."""
    seen: set[str] = set()
    for rank, (name, at) in enumerate(near_names(work.text, work.offset)):
        if work.late() or rank >= 24:
            break
        for symbol in work.defined(at):
            if symbol.qualified_name in seen or symbol.path == work.path:
                continue
            seen.add(symbol.qualified_name)
            weight = {Origin.WORKSPACE: 1.0, Origin.INSTALLED: 0.6}.get(symbol.origin, 0.0)
            if weight and name not in _SKIP:
                work.add(symbol.path, shown(work, symbol), "definition", weight / (1 + 0.15 * rank))


def near_names(text: str, offset: int) -> list[tuple[str, int]]:
    """Names near the cursor with the byte offset of one of their uses, nearest first."""
    data = text.encode("utf-8", "surrogateescape")
    before = data[:offset].decode("utf-8", "surrogateescape")
    lines = before.split("\n")
    region = "\n".join(lines[-NEAR_LINES:])
    base = offset - len(region.encode("utf-8", "surrogateescape"))
    out: dict[str, int] = {}
    for found in reversed(list(_WORD.finditer(region))):
        name = found.group()
        if name in _SKIP or name in out or found.end() == len(region):
            continue
        out[name] = base + len(region[: found.start()].encode("utf-8", "surrogateescape"))
    return list(out.items())


def shown(work: _Gathering, symbol: Symbol) -> str:
    """A symbol as the model sees it: a function's header, a class in outline with its constructor first."""
    if symbol.kind is not DefinitionKind.CLASS:
        return stub(symbol)
    return outline(work.graph, symbol)


def outline(graph: SymbolGraph, symbol: Symbol, limit: int = 24) -> str:
    """A class with the headers of its public members."""
    facts = graph.facts(symbol.path)
    head = stub(symbol).replace(": ...\n", ":\n")
    if facts is None:
        return head
    own = symbol.qualified_name.removeprefix(f"{symbol.module}.") if symbol.module else symbol.qualified_name
    lines: list[str] = []
    for definition in facts.definitions:
        if definition.parent != own or len(lines) >= limit:
            continue
        if symbol.header is not None:
            if not (definition.value or "").startswith("private"):
                lines.append(f"    {definition.value or definition.name}\n")
            continue
        if not definition.is_public and definition.name != "__init__":
            continue
        if definition.name.startswith("__") and definition.name not in ("__init__", "__call__", "__enter__"):
            continue
        member = Symbol(
            name=definition.name,
            qualified_name=definition.qualified_name,
            kind=definition.kind,
            path=symbol.path,
            span=definition.span,
            name_span=definition.name_span,
            signature=definition.signature,
            annotation=definition.annotation,
            decorators=definition.decorators,
        )
        if (
            definition.kind in CALLABLE
            or definition.kind in (DefinitionKind.PROPERTY, DefinitionKind.VARIABLE)
            or (definition.kind is DefinitionKind.ATTRIBUTE and definition.annotation)
        ):
            lines.append(stub(member, "    "))
    if symbol.header is not None:
        return head + "".join(lines)
    return head + ("".join(lines) or "    ...\n")


def _outlines(work: _Gathering) -> None:
    """The bases of the class around the cursor, in outline."""
    for around in work.graph.enclosing(work.path, work.offset):
        if around.kind is not DefinitionKind.CLASS:
            continue
        for base in around.bases:
            name = base.partition("[")[0].rpartition(".")[2]
            for symbol in work.graph.find(name)[:1]:
                if symbol.kind is DefinitionKind.CLASS and symbol.path != work.path and not work.late():
                    work.add(symbol.path, outline(work.graph, symbol), "outline", 0.9)
        return


def _usages(work: _Gathering) -> None:
    """Windows of other files that look like the code at the cursor: the best one before the definitions."""
    for rank, window in enumerate(work.graph.usages(work.path, work.offset, limit=2, patient=True)):
        if work.late() or window.score < work.request.alike:
            return
        work.add(window.path, window.text, "usage", (USAGE_VALUE + 0.4 * window.score) / (1 + rank))


Source = tuple[str, Callable[[_Gathering], None]]
FAST: tuple[Source, ...] = (("definition", _definitions), ("outline", _outlines))
SLOW: tuple[Source, ...] = (("usage", _usages),)
