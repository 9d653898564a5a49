"""Code that may rightly fail here or never run: below tests for a version, a platform or a flag of one, and imports
whose failure is caught."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from graft_indexer.positions import path_to, scope_at
from graft_indexer.pyfile import PyFile

if TYPE_CHECKING:
    from graft_indexer.world import World

OLD_NAMES = frozenset(
    [
        "unicode",
        "basestring",
        "long",
        "xrange",
        "raw_input",
        "unichr",
        "reduce",
        "file",
        "cmp",
        "execfile",
        "buffer",
        "apply",
        "intern",
        "coerce",
        "reload",
        "StandardError",
        "WindowsError",
    ]
)
"""Builtins of other versions and platforms."""

_VERSION = frozenset({"version_info", "PY2", "PY3", "hexversion", "platform"})


def names_version(world: World, file: PyFile, test: ast.expr) -> bool:
    """Whether a condition asks for a version, a platform or what is there, be it by a variable that was set so."""
    for node in ast.walk(test):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in ("TYPE_CHECKING", "hasattr"):
            return True
        if len(name) > 1 and name.isupper():
            return True  # a flag, such as PYPY or WINDOWS
    return _asks_version(test) or names_flag(world, file, test)


def _asks_version(test: ast.expr) -> bool:
    for node in ast.walk(test):
        match node:
            case ast.Name(id=name) if name in _VERSION:
                return True
            case ast.Attribute(attr=name) if name in _VERSION:
                return True
            case ast.Attribute(value=ast.Name(id="os"), attr="name"):
                return True
    return False


def names_flag(world: World, file: PyFile, test: ast.expr, _seen: frozenset[tuple[str, str]] = frozenset()) -> bool:
    """Whether a condition asks a module's variable for what a test for a version gave, here or in another module:
    `py3k = sys.version_info.major > 2`."""
    for node in ast.walk(test):
        if not isinstance(node, ast.Name) or (file.path, node.id) in _seen or len(_seen) > 3:
            continue
        scope = scope_at(file.scope, file.tree.start(node))
        for target in world.lookup(file, scope, node.id).targets:
            other, binding = target.file, target.binding
            if other is None or binding is None or binding.value is None or other.is_stub:
                continue
            if binding.scope.is_module and (
                _asks_version(binding.value) or names_flag(world, other, binding.value, _seen | {(file.path, node.id)})
            ):
                return True
    return False


def caught(path: Iterable[ast.AST], names: tuple[str, ...]) -> bool:
    """Whether one of the exceptions is caught around the end of a path of nodes."""
    for parent, child in itertools.pairwise(path):
        if isinstance(parent, ast.Try) and any(s is child for s in (*parent.body, *parent.orelse)):
            for handler in parent.handlers:
                if handler.type is None or any(
                    isinstance(n, ast.Name) and n.id in (*names, "Exception", "BaseException")
                    for n in ast.walk(handler.type)
                ):
                    return True
    return False


def import_doubt(world: World, file: PyFile, path: Sequence[ast.AST]) -> str:
    """Why an import may rightly fail here, or never be made; empty if nothing says so."""
    if caught(path, ("ImportError", "ModuleNotFoundError")):
        return "an ImportError is caught"
    return "below a test for a version" if _below(world, file, path) else ""


def _below(world: World, file: PyFile, path: Sequence[ast.AST]) -> bool:
    return any(
        isinstance(parent, ast.If | ast.IfExp) and child is not parent.test and names_version(world, file, parent.test)
        for parent, child in itertools.pairwise(path)
    )


_VERSIONS = ("version_info", "platform", "PY", "py3", "py2", "hexversion")


def version_branch(world: World, file: PyFile, offset: int) -> str:
    """Why code at `offset` may never run here: it stands below a test for a version or platform; empty if not."""
    known = file.memo.get("versions")
    if known is None:
        known = file.memo["versions"] = any(w in file.tree.text for w in _VERSIONS)
    if not known:
        return ""
    return "below a test for a version" if _below(world, file, path_to(file.tree, offset)) else ""


def flag_branch(world: World, file: PyFile, offset: int) -> str:
    """Why an import at `offset` may never be made here: it stands below a flag of a version; empty if not."""
    below = any(
        isinstance(parent, ast.If) and child is not parent.test and names_flag(world, file, parent.test)
        for parent, child in itertools.pairwise(path_to(file.tree, offset))
    )
    return "below a test for a version" if below else ""
