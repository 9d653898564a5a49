"""Where a workspace's Python lives: version, standard library, installed packages, stubs.

Found by files only (`pyvenv.cfg`, `lib/python*/site-packages`, `*.pth`); no interpreter is ever run.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_VENVS = (".venv", "venv", "env", ".env", ".virtualenv")
_KNOWN_HOOKS = ("distutils-precedence.pth", "_virtualenv.pth", "a1_coverage.pth", "pywin32.pth", "matplotlib.pth")
"""`.pth` files that run code but add no module."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Python of a workspace.  `complete` means: a top-level module found nowhere here is not installed."""

    version: tuple[int, int]
    stdlib: Path | None
    site: tuple[Path, ...]
    """Folders of installed packages, in order, those named by `.pth` files included."""
    typeshed: Path | None
    complete: bool


def discover(
    root: Path, python_paths: Sequence[Path] | None = None, variables: Mapping[str, str] | None = None
) -> Environment:
    """The environment of a workspace: `python_paths` (an interpreter, an environment or a folder of packages each),
    else a virtual environment in the workspace, else the one that is active, else `python3` on PATH."""
    variables = os.environ if variables is None else variables
    site: list[Path] = []
    prefixes: list[Path] = []
    complete = True
    if python_paths:
        for given in python_paths:
            prefix = _prefix(given if given.is_absolute() else root / given)
            if prefix is not None:
                prefixes.append(prefix)
            elif given.is_dir():
                site.append(given)
    else:
        prefixes = [p for name in _VENVS if (p := root / name).joinpath("pyvenv.cfg").is_file()][:1]
        if not prefixes:
            complete = False
            active = variables.get("VIRTUAL_ENV") or variables.get("CONDA_PREFIX")
            if active and Path(active).is_dir():
                prefixes = [Path(active)]
            else:
                found = shutil.which("python3", path=variables.get("PATH")) or shutil.which(
                    "python", path=variables.get("PATH")
                )
                prefix = _prefix(Path(found)) if found else None
                prefixes = [prefix] if prefix is not None else []
    version: tuple[int, int] | None = None
    stdlib: Path | None = None
    for prefix in prefixes:
        settings = _venv_settings(prefix)
        version = version or _version(settings, prefix)
        home = settings.get("home")
        base = Path(home).parent if home else prefix
        if stdlib is None and version is not None:
            candidates = (base, prefix, Path("/usr"), Path("/usr/local"))
            names = (f"lib/python{version[0]}.{version[1]}", f"lib64/python{version[0]}.{version[1]}", "Lib")
            stdlib = next((c / n for c in candidates for n in names if (c / n / "os.py").is_file()), None)
        site += _site_packages(prefix)
        if settings.get("include-system-site-packages", "").lower() == "true":
            site += _site_packages(base)
    if not prefixes and not site:
        complete = False
    if stdlib is None:
        version = version or sys.version_info[:2]
        here = Path(os.__file__).parent
        stdlib = here if version == sys.version_info[:2] and (here / "os.py").is_file() else None
    extra, hooks = _pth(site)
    return Environment(
        version or sys.version_info[:2],
        stdlib,
        tuple(dict.fromkeys([*site, *extra])),
        typeshed(),
        complete and not hooks,
    )


@cache
def typeshed() -> Path | None:
    """The standard library's stubs, from the typeshed_client package; None if it is missing."""
    try:
        import typeshed_client
    except ImportError:
        return None
    folder = Path(typeshed_client.__file__).parent / "typeshed"
    return folder if (folder / "builtins.pyi").is_file() else None


def _prefix(path: Path) -> Path | None:
    """The environment that an interpreter or folder belongs to."""
    if path.is_dir():
        return path if (path / "pyvenv.cfg").is_file() or _site_packages(path) else None
    if not path.is_file():
        return None
    for candidate in (path.parent.parent, path.parent, path.resolve().parent.parent, path.resolve().parent):
        if (candidate / "pyvenv.cfg").is_file() or _site_packages(candidate):
            return candidate
    return None


def _venv_settings(prefix: Path) -> dict[str, str]:
    try:
        text = (prefix / "pyvenv.cfg").read_text("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _version(settings: Mapping[str, str], prefix: Path) -> tuple[int, int] | None:
    for key in ("version_info", "version"):
        found = re.match(r"(\d+)\.(\d+)", settings.get(key, ""))
        if found:
            return int(found[1]), int(found[2])
    for folder in _site_packages(prefix):
        found = re.fullmatch(r"python(\d+)\.(\d+)", folder.parent.name)
        if found:
            return int(found[1]), int(found[2])
    return None


def _site_packages(prefix: Path) -> list[Path]:
    found: list[Path] = []
    for lib in ("lib", "lib64", "Lib"):
        folder = prefix / lib
        if (folder / "site-packages").is_dir():
            found.append(folder / "site-packages")
        try:
            names = sorted(
                (p.name for p in folder.iterdir() if p.name.startswith("python3")), key=_natural, reverse=True
            )
        except OSError:
            continue
        for name in names:
            for kind in ("site-packages", "dist-packages"):
                candidate = folder / name / kind
                if candidate.is_dir() and not any(candidate.samefile(f) for f in found):
                    found.append(candidate)
    return found


def _natural(name: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", name)]


def _pth(site: Iterable[Path]) -> tuple[list[Path], bool]:
    """Folders that `.pth` files add, and whether one of them runs code that may add modules."""
    extra: list[Path] = []
    hooks = False
    for folder in site:
        try:
            names = sorted(p.name for p in folder.iterdir() if p.name.endswith(".pth"))
        except OSError:
            continue
        for name in names:
            try:
                text = (folder / name).read_text("utf-8", "replace")
            except OSError:
                continue
            for line in map(str.strip, text.splitlines()):
                if not line or line.startswith("#"):
                    continue
                if line.startswith(("import ", "import\t")):
                    hooks = hooks or name not in _KNOWN_HOOKS
                    continue
                path = folder / line
                if path.is_dir():
                    extra.append(path)
    return extra, hooks


@cache
def stub_versions(folder: Path) -> Mapping[str, tuple[tuple[int, int], tuple[int, int]]]:
    """typeshed's VERSIONS: module -> (first, last) version that has it."""
    table: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {}
    try:
        text = (folder / "VERSIONS").read_text("utf-8")
    except OSError:
        return table
    for line in text.splitlines():
        found = re.match(r"([\w.]+): *(\d+)\.(\d+)-(?:(\d+)\.(\d+))?", line)
        if found:
            last = (int(found[4]), int(found[5])) if found[4] else (99, 0)
            table[found[1]] = ((int(found[2]), int(found[3])), last)
    return table
