"""The files of a workspace at level 2, and names followed through imports to what declares them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from graft_indexer.extract import refusal
from graft_indexer.text import decode, encode
from graft_indexer.tongues import CompleteSource, family_of
from graft_indexer.typescript.modules import Modules
from graft_indexer.typescript.scopes import TYPE, VALUE, Binding, Export, TsFile

if TYPE_CHECKING:
    from tree_sitter import Node

_KEPT: Final = 96
"""Files whose trees are kept; a tree takes about 27 bytes per byte of source."""
_STEPS: Final = 24
"""Re-exports that are followed before giving up."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What a name means: a binding, an expression that is exported without a name, or (neither) a whole module."""

    file: TsFile
    binding: Binding | None = None
    node: Node | None = None
    named: Node | None = None
    """What names an expression: the `name` of `exports.name = ...`."""


Targets = tuple[list[Target], str]
"""What was found, and why that may not be all or not be certain (empty if it is)."""


class TsWorld:
    """Files by path, parsed once per text."""

    def __init__(self, source: CompleteSource) -> None:
        self.source = source
        self.modules = Modules(source)
        self._files: OrderedDict[str, tuple[str, TsFile]] = OrderedDict()
        self._generation = -1

    def _renew(self) -> None:
        """What was inferred in one file may rest on the text of another."""
        if self.source.generation != self._generation:
            self._generation = self.source.generation
            for _, file in self._files.values():
                file.memo.clear()

    def forget(self) -> None:
        """Files changed on disk."""
        self.modules.forget()
        for path in [p for p in self._files if p.startswith("/")]:
            del self._files[path]

    def file(self, path: str) -> TsFile | None:
        """A file of the workspace (open buffer first), or one of node_modules by its absolute path."""
        self._renew()
        if path.startswith("/"):
            return self._outside(path)
        digest = self.source.digest(path)
        if digest is None or family_of(path) != "typescript":
            return None
        known = self._files.get(path)
        if known is not None and known[0] == digest:
            self._files.move_to_end(path)
            return known[1]
        buffer = getattr(self.source, "buffer", lambda _: None)(path)
        if buffer is not None:
            if buffer.tree is None:
                return None
            made = TsFile(path, buffer.data, buffer.tree)
        else:
            text = self.source.text(path)
            if text is None or refusal(data := encode(text)) is not None:
                return None
            made = TsFile(path, data)
        return self._keep(path, digest, made)

    def _outside(self, path: str) -> TsFile | None:
        known = self._files.get(path)
        if known is not None:
            self._files.move_to_end(path)
            return known[1]
        try:
            data = encode(decode(Path(path).read_bytes()).text)
        except (OSError, ValueError):
            return None
        if family_of(path) != "typescript" or refusal(data) is not None:
            return None
        return self._keep(path, "", TsFile(path, data))

    def _keep(self, path: str, digest: str, made: TsFile) -> TsFile:
        self._files[path] = (digest, made)
        self._files.move_to_end(path)
        while len(self._files) > _KEPT:
            self._files.popitem(last=False)
        return made

    # -- names --------------------------------------------------------------------------------------------------------
    def resolve(self, file: TsFile, name: str, offset: int, meaning: int = VALUE) -> Targets:
        """What a name means at an offset; imports are followed.  Nothing and no reason: it is bound nowhere here."""
        found: list[Target] = []
        reason = ""
        for binding in file.lookup(name, offset, meaning):
            targets, why = self.follow(file, binding, meaning)
            found += targets
            reason = reason or why
        return found, reason

    def follow(self, file: TsFile, binding: Binding, meaning: int, steps: int = _STEPS) -> Targets:
        """The targets of a binding: itself, or what it imports."""
        if binding.how != "import":
            return [Target(file, binding)], ""
        imported = file.imported(binding)
        if imported is None:
            return [], "an import that is not understood"
        return self.member_of_module(file, imported.module, imported.name, meaning, steps)

    def module(self, file: TsFile, specifier: str) -> tuple[TsFile | None, str]:
        """The file that a specifier means; (None, "") if it is relative and there is nothing."""
        path, reason = self.modules.resolve(file.path, specifier)
        if path is None:
            return None, reason
        found = self.file(path)
        return found, "" if found is not None else "a file that cannot be read"

    def member_of_module(self, file: TsFile, specifier: str, name: str, meaning: int, steps: int = _STEPS) -> Targets:
        """What a module exports under a name (`*`: the module itself), as seen from a file that imports it."""
        module, reason = self.module(file, specifier)
        if module is None:
            return [], reason or "the module is not there"
        if name == "*":
            whole = module.exports.get("export=")
            if whole is not None and not module.is_javascript:
                return self.exported(module, whole, meaning, steps)
            return [Target(module)], ""
        return self.export(module, name, meaning, steps)

    def export(self, module: TsFile, name: str, meaning: int, steps: int = _STEPS) -> Targets:
        """The export of a module under a name; nothing and no reason: it has none."""
        if steps <= 0:
            return [], "too many re-exports"
        found = module.exports.get(name)
        if found is not None:
            return self.exported(module, found, meaning, steps)
        whole = module.exports.get("export=")
        if whole is not None:
            if name == "default":
                return self.exported(module, whole, meaning, steps)
            return [], "the module exports one value"
        reason = module.open_exports
        if name == "default" and not reason:
            return [], "" if not module.is_javascript else "a default that CommonJS makes"
        targets: list[Target] = []
        for specifier in module.stars if name != "default" else ():
            inner, why = self.module(module, specifier)
            if inner is None:
                reason = reason or why or "a module that is exported is not there"
                continue
            more, why = self.export(inner, name, meaning, steps - 1)
            targets += more
            if more:
                return targets, why
            reason = reason or why
        return targets, reason

    def exported(self, module: TsFile, export: Export, meaning: int, steps: int) -> Targets:
        """What an export stands for."""
        if export.module:
            return self.member_of_module(module, export.module, export.imported, meaning, steps - 1)
        if export.local:
            bindings = module.scopes[0].names.get(export.local, [])
            wanted = [b for b in bindings if b.space & meaning] or bindings
            found: list[Target] = []
            reason = ""
            for binding in wanted:
                targets, why = self.follow(module, binding, meaning, steps - 1)
                found += targets
                reason = reason or why
            if not wanted:
                reason = "the exported name is not bound"
            return found, reason
        named = export.node if export.node.type == "property_identifier" else None
        return [Target(module, node=export.expression or export.node, named=named)], ""

    def export_names(self, module: TsFile, seen: frozenset[str] = frozenset()) -> tuple[dict[str, TsFile], str]:
        """Names that a module exports with the module that says so, and why there may be more."""
        names = {n: module for n in module.exports if n not in ("default", "export=")}
        reason = module.open_exports or ("it exports one value" if "export=" in module.exports else "")
        for specifier in module.stars:
            inner, why = self.module(module, specifier)
            if inner is None:
                reason = reason or why or "a module that is exported is not there"
            elif inner.path not in seen and len(seen) < _STEPS * 4:
                more, why = self.export_names(inner, seen | {module.path})
                for name, owner in more.items():
                    names.setdefault(name, owner)
                reason = reason or why
        return names, reason


__all__ = ["TYPE", "VALUE", "Target", "Targets", "TsWorld"]
