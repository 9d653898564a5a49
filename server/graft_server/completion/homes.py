"""Where the names that a file misses are defined: the module of a `from` statement that is just begun."""

from __future__ import annotations

import re
from collections.abc import Sequence
from keyword import iskeyword

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import Symbol, SymbolGraph
from graft_server.completion import imports, known
from graft_server.completion.anchor import Place
from graft_server.completion.probe import probing

MOST_NAMES = 12
"""Missing names that are looked up, in the order of their first use."""
MOST_FILES = 6
"""A name that more files define says nothing."""
_RELATIVE = re.compile(r"^from\s+\.", re.MULTILINE)
_OTHER = re.compile(r"^from\s+(\w+)", re.MULTILINE)
_NOT_IMPORTED = (DefinitionKind.ATTRIBUTE, DefinitionKind.LOCAL, DefinitionKind.PARAMETER)
_RUN = frozenset({"__main__", "setup", "conftest"})
"""Modules that are run, or read by pytest, and not imported."""
_TESTS = re.compile(r"tests?|testing|test_.*|.*_test")
_BESIDE = re.compile(r"examples?|docs?|scripts?|benchmarks?|demos?|tools|typings|stubs")
"""Folders beside a package that nobody imports from."""


def homes(graph: SymbolGraph, path: str, place: Place, item: imports.ModuleName) -> dict[str, list[str]]:
    """Modules of the workspace as the statement would name them, dots included, each with the missing names that it
    defines; those that define most come first, of these the one whose name is used first.  Only modules that go on from
    what is typed."""
    start = known.before_name(place)
    every = known.once("homes", graph, path, start, lambda: _homes(graph, path, start, item))
    return {module: names for module, names in every.items() if module.startswith(item.typed)}


def _homes(graph: SymbolGraph, path: str, place: Place, item: imports.ModuleName) -> dict[str, list[str]]:
    wanted = [n for n in imports.missing(place)[:MOST_NAMES] if 0 < len(graph.files_defining(n)) <= MOST_FILES]
    if not wanted:
        return {}
    with probing(graph, path, place) as offset:
        around = graph.enclosing(path, offset)
    own = around[-1].module.split(".") if around else []
    package = own if path.endswith(("/__init__.py", "/__init__.pyi")) else own[:-1]
    dots = bool(item.level) or (not item.parent and _prefers_dots(package, place))
    found: dict[str, list[str]] = {}
    for name in wanted:
        modules = {_module(graph, path, package, symbol) for symbol in graph.find(name) if _importable(symbol, path)}
        for module in sorted(modules):
            written = _relative(package, module.split("."), item.level) if dots else module
            if written:
                found.setdefault(written, []).append(name)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))


def completed(item: imports.ModuleName, module: str, names: Sequence[str], line: str) -> str:
    """What completes the statement: the rest of the module's name and the names that are missed of it."""
    text = f"{module[len(item.typed) :]} import "
    return text + imports.rest_of_list(imports.FromImport(0, "", (), ""), names, line + text)


def _importable(symbol: Symbol, path: str) -> bool:
    """Whether a definition of another file may be what an import of this one is for."""
    parts = symbol.module.split(".")
    if symbol.path == path or not symbol.path.endswith((".py", ".pyi")) or symbol.kind in _NOT_IMPORTED:
        return False
    if symbol.qualified_name != f"{symbol.module}.{symbol.name}" or parts[-1] in _RUN:
        return False
    own = path.removesuffix(".py").split("/")
    tests = any(map(_TESTS.fullmatch, parts)) and not any(map(_TESTS.fullmatch, own))
    beside = _BESIDE.fullmatch(parts[0]) is not None and parts[0] not in own
    return not tests and not beside and all(part.isidentifier() and not iskeyword(part) for part in parts)


def _module(graph: SymbolGraph, path: str, package: Sequence[str], symbol: Symbol) -> str:
    """The module to import a definition from: seen from outside the package itself, if that passes the name on."""
    top = symbol.module.partition(".")[0]
    if top == symbol.module or (package and package[0] == top):
        return symbol.module
    return top if any(s.name == symbol.name for s in graph.module_members(top, path).value) else symbol.module


def _prefers_dots(package: Sequence[str], place: Place) -> bool:
    """Whether the file imports its own package by dots."""
    text = f"{place.before}\n{place.after}"
    return bool(package and _RELATIVE.search(text)) and package[0] not in _OTHER.findall(text)


def _relative(package: Sequence[str], target: Sequence[str], level: int) -> str:
    """A module seen from `package`, with `level` dots (0: as few as lead there); empty if they do not."""
    same = 0
    while same < min(len(package), len(target)) and package[same] == target[same]:
        same += 1
    least = len(package) - same + 1
    dots = level or least
    if not same or not least <= dots <= len(package):
        return ""
    return "." * dots + ".".join(target[len(package) - dots + 1 :])
