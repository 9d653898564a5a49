"""Calls: the one around an offset, and what it calls with which parameters."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from graft_indexer.attributes import attribute
from graft_indexer.bindings import FUNCTIONS, How
from graft_indexer.classes import ATTRS_MODULES
from graft_indexer.decorators import decorated_function, decorator_names
from graft_indexer.facts import Parameter, ParameterKind, Signature, Span
from graft_indexer.graph import CallSite, CallTarget
from graft_indexer.positions import path_to
from graft_indexer.pytree import Tree
from graft_indexer.receivers import Inference
from graft_indexer.signatures import signature_of
from graft_indexer.symbols import class_symbol, function_symbol
from graft_indexer.values import ClassValue, Cls, FunctionValue, Instance, Result, Value


def call_site(tree: Tree, node: ast.Call) -> CallSite:
    """Spans of a call expression."""
    start, end = tree.start(node), tree.end(node)
    callee_end = tree.end(node.func)
    opening = tree.data.find(b"(", callee_end, end)
    return CallSite(Span(start, end), Span(start, callee_end), Span(opening, end))


def calls_around(tree: Tree, offset: int) -> ast.Call | None:
    """The innermost call whose parentheses enclose `offset`."""
    found: ast.Call | None = None
    for node in path_to(tree, offset):
        if isinstance(node, ast.Call):
            site = call_site(tree, node)
            if site.arguments.start < offset < site.arguments.end:
                found = node
    return found


def call_node(tree: Tree, site: CallSite) -> ast.Call | None:
    """The node of a call site."""
    for node in path_to(tree, site.callee.start):
        if isinstance(node, ast.Call) and tree.span(node) == site.span:
            return node
    return None


def targets_of(inference: Inference, result: Result) -> tuple[list[CallTarget], str]:
    """What calling any of several values calls; with why there may be more, or other parameters."""
    found: list[CallTarget] = []
    reason = result.reason
    for value in result.values:
        targets, why = _targets(inference, value)
        found += targets
        reason = reason or why
    if not found and not reason:
        reason = "not callable"
    return found, reason


def _targets(inference: Inference, value: Value) -> tuple[list[CallTarget], str]:
    match value:
        case FunctionValue():
            return _function(inference, value)
        case ClassValue(cls=cls, exact=exact):
            targets, why = constructor(inference, cls)
            return targets, why or ("" if exact else "a subclass may be called")
        case Instance():
            called = attribute(inference, value, "__call__")
            if not called.values:
                return [], called.reason or "not callable"
            return targets_of(inference, called)
    return [], "not callable"


def _function(inference: Inference, value: FunctionValue) -> tuple[list[CallTarget], str]:
    nodes = value.overloads or (value.node,)
    targets = []
    for node in nodes:
        symbol = function_symbol(value.file, node, value.outer)
        signature = signature_of(value.file.tree, node, skip_first=value.bound)
        targets.append(CallTarget(symbol, signature))
    reason = "its defaults are set" if value.file.in_workspace and inference.refitted(value.node.name) else ""
    if any(value.file.tree.header_broken(node) for node in nodes):
        reason = reason or "its header does not parse"
    receiver = value.receiver
    overridable = isinstance(receiver, Instance | ClassValue) and not receiver.exact and not value.fixed
    if value.owner is not None and isinstance(receiver, Instance | ClassValue) and overridable:
        below, why = inference.subclasses(receiver.cls)
        if why:
            reason = why
        for cls in below:
            if inference.classes.own_member(cls, value.node.name) is not None:
                reason = "a subclass overrides it"
    return targets, reason


def constructor(inference: Inference, cls: Cls) -> tuple[list[CallTarget], str]:
    """What calling a class calls: `__init__` or `__new__`, or what a dataclass or named tuple makes of its fields."""
    classes = inference.classes
    shape = classes.shape(cls)
    symbol = class_symbol(cls)
    for current in shape.order:
        for keyword in current.node.keywords:
            if keyword.arg == "metaclass":
                meta = inference.infer(current.file, current.outer, keyword.value)
                if not meta.closed or not meta.values:
                    return [], "the metaclass is not known"
                for one in meta.values:
                    if isinstance(one, ClassValue):
                        called = classes.member(one.cls, "__call__")
                        if called is not None and called.owner.full_name != "builtins.type":
                            return [], "the metaclass changes calls"
    if any(c.full_name in ("enum.Enum", "typing.TypedDict", "typing._TypedDict") for c in shape.order):
        return [], "an enumeration or a typed dictionary"
    if any(c.full_name in ("ast.AST", "_ast.AST") for c in shape.order):
        return [], "nodes are made without fields, too"
    for current in shape.order:
        init = classes.own_member(current, "__init__")
        new = classes.own_member(current, "__new__")
        if current.full_name == "builtins.object":
            break
        if init is not None or new is not None:
            why = _unseen(inference, cls, current) or _narrower(inference, shape.order, current)
            both = [m for m in (init, new) if m is not None]
            if len(both) == 2 or (init is None and new is not None):
                later = None if init is not None else classes.member(cls, "__init__")
                if len(both) == 2 and not current.file.is_stub:
                    return [], "it has __init__ and __new__"
                if later is not None and later.owner.full_name != "builtins.object" and not current.file.is_stub:
                    return [], "it has __init__ and __new__"
            member = init or new
            assert member is not None
            functions = [b for b in member.bindings if b.how is How.FUNCTION]
            if len(functions) != len(member.bindings) or not functions:
                return [], "__init__ is not a plain function"
            targets: list[CallTarget] = []
            overloaded = [b for b in functions if _is_overload(b.node)] or functions
            for binding in overloaded:
                assert isinstance(binding.node, FUNCTIONS)
                if not binding.dead or len(overloaded) == 1:
                    value = decorated_function(inference, current.file, binding)
                    why = why or value.reason
                    if current.file.tree.header_broken(binding.node):
                        why = why or "its header does not parse"
                    targets.append(CallTarget(symbol, signature_of(current.file.tree, binding.node, skip_first=True)))
            return targets, why or (shape.reason and _before(inference, cls, current))
        fields = _synthesised(inference, cls, current)
        if fields is not None:
            return [CallTarget(symbol, fields[0])], fields[1] or _unseen(inference, cls, current)
    if shape.reason:
        return [], shape.reason
    return [CallTarget(symbol, Signature())], ""


def _is_overload(node: ast.AST) -> bool:
    for decorator in getattr(node, "decorator_list", []):
        name = decorator.id if isinstance(decorator, ast.Name) else getattr(decorator, "attr", "")
        if name == "overload":
            return True
    return False


def _narrower(inference: Inference, order: Sequence[Cls], owner: Cls) -> str:
    """Why an exception takes more than its stub says: its source leaves the constructor to those above, which take
    anything (`unittest.SkipTest`)."""
    if not owner.file.is_stub or all(c.full_name != "builtins.BaseException" for c in order):
        return ""
    twin = inference.classes.twin(owner)
    if twin is None or any(inference.classes.own_member(twin, n) for n in ("__init__", "__new__")):
        return ""
    return "its source has no constructor of its own"


def _before(inference: Inference, cls: Cls, owner: Cls) -> str:
    """Why another `__init__` may come first: something before `owner` in the order is not known."""
    for current in inference.classes.shape(cls).order:
        _, reason = inference.classes.bases(current)
        if reason and current != owner:
            return reason
        if current == owner:
            return ""
    return "the order of bases is not known"


def _unseen(inference: Inference, cls: Cls, owner: Cls) -> str:
    for current in inference.classes.shape(cls).order:
        for decorator in current.node.decorator_list:
            if not inference.classes.known_decorator(current, decorator):
                return f"the decorator {ast.unparse(decorator)[:60]} is not known"
        if current == owner:
            break
    return _before(inference, cls, owner)


# -- classes that make their own __init__ --------------------------------------------------------------------------


def _synthesised(inference: Inference, cls: Cls, current: Cls) -> tuple[Signature, str] | None:
    """The signature of an `__init__` that a decorator or base makes for `current`; None if none does."""
    if any(c.full_name in ("typing.NamedTuple",) for c in _direct(inference, current)):
        return _named_tuple(current), ""
    for decorator in current.node.decorator_list:
        options = {k.arg: k.value for k in decorator.keywords} if isinstance(decorator, ast.Call) else {}
        names = decorator_names(inference, current.file, current.outer, decorator)
        if names == {"dataclasses.dataclass"}:
            if _is_false(options.get("init")):
                return None
            return _dataclass(inference, current, options)
        if names and all(n.split(".")[0] in ATTRS_MODULES for n in names):
            return Signature(), "attrs makes __init__"
    return None


def _direct(inference: Inference, cls: Cls) -> list[Cls]:
    return [b.cls for b in inference.classes.bases(cls)[0]]


def _named_tuple(cls: Cls) -> Signature:
    parameters = []
    for statement in cls.node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            default = cls.file.tree.source(statement.value) if statement.value is not None else None
            note = cls.file.tree.source(statement.annotation)
            parameters.append(Parameter(statement.target.id, annotation=note, default=default))
    return Signature(tuple(parameters), "None")


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _dataclass(inference: Inference, cls: Cls, options: dict[str | None, ast.expr]) -> tuple[Signature, str]:
    fields: dict[str, Parameter] = {}
    reason = ""
    if None in options:
        reason = "options of the dataclass are computed"
    for current in reversed(inference.classes.shape(cls).order):
        decorated, current_options = _is_dataclass(inference, current)
        if not decorated:
            continue
        keyword_only = _is_true(current_options.get("kw_only"))
        for statement in _fields(current.node.body):
            if isinstance(statement, ast.If | ast.Try | ast.With):
                reason = "fields under conditions"
                continue
            assert isinstance(statement, ast.AnnAssign)
            assert isinstance(statement.target, ast.Name)
            name = statement.target.id
            special = inference.annotations.name_of(current.file, current.scope, statement.annotation)
            note = current.file.tree.source(statement.annotation)
            if special == "ClassVar" or "ClassVar" in note:
                continue
            if special == "KW_ONLY" or note.rpartition(".")[2] == "KW_ONLY":
                keyword_only = True
                continue
            made = _field(current.file.tree, statement.value)
            if made is None:
                fields.pop(name, None)
                continue
            default, kw = made
            if default == "?":
                reason = "a field is made by something else"
            kind = (
                ParameterKind.KEYWORD_ONLY
                if (keyword_only if kw is None else kw)
                else (ParameterKind.POSITIONAL_OR_KEYWORD)
            )
            fields[name] = Parameter(name, kind, note, default)  # a redefined field keeps its place
    ordered = sorted(fields.values(), key=lambda p: p.kind is ParameterKind.KEYWORD_ONLY)
    return Signature(tuple(ordered), "None"), reason


def _fields(body: list[ast.stmt]) -> list[ast.stmt]:
    return [s for s in body if _is_field(s) or (isinstance(s, ast.If | ast.Try | ast.With) and _has_fields(s))]


def _is_field(statement: ast.AST) -> bool:
    return isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)


def _has_fields(statement: ast.stmt) -> bool:
    return any(isinstance(n, ast.AnnAssign) for n in ast.walk(statement))


def _field(tree: Tree, value: ast.expr | None) -> tuple[str | None, bool | None] | None:
    """(default, keyword-only) of a field; None if it is not a parameter."""
    if not isinstance(value, ast.Call):
        return (tree.source(value) if value is not None else None), None
    name = value.func.id if isinstance(value.func, ast.Name) else getattr(value.func, "attr", "")
    if name != "field":
        return tree.source(value), None
    options = {k.arg: k.value for k in value.keywords}
    if None in options:
        return "?", None
    if _is_false(options.get("init")):
        return None
    default = options.get("default") or options.get("default_factory")
    kw: bool | None = None
    if "kw_only" in options:
        kw = _is_true(options["kw_only"])
    return (tree.source(default) if default is not None else None), kw


def _is_dataclass(inference: Inference, cls: Cls) -> tuple[bool, dict[str | None, ast.expr]]:
    for decorator in cls.node.decorator_list:
        if decorator_names(inference, cls.file, cls.outer, decorator) == {"dataclasses.dataclass"}:
            options = {k.arg: k.value for k in decorator.keywords} if isinstance(decorator, ast.Call) else {}
            return True, options
    return False, {}
