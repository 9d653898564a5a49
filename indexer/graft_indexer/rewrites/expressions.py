"""Changes of expressions: names, attributes, operators, values, arguments, slices, wrappers, donors.

A rule takes the module, a node and what is in scope, and gives (start, end, text, operator).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tree_sitter import Node

from graft_indexer.rewrites import operators
from graft_indexer.rewrites.scope import Module, Scope
from graft_indexer.rewrites.tables import WRAPPERS, siblings
from graft_indexer.rewrites.tree import (
    EXPRESSIONS,
    NUMERIC,
    between,
    is_binding,
    is_called,
    is_load,
    is_text,
    text_of,
)

Change = tuple[int, int, str, str]
Rule = Callable[[Module, Node, Scope], Iterator[Change]]


def replace(node: Node, text: str, operator: str) -> Change:
    """Replace a node."""
    return node.start_byte, node.end_byte, text, operator


def _field(node: Node, name: str) -> Node | None:
    return node.child_by_field_name(name)


def _names(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    """Another variable, an attribute of it, a sibling function."""
    if node.type != "identifier":
        return
    text = text_of(node)
    parent = node.parent
    if is_called(node):
        yield from (replace(node, other, "function") for other in siblings(text))
        yield from (replace(node, other, "function") for other in scope.functions if other != text)
        return
    if parent is not None and parent.type == "attribute" and _field(parent, "attribute") == node:
        yield from (replace(node, other, "function") for other in siblings(text))
        if is_called(parent):
            yield from (replace(node, other, "function") for other in scope.methods if other != text)
        else:
            yield from (replace(node, other, "attribute") for other in scope.attributes if other != text)
        return
    if is_load(node):
        yield from (replace(node, other, "variable") for other in scope.names if other != text)
        yield from (replace(node, f"{text}.{name}", "attribute") for name in scope.attributes)
        if text in scope.attributes and "self" in scope.names and text != "self":
            yield replace(node, f"self.{text}", "attribute")
    elif is_binding(node):
        yield from (replace(node, other, "variable") for other in scope.names if other != text)


def _attributes(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    if node.type == "attribute":
        owner = _field(node, "object")
        name_node = _field(node, "attribute")
        if owner is not None and name_node is not None:
            yield replace(node, text_of(owner), "unwrap")
            if text_of(name_node) in scope.names:
                yield replace(node, text_of(name_node), "variable")
    if node.type in ("attribute", "subscript", "call") and is_load(node):
        yield from (replace(node, f"{text_of(node)}.{name}", "attribute") for name in scope.attributes)
        yield from (replace(node, name, "expression") for name in scope.names)


def _operators(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    yield from ((*c, "comparison") for c in operators.comparison(node, wide=True))
    yield from ((*c, "boolean") for c in operators.boolean(node))
    yield from ((*c, "binary") for c in operators.binary(node, wide=True))
    yield from ((*c, "assignment") for c in operators.assignment(node, wide=True))
    if node.type == "comparison_operator" and len(node.named_children) == 2:
        left, right = node.named_children
        yield replace(node, f"{text_of(right)}{between(module.data, left, right)}{text_of(left)}", "argument-swap")
        yield replace(node, text_of(left), "operand-drop")
        yield replace(node, text_of(right), "operand-drop")
    elif node.type in ("binary_operator", "boolean_operator"):
        yield from _operands(node)
    elif node.type == "not_operator" and node.named_children:
        yield replace(node, text_of(node.named_children[0]), "negate")
    elif node.type == "unary_operator" and node.named_children:
        yield replace(node, text_of(node.named_children[0]), "unwrap")
    elif node.type == "assignment" and _field(node, "type") is None:
        target, value = _field(node, "left"), _field(node, "right")
        if target is not None and value is not None and target.type in ("identifier", "subscript", "attribute"):
            for name in ("max", "min"):
                yield replace(value, f"{name}({text_of(target)}, {text_of(value)})", "clamp")


def _operands(node: Node) -> Iterator[Change]:
    """One operand dropped, both swapped, negated, or grouped anew."""
    sign, first, second = (_field(node, name) for name in ("operator", "left", "right"))
    if sign is None or first is None or second is None:
        return
    text, a, b = text_of(sign), text_of(first), text_of(second)
    if node.type == "boolean_operator":
        yield replace(first, f"not {a}", "negate")
        yield replace(second, f"not {b}", "negate")
    if text not in ("*", "&", "|", "^"):
        yield replace(node, f"{b} {text} {a}", "argument-swap")
    # (a . b) . c -> a . (b . c) and back: a missing pair of parentheses
    for inner in (first, second):
        bare = inner.named_children[0] if inner.type == "parenthesized_expression" else inner
        if bare.type != node.type or text == "+":
            continue
        left, right, op = (_field(bare, name) for name in ("left", "right", "operator"))
        if left is None or right is None or op is None:
            continue
        if inner == first:
            regrouped = f"{text_of(left)} {text_of(op)} ({text_of(right)} {text} {b})"
        else:
            regrouped = f"({a} {text} {text_of(left)}) {text_of(op)} {text_of(right)}"
        yield replace(node, regrouped, "group")
    yield replace(node, a, "operand-drop")
    yield replace(node, b, "operand-drop")


def _literals(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    if not is_load(node):
        return
    text = text_of(node)
    yield from ((*c, "literal") for c in operators.integer(node, wide=True))
    yield from ((*c, "literal") for c in operators.truth(node))
    if node.type == "integer":
        yield from (replace(node, name, "literal") for name in scope.names)
        yield replace(node, "float('inf')", "literal")
        yield replace(node, "-float('inf')", "literal")
        yield replace(node, "None", "literal")
    elif node.type == "float":
        yield from (replace(node, other, "literal") for other in (f"-{text}", "0.0", "1.0", "0.5", "2.0"))
        yield from (replace(node, name, "literal") for name in scope.names)
    elif node.type in ("true", "false"):
        yield replace(node, "None", "literal")
        yield from (replace(node, name, "literal") for name in scope.names)
    elif node.type == "none":
        yield from (replace(node, other, "literal") for other in ("0", "[]", "False", "True", "''", "{}", "()"))
        yield from (replace(node, name, "literal") for name in scope.names)
    elif node.type == "string":
        yield from _strings(node, text, scope)
    elif node.type in ("list", "dictionary", "tuple") and not node.named_children:
        yield from (replace(node, other, "literal") for other in ("None", "[]", "{}", "set()", "()") if other != text)
        yield from (replace(node, name, "literal") for name in scope.names)
        if node.type == "list":
            yield replace(node, "[[]]", "literal")
            yield replace(node, "[0]", "literal")
            for name in scope.names:
                yield replace(node, f"[{name}]", "wrap")
                yield replace(node, f"[[{name}]]", "wrap")
    elif node.type == "list":
        yield from (replace(node, name, "literal") for name in scope.names)


def _strings(node: Node, text: str, scope: Scope) -> Iterator[Change]:
    """Another string of the file, an empty one, another mode, raw, bytes, a blank more or less."""
    yield from (replace(node, other, "literal") for other in scope.strings if other != text)
    yield replace(node, "''", "literal")
    if text[:1] in "'\"" and text[:3] not in ("'''", '"""'):
        inner, quote = text[1:-1], text[0]
        if "\\" in inner:
            yield replace(node, f"r{text}", "literal")
        for new in (inner.strip(), inner + " ", " " + inner, inner.lower(), inner.upper(), inner + "\\n"):
            if new and new != inner and not new.endswith("\\"):
                yield replace(node, f"{quote}{new}{quote}", "literal")
        if "{" in inner:
            yield replace(node, f"f{text}", "literal")


def _amounts(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    """Off by one, in a value of any form."""
    if node.type not in NUMERIC - {"integer", "float"} or not is_load(node):
        return
    parent = node.parent
    if parent is None or parent.type in ("attribute", "expression_statement") or is_called(node):
        return
    if parent.type == "subscript" and _field(parent, "value") == node:
        return
    yield replace(node, f"{text_of(node)} + 1", "off-by-one")
    yield replace(node, f"{text_of(node)} - 1", "off-by-one")


BRACKETS = {"list": ("[", "]"), "tuple": ("(", ")"), "argument_list": ("(", ")")}


def _arguments(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    """Arguments and items swapped, dropped or added; a call left away."""
    if node.type in ("list", "tuple", "pattern_list", "expression_list", "argument_list"):
        parts = [c for c in node.named_children if c.type not in ("comment", "keyword_argument")]
        yield from ((*c, "argument-swap") for c in operators.swapped(parts, module.data))
        texts = [text_of(c) for c in node.named_children if c.type != "comment"]
        if node.type != "pattern_list" and len(texts) > 1:
            opening, closing = BRACKETS.get(node.type, ("", ""))
            for index in range(len(texts)):
                rest = ", ".join(texts[:index] + texts[index + 1 :])
                yield replace(node, f"{opening}{rest}{closing}", "argument-drop")
        if node.type in ("list", "tuple") and texts and is_load(node):
            opening, closing = BRACKETS[node.type]
            for name in (*scope.names, *scope.strings):
                if name not in texts:
                    yield replace(node, f"{opening}{', '.join([*texts, name])}{closing}", "argument-add")
    if node.type == "subscript":
        # Several indexes stand side by side here, without a tuple around them.
        indexes = [c for c in node.children_by_field_name("subscript") if c.type != "slice"]
        yield from ((*c, "argument-swap") for c in operators.swapped(indexes, module.data))
    if node.type != "call":
        return
    arguments, function = _field(node, "arguments"), _field(node, "function")
    if arguments is None or function is None or arguments.type != "argument_list":
        return
    parts = [c for c in arguments.named_children if c.type not in ("comment", "keyword_argument")]
    for part in parts:
        yield replace(node, text_of(part), "unwrap")
    if function.type == "attribute":
        owner = _field(function, "object")
        if owner is not None:
            yield replace(node, text_of(owner), "unwrap")
    inner = [text_of(c) for c in arguments.named_children]
    names = [*scope.names, "None", "0", "1", "True", "False", "''"]
    for new in names:
        if new not in inner:
            yield replace(arguments, f"({', '.join([*inner, new])})", "argument-add")
    keywords = [text_of(k) for k in (_field(c, "name") for c in arguments.named_children) if k is not None]
    for new in scope.names:
        if new not in keywords and new != "self":
            yield replace(arguments, f"({', '.join([*inner, f'{new}={new}'])})", "keyword-add")
    for new in scope.keywords:
        if new.partition("=")[0] not in keywords:
            yield replace(arguments, f"({', '.join([*inner, new])})", "keyword-add")
    if text_of(function) == "range" and len(parts) == 1:
        yield replace(arguments, f"(1, {inner[0]})", "off-by-one")
        yield replace(arguments, f"(1, {inner[0]} + 1)", "off-by-one")
        yield from (replace(arguments, f"({new}, {inner[0]})", "argument-add") for new in scope.names)
        yield replace(arguments, f"({inner[0]} - 1, -1, -1)", "argument-add")


SLICED = ("argument_list", "for_statement", "for_in_clause", "return_statement", "binary_operator", "assignment")


def _slices(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    """Bounds of a slice; a slice or an index where there is none."""
    if node.type == "slice":
        text = text_of(node)
        low, _, high = text.partition(":")
        if ":" not in high:
            for new in (f"{low}:{high} + 1" if high else "", f"{low}:{high} - 1" if high else f"{low}:-1"):
                if new:
                    yield replace(node, new, "slice")
            yield replace(node, f"{low} + 1:{high}" if low else f"1:{high}", "slice")
            if low:
                yield replace(node, f"{low} - 1:{high}", "slice")
                yield replace(node, f":{high}", "slice")
            if high:
                yield replace(node, f"{low}:", "slice")
            if not high:
                yield from (replace(node, f"{low}:{name}", "slice") for name in scope.names)
            if not low:
                yield from (replace(node, f"{name}:{high}", "slice") for name in scope.names)
    elif node.type in ("identifier", "attribute", "call") and is_load(node) and node.parent is not None:
        if node.parent.type in SLICED and not is_called(node):
            text = text_of(node)
            for part in ("[1:]", "[:-1]", "[:]", "[::-1]", "[0]", "[-1]", "[1]"):
                yield replace(node, f"{text}{part}", "slice")
            for name in scope.names:
                if name != text and node.parent.type in ("argument_list", "for_statement", "for_in_clause"):
                    yield replace(node, f"{text}[{name}:]", "slice")
                    yield replace(node, f"{text}[:{name}]", "slice")
                if name != text:
                    yield replace(node, f"{text}[{name}]", "slice")
    elif node.type == "subscript":
        value, inner = _field(node, "value"), _field(node, "subscript")
        if value is not None:
            yield replace(node, text_of(value), "unwrap")
            if inner is not None and inner.type != "slice" and is_load(node):
                # A key that may be missing.
                yield replace(node, f"{text_of(value)}.get({text_of(inner)})", "lenient")


WRAPPED = (
    "return_statement",
    "assignment",
    "argument_list",
    "keyword_argument",
    "yield",
    "augmented_assignment",
    "for_statement",
    "for_in_clause",
    "subscript",
    "comparison_operator",
    "binary_operator",
    "boolean_operator",
    "pair",
)


def _wraps(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    """The value in a call or a list, joined with another value, or kept within a bound."""
    if node.type not in EXPRESSIONS or not is_load(node) or node.parent is None or is_called(node):
        return
    place = node.parent.type
    text = text_of(node)
    if place not in WRAPPED or "\n" in text:
        return
    if place == "subscript" and _field(node.parent, "value") == node:
        return
    if node.type not in ("true", "false", "none", "integer"):
        usual = [name for name, _ in scope.calls.most_common(6)]
        for wrapper in dict.fromkeys((*WRAPPERS, *usual, *scope.functions)):
            yield replace(node, f"{wrapper}({text})", "wrap")
        if node.type in ("identifier", "attribute", "call", "subscript"):
            for method in scope.methods:
                yield replace(node, f"{text}.{method}()", "method-add")
            for method in ("copy", "strip", "lower", "items", "keys", "values", "upper"):
                yield replace(node, f"{text}.{method}()", "method-add")
    if place not in ("comparison_operator", "binary_operator", "boolean_operator", "pair", "keyword_argument"):
        yield replace(node, f"[{text}]", "wrap")
        yield replace(node, f"({text},)", "wrap")
    if place in ("return_statement", "assignment", "yield", "argument_list"):
        yield from _joined(node, text, scope)
    if place in ("return_statement", "assignment", "argument_list", "keyword_argument") and node.type in NUMERIC:
        for default in ("[]", "{}", "''", "None", "0", "()"):
            yield replace(node, f"{text} or {default}", "default")
        for name in scope.names:
            if name != text:
                yield replace(node, f"{text} or {name}", "default")
                yield replace(node, f"{name} or {text}", "default")
        for test in (text, *scope.names[:6]):
            yield replace(node, f"{text} if {test} else None", "conditional")
            yield replace(node, f"{text} if {test} is not None else None", "conditional")


def _joined(node: Node, text: str, scope: Scope) -> Iterator[Change]:
    """A value joined with another one, or kept within a bound."""
    for name in scope.names:
        if name != text:
            yield replace(node, f"{name} + {text}", "combine")
            yield replace(node, f"{text} + {name}", "combine")
            yield replace(node, f"{text} - {name}", "combine")
            yield replace(node, f"max({name}, {text})", "clamp")
            yield replace(node, f"min({name}, {text})", "clamp")
    if node.type in NUMERIC:
        yield replace(node, f"max(0, {text})", "clamp")
        yield replace(node, f"-{text}" if node.type != "binary_operator" else f"-({text})", "sign")


TARGETS = ("subscript", "attribute")
TARGET = re.compile(r"[A-Za-z_][\w.]*(?:\[[^\[\]:()]*\]|\.\w+)")
"""Expressions that can be assigned to: an item or an attribute of a name."""


def _donors(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    """Another expression of the same function in this place; another item or attribute as the target."""
    if node.type not in EXPRESSIONS or node.parent is None:
        return
    text = text_of(node)
    if not is_load(node):
        if node.type in TARGETS and node.parent.type in ("assignment", "augmented_assignment"):
            others = (other for other in scope.expressions if other != text and TARGET.fullmatch(other))
            yield from (replace(node, other, "expression") for other in others)
        return
    if node.parent.type in ("attribute", "expression_statement") or is_text(node):
        return
    for other in scope.expressions:
        # Its own parts are what unwrapping and dropping give.
        if other not in text:
            yield replace(node, other, "expression")


RULES: tuple[Rule, ...] = (
    _names,
    _attributes,
    _operators,
    _literals,
    _amounts,
    _arguments,
    _slices,
    _wraps,
    _donors,
)
