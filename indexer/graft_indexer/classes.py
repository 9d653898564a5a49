"""Classes: bases, method resolution order, members, and whether the members are all.

Members are closed only if every base down to object is known, the metaclass is type, ABCMeta or EnumMeta, decorators
are on a list, nothing in the class makes attributes that cannot be seen (`__getattr__`, `setattr(self, ...)`, writes to
`__dict__`, computed `__slots__`), and the order of bases is consistent (C3, as in the language reference, 3.3.3).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graft_indexer.bindings import Binding, How
from graft_indexer.memo import CircularError
from graft_indexer.scopes import Scope, scope_of
from graft_indexer.selfstores import functions_in, hidden_stores, self_stores, slot_names
from graft_indexer.values import ClassValue, Cls, Result
from graft_indexer.world import World

if TYPE_CHECKING:
    from graft_indexer.pyfile import PyFile

METACLASSES = frozenset({"builtins.type", "abc.ABCMeta", "enum.EnumMeta", "enum.EnumType", "typing._ProtocolMeta"})
TYPING = ("typing", "typing_extensions", "_typeshed")
IGNORED_BASES = frozenset({"Generic", "Protocol"})
DECORATORS = frozenset(
    {
        "dataclasses.dataclass", "functools.total_ordering", "typing.final", "typing_extensions.final",
        "typing.runtime_checkable", "typing_extensions.runtime_checkable", "enum.unique", "typing.type_check_only",
        "typing.dataclass_transform", "typing_extensions.deprecated", "warnings.deprecated", "enum.verify",
        "enum.global_enum", "typing.disjoint_base", "typing_extensions.disjoint_base", "typing.runtime",
    }
)  # fmt: skip
"""Class decorators that add no attribute but the ones known here."""
ATTRS_MODULES = ("attr", "attrs")
COMPUTED_SLOTS = "__slots__ is computed"

Infer = Callable[["Cls", Scope, ast.expr], Result]


@dataclass(frozen=True, slots=True)
class Base:
    """A base class and the source of its type arguments."""

    cls: Cls
    arguments: tuple[ast.expr, ...]
    unsure: str = ""
    """Why there may be others before it."""


@dataclass(frozen=True, slots=True)
class Member:
    """An attribute with the class it is found in.  `bindings` are class-level, `attributes` set on self."""

    name: str
    owner: Cls
    bindings: tuple[Binding, ...] = ()
    attributes: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class Hidden:
    """What stubs leave out: members, why there may be others, and why others may be there with a leading underscore."""

    members: dict[str, Member]
    reason: str
    private: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known about a class: its order (itself first) and why its members may not be all."""

    order: tuple[Cls, ...]
    reason: str


def own_attributes(cls: Cls) -> dict[str, list[Binding]]:
    """Attributes that methods of the class set on their first parameter, with what they are set to."""
    tokens = cls.file.tokens
    changed = 0
    if tokens is not None:
        token = tokens.cls(cls.inside)
        tokens.memo.note(token)
        changed = token.changed
    known = cls.memo.get("attributes")
    if known is not None and known[0] == changed:  # type: ignore[index]
        return known[1]  # type: ignore[index, no-any-return]
    table: dict[str, list[Binding]] = {}
    made: dict[int, tuple[object, list[Binding]]] = cls.memo.setdefault("stores", {})  # type: ignore[assignment]
    for function in functions_in(cls.node.body):
        stores = self_stores(function)
        if not stores:
            continue
        before = made.get(id(function))
        if before is not None and before[0] is stores:  # the same bindings as before: answers hang on them
            bindings = before[1]
        else:
            scope = scope_of(cls.scope, function)
            bindings = [
                Binding(name, how, node, scope, statement, value, annotation, path, conditional=True)
                for name, nodes in stores.items()
                for node, statement, value, annotation, path, how in nodes
            ]
            made[id(function)] = (stores, bindings)
        for binding in bindings:
            table.setdefault(binding.name, []).append(binding)
    cls.memo["attributes"] = (changed, table)
    return table


def class_stores(cls: Cls) -> dict[str, list[Binding]]:
    """Attributes that the module sets on a class of its own, `Class.name = value` at its top level."""
    if not cls.outer.is_module:
        return {}
    file = cls.file
    known = file.memo.get("class stores")
    if known is None:
        table: dict[str, dict[str, list[Binding]]] = {}
        for statement in file.tree.body:
            if not isinstance(statement, ast.Assign):
                continue
            for target in statement.targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    binding = Binding(target.attr, How.ASSIGN, target, file.scope, statement, statement.value)
                    table.setdefault(target.value.id, {}).setdefault(target.attr, []).append(binding)
        known = file.memo["class stores"] = table
    return known.get(cls.name, {})  # type: ignore[attr-defined, no-any-return]


class Classes:
    """Bases and members of classes; `resolve` evaluates an expression in a class's outer scope to class objects."""

    def __init__(
        self, world: World, resolve: Callable[[Cls, ast.expr], Result],
        infer: Callable[[PyFile, Scope, ast.expr], Result],
    ) -> None:  # fmt: skip
        self.world = world
        self.resolve = resolve
        self.infer = infer

    def bases(self, cls: Cls) -> tuple[tuple[Base, ...], str]:
        """Direct bases that are known, and why there may be others."""
        try:
            return self.world.memo.remember(("bases", cls), lambda: self._bases(cls))
        except CircularError:
            return (), "its bases depend on itself"

    def _bases(self, cls: Cls) -> tuple[tuple[Base, ...], str]:
        cls.file.note()
        found: list[Base] = []
        reason = ""
        for expression in cls.node.bases:
            arguments: tuple[ast.expr, ...] = ()
            inner = expression
            if isinstance(inner, ast.Starred):
                reason = "a starred base"
                continue
            if isinstance(inner, ast.Subscript):
                arguments = tuple(inner.slice.elts) if isinstance(inner.slice, ast.Tuple) else (inner.slice,)
                inner = inner.value
            special = self.special(cls, inner)
            if special in IGNORED_BASES:
                continue
            result = self.resolve(cls, inner)
            classes = [v.cls for v in result.values if isinstance(v, ClassValue)]
            if len(classes) == 1 and result.closed and classes[0] != cls:
                found.append(Base(classes[0], arguments, reason))
            elif classes:
                found.extend(Base(c, arguments, reason) for c in classes[:1] if c != cls)
                reason = reason or result.reason or f"the base {ast.unparse(expression)} may be several classes"
            else:
                reason = reason or f"the base {ast.unparse(expression)} is not known"
        return tuple(found), reason

    def special(self, cls: Cls, expression: ast.expr) -> str:
        """Name of a special form of `typing` that an expression means, else empty."""
        name = expression.id if isinstance(expression, ast.Name) else getattr(expression, "attr", "")
        if name not in IGNORED_BASES:
            return ""
        if isinstance(expression, ast.Name):
            found = self.world.lookup(cls.file, cls.outer, name)
            if any(t.file is not None and t.file.name in TYPING for t in found.targets):
                return str(name)
            return ""
        return str(name) if isinstance(expression, ast.Attribute) else ""

    def shape(self, cls: Cls) -> Shape:
        """Method resolution order and openness of a class."""
        try:
            return self.world.memo.remember(("shape", cls), lambda: self._shape(cls))
        except CircularError:
            return Shape((cls,), "the class inherits from itself")

    def _shape(self, cls: Cls) -> Shape:
        bases, reason = self.bases(cls)
        shapes = [self.shape(b.cls) for b in bases]
        if not bases and cls.full_name != "builtins.object":
            root = self.object_class()
            if root is not None:
                shapes = [Shape((root,), "")]
        order = _merge([list(s.order) for s in shapes] + [[s.order[0] for s in shapes]])
        if order is None:
            flat: dict[Cls, None] = {}
            for shape in shapes:
                flat.update(dict.fromkeys(shape.order))
            order = list(flat)
            reason = reason or "the bases have no consistent order"
        reason = reason or next((s.reason for s in shapes if s.reason), "") or self.own_reason(cls)
        return Shape((cls, *order), reason)

    def object_class(self) -> Cls | None:
        """`builtins.object`."""
        return self.builtin("object")

    def builtin(self, name: str) -> Cls | None:
        """A class of the builtins."""
        file = self.world.builtins
        return self.in_module(file, name) if file is not None else None

    def in_module(self, file: object, name: str) -> Cls | None:
        """A class at the top level of a file."""
        from graft_indexer.pyfile import PyFile

        assert isinstance(file, PyFile)
        for binding in file.scope.bindings.get(name, []):
            if isinstance(binding.node, ast.ClassDef) and not binding.dead:
                return class_of(file, binding.node, binding.scope)
        return None

    def own_reason(self, cls: Cls) -> str:
        """Why the class's own attributes cannot all be seen; empty if they can."""
        if cls.file.is_stub:
            return "it has __getattr__" if _has_getattr(cls) else ""
        cls.file.note()
        if cls.file.tokens is not None:
            self.world.memo.note(cls.file.tokens.cls(cls.inside))
        known = self._own_reason(cls)
        if known:
            return known
        for decorator in cls.node.decorator_list:
            if not self.known_decorator(cls, decorator):
                return f"the decorator {ast.unparse(decorator)} is not known"
        for keyword in cls.node.keywords:
            if keyword.arg == "metaclass":
                result = self.resolve(cls, keyword.value)
                names = {v.cls.full_name for v in result.values if isinstance(v, ClassValue)}
                if not names or not names <= METACLASSES or not result.closed:
                    return f"the metaclass {ast.unparse(keyword.value)} is not known"
            elif keyword.arg is None:
                return "keywords of the class are computed"
        return ""

    def _own_reason(self, cls: Cls) -> str:
        if _has_getattr(cls):
            return "it has __getattr__"
        scope = cls.scope
        if scope.dynamic or scope.stars:
            return "names in its body cannot be seen"
        if cls.file.tree.is_broken(cls.file.tree.span(cls.node)):
            return "a syntax error hides members"
        for binding in scope.bindings.get("__slots__", []):
            if slot_names(binding.value) is None:
                return COMPUTED_SLOTS
        if "__bases__" in cls.file.tree.text and _BASES.search(cls.file.tree.text):
            return "__bases__ is set"
        if "mixin" in cls.name.lower():
            return "a mixin uses what others have"
        if "__metaclass__" in scope.bindings:
            return "it sets a metaclass"
        return hidden_stores(cls.file.tree, cls.node)

    def known_decorator(self, cls: Cls, decorator: ast.expr) -> bool:
        """Whether a class decorator adds nothing that is not known here."""
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        result = self.resolve(cls, inner)
        names = {_value_name(v) for v in result.values}
        if names and result.closed and names <= DECORATORS:
            return True
        called = isinstance(decorator, ast.Call)
        if names and result.closed and all(_gives_back(v, self.infer, called=called) for v in result.values):
            return True
        return bool(names) and all(n.split(".")[0] in ATTRS_MODULES for n in names)

    def twin(self, cls: Cls) -> Cls | None:
        """The class in the source beside the stub that a stub's class describes."""
        if not cls.file.is_stub:
            return None
        if "twin" not in cls.memo:
            cls.memo["twin"] = self._twin(cls)
        return cls.memo["twin"]  # type: ignore[return-value]

    def _twin(self, cls: Cls) -> Cls | None:
        module = self.world.finder.find(cls.file.name, cls.file.path)
        if module is None or not module.source or module.path != cls.file.path:
            return None
        file = self.world.file(module.source)
        if file is None:
            return None
        current: Cls | None = None
        scope = file.scope
        for part in cls.scope.name.split("."):
            nodes = [b.node for b in scope.bindings.get(part, ()) if isinstance(b.node, ast.ClassDef)]
            if not nodes:
                return None
            current = class_of(file, nodes[0], scope)
            scope = current.scope
        return current

    def private_members(self, cls: Cls) -> Hidden:
        """Members that stubs leave out, from the sources beside them; and why there may still be others."""
        return self.world.memo.remember(("private members", cls), lambda: self._private_members(cls))

    def _private_members(self, cls: Cls) -> Hidden:
        table: dict[str, Member] = {}
        reason = private = ""
        for current in self.shape(cls).order:
            if not current.file.is_stub or current.file is self.world.builtins or current.file.name in TYPING:
                continue
            twin = self.twin(current)
            if twin is None:
                private = private or f"a C extension may have private names ({current.full_name})"
                continue
            for inner in self.shape(twin).order:
                if inner.file.is_stub:
                    continue
                why = self._own_reason(inner)
                if not why and _FILLING.search(inner.file.tree.text):
                    why = "its module fills objects by names that it computes"
                # Slots add no names to those that the stub lists, and how the class is made is the stub's word.
                reason = reason or ("" if why == COMPUTED_SLOTS else why)
                private = private or self.own_reason(inner)
                for name, member in self.own_members(inner).items():
                    table.setdefault(name, member)
        return Hidden(table, reason, private)

    def spelled_beside(self, cls: Cls, name: str) -> bool:
        """Whether the source beside a stub says `.name` or `"name"` anywhere: then the stub may have left it out."""
        said = re.compile(rf"""\.{re.escape(name)}\b|["']{re.escape(name)}["']""")
        for current in self.shape(cls).order:
            twin = self.twin(current) if current.file is not self.world.builtins else None
            if twin is not None:
                twin.file.note()
                if said.search(twin.file.tree.text):
                    return True
        return False

    # -- members ------------------------------------------------------------------------------------------------------
    def own_member(self, cls: Cls, name: str) -> Member | None:
        """An attribute that the class itself defines."""
        cls.file.note()
        return self._own(cls, name, class_stores(cls), own_attributes(cls))

    def _own(
        self, cls: Cls, name: str, stores: dict[str, list[Binding]], attributes: dict[str, list[Binding]]
    ) -> Member | None:
        bindings = tuple(b for b in cls.scope.bindings.get(name, ()) if b.how is not How.DELETE)
        live = tuple(b for b in bindings if not b.dead) or bindings
        live += tuple(stores.get(name, ()))
        set_ = tuple(attributes.get(name, ()))
        if live or set_:
            return Member(name, cls, live, set_)
        if name in self.slots(cls):
            return Member(name, cls)
        return None

    def slots(self, cls: Cls) -> frozenset[str]:
        """Names in a literal `__slots__`."""
        known = cls.memo.get("slots")
        if known is None:
            names: set[str] = set()
            for binding in cls.scope.bindings.get("__slots__", []):
                names.update(slot_names(binding.value) or ())
            known = cls.memo["slots"] = frozenset(names)
        return known  # type: ignore[return-value]

    def member(self, cls: Cls, name: str, after: Cls | None = None) -> Member | None:
        """The attribute `name` along the method resolution order (behind `after` for `super()`)."""
        return self.world.memo.remember(("member", cls, name, after), lambda: self._member(cls, name, after))

    def _member(self, cls: Cls, name: str, after: Cls | None) -> Member | None:
        order = self.shape(cls).order
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for current in order:
            found = self.own_member(current, name)
            if found is not None:
                return found
        if after is None and any(c.file.is_stub for c in order[:-1]):
            return self.private_members(cls).members.get(name)
        return None

    def class_member(self, cls: Cls, name: str) -> Member | None:
        """The attribute `name` as the class object has it: what methods set on self is none of it."""
        for current in self.shape(cls).order:
            found = self.own_member(current, name)
            if found is not None and (found.bindings or not found.attributes or name in self.slots(current)):
                return found
        return None

    def members(self, cls: Cls) -> dict[str, Member]:
        """All attributes by name, the first in the method resolution order each."""
        return self.world.memo.remember(("members", cls), lambda: self._members(cls))

    def _members(self, cls: Cls) -> dict[str, Member]:
        table: dict[str, Member] = {}
        for current in self.shape(cls).order:
            # The first that has a name keeps it, and its place.
            table = {**table, **self.own_members(current), **table}
        extra = self.private_members(cls).members
        return {**table, **extra, **table} if extra else table

    def own_members(self, cls: Cls) -> dict[str, Member]:
        """The attributes that the class itself defines."""
        return self.world.memo.remember(("own members", cls), lambda: self._own_members(cls))

    def _own_members(self, cls: Cls) -> dict[str, Member]:
        stores, attributes = class_stores(cls), own_attributes(cls)
        found = ((name, self._own(cls, name, stores, attributes)) for name in self.own_names(cls))
        return {name: member for name, member in found if member is not None}

    def own_names(self, cls: Cls) -> list[str]:
        """Names of the class's own attributes."""
        cls.file.note()
        return list(
            dict.fromkeys(
                [n for n in cls.scope.bindings if " " not in n]
                + list(own_attributes(cls))
                + list(class_stores(cls))
                + sorted(self.slots(cls))
            )
        )


def class_of(file: object, node: ast.ClassDef, outer: Scope) -> Cls:
    """The one object that stands for a class definition."""
    from graft_indexer.pyfile import PyFile

    assert isinstance(file, PyFile)
    found = file.classes.get(id(node))
    if not isinstance(found, Cls) or found.node is not node:
        found = Cls(file, node, outer)
        file.classes[id(node)] = found
    return found


def _gives_back(value: object, infer: Callable[[PyFile, Scope, ast.expr], Result], *, called: bool) -> bool:
    from graft_indexer.handback import gives_back
    from graft_indexer.values import FunctionValue

    if isinstance(value, FunctionValue):
        return gives_back(value, infer, called=called)
    return isinstance(value, ClassValue) and value.cls.full_name in DECORATORS


def _value_name(value: object) -> str:
    from graft_indexer.values import FunctionValue

    if isinstance(value, ClassValue):
        return value.cls.full_name
    if isinstance(value, FunctionValue):
        return f"{value.file.name}.{value.node.name}"
    return ""


def _merge(lists: list[list[Cls]]) -> list[Cls] | None:
    """C3 merge; None if there is no consistent order."""
    result: list[Cls] = []
    pending = [list(items) for items in lists if items]
    while pending:
        for items in pending:
            head = items[0]
            if not any(head in other[1:] for other in pending):
                break
        else:
            return None
        result.append(head)
        pending = [rest for items in pending if (rest := items[1:] if items[0] == head else items)]
    return result


def _has_getattr(cls: Cls) -> bool:
    names = cls.scope.bindings
    if cls.full_name in ("builtins.object", "builtins.type"):
        return False
    return any(
        b.how in (How.FUNCTION, How.ASSIGN, How.FROM)
        for n in ("__getattr__", "__getattribute__")
        for b in names.get(n, [])
    )


_FILLING = re.compile(r"\b(?!self\b|cls\b)\w+\.__dict__(?:\.update\(|\[[^]\n]*\]\s*=(?!=))")
_BASES = re.compile(r"__bases__\s*\+?=(?!=)")
