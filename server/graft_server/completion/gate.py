"""Whether to ask at all: languages, globs, comments and strings, the middle of a line, what was just rejected."""

from __future__ import annotations

import fnmatch
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pathspec

from graft_server.completion.anchor import Place
from graft_server.completion.lexical import COMMENT, STRING, scope_of
from graft_server.completion.model import Mode, Snapshot
from graft_server.settings import Settings

CLOSERS = ")]}>\"'`,;: \t"
"""What may stand after the cursor without making it the middle of a line; so may the brace that begins a block."""

_PROSE = frozenset({"plaintext", "markdown", "git-commit", "gitcommit", "scminput", "dotenv", "log"})
_WORD_BEFORE = re.compile(r"\w$")
_WORD_AFTER = re.compile(r"^\w")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to ask, in which mode, and if not, why in a few words."""

    ask: bool
    mode: Mode = "line"
    reason: str = ""


@dataclass(slots=True)
class Memory:
    """What the person did lately: what was rejected, until when Graft is snoozed."""

    clock: Callable[[], float] = time.monotonic
    snoozed_until: float = 0.0
    rejections: int = 0
    """In a row."""
    _rejected: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)

    def snooze(self, minutes: float) -> None:
        """No automatic suggestions for so many minutes; 0 ends it."""
        self.snoozed_until = self.clock() + 60 * minutes if minutes > 0 else 0.0

    @property
    def snoozed(self) -> bool:
        """Whether automatic suggestions are paused."""
        return self.clock() < self.snoozed_until

    def reject(self, line: str, text: str) -> None:
        """Remember a text that was shown after `line` and not taken."""
        self.rejections += 1
        self._rejected[(line.lstrip(), text.rstrip())] = self.clock()
        while len(self._rejected) > 50:
            self._rejected.popitem(last=False)

    def accept(self) -> None:
        """Something was taken: no more back-off."""
        self.rejections = 0

    def was_rejected(self, line: str, text: str, seconds: float = 300.0) -> bool:
        """Whether the same whole line was shown and rejected within the last `seconds`."""
        whole = (line + text).strip()
        now = self.clock()
        return any(
            (before + said).strip() == whole for (before, said), at in self._rejected.items() if now - at < seconds
        )


def decide(snapshot: Snapshot, place: Place, settings: Settings, memory: Memory, *, ignored: bool = False) -> Decision:
    """The decision for one request.  `ignored` says whether a `.graftignore` names the file.

    What is switched off stays off for manual requests too; rules about the moment (snooze, back-off, comments,
    mid-word) hold for automatic ones only.
    """
    if settings.completion_eagerness == "off":
        return Decision(False, reason="suggestions are off")
    if snapshot.language in settings.completion_languages_off or snapshot.language in _PROSE:
        return Decision(False, reason=f"off for {snapshot.language}")
    if ignored or matches(snapshot.path, settings.completion_disabled_globs):
        return Decision(False, reason="off for this file")
    mode = mode_of(snapshot, place, settings)
    if snapshot.manual:
        return Decision(True, mode)
    if settings.completion_eagerness == "subtle":
        return Decision(False, mode, "only when asked for")
    if memory.snoozed:
        return Decision(False, mode, "snoozed")
    if place.rest.strip(CLOSERS) not in ("", "{"):
        return Decision(False, mode, "in the middle of a line")
    if _WORD_AFTER.search(place.rest):
        return Decision(False, mode, "in the middle of a word")
    scope = scope_of(place.before, snapshot.language)
    if scope == COMMENT and not settings.completion_in_comments:
        return Decision(False, mode, "in a comment")
    if scope == STRING and not settings.completion_in_strings:
        return Decision(False, mode, "in a string")
    return Decision(True, mode)


def mode_of(snapshot: Snapshot, place: Place, settings: Settings) -> Mode:
    """What kind of text is wanted: a span in mid-line, a block where one begins, else the rest of the line."""
    if snapshot.mode != "auto":
        return snapshot.mode
    if place.rest.strip(CLOSERS):
        return "span"
    if not settings.completion_multiline or place.line.strip():
        return "line"
    above = place.before.rstrip()
    if above.endswith((":", "{", "=>")) and above.rpartition("\n")[2].strip()[:1] not in ("#", "/", "*"):
        opener = above.rpartition("\n")[2]
        below = next((line for line in place.after.split("\n")[1:] if line.strip()), "")
        if indent_of(below) <= indent_of(opener):
            return "block"
    return "line"


def indent_of(line: str) -> int:
    """Columns of white space before the first character.  A tab counts four: models answer in spaces to tabs."""
    wide = line.expandtabs(4)
    return len(wide) - len(wide.lstrip())


@lru_cache(maxsize=512)
def matches(path: str, globs: tuple[str, ...]) -> bool:
    """Whether a path (relative or absolute, `/`) fits one of the globs; `**/x` fits at any depth, also at the root."""
    name = path.rpartition("/")[2]
    for glob in globs:
        if fnmatch.fnmatch(path, glob):
            return True
        if glob.startswith("**/") and (fnmatch.fnmatch(path, glob[3:]) or fnmatch.fnmatch(name, glob[3:])):
            return True
    return False


@lru_cache(maxsize=32)
def _ignore_spec(file: str, stamp: int) -> Any:
    del stamp  # Part of the key only: a changed file is read again.
    try:
        lines = Path(file).read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    return pathspec.PathSpec.from_lines("gitignore", lines)


def graft_ignored(root: str, path: str) -> bool:
    """Whether a `.graftignore` in the workspace's root, or in a folder above the file, names it.

    Stricter than the index in one point: a `!pattern` further down takes nothing back that a file above ignores.
    """
    folders = path.split("/")[:-1]
    for depth in range(len(folders) + 1):
        file = Path(root, *folders[:depth], ".graftignore")
        try:
            stamp = file.stat().st_mtime_ns
        except OSError:
            continue
        if _ignore_spec(str(file), stamp).match_file("/".join(path.split("/")[depth:])):
            return True
    return False
