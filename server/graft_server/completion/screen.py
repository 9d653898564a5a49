"""What the model said, through all gates that look at the text itself: over text, over syntax, over the graph.

Runs on the graph's thread, or without a graph where the caller is.  `GATES` names the gates in their order; leaving one
out is for `graft bench replay`, which measures what each is worth.  No setting does it.
"""

from __future__ import annotations

from dataclasses import dataclass

from graft_indexer.graph import SymbolGraph
from graft_server.completion import secrets, shape
from graft_server.completion.anchor import Place, nearby
from graft_server.completion.gates import judge
from graft_server.completion.model import Mode, Snapshot, Verdict
from graft_server.completion.parses import Trees

GATES = (
    *("special-tokens", "repetition", "comment", "seam", "indentation", "duplicate", "rest-of-line", "brackets"),
    *("length", "parses", "names", "secrets"),
)


@dataclass(frozen=True, slots=True)
class Screened:
    """`text` is what is left to show (empty: nothing), `best` the best text whatever the gates said."""

    text: str
    best: str
    verdicts: tuple[Verdict, ...]
    known: int = 0
    """Names of the text that the graph confirms, and `unknown`: those that it can neither confirm nor refute."""
    unknown: int = 0


def screen(
    graph: SymbolGraph | None,
    trees: Trees,
    snapshot: Snapshot,
    place: Place,
    mode: Mode,
    said: str,
    off: frozenset[str] = frozenset(),
    *,
    comments: bool = False,
) -> Screened:
    """`said` (LF line ends, after the cursor) through every gate that is not in `off`; `comments` may be suggested.

    Without a graph, of a long file only the cursor's surroundings are parsed.
    """
    shaped = shape.shaped(said, place, mode, manual=snapshot.manual, comments=comments, off=off)
    verdicts = list(shaped.verdicts)
    text = shaped.text
    known = unknown = 0
    if text:
        where = place if graph is not None else nearby(place)
        judged = judge(graph, trees, snapshot.path, snapshot.language, where, text, shaped.cover, off=off)
        verdicts += judged.verdicts
        text, known, unknown = judged.text, judged.known, judged.unknown
    if text and "secrets" not in off and secrets.find(text):
        verdicts.append(Verdict("secrets", False, "looks like a secret"))
        text = ""
    return Screened(text, text or shaped.text or said, tuple(verdicts), known, unknown)
