"""What is provably wrong in a TypeScript or JavaScript file.

Only closed answers speak: a name that no scope, no other file and no platform declares; an import of a name from a
module whose exports are all known; a member of a class, interface, enumeration or module that is wholly known; a
number of arguments that no overload takes.  JavaScript has no wrong number of arguments.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from tree_sitter import Query, QueryCursor

from graft_indexer.beside import Beside, without
from graft_indexer.facts import Parameter, ParameterKind, Span
from graft_indexer.findings import ARGUMENTS, IMPORT, MEMBER, UNDEFINED, Finding, count_message
from graft_indexer.syntax import grammar
from graft_indexer.typescript.ambient import names as platform_names
from graft_indexer.typescript.scopes import TYPE, VALUE, Scope, TsFile
from graft_indexer.typescript.typ import PREDEFINED

if TYPE_CHECKING:
    from tree_sitter import Node

    from graft_indexer.typescript.tongue import TsTongue

_MADE: Final = re.compile(
    r"(?:^|/)(?:__generated__|generated?|gen|dist|build|out|lib|\.next|node_modules|coverage)(?:/|$)"
)
_GLOBALS = re.compile(rb"/\*\s*(?:global|globals|exported)\s([^*]*)\*/")
_USING = re.compile(rb"\busing\s+([A-Za-z_$][\w$]*)\s*=(?!=)")
"""A declaration that the grammar takes for an assignment."""
_TYPEOF = re.compile(rb"\btypeof\s+([A-Za-z_$][\w$]*)")
_QUERY: Final = """
(identifier) @name
(type_identifier) @type
(member_expression) @member
(import_statement) @import
(call_expression arguments: (arguments)) @call
(new_expression) @call
"""


def check(tongue: TsTongue, path: str, within: Span | None = None) -> list[Finding]:
    """Findings in a file, or in a part of it; none in a declaration file, or in a whole file that does not parse.

    Of a part of a broken file they are what `graft_indexer.beside` allows.
    """
    file = tongue.world.file(path)
    if file is None or path.endswith((".d.ts", ".d.mts", ".d.cts")):
        return []
    beside: Beside | None = None
    if file.broken:
        if within is None:
            return []
        beside = Beside(file.root, file.data, within)
        if not beside.parses and (other := without(file.root, file.data, within)) is not None:
            file = TsFile(path, other[0])
            beside = Beside(file.root, file.data, within, other[1])
        if not beside.parses:
            return []
    cursor = QueryCursor(_query(file.language))
    if within is not None:
        cursor.set_byte_range(within.start, within.end)
    nodes = cursor.captures(file.root)
    found = [*_names(tongue, file, nodes.get("name", []), nodes.get("type", []))]
    found += _imports(tongue, file, nodes.get("import", []))
    found += _members(tongue, file, nodes.get("member", []))
    if not file.is_javascript:
        found += _calls(tongue, file, nodes.get("call", []))
    if within is not None:
        found = [f for f in found if within.covers(f.span)]
    if beside is not None:
        found = [f for f in found if _holds(f, file, beside)]
    return sorted(found, key=lambda f: (f.span, f.code))


def _holds(finding: Finding, file: TsFile, beside: Beside) -> bool:
    """Whether a finding in a part of a broken file is proved without what does not parse."""
    if finding.code == IMPORT:
        return True
    if finding.code == ARGUMENTS:
        own = [span for path, span, _ in finding.related if path == file.path]
        callee = file.data[finding.span.start : finding.span.end].decode("utf-8", "replace")
        return all(beside.sound(span.start) for span in own) and not beside.doubtful(callee)
    name, *owner = finding.names
    return not beside.elsewhere(name) and not any(beside.doubtful(text) for text in owner)


@cache
def _query(language: str) -> Query:
    return Query(grammar(language), _QUERY)


# -- names ------------------------------------------------------------------------------------------------------------
def _names(tongue: TsTongue, file: TsFile, values: list[Node], types: list[Node]) -> Iterator[Finding]:
    known: dict[tuple[str, int], bool] = {}
    listed = _listed(file)
    script = file.is_javascript and not file.is_module
    if file.is_javascript:
        listed |= _assigned_names(file)
        types = []
    for meaning, nodes in ((VALUE, values), (TYPE, types)):
        for node in nodes:
            name = file.text(node)
            scope = file.scope_at(node.start_byte)
            key = (name, id(scope))
            bound = known.get(key)
            if bound is None:
                bound = known[key] = bool(file.lookup(name, node.start_byte, VALUE | TYPE))
            if bound or name in listed or name in PREDEFINED or not _is_use(file, node):
                continue
            if _in_namespace(file, node) or tongue.outside(file, name):
                continue
            among = None
            if script:
                # The page that loads a script may load others before it.  Who uses a name twice means it.
                if _mentions(file, name) > 1:
                    continue
                # Of the platform's names only those of values: a library is easily called nearly like a type.
                platform = _platform_values() if name[0].islower() else frozenset[str]()
                around = platform.union(*(s.names for s in _around(scope)))
                # `stemmer = new Stemmer()`: other letters' case is another name.
                among = frozenset(n for n in around if n.lower() != name.lower())
            what = "type" if meaning == TYPE else "name"
            message = f"no {what} {name} is declared or imported here"
            yield Finding(_span(node), UNDEFINED, message, (name,), among=among)


@cache
def _platform_values() -> frozenset[str]:
    return frozenset(n for n in platform_names() if n[0].islower())


def _mentions(file: TsFile, name: str) -> int:
    return len(re.findall(rb"(?<![\w.$])" + re.escape(name.encode()) + rb"(?![\w$])", file.data))


def _around(scope: Scope | None) -> Iterator[Scope]:
    while scope is not None:
        yield scope
        scope = scope.parent


def _listed(file: TsFile) -> set[str]:
    """Names that a comment or `using` declares, or that the file itself asks for with `typeof`."""
    names = {m.decode() for pattern in (_TYPEOF, _USING) for m in pattern.findall(file.data)}
    for match in _GLOBALS.finditer(file.data):
        names |= set(re.findall(r"[\w$]+", match.group(1).decode("utf-8", "replace")))
    return names


def _assigned_names(file: TsFile) -> set[str]:
    return {m.decode() for m in re.findall(rb"(?<![\w.$])([A-Za-z_$][\w$]*)\s*=(?![=>])", file.data)}


_NO_USE: Final = frozenset(
    (
        "import_specifier", "namespace_import", "import_clause", "namespace_export", "meta_property", "jsx_attribute",
        "jsx_namespace_name", "labeled_statement", "break_statement", "continue_statement", "property_signature",
        "import_require_clause", "type_predicate", "asserts", "import_attribute", "module", "internal_module",
        "enum_assignment", "index_signature", "nested_type_identifier", "tuple_parameter", "optional_tuple_parameter",
        "statement_identifier", "infer_type", "mapped_type_clause", "type_parameter",
    )
)  # fmt: skip


def _is_use(file: TsFile, node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    role = parent.type
    if role == "nested_type_identifier":
        return parent.child_by_field_name("module") == node
    if role == "nested_identifier" and parent.child_by_field_name("object") != node:
        return False
    if role in ("jsx_opening_element", "jsx_closing_element", "jsx_self_closing_element"):
        return file.text(node)[:1].isupper()
    if role == "export_specifier":
        statement = parent.parent.parent if parent.parent is not None else None
        return (
            parent.child_by_field_name("name") == node
            and statement is not None
            and statement.child_by_field_name("source") is None
        )
    return role not in _NO_USE


def _in_namespace(file: TsFile, node: Node) -> bool:
    """Inside a namespace or an ambient module: other files may go on with it."""
    scope = file.scope_at(node.start_byte)
    while scope.parent is not None:
        if scope.kind == "namespace":
            return True
        scope = scope.parent
    return False


# -- imports ----------------------------------------------------------------------------------------------------------
def _imports(tongue: TsTongue, file: TsFile, statements: list[Node]) -> Iterator[Finding]:
    for statement in statements:
        source = statement.child_by_field_name("source")
        if source is None:
            continue
        specifier = file.string(source)
        target, reason = tongue.world.module(file, specifier)
        if target is None:
            if not reason and _provably_missing(tongue, file, specifier):
                yield Finding(_span(source), IMPORT, f"there is no file for {specifier}", (specifier,))
            continue
        for node in _specifiers(statement):
            name = node.child_by_field_name("name")
            if name is None:
                continue
            text = file.text(name).strip("\"'")
            targets, why = tongue.world.export(target, text, VALUE | TYPE)
            if not targets and not why and not target.path.startswith("/") and not target.broken:
                yield Finding(
                    _span(name), IMPORT, f"{specifier} exports no {text}", (text, specifier),
                    ((target.path, Span(0, 0), "the module"),),
                )  # fmt: skip


def _specifiers(statement: Node) -> Iterator[Node]:
    for clause in statement.named_children:
        if clause.type == "import_clause":
            for part in clause.named_children:
                if part.type == "named_imports":
                    yield from (c for c in part.named_children if c.type == "import_specifier")


def _provably_missing(tongue: TsTongue, file: TsFile, specifier: str) -> bool:
    """Whether nothing on disk could be meant, and nothing says that a build makes it."""
    base = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), specifier))
    folder, name = posixpath.split(base)
    if _MADE.search(base) or "." in name.removesuffix(".js").removesuffix(".ts") or "?" in name or "!" in specifier:
        return False
    full = folder if folder.startswith("/") else posixpath.join(tongue.source.root, folder)
    stem = name.split(".", 1)[0]
    try:
        return not any(entry.split(".", 1)[0] == stem for entry in os.listdir(full))  # noqa: PTH208
    except OSError:
        return False


# -- members ----------------------------------------------------------------------------------------------------------
def _members(tongue: TsTongue, file: TsFile, nodes: list[Node]) -> Iterator[Finding]:
    for node in nodes:
        owner, name = node.child_by_field_name("object"), node.child_by_field_name("property")
        if owner is None or name is None or name.type != "property_identifier":
            continue
        if owner.type in ("satisfies_expression", "as_expression"):
            continue  # the rest of the type's name: `x satisfies a.b.C`
        text = file.text(name)
        symbols, reason = tongue.member(file, owner, text)
        if symbols or reason or _in_type(node):
            continue
        shown = file.text(owner)
        if len(shown) < 60 and "\n" not in shown and not _tested(file, node):
            yield Finding(_span(name), MEMBER, f"{shown} has no member {text}", (text, shown))


def _in_type(node: Node) -> bool:
    """Whether a member stands in `typeof a.b.c`, which the grammar nests in its own way."""
    at: Node | None = node
    while at is not None and at.type in ("member_expression", "subscript_expression", "call_expression"):
        at = at.parent
    return at is not None and at.type == "type_query"


def _tested(file: TsFile, node: Node) -> bool:
    """Whether the code around asks whether the member is there, or says that the line is wrong on purpose."""
    line = file.data.rfind(b"\n", 0, node.start_byte)
    above = file.data[file.data.rfind(b"\n", 0, max(0, line)) + 1 : node.end_byte]
    return b"@ts-" in above


# -- calls ------------------------------------------------------------------------------------------------------------
def _calls(tongue: TsTongue, file: TsFile, nodes: list[Node]) -> Iterator[Finding]:
    for node in nodes:
        callee = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        arguments = node.child_by_field_name("arguments")
        if callee is None or callee.type not in ("identifier", "member_expression"):
            continue
        given = [a for a in arguments.named_children if a.type != "comment"] if arguments is not None else []
        if any(a.type == "spread_element" for a in given):
            continue
        targets, reason = tongue.targets_of_call(file, callee, node.type == "new_expression")
        if reason or not targets or any(t.symbol.path.endswith((".js", ".jsx", ".mjs", ".cjs")) for t in targets):
            continue
        bounds = [limits(t.signature.parameters) for t in targets]
        if any(low <= len(given) and (high is None or len(given) <= high) for low, high in bounds):
            continue
        name = file.text(callee)
        if len(name) > 60 or "\n" in name:
            name = "the function"
        low = min(b[0] for b in bounds)
        high = None if any(b[1] is None for b in bounds) else max(b[1] or 0 for b in bounds)
        target = targets[0].symbol
        yield Finding(
            _span(callee), ARGUMENTS, count_message(name, low, high, len(given)), (target.name,),
            ((target.path, target.name_span, "its declaration"),),
        )  # fmt: skip


_MAY_BE_VOID = re.compile(r"\b(?:void|any|unknown)\b|^(?:[A-Z]|T[A-Z]\w*)$")


def limits(parameters: tuple[Parameter, ...]) -> tuple[int, int | None]:
    """(fewest, most) arguments; a parameter that may be `void` (a type parameter may) need not be given."""
    least = 0
    most: int | None = len(parameters)
    for index, parameter in enumerate(parameters):
        annotation = parameter.annotation or ""
        if parameter.kind is ParameterKind.VAR_POSITIONAL:
            most = None
            if annotation and not annotation.endswith("]"):
                return 0, None  # a tuple type, or a type parameter, may ask for some
        elif parameter.default is None and not _MAY_BE_VOID.search(annotation):
            least = index + 1
    return least, most


def _span(node: Node) -> Span:
    return Span(node.start_byte, node.end_byte)
