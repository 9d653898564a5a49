"""Suggestions without a model: the rest of a name, call skeletons, straight from the graph.

Of the names that may stand at the cursor the one is offered that was used most and nearest, with what is known of the
choice as features; `confidence` decides whether that is likely enough to be shown.
"""

from __future__ import annotations

import keyword
import math
import re
from dataclasses import dataclass

from graft_indexer.facts import DefinitionKind, ParameterKind
from graft_indexer.graph import Origin, SymbolGraph
from graft_server.completion.anchor import Place
from graft_server.completion.lexical import COMMENT, STRING, scope_of
from graft_server.completion.options import Option, options_at
from graft_server.completion.probe import probing
from graft_server.completion.ranking import scores, uses
from graft_server.completion.shape import MINIMUM
from graft_server.completion.stops import head_of, unmatched

_CALL = re.compile(r"([A-Za-z_][\w.]*)\($")
_STATEMENT = frozenset(
    re.findall(
        r"\w+",
        "assert async await break class continue def del elif else except finally for from global if import match pass "
        "nonlocal raise return try while with yield lambda not None True False",
    )
)
_EXPRESSION = frozenset(re.findall(r"\w+", "and as await else for from if in is lambda not or None True False"))
_STRING_NAME = re.compile(r"""["']([A-Za-z_]\w{3,})$""")

FEATURES = (
    *("typed", "rest", "candidates", "share", "lead", "uses", "distance"),
    *("member", "import", "keyword", "local", "workspace", "line_start", "in_string", "closed", "skeleton"),
)
"""In the order of `Guess.features`; lengths, counts and distances as logarithms, shares, and 0 or 1."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What goes in after the cursor, and what is known of the choice."""

    text: str
    features: tuple[float, ...]

    @property
    def sure(self) -> bool:
        """Whether the rule of thumb would show it: one name fits, and enough of it is typed."""
        known = dict(zip(FEATURES, self.features, strict=True))
        if known["skeleton"]:
            return True
        one = known["candidates"] <= math.log1p(1) + 1e-9
        return one and (known["typed"] >= math.log1p(3) or bool(known["member"] or known["import"]))


def suggest(graph: SymbolGraph, path: str, place: Place) -> Guess | None:
    """The likeliest text, None where the graph has nothing to say."""
    scope = scope_of(place.before, place.language)
    if scope == COMMENT:
        return None
    quoted = scope == STRING and not _in_field(place.line)
    if quoted and not _STRING_NAME.search(place.line):
        return None
    if not quoted and _CALL.search(place.line):
        text = skeleton(graph, path, place)
        return Guess(text, _skeleton_features(text)) if text else None
    found = options_at(graph, path, place, limit=400)
    if keyword.iskeyword(found.typed) or (not found.typed and found.where == "name"):
        return None
    names = {o.name: o for o in found.options if o.name.startswith(found.typed) and o.rank >= 0}
    if found.where == "name" and not quoted:
        start = not place.line[: len(place.line) - len(found.typed)].strip() and not unmatched(head_of(place.before))[1]
        for word in _STATEMENT if start else _EXPRESSION:
            if found.typed and word.startswith(found.typed):
                names[word] = Option(word, DefinitionKind.VARIABLE, "keyword")
    if not names:
        return None
    member = found.where == "member"
    known = scores(place, names.values(), member=member)
    ordered = sorted(known, key=lambda n: (-known[n], n))
    best = ordered[0]
    rest = best[len(found.typed) :]
    if len(rest) < MINIMUM:
        return None
    option, total = names[best], sum(known.values())
    symbol = option.symbol
    second = known[ordered[1]] if len(ordered) > 1 else 0.0
    near = uses(place, {best}, member=member).get(best, [])
    return Guess(
        rest,
        (
            math.log1p(len(found.typed)),
            math.log1p(len(rest)),
            math.log1p(len(names)),
            known[best] / total,
            (known[best] - second) / total,
            math.log1p(len(near)),
            math.log1p(min(near, default=1000.0)),
            float(member),
            float(found.where == "import"),
            float(option.detail == "keyword" and symbol is None),
            float(option.kind in (DefinitionKind.LOCAL, DefinitionKind.PARAMETER)),
            float(symbol is not None and symbol.origin is Origin.WORKSPACE),
            float(place.line.strip() == found.typed),
            float(quoted),
            float(found.closed),
            0.0,
        ),
    )


def _skeleton_features(text: str) -> tuple[float, ...]:
    values = dict.fromkeys(FEATURES, 0.0)
    values |= {"rest": math.log1p(len(text)), "share": 1.0, "lead": 1.0, "closed": 1.0, "skeleton": 1.0}
    return tuple(values[name] for name in FEATURES)


def _in_field(line: str) -> bool:
    """Whether the string at the end of `line` is an f-string and the cursor stands in a replacement field."""
    opened = re.search(r"""\b[rR]?[fF][rR]?(?:'''|\"\"\"|["'])(?:(?!["']).)*$""", line)
    if opened is None:
        return False
    inside = opened.group().replace("{{", "").replace("}}", "")
    return inside.count("{") > inside.count("}")


def skeleton(graph: SymbolGraph, path: str, place: Place) -> str:
    """Arguments for a call just opened: every required parameter must have a visible variable of its name.

    Positional parameters are written as the variable, keyword-only ones as `name=name`.
    """
    with probing(graph, path, place) as end:
        call = graph.call_at(path, end)
        if call is None:
            return ""
        target = graph.call_target(path, call)
        if not target.closed or len(target.value) != 1:
            return ""
        wanted = [p for p in target.value[0].signature.parameters if p.required]
        if not wanted:
            return ")" if not place.rest.startswith(")") and not target.value[0].signature.parameters else ""
        visible = {
            s.name
            for s in graph.visible_names(path, end).value
            if s.kind in (DefinitionKind.LOCAL, DefinitionKind.PARAMETER, DefinitionKind.VARIABLE)
        }
    if any(p.name not in visible for p in wanted):
        return ""
    written = [f"{p.name}={p.name}" if p.kind is ParameterKind.KEYWORD_ONLY else p.name for p in wanted]
    return ", ".join(written) + ")"
