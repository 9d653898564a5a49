"""Where an import statement goes, and how it is written: like the imports that are already there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence

from graft_server.diagnosis.source import Source
from graft_server.edits import Edit

_STDLIB = frozenset(sys.stdlib_module_names)


def add_import(source: Source, path: str, module: str, name: str | None, alias: str | None = None) -> Edit:
    """An edit that imports `name` from `module` (dots in front: relative), or `module` itself if `name` is None.

    A `from module import ...` that is there gets the name, in its order if it is sorted; else a new line goes into the
    group it belongs to (standard library, others, this project), in alphabetical order as isort would put it.
    """
    block = _block(source.tree)
    if name is not None:
        extended = _extend(source, path, block, module, name if alias is None else f"{name} as {alias}")
        if extended is not None:
            return extended
        line = f"from {module} import {name}" + (f" as {alias}" if alias else "")
    else:
        line = f"import {module}" + (f" as {alias}" if alias else "")
    return _insert_line(source, path, block, line, module, plain=name is None)


def _block(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    """Top-level imports before the first other statement; those after it if there are none."""
    found: list[ast.Import | ast.ImportFrom] = []
    for index, statement in enumerate(tree.body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found.append(statement)
        elif index == 0 and _is_text(statement):
            continue
        elif found and not isinstance(statement, ast.If | ast.Try | ast.Assign):
            break
    return found


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _extend(
    source: Source, path: str, block: Sequence[ast.Import | ast.ImportFrom], module: str, name: str
) -> Edit | None:
    level = len(module) - len(module.lstrip("."))
    for statement in block:
        if not isinstance(statement, ast.ImportFrom):
            continue
        if (statement.module or "") != module[level:] or statement.level != level or statement.names[0].name == "*":
            continue
        spans = [source.span(a) for a in statement.names]
        names = [a.name for a in statement.names]
        if names == sorted(names, key=_key):
            for alias, span in zip(statement.names, spans, strict=True):
                if _key(alias.name) > _key(name):
                    return Edit(path, span.start, span.start, name + _separator(source, statement))
        return Edit(path, spans[-1].end, spans[-1].end, _separator(source, statement) + name)
    return None


def _separator(source: Source, statement: ast.ImportFrom) -> str:
    """What stands between two names: a comma, and a new line where each name has its own."""
    last = statement.names[-1]
    if last.lineno == statement.lineno or any(
        a.lineno == b.lineno for a, b in zip(statement.names, statement.names[1:], strict=False)
    ):
        return ", "
    start = source.lines.starts[last.lineno - 1]
    return "," + source.newline + source.data[start : source.span(last).start].decode()


def _key(name: str) -> tuple[int, str]:
    """isort's order within a statement: CONSTANTS, Classes, functions."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)


def _group(module: str, own: str) -> int:
    if module.startswith("."):
        return 3
    top = module.split(".", 1)[0]
    if top == "__future__":
        return -1
    return 0 if top in _STDLIB else 2 if top == own else 1


def _insert_line(
    source: Source,
    path: str,
    block: Sequence[ast.Import | ast.ImportFrom],
    line: str,
    module: str,
    *,
    plain: bool,
) -> Edit:
    newline = source.newline
    own = path.split("/", 1)[0]
    group = _group(module, own)
    order = (group, not plain, module.lower())
    if not block:
        at, before = _after_header(source)
        return Edit(path, at, at, before + line + newline + _gap_before_code(source, at))
    previous: ast.stmt | None = None
    for statement in block:
        theirs = _order(statement, own)
        if theirs > order:
            break
        previous = statement
    if previous is None:
        first = block[0]
        at = source.lines.starts[first.lineno - 1]
        gap = newline if _order(first, own)[0] != group else ""
        return Edit(path, at, at, line + newline + gap)
    at = _line_end(source, previous)
    gap = newline if _order(previous, own)[0] != group else ""
    text = gap + line + newline
    if at == len(source.data) and not source.data.endswith((b"\n", b"\r")):
        text = newline + gap + line
    elif gap and (following := _next(block, previous)) is not None and _order(following, own)[0] != group:
        # Between two groups that stand apart already: the blank line below is theirs.
        text = gap + line + newline
    return Edit(path, at, at, text)


def _gap_before_code(source: Source, at: int) -> str:
    """Blank lines between a new import and what follows: two before a definition, one before other code."""
    if source.data[at : at + 1] in (b"", b"\n", b"\r"):
        return ""
    following = next((s for s in source.tree.body if source.span(s).end > at), None)
    defines = isinstance(following, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return source.newline * (2 if defines else 1)


def _next(block: Sequence[ast.stmt], statement: ast.stmt) -> ast.stmt | None:
    index = list(block).index(statement)
    return block[index + 1] if index + 1 < len(block) else None


def _order(statement: ast.stmt, own: str) -> tuple[int, bool, str]:
    if isinstance(statement, ast.ImportFrom):
        module = "." * statement.level + (statement.module or "")
        return (_group(module, own), True, module.lower())
    assert isinstance(statement, ast.Import)
    return (_group(statement.names[0].name, own), False, statement.names[0].name.lower())


def _line_end(source: Source, statement: ast.stmt) -> int:
    line = (statement.end_lineno or statement.lineno) - 1
    return source.lines.starts[line + 1] if line + 1 < len(source.lines) else len(source.data)


def _after_header(source: Source) -> tuple[int, str]:
    """Below the docstring, or below the comments at the top; and what must stand before the line."""
    body = source.tree.body
    if body and _is_text(body[0]):
        at = _line_end(source, body[0])
        ended = source.data[:at].endswith((b"\n", b"\r"))
        return at, source.newline if ended else source.newline * 2
    line = 0
    while line < len(source.lines) - 1:
        start = source.lines.starts[line]
        if not source.data[start : source.lines.end_of(line)].lstrip().startswith(b"#"):
            break
        line += 1
    return source.lines.starts[line], source.newline if line else ""
