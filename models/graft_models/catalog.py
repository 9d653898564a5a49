"""Models that Graft knows, and those that lie on this machine.

The known ones are data (`catalog.toml`): every fact stands with its source, and what has no primary source is absent.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graft_models.gguf_file import BadModelFile, GgufFile, read_gguf

EMBEDDED_NAME = "graft-embedded.gguf"
_DATA = Path(__file__).parent / "catalog.toml"


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes that cost and memory follow from; `tied` if the output matrix is the embedding."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    inner: int
    vocabulary: int
    tied: bool

    @property
    def layer_weights(self) -> int:
        """Weights of all layers' matrices: what is read for every token of a prompt."""
        kv = self.width // self.heads * self.kv_heads
        return self.layers * (2 * self.width * self.width + 2 * self.width * kv + 3 * self.width * self.inner)

    @property
    def output_weights(self) -> int:
        """Weights of the output matrix: read for every generated token beside the layers."""
        return self.width * self.vocabulary

    @property
    def kv_bytes(self) -> int:
        """Bytes of key and value memory for one token, half precision."""
        return self.layers * (self.width // self.heads) * self.kv_heads * 2 * 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One known model.  None: not known.  `sources` names where each fact was read, by field."""

    id: str
    title: str
    quantization: str
    url: str | None
    size: int | None
    """Exact, in bytes; a download of another length is refused."""
    about_bytes: int | None
    """Rounded, for people."""
    sha256: str | None
    licence: str | None
    commercial: bool | None
    parameters: int | None
    format: str | None
    shape: Shape | None
    sources: dict[str, str]

    @property
    def file_name(self) -> str:
        """The name under which the file is kept."""
        return self.url.rsplit("/", 1)[-1] if self.url else f"{self.id}.gguf"

    @property
    def estimated_bytes(self) -> int | None:
        """Size of the file: as stated, else from the shape and the quantization, else None."""
        if self.size or self.about_bytes:
            return self.size or self.about_bytes
        bits = BITS_PER_WEIGHT.get(self.quantization)
        if self.shape is None or bits is None:
            return None
        matrices = self.shape.layer_weights + self.shape.output_weights * (1 if self.shape.tied else 2)
        return int(matrices * bits / 8)


BITS_PER_WEIGHT = {"F16": 16.0, "Q8_0": 8.5, "Q6_K": 6.5625, "Q5_0": 5.5, "Q4_K": 4.5, "Q4_0": 4.5}
"""From ggml's block layouts (ggml/src/ggml-common.h): bytes of a block times 8, by its weights."""


@cache
def known_models() -> tuple[Entry, ...]:
    """All entries of the catalogue, in its order."""
    return tuple(_entry(name, table) for name, table in tomllib.loads(_DATA.read_text("utf-8"))["model"].items())


def known(name: str) -> Entry | None:
    """The entry called `name`, in any case; None if there is none."""
    return next((e for e in known_models() if e.id == name.lower()), None)


def _entry(name: str, table: dict[str, Any]) -> Entry:
    facts = {k: v for k, v in table.items() if isinstance(v, dict)}

    def fact(key: str) -> Any:
        return facts[key]["value"] if key in facts else None

    numbers = fact("shape")
    return Entry(
        id=name,
        title=table["title"],
        quantization=table.get("quantization", ""),
        url=fact("url"),
        size=fact("size"),
        about_bytes=fact("about_bytes"),
        sha256=fact("sha256"),
        licence=fact("licence"),
        commercial=fact("commercial"),
        parameters=fact("parameters"),
        format=fact("format"),
        shape=_shape(numbers) if numbers else None,
        sources={k: v["source"] for k, v in facts.items()},
    )


def _shape(numbers: list[int]) -> Shape:
    layers, width, heads, kv_heads, inner, vocabulary, tied = numbers
    return Shape(layers, width, heads, kv_heads, inner, vocabulary, bool(tied))


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
    record: dict[str, Any] | None = None
    """What `pull` wrote down: source, digest, whether it was verified, licence.  None for files put there by hand."""


def examine(path: Path, embedded: bool = False) -> LocalModel:
    """Read the header of one file; never raises."""
    try:
        return LocalModel(path, read_gguf(path), embedded=embedded, record=read_record(path))
    except BadModelFile as error:
        return LocalModel(path, None, str(error), embedded, read_record(path))


def record_path(path: Path) -> Path:
    """Where `pull` writes down what it saw of a model."""
    return path.with_name(path.name + ".json")


def read_record(path: Path) -> dict[str, Any] | None:
    """What `pull` wrote down beside a model; None if there is nothing readable."""
    try:
        record = json.loads(record_path(path).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def local_models(folder: Path) -> list[LocalModel]:
    """The embedded model, then every `*.gguf` below `folder` by name."""
    found = []
    embedded = embedded_model()
    if embedded is not None:
        found.append(examine(embedded, embedded=True))
    if folder.is_dir():
        found += [examine(path) for path in sorted(folder.rglob("*.gguf"))]
    return found
