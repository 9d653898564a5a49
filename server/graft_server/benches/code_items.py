"""Real files, and places in them to complete, for `graft bench complete` and `graft bench replay`.

A package is copied alone into a workspace of its own, so that nothing beside it helps.  Which packages a model has
never seen is for whoever runs the bench to say; without `--packages` those installed here that the embedded model never
trained on are taken.
"""

from __future__ import annotations

import ast
import random
import re
import shutil
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft_indexer.text import decode
from graft_server.errors import UserError

HELD_OUT = ("rich", "httpx", "marshmallow", "loguru", "tenacity", "anyio", "pluggy", "humanize", "sqlglot", "cattrs")
"""Packages that the embedded model never trained on (its model card)."""
LEAST_CHARACTERS = 8
NAME = re.compile(r"[A-Za-z_]\w*")
_SKIPPED = {"tests", "test", "_vendor", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Spot:
    """Lines of a file that are hidden and typed again: `before`, then `hidden` (whole lines), then `after`.

    `kind` is "edit" (one line; what stands below is known) or "write" (the rest of the block is hidden too).
    """

    package: str
    path: str
    number: int
    """1-based line where typing begins."""
    before: str
    hidden: str
    after: str
    kind: str
    lines: int
    """How many of the hidden lines are typed."""


def installed() -> list[Path]:
    """Held-out packages of this environment."""
    site = Path(sysconfig.get_path("purelib"))
    return [site / name for name in HELD_OUT if (site / name).is_dir()]


def folders(given: Sequence[Path] | None) -> list[Path]:
    """The package folders to measure on.  Raises UserError if there is none."""
    chosen = list(given) if given else installed()
    for folder in chosen:
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder")
    if not chosen:
        raise UserError("name folders of packages that the model was not trained on: --packages DIR...")
    return chosen


def workspace(folder: Path, target: Path) -> Path:
    """A copy of a package's Python files below `target`, which becomes its workspace."""
    for file in sorted(folder.resolve().rglob("*.py")):
        relative = file.relative_to(folder.resolve())
        if file.is_file() and not _SKIPPED.intersection(relative.parts[:-1]):
            copy = target / folder.name / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    if not target.is_dir():
        raise UserError(f"{folder} has no Python files")
    return target


def files(root: Path, least: int = 40, most: int = 2000) -> Iterator[tuple[str, str, ast.Module]]:
    """(path relative to `root`, text, tree) of every file with `least` to `most` lines that Python can parse."""
    for file in sorted(root.rglob("*.py")):
        text = decode(file.read_bytes()).text
        if "\r" in text or "\t" in text or not least <= text.count("\n") <= most:
            continue
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        yield file.relative_to(root).as_posix(), text, tree


def code_lines(text: str, tree: ast.Module) -> list[int]:
    """1-based numbers of lines that hold code: not blank, no comment, no part of a string over several lines."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno is not None:
            long = node.end_lineno > node.lineno
            inside.update(range(node.lineno, node.end_lineno + 1) if long else ())
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            inside.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    out = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if len(bare) >= LEAST_CHARACTERS and bare[0] not in "#" and number not in inside and NAME.search(bare):
            out.append(number)
    return out


def block_end(tree: ast.Module, number: int) -> int:
    """Last line of the innermost function around line `number`; the line itself outside of functions."""
    end = number
    best = 0
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node.end_lineno is None:
            continue
        if node.body[0].lineno <= number <= node.end_lineno and node.lineno > best:
            best, end = node.lineno, node.end_lineno
    return end


def spots(package: str, root: Path, file_count: int, per_file: int, chance: random.Random) -> list[Spot]:
    """`per_file` spots in each of `file_count` files, edits and writes in turn; fewer if there are not so many."""
    found = list(files(root))
    chance.shuffle(found)
    out: list[Spot] = []
    for path, text, tree in found[:file_count]:
        lines = text.split("\n")
        numbers = code_lines(text, tree)
        for order, number in enumerate(sorted(chance.sample(numbers, min(per_file, len(numbers))))):
            end = block_end(tree, number) if order % 2 else number
            before = "\n".join(lines[: number - 1]) + ("\n" if number > 1 else "")
            hidden = "\n".join(lines[number - 1 : end])
            after = "\n" + "\n".join(lines[end:])
            kind = "write" if order % 2 else "edit"
            out.append(Spot(package, path, number, before, hidden, after, kind, min(2, end - number + 1)))
    return out


@dataclass(frozen=True, slots=True)
class Key:
    """The document after one key: text around the cursor, and what the person is about to type."""

    spot: int
    """Index of the spot."""
    line: int
    """Which of its lines, from 0."""
    column: int
    """Characters of the line that stand left of the cursor."""
    before: str
    after: str
    truth: str
    """The hidden text from the cursor on, over line breaks."""


PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}


def keys(index: int, spot: Spot) -> Iterator[Key]:
    """Every state while a spot's lines are typed: from the indentation, which editors set, character by character;
    brackets and quotes close by themselves and are typed over."""
    lines = spot.hidden.split("\n")
    head = spot.before
    for number, line in enumerate(lines[: spot.lines]):
        rest = "\n".join(lines[number:])
        if line.strip():
            closers = ""
            start = len(line) - len(line.lstrip())
            for column in range(start, len(line)):
                if column > start:
                    typed = line[column - 1]
                    if closers.startswith(typed):
                        closers = closers[1:]
                    elif typed in PAIRS and (typed not in "\"'" or not re.search(r"\w$", line[: column - 1])):
                        closers = PAIRS[typed] + closers
                yield Key(index, number, column, head + line[:column], closers + spot.after, rest[column:])
        head += line + "\n"


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


def right_so_far(text: str, truth: str) -> bool:
    """Whether `text` is what the person types next and ends where a word ends."""
    if not text or not truth.startswith(text):
        return False
    following = truth[len(text) : len(text) + 1]
    return not (re.match(r"\w", following) and re.search(r"\w$", text))
