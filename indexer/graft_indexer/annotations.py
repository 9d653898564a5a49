"""Type expressions -> what a value annotated with them is."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from graft_indexer import attributes, protocols
from graft_indexer.bindings import Function, How
from graft_indexer.memo import CircularError
from graft_indexer.pyfile import PyFile
from graft_indexer.pytree import parse_expression
from graft_indexer.scopes import Scope
from graft_indexer.values import (
    ClassValue,
    Cls,
    FunctionValue,
    Instance,
    ModuleValue,
    NoneValue,
    Result,
    Substitution,
    union,
    unknown,
)

if TYPE_CHECKING:
    from graft_indexer.receivers import Inference

TYPING = frozenset({"typing", "typing_extensions"})
_ALIASES = {
    "List": "builtins.list", "Dict": "builtins.dict", "Set": "builtins.set", "FrozenSet": "builtins.frozenset",
    "Tuple": "builtins.tuple", "Type": "builtins.type", "Deque": "collections.deque",
    "DefaultDict": "collections.defaultdict", "OrderedDict": "collections.OrderedDict",
    "Counter": "collections.Counter",
    "ChainMap": "collections.ChainMap", "Text": "builtins.str",
}  # fmt: skip
_WRAPPERS = frozenset({"Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly", "InitVar"})


class Annotations:
    """Evaluates annotations for an `Inference`."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference
        self.world = inference.world
        self._depth = 0

    def evaluate(
        self, file: PyFile, scope: Scope, node: ast.expr, substitution: Substitution | None = None,
        self_value: Result | None = None,
    ) -> Result:  # fmt: skip
        """What a value annotated with `node` is; type variables by `substitution`, `Self` by `self_value`."""
        if self._depth > 20:
            return unknown("too deep")
        self._depth += 1
        try:
            return self._evaluate(file, scope, node, substitution or {}, self_value)
        finally:
            self._depth -= 1

    def _evaluate(
        self, file: PyFile, scope: Scope, node: ast.expr, substitution: Substitution, self_value: Result | None
    ) -> Result:
        match node:
            case ast.Constant(value=None):
                return Result((NoneValue(),))
            case ast.Constant(value=str(text)):
                inner = parse_expression(text)
                return self.evaluate(file, scope, inner, substitution, self_value) if inner else unknown("not a type")
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return union(self.evaluate(file, scope, n, substitution, self_value) for n in (left, right))
            case ast.Name() | ast.Attribute():
                return self._named(file, scope, node, substitution, self_value)
            case ast.Subscript(value=value, slice=index):
                items = list(index.elts) if isinstance(index, ast.Tuple) else [index]
                return self._generic(file, scope, value, items, substitution, self_value)
        return unknown("not a type that is followed")

    def name_of(self, file: PyFile, scope: Scope, node: ast.expr) -> str:
        """Name of the member of `typing` that an expression means; empty if it is none."""
        if isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Name):
            found = self.world.lookup(file, scope, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            base = self.world.lookup(file, scope, node.value.id)
            if any(t.module is not None and t.module.name in TYPING for t in base.targets):
                return node.attr
            return ""
        else:
            return ""
        for target in found.targets:
            if target.file is not None and target.binding is not None:
                if target.file.name in TYPING or target.file.name == "_typeshed":
                    return target.binding.name
                if target.file.name == "dataclasses" and target.binding.name == "InitVar":
                    return "InitVar"
        return ""

    def _named(
        self, file: PyFile, scope: Scope, node: ast.Name | ast.Attribute, substitution: Substitution,
        self_value: Result | None,
    ) -> Result:  # fmt: skip
        if isinstance(node, ast.Name) and node.id in substitution and self._is_variable(file, scope, node):
            return substitution[node.id]
        special = self.name_of(file, scope, node)
        if special:
            found = self._special(special, self_value)
            if found is not None:
                return found
        if isinstance(node, ast.Name):
            targets = self.world.lookup(file, scope, node.id)
        else:
            base = self.inference.infer(file, scope, node.value)
            parts = []
            for value in base.values:
                if isinstance(value, ModuleValue):
                    parts.append(self.world.module_name_target(value.module, node.attr))
                elif isinstance(value, ClassValue):
                    inner = attributes.class_attribute(self.inference, value, value.cls, node.attr)
                    return self.inference.instances_of(inner)
            if len(parts) != 1:
                return unknown(base.reason or "not a type")
            targets = parts[0]
        results: list[Result] = []
        for target in targets.targets:
            if target.file is None or target.binding is None:
                results.append(unknown("a module is no type"))
                continue
            binding = target.binding
            if binding.how is How.CLASS:
                results.append(self.inference.instances_of(self.inference.target(target)))
            elif binding.how is How.TYPE_ALIAS and binding.value is not None:
                results.append(self.evaluate(target.file, binding.scope, binding.value, substitution, self_value))
            elif binding.how is How.TYPE_PARAMETER:
                results.append(self._variable_bound(target.file, binding.scope, getattr(binding.node, "bound", None)))
            elif binding.how is How.ASSIGN and binding.value is not None and not binding.path:
                results.append(self._alias(target.file, binding.scope, binding.value, substitution, self_value))
            else:
                results.append(unknown("not a type that is followed"))
        if not results:
            return unknown(targets.reason or "a name that is not known")
        found_ = union(results)
        return Result(found_.values, found_.reason or targets.reason)

    def _special(self, name: str, self_value: Result | None) -> Result | None:
        if name == "Self":
            return self_value if self_value is not None else unknown("Self")
        if name in ("LiteralString", "AnyStr"):
            return self.inference.builtin("str") if name == "LiteralString" else unknown("a type variable")
        if name in ("Never", "NoReturn"):
            return Result()
        if name == "None":
            return Result((NoneValue(),))
        full = _ALIASES.get(name)
        if full is not None:
            module, _, short = full.rpartition(".")
            return self.inference.known(module, short)
        if name in ("Any", "Union", "Optional", "Callable", "Literal", "Generic", "Protocol", "Concatenate",
                    "TypeAlias", "Incomplete", "Unused", "MaybeNone"):  # fmt: skip
            return unknown(name)
        return None

    def _is_variable(self, file: PyFile, scope: Scope, node: ast.Name) -> bool:
        found = self.world.lookup(file, scope, node.id)
        return any(
            t.binding is not None
            and (
                t.binding.how is How.TYPE_PARAMETER
                or (isinstance(t.binding.value, ast.Call) and _callee(t.binding.value) in _VARIABLES)
            )
            for t in found.targets
        )

    def _alias(
        self, file: PyFile, scope: Scope, value: ast.expr, substitution: Substitution, self_value: Result | None
    ) -> Result:
        if isinstance(value, ast.Call):
            name = _callee(value)
            if name == "TypeVar":
                bound = next((k.value for k in value.keywords if k.arg == "bound"), None)
                if bound is not None:
                    return self._variable_bound(file, scope, bound)
                if len(value.args) > 1:
                    return union(self.evaluate(file, scope, a) for a in value.args[1:])
                return unknown("a type variable")
            if name == "NewType" and len(value.args) == 2:
                return self.evaluate(file, scope, value.args[1])
            return unknown("a type made by a call")
        return self.evaluate(file, scope, value, substitution, self_value)

    def _variable_bound(self, file: PyFile, scope: Scope, bound: ast.expr | None) -> Result:
        if bound is None:
            return unknown("a type variable")
        found = self.evaluate(file, scope, bound)
        return Result(found.values, found.reason or "a type variable may be any subclass")

    def _generic(
        self, file: PyFile, scope: Scope, value: ast.expr, items: list[ast.expr], substitution: Substitution,
        self_value: Result | None,
    ) -> Result:  # fmt: skip
        special = self.name_of(file, scope, value)

        def one(node: ast.expr) -> Result:
            return self.evaluate(file, scope, node, substitution, self_value)

        if special == "Optional":
            return union([one(items[0]), Result((NoneValue(),))])
        if special == "Union":
            return union(one(i) for i in items)
        if special in _WRAPPERS:
            return one(items[0])
        if special == "Literal":
            return union(
                self.inference.constant(i.value) if isinstance(i, ast.Constant) else unknown("a literal") for i in items
            )
        if special in ("TypeGuard", "TypeIs"):
            return self.inference.builtin("bool")
        if special in ("Callable", "Concatenate", "Unpack"):
            return unknown(special)
        if special == "Awaitable":
            return self.inference.known("typing", "Awaitable", one(items[0]))
        name = value.id if isinstance(value, ast.Name) else getattr(value, "attr", "")
        if special == "Type" or (name == "type" and self._is_builtin(file, scope, value)):
            inner = one(items[0])
            values = tuple(ClassValue(v.cls, v.args, exact=False) for v in inner.values if isinstance(v, Instance))
            return Result(values, inner.reason or ("" if len(values) == len(inner.values) else "type of something"))
        base = self._named(file, scope, value, {}, None) if isinstance(value, ast.Name | ast.Attribute) else unknown("")
        if not base.values:
            alias = self._generic_alias(file, scope, value, items, substitution, self_value)
            return alias if alias is not None else base
        results: list[Result] = []
        for found in base.values:
            if not isinstance(found, Instance):
                results.append(Result((found,)))
                continue
            if found.args:  # an alias whose arguments are its own
                results.append(Result((found,)))
                continue
            if found.cls.full_name == "builtins.tuple":
                if len(items) == 2 and isinstance(items[1], ast.Constant) and items[1].value is ...:
                    results.append(Result((Instance(found.cls, (one(items[0]),)),)))
                else:
                    parts = tuple(one(i) for i in items)
                    results.append(Result((Instance(found.cls, (union(parts),), items=parts),)))
                continue
            results.append(Result((Instance(found.cls, tuple(one(i) for i in items)),)))
        merged = union(results)
        return Result(merged.values, merged.reason or base.reason)

    def _generic_alias(
        self, file: PyFile, scope: Scope, value: ast.expr, items: list[ast.expr], substitution: Substitution,
        self_value: Result | None,
    ) -> Result | None:  # fmt: skip
        """`Alias[X]` where `Alias = Union[T, list[T]]`."""
        if not isinstance(value, ast.Name):
            return None
        found = self.world.lookup(file, scope, value.id)
        for target in found.targets:
            if target.file is None or target.binding is None or target.binding.how is not How.ASSIGN:
                continue
            body = target.binding.value
            if body is None or isinstance(body, ast.Call):
                continue
            names = self._variables_in(target.file, target.binding.scope, [body])
            given = [self.evaluate(file, scope, i, substitution, self_value) for i in items]
            return self.evaluate(
                target.file, target.binding.scope, body, dict(zip(names, given, strict=False)), self_value
            )
        return None

    def _is_builtin(self, file: PyFile, scope: Scope, node: ast.expr) -> bool:
        if not isinstance(node, ast.Name):
            return False
        found = self.world.lookup(file, scope, node.id)
        return any(t.file is not None and t.file is self.world.builtins for t in found.targets)

    # -- generics -----------------------------------------------------------------------------------------------------
    def type_parameters(self, cls: Cls) -> tuple[str, ...]:
        """Names of a class's type parameters in order."""
        own = getattr(cls.node, "type_params", None)
        if own:
            return tuple(str(p.name) for p in own)
        if not cls.node.bases:
            return ()
        try:
            return self.world.memo.remember(("parameters", cls), lambda: self._base_parameters(cls))
        except CircularError:
            return ()

    def _base_parameters(self, cls: Cls) -> tuple[str, ...]:
        cls.file.note()
        arguments: list[ast.expr] = []
        for base in cls.node.bases:
            if isinstance(base, ast.Subscript):
                items = base.slice.elts if isinstance(base.slice, ast.Tuple) else [base.slice]
                name = base.value.id if isinstance(base.value, ast.Name) else getattr(base.value, "attr", "")
                if name in ("Generic", "Protocol"):
                    return tuple(i.id for i in items if isinstance(i, ast.Name))
                arguments += items
        return self._variables_in(cls.file, cls.outer, arguments)

    def _variables_in(self, file: PyFile, scope: Scope, expressions: list[ast.expr]) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for expression in expressions:
            for node in ast.walk(expression):
                if isinstance(node, ast.Name) and node.id not in names and self._is_variable(file, scope, node):
                    names[node.id] = None
        return tuple(names)

    def substitution(self, receiver: Instance | ClassValue, owner: Cls) -> Substitution:
        """What the type variables of `owner` stand for in an instance of a class derived from it."""
        own = dict(zip(self.type_parameters(receiver.cls), receiver.args, strict=False))
        return self._pass_on(receiver.cls, own, owner, 0)

    def _pass_on(self, cls: Cls, given: Substitution, owner: Cls, depth: int) -> Substitution:
        if cls == owner or depth > 12:
            return given
        classes = self.inference.classes
        for base in classes.bases(cls)[0]:
            if owner == base.cls or owner in classes.shape(base.cls).order:
                names = self.type_parameters(base.cls)
                values = [self.evaluate(cls.file, cls.outer, a, given) for a in base.arguments]
                if base.cls.full_name == "builtins.tuple" and len(values) > 1:  # its one variable is for all its items
                    last = base.arguments[-1]
                    endless = isinstance(last, ast.Constant) and last.value is ...
                    values = values[:1] if endless else [union(values)]
                return self._pass_on(base.cls, dict(zip(names, values, strict=False)), owner, depth + 1)
        return {}

    def bind_arguments(
        self, value: FunctionValue, node: Function, call: ast.Call, where: tuple[PyFile, Scope],
        substitution: dict[str, Result],
    ) -> None:  # fmt: skip
        """Type variables of a function from its arguments, where a parameter is annotated with one."""
        from graft_indexer.signatures import assigned

        if node.returns is None:
            return
        for parameter, argument in assigned(node, call, value.bound):
            note = parameter.annotation
            if note is None or argument is None:
                continue
            if isinstance(note, ast.Name) and note.id not in substitution:
                if self._is_variable(value.file, value.outer, note):
                    substitution[note.id] = self.inference.infer(*where, argument)
            elif isinstance(note, ast.Subscript) and isinstance(note.slice, ast.Name):
                name = note.slice.id
                if name in substitution or not self._is_variable(value.file, value.outer, note.slice):
                    continue
                holder = note.value.id if isinstance(note.value, ast.Name) else getattr(note.value, "attr", "")
                given = self.inference.infer(*where, argument)
                if holder == "SupportsIter":
                    iterators = (protocols.method_result(self.inference, v, "__iter__") for v in given.values)
                    substitution[name] = union(iterators) if given.values else given
                elif holder in ("type", "Type"):
                    substitution[name] = self.inference.instances_of(given)
                elif holder in ("Iterable", "Sequence", "list", "List", "Iterator", "Collection", "set"):
                    substitution[name] = protocols.iterated(self.inference, given)

    def literals(self, file: PyFile, scope: Scope, node: ast.expr, depth: int = 0) -> frozenset[object] | None:
        """The values that a `Literal` annotation (or alias, or union of them) allows; None if it is none."""
        if depth > 6:
            return None
        match node:
            case ast.Subscript(value=value, slice=index):
                if self.name_of(file, scope, value) != "Literal":
                    return None
                items = index.elts if isinstance(index, ast.Tuple) else [index]
                return frozenset(i.value for i in items if isinstance(i, ast.Constant))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                one, two = (self.literals(file, scope, n, depth + 1) for n in (left, right))
                return one | two if one is not None and two is not None else None
            case ast.Name(id=name):
                for target in self.world.lookup(file, scope, name).targets:
                    binding = target.binding
                    if binding is None or target.file is None or binding.value is None:
                        continue
                    if binding.how is How.ASSIGN and not isinstance(binding.value, ast.Call):
                        return self.literals(target.file, binding.scope, binding.value, depth + 1)
        return None


_VARIABLES = ("TypeVar", "ParamSpec", "TypeVarTuple")


def _callee(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
