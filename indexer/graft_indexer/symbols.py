"""Bindings, modules and members -> `Symbol`s, the form in which the graph answers."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from graft_indexer.bindings import FUNCTIONS, Binding, Function, How
from graft_indexer.classes import Member
from graft_indexer.facts import DefinitionKind, Span
from graft_indexer.graph import Symbol
from graft_indexer.inplace import Move
from graft_indexer.modules import Module
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope
from graft_indexer.signatures import signature_of
from graft_indexer.values import Cls
from graft_indexer.world import Target, World, span_of

_NOTHING = Span(0, 0)
_PROPERTY_NAMES = frozenset({"property", "cached_property", "abstractproperty", "setter", "getter", "deleter"})


def doc_line(node: Function | ast.ClassDef | ast.Module) -> str | None:
    """First line of a docstring that is not empty."""
    if not node.body:
        return None
    match node.body[0]:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return next((line.strip() for line in text.splitlines() if line.strip()), None)
    return None


def is_property(node: Function) -> bool:
    """Whether a decorator's name says so (exact enough for showing; `Inference.is_property` resolves it)."""
    for decorator in node.decorator_list:
        name = decorator.id if isinstance(decorator, ast.Name) else getattr(decorator, "attr", "")
        if name in _PROPERTY_NAMES:
            return True
    return False


def module_symbol(world: World, module: Module, name: str | None = None) -> Symbol:
    """A module; `name` is what it is called where it is seen."""
    path = module.path or module.source
    size, doc = world.memo.remember(("module text", path), lambda: _size_and_doc(world, path)) if path else (0, None)
    return Symbol(
        name or module.name.rpartition(".")[2], module.name, DefinitionKind.MODULE, path, Span(0, size), _NOTHING,
        doc=doc, module=module.name, origin=module.origin,
    )  # fmt: skip


def _size_and_doc(world: World, path: str) -> tuple[int, str | None]:
    """Bytes of a module's text and the first line of its docstring."""
    file = world.file(path)
    if file is None:
        return 0, None
    file.note_text()
    return len(file.tree.data), doc_line(ast.Module(body=file.tree.body[:1], type_ignores=[]))


def file_symbol(file: PyFile) -> Symbol:
    """The module of a file."""
    file.note_text()
    doc = doc_line(ast.Module(body=file.tree.body[:1], type_ignores=[]))
    return Symbol(
        file.name.rpartition(".")[2], file.name, DefinitionKind.MODULE, file.path, Span(0, len(file.tree.data)),
        _NOTHING, doc=doc, module=file.name, origin=file.origin,
    )  # fmt: skip


def binding_kind(binding: Binding) -> DefinitionKind:
    """What kind of definition a binding is."""
    scope = binding.scope
    if isinstance(binding.node, ast.Attribute):
        return DefinitionKind.ATTRIBUTE
    match binding.how:
        case How.CLASS:
            return DefinitionKind.CLASS
        case How.FUNCTION:
            if not scope.is_class:
                return DefinitionKind.FUNCTION
            assert isinstance(binding.node, FUNCTIONS)
            return DefinitionKind.PROPERTY if is_property(binding.node) else DefinitionKind.METHOD
        case How.PARAMETER:
            return DefinitionKind.PARAMETER
        case How.TYPE_ALIAS:
            return DefinitionKind.TYPE_ALIAS
        case How.IMPORT:
            return DefinitionKind.MODULE
    return DefinitionKind.VARIABLE if scope.is_module or scope.is_class else DefinitionKind.LOCAL


def qualified(scope: Scope, name: str) -> str:
    """Name inside the module of what `scope` binds."""
    if not scope.name:
        return name
    return f"{scope.name}.<locals>.{name}" if scope.is_function else f"{scope.name}.{name}"


def binding_symbol(file: PyFile, binding: Binding, name: str | None = None) -> Symbol:
    """The definition that a binding is."""
    file.note_text()
    key = (id(binding), name)
    known = file.symbols.get(key)
    now = len(file.moves)
    if known is not None and known[2] == now:
        return known[1]
    moved = _moved(known[1], file.moves[known[2] :]) if known is not None else None
    symbol = moved or _binding_symbol(file, binding, name)
    file.symbols[key] = (binding, symbol, now)
    return symbol


def _moved(symbol: Symbol, moves: list[Move]) -> Symbol | None:
    """The same symbol after edits elsewhere in its file; None if one of them touched it."""
    start, end = symbol.span.start, symbol.span.end
    name_start, name_end = symbol.name_span.start, symbol.name_span.end
    # As `Move.of`, in integers: there may be dozens of moves, and hundreds of symbols.
    for move in moves:
        begin, over, shift = move.begin, move.end, move.shift
        if end > begin:
            if start < over:
                return None
            start, end = start + shift, end + shift
        if name_end > begin:
            if name_start < over:
                return None
            name_start, name_end = name_start + shift, name_end + shift
    if start == symbol.span.start and end == symbol.span.end and name_start == symbol.name_span.start:
        return symbol
    return replace(symbol, span=Span(start, end), name_span=Span(name_start, name_end))


def _binding_symbol(file: PyFile, binding: Binding, name: str | None) -> Symbol:
    node = binding.node
    tree = file.tree
    scope = binding.scope
    if isinstance(node, ast.Attribute):  # on self: it belongs to the class
        holder = scope.enclosing_class
        prefix = holder.name if holder is not None else scope.name
        if scope.is_module and isinstance(node.value, ast.Name):
            prefix = node.value.id
        inside = f"{prefix}.{binding.name}" if prefix else binding.name
    else:
        inside = qualified(scope, binding.name)
    span = _NOTHING
    signature = None
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    doc = None
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        span = tree.full_span(node)
        decorators = tuple(tree.source(d) for d in node.decorator_list)
        doc = doc_line(node)
        if isinstance(node, ast.ClassDef):
            bases = (
                *(tree.source(b) for b in node.bases),
                *(f"{k.arg}={tree.source(k.value)}" for k in node.keywords if k.arg),
            )
        else:
            signature = signature_of(tree, node)
    elif binding.how is not How.IMPLICIT:
        span = tree.span(binding.statement if binding.statement is not None else node)
        if isinstance(binding.value, ast.Lambda) and not binding.path:
            signature = signature_of(tree, binding.value)
    annotation = tree.source(binding.annotation) if binding.annotation is not None else None
    return Symbol(
        name or binding.name, f"{file.name}.{inside}", binding_kind(binding), file.path, span, span_of(file, binding),
        signature, doc, file.name, file.origin, annotation, bases, decorators,
    )  # fmt: skip


def lost_symbol(file: PyFile, name: str) -> Symbol:
    """A name that a line which does not parse may bind: where it first stands in such a line."""
    file.note_text()
    word = re.compile(rb"\b" + re.escape(name.encode("utf-8", "replace")) + rb"\b")
    starts = [b.start for b in file.tree.hiding if name in (file.tree.lost(b) or ())]
    found = word.search(file.tree.data, min(starts, default=0))
    span = Span(*found.span()) if found is not None else _NOTHING
    return Symbol(
        name, f"{file.name}.{name}", DefinitionKind.VARIABLE, file.path, span, span,
        module=file.name, origin=file.origin, unsure=True,
    )  # fmt: skip


def target_symbol(world: World, target: Target, name: str | None = None) -> Symbol | None:
    """The symbol of a target; None for an empty one."""
    if target.module is not None:
        return module_symbol(world, target.module, name)
    if target.file is not None and target.binding is not None:
        shown = name if name is not None and name != target.binding.name else None
        return binding_symbol(target.file, target.binding, shown)
    return None


def member_symbol(member: Member) -> Symbol:
    """The definition of a member; of several the first that says what it is."""
    owner = member.owner
    for binding in (*member.bindings, *member.attributes):
        if binding.annotation is not None:
            return binding_symbol(owner.file, binding)
    for binding in (*member.bindings, *member.attributes):
        return binding_symbol(owner.file, binding)
    return class_symbol(owner, member.name)


def class_symbol(cls: Cls, slot: str | None = None) -> Symbol:
    """A class, or one of its slots."""
    cls.file.note_text()
    tree = cls.file.tree
    if slot is not None:
        return Symbol(
            slot, f"{cls.full_name}.{slot}", DefinitionKind.ATTRIBUTE, cls.file.path, tree.full_span(cls.node),
            tree.name_span(cls.node), module=cls.file.name, origin=cls.file.origin,
        )  # fmt: skip
    for binding in cls.outer.bindings.get(cls.name, ()):
        if binding.node is cls.node:
            return binding_symbol(cls.file, binding)
    binding = Binding(cls.name, How.CLASS, cls.node, cls.outer, cls.node)
    return binding_symbol(cls.file, binding)


def function_symbol(file: PyFile, node: Function, outer: Scope) -> Symbol:
    """A function."""
    for key in (node.name, f"global {node.name}", f"nonlocal {node.name}"):
        for binding in outer.bindings.get(key, ()):
            if binding.node is node:
                return binding_symbol(file, binding)
    return binding_symbol(file, Binding(node.name, How.FUNCTION, node, outer, node))
