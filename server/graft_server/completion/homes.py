"""Where the names that a file misses are defined: the module of a `from` statement that is just begun."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from graft_indexer.facts import DefinitionKind
from graft_indexer.graph import Symbol, SymbolGraph
from graft_server.completion import imports
from graft_server.completion.anchor import Place

MOST_NAMES = 12
"""Missing names that are looked up, in the order of their first use."""
MOST_HOMES = 3
"""A name that more modules define says nothing."""
_RELATIVE = re.compile(r"^from\s+\.", re.MULTILINE)
_OTHER = re.compile(r"^from\s+(\w+)", re.MULTILINE)
_NOT_IMPORTED = (DefinitionKind.ATTRIBUTE, DefinitionKind.LOCAL, DefinitionKind.PARAMETER)


def homes(graph: SymbolGraph, path: str, place: Place, item: imports.ModuleName) -> dict[str, list[str]]:
    """Modules of the workspace as the statement would name them, dots included, each with the missing names that it
    defines; those that define most come first.  Only modules that go on from what is typed."""
    typed = "." * item.level + (f"{item.parent}." if item.parent else "") + item.begun
    relative = bool(item.level) or (not typed and _prefers_dots(path, place))
    found: dict[str, list[str]] = {}
    for name in imports.missing(place)[:MOST_NAMES]:
        written = {
            module
            for symbol in graph.find(name)
            if _importable(symbol, path)
            and (module := _relative(path, symbol.path, item.level) if relative else symbol.module)
        }
        if len(written) <= MOST_HOMES:
            for module in written:
                if module.startswith(typed):
                    found.setdefault(module, []).append(name)
    return dict(sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])))


def completed(item: imports.ModuleName, module: str, names: Sequence[str], line: str) -> str:
    """What completes the statement: the rest of the module's name and the names that are missed of it."""
    typed = "." * item.level + (f"{item.parent}." if item.parent else "") + item.begun
    text = f"{module[len(typed) :]} import "
    return text + imports.rest_of_list(imports.FromImport(0, "", (), ""), names, line + text)


def _importable(symbol: Symbol, path: str) -> bool:
    own = symbol.path == path or not symbol.path.endswith((".py", ".pyi"))
    return not own and symbol.kind not in _NOT_IMPORTED and symbol.qualified_name == f"{symbol.module}.{symbol.name}"


def _prefers_dots(path: str, place: Place) -> bool:
    """Whether the file imports its own package by dots."""
    text = f"{place.before}\n{place.after}"
    own = PurePosixPath(path).parts
    return bool(_RELATIVE.search(text)) and not any(name in own[:-1] for name in _OTHER.findall(text))


def _relative(path: str, target: str, level: int) -> str:
    """`target`'s module seen from `path`, with `level` dots (0: as few as lead there); empty if they do not."""
    package = PurePosixPath(path).parts[:-1]
    parts = list(PurePosixPath(target).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    same = 0
    while same < min(len(package), len(parts)) and package[same] == parts[same]:
        same += 1
    dots = len(package) - same + 1
    if not same or (level and level < dots):
        return ""
    dots = level or dots
    return "." * dots + ".".join(parts[len(package) - dots + 1 :])
