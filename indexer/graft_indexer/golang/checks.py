"""What is provably wrong in a Go file: names, fields, methods and packages' members that are not there, and calls
with a number of arguments that the function does not take.  Only closed answers speak."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from tree_sitter import Query, QueryCursor

from graft_indexer.beside import Beside, without
from graft_indexer.facts import ParameterKind, Span
from graft_indexer.findings import ARGUMENTS, MEMBER, UNDEFINED, Finding, count_message
from graft_indexer.golang.scopes import UNIVERSE, GoFile
from graft_indexer.golang.world import BROKEN
from graft_indexer.syntax import grammar

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.golang.tongue import GoTongue

_QUERY: Final = """
(identifier) @name
(type_identifier) @name
(selector_expression) @member
(qualified_type) @member
(call_expression) @call
"""
_NO_USE: Final = frozenset(("import_spec", "package_clause", "labeled_statement", "field_declaration"))


def check(tongue: GoTongue, path: str, within: Span | None = None) -> list[Finding]:
    """Findings in a file, or in a part of it; none in one that uses C, or in a whole one that does not parse.

    Of a part of a broken file they are what `graft_indexer.beside` allows.
    """
    file = tongue.world.file(path)
    package = tongue.world.package_of(file) if file is not None else None
    if file is None or package is None or b'import "C"' in file.data:
        return []
    beside: Beside | None = None
    if file.broken:
        if within is None:
            return []
        beside = Beside(file.root, file.data, within)
        if not beside.parses and (other := without(file.root, file.data, within)) is not None:
            file = GoFile(path, other[0])
            beside = Beside(file.root, file.data, within, other[1])
        if not beside.parses:
            return []
    cursor = QueryCursor(_query())
    if within is not None:
        cursor.set_byte_range(within.start, within.end)
    nodes = cursor.captures(file.root)
    found = [] if package.partial else [*_names(tongue, file, nodes.get("name", []))]
    found += _members(tongue, file, nodes.get("member", []), beside)
    found += _calls(tongue, file, nodes.get("call", []), beside)
    if within is not None:
        found = [f for f in found if within.covers(f.span)]
    if beside is not None:
        found = [f for f in found if _holds(f, file, beside)]
    return sorted(found, key=lambda f: (f.span, f.code))


def _holds(finding: Finding, file: GoFile, beside: Beside) -> bool:
    """Whether a finding in a part of a broken file is proved without what does not parse."""
    if finding.code == ARGUMENTS:
        own = [span for path, span, _ in finding.related if path == file.path]
        callee = file.data[finding.span.start : finding.span.end].decode("utf-8", "replace")
        return all(beside.sound(span.start) for span in own) and not beside.doubtful(callee)
    name, *owner = finding.names
    return not beside.elsewhere(name) and not any(beside.doubtful(text) for text in owner)


@cache
def _query() -> Query:
    return Query(grammar("go"), _QUERY)


def _names(tongue: GoTongue, file: GoFile, nodes: list[Node]) -> Iterator[Finding]:
    for node in nodes:
        parent = node.parent
        name = file.text(node)
        if parent is None or name in UNIVERSE or name == "_" or parent.type in _NO_USE:
            continue
        if parent.type == "qualified_type" or (parent.type == "type_spec" and node.type == "identifier"):
            continue
        if file.lookup(name, node.start_byte) is not None:
            continue
        symbols, reason = tongue.resolve(file, node)
        if not symbols and not reason:
            key = parent.type == "literal_element"
            said = f"the literal's type has no field {name}" if key and _is_key(node) else f"{name} is not declared"
            yield Finding(_span(node), MEMBER if key and _is_key(node) else UNDEFINED, said, (name,))


def _is_key(node: Node) -> bool:
    element = node.parent
    keyed = element.parent if element is not None else None
    return keyed is not None and keyed.type == "keyed_element" and keyed.child_by_field_name("key") == element


def _elsewhere(tongue: GoTongue, file: GoFile, name: str, reason: str, beside: Beside | None) -> bool:
    """Whether nothing but this file's errors keeps an answer about a name open; `_holds` looks into the file."""
    own = tongue.world.package_of(file) if beside is not None and reason == BROKEN else None
    return own is not None and not any(name.encode() in f.data for f in own.files if f.broken and f.path != file.path)


def _members(tongue: GoTongue, file: GoFile, nodes: list[Node], beside: Beside | None) -> Iterator[Finding]:
    for node in nodes:
        owner = node.child_by_field_name("operand") or node.child_by_field_name("package")
        name = node.child_by_field_name("field") or node.child_by_field_name("name")
        if owner is None or name is None:
            continue
        text = file.text(name)
        if node.type == "qualified_type" or owner.type == "package_identifier":
            symbols, reason = tongue.of_package(file, file.text(owner), text)
        else:
            symbols, reason = tongue.member(file, owner, text)
        shown = file.text(owner)
        if (
            symbols
            or (reason and not _elsewhere(tongue, file, text, reason, beside))
            or len(shown) > 60
            or "\n" in shown
        ):
            continue
        if file.path.endswith("_test.go") and _for_tests(tongue, file, shown, text):
            continue
        yield Finding(_span(name), MEMBER, f"{shown} has no member {text}", (text, shown))


def _for_tests(tongue: GoTongue, file: GoFile, alias: str, name: str) -> bool:
    """Whether a package's own tests declare a name for tests outside it."""
    package, _ = tongue.types.package_named(file, alias)
    if package is None:
        # A method that the package's tests declare for one of its types.
        method = re.compile(rb"\bfunc\s*\([^)]*\)\s*" + re.escape(name.encode()) + rb"\b")
        tests = [p for p in tongue.source.files_with(name) if p.endswith("_test.go")]
        return any(method.search(tongue.data(p)) for p in tests)
    whole = tongue.world.package(package.folder, package.name, tests=True)
    return whole is not None and name in whole.names


def _calls(tongue: GoTongue, file: GoFile, nodes: list[Node], beside: Beside | None) -> Iterator[Finding]:
    for node in nodes:
        callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if callee is None or arguments is None or callee.type not in ("identifier", "selector_expression"):
            continue
        given = [a for a in arguments.named_children if a.type != "comment"]
        if any(a.type == "variadic_argument" for a in given) or (
            len(given) == 1 and given[0].type == "call_expression"
        ):
            continue
        if callee.type == "identifier" and file.text(callee) in UNIVERSE:
            continue
        targets, reason = tongue.targets_of_call(file, callee)
        name = file.text(callee).rpartition(".")[2]
        if (
            (reason and not _elsewhere(tongue, file, name, reason, beside))
            or len(targets) != 1
            or _method_expression(tongue, file, callee)
        ):
            continue
        parameters = targets[0].signature.parameters
        variadic = bool(parameters) and parameters[-1].kind is ParameterKind.VAR_POSITIONAL
        least = len(parameters) - variadic
        if len(given) < least or (len(given) > least and not variadic):
            name = file.text(callee)
            symbol = targets[0].symbol
            shown = name if len(name) < 60 else "the function"
            said = count_message(shown, least, None if variadic else least, len(given))
            proof = ((symbol.path, symbol.name_span, "its declaration"),)
            yield Finding(_span(callee), ARGUMENTS, said, (symbol.name or name,), proof)


def _method_expression(tongue: GoTongue, file: GoFile, callee: Node) -> bool:
    """`T.Method(x, ...)`: the receiver is an argument."""
    owner = callee.child_by_field_name("operand")
    return owner is not None and (tongue.types.is_type(file, owner) or owner.type == "parenthesized_expression")


def _span(node: Node) -> Span:
    return Span(node.start_byte, node.end_byte)
