"""Members of values as symbols, with the proof that there are no others.

For instances that may be of a subclass the members of every known subclass count as well.  Attributes that the
repository sets from outside on something that may be the receiver count too.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from graft_indexer.attributes import metaclass
from graft_indexer.classes import Member
from graft_indexer.facts import DefinitionKind, Span
from graft_indexer.graph import Origin, Symbol
from graft_indexer.memo import PLAIN, CircularError
from graft_indexer.modules import Module
from graft_indexer.pyfile import MODULE_NAMES, PyFile
from graft_indexer.receivers import Inference
from graft_indexer.repository import Repository
from graft_indexer.symbols import binding_symbol, file_symbol, member_symbol, module_symbol, target_symbol
from graft_indexer.values import (
    ClassValue,
    Cls,
    FunctionValue,
    Instance,
    ModuleValue,
    NoneValue,
    Result,
    SuperValue,
    Value,
)
from graft_indexer.world import Found

_CLOSED_BUILTINS = frozenset(
    {"str", "bytes", "bytearray", "int", "float", "complex", "bool", "list", "dict", "set", "frozenset", "tuple",
     "range", "memoryview", "slice"}
)  # fmt: skip
"""Builtin classes whose instances take no other attributes."""


_SPECIAL_FORMS = ("typing._SpecialForm", "typing_extensions._SpecialForm", "typing._Generic", "typing._Protocol")


@dataclass(frozen=True, slots=True)
class Listing:
    """Members by name; why there may be others, and why others may be there whose names begin with an underscore (stubs
    leave those out)."""

    symbols: list[Symbol]
    reason: str = ""
    private: str = ""


class Members:
    """Answers about members for a graph."""

    def __init__(self, inference: Inference, repository: Repository) -> None:
        self.inference = inference
        self.repository = repository
        self.world = inference.world

    # -- all of them --------------------------------------------------------------------------------------------------
    def all(self, result: Result) -> Listing:
        """Members of any of several values."""
        table: dict[str, Symbol] = {}
        reason, private = result.reason, ""
        values = [v for v in result.values if not isinstance(v, NoneValue)]
        if not values:
            return Listing([], reason or "it is None")
        if len(values) == 1:
            found = self.of(values[0])
            return Listing(found.symbols, reason or found.reason, found.private)
        for value in values:
            found = self.of(value)
            reason, private = reason or found.reason, private or found.private
            for symbol in found.symbols:
                table.setdefault(symbol.name, symbol)
        return Listing(list(table.values()), reason, private)

    def of(self, value: Value) -> Listing:
        """Members of one value."""
        match value:
            case ModuleValue(module=module):
                return Listing(*self.module(module))
            case Instance(cls=cls, exact=exact):
                return self._instance(cls, exact)
            case ClassValue(cls=cls, exact=exact):
                return self._class(value)
            case SuperValue(receiver=receiver, after=after):
                return Listing(*self._super(receiver.cls, after))
            case FunctionValue():
                return Listing(*self._function(value))
            case NoneValue():
                return Listing([])

    def module(self, module: Module) -> tuple[list[Symbol], str]:
        """Names of a module, submodules included."""
        try:
            return self.world.memo.remember((PLAIN, "module members", module), lambda: self._module(module))
        except CircularError:
            return [], "imports run in a circle"

    def _module(self, module: Module) -> tuple[list[Symbol], str]:
        names, reason = self.world.namespaces.names(module)
        table: dict[str, Symbol] = {}
        file = self.world.module_file(module)
        for name in names:
            if " " in name:
                continue
            found = self.world.module_name_target(module, name)
            symbol = self._first(found, name)
            if symbol is None and file is not None:
                symbol = self._import_symbol(file, name)
            if symbol is not None:
                table[name] = symbol
        for name in self.world.finder.submodules(module):
            if name not in table:
                sub = self.world.finder.submodule(module, name)
                if sub is not None:
                    table[name] = Symbol(
                        name, sub.name, DefinitionKind.MODULE, sub.path or sub.source, _EMPTY, _EMPTY,
                        module=sub.name, origin=sub.origin,
                    )  # fmt: skip
        if module.is_package and not module.path and module.origin is not Origin.WORKSPACE:
            reason = reason or "namespace packages may lie elsewhere"
        return list(table.values()), reason

    def _import_symbol(self, file: PyFile, name: str) -> Symbol | None:
        bindings = file.scope.bindings.get(name)
        return binding_symbol(file, bindings[0]) if bindings else None

    def _first(self, found: Found, name: str) -> Symbol | None:
        for target in found.targets:
            symbol = target_symbol(self.world, target, name)
            if symbol is not None:
                return symbol
        return None

    def _instance(self, cls: Cls, exact: bool) -> Listing:
        try:
            table, reason, private, holders = self.world.memo.remember(
                ("instance members", cls, exact), lambda: self._instance_members(cls, exact)
            )
        except CircularError:
            return Listing([], "the class depends on itself")
        if self._sealed(cls):
            return Listing(list(table.values()), reason, private)
        return Listing([*table.values(), *self.repository.set_from_outside(holders, table)], reason, private)

    def _instance_members(self, cls: Cls, exact: bool) -> tuple[dict[str, Symbol], str, str, list[Cls]]:
        classes = self.inference.classes
        shape = classes.shape(cls)
        reason = shape.reason
        if cls.full_name in _SPECIAL_FORMS:
            reason = "a special form of typing"
        table = {name: member_symbol(m) for name, m in classes.members(cls).items()}
        holders = list(shape.order)
        reason = reason or self._filled(cls)
        if not exact and not self._sealed(cls):
            below, why = self.inference.subclasses(cls)
            reason = reason or why
            for sub in below:
                inner = classes.shape(sub)
                reason = reason or inner.reason
                holders += inner.order
                for name, member in classes.members(sub).items():
                    if name not in table:
                        table[name] = member_symbol(member)
        holders = list(dict.fromkeys(holders))
        hidden = [classes.private_members(c) for c in holders]
        reason = reason or next((h.reason for h in hidden if h.reason), "")
        private = next((h.private for h in hidden if h.private), "")
        for name in self._implicit(holders):
            table.setdefault(name, member_symbol(Member(name, cls)))
        if not self._sealed(cls):
            table.setdefault("__dict__", member_symbol(Member("__dict__", cls)))
        return table, reason, private, holders

    def _implicit(self, holders: list[Cls]) -> list[str]:
        """Attributes that no text shows: what `typing` sets on protocols, what the interpreter sets on errors."""
        names: list[str] = []
        for cls in holders:
            for base in cls.node.bases:
                if self.inference.classes.special(cls, base.value if isinstance(base, ast.Subscript) else base):
                    names += ["_is_protocol", "_is_runtime_protocol"]
            if cls.node.decorator_list:
                names += [
                    "__slots__",
                    "__dataclass_fields__",
                    "__dataclass_params__",
                    "__match_args__",
                    "__attrs_attrs__",
                ]
            if cls.full_name in ("typing.Generic", "typing.Protocol", "typing._Generic"):
                names += ["_is_protocol", "_is_runtime_protocol"]
            if cls.full_name == "builtins.OSError":
                names.append("characters_written")
        return names

    def _filled(self, cls: Cls) -> str:
        order = self.inference.classes.shape(cls).order
        return "calls fill it" if any(self.repository.made_by_call(c) for c in order) else ""

    def _sealed(self, cls: Cls) -> bool:
        return cls.file is self.world.builtins and cls.name in _CLOSED_BUILTINS

    def _class(self, value: ClassValue) -> Listing:
        try:
            return self.world.memo.remember(
                ("class members", value.cls, value.exact), lambda: self._class_members(value)
            )
        except CircularError:
            return Listing([], "the class depends on itself")

    def _class_members(self, value: ClassValue) -> Listing:
        classes = self.inference.classes
        cls = value.cls
        shape = classes.shape(cls)
        reason = shape.reason
        if cls.full_name in _SPECIAL_FORMS:
            reason = "a special form of typing"
        reason = reason or self._filled(cls)
        table: dict[str, Symbol] = {}
        for name, member in classes.members(cls).items():
            own: Member | None = member
            if member.attributes and not member.bindings and not _set_on_class(member):
                inside = name in classes.slots(member.owner)
                own = member if inside else classes.class_member(cls, name)
            if own is not None:
                table[name] = member_symbol(own)
        if not value.exact:
            below, why = self.inference.subclasses(cls)
            reason = reason or why
            for sub in below:
                reason = reason or classes.shape(sub).reason
                for name, member in classes.members(sub).items():
                    table.setdefault(name, member_symbol(member))
        hidden = classes.private_members(cls)
        reason, private = reason or hidden.reason, hidden.private
        for name in self._implicit(list(shape.order)):
            table.setdefault(name, member_symbol(Member(name, cls)))
        meta = metaclass(self.inference, cls)
        reason = reason or meta.reason
        metaclasses = [v.cls for v in meta.values if isinstance(v, ClassValue)]
        if any(c.file.is_stub for c in shape.order[:-1]) and (abstract := self._abstract()) is not None:
            metaclasses.append(abstract)  # stubs do not say which of their classes are made by ABCMeta
        for one in metaclasses:
            reason = reason or classes.shape(one).reason
            for name, member in classes.members(one).items():
                table.setdefault(name, member_symbol(member))
        for symbol in self.repository.set_from_outside(list(shape.order), table):
            table.setdefault(symbol.name, symbol)
        return Listing(list(table.values()), reason, private)

    def _abstract(self) -> Cls | None:
        found = self.inference.known("abc", "ABCMeta")
        return next((v.cls for v in found.values if isinstance(v, Instance)), None)

    def _super(self, cls: Cls, after: Cls) -> tuple[list[Symbol], str]:
        classes = self.inference.classes
        shape = classes.shape(cls)
        order = shape.order[shape.order.index(after) + 1 :] if after in shape.order else shape.order
        table: dict[str, Symbol] = {}
        for current in order:
            for name in classes.own_names(current):
                member = classes.own_member(current, name)
                if member is not None and (member.bindings or name not in table):
                    table.setdefault(name, member_symbol(member))
        return list(table.values()), shape.reason or "super() may lead to a sibling"

    def _function(self, value: FunctionValue) -> tuple[list[Symbol], str]:
        found = self.inference.known("types", "MethodType" if value.bound else "FunctionType")
        table: dict[str, Symbol] = {}
        for one in found.values:
            if isinstance(one, Instance):
                table = {n: member_symbol(m) for n, m in self.inference.classes.members(one.cls).items()}
        return list(table.values()), "functions take any attribute"

    # -- one of them --------------------------------------------------------------------------------------------------
    def named(self, result: Result, name: str) -> tuple[list[Symbol], str]:
        """Definitions of the member `name`; no symbols and no reason: provably there is none."""
        found: list[Symbol] = []
        reason = result.reason
        values = [v for v in result.values if not isinstance(v, NoneValue)]
        if not values:
            return [], reason or "nothing is known"
        for value in values:
            symbols, why = self._named(value, name)
            found += [s for s in symbols if s not in found]
            reason = reason or why
        return found, reason

    def _named(self, value: Value, name: str) -> tuple[list[Symbol], str]:
        classes = self.inference.classes
        match value:
            case ModuleValue(module=module):
                target = self.world.module_name_target(module, name)
                symbols = [s for t in target.targets if (s := target_symbol(self.world, t, name)) is not None]
                reason = target.reason
                if not symbols and name in MODULE_NAMES:
                    file = self.world.module_file(module)
                    return ([file_symbol(file)] if file is not None else [module_symbol(self.world, module)]), ""
                if not symbols and not reason and self.repository.stored_elsewhere(name):
                    reason = "it is set elsewhere"
                if not symbols and not reason and self.repository.attribute_guarded(name):
                    reason = "it is asked for with hasattr"
                return symbols, reason
            case Instance(cls=cls, exact=exact):
                member = classes.member(cls, name)
                if member is not None:
                    return self._all_definitions(member), ""
                if name == "__dict__" and not self._sealed(cls):
                    return [], "instances have __dict__"
                shape = classes.shape(cls)
                if shape.reason:
                    return [], shape.reason
                if cls.full_name in _SPECIAL_FORMS:
                    return [], "a special form of typing"
                if not exact and not self._sealed(cls):
                    below, reason = self.inference.subclasses(cls)
                    if reason:
                        return [], reason
                    hits = [m for c in below if (m := classes.member(c, name)) is not None]
                    if hits:
                        return [member_symbol(hits[0])], "only subclasses have it"
                    reason = next((r for c in below if (r := classes.shape(c).reason)), "")
                    if reason:
                        return [], reason
                return [], self._doubt(cls, name)
            case ClassValue(cls=cls):
                listing = self._class(value)
                hits_ = [s for s in listing.symbols if s.name == name]
                if hits_:
                    return hits_, ""
                return [], listing.reason or self._doubt(cls, name)
            case SuperValue(receiver=receiver, after=after):
                member = classes.member(receiver.cls, name, after)
                if member is not None:
                    return self._all_definitions(member), ""
                return [], "super() may lead to a sibling"
            case FunctionValue():
                symbols, reason = self._function(value)
                return [s for s in symbols if s.name == name], reason
            case NoneValue():
                return [], "it is None"

    def _all_definitions(self, member: Member) -> list[Symbol]:
        file = member.owner.file
        functions = [b for b in member.bindings if isinstance(b.node, ast.FunctionDef | ast.AsyncFunctionDef)]
        if functions:
            return [binding_symbol(file, b) for b in functions]
        return [member_symbol(member)]

    def _doubt(self, cls: Cls, name: str) -> str:
        """Why an attribute that no class defines may be there all the same."""
        order = self.inference.classes.shape(cls).order
        if name.startswith("__") and name.endswith("__"):
            return "special names are also made by decorators and the interpreter"
        if name.startswith("__") and any(c.file is self.world.builtins for c in order[:-1]):
            return "stubs leave out some special names"
        if self._sealed(cls):
            return ""
        if any(name.startswith(f"_{c.name.lstrip('_')}__") for c in order):
            return "a private name, as another class would write it"
        if filled := self._filled(cls):
            return filled
        hidden = self.inference.classes.private_members(cls)
        if hidden.reason or (name.startswith("_") and hidden.private):
            return hidden.reason or "stubs leave out private names"
        if self.inference.classes.spelled_beside(cls, name):
            return "the source beside the stub says it"
        if any(name in self._implicit([c]) for c in order):
            return "it is set when the class is made"
        if self.repository.stored_elsewhere(name):
            return "it is set elsewhere"
        if self.repository.attribute_guarded(name):
            return "it is asked for with hasattr"
        return ""


def _set_on_class(member: Member) -> bool:
    for binding in member.attributes:
        node = binding.scope.node
        for decorator in getattr(node, "decorator_list", []):
            if isinstance(decorator, ast.Name) and decorator.id == "classmethod":
                return True
        if getattr(node, "name", "") in ("__init_subclass__", "__new__", "__prepare__"):
            return True
    return False


_EMPTY = Span(0, 0)
