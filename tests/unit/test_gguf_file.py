"""What a GGUF file says about itself, whole, cut off and damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft_models.catalog import embedded_model, examine, local_models
from graft_models.gguf_file import BadModelFile, read_gguf
from graft_testing.tiny_gguf import write


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.gguf", metadata={"general.license": "mit"}, quantized=True)


def test_a_whole_file(tiny: Path) -> None:
    file = read_gguf(tiny)
    assert (file.architecture, file.quantization, file.context_length) == ("qwen2", "Q8_0", 2048)
    assert file.metadata["general.license"] == "mit"
    assert file.metadata["tokenizer.ggml.tokens"] > 256
    assert file.parameters > 50_000 and "token_embd.weight" in file.tensors


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_every_shorter_file_is_refused(tiny: Path, share: float) -> None:
    data = tiny.read_bytes()
    short = tiny.with_name("short.gguf")
    # The last tensor is padded; what is cut must be more than the padding.
    short.write_bytes(data[: int(share * (len(data) - 64))])
    with pytest.raises(BadModelFile) as caught:
        read_gguf(short)
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 4000), st.binary(min_size=1, max_size=8))
def test_damage_is_refused_or_read_but_never_anything_else(tiny: Path, at: int, noise: bytes) -> None:
    data = tiny.read_bytes()
    damaged = tiny.with_name("damaged.gguf")
    damaged.write_bytes(data[:at] + noise + data[at + len(noise) :])
    found = examine(damaged)
    assert (found.file is None) == bool(found.error)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="no such file"):
        read_gguf(tmp_path / "x.gguf")
    with pytest.raises(BadModelFile, match="directory"):
        read_gguf(tmp_path)


def test_local_models_are_listed_with_their_errors(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.gguf").write_bytes(tiny.read_bytes())
    (tmp_path / "b.gguf").write_bytes(b"GGUF")
    found = [m for m in local_models(tmp_path) if not m.embedded]
    assert [(m.path.name, bool(m.error)) for m in found] == [("b.gguf", True), ("a.gguf", False)]
    assert local_models(tmp_path / "none") == [m for m in local_models(tmp_path) if m.embedded]


def test_the_embedded_model_is_whole() -> None:
    path = embedded_model()
    assert path is not None
    file = read_gguf(path)
    assert file.metadata["graft.prompt_version"] == 1 and file.size < 100_000_000
