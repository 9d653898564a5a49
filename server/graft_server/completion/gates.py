"""Gates over syntax and the graph: the suggestion parses where it stands, and says no name that the graph can disprove.

Runs on the graph's thread, on the text as it would be after insertion.  Only closed answers reject; what cannot be
decided passes.  A suggestion that fails is cut back to its last good token, and dropped if too little is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node, Tree

from graft_indexer import syntax
from graft_indexer.facts import DefinitionKind, ParameterKind, Span
from graft_indexer.graph import SymbolGraph
from graft_server.completion import grammar, known
from graft_server.completion.anchor import Place
from graft_server.completion.bindings import binds, is_target, reads_itself, runs_before, scope_start
from graft_server.completion.model import Verdict
from graft_server.completion.parses import Trees, finished, new_errors
from graft_server.completion.probe import shadowed
from graft_server.completion.shape import cut_to_balance
from graft_server.diagnosis import foreign

MAX_CUTS = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """What is left of a suggestion (empty: nothing) and what the gates said."""

    text: str
    verdicts: tuple[Verdict, ...]
    known: int = 0
    """Names of the text that the graph confirms."""
    unknown: int = 0
    """Names that it can neither confirm nor refute."""


@dataclass(slots=True)
class _Tally:
    known: int = 0
    unknown: int = 0

    def count(self, known: bool) -> None:
        if known:
            self.known += 1
        else:
            self.unknown += 1


def judge(
    graph: SymbolGraph | None,
    trees: Trees,
    path: str,
    language: str,
    place: Place,
    text: str,
    cover: int,
    *,
    off: frozenset[str] = frozenset(),
) -> Judged:
    """Parse and check `text` in its place; `off` may name "parses" or "names", for measuring what each is worth."""
    known = syntax.language_of_id(language)
    if known is None:
        return Judged(text, ())
    language = known
    verdicts: list[Verdict] = []
    for _ in range(MAX_CUTS):
        if not text.strip():
            break
        start = len(place.before.encode("utf-8", "surrogateescape"))
        end = start + len(text.encode("utf-8", "surrogateescape"))
        wrong: str | None = None
        for data, closed in finished(text, place, cover, language):
            region = Span(data.rfind(b"\n", 0, start) + 1, end + closed)
            tree = trees.parse(path, data, language)
            wrong = None if "parses" in off else new_errors(trees, path, language, place, tree, data, region)
            if wrong is None:
                break
        if wrong is not None:
            verdicts.append(Verdict("parses", False, wrong))
            return Judged("", tuple(verdicts))
        tree = trees.parse(path, data, language)
        if language == "python" and "parses" not in off and grammar.refused(tree, data, Span(start, end)):
            verdicts.append(Verdict("parses", False, "Python would not read it"))
            shorter = last_good(text)
            text = cut_to_balance(shorter, place) if shorter != text.rstrip() else ""
            continue
        if graph is None or "names" in off:
            return Judged(text, (*verdicts, Verdict("parses", True)))
        if language != "python":
            said = _proved(graph, path, data, Span(start, end))
            return Judged("" if said else text, (*verdicts, Verdict("parses", True), Verdict("names", not said, said)))
        tally = _Tally()
        before = trees.passed
        if before is not None and before[:2] == (path, data) and before[2].start <= start and before[2].end == end:
            # A model that says the same with every letter typed is not judged with every letter.
            passed = (*verdicts, Verdict("parses", True), Verdict("names", True))
            return Judged(text, passed, before[3], before[4])
        found = None
        if "\n" in text or not _plain(graph, path, place, tree, Span(start, end), tally):
            found = disproved(graph, path, data, tree, Span(start, end), tally)
        if found is None:
            trees.passed = (path, data, Span(start, end), tally.known, tally.unknown)
            passed = (*verdicts, Verdict("parses", True), Verdict("names", True))
            return Judged(text, passed, tally.known, tally.unknown)
        offset, message = found
        verdicts.append(Verdict("names", False, message))
        keep = data[start:offset].decode("utf-8", "surrogateescape")
        text = cut_to_balance(last_good(keep), place)
        begun = re.search(r"\w*$", place.line)
        if len((begun.group() if begun is not None else "") + text.strip()) < 3:
            text = ""
    return Judged("", tuple(verdicts))


def _proved(graph: SymbolGraph, path: str, data: bytes, region: Span) -> str:
    """What another language's part of the graph proves to be wrong in the suggestion; empty if nothing."""
    with shadowed(graph, path, data.decode("utf-8", "surrogateescape")):
        found = foreign.first_in(graph, path, region)
    return found.message if found is not None else ""


def last_good(text: str) -> str:
    """`text` without what hangs at its end: operators, dots, openers, an unfinished `for x in` and the like."""
    previous = None
    while previous != text:
        previous = text
        text = text.rstrip()
        text = re.sub(r"[.,=+\-*/%&|^<>@:(\[{]+$", "", text).rstrip()
        text = re.sub(r"\b(?:and|or|not|in|is|if|else|for|from|import|lambda|as|await|return|yield|raise)$", "", text)
    return text


def _plain(graph: SymbolGraph, path: str, place: Place, tree: Tree, new: Span, tally: _Tally) -> bool:
    """Whether the new text says nothing but names that are visible at the cursor: then nothing more has to be asked,
    and the graph need not read the file with the suggestion in it."""
    nodes = _leaves(tree.root_node, new)
    if any(_finished_call(node, new) for node in _inside(tree.root_node, new)):
        return False
    visible: frozenset[str] | None = None
    for node in nodes:
        parent = node.parent
        if parent is None or parent.type in ("attribute", "keyword_argument", "dotted_name", "aliased_import"):
            return False
        if binds(node):
            continue
        if visible is None:
            visible = frozenset(s.name for s in known.visible(graph, path, place).symbols)
        name = (node.text or b"").decode("utf-8", "replace")
        if name not in visible or reads_itself(node, name) or runs_before(node, name):
            return False
    tally.known += len(nodes)
    return True


def _inside(root: Node, new: Span) -> Iterator[Node]:
    """Nodes that touch the new text, outer ones first."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.end_byte > new.start and node.start_byte < new.end:
            yield node
            stack.extend(reversed(node.children))


def _finished_call(node: Node, new: Span) -> bool:
    """Whether the arguments of a call end in the new text."""
    arguments = node.child_by_field_name("arguments") if node.type == "call" else None
    return arguments is not None and arguments.type == "argument_list" and new.start < arguments.end_byte <= new.end


def disproved(
    graph: SymbolGraph, path: str, data: bytes, tree: Tree, new: Span, tally: _Tally
) -> tuple[int, str] | None:
    """The first name of the new text that the graph proves wrong: (byte offset, message); None if there is none."""
    nodes = _leaves(tree.root_node, new)
    if not nodes:
        return None
    with shadowed(graph, path, data.decode("utf-8", "surrogateescape")):
        visible: dict[int, tuple[frozenset[str], bool]] = {}
        for node in nodes:
            message = _wrong(graph, path, node, visible, tally)
            if message:
                return node.start_byte, message
        return _wrong_call(graph, path, tree, new)


def _leaves(root: Node, new: Span) -> list[Node]:
    """Identifiers that lie, or end, in the new text, in order."""
    out: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.end_byte <= new.start or node.start_byte >= new.end:
            continue
        if node.type == "identifier":
            # The last name may still be typed on: whether it is right is known only if something follows it.
            out.append(node)
        elif node.type not in ("string_content", "comment"):
            stack.extend(reversed(node.children))
    return sorted(out, key=lambda n: n.start_byte)


def _wrong(
    graph: SymbolGraph, path: str, node: Node, visible: dict[int, tuple[frozenset[str], bool]], tally: _Tally
) -> str | None:
    """Why one identifier is wrong; None if it is right, or cannot be decided."""
    parent = node.parent
    name = (node.text or b"").decode("utf-8", "replace")
    if parent is None or not name:
        return None
    if parent.type == "attribute" and parent.child_by_field_name("attribute") == node:
        receiver = parent.child_by_field_name("object")
        if receiver is None or is_target(parent):
            return None
        answer = graph.members_at(path, receiver.end_byte)
        known = name in {s.name for s in answer.value}
        if answer.closed_for(name) and answer.value and not known and _absent(graph, path, node, answer.closed):
            return f"{_short(receiver)} has no member {name}"
        tally.count(known)
        return None
    if parent.type == "keyword_argument" and parent.child_by_field_name("name") == node:
        return _wrong_keyword(graph, path, node, name)
    if binds(node) or parent.type == "dotted_name":
        return _wrong_import(graph, path, node, name)
    if reads_itself(node, name) or runs_before(node, name):
        return f"{name} is not defined yet"
    scope = scope_start(node)
    if scope not in visible:
        said = graph.visible_words(path, node.start_byte)
        visible[scope] = (said.value, said.closed)
    names, closed = visible[scope]
    known = name in names
    if closed and not known:
        # Scopes of comprehensions and lambdas are finer than a function's: ask again at just this place.
        said = graph.visible_words(path, node.start_byte)
        known = name in said.value
        if said.closed and not known:
            return f"{name} is not defined here"
    tally.count(known)
    return None


def _absent(graph: SymbolGraph, path: str, node: Node, closed: bool) -> bool:
    """Whether a name that a list leaves out is nowhere: of a class with a stub the source is asked as well."""
    if closed:
        return True
    answer = graph.definition_at(path, node.start_byte)
    return answer.closed and not answer.value


def _wrong_keyword(graph: SymbolGraph, path: str, node: Node, name: str) -> str | None:
    call = graph.call_at(path, node.start_byte)
    if call is None:
        return None
    target = graph.call_target(path, call)
    if not target.closed or len(target.value) != 1:
        return None
    parameters = target.value[0].signature.parameters
    if any(p.kind is ParameterKind.VAR_KEYWORD for p in parameters):
        return None
    if name in {p.name for p in parameters if p.kind is not ParameterKind.POSITIONAL_ONLY}:
        return None
    return f"{target.value[0].symbol.name} has no parameter {name}"


def _wrong_import(graph: SymbolGraph, path: str, node: Node, name: str) -> str | None:
    """Checks a name in an import statement; other bindings are always right."""
    statement: Node | None = node
    while statement is not None and statement.type not in ("import_from_statement", "import_statement", "module"):
        statement = statement.parent
    if statement is None or statement.type != "import_from_statement":
        return None
    module = statement.child_by_field_name("module_name")
    if module is None or module.start_byte <= node.start_byte < module.end_byte:
        return None
    dotted = node.parent
    if dotted is not None and dotted.parent is not None and dotted.parent.type == "aliased_import":
        alias = dotted.parent.child_by_field_name("alias")
        if alias is not None and alias.start_byte == node.start_byte:
            return None
    written = (module.text or b"").decode("utf-8", "replace")
    level = len(written) - len(written.lstrip("."))
    answer = graph.module_members(written.lstrip("."), path, level)
    if answer.closed and answer.value and name not in {s.name for s in answer.value}:
        return f"{written} has no {name}"
    return None


def _wrong_call(graph: SymbolGraph, path: str, tree: Tree, new: Span) -> tuple[int, str] | None:
    """The first finished call in the new text with the wrong number of positional arguments."""
    for node in _inside(tree.root_node, new):
        arguments = node.child_by_field_name("arguments")
        if not _finished_call(node, new) or arguments is None:
            continue
        given = [c for c in arguments.named_children if c.type != "comment"]
        if any(c.type in ("list_splat", "dictionary_splat") for c in given):
            continue
        call = graph.call_at(path, arguments.start_byte + 1)
        target = graph.call_target(path, call) if call is not None else None
        if target is None or not target.closed or len(target.value) != 1:
            continue
        message = arity(target.value[0].symbol.name, target.value[0].signature.parameters, given)
        if message:
            return max(new.start, arguments.start_byte), message
    return None


def arity(name: str, parameters: tuple[object, ...], given: list[Node]) -> str:
    """What is wrong with the arguments of a call, empty if nothing is.  Shapes: `facts.Parameter`s, argument nodes."""
    from graft_indexer.facts import Parameter

    known = [p for p in parameters if isinstance(p, Parameter)]
    positional = [p for p in known if p.kind in (ParameterKind.POSITIONAL_ONLY, ParameterKind.POSITIONAL_OR_KEYWORD)]
    keywords = set()
    count = 0
    for node in given:
        if node.type == "keyword_argument":
            field = node.child_by_field_name("name")
            keywords.add((field.text or b"").decode() if field is not None else "")
        else:
            count += 1
    if count > len(positional) and not any(p.kind is ParameterKind.VAR_POSITIONAL for p in known):
        return f"{name} takes {len(positional)} positional arguments, not {count}"
    missing = [p.name for p in positional[count:] if p.required and p.name not in keywords]
    missing += [p.name for p in known if p.kind is ParameterKind.KEYWORD_ONLY and p.required and p.name not in keywords]
    if missing:
        return f"{name} needs {', '.join(missing)}"
    return ""


def _short(node: Node) -> str:
    text = (node.text or b"").decode("utf-8", "replace")
    return text if len(text) <= 30 else text[:27] + "..."


CALLABLE_KINDS = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.CLASS})
