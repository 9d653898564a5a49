"""Changes of conditions: negated, replaced, extended by another one; exceptions that a handler takes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tree_sitter import Node

from graft_indexer.rewrites.expressions import Change, replace
from graft_indexer.rewrites.scope import Module, Scope
from graft_indexer.rewrites.tree import COMPREHENSIONS, HEADERS, between, regions, text_of, walk

EXCEPTIONS = (
    *("Exception", "ValueError", "TypeError", "KeyError", "AttributeError", "OSError", "IndexError"),
    *("RuntimeError", "OverflowError", "UnicodeError", "StopIteration", "ImportError", "RecursionError", "MemoryError"),
)


def atoms(scope: Scope, near: str = "") -> list[str]:
    """Small conditions over the names in scope, those whose names stand in `near` first."""
    names = sorted(scope.names, key=lambda n: n not in near)[:8]
    out = list(scope.conditions)
    for form in ("{}", "not {}", "{} is None", "{} is not None", "{} == 0", "{} > 0", "{} < 0", "len({}) == 0"):
        out += [form.format(name) for name in names]
    pairs = list(combinations(names[:6], 2))
    for sign in ("==", "<", ">", "!=", "<=", ">=", "in", "not in"):
        out += [f"{a} {sign} {b}" for a, b in pairs]
        if sign in ("in", "not in"):
            out += [f"{b} {sign} {a}" for a, b in pairs]
    owners = names[:5]
    for form in ("{}.{}", "not {}.{}", "{}.{} is None", "{}.{} is not None"):
        out += [form.format(name, attribute) for name in owners for attribute in scope.attributes[:4]]
    for form in ("isinstance({}, {})", "not isinstance({}, {})"):
        out += [form.format(name, kind) for name in names[:4] for kind in scope.types]
    return [atom for atom in dict.fromkeys(out) if atom not in ("True", "False")]


def conditions(module: Module, statement: Node, scope: Scope) -> Iterator[Change]:
    """Changes of the conditions of one statement: its own, those of comprehensions and of conditional expressions."""
    tests = [statement.child_by_field_name("condition")] if statement.type in HEADERS else []
    if statement.type == "assert_statement" and statement.named_children:
        tests.append(statement.named_children[0])
    for region in regions(statement):
        for node in walk(region):
            if node.type == "conditional_expression" and len(node.named_children) == 3:
                tests.append(node.named_children[1])
                a, _, b = node.named_children
                middle = between(module.data, a, b)
                yield replace(node, f"{text_of(b)}{middle}{text_of(a)}", "argument-swap")
                yield replace(node, text_of(a), "unwrap")
                yield replace(node, text_of(b), "unwrap")
            elif node.type == "if_clause" and node.named_children:
                tests.append(node.named_children[0])
            elif node.type in COMPREHENSIONS and not any(c.type == "if_clause" for c in node.children):
                last = node.named_children[-1]
                for atom in atoms(scope, text_of(node))[:20]:
                    yield last.end_byte, last.end_byte, f" if {atom}", "condition-extend"
    if statement.type == "return_statement" and statement.named_children:
        value = statement.named_children[0]
        if value.type in ("comparison_operator", "boolean_operator", "not_operator"):
            tests.append(value)
    for test in tests:
        if test is not None:
            yield from _of_test(test, scope)
    if statement.type == "except_clause":
        yield from _handled(module, statement, scope)


def _of_test(test: Node, scope: Scope) -> Iterator[Change]:
    text = text_of(test)
    bare = text if test.type not in ("boolean_operator", "conditional_expression", "lambda") else f"({text})"
    yield replace(test, f"not {bare}", "negate")
    yield replace(test, "True", "condition-replace")
    yield replace(test, "False", "condition-replace")
    if test.type in ("identifier", "attribute", "call", "subscript", "named_expression"):
        held = f"({text})" if test.type == "named_expression" else text
        yield replace(test, f"{held} is not None", "condition-test")
        yield replace(test, f"{held} is None", "condition-test")
    for atom in atoms(scope, text):
        if atom != text:
            yield replace(test, atom, "condition-replace")
            # Joined without parentheses: `a and b or c` is `(a and b) or c`.
            plain_and = text if test.type != "boolean_operator" or " or " not in text else bare
            yield replace(test, f"{plain_and} and {atom}", "condition-extend")
            yield replace(test, f"{text} or {atom}", "condition-extend")
            yield replace(test, f"{atom} and {plain_and}", "condition-extend")
            yield replace(test, f"{atom} or {text}", "condition-extend")


def _handled(module: Module, clause: Node, scope: Scope) -> Iterator[Change]:
    """A handler takes one more exception, or another one."""
    if not clause.named_children or clause.named_children[0].type == "block":
        return
    value = clause.named_children[0]
    if value.type == "as_pattern":
        value = value.named_children[0]
    text = text_of(value)
    if value.type == "tuple" and len(value.named_children) > 1:
        texts = [text_of(child) for child in value.named_children if child.type != "comment"]
        for index in range(len(texts)):
            yield replace(value, f"({', '.join([*texts[:index], *texts[index + 1 :]])},)", "argument-drop")
    for name in dict.fromkeys((*module.raised, *scope.exceptions, *EXCEPTIONS)):
        if name in text:
            continue
        joined = f"{text[:-1].rstrip(', ')}, {name})" if value.type == "tuple" else f"({text}, {name})"
        yield replace(value, joined, "exception")
        yield replace(value, name, "exception")
