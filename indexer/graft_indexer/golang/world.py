"""Packages of a Go workspace and of what it requires: folders, found through go.mod, vendor, the module cache and the
sources of the standard library.  No Go program is run."""

from __future__ import annotations

import os
import posixpath
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from graft_indexer.extract import refusal
from graft_indexer.golang.scopes import Binding, GoFile
from graft_indexer.text import decode, encode
from graft_indexer.tongues import CompleteSource

if TYPE_CHECKING:
    from tree_sitter import Node

BROKEN: Final = "a part of the package does not parse"
_KEPT: Final = 200
_MODULE = re.compile(r"^\s*module\s+\"?([^\s\"]+)", re.MULTILINE)
_REQUIRE = re.compile(r"^\s*(?:require\s+)?([\w.~/-]+\.[\w.~/-]+)\s+(v[\w.+-]+)", re.MULTILINE)
_REPLACE = re.compile(r"^\s*(?:replace\s+)?([\w.~/-]+)(?:\s+v\S+)?\s+=>\s+(\.\S*)", re.MULTILINE)


@dataclass(slots=True)
class Package:
    """The files of one folder that make up one package; `partial` says why names may be missing."""

    folder: str
    name: str
    files: list[GoFile]
    partial: str = ""
    names: dict[str, list[tuple[GoFile, Binding]]] = field(default_factory=dict)
    methods: dict[str, dict[str, list[tuple[GoFile, Node]]]] = field(default_factory=dict)

    def fill(self) -> Package:
        """Collect what the files declare."""
        for file in self.files:
            for name, bindings in file.declared.items():
                self.names.setdefault(name, []).extend((file, b) for b in bindings)
            for owner, methods in file.methods.items():
                table = self.methods.setdefault(owner, {})
                for name, node in methods:
                    table.setdefault(name, []).append((file, node))
            if file.broken:
                self.partial = self.partial or BROKEN
            if b'import "C"' in file.data:
                self.partial = "it uses C"
        return self


class GoWorld:
    """Files and packages by path, read once per text."""

    def __init__(self, source: CompleteSource) -> None:
        self.source = source
        self._files: OrderedDict[str, tuple[str, GoFile]] = OrderedDict()
        self._packages: dict[tuple[str, str], Package | None] = {}
        self._folders: dict[str, list[str]] | None = None
        self._modules: dict[str, tuple[str, str, str]] = {}
        self._generation = -1

    def forget(self) -> None:
        """Files changed on disk."""
        self._modules.clear()
        self._packages.clear()

    def _renew(self) -> None:
        if self.source.generation != self._generation:
            self._generation = self.source.generation
            self._packages = {k: p for k, p in self._packages.items() if k[0].startswith("/")}
            self._folders = None
            for _, file in self._files.values():
                file.memo.clear()

    # -- files --------------------------------------------------------------------------------------------------------
    def file(self, path: str) -> GoFile | None:
        """A file of the workspace (open buffer first), or another by its absolute path."""
        self._renew()
        digest = "" if path.startswith("/") else self.source.digest(path)
        if digest is None or not path.endswith(".go"):
            return None
        known = self._files.get(path)
        if known is not None and known[0] == digest:
            self._files.move_to_end(path)
            return known[1]
        buffer = getattr(self.source, "buffer", lambda _: None)(path)
        if buffer is not None:
            if buffer.tree is None:
                return None
            made = GoFile(path, buffer.data, buffer.tree)
        else:
            data = self._bytes(path)
            if data is None or refusal(data) is not None:
                return None
            made = GoFile(path, data)
        self._files[path] = (digest, made)
        while len(self._files) > _KEPT:
            self._files.popitem(last=False)
        return made

    def _bytes(self, path: str) -> bytes | None:
        if not path.startswith("/"):
            text = self.source.text(path)
            return encode(text) if text is not None else None
        try:
            return encode(decode(Path(path).read_bytes()).text)
        except (OSError, ValueError):
            return None

    # -- packages -----------------------------------------------------------------------------------------------------
    def package_of(self, file: GoFile) -> Package | None:
        """The package that a file belongs to, its tests included if it is one."""
        return self.package(posixpath.dirname(file.path), file.package, tests=file.path.endswith("_test.go"))

    def package(self, folder: str, name: str = "", *, tests: bool = False) -> Package | None:
        """The package in a folder: that of the name, or the one that is no test."""
        self._renew()
        key = (folder, f"{name}{'+tests' if tests else ''}")
        if key not in self._packages:
            self._packages[key] = self._read(folder, name, tests)
        return self._packages[key]

    def _read(self, folder: str, name: str, tests: bool) -> Package | None:
        files: list[GoFile] = []
        partial = ""
        for path in self._in(folder):
            if path.endswith("_test.go") and not tests:
                continue
            file = self.file(path)
            if file is None:
                partial = "a file cannot be read"
            elif file.package == name or (not name and file.package != "main" and not file.package.endswith("_test")):
                name = name or file.package
                files.append(file)
        if not files and not name:
            files = [f for p in self._in(folder) if (f := self.file(p)) is not None and f.package == "main"]
        return Package(folder, name, files, partial).fill() if files else None

    def _in(self, folder: str) -> list[str]:
        if folder.startswith("/"):
            try:
                # Files for other platforms too: code for them is checked like any other.
                return sorted(e.path for e in os.scandir(folder) if e.name.endswith(".go"))
            except OSError:
                return []
        if self._folders is None:
            self._folders = {}
            for path in self.source.paths():
                if path.endswith(".go"):
                    self._folders.setdefault(posixpath.dirname(path), []).append(path)
        return self._folders.get(folder, [])

    # -- imports ------------------------------------------------------------------------------------------------------
    def imported(self, file: GoFile, path: str) -> tuple[Package | None, str]:
        """(the package of an import path, why it is not known)."""
        if path in ("C", "unsafe"):
            return None, "not written in Go"
        base, module, text = self.module_of(file.path)
        if module and (path == module or path.startswith(f"{module}/")):
            inside = posixpath.normpath(posixpath.join(base, path[len(module) + 1 :])) if path != module else base
            found = self.package("" if inside == "." else inside)
            return found, "" if found is not None else "no Go files there"
        folder = f"{base}/vendor/{path}" if base else f"vendor/{path}"
        for candidate in (folder, *self._required(base, path, text)):
            found = self.package(posixpath.normpath(candidate))
            if found is not None:
                return found, ""
        if module == "std" or file.path.startswith(f"{standard()}/"):
            inner = (
                f"{base}/{path}" if module == "std" and base else path if module == "std" else f"{standard()}/{path}"
            )
            found = self.package(inner)
            if found is not None:
                return found, ""
        if "." not in path.split("/", 1)[0] and standard():
            found = self.package(f"{standard()}/{path}")
            return found, "" if found is not None else "a package that is not here"
        return None, "a package that is not here"

    def _required(self, base: str, path: str, text: str) -> list[str]:
        found = [
            posixpath.join(base or ".", target, path[len(name) + 1 :])
            for name, target in _REPLACE.findall(text)
            if path == name or path.startswith(f"{name}/")
        ]
        for name, version in _REQUIRE.findall(text):
            if path == name or path.startswith(f"{name}/"):
                escaped = re.sub(r"[A-Z]", lambda m: "!" + m[0].lower(), name)
                found.append(f"{module_cache()}/{escaped}@{version}/{path[len(name) + 1 :]}")
        return found

    def module_of(self, path: str) -> tuple[str, str, str]:
        """(folder, module path, text) of the go.mod that governs a file; empty without one."""
        folder = posixpath.dirname(path)
        known = self._modules.get(folder)
        if known is not None:
            return known
        at = folder
        found = ("", "", "")
        while True:
            full = at if at.startswith("/") else f"{self.source.root}/{at}"
            try:
                text = Path(full, "go.mod").read_text("utf-8", "replace")
            except OSError:
                text = ""
            if text:
                module = _MODULE.search(text)
                found = (at, module[1] if module is not None else "", text)
                break
            if at in ("", "/"):
                break
            at = posixpath.dirname(at)
        self._modules[folder] = found
        return found


@cache
def standard() -> str:
    """Folder of the standard library's sources, found by files; empty if there is none."""
    given = os.environ.get("GOROOT", "")
    places = [f"{given}/src"] if given else []
    places += ["/usr/local/go/src", "/usr/lib/go/src"]
    places += sorted((str(p) for p in Path("/usr/share").glob("go-1.*/src")), reverse=True)
    return next((str(Path(p).resolve()) for p in places if Path(p, "fmt/print.go").is_file()), "")


@cache
def module_cache() -> str:
    """Folder in which Go keeps downloaded modules."""
    given = os.environ.get("GOMODCACHE") or ""
    return given or f"{os.environ.get('GOPATH') or Path.home() / 'go'}/pkg/mod"
