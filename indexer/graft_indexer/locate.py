"""Places in a file: the name at an offset, the expression before a dot, the call around a cursor, all references."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graft_indexer.bindings import FUNCTIONS
from graft_indexer.facts import Reference, ReferenceRole, Span
from graft_indexer.graph import CallSite, Symbol
from graft_indexer.positions import path_to, scope_along, scope_at
from graft_indexer.pyfile import PyFile
from graft_indexer.pytree import Tree, children, fix_formatted, parse_expression
from graft_indexer.pytree import place as place_expression
from graft_indexer.scopes import Scope
from graft_indexer.symbols import file_symbol, function_symbol

_WORD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
_CLOSERS = {b")": b"(", b"]": b"[", b"}": b"{"}


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a file: the node that holds it, the name, its span, and for dotted module names how much of it."""

    node: ast.AST
    name: str
    span: Span
    path: tuple[ast.AST, ...]
    module: str | None = None
    """For module names in imports: the dotted name up to the part at the offset."""


def place(file: PyFile, offset: int) -> Place | None:
    """The name at a byte offset (or ending there); None if there is none."""
    tree = file.tree
    word = word_at(tree.data, offset)
    if word is None:
        return None
    path = tuple(path_to(tree, word.start))
    text = tree.data[word.start : word.end].decode("utf-8", "surrogateescape")
    for node in reversed(path):
        found = _in_node(tree, node, word, text, path)
        if found is not None:
            return found
    return _from_text(file, word)


def word_at(data: bytes, offset: int) -> Span | None:
    """The identifier around an offset; None if there is none, or the offset is that of a text that was longer."""
    if offset > len(data):
        return None
    start = end = offset
    while start > 0 and data[start - 1] in _WORD_BYTES:
        start -= 1
    while end < len(data) and data[end] in _WORD_BYTES:
        end += 1
    if start == end or data[start : start + 1].isdigit():
        return None
    return Span(start, end)


_WORD_BYTES = frozenset([*_WORD, *range(0x80, 0x100)])
_WORD_SET = frozenset(_WORD[i : i + 1] for i in range(len(_WORD)))


def _in_node(tree: Tree, node: ast.AST, word: Span, text: str, path: tuple[ast.AST, ...]) -> Place | None:
    match node:
        case ast.Name(id=name) if tree.start(node) == word.start:
            return Place(node, name, word, path)
        case ast.Attribute(attr=name) if tree.end(node) == word.end:
            return Place(node, name, word, path)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.arg() | ast.MatchAs() | ast.MatchStar():
            if tree.name_span(node) == word:
                return Place(node, text, word, path)
        case ast.ExceptHandler(name=str()) | ast.MatchMapping(rest=str()):
            if tree.name_span(node) == word:
                return Place(node, text, word, path)
        case ast.keyword(arg=str()):
            if tree.start(node) == word.start:
                return Place(node, text, word, path)
        case ast.alias(name=name):
            start = tree.start(node)
            if word.start < start + len(name.encode()):
                if "." in name or name == text:
                    upto = tree.data[start : word.end].decode("utf-8", "surrogateescape")
                    return Place(node, text, word, path, upto)
                return None
            return Place(node, text, word, path)
        case ast.ImportFrom(module=module):
            head = tree.data[tree.start(node) : word.end].decode("utf-8", "surrogateescape")
            dotted = head[4:].strip().lstrip(". \t")
            if module is not None and (module == dotted or module.startswith(dotted + ".")):
                return Place(node, text, word, path, dotted)
        case ast.Global() | ast.Nonlocal():
            if text in node.names:
                return Place(node, text, word, path)
    if node.__class__.__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple") and getattr(node, "name", "") == text:
        return Place(node, text, word, path)
    return None


def _from_text(file: PyFile, word: Span) -> Place | None:
    """A name on a line that does not parse: the dotted expression that ends with it, parsed on its own."""
    tree = file.tree
    if not any(b.start <= word.start <= b.end for b in tree.broken):
        return None
    found = receiver(file, word.end)
    node = found[0] if found is not None else None
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        return Place(node, name, word, tuple(path_to(tree, word.start)))
    return None


# -- expressions before an offset --------------------------------------------------------------------------------------


def receiver(file: PyFile, offset: int) -> tuple[ast.expr, Scope] | None:
    """The primary expression that ends at `offset`, from the tree if it is there, else parsed on its own; and the
    scope that it stands in."""
    start = primary_start(file.tree.data, offset)
    if start is None:
        return None
    return expression(file, start, offset)


def expression(file: PyFile, start: int, end: int) -> tuple[ast.expr, Scope] | None:
    """The expression that covers exactly these bytes (parentheses around it may be in them), and its scope."""
    tree = file.tree
    inner_start, inner_end = start, end
    for _ in range(4):
        path = path_to(tree, inner_start)
        for at, node in enumerate(path):
            if isinstance(node, ast.expr) and tree.start(node) == inner_start and tree.end(node) == inner_end:
                return node, scope_along(file.scope, path[: at + 1])
        text = tree.data[inner_start:inner_end]
        if not (text.startswith(b"(") and text.endswith(b")")):
            break
        body = text[1:-1]
        inner_start += 1 + len(body) - len(body.lstrip())
        inner_end -= 1 + len(body) - len(body.rstrip())
    code = tree.data[start:end].decode("utf-8", "surrogateescape")
    parsed = parse_expression(code)
    if parsed is None:
        return None
    place_expression(tree, parsed, start)
    return parsed, scope_at(file.scope, start)


def primary_start(data: bytes, end: int) -> int | None:
    """Where the name, call, subscript, literal or parenthesis that ends at `end` begins; None if nothing does."""
    at = end
    while True:
        while at > 0 and data[at - 1 : at] in b" \t" and at == end:
            return None
        if at <= 0:
            return None
        last = data[at - 1 : at]
        if last in (b")", b"]", b"}"):
            opened = _opening(data, at - 1)
            if opened is None:
                return None
            at = opened
            if at > 0 and (data[at - 1 : at] in _WORD_SET or data[at - 1 : at] in (b")", b"]", b'"', b"'")):
                if last == b"}":
                    return at
                word = word_at(data, at)
                if word is not None and data[word.start : word.end] in _KEYWORDS:
                    return at
                continue
        elif last in (b'"', b"'"):
            opened = _string_start(data, at - 1)
            if opened is None:
                return None
            at = opened
        elif last in _WORD_SET or data[at - 1] >= 0x80:
            while at > 0 and (data[at - 1 : at] in _WORD_SET or data[at - 1] >= 0x80):
                at -= 1
            if data[at : at + 1].isdigit():
                return None
        else:
            return None
        before = at
        while before > 0 and data[before - 1 : before] in (b" ", b"\t"):
            before -= 1
        if before > 0 and data[before - 1 : before] == b"." and data[before - 2 : before] != b"..":
            before -= 1
            while before > 0 and data[before - 1 : before] in (b" ", b"\t", b"\n", b"\r", b"\\"):
                before -= 1
            at = before
            continue
        return at


_KEYWORDS = frozenset(
    b"in is not and or if else return yield await lambda assert del raise from import as with for while elif print "
    b"except case match async".split()
) - {b"print", b"match", b"case"}


def _opening(data: bytes, at: int) -> int | None:
    """The bracket that the closing one at `at` belongs to."""
    stack: list[bytes] = []
    limit = max(0, at - 20_000)
    while at >= limit:
        byte = data[at : at + 1]
        if byte in _CLOSERS:
            stack.append(_CLOSERS[byte])
        elif byte in (b"(", b"[", b"{"):
            if not stack or stack.pop() != byte:
                return None
            if not stack:
                return at
        elif byte in (b'"', b"'"):
            start = _string_start(data, at)
            if start is None:
                return None
            at = start
            while data[at : at + 1] not in (b'"', b"'"):
                at += 1
            at = start
        at -= 1
    return None


def _string_start(data: bytes, at: int) -> int | None:
    """Where the string literal whose last quote is at `at` begins, prefix included."""
    quote = data[at : at + 1]
    if data[at - 2 : at + 1] == quote * 3 and at >= 5:
        start = data.rfind(quote * 3, 0, at - 2)
    else:
        start = at - 1
        while start >= 0:
            if data[start : start + 1] == b"\n":
                return None
            if data[start : start + 1] == quote and not _escaped(data, start):
                break
            start -= 1
    if start < 0:
        return None
    prefix = start
    while prefix > 0 and start - prefix < 2 and data[prefix - 1 : prefix].lower() in (b"f", b"r", b"b", b"u"):
        prefix -= 1
    if prefix > 0 and data[prefix - 1 : prefix] in _WORD_SET:
        return start
    return prefix


def _escaped(data: bytes, at: int) -> bool:
    count = 0
    while at - count - 1 >= 0 and data[at - count - 1 : at - count] == b"\\":
        count += 1
    return count % 2 == 1


def call_in_text(file: PyFile, offset: int) -> CallSite | None:
    """The call around an offset on lines that do not parse: the nearest open parenthesis behind a callee."""
    data = file.tree.data
    depth, at = 0, offset - 1
    limit = max(0, offset - 4_000)
    while at >= limit:
        byte = data[at : at + 1]
        if byte in (b'"', b"'"):
            start = _string_start(data, at)
            if start is None:
                return None
            at = start - 1
            continue
        if byte in _CLOSERS:
            depth += 1
        elif byte in (b"(", b"[", b"{"):
            if depth == 0:
                if byte != b"(":
                    at -= 1
                    continue
                begin = primary_start(data, at)
                word = word_at(data, begin) if begin is not None else None
                if begin is None or (word is not None and data[word.start : word.end] in _KEYWORDS):
                    at -= 1
                    continue
                end = _closing(data, at)
                if not any(b.start <= at <= b.end for b in file.tree.broken):
                    return None
                return CallSite(Span(begin, end), Span(begin, at), Span(at, end))
            depth -= 1
        elif byte == b"\n" and depth == 0 and not _continues(data, at):
            return None
        at -= 1
    return None


def _continues(data: bytes, at: int) -> bool:
    """Whether the line that ends at `at` plainly goes on (open bracket or comma)."""
    return data[:at].rstrip()[-1:] in (b"(", b",", b"[", b"{", b"\\")


def _closing(data: bytes, at: int) -> int:
    depth = 0
    end = data.find(b"\n", at)
    end = len(data) if end < 0 else end
    for index in range(at, end):
        byte = data[index : index + 1]
        if byte in (b"(", b"[", b"{"):
            depth += 1
        elif byte in _CLOSERS:
            depth -= 1
            if depth == 0:
                return index + 1
    return end


# -- definitions around, references in ------------------------------------------------------------------------------


def enclosing(file: PyFile, offset: int) -> list[Symbol]:
    """Definitions around `offset`, innermost first; the module is last."""
    from graft_indexer.classes import class_of
    from graft_indexer.symbols import class_symbol

    found: list[Symbol] = []
    scope = scope_at(file.scope, offset)
    while scope.parent is not None:
        outer = scope.parent
        while outer.type_parameters and outer.parent is not None:
            outer = outer.parent
        if scope.is_function and isinstance(scope.node, FUNCTIONS):
            found.append(function_symbol(file, scope.node, outer))
        elif scope.is_class and isinstance(scope.node, ast.ClassDef):
            found.append(class_symbol(class_of(file, scope.node, outer)))
        scope = scope.parent
    header = next((n for n in reversed(path_to(file.tree, offset)) if isinstance(n, (*FUNCTIONS, ast.ClassDef))), None)
    if header is not None and file.tree.full_span(header).start <= offset < file.tree.end(header):
        span = file.tree.full_span(header)
        if not any(s.span == span for s in found):
            outer = scope_at(file.scope, max(span.start - 1, 0)) if span.start else file.scope
            if header in file.tree.body:
                outer = file.scope
            if isinstance(header, ast.ClassDef):
                found.insert(0, class_symbol(class_of(file, header, outer)))
            elif isinstance(header, FUNCTIONS):
                found.insert(0, function_symbol(file, header, outer))
    found.append(file_symbol(file))
    return found


def references(file: PyFile) -> Sequence[Reference]:
    """Every reference in a file with its role, in source order."""
    known = file.memo.get("references")
    if known is None:
        found = [Reference(name, role, span) for name, role, span, _ in occurrences(file)]
        found.sort(key=lambda r: r.span)
        known = file.memo["references"] = tuple(found)
    return known  # type: ignore[return-value]


def occurrences(file: PyFile) -> Iterator[tuple[str, ReferenceRole, Span, ast.AST]]:
    """Every reference with its node; definitions' own names are not references."""
    tree = file.tree
    for statement in tree.body:
        yield from _walk(tree, statement, ReferenceRole.READ)


_R = ReferenceRole


def _walk(tree: Tree, node: ast.AST, role: ReferenceRole) -> Iterator[tuple[str, ReferenceRole, Span, ast.AST]]:
    match node:
        case ast.Name(id=name):
            yield name, _role(node, role), tree.span(node), node
            return
        case ast.Attribute(attr=name, value=value):
            yield from _walk(tree, value, _R.READ)
            kind = _role(node, _R.ATTRIBUTE if role is _R.READ else role)
            yield name, kind, tree.name_span(node), node
            return
        case ast.Call(func=func, args=args, keywords=keywords):
            yield from _walk(tree, func, _R.CALL)
            for argument in args:
                yield from _walk(tree, argument, _R.READ)
            for keyword in keywords:
                if keyword.arg is not None:
                    yield keyword.arg, _R.KEYWORD, tree.name_span(keyword), keyword
                yield from _walk(tree, keyword.value, _R.READ)
            return
        case ast.ClassDef():
            for decorator in node.decorator_list:
                yield from _walk(tree, decorator, _R.READ)
            for base in node.bases:
                yield from _walk(tree, base, _R.INHERIT)
            for keyword in node.keywords:
                yield from _walk(tree, keyword.value, _R.INHERIT)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            for decorator in node.decorator_list:
                yield from _walk(tree, decorator, _R.READ)
            yield from _walk(tree, node.args, _R.READ)
            if node.returns is not None:
                yield from _walk(tree, node.returns, _R.TYPE)
        case ast.arg(annotation=annotation):
            if annotation is not None:
                yield from _walk(tree, annotation, _R.TYPE)
            return
        case ast.AnnAssign(target=target, annotation=annotation, value=value):
            yield from _walk(tree, target, role)
            yield from _walk(tree, annotation, _R.TYPE)
            if value is not None:
                yield from _walk(tree, value, _R.READ)
            return
        case ast.Import(names=names):
            for alias in names:
                yield (
                    alias.name,
                    _R.IMPORT,
                    Span(tree.start(alias), tree.start(alias) + len(alias.name.encode())),
                    alias,
                )
            return
        case ast.ImportFrom(names=names):
            for alias in names:
                if alias.name != "*":
                    span = Span(tree.start(alias), tree.start(alias) + len(alias.name.encode()))
                    yield alias.name, _R.IMPORT, span, alias
            return
        case ast.JoinedStr():
            for item in fix_formatted(tree, node):
                yield from _walk(tree, item, _R.READ)
            return
        case ast.Subscript(value=value, slice=index) if role in (_R.TYPE, _R.INHERIT):
            yield from _walk(tree, value, role)
            yield from _walk(tree, index, _R.TYPE)
            return
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        for parameter in getattr(node, "type_params", []):
            yield from _walk(tree, parameter, _R.TYPE)
        for statement in node.body:
            yield from _walk(tree, statement, _R.READ)
        return
    inner = role if role is _R.TYPE else _R.READ
    for child in children(node):
        yield from _walk(tree, child, inner)


def _role(node: ast.Name | ast.Attribute, role: ReferenceRole) -> ReferenceRole:
    if isinstance(node.ctx, ast.Store):
        return _R.WRITE
    if isinstance(node.ctx, ast.Del):
        return _R.DELETE
    return role
