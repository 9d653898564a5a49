"""Kinds of nodes of tree-sitter-python as the integers that comparing is fast with, and two ways to read a node."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import normalize

from graft_indexer.syntax import grammar

if TYPE_CHECKING:
    from tree_sitter import Node


def kind_id(name: str) -> int:
    """The integer of a named node kind.  Raises LookupError for one that the grammar does not have."""
    found = grammar("python").id_for_node_kind(name, True)
    if found is None:
        raise LookupError(f"the grammar has no {name}")
    return found


def ids(*names: str) -> frozenset[int]:
    """The integers of several kinds."""
    return frozenset(map(kind_id, names))


FUNCTION = kind_id("function_definition")
CLASS = kind_id("class_definition")
DECORATED = kind_id("decorated_definition")
EXPRESSION = kind_id("expression_statement")
ASSIGNMENT = kind_id("assignment")
AUGMENTED = kind_id("augmented_assignment")
IF = kind_id("if_statement")
TRY = kind_id("try_statement")
WITH = kind_id("with_statement")
FOR = kind_id("for_statement")
EXCEPT = kind_id("except_clause")
CASE_PATTERN = kind_id("case_pattern")
LAMBDA = kind_id("lambda")
ELIF = kind_id("elif_clause")
BLOCK = kind_id("block")
ELSE = kind_id("else_clause")
IMPORT = kind_id("import_statement")
FROM = kind_id("import_from_statement")
FUTURE = kind_id("future_import_statement")
GLOBAL = kind_id("global_statement")
ALIAS = kind_id("type_alias_statement")
DECORATOR = kind_id("decorator")
IDENTIFIER = kind_id("identifier")
ATTRIBUTE = kind_id("attribute")
STRING = kind_id("string")
CALL = kind_id("call")
ALIASED = kind_id("aliased_import")
DOTTED = kind_id("dotted_name")
STAR = kind_id("wildcard_import")
RELATIVE = kind_id("relative_import")
COMMENT = kind_id("comment")
PARAMETERS = kind_id("parameters")
ARGUMENTS = kind_id("argument_list")
TYPE = kind_id("type")
AS_PATTERN = kind_id("as_pattern")
AS_TARGET = kind_id("as_pattern_target")
SPLAT_PATTERN = kind_id("splat_pattern")
KEYWORD_PATTERN = kind_id("keyword_pattern")
NAMED = kind_id("named_expression")
SPLAT = kind_id("list_splat_pattern")
DOUBLE_SPLAT = kind_id("dictionary_splat_pattern")
DEFAULT = kind_id("default_parameter")
TYPED_DEFAULT = kind_id("typed_default_parameter")
TYPED = kind_id("typed_parameter")
KEYWORD_SEPARATOR = kind_id("keyword_separator")
POSITIONAL_SEPARATOR = kind_id("positional_separator")
ERROR = 65535
"""tree-sitter's own; it has no name to ask for."""
TARGETS = ids(
    "pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "parenthesized_expression",
    "as_pattern_target", "tuple", "list", "expression_list", "list_splat",
)  # fmt: skip
SEQUENCES = ids("pattern_list", "tuple_pattern", "list_pattern", "expression_list", "tuple", "list")
SPLATS = ids("list_splat_pattern", "list_splat")
NESTS = ids("while_statement", "match_statement", "case_clause", "except_clause", "finally_clause") | {
    BLOCK,
    ELSE,
    ERROR,
}
INTERESTING = (
    NESTS
    | {FUNCTION, CLASS, DECORATED, EXPRESSION, IF, TRY, WITH, FOR, ELIF, ASSIGNMENT}
    | {IMPORT, FROM, FUTURE, GLOBAL, ALIAS, CASE_PATTERN}
)


def text_of(data: bytes, node: Node) -> str:
    """Source text of a node."""
    return data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")


def identifier(data: bytes, node: Node) -> str:
    """Text of a name, normalised as Python does (NFKC)."""
    text = data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")
    return text if text.isascii() else normalize("NFKC", text)
