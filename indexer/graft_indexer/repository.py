"""Questions about the whole workspace: subclasses, attributes set from outside, where names are used."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Sequence
from pathlib import Path

from graft_indexer.bindings import FUNCTIONS, How
from graft_indexer.classes import class_of
from graft_indexer.facts import DefinitionKind, Span
from graft_indexer.graph import Symbol
from graft_indexer.memo import PLAIN, CircularError, Token
from graft_indexer.outside import OutsideBases
from graft_indexer.pieces import Outside, read
from graft_indexer.pyfile import PyFile
from graft_indexer.receivers import Inference
from graft_indexer.scopes import Scope, scope_of
from graft_indexer.source import COMPUTED
from graft_indexer.text import encode
from graft_indexer.values import Cls

_BUILTIN = re.compile(
    rb"(?:\bbuiltins(?:__)?\.(?:__dict__\[)?(?P<name>\w+)\s*=(?!=))|(?:\bbuiltins(?:__)?[^\n]*['\"](?P<quoted>\w+)['\"])"
)
_REFITTING = frozenset({"__defaults__", "__kwdefaults__", "__code__"})
"""What of a function decides which arguments it takes."""
_ENDINGS = (".py", ".pyi", ".ipynb")
_TUPLES = frozenset({"namedtuple", "NamedTuple", "TypedDict"})
"""What is called for a base that is a class of its own."""
_MAX_CLASSES = 300
"""Subclasses looked at; beyond that the answer is open."""
_MAX_FILES = 150
"""Files that may hold subclasses; of a class with more it is said at once that it has many: to look at them all takes
seconds, and mostly ends at the same answer."""
_MAX_OUTSIDE = 24
_MAX_OWNERS = 300


class Repository:
    """Answers for a graph; remembers what it found by file and version."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference
        self.world = inference.world
        self.source = inference.world.source
        self._outside_bases = OutsideBases()
        self._builtin_names: dict[str, tuple[str, list[tuple[str, Span]]]] = {}
        self._seen: dict[str, Outside] = {}
        self._symbols_outside: dict[str, dict[str, tuple[Outside, Symbol]]] = {}
        """Of each class: what is set on it from outside, and by which version of a file."""
        self._bases: dict[str, tuple[str, frozenset[str]]] = {}
        self._tokens: dict[str, tuple[Token, Token]] = {}
        """Of each file: what it does to others, and where."""
        self._words: dict[str, Token] = {}
        self._known_words: dict[str, frozenset[bytes]] = {}
        self._disk = Token()
        inference.stored_elsewhere = self.stored_elsewhere
        inference.subclasses = self.subclasses
        inference.computes_bases = self.computes_bases
        inference.refitted = self.refitted
        self.world.watchers.append(self._changed)
        self.world.path_changes = self.changes_path

    # -- keeping up ---------------------------------------------------------------------------------------------------
    def _changed(self, path: str) -> None:
        """A file has another text: void what was made from its words, or from what it does to others."""
        memo = self.world.memo
        words = self.source.words(path)
        before = self._known_words.pop(path, None)
        if words is not None:
            self._known_words[path] = words
            while len(self._known_words) > 32:
                del self._known_words[next(iter(self._known_words))]
        if words is None or before is None:
            memo.change(self._disk)
        else:
            touched = [self._words.get(w.decode("utf-8", "surrogateescape")) for w in words ^ before]
            memo.change(*(t for t in touched if t is not None))
        tokens = self._tokens.get(path)
        if tokens is not None:
            old, bases = self._seen.get(path), self._bases.get(path)
            same = words is not None and (bases is None or bases[1] == self._bases_of(path))
            if same and old is not None:
                same = old.outline == self._of(path).outline
            memo.change(*(tokens[1:] if same else tokens))

    def files_with(self, name: str) -> list[str]:
        """Python files of the workspace that hold an identifier."""
        memo = self.world.memo
        if memo.busy:
            token = self._words.get(name)
            if token is None:
                token = self._words[name] = Token()
            memo.note(token)
            memo.note(self._disk)
        return [p for p in self.source.files_with(name) if p.endswith(_ENDINGS)]

    def _note(self, path: str, *, places: bool = False) -> None:
        memo = self.world.memo
        if memo.busy:
            tokens = self._tokens.get(path)
            if tokens is None:
                tokens = self._tokens[path] = (Token(), Token())
            memo.note(tokens[0])
            if places:
                memo.note(tokens[1])

    # -- attributes set from outside ------------------------------------------------------------------------------
    def outside_stores(self, path: str) -> tuple[dict[str, int], frozenset[str]]:
        """Attributes that a file sets on anything but self -> offset; and those it asks for with hasattr or getattr."""
        known = self._of(path)
        return known.stores, known.asked

    def _of(self, path: str) -> Outside:
        self._note(path)
        digest = self.source.digest(path) or ""
        known = self._seen.get(path)
        if known is not None and known.digest == digest:
            return known
        self.world.memo.hurry()
        data = encode(self.source.text(path) or "")
        before = known.pieces if known is not None else ()
        known = self._seen[path] = read(data, digest, before, keep=self.source.is_open(path))
        return known

    def _bases_of(self, path: str) -> frozenset[str]:
        """Last names of what the classes of a file derive from, and what those are imported by; perhaps others."""
        self._note(path)
        digest = self.source.digest(path) or ""
        known = self._bases.get(path)
        if known is None or known[0] != digest:
            known = self._bases[path] = (digest, self.source.bases(path))
        return known[1]

    def changes_path(self) -> bool:
        """Whether any file of the workspace writes of `sys.path`."""
        return self.world.memo.remember(
            "sys.path", lambda: any(self._of(p).changes_path for p in self.files_with("sys"))
        )

    def stored_elsewhere(self, name: str) -> bool:
        """Whether any file of the workspace sets an attribute of that name on anything but self."""
        return self.world.memo.remember(
            (PLAIN, "stored", name), lambda: any(name in self._of(p).stores for p in self.files_with(name))
        )

    def refitted(self, name: str) -> bool:
        """Whether a file that mentions a function sets what some function takes."""
        return self.world.memo.remember((PLAIN, "refitted", name), lambda: self._refitted(name))

    def _refitted(self, name: str) -> bool:
        setting = {p for word in _REFITTING for p in self.files_with(word)}
        if not setting:
            return False
        with_name = setting.intersection(self.files_with(name))
        return any(not _REFITTING.isdisjoint(self._of(p).stores) for p in sorted(with_name))

    def attribute_guarded(self, name: str) -> bool:
        """Whether any file of the workspace asks with hasattr or getattr whether an attribute is there."""
        return self.world.memo.remember(
            (PLAIN, "asked", name), lambda: any(name in self._of(p).asked for p in self.files_with(name))
        )

    def set_from_outside(self, holders: Sequence[Cls], known: Container[str] = ()) -> list[Symbol]:
        """Attributes that files which mention one of the classes set on something that is not self; without those
        that are `known` already."""
        names = tuple(dict.fromkeys(c.name for c in holders if c.file.name not in ("builtins", "typing")))
        owner = holders[0].full_name
        found = self.world.memo.remember(("set outside", owner, names), lambda: self._set_outside(owner, names))
        return [symbol for symbol in found if symbol.name not in known]

    def _set_outside(self, owner: str, class_names: Sequence[str]) -> list[Symbol]:
        paths: dict[str, str] = {}
        for class_name in class_names:
            for name, path in self._set_near(class_name).items():
                paths.setdefault(name, path)
        of: dict[str, tuple[Outside, str]] = {}
        for path in set(paths.values()):
            self._note(path, places=True)
            of[path] = self._of(path), self.world.finder.module_name(path)
        before = self._symbols_outside.pop(owner, {})
        made: dict[str, tuple[Outside, Symbol]] = {}
        for name, path in paths.items():
            outside, module = of[path]
            known = before.get(name)
            if known is not None and known[0] is outside and known[1].module == module:
                made[name] = known  # of a file that nobody has changed
                continue
            offset = outside.stores.get(name, 0)
            span = Span(offset, offset + len(name.encode()))
            kind = DefinitionKind.ATTRIBUTE
            symbol = Symbol(name, f"{owner}.{name}", kind, path, span, span, module=module, unsure=True)
            made[name] = (outside, symbol)
        self._symbols_outside[owner] = made
        while len(self._symbols_outside) > _MAX_OWNERS:
            del self._symbols_outside[next(iter(self._symbols_outside))]
        return [symbol for _, symbol in made.values()]

    def _set_near(self, class_name: str) -> dict[str, str]:
        """Attributes set on something that is not self, in files that mention a class -> the first such file."""
        return self.world.memo.remember(("set near", class_name), lambda: self._find_set_near(class_name))

    def _find_set_near(self, class_name: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in self.files_with(class_name):
            for name in self._of(path).stores:
                found.setdefault(name, path)
        return found

    def builtins_set(self) -> dict[str, Symbol]:
        """Names that files of the workspace add to the builtins."""
        return self.world.memo.remember("builtins set", self._builtins_set)

    def _builtins_set(self) -> dict[str, Symbol]:
        found: dict[str, Symbol] = {}
        for path in self.files_with("builtins"):
            self._note(path, places=True)
            for name, span in self._builtins_of(path):
                module = self.world.finder.module_name(path)
                found[name] = Symbol(name, f"builtins.{name}", DefinitionKind.VARIABLE, path, span, span, module=module)
        return found

    def _builtins_of(self, path: str) -> list[tuple[str, Span]]:
        digest = self.source.digest(path) or ""
        known = self._builtin_names.get(path)
        if known is None or known[0] != digest:
            data = encode(self.source.text(path) or "")
            found = [((m["name"] or m["quoted"]).decode(), Span(m.start(), m.end())) for m in _BUILTIN.finditer(data)]
            known = self._builtin_names[path] = (digest, found)
        return known[1]

    def computes_bases(self) -> bool:
        """Whether any class of the workspace has a base that no name says: of what classes it is, nobody can tell."""
        try:
            return self.world.memo.remember("computed bases", self._computes_bases)
        except CircularError:
            return True

    def _computes_bases(self) -> bool:
        memo = self.world.memo
        if memo.busy:
            memo.note(self._disk)
        for path in self.source.paths():
            if path.endswith(_ENDINGS):
                memo.hurry()
                if COMPUTED in self._bases_of(path) and self._computes(path):
                    return True
        return False

    def _may_be_base(self, path: str) -> bool:
        """Whether a class of this file has a base that no name says: a factory of mixins is mostly fed with the classes
        around it (`for base in globals().values(): class Test(base, Mixin): ...`)."""
        if self._of(path).makes_classes:
            return True
        memo = self.world.memo
        return COMPUTED in self._bases_of(path) and memo.remember(("computes", path), lambda: self._computes(path))

    def _computes(self, path: str) -> bool:
        file = self.world.file(path)
        if file is None:
            return False
        file.note()
        for cls in classes_in(file):
            if cls.node.bases:
                file.note_scope(cls.outer)
                if any(self._is_computed(cls, base) for base in cls.node.bases):
                    return True
        return False

    def _is_computed(self, cls: Cls, base: ast.expr) -> bool:
        """Whether a base may be a class of the workspace without being named by it."""
        if isinstance(base, ast.Call):
            called = base.func
            return getattr(called, "id", getattr(called, "attr", "")) not in _TUPLES
        inner = base.value if isinstance(base, ast.Subscript) else base
        head = inner
        while isinstance(head, ast.Attribute):
            head = head.value
        if not isinstance(head, ast.Name):
            return True
        scope: Scope | None = cls.outer
        while scope is not None and head.id not in scope.bindings:
            scope = scope.parent
        if scope is None:
            return False
        others = [b for b in scope.bindings[head.id] if b.how not in (How.CLASS, How.IMPORT, How.FROM)]
        if not others:
            return False
        if not scope.is_module or inner is not base or any(b.how is not How.ASSIGN for b in others):
            return True
        # What calls are given at the top level of a module counts as derived from.
        return not all(isinstance(b.value, ast.Call | ast.Constant) and not b.path for b in others)

    # -- subclasses ---------------------------------------------------------------------------------------------------
    def subclasses(self, cls: Cls) -> tuple[tuple[Cls, ...], str]:
        """Subclasses that the workspace defines (and, of a class outside, those its own file defines), direct and
        indirect; none with why there may be more."""
        memo = self.world.memo
        try:
            # Why they are not known outlives the trees: of a class on which half a repository builds, to find out again
            # takes seconds.
            why = memo.remember(
                (PLAIN, "why not all subclasses", cls.file.path, cls.full_name), lambda: self.some_subclasses(cls)[1]
            )
            return ((), why) if why else self.some_subclasses(cls)
        except CircularError:
            return (), "its subclasses depend on itself"

    def some_subclasses(self, cls: Cls) -> tuple[tuple[Cls, ...], str]:
        """As `subclasses`, with those that are known where there may be more."""
        try:
            return self.world.memo.remember(("subclasses", cls), lambda: self._subclasses(cls))
        except CircularError:
            return (), "its subclasses depend on itself"

    def _subclasses(self, cls: Cls) -> tuple[tuple[Cls, ...], str]:
        found: dict[Cls, None] = {}
        queue = [cls]
        files: set[str] = set()
        while queue:
            current = queue.pop()
            if self.made_by_call(current):
                return tuple(found), "calls derive from it or fill it"
            if current.file.in_workspace and self._may_be_base(current.file.path):
                return tuple(found), "a class of its file has computed bases"
            if current.file is not self.world.builtins:
                files.update(p for p in self._deriving(current) if self._may_mean(p, current))
                if len(files) > _MAX_FILES:
                    return tuple(found), "it has many subclasses"
            direct = self._direct(current)
            if direct is None:
                return tuple(found), "it has many subclasses"
            for candidate in direct:
                if candidate != cls and candidate not in found:
                    found[candidate] = None
                    queue.append(candidate)
            if len(found) > _MAX_CLASSES:
                return tuple(found), "it has many subclasses"
        return tuple(found), ""

    def made_by_call(self, cls: Cls) -> bool:
        """Whether a class is derived from, or filled, by calls of `type`, `new_class` or `setattr`, by a call that is
        given it at module level, or by the decorator of another class."""
        if not cls.file.in_workspace:
            return False
        return self.world.memo.remember(
            (PLAIN, "made by call", cls.name),
            lambda: any(cls.name in self._of(p).called for p in self.files_with(cls.name)),
        )

    def _direct(self, cls: Cls) -> list[Cls] | None:
        """Classes that derive from `cls` directly; None if there are too many to look at."""
        try:
            return self.world.memo.remember(("direct", cls), lambda: self._find_direct(cls))
        except CircularError:
            return None

    def _find_direct(self, cls: Cls) -> list[Cls] | None:
        found: list[Cls] = []
        if not cls.file.in_workspace:
            reason = self._derived_outside(cls, found)
            if reason:
                return None
        if cls.file is not self.world.builtins:
            for path in self._deriving(cls):
                file = self.world.file(path)
                if file is not None:
                    found += self._derived(cls, file)
        return found

    def _deriving(self, cls: Cls) -> list[str]:
        """Files with a class whose base is called like `cls`."""
        return [p for p in self.files_with(cls.name) if cls.name in self._bases_of(p)]

    def _may_mean(self, path: str, cls: Cls) -> bool:
        """Whether a file may mean `cls` by its name, and not a class of its own that is called the same."""
        stem = cls.file.name.rpartition(".")[2]
        return path == cls.file.path or any(
            i.name in (cls.name, "*", stem) or i.module.rpartition(".")[2] == stem for i in self.source.imports(path)
        )

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
            derived = self._outside_bases.derived(package, cls.name)
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
                # Of a class that the stub describes too, the stub's is the one that is asked.
                described = {c.full_name for c in classes}
                classes += [c for c in self._derived(twin, twin.file) if c.full_name not in described]
            known = memo["outside subclasses"] = (classes, reason)
        classes, reason = known  # type: ignore[misc]
        found += classes
        return str(reason)

    def _derived(self, cls: Cls, file: PyFile) -> list[Cls]:
        """Classes of a file that name `cls` as a base."""
        candidates = (c for c in classes_in(file) if c.node.bases)
        return [c for c in candidates if any(b.cls == cls for b in self.inference.classes.bases(c)[0])]


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
            if file.tree.data.find(b"class", file.tree.start(statement) + len("class"), file.tree.end(statement)) >= 0:
                _collect(file, scope_of(scope, statement), statement.body, found)
        elif isinstance(statement, FUNCTIONS):
            if b"class" in file.tree.data[file.tree.start(statement) : file.tree.end(statement)] and _has_class(
                statement
            ):
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
