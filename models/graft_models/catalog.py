"""Models that Graft knows, and those that lie on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from graft_models.gguf_file import BadModelFile, GgufFile, read_gguf

EMBEDDED_NAME = "graft-embedded.gguf"


def embedded_model() -> Path | None:
    """The model that comes with Graft; None in a source tree or a wheel without it."""
    path = Path(__file__).parent / "weights" / EMBEDDED_NAME
    return path if path.is_file() else None


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A GGUF file that was found; `error` is one line if it cannot be used (then `file` is None)."""

    path: Path
    file: GgufFile | None
    error: str = ""
    embedded: bool = False


def examine(path: Path, embedded: bool = False) -> LocalModel:
    """Read the header of one file; never raises."""
    try:
        return LocalModel(path, read_gguf(path), embedded=embedded)
    except BadModelFile as error:
        return LocalModel(path, None, str(error), embedded)


def local_models(folder: Path) -> list[LocalModel]:
    """The embedded model, then every `*.gguf` below `folder` by name."""
    found = []
    embedded = embedded_model()
    if embedded is not None:
        found.append(examine(embedded, embedded=True))
    if folder.is_dir():
        found += [examine(path) for path in sorted(folder.rglob("*.gguf"))]
    return found
