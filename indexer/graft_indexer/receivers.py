"""What an expression is: the thing before the dot, the callee of a call, the value of a name.

Flow-insensitive but for `isinstance`: a name is the union of everything its scope binds it to, so that a closed result
holds on every path.  Annotations are believed.  Whatever is not understood makes the result open, with a reason.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from graft_indexer import narrowing
from graft_indexer.annotations import Annotations
from graft_indexer.classes import Classes, Member, class_of
from graft_indexer.memo import CircularError
from graft_indexer.pyfile import PyFile
from graft_indexer.pytree import children
from graft_indexer.scopes import COMPREHENSIONS, FUNCTIONS, Binding, Function, How, Scope, is_generator, scope_of
from graft_indexer.selfstores import first_parameter
from graft_indexer.values import (
    ClassValue,
    Cls,
    FunctionValue,
    Instance,
    ModuleValue,
    NoneValue,
    Result,
    Substitution,
    SuperValue,
    Value,
    union,
    unknown,
)
from graft_indexer.world import Found, Target, World

_LITERALS: dict[type, str] = {
    str: "str", bytes: "bytes", int: "int", float: "float", complex: "complex", bool: "bool",
}  # fmt: skip
TRANSPARENT = frozenset(
    {
        "staticmethod", "classmethod", "property", "abc.abstractmethod", "typing.overload", "typing.final",
        "typing_extensions.overload", "typing_extensions.override", "typing.override", "typing_extensions.final",
        "typing.no_type_check", "functools.cached_property", "builtins.property", "builtins.staticmethod",
        "builtins.classmethod", "types.coroutine", "typing_extensions.deprecated", "warnings.deprecated",
        "typing.type_check_only", "abc.abstractproperty", "enum.property", "types.DynamicClassAttribute",
        "reprlib.recursive_repr", "enum.nonmember", "enum.member",
    }
)  # fmt: skip
"""Decorators after which a function has the parameters it was written with."""
SELF_NAMES = frozenset({"self", "cls", "s", "this", "me", "inst", "instance", "obj", "mcs", "mcls", "zelf"})
"""What the first parameter of a method is called, apart from underscores."""
CACHES = frozenset({"functools.lru_cache", "functools.cache", "functools.wraps"})
_MADE_OF_ONE = frozenset(
    {"builtins.list", "builtins.set", "builtins.frozenset", "builtins.tuple", "collections.deque", "builtins.enumerate",
     "builtins.reversed"}
)  # fmt: skip
_CLASS_MAKERS = frozenset(
    {"collections.namedtuple", "typing.NamedTuple", "typing.TypedDict", "typing.NewType", "types.new_class",
     "dataclasses.make_dataclass", "typing_extensions.TypedDict", "typing_extensions.NamedTuple",
     "typing_extensions.NewType", "attr.make_class", "attrs.make_class"}
)  # fmt: skip
"""What gives a new class when it is called."""
CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
PROPERTIES = frozenset(
    {"property", "builtins.property", "functools.cached_property", "abc.abstractproperty", "enum.property",
     "types.DynamicClassAttribute"}
)  # fmt: skip


class Inference:
    """Evaluates expressions of any file of a world.  Belongs to one thread."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.classes = Classes(world, self._resolve_in_class)
        self.annotations = Annotations(self)
        self.stored_elsewhere: Callable[[str], bool] = lambda _name: False
        """Whether the repository sets an attribute of that name on anything but self."""
        self.subclasses: Callable[[Cls], tuple[tuple[Cls, ...], str]] = lambda _cls: ((), "")
        """Known subclasses of a class, direct and indirect, and why there may be more."""

    def _resolve_in_class(self, cls: Cls, expression: ast.expr) -> Result:
        return self.infer(cls.file, cls.outer, expression)

    # -- names --------------------------------------------------------------------------------------------------------
    def infer(self, file: PyFile, scope: Scope, node: ast.expr) -> Result:
        """What an expression of `scope` is."""
        if isinstance(node, ast.Constant):
            return self.constant(node.value)

        def make() -> tuple[ast.expr, Scope, Result]:
            file.note_scope(scope)
            return node, scope, self._infer(file, scope, node)

        try:
            return self.world.memo.remember(("infer", id(node), id(scope)), make, _is_closed)[2]
        except CircularError:
            return unknown("it depends on itself")

    def _infer(self, file: PyFile, scope: Scope, node: ast.expr) -> Result:
        match node:
            case ast.Name(id=name):
                return self.name(file, scope, node, name)
            case ast.Attribute(value=value, attr=attr):
                narrowed = narrowing.narrow(self, file, scope, node)
                if narrowed is not None:
                    return narrowed
                return self.attribute_of(self.infer(file, scope, value), attr)
            case ast.Call():
                return self.call(file, scope, node)
            case ast.Constant(value=value):
                return self.constant(value)
            case ast.JoinedStr():
                return self.builtin("str")
            case ast.List(elts=items) | ast.Set(elts=items):
                name = "list" if isinstance(node, ast.List) else "set"
                return self.builtin(name, self._common(file, scope, items))
            case ast.Tuple(elts=items):
                if any(isinstance(i, ast.Starred) for i in items):
                    return self.builtin("tuple", unknown("a starred item"))
                parts = tuple(self.infer(file, scope, i) for i in items)
                return self.tuple_of(parts)
            case ast.Dict(keys=keys, values=values):
                if any(k is None for k in keys):
                    return self.builtin("dict", unknown("unpacked"), unknown("unpacked"))
                return self.builtin(
                    "dict",
                    self._common(file, scope, [k for k in keys if k is not None]),
                    self._common(file, scope, values),
                )
            case ast.ListComp(elt=element) | ast.SetComp(elt=element):
                inner = self._comprehension_scope(scope, node)
                name = "list" if isinstance(node, ast.ListComp) else "set"
                return self.builtin(name, self.infer(file, inner, element))
            case ast.DictComp(key=key, value=value):
                inner = self._comprehension_scope(scope, node)
                return self.builtin("dict", self.infer(file, inner, key), self.infer(file, inner, value))
            case ast.GeneratorExp(elt=element):
                inner = self._comprehension_scope(scope, node)
                none = Result((NoneValue(),))
                return self.known("typing", "Generator", self.infer(file, inner, element), none, none)
            case ast.IfExp(body=body, orelse=orelse):
                return union([self.infer(file, scope, body), self.infer(file, scope, orelse)])
            case ast.BoolOp(op=ast.Or(), values=values):
                parts_ = [self.infer(file, scope, v) for v in values]
                return union([*(p.without_none() for p in parts_[:-1]), parts_[-1]])
            case ast.BoolOp(values=values):
                return union(self.infer(file, scope, v) for v in values)
            case ast.NamedExpr(value=value):
                return self.infer(file, scope, value)
            case ast.Await(value=value):
                return self.awaited(self.infer(file, scope, value))
            case ast.Subscript(value=value, slice=index):
                return self.subscript(file, scope, self.infer(file, scope, value), index)
            case ast.UnaryOp(op=ast.Not()) | ast.Compare():
                if isinstance(node, ast.Compare) and not all(
                    isinstance(o, ast.Is | ast.IsNot | ast.In | ast.NotIn) for o in node.ops
                ):
                    return unknown("a comparison")
                return self.builtin("bool")
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(file, scope, left, op, right)
        return unknown(f"{type(node).__name__} is not followed")

    def _comprehension_scope(self, scope: Scope, node: ast.expr) -> Scope:
        assert isinstance(node, COMPREHENSIONS)
        return scope.child(node)

    def _common(self, file: PyFile, scope: Scope, items: list[ast.expr]) -> Result:
        """What items of a display may be: a container may get others later, so it is never closed when it is empty."""
        if not items:
            return unknown("an empty container")
        if len(items) > 24 or any(isinstance(i, ast.Starred) for i in items):
            return unknown("many items")
        found = union(self.infer(file, scope, i) for i in items)
        return Result(found.values, found.reason or "a container may get other items")

    def name(self, file: PyFile, scope: Scope, node: ast.Name, name: str) -> Result:
        """What a name is where it stands."""
        narrowed = narrowing.narrow(self, file, scope, node)
        if narrowed is not None:
            return narrowed
        found = self.world.lookup(file, scope, name)
        if not found.targets:
            return unknown(found.reason or f"{name} is not defined")
        return self.targets(found)

    def targets(self, found: Found) -> Result:
        """What any of several targets is."""
        result = union(self.target(t) for t in found.targets)
        return Result(result.values, result.reason or found.reason)

    def target(self, target: Target) -> Result:
        """What one target is."""
        if target.module is not None:
            return Result((ModuleValue(target.module),))
        if target.file is None or target.binding is None:
            return unknown("nothing")
        return self.binding(target.file, target.binding)

    def binding(self, file: PyFile, binding: Binding) -> Result:
        """What one binding binds its name to."""

        def make() -> tuple[Binding, None, Result]:
            file.note_scope(binding.scope)
            if binding.origin is not None:
                file.note_scope(binding.origin)
            return binding, None, self._binding(file, binding)

        try:
            return self.world.memo.remember(("binding", id(binding)), make, _is_closed)[2]
        except CircularError:
            return unknown("it depends on itself")

    def _binding(self, file: PyFile, binding: Binding) -> Result:
        scope = binding.origin or binding.scope
        match binding.how:
            case How.CLASS:
                assert isinstance(binding.node, ast.ClassDef)
                return self._class(class_of(file, binding.node, binding.scope))
            case How.FUNCTION:
                return self.function(file, binding)
            case How.IMPORT | How.FROM:
                return self.targets(self.world.follow(file, binding))
            case How.PARAMETER:
                return self.parameter(file, binding)
            case How.IMPLICIT:
                return self.implicit(file, binding)
            case How.DELETE:
                return Result()
            case How.AUGMENT:
                return unknown("it is assigned in place")
            case How.MATCH:
                if binding.path == ("cls",) and binding.value is not None:
                    return self.instances_of(self.infer(file, scope, binding.value))
                return unknown("bound by a pattern")
            case How.TYPE_PARAMETER | How.TYPE_ALIAS:
                return unknown("a type")
        if binding.annotation is not None:
            special = self.annotations.name_of(file, scope, binding.annotation)
            if (
                special in ("TypeAlias", "Final", "ClassVar")
                and binding.value is not None
                and isinstance(binding.annotation, ast.Name | ast.Attribute)
            ):
                return self.infer(file, scope, binding.value)
            return self.annotations.evaluate(file, scope, binding.annotation)
        # A declaration elsewhere in the scope says what every assignment is.
        named = () if isinstance(binding.node, ast.Attribute) else binding.scope.bindings.get(binding.name, ())
        for other in named:
            if other.annotation is not None and other is not binding and other.how is not How.PARAMETER:
                return self.binding(file, other)
        if binding.value is None:
            return unknown("its value cannot be seen")
        match binding.how:
            case How.ASSIGN:
                if file.is_stub and isinstance(binding.value, ast.Constant) and binding.value.value is ...:
                    return unknown("the stub says nothing")
                value = self.infer(file, scope, binding.value)
                if binding.scope.is_class and not binding.path:
                    return self._enum_member(file, binding, value)
            case How.FOR:
                value = self.iterated(self._first_iterable(file, binding, scope), is_async=binding.is_async)
            case How.WITH:
                value = self.entered(self.infer(file, scope, binding.value), is_async=binding.is_async)
            case How.EXCEPT:
                return self.caught(file, scope, binding.value)
            case _:
                return unknown("not followed")
        return self.taken_apart(value, binding.path)

    def _class(self, cls: Cls) -> Result:
        """A class as its statement leaves it: a decorator may have put something else in its place."""
        for decorator in cls.node.decorator_list if not cls.file.is_stub else ():
            if not self.classes.known_decorator(cls, decorator):
                return Result((ClassValue(cls),), f"the decorator {ast.unparse(decorator)[:60]} may replace the class")
        return Result((ClassValue(cls),))

    def _first_iterable(self, file: PyFile, binding: Binding, scope: Scope) -> Result:
        assert binding.value is not None
        if isinstance(scope.node, COMPREHENSIONS) and binding.value is scope.node.generators[0].iter:
            assert scope.parent is not None
            return self.infer(file, scope.parent, binding.value)
        return self.infer(file, scope, binding.value)

    def _enum_member(self, file: PyFile, binding: Binding, value: Result) -> Result:
        node = binding.scope.node
        if isinstance(node, ast.ClassDef) and node.bases and not binding.name.startswith("_"):
            cls = class_of(file, node, binding.scope.parent or binding.scope)
            if self.is_enum(cls):
                return Result((Instance(cls, exact=True),))
        return value

    def is_enum(self, cls: Cls) -> bool:
        """Whether a class is an Enum."""
        return any(c.full_name == "enum.Enum" for c in self.classes.shape(cls).order)

    def caught(self, file: PyFile, scope: Scope, node: ast.expr) -> Result:
        """The exception that a handler binds: of one of the classes, or of a subclass of it."""
        items = node.elts if isinstance(node, ast.Tuple) else [node]
        found = self.instances_of(union(self.infer(file, scope, i) for i in items))
        return Result(found.values, found.reason or "an exception may be of any subclass")

    def implicit(self, file: PyFile, binding: Binding) -> Result:
        """`__name__`, `__class__` and their like."""
        if binding.name == "__class__":
            return unknown("__class__ may be a subclass")
        if binding.name in ("__name__", "__qualname__", "__module__", "__file__"):
            return self.builtin("str")
        return unknown("set by the interpreter")

    def parameter(self, file: PyFile, binding: Binding) -> Result:
        """A parameter: its annotation, or self and cls."""
        scope = binding.scope
        outer = scope.parent
        assert isinstance(binding.node, ast.arg)
        if binding.annotation is not None and outer is not None:
            owner = self.owner(file, scope)
            self_value = Result((Instance(owner),)) if owner is not None else None
            result = self.annotations.evaluate(file, outer, binding.annotation, None, self_value)
            if binding.path == ("*",):
                return self.builtin("tuple", result)
            if binding.path == ("**",):
                return self.builtin("dict", self.builtin("str"), result)
            default = default_of(scope.node, binding.name)
            if isinstance(default, ast.Constant) and default.value is None:
                return union([result, Result((NoneValue(),))])
            return result
        if binding.path == ("*",):
            return self.builtin("tuple", unknown("parameter without annotation"))
        if binding.path == ("**",):
            return self.builtin("dict", self.builtin("str"), unknown("parameter without annotation"))
        owner = self.owner(file, scope)
        if owner is not None and isinstance(scope.node, FUNCTIONS) and first_parameter(scope.node) == binding.name:
            kind = method_kind(scope.node)
            if kind == "class" or scope.node.name in ("__init_subclass__", "__class_getitem__", "__new__"):
                return Result((ClassValue(owner, exact=False),))
            if self._is_metaclass(owner):
                return unknown("self is a class")
            if kind == "unknown":
                return unknown("a decorator may change what self is")
            # A function that the class body itself hands on (`option_spec = {"width": width_of}`) is no method.
            usual = binding.name.strip("_") in SELF_NAMES
            return Result((Instance(owner, own=True),), "" if usual else f"{binding.name} may not be the instance")
        return unknown("parameter without annotation")

    def _is_metaclass(self, cls: Cls) -> bool:
        return any(c.full_name == "builtins.type" for c in self.classes.shape(cls).order)

    def owner(self, file: PyFile, scope: Scope) -> Cls | None:
        """The class whose method a function scope is."""
        holder = scope.enclosing_class
        if holder is None or not isinstance(holder.node, ast.ClassDef) or holder.parent is None:
            return None
        outer = holder.parent
        while outer.type_parameters and outer.parent is not None:
            outer = outer.parent
        return class_of(file, holder.node, outer)

    # -- values -------------------------------------------------------------------------------------------------------
    def known(self, module: str, name: str, *args: Result) -> Result:
        """An instance of a class of a standard module."""
        found = self.world.finder.find(module, str(self.world.environment.typeshed or "") + "/builtins.pyi")
        file = self.world.module_file(found) if found is not None else None
        cls = self.classes.in_module(file, name) if file is not None else None
        return Result((Instance(cls, args),)) if cls is not None else unknown(f"{module} is not known")

    def builtin(self, name: str, *args: Result) -> Result:
        """An instance of a builtin class, made here."""
        cls = self.classes.builtin(name)
        return Result((Instance(cls, args, exact=True),)) if cls is not None else unknown("the builtins are not known")

    def constant(self, value: object) -> Result:
        """A literal."""
        if value is None:
            return Result((NoneValue(),))
        name = _LITERALS.get(type(value))
        return self.builtin(name) if name else unknown("Ellipsis")

    def tuple_of(self, items: tuple[Result, ...]) -> Result:
        """A tuple of known items."""
        cls = self.classes.builtin("tuple")
        if cls is None:
            return unknown("the builtins are not known")
        return Result((Instance(cls, (union(items),), exact=True, items=items),))

    def instances_of(self, result: Result, *, exact: bool = False) -> Result:
        """Instances of class objects."""
        values: list[Value] = []
        reason = result.reason
        for value in result.values:
            if isinstance(value, ClassValue):
                values.append(Instance(value.cls, value.args, exact=exact and value.exact))
            else:
                reason = reason or "not a class"
        return Result(tuple(values), reason or ("" if values else "no class"))

    def taken_apart(self, value: Result, path: tuple[int | str, ...]) -> Result:
        """An item of an unpacked value."""
        for step in path:
            if isinstance(step, str):
                return self.builtin("list", unknown("a starred target"))
            parts: list[Result] = []
            for one in value.values:
                if isinstance(one, Instance) and one.items is not None:
                    in_range = -len(one.items) <= step < len(one.items)
                    parts.append(one.items[step] if in_range else unknown("the tuple is shorter"))
                else:
                    parts.append(self.iterated(Result((one,))))
            value = Result(union(parts).values, value.reason or union(parts).reason or ("" if parts else "unpacked"))
        return value

    def binary(self, file: PyFile, scope: Scope, left: ast.expr, op: ast.operator, right: ast.expr) -> Result:
        """Arithmetic on builtins whose result is certain; anything else is open."""
        one, two = self.infer(file, scope, left), self.infer(file, scope, right)
        if not (one.closed and two.closed and len(one.values) == 1 and len(two.values) == 1):
            first = one.values[0] if one.values else None
            if isinstance(first, Instance) and first.cls.full_name == "builtins.str" and isinstance(op, ast.Mod):
                return Result(one.values, one.reason)
            return unknown("an operator")
        a, b = one.values[0], two.values[0]
        if isinstance(a, Instance) and isinstance(b, Instance):
            x, y = a.cls.full_name, b.cls.full_name
            if x == "builtins.str" and isinstance(op, ast.Mod):
                return one
            if x == y and x in ("builtins.str", "builtins.bytes", "builtins.list") and isinstance(op, ast.Add):
                return one
            if (
                x in ("builtins.str", "builtins.list", "builtins.bytes")
                and y == "builtins.int"
                and isinstance(op, ast.Mult)
            ):
                return one
            if x == y == "builtins.int" and not isinstance(op, ast.Div | ast.Pow):
                return self.builtin("int")
            if x == "pathlib.Path" and isinstance(op, ast.Div):
                return one
        return unknown("an operator")

    # -- attributes ---------------------------------------------------------------------------------------------------
    def attribute_of(self, result: Result, name: str) -> Result:
        """The attribute of any of several values."""
        if not result.values:
            return unknown(result.reason or "nothing is known")
        values = [v for v in result.values if not isinstance(v, NoneValue)]
        found = union(self.attribute(v, name) for v in values)
        return Result(found.values, result.reason or found.reason)

    def attribute(self, value: Value, name: str) -> Result:
        """The attribute of one value."""
        match value:
            case ModuleValue(module=module):
                found = self.world.module_name_target(module, name)
                if not found.targets:
                    return unknown(found.reason or f"{module.name} has no {name}")
                if self.stored_elsewhere(name) and any(t.binding is not None for t in found.targets):
                    result = self.targets(found)
                    keep = all(isinstance(v, ClassValue | FunctionValue | ModuleValue) for v in result.values)
                    return result if keep else Result(result.values, result.reason or "it is set elsewhere")
                return self.targets(found)
            case Instance(cls=cls):
                return self.member_value(value, cls, name)
            case ClassValue(cls=cls):
                return self.class_attribute(value, cls, name)
            case SuperValue(receiver=receiver, after=after):
                member = self.classes.member(receiver.cls, name, after)
                if member is None:
                    return unknown("super() has no such attribute")
                found_ = self._member(receiver, member)
                return Result(found_.values, found_.reason or "super() may lead to a sibling")
            case FunctionValue():
                return unknown("attribute of a function")
            case NoneValue():
                return unknown("attribute of None")

    def member_value(self, value: Instance, cls: Cls, name: str) -> Result:
        """An attribute of an instance."""
        member = self.classes.member(cls, name)
        if name == "__class__":
            return Result((ClassValue(cls, value.args, exact=value.exact),))
        if name == "__dict__":
            return self.builtin("dict", self.builtin("str"), unknown("any attribute"))
        if member is None:
            return unknown(self.classes.shape(cls).reason or f"{cls.name} has no {name}")
        return self._member(value, member)

    def _member(self, receiver: Instance | ClassValue, member: Member) -> Result:
        owner = member.owner
        substitution = self.annotations.substitution(receiver, owner)
        self_value = Result((receiver,)) if isinstance(receiver, Instance) else self.instances_of(Result((receiver,)))
        results: list[Result] = []
        declared = [b for b in (*member.bindings, *member.attributes) if b.annotation is not None]
        if declared and not any(b.how in (How.FUNCTION, How.CLASS) for b in member.bindings):
            first = declared[0]
            scope = first.scope if first.scope.is_class else (first.scope.parent or first.scope)
            if first.scope.is_function:
                scope = first.scope
            found = self.annotations.evaluate(owner.file, scope, _inner(first.annotation), substitution, self_value)
            return self._read(found) if member.bindings else found
        functions = [b for b in member.bindings if b.how is How.FUNCTION]
        for binding in member.bindings:
            if binding.how is How.FUNCTION:
                if binding is functions[-1] or not file_overloads(self, owner.file, functions):
                    results.append(self._method(receiver, member, binding, functions, substitution, self_value))
            elif binding.how is How.CLASS:
                results.append(self.binding(owner.file, binding))
            else:
                results.append(self._read(self._bound(receiver, owner, self.binding(owner.file, binding))))
        results.extend(self.binding(owner.file, b) for b in member.attributes)
        if not results:
            return unknown("only named in __slots__")
        found = union(results)
        if not functions and not found.reason and not owner.file.is_stub:
            if self.stored_elsewhere(member.name):
                return Result(found.values, "it is set elsewhere")
            if not (isinstance(receiver, Instance) and receiver.exact):
                below, reason = self.subclasses(receiver.cls)
                more = [m for c in below if (m := self.classes.own_member(c, member.name)) is not None]
                if reason or more:
                    return Result(found.values, reason or "a subclass sets it too")
        return found

    def _read(self, result: Result) -> Result:
        """What reading an attribute of a class gives: descriptors say it themselves."""
        parts: list[Result] = []
        plain: list[Value] = []
        for value in result.values:
            if not isinstance(value, Instance) or self.classes.member(value.cls, "__get__") is None:
                plain.append(value)
                continue
            getter = self.attribute(value, "__get__")
            functions = [v for v in getter.values if isinstance(v, FunctionValue)]
            if len(functions) == 1 and functions[0].node.returns is not None:
                parts.append(self.returned(functions[0], None, None))
            else:
                parts.append(unknown("a descriptor"))
        if not parts:
            return result
        found = union([Result(tuple(plain)), *parts])
        return Result(found.values, found.reason or result.reason)

    def _bound(self, receiver: Instance | ClassValue, owner: Cls, result: Result) -> Result:
        """Functions that became attributes by assignment (`__radd__ = __add__`, `show = Other.show`)."""
        bound = isinstance(receiver, Instance)
        values = tuple(
            FunctionValue(v.file, v.node, v.outer, owner, receiver, bound, v.overloads)
            if isinstance(v, FunctionValue) and not v.bound
            else v
            for v in result.values
        )
        return Result(values, result.reason)

    def _method(
        self, receiver: Instance | ClassValue, member: Member, binding: Binding, functions: list[Binding],
        substitution: Substitution, self_value: Result,
    ) -> Result:  # fmt: skip
        owner = member.owner
        assert isinstance(binding.node, FUNCTIONS)
        found = self.function(owner.file, binding)
        if isinstance(receiver, Instance) and self.is_property(owner.file, binding):
            getter = next((b for b in functions if isinstance(b.node, FUNCTIONS) and not _is_accessor(b.node)), binding)
            assert isinstance(getter.node, FUNCTIONS)
            return self.returned(
                FunctionValue(owner.file, getter.node, getter.scope, owner, receiver, True), None, None
            )
        if self.is_property(owner.file, binding):
            return unknown("a property of the class")
        if found.reason and isinstance(receiver, Instance) and self._is_descriptor(owner.file, binding):
            # Such as the `cached_property` of Django, Werkzeug and Pyramid: most likely what the function gives.
            made = self.returned(
                FunctionValue(owner.file, binding.node, binding.scope, owner, receiver, True), None, None
            )
            return Result(made.values, found.reason)
        values: list[Value] = []
        for value in found.values:
            if not isinstance(value, FunctionValue):
                values.append(value)
                continue
            kind = method_kind(value.node)
            bound = kind == "class" or (kind == "instance" and isinstance(receiver, Instance))
            if value.node.name in ("__new__",):
                bound = False
            if value.node.name in ("__init_subclass__", "__class_getitem__"):
                bound = True
            values.append(FunctionValue(value.file, value.node, value.outer, owner, receiver, bound, value.overloads))
        return Result(tuple(values), found.reason)

    def class_attribute(self, value: ClassValue, cls: Cls, name: str) -> Result:
        """An attribute of a class object: its own, then its metaclass's."""
        member = self.classes.class_member(cls, name) or self.classes.member(cls, name)
        if member is not None and (member.bindings or not member.attributes):
            return self._member(value, Member(name, member.owner, member.bindings))
        if member is not None:
            return self._member(value, member)
        meta = self.metaclass(cls)
        for one in meta.values:
            if isinstance(one, ClassValue):
                found = self.classes.member(one.cls, name)
                if found is not None:
                    return self._member(Instance(one.cls), found)
        return unknown(self.classes.shape(cls).reason or meta.reason or f"{cls.name} has no {name}")

    def metaclass(self, cls: Cls) -> Result:
        """The class of a class."""
        for current in self.classes.shape(cls).order:
            for keyword in current.node.keywords:
                if keyword.arg == "metaclass":
                    return self.infer(current.file, current.outer, keyword.value)
        type_class = self.classes.builtin("type")
        return Result((ClassValue(type_class),)) if type_class else unknown("the builtins are not known")

    # -- functions ----------------------------------------------------------------------------------------------------
    def function(self, file: PyFile, binding: Binding) -> Result:
        """A function with what its decorators leave of it."""
        node = binding.node
        assert isinstance(node, FUNCTIONS)
        overloads: tuple[Function, ...] = ()
        siblings = [b.node for b in binding.scope.bindings.get(binding.name, ()) if isinstance(b.node, FUNCTIONS)]
        if len(siblings) > 1:
            marked = [n for n in siblings if self.has_decorator(file, binding.scope, n, ("overload",))]
            overloads = tuple(marked)
        value = FunctionValue(file, node, binding.scope, overloads=overloads)
        for decorator in node.decorator_list:
            names = self.decorator_names(file, binding.scope, decorator)
            if names and names <= TRANSPARENT | CACHES | CONTEXT_MANAGERS:
                continue
            if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter", "register"):
                continue
            return Result((value,), f"the decorator {ast.unparse(decorator)[:60]} may change it")
        return Result((value,))

    def decorator_names(self, file: PyFile, scope: Scope, decorator: ast.expr) -> set[str]:
        """Full names of what a decorator may be."""
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(inner, ast.Name):
            found = self.world.lookup(file, scope, inner.id)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            base = self.world.lookup(file, scope, inner.value.id)
            modules = [t.module for t in base.targets if t.module is not None]
            if len(modules) != 1:
                return set()
            found = self.world.module_name_target(modules[0], inner.attr)
        else:
            return set()
        names = set()
        for target in found.targets:
            if target.file is None or target.binding is None:
                return set()
            names.add(f"{target.file.name}.{target.binding.name}")
        return names

    def has_decorator(self, file: PyFile, scope: Scope, node: Function, wanted: tuple[str, ...]) -> bool:
        """Whether a function has a decorator with one of these last names."""
        for decorator in node.decorator_list:
            inner = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = inner.id if isinstance(inner, ast.Name) else getattr(inner, "attr", "")
            if name in wanted:
                return True
        return False

    def is_property(self, file: PyFile, binding: Binding) -> bool:
        """Whether a method is read like an attribute."""
        if not isinstance(binding.node, FUNCTIONS):
            return False
        for decorator in binding.node.decorator_list:
            if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter"):
                return True
            if self.decorator_names(file, binding.scope, decorator) & PROPERTIES:
                return True
        return False

    def _is_descriptor(self, file: PyFile, binding: Binding) -> bool:
        """Whether a method's only decorator is a class whose instances answer when they are read."""
        assert isinstance(binding.node, FUNCTIONS)
        if len(binding.node.decorator_list) != 1:
            return False
        made_by = self.infer(file, binding.scope, binding.node.decorator_list[0])
        return bool(made_by.values) and all(
            isinstance(v, ClassValue) and self.classes.member(v.cls, "__get__") is not None for v in made_by.values
        )

    def call(self, file: PyFile, scope: Scope, node: ast.Call) -> Result:
        """What a call gives."""
        special = self._special_call(file, scope, node)
        if special is not None:
            return special
        callee = self.infer(file, scope, node.func)
        if not callee.values:
            return unknown(callee.reason or "the callee is not known")
        results: list[Result] = []
        for value in callee.values:
            match value:
                case ClassValue():
                    results.append(self.constructed(value, file, scope, node))
                case FunctionValue():
                    if f"{value.file.name}.{value.node.name}" in _CLASS_MAKERS:
                        results.append(unknown("a class made by a call"))
                    else:
                        results.append(self.returned(value, node, (file, scope)))
                case Instance(cls=cls):
                    called = self.attribute(value, "__call__")
                    functions = [v for v in called.values if isinstance(v, FunctionValue)]
                    if cls.full_name.startswith("typing.") or not functions:
                        results.append(unknown("an object is called"))
                    else:
                        results.append(self.returned(functions[0], node, (file, scope)))
                case _:
                    results.append(unknown("not callable"))
        found = union(results)
        return Result(found.values, found.reason or callee.reason)

    def _special_call(self, file: PyFile, scope: Scope, node: ast.Call) -> Result | None:
        match node.func:
            case ast.Name(id="super"):
                return self._super(file, scope, node)
            case ast.Name(id="type") if len(node.args) == 1 and not node.keywords:
                of = self.infer(file, scope, node.args[0])
                values = tuple(ClassValue(v.cls, v.args, exact=v.exact) for v in of.values if isinstance(v, Instance))
                return Result(values, of.reason or ("" if len(values) == len(of.values) else "type() of something"))
            case ast.Name(id="type"):
                return unknown("a class made by a call")
            case ast.Name(id="cast") | ast.Attribute(attr="cast") if len(node.args) == 2:
                name = self.annotations.name_of(file, scope, node.func)
                if name == "cast":
                    return self.annotations.evaluate(file, scope, node.args[0])
            case ast.Name(id="getattr" | "vars" | "globals" | "locals" | "eval" | "__import__"):
                return unknown("known only when it runs")
            case ast.Attribute(value=inner, attr="__new__") if isinstance(inner, ast.Call | ast.Name):
                return unknown("__new__")
        return None

    def _super(self, file: PyFile, scope: Scope, node: ast.Call) -> Result:
        function = scope.function
        while function is not None and function.enclosing_class is None:
            function = function.parent.function if function.parent is not None else None
        if function is None:
            return unknown("super() outside a method")
        cls = self.owner(file, function)
        if cls is None or not isinstance(function.node, FUNCTIONS):
            return unknown("super() outside a method")
        if node.args and not (isinstance(node.args[0], ast.Name) and node.args[0].id == cls.name):
            return unknown("super() of another class")
        kind = method_kind(function.node)
        receiver: Instance | ClassValue = (
            ClassValue(cls, exact=False)
            if kind == "class" or function.node.name in ("__new__", "__init_subclass__")
            else Instance(cls, own=True)
        )
        return Result((SuperValue(receiver, cls),))

    def constructed(self, value: ClassValue, file: PyFile, scope: Scope, node: ast.Call) -> Result:
        """What calling a class gives: an instance of it, unless `__new__` or the metaclass say otherwise."""
        cls = value.cls
        shape = self.classes.shape(cls)
        reason = ""
        new = self.classes.member(cls, "__new__")
        if new is not None and not new.owner.file.is_stub:
            reason = "__new__ may return something else"
        if cls.full_name in _CLASS_MAKERS:
            return unknown("a class made by a call")
        if self.is_enum(cls):
            if cls.file.is_stub or len(node.args) + len(node.keywords) > 1:
                return unknown("a class made by a call")
            return Result((Instance(cls),), "")
        for current in shape.order:
            for keyword in current.node.keywords:
                if keyword.arg == "metaclass" and not current.file.is_stub:
                    result = self.infer(current.file, current.outer, keyword.value)
                    if not result.closed or not result.values:
                        reason = reason or "the metaclass is not known"
                    for meta in result.values:
                        if isinstance(meta, ClassValue):
                            called = self.classes.member(meta.cls, "__call__")
                            if called is not None and not called.owner.file.is_stub:
                                reason = "the metaclass changes calls"
        args = value.args
        if not args and cls.file.is_stub and self.annotations.type_parameters(cls):
            args = self._constructor_args(cls, file, scope, node)
        if cls.full_name == "builtins.type":
            return unknown("a class made by a call")
        return Result((Instance(cls, args, exact=value.exact),), reason)

    def _constructor_args(self, cls: Cls, file: PyFile, scope: Scope, node: ast.Call) -> tuple[Result, ...]:
        """Type arguments of `list(xs)`, `set(xs)`, `deque(xs)` and the like from what they are made of."""
        one = len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred)
        if one and cls.full_name in _MADE_OF_ONE:
            items = self.iterated(self.infer(file, scope, node.args[0]))
            fixed = cls.name in ("enumerate", "reversed")
            return (items if fixed else Result(items.values, items.reason or "a container may get other items"),)
        if cls.full_name == "builtins.zip":
            parts = tuple(self.iterated(self.infer(file, scope, a)) for a in node.args)
            return (self.tuple_of(parts),)
        return ()

    def returned(self, value: FunctionValue, node: ast.Call | None, where: tuple[PyFile, Scope] | None) -> Result:
        """What calling a function gives: its annotation, else what its return statements give."""
        if value.overloads:
            return self._overloaded(value, node, where)
        found = self._returned(value, value.node, node, where)
        decorators = [self.decorator_names(value.file, value.outer, d) for d in value.node.decorator_list]
        if any(names & CONTEXT_MANAGERS for names in decorators):
            return self._manager(found, any("contextlib.asynccontextmanager" in n for n in decorators))
        return found

    def _manager(self, found: Result, is_async: bool) -> Result:
        name = "_AsyncGeneratorContextManager" if is_async else "_GeneratorContextManager"
        item = self.iterated(found, is_async=is_async)
        none = Result((NoneValue(),))
        return self.known("contextlib", name, item, none, none)

    def _overloaded(self, value: FunctionValue, node: ast.Call | None, where: tuple[PyFile, Scope] | None) -> Result:
        from graft_indexer.signatures import accepts

        candidates = [n for n in value.overloads if node is None or accepts(n, node, value.bound)]
        if not candidates:
            return unknown("no overload fits")
        if node is not None and where is not None:
            certain: list[Function] = []
            for candidate in candidates:
                verdict = self._literals_fit(value, candidate, node)
                if verdict is not False:
                    certain.append(candidate)
                    if verdict is True:
                        break
            candidates = certain or candidates
        results = [self._returned(value, n, node, where) for n in candidates]
        first = results[0]
        if all(r == first for r in results):
            return first
        values = [v for r in results for v in r.values if isinstance(v, Instance)]
        same = len({(v.cls, v.args) for v in values}) == 1 and len(values) == sum(len(r.values) for r in results)
        if same and all(r.closed for r in results):
            # `str` of one overload and a literal's `str` of another: whichever is meant, it is one.
            return Result((min(values, key=lambda v: v.exact),))
        found = union(results)
        return Result(found.values, found.reason or "it has overloads")

    def _literals_fit(self, value: FunctionValue, node: Function, call: ast.Call) -> bool | None:
        """Whether constant arguments fit `Literal` annotations: False excludes an overload, True decides for it."""
        from graft_indexer.signatures import assigned

        decided: bool | None = None
        for parameter, argument in assigned(node, call, value.bound):
            if parameter.annotation is None:
                continue
            allowed = self.annotations.literals(value.file, value.outer, parameter.annotation)
            if allowed is None:
                continue
            if argument is None:
                decided = True  # left out, and its default is one of the literals
            elif isinstance(argument, ast.Constant):
                if argument.value not in allowed:
                    return False
                decided = True
            else:
                return None
        return decided

    def _returned(
        self, value: FunctionValue, node: Function, call: ast.Call | None, where: tuple[PyFile, Scope] | None
    ) -> Result:
        receiver = value.receiver
        substitution: dict[str, Result] = {}
        self_value: Result | None = None
        if receiver is not None and value.owner is not None:
            substitution.update(self.annotations.substitution(receiver, value.owner))
            self_value = (
                self.instances_of(Result((receiver,))) if isinstance(receiver, ClassValue) else Result((receiver,))
            )
        if node.returns is not None:
            if call is not None and where is not None:
                self.annotations.bind_arguments(value, node, call, where, substitution)
            result = self.annotations.evaluate(value.file, value.outer, node.returns, substitution, self_value)
            return (
                self._coroutine(result) if isinstance(node, ast.AsyncFunctionDef) and not is_generator(node) else result
            )
        if value.file.is_stub:
            return unknown("the stub says nothing")
        if is_generator(node):
            return unknown("a generator without annotation")
        result = self._from_body(value, node)
        if value.owner is not None and not (isinstance(receiver, Instance) and receiver.exact):
            result = Result(result.values, result.reason or "it may be overridden")
        return self._coroutine(result) if isinstance(node, ast.AsyncFunctionDef) else result

    def _coroutine(self, result: Result) -> Result:
        none = Result((NoneValue(),))
        return self.known("typing", "Coroutine", none, none, result)

    def _from_body(self, value: FunctionValue, node: Function) -> Result:
        scope = scope_of(value.outer, node)

        def make() -> tuple[Function, Scope, Result]:
            value.file.note_scope(scope)
            return node, scope, self._all_returned(value, node, scope)

        try:
            return self.world.memo.remember(("returns", id(node), id(scope)), make, _is_closed)[2]
        except CircularError:
            return unknown("it depends on itself")

    def _all_returned(self, value: FunctionValue, node: Function, scope: Scope) -> Result:
        results: list[Result] = []
        for statement in own_statements(node.body):
            if isinstance(statement, ast.Return):
                if statement.value is None:
                    results.append(Result((NoneValue(),)))
                else:
                    results.append(self.infer(value.file, scope, statement.value))
            if len(results) > 12:
                return unknown("many return statements")
        if not results:
            last = node.body[-1]
            return unknown("it raises") if isinstance(last, ast.Raise) else Result((NoneValue(),))
        if not always_leaves(node.body):
            results.append(Result((NoneValue(),)))
        return union(results)

    # -- protocols ----------------------------------------------------------------------------------------------------
    def method_result(self, value: Value, name: str) -> Result:
        """What calling a method without arguments gives."""
        found = self.attribute(value, name)
        functions = [v for v in found.values if isinstance(v, FunctionValue)]
        if len(functions) != 1:
            return unknown(found.reason or f"{name} is not known")
        result = self.returned(functions[0], None, None)
        return Result(result.values, result.reason or found.reason)

    def iterated(self, result: Result, *, is_async: bool = False) -> Result:
        """The items of an iterable."""
        if not result.values:
            return unknown(result.reason or "nothing is known")
        begin, step = ("__aiter__", "__anext__") if is_async else ("__iter__", "__next__")
        results: list[Result] = []
        for value in result.values:
            if isinstance(value, Instance) and value.items is not None:
                results.append(union(value.items) if value.items else unknown("an empty tuple"))
                continue
            if isinstance(value, ClassValue) and self.is_enum(value.cls):
                results.append(Result((Instance(value.cls),)))
                continue
            if not isinstance(value, Instance):
                results.append(unknown("not iterable"))
                continue
            iterator = self.method_result(value, begin)
            items = [self.method_result(v, step) for v in iterator.values]
            found = union(items) if items else unknown(iterator.reason)
            if is_async:
                found = self.awaited(found)
            results.append(Result(found.values, found.reason or iterator.reason))
        found = union(results)
        return Result(found.values, found.reason or result.reason)

    def entered(self, result: Result, *, is_async: bool = False) -> Result:
        """What `with` gives to its target."""
        if not result.values:
            return unknown(result.reason or "nothing is known")
        name = "__aenter__" if is_async else "__enter__"
        found = union(self.method_result(v, name) for v in result.values)
        if is_async:
            found = self.awaited(found)
        return Result(found.values, found.reason or result.reason)

    def awaited(self, result: Result) -> Result:
        """What `await` gives."""
        if not result.values:
            return unknown(result.reason or "nothing is known")
        results: list[Result] = []
        for value in result.values:
            if isinstance(value, Instance) and value.cls.full_name in (
                "typing.Coroutine", "types.CoroutineType", "collections.abc.Coroutine",
            ) and len(value.args) == 3:  # fmt: skip
                results.append(value.args[2])
            elif isinstance(value, Instance) and value.args:
                results.append(value.args[0] if len(value.args) == 1 else unknown("awaited"))
            else:
                results.append(unknown("awaited"))
        found = union(results)
        return Result(found.values, found.reason or result.reason)

    def subscript(self, file: PyFile, scope: Scope, result: Result, index: ast.expr) -> Result:
        """An item of a container, or a class with type arguments."""
        if not result.values:
            return unknown(result.reason or "nothing is known")
        results: list[Result] = []
        for value in result.values:
            match value:
                case ClassValue(cls=cls):
                    items = index.elts if isinstance(index, ast.Tuple) else [index]
                    if self.is_enum(cls):
                        results.append(Result((Instance(cls),)))
                    else:
                        args = tuple(self.annotations.evaluate(file, scope, i) for i in items)
                        results.append(Result((ClassValue(cls, args, value.exact),)))
                case Instance(cls=cls) if cls.full_name in ("typing._SpecialForm", "typing_extensions._SpecialForm"):
                    results.append(unknown("a type"))
                case Instance(items=tuple(items_)) if isinstance(index, ast.Constant) and isinstance(index.value, int):
                    n = index.value
                    results.append(items_[n] if -len(items_) <= n < len(items_) else unknown("out of range"))
                case Instance():
                    results.append(self._item(value, file, scope, index))
                case _:
                    results.append(unknown("not a container"))
        found = union(results)
        return Result(found.values, found.reason or result.reason)

    def _item(self, value: Instance, file: PyFile, scope: Scope, index: ast.expr) -> Result:
        name = value.cls.full_name
        if isinstance(index, ast.Slice):
            if name in ("builtins.str", "builtins.bytes", "builtins.list"):
                return Result((Instance(value.cls, value.args, exact=True),))
            return unknown("a slice")
        if name in (
            "builtins.list",
            "typing.Sequence",
            "collections.deque",
            "builtins.tuple",
            "typing.MutableSequence",
        ):
            return value.args[0] if value.args else unknown("items are not known")
        if name in ("builtins.dict", "collections.OrderedDict", "collections.defaultdict", "typing.Mapping",
                    "typing.MutableMapping"):  # fmt: skip
            return value.args[1] if len(value.args) > 1 else unknown("items are not known")
        if name == "builtins.str":
            return self.builtin("str")
        return self.method_result(value, "__getitem__")


def _is_closed(made: tuple[object, object, Result]) -> bool:
    return not made[2].reason


def _inner(annotation: ast.expr | None) -> ast.expr:
    assert annotation is not None
    return annotation


def file_overloads(inference: Inference, file: PyFile, functions: list[Binding]) -> bool:
    """Whether several definitions of a name are overloads or accessors of one, not alternatives."""
    if len(functions) < 2:
        return False
    return not all(b.conditional for b in functions)


def _is_accessor(node: Function) -> bool:
    return any(isinstance(d, ast.Attribute) and d.attr in ("setter", "deleter") for d in node.decorator_list)


def method_kind(node: Function) -> str:
    """instance, class, static, or unknown if a decorator may make it something else."""
    kind = "instance"
    for decorator in node.decorator_list:
        name = decorator.id if isinstance(decorator, ast.Name) else getattr(decorator, "attr", "")
        if name == "staticmethod":
            return "static"
        if name in ("classmethod", "abstractclassmethod"):
            kind = "class"
    return kind


def default_of(node: ast.AST, name: str) -> ast.expr | None:
    """The default of a parameter."""
    arguments = getattr(node, "args", None)
    if not isinstance(arguments, ast.arguments):
        return None
    positional = [*arguments.posonlyargs, *arguments.args]
    for arg, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        if arg.arg == name:
            return default
    for arg, maybe in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=False):
        if arg.arg == name:
            return maybe
    return None


def own_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a function in order, nested functions and classes left out."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.stmt):
            yield node
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            continue
        inner = [c for c in children(node) if isinstance(c, ast.stmt | ast.excepthandler | ast.match_case)]
        stack.extend(reversed(inner))


def always_leaves(body: list[ast.stmt]) -> bool:
    """Whether control never runs off the end of a block."""
    if not body:
        return False
    match body[-1]:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return True
        case ast.If(body=first, orelse=second):
            return bool(second) and always_leaves(first) and always_leaves(second)
        case ast.With(body=inner) | ast.AsyncWith(body=inner):
            return always_leaves(inner)
        case ast.Try(body=inner, handlers=handlers, orelse=orelse, finalbody=final):
            if always_leaves(final):
                return True
            main = always_leaves(orelse) if orelse else always_leaves(inner)
            return main and all(always_leaves(h.body) for h in handlers)
        case ast.While(test=ast.Constant(value=value)):
            return bool(value) and not any(isinstance(s, ast.Break) for s in own_statements(body[-1].body))
    return False
