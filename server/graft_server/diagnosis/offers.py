"""What a unit of a file offers to the others, and what it takes: see `units`."""

from __future__ import annotations

import ast
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from keyword import iskeyword

from graft_indexer.bodies import always_leaves
from graft_indexer.returns import MANY_RETURNS
from graft_server.diagnosis.source import Source, children
from graft_server.diagnosis.units import Unit, full_span, nodes_of, text_of, units_of

_WORD = re.compile(r"[^\W\d]\w*")
_DYNAMIC = re.compile(
    rb"__dict__|\bsetattr\b|\bvars\(|\blocals\(|\bglobals\(|\bexec\b|\beval\b|__class__|\btype\(|\bnew_class\b"
    rb"|\bsys\.(?:modules|path)\b|\bbuiltins\b|__defaults__|__kwdefaults__|__code__"
)
"""Words by which code changes what a class or a module has; the lines that hold one count for every unit."""
_METHOD = re.compile(rb"\0[^\0]*\0")
"""What `units.text_of` leaves of a method in the text of its class."""
_SHORT = 40
"""Bytes of a docstring whose words are left in."""
_ASKS = re.compile(rb"\b(?:is|has|get|type|match|callable)\w*\s*\(|\bmatch\b|__class__")
"""What a function must hold for its tests to narrow anything: see `narrowing`."""
_SUMMARIES = 4_000
"""Units whose summary is kept, over all files; about 2 KB each."""
PACKAGE = ""
"""Stands among the words of an import for the file of its package, which `from . import x` does not name."""

Digest = bytes


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
    """Words that count wherever they stand: attributes set on objects, words of strings."""
    prose: frozenset[str]
    """Words of docstrings: one of them may spell an attribute that a unit reads, and no more."""
    read: frozenset[str]
    """Names of attributes that the unit reads."""
    imports: frozenset[str]
    """Words of the import statements in it, and `PACKAGE`."""
    everywhere: bytes
    """Text that counts for every unit: headers of classes, star imports, dynamic lines."""


# -- summaries --------------------------------------------------------------------------------------------------------
_summaries: OrderedDict[tuple[Digest, str, str], Summary] = OrderedDict()


def summarised(source: Source) -> list[tuple[Unit, Summary]]:
    """The units of a file, in order, each with its summary."""
    pairs = []
    for unit in units_of(source):
        data = text_of(source, unit)
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


def import_words(module: str, name: str | None) -> set[str]:
    """The last names of the modules that an import statement gets something from: `from a.b import c` from `b`, where
    `c` may be a module itself; `import a.b` from both, with which nobody can tell what follows."""
    parts = module.split(".")
    return set(parts) if name is None else {parts[-1], name}


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
    docstrings = _docstrings(unit)
    code = _without(source, data, docstrings)
    words = _words(code)
    loose: set[str] = set()
    prose: set[str] = set()
    read: set[str] = set()
    imports: set[str] = set()
    everywhere: list[bytes] = []
    stores: dict[str, list[ast.AST]] = {}
    own = _own_name(node) if unit.owner else ""
    for inner in nodes_of(unit):
        if isinstance(inner, ast.Attribute) and not isinstance(inner.ctx, ast.Load):
            if own and isinstance(inner.value, ast.Name) and inner.value.id == own:
                stores.setdefault(inner.attr, []).append(source.statement_of(inner) or inner)
            loose.add(inner.attr)
        elif isinstance(inner, ast.Attribute):
            read.add(inner.attr)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            if inner in docstrings:
                prose.update(w for w in _WORD.findall(inner.value) if not iskeyword(w))
            elif len(inner.value) <= 2_000:
                loose.update(_WORD.findall(inner.value))
        elif isinstance(inner, ast.ClassDef):
            everywhere.append(_class_header(source, inner))
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            for alias in inner.names:
                if isinstance(inner, ast.ImportFrom):
                    imports |= import_words(inner.module or "", alias.name)
                else:
                    imports |= import_words(alias.name, None)
            if inner.names[0].name == "*":
                everywhere.append(source.segment(source.span(inner)).encode("utf-8", "surrogateescape"))
    if _DYNAMIC.search(data):
        everywhere += [line.strip() for line in data.split(b"\n") if _DYNAMIC.search(line)]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        offers = list(_function_offers(source, node, stores))
    else:
        whole = _digest(code)
        # Who uses a method of a class says its name, but for those that the interpreter calls: the class itself need
        # not lead to what its methods give.
        methods = {s.name for s in unit.apart if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)}
        given = _words(_METHOD.sub(b" ", code)) | {m for m in methods if m.startswith("__")}
        given |= _words(b" ".join(_decorations(source, s) for s in unit.apart))
        offers = [Offer(bound, whole, given) for bound in sorted(_bound(unit))]
    sets = (frozenset(loose), frozenset(prose), frozenset(read), frozenset(imports))
    return Summary(digest, words, tuple(offers), *sets, b"\0".join(everywhere))


def _docstrings(unit: Unit) -> list[ast.Constant]:
    """Strings that are statements."""
    return [
        n.value
        for n in nodes_of(unit)
        if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) and isinstance(n.value.value, str)
    ]


def _without(source: Source, data: bytes, strings: Sequence[ast.Constant]) -> bytes:
    """A unit's text without some of its strings; short ones stay, since the same may stand there as an annotation."""
    for string in strings:
        span = source.span(string)
        if span.end - span.start > _SHORT:
            data = data.replace(source.data[span.start : span.end], b'""')
    return data


def _decorations(source: Source, statement: ast.stmt) -> bytes:
    """What stands before `def`."""
    return source.data[full_span(source, statement).start : source.span(statement).start]


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
    start = full_span(source, node).start
    body = node.body[0]
    header = source.data[start : full_span(source, body).start]
    statements = list(_statements(node.body))
    slicer = _Slicer(source, statements)
    returns = [s for s in statements if isinstance(s, ast.Return)]
    shape = repr(
        (
            any(isinstance(n, ast.Yield | ast.YieldFrom) for s in node.body for n in ast.walk(s)),
            *_outcome(node, returns),
            all(isinstance(s, ast.Pass | ast.Raise) or _is_text(s) for s in node.body),
        )
    ).encode()
    if _may_decorate(node, returns):
        sliced = source.data[start : source.span(node).end]
    elif node.returns is None and any(s.value is not None for s in returns):
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


def _outcome(node: ast.FunctionDef | ast.AsyncFunctionDef, returns: Sequence[ast.Return]) -> tuple[bool, ...]:
    """What of a function's ways out counts, beside the values it returns: see `graft_indexer.returns` and the check
    `none-used`.  Of an annotated function only whether it returns any."""
    bare = any(s.value is None for s in returns)
    if not any(s.value is not None for s in returns):
        raises = isinstance(node.body[-1], ast.Raise)
        return False, raises, raises and bare, len(returns) > MANY_RETURNS
    if node.returns is not None:
        return (True,)
    return True, bare or not always_leaves(node.body), len(returns) > MANY_RETURNS


def _may_decorate(node: ast.FunctionDef | ast.AsyncFunctionDef, returns: Sequence[ast.Return]) -> bool:
    """Whether a function gives back what it was given, or a function of its own: then all that it does to a class
    counts (see `graft_indexer.handback`)."""
    own = {a.arg for a in (*node.args.posonlyargs, *node.args.args)[:2]}  # the second one of a method
    own |= {s.name for s in node.body if isinstance(s, ast.FunctionDef)}
    names = {s.value.id if isinstance(s.value, ast.Name) else "" for s in returns}
    return isinstance(node.body[-1], ast.Return) and len(names) == 1 and names <= own - {"self"}


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
        asks = any(_ASKS.search(h) for h in self._heads)
        self._counts = [_counts(s, asks=asks) for s in statements]

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
                binds = not relevant.isdisjoint(_binds(statement))
                if given or binds or self._counts[index]:
                    chosen.add(index)
                if given or binds:
                    joined.add(index)
                    grown = grown or not words <= relevant
                    relevant |= words
        known = {id(s) for s in self._statements}
        parts = [b"%d " % self._indent(self._statements[i]) + self._heads[i] + self._leaves(i) for i in sorted(chosen)]
        for place in places:
            if id(place) not in known:
                span = self._source.span(place)
                parts.append(self._source.data[span.start : span.end])
        return b"\n".join(parts)

    def _leaves(self, index: int) -> bytes:
        """Which blocks of a test leave: what comes after them knows how the test went."""
        statement = self._statements[index]
        if not isinstance(statement, ast.If | ast.While | ast.Match):
            return b""
        blocks = [statement.body, statement.orelse] if not isinstance(statement, ast.Match) else []
        blocks += [c.body for c in statement.cases] if isinstance(statement, ast.Match) else []
        return b" " + b"".join(b"!" if b and isinstance(b[-1], _LEAVING) else b"." for b in blocks)

    def _indent(self, statement: ast.stmt) -> int:
        """How deep a statement stands: what stands before it on its line is no part of that."""
        start = self._source.offset(statement.lineno, 0)
        line = self._source.data[start : start + statement.col_offset]
        return len(line) - len(line.lstrip())


_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def _counts(statement: ast.stmt, *, asks: bool) -> bool:
    """Whether a statement matters that mentions a name without binding it: it tests, or may bind in a nested scope."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return True
    return asks and isinstance(statement, ast.If | ast.While | ast.Assert | ast.Match)


def _head(source: Source, statement: ast.stmt) -> bytes:
    """A statement, of a compound one what stands before its block; a nested function or class as a whole."""
    span = full_span(source, statement)
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
    return source.data[span.start : full_span(source, first).start]


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
        stack.extend(c for c in children(node) if not isinstance(c, ast.stmt))
    return names
