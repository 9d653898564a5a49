"""Lines to complete, drawn from packages that no training saw, and how an answer is measured.

A line counts if it has at least 3 names and 12 characters and is no import, comment or part of a string (docstring).
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft_training import filters, holes

NAME = re.compile(r"[A-Za-z_]\w*")
CALLED = re.compile(r"([A-Za-z_]\w*)\(")
DEFINED = re.compile(r"^[ \t]*(?:async def|def|class)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
LEAST_NAMES = 3
LEAST_CHARACTERS = 12
DULL_NODES = frozenset({"string", "comment", "import_statement", "import_from_statement", "future_import_statement"})


@dataclass(frozen=True)
class Line:
    """One line of a held-out file. `before` + `text` + line break + `after` is the file."""

    package: str
    path: str
    number: int
    before: str
    text: str
    after: str
    calls_own: bool
    """Calls a function or class that another file of the package defines."""


def read_package(root: Path) -> dict[str, str]:
    """Python files below `root` that a training set would take: path with forward slashes -> text."""
    found = {}
    for file in sorted(root.rglob("*.py")):
        path = f"{root.name}/{file.relative_to(root).as_posix()}"
        text = filters.decode(file.read_bytes())
        if text is not None and filters.reason_to_drop(path, text) is None:
            found[path] = text
    return found


def candidates(package: str, files: Mapping[str, str]) -> list[Line]:
    """Every line of a package that counts, in order. Each holds its whole file: for large packages `draw`."""
    return [_line(package, files, place) for place in _places(files)]


Place = tuple[str, int, int, str, bool]
"""Path, line number, characters before the line, the line, does it call what another file defines."""


def _line(package: str, files: Mapping[str, str], place: Place) -> Line:
    path, number, cut, text, own = place
    whole = files[path]
    return Line(package, path, number, whole[:cut], text, whole[cut + len(text) + 1 :], own)


def _places(files: Mapping[str, str]) -> list[Place]:
    defined: dict[str, set[str]] = {}
    for path, text in files.items():
        for name in DEFINED.findall(text):
            defined.setdefault(name, set()).add(path)
    lines: list[Place] = []
    for path, text in files.items():
        raw = text.encode()
        tree = holes.parse(raw)
        start = cut = 0
        for number, line in enumerate(text.split("\n"), 1):
            size = len(line.encode()) + 1
            bare = line.strip()
            if len(bare) >= LEAST_CHARACTERS and len(NAME.findall(bare)) >= LEAST_NAMES:
                node = tree.root_node.descendant_for_byte_range(
                    start + len(line) - len(line.lstrip()), start + size - 1
                )
                place = tree.root_node.descendant_for_byte_range(start + size - 2, start + size - 1)
                if not _dull(node) and not _dull(place, strings_only_if_long=True):
                    called = [] if DEFINED.match(line) else CALLED.findall(bare)
                    own = any(defined.get(name, set()) - {path} for name in called)
                    lines.append((path, number, cut, line, own))
            start += size
            cut += len(line) + 1
    return lines


def _dull(node: object, strings_only_if_long: bool = False) -> bool:
    while node is not None:
        kind = getattr(node, "type", "")
        if kind in DULL_NODES:
            long = getattr(node, "start_point", (0, 0))[0] != getattr(node, "end_point", (0, 0))[0]
            if not strings_only_if_long or kind == "comment" or long:
                return True
        node = getattr(node, "parent", None)
    return False


def draw(packages: Mapping[str, Mapping[str, str]], count: int, seed: int, calls: bool = False) -> list[Line]:
    """`count` lines, as evenly over the packages as they allow; the same for the same seed and files.

    `calls`: only lines that call what another file of the package defines.
    """
    lines: list[Line] = []
    names = sorted(packages)
    for index, name in enumerate(names):
        share = count * (index + 1) // len(names) - count * index // len(names)
        chance = random.Random(hashlib.sha256(f"{name}/{seed}".encode()).digest())
        found = [place for place in _places(packages[name]) if place[-1] or not calls]
        lines += [_line(name, packages[name], place) for place in chance.sample(found, min(share, len(found)))]
    return lines


def typed_part(line: str, share: float) -> str:
    """What stands left of the cursor when `share` of a line was typed; the indentation always."""
    bare = line.lstrip()
    return line[: len(line) - len(bare) + int(len(bare) * share)]


def edit_similarity(left: str, right: str) -> float:
    """1 minus the Levenshtein distance over the longer length; 1.0 for two empty texts."""
    if not left and not right:
        return 1.0
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return 1.0 - row[-1] / max(len(left), len(right))


def names(text: str) -> Sequence[str]:
    """Identifiers and keywords in order."""
    return NAME.findall(text)
