"""What modules bind and pass on, without their trees: enough to say which star import may bring a name.

A package that gathers hundreds of modules by `from x import *` leads each name through all of them.  Their trees do not
fit into what is kept, so what counts here is taken down once for each text of a file (`Outline`).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graft_indexer.memo import CircularError
from graft_indexer.modules import Module
from graft_indexer.pyfile import PyFile

if TYPE_CHECKING:
    from graft_indexer.world import World


@dataclass(frozen=True, slots=True)
class Outline:
    """What one text of a file binds at module level, and how it passes that on."""

    names: tuple[str, ...]
    loose: str
    """Why there may be more; empty if there cannot."""
    stars: tuple[tuple[str, int], ...]
    """(module as written, level) of each star import."""
    exports: frozenset[str] | None
    """`__all__`, see `PyFile.exports`."""
    computed: str


@dataclass(frozen=True, slots=True)
class Offers:
    """Which of a file's star imports may bring what."""

    by_name: dict[str, tuple[int, ...]]
    """Name -> indexes into the file's star imports that are known to bring it."""
    closed: frozenset[int]
    """Those that bring nothing else."""


class Namespaces:
    """Answers for a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._outlines: dict[str, tuple[str, Outline]] = {}

    def outline(self, path: str) -> Outline | None:
        """The outline of a file by its graph path; None if it cannot be read."""
        world = self.world
        digest = (world.source.digest(path) if not path.startswith("/") else "") or ""
        known = self._outlines.get(path)
        if known is not None and known[0] == digest:
            tokens = world.tokens_of(path, digest)
            if tokens is not None:
                world.memo.note(tokens.file)
                return known[1]
            if path.startswith("/"):
                return known[1]
        file = world.file(path)
        if file is None:
            self._outlines.pop(path, None)
            return None
        found = _outline(file)
        self._outlines[path] = (world.held(path), found)
        return found

    def clear(self) -> None:
        """Forget all outlines: files outside the workspace may have changed with those that came or went."""
        self._outlines.clear()

    def names(self, module: Module, seen: frozenset[str] = frozenset()) -> tuple[list[str], str]:
        """Module-level names (submodules excluded), with why there may be more."""
        key = module.path or module.name
        if key in seen:
            return [], ""
        outline = self.outline(module.path) if module.path else None
        if outline is None:
            if module.binary:
                return [], "a C extension without stub"
            return [], "" if not module.path else "the module cannot be read"
        names = dict.fromkeys(outline.names)
        reason = outline.loose
        if "__getattr__" in names:
            reason = reason or "the module has __getattr__"
        for written, level in outline.stars:
            inner, missing = self.world.import_module(module.path, written, level)
            if inner is None:
                reason = reason or missing or "a star import cannot be resolved"
                continue
            more, why = self.star_names(inner, seen | {key})
            names.update(dict.fromkeys(more))
            reason = reason or why
        if module.is_stub and module.source and not reason:
            source = self.outline(module.source)
            if source is not None:
                names.update(dict.fromkeys(source.names))
                for written, level in source.stars:
                    inner, _ = self.world.import_module(module.source, written, level)
                    if inner is not None and (inner.path or inner.name) not in seen:
                        names.update(dict.fromkeys(self.star_names(inner, seen | {key})[0]))
        return list(names), reason

    def star_names(self, module: Module, seen: frozenset[str] = frozenset()) -> tuple[list[str], str]:
        """Names that `from module import *` binds, with why there may be more."""
        names, reason = self.names(module, seen)
        outline = self.outline(module.path) if module.path else None
        if outline is None:
            return [], "a star import cannot be resolved"
        if outline.exports is not None:
            return sorted(outline.exports), outline.computed
        return [n for n in names if not n.startswith("_")], reason or outline.computed

    def offers(self, file: PyFile) -> Offers | None:
        """What the star imports of a file bring; None where that depends on itself."""

        def make() -> tuple[PyFile, Offers]:
            file.note()
            return file, self._offers(file)

        try:
            return self.world.memo.remember(("star imports", file.path, id(file)), make)[1]
        except CircularError:
            return None

    def _offers(self, file: PyFile) -> Offers:
        by_name: dict[str, list[int]] = {}
        closed: set[int] = set()
        for index, star in enumerate(file.scope.stars):
            module, reason = self.world.star_module(file, star)
            if module is None:
                continue
            names, why = self.star_names(module, frozenset((file.path,)))
            outline = self.outline(module.path) if module.path else None
            brought = set(names)
            if outline is not None and outline.exports is None and module.is_package:
                brought |= set(self.world.finder.submodules(module))
            for name in brought:
                by_name.setdefault(name, []).append(index)
            # Without a list of what it exports, a module may say more of why a name is not there.
            if outline is not None and outline.exports is not None and not (reason or why or outline.computed):
                closed.add(index)
        return Offers({n: tuple(i) for n, i in by_name.items()}, frozenset(closed))


def _outline(file: PyFile) -> Outline:
    stars = []
    for star in file.scope.stars:
        assert isinstance(star.statement, ast.ImportFrom)
        stars.append((star.statement.module or "", star.statement.level))
    exports, computed = file.exports
    return Outline(tuple(file.scope.bindings), file.loose, tuple(stars), exports, computed)
