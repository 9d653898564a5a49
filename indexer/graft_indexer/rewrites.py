"""Small edits of a Python tree: trees in, edits out.

The rewrite set is BugLab's (Allamanis et al. 2021, arXiv 2105.12787): variable misuse, swapped arguments, wrong
comparison, boolean, arithmetic and assignment operators, wrong literal.  Repair adds what single-token rewrites cannot
reach: negated conditions, off-by-one terms, twin functions, dropped statements, guards and inserted statements.
Each rewrite replaces one contiguous span, so it works in both directions: to mend a bug, and to plant one.

Trees come from tree-sitter-python; offsets are bytes into the text that was parsed.  Nothing here looks at another
file, and nothing resolves names beyond the function a name stands in: the graph judges what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Node

from graft_indexer.facts import Span


class RewriteKind(StrEnum):
    """What a rewrite changes; the first seven are BugLab's classes."""

    VARIABLE = "variable"
    ARGUMENT_SWAP = "argument-swap"
    COMPARISON = "comparison"
    BOOLEAN = "boolean"
    ARITHMETIC = "arithmetic"
    ASSIGNMENT = "assignment"
    LITERAL = "literal"
    NEGATION = "negation"
    OFF_BY_ONE = "off-by-one"
    TWIN = "twin"
    """A function or method for its counterpart: `min`/`max`, `append`/`extend`."""
    DELETION = "deletion"
    GUARD = "guard"
    INSERTION = "insertion"


BUGLAB = frozenset(
    {
        RewriteKind.VARIABLE,
        RewriteKind.ARGUMENT_SWAP,
        RewriteKind.COMPARISON,
        RewriteKind.BOOLEAN,
        RewriteKind.ARITHMETIC,
        RewriteKind.ASSIGNMENT,
        RewriteKind.LITERAL,
    }
)
"""The set that is scored by a model and used to plant bugs."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Replace bytes `span` by `text`; `label` says it in a few words (`< -> <=`)."""

    kind: RewriteKind
    span: Span
    text: str
    label: str

    def apply(self, data: bytes) -> bytes:
        """`data` (the bytes that were parsed) with this rewrite done."""
        return data[: self.span.start] + self.text.encode("utf-8", "surrogateescape") + data[self.span.end :]


_ORDER = ("<", "<=", "==", "!=", ">=", ">")
_COMPARISON = {op: tuple(o for o in _ORDER if o != op) for op in _ORDER} | {
    "in": ("not in",),
    "not in": ("in",),
    "is": ("is not",),
    "is not": ("is",),
}
_ARITHMETIC_GROUPS = (("+", "-", "*", "/", "//", "%"), ("&", "|", "^"), ("<<", ">>"))
_ARITHMETIC = {op: tuple(o for o in group if o != op) for group in _ARITHMETIC_GROUPS for op in group} | {"**": ("*",)}
_TWINS = {
    a: b
    for pair in (
        ("min", "max"),
        ("any", "all"),
        ("append", "extend"),
        ("lower", "upper"),
        ("lstrip", "rstrip"),
        ("startswith", "endswith"),
        ("find", "rfind"),
        ("floor", "ceil"),
        ("add", "discard"),
        ("keys", "values"),
        ("union", "intersection"),
        ("left", "right"),
    )
    for a, b in (pair, pair[::-1])
} | {"appendleft": "append", "popleft": "pop"}
_FUNCTIONS = ("function_definition", "lambda")
_SIMPLE_TARGETS = ("identifier", "attribute", "subscript")
_STATEMENTS = (
    "expression_statement",
    "return_statement",
    "raise_statement",
    "assert_statement",
    "delete_statement",
    "break_statement",
    "continue_statement",
)
_ATOMS = ("identifier", "attribute", "subscript", "call", "parenthesized_expression", "integer", "list", "tuple")


def text_of(node: Node) -> str:
    """Source text of a node."""
    return (node.text or b"").decode("utf-8", "surrogateescape")


def rewrites(
    root: Node,
    *,
    within: Span | None = None,
    kinds: Collection[RewriteKind] = BUGLAB,
    names: Callable[[int], Iterable[str]] | None = None,
    max_names: int = 24,
) -> Iterator[Rewrite]:
    """All rewrites of the given kinds whose place lies inside `within` (the whole tree if None), in source order.

    Variable misuse offers the names bound in the enclosing function, nearest binding first, at most `max_names`;
    `names(offset)` adds to them.  Places inside syntax error nodes are left alone.
    """
    walk = _Walk(within, frozenset(kinds), names, max_names)
    yield from walk.visit(root, None)


@dataclass(slots=True)
class _Walk:
    within: Span | None
    kinds: frozenset[RewriteKind]
    names: Callable[[int], Iterable[str]] | None
    max_names: int

    def visit(self, node: Node, local: tuple[str, ...] | None) -> Iterator[Rewrite]:
        if node.type == "ERROR" or (
            self.within and (node.end_byte < self.within.start or node.start_byte > self.within.end)
        ):
            return
        if node.type == "function_definition":
            local = local_names(node)
        if node.is_named and (self.within is None or self.within.covers(_span(node))):
            yield from self.at(node, local)
        for child in node.children:
            yield from self.visit(child, local)

    def at(self, node: Node, local: tuple[str, ...] | None) -> Iterator[Rewrite]:
        rules = _RULES.get(node.type, ())
        for kind, rule in rules:
            if kind in self.kinds:
                for span, text, label in rule(node):
                    yield Rewrite(kind, span, text, label)
        if node.type == "identifier" and RewriteKind.VARIABLE in self.kinds and is_load(node):
            yield from self.misuse(node, local)

    def misuse(self, node: Node, local: tuple[str, ...] | None) -> Iterator[Rewrite]:
        here = text_of(node)
        if not local or here not in local:
            return
        candidates = dict.fromkeys(local)
        if self.names is not None:
            candidates.update(dict.fromkeys(self.names(node.start_byte)))
        candidates.pop(here, None)
        for name in list(candidates)[: self.max_names]:
            yield Rewrite(RewriteKind.VARIABLE, _span(node), name, f"{here} -> {name}")


def local_names(function: Node) -> tuple[str, ...]:
    """Names that a function binds: parameters first, then targets in source order; nested functions' own excluded."""
    found: dict[str, None] = {}
    parameters = function.child_by_field_name("parameters")
    for parameter in parameters.named_children if parameters else ():
        name = parameter.child_by_field_name("name") or next(
            (c for c in _descend(parameter) if c.type == "identifier"), None
        )
        if name is not None:
            found[text_of(name)] = None
    body = function.child_by_field_name("body")
    if body is not None:
        for node in _descend(body, stop=(*_FUNCTIONS, "class_definition")):
            if node.type == "identifier" and is_binding(node):
                found[text_of(node)] = None
    return tuple(found)


def is_binding(node: Node) -> bool:
    """Whether an identifier is assigned here: target of `=`, `for`, `with`, `except`, `:=`, an augmented assignment."""
    child, parent = node, node.parent
    while parent is not None and parent.type in (
        "pattern_list",
        "tuple_pattern",
        "list_pattern",
        "list_splat_pattern",
        "as_pattern_target",
        "tuple",
        "list",
    ):
        if parent.type == "as_pattern_target":
            return True
        child, parent = parent, parent.parent
    if parent is None:
        return False
    if parent.type in ("assignment", "augmented_assignment", "for_statement", "for_in_clause"):
        return parent.child_by_field_name("left") == child
    return parent.type == "named_expression" and parent.child_by_field_name("name") == child


def is_load(node: Node) -> bool:
    """Whether an identifier is read here: not bound, nor the name of an attribute, keyword, import or definition."""
    parent = node.parent
    if parent is None or is_binding(node):
        return False
    if parent.type == "attribute":
        return parent.child_by_field_name("attribute") != node
    if parent.type in ("keyword_argument", "default_parameter", "typed_default_parameter"):
        return parent.child_by_field_name("name") != node
    return parent.type not in (
        "function_definition",
        "class_definition",
        "parameters",
        "lambda_parameters",
        "typed_parameter",
        "list_splat_pattern",
        "dictionary_splat_pattern",
        "dotted_name",
        "aliased_import",
        "global_statement",
        "nonlocal_statement",
        "delete_statement",
        "type",
        "type_parameter",
        "decorator",
    )


def _descend(node: Node, stop: tuple[str, ...] = ()) -> Iterator[Node]:
    yield node
    for child in node.children:
        if child.type not in stop:
            yield from _descend(child, stop)


def _span(node: Node) -> Span:
    return Span(node.start_byte, node.end_byte)


_Found = Iterator[tuple[Span, str, str]]


def _comparison(node: Node) -> _Found:
    for operator in node.children_by_field_name("operators"):
        old = text_of(operator)
        for new in _COMPARISON.get(" ".join(old.split()), ()):
            yield _span(operator), new, f"{old} -> {new}"


def _boolean(node: Node) -> _Found:
    operator = node.child_by_field_name("operator")
    if operator is not None:
        new = "or" if operator.type == "and" else "and"
        yield _span(operator), new, f"{operator.type} -> {new}"


def _is_text(node: Node | None) -> bool:
    return node is not None and node.type in ("string", "concatenated_string")


def _arithmetic(node: Node) -> _Found:
    operator = node.child_by_field_name("operator")
    if operator is None or _is_text(node.child_by_field_name("left")) or _is_text(node.child_by_field_name("right")):
        return
    for new in _ARITHMETIC.get(operator.type, ()):
        yield _span(operator), new, f"{operator.type} -> {new}"


def _augmented(node: Node) -> _Found:
    operator = node.child_by_field_name("operator")
    if operator is None or _is_text(node.child_by_field_name("right")):
        return
    old = operator.type
    for new in (*(o + "=" for o in _ARITHMETIC.get(old[:-1], ())), "="):
        yield _span(operator), new, f"{old} -> {new}"


def _plain_assignment(node: Node) -> _Found:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None or left.type not in _SIMPLE_TARGETS or node.child_by_field_name("type"):
        return
    if right.type == "assignment" or (node.parent is not None and node.parent.type == "assignment"):
        return
    sign = next((c for c in node.children if c.type == "="), None)
    if sign is not None and not _is_text(right):
        for new in ("+=", "-="):
            yield _span(sign), new, f"= -> {new}"


def _integer(node: Node) -> _Found:
    whole = node
    if node.parent is not None and node.parent.type == "unary_operator" and node.parent.children[0].type == "-":
        whole = node.parent
    old = text_of(whole)
    if old.replace(" ", "") in ("-2", "-1", "0", "1", "2"):
        for new in ("-2", "-1", "0", "1", "2"):
            if new != old.replace(" ", ""):
                yield _span(whole), new, f"{old} -> {new}"


def _truth(node: Node) -> _Found:
    new = "False" if node.type == "true" else "True"
    yield _span(node), new, f"{text_of(node)} -> {new}"


def _swaps(node: Node) -> _Found:
    arguments = [
        c
        for c in node.named_children
        if c.type not in ("keyword_argument", "list_splat", "dictionary_splat", "comment")
        and not (c.type == "generator_expression" and len(node.named_children) == 1)
    ]
    for i, first in enumerate(arguments):
        for second in arguments[i + 1 :]:
            a, b = text_of(first), text_of(second)
            if a != b:
                between = (node.text or b"")[first.end_byte - node.start_byte : second.start_byte - node.start_byte]
                text = b + between.decode("utf-8", "surrogateescape") + a
                yield Span(first.start_byte, second.end_byte), text, f"{a} <-> {b}"


def _negation(node: Node) -> _Found:
    condition = node.child_by_field_name("condition")
    if condition is None:
        return
    text = text_of(condition)
    if condition.type == "not_operator":
        inner = condition.child_by_field_name("argument")
        if inner is not None:
            yield _span(condition), text_of(inner), "without not"
    elif condition.type in _ATOMS:
        yield _span(condition), f"not {text}", "with not"
    else:
        yield _span(condition), f"not ({text})", "with not"


def _off_by_one(node: Node) -> _Found:
    parent = node.parent
    if parent is None or (node.type == "identifier" and not is_load(node)):
        return
    wanted = (
        parent.type in ("slice", "comparison_operator", "return_statement")
        or (parent.type == "argument_list" and len(parent.named_children) <= 3)
        or (parent.type == "subscript" and parent.child_by_field_name("value") != node)
    )
    if wanted:
        text = text_of(node)
        for term in ("+ 1", "- 1"):
            yield _span(node), f"{text} {term}", f"{text} -> {text} {term}"


def _drop_term(node: Node) -> _Found:
    left, operator, right = (node.child_by_field_name(f) for f in ("left", "operator", "right"))
    if left is None or operator is None or right is None or operator.type not in ("+", "-"):
        return
    if right.type == "integer":
        yield _span(node), text_of(left), f"without {operator.type} {text_of(right)}"


def _twin(node: Node) -> _Found:
    function = node.child_by_field_name("function")
    if function is not None and function.type == "attribute":
        function = function.child_by_field_name("attribute")
    if function is not None and function.type == "identifier":
        old = text_of(function)
        if old in _TWINS:
            yield _span(function), _TWINS[old], f"{old} -> {_TWINS[old]}"


def _deletion(node: Node) -> _Found:
    parent = node.parent
    if parent is not None and parent.type in ("block", "module") and not _is_docstring(node):
        yield _span(node), "pass", f"without {text_of(node).splitlines()[0]}"


def _is_docstring(node: Node) -> bool:
    return node.type == "expression_statement" and len(node.children) == 1 and _is_text(node.children[0])


_Rule = Callable[[Node], _Found]
_STATEMENT_RULES: tuple[tuple[RewriteKind, _Rule], ...] = ((RewriteKind.DELETION, _deletion),)
_RULES: dict[str, tuple[tuple[RewriteKind, _Rule], ...]] = {
    "comparison_operator": ((RewriteKind.COMPARISON, _comparison),),
    "boolean_operator": ((RewriteKind.BOOLEAN, _boolean),),
    "binary_operator": ((RewriteKind.ARITHMETIC, _arithmetic), (RewriteKind.OFF_BY_ONE, _drop_term)),
    "augmented_assignment": ((RewriteKind.ASSIGNMENT, _augmented),),
    "assignment": ((RewriteKind.ASSIGNMENT, _plain_assignment),),
    "integer": ((RewriteKind.LITERAL, _integer), (RewriteKind.OFF_BY_ONE, _off_by_one)),
    "true": ((RewriteKind.LITERAL, _truth),),
    "false": ((RewriteKind.LITERAL, _truth),),
    "argument_list": ((RewriteKind.ARGUMENT_SWAP, _swaps),),
    "if_statement": ((RewriteKind.NEGATION, _negation),),
    "elif_clause": ((RewriteKind.NEGATION, _negation),),
    "while_statement": ((RewriteKind.NEGATION, _negation),),
    "identifier": ((RewriteKind.OFF_BY_ONE, _off_by_one),),
    "call": ((RewriteKind.TWIN, _twin), (RewriteKind.OFF_BY_ONE, _off_by_one)),
    "attribute": ((RewriteKind.OFF_BY_ONE, _off_by_one),),
    **dict.fromkeys(_STATEMENTS, _STATEMENT_RULES),
}


def _place(statement: Node, data: bytes) -> tuple[int, str, str] | None:
    """(line start, indentation, line ending) of a statement that begins its line; None if it shares the line."""
    start = max(data.rfind(b"\n", 0, statement.start_byte), data.rfind(b"\r", 0, statement.start_byte)) + 1
    indent = data[start : statement.start_byte]
    if indent.strip(b" \t\f"):
        return None
    return start, indent.decode("ascii"), "\r\n" if b"\r\n" in data else "\n"


def _step(indent: str) -> str:
    return "\t" if indent.startswith("\t") else "    "


def statements(root: Node, within: Span | None = None) -> Iterator[Node]:
    """Statements that stand directly in a function's or a nested block, in source order, overlapping `within`."""
    for node in _descend(root):
        if node.type == "block":
            for child in node.named_children:
                if child.type != "comment" and (
                    within is None or (child.start_byte < within.end and within.start < child.end_byte)
                ):
                    yield child


def enclosing_function(node: Node) -> Node | None:
    """The innermost `def` around a node, the node itself excluded."""
    parent = node.parent
    while parent is not None and parent.type != "function_definition":
        parent = parent.parent
    return parent


def guards(root: Node, data: bytes, *, within: Span | None = None) -> Iterator[Rewrite]:
    """Early exits before a statement, for the names it reads: None checks and emptiness checks.

    About 13 % of Defects4J's fixes add a null check and 43 % a condition; these are their cheapest forms.
    """
    for statement in statements(root, within):
        function = enclosing_function(statement)
        place = _place(statement, data)
        if function is None or place is None or statement.type == "function_definition":
            continue
        start, indent, ending = place
        local = local_names(function)
        read = dict.fromkeys(
            text_of(n)
            for n in _descend(statement, stop=("block", *_FUNCTIONS))
            if n.type == "identifier" and is_load(n) and text_of(n) in local
        )
        in_loop = _inside_loop(statement, function)
        for name in list(read)[:4]:
            exits = ["return None", f"return {name}", *(["continue"] if in_loop else [])]
            for test in (f"{name} is None", f"not {name}"):
                for leave in exits:
                    text = f"{indent}if {test}:{ending}{indent}{_step(indent)}{leave}{ending}"
                    yield Rewrite(RewriteKind.GUARD, Span(start, start), text, f"if {test}: {leave}")


def _inside_loop(node: Node, function: Node) -> bool:
    parent = node.parent
    while parent is not None and parent != function:
        if parent.type in ("for_statement", "while_statement"):
            return True
        parent = parent.parent
    return False


def inserts(
    root: Node, data: bytes, lines: Iterable[str], *, within: Span | None = None, after: bool = False
) -> Iterator[Rewrite]:
    """Each of `lines` (a statement without indentation) inserted before, or after, each statement."""
    wanted = tuple(lines)
    for statement in statements(root, within):
        place = _place(statement, data)
        if place is None:
            continue
        start, indent, ending = place
        at = start
        if after:
            at = statement.end_byte
            while at < len(data) and data[at : at + 1] not in (b"\n", b"\r"):
                at += 1
        for line in wanted:
            text = f"{ending}{indent}{line}" if after else f"{indent}{line}{ending}"
            yield Rewrite(RewriteKind.INSERTION, Span(at, at), text, f"insert {line}")


def wrap_in_if(statement: Node, data: bytes, condition: str) -> Rewrite | None:
    """`statement` under `if condition:`; None if it does not begin its line or holds a multi-line string."""
    place = _place(statement, data)
    if place is None or any(_is_text(n) and b"\n" in (n.text or b"") for n in _descend(statement)):
        return None
    start, indent, ending = place
    lines = data[start : statement.end_byte].decode("utf-8", "surrogateescape").splitlines(keepends=True)
    body = "".join(_step(indent) + line if line.strip() else line for line in lines)
    text = f"{indent}if {condition}:{ending}{body}"
    return Rewrite(RewriteKind.GUARD, Span(start, statement.end_byte), text, f"only if {condition}")
