"""`graft models`: list, verify, use."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_server.cli import main
from graft_server.commands.models import with_model_path
from graft_server.errors import UserError
from graft_testing.tiny_gguf import write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAFT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("GRAFT_CONFIG", str(tmp_path / "config.toml"))
    models = tmp_path / "data/models"
    models.mkdir(parents=True)
    write(models / "tiny.gguf")
    (models / "half.gguf").write_bytes((models / "tiny.gguf").read_bytes()[:5000])
    return tmp_path


def test_list_says_what_is_there_and_what_is_broken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = {Path(m["path"]).name: m for m in json.loads(capsys.readouterr().out)["models"]}
    assert rows["tiny.gguf"]["architecture"] == "qwen2" and not rows["tiny.gguf"]["error"]
    assert "is cut off" in rows["half.gguf"]["error"]


def test_verify_refuses_what_cannot_fill(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "tiny"]) == 1
    assert "too weak" in capsys.readouterr().out
    assert main(["models", "verify", "half"]) == 2
    assert "is cut off" in capsys.readouterr().err
    assert main(["models", "verify", "nothing"]) == 2
    assert "there are: " in capsys.readouterr().err


def test_use_writes_the_setting_and_keeps_the_rest(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = home / "config.toml"
    config.write_text("# mine\n[model]\nthreads = 3 # why\n[log]\nlevel = 'debug'\n")
    assert main(["models", "use", "tiny"]) == 0
    text = config.read_text()
    assert tomllib.loads(text) == {
        "model": {"path": str(home / "data/models/tiny.gguf"), "threads": 3},
        "log": {"level": "debug"},
    }
    assert "# mine" in text and "# why" in text
    assert main(["models", "use", "embedded"]) == 0
    assert tomllib.loads(config.read_text())["model"]["path"] == ""
    assert main(["models", "use", "half"]) == 2
    capsys.readouterr()


tables = st.sampled_from(["", "[model]\n", "[model]\nthreads = 1\n", "[model]\npath = 'x'\n", "[x]\ny = 1\n"])
tails = st.sampled_from(["", "\n[log]\nlevel = 'info'\n"])


@given(tables, tails, st.text(max_size=20))
def test_the_settings_file_stays_toml(first: str, second: str, path: str) -> None:
    before = tomllib.loads(first + second)
    after = tomllib.loads(with_model_path(first + second, path))
    assert after["model"]["path"] == path
    del after["model"]["path"]
    before.get("model", {}).pop("path", None)
    assert {k: v for k, v in after.items() if v} == {k: v for k, v in before.items() if v}


def test_a_broken_settings_file_is_not_touched() -> None:
    with pytest.raises(UserError, match="not valid TOML"):
        with_model_path("[model\n", "x")
