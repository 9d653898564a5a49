"""Questions about the whole workspace: subclasses, attributes set from outside, where names are used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft_indexer.classes import class_of
from graft_indexer.facts import DefinitionKind, Span
from graft_indexer.graph import Symbol
from graft_indexer.outside import OutsideBases
from graft_indexer.receivers import Inference
from graft_indexer.scopes import FUNCTIONS, Scope, scope_of
from graft_indexer.text import encode
from graft_indexer.values import Cls
from graft_indexer.world import PyFile

_STORE = re.compile(rb"\.\s*(?P<name>\w+)\s*(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)")
_NOTE = re.compile(rb"\.(?P<name>\w+)[ \t]*:[ \t]*[^=\n]+=(?!=)")
_LOOP = re.compile(rb"\.(?P<name>\w+)[ \t]*(?:\)[ \t]*)?(?:,|:|\bin\b)")
_LIST = re.compile(rb"^[ \t]*\(?[ \t]*((?:[\w.\[\]'\"*]+[ \t]*,[ \t]*)+[\w.\[\]'\"*]*)\)?[ \t]*=(?!=)", re.M)
_SETATTR = re.compile(rb"(?:setattr|__setattr__|patch\.object)\([^,\n]+,\s*f?['\"](?P<name>\w+)['\"]")
_PATCH = re.compile(rb"patch(?:\.dict)?\(\s*f?['\"][\w.]*\.(?P<name>\w+)['\"]")
_ASKED = re.compile(rb"(?:hasattr|getattr|delattr)\([^\n]*?['\"](?P<name>\w+)['\"]")
_BUILTIN = re.compile(
    rb"(?:\bbuiltins(?:__)?\.(?:__dict__\[)?(?P<name>\w+)\s*=(?!=))|(?:\bbuiltins(?:__)?[^\n]*['\"](?P<quoted>\w+)['\"])"
)
_MAKING = re.compile(rb"\b(?:type|new_class|setattr)\((?:[^\n]*\n)?[^\n]*")
_WORD = re.compile(rb"[A-Za-z_]\w*(?=\s*,)")
_OWN = (b"self", b"cls")
_MAX_CLASSES = 300
"""Subclasses looked at; beyond that the answer is open."""
_MAX_OUTSIDE = 24


@dataclass(frozen=True, slots=True)
class _Outside:
    """What one version of a file does to objects from outside."""

    digest: str
    stores: dict[str, int]
    """Attributes set on anything but self -> offset."""
    asked: frozenset[str]
    """Attributes asked for with hasattr or getattr."""
    called: frozenset[str]
    """Words in calls that make or fill classes."""


class Repository:
    """Answers for a graph; remembers what it found by file and version."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference
        self.world = inference.world
        self.source = inference.world.source
        self._outside = OutsideBases()
        self._builtin_names: dict[str, tuple[str, list[tuple[str, Span]]]] = {}
        self._stores: dict[str, _Outside] = {}
        inference.stored_elsewhere = self.stored_elsewhere
        inference.subclasses = self.subclasses

    # -- attributes set from outside ------------------------------------------------------------------------------
    def outside_stores(self, path: str) -> tuple[dict[str, int], frozenset[str]]:
        """Attributes that a file sets on anything but self -> offset; and those it asks for with hasattr or getattr."""
        known = self._of(path)
        return known.stores, known.asked

    def _of(self, path: str) -> _Outside:
        digest = self.source.digest(path) or ""
        known = self._stores.get(path)
        if known is not None and known.digest == digest:
            return known
        data = encode(self.source.text(path) or "")
        found: dict[str, int] = {}
        for match in _STORE.finditer(data):
            if not _own(data, match.start()):
                found.setdefault(match["name"].decode(), match.start("name"))
        for match in _NOTE.finditer(data):
            head = data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()].strip()
            if b" " not in head and not _own(data, match.start()):
                found.setdefault(match["name"].decode(), match.start("name"))
        if b" as " in data or b"for " in data:
            for match in _LOOP.finditer(data):
                head = data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()]
                word = b"for " if match[0].endswith((b"in", b",")) else b" as "
                if word in head and b"=" not in head and not _own(data, match.start()):
                    found.setdefault(match["name"].decode(), match.start("name"))
        for match in _LIST.finditer(data):
            for item in re.finditer(rb"([\w\]]+)\.(\w+)\s*(?:,|$)", match[1]):
                if item[1] not in _OWN or match[1][max(0, item.start() - 1) : item.start()] == b".":
                    found.setdefault(item[2].decode(), match.start(1) + item.start(2))
        for pattern in (_SETATTR, _PATCH):
            for match in pattern.finditer(data):
                found.setdefault(match["name"].decode(), match.start("name"))
        asked = frozenset(m["name"].decode() for m in _ASKED.finditer(data))
        called = frozenset(
            word.decode("utf-8", "replace") for m in _MAKING.finditer(data) for word in _WORD.findall(m[0])
        )
        known = self._stores[path] = _Outside(digest, found, asked, called)
        return known

    def stored_elsewhere(self, name: str) -> bool:
        """Whether any file of the workspace sets an attribute of that name on anything but self."""
        key = ("stored", name)
        memo = self.world.memo
        if key not in memo:
            memo[key] = any(name in self.outside_stores(p)[0] for p in self._python(self.source.files_with(name)))
        return bool(memo[key])

    def attribute_guarded(self, name: str) -> bool:
        """Whether any file of the workspace asks with hasattr or getattr whether an attribute is there."""
        key = ("asked", name)
        memo = self.world.memo
        if key not in memo:
            memo[key] = any(name in self.outside_stores(p)[1] for p in self._python(self.source.files_with(name)))
        return bool(memo[key])

    def set_from_outside(self, holders: Sequence[Cls]) -> list[Symbol]:
        """Attributes that files which mention one of the classes set on something that is not self."""
        names = {c.name for c in holders if c.file.name not in ("builtins", "typing")}
        paths: dict[str, None] = {}
        for name in names:
            paths.update(dict.fromkeys(self._python(self.source.files_with(name))))
        found: dict[str, Symbol] = {}
        for path in paths:
            for name, offset in self.outside_stores(path)[0].items():
                if name not in found:
                    span = Span(offset, offset + len(name.encode()))
                    module = self.world.finder.module_name(path)
                    found[name] = Symbol(
                        name,
                        f"{holders[0].full_name}.{name}",
                        DefinitionKind.ATTRIBUTE,
                        path,
                        span,
                        span,
                        module=module,
                    )
        return list(found.values())

    def builtins_set(self) -> dict[str, Symbol]:
        """Names that files of the workspace add to the builtins."""
        known = self.world.memo.get("builtins set")
        if known is None:
            found: dict[str, Symbol] = {}
            for path in self._python(self.source.files_with("builtins")):
                for name, span in self._builtins_of(path):
                    module = self.world.finder.module_name(path)
                    found[name] = Symbol(
                        name, f"builtins.{name}", DefinitionKind.VARIABLE, path, span, span, module=module
                    )
            known = self.world.memo["builtins set"] = found
        return known  # type: ignore[return-value]

    def _builtins_of(self, path: str) -> list[tuple[str, Span]]:
        digest = self.source.digest(path) or ""
        known = self._builtin_names.get(path)
        if known is None or known[0] != digest:
            data = encode(self.source.text(path) or "")
            found = [((m["name"] or m["quoted"]).decode(), Span(m.start(), m.end())) for m in _BUILTIN.finditer(data)]
            known = self._builtin_names[path] = (digest, found)
        return known[1]

    @staticmethod
    def _python(paths: Iterable[str]) -> list[str]:
        return [p for p in paths if p.endswith((".py", ".pyi"))]

    # -- subclasses ---------------------------------------------------------------------------------------------------
    def subclasses(self, cls: Cls) -> tuple[tuple[Cls, ...], str]:
        """Subclasses that the workspace defines (and, of a class outside, those its own file defines), direct and
        indirect; with why there may be more."""
        key = ("subclasses", cls)
        memo = self.world.memo
        known = memo.get(key)
        if known is None:
            memo[key] = ((), "its subclasses depend on itself")  # for questions on the way
            known = memo[key] = self._subclasses(cls)
        return known  # type: ignore[return-value]

    def _subclasses(self, cls: Cls) -> tuple[tuple[Cls, ...], str]:
        found: dict[Cls, None] = {}
        queue = [cls]
        seen_paths = 0
        while queue:
            current = queue.pop()
            if self._made_by_call(current):
                return tuple(found), "calls derive from it or fill it"
            direct = self._direct(current)
            if direct is None:
                return tuple(found), "it has many subclasses"
            for candidate in direct:
                if candidate != cls and candidate not in found:
                    found[candidate] = None
                    queue.append(candidate)
            seen_paths += 1
            if len(found) > _MAX_CLASSES:
                return tuple(found), "it has many subclasses"
        return tuple(found), ""

    def _made_by_call(self, cls: Cls) -> bool:
        """Whether a class is derived from, or filled, by calls of `type`, `new_class` or `setattr`."""
        if not cls.file.in_workspace:
            return False
        return any(cls.name in self._of(p).called for p in self._python(self.source.files_with(cls.name)))

    def _direct(self, cls: Cls) -> list[Cls] | None:
        """Classes that derive from `cls` directly; None if there are too many to look at."""
        key = ("direct", cls)
        if key in self.world.memo:
            return self.world.memo[key]  # type: ignore[return-value]
        found: list[Cls] = []
        if not cls.file.in_workspace:
            reason = self._derived_outside(cls, found)
            if reason:
                self.world.memo[key] = None
                return None
        if cls.file is not self.world.builtins:
            for path in self._python(self.source.files_with(cls.name)):
                facts = self.source.facts(path)
                if facts is None or not any(d.kind is DefinitionKind.CLASS and d.bases for d in facts.definitions):
                    continue
                aliases = {cls.name} | {i.alias for i in facts.imports if i.alias and i.name == cls.name}
                if not any(
                    d.kind is DefinitionKind.CLASS and any(_last(b) in aliases for b in d.bases)
                    for d in facts.definitions
                ):
                    continue
                file = self.world.file(path)
                if file is None:
                    continue
                found += self._derived(cls, file)
        self.world.memo[key] = found
        return found

    def _derived_outside(self, cls: Cls, found: list[Cls]) -> str:
        """Subclasses outside the workspace: in typeshed for its classes, in the package for those of a package."""
        if cls.file.name in ("builtins", "typing") and cls.name in ("object", "Protocol", "Generic"):
            return "everything derives from it"
        memo = cls.memo
        known = memo.get("outside subclasses")
        if known is None:
            typeshed = str(self.world.environment.typeshed or "/nowhere")
            absolute = self.world.finder.absolute(cls.file.path)
            if absolute.startswith(typeshed + "/"):
                package = typeshed
            else:
                base, name = self.world.finder.home(cls.file.path)
                top = f"{base}/{name.split('.')[0]}"
                package = top if Path(top).is_dir() else absolute
            derived = self._outside.derived(package, cls.name)
            classes: list[Cls] = []
            reason = ""
            if derived is None or len(derived) > _MAX_OUTSIDE:
                reason = "it has many subclasses"
            else:
                for path in dict.fromkeys(p for p, _ in derived):
                    file = self.world.file(self.world.finder.relative(path))
                    if file is not None:
                        classes += self._derived(cls, file)
            twin = self.inference.classes.twin(cls)
            if twin is not None:
                classes += self._derived(twin, twin.file)
            known = memo["outside subclasses"] = (classes, reason)
        classes, reason = known  # type: ignore[misc]
        found += classes
        return str(reason)

    def _derived(self, cls: Cls, file: PyFile) -> list[Cls]:
        """Classes of a file that name `cls` as a base."""
        candidates = (c for c in classes_in(file) if c.node.bases)
        return [c for c in candidates if any(b.cls == cls for b in self.inference.classes.bases(c)[0])]


def _own(data: bytes, dot: int) -> bool:
    """Whether what stands before a dot is just `self` or `cls`."""
    begin = dot
    while begin > 0 and (data[begin - 1 : begin].isalnum() or data[begin - 1 : begin] in (b"_", b".", b")", b"]")):
        begin -= 1
    return data[begin:dot] in _OWN


def _last(base: str) -> str:
    return base.split("[", 1)[0].rpartition(".")[2].strip()


def classes_in(file: PyFile) -> list[Cls]:
    """Every class of a file, nested ones and those in functions included."""
    known = file.memo.get("classes")
    if known is None:
        found: list[Cls] = []
        _collect(file, file.scope, file.tree.body, found)
        known = file.memo["classes"] = found
    return known  # type: ignore[return-value]


def _collect(file: PyFile, scope: Scope, body: list[ast.stmt], found: list[Cls]) -> None:
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            found.append(class_of(file, statement, scope))
            _collect(file, scope_of(scope, statement), statement.body, found)
        elif isinstance(statement, FUNCTIONS):
            if _has_class(statement):
                _collect(file, scope_of(scope, statement), statement.body, found)
        else:
            for name in ("body", "orelse", "finalbody"):
                block = getattr(statement, name, None)
                if isinstance(block, list):
                    _collect(file, scope, [s for s in block if isinstance(s, ast.stmt)], found)
            for handler in getattr(statement, "handlers", []):
                _collect(file, scope, handler.body, found)


def _has_class(node: ast.stmt) -> bool:
    known = getattr(node, "_graft_class", None)
    if known is None:
        known = any(isinstance(n, ast.ClassDef) for n in ast.walk(node) if n is not node)
        node._graft_class = known  # type: ignore[attr-defined]
    return bool(known)
