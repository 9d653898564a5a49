"""What the statements of one block bind, in the order in which they stand."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from graft_indexer.bindings import Binding, How
from graft_indexer.branches import Known, is_guard, truth
from graft_indexer.pytree import children, fix_formatted

if TYPE_CHECKING:
    from graft_indexer.scopes import Scope


class Collector:
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
                guarded = known is not None or is_guard(node.test)
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
