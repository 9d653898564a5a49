"""From a module specifier to a file: relative paths, tsconfig `paths`, package.json of the workspace and node_modules.

Nothing is run; only files are read.  What cannot be found may still exist after a build, so a missing module is known
to be missing only where nothing could generate it.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from graft_indexer.source import FactSource

EXTENSIONS: Final = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".d.mts", ".mjs", ".cts", ".d.cts", ".cjs")
_WRITTEN: Final = {
    ".js": (".ts", ".tsx", ".d.ts", ".js", ".jsx"), ".jsx": (".tsx", ".d.ts", ".jsx"),
    ".mjs": (".mts", ".d.mts", ".mjs"), ".cjs": (".cts", ".d.cts", ".cjs"),
}  # fmt: skip
"""An import says the extension of the output; the source has another."""
_COMMENTS = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMAS = re.compile(r",(\s*[}\]])")
_PUNCTUATION = re.compile(r"[\W_]+")
_CONFIGS: Final = ("tsconfig.json", "jsconfig.json", "tsconfig.base.json")
_CONDITIONS: Final = ("types", "source", "import", "module", "require", "node", "default", "browser")


def read_json(path: str) -> dict[str, Any]:
    """A JSON object with comments and trailing commas allowed; empty if there is none."""
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, ValueError):
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        text = _COMMAS.sub(r"\1", _COMMENTS.sub(lambda m: m.group(1) or "", text))
        try:
            value = json.loads(text)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


class Modules:
    """Resolves specifiers for one workspace; what it read is kept until `forget`."""

    def __init__(self, source: FactSource) -> None:
        self.source = source
        self.root = source.root
        self._json: dict[str, dict[str, Any]] = {}
        self._files: dict[str, str | None] = {}
        self._paths: dict[str, tuple[str, list[tuple[str, list[str]]]]] = {}
        self._packages: dict[str, str] | None = None

    def forget(self) -> None:
        """Files changed on disk."""
        self._json.clear()
        self._files.clear()
        self._paths.clear()
        self._packages = None

    # -- files --------------------------------------------------------------------------------------------------------
    def _exists(self, path: str) -> bool:
        """Whether a file is there: `path` is relative to the root, or absolute."""
        if not path.startswith("/") and self.source.digest(path) is not None:
            return True
        return os.path.isfile(self._full(path))  # noqa: PTH113 - asked for a dozen spellings of each import

    def _full(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.root}/{path}"

    def _load(self, path: str) -> dict[str, Any]:
        known = self._json.get(path)
        if known is None:
            known = self._json[path] = read_json(self._full(path))
        return known

    def file(self, base: str) -> str | None:
        """The source file that a path without (or with its output's) extension means."""
        base = posixpath.normpath(base)
        if base not in self._files:
            self._files[base] = self._find(base)
        return self._files[base]

    def _find(self, base: str) -> str | None:
        for written, sources in _WRITTEN.items():
            if base.endswith(written):
                stem = base[: -len(written)]
                for extension in sources:
                    if self._exists(stem + extension):
                        return stem + extension
        if base.endswith(EXTENSIONS) and self._exists(base):
            return base
        for extension in EXTENSIONS:
            if self._exists(base + extension):
                return base + extension
        package = self._load(f"{base}/package.json") if os.path.isdir(self._full(base)) else {}  # noqa: PTH112
        if package:
            entry = self._entry(base, package, "")
            if entry is not None:
                return entry
        for extension in EXTENSIONS:
            if self._exists(f"{base}/index{extension}"):
                return f"{base}/index{extension}"
        return None

    # -- specifiers ---------------------------------------------------------------------------------------------------
    def resolve(self, path: str, specifier: str) -> tuple[str | None, str]:
        """(file, why it is not known).  (None, "") means: a relative path with nothing there."""
        if not specifier:
            return None, "no module is named"
        folder = posixpath.dirname(path)
        if specifier.startswith((".", "/")):
            found = self.file(posixpath.join(folder, specifier)) if specifier.startswith(".") else None
            if found is not None:
                return found, ""
            name = posixpath.basename(specifier)
            extension = posixpath.splitext(name)[1]
            if specifier.startswith("/") or (extension and extension not in (*_WRITTEN, ".ts", ".tsx")):
                return None, "not a source file"
            if posixpath.normpath(posixpath.join(folder, specifier)).startswith(".."):
                return None, "outside the workspace"
            return None, ""
        for pattern, targets in self._patterns(folder):
            if (middle := _fits(pattern, specifier)) is not None:
                for target in targets:
                    found = self.file(target.replace("*", middle))
                    if found is not None:
                        return found, ""
        found = self._package(path, specifier)
        return found, "" if found is not None else "a package that is not here"

    def _patterns(self, folder: str) -> list[tuple[str, list[str]]]:
        """`paths` of the nearest tsconfig, targets as paths; `baseUrl` alone counts as `*`."""
        at = folder
        while True:
            for name in _CONFIGS:
                config = posixpath.join(at, name)
                if os.path.isfile(self._full(config)):  # noqa: PTH113
                    return self._config(config, 0)[1]
            if at in ("", "/"):
                return []
            at = posixpath.dirname(at)

    def _config(self, config: str, depth: int) -> tuple[str, list[tuple[str, list[str]]]]:
        if config in self._paths:
            return self._paths[config]
        table = self._load(config)
        base, patterns = "", list[tuple[str, list[str]]]()
        folder = posixpath.dirname(config)
        extended = table.get("extends")
        for parent in [extended] if isinstance(extended, str) else extended if isinstance(extended, list) else []:
            if isinstance(parent, str) and parent.startswith(".") and depth < 5:
                target = posixpath.normpath(posixpath.join(folder, parent))
                base, patterns = self._config(target if target.endswith(".json") else target + ".json", depth + 1)
        options = table.get("compilerOptions")
        options = options if isinstance(options, dict) else {}
        if isinstance(options.get("baseUrl"), str):
            base = posixpath.normpath(posixpath.join(folder, options["baseUrl"]))
            base = "" if base == "." else base
            patterns = [("*", [posixpath.join(base, "*")])]
        given = options.get("paths")
        if isinstance(given, dict):
            root = base if "baseUrl" in options or base else folder
            mine = [
                (pattern, [posixpath.normpath(posixpath.join(root, t)) for t in targets if isinstance(t, str)])
                for pattern, targets in given.items()
                if isinstance(targets, list)
            ]
            mine.sort(key=lambda item: -len(item[0].partition("*")[0]))
            patterns = [*mine, *(p for p in patterns if p[0] == "*" and "baseUrl" in options)]
        self._paths[config] = (base, patterns)
        return base, patterns

    # -- packages -----------------------------------------------------------------------------------------------------
    def _package(self, path: str, specifier: str) -> str | None:
        parts = specifier.split("/")
        count = 2 if specifier.startswith("@") else 1
        name, inside = "/".join(parts[:count]), "/".join(parts[count:])
        here = self.packages.get(name)
        if here is not None:
            return self._in_package(here, inside)
        for folder in self._above(path):
            for candidate in (f"{folder}/node_modules/{name}", f"{folder}/node_modules/@types/{_mangled(name)}"):
                if os.path.isdir(candidate):  # noqa: PTH112
                    found = self._in_package(candidate, inside)
                    if found is not None and not found.endswith((".js", ".mjs", ".cjs", ".jsx")):
                        return found
        return None

    def types_named(self, path: str, name: str) -> bool:
        """Whether a package of type declarations that a file's package.json asks for is called like a name.

        Such a package may declare a global of that name (`@types/geojson`: `GeoJSON`), installed or not.
        """
        plain = name.lower()
        for folder in self._above(path):
            package = self._load(f"{folder}/package.json")
            for key in ("dependencies", "devDependencies", "peerDependencies"):
                table = package.get(key)
                for dependency in table if isinstance(table, dict) else ():
                    if dependency.startswith("@types/") and _PUNCTUATION.sub("", dependency[7:].lower()) == plain:
                        return True
        return False

    def _above(self, path: str) -> Iterator[str]:
        at = posixpath.dirname(self._full(path))
        while True:
            yield at
            if at in ("", "/") or at == self.root:
                return
            at = posixpath.dirname(at)

    def _in_package(self, folder: str, inside: str) -> str | None:
        package = self._load(posixpath.join(folder, "package.json"))
        found = self._entry(folder, package, inside)
        if found is None and inside:
            found = self.file(posixpath.join(folder, inside))
        return found

    def _entry(self, folder: str, package: dict[str, Any], inside: str) -> str | None:
        """The file of a package's entry, by `exports`, `types`, `source`, `module`, `main`, or where sources lie."""
        targets: list[str] = []
        exports = package.get("exports")
        key = f"./{inside}" if inside else "."
        if isinstance(exports, dict) and any(k.startswith(".") for k in exports):
            for pattern, value in exports.items():
                middle = _fits(pattern, key)
                if middle is not None:
                    targets += [t.replace("*", middle) for t in _targets(value)]
        elif exports is not None and not inside:
            targets += _targets(exports)
        if not inside:
            targets += [package[k] for k in ("types", "typings", "source", "module", "main") if _text(package.get(k))]
        for target in targets:
            base = posixpath.join(folder, target)
            for candidate in (base, *_sources(folder, target)):
                found = self._plain(candidate)
                if found is not None:
                    return found
        for candidate in ("src/index", "index", "src/main", "lib/index") if not inside else (f"src/{inside}",):
            found = self._plain(posixpath.join(folder, candidate))
            if found is not None:
                return found
        return None

    def _plain(self, base: str) -> str | None:
        base = posixpath.normpath(base)
        if base.endswith((".d.ts", ".d.mts", ".d.cts", ".ts", ".tsx")) and self._exists(base):
            return base
        stem = re.sub(r"\.(?:d\.)?[cm]?[jt]sx?$", "", base)
        return next((stem + e for e in EXTENSIONS if self._exists(stem + e)), None) or next(
            (f"{stem}/index{e}" for e in EXTENSIONS if self._exists(f"{stem}/index{e}")), None
        )

    @property
    def packages(self) -> dict[str, str]:
        """Packages of the workspace: name -> folder, relative to the root."""
        if self._packages is None:
            folders = {""}
            for path in self.source.paths():
                at = posixpath.dirname(path)
                while at and at not in folders:
                    folders.add(at)
                    at = posixpath.dirname(at)
            self._packages = {}
            for folder in sorted(folders):
                file = posixpath.join(folder, "package.json")
                if os.path.isfile(self._full(file)):  # noqa: PTH113
                    name = self._load(file).get("name")
                    if isinstance(name, str) and name:
                        self._packages.setdefault(name, folder)
        return self._packages


def _fits(pattern: str, text: str) -> str | None:
    """What the `*` of a pattern stands for in a text ("" for a pattern without one); None if it does not fit."""
    head, star, tail = pattern.partition("*")
    if not star:
        return "" if pattern == text else None
    if text.startswith(head) and text.endswith(tail) and len(text) >= len(head) + len(tail):
        return text[len(head) : len(text) - len(tail)]
    return None


def _targets(value: object) -> list[str]:
    """File targets of an `exports` entry, those that say types first."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        found: list[str] = []
        for condition in _CONDITIONS:
            if condition in value:
                found += _targets(value[condition])
        return found
    if isinstance(value, list):
        return [t for item in value for t in _targets(item)]
    return []


def _sources(folder: str, target: str) -> Iterator[str]:
    """Where the source of a built file may lie."""
    parts = [p for p in target.split("/") if p not in (".", "")]
    for index, part in enumerate(parts):
        if part in ("dist", "lib", "build", "out", "esm", "cjs", "_esm", "_cjs", "_types", "types", "dist-types"):
            rest = [p for p in parts[index + 1 :] if p not in ("esm", "cjs", "src", "types")]
            yield posixpath.join(folder, *parts[:index], "src", *rest)
            yield posixpath.join(folder, *parts[:index], *rest)


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _mangled(name: str) -> str:
    return name[1:].replace("/", "__") if name.startswith("@") else name
