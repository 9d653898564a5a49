"""Does a suggestion repeat somebody's code: a file that the embedded model learned from, or a dependency?

Asked on demand (`graft complete --explain`, the editor's "what the model saw"), never while a person types.  Training
files are recognised by fingerprints of 50 tokens, dependencies (the installed modules that the open file imports) by
comparing tokens.  What the person wrote above the cursor counts as context: a suggestion that only goes on with code
which itself repeats a file is said to repeat it too, but code of one's own alone says nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from graft_indexer.graph import Origin, SymbolGraph
from graft_indexer.text import decode
from graft_models.weights import attribution
from graft_server.workspace import NORMAL, GraphThread

log = logging.getLogger("graft.provenance")

LEAST_TOKENS = 24
"""Of a suggestion, for a dependency to be named: shorter texts are alike by chance."""
_TRAIL_TOKENS = attribution.GRAM + attribution.WINDOW
_MOST_FILES = 24
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Note:
    """A repeated source: a package with its version and licence (either may be empty), a path in it if it is known."""

    package: str
    version: str
    licence: str
    path: str
    kind: str
    """"training" or "dependency"."""

    def __str__(self) -> str:
        name = f"{self.package} {self.version}".strip()
        where = f", {self.path}" if self.path else ""
        licence = self.licence or "licence not stated"
        what = "a file the model learned from" if self.kind == "training" else "a dependency"
        return f"repeats {what}: {name}{where} ({licence})"


@lru_cache(maxsize=1)
def _fingerprints() -> attribution.Fingerprints | None:
    file = Path(attribution.__file__).with_name("fingerprints.bin")
    try:
        return attribution.Fingerprints(file)
    except (OSError, ValueError) as error:
        log.warning("training files cannot be recognised: %s", error)
        return None


async def notes(graph: GraphThread | None, path: str, before: str, text: str) -> list[Note]:
    """What `text`, put in after `before` in the file at `path`, repeats.  Tens of milliseconds, off the event loop."""
    if not text.strip():
        return []
    files: list[Path] = []
    if graph is not None:
        files = await graph.ask(lambda g: dependencies(g, path), files, priority=NORMAL)
    return await asyncio.to_thread(lambda: trained_on(before, text) + repeats(text, files))


def trained_on(before: str, text: str) -> list[Note]:
    """Training packages that `text` repeats, together with what stands before it; not those of `before` alone."""
    prints = _fingerprints()
    if prints is None:
        return []
    words = list(attribution.TOKEN.finditer(before[-4000:]))[-_TRAIL_TOKENS:]
    trail = before[-4000:][words[0].start() :] if words else ""
    own = set(prints.attribute(trail))
    found = [s for s in prints.attribute(trail + text) if s not in own]
    return [Note(s.name, s.version, s.licence, "", "training") for s in found]


def repeats(text: str, files: Iterable[Path]) -> list[Note]:
    """Files that hold all tokens of `text` in a row.  Files that cannot be read are passed over."""
    wanted = attribution.TOKEN.findall(text)
    if len(wanted) < LEAST_TOKENS:
        return []
    needle = "\0" + "\0".join(wanted) + "\0"
    out = []
    for file in files:
        if needle in _haystack(str(file)):
            package, version, licence, path = package_of(file)
            out.append(Note(package, version, licence, path, "dependency"))
    return out


@lru_cache(maxsize=64)
def _haystack(file: str) -> str:
    try:
        data = Path(file).read_bytes()
    except OSError:
        return ""
    if len(data) > _MOST_BYTES:
        return ""
    return "\0" + "\0".join(attribution.TOKEN.findall(decode(data).text)) + "\0"


def package_of(file: Path) -> tuple[str, str, str, str]:
    """(name, version, licence, path) of an installed file, from the metadata beside its package."""
    folders = ("site-packages", "dist-packages")
    parts = file.parts
    at = max((i for i, part in enumerate(parts) if part in folders), default=-1)
    if at < 0 or at + 1 >= len(parts):
        return file.parent.name, "", "", file.name
    site, path = Path(*parts[: at + 1]), "/".join(parts[at + 1 :])
    top = parts[at + 1].removesuffix(".py")
    for metadata in sorted(site.glob("*.dist-info")):
        name, _, version = metadata.name.removesuffix(".dist-info").rpartition("-")
        if _same(name, top) or top in _top_level(metadata):
            return name, version, _licence(metadata), path
    return top, "", "", path


def _same(a: str, b: str) -> bool:
    return re.sub(r"[-_.]+", "-", a).lower() == re.sub(r"[-_.]+", "-", b).lower()


def _top_level(metadata: Path) -> list[str]:
    try:
        return metadata.joinpath("top_level.txt").read_text("utf-8").split()
    except (OSError, UnicodeDecodeError):
        return []


def _licence(metadata: Path) -> str:
    try:
        text = metadata.joinpath("METADATA").read_text("utf-8", "replace")
    except OSError:
        return ""
    head = text.partition("\n\n")[0]
    for field in ("License-Expression", "License"):
        found = re.search(rf"^{field}: (\S[^\n]{{0,60}})$", head, re.MULTILINE)
        if found is not None:
            return found.group(1)
    found = re.search(r"^Classifier: License :: (?:OSI Approved :: )?([^\n]+)$", head, re.MULTILINE)
    return found.group(1) if found is not None else ""


def dependencies(graph: SymbolGraph, path: str) -> list[Path]:
    """The installed files that the file's imports lead to.  On the graph's thread."""
    facts = graph.facts(path)
    found: dict[str, None] = {}
    for item in facts.imports if facts is not None else ():
        for symbol in graph.resolve_import(path, item).value:
            if symbol.origin is Origin.INSTALLED:
                found[symbol.path] = None
        if len(found) >= _MOST_FILES:
            break
    return [Path(graph.root, file) for file in found]
