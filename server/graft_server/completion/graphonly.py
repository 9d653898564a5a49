"""Suggestions without a model: the rest of a name, call skeletons, straight from the graph.

Of the names that may stand at the cursor the one is offered that was used most and nearest, with what is known of the
choice as features; `confidence` decides whether that is likely enough to be shown.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from keyword import iskeyword

from graft_indexer.facts import DefinitionKind, ParameterKind
from graft_indexer.graph import Origin, SymbolGraph
from graft_server.completion import imports
from graft_server.completion import known as known_names
from graft_server.completion.anchor import Place
from graft_server.completion.homes import completed, homes
from graft_server.completion.keywords import code_before, in_annotation, keywords_at
from graft_server.completion.lexical import COMMENT, STRING, scope_of
from graft_server.completion.options import Option, Options, missed_of, options_at
from graft_server.completion.probe import probing
from graft_server.completion.ranking import scores, uses
from graft_server.completion.shape import MINIMUM
from graft_server.completion.stops import head_of, unmatched

_CALL = re.compile(r"([A-Za-z_][\w.]*)\($")
_SAME = re.compile(
    r"""(?:^\s*(?:self|cls)\.(?P<attribute>\w+)\s*(?::[^=]+)?="""
    r"""|["'](?P<item>\w+)["']\]\s*="""
    r"""|(?:[{,]\s*|^\s*)["'](?P<key>\w+)["']\s*:"""
    r"""|(?:^|[(,])\s*(?P<keyword>\w+)=)(?P<blank>\s*)\w*$"""
)
"""`self.name = `, `x["name"] = `, `{"name": ` and `f(name=`."""
_WITHIN = {"key": "{", "keyword": "("}
"""The bracket that must be the innermost open one."""
SAME_SHARE = 0.75
"""How often what follows there is the parameter or variable of that name, if there is one, and after `super().` the
method that it stands in, or less: `bench/count_places.py`."""
_SUPER = re.compile(r"\bsuper\([\w, ]*\)\.\w*$")
_VARIABLES = (DefinitionKind.LOCAL, DefinitionKind.PARAMETER)
_METHODS = (DefinitionKind.METHOD, DefinitionKind.PROPERTY)
_STRING_NAME = re.compile(r"""["']([A-Za-z_]\w{3,})$""")

FEATURES = (
    *("typed", "rest", "candidates", "share", "lead", "uses", "distance"),
    *("member", "import", "keyword", "local", "workspace", "line_start", "in_string", "closed", "skeleton"),
    "missed",
)
"""In the order of `Guess.features`; lengths, counts and distances as logarithms, shares, and 0 or 1.  `missed`: the
file uses the name, and this is an import."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What goes in after the cursor, and what is known of the choice."""

    text: str
    features: tuple[float, ...]

    @property
    def settled(self) -> bool:
        """Whether the file itself asks for it: it is made of names that it uses and misses.  A model's list of imports
        is longer, and so would save more, but nobody asked for the rest of it."""
        return bool(self.features[FEATURES.index("missed")])

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
    if not quoted and not _says_something(place):
        return None
    found = options_at(graph, path, place, limit=400)
    if (guess := _missed(graph, path, place, found)) is not None:
        return guess
    if iskeyword(found.typed):
        return None
    same = None if quoted else _same(graph, path, place, found)
    if not found.typed and same is None and found.where != "member":
        return None
    fitting = [o for o in found.options if o.name.startswith(found.typed) and o.rank >= 0]
    names = {o.name: o for o in fitting if found.where != "member" or o.symbol is None or not o.symbol.unsure}
    keywords: dict[str, float] = {}
    if quoted:
        # Words of a language are no words of its strings.
        names = {n: o for n, o in names.items() if o.symbol is None or o.symbol.origin is not Origin.BUILTIN}
    elif found.where == "name":
        words, name_fits = keywords_at(place, found.typed)
        names = names if name_fits else {}
        if in_annotation(code_before(place, found.typed), place.before[: -len(place.line) - 1]):
            # A type is no variable, unless it is written like one.
            names = {n: o for n, o in names.items() if o.kind not in _VARIABLES or n.lstrip("_")[:1].isupper()}
            words = {"None": words["None"]} if "None" in words else {}
        for word, value in words.items():
            if found.typed and word.startswith(found.typed):
                names[word] = Option(word, DefinitionKind.VARIABLE, "keyword")
                keywords[word] = value
    if place.line.lstrip().startswith("@"):
        names = {n: o for n, o in names.items() if not _below(o, path, place)}
    if not names:
        return None
    member = found.where == "member"
    seen = uses(place, names.keys(), member=member)
    known = scores(place, names.values(), member=member, keywords=keywords, seen=seen)
    ordered = sorted(known, key=lambda n: (-known[n], n))
    if same is not None:
        ordered.remove(same)
        ordered.insert(0, same)
    best = ordered[0]
    rest = best[len(found.typed) :]
    if len(rest) < MINIMUM:
        return None
    option, total = names[best], sum(known.values())
    symbol = option.symbol
    second = known[ordered[1]] if len(ordered) > 1 else 0.0
    share, lead = known[best] / total, (known[best] - second) / total
    if same is not None:
        share, lead = max(share, SAME_SHARE), max(lead, SAME_SHARE)
        if not found.typed and _wants_blank(place.line):
            rest = f" {rest}"
    near = seen.get(best, [])
    return Guess(
        rest,
        (
            math.log1p(len(found.typed)),
            math.log1p(len(rest)),
            math.log1p(len(names)),
            share,
            lead,
            math.log1p(len(near)),
            math.log1p(min(near, default=1000.0)),
            float(member),
            float(found.where == "import"),
            float(symbol is None and option.said == "keyword"),
            float(option.kind in (DefinitionKind.LOCAL, DefinitionKind.PARAMETER)),
            float(symbol is not None and symbol.origin is Origin.WORKSPACE),
            float(place.line.strip() == found.typed),
            float(quoted),
            float(found.closed),
            0.0,
            0.0,
        ),
    )


def _below(option: Option, path: str, place: Place) -> bool:
    """Whether the file binds a name only below the cursor: no decorator can be that, least of all what it decorates."""
    symbol = option.symbol
    if symbol is None or symbol.path != path:
        return False
    return symbol.name_span.start > len(place.before.encode("utf-8", "surrogateescape"))


def _says_something(place: Place) -> bool:
    """Whether a guess can be made at all: a name is begun, or the place alone asks for one.  Else the graph is spared
    the list of all names, which is most of what a key costs."""
    if known_names.begun(place.line) or place.line.endswith(".") or _SAME.search(place.line) is not None:
        return True
    return imports.from_import(place.before) is not None or imports.module_name(place.before) is not None


def _missed(graph: SymbolGraph, path: str, place: Place, found: Options) -> Guess | None:
    """What an import brings that the file misses: the module that defines most of it with its names, the names of a
    module that stands there, or the module that is missed itself."""
    item, dotted = imports.from_import(place.before), imports.module_name(place.before)
    candidates, share = 1, 1.0
    if item is not None:
        members = graph.module_members(item.module, path, item.level).value
        names = missed_of(members, item, place)
        text = imports.rest_of_list(item, names, place.line)
        if place.rest.strip(")]} \t"):
            text = text.partition(",")[0] if not text.startswith(",") else ""
    elif dotted is not None and dotted.whole:
        missed = [o.name for o in found.options if o.missed and o.name.startswith(found.typed)]
        candidates, share = len(missed), 1 / max(1, len(missed))
        text = imports.blank_after(place.line) + missed[0][len(found.typed) :] if missed else ""
    elif dotted is not None:
        modules = homes(graph, path, place, dotted)
        best = next(iter(modules), "")
        if not best:
            return None
        candidates, share = len(modules), len(modules[best]) / sum(map(len, modules.values()))
        text = completed(dotted, best, modules[best], place.line)
    else:
        return None
    if len(text) < MINIMUM:
        return None
    values = dict.fromkeys(FEATURES, 0.0)
    values |= {
        "typed": math.log1p(len(found.typed)),
        "rest": math.log1p(len(text)),
        "candidates": math.log1p(candidates),
        "share": share,
        "import": 1.0,
        "closed": float(found.closed),
        "missed": 1.0,
    }
    return Guess(text, tuple(values[name] for name in FEATURES))


def _wants_blank(line: str) -> bool:
    """Whether `line` ends right after a sign that has a blank behind it: as it has one before it, or after a key."""
    target = _SAME.search(line)
    if target is None or target["blank"] or target["keyword"] is not None:
        return False
    return target["key"] is not None or line[-2:-1] == " "


def _same(graph: SymbolGraph, path: str, place: Place, found: Options) -> str | None:
    """The parameter or variable that has the name of the attribute, argument or key that gets a value here; after
    `super().` the method that it stands in."""
    fitting: list[str] = []
    if found.where == "member":
        if _SUPER.search(place.line):
            with probing(graph, path, place) as end:
                around = [s.name for s in graph.enclosing(path, end) if s.kind in _METHODS][:1]
            fitting = [o.name for o in found.options if o.name in around and o.name.startswith(found.typed)]
    elif (target := _SAME.search(place.line)) is not None:
        form = next(form for form in ("attribute", "item", "key", "keyword") if target[form] is not None)
        head = head_of(place.before)
        if form in _WITHIN and not unmatched(head)[1].endswith(_WITHIN[form]):
            return None
        offset = len(place.before.encode("utf-8", "surrogateescape"))
        if re.match(r"\s*(?:async\s+)?def\b", head) or not (name := target[form].strip("_")):
            return None
        fitting = [
            o.name
            for o in found.options
            if o.symbol is not None
            and (
                o.kind is DefinitionKind.PARAMETER or (o.kind is DefinitionKind.LOCAL and o.symbol.span.start < offset)
            )
            and o.name.strip("_") == name
            and o.name.startswith(found.typed)
        ]
    return fitting[0] if len(fitting) == 1 else None


def _skeleton_features(text: str) -> tuple[float, ...]:
    values = dict.fromkeys(FEATURES, 0.0)
    # One argument is as likely to be right as four are.
    values |= {"rest": math.log1p(min(len(text), 8)), "share": 1.0, "lead": 1.0, "closed": 1.0, "skeleton": 1.0}
    return tuple(values[name] for name in FEATURES)


def _in_field(line: str) -> bool:
    """Whether the string at the end of `line` is an f-string and the cursor stands in a replacement field."""
    opened = re.search(r"""\b[rR]?[fF][rR]?(?:'''|\"\"\"|["'])(?:(?!["']).)*$""", line)
    if opened is None:
        return False
    inside = opened.group().replace("{{", "").replace("}}", "")
    return inside.count("{") > inside.count("}") and ":" not in inside.rpartition("{")[2]


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
