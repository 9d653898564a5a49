"""What may come next while the engine decodes: names from the graph, at the engine's triggers.

Runs on the graph's thread within the engine's 5 ms.  Closed answers constrain; open ones only hint; no answer at all
lets the engine go on.
"""

from __future__ import annotations

import re

from graft_indexer.facts import ParameterKind
from graft_indexer.graph import SymbolGraph
from graft_models.engine import Allow, Need, Trigger
from graft_server.completion.anchor import Place
from graft_server.completion.probe import probing

MAX_NAMES = 2000
_NAME_TAIL = re.compile(r"[A-Za-z_0-9]*\Z")
_IMPORT_FROM = re.compile(r"^\s*from\s+(\.*)([\w.]*)\s+import\s+(?:\(\s*)?(?:\w+(?:\s+as\s+\w+)?\s*,\s*)*$")
_IMPORT = re.compile(r"^\s*(?:import\s+(?:[\w.]+\s*,\s*)*|from\s+)(\.*)((?:\w+\.)*)$")
TRIGGERS = (Trigger.DOT, Trigger.IMPORT)
"""What is asked for.  `CALL` and `NAME` stay off: the gates check keyword arguments and names after the fact."""


def trigger_at(place: Place) -> Trigger | None:
    """The trigger that the text before the cursor ends with, the beginning of a name after it left out."""
    line = _without_name(place.line)
    if _IMPORT_FROM.match(line) or _IMPORT.match(line):
        return Trigger.IMPORT
    return Trigger.DOT if re.search(r"[\w)\]}'\"]\.$", line) else None


def _without_name(text: str) -> str:
    return text[: len(text) - len(_NAME_TAIL.search(text).group())]  # type: ignore[union-attr]


def allowed(graph: SymbolGraph, path: str, place: Place, typed: str, need: Need) -> Allow | None:
    """The names that may stand where `need.text` ends, None to let the engine go on.

    `typed` is what of `need.text` stands before the cursor already.  `need.text` may end with the beginning of a name
    that the person typed; the names are whole names all the same.
    """
    generated = need.text[len(typed) :] if need.text.startswith(typed) else need.text
    before = place.before + generated
    line = _without_name(before[before.rfind("\n") + 1 :])
    if found := _IMPORT_FROM.match(line):
        answer = graph.module_members(found.group(2), path, len(found.group(1)))
        names = tuple(dict.fromkeys(s.name for s in answer.value))
        return _allow(need, names, answer.closed)
    if found := _IMPORT.match(line):
        modules = graph.modules(found.group(2).rstrip("."), path, len(found.group(1)))
        return _allow(need, tuple(dict.fromkeys(modules.value)), modules.closed)
    if need.trigger is Trigger.DOT and line.endswith("."):
        return _members(graph, path, place, generated, line, need)
    return None


def _members(graph: SymbolGraph, path: str, place: Place, generated: str, line: str, need: Need) -> Allow | None:
    begun = len(place.before + generated) - len(_without_name(place.before + generated))
    with probing(graph, path, place, generated) as offset:
        answer = graph.members_at(path, offset - begun - 1)
    names = sorted(dict.fromkeys(s.name for s in answer.value), key=lambda name: name.startswith("_"))
    # At the start of a statement the member may be assigned to, and so be new.
    return _allow(need, tuple(names), answer.closed and not re.match(r"\s*[\w.]+\.$", line))


def _allow(need: Need, names: tuple[str, ...], closed: bool) -> Allow | None:
    if not names or len(names) > MAX_NAMES:
        return None
    return Allow(need.need, names, open=not closed)


def keyword_names(graph: SymbolGraph, path: str, offset: int) -> tuple[str, ...]:
    """Keyword arguments that the call around `offset` still takes; empty if its target is not known for certain."""
    call = graph.call_at(path, offset)
    if call is None:
        return ()
    target = graph.call_target(path, call)
    if not target.value:
        return ()
    return tuple(
        p.name
        for p in target.value[0].signature.parameters
        if p.kind in (ParameterKind.POSITIONAL_OR_KEYWORD, ParameterKind.KEYWORD_ONLY)
    )
