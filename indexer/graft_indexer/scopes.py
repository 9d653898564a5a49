"""Scopes and bindings of one file: which name is bound where, by what, and who sees it.

A scope is built when it is first asked for, from its own statements only; nested functions and classes are names in it
and scopes of their own.  The rules are those of the language reference, section 4.2 (naming and binding): classes are
invisible to functions inside them, a comprehension's first iterable belongs outside, walrus targets leave
comprehensions, `except ... as` names end with their handler, type parameters have a scope around their definition.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property

from graft_indexer.pytree import Tree, children, fix_formatted

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
ScopeNode = ast.Module | Function | ast.Lambda | ast.ClassDef | Comprehension

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class How(Enum):
    """How a name comes to its value."""

    ASSIGN = auto()
    """`value` is assigned, taken apart along `path`."""
    DECLARE = auto()
    """Annotation without a value."""
    AUGMENT = auto()
    FOR = auto()
    """Item of iterating over `value`."""
    WITH = auto()
    """What entering `value` gives."""
    EXCEPT = auto()
    """Instance of the exception class (or one of the tuple) `value`."""
    IMPORT = auto()
    FROM = auto()
    STAR = auto()
    FUNCTION = auto()
    CLASS = auto()
    PARAMETER = auto()
    DELETE = auto()
    MATCH = auto()
    TYPE_PARAMETER = auto()
    TYPE_ALIAS = auto()
    IMPLICIT = auto()
    """`__name__` and its like, `__class__` in methods."""


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One place that binds `name` in `scope`.

    `node` is the AST node whose span is the name's (see `Tree.name_span`), `statement` the statement around it.
    """

    name: str
    how: How
    node: ast.AST
    scope: Scope
    statement: ast.stmt | None = None
    value: ast.expr | None = None
    annotation: ast.expr | None = None
    path: tuple[int | str, ...] = ()
    """Into `value`: index from the front, `*n` for the starred target at n; empty for all of it."""
    conditional: bool = False
    dead: bool = False
    """Below a version test that is false for the environment's Python."""
    guarded: bool = False
    """Below `try` with handlers, a version test or TYPE_CHECKING."""
    is_async: bool = False
    origin: Scope | None = None
    """For `global`/`nonlocal` writes and walrus targets: the scope that does it."""


@dataclass(eq=False)
class Scope:
    """A block with its own names.  `node` is None only for the scope of builtins."""

    node: ScopeNode
    parent: Scope | None
    tree: Tree
    name: str = ""
    """Qualified name inside the module (`C.f.<locals>.g`); empty for the module."""
    type_parameters: bool = False
    """The scope around a definition with type parameters (PEP 695)."""
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    stars: list[Binding] = field(default_factory=list)
    dynamic: str = ""
    """Why names may exist that cannot be seen (`exec`, writes to `globals()`); empty if none can."""
    nested: dict[int, Scope] = field(default_factory=dict)

    @property
    def is_module(self) -> bool:
        return isinstance(self.node, ast.Module)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef) and not self.type_parameters

    @property
    def is_function(self) -> bool:
        return isinstance(self.node, (*FUNCTIONS, ast.Lambda)) and not self.type_parameters

    def child(self, node: ScopeNode) -> Scope:
        """The scope of a definition, lambda or comprehension that stands directly in this one."""
        found = self.nested.get(id(node))
        if found is None or found.node is not node:
            found = _make(node, self)
            self.nested[id(node)] = found
        return found

    def forget(self, node: ScopeNode) -> None:
        """The statements of a definition in this scope are others now."""
        self.nested.pop(id(node), None)
        self.nested.pop(-id(node), None)

    @cached_property
    def unit(self) -> str:
        """Qualified name of the outermost function that this scope is or lies in; empty if it lies in none."""
        outer = self.parent.unit if self.parent is not None else ""
        return outer or (self.name if self.is_function and isinstance(self.node, FUNCTIONS) else "")

    @property
    def function(self) -> Scope | None:
        """This scope or the nearest function around it (comprehensions and type parameters skipped)."""
        scope: Scope | None = self
        while scope is not None and not scope.is_function:
            if scope.is_class or scope.is_module:
                return None
            scope = scope.parent
        return scope

    @property
    def enclosing_class(self) -> Scope | None:
        """The class whose body directly holds this function."""
        scope = self.parent
        while scope is not None and scope.type_parameters:
            scope = scope.parent
        return scope if scope is not None and scope.is_class else None

    @property
    def module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the environment, for conditions: the version (major, minor) to assume."""

    version: tuple[int, int] = (3, 11)


def module_scope(tree: Tree, tests: Known = Known(), implicit: Iterable[str] = ()) -> Scope:
    """The scope of a module with its bindings, `global` writes of its functions included."""
    module = ast.Module(body=tree.body, type_ignores=[])
    scope = Scope(module, None, tree)
    collector = _Collector(scope, tests, walrus=":=" in tree.text)
    collector.block(tree.body)
    if "global " in tree.text:
        for statement in tree.body:
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef, ast.If, ast.Try, ast.With, ast.For)):
                _global_writes(statement, scope, tests)
    for name in implicit:
        scope.bindings.setdefault(name, []).append(Binding(name, How.IMPLICIT, module, scope))
    if not scope.dynamic:
        scope.dynamic = _dynamic_module(tree)
    return scope


def _dynamic_module(tree: Tree) -> str:
    text = tree.text
    if "_enum" in text and _SPREAD.search(text):
        return "an enum is spread over the module"
    if not any(word in text for word in ("globals()", "exec(", "vars()", "locals()", "sys.modules[", "_convert")):
        return ""
    for statement in tree.body:
        reason = _dynamic(statement)
        if reason:
            return reason
    return ""


_SPREAD = re.compile(r"^[ \t]*@(?:\w+\.)*(?:global_enum|_simple_enum)\b", re.M)
_NAMESPACES = ("globals", "locals", "vars")
_READS = ("get", "keys", "items", "values", "copy", "__contains__", "__getitem__")


def _dynamic(node: ast.AST) -> str:
    """Why running `node` at module level may bind module names that cannot be seen; empty if it cannot."""
    stack: list[tuple[ast.AST, ast.AST, bool]] = [(node, node, True)]
    while stack:
        current, parent, top = stack.pop()
        match current:
            case ast.Call(func=ast.Name(id=name), args=[]) if name in _NAMESPACES and (top or name == "globals"):
                harmless = (
                    (isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Load))
                    or (isinstance(parent, ast.Attribute) and parent.attr in _READS)
                    or isinstance(parent, ast.Compare | ast.For | ast.comprehension)
                    or (isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in _PURE)
                )
                if not harmless:
                    return f"{name}() is written to or handed on"
            case ast.Call(func=ast.Name(id="exec")) if top or len(current.args) >= 2:
                return "exec is called"
            case ast.Call(func=ast.Attribute(attr="_convert_" | "_convert")):
                return "an enum is spread over the module"
            case ast.Subscript(value=ast.Attribute(attr="modules"), slice=ast.Name(id="__name__")):
                return "the module replaces or changes itself in sys.modules"
        inner = top and not isinstance(current, (*FUNCTIONS, ast.Lambda))
        stack.extend((child, current, inner) for child in children(current))
    return ""


_PURE = ("len", "list", "sorted", "set", "dict", "dir", "tuple", "eval")


def _global_writes(node: ast.stmt, module: Scope, tests: Known) -> None:
    """Bindings that functions below `node` make at module level by `global`."""
    stack: list[ast.AST] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, FUNCTIONS):
            names = {n for s in ast.walk(current) if isinstance(s, ast.Global) for n in s.names}
            if names:
                inner = Scope(current, module, module.tree)
                _Collector(inner, tests, walrus=False).block(current.body)
                for name in inner.globals:
                    for binding in inner.bindings.get("global " + name, []):
                        module.bindings.setdefault(name, []).append(_moved(binding, module, inner))
                    module.bindings.setdefault(name, [])
        stack.extend(c for c in children(current) if isinstance(c, ast.stmt | ast.excepthandler | ast.match_case))


def _moved(binding: Binding, scope: Scope, origin: Scope) -> Binding:
    return Binding(
        binding.name,
        binding.how,
        binding.node,
        scope,
        binding.statement,
        binding.value,
        binding.annotation,
        binding.path,
        True,
        binding.dead,
        binding.guarded,
        binding.is_async,
        origin,
    )


def _make(node: ScopeNode, parent: Scope) -> Scope:
    tests = Known()
    root = parent.module
    version = getattr(root, "_version", None)
    if version is not None:
        tests = Known(version)
    prefix = f"{parent.name}." if parent.name else ""
    if parent.is_function and parent.name:
        prefix = f"{parent.name}.<locals>."
    name = getattr(node, "name", "<lambda>" if isinstance(node, ast.Lambda) else "<comprehension>")
    scope = Scope(node, parent, parent.tree, prefix + name)
    walrus = ":=" in parent.tree.text
    collector = _Collector(scope, tests, walrus=walrus)
    if isinstance(node, (*FUNCTIONS, ast.Lambda)):
        collector.parameters(node.args)
        if isinstance(node, ast.Lambda):
            collector.expression(node.body)
        else:
            collector.block(node.body)
            if scope.enclosing_class is not None:
                scope.bindings.setdefault("__class__", [Binding("__class__", How.IMPLICIT, node, scope)])
    elif isinstance(node, ast.ClassDef):
        collector.block(node.body)
        for implicit in ("__module__", "__qualname__"):
            scope.bindings.setdefault(implicit, [Binding(implicit, How.IMPLICIT, node, scope)])
    elif isinstance(node, COMPREHENSIONS):
        for generator in node.generators:
            collector.target(generator.target, How.FOR, generator.iter, None, None, is_async=bool(generator.is_async))
    return scope


class _Collector:
    """Walks the statements of one block and fills in its scope."""

    def __init__(self, scope: Scope, tests: Known, *, walrus: bool) -> None:
        self.scope = scope
        self.tests = tests
        self.walrus = walrus
        self.conditional = 0
        self.guarded = 0
        self.dead = 0

    def add(self, binding_name: str, how: How, node: ast.AST, statement: ast.stmt | None, **more: object) -> None:
        scope = self.scope
        binding = Binding(
            binding_name,
            how,
            node,
            scope,
            statement,
            conditional=self.conditional > 0,
            guarded=self.guarded > 0,
            dead=self.dead > 0,
            **more,  # type: ignore[arg-type]
        )
        key = binding_name
        if binding_name in scope.globals:
            key = "global " + binding_name
        elif binding_name in scope.nonlocals:
            key = "nonlocal " + binding_name
        scope.bindings.setdefault(key, []).append(binding)

    def parameters(self, arguments: ast.arguments) -> None:
        for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self.add(arg.arg, How.PARAMETER, arg, None, annotation=arg.annotation)
        for rest, path in ((arguments.vararg, "*"), (arguments.kwarg, "**")):
            if rest is not None:
                self.add(rest.arg, How.PARAMETER, rest, None, annotation=rest.annotation, path=(path,))

    def target(
        self,
        target: ast.expr,
        how: How,
        value: ast.expr | None,
        statement: ast.stmt | None,
        annotation: ast.expr | None,
        path: tuple[int | str, ...] = (),
        *,
        is_async: bool = False,
    ) -> None:
        match target:
            case ast.Name(id=name):
                self.add(name, how, target, statement, value=value, annotation=annotation, path=path, is_async=is_async)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                starred = next((n for n, item in enumerate(items) if isinstance(item, ast.Starred)), len(items))
                for n, item in enumerate(items):
                    step: int | str = n if n < starred else (f"*{n}" if n == starred else n - len(items))
                    self.target(item, how, value, statement, annotation, (*path, step), is_async=is_async)
            case ast.Starred(value=inner):
                self.target(inner, how, value, statement, annotation, path, is_async=is_async)
            case _:
                self.expression(target)

    def expression(self, node: ast.AST | None) -> None:
        """Walrus targets in an expression, those of comprehensions in it included."""
        if node is None or not self.walrus:
            return
        if isinstance(node, ast.NamedExpr):
            self.target(node.target, How.ASSIGN, node.value, None, None)
        if isinstance(node, ast.JoinedStr):
            for item in fix_formatted(self.scope.tree, node):
                self.expression(item)
            return
        for child in children(node):
            if not isinstance(node, ast.Lambda):
                self.expression(child)

    def block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def inside(self, body: list[ast.stmt], *, guarded: bool = False, dead: bool = False) -> None:
        self.conditional += 1
        self.guarded += guarded
        self.dead += dead
        self.block(body)
        self.conditional -= 1
        self.guarded -= guarded
        self.dead -= dead

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for default in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
                    self.expression(default)
                self.add(node.name, How.FUNCTION, node, node)
            case ast.ClassDef():
                for item in (*node.decorator_list, *node.bases, *node.keywords):
                    self.expression(item)
                self.add(node.name, How.CLASS, node, node)
            case ast.Assign(targets=targets, value=value):
                self.expression(value)
                for target in targets:
                    self.target(target, How.ASSIGN, value, node, None)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                self.expression(value)
                how = How.DECLARE if value is None else How.ASSIGN
                self.target(target, how, value, node, annotation)
            case ast.AugAssign(target=target, value=value):
                self.expression(value)
                self.target(target, How.AUGMENT, value, node, None)
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                self.expression(value)
                self.target(target, How.FOR, value, node, None, is_async=isinstance(node, ast.AsyncFor))
                self.inside(node.body)
                self.inside(node.orelse)
            case ast.While():
                self.expression(node.test)
                self.inside(node.body)
                self.inside(node.orelse)
            case ast.If():
                self.expression(node.test)
                known = truth(node.test, self.tests)
                guarded = known is not None or _is_guard(node.test)
                self.inside(node.body, guarded=guarded, dead=known is False)
                self.inside(node.orelse, guarded=guarded, dead=known is True)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for entered in items:
                    self.expression(entered.context_expr)
                    if entered.optional_vars is not None:
                        is_async = isinstance(node, ast.AsyncWith)
                        self.target(
                            entered.optional_vars, How.WITH, entered.context_expr, node, None, is_async=is_async
                        )
                self.inside(body)
            case ast.Try():
                self.try_(node)
            case ast.Match(subject=subject, cases=cases):
                self.expression(subject)
                for case in cases:
                    self.pattern(case.pattern, subject, node)
                    self.expression(case.guard)
                    self.inside(case.body)
            case ast.Import(names=names):
                for alias in names:
                    self.add(alias.asname or alias.name.split(".")[0], How.IMPORT, alias, node)
            case ast.ImportFrom(names=names):
                for alias in names:
                    if alias.name == "*":
                        star = Binding(
                            "*",
                            How.STAR,
                            alias,
                            self.scope,
                            node,
                            conditional=self.conditional > 0,
                            guarded=self.guarded > 0,
                            dead=self.dead > 0,
                        )
                        self.scope.stars.append(star)
                    else:
                        self.add(alias.asname or alias.name, How.FROM, alias, node)
            case ast.Global(names=names):
                if not self.scope.is_module:
                    self.scope.globals.update(names)
                    self._redirect(names, "global ")
            case ast.Nonlocal(names=names):
                self.scope.nonlocals.update(names)
                self._redirect(names, "nonlocal ")
            case ast.Delete(targets=targets):
                for target in targets:
                    self.target(target, How.DELETE, None, node, None)
            case ast.Expr(value=value) | ast.Return(value=value):
                self.expression(value)
                if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "exec":
                    self.scope.dynamic = "exec is called"
            case _ if node.__class__.__name__ == "TryStar":
                self.try_(node)  # type: ignore[arg-type]
            case _ if node.__class__.__name__ == "TypeAlias":
                self.target(node.name, How.TYPE_ALIAS, node.value, node, None)  # type: ignore[attr-defined]
            case _:
                for child in children(node):
                    self.expression(child)

    def _redirect(self, names: list[str], prefix: str) -> None:
        for name in names:
            if name in self.scope.bindings:
                self.scope.bindings[prefix + name] = self.scope.bindings.pop(name)

    def try_(self, node: ast.Try) -> None:
        guarded = bool(node.handlers)
        self.inside(node.body, guarded=guarded)
        for handler in node.handlers:
            if handler.name is not None:
                self.conditional += 1
                self.add(handler.name, How.EXCEPT, handler, node, value=handler.type)
                self.conditional -= 1
            self.inside(handler.body, guarded=True)
        self.inside(node.orelse, guarded=guarded)
        self.block(node.finalbody)

    def pattern(self, pattern: ast.pattern, subject: ast.expr, statement: ast.stmt) -> None:
        for node in ast.walk(pattern):
            match node:
                case ast.MatchAs(name=str(name)):
                    cls = node.pattern.cls if isinstance(node.pattern, ast.MatchClass) else None
                    whole = node is pattern and (cls is None)
                    self.conditional += 1
                    self.add(
                        name,
                        How.MATCH,
                        node,
                        statement,
                        value=cls or (subject if whole else None),
                        path=("cls",) if cls else (),
                    )
                    self.conditional -= 1
                case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                    self.add(name, How.MATCH, node, statement)


def _is_guard(test: ast.expr) -> bool:
    """Whether a condition asks for a version, a platform or a type checker in a way that is not decided."""
    for node in ast.walk(test):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in ("version_info", "platform", "hexversion", "TYPE_CHECKING", "MYPY", "PY2", "PY3", "implementation"):
            return True
    return False


def truth(test: ast.expr, tests: Known) -> bool | None:
    """The value of a version test; None if it is not one (platforms are never decided)."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            known = truth(operand, tests)
            return None if known is None else not known
        case ast.BoolOp(op=op, values=values):
            parts = [truth(v, tests) for v in values]
            if isinstance(op, ast.And):
                return False if False in parts else (True if all(p is True for p in parts) else None)
            return True if True in parts else (False if all(p is False for p in parts) else None)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _version_test(left, op, right, tests)
        case ast.Name(id="PY2"):
            return False
    return None


def _version_test(left: ast.expr, op: ast.cmpop, right: ast.expr, tests: Known) -> bool | None:
    if not _is_version_info(left):
        if (
            isinstance(left, ast.Subscript)
            and _is_version_info(left.value)
            and isinstance(left.slice, ast.Constant)
            and left.slice.value == 0
            and isinstance(right, ast.Constant)
            and isinstance(right.value, int)
        ):
            return _compare((3,), op, (right.value,))
        return None
    try:
        wanted = ast.literal_eval(right)
    except ValueError:
        return None
    if not isinstance(wanted, tuple) or not wanted or not all(isinstance(n, int) for n in wanted):
        return None
    if len(wanted) == 1 and wanted[0] == 3:
        return _compare((3, 1), op, (3, 0))
    # The micro version is unknown: compare as many parts as both have.
    if len(wanted) > 2:
        return _compare(tests.version, op, wanted[:2]) if wanted[:2] != tests.version else None
    return _compare((*tests.version, 1) if len(wanted) == 2 else tests.version[:1], op, wanted)


def _is_version_info(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "version_info"


def _compare(have: tuple[int, ...], op: ast.cmpop, wanted: tuple[int, ...]) -> bool | None:
    match op:
        case ast.GtE():
            return have >= wanted
        case ast.Gt():
            return have > wanted
        case ast.Lt():
            return have < wanted
        case ast.LtE():
            return have <= wanted
        case ast.Eq():
            return have[: len(wanted)] == wanted
    return None


def type_parameter_scope(scope: Scope, node: Function | ast.ClassDef) -> Scope:
    parameters = getattr(node, "type_params", None)
    if not parameters:
        return scope
    key = -id(node)
    found = scope.nested.get(key)
    if found is None or found.node is not node:
        found = Scope(node, scope, scope.tree, scope.name, type_parameters=True)
        for item in parameters:
            found.bindings[item.name] = [Binding(item.name, How.TYPE_PARAMETER, item, found)]
        scope.nested[key] = found
    return found


def scope_of(scope: Scope, node: Function | ast.ClassDef) -> Scope:
    """The scope of a definition's body, through that of its type parameters."""
    return type_parameter_scope(scope, node).child(node)


def known_child(scope: Scope, node: ast.ClassDef) -> Scope | None:
    """The scope of a class's body if it was ever asked for."""
    outer = scope.nested.get(-id(node), scope)
    found = outer.nested.get(id(node))
    return found if found is not None and found.node is node else None


def lookup(scope: Scope, name: str) -> tuple[Scope, list[Binding]] | None:
    """The scope that binds `name` as seen from `scope` (LEGB without B), with its bindings there."""
    current: Scope | None = scope
    first = True
    while current is not None:
        if name in current.globals:
            module = current.module
            found = module.bindings.get(name, [])
            return (module, found) if found else None
        if name in current.nonlocals:
            current, first = current.parent, False
            while current is not None and (current.is_class or current.is_module):
                current = current.parent
            continue
        if first or not current.is_class:
            found = current.bindings.get(name, [])
            if found and not (current.is_function and all(b.how is How.DELETE for b in found)):
                if current.is_class and not first:
                    pass
                else:
                    return current, found
        # A comprehension directly in a class body does not see the class's names, except in its first iterable.
        if not (current.type_parameters and first):
            first = False
        current = current.parent
    return None


def visible(scope: Scope) -> Iterator[tuple[str, Scope, list[Binding]]]:
    """Every name that LEGB finds from `scope` (builtins excluded), innermost first, each once."""
    seen: set[str] = set()
    current: Scope | None = scope
    first = True
    while current is not None:
        if first or not current.is_class:
            for name, bindings in current.bindings.items():
                if " " in name:
                    continue
                if name not in seen and not all(b.how is How.DELETE for b in bindings):
                    seen.add(name)
                    yield name, current, bindings
        first = False
        current = current.parent


def is_generator(node: Function) -> bool:
    """Whether a function's own body yields."""
    known = getattr(node, "_graft_yields", None)
    if known is None:
        known = _yields(node)
        node._graft_yields = known  # type: ignore[union-attr]
    return bool(known)


def _yields(node: Function) -> bool:
    stack: list[ast.AST] = list(node.body)
    while stack:
        current = stack.pop()
        if isinstance(current, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(current, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            stack.extend(children(current))
    return False
