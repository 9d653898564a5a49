"""Which classes outside the workspace derive from which, by name: one regular expression over a package's files.

Needed to prove that an instance of an installed or standard class has no other attribute: the annotation `Loader` is
also true of every loader that derives from it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_CLASS = re.compile(rb"class[ \t]+(\w+)[ \t]*\(([^)]*)\)")
"""Begins with letters: a third of the time of one that begins with the line."""
_WORD = re.compile(rb"[\w.]+")
_MAX_FILES = 1500
"""Files of one package that are read; a bigger one is not searched, and answers about it stay open."""

Derived = dict[str, tuple[tuple[str, str], ...]]
"""Simple name of a base -> (path, class) of the classes that name it."""


class OutsideBases:
    """Remembers each package that it searched."""

    def __init__(self) -> None:
        self._packages: dict[str, Derived | None] = {}

    def derived(self, package: str, name: str) -> tuple[tuple[str, str], ...] | None:
        """Classes below the folder (or in the file) `package` that name `name` as a base; None: too large to search."""
        if package not in self._packages:
            self._packages[package] = _search(package)
        table = self._packages[package]
        return table.get(name, ()) if table is not None else None


def _search(package: str) -> Derived | None:
    found: dict[str, list[tuple[str, str]]] = {}
    paths = [package] if Path(package).is_file() else []
    if not paths:
        for folder, folders, files in os.walk(package):
            folders[:] = [f for f in folders if f not in ("__pycache__", "tests", "test")]
            paths += [f"{folder}/{f}" for f in files if f.endswith((".py", ".pyi"))]
            if len(paths) > _MAX_FILES:
                return None
    for path in paths:
        try:
            with Path(path).open("rb", buffering=0) as file:
                data = file.read()
        except OSError:
            continue
        for match in _CLASS.finditer(data):
            if data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()].strip(b" \t"):
                continue  # not at the beginning of a line
            for word in _WORD.findall(match[2]):
                last = word.rpartition(b".")[2].decode("utf-8", "replace")
                found.setdefault(last, []).append((path, match[1].decode("utf-8", "replace")))
    return {name: tuple(items) for name, items in found.items()}
