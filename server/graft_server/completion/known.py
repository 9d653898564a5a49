"""What the graph knows where a name begins, asked once while the name is typed.

The same question is put by the constraint, by the graph's own guess and by the classic list, and again with every
letter of the name: the answer depends on what stands before the name and after the cursor only.  On the graph's thread
only.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from graft_indexer.facts import ParameterKind
from graft_indexer.graph import Answer, Symbol, SymbolGraph
from graft_server.completion.anchor import Place
from graft_server.completion.names import CALLABLE
from graft_server.completion.probe import NAME, probing

T = TypeVar("T")

FRESH_SECONDS = 3.0
"""Other files may change meanwhile: an answer is not kept longer."""
_MOST = 6


class _Kept(threading.local):
    """Every graph has a thread of its own, and so its own answers, which end with it."""

    def __init__(self) -> None:
        self.answers: OrderedDict[tuple[Any, ...], tuple[float, SymbolGraph, Any]] = OrderedDict()


_kept = _Kept()


@dataclass(frozen=True, slots=True)
class Names:
    """Names that an expression may begin with; `keywords` are arguments that the call around it still takes."""

    symbols: tuple[Symbol, ...]
    closed: bool
    keywords: tuple[str, ...]
    in_call: bool


def begun(text: str) -> str:
    """The beginning of a name that `text` ends with."""
    # From the end: a pattern would be tried at every character of the file.
    at = len(text)
    while at and (text[at - 1].isalnum() or text[at - 1] == "_"):
        at -= 1
    return text[at:]


def before_name(place: Place, generated: str = "") -> Place:
    """The place where the name at the cursor begins, `generated` put in before it."""
    text = place.before + generated
    return replace(place, before=text[: len(text) - len(begun(text))])


def once(what: str, graph: SymbolGraph, path: str, place: Place, ask: Callable[[], T]) -> T:
    """What `ask` says, kept for a moment per place."""
    key = (what, id(graph), path, place.before, place.after)
    answers = _kept.answers
    have = answers.get(key)
    if have is not None and have[1] is graph and time.monotonic() - have[0] < FRESH_SECONDS:
        return have[2]  # type: ignore[no-any-return]
    made = ask()
    answers[key] = (time.monotonic(), graph, made)
    answers.move_to_end(key)
    while len(answers) > _MOST:
        answers.popitem(last=False)
    return made


def visible(graph: SymbolGraph, path: str, place: Place) -> Names:
    """The names that may stand where the name at the cursor begins."""
    start = before_name(place)

    def ask() -> Names:
        with probing(graph, path, start) as offset:
            answer = graph.visible_names(path, offset)
            call = graph.call_at(path, offset)
            keywords: tuple[str, ...] = ()
            if call is not None and (target := graph.call_target(path, call)).value:
                wanted = (ParameterKind.POSITIONAL_OR_KEYWORD, ParameterKind.KEYWORD_ONLY)
                keywords = tuple(p.name for p in target.value[0].signature.parameters if p.kind in wanted)
            outside = not any(s.kind in CALLABLE for s in graph.enclosing(path, offset))
        symbols = tuple(s for s in answer.value if s.name != NAME)
        if outside and not re.search(r":[^=]*$", start.line):
            # Outside of functions code runs as it stands: what the file binds further down is not there yet.
            symbols = tuple(s for s in symbols if s.path != path or s.span.start < offset)
        return Names(symbols, answer.closed, keywords, call is not None)

    return once("visible", graph, path, start, ask)


def members(graph: SymbolGraph, path: str, place: Place, generated: str = "") -> Answer[Sequence[Symbol]]:
    """The members of what stands before the dot at the cursor, after `generated`."""
    start = before_name(place, generated)

    def ask() -> Answer[Sequence[Symbol]]:
        with probing(graph, path, start) as offset:
            return graph.members_at(path, offset - 1)

    return once("members", graph, path, start, ask)
