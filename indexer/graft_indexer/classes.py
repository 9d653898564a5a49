"""Classes: bases, method resolution order, members, and whether the members are all.

Members are closed only if every base down to object is known, the metaclass is type, ABCMeta or EnumMeta, decorators
are on a list, nothing in the class makes attributes that cannot be seen (`__getattr__`, `setattr(self, ...)`, writes to
`__dict__`, computed `__slots__`), and the order of bases is consistent (C3, as in the language reference, 3.3.3).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graft_indexer.pytree import children
from graft_indexer.scopes import FUNCTIONS, Binding, Function, How, Scope, scope_of
from graft_indexer.values import ClassValue, Cls, Result
from graft_indexer.world import World

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

Infer = Callable[["Cls", Scope, ast.expr], Result]


@dataclass(frozen=True, slots=True)
class Base:
    """A base class and the source of its type arguments."""

    cls: Cls
    arguments: tuple[ast.expr, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """An attribute with the class it is found in.  `bindings` are class-level, `attributes` set on self."""

    name: str
    owner: Cls
    bindings: tuple[Binding, ...] = ()
    attributes: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known about a class: its order (itself first) and why its members may not be all."""

    order: tuple[Cls, ...]
    reason: str


def own_attributes(cls: Cls) -> dict[str, list[Binding]]:
    """Attributes that methods of the class set on their first parameter, with what they are set to."""
    found = cls.memo.get("attributes")
    if found is None:
        table: dict[str, list[Binding]] = {}
        for function in functions_in(cls.node.body):
            for name, nodes in _self_stores(function).items():
                scope = scope_of(cls.scope, function)
                for node, statement, value, annotation, path, how in nodes:
                    table.setdefault(name, []).append(
                        Binding(name, how, node, scope, statement, value, annotation, path, conditional=True)
                    )
        cls.memo["attributes"] = found = table
    return found  # type: ignore[return-value]


def functions_in(body: list[ast.stmt]) -> Iterator[Function]:
    """Functions of a block, those below conditions included."""
    for statement in body:
        if isinstance(statement, FUNCTIONS):
            yield statement
        elif not isinstance(statement, ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from functions_in([s for s in getattr(statement, name, []) if isinstance(s, ast.stmt)])
            for handler in getattr(statement, "handlers", []):
                yield from functions_in(handler.body)


def first_parameter(node: Function) -> str:
    """Name of the parameter that receives self or cls; empty for static methods and functions without one."""
    if any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list):
        return ""
    positional = [*node.args.posonlyargs, *node.args.args]
    return positional[0].arg if positional else ""


_Store = tuple[ast.AST, ast.stmt, ast.expr | None, ast.expr | None, tuple[int | str, ...], How]


def _self_stores(function: Function) -> dict[str, list[_Store]]:
    known = getattr(function, "_graft_stores", None)
    if known is not None:
        return known  # type: ignore[no-any-return]
    table: dict[str, list[_Store]] = {}
    name = first_parameter(function)
    stack: list[tuple[ast.AST, bool]] = [(s, False) for s in reversed(function.body)] if name else []

    def flatten(
        target: ast.expr, statement: ast.stmt, value: ast.expr | None, note: ast.expr | None,
        path: tuple[int | str, ...], how: How, nested: bool,
    ) -> None:  # fmt: skip
        match target:
            case ast.Attribute(value=ast.Name(id=holder), attr=attr) if holder == name:
                table.setdefault(attr, []).append((target, statement, None if nested else value, note, path, how))
            case ast.Tuple(elts=items) | ast.List(elts=items):
                starred = next((n for n, i in enumerate(items) if isinstance(i, ast.Starred)), len(items))
                for n, item in enumerate(items):
                    step: int | str = n if n < starred else (f"*{n}" if n == starred else n - len(items))
                    flatten(item, statement, value, note, (*path, step), how, nested)
            case ast.Starred(value=inner):
                flatten(inner, statement, value, note, path, how, nested)

    while stack:
        node, nested = stack.pop()
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    flatten(target, node, value, None, (), How.ASSIGN, nested)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                how = How.DECLARE if value is None else How.ASSIGN
                flatten(target, node, value, annotation, (), how, nested)
            case ast.AugAssign(target=target, value=value):
                flatten(target, node, value, None, (), How.AUGMENT, nested)
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                flatten(target, node, value, None, (), How.FOR, nested)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                for item in items:
                    if item.optional_vars is not None:
                        flatten(item.optional_vars, node, item.context_expr, None, (), How.WITH, nested)
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            inner = nested or isinstance(node, (*FUNCTIONS, ast.ClassDef))
            stack.extend(
                (c, inner) for c in children(node) if isinstance(c, ast.stmt | ast.excepthandler | ast.match_case)
            )
    function._graft_stores = table  # type: ignore[union-attr]
    return table


class Classes:
    """Bases and members of classes; `resolve` evaluates an expression in a class's outer scope to class objects."""

    def __init__(self, world: World, resolve: Callable[[Cls, ast.expr], Result]) -> None:
        self.world = world
        self.resolve = resolve
        self._busy: set[int] = set()

    def cache(self, cls: Cls) -> dict[object, object]:
        """Where answers about a class may be kept: for good outside the workspace, else until a file changes."""
        if not cls.file.in_workspace:
            return cls.memo  # type: ignore[return-value]
        table = self.world.memo
        key = ("cls", cls)
        found = table.get(key)
        if found is None:
            found = table[key] = {}
        return found  # type: ignore[return-value]

    def bases(self, cls: Cls) -> tuple[tuple[Base, ...], str]:
        """Direct bases that are known, and why there may be others."""
        cache = self.cache(cls)
        known = cache.get("bases")
        if known is None:
            known = cache["bases"] = self._bases(cls)
        return known  # type: ignore[return-value]

    def _bases(self, cls: Cls) -> tuple[tuple[Base, ...], str]:
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
                found.append(Base(classes[0], arguments))
            elif classes:
                found.extend(Base(c, arguments) for c in classes[:1] if c != cls)
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
        cache = self.cache(cls)
        known = cache.get("shape")
        if known is None:
            if id(cls) in self._busy:
                return Shape((cls,), "the class inherits from itself")
            self._busy.add(id(cls))
            try:
                known = cache["shape"] = self._shape(cls)
            finally:
                self._busy.discard(id(cls))
        return known  # type: ignore[return-value]

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
        from graft_indexer.world import PyFile

        assert isinstance(file, PyFile)
        for binding in file.scope.bindings.get(name, []):
            if isinstance(binding.node, ast.ClassDef) and not binding.dead:
                return class_of(file, binding.node, binding.scope)
        return None

    def own_reason(self, cls: Cls) -> str:
        """Why the class's own attributes cannot all be seen; empty if they can."""
        if cls.file.is_stub:
            return "it has __getattr__" if _has_getattr(cls) else ""
        known = cls.memo.get("reason")
        if known is None:
            known = cls.memo["reason"] = self._own_reason(cls)
        if known:
            return str(known)
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
                return "__slots__ is computed"
        if "__bases__" in cls.file.tree.text and _BASES.search(cls.file.tree.text):
            return "__bases__ is set"
        if "mixin" in cls.name.lower():
            return "a mixin uses what others have"
        if "__metaclass__" in scope.bindings:
            return "it sets a metaclass"
        text = cls.file.tree.source(cls.node)
        if "__dict__" in text or "setattr" in text or "vars(" in text or "__class__" in text or "locals()" in text:
            return _hidden_stores(cls.node)
        return ""

    def known_decorator(self, cls: Cls, decorator: ast.expr) -> bool:
        """Whether a class decorator adds nothing that is not known here."""
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        result = self.resolve(cls, inner)
        names = {_value_name(v) for v in result.values}
        if names and result.closed and names <= DECORATORS:
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

    def private_members(self, cls: Cls) -> tuple[dict[str, Member], str]:
        """Members that stubs leave out, from the sources beside them; and why there may still be others."""
        cache = self.cache(cls)
        known = cache.get("private members")
        if known is None:
            table: dict[str, Member] = {}
            reason = ""
            for current in self.shape(cls).order:
                if not current.file.is_stub or current.file is self.world.builtins or current.file.name in TYPING:
                    continue
                twin = self.twin(current)
                if twin is None:
                    reason = reason or f"a C extension may have private names ({current.full_name})"
                    continue
                for inner in self.shape(twin).order:
                    if inner.file.is_stub:
                        continue
                    reason = reason or self.own_reason(inner)
                    for name in self.own_names(inner):
                        member = self.own_member(inner, name)
                        if member is not None:
                            table.setdefault(name, member)
            known = cache["private members"] = (table, reason)
        return known  # type: ignore[return-value]

    # -- members ------------------------------------------------------------------------------------------------------
    def own_member(self, cls: Cls, name: str) -> Member | None:
        """An attribute that the class itself defines."""
        bindings = tuple(b for b in cls.scope.bindings.get(name, ()) if b.how is not How.DELETE)
        live = tuple(b for b in bindings if not b.dead) or bindings
        attributes = tuple(own_attributes(cls).get(name, ()))
        if live or attributes:
            return Member(name, cls, live, attributes)
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
        order = self.shape(cls).order
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for current in order:
            found = self.own_member(current, name)
            if found is not None:
                return found
        if after is None and any(c.file.is_stub for c in order[:-1]):
            return self.private_members(cls)[0].get(name)
        return None

    def members(self, cls: Cls) -> dict[str, Member]:
        """All attributes by name, the first in the method resolution order each."""
        cache = self.cache(cls)
        known = cache.get("members")
        if known is None:
            table: dict[str, Member] = {}
            for current in self.shape(cls).order:
                for name in self.own_names(current):
                    if name not in table:
                        member = self.own_member(current, name)
                        if member is not None:
                            table[name] = member
            extra, _ = self.private_members(cls)
            for name, member in extra.items():
                table.setdefault(name, member)
            known = cache["members"] = table
        return known  # type: ignore[return-value]

    def own_names(self, cls: Cls) -> list[str]:
        """Names of the class's own attributes."""
        return list(
            dict.fromkeys(
                [n for n in cls.scope.bindings if " " not in n] + list(own_attributes(cls)) + sorted(self.slots(cls))
            )
        )


def class_of(file: object, node: ast.ClassDef, outer: Scope) -> Cls:
    """The one object that stands for a class definition."""
    from graft_indexer.world import PyFile

    assert isinstance(file, PyFile)
    found = file.classes.get(id(node))
    if not isinstance(found, Cls) or found.node is not node:
        found = Cls(file, node, outer)
        file.classes[id(node)] = found
    return found


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


def slot_names(value: ast.expr | None) -> list[str] | None:
    """Names in a literal `__slots__`; None if it is computed."""
    match value:
        case ast.Constant(value=str(name)):
            return [name]
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            names = [i.value for i in items if isinstance(i, ast.Constant) and isinstance(i.value, str)]
            return names if len(names) == len(items) else None
        case ast.Dict(keys=keys):
            names = [k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
            return names if len(names) == len(keys) else None
    return None


_BASES = re.compile(r"__bases__\s*\+?=(?!=)")
_READING = ("get", "items", "keys", "values", "copy", "__contains__", "__getitem__")


def _hidden_stores(node: ast.ClassDef) -> str:
    """Why methods of a class may set attributes whose names are not written out."""
    for statement in node.body:
        known = getattr(statement, "_graft_hidden", None)
        if known is None:
            known = _hidden_in(statement, node)
            statement._graft_hidden = known  # type: ignore[attr-defined]
        if known:
            return str(known)
    return ""


def _hidden_in(statement: ast.stmt, node: ast.ClassDef) -> str:
    stack: list[tuple[ast.AST, ast.AST]] = [(statement, node)]
    while stack:
        current, parent = stack.pop()
        match current:
            case ast.Attribute(attr="__dict__"):
                harmless = (
                    (isinstance(parent, ast.Attribute) and parent.attr in _READING)
                    or (isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Load))
                    or isinstance(parent, ast.Compare | ast.Return)
                )
                if not harmless:
                    return "__dict__ is used"
            case (
                ast.Call(func=ast.Name(id="setattr"), args=[_, name, *_])
                | ast.Call(func=ast.Attribute(attr="__setattr__"), args=[_, name, _])
            ):
                if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
                    return "setattr is called with a computed name"
                return "setattr is called"
            case ast.Call(func=ast.Attribute(attr="__setattr__"), args=[_, _]):
                return "__setattr__ is called"
            case ast.Name(id="setattr"):
                return "setattr is used"
            case ast.Call(func=ast.Name(id="vars" | "locals")) if not isinstance(parent, ast.Compare):
                if isinstance(current.func, ast.Name) and (current.func.id == "vars" or parent in node.body):
                    return "vars() or locals() is used"
            case ast.Attribute(attr="__class__", ctx=ast.Store()):
                return "__class__ is replaced"
        stack.extend((child, current) for child in children(current))
    return ""
