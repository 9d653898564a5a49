"""`isinstance` and its kin: what a name is in the branch where it stands.

Only tests that certainly hold at the place count: enclosing `if`, `while`, `and`, conditional expressions,
comprehension filters and `match`, earlier `assert`s and early exits in the blocks around.  A test that asks something
else about the same thing (`hasattr`, `type(x) is`, a type guard) makes the receiver open: it may prove what we cannot.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from graft_indexer.bindings import FUNCTIONS
from graft_indexer.positions import path_to
from graft_indexer.pyfile import PyFile
from graft_indexer.scopes import Scope
from graft_indexer.values import Cls, Instance, Result, union, unknown

if TYPE_CHECKING:
    from graft_indexer.receivers import Inference

_NOTHING_LEFT = "nothing is left by the tests"
_ASKING = frozenset({"hasattr", "getattr", "type", "issubclass", "callable", "is_dataclass", "isfunction", "ismethod"})


def dotted(node: ast.expr) -> str:
    """`a.b.c` for names and attributes of names, else empty."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))


def narrow(inference: Inference, file: PyFile, scope: Scope, node: ast.expr) -> Result | None:
    """What tests around `node` make of it; None if they say nothing."""
    if file.is_stub or not hasattr(node, "lineno"):
        return None
    text = dotted(node)
    if not text:
        return None
    relevant = _relevant(file, scope, text.split(".")[0])
    if not relevant:
        return None
    path = path_to(file.tree, file.tree.start(node))
    if not path:
        return None
    if not any(n is node for n in path):
        path.append(node)  # parsed on its own, on a line that does not parse
    return _along(inference, file, scope, path, node, text)


def _relevant(file: PyFile, scope: Scope, root: str) -> bool:
    """Whether any test around asks about a name at all; cheap, from the text of the innermost function."""
    inner: Scope | None = scope
    while inner is not None and not isinstance(inner.node, FUNCTIONS):
        inner = inner.parent
    if inner is None:
        known = file.memo.get("asked")
        if known is None:
            known = file.memo["asked"] = _asked(file.tree.data)
    else:
        known = getattr(inner.node, "_graft_asked", None)
        if known is None:
            known = _asked(file.tree.data[file.tree.start(inner.node) : file.tree.end(inner.node)])
            inner.node._graft_asked = known  # type: ignore[union-attr]
    return root.encode() in known  # type: ignore[operator]


def _asked(data: bytes) -> frozenset[bytes]:
    """Names that stand where a test asks about one.  Plain searches for each word: an expression of them all takes ten
    times as long, and this is asked for after every edit."""
    found: set[bytes] = set()
    for word in _QUESTIONS:
        at = data.find(word)
        while at >= 0:
            name = _NAME.match(data, at + len(word))
            if name is not None:
                found.add(name[1])
            at = data.find(word, at + 1)
    at = data.find(b".__class__")
    while at >= 0:
        before = _LAST_NAME.search(data, max(0, at - 100), at)
        if before is not None:
            found.add(before[0])
        at = data.find(b".__class__", at + 1)
    return frozenset(found)


_QUESTIONS = (*(word.encode() + b"(" for word in sorted(_ASKING | {"isinstance"})), b"match ", b"match\t")
_NAME = re.compile(rb"[ \t]*([\w\x80-\xff]+)")
_LAST_NAME = re.compile(rb"[\w\x80-\xff]+\Z")


def _along(
    inference: Inference, file: PyFile, scope: Scope, path: list[ast.AST], node: ast.expr, text: str
) -> Result | None:
    for index in range(len(path) - 2, -1, -1):
        parent, child = path[index], path[index + 1]
        if isinstance(parent, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            return _before(inference, file, scope, parent, child, text)
        found = _inside(inference, file, scope, parent, child, text, node)
        if found is None:
            found = _before(inference, file, scope, parent, child, text)
        if found is not None:
            return found
    top = file.tree.body
    return _earlier(inference, file, scope, top, path[0], text)


def _inside(
    inference: Inference, file: PyFile, scope: Scope, parent: ast.AST, child: ast.AST, text: str, node: ast.expr
) -> Result | None:
    match parent:
        case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
            if any(s is child for s in body):
                return _checked(inference, file, scope, test, text, True, parent)
            if any(s is child for s in orelse):
                return _checked(inference, file, scope, test, text, False, parent)
        case ast.IfExp(test=test, body=yes, orelse=no):
            if child is yes:
                return _checked(inference, file, scope, test, text, True, parent)
            if child is no:
                return _checked(inference, file, scope, test, text, False, parent)
        case ast.BoolOp(op=op, values=values):
            for value in values:
                if value is child:
                    break
                found = _checked(inference, file, scope, value, text, isinstance(op, ast.And), parent)
                if found is not None:
                    return found
        case (
            ast.ListComp(generators=generators)
            | ast.SetComp(generators=generators)
            | ast.GeneratorExp(generators=generators)
            | ast.DictComp(generators=generators)
        ):
            if not isinstance(child, ast.comprehension):
                for generator in generators:
                    for test in generator.ifs:
                        found = _checked(inference, file, scope, test, text, True, parent)
                        if found is not None:
                            return found
        case ast.comprehension(ifs=ifs):
            for test in ifs:
                if test is child:
                    break
                found = _checked(inference, file, scope, test, text, True, parent)
                if found is not None:
                    return found
        case ast.match_case(pattern=pattern) if child is not pattern:
            return None
        case ast.Match(subject=subject):
            if dotted(subject) == text and isinstance(child, ast.match_case):
                classes = [p.cls for p in _patterns(child.pattern)]
                if classes and None not in classes:
                    return inference.instances_of(
                        union(inference.infer(file, scope, c) for c in classes if c is not None)
                    )
                return unknown("matched by a pattern")
        case ast.Try(body=body, handlers=handlers):
            if any(s is child for s in body) and any(_catches_attribute(h) for h in handlers):
                return unknown("an AttributeError is caught")
    return None


def _patterns(pattern: ast.pattern) -> list[ast.MatchClass | _Other]:
    match pattern:
        case ast.MatchClass():
            return [pattern]
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return _patterns(inner)
        case ast.MatchOr(patterns=patterns):
            return [p for inner in patterns for p in _patterns(inner)]
    return [_Other()]


class _Other:
    cls = None


def _catches_attribute(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)}
    return bool(names & {"AttributeError", "Exception", "BaseException"})


def _before(
    inference: Inference, file: PyFile, scope: Scope, parent: ast.AST, child: ast.AST, text: str
) -> Result | None:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and any(s is child for s in block):
            return _earlier(inference, file, scope, block, child, text)
    return None


def _earlier(
    inference: Inference, file: PyFile, scope: Scope, block: list[ast.stmt], child: ast.AST, text: str
) -> Result | None:
    """Asserts and early exits before `child` in its block, the nearest first; a rebinding ends the search."""
    from graft_indexer.bodies import always_leaves

    position = next((n for n, s in enumerate(block) if s is child), 0)
    for statement in reversed(block[:position]):
        if _rebinds(statement, text):
            return None
        match statement:
            case ast.Assert(test=test):
                found = _test(inference, file, scope, test, text, True)
            case ast.If(test=test, body=body, orelse=[]) if always_leaves(body):
                found = _test(inference, file, scope, test, text, False)
            case ast.If(test=test, orelse=orelse) if orelse and always_leaves(orelse):
                found = _test(inference, file, scope, test, text, True)
            case _:
                continue
        if found is not None:
            return found
    return None


def _rebinds(statement: ast.AST, text: str) -> bool:
    known: frozenset[str] | None = getattr(statement, "_graft_rebound", None)
    if known is None:
        names: set[str] = set()
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store | ast.Del):
                    names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and (whole := dotted(node)):
                names.add(whole)
        known = frozenset(names)
        statement._graft_rebound = known  # type: ignore[attr-defined]
    return text in known or text.split(".")[0] in known


def _checked(
    inference: Inference, file: PyFile, scope: Scope, test: ast.expr, text: str, truth: bool, parent: ast.AST
) -> Result | None:
    found = _test(inference, file, scope, test, text, truth)
    if found is not None and isinstance(parent, ast.If | ast.While):
        body = parent.body if truth else parent.orelse
        if any(_rebinds(s, text) for s in body):
            return unknown("it is assigned in the branch that tests it")
    return found


def _test(inference: Inference, file: PyFile, scope: Scope, test: ast.expr, text: str, truth: bool) -> Result | None:
    """What a test that came out as `truth` says about `text`; None if it says nothing."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _test(inference, file, scope, operand, text, not truth)
        case ast.BoolOp(op=op, values=values):
            holds = isinstance(op, ast.And) is truth
            for value in values:
                found = _test(inference, file, scope, value, text, truth)
                if found is not None:
                    if holds:
                        return found
                    if found.reason != _NOTHING_LEFT:  # else another of them was not met
                        return unknown("one of several tests")
            return None
        case ast.Call(func=ast.Name(id="isinstance"), args=[subject, classes]) if dotted(subject) == text:
            if not truth:
                return _rest(inference, file, scope, subject, classes)
            items = _class_items(classes)
            return inference.instances_of(union(inference.infer(file, scope, c) for c in items))
        case ast.Call(func=func, args=args) if any(_mentions(a, text) for a in args):
            name = func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")
            if name in _ASKING or name.startswith(("is", "_is", "has", "_has")):
                return unknown(f"tested by {name}")
            return None
        case ast.Compare(left=left, comparators=comparators):
            for side in (left, *comparators):
                if (
                    isinstance(side, ast.Call)
                    and dotted(side.func) == "type"
                    and any(_mentions(a, text) for a in side.args)
                ):
                    return unknown("its type is compared")
                if isinstance(side, ast.Attribute) and side.attr == "__class__" and dotted(side.value) == text:
                    return unknown("its class is compared")
            return None
        case ast.NamedExpr(value=value):
            return _test(inference, file, scope, value, text, truth)
    return None


def _class_items(classes: ast.expr) -> list[ast.expr]:
    match classes:
        case ast.Tuple(elts=items):
            return [i for item in items for i in _class_items(item)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_class_items(left), *_class_items(right)]
    return [classes]


def _rest(inference: Inference, file: PyFile, scope: Scope, subject: ast.expr, classes: ast.expr) -> Result | None:
    """What is left of a union when it is not an instance of `classes`, open if nothing; None if not known."""
    if not isinstance(subject, ast.Name):
        return unknown(_NOTHING_LEFT)
    excluded = inference.instances_of(union(inference.infer(file, scope, c) for c in _class_items(classes)))
    if excluded.reason:
        return None
    gone = {v.cls for v in excluded.values if isinstance(v, Instance)}
    found = inference.world.lookup(file, scope, subject.id)
    whole = inference.targets(found)
    left = tuple(v for v in whole.values if not (isinstance(v, Instance) and _below(inference, v, gone)))
    if not left and whole.values:
        # By its annotation nothing comes here; who asks all the same does not trust it.
        return unknown(_NOTHING_LEFT)
    if whole.reason or len(left) == len(whole.values):
        return None
    return Result(left)


def _below(inference: Inference, value: Instance, classes: set[Cls]) -> bool:
    return any(cls in classes for cls in inference.classes.shape(value.cls).order)


def _mentions(node: ast.expr, text: str) -> bool:
    return any(isinstance(n, ast.Name | ast.Attribute) and dotted(n) == text for n in ast.walk(node))
