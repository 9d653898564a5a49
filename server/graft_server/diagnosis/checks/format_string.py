"""`format-string`: a format that does not fit its arguments: `%`, `str.format`, and logging calls."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator

from graft_indexer.graph import SymbolGraph
from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.source import Source, guarded_by
from graft_server.diagnosis.subject import Subject

CODE = "format-string"
SEVERITY = Severity.ERROR

_PERCENT = re.compile(
    r"%(?:\((?P<key>[^)]*)\))?(?P<flags>[#0\- +]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d+))?[hlL]?(?P<type>.?)",
    re.DOTALL,
)
_LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "fatal")
_LOGGERS = ("logging", "logger", "log", "_logger", "_log", "LOG", "LOGGER")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Only literal formats, and only arguments whose number or keys stand in the call."""
    path, source = subject.path, subject.source
    found: list[tuple[ast.expr, tuple[str, tuple[str, ...], tuple[str, ...]]]] = []
    for operation in subject.nodes(ast.BinOp):
        if isinstance(operation.op, ast.Mod) and _literal(operation.left) is not None:
            problem = _percent(str(_literal(operation.left)), operation.right)
            if problem:
                found.append((operation, problem))
    for call in subject.nodes(ast.Call):
        problem = _format_call(call)
        if problem is None:
            problem = _logging_call(call)
            if problem is not None and _other_logger(subject.graph, path, source, call):
                continue
        if problem:
            found.append((call, problem))
    for node, (message, names, near) in found:
        if not guarded_by(source, node, "TypeError", "ValueError", "KeyError", "IndexError"):
            hint = f"; did you mean `{near[0]}`?" if near else ""
            yield Diagnostic(path, source.span(node), CODE, SEVERITY, message + hint, names=names, candidates=near)


_Problem = tuple[str, tuple[str, ...], tuple[str, ...]] | None


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _percent(text: str, right: ast.expr) -> _Problem:
    parsed = _fields(text)
    if parsed is None:
        return None
    count, keys = parsed
    if keys:
        if count != len(keys) or not isinstance(right, ast.Dict):
            return None
        given = [k.value for k in right.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
        if len(given) != len(right.keys):
            return None
        return _missing_key(keys, given, "%")
    if isinstance(right, ast.Tuple):
        if any(isinstance(e, ast.Starred) for e in right.elts):
            return None
        given_count = len(right.elts)
    elif isinstance(right, ast.Constant | ast.JoinedStr | ast.ListComp | ast.List):
        given_count = 1
    else:
        return None
    if given_count == count:
        return None
    return (f"the format takes {_values(count)}, {given_count} given", ("%",), ())


def _fields(text: str) -> tuple[int, list[str]] | None:
    """(number of values, keys) of a `%` format; None if it is not well formed."""
    count, keys = 0, []
    for found in _PERCENT.finditer(text):
        kind = found["type"]
        if kind == "%":
            if found["key"] is not None:
                return None
            continue
        if kind not in "diouxXeEfFgGcrsa" or not kind:
            return None
        count += 1 + (found["width"] == "*") + (found["precision"] == "*")
        if found["key"] is not None:
            keys.append(found["key"])
    return count, keys


def _values(count: int) -> str:
    return "no value" if count == 0 else "1 value" if count == 1 else f"{count} values"


def _missing_key(keys: list[str], given: list[str], how: str) -> _Problem:
    for key in keys:
        if key not in given:
            return (f"the format needs `{key}`, which is not given", (key,), tuple(closest(key, given)))
    return None


def _unpacks(call: ast.Call) -> bool:
    return any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)


def _format_call(call: ast.Call) -> _Problem:
    if not isinstance(call.func, ast.Attribute) or _unpacks(call):
        return None
    text = _literal(call.func.value)
    return _format(text, call) if text is not None and call.func.attr == "format" else None


def _other_logger(graph: SymbolGraph, path: str, source: Source, call: ast.Call) -> bool:
    """Whether a call that looks like `logging`'s goes to something else, which may take what it likes."""
    site = graph.call_at(path, source.span(call).end - 1)
    if site is None:
        return False
    return any(t.symbol.module.split(".")[0] != "logging" for t in graph.call_target(path, site).value)


def _logging_call(call: ast.Call) -> _Problem:
    if not isinstance(call.func, ast.Attribute) or _unpacks(call):
        return None
    receiver = call.func.value
    name = receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")
    if call.func.attr in _LEVELS and name in _LOGGERS and call.args:
        message = _literal(call.args[0])
        parsed = _fields(message) if message is not None else None
        values = call.args[1:]
        if parsed is None or not values or parsed[1]:
            return None
        if parsed[0] != len(values) and not (len(values) == 1 and not isinstance(values[0], ast.Constant | ast.Name)):
            return (f"the message takes {_values(parsed[0])}, {len(values)} given", ("%",), ())
    return None


def _format(text: str, call: ast.Call) -> _Problem:
    positions: set[int] = set()
    names: list[str] = []
    automatic = 0
    stack = [text]
    while stack:
        try:
            parts = list(string.Formatter().parse(stack.pop()))
        except ValueError as error:
            return (f"the format is malformed: {error}", ("{}",), ())
        for _, field, spec, _ in parts:
            if field is None:
                continue
            if spec and "{" in spec:
                stack.append(spec)
            first = re.split(r"[.\[]", field, maxsplit=1)[0]
            if first == "":
                positions.add(automatic)
                automatic += 1
            elif first.isdigit():
                positions.add(int(first))
            else:
                names.append(first)
    missing = [p for p in positions if p >= len(call.args)]
    if missing:
        return (f"the format takes {_values(max(positions) + 1)} by position, {len(call.args)} given", ("{}",), ())
    given = [k.arg for k in call.keywords if k.arg is not None]
    return _missing_key(names, given, "{}")
