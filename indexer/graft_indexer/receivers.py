"""What an expression is: the thing before the dot, the callee of a call, the value of a name.

Flow-insensitive but for `isinstance`: a name is the union of everything its scope binds it to, so that a closed result
holds on every path.  Annotations are believed.  Whatever is not understood makes the result open, with a reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from graft_indexer import attributes, construction, narrowing, protocols
from graft_indexer.annotations import Annotations
from graft_indexer.bindings import COMPREHENSIONS, FUNCTIONS, Binding, How
from graft_indexer.bodies import default_of, method_kind
from graft_indexer.classes import Classes, class_of
from graft_indexer.decorators import decorated_function
from graft_indexer.memo import CircularError
from graft_indexer.pyfile import PyFile
from graft_indexer.pytree import children
from graft_indexer.scopes import Scope
from graft_indexer.selfstores import first_parameter
from graft_indexer.text import encode
from graft_indexer.values import (
    ClassValue,
    Cls,
    Instance,
    ModuleValue,
    NoneValue,
    Result,
    Value,
    is_closed,
    union,
    unknown,
)
from graft_indexer.world import Found, Target, World

_LITERALS: dict[type, str] = {
    str: "str", bytes: "bytes", int: "int", float: "float", complex: "complex", bool: "bool",
}  # fmt: skip
SELF_NAMES = frozenset({"self", "cls", "s", "this", "me", "inst", "instance", "obj", "mcs", "mcls", "zelf"})
"""What the first parameter of a method is called, apart from underscores."""


class Inference:
    """Evaluates expressions of any file of a world.  Belongs to one thread."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.classes = Classes(world, self._resolve_in_class, self.infer)
        self.annotations = Annotations(self)
        self.stored_elsewhere: Callable[[str], bool] = lambda _name: False
        """Whether the repository sets an attribute of that name on anything but self."""
        self.subclasses: Callable[[Cls], tuple[tuple[Cls, ...], str]] = lambda _cls: ((), "")
        """Known subclasses of a class, direct and indirect, and why there may be more."""
        self.computes_bases: Callable[[], bool] = lambda: False
        self.refitted: Callable[[str], bool] = lambda _name: False
        """Whether the workspace makes classes of bases that no name says."""

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
            return self.world.memo.remember(("infer", id(node), id(scope)), make, is_closed)[2]
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
                return attributes.attribute_of(self, self.infer(file, scope, value), attr)
            case ast.Call():
                return construction.result_of_call(self, file, scope, node)
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
                return protocols.awaited(self.infer(file, scope, value))
            case ast.Subscript(value=value, slice=index):
                return protocols.subscript(self, file, scope, self.infer(file, scope, value), index)
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
            return self.world.memo.remember(("binding", id(binding)), make, is_closed)[2]
        except CircularError:
            return unknown("it depends on itself")

    def _binding(self, file: PyFile, binding: Binding) -> Result:
        scope = binding.origin or binding.scope
        match binding.how:
            case How.CLASS:
                assert isinstance(binding.node, ast.ClassDef)
                return self._class(class_of(file, binding.node, binding.scope))
            case How.FUNCTION:
                return decorated_function(self, file, binding)
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
                value = protocols.iterated(self, self._first_iterable(file, binding, scope), is_async=binding.is_async)
            case How.WITH:
                value = protocols.entered(self, self.infer(file, scope, binding.value), is_async=binding.is_async)
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
            usual = binding.name.strip("_") in SELF_NAMES and not (
                scope.enclosing_class is not None and _called_in_body(file, scope.enclosing_class, scope.node.name)
            )
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
                    parts.append(protocols.iterated(self, Result((one,))))
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


def _called_in_body(file: PyFile, scope: Scope, name: str) -> bool:
    """Whether the body of a class calls one of its functions by its name: it is no method then, or not only."""
    if not isinstance(scope.node, ast.ClassDef) or not file.in_workspace:
        return False
    file.note_scope(scope)
    # Nearly always the text alone says no.
    call = rb"(?<![\w.])(?<!def )%s\s*\(" % re.escape(encode(name))
    if not re.compile(call).search(file.tree.data, file.tree.start(scope.node), file.tree.end(scope.node)):
        return False
    stack: list[ast.AST] = list(scope.node.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            return True
        if isinstance(node, FUNCTIONS):  # its body runs later, when the name is the method's no more
            stack += [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        elif not isinstance(node, ast.ClassDef):
            stack += children(node)
    return False
