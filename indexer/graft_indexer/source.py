"""What the graph needs of whoever keeps the facts: the store on disk, shadowed by the overlay of open buffers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from graft_indexer.facts import Definition, Facts, Import
from graft_indexer.rows import DefinitionRow

COMPUTED = "*"
"""Among the names that classes derive from: there may be bases that are computed."""


class FactSource(Protocol):
    """Facts of all files of a workspace, open buffers first.  Paths are relative to its root."""

    @property
    def root(self) -> str:
        """Absolute path of the workspace."""

    @property
    def generation(self) -> int:
        """Grows whenever any fact changes; caches are keyed by it."""

    def paths(self) -> Sequence[str]:
        """All indexed files, sorted."""

    def facts(self, path: str) -> Facts | None:
        """Facts of one file, None if it is not part of the workspace."""

    def definitions(self, path: str) -> Sequence[DefinitionRow]:
        """The definitions among a file's facts as rows (see `rows`), which costs a fraction."""

    def imports(self, path: str) -> Sequence[Import]:
        """The import statements among a file's facts, which costs less than all of them."""

    def text(self, path: str) -> str | None:
        """The text that the facts' offsets refer to; None if the file is gone or unreadable."""

    def definitions_named(self, name: str) -> Sequence[tuple[str, Definition]]:
        """Every definition of a simple name, as (path, definition)."""

    def files_defining(self, name: str) -> Sequence[str]:
        """Files with a definition of a simple name."""

    def files_with(self, name: str) -> Sequence[str]:
        """Files whose text contains the identifier."""

    def importing(self, names: Iterable[str]) -> Sequence[str]:
        """Files with an import statement whose module's last part, or imported name, is one of `names`."""

    def digest(self, path: str) -> str | None:
        """Digest of a file's text: unchanged digest, unchanged facts."""

    def changed_since(self, mark: int) -> tuple[int, Sequence[str]]:
        """(a new mark, files whose text changed since `mark`, the latest first)."""

    def counts(self, path: str) -> Mapping[bytes, int]:
        """Every identifier-like word of a file -> how often."""

    def words(self, path: str) -> frozenset[bytes] | None:
        """The identifiers in an open buffer; None for a file that is not open."""

    def is_open(self, path: str) -> bool:
        """Whether an open buffer shadows the file."""

    def bases(self, path: str) -> frozenset[str]:
        """Last names of what the classes of a file derive from, and what those are imported by; perhaps others.
        With `COMPUTED` among them if there may be bases that no name says."""
