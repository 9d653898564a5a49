"""Code that may rightly fail here or never run: below tests for a version, a platform or a flag of one, and imports
whose failure is caught."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from graft_indexer.positions import path_to
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

_ASKING = frozenset({"version_info", "PY2", "PY3", "hexversion", "TYPE_CHECKING", "platform", "hasattr"})


def names_version(world: World, file: PyFile, test: ast.expr, _seen: frozenset[str] = frozenset()) -> bool:
    """Whether a condition asks for a version, a platform or what is there, be it by a variable that was set so."""
    flags: list[str] = []
    for node in ast.walk(test):
        if isinstance(node, ast.Name):
            name = node.id
            flags.append(name)
        elif isinstance(node, ast.Attribute):
            name = node.attr
            if name == "name" and isinstance(node.value, ast.Name) and node.value.id == "os":
                return True
        else:
            continue
        if name in _ASKING:
            return True
        if len(name) > 1 and name.isupper():
            return True  # a flag, such as PYPY or WINDOWS
    return any(_set_by_version(world, file, name, _seen) for name in flags if name not in _seen)


def _set_by_version(world: World, file: PyFile, name: str, seen: frozenset[str]) -> bool:
    """Whether a variable of a module holds what a test for a version gave: `py3k = sys.version_info.major > 2`."""
    if name not in file.scope.bindings or len(seen) > 3:
        return False
    for target in world.lookup_in(file, name).targets:
        binding = target.binding
        if target.file is None or binding is None or binding.value is None or target.file.is_stub:
            continue
        if names_version(world, target.file, binding.value, seen | {name}):
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
