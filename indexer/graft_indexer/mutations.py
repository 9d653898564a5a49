"""Small changes of suspicious lines that may mend them: text and lines in, replacements out.  Pure, Python only.

Every mutation replaces one span of the text.  It carries the name of its operator; `PRIORS` holds how likely it is
that a bug is mended by some instance of that operator at the right line.  The share is spread over the
operator's instances at a line, so a family with many members does not crowd out a family with few.

The priors follow published counts of what real one-statement bugs are: in HumanEvalFix's 164 bugs, value misuse 27 %,
missing logic 20 %, excess logic 19 %, operator misuse 15 %, variable misuse 14 %, function misuse 5 %; the operators
themselves are BugLab's rewrites (arXiv 2105.12787) and the classic mutation, guard and insert templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Tree

from graft_indexer.text import encode

PRIORS: dict[str, float] = {
    # value misuse
    "literal": 0.07,
    "off-by-one": 0.08,
    "attribute": 0.03,
    "slice": 0.02,
    "argument-swap": 0.03,
    "expression": 0.05,
    # operator misuse
    "comparison": 0.08,
    "binary": 0.05,
    "boolean": 0.03,
    "assignment": 0.03,
    "negate": 0.03,
    "sign": 0.005,
    # variable and function misuse
    "variable": 0.14,
    "function": 0.05,
    # excess logic
    "delete": 0.05,
    "unwrap": 0.05,
    "operand-drop": 0.03,
    "argument-drop": 0.01,
    # missing logic
    "condition-extend": 0.05,
    "condition-replace": 0.03,
    "guard": 0.04,
    "insert": 0.05,
    "insert-donor": 0.03,
    "wrap": 0.03,
    "combine": 0.03,
    "clamp": 0.015,
    "argument-add": 0.01,
    "move": 0.02,
    "statement": 0.03,
}
"""Operator -> probability that the mending edit at the buggy line is one of its instances."""

PATTERNS = ("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "dictionary_splat_pattern")
COMPREHENSIONS = ("list_comprehension", "generator_expression", "set_comprehension")
LEAVING = ("return_statement", "break_statement", "continue_statement", "raise_statement")
LOOPS = ("for_statement", "while_statement", "if_statement")
NEAREST = {
    "<": ("<=", ">", ">=", "!=", "=="),
    "<=": ("<", ">=", ">", "==", "!="),
    ">": (">=", "<", "<=", "!=", "=="),
    ">=": (">", "<=", "<", "==", "!="),
    "==": ("!=", "<=", ">=", "<", ">", "in", "is"),
    "!=": ("==", "<", ">", "<=", ">=", "not in", "is not"),
    "in": ("not in", "==", "!="),
    "not in": ("in", "!=", "=="),
    "is": ("is not", "==", "!="),
    "is not": ("is", "!=", "=="),
}
"""What a comparison is confused with, likeliest first: strictness, then direction, then equality."""
ARITHMETIC = ("+", "-", "*", "//", "/", "%", "**")
BITWISE = ("&", "|", "^", "<<", ">>")
SIBLINGS: tuple[tuple[str, ...], ...] = (
    ("min", "max", "sum"),
    ("any", "all"),
    ("append", "extend", "add", "update", "insert", "remove"),
    ("appendleft", "append", "extendleft", "extend"),
    ("pop", "popleft", "popitem"),
    ("sorted", "reversed", "list", "set", "tuple"),
    ("startswith", "endswith"),
    ("strip", "lstrip", "rstrip"),
    ("split", "rsplit", "splitlines"),
    ("find", "rfind", "index", "rindex"),
    ("keys", "values", "items"),
    ("lower", "upper", "title", "capitalize"),
    ("int", "float", "str", "round", "bool"),
    ("union", "intersection", "difference", "symmetric_difference"),
    ("floor", "ceil", "round", "trunc"),
    ("isalpha", "isdigit", "isalnum", "isspace", "isupper", "islower"),
    ("get", "pop", "setdefault"),
    ("replace", "removeprefix", "removesuffix"),
)
WRAPPERS = ("len", "list", "str", "int", "abs", "set", "sorted", "tuple", "float", "reversed")
NUMERIC = frozenset({"identifier", "call", "subscript", "attribute", "binary_operator", "integer", "float"})
EXPRESSIONS = NUMERIC | frozenset(
    {
        "comparison_operator",
        "boolean_operator",
        "not_operator",
        "unary_operator",
        "string",
        "list",
        "tuple",
        "dictionary",
        "set",
        "list_comprehension",
        "generator_expression",
        "set_comprehension",
        "dictionary_comprehension",
        "parenthesized_expression",
        "conditional_expression",
        "true",
        "false",
        "none",
        "lambda",
        "await",
    }
)
SIMPLE_STATEMENTS = frozenset(
    {
        "expression_statement",
        "return_statement",
        "delete_statement",
        "raise_statement",
        "pass_statement",
        "break_statement",
        "continue_statement",
        "assert_statement",
        "global_statement",
        "nonlocal_statement",
    }
)
MAX_DONORS = 24
MAX_NAMES = 14


@dataclass(frozen=True, slots=True)
class Mutation:
    """Replace bytes `start` to `end` by `text`; `line` (0-based) is the suspicious line it stands for."""

    start: int
    end: int
    text: str
    operator: str
    line: int


@dataclass(slots=True)
class Scope:
    """What may stand in one function: names by how near they are, attributes, donors."""

    names: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    expressions: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    returns: list[str] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_python.language()))


def parse(text: str) -> Tree:
    """The syntax tree of a Python text."""
    return _parser().parse(encode(text))


def mutations(text: str, lines: Collection[int], *, donors: Iterable[str] = ()) -> list[Mutation]:
    """All mutations of the given lines (0-based), in no particular order, without duplicates.

    `donors` are statements of other files that may be inserted.
    """
    tree = parse(text)
    out: dict[tuple[int, int, str], Mutation] = {}
    data = encode(text)
    module = _Module(tree.root_node, data)
    for line in sorted(set(lines)):
        for start, end, new, operator in _of_line(module, line, tuple(donors)):
            if data[start:end] != encode(new):
                out.setdefault((start, end, new), Mutation(start, end, new, operator, line))
    return list(out.values())


Change = tuple[int, int, str, str]


class _Module:
    """A tree with its text and the scopes computed so far."""

    def __init__(self, root: Node, data: bytes) -> None:
        self.root = root
        self.data = data
        self.scopes: dict[int, Scope] = {}

    def text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def indent(self, node: Node) -> str:
        start = self.data.rfind(b"\n", 0, node.start_byte) + 1
        line = self.data[start : node.start_byte].decode("utf-8", "surrogateescape")
        return line if not line.strip() else line[: len(line) - len(line.lstrip())]

    def scope(self, node: Node) -> Scope:
        function: Node | None = node
        while function is not None and function.type != "function_definition":
            function = function.parent
        key = function.id if function is not None else 0
        if key not in self.scopes:
            self.scopes[key] = _scope(self, function or self.root)
        return self.scopes[key]


def walk(node: Node) -> Iterator[Node]:
    """All nodes below and including `node`, in order."""
    todo = [node]
    while todo:
        here = todo.pop()
        yield here
        todo.extend(reversed(here.children))


def _scope(module: _Module, function: Node) -> Scope:
    scope = Scope()
    seen: set[str] = set()

    def add(kind: list[str], value: str, limit: int) -> None:
        if value not in kind and len(kind) < limit:
            kind.append(value)

    owner: Node | None = function
    while owner is not None:
        if owner.type in ("function_definition", "module"):
            for node in walk(owner):
                if node.type != "identifier" or (name := module.text(node)) in seen:
                    continue
                if _binds(node, owner):
                    seen.add(name)
                    parent = node.parent
                    if parent is not None and parent.type in ("function_definition", "class_definition"):
                        add(scope.functions, name, MAX_NAMES)
                    elif owner.type == "function_definition" or name.isupper() or owner is function:
                        add(scope.names, name, MAX_NAMES)
        owner = owner.parent
    for node in walk(function):
        if node.type == "return_statement" and node.named_children:
            add(scope.returns, module.text(node.named_children[0]), 6)
        if node.type in SIMPLE_STATEMENTS and not _is_doc(node):
            text = module.text(node)
            if "\n" not in text and len(text) < 100:
                add(scope.statements, text, MAX_DONORS)
        if node.type in EXPRESSIONS and _is_load(node) and node.type not in ("string", "lambda"):
            text = module.text(node)
            if "\n" not in text and len(text) <= 40 and node.type != "identifier":
                add(scope.expressions, text, MAX_DONORS)
        if node.type in ("if_statement", "while_statement", "elif_clause", "conditional_expression"):
            condition = node.child_by_field_name("condition")
            if condition is not None and "\n" not in module.text(condition):
                add(scope.conditions, module.text(condition), 8)
    for node in walk(module.root):
        if node.type == "attribute":
            name_node = node.child_by_field_name("attribute")
            called = node.parent is not None and node.parent.type == "call" and node.parent.child(0) == node
            if name_node is not None and not called:
                add(scope.attributes, module.text(name_node), 8)
        elif node.type == "string" and not _is_docstring(node):
            text = module.text(node)
            if "\n" not in text and len(text) < 30:
                add(scope.strings, text, 8)
    return scope


def _is_docstring(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "expression_statement"


def _binds(node: Node, owner: Node) -> bool:
    """Whether an identifier is bound in `owner` itself (not in a function nested in it)."""
    parent = node.parent
    here: Node | None = parent
    if parent is None:
        return False
    if parent.type in ("function_definition", "class_definition") and parent.child_by_field_name("name") == node:
        here = parent.parent
        kind = True
    elif parent.type in ("parameters", "lambda_parameters", "default_parameter", "typed_parameter"):
        kind = parent.type != "default_parameter" or parent.child_by_field_name("name") == node
    elif parent.type == "typed_default_parameter":
        kind = parent.child_by_field_name("name") == node
    elif parent.type in PATTERNS:
        kind = True
    elif parent.type in ("assignment", "for_statement", "for_in_clause", "named_expression"):
        kind = parent.child_by_field_name("left") == node or parent.child_by_field_name("name") == node
    elif parent.type in ("as_pattern_target", "as_pattern"):
        kind = True
    else:
        return False
    while here is not None and here.type not in ("function_definition", "module", "class_definition"):
        here = here.parent
    return kind and here is not None and here.id == owner.id


def _is_load(node: Node) -> bool:
    """Whether an expression is read where it stands (not bound, not a keyword's or attribute's name)."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type in (
        "function_definition",
        "class_definition",
        "parameters",
        "lambda_parameters",
        "global_statement",
    ):
        return False
    if parent.type in ("dotted_name", "import_statement", "aliased_import", "nonlocal_statement", "type"):
        return False
    if parent.type == "attribute" and parent.child_by_field_name("attribute") == node:
        return False
    if parent.type in ("keyword_argument", "default_parameter", "typed_parameter", "typed_default_parameter"):
        return parent.child_by_field_name("value") == node
    if parent.type in ("assignment", "augmented_assignment", "for_statement", "for_in_clause"):
        return parent.child_by_field_name("left") != node
    if parent.type in ("pattern_list", "tuple_pattern", "list_pattern", "as_pattern_target", "decorator"):
        return False
    return not (parent.type == "expression_statement" and node.type == "string")


# -- which nodes a line stands for ---------------------------------------------------------------------------------
HEADERS = {
    "if_statement": ("condition",),
    "elif_clause": ("condition",),
    "while_statement": ("condition",),
    "for_statement": ("left", "right"),
    "with_statement": (),
    "function_definition": ("parameters",),
    "match_statement": ("subject",),
}


def _statements_at(module: _Module, line: int) -> list[Node]:
    """Statements (simple ones, or headers of compound ones) that cover a line."""
    out: list[Node] = []

    def visit(node: Node) -> None:
        if not node.start_point[0] <= line <= node.end_point[0]:
            return
        if node.type in SIMPLE_STATEMENTS:
            out.append(node)
            return
        if node.type in HEADERS:
            body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
            end = body.start_point[0] if body is not None else node.end_point[0]
            if node.start_point[0] <= line < max(end, node.start_point[0] + 1):
                out.append(node)
        for child in node.children:
            visit(child)

    visit(module.root)
    return out


def _at(text: str, line: int) -> Node | None:
    """The smallest node at the first character of a line."""
    rows = text.split("\n")
    if line >= len(rows):
        return None
    column = len(encode(rows[line])) - len(encode(rows[line].lstrip()))
    return parse(text).root_node.descendant_for_point_range((line, column), (line, column))


def enclosing_headers(text: str, line: int) -> list[int]:
    """0-based lines of the conditions and loops that a line lies below, innermost first, within its function."""
    out: list[int] = []
    node: Node | None = _at(text, line)
    while node is not None and node.type not in ("function_definition", "class_definition"):
        if node.type in (*LOOPS, "elif_clause", "with_statement") and node.start_point[0] < line:
            out.append(node.start_point[0])
        node = node.parent
    return out


def is_import(text: str, line: int) -> bool:
    """Whether the statement at a 0-based line is an import."""
    node: Node | None = _at(text, line)
    while node is not None:
        if node.type in ("import_statement", "import_from_statement"):
            return True
        node = node.parent
    return False


def _regions(node: Node) -> list[Node]:
    """The parts of a statement in which expressions are changed."""
    if node.type in SIMPLE_STATEMENTS:
        return [node]
    return [part for name in HEADERS[node.type] for part in node.children_by_field_name(name)]


def _of_line(module: _Module, line: int, donors: tuple[str, ...]) -> Iterator[Change]:
    for statement in _statements_at(module, line):
        scope = module.scope(statement)
        for region in _regions(statement):
            for node in walk(region):
                for rule in EXPRESSION_RULES:
                    yield from rule(module, node, scope)
        yield from _conditions(module, statement, scope)
        if statement.type in SIMPLE_STATEMENTS:
            yield from _simple(module, statement, scope)
        if statement.type == "function_definition":
            body = statement.child_by_field_name("body")
            if body is not None and body.named_children:
                first = body.named_children[0]
                if _is_doc(first) and len(body.named_children) > 1:
                    first = body.named_children[1]
                yield from _guards(module, first, module.scope(first))
        else:
            yield from _inserts(module, statement, scope, donors)
            yield from _guards(module, statement, scope)
            yield from _moves(module, statement)


def _is_doc(node: Node) -> bool:
    return node.type == "expression_statement" and bool(node.children) and node.children[0].type == "string"


def _replace(node: Node, text: str, operator: str) -> Change:
    return node.start_byte, node.end_byte, text, operator


# -- expressions ---------------------------------------------------------------------------------------------------
def _names(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    """Another variable, an attribute of it, a sibling function."""
    if node.type != "identifier":
        return
    text = module.text(node)
    parent = node.parent
    called = parent is not None and parent.type == "call" and parent.child_by_field_name("function") == node
    if called:
        for group in SIBLINGS:
            if text in group:
                yield from (_replace(node, other, "function") for other in group if other != text)
        yield from (_replace(node, other, "function") for other in scope.functions if other != text)
        return
    if parent is not None and parent.type == "attribute" and parent.child_by_field_name("attribute") == node:
        for group in SIBLINGS:
            if text in group:
                yield from (_replace(node, other, "function") for other in group if other != text)
        grand = parent.parent
        if not (grand is not None and grand.type == "call" and grand.child_by_field_name("function") == parent):
            yield from (_replace(node, other, "attribute") for other in scope.attributes if other != text)
        return
    if _is_load(node):
        yield from (_replace(node, other, "variable") for other in scope.names if other != text)
        yield from (_replace(node, f"{text}.{name}", "attribute") for name in scope.attributes)
    elif parent is not None and parent.type in ("assignment", "augmented_assignment", "pattern_list", "for_statement"):
        yield from (_replace(node, other, "variable") for other in scope.names if other != text)


def _attributes(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    if node.type == "attribute":
        owner = node.child_by_field_name("object")
        if owner is not None:
            yield _replace(node, module.text(owner), "unwrap")
    if node.type in ("attribute", "subscript", "call") and _is_load(node):
        yield from (_replace(node, f"{module.text(node)}.{name}", "attribute") for name in scope.attributes)
        yield from (_replace(node, name, "expression") for name in scope.names)


def _operators(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    if node.type == "comparison_operator" and len(node.named_children) >= 2:
        names = [c for c in node.children if not c.is_named]
        for index, sign in enumerate(names):
            text = module.text(sign)
            if text in ("not", "is") and index + 1 < len(names) and module.text(names[index + 1]) in ("in", "not"):
                start, end, text = sign.start_byte, names[index + 1].end_byte, f"{text} {module.text(names[index + 1])}"
            else:
                start, end = sign.start_byte, sign.end_byte
            yield from ((start, end, other, "comparison") for other in NEAREST.get(text, ()))
        if len(node.named_children) == 2:
            left, right = node.named_children
            middle = module.data[left.end_byte : right.start_byte].decode()
            yield _replace(node, f"{module.text(right)}{middle}{module.text(left)}", "argument-swap")
            yield _replace(node, module.text(left), "operand-drop")
            yield _replace(node, module.text(right), "operand-drop")
    elif node.type in ("binary_operator", "boolean_operator"):
        yield from _binary(module, node)
    elif node.type == "not_operator" and node.named_children:
        yield _replace(node, module.text(node.named_children[0]), "negate")
    elif node.type == "unary_operator" and node.named_children:
        yield _replace(node, module.text(node.named_children[0]), "unwrap")
    elif node.type == "augmented_assignment":
        operator = node.child_by_field_name("operator")
        if operator is not None:
            text = module.text(operator)
            yield from (_replace(operator, f"{other}=", "assignment") for other in nearest(text.rstrip("=")))
            yield _replace(operator, "=", "assignment")
    elif node.type == "assignment" and node.child_by_field_name("type") is None:
        yield from _assignments(module, node)


def nearest(operator: str) -> list[str]:
    """The other binary operators, those of the same kind first."""
    both = (*BITWISE, *ARITHMETIC) if operator in BITWISE else (*ARITHMETIC, *BITWISE)
    return [other for other in both if other != operator]


def _binary(module: _Module, node: Node) -> Iterator[Change]:
    sign, first, second = (node.child_by_field_name(name) for name in ("operator", "left", "right"))
    if sign is None or first is None or second is None:
        return
    text, a, b = module.text(sign), module.text(first), module.text(second)
    if node.type == "boolean_operator":
        yield _replace(sign, "or" if text == "and" else "and", "boolean")
        yield _replace(first, f"not {a}", "negate")
        yield _replace(second, f"not {b}", "negate")
    else:
        yield from (_replace(sign, other, "binary") for other in nearest(text))
        if text not in ("*", "&", "|", "^"):
            yield _replace(node, f"{b} {text} {a}", "argument-swap")
        # (a . b) . c -> a . (b . c) and back: a missing pair of parentheses
        for inner in (first, second):
            if inner.type != "binary_operator" or text == "+":
                continue
            left, right, op = (inner.child_by_field_name(name) for name in ("left", "right", "operator"))
            if left is None or right is None or op is None:
                continue
            if inner == first:
                regrouped = f"{module.text(left)} {module.text(op)} ({module.text(right)} {text} {b})"
            else:
                regrouped = f"({a} {text} {module.text(left)}) {module.text(op)} {module.text(right)}"
            yield _replace(node, regrouped, "binary")
    yield _replace(node, a, "operand-drop")
    yield _replace(node, b, "operand-drop")


def _assignments(module: _Module, node: Node) -> Iterator[Change]:
    target, value = node.child_by_field_name("left"), node.child_by_field_name("right")
    if target is None or value is None or target.type not in ("identifier", "subscript", "attribute"):
        return
    between = next((c for c in node.children if module.text(c) == "="), None)
    if between is not None:
        yield from (_replace(between, f"{op}=", "assignment") for op in ("+", "-", "*", "|", "&", "//"))
    yield _replace(value, f"max({module.text(target)}, {module.text(value)})", "clamp")
    yield _replace(value, f"min({module.text(target)}, {module.text(value)})", "clamp")


def _literals(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    if not _is_load(node):
        return
    text = module.text(node)
    if node.type == "integer":
        try:
            value = int(text.replace("_", ""), 0)
        except ValueError:
            return
        for other in dict.fromkeys((value + 1, value - 1, 0, 1, -1, 2, -value, 10)):
            if other != value:
                yield _replace(node, str(other), "literal")
        yield from (_replace(node, name, "literal") for name in scope.names)
        yield _replace(node, "float('inf')", "literal")
        yield _replace(node, "-float('inf')", "literal")
    elif node.type == "float":
        yield from (_replace(node, other, "literal") for other in (f"-{text}", "0.0", "1.0", "0.5", "2.0"))
        yield from (_replace(node, name, "literal") for name in scope.names)
    elif node.type in ("true", "false"):
        yield _replace(node, "False" if node.type == "true" else "True", "literal")
        yield _replace(node, "None", "literal")
        if node.parent is not None and node.parent.type in ("return_statement", "assignment", "lambda"):
            # A constant where a condition belongs.
            yield from (_replace(node, atom, "condition-replace") for atom in atoms(scope))
    elif node.type == "none":
        yield from (_replace(node, other, "literal") for other in ("0", "[]", "False", "True", "''", "{}"))
        yield from (_replace(node, name, "literal") for name in scope.names)
    elif node.type == "string":
        yield from (_replace(node, other, "literal") for other in scope.strings if other != text)
        yield _replace(node, "''", "literal")
    elif node.type == "list":
        if not node.named_children:
            yield from (_replace(node, other, "literal") for other in ("[[]]", "None", "[0]", "set()", "{}"))
            yield from (_replace(node, f"[{name}]", "wrap") for name in scope.names)
            yield from (_replace(node, f"[[{name}]]", "wrap") for name in scope.names)
        yield from (_replace(node, name, "literal") for name in scope.names)
    elif node.type == "dictionary" and not node.named_children:
        yield from (_replace(node, name, "literal") for name in scope.names)


def _amounts(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    """Off by one, in a value of any form."""
    if node.type not in NUMERIC - {"integer", "float"} or not _is_load(node):
        return
    parent = node.parent
    if parent is None or parent.type in ("attribute", "expression_statement"):
        return
    if parent.type == "call" and parent.child_by_field_name("function") == node:
        return
    if parent.type == "subscript" and parent.child_by_field_name("value") == node:
        return
    text = module.text(node)
    yield _replace(node, f"{text} + 1", "off-by-one")
    yield _replace(node, f"{text} - 1", "off-by-one")


def _calls(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    if node.type in ("list", "tuple", "pattern_list", "expression_list", "argument_list"):
        parts = [c for c in node.named_children if c.type not in ("comment", "keyword_argument")]
        for a, b in combinations(parts[:5], 2):
            middle = module.data[a.end_byte : b.start_byte].decode("utf-8", "surrogateescape")
            yield a.start_byte, b.end_byte, f"{module.text(b)}{middle}{module.text(a)}", "argument-swap"
        texts = [module.text(c) for c in node.named_children if c.type != "comment"]
        if node.type != "pattern_list" and len(texts) > 1:
            brackets = {"list": "[]", "tuple": "()", "argument_list": "()"}.get(node.type, "  ")
            for index in range(len(texts)):
                rest = ", ".join(texts[:index] + texts[index + 1 :])
                yield _replace(node, f"{brackets[0]}{rest}{brackets[1]}".strip(), "argument-drop")
    if node.type != "call":
        return
    arguments, function = node.child_by_field_name("arguments"), node.child_by_field_name("function")
    if arguments is None or function is None or arguments.type != "argument_list":
        return
    parts = [c for c in arguments.named_children if c.type not in ("comment", "keyword_argument")]
    for part in parts:
        yield _replace(node, module.text(part), "unwrap")
    if function.type == "attribute":
        owner = function.child_by_field_name("object")
        if owner is not None:
            yield _replace(node, module.text(owner), "unwrap")
    inner = [module.text(c) for c in arguments.named_children]
    name = module.text(function)
    for new in scope.names:
        yield _replace(arguments, f"({', '.join([*inner, new])})", "argument-add")
    if name == "range" and len(parts) == 1:
        yield _replace(arguments, f"(1, {inner[0]})", "off-by-one")
        yield _replace(arguments, f"(1, {inner[0]} + 1)", "off-by-one")
        yield from (_replace(arguments, f"({new}, {inner[0]})", "argument-add") for new in scope.names)
        yield _replace(arguments, f"({inner[0]} - 1, -1, -1)", "argument-add")


def _slices(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    if node.type == "slice":
        text = module.text(node)
        low, _, high = text.partition(":")
        if ":" not in high:
            for new in (f"{low}:{high} + 1" if high else "", f"{low}:{high} - 1" if high else f"{low}:-1"):
                if new:
                    yield _replace(node, new, "slice")
            yield _replace(node, f"{low} + 1:{high}" if low else f"1:{high}", "slice")
            if low:
                yield _replace(node, f"{low} - 1:{high}", "slice")
                yield _replace(node, f":{high}", "slice")
            yield _replace(node, f"{low}:", "slice")
            if not high:
                yield from (_replace(node, f"{low}:{name}", "slice") for name in scope.names)
            if not low:
                yield from (_replace(node, f"{name}:{high}", "slice") for name in scope.names)
    elif node.type == "identifier" and _is_load(node) and node.parent is not None:
        if node.parent.type in (
            "argument_list",
            "for_statement",
            "for_in_clause",
            "return_statement",
            "binary_operator",
        ):
            text = module.text(node)
            yield _replace(node, f"{text}[1:]", "slice")
            yield _replace(node, f"{text}[:-1]", "slice")
            yield _replace(node, f"{text}[:]", "slice")
            yield _replace(node, f"{text}[::-1]", "slice")
            for name in scope.names:
                if name != text and node.parent.type in ("argument_list", "for_statement", "for_in_clause"):
                    yield _replace(node, f"{text}[{name}:]", "slice")
                    yield _replace(node, f"{text}[:{name}]", "slice")
    elif node.type == "subscript":
        value = node.child_by_field_name("value")
        if value is not None:
            yield _replace(node, module.text(value), "unwrap")


def _wraps(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    """The value in a call or a list, joined with another value, or kept within a bound."""
    if node.type not in EXPRESSIONS or not _is_load(node) or node.parent is None:
        return
    place = node.parent.type
    if place not in (
        "return_statement",
        "assignment",
        "argument_list",
        "yield",
        "augmented_assignment",
        "for_statement",
    ):
        return
    text = module.text(node)
    if "\n" in text:
        return
    if node.type not in ("true", "false", "none"):
        yield from (_replace(node, f"{wrapper}({text})", "wrap") for wrapper in WRAPPERS)
        yield from (_replace(node, f"{name}({text})", "wrap") for name in scope.functions)
    yield _replace(node, f"[{text}]", "wrap")
    if place in ("return_statement", "assignment", "yield", "argument_list"):
        for name in scope.names:
            if name != text:
                yield _replace(node, f"{name} + {text}", "combine")
                yield _replace(node, f"{text} + {name}", "combine")
                yield _replace(node, f"{text} - {name}", "combine")
                yield _replace(node, f"max({name}, {text})", "clamp")
                yield _replace(node, f"min({name}, {text})", "clamp")
        if node.type in NUMERIC:
            yield _replace(node, f"max(0, {text})", "clamp")
            yield _replace(node, f"-{text}" if node.type != "binary_operator" else f"-({text})", "sign")
    if place in ("return_statement", "assignment") and node.type in NUMERIC:
        yield from (_replace(node, f"{text} or {name}", "combine") for name in scope.names if name != text)


def _donor_expressions(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    """Another expression of the same function in this place."""
    if node.type not in EXPRESSIONS or not _is_load(node) or node.parent is None:
        return
    if node.parent.type in ("attribute", "expression_statement"):
        return
    text = module.text(node)
    own = {module.text(c) for c in walk(node) if c.is_named}
    for other in scope.expressions:
        if other != text and other not in own:
            yield _replace(node, other, "expression")


EXPRESSION_RULES: tuple[Callable[[_Module, Node, Scope], Iterator[Change]], ...] = (
    _names,
    _attributes,
    _operators,
    _literals,
    _amounts,
    _calls,
    _slices,
    _wraps,
    _donor_expressions,
)


# -- conditions ----------------------------------------------------------------------------------------------------
def atoms(scope: Scope, near: str = "") -> list[str]:
    """Small conditions over the names in scope, those whose names stand in `near` first."""
    names = sorted(scope.names, key=lambda n: n not in near)[:8]
    out = list(scope.conditions)
    for form in ("{}", "not {}", "{} is None", "{} == 0", "{} > 0", "{} is not None", "{} < 0", "len({}) == 0"):
        out += [form.format(name) for name in names]
    pairs = list(combinations(names[:6], 2))
    for sign in ("==", "<", ">", "!=", "<=", ">=", "in", "not in"):
        out += [f"{a} {sign} {b}" for a, b in pairs]
        if sign in ("in", "not in"):
            out += [f"{b} {sign} {a}" for a, b in pairs]
    for form in ("{}.{} is None", "{}.{}"):
        out += [form.format(name, attribute) for name in names[:5] for attribute in scope.attributes[:4]]
    return [atom for atom in dict.fromkeys(out) if atom not in ("True", "False")]


def _conditions(module: _Module, statement: Node, scope: Scope) -> Iterator[Change]:
    tests = [statement.child_by_field_name("condition")] if statement.type in HEADERS else []
    for region in _regions(statement):
        for node in walk(region):
            if node.type == "conditional_expression" and len(node.named_children) == 3:
                tests.append(node.named_children[1])
                a, _, b = node.named_children
                middle = module.data[a.end_byte : b.start_byte].decode("utf-8", "surrogateescape")
                yield _replace(node, f"{module.text(b)}{middle}{module.text(a)}", "argument-swap")
            elif node.type == "if_clause" and node.named_children:
                tests.append(node.named_children[0])
            elif node.type in COMPREHENSIONS and not any(c.type == "if_clause" for c in node.children):
                last = node.named_children[-1]
                for atom in atoms(scope, module.text(node))[:20]:
                    yield last.end_byte, last.end_byte, f" if {atom}", "condition-extend"
    for test in tests:
        if test is None:
            continue
        text = module.text(test)
        bare = text if test.type not in ("boolean_operator", "conditional_expression", "lambda") else f"({text})"
        yield _replace(test, f"not {bare}", "negate")
        yield _replace(test, "True", "condition-replace")
        yield _replace(test, "False", "condition-replace")
        for atom in atoms(scope, text):
            if atom != text:
                yield _replace(test, atom, "condition-replace")
                yield _replace(test, f"{bare} and {atom}", "condition-extend")
                yield _replace(test, f"{bare} or {atom}", "condition-extend")
                yield _replace(test, f"{atom} and {bare}", "condition-extend")
                yield _replace(test, f"{atom} or {bare}", "condition-extend")


# -- statements ----------------------------------------------------------------------------------------------------
def _simple(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    text = module.text(node)
    yield _replace(node, "pass", "delete")
    if node.type in ("break_statement", "continue_statement", "pass_statement"):
        for other in ("break", "continue", "pass", "return"):
            if other != text:
                yield _replace(node, other, "statement")
    if node.type == "return_statement" and node.named_children:
        value = module.text(node.named_children[0])
        yield _replace(node, f"yield {value}", "statement")
        yield _replace(node, value, "statement")
        yield from (_replace(node, f"return {other}", "statement") for other in scope.returns if other != value)
        yield from (_replace(node, f"return {name}", "expression") for name in scope.names if name != value)
    if node.type == "expression_statement" and node.named_children:
        inner = node.named_children[0]
        value = module.text(inner)
        if inner.type == "yield":
            rest = value.removeprefix("yield").strip()
            if rest.startswith("from "):
                yield _replace(node, f"yield {rest.removeprefix('from ')}", "statement")
            else:
                yield _replace(node, f"yield from {rest}", "statement")
                yield _replace(node, f"return {rest}", "statement")
        elif inner.type not in ("assignment", "augmented_assignment"):
            yield _replace(node, f"return {value}", "statement")
            yield _replace(node, f"yield {value}", "statement")
            yield _replace(node, f"yield from {value}", "statement")
            yield from (_replace(node, f"{name} = {value}", "statement") for name in scope.names)


def _inserts(module: _Module, node: Node, scope: Scope, donors: tuple[str, ...]) -> Iterator[Change]:
    """A new statement before or after this one (after a compound header: first in its body, or after the block)."""
    indent = module.indent(node)
    news: list[tuple[str, str]] = []
    for name in scope.names:
        news += [(f"{name} += 1", "insert"), (f"{name} -= 1", "insert"), (f"return {name}", "insert")]
    news += [("break", "insert"), ("continue", "insert"), ("return", "insert"), ("return None", "insert")]
    news += [(text, "insert-donor") for text in scope.statements]
    for text in scope.statements:
        for a in scope.names[:6]:
            if a in text:
                continue
            # A donor with one name replaced, the first one after the statement's head.
            for b in scope.names[:6]:
                if b != a and (new := _substitute(text, b, a)) is not None:
                    news.append((new, "insert-donor"))
    for a in scope.names[:8]:
        for b in scope.names[:8]:
            if a != b:
                news += [(f"{a} = {b}", "insert"), (f"{a}.append({b})", "insert"), (f"{a}.add({b})", "insert")]
        for attribute in scope.attributes[:4]:
            news.append((f"{a} = {a}.{attribute}", "insert"))
    news += [(text, "insert-donor") for text in donors]
    seen: set[str] = set()
    ends = node.type in LEAVING
    for text, operator in news:
        if text in seen or len(seen) > 160:
            continue
        seen.add(text)
        # What follows an unconditional jump never runs: jumps are only put at the end of a block.
        jump = text.split(" ", 1)[0] in ("return", "break", "continue", "raise")
        if jump and (ends or node.next_named_sibling is not None or node.type not in SIMPLE_STATEMENTS):
            continue
        if jump:
            yield node.end_byte, node.end_byte, f"\n{indent}{text}", operator
            continue
        yield node.start_byte, node.start_byte, f"{text}\n{indent}", operator
        if not ends and (node.type in SIMPLE_STATEMENTS or node.type in LOOPS):
            yield node.end_byte, node.end_byte, f"\n{indent}{text}", operator


def _substitute(text: str, old: str, new: str) -> str | None:
    """`text` with the whole word `old` replaced by `new` everywhere; None if it does not stand there."""
    out, count = re.subn(rf"(?<![\w.]){re.escape(old)}(?!\w)", new, text)
    return out if count else None


def _guards(module: _Module, node: Node, scope: Scope) -> Iterator[Change]:
    """`if CONDITION: return VALUE` before a statement, and the statement itself below a condition."""
    indent = module.indent(node)
    conditions = atoms(scope, module.text(node))[:36]
    values = list(dict.fromkeys([*scope.returns[:4], *scope.names[:4], "None", "[]", "0", "False", "True", "''"]))
    step = "\t" if indent.endswith("\t") else "    "
    for condition in conditions:
        for value in values:
            new = f"if {condition}:\n{indent}{step}return {value}\n{indent}"
            yield node.start_byte, node.start_byte, new, "guard"
    if node.type in SIMPLE_STATEMENTS and "\n" not in module.text(node):
        for condition in conditions:
            yield _replace(node, f"if {condition}:\n{indent}{step}{module.text(node)}", "guard")


def _moves(module: _Module, node: Node) -> Iterator[Change]:
    """The statement changes places with its neighbour, or leaves or enters a block."""
    text, indent = module.text(node), module.indent(node)
    following = node.next_named_sibling
    if following is not None and following.type != "comment" and "\n" not in text:
        middle = module.data[node.end_byte : following.start_byte].decode("utf-8", "surrogateescape")
        if "\n" in middle:
            yield node.start_byte, following.end_byte, f"{module.text(following)}{middle}{text}", "move"
    if node.type not in SIMPLE_STATEMENTS or "\n" in text or node.parent is None:
        return
    block, owner = node.parent, node.parent.parent
    if block.type == "block" and owner is not None and len(block.named_children) > 1:
        if block.named_children[-1] == node and owner.type in LOOPS:
            before = block.named_children[-2]
            outer = module.indent(owner)
            yield before.end_byte, node.end_byte, f"\n{outer}{text}", "move"
        first = block.named_children[0]
        if first == node and owner.type in LOOPS:
            outer = module.indent(owner)
            rest = module.data[owner.start_byte : node.start_byte].decode("utf-8", "surrogateescape")
            after = block.named_children[1]
            yield owner.start_byte, after.start_byte, f"{text}\n{outer}{rest}", "move"
    previous = node.prev_named_sibling
    if previous is not None and previous.type in LOOPS:
        body = previous.child_by_field_name("body") or previous.child_by_field_name("consequence")
        if body is not None and body.named_children and previous.end_byte == body.end_byte:
            inner = module.indent(body.named_children[-1])
            yield previous.end_byte, node.end_byte, f"\n{inner}{text}", "move"
            yield previous.end_byte, node.end_byte, f"\n{inner}{text}\n{indent}{text}", "move"
