"""`undefined-name`: a name that no visible scope, import or builtin binds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graft_server.diagnosis.distance import closest
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.scopes import BUILTINS, unbound
from graft_server.diagnosis.source import Source, guarded_by
from graft_server.diagnosis.subject import Subject

CODE = "undefined-name"
SEVERITY = Severity.ERROR

_PYTHON_2 = frozenset(
    {
        *("unicode", "basestring", "long", "xrange", "raw_input", "unichr", "reduce", "file", "cmp", "execfile"),
        *("reload", "apply", "buffer", "intern", "coerce"),
    }
)
_INJECTED = frozenset({"_", "get_ipython", "get_config", "__IPYTHON__", "reveal_type", "reveal_locals"})
"""Put there by gettext, IPython, Jupyter's configuration, and type checkers."""
_IN_NOTEBOOKS = frozenset({"display", "In", "Out", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh"})


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Two witnesses: the file's own scopes, and the graph's closed list of visible names."""
    graph, path, source = subject.graph, subject.path, subject.source
    for name in sorted(unbound(source.tree), key=lambda n: (n.lineno, n.col_offset)):
        if _excused(source, name) or (name.id in _IN_NOTEBOOKS and path.endswith((".ipynb", ".ipynb.py"))):
            continue
        span = source.span(name)
        visible = graph.visible_names(path, span.start)
        if not visible.closed:
            continue
        names = {s.name for s in visible.value}
        if name.id in names:
            continue
        near = closest(name.id, names, last=BUILTINS)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        yield Diagnostic(
            path, span, CODE, SEVERITY, f"`{name.id}` is not defined{hint}", names=(name.id,), candidates=tuple(near)
        )


def _excused(source: Source, name: ast.Name) -> bool:
    if name.id in _INJECTED or guarded_by(source, name, "NameError"):
        return True
    if name.id in _PYTHON_2:
        # `unicode if PY2 else str`, `try: input = raw_input`: the branch that this interpreter never takes.
        branches = (ast.If, ast.IfExp, ast.Try, ast.BoolOp)
        return any(isinstance(p, branches) for p in source.ancestors(name))
    if isinstance(name.ctx, ast.Del):
        return True
    return any(_tests_for(p, name.id) for p in source.ancestors(name))


def _tests_for(node: ast.AST, name: str) -> bool:
    """`if "name" in globals():`"""
    stack: list[ast.AST] = [node.test] if isinstance(node, ast.If | ast.IfExp) else []
    while stack:
        inner = stack.pop()
        if isinstance(inner, ast.Constant) and inner.value == name:
            return True
        stack += () if isinstance(inner, ast.JoinedStr) else ast.iter_child_nodes(inner)
    return False
