"""What of a file must be checked again after an edit.

A file is cut into *units*: every top-level statement, and of a top-level class its shell (header, assignments, nested
classes) and each of its methods.  A unit's findings depend on its own text, on other files, and on what the rest of its
file *offers*: the header of a function and, without annotation, the statements that its returned value comes from; the
assignment behind `self.x`; the whole of a class shell or of another top-level statement.  The dependence is by name
and transitive: a unit that mentions `f` depends on what `f` offers, and so on the names in there.

`unit_keys` turns all this into one digest per unit.  Equal digest, equal findings: a body that is edited without
touching what it offers changes the digest of no other unit.  The estimate errs on the side of checking again.
"""

from __future__ import annotations

import ast
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from graft_indexer.facts import Span
from graft_server.diagnosis.source import Source

_WORD = re.compile(r"[^\W\d]\w*")
_DYNAMIC = re.compile(
    rb"__dict__|\bsetattr\b|\bvars\(|\blocals\(|\bglobals\(|\bexec\b|\beval\b|__class__|\btype\(|\bnew_class\b"
    rb"|\bsys\.(?:modules|path)\b|\bbuiltins\b"
)
"""Words by which code changes what a class or a module has; the lines that hold one count for every unit."""
_SUMMARIES = 4_000
"""Units whose summary is kept, over all files; about 2 KB each."""

Digest = bytes


@dataclass(frozen=True, slots=True)
class Unit:
    """`nodes` are its outermost nodes; `apart` are statements inside them that are units of their own."""

    span: Span
    nodes: tuple[ast.stmt, ...]
    apart: frozenset[ast.stmt]
    owner: str
    """Name of the class whose method it is, else empty."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A name that other units may use, a digest of all that decides what they get, and the words in there."""

    name: str
    digest: Digest
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a unit takes from, and gives to, the rest of its file; from its text alone."""

    digest: Digest
    words: frozenset[str]
    offers: tuple[Offer, ...]
    loose: frozenset[str]
    """Words that count wherever they stand: attributes set on other objects, words of strings."""
    everywhere: bytes
    """Text that counts for every unit: headers of classes, star imports, dynamic lines."""


def units_of(source: Source) -> list[Unit]:
    """The units of a file, in order."""
    found: list[Unit] = []
    for statement in source.tree.body:
        if not isinstance(statement, ast.ClassDef):
            found.append(Unit(_full(source, statement), (statement,), frozenset(), ""))
            continue
        methods = [s for s in statement.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)]
        found.append(Unit(_full(source, statement), (statement,), frozenset(methods), ""))
        found += [Unit(_full(source, m), (m,), frozenset(), statement.name) for m in methods]
    return found


def nodes_of(unit: Unit) -> Iterator[ast.AST]:
    """The nodes of a unit, outermost first."""
    stack: list[ast.AST] = list(reversed(unit.nodes))
    while stack:
        node = stack.pop()
        yield node
        stack.extend(c for c in reversed(list(ast.iter_child_nodes(node))) if c not in unit.apart)


def exposed(source: Source) -> Digest:
    """Digest of all that other files can see of a file: equal for two texts that differ inside bodies only."""
    return _together(source, [s for _, s in _summarised(source)])


def unit_keys(source: Source, others: Digest, *, cyclic: bool) -> list[tuple[Unit, Digest]]:
    """Every unit with the digest of all that its findings depend on.

    `others` stands for the state of all other files.  `cyclic`: a file that this one imports imports this one, so that
    every unit depends on everything that the file offers.
    """
    pairs = _summarised(source)
    together = _together(source, [s for _, s in pairs])
    common = blake2b(others, digest_size=16)
    for _, summary in pairs:
        common.update(summary.everywhere)
    if cyclic:
        common.update(together)
    base = common.digest()
    closure = _closures.get(together)
    if closure is None:
        closure = _closures[together] = _Closure([s for _, s in pairs])
        while len(_closures) > 8:
            _closures.popitem(last=False)
    else:
        _closures.move_to_end(together)
    keyed = []
    for index, (unit, summary) in enumerate(pairs):
        key = blake2b(base, digest_size=16)
        key.update(summary.digest)
        key.update(unit.owner.encode("utf-8", "surrogateescape"))
        place = index if not isinstance(unit.nodes[0], ast.FunctionDef | ast.AsyncFunctionDef) else -1
        key.update(closure.of(summary.words | {unit.owner}, place))
        keyed.append((unit, key.digest()))
    return keyed


class _Closure:
    """Which offers of a file the words of a unit lead to."""

    def __init__(self, summaries: Sequence[Summary]) -> None:
        self._offers = [(index, offer) for index, s in enumerate(summaries) for offer in s.offers]
        self._by_name: dict[str, list[int]] = {}
        for number, (_, offer) in enumerate(self._offers):
            self._by_name.setdefault(offer.name, []).append(number)
        self._loose: frozenset[str] = frozenset().union(*(s.loose for s in summaries))
        self._next = [self._named(offer.words) for _, offer in self._offers]
        self._meets = [offer.words & self._loose for _, offer in self._offers]
        self._known: dict[tuple[frozenset[str], int], Digest] = {}

    def _named(self, words: frozenset[str]) -> tuple[int, ...]:
        names = self._by_name.keys() & words
        return tuple(n for name in names for n in self._by_name[name])

    def of(self, words: frozenset[str], place: int) -> Digest:
        """Digest of what `words` lead to; `place` is the unit's number where the order of statements matters, or -1."""
        key = (words, place)
        known = self._known.get(key)
        if known is not None:
            return known
        seen: set[int] = set()
        stack = list(self._named(words))
        loose = set(words & self._loose)
        while stack:
            number = stack.pop()
            if number not in seen:
                seen.add(number)
                loose |= self._meets[number]
                stack.extend(self._next[number])
        hashed = blake2b(digest_size=16)
        before = 0
        for number in sorted(seen):
            index, offer = self._offers[number]
            hashed.update(offer.digest)
            before += index < place
        hashed.update(" ".join(sorted(loose)).encode("utf-8", "surrogateescape"))
        if place >= 0:
            hashed.update(str(before).encode())
        found = self._known[key] = hashed.digest()
        return found


_closures: OrderedDict[Digest, _Closure] = OrderedDict()


def _together(source: Source, summaries: Sequence[Summary]) -> Digest:
    hashed = blake2b(digest_size=16)
    loose: set[str] = set()
    for summary in summaries:
        for offer in summary.offers:
            hashed.update(offer.name.encode("utf-8", "surrogateescape"))
            hashed.update(offer.digest)
        hashed.update(summary.everywhere + b"\0")
        loose |= summary.loose
    hashed.update(" ".join(sorted(loose)).encode("utf-8", "surrogateescape"))
    return hashed.digest()


# -- summaries --------------------------------------------------------------------------------------------------------
_summaries: OrderedDict[tuple[Digest, str, str], Summary] = OrderedDict()


def _summarised(source: Source) -> list[tuple[Unit, Summary]]:
    pairs = []
    for unit in units_of(source):
        data = _text(source, unit)
        key = (blake2b(data, digest_size=16).digest(), unit.owner, type(unit.nodes[0]).__name__)
        found = _summaries.get(key)
        if found is None:
            found = _summaries[key] = _summarise(source, unit, data, key[0])
            if len(_summaries) > _SUMMARIES:
                _summaries.popitem(last=False)
        else:
            _summaries.move_to_end(key)
        pairs.append((unit, found))
    return pairs


def _full(source: Source, statement: ast.stmt) -> Span:
    """A statement with its decorators."""
    span = source.span(statement)
    decorators = getattr(statement, "decorator_list", None)
    if decorators:
        return Span(min(span.start, source.offset(decorators[0].lineno, 0)), span.end)
    return span


def _text(source: Source, unit: Unit) -> bytes:
    """The unit's text, with what lies apart cut out; what is cut out leaves its name and its decorators."""
    at, end = unit.span.start, unit.span.end
    parts: list[bytes] = []
    for statement in sorted(unit.apart, key=lambda s: s.lineno):
        span = _full(source, statement)
        parts.append(source.data[at : span.start])
        assert isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        head = source.data[span.start : source.span(statement).start]
        parts.append(b"\0" + head + statement.name.encode("utf-8", "surrogateescape") + b"\0")
        at = span.end
    parts.append(source.data[at:end])
    return b"".join(parts)


def _words(data: bytes) -> frozenset[str]:
    return frozenset(_WORD.findall(data.decode("utf-8", "surrogateescape")))


def _digest(*parts: bytes) -> Digest:
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(part)
        hashed.update(b"\0")
    return hashed.digest()


def _summarise(source: Source, unit: Unit, data: bytes, digest: Digest) -> Summary:
    node = unit.nodes[0]
    words = _words(data)
    loose: set[str] = set()
    everywhere: list[bytes] = []
    stores: dict[str, list[ast.AST]] = {}
    own = _own_name(node) if unit.owner else ""
    for inner in nodes_of(unit):
        if isinstance(inner, ast.Attribute) and not isinstance(inner.ctx, ast.Load):
            if own and isinstance(inner.value, ast.Name) and inner.value.id == own:
                stores.setdefault(inner.attr, []).append(source.statement_of(inner) or inner)
            loose.add(inner.attr)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            if len(inner.value) <= 2_000:
                loose.update(_WORD.findall(inner.value))
        elif isinstance(inner, ast.ClassDef):
            everywhere.append(_class_header(source, inner))
        elif isinstance(inner, ast.ImportFrom) and inner.names[0].name == "*":
            everywhere.append(source.segment(source.span(inner)).encode("utf-8", "surrogateescape"))
    if _DYNAMIC.search(data):
        everywhere += [line.strip() for line in data.split(b"\n") if _DYNAMIC.search(line)]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        offers = list(_function_offers(source, node, stores))
    else:
        whole = _digest(data)
        offers = [Offer(name, whole, words) for name in sorted(_bound(unit))]
    return Summary(digest, words, tuple(offers), frozenset(loose), b"\0".join(everywhere))


def _own_name(node: ast.AST) -> str:
    """The first parameter of a method: what `self` is called."""
    arguments = getattr(node, "args", None)
    if not isinstance(arguments, ast.arguments):
        return ""
    first = [*arguments.posonlyargs, *arguments.args][:1]
    return first[0].arg if first else ""


def _class_header(source: Source, node: ast.ClassDef) -> bytes:
    parts = [node.name.encode("utf-8", "surrogateescape")]
    for item in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
        span = source.span(item)
        parts.append(source.data[span.start : span.end])
    return b"\0".join(parts)


def _bound(unit: Unit) -> set[str]:
    """Names that a class shell or another top-level statement binds, its own included."""
    names: set[str] = set()
    for node in nodes_of(unit):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".", 1)[0])
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            names.add(node.attr)
        elif isinstance(node, ast.Global):
            names.update(node.names)
        else:
            name = getattr(node, "name", None)
            if isinstance(name, str):
                names.add(name)
    return names


def _function_offers(
    source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef, stores: Mapping[str, list[ast.AST]]
) -> Iterator[Offer]:
    start = _full(source, node).start
    body = node.body[0]
    header = source.data[start : _full(source, body).start]
    statements = list(_statements(node.body))
    slicer = _Slicer(source, statements)
    returns = [s for s in statements if isinstance(s, ast.Return)]
    shape = repr(
        (
            any(isinstance(n, ast.Yield | ast.YieldFrom) for s in node.body for n in ast.walk(s)),
            [s.value is not None for s in returns],
            _ends(node.body),
            all(isinstance(s, ast.Pass | ast.Raise) or _is_text(s) for s in node.body),
        )
    ).encode()
    if node.returns is None and any(s.value is not None for s in returns):
        sliced = slicer.cut([s for s in returns if s.value is not None])
    else:
        sliced = b""
    yield Offer(node.name, _digest(header, shape, sliced), _words(header + b" " + sliced))
    for attribute, places in sorted(stores.items()):
        sliced = slicer.cut(places)
        yield Offer(attribute, _digest(header, sliced), _words(header + b" " + sliced))
    for statement in statements:
        if isinstance(statement, ast.Global):
            data = source.data[start : source.span(node).end]
            for name in statement.names:
                yield Offer(name, _digest(data), _words(data))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _ends(body: Sequence[ast.stmt]) -> tuple[str, ...]:
    """The kinds of the statements that a block may end with, nested: whether it falls off its end."""
    last = body[-1]
    inner = [getattr(last, name, None) for name in ("body", "orelse", "finalbody")]
    blocks = [b for b in inner if isinstance(b, list) and b and isinstance(b[0], ast.stmt)]
    blocks += [h.body for h in getattr(last, "handlers", [])] + [c.body for c in getattr(last, "cases", [])]
    nested = not isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return (type(last).__name__, *(e for b in blocks if nested for e in _ends(b)))


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a function in order; what stands in nested functions and classes is left to those."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(statement, name, None)
            if isinstance(inner, list):
                yield from _statements(inner)
        for block in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _statements(block.body)


class _Slicer:
    """Cuts out of a function what decides a value."""

    def __init__(self, source: Source, statements: Sequence[ast.stmt]) -> None:
        self._source = source
        self._heads = [_head(source, s) for s in statements]
        self._words = [_words(h) for h in self._heads]
        self._statements = statements

    def cut(self, places: Sequence[ast.AST]) -> bytes:
        """The statements that decide what the expressions in `places` are: those that bind or test a name they use."""
        wanted = {id(p) for p in places}
        relevant: set[str] = set()
        for place in places:
            relevant |= {n.id for n in ast.walk(place) if isinstance(n, ast.Name)}
        chosen: set[int] = set()
        joined: set[int] = set()
        grown = True
        while grown:
            grown = False
            for index, (statement, words) in enumerate(zip(self._statements, self._words, strict=True)):
                given = id(statement) in wanted
                if index in joined or (not given and relevant.isdisjoint(words)):
                    continue
                chosen.add(index)
                if given or not relevant.isdisjoint(_binds(statement)):
                    joined.add(index)
                    grown = grown or not words <= relevant
                    relevant |= words
        known = {id(s) for s in self._statements}
        parts = [b"%d " % self._indent(self._statements[i]) + self._heads[i] for i in sorted(chosen)]
        for place in places:
            if id(place) not in known:
                span = self._source.span(place)
                parts.append(self._source.data[span.start : span.end])
        return b"\n".join(parts)

    def _indent(self, statement: ast.stmt) -> int:
        """How deep a statement stands: what stands before it on its line is no part of that."""
        start = self._source.offset(statement.lineno, 0)
        line = self._source.data[start : start + statement.col_offset]
        return len(line) - len(line.lstrip())


def _head(source: Source, statement: ast.stmt) -> bytes:
    """A statement, of a compound one what stands before its block; a nested function or class as a whole."""
    span = _full(source, statement)
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or not isinstance(body, list):
        return source.data[span.start : span.end]
    if isinstance(statement, ast.Try | getattr(ast, "TryStar", ast.Try)):
        caught = [source.span(h.type) for h in statement.handlers if h.type is not None]
        names = [(h.name or "").encode("utf-8", "surrogateescape") for h in statement.handlers]
        return b"try " + b" ".join([*(source.data[c.start : c.end] for c in caught), *names])
    first = body[0]
    if isinstance(first, ast.match_case):
        end = source.span(first.pattern).start
        more = b" ".join(
            source.data[source.span(c.pattern).start : source.span(c.guard or c.pattern).end]
            for c in body
            if isinstance(c, ast.match_case)
        )
        return source.data[span.start : end] + more
    return source.data[span.start : _full(source, first).start]


def _binds(statement: ast.stmt) -> set[str]:
    """Names that a statement binds; of a compound one, what its header binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names: set[str] = set()
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".", 1)[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        stack.extend(c for c in ast.iter_child_nodes(node) if not isinstance(c, ast.stmt))
    return names
