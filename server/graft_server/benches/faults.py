"""Faults planted in working code, and random mutations of it."""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft_indexer.facts import Span
from graft_indexer.text import encode
from graft_server.diagnosis.source import Source, guarded_by, parse
from graft_server.edits import Edit, apply_edits


@dataclass(frozen=True, slots=True)
class Fault:
    """`text` is the whole file with the fault, `span` where a finding must overlap it."""

    kind: str
    text: str
    span: Span
    what: str


KINDS = (
    *("name", "member", "import", "keyword", "missing", "extra", "duplicate", "swapped", "await", "none"),
    *("unreachable", "format"),
)


def plant(
    folder: Path,
    path: str,
    text: str,
    random_: random.Random,
    so_far: Counter[str],
    kinds: Sequence[str] = KINDS,
) -> Iterator[Fault]:
    """At most one fault of each kind in a file, at places that jedi resolves; kinds with fewer so far come first."""
    import jedi

    source = parse(text)
    if source is None or len(text) > 150_000 or "noqa" in text or not source.tree.body:
        return
    script = jedi.Script(code=text, path=folder / path, project=jedi.Project(folder, load_unsafe_extensions=False))
    for kind in sorted(kinds, key=lambda k: so_far[k]):
        nodes = list(_PLACES[kind](source))
        random_.shuffle(nodes)
        for node in nodes[: _TRIES.get(kind, 4)]:
            fault = _try(kind, source, script, node, path)
            if fault is not None:
                yield fault
                break


_TRIES = {"swapped": 12, "await": 8, "format": 8, "none": 8}
"""Places tried per file and kind; more for kinds that most places are not fit for."""


def _try(kind: str, source: Source, script: Any, node: ast.AST, path: str) -> Fault | None:
    try:
        edit, what = _MAKERS[kind](source, script, node)
    except (_NotHere, AttributeError, IndexError, KeyError, RecursionError, ValueError):
        # jedi raises all of these on valid code that it does not understand; such a place is no place for a fault.
        return None
    text = apply_edits(source.text, [Edit(path, edit.start, edit.end, edit.text)])
    if parse(text) is None:
        return None
    return Fault(kind, text, Span(edit.start, edit.start + max(1, len(edit.text.encode()))), what)


class _NotHere(Exception):
    """The place is not fit for this kind of fault."""


def _typo(name: str) -> str:
    """A slip that is no other word: a letter doubled in the middle, then one dropped from the end."""
    middle = len(name) // 2
    return name[:middle] + name[middle] + name[middle:] + "q"


def _jedi_place(source: Source, offset: int) -> tuple[int, int]:
    line = source.lines.line_at(offset)
    start = source.lines.starts[line]
    return line + 1, len(source.data[start:offset].decode("utf-8", "surrogateescape"))


def _resolves(source: Source, script: Any, offset: int) -> list[Any]:
    line, column = _jedi_place(source, offset)
    found: list[Any] = script.goto(line, column, follow_imports=True)
    if not found:
        raise _NotHere
    return found


def _name(source: Source, script: Any, node: Any) -> tuple[Edit, str]:
    span = source.span(node)
    _resolves(source, script, span.start)
    return Edit("", span.start, span.end, _typo(node.id)), f"{node.id} at line {node.lineno}"


def _member(source: Source, script: Any, node: Any) -> tuple[Edit, str]:
    span = source.span(node)
    start = span.end - len(node.attr.encode())
    _resolves(source, script, start)
    line, column = _jedi_place(source, source.span(node.value).end)
    if not script.infer(line, column):
        raise _NotHere
    return Edit("", start, span.end, _typo(node.attr)), f"{ast.unparse(node)[-60:]} at line {node.lineno}"


def _import(source: Source, script: Any, node: Any) -> tuple[Edit, str]:
    alias = node.names[0]
    span = source.span(alias)
    if alias.name == "*":
        raise _NotHere
    _resolves(source, script, span.start)
    name = alias.name
    return Edit("", span.start, span.start + len(name), _typo(name)), f"from {node.module} import {name}"


def _signature(source: Source, script: Any, call: Any) -> Any:
    at = source.span(call.func).end + 1
    if source.data[at - 1 : at] != b"(":
        raise _NotHere
    line, column = _jedi_place(source, at)
    signatures = script.get_signatures(line, column)
    if len(signatures) != 1 or signatures[0].type not in ("function", "class"):
        raise _NotHere
    signature = signatures[0]
    kinds = {p.kind.name for p in signature.params}
    if not signature.params or kinds & {"VAR_POSITIONAL", "VAR_KEYWORD"}:
        raise _NotHere
    _own(source, script, call)
    return signature


def _own(source: Source, script: Any, call: Any) -> None:
    """Only functions written in Python can be read by a parser; stubs with several overloads are no single target."""
    end = source.span(call.func).end - 1
    for definition in _resolves(source, script, end):
        if definition.module_path is None or Path(definition.module_path).suffix != ".py":
            raise _NotHere


def _keyword(source: Source, script: Any, call: Any) -> tuple[Edit, str]:
    keyword = call.keywords[0]
    _signature(source, script, call)
    start = source.span(keyword).start
    return (
        Edit("", start, start + len(keyword.arg.encode()), _typo(keyword.arg)),
        f"{ast.unparse(call)[:60]} at line {call.lineno}",
    )


def _missing(source: Source, script: Any, call: Any) -> tuple[Edit, str]:
    signature = _signature(source, script, call)
    required = [p for p in signature.params if "=" not in p.description]
    if len(call.args) != 1 or len(required) < 1 or call.keywords:
        raise _NotHere
    inside = source.span(call.args[0])
    # The finding may stand on the callee.
    start = source.span(call.func).start
    text = source.segment(Span(start, inside.start))
    return Edit("", start, inside.end, text), f"{ast.unparse(call)[:60]} at line {call.lineno}"


def _extra(source: Source, script: Any, call: Any) -> tuple[Edit, str]:
    signature = _signature(source, script, call)
    if call.keywords or len(call.args) > len(signature.params):
        raise _NotHere
    end = source.span(call).end - 1
    extra = ", ".join(["None"] * (len(signature.params) + 1 - len(call.args)))
    text = (", " if call.args else "") + extra
    return Edit("", end, end, text), f"{ast.unparse(call)[:60]} at line {call.lineno}"


def _duplicate(source: Source, script: Any, call: Any) -> tuple[Edit, str]:
    signature = _signature(source, script, call)
    first = signature.params[0]
    if not call.args or first.kind.name != "POSITIONAL_OR_KEYWORD" or any(k.arg == first.name for k in call.keywords):
        raise _NotHere
    end = max(source.span(a).end for a in (*call.args, *call.keywords))
    value = source.segment(source.span(call.args[0]))
    return Edit("", end, end, f", {first.name}={value}"), f"{ast.unparse(call)[:60]} at line {call.lineno}"


def _swapped(source: Source, script: Any, call: Any) -> tuple[Edit, str]:
    signature = _signature(source, script, call)
    names = [p.name for p in signature.params]
    given = [a.id if isinstance(a, ast.Name) else None for a in call.args]
    for first in range(len(given) - 1):
        pair = given[first : first + 2]
        if pair == names[first : first + 2] and None not in pair:
            one, two = (source.span(a) for a in call.args[first : first + 2])
            text = f"{pair[1]}, {pair[0]}"
            return Edit("", one.start, two.end, text), f"{ast.unparse(call)[:60]} at line {call.lineno}"
    raise _NotHere


def _await(source: Source, script: Any, node: Any) -> tuple[Edit, str]:
    """Only a coroutine function that the package itself defines."""
    _own(source, script, node.value)
    for definition in _resolves(source, script, source.span(node.value.func).end - 1):
        line = definition.get_line_code() if definition.line else ""
        if not line.lstrip().startswith("async def"):
            raise _NotHere
    span, inner = source.span(node), source.span(node.value)
    text = source.segment(inner)
    return Edit("", span.start, inner.end, text), f"{ast.unparse(node)[:60]} at line {node.lineno}"


def _none(source: Source, script: Any, statement: Any) -> tuple[Edit, str]:
    """The result of a function that gives nothing gets an attribute read."""
    call = statement.value
    _own(source, script, call)
    line, column = _jedi_place(source, source.span(call.func).end - 1)
    found = [d for n in script.infer(line, column) for d in n.execute()]
    if not found or any(d.full_name != "builtins.NoneType" and d.name != "NoneType" for d in found):
        raise _NotHere
    span = source.span(call)
    text = source.segment(span) + ".value"
    return Edit("", span.start, span.end, text), f"{ast.unparse(call)[:60]} at line {call.lineno}"


def _unreachable(source: Source, script: Any, function: Any) -> tuple[Edit, str]:
    """`return` before the last statement of a body."""
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    last = body[-1] if len(body) > 1 else None
    plain = (ast.Assign, ast.Expr, ast.For, ast.If, ast.AugAssign)
    if not isinstance(last, plain) or any(isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(function)):
        raise _NotHere
    span = source.span(last)
    indent = " " * last.col_offset
    text = f"return\n{indent}{source.segment(span)}"
    return Edit("", span.start, span.end, text), f"{function.name} at line {function.lineno}"


def _format(source: Source, script: Any, node: Any) -> tuple[Edit, str]:
    """One value of a `%` format is dropped."""
    if not (isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)):
        raise _NotHere
    if not isinstance(node.right, ast.Tuple) or len(node.right.elts) < 2:
        raise _NotHere
    last, before = source.span(node.right.elts[-1]), source.span(node.right.elts[-2])
    span = source.span(node)
    head = Span(span.start, before.end)
    if len(node.right.elts) == 2:
        return Edit("", span.start, last.end, source.segment(head) + ","), f"line {node.lineno}"
    return Edit("", span.start, last.end, source.segment(head)), f"line {node.lineno}"


def _calls(source: Source) -> Iterator[ast.Call]:
    for call in source.all(ast.Call):
        starred = any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)
        if (
            isinstance(call.func, ast.Name | ast.Attribute)
            and not starred
            and not guarded_by(source, call, "TypeError")
        ):
            yield call


_PLACES: dict[str, Callable[[Source], Iterator[ast.AST]]] = {
    "name": lambda s: (
        n
        for n in s.all(ast.Name)
        if isinstance(n.ctx, ast.Load) and len(n.id) > 1 and not guarded_by(s, n, "NameError")
    ),
    "member": lambda s: (
        n
        for n in s.all(ast.Attribute)
        if isinstance(n.ctx, ast.Load) and not n.attr.startswith("__") and not guarded_by(s, n, "AttributeError")
    ),
    "import": lambda s: (
        n
        for n in s.all(ast.ImportFrom)
        if n.module != "__future__" and not isinstance(s.parents[n], ast.Try | ast.ExceptHandler | ast.If)
    ),
    "keyword": lambda s: (c for c in _calls(s) if c.keywords),
    "missing": lambda s: (c for c in _calls(s) if c.args),
    "extra": lambda s: _calls(s),
    "duplicate": lambda s: (c for c in _calls(s) if c.args),
    "swapped": lambda s: (c for c in _calls(s) if sum(isinstance(a, ast.Name) for a in c.args) > 1),
    "await": lambda s: (
        n
        for n in s.all(ast.Await)
        if isinstance(n.value, ast.Call)
        and isinstance(n.value.func, ast.Name | ast.Attribute)
        and isinstance(s.parents[n], ast.Expr | ast.Attribute | ast.Subscript)
    ),
    "none": lambda s: (
        n
        for n in s.all(ast.Expr)
        if isinstance(n.value, ast.Call)
        and isinstance(n.value.func, ast.Name)
        and not guarded_by(s, n, "AttributeError", "TypeError")
    ),
    "unreachable": lambda s: s.all(ast.FunctionDef),
    "format": lambda s: (n for n in s.all(ast.BinOp) if not guarded_by(s, n, "TypeError", "ValueError")),
}
_MAKERS: dict[str, Callable[[Source, Any, Any], tuple[Edit, str]]] = {
    "name": _name,
    "member": _member,
    "import": _import,
    "keyword": _keyword,
    "missing": _missing,
    "extra": _extra,
    "duplicate": _duplicate,
    "swapped": _swapped,
    "await": _await,
    "none": _none,
    "unreachable": _unreachable,
    "format": _format,
}

_WORD = re.compile(rb"[A-Za-z_]\w*")


def mutate(text: str, random_: random.Random) -> str | None:
    """One random edit: a word misspelt, dropped, doubled or swapped with another; a line dropped or moved."""
    data = encode(text)
    words = list(_WORD.finditer(data))
    if len(words) < 2:
        return None
    how = random_.choice(("misspell", "misspell", "drop", "swap", "double", "line", "argument"))
    word = random_.choice(words)
    start, end = word.span()
    if how == "misspell":
        changed = _typo(word.group().decode()).encode()
    elif how == "drop":
        changed = b""
    elif how == "double":
        changed = word.group() + b"." + word.group()
    elif how == "swap":
        changed = random_.choice(words).group()
    elif how == "argument":
        at = data.find(b"(", end)
        if at < 0:
            return None
        start = end = at + 1
        changed = random_.choice((b"None, ", b"nonsense=1, ", b"*x, "))
    else:
        start = data.rfind(b"\n", 0, start) + 1
        end = data.find(b"\n", end) + 1 or len(data)
        changed = b""
    mutated = data[:start] + changed + data[end:]
    return mutated.decode("utf-8", "surrogateescape") if mutated != data else None
