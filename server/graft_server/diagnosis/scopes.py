"""Which names of a module are bound nowhere that Python would look: scopes as the language reference defines them.

Order of execution is not considered: a name that is bound anywhere in a visible scope counts as bound.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from graft_server.diagnosis.source import children

BUILTINS = frozenset(dir(builtins)) | {
    *("ExceptionGroup", "BaseExceptionGroup", "EncodingWarning", "PythonFinalizationError", "aiter", "anext"),
    *("exit", "quit", "copyright", "credits", "license", "WindowsError", "__build_class__"),
}
MODULE_NAMES = frozenset(
    {
        *("__name__", "__doc__", "__file__", "__path__", "__package__", "__loader__", "__spec__", "__builtins__"),
        *("__annotations__", "__cached__", "__dict__", "__debug__"),
    }
)
CLASS_NAMES = frozenset({"__module__", "__qualname__", "__annotations__", "__firstlineno__", "__static_attributes__"})
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(eq=False)
class Scope:
    """Names bound in one scope, and the names read in it."""

    kind: Literal["module", "class", "function", "comprehension"]
    parent: Scope | None = None
    bound: set[str] = field(default_factory=set)
    outer: dict[str, Literal["global", "nonlocal"]] = field(default_factory=dict)
    uses: list[ast.Name] = field(default_factory=list)
    star: bool = False
    dynamic: bool = False


def unbound(tree: ast.Module) -> Iterator[ast.Name]:
    """Names that are read or deleted and that no visible scope binds, in no particular order.

    Yields nothing where a star import, `exec` or a write through `globals()` could bind anything.
    """
    scopes = _scopes(tree)
    for scope in scopes:
        for name in scope.uses:
            if not _found(name.id, scope, scopes[0]):
                yield name


def missing_names(tree: ast.Module) -> list[str]:
    """Names that are read and bound nowhere, in the order of their first use, and after them those that `__all__`
    promises, or annotations name in quotes, and the module does not bind: what its imports have to bring.  Empty where
    anything may be bound."""
    scopes = _scopes(tree)
    if not scopes:
        return []
    module = scopes[0]
    unknown = [n for s in scopes for n in s.uses if isinstance(n.ctx, ast.Load) and not _found(n.id, s, module)]
    unknown.sort(key=lambda n: (n.lineno, n.col_offset))
    others = [name for name in (*_quoted(tree), *_promised(tree)) if not _found(name, module, module)]
    return list(dict.fromkeys([*(n.id for n in unknown), *others]))


def _quoted(tree: ast.Module) -> Iterator[str]:
    """Names in annotations that are written as strings, type parameters and inner classes among them."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(returns=annotation) | ast.AsyncFunctionDef(returns=annotation):
                pass
            case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
                pass
            case _:
                continue
        for part in ast.walk(annotation) if annotation is not None else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and len(part.value) < 200:
                try:
                    inside = ast.parse(part.value.strip(), mode="eval")
                except (SyntaxError, ValueError):
                    continue
                yield from (n.id for n in ast.walk(inside) if isinstance(n, ast.Name))


def _promised(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=items) | ast.Tuple(elts=items))
                | ast.AugAssign(target=ast.Name(id="__all__"), value=ast.List(elts=items) | ast.Tuple(elts=items))
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.List(elts=items) | ast.Tuple(elts=items))
            ):
                yield from (i.value for i in items if isinstance(i, ast.Constant) and isinstance(i.value, str))


def _scopes(tree: ast.Module) -> list[Scope]:
    """All scopes, the module's first; none where code that no parser sees may bind anything."""
    builder = _Builder()
    module = builder.scope("module", None)
    builder.body(tree.body, module)
    if any(s.dynamic or (s.star and s.kind == "module") for s in builder.scopes):
        return []
    return builder.scopes


def _found(name: str, scope: Scope, module: Scope) -> bool:
    at: Scope | None = scope
    first = True
    if scope.outer.get(name) == "global":
        at, first = module, True
    while at is not None:
        if (first or at.kind != "class") and (name in at.bound or at.star):
            return True
        if at.kind == "class" and (name == "__class__" or (first and name in CLASS_NAMES)):
            return True
        # A comprehension in a class body sees the class only through its first iterable, which is read in the class.
        first = False
        at = at.parent
    return name in BUILTINS or name in MODULE_NAMES


class _Builder:
    """Collects scopes; one method per kind of place, because defaults and decorators are read outside the function."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    def scope(self, kind: Literal["module", "class", "function", "comprehension"], parent: Scope | None) -> Scope:
        scope = Scope(kind, parent)
        self.scopes.append(scope)
        return scope

    def body(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        stack = list(nodes)
        while stack:
            node = stack.pop()
            kind = type(node)
            if kind is ast.Name:
                self.name(node, scope)  # type: ignore[arg-type]
                continue
            if kind in _FUNCTIONS:
                self.function(node, scope)  # type: ignore[arg-type]
            elif kind is ast.Lambda:
                inner = self.scope("function", scope)
                self.arguments(node.args, scope, inner)  # type: ignore[attr-defined]
                self.body([node.body], inner)  # type: ignore[attr-defined]
            elif kind is ast.ClassDef:
                self.klass(node, scope)  # type: ignore[arg-type]
            elif kind in _COMPREHENSIONS:
                self.comprehension(node, scope)
            else:
                self.other(node, scope)
                stack.extend(children(node))

    def name(self, node: ast.Name, scope: Scope) -> None:
        if isinstance(node.ctx, ast.Store):
            self.bind(node.id, scope)
        else:
            scope.uses.append(node)

    def bind(self, name: str, scope: Scope) -> None:
        if scope.outer.get(name) == "global":
            self.scopes[0].bound.add(name)
        scope.bound.add(name)

    def other(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    self.bind(alias.asname or alias.name.split(".", 1)[0], scope)
            case ast.ImportFrom(names=names):
                for alias in names:
                    if alias.name == "*":
                        scope.star = True
                    else:
                        self.bind(alias.asname or alias.name, scope)
            case ast.Global(names=names):
                for name in names:
                    scope.outer[name] = "global"
                    # Some other module, or code that runs before, may set it; pyflakes sees it the same way.
                    self.scopes[0].bound.add(name)
            case ast.Nonlocal(names=names):
                scope.outer.update(dict.fromkeys(names, "nonlocal"))
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self.bind(name, scope)
            case ast.MatchMapping(rest=str(name)):
                self.bind(name, scope)
            case ast.NamedExpr(target=ast.Name(id=name)):
                at = scope
                while at.kind == "comprehension" and at.parent is not None:
                    at = at.parent
                self.bind(name, at)
            case ast.Call():
                scope.dynamic = scope.dynamic or _binds_anything(node)
            case ast.Subscript(value=ast.Call(func=ast.Name(id="globals" | "vars" | "locals")), ctx=ast.Store()):
                scope.dynamic = True
            case ast.Assign(value=ast.Call(func=ast.Name(id="globals" | "vars" | "locals"), args=[])):
                scope.dynamic = True
            case _:
                name_of_alias = getattr(node, "name", None)
                if type(node).__name__ == "TypeAlias" and isinstance(name_of_alias, ast.Name):
                    self.bind(name_of_alias.id, scope)
                if type(node).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple") and isinstance(name_of_alias, str):
                    self.bind(name_of_alias, scope)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        self.bind(node.name, scope)
        self.body(node.decorator_list, scope)
        outer = self.type_parameters(node, scope)
        inner = self.scope("function", outer)
        self.arguments(node.args, scope, inner, annotations=outer)
        if node.returns is not None:
            self.body([node.returns], outer)
        self.body(node.body, inner)

    def type_parameters(self, node: ast.AST, scope: Scope) -> Scope:
        parameters = getattr(node, "type_params", None)
        if not parameters:
            return scope
        # A type parameter scope sees the names of the class around it; a comprehension scope behaves alike here.
        inner = self.scope("comprehension", scope)
        inner.bound |= scope.bound if scope.kind == "class" else set()
        self.body(parameters, inner)
        return inner

    def arguments(self, arguments: ast.arguments, outer: Scope, inner: Scope, annotations: Scope | None = None) -> None:
        self.body([*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)], outer)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        for argument in every:
            inner.bound.add(argument.arg)
            if argument.annotation is not None:
                self.body([argument.annotation], annotations or outer)

    def klass(self, node: ast.ClassDef, scope: Scope) -> None:
        self.bind(node.name, scope)
        self.body(node.decorator_list, scope)
        outer = self.type_parameters(node, scope)
        self.body([*node.bases, *node.keywords], outer)
        self.body(node.body, self.scope("class", outer))

    def comprehension(self, node: ast.AST, scope: Scope) -> None:
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        inner = self.scope("comprehension", scope)
        self.body([generators[0].iter], scope)
        parts: list[ast.AST] = []
        for index, generator in enumerate(generators):
            parts += [generator.target, *generator.ifs, *([generator.iter] if index else [])]
        elements = [getattr(node, f) for f in ("elt", "key", "value") if isinstance(getattr(node, f, None), ast.AST)]
        self.body(parts + elements, inner)


_READERS = ("get", "items", "keys", "values", "copy", "__contains__", "__getitem__")


def _binds_anything(call: ast.AST) -> bool:
    """`exec(code)`, `globals().update(...)`, `f(globals())`: the namespace may get names that no parser sees."""
    match call:
        case ast.Call(func=ast.Name(id="exec" | "execfile"), args=args):
            return len(args) < 2 or _is_namespace(args[1])
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if _is_namespace(value):
            return attr not in _READERS
        case ast.Call(func=ast.Name(id=function), args=args) if function in _PURE:
            return False
        case ast.Call(args=args):
            return any(_is_namespace(a) for a in args)
    return False


_PURE = ("sorted", "list", "dict", "len", "set", "tuple", "iter", "isinstance", "repr", "str", "print", "eval", "any")


def _is_namespace(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="globals" | "vars"), args=[]):
            return True
        case ast.Attribute(attr="__dict__", value=ast.Subscript(value=ast.Attribute(attr="modules"))):
            return True
    return False
