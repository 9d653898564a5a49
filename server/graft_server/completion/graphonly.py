"""Suggestions without a model: the rest of a name, call skeletons, straight from the graph.

Of the names that may stand at the cursor the one is offered that was used most and nearest, with what is known of the
choice as features; `confidence` decides whether that is likely enough to be shown.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft_indexer.facts import DefinitionKind, ParameterKind
from graft_indexer.graph import Origin, SymbolGraph
from graft_server.completion import imports
from graft_server.completion.anchor import Place
from graft_server.completion.homes import completed, homes
from graft_server.completion.lexical import COMMENT, STRING, scope_of
from graft_server.completion.options import Option, Options, options_at
from graft_server.completion.probe import probing
from graft_server.completion.ranking import scores, uses
from graft_server.completion.shape import MINIMUM
from graft_server.completion.stops import head_of, unmatched

_CALL = re.compile(r"([A-Za-z_][\w.]*)\($")


def _table(text: str) -> dict[str, float]:
    words = text.split()
    return {word: float(value) for word, value in zip(words[::2], words[1::2], strict=True)}


_AT_TOP = _table(
    "from 2.2 class 1.6 def 1.5 import 1.2 if 0.3 else 0.1 try 0.08 except 0.08 async 0.05 for 0.02 with 0.02 "
    "assert 0.01 del 0.01 while 0.01 pass 0.01"
)
_IN_BODY = _table(
    "if 1.2 return 1.0 def 1.0 raise 0.3 else 0.25 try 0.2 for 0.2 except 0.18 elif 0.12 with 0.1 pass 0.09 async 0.08 "
    "class 0.05 finally 0.05 while 0.05 assert 0.05 await 0.05 del 0.04 continue 0.04 yield 0.04 from 0.03 import 0.03 "
    "break 0.03 match 0.02 global 0.01 nonlocal 0.01"
)
_EXPRESSION = _table(
    "None 0.35 not 0.15 in 0.13 is 0.13 True 0.07 False 0.06 and 0.06 as 0.05 or 0.04 for 0.02 if 0.02 else 0.02 "
    "lambda 0.01 await 0.01 from 0.01"
)
"""Keywords that begin a statement at the top of a file or in a body, and those inside one: what each counts beside
names, about 10 for all of the places (the standard library and six packages, 5,000 and 80,000 statements)."""
_SAME = re.compile(
    r"""(?:\b(?:self|cls)\.(?P<attribute>\w+)\s*(?::[^=]+)?=|["'](?P<key>\w+)["']\]?\s*[:=]"""
    r"""|(?:^|[(,])\s*(?P<keyword>\w+)=)(?P<blank>\s*)\w*$"""
)
"""`self.name = `, `f(name=`, `{"name": ` and `x["name"] = `."""
SAME_SHARE = 0.75
"""How often what follows there is the parameter or variable of that name, if there is one (six packages of no training
set, 4,445 places: 60 to 86 of 100 by form); after `super().` the method that it stands in follows in 90 of 100."""
_SUPER = re.compile(r"\bsuper\(\)\.\w*$")
_METHOD = re.compile(r"^[ \t]+(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)
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
    dotted = imports.module_name(place.before)
    if dotted is not None and not dotted.whole and (modules := homes(graph, path, place, dotted)):
        return _module(place, dotted, modules, found)
    missed = [o for o in found.options if o.missed and o.name.startswith(found.typed)]
    if missed:
        return _imports(graph, path, place, found, missed)
    if keyword.iskeyword(found.typed):
        return None
    same = None if quoted else _same(place, found)
    if not found.typed and found.where == "name" and same is None:
        return None
    fitting = [o for o in found.options if o.name.startswith(found.typed) and o.rank >= 0]
    names = {o.name: o for o in fitting if o.symbol is None or not o.symbol.unsure}
    keywords: dict[str, float] = {}
    if quoted:
        # Words of a language are no words of its strings.
        names = {n: o for n, o in names.items() if o.symbol is None or o.symbol.origin is not Origin.BUILTIN}
    elif found.where == "name":
        for word, value in _keywords(place, found.typed).items():
            if found.typed and word.startswith(found.typed):
                names[word] = Option(word, DefinitionKind.VARIABLE, "keyword")
                keywords[word] = value
    if not names:
        return None
    member = found.where == "member"
    known = scores(place, names.values(), member=member, keywords=keywords)
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
    near = uses(place, {best}, member=member).get(best, [])
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
            float(option.detail == "keyword" and symbol is None),
            float(option.kind in (DefinitionKind.LOCAL, DefinitionKind.PARAMETER)),
            float(symbol is not None and symbol.origin is Origin.WORKSPACE),
            float(place.line.strip() == found.typed),
            float(quoted),
            float(found.closed),
            0.0,
            0.0,
        ),
    )


def _module(place: Place, item: imports.ModuleName, known: Mapping[str, Sequence[str]], found: Options) -> Guess | None:
    """The module that defines most of what the file misses, and those names."""
    best, *others = known
    text = completed(item, best, known[best], place.line)
    if place.rest.strip() or (others and len(known[others[0]]) == len(known[best])):
        # Something follows, or another one is as likely: the module alone.
        text = text.partition(" ")[0]
    share = len(known[best]) / sum(map(len, known.values()))
    return _missed(text, item.begun, len(known), share, found.closed)


def _imports(graph: SymbolGraph, path: str, place: Place, found: Options, missed: Sequence[Option]) -> Guess | None:
    """All names that the file misses of the module, or the module that it misses."""
    item = imports.from_import(place.before)
    if item is None:
        text = missed[0].name[len(found.typed) :]
    else:
        offered = {s.name for s in graph.module_members(item.module, path, item.level).value}
        names = [name for name in imports.missing(place) if name in offered and name not in item.taken]
        text = imports.rest_of_list(item, names, place.line)
        if place.rest.strip():
            text = text.partition(",")[0]
    return _missed(text, found.typed, len(missed), 1.0 / len(missed), found.closed)


def _missed(text: str, typed: str, candidates: int, share: float, closed: bool) -> Guess | None:
    """A guess that is made of names which the file misses."""
    if len(text) < MINIMUM:
        return None
    values = dict.fromkeys(FEATURES, 0.0)
    values |= {
        "typed": math.log1p(len(typed)),
        "rest": math.log1p(len(text)),
        "candidates": math.log1p(candidates),
        "share": share,
        "import": 1.0,
        "closed": float(closed),
        "missed": 1.0,
    }
    return Guess(text, tuple(values[name] for name in FEATURES))


def _wants_blank(line: str) -> bool:
    """Whether `line` ends right after the sign of an assignment or a key."""
    target = _SAME.search(line)
    return target is not None and target["keyword"] is None and not target["blank"]


def _keywords(place: Place, typed: str) -> dict[str, float]:
    lead = place.line[: len(place.line) - len(typed)]
    if lead.lstrip().startswith("@") or place.language != "python":
        return {}
    if lead.strip() or unmatched(head_of(place.before))[1]:
        return _EXPRESSION
    return _IN_BODY if lead else _AT_TOP


def _same(place: Place, found: Options) -> str | None:
    """The parameter or variable that has the name of the attribute, argument or key that gets a value here; after
    `super().` the method that it stands in (90 of 100 places)."""
    if found.where == "member":
        method = _METHOD.findall(place.before) if _SUPER.search(place.line) else ()
        fitting = [o.name for o in found.options if method and o.name == method[-1] and o.name.startswith(found.typed)]
        return fitting[0] if fitting else None
    target = _SAME.search(place.line)
    if target is None or re.match(r"\s*(?:async\s+)?def\b", head_of(place.before)):
        return None
    if target["keyword"] is not None and not unmatched(head_of(place.before))[1].endswith("("):
        return None
    name = next(target[form] for form in ("attribute", "key", "keyword") if target[form] is not None).strip("_")
    fitting = [
        o.name
        for o in found.options
        if o.kind in (DefinitionKind.LOCAL, DefinitionKind.PARAMETER)
        and o.symbol is not None
        and o.name.strip("_") == name
        and o.name.startswith(found.typed)
    ]
    return fitting[0] if name and len(fitting) == 1 else None


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
