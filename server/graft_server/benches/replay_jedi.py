"""Names that jedi cannot resolve in a completed file: an independent judge of what was shown.

A name counts as unresolved if jedi finds no definition where one must be: for a bare name none in scope, for a member
none although jedi knows what stands before the dot, for an imported name none although it finds the module.  What jedi
cannot know (members of unknown receivers) is not held against anybody.  On the true text the same procedure gives
jedi's own error rate; `jedi_*_real_percent` is the share of texts with such a name that stand in the real file as they
are.
"""

from __future__ import annotations

import ast
import builtins
import random
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graft_server.benches.code_items import workspace
from graft_server.benches.replay_person import Judgement, chooser, play
from graft_server.benches.replay_record import Recorded, Said
from graft_server.completion.anchor import Place
from graft_server.completion.probe import completing
from graft_server.completion.shape import covering

_BUILTIN = frozenset(dir(builtins)) | {"__file__", "__name__", "__doc__", "__class__", "__path__", "__spec__"}


class Judge:
    """jedi over a copy of the packages."""

    def __init__(self, packages: Sequence[Path], scratch: Path) -> None:
        import jedi

        self._jedi = jedi
        self._roots = {p.name: workspace(p, scratch / p.name / "work") for p in packages}
        self._projects = {name: jedi.Project(str(root)) for name, root in self._roots.items()}

    def unresolved(self, package: str, path: str, text: str, start: int, end: int) -> list[str]:
        """Names in `text[start:end]` (characters) that jedi says do not exist."""
        script = self._jedi.Script(text, path=str(self._roots[package] / path), project=self._projects[package])
        return [leaf.value for leaf in _names(script, text, start, end) if self._missing(script, leaf)]

    def _missing(self, script: Any, leaf: Any) -> bool:
        line, column = leaf.start_pos
        if leaf.is_definition():
            # A name that an import binds must exist; other bindings are new by right.
            statement = leaf.get_definition()
            if statement is None or statement.type not in ("import_from", "import_name"):
                return False
            if statement.type == "import_name" or leaf in statement.get_from_names():
                return False
        try:
            if script.goto(line, column, follow_imports=True) or script.infer(line, column):
                return False
            before = leaf.get_previous_leaf()
            member = before is not None and before.value == "."
            if not member and script.goto(line, column):
                return False  # The file binds it: by the import of a package that is not installed here.
            if before is not None and member:
                if leaf.parent.type == "dotted_name" or leaf.get_definition(import_name_always=True) is not None:
                    return False
                receiver = before.get_previous_leaf()
                known = script.infer(*receiver.start_pos) if receiver.type == "name" else []
                # A stub that says nothing, a module that is not there, an attribute made elsewhere: not known.
                return bool(known) and all(k.type in ("class", "instance", "module") for k in known) and _closed(known)
            return leaf.value not in _BUILTIN
        except (RecursionError, ValueError, AttributeError, TypeError, KeyError, AssertionError):
            return False  # jedi's own failures decide nothing.


def _closed(known: Sequence[Any]) -> bool:
    """Whether jedi knows what it infers well enough to say that a member is not there."""
    for one in known:
        names = {n.name for n in one.defined_names()} if one.type == "module" else set()
        if "__getattr__" in names or (one.full_name or "").startswith(("typing.", "builtins.object")):
            return False
    return True


def _names(script: Any, text: str, start: int, end: int) -> list[Any]:
    """Leaves of names that lie in the new text and are used as such (not keywords of calls, not parameters)."""
    starts = [0] + [m.end() for m in re.finditer("\n", text)]
    out = []
    leaf = script._module_node.get_first_leaf()
    while leaf is not None:
        line, column = leaf.start_pos
        at = starts[line - 1] + column
        if at >= end:
            break
        if leaf.type == "name" and at + len(leaf.value) > start:
            parent = leaf.parent
            keyword = parent.type == "argument" and leaf.get_next_sibling() == "="
            if not keyword and parent.type not in ("param", "global_stmt", "nonlocal_stmt"):
                out.append(leaf)
        leaf = leaf.get_next_leaf()
    return out


def judged(
    recorded: Recorded, packages: Sequence[Path], judgement: Judgement, count: int, chance: random.Random
) -> dict[str, Any]:
    """Shares of texts with an unresolved name: shown to a person typing, and offered when asked for at every key."""
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="graft-jedi-") as scratch:
        judge = Judge(packages, Path(scratch))
        arms = {
            "shown": [(s.said, s.text) for s in play(recorded.said, chooser(judgement)).showings],
            "shown_without": [
                (s.said, s.text) for s in play(recorded.said, chooser(judgement, free=True, fallback=False)).showings
            ],
            "asked": [(s, s.offers[""].text) for s in recorded.said if s.offers[""].text],
            "asked_without": [(s, s.free.text) for s in recorded.said if s.free.text],
        }
        # Of the true text to the end of what is hidden, so that the file is the real one again.
        arms["truth"] = [(s, s.key.truth) for s, _ in arms["asked"]]
        for name, texts in arms.items():
            # Whatever key of the line it was said at, the same completed line is one text.
            unique = {(s.key.spot, s.key.line, (_line(s) + t).strip()): (s, t) for s, t in texts}
            sample = chance.sample([*unique.values()], min(count, len(unique)))
            bad: list[str] = []
            real = 0
            for said, text in sample:
                wrong = _judge(judge, recorded, said, text)
                if wrong:
                    bad.append(f"{_line(said).strip()}⟦{text}⟧ {wrong[0]}")
                    real += said.key.truth.startswith(text)
            out[f"jedi_{name}_judged"] = len(sample)
            out[f"jedi_{name}_unresolved_percent"] = round(100 * len(bad) / len(sample), 2) if sample else 0.0
            out[f"jedi_{name}_real_percent"] = round(100 * real / len(sample), 2) if sample else 0.0
            out[f"jedi_{name}_examples"] = " | ".join(b.replace("\n", "\\n") for b in bad[:6])
    return out


def _line(said: Said) -> str:
    return said.key.before.rpartition("\n")[2]


def _judge(judge: Judge, recorded: Recorded, said: Said, text: str) -> list[str]:
    key, spot = said.key, recorded.spots[said.key.spot]
    whole = key.before + text
    if key.truth.startswith(text):
        # The person types on as ever: the completed file is the real one.
        made = key.before + key.truth + spot.after
    else:
        made = finished(whole, key.after[covering(text, Place(key.before, key.after)) :])
    word = re.search(r"\w*$", key.before)
    start = len(key.before) - len(word.group() if word is not None else "")
    return judge.unresolved(spot.package, spot.path, made, start, len(whole))


def finished(whole: str, rest: str) -> str:
    """The file with its unfinished statement, and a string in it, finished in the first way that Python can parse."""
    for quote in ("", '"', "'"):
        ended = whole + quote
        due = completing(ended, Place(ended, rest))
        for filler in (due, "", ":\n" + " " * 40 + "pass", " = None", "()", "]", ")", "}"):
            try:
                ast.parse(ended + filler + rest)
            except (SyntaxError, ValueError):
                continue
            return ended + filler + rest
    return whole + completing(whole, Place(whole, rest)) + rest
