"""The catalogue is data with a source for every fact, and agrees with itself."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from graft_models.catalog import Entry, examine, known, known_models, record_path
from graft_models.formats import FAMILIES
from graft_testing.tiny_gguf import write

FACTS = ("url", "size", "about_bytes", "sha256", "licence", "commercial", "parameters", "format", "shape")


@pytest.mark.parametrize("entry", known_models(), ids=lambda e: e.id)
def test_every_fact_has_a_source_and_every_source_a_fact(entry: Entry) -> None:
    stated = {name for name in FACTS if getattr(entry, name) is not None}
    assert set(entry.sources) == stated
    assert all(source.strip() for source in entry.sources.values())


@pytest.mark.parametrize("entry", known_models(), ids=lambda e: e.id)
def test_facts_are_of_their_kind(entry: Entry) -> None:
    assert entry.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    assert entry.url is None or urlsplit(entry.url).scheme == "https"
    assert re.fullmatch(r"[\w][\w.+-]*\.gguf", entry.file_name)
    assert entry.format is None or entry.format in {f.name for f in FAMILIES}
    assert entry.commercial is None or entry.licence is not None


@pytest.mark.parametrize("entry", [e for e in known_models() if e.shape], ids=lambda e: e.id)
def test_shapes_agree_with_the_stated_sizes(entry: Entry) -> None:
    shape = entry.shape
    assert shape is not None and entry.parameters is not None
    weights = shape.layer_weights + shape.output_weights * (1 if shape.tied else 2)
    assert weights == pytest.approx(entry.parameters, rel=0.02)
    if entry.about_bytes:
        assert weights * 8.5 / 8 == pytest.approx(entry.about_bytes, rel=0.02)


def test_names_are_found_in_any_case() -> None:
    assert known("Qwen2.5-Coder-0.5B") is known_models()[0]
    assert known("nothing") is None


def test_what_pull_wrote_down_is_read_back_and_damage_is_survived(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf")
    assert examine(path).record is None
    record_path(path).write_text('{"sha256": "ab", "verified": false}')
    assert examine(path).record == {"sha256": "ab", "verified": False}
    for damaged in ("", "[1]", "\xff"):
        record_path(path).write_bytes(damaged.encode("latin-1"))
        assert examine(path).record is None and not examine(path).error
