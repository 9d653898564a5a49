"""Changes of whole statements: deleted, turned into another kind, inserted, guarded, moved."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from graft_indexer.rewrites.conditions import atoms
from graft_indexer.rewrites.expressions import Change, replace
from graft_indexer.rewrites.scope import Module, Scope
from graft_indexer.rewrites.tree import LEAVING, LOOPS, SIMPLE_STATEMENTS, between, indent_of, text_of

MOST_INSERTS = 160
MOST_GUARDS = 36


def simple(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    """A simple statement deleted, or turned into another kind."""
    text = text_of(node)
    yield replace(node, "pass", "delete")
    if node.type in ("break_statement", "continue_statement", "pass_statement"):
        for other in ("break", "continue", "pass", "return"):
            if other != text:
                yield replace(node, other, "statement")
    if node.type == "return_statement" and node.named_children:
        value = text_of(node.named_children[0])
        yield replace(node, f"yield {value}", "statement")
        yield replace(node, value, "statement")
        yield from (replace(node, f"return {other}", "statement") for other in scope.returns if other != value)
        yield from (replace(node, f"return {name}", "expression") for name in scope.names if name != value)
        if node.named_children[0].type in ("true", "false"):
            # The answer depends on something that was not asked.
            yield from (replace(node.named_children[0], atom, "condition-replace") for atom in atoms(scope))
    elif node.type == "return_statement":
        yield from (replace(node, f"return {other}", "statement") for other in (*scope.returns, *scope.names))
    if node.type == "expression_statement" and node.named_children:
        inner = node.named_children[0]
        value = text_of(inner)
        if inner.type == "yield":
            rest = value.removeprefix("yield").strip()
            if rest.startswith("from "):
                yield replace(node, f"yield {rest.removeprefix('from ')}", "statement")
            else:
                yield replace(node, f"yield from {rest}", "statement")
                yield replace(node, f"return {rest}", "statement")
        elif inner.type not in ("assignment", "augmented_assignment"):
            for head in ("return", "yield", "yield from", "await"):
                yield replace(node, f"{head} {value}", "statement")
            yield from (replace(node, f"{name} = {value}", "statement") for name in scope.names)


def inserts(module: Module, node: Node, scope: Scope, donors: tuple[str, ...]) -> Iterator[Change]:
    """A new statement before or after this one (after a compound header: after its block)."""
    indent = indent_of(module.data, node)
    seen: set[str] = set()
    ends = node.type in LEAVING
    for text, operator in _new_statements(scope, donors):
        if text in seen or len(seen) > MOST_INSERTS:
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


def _new_statements(scope: Scope, donors: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, method in scope.empties.items():
        yield from ((f"{name}.{method}({value})", "insert") for value in scope.names[:8] if value != name)
    for name in scope.names:
        yield from ((text, "insert") for text in (f"{name} += 1", f"{name} -= 1", f"return {name}"))
    yield from ((text, "insert") for text in ("break", "continue", "return", "return None"))
    yield from ((text, "insert-donor") for text in scope.statements)
    for text in scope.statements:
        for a in scope.names[:6]:
            if a in text:
                continue
            # A donor with one name replaced everywhere.
            for b in scope.names[:6]:
                if b != a and (new := _substitute(text, b, a)) is not None:
                    yield new, "insert-donor"
    for a in scope.names[:8]:
        for b in scope.names[:8]:
            if a != b:
                yield f"{a} = {b}", "insert"
                # What is made empty here was filled above; of the others nobody knows what they are.
                if not scope.empties or a not in scope.empties:
                    yield from ((text, "insert") for text in (f"{a}.append({b})", f"{a}.add({b})"))
        for attribute in scope.attributes[:4]:
            yield f"{a} = {a}.{attribute}", "insert"
    yield from ((text, "insert-donor") for text in donors)


def _substitute(text: str, old: str, new: str) -> str | None:
    """`text` with the whole word `old` replaced by `new` everywhere; None if it does not stand there."""
    out, count = re.subn(rf"(?<![\w.]){re.escape(old)}(?!\w)", new, text)
    return out if count else None


def guards(module: Module, node: Node, scope: Scope) -> Iterator[Change]:
    """`if CONDITION: return VALUE` before a statement, and the statement itself below a condition.

    About 43 % of Defects4J's fixes add a condition (Sobreira et al. 2018).
    """
    indent = indent_of(module.data, node)
    conditions = atoms(scope, text_of(node))[:MOST_GUARDS]
    step = "\t" if indent.endswith("\t") else "    "
    in_loop = _inside_loop(node)
    exits = [f"return {value}" for value in (*scope.returns[:4], *scope.names[:4])]
    exits += ["return", "return []", "return 0", "return False", "return True", "return ''"]
    exits += ["continue", "break"] if in_loop else []
    exits += scope.raises
    for condition in conditions:
        for leave in dict.fromkeys(exits):
            yield node.start_byte, node.start_byte, f"if {condition}:\n{indent}{step}{leave}\n{indent}", "guard"
    if node.type in SIMPLE_STATEMENTS and "\n" not in text_of(node):
        for condition in conditions:
            yield replace(node, f"if {condition}:\n{indent}{step}{text_of(node)}", "guard")


def _inside_loop(node: Node) -> bool:
    parent = node.parent
    while parent is not None and parent.type != "function_definition":
        if parent.type in ("for_statement", "while_statement"):
            return True
        parent = parent.parent
    return False


def moves(module: Module, node: Node) -> Iterator[Change]:
    """The statement changes places with its neighbour, or leaves or enters a block."""
    text, indent = text_of(node), indent_of(module.data, node)
    following = node.next_named_sibling
    if following is not None and following.type != "comment" and "\n" not in text:
        middle = between(module.data, node, following)
        if "\n" in middle:
            yield node.start_byte, following.end_byte, f"{text_of(following)}{middle}{text}", "move"
    if node.type not in SIMPLE_STATEMENTS or "\n" in text or node.parent is None:
        return
    block, owner = node.parent, node.parent.parent
    if block.type == "block" and owner is not None and len(block.named_children) > 1 and owner.type in LOOPS:
        outer = indent_of(module.data, owner)
        if block.named_children[-1] == node:
            before = block.named_children[-2]
            yield before.end_byte, node.end_byte, f"\n{outer}{text}", "move"
        if block.named_children[0] == node:
            rest = module.data[owner.start_byte : node.start_byte].decode("utf-8", "surrogateescape")
            after = block.named_children[1]
            yield owner.start_byte, after.start_byte, f"{text}\n{outer}{rest}", "move"
    previous = node.prev_named_sibling
    if previous is not None and previous.type in LOOPS:
        body = previous.child_by_field_name("body") or previous.child_by_field_name("consequence")
        if body is not None and body.named_children and previous.end_byte == body.end_byte:
            inner = indent_of(module.data, body.named_children[-1])
            yield previous.end_byte, node.end_byte, f"\n{inner}{text}", "move"
            yield previous.end_byte, node.end_byte, f"\n{inner}{text}\n{indent}{text}", "move"


def blocks(module: Module, node: Node) -> Iterator[Change]:
    """A compound statement goes: deleted as a whole, or its body stays without the header."""
    if node.type not in ("if_statement", "for_statement", "while_statement", "with_statement"):
        return
    if node.child_by_field_name("alternative") is not None:
        return
    body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
    if body is None or not body.named_children or body.start_point[0] == node.start_point[0]:
        return
    yield replace(node, "pass", "delete")
    outer, inner = indent_of(module.data, node), indent_of(module.data, body.named_children[0])
    if inner.startswith(outer) and len(inner) > len(outer):
        lines = text_of(body).split("\n")
        extra = inner[len(outer) :]
        if all(not line.strip() or line.startswith(inner) for line in lines[1:]):
            out = [lines[0], *(line.replace(outer + extra, outer, 1) for line in lines[1:])]
            yield replace(node, "\n".join(out), "header-drop")
