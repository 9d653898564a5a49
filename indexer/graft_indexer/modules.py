"""Modules by name: which file an import means, seen from the file that writes it.

Order: the workspace's own source roots, standard library (stub, with its source beside it), installed packages (stub
packages, stubs beside sources, sources, C extensions).  Nothing is executed and nothing is read but directories.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graft_indexer.environment import Environment, stub_versions
from graft_indexer.graph import Origin
from graft_indexer.source import FactSource

_BINARY = (".so", ".pyd")


USUAL_ROOTS = ("", "src", "lib", "python")
"""Folders of a workspace that modules are imported from."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module that an import can reach.

    `path` is relative to the workspace or absolute, empty for a namespace package or a C extension without stub.
    `source` is the file that runs, where `path` is a stub.  `folders` (absolute) hold submodules.
    """

    name: str
    path: str
    origin: Origin
    is_package: bool = False
    folders: tuple[str, ...] = ()
    source: str = ""
    binary: bool = False
    """A C extension: its stub, if any, says nothing about private names."""
    ambiguous: bool = False
    """Another file could be meant as well."""

    @property
    def is_stub(self) -> bool:
        return self.path.endswith(".pyi")


class Finder:
    """Finds modules; remembers directories.  `refresh` forgets the workspace's."""

    def __init__(self, source: FactSource, environment: Environment) -> None:
        self.source = source
        self.environment = environment
        self.root = source.root.rstrip("/") or "/"
        self._outside: dict[str, dict[str, bool]] = {}
        self._compiled: dict[str, frozenset[str]] = {}
        """Names before the first dot of the compiled modules in the folders of `_outside`."""
        self._inside: dict[str, dict[str, bool]] = {}
        self._merged: dict[str, dict[str, bool]] = {}
        """Answers of `entries`."""
        self._inside_generation = -1
        self._listed: Sequence[str] | None = None
        self.version = 0
        """Grows when anything is found elsewhere than before."""
        self._inside_paths: frozenset[str] = frozenset()
        self._stamps: dict[str, int] = {}
        self._homes: dict[str, tuple[str, str]] = {}
        self._cache: dict[tuple[str, str], Module | None] = {}
        self._outside_cache: dict[str, Module | None] = {}
        self._roots: list[str] = []
        bases = (*environment.site, *([environment.stdlib] if environment.stdlib else []), environment.typeshed)
        self._bases = tuple(f"{b}/" for b in bases if b is not None and str(b) != self.root)

    # -- directories ----------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Look again at the workspace's files if any changed; `version` grows if some appeared or went away."""
        if self.source.generation == self._inside_generation:
            return
        self._inside_generation = self.source.generation
        listed = self.source.paths()
        if listed is self._listed:
            return
        self._listed = listed
        paths = frozenset(p for p in listed if p.endswith((".py", ".pyi")))
        if paths == self._inside_paths:
            return
        self.version += 1
        self._inside_paths = paths
        self._inside = {}
        self._merged = {}
        self._cache = {}
        self._homes = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            self._inside.setdefault(folder, {})[name] = False
            while folder:
                parent, _, name = folder.rpartition("/")
                known = self._inside.setdefault(parent, {})
                if name in known:
                    break
                known[name] = True
                folder = parent
        self._roots = self._source_roots()

    def _source_roots(self) -> list[str]:
        """Folders (relative) from which the workspace's packages are imported, most likely first."""
        counted: dict[str, int] = {}
        for folder, entries in self._inside.items():
            if "__init__.py" not in entries:
                continue
            parent = folder.rpartition("/")[0]
            if folder and "__init__.py" not in self._inside.get(parent, {}):
                counted[parent] = counted.get(parent, 0) + 1
        first = [r for r in USUAL_ROOTS if r in self._inside]
        return list(dict.fromkeys([*first, *sorted(counted, key=lambda r: (r.count("/"), r))]))

    def entries(self, folder: str) -> dict[str, bool]:
        """Names in an absolute folder -> whether they are folders; the workspace's index and the disk together."""
        merged = self._merged.get(folder)
        if merged is not None:
            return merged
        found = self._outside.get(folder)
        if found is None:
            found = {}
            self._stamps[folder] = _stamp(folder)
            try:
                with os.scandir(folder) as listing:
                    for entry in listing:
                        name = entry.name
                        if name.endswith((".py", ".pyi", *_BINARY)):
                            found[name] = False
                        elif ("." not in name and name != "__pycache__" and entry.is_dir()) or (
                            name.endswith("-stubs") and entry.is_dir()
                        ):
                            found[name] = True
            except OSError:
                pass
            self._outside[folder] = found
            # Of the disk only: the index holds sources.
            self._compiled[folder] = frozenset(n.partition(".")[0] for n in found if n.endswith(_BINARY))
        inside = self._inside.get(self.relative(folder) or "") if self._is_inside(folder) else None
        self._merged[folder] = {**found, **inside} if inside else found
        return self._merged[folder]

    def look_again(self) -> None:
        """Read again the directories of the disk that changed; `version` grows if any did."""
        stale = [folder for folder, seen in self._stamps.items() if _stamp(folder) != seen]
        for folder in stale:
            self._outside.pop(folder, None)
            self._compiled.pop(folder, None)
            del self._stamps[folder]
        if stale:
            self._merged.clear()
            self._cache.clear()
            self._homes.clear()
            self._outside_cache.clear()
            self.version += 1

    def _is_inside(self, path: str) -> bool:
        return path == self.root or path.startswith(self.root + "/")

    def relative(self, path: str) -> str:
        """A path as the graph names it: relative below the root, else absolute."""
        if path == self.root:
            return ""
        if not path.startswith(self.root + "/"):
            return path
        inside = path[len(self.root) + 1 :]
        if inside in self._inside_paths or not any(path.startswith(base) for base in self._bases):
            return inside
        return path

    def absolute(self, path: str) -> str:
        """The opposite of `relative`."""
        return (
            path if path.startswith("/") or Path(path).is_absolute() else f"{self.root}/{path}" if path else self.root
        )

    # -- names of files ---------------------------------------------------------------------------------------------
    def module_name(self, path: str) -> str:
        """Dotted name of a file as importers would write it."""
        return self.home(path)[1]

    def home(self, path: str) -> tuple[str, str]:
        """(absolute folder that the file's top-level package lies in, dotted name of the file)."""
        known = self._homes.get(path)
        if known is None:
            known = self._homes[path] = self._home(path)
        return known

    def _home(self, path: str) -> tuple[str, str]:
        absolute = self.absolute(path)
        folder, _, name = absolute.rpartition("/")
        stem = name.rsplit(".", 1)[0]
        parts = [] if stem == "__init__" else [stem]
        typeshed = str(self.environment.typeshed) if self.environment.typeshed else None
        if typeshed and absolute.startswith(typeshed + "/"):
            inner = folder[len(typeshed) + 1 :]
            return typeshed, ".".join([*(inner.split("/") if inner else []), *parts]) or stem
        for site in self.environment.site:
            base = str(site)
            if absolute.startswith(base + "/") and not self._in_workspace_source(absolute):
                inner = folder[len(base) + 1 :].removesuffix("-stubs")
                return base, ".".join([*(inner.split("/") if inner else []), *parts]) or stem
        stdlib = str(self.environment.stdlib) if self.environment.stdlib else None
        while folder and folder != self.root and folder != stdlib:
            known = self.entries(folder)
            if "__init__.py" not in known and "__init__.pyi" not in known:
                break
            folder, _, package = folder.rpartition("/")
            parts.insert(0, package.removesuffix("-stubs"))
        if self._is_inside(folder) and len(parts) == 1:
            # A folder without __init__ below a source root is a namespace package, or holds scripts.
            bases = [f"{self.root}/{r}" if r else self.root for r in self._roots] or [self.root]
            if folder not in bases:
                nearest = max((b for b in bases if folder.startswith(b + "/")), key=len, default=self.root)
                inner = folder[len(nearest) + 1 :]
                return folder, ".".join([*(inner.split("/") if inner else []), *parts])
        return folder or "/", ".".join(parts) or stem

    def _in_workspace_source(self, absolute: str) -> bool:
        return self._is_inside(absolute) and self.relative(absolute) in self._inside_paths

    # -- finding ------------------------------------------------------------------------------------------------------
    def find(self, name: str, importer: str = "") -> Module | None:
        """The module called `name` (dotted, absolute) as `importer` (a path) would get it; None if there is none."""
        self.refresh()
        if not name:
            return None
        stub_importer = bool(self.environment.typeshed) and importer.startswith(str(self.environment.typeshed))
        inside = not importer.startswith("/") and not stub_importer
        base = self.home(importer)[0] if importer and inside else ("" if inside else "/")
        key = (name, base)
        if key in self._cache:
            return self._cache[key]
        found: Module | None = None
        if inside:
            found = self._find_inside(name, base)
        if found is None:
            found = self._find_outside(name)
        if found is None and not inside and not stub_importer:
            found = self._find_inside(name, "")
        self._cache[key] = found
        return found

    def _find_inside(self, name: str, base: str) -> Module | None:
        folders = [base] if base else []
        folders += [f"{self.root}/{r}" if r else self.root for r in self._roots]
        namespaces: list[str] = []
        top = name.split(".")[0]
        for folder in dict.fromkeys(folders):
            found = self._walk([folder], name.split("."), Origin.WORKSPACE, "")
            if found is None:
                continue
            if found.path or found.binary:
                scripts = folder == base and folder not in (self.root, f"{self.root}/src")
                # A package opened as the workspace: its typing.py is not what `import typing` gives.
                packaged = folder == self.root and "__init__.py" in self._inside.get("", {})
                if (scripts or packaged) and self._is_standard(top):
                    return replace(found, ambiguous=True)  # only a script run from that folder would get it
                return found
            namespaces += found.folders
        if namespaces and not self._is_standard(top) and self._find_outside(top) is None:
            return Module(name, "", Origin.WORKSPACE, True, tuple(dict.fromkeys(namespaces)))
        return None

    def _is_standard(self, top: str) -> bool:
        return top in sys.stdlib_module_names

    def _find_outside(self, name: str) -> Module | None:
        if name in self._outside_cache:
            return self._outside_cache[name]
        found = self._standard(name) or self._installed(name)
        self._outside_cache[name] = found
        return found

    def _standard(self, name: str) -> Module | None:
        parts = name.split(".")
        source: Module | None = None
        if self.environment.stdlib is not None:
            folder = str(self.environment.stdlib)
            folders = [folder]
            source = self._walk(folders, parts, Origin.STDLIB, "")
            if source is None or not (source.path or source.binary):
                dynamic = self._walk([folder + "/lib-dynload"], parts, Origin.STDLIB, "")
                source = dynamic if dynamic is not None and dynamic.binary else None
            if parts[0] == "site-packages":
                source = None
        stub = self._stub(parts)
        if stub is not None:
            if source is not None and source.path:
                return replace(stub, source=source.path, folders=stub.folders + source.folders)
            return replace(stub, binary=True)
        if source is None and name in sys.builtin_module_names:
            return Module(name, "", Origin.STDLIB, binary=True)
        return source

    def _stub(self, parts: list[str]) -> Module | None:
        folder = self.environment.typeshed
        if folder is None:
            return None
        versions = stub_versions(folder)
        for length in range(len(parts), 0, -1):
            span = versions.get(".".join(parts[:length]))
            if span is not None:
                # Versions older than the oldest in the table still have it; a module that went away does not count.
                if self.environment.version > span[1]:
                    return None
                break
        else:
            return None
        return self._walk([str(folder)], parts, Origin.STUB, "")

    def _installed(self, name: str) -> Module | None:
        parts = name.split(".")
        namespaces: list[str] = []
        for site in self.environment.site:
            base = str(site)
            stubs = self._walk([base], [parts[0] + "-stubs", *parts[1:]], Origin.STUB, "")
            source = self._walk([base], parts, Origin.INSTALLED, "")
            if stubs is not None and stubs.path:
                stubs = replace(stubs, name=name)
                if source is not None:
                    return replace(
                        stubs, source=source.path, folders=stubs.folders + source.folders, binary=source.binary
                    )
                return stubs
            if source is not None and (source.path or source.binary):
                return source
            if source is not None:
                namespaces += source.folders
        if namespaces:
            return Module(name, "", Origin.INSTALLED, True, tuple(namespaces))
        return None

    def _walk(self, folders: list[str], parts: list[str], origin: Origin, prefix: str) -> Module | None:
        """Follow a dotted name down from `folders`."""
        current: Module | None = None
        done: list[str] = []
        for part in parts:
            done.append(part)
            current = self.in_folders(folders, part, ".".join(done), origin)
            if current is None:
                return None
            folders = list(current.folders)
        return current

    def in_folders(self, folders: Iterable[str], part: str, name: str, origin: Origin) -> Module | None:
        """The module `part` directly in one of the absolute folders; `name` is its dotted name."""
        namespaces: list[str] = []
        for folder in folders:
            known = self.entries(folder)
            here = f"{folder}/{part}"
            if known.get(part) is True:
                inner = self.entries(here)
                python, stub = "__init__.py" in inner, "__init__.pyi" in inner
                if python or stub:
                    main = f"{here}/__init__.pyi" if stub else f"{here}/__init__.py"
                    return Module(
                        name,
                        self.relative(main),
                        origin,
                        True,
                        (here,),
                        self.relative(f"{here}/__init__.py") if stub and python else "",
                    )
                if "__init__" in self._compiled[here]:
                    return Module(name, "", origin, True, (here,), binary=True)
            python, stub = part + ".py" in known, part + ".pyi" in known
            binary = part in self._compiled[folder]
            if stub:
                source = self.relative(here + ".py") if python else ""
                return Module(name, self.relative(here + ".pyi"), origin, source=source, binary=binary and not python)
            if binary:
                return Module(name, "", origin, binary=True)
            if python:
                return Module(name, self.relative(here + ".py"), origin)
            if known.get(part) is True:
                namespaces.append(here)
        if namespaces:
            return Module(name, "", origin, True, tuple(namespaces))
        return None

    def submodules(self, module: Module) -> list[str]:
        """Names of a package's submodules, sorted."""
        names: set[str] = set()
        for folder in module.folders:
            names.update(_module_names(self.entries(folder)))
        names.discard("__init__")
        return sorted(n for n in names if n.isidentifier())

    def submodule(self, module: Module, name: str) -> Module | None:
        """A package's submodule."""
        if not module.is_package:
            return None
        if (
            module.origin is Origin.STUB
            and self.environment.typeshed
            and module.path.startswith(str(self.environment.typeshed))
        ):
            return self._standard(f"{module.name}.{name}")
        found = self.in_folders(module.folders, name, f"{module.name}.{name}", module.origin)
        if found is not None and found.origin is Origin.STUB and not found.is_stub:
            found = replace(found, origin=Origin.INSTALLED)
        return found

    def top_level(self, importer: str = "") -> list[str]:
        """Names that may follow `import ` in a file."""
        self.refresh()
        names: set[str] = set()
        folders = [self.home(importer)[0]] if importer and not importer.startswith("/") else []
        folders += [f"{self.root}/{r}" if r else self.root for r in self._roots]
        for folder in folders:
            entries = self.entries(folder)
            names.update(
                _module_names({n: d for n, d in entries.items() if not d or self._has_python(f"{folder}/{n}")})
            )
        if self.environment.typeshed:
            names.update(n.split(".")[0] for n in stub_versions(self.environment.typeshed))
        for site in (*self.environment.site, *([self.environment.stdlib] if self.environment.stdlib else [])):
            entries = self.entries(str(site))
            names.update(_module_names({n: d for n, d in entries.items() if not d or self._has_python(f"{site}/{n}")}))
        return sorted(n for n in names if n.isidentifier() and n != "__init__")

    def _has_python(self, folder: str) -> bool:
        return any(n.endswith((".py", ".pyi", *_BINARY)) for n in self.entries(folder))

    def package_of(self, path: str, level: int) -> Module | None:
        """The package that `level` leading dots mean in a file; None if they lead out of its package."""
        self.refresh()
        absolute = self.absolute(path)
        folder = absolute.rpartition("/")[0]
        _, name = self.home(path)
        parts = name.split(".")
        if not absolute.rpartition("/")[2].startswith("__init__."):
            parts = parts[:-1]
        for _ in range(level - 1):
            folder = folder.rpartition("/")[0]
            parts = parts[:-1]
        known = self.entries(folder)
        origin = self.origin_of(path)
        stub, python = "__init__.pyi" in known, "__init__.py" in known
        main = f"{folder}/__init__.pyi" if stub else f"{folder}/__init__.py" if python else ""
        source = f"{folder}/__init__.py" if stub and python else ""
        return Module(
            ".".join(parts) or folder.rpartition("/")[2],
            self.relative(main) if main else "",
            origin,
            True,
            (folder,),
            self.relative(source) if source else "",
        )

    def origin_of(self, path: str) -> Origin:
        """Where a file lies."""
        absolute = self.absolute(path)
        if self._in_workspace_source(absolute) or (self._is_inside(absolute) and "site-packages/" not in path):
            return Origin.WORKSPACE
        if self.environment.typeshed and absolute.startswith(str(self.environment.typeshed)):
            return Origin.BUILTIN if absolute.endswith("/builtins.pyi") else Origin.STUB
        if any(absolute.startswith(f"{s}/") for s in self.environment.site):
            return Origin.INSTALLED
        if self.environment.stdlib and absolute.startswith(f"{self.environment.stdlib}/"):
            return Origin.STDLIB
        return Origin.INSTALLED


def _stamp(folder: str) -> int:
    """Time of the last change of a directory in ns; 0 if there is none."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _module_names(entries: dict[str, bool]) -> Iterable[str]:
    for name, is_folder in entries.items():
        if is_folder:
            yield name.removesuffix("-stubs")
        else:
            yield name.split(".", 1)[0]


def folder_of(path: str | Path) -> str:
    """The folder part of a path."""
    return str(path).rpartition("/")[0]
