"""What the rewrites ask of a tree-sitter-python tree: text, roles of names, statements of a line.  Bytes, no state."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Tree

from graft_indexer.text import encode

FUNCTIONS = ("function_definition", "lambda")
LOOPS = ("for_statement", "while_statement", "if_statement")
COMPREHENSIONS = ("list_comprehension", "generator_expression", "set_comprehension")
PATTERNS = ("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "dictionary_splat_pattern")
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
LEAVING = ("return_statement", "break_statement", "continue_statement", "raise_statement")
HEADERS = {
    "if_statement": ("condition",),
    "elif_clause": ("condition",),
    "while_statement": ("condition",),
    "for_statement": ("left", "right"),
    "with_statement": (),
    "except_clause": (),
    "function_definition": ("parameters",),
    "match_statement": ("subject",),
}
"""Compound statements -> the fields of their first line in which expressions are changed."""


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_python.language()))


def parse(text: str) -> Tree:
    """The syntax tree of a Python text; offsets are bytes of its UTF-8 form."""
    return _parser().parse(encode(text))


def text_of(node: Node) -> str:
    """Source text of a node."""
    return (node.text or b"").decode("utf-8", "surrogateescape")


def between(data: bytes, first: Node, second: Node) -> str:
    """What stands between two nodes."""
    return data[first.end_byte : second.start_byte].decode("utf-8", "surrogateescape")


def walk(node: Node, stop: tuple[str, ...] = ()) -> Iterator[Node]:
    """All nodes below and including `node`, in source order; nodes of the types `stop` are not entered from above."""
    todo = [node]
    while todo:
        here = todo.pop()
        yield here
        todo.extend(child for child in reversed(here.children) if child.type not in stop)


def is_text(node: Node | None) -> bool:
    """Whether a node is a string, or several side by side."""
    return node is not None and node.type in ("string", "concatenated_string")


def is_doc(node: Node) -> bool:
    """Whether a statement is nothing but a string."""
    return node.type == "expression_statement" and len(node.children) == 1 and is_text(node.children[0])


def is_binding(node: Node) -> bool:
    """Whether an identifier is assigned here: target of `=`, `for`, `with`, `except`, `:=`, an augmented assignment."""
    child, parent = node, node.parent
    while parent is not None and parent.type in (*PATTERNS, "as_pattern_target", "tuple", "list"):
        if parent.type == "as_pattern_target":
            return True
        child, parent = parent, parent.parent
    if parent is None:
        return False
    if parent.type in ("assignment", "augmented_assignment", "for_statement", "for_in_clause"):
        return parent.child_by_field_name("left") == child
    return parent.type == "named_expression" and parent.child_by_field_name("name") == child


_NEVER_READ = frozenset(
    {
        "function_definition",
        "class_definition",
        "parameters",
        "lambda_parameters",
        "typed_parameter",
        "list_splat_pattern",
        "dictionary_splat_pattern",
        "pattern_list",
        "tuple_pattern",
        "list_pattern",
        "as_pattern_target",
        "dotted_name",
        "import_statement",
        "import_from_statement",
        "aliased_import",
        "global_statement",
        "nonlocal_statement",
        "delete_statement",
        "type",
        "type_parameter",
        "decorator",
    }
)


def is_load(node: Node) -> bool:
    """Whether an expression is read where it stands.

    Not: what is bound, the name of an attribute, keyword, import or definition, an annotation, a docstring.
    """
    parent = node.parent
    if parent is None or parent.type in _NEVER_READ:
        return False
    if parent.type == "attribute":
        return parent.child_by_field_name("attribute") != node
    if parent.type in ("keyword_argument", "default_parameter", "typed_default_parameter"):
        return parent.child_by_field_name("value") == node
    if parent.type in ("assignment", "augmented_assignment", "for_statement", "for_in_clause"):
        return parent.child_by_field_name("left") != node
    if parent.type == "named_expression":
        return parent.child_by_field_name("name") != node
    if parent.type == "expression_statement" and is_text(node):
        return False
    return node.type != "identifier" or not is_binding(node)


def is_called(node: Node) -> bool:
    """Whether a node is what a call calls."""
    parent = node.parent
    return parent is not None and parent.type == "call" and parent.child_by_field_name("function") == node


def local_names(function: Node) -> tuple[str, ...]:
    """Names that a function binds: parameters first, then targets in source order; nested functions' own excluded."""
    found: dict[str, None] = {}
    parameters = function.child_by_field_name("parameters")
    for parameter in parameters.named_children if parameters else ():
        name = parameter.child_by_field_name("name") or next(
            (c for c in walk(parameter) if c.type == "identifier"), None
        )
        if name is not None:
            found[text_of(name)] = None
    body = function.child_by_field_name("body")
    if body is not None:
        for node in walk(body, stop=(*FUNCTIONS, "class_definition")):
            if node.type == "identifier" and is_binding(node):
                found[text_of(node)] = None
    return tuple(found)


def enclosing_function(node: Node) -> Node | None:
    """The innermost `def` around a node, the node itself excluded."""
    parent = node.parent
    while parent is not None and parent.type != "function_definition":
        parent = parent.parent
    return parent


def indent_of(data: bytes, node: Node) -> str:
    """The white space that the line of a node begins with."""
    start = data.rfind(b"\n", 0, node.start_byte) + 1
    line = data[start : node.start_byte].decode("utf-8", "surrogateescape")
    return line[: len(line) - len(line.lstrip())]


# -- what a line stands for ----------------------------------------------------------------------------------------
def statements_at(root: Node, line: int) -> list[Node]:
    """Statements (simple ones, or headers of compound ones) that cover a line, outermost first."""
    out: list[Node] = []
    todo = [root]
    while todo:
        node = todo.pop()
        if not node.start_point[0] <= line <= node.end_point[0]:
            continue
        if node.type in SIMPLE_STATEMENTS:
            out.append(node)
            continue
        if node.type in HEADERS:
            body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
            end = body.start_point[0] if body is not None else node.start_point[0] + 1
            if node.start_point[0] <= line < max(end, node.start_point[0] + 1):
                out.append(node)
        todo.extend(reversed(node.children))
    return out


def regions(statement: Node) -> list[Node]:
    """The parts of a statement in which expressions are changed."""
    if statement.type in SIMPLE_STATEMENTS:
        return [statement]
    return [part for name in HEADERS[statement.type] for part in statement.children_by_field_name(name)]


@lru_cache(maxsize=16)
def _rows_and_root(text: str) -> tuple[list[str], Node]:
    return text.split("\n"), parse(text).root_node


def _at(text: str, line: int) -> Node | None:
    """The smallest node at the first character of a line."""
    rows, root = _rows_and_root(text)
    if line >= len(rows):
        return None
    column = len(encode(rows[line])) - len(encode(rows[line].lstrip()))
    return root.descendant_for_point_range((line, column), (line, column))


def enclosing_headers(text: str, line: int) -> list[int]:
    """0-based lines of the conditions and loops that a line lies below, innermost first, within its function.

    With them the handlers of a `try` whose body holds the line: those that did not take what was raised there.
    """
    out: list[int] = []
    node = _at(text, line)
    below: Node | None = None
    while node is not None and node.type not in ("function_definition", "class_definition"):
        if node.type in (*LOOPS, "elif_clause", "with_statement") and node.start_point[0] < line:
            out.append(node.start_point[0])
        elif node.type == "try_statement" and below is not None and node.child_by_field_name("body") == below:
            out += [child.start_point[0] for child in node.named_children if child.type == "except_clause"]
        below, node = node, node.parent
    return out


def is_import(text: str, line: int) -> bool:
    """Whether the statement at a 0-based line is an import."""
    node = _at(text, line)
    while node is not None:
        if node.type in ("import_statement", "import_from_statement"):
            return True
        node = node.parent
    return False


def function_lines(text: str, line: int) -> range:
    """0-based lines of the body of the function whose body or head holds a line; empty for a line of none.

    The head is the line that a tracer reports for a call: the first decorator's, or that of `def`.
    """
    node = _at(text, line)
    while node is not None and node.type not in ("function_definition", "decorated_definition"):
        node = node.parent
    if node is not None and node.type == "decorated_definition":
        node = node.child_by_field_name("definition")
    body = node.child_by_field_name("body") if node is not None else None
    return range(body.start_point[0], body.end_point[0] + 1) if body is not None else range(0)
