"""What may come next while the engine decodes: names from the graph, at the engine's triggers.

Runs on the graph's thread within the engine's 5 ms.  Closed answers constrain; open ones only hint; no answer at all
lets the engine go on.
"""

from __future__ import annotations

import re
import string

from graft_indexer.graph import Origin, SymbolGraph
from graft_models.engine import Allow, Need, Trigger
from graft_server.completion import imports, known
from graft_server.completion.anchor import Place
from graft_server.completion.lexical import CODE, bare, scope_of
from graft_server.completion.stops import head_of

MAX_NAMES = 2000
_NAME_SIGNS = string.ascii_letters + string.digits + "_"
TRIGGERS = (Trigger.DOT, Trigger.IMPORT, Trigger.NAME)
"""What is asked for.  `CALL` is not: an argument may be any expression, and its names are asked for one by one."""
_BINDS = re.compile(r"\b(?:for|lambda|import|as|global|nonlocal|def|class|case|type|except)\b[^=:]*$")
_HEADS = re.compile(r"\s*(?:async\s+)?(?:def|class|import|from|global|nonlocal|case|match|type)\b")
_WANTS_NAME = re.compile(
    r"(?:[(,\[=+\-*/%<>|&^~]|\b(?:return|yield|await|in|is|not|and|or|if|elif|while|else|assert|raise))\s*$"
)
_WORDS = ("and", "await", "else", "if", "in", "is", "lambda", "not", "or", "yield", "None", "True", "False")
_PREFIXES = ("f", "r", "b", "u", "rb", "br", "fr", "rf", "F", "R", "B")
"""Of strings: they look like names to the engine."""


def trigger_at(place: Place) -> Trigger | None:
    """The trigger that the text before the cursor ends with, the beginning of a name after it left out.

    Where nothing of a name is typed yet the engine asks only if a name is what it would say; that is known later, and
    what the graph says is wanted for its own guess too.
    """
    line = _without_name(place.line)
    if imports.from_import(place.before) or imports.module_name(place.before):
        return Trigger.IMPORT
    if re.search(r"[\w)\]}'\"]\.$", line):
        return Trigger.DOT
    begun = len(line) < len(place.line) or _WANTS_NAME.search(line)
    return Trigger.NAME if begun and name_due(_without_name(place.before)) else None


def _without_name(text: str) -> str:
    """Without the beginning of an (ASCII) name that `text` ends with."""
    return text.rstrip(_NAME_SIGNS)


def allowed(graph: SymbolGraph, path: str, place: Place, typed: str, need: Need) -> Allow | None:
    """The names that may stand where `need.text` ends, None to let the engine go on.

    `typed` is what of `need.text` stands before the cursor already.  `need.text` may end with the beginning of a name
    that the person typed; the names are whole names all the same.
    """
    generated = need.text[len(typed) :] if need.text.startswith(typed) else need.text
    before = place.before + generated
    if (item := imports.from_import(before)) is not None:
        answer = graph.module_members(item.module, path, item.level)
        # A module of the workspace that names something from elsewhere uses it; others may pass it on.
        own = any(s.origin is Origin.WORKSPACE for s in answer.value)
        used = {s.name for s in answer.value if own and s.origin is not Origin.WORKSPACE}
        return _allow(need, imports.importable((s.name for s in answer.value), item, used), answer.closed)
    if (dotted := imports.module_name(before)) is not None:
        modules = graph.modules(dotted.parent, path, dotted.level)
        return _allow(need, tuple(dict.fromkeys(modules.value)), modules.closed)
    line = _without_name(before[before.rfind("\n") + 1 :])
    if need.trigger is Trigger.DOT and line.endswith("."):
        return _members(graph, path, place, generated, line, need)
    if need.trigger is Trigger.NAME and name_due(_without_name(before)):
        return _visible(graph, path, place, generated, need)
    return None


def name_due(before: str) -> bool:
    """Whether a name that begins at the end of `before` can only be one that exists.

    Not where names are bound, and not where a comprehension may bind them later on: inside brackets that are neither a
    subscript nor the second and later arguments of a call.
    """
    if scope_of(before) != CODE:
        return False
    statement = bare(head_of(before))
    line = statement.lstrip()
    if not line or _HEADS.match(line) or "lambda" in line or ":=" in line:
        return False
    depth, commas = 0, 0
    for at in range(len(statement) - 1, -1, -1):
        sign = statement[at]
        if sign in ")]}":
            depth += 1
        elif sign in "([{" and depth:
            depth -= 1
        elif sign in "([{":
            inside, outside = statement[at + 1 :], statement[:at]
            applied = re.search(r"[\w)\]]$", outside) is not None
            if sign == "[":
                return applied
            named = re.search(r"(?:^|,)\s*\w+\s*=(?!=)[^,]*$", inside) is not None
            return sign == "(" and applied and not re.search(r"\bfor\b", inside) and (named or commas > 0)
        elif sign == "," and not depth:
            commas += 1
    return _BINDS.search(statement) is None or re.search(r"\bin\s[^=]*$", statement) is not None


def _visible(graph: SymbolGraph, path: str, place: Place, generated: str, need: Need) -> Allow | None:
    names = known.visible(graph, path, place)
    # Inside a call whose parameters are not known, a name may be a keyword.
    closed = names.closed and (not names.in_call or bool(names.keywords))
    # What the answer itself binds on its way may be used below.
    bound = re.findall(r"[A-Za-z_]\w*", _without_name(generated))
    every = {s.name for s in names.symbols} | {*names.keywords, *bound, *_WORDS, *_PREFIXES}
    return _allow(need, tuple(sorted(every)), closed)


def _members(graph: SymbolGraph, path: str, place: Place, generated: str, line: str, need: Need) -> Allow | None:
    answer = known.members(graph, path, place, generated)
    names = sorted(dict.fromkeys(s.name for s in answer.value), key=lambda name: name.startswith("_"))
    before = place.before + generated
    begun = before[len(_without_name(before)) :]
    # At the start of a statement the member may be assigned to, and so be new.
    return _allow(need, tuple(names), answer.closed_for(begun) and not re.match(r"\s*[\w.]+\.$", line))


def _allow(need: Need, names: tuple[str, ...], closed: bool) -> Allow | None:
    if not names or len(names) > MAX_NAMES:
        return None
    return Allow(need.need, names, open=not closed)
